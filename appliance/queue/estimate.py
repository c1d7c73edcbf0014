"""How long a caller will wait: a range that is true four times of five, learned from those who were served.

With ``place`` callers to be served up to and including this one, ``agents`` there and talks of ``mean`` seconds (with
wrap-up), the wait is about place * mean / agents: that many talks must end before. How far the truth lies from that is
learned apart for short and long lines: the shares actual / expected of the last callers. The upper bound is the share
that four fifths of them stayed under, the lower bound the one that a fifth stayed under. What is said to a caller never
rises while the place gets no worse. Where fewer than ``LEAST_SERVED`` were served within two hours nothing is said of
minutes.
"""

from __future__ import annotations

import bisect
import math
from collections import deque
from dataclasses import dataclass

LEAST_SERVED = 30
WINDOW_SECONDS = 7_200.0
UPPER, LOWER, MIDDLE = 0.8, 0.2, 0.5
SHARES = 150  # of which the bounds are taken, for each class of places
CLASSES = (1, 2, 4, 8)  # places from which on a class begins
SMOOTHING = 0.03  # how fast the bound follows what it met (Robbins and Monro, 1951)


@dataclass(frozen=True, slots=True)
class Range:
    """Seconds from now: as likely sooner as later than ``middle``; four of five are served by ``most``."""

    least: float
    middle: float
    most: float


class Estimate:
    """Of one line. ``served`` and ``talked`` teach it; ``say`` asks it."""

    def __init__(self) -> None:
        self._served: deque[float] = deque()
        self._talks: deque[tuple[float, float]] = deque()
        self._sum = 0.0
        self._shares: list[deque[float]] = [deque(maxlen=SHARES) for _ in CLASSES]
        self._asked: dict[str, tuple[float, float, int]] = {}  # ticket: moment, expected seconds, class
        self._said: dict[str, tuple[int, float]] = {}  # ticket: place, end of the range as a moment
        self._lift = 0.0  # what is added to UPPER so that the bound holds as often as it should

    def talked(self, seconds: float, now: float) -> None:
        """An agent was busy with a caller for so long, wrap-up included."""
        self._talks.append((now, seconds))
        self._sum += seconds
        while self._talks and self._talks[0][0] < now - WINDOW_SECONDS:
            self._sum -= self._talks.popleft()[1]

    def joined(self, ticket: str, place: int, agents: int, now: float) -> None:
        """A caller begins to wait; what comes of it is compared with what was expected."""
        expected = self._expected(place, agents)
        if expected is not None:
            self._asked[ticket] = now, expected, _class(place)

    def served(self, ticket: str, now: float) -> None:
        """A caller who waited was connected."""
        self._served.append(now)
        asked = self._asked.pop(ticket, None)
        self._said.pop(ticket, None)
        if asked is None:
            return
        began, expected, kind = asked
        share = (now - began) / expected
        upper = self._quantile(kind, UPPER + self._lift)
        if upper is not None:
            self._lift += SMOOTHING * ((share > upper) - (1 - UPPER))
            self._lift = min(max(self._lift, -0.15), 0.15)
        self._shares[kind].append(share)

    def gone(self, ticket: str) -> None:
        """A caller left without being served."""
        self._asked.pop(ticket, None)
        self._said.pop(ticket, None)

    def say(self, ticket: str, place: int, agents: int, now: float) -> Range | None:
        """The rest of this caller's wait; None where the place alone can be said."""
        while self._served and self._served[0] < now - WINDOW_SECONDS:
            self._served.popleft()
        expected = self._expected(place, agents)
        if expected is None or len(self._served) < LEAST_SERVED:
            return None
        kind = _class(place)
        least, middle, most = (
            expected * (self._quantile(kind, each) or _usual(each, place))
            for each in (LOWER, MIDDLE, UPPER + self._lift)
        )
        before = self._said.get(ticket)
        if before is not None and place <= before[0]:
            most = min(most, max(0.0, before[1] - now))
        most = max(most, 0.0)
        self._said[ticket] = place, now + most
        return Range(min(least, most), min(middle, most), most)

    def _expected(self, place: int, agents: int) -> float | None:
        if not self._talks or agents < 1 or place < 1:
            return None
        return max(1.0, place * self._sum / len(self._talks) / agents)

    def _quantile(self, kind: int, share: float) -> float | None:
        found = self._shares[kind]
        if len(found) < LEAST_SERVED:
            return None
        ordered = sorted(found)
        return ordered[min(len(ordered) - 1, math.floor(share * len(ordered)))]


def _class(place: int) -> int:
    return bisect.bisect_right(CLASSES, place) - 1


def _usual(share: float, place: int) -> float:
    """Before anything was learned: as if talks had no memory (a sum of ``place`` exponential times, by its moments)."""
    z = {LOWER: -0.84, MIDDLE: -0.1}.get(share, 0.84)
    return max(0.1, 1 - 1 / (9 * place) + z / (3 * math.sqrt(place))) ** 3  # Wilson and Hilferty, 1931
