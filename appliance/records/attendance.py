"""Every second of every agent: what they did, or that nobody knows. Pure, but for the reading at the end.

The box puts an event whenever an agent begins something else (calls/timekeeper.py), and one for each stretch of time
in which it cannot know: it did not run, or its clock was set. A span is cut at these moments, so its parts reach from
its beginning to its end without hole or overlap, and their sum is the span, in whole milliseconds. What lies before an
agent's first event, and whatever a gap covers, is unknown; a clock that was set back has the time that it shows twice
unknown. Moments that stand against the order of the events (a clock that was set back a little) are moved, never lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from appliance.records.database import Connection

ALIVE = "calls"  # whose life the records follow
BEAT_SECONDS = 30.0  # so often it is written down that the box lives: what a cut takes of an agent's time at most


class State(StrEnum):
    """What an agent does; ``AgentEntered.detail`` says which kind of it."""

    READY = "ready"
    RUNG = "rung"
    TALKING = "talking"
    HOLD = "hold"
    WRAP_UP = "wrap_up"
    AWAY = "away"
    NO_TELEPHONE = "no_telephone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Mark:
    """From ``at`` (UTC ms) on the agent does this."""

    at: int
    state: State
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """From ``begins`` to ``ends`` (UTC ms) nobody knows."""

    begins: int
    ends: int
    why: str


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a span, never empty."""

    begins: int
    ends: int
    state: State
    detail: str

    @property
    def milliseconds(self) -> int:
        return self.ends - self.begins


def parts(marks: Sequence[Mark], gaps: Iterable[Gap], begins: int, ends: int) -> list[Part]:
    """The span from ``begins`` to ``ends`` cut up: ``marks`` in order of their events, the last one before it too."""
    found = [Part(begins, ends, State.UNKNOWN, "")] if begins < ends else []
    for at, mark in _in_order(marks, begins):
        if at < ends:
            found = [*_until(found, at), Part(at, ends, mark.state, mark.detail)]
    for gap in gaps:
        found = _covered(found, gap)
    return _joined(found)


def sums(found: Iterable[Part]) -> Mapping[tuple[State, str], int]:
    """Milliseconds by state and detail."""
    counted: dict[tuple[State, str], int] = {}
    for part in found:
        key = part.state, part.detail
        counted[key] = counted.get(key, 0) + part.milliseconds
    return counted


def _in_order(marks: Iterable[Mark], begins: int) -> Iterator[tuple[int, Mark]]:
    latest = begins
    for mark in marks:
        latest = max(latest, mark.at)
        yield latest, mark


def _until(found: Iterable[Part], at: int) -> list[Part]:
    return [Part(each.begins, min(each.ends, at), each.state, each.detail) for each in found if each.begins < at]


def _covered(found: Iterable[Part], gap: Gap) -> list[Part]:
    covered = []
    for each in found:
        begins, ends = max(each.begins, gap.begins), min(each.ends, gap.ends)
        if begins >= ends:
            covered.append(each)
            continue
        if each.begins < begins:
            covered.append(Part(each.begins, begins, each.state, each.detail))
        covered.append(Part(begins, ends, State.UNKNOWN, gap.why))
        if ends < each.ends:
            covered.append(Part(ends, each.ends, each.state, each.detail))
    return covered


def _joined(found: Iterable[Part]) -> list[Part]:
    joined: list[Part] = []
    for each in found:
        if joined and (joined[-1].state, joined[-1].detail) == (each.state, each.detail):
            joined[-1] = Part(joined[-1].begins, each.ends, each.state, each.detail)
        elif each.begins < each.ends:
            joined.append(each)
    return joined


# What the records hold ------------------------------------------------------------------------------------------------

_BEFORE = """SELECT at, state, detail FROM agent_time WHERE agent = ?1 AND n =
(SELECT max(n) FROM agent_time WHERE agent = ?1 AND at <= ?2)"""
_WITHIN = "SELECT at, state, detail FROM agent_time WHERE agent = ? AND at > ? AND at < ? ORDER BY n"
_GAPS = "SELECT begins, ends, why FROM agent_gap WHERE ends > ? AND begins < ? ORDER BY n"


def read(db: Connection, begins: int, ends: int, now: int) -> dict[str, list[Part]]:
    """Every agent who was ever seen before ``ends``: their parts of the span, which never reaches beyond ``now``.

    What lies after the last sign of life of the box is unknown, unless it may live just now.
    """
    ends = min(ends, now)
    gaps = [Gap(*row) for row in db.execute(_GAPS, (begins, ends)).fetchall()]
    lived = _lived_until(db)
    if now - lived > 2 * BEAT_SECONDS * 1000:
        gaps.append(Gap(lived, now, "off"))
    agents = [
        row[0] for row in db.execute("SELECT DISTINCT agent FROM agent_time WHERE at < ? ORDER BY agent", (ends,))
    ]
    return {agent: parts(_marks(db, agent, begins, ends), gaps, begins, ends) for agent in agents}


def alive(db: Connection, at: int) -> None:
    """The box lives at this moment (UTC ms): a row that is written over, not an event."""
    db.execute("INSERT OR REPLACE INTO alive (service, at) VALUES (?, ?)", (ALIVE, at))


def last_alive(db: Connection) -> int:
    """UTC ms of the last sign of life that was written down; 0: there never was one."""
    return _lived_until(db) if db.execute("SELECT 1 FROM alive").fetchone() else 0


def _lived_until(db: Connection) -> int:
    row = db.execute("SELECT max((SELECT coalesce(max(at), 0) FROM alive), at) FROM event ORDER BY n DESC LIMIT 1")
    found = row.fetchone()
    return int(found[0]) if found else 0


def _marks(db: Connection, agent: str, begins: int, ends: int) -> list[Mark]:
    before = db.execute(_BEFORE, (agent, begins)).fetchall()
    within = db.execute(_WITHIN, (agent, begins, ends)).fetchall()
    return [Mark(at, State(state), detail) for at, state, detail in (*before, *within)]
