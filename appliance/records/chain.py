"""The chain over all events: what was written once cannot be changed, left out or put in another order unseen.

``commitment`` = SHA-256(salt || body). The link of event n is SHA-256(mark || n || at || kind || subject || link of
n-1 || commitment), so everything but the body can be checked for ever, also after the body and its salt were erased
on a person's request. The salt (16 random bytes) keeps anybody from guessing an erased telephone number by trying.

Honest limit: whoever holds the box and its database key can rewrite the chain from any place on. What makes that
visible is a ``Head`` that has left the box; a head is one number and 32 bytes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

MARK = b"pasokh/chain/v1\0"
FIRST = bytes(32)  # what the first event is linked to
SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Link:
    """One event as the database holds it. ``salt`` and ``body`` are None where the body was erased."""

    n: int
    at: int
    kind: str
    subject: str
    commitment: bytes
    link: bytes
    salt: bytes | None
    body: bytes | None
    is_erased: bool


@dataclass(frozen=True, slots=True)
class Head:
    """How far the chain reaches: the number and the link of its last event."""

    n: int
    link: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The first event that is not as it was written. ``reason`` is one of the words in ``verify``."""

    n: int
    reason: str


def commitment(salt: bytes, body: bytes) -> bytes:
    return hashlib.sha256(salt + body).digest()


def link(before: bytes, n: int, at: int, kind: str, subject: str, committed: bytes) -> bytes:
    """The link of event ``n``; the lengths stand before the texts, so that nothing can move between them."""
    kind_bytes, subject_bytes = kind.encode(), subject.encode("utf-8", "replace")
    return hashlib.sha256(
        MARK
        + n.to_bytes(8, "big")
        + at.to_bytes(8, "big", signed=True)
        + len(kind_bytes).to_bytes(4, "big")
        + kind_bytes
        + len(subject_bytes).to_bytes(4, "big")
        + subject_bytes
        + before
        + committed
    ).digest()


def verify(links: Iterable[Link], anchor: Head | None = None) -> Head | Fault:
    """The head that ``links`` (all events, in order) reach, or the first fault.

    Reasons: ``missing`` (a number is left out), ``changed`` (body and commitment disagree), ``broken`` (kind, time,
    subject or order), ``lost`` (a body is gone that nobody erased), ``not_reached`` (the chain ends before ``anchor``)
    and ``other_chain`` (it passes ``anchor`` with another link).
    """
    head = Head(0, FIRST)
    for entry in links:
        reason = _fault(head, entry)
        if reason:
            return Fault(entry.n if reason != "missing" else head.n + 1, reason)
        head = Head(entry.n, entry.link)
        if anchor is not None and anchor.n == head.n and not hmac.compare_digest(anchor.link, head.link):
            return Fault(head.n, "other_chain")
    if anchor is not None and head.n < anchor.n:
        return Fault(head.n + 1, "not_reached")
    return head


def _fault(head: Head, entry: Link) -> str:
    if entry.n != head.n + 1:
        return "missing"
    if entry.body is None or entry.salt is None:
        if not entry.is_erased:
            return "lost"
    elif commitment(entry.salt, entry.body) != entry.commitment:
        return "changed"
    if link(head.link, entry.n, entry.at, entry.kind, entry.subject, entry.commitment) != entry.link:
        return "broken"
    return ""
