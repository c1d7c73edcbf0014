// Opens age files with the age library for JavaScript: reads {identity, files: [path, ...]} from standard input, prints
// one line per file: the SHA-256 of what it holds, or "refused".
import { readFileSync } from "node:fs";
import { createHash, webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto; // Node 18 of Debian 12 does not offer it by itself
const { Decrypter } = await import("age-encryption");

const { identity, files } = JSON.parse(readFileSync(0, "utf8"));
for (const file of files) {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  try {
    const plain = await decrypter.decrypt(new Uint8Array(readFileSync(file)));
    console.log(createHash("sha256").update(plain).digest("hex"));
  } catch (error) {
    console.log("refused");
  }
}
