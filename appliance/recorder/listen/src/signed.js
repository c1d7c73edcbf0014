// What the owner signs for the box, byte for byte as recorder/signed.py writes and reads it: who may listen (a set), and
// that the paper was tried (a drill). The format is described there.

import { ed25519 } from "@noble/curves/ed25519.js";
import { hexToBytes } from "@noble/hashes/utils.js";
import { Fault } from "./fault.js";
import { recipientFrom, recipientOf, signingKey } from "./identity.js";

const SIGNERS = ["owner", "recovery"];
const MOST_BYTES = 64 << 10;
const MOST_MEMBERS = 6;
const MARK = "pasokh/owner/signed/v1\0";
const SET_TITLE = "# Pasokh recipients";
const DRILL_TITLE = "# Pasokh drill";
const SIGNATURE = /# signed by ([0-9a-f]{64})\n# signature ([0-9a-f]{128})\n$/;
const SET = /^# Pasokh recipients\n# version ([0-9]{1,9})\n# made ([0-9]{1,15})\n([^]*)$/;
const MEMBER = /# (owner|recovery|listener|escrow): ([^\n]{1,40}?)(?: signs ([0-9a-f]{64}))?\n(age1[a-z0-9]+)\n/gu;
const DRILL = /^# Pasokh drill\n# at ([0-9]{1,15})\n# owner ([0-9a-f]{16})\n# recovery ([0-9a-f]{16})\n$/;
const NAME = /^[\p{L}\p{N}](?:[\p{L}\p{N} .\u200c-]{0,38}[\p{L}\p{N}])?$/u;
const utf8 = new TextEncoder();

// One who can open every recording; Fault ceremony.bad_name for a name that cannot stand in a line.
export async function member(role, name, identity) {
  if (!NAME.test(name) || name.includes(" signs ")) throw new Fault("ceremony.bad_name", { name: name.slice(0, 40) });
  const signer = SIGNERS.includes(role) ? signingKey(identity).signer : "";
  return { role, name, recipient: await recipientOf(identity), signer };
}

// {version, made, members, signer, text}; `made` is UTC ms.
export function signSet(version, made, members, by) {
  check(members, signingKey(by).signer);
  return { version, made, members, ...signed(setText(version, made, members), by) };
}

export function readSet(text) {
  const { said, signer } = checked(text);
  const found = SET.exec(said);
  if (!found) throw new Fault("ceremony.not_signed_set");
  const members = [...found[3].matchAll(MEMBER)].map(([, role, name, signs, key]) => (
    { role, name, recipient: recipientFrom(key), signer: signs ?? "" }
  ));
  const [version, made] = [Number(found[1]), Number(found[2])];
  if (setText(version, made, members) !== said) throw new Fault("ceremony.not_signed_set");
  check(members, signer);
  return { version, made, members, signer, text };
}

export async function signDrill(at, owner, recovery) {
  const prints = [(await recipientOf(owner)).fingerprint, (await recipientOf(recovery)).fingerprint];
  return signed(`${DRILL_TITLE}\n# at ${at}\n# owner ${prints[0]}\n# recovery ${prints[1]}\n`, owner);
}

export function readDrill(text) {
  const { said, signer } = checked(text);
  const found = DRILL.exec(said);
  if (!found) throw new Fault("ceremony.not_signed_set");
  return { at: Number(found[1]), owner: found[2], recovery: found[3], signer, text };
}

function check(members, signer) {
  if (members.length < 2 || members.length > MOST_MEMBERS) {
    throw new Fault("ceremony.members", { count: members.length, most: MOST_MEMBERS });
  }
  const roles = members.filter((each) => each.signer || SIGNERS.includes(each.role)).map((each) => each.role);
  if (roles.join() !== SIGNERS.join() || !members.every((each) => NAME.test(each.name))) {
    throw new Fault("ceremony.not_signed_set");
  }
  if (!members.some((each) => each.signer === signer)) throw new Fault("ceremony.signer_leaves");
  if (new Set(members.map((each) => each.recipient.text)).size < members.length) throw new Fault("ceremony.same_key");
  const names = members.map((each) => each.name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice) throw new Fault("ceremony.same_name", { name: twice });
  if (new Set(members.map((each) => each.recipient.kind)).size > 1) throw new Fault("ceremony.not_signed_set");
}

function setText(version, made, members) {
  const lines = [SET_TITLE, `# version ${version}`, `# made ${made}`];
  for (const { role, name, signer, recipient } of members) {
    lines.push(`# ${role}: ${name}${signer ? ` signs ${signer}` : ""}`, recipient.text);
  }
  return `${lines.join("\n")}\n`;
}

function signed(said, by) {
  const { signer, sign } = signingKey(by);
  return { signer, text: `${said}# signed by ${signer}\n# signature ${sign(utf8.encode(MARK + said))}\n` };
}

function checked(text) {
  const found = text.length <= MOST_BYTES && SIGNATURE.exec(text);
  if (!found) throw new Fault("ceremony.not_signed_set");
  const said = text.slice(0, -found[0].length);
  let isRight = false;
  try {
    isRight = ed25519.verify(hexToBytes(found[2]), utf8.encode(MARK + said), hexToBytes(found[1]), { zip215: false });
  } catch {
    // no point of the curve
  }
  if (!isRight) throw new Fault("ceremony.bad_signature");
  return { said, signer: found[1] };
}
