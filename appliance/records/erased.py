"""What was erased, and where something of it is still to go: on the box and at each target upstream.

A tombstone says that there was a conversation, when it was erased, by whom and why; nothing of it. Its recordings are
known by their ids until they are gone everywhere, and after that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.records.database import Connection

MOST = 50


@dataclass(frozen=True, slots=True)
class Place:
    """``target`` is empty for the box itself; ``left`` counts recordings that are still there.

    ``locked`` are files that a lock of the target holds after their head has gone: nobody can open them.
    """

    target: str
    left: int
    locked: int = 0


@dataclass(frozen=True, slots=True)
class Tombstone:
    """``at`` is UTC ms; ``places`` are the box and every target that had something of its recordings."""

    conversation: str
    number: int  # of the event that erased it
    at: int
    why: str
    by: str
    recordings: int
    places: tuple[Place, ...]


_NEWEST = "SELECT conversation, n, at, reason, actor FROM tombstone ORDER BY n DESC LIMIT ?"
_ONE = "SELECT conversation, n, at, reason, actor FROM tombstone WHERE conversation = ?"
_HERE = "SELECT count(*), count(*) - count(gone) FROM going WHERE conversation = ? AND cause = 'erased'"
_THERE = """SELECT target, count(DISTINCT r.recording) FROM going AS g JOIN receipt AS r
ON r.recording = g.recording AND r.recording != '' WHERE g.conversation = ? AND g.cause = 'erased' GROUP BY target"""
_AWAY = """SELECT target, group_concat(a.left, ' ') FROM going AS g JOIN taken_away AS a ON a.recording = g.recording
WHERE g.conversation = ? AND g.cause = 'erased' GROUP BY target"""


def newest(db: Connection, count: int = MOST) -> list[Tombstone]:
    """The last that were erased, newest first."""
    return [_tombstone(db, row) for row in db.execute(_NEWEST, (count,)).fetchall()]


def of(db: Connection, conversation: str) -> Tombstone | None:
    """None where it is not erased."""
    row = db.execute(_ONE, (conversation,)).fetchone()
    return None if row is None else _tombstone(db, row)


def _tombstone(db: Connection, row: Sequence[object]) -> Tombstone:
    conversation, number, at, why, by = row
    assert isinstance(number, int) and isinstance(at, int)
    name = str(conversation)
    recordings, left = db.execute(_HERE, (name,)).fetchall()[0]
    there = {target: int(count) for target, count in db.execute(_THERE, (name,)).fetchall()}
    away = {target: len((files or "").split()) for target, files in db.execute(_AWAY, (name,)).fetchall()}
    places = [Place(target, there.get(target, 0), away.get(target, 0)) for target in sorted({*there, *away})]
    return Tombstone(name, number, at, str(why), str(by), int(recordings), (Place("", int(left)), *places))
