// The owner's private key, as text in memory and nowhere else, and the file key it takes out of an age header.
//
// Nothing here keeps a key: whoever calls does, for as long as the tab lives. A key file that is itself wrapped by a
// passphrase (age -p) or a passkey is unwrapped here; the words of a recovery sheet are a key as well.

import { Decrypter, armor } from "age-encryption";
import { damaged, Fault } from "./fault.js";
import { identityFromWords, isWords } from "./paper.js";
import { isPasskeyFile, passkeyFault, passkeyIdentity } from "./passkey.js";

const VERSION_LINE = "age-encryption.org/v1\n";
const ARMOR_LINE = "-----BEGIN AGE ENCRYPTED FILE-----";
const MAX_HEAD_BYTES = 64 << 10;
const MAX_KEY_BYTES = 16 << 10;
const IDENTITY = /^AGE-SECRET-KEY-(PQ-)?1[02-9AC-HJ-NP-Z]+$/; // bech32 has no 1, B, I, O behind its 1

const latin1 = new TextDecoder("latin1");

// Whether these bytes of a key file need a passphrase first.
export function isWrapped(bytes) {
  const text = latin1.decode(bytes.subarray(0, 100)).trimStart();
  return (text.startsWith(VERSION_LINE) || text.startsWith(ARMOR_LINE)) && !isPasskeyFile(text);
}

// The one line AGE-SECRET-KEY-... of a key file (bytes); lines that begin with # are skipped.
export async function identityFrom(bytes, passphrase = "") {
  if (bytes.length > MAX_KEY_BYTES) throw new Fault("listen.bad_key");
  const text = latin1.decode(bytes);
  if (isWords(text)) return identityFromWords(text);
  const plain = await opened(bytes, passphrase);
  const lines = latin1.decode(plain).split(/\r?\n/).map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
  if (lines.length !== 1 || !IDENTITY.test(lines[0])) throw new Fault("listen.bad_key");
  try {
    new Decrypter().addIdentity(lines[0]); // its checksum
  } catch {
    throw new Fault("listen.bad_key");
  }
  return lines[0];
}

async function opened(bytes, passphrase) {
  if (isPasskeyFile(latin1.decode(bytes.subarray(0, 200)))) return openedByPasskey(bytes);
  return isWrapped(bytes) ? unwrapped(bytes, passphrase) : bytes;
}

async function openedByPasskey(bytes) {
  const decrypter = new Decrypter();
  decrypter.addIdentity(passkeyIdentity());
  try {
    return await decrypter.decrypt(bytes);
  } catch (error) {
    throw String(error.message).startsWith("no identity matched") ? new Fault("keys.other_passkey") : passkeyFault(error);
  }
}

async function unwrapped(bytes, passphrase) {
  const text = latin1.decode(bytes).trim();
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decrypt(text.startsWith(ARMOR_LINE) ? armor.decode(text) : bytes);
  } catch {
    throw new Fault("listen.wrong_passphrase");
  }
}

// The file key (16 bytes) of a whole age header. Fault listen.wrong_key where it is for somebody else.
export async function fileKey(head, identity) {
  const text = latin1.decode(head);
  const mac = text.indexOf("\n--- ");
  const isHead = head.length <= MAX_HEAD_BYTES && text.startsWith(VERSION_LINE) && mac > 0;
  if (!isHead || text.indexOf("\n", mac + 1) + 1 !== text.length) throw damaged("head: not an age header");
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  try {
    return await decrypter.decryptHeader(head);
  } catch (error) {
    if (String(error.message).startsWith("no identity matched")) throw new Fault("listen.wrong_key");
    throw damaged(String(error.message).includes("HMAC") ? "head: MAC" : "head: stanza");
  }
}
