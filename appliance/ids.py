"""Ids that need no counter and no other box: UUIDv7 (RFC 9562, 5.7), as 32 hex digits.

Nothing sorts by them: a box may boot in 1970. Order is the number of the event.
"""

from __future__ import annotations

import secrets


def uuid7(utc_ms: int, random_bytes: bytes | None = None) -> str:
    """A new id as 32 lower-case hex digits; ``random_bytes`` (10) only for reproducible tests."""
    entropy = int.from_bytes(random_bytes or secrets.token_bytes(10), "big")
    value = (utc_ms & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (entropy >> 68 & 0xFFF) << 64 | 0b10 << 62
    return f"{value | entropy & 0x3FFF_FFFF_FFFF_FFFF:032x}"
