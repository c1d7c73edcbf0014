// Opens recordings with the bundle that the page and the offline file are made of: reads a JSON list of cases from
// standard input ({base, id, key, seal, passphrase, at: a sample}), prints what came of each, one JSON document a line.
import { createHash, webcrypto } from "node:crypto";
import { openSync, readFileSync, readSync, statSync } from "node:fs";
import { runInThisContext } from "node:vm";

globalThis.crypto ??= webcrypto;
const bundle = process.argv[2];
runInThisContext(readFileSync(bundle, "utf8").replace("var PasokhListen", "globalThis.PasokhListen"), bundle);
const { identityFrom, openRecording, overtalk, silences, stretches } = globalThis.PasokhListen;

class DiskSource {
  constructor(path, name) {
    this.path = path;
    this.name = name;
    this.bytesRead = 0;
  }

  async size() {
    return statSync(this.path).size;
  }

  async read(from, to) {
    const out = new Uint8Array(to - from);
    readSync(openSync(this.path), out, 0, to - from, from);
    this.bytesRead += to - from;
    return out;
  }
}

const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function opened({ base, id, key, seal = "", passphrase = "", at = null }) {
  const files = Object.fromEntries(["head", "body", "seal"].map((part) => [part, new DiskSource(`${base}.${part}`, part)]));
  const identity = await identityFrom(new TextEncoder().encode(key), passphrase);
  const recording = await openRecording(files, identity, id, seal);
  if (at !== null) {
    await recording.samples(at, at + 1);
    return { body_bytes: files.body.bytesRead };
  }
  const samples = await recording.samples(0, recording.length);
  await recording.check();
  const both = new Int16Array(2 * recording.length);
  for (let n = 0; n < recording.length; n++) [both[2 * n], both[2 * n + 1]] = [samples.left[n], samples.right[n]];
  return {
    is_closed: recording.isClosed, about: recording.about, milliseconds: recording.milliseconds,
    samples: hash(new Uint8Array(both.buffer)), marks: recording.marks, late: recording.late.length,
    levels: recording.levels().map((each) => [each.left, each.right]),
    talk_ms: [recording.speech.left, recording.speech.right].map((bits) => 20 * bits.reduce((sum, bit) => sum + bit, 0)),
    overtalk: overtalk(recording.speech), silences: silences(recording.speech), stretches: stretches(recording.speech.left),
  };
}

for (const one of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    console.log(JSON.stringify(await opened(one)));
  } catch (fault) {
    if (!fault.key) throw fault; // our own mistake: the test must see it
    console.log(JSON.stringify({ fault: fault.key, ...fault.fields }));
  }
}
