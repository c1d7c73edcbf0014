"""How fast may be sent: calls come first.

``Pace`` is pure: told each second how calls fare, it says how many bytes a second may leave. While nobody speaks it is
the owner's limit; while somebody does, the smaller one of the two. A loss or jitter that has risen, or ticks of the
voice loop that came late, halve it at once, down to nothing; each calm second gives a tenth of the limit back, so that
a line that is just wide enough is found and kept (additive increase, multiplicative decrease).

``Bucket`` hands that out to the threads of the targets, in small pieces: a piece is at most a twentieth of a second,
because a burst stands in the modem's queue before the next voice packet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

HIGHEST = 1 << 30  # stands for no limit
LEAST_PIECE_BYTES = 1_400  # one packet
LEAST_BYTES_PER_SECOND = 2_000  # below, nothing at all is sent
PIECE_SECONDS = 0.05
SLOW_BYTES_PER_SECOND = 4_096  # a line that gives less is told to its owner
LOST_PERMILLE = 10  # a listener notices about one per cent (G.711 with concealment; G.113, Ie of packet loss)
JITTER_MS = 30.0  # half of what a usual jitter buffer holds


@dataclass(frozen=True, slots=True)
class Strain:
    """How calls fare now: the worst of all streams within the last seconds, either direction."""

    calls: int = 0
    lost_permille: int = 0
    jitter_ms: float = 0.0
    late_ticks: int = 0  # within the last second

    @property
    def is_felt(self) -> bool:
        return self.calls > 0 and (
            self.lost_permille >= LOST_PERMILLE or self.jitter_ms >= JITTER_MS or self.late_ticks > 0
        )


@dataclass(slots=True)
class Pace:
    """``most`` and ``most_in_calls`` are bytes a second; 0 means no limit."""

    most: int = 0
    most_in_calls: int = 0
    _share: float = 1.0  # of the limit

    def told(self, strain: Strain, sent_bytes_per_second: int = 0) -> int:
        """Bytes a second from now on; to be called once a second."""
        limit = self._limit(strain)
        if not strain.is_felt:
            self._share = min(1.0, self._share + 0.1)
        else:
            now = min(self._share * limit, max(sent_bytes_per_second, LEAST_BYTES_PER_SECOND))
            self._share = now / 2 / limit
        rate = int(self._share * limit)
        return rate if rate >= LEAST_BYTES_PER_SECOND else 0

    def _limit(self, strain: Strain) -> int:
        limits = [limit for limit in (self.most, self.most_in_calls if strain.calls else 0) if limit]
        return min(limits, default=HIGHEST)


class Bucket:
    """Tokens for all targets together; ``set_rate`` from the loop, ``take`` from any thread."""

    def __init__(self, rate: int = HIGHEST, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._rate = rate
        self._tokens = 0.0
        self._at = monotonic()
        self._is_closed = False
        self.taken = 0

    def set_rate(self, rate: int) -> None:
        """Bytes a second; 0: nothing leaves until it is set again."""
        with self._changed:
            if rate == self._rate:
                return
            self._refill()
            self._rate = rate
            self._tokens = min(self._tokens, self._piece())
            self._changed.notify_all()

    def take(self, wanted: int) -> int:
        """Waits for a piece; how many bytes may leave now (after ``close`` all of them: the process is ending)."""
        if self._rate >= HIGHEST or self._is_closed:
            self.taken += wanted
            return wanted
        with self._changed:
            while self._is_open():
                self._refill()
                piece = min(wanted, self._piece())
                if self._rate and self._tokens >= piece:
                    self._tokens -= piece
                    self.taken += piece
                    return piece
                self._changed.wait((piece - self._tokens) / self._rate if self._rate else None)
        self.taken += wanted
        return wanted

    @property
    def holds_back(self) -> bool:
        """Whether it is we who are slow, and not the line."""
        return self._rate < 2 * SLOW_BYTES_PER_SECOND

    def close(self) -> None:
        """Nobody waits any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _is_open(self) -> bool:
        return not self._is_closed

    def _piece(self) -> int:
        return max(LEAST_PIECE_BYTES, int(self._rate * PIECE_SECONDS))

    def _refill(self) -> None:
        now = self._monotonic()
        self._tokens = min(self._tokens + (now - self._at) * self._rate, float(self._piece()))
        self._at = now
