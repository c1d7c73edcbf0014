"""Checks a folder of evidence made by Pasokh. Needs Python 3.9 or newer and the library "cryptography"; no more.

    python3 check.py FOLDER [FINGERPRINT]

FINGERPRINT is that of the box's signing key, as it was noted before (16 letters; ``pasokh evidence verify`` prints it).
Exit 0: the sound is the one that the box has sealed, and its events are those that the box has signed. Exit 1: not so,
and why. What it cannot show: that somebody who held the box *and* its signing key has not written everything anew
before any of it had left the box.

It uses nothing of Pasokh on purpose, and says everything about the formats again: who doubts the box reads this file.
How: the events of the conversation stand in chain.jsonl among all others of that time, of which only hashes are there.
link(n) = SHA-256(mark, n, at, length of kind, kind, length of subject, subject, link(n-1), commitment), commitment =
SHA-256(salt, body). An event "chain.head" is an Ed25519 signature over a mark, a number, that number's link and a time.
A recording is an age v1 payload (ChaCha20-Poly1305 in chunks of 64 KiB); its key stands in proof.json, its digests in
the signed event "recording.sealed".
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CHAIN_MARK, HEAD_MARK = b"pasokh/chain/v1\0", b"pasokh/chain/head/v1\0"
CHUNK, TAG, NONCE = 65536, 16, 16
PROOF = {"version", "conversation", "before", "public", "recordings"}
RECORDING = {"recording", "key", "is_closed"}
LINE = {"n", "at", "kind", "subject", "commitment", "link", "salt", "body"}
MOST_BYTES = 2_000_000_000


class WrongError(Exception):
    """The folder is not what it should be."""


def must(is_so: object, why: str) -> None:
    if not is_so:
        raise WrongError(why)


def canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def read(folder: str, name: str) -> bytes:
    path = os.path.join(folder, name)
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise WrongError(f"{name}: {error.strerror}") from error
    must(len(data) <= MOST_BYTES, f"{name}: too long")
    return data


def parsed(data: bytes, name: str, keys: set[str]) -> dict[str, Any]:
    """One JSON object with exactly these keys, written in the one way in which it can be."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongError(f"{name}: not readable") from error
    must(isinstance(value, dict) and set(value) == keys and canonical(value) == text, f"{name}: changed")
    return {**value}


def unhexed(text: Any, length: int | None, name: str) -> bytes:
    try:
        data: bytes = bytes.fromhex(text)
    except (TypeError, ValueError) as error:
        raise WrongError(f"{name}: not readable") from error
    must(data.hex() == text and (length is None or len(data) == length), f"{name}: changed")
    return data


def sized(number: Any, *, signed: bool = False) -> bytes:
    must(isinstance(number, int) and not isinstance(number, bool) and abs(number) < 1 << 62, "a number is none")
    must(signed or number >= 0, "a number is below nothing")
    return int(number).to_bytes(8, "big", signed=signed)


def link_of(before: bytes, line: dict[str, Any], commitment: bytes) -> bytes:
    must(isinstance(line["kind"], str) and isinstance(line["subject"], str), "chain.jsonl: not readable")
    kind, subject = line["kind"].encode(), line["subject"].encode("utf-8", "replace")
    return hashlib.sha256(
        CHAIN_MARK
        + sized(line["n"])
        + sized(line["at"], signed=True)
        + len(kind).to_bytes(4, "big")
        + kind
        + len(subject).to_bytes(4, "big")
        + subject
        + before
        + commitment
    ).digest()


def chain_of(folder: str, before: bytes) -> list[dict[str, Any]]:
    """Every line, with its body parsed where it has one."""
    data = read(folder, "chain.jsonl")
    must(data.endswith(b"\n"), "chain.jsonl: cut short")
    found: list[dict[str, Any]] = []
    for number, raw in enumerate(data[:-1].split(b"\n"), 1):
        where = f"chain.jsonl, line {number}"
        line = parsed(raw, where, LINE)
        must(not found or line["n"] == found[-1]["n"] + 1, f"{where}: an event is missing or out of order")
        commitment = unhexed(line["commitment"], 32, where)
        if line["body"] is None:
            must(line["salt"] is None, f"{where}: changed")
        else:
            body = line["body"].encode("utf-8") if isinstance(line["body"], str) else b""
            must(hashlib.sha256(unhexed(line["salt"], 16, where) + body).digest() == commitment, f"{where}: changed")
            try:
                line["said"] = json.loads(line["body"])
            except ValueError as error:
                raise WrongError(f"{where}: not readable") from error
        link = unhexed(line["link"], 32, where)
        must(link_of(before, line, commitment) == link, f"{where}: changed")
        before = link
        found.append(line)
    return found


