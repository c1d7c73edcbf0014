"""The two clocks of the box, and a third for tests.

Machines take ``now`` (monotonic seconds) as an argument and hold no clock. Only drivers hold a ``Clock``. A duration
is never the difference of two wall times: a box without a battery clock boots in the past until its clock is set.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What a driver needs to know of time."""

    def monotonic(self) -> float:
        """Seconds that never go back; the zero means nothing."""
        ...

    def utc_ms(self) -> int:
        """Wall time in milliseconds since 1970, UTC; may jump."""
        ...


class SystemClock:
    """The machine's own clocks."""

    __slots__ = ()

    def monotonic(self) -> float:
        return time.monotonic()

    def utc_ms(self) -> int:
        return time.time_ns() // 1_000_000


class VirtualClock:
    """A clock that stands still until it is told to move; wall and monotonic time move together."""

    __slots__ = ("_monotonic", "_utc_ms_at_zero")

    def __init__(self, utc_ms: int = 1_790_000_000_000, monotonic: float = 0.0) -> None:
        self._monotonic = monotonic
        self._utc_ms_at_zero = utc_ms - round(monotonic * 1000)

    def monotonic(self) -> float:
        return self._monotonic

    def utc_ms(self) -> int:
        return self._utc_ms_at_zero + round(self._monotonic * 1000)

    def advance_to(self, monotonic: float) -> None:
        """Moves to ``monotonic`` seconds; going back is a fault of the caller."""
        if monotonic < self._monotonic:
            raise ValueError("a monotonic clock does not go back")
        self._monotonic = monotonic
