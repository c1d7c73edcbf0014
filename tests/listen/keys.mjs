// What the bundle makes of keys and of what is signed: reads {make, sets, words} from standard input and prints one JSON
// document: `made` sets with their keys and words, and for each of `sets` and `words` what it holds or its `fault`.
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";

globalThis.crypto ??= webcrypto;
const bundle = process.argv[2];
runInThisContext(readFileSync(bundle, "utf8").replace("var PasokhListen", "globalThis.PasokhListen"), bundle);
const { firstSet, identityFromWords, readDrill, readSet, signDrill, wordsOf, wrappedByPassphrase } = globalThis.PasokhListen;

const asked = JSON.parse(readFileSync(0, "utf8"));
const tried = (read) => {
  try {
    return read();
  } catch (fault) {
    if (!fault.key) throw fault; // our own mistake: the test must see it
    return { fault: fault.key, ...fault.fields };
  }
};
const made = [];
for (const { listeners, escrow, at } of asked.make ?? []) {
  const { set, identities } = await firstSet(listeners, escrow, at);
  const [owner, recovery] = ["Owner", "Recovery"].map((name) => identities.get(name));
  made.push({ text: set.text, drill: await signDrill(at, owner, recovery).then((drill) => drill.text), owner, recovery, words: wordsOf(recovery) });
}
const wrapped = asked.wrap ? Buffer.from(await wrappedByPassphrase(asked.wrap.content, asked.wrap.passphrase)).toString("base64") : "";
const sets = (asked.sets ?? []).map((text) => tried(() => {
  const { version, made: at, members, signer } = readSet(text);
  return { version, made: at, signer, members: members.map((each) => [each.role, each.name, each.recipient.fingerprint, each.signer]) };
}));
const drills = (asked.drills ?? []).map((text) => tried(() => { const { at, owner, recovery } = readDrill(text); return { at, owner, recovery }; }));
const words = (asked.words ?? []).map((text) => tried(() => ({ key: identityFromWords(text) })));
console.log(JSON.stringify({ made, sets, drills, words, wrapped }));
