"""Parcels, and places to send them to."""

from __future__ import annotations

import hashlib
import random

from appliance.sync.port import Marker, Parcel
from appliance.sync.units import Kind, Unit

MARKER = Marker("b" * 32, "office", "m" * 32)


def content(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def parcel(seed: int, size: int = 1000, *, kind: Kind = Kind.BODY, is_retry: bool = False) -> Parcel:
    """The same parcel for the same seed and size."""
    source = content(seed, size)
    digest = hashlib.sha256(source).hexdigest()
    unit = Unit(seed, kind, f"recordings/2026/11/27/{seed:032x}.{kind}", 0, 0, f"{seed:032x}", 0, size, digest)
    return Parcel(unit, f"office/{unit.key}", source, is_retry=is_retry)