def check_heads(lines: list[dict[str, Any]], public: str) -> int:
    """Every signature; how far they reach."""
    links = {line["n"]: line["link"] for line in lines}
    reached = 0
    for line in lines:
        if line["kind"] != "chain.head":
            continue
        said: dict[str, Any] = line.get("said") or {}
        must(isinstance(said, dict), f"event {line['n']}: a signature without words")
        must(said.get("public") == public, f"event {line['n']}: signed with another key")
        message = (
            HEAD_MARK
            + sized(said.get("n"))
            + unhexed(said.get("link"), 32, "a head")
            + sized(said.get("at"), signed=True)
        )
        try:
            key = Ed25519PublicKey.from_public_bytes(unhexed(public, 32, "the public key"))
            key.verify(unhexed(said.get("signature"), 64, "a signature"), message)
        except (InvalidSignature, ValueError) as error:
            raise WrongError(f"event {line['n']}: the signature is not the box's") from error
        known = links.get(said["n"])
        must(known is None or known == said["link"], f"event {line['n']}: the signature is of another chain")
        if known is not None:
            reached = max(reached, said["n"])
    return reached


def derived(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(key)


def opened(body: bytes, key: bytes, is_closed: bool) -> bytes:
    """The sound of a recording. An open one's last chunk has no tag: the digest of its event vouches for it."""
    must(len(body) >= NONCE, "a recording is cut short")
    payload = derived(key, body[:NONCE], b"payload")
    cipher, sealed, out, index = ChaCha20Poly1305(payload), body[NONCE:], [], 0
    while True:
        chunk = sealed[index * (CHUNK + TAG) : (index + 1) * (CHUNK + TAG)]
        is_last = (index + 1) * (CHUNK + TAG) >= len(sealed)
        if is_last and not is_closed and len(chunk) < CHUNK + TAG:
            nonce = b"\1\0\0\0" + index.to_bytes(11, "big") + b"\0"
            out.append(Cipher(ChaCha20(payload, nonce), None).decryptor().update(chunk[:CHUNK]))
        else:
            nonce = index.to_bytes(11, "big") + (b"\1" if is_last and is_closed else b"\0")
            try:
                out.append(cipher.decrypt(nonce, chunk, None))
            except (InvalidTag, ValueError) as error:
                raise WrongError("a recording does not open with its key") from error
        index += 1
        if is_last:
            return b"".join(out)


def check_recording(folder: str, one: dict[str, Any], sealed: dict[str, dict[str, Any]]) -> None:
    name = one["recording"]
    must(isinstance(name, str) and name.isalnum() and name.isascii(), "proof.json: changed")
    must(name in sealed, f"{name}: no signed event speaks of it")
    said = sealed.pop(name)
    body, seal = read(folder, f"{name}.body"), read(folder, f"{name}.seal")
    must(hashlib.sha256(body).hexdigest() == said["body_sha256"], f"{name}.body: changed")
    must(hashlib.sha256(seal).hexdigest() == said["seal_sha256"], f"{name}.seal: changed")
    sound = opened(body, unhexed(one["key"], 16, "proof.json"), one["is_closed"])
    must(read(folder, f"{name}.wav") == sound, f"{name}.wav: not the sound that was sealed")


def check(folder: str, fingerprint: str = "") -> str:
    """What was found, in words; WrongError where anything is not as it should be."""
    proof = parsed(read(folder, "proof.json").rstrip(b"\n"), "proof.json", PROOF)
    must(proof["version"] == 1 and isinstance(proof["recordings"], list), "proof.json: another version")
    must(isinstance(proof["conversation"], str) and proof["conversation"], "proof.json: changed")
    shown = hashlib.sha256(unhexed(proof["public"], 32, "proof.json")).hexdigest()[:16].upper()
    wanted = "".join(fingerprint.split()).upper()
    must(not wanted or wanted == shown, f"the key is not the one that was noted: {shown}")
    lines = chain_of(folder, unhexed(proof["before"], 32, "proof.json"))
    reached = check_heads(lines, proof["public"])
    mine = [line for line in lines if line["subject"] == proof["conversation"]]
    must(
        mine and mine[0] is lines[0] and mine[0]["kind"] == "conversation.opened",
        "chain.jsonl: its beginning is missing",
    )
    must(all("said" in line for line in mine), "chain.jsonl: words of the conversation are missing")
    must(any(line["kind"] == "conversation.closed" for line in mine), "chain.jsonl: its end is missing")
    must(reached >= mine[-1]["n"], "chain.jsonl: not signed to the end of the conversation")
    must(lines[-1]["kind"] == "chain.head", "chain.jsonl: its end is missing")
    sealed = {
        line["said"]["recording"]: line["said"]
        for line in mine
        if line["kind"] == "recording.sealed" and line["said"]["state"] in ("sealed", "recovered")
    }
    count = len(sealed)
    for one in proof["recordings"]:
        must(isinstance(one, dict) and set(one) == RECORDING, "proof.json: changed")
        check_recording(folder, one, sealed)
    must(not sealed, f"a recording is missing: {' '.join(sealed)}")
    return f"{len(mine)} events, {count} recordings, signed by {shown}"


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print("python3 check.py FOLDER [FINGERPRINT]", file=sys.stderr)
        return 2
    try:
        print("TRUE:", check(*arguments))
    except WrongError as wrong:
        print("NOT TRUE:", wrong)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
