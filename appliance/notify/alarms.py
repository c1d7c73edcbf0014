"""Which faults the owner is told of: those that last. A machine; places are names like ``trunk main`` or ``disk``.

A fault that stays for ``after_ms`` raises one alarm, and one word that it is over once it has been gone for two
minutes; in between it may come and go without a further word. While it stands the alarm is raised anew every day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.errors import Problem

GONE_MS = 120_000
REMIND_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Raised:
    place: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Over:
    """``problem`` is what had been wrong; None where that was before the start."""

    place: str
    problem: Problem | None


Alarm = Raised | Over


@dataclass(slots=True)
class _Place:
    since: int
    problem: Problem | None
    raised: int | None = None
    gone: int | None = None


class Alarms:
    """``told`` are the places whose alarm was raised before the start and is not over, with when it was."""

    def __init__(self, after_ms: int, told: Mapping[str, int]) -> None:
        self._after_ms = after_ms
        self._places = {place: _Place(at, None, raised=at) for place, at in told.items()}

    def look(self, faults: Mapping[str, Problem], now: int) -> list[Alarm]:
        """What the owner is to be told, now that these faults are there and no others."""
        found: list[Alarm] = []
        for place, problem in faults.items():
            entry = self._places.setdefault(place, _Place(now, problem))
            entry.problem, entry.gone = problem, None
            is_new = entry.raised is None and now - entry.since >= self._after_ms
            if is_new or (entry.raised is not None and now - entry.raised >= REMIND_MS):
                entry.raised = now
                found.append(Raised(place, problem))
        for place, entry in list(self._places.items()):
            if place in faults:
                continue
            entry.gone = now if entry.gone is None else entry.gone
            if entry.raised is None:
                del self._places[place]
            elif now - entry.gone >= GONE_MS:
                del self._places[place]
                found.append(Over(place, entry.problem))
        return found
