// Bundles src/ and what it needs into one script: `node build.mjs FILE`. The same sources give the same bytes anywhere.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const made = await build({
  absWorkingDir: here,
  entryPoints: ["src/main.js"],
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "PasokhListen",
  target: "es2022",
  charset: "utf8",
  legalComments: "none", // whole licences stand above instead
  metafile: true,
  write: false,
});
const inside = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/; // greedy: the innermost package of a path
const packages = new Set(Object.keys(made.metafile.inputs).flatMap((input) => inside.exec(input)?.[0] ?? []));
const licences = [...packages].sort().map((folder) => {
  const file = readdirSync(join(here, folder)).find((name) => /^licen[cs]e/i.test(name));
  const { name, version } = JSON.parse(readFileSync(join(here, folder, "package.json"), "utf8"));
  return `${name} ${version}\n\n${readFileSync(join(here, folder, file), "utf8").trim()}`;
});
const banner = `/*\nMade from appliance/recorder/listen/src by build.mjs; what it holds of others:\n\n${licences.join("\n\n")}\n*/\n`;
writeFileSync(process.argv[2] ?? join(here, "listen.js"), banner + made.outputFiles[0].text);
