"""The two clocks of the box, a third for tests, and what is to happen when.

Machines take ``now`` (monotonic seconds) as an argument and hold no clock. Only drivers hold a ``Clock``. A duration
is never the difference of two wall times: a box without a battery clock boots in the past until its clock is set.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
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


class Timers:
    """Deadlines in order; a cancelled one stays in the heap until its time and does nothing then."""

    __slots__ = ("_count", "_dead", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._dead = 0

    def at(self, when: float, action: Callable[[float], object]) -> Timer:
        """Calls ``action(now)`` once, at or after ``when``."""
        timer = Timer(action, self)
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, timer))
        return timer

    @property
    def deadline(self) -> float | None:
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
            self._dead -= 1
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> None:
        while True:
            deadline = self.deadline
            if deadline is None or deadline > now:
                return
            timer = heapq.heappop(self._heap)[2]
            action, timer.action = timer.action, None
            if action is not None:
                action(now)

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    def forget_one(self) -> None:
        """A timer was cancelled; when most of the heap is dead it is built anew, so that it stays small."""
        self._dead += 1
        if self._dead > 1000 and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._dead = 0


class Timer:
    __slots__ = ("_timers", "action")

    def __init__(self, action: Callable[[float], object], timers: Timers) -> None:
        self.action: Callable[[float], object] | None = action
        self._timers = timers

    def cancel(self) -> None:
        if self.action is not None:
            self.action = None
            self._timers.forget_one()
