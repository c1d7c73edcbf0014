// A private key behind a passkey: an age file with the stanza `age-encryption.org/fido2prf` (C2SP, fido2prf), which the
// plugin of that name for age opens as well. WebAuthn's PRF is evaluated at "age-encryption.org/fido2prf" || 1 || nonce
// and the same with 2, where the nonce of 16 bytes is of this file; HKDF-Extract of both results wraps the file key.
//
// What a newcomer gets wrong: a passkey belongs to the name of a site. One that was made at https://pasokh.local opens
// there alone; a file on the disk and a bare address have no name, so they have no passkeys.

import { Encrypter, webauthn } from "age-encryption";
import { Fault } from "./fault.js";

const STANZA = "-> age-encryption.org/fido2prf ";
const ADDRESS = /^(?:[\d.]+|\[.*\])$/;

export const isPasskeyFile = (text) => text.split("\n", 3)[1]?.startsWith(STANZA) ?? false;

// Whether passkeys can be at this address at all.
export const hasPasskeys = () => isSecureContext && location.hostname !== "" && !ADDRESS.test(location.hostname) && "PublicKeyCredential" in window;

// Makes a passkey and wraps `content` (text) by it: the person is asked twice, to make it and to use it.
export async function wrappedByPasskey(content, name) {
  if (!hasPasskeys()) throw new Fault("keys.no_passkey_here");
  try {
    const identity = await webauthn.createCredential({ keyName: name });
    const encrypter = new Encrypter();
    encrypter.addRecipient(new webauthn.WebAuthnRecipient({ identity }));
    return await encrypter.encrypt(content);
  } catch (error) {
    throw passkeyFault(error);
  }
}

// What opens such a file, for a Decrypter.
export function passkeyIdentity() {
  if (!hasPasskeys()) throw new Fault("keys.no_passkey_here");
  return new webauthn.WebAuthnIdentity();
}

export function passkeyFault(error) {
  if (error instanceof Fault) return error;
  if (String(error.message).includes("PRF")) return new Fault("keys.no_prf");
  if (error.name === "NotAllowedError") return new Fault("keys.passkey_cancelled");
  return new Fault("keys.passkey_failed", { reason: error.name ?? "" });
}
