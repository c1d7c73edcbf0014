"""What has left the box, and what was taken away there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class UpstreamReceipt:
    """A unit lies at a target, was read back, and its digest agrees; ``key`` is its name there, ``place`` where.

    ``first`` and ``last`` are the numbers of the events that a batch reaches (0 for files of a recording).
    """

    kind: ClassVar[str] = "upstream.receipt"
    target: str
    unit: str  # events, records, call, head, seal, body
    key: str
    recording: str
    first: int
    last: int
    sha256: str
    size: int
    place: str


@dataclass(frozen=True, slots=True)
class UpstreamErased:
    """A recording was taken away from a target: its head is gone; ``left`` are the files that a lock still holds."""

    kind: ClassVar[str] = "upstream.erased"
    target: str
    recording: str
    left: str
