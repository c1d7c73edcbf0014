"""Keys of recordings: the box knows the public half (recipients), the owner alone the private one (identity).

Two kinds of the age format: hybrid (``age1pq1...``, ML-KEM-768 with X25519 through HPKE; the default) and classic
(``age1...``, X25519), which every age tool opens. One recording has recipients of one kind only (the age specification
forbids mixing). Parsing a recipient's text costs more than wrapping a key for it: parse once, at load.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.durable import write_whole
from appliance.errors import Problem
from appliance.recorder import bech32

Kind = Literal["hybrid", "classic"]

HYBRID_INFO = b"age-encryption.org/mlkem768x25519"
CLASSIC_INFO = b"age-encryption.org/v1/X25519"
HYBRID_ENCAPSULATED_BYTES = 1120
HYBRID_PUBLIC_BYTES = 1216
PINNED = "pinned.json"  # beside the recipients once they are signed: who may sign the next ones
SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A public key, parsed. ``fingerprint`` is 16 hex digits of its SHA-256, for people and manifests."""

    text: str
    kind: Kind
    raw: bytes
    fingerprint: str
    hybrid: hpke.MLKEM768X25519PublicKey | None
    classic: x25519.X25519PublicKey | None


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A private key; never on the box."""

    kind: Kind
    seed: bytes

    def __repr__(self) -> str:
        return "Identity(***)"

    def encode(self) -> str:
        prefix = "age-secret-key-pq-" if self.kind == "hybrid" else "age-secret-key-"
        return bech32.encode(prefix, self.seed).upper()

    def recipient(self) -> Recipient:
        if self.kind == "classic":
            public = self.classic().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            return parse_recipient(bech32.encode("age", public))
        kem, exchange = self._halves()
        raw = kem.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) + exchange.public_key().public_bytes(
            Encoding.Raw, PublicFormat.Raw
        )
        return parse_recipient(bech32.encode("age1pq", raw))

    def classic(self) -> x25519.X25519PrivateKey:
        return x25519.X25519PrivateKey.from_private_bytes(self.seed)

    def hybrid(self) -> hpke.MLKEM768X25519PrivateKey:
        return hpke.MLKEM768X25519PrivateKey(*self._halves())

    def _halves(self) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        expanded = hashlib.shake_256(self.seed).digest(96)
        return (
            mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
            x25519.X25519PrivateKey.from_private_bytes(expanded[64:]),
        )


def new_identity(kind: Kind = "hybrid") -> Identity:
    return Identity(kind, secrets.token_bytes(32))


def parse_recipient(text: str) -> Recipient:
    """Raises Problem ``recorder.bad_recipient`` for anything but one public key of age."""
    text = text.strip()
    try:
        part, raw = bech32.decode(text)
        fingerprint = hashlib.sha256(raw).hexdigest()[:16]
        if part == "age" and len(raw) == 32:
            return Recipient(text, "classic", raw, fingerprint, None, x25519.X25519PublicKey.from_public_bytes(raw))
        if part == "age1pq" and len(raw) == HYBRID_PUBLIC_BYTES:
            public = hpke.MLKEM768X25519PublicKey(
                mlkem.MLKEM768PublicKey.from_public_bytes(raw[:1184]),
                x25519.X25519PublicKey.from_public_bytes(raw[1184:]),
            )
            return Recipient(text, "hybrid", raw, fingerprint, public, None)
    except ValueError as error:
        raise Problem("recorder.bad_recipient", shown=text[:16], reason=str(error)) from error
    raise Problem("recorder.bad_recipient", shown=text[:16], reason=part)


def identity_file(identity: Identity) -> bytes:
    """What a file of a private key holds: the key in the last line, and whose it is in remarks."""
    recipient = identity.recipient()
    text = f"# Pasokh, {recipient.kind}, fingerprint {recipient.fingerprint}\n"
    return f"{text}# public key: {recipient.text}\n{identity.encode()}\n".encode()


def parse_identity(text: str) -> Identity:
    """One ``AGE-SECRET-KEY-...`` line; lines that begin with # are skipped."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        if len(lines) != 1:
            raise ValueError("lines")
        part, seed = bech32.decode(lines[0])
    except ValueError as error:
        raise Problem("recorder.bad_identity") from error
    if len(seed) == 32 and part == "age-secret-key-":
        return Identity("classic", seed)
    if len(seed) == 32 and part == "age-secret-key-pq-":
        return Identity("hybrid", seed)
    raise Problem("recorder.bad_identity")


def load_recipients(file: Path) -> tuple[Recipient, ...]:
    """The public keys that every recording is sealed to: one a line, # begins a remark; empty if there is no file."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    recipients = tuple(parse_recipient(line) for line in lines)
    if len({recipient.kind for recipient in recipients}) > 1:
        raise Problem("recorder.mixed_recipients", file=file.name)
    return recipients


def recipients_file(data: Path) -> Path:
    """Where a box keeps its recipients, in its data folder."""
    return data / "keys" / "recipients.txt"


def refuse_unfit(file: Path, recipient: Recipient) -> None:
    """Problem where the file holds keys of the other kind, or is signed: then nobody but the owner changes it."""
    if (file.parent / PINNED).exists():
        raise Problem("recorder.recipients_signed")
    if any(known.kind != recipient.kind for known in load_recipients(file)):
        raise Problem("recorder.mixed_recipients", file=file.name)


def install(file: Path, recipient: Recipient) -> None:
    """Adds a public key to a plain list of those that every new recording is sealed to; durable and whole at every
    moment. Problem where it does not fit (``refuse_unfit``)."""
    refuse_unfit(file, recipient)
    known = load_recipients(file)
    if any(each.raw == recipient.raw for each in known):
        return
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    text = "".join(each.text + "\n" for each in (*known, recipient))
    write_whole(file, text.encode("ascii"), 0o644)


def derive(secret: bytes | bytearray, salt: bytes | None, info: bytes) -> bytes:
    """HKDF-SHA256 to 32 bytes (RFC 5869)."""
    return HKDF(hashes.SHA256(), 32, salt, info).derive(bytes(secret))
