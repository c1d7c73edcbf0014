// Private keys as seeds and as text, and what follows from a seed: the public key, its fingerprint, the signing key.
// The same as recorder/keys.py and the first half of recorder/signed.py.

import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { bech32 } from "@scure/base";
import { identityToRecipient } from "age-encryption";
import { derive } from "./container.js";
import { Fault } from "./fault.js";

const PREFIXES = { hybrid: "age-secret-key-pq-", classic: "age-secret-key-" };
const PUBLIC_BYTES = { age1pq: 1216, age: 32 };
const SIGNING_INFO = "pasokh/owner/signing/v1";
const SEED_BYTES = 32;

// The line AGE-SECRET-KEY-... of a seed; `kind` is hybrid or classic.
export const identityOf = (seed, kind) => bech32.encodeFromBytes(PREFIXES[kind], seed).toUpperCase();

export const newIdentity = () => identityOf(crypto.getRandomValues(new Uint8Array(SEED_BYTES)), "hybrid");

// {kind, seed} of a line; Fault listen.bad_key.
export function seedOf(identity) {
  try {
    const { prefix, bytes } = bech32.decodeToBytes(identity);
    const kind = Object.keys(PREFIXES).find((each) => PREFIXES[each] === prefix.toLowerCase());
    if (kind && bytes.length === SEED_BYTES) return { kind, seed: bytes };
  } catch {
    // not bech32
  }
  throw new Fault("listen.bad_key");
}

// {text, kind, fingerprint} of a public key, parsed; Fault ceremony.not_signed_set.
export function recipientFrom(text) {
  try {
    const { prefix, words } = bech32.decode(text, false);
    const raw = bech32.fromWords(words);
    if (PUBLIC_BYTES[prefix] === raw.length) {
      return { text, kind: prefix === "age" ? "classic" : "hybrid", fingerprint: bytesToHex(sha256(raw)).slice(0, 16) };
    }
  } catch {
    // not bech32
  }
  throw new Fault("ceremony.not_signed_set");
}

export const recipientOf = async (identity) => recipientFrom(await identityToRecipient(identity));

export function signingKey(identity) {
  const secret = derive(seedOf(identity).seed, undefined, SIGNING_INFO);
  const signer = bytesToHex(ed25519.getPublicKey(secret));
  return { signer, sign: (message) => bytesToHex(ed25519.sign(message, secret)) };
}

// What a file of a private key holds, as keys.py writes it.
export async function identityFile(identity) {
  const { kind, fingerprint, text } = await recipientOf(identity);
  return `# Pasokh, ${kind}, fingerprint ${fingerprint}\n# public key: ${text}\n${identity}\n`;
}
