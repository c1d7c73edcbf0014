"""Signed heads of the chain: whoever has the box's public key can tell whether its records were written anew.

A head is signed at least once a minute while anything happens, and when the box stops; the signature is an event like
any other, so it goes upstream with the next batch and lies in every backup. Ed25519 (RFC 8032) over a mark, the number
and the link of the head, and when it was signed. Honest limit: whoever holds the box *and* its signing key can write
anew what has not left the box yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.records import chain, encode
from appliance.records.events import HeadSigned

MARK = b"pasokh/chain/head/v1\0"
KIND = HeadSigned.kind
REMEMBERED = 20_000  # links: a head is signed soon after it was reached


class Signer:
    """``seed`` are the 32 secret bytes of the box's signing key."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, head: chain.Head, at: int) -> HeadSigned:
        """The event that says so; ``at`` is UTC ms."""
        signature = self._key.sign(signed_bytes(head.n, head.link, at))
        return HeadSigned(head.n, head.link.hex(), at, self.public.hex(), signature.hex())


def signed_bytes(n: int, link: bytes, at: int) -> bytes:
    """What the signature is over."""
    return MARK + n.to_bytes(8, "big") + link + at.to_bytes(8, "big", signed=True)


def is_valid(said: HeadSigned) -> bool:
    """Whether the signature is that of the key it names."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(said.public))
        key.verify(bytes.fromhex(said.signature), signed_bytes(said.n, bytes.fromhex(said.link), said.at))
    except (ValueError, InvalidSignature, OverflowError):
        return False
    return True


def fingerprint(public: str) -> str:
    """Sixteen letters to read aloud, in fours; ``public`` is hex."""
    digits = hashlib.sha256(bytes.fromhex(public)).hexdigest()[:16].upper()
    return " ".join(digits[start : start + 4] for start in range(0, 16, 4))


def verify(
    links: Iterable[chain.Link], public: str = "", anchor: chain.Head | None = None
) -> tuple[chain.Head | chain.Fault, HeadSigned | None]:
    """As ``chain.verify``, and every signed head in it; the last of these.

    Two reasons more: ``unsigned`` (a signature is not its key's, or of a head that is not this chain's) and
    ``other_key`` (it is of another key than ``public``, or than those before).
    """
    found: list[HeadSigned] = []
    faults: list[chain.Fault] = []
    known: dict[int, bytes] = {}

    def seen() -> Iterable[chain.Link]:
        expected = public
        for entry in links:
            yield entry
            known[entry.n] = entry.link
            known.pop(entry.n - REMEMBERED, None)
            if entry.kind != KIND or entry.body is None or faults:
                continue
            said = encode.happened_from(KIND, entry.body)
            if not isinstance(said, HeadSigned) or not is_valid(said) or known.get(said.n, b"").hex() != said.link:
                faults.append(chain.Fault(entry.n, "unsigned"))
            elif expected and said.public != expected:
                faults.append(chain.Fault(entry.n, "other_key"))
            else:
                expected = said.public
                found.append(said)

    head = chain.verify(seen(), anchor)
    if faults and (isinstance(head, chain.Head) or faults[0].n <= head.n):
        return faults[0], found[-1] if found else None
    return head, found[-1] if found else None
