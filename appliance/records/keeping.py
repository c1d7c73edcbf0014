"""What retention, legal holds and erasure ask of calls.db: who holds what, what has left the box, what is to go.

Questions only, each short and bounded, so that it runs in one read transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.records.database import Connection
from appliance.records.events import KEPT_STATES

SLICE = 500  # recordings that are looked at in one transaction: some 5 ms
MOST_AT_ONCE = 50  # recordings that are destroyed before calls is told


@dataclass(frozen=True, slots=True)
class Stored:
    """A recording that was closed with files. ``targets`` have all of it, read back; ``opened`` is UTC ms.

    ``cause`` is why its files on the box are to go (expired, erased), empty where they are not.
    """

    recording: str
    conversation: str
    line: str
    queue: str
    opened: int
    size: int  # bytes on the disk
    targets: frozenset[str]
    is_held: bool
    cause: str


@dataclass(frozen=True, slots=True)
class Going:
    """A recording whose files on the box are to go."""

    recording: str
    conversation: str
    cause: str  # expired, erased


@dataclass(frozen=True, slots=True)
class Hold:
    """``number`` is empty where the hold is on one conversation; ``at`` is UTC ms."""

    hold: str
    conversation: str
    number: str
    why: str
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a conversation that somebody wants to be held, released or erased."""

    conversation: str
    is_open: bool  # it goes on, or its recordings are not closed yet
    is_erased: bool
    holds: tuple[Hold, ...]
    recordings: tuple[str, ...]


_HOLDS = """FROM hold AS h WHERE h.released IS NULL
AND (h.conversation = c.id OR (h.number <> '' AND h.number = c.customer AND NOT c.is_withheld))"""
# Beside the sound: two index records a second of 132 bytes, and a head for some keys (RECORDING.md, measured).
_SIZE = "r.body_bytes + r.milliseconds * 264 / 1000 + 5000"
_STORED = f"""SELECT r.id, c.id, c.line, c.queue, c.opened, {_SIZE},
(SELECT group_concat(target) FROM
 (SELECT target FROM receipt WHERE recording = r.id GROUP BY target HAVING count(DISTINCT unit) = 3)),
EXISTS (SELECT 1 {_HOLDS}), coalesce(g.cause, '')
FROM recording AS r JOIN conversation AS c ON c.id = r.conversation LEFT JOIN going AS g ON g.recording = r.id
WHERE r.rowid > ?1 AND r.rowid <= ?1 + {SLICE} AND r.state IN {KEPT_STATES} ORDER BY r.rowid"""  # noqa: S608 - constants only
# A hold that came after the date had passed still saves what is there.
_GOING = f"""SELECT g.recording, g.conversation, g.cause
FROM going AS g LEFT JOIN conversation AS c ON c.id = g.conversation
WHERE g.gone IS NULL AND (g.cause = 'erased' OR NOT EXISTS (SELECT 1 {_HOLDS})) ORDER BY g.at LIMIT ?"""  # noqa: S608 - constants only
_HOLDS_OF = """SELECT h.id, h.conversation, h.number, h.why, h.by, h.at
FROM conversation AS c JOIN hold AS h ON h.released IS NULL
AND (h.conversation = c.id OR (h.number <> '' AND h.number = c.customer AND NOT c.is_withheld))
WHERE c.id = ? ORDER BY h.at"""
_OF_NUMBER = "SELECT id FROM conversation WHERE customer = ? AND NOT is_withheld ORDER BY opened_n"


def stored(db: Connection, after: int) -> list[Stored]:
    """Of the ``SLICE`` recordings behind row ``after``, those that have files."""
    return [
        Stored(recording, conversation, line, queue, opened, size, frozenset((targets or "").split(",")) - {""},
               bool(is_held), cause)
        for recording, conversation, line, queue, opened, size, targets, is_held, cause in db.execute(
            _STORED, (after,)
        ).fetchall()
    ]  # fmt: skip


def last_row(db: Connection) -> int:
    """Where ``stored`` ends."""
    row = db.execute("SELECT coalesce(max(rowid), 0) FROM recording").fetchone()
    assert row is not None
    return int(row[0])


def going(db: Connection, count: int = MOST_AT_ONCE) -> list[Going]:
    """What is to go from the box and is still there, oldest order first."""
    return [Going(*row) for row in db.execute(_GOING, (count,)).fetchall()]


def causes(db: Connection, recordings: Sequence[str]) -> list[Going]:
    """Which of these recordings are to go, and have not been said to be gone."""
    found = (
        db.execute(
            "SELECT recording, conversation, cause FROM going WHERE recording = ? AND gone IS NULL", (recording,)
        ).fetchone()
        for recording in recordings
    )
    return [Going(*row) for row in found if row is not None]


def is_withdrawn(db: Connection, recording: str) -> bool:
    """Whether a recording was erased, or its files here are gone on purpose: it is not sent any more."""
    row = db.execute(
        "SELECT 1 FROM going WHERE recording = ? AND (cause = 'erased' OR gone IS NOT NULL)", (recording,)
    ).fetchone()
    return row is not None


def erased_before(db: Connection, at: int) -> int:
    """How many erased recordings were to be gone from the box since ``at`` (UTC ms) or longer, and are not."""
    row = db.execute("SELECT count(*) FROM going WHERE gone IS NULL AND cause = 'erased' AND at < ?", (at,)).fetchone()
    assert row is not None
    return int(row[0])


def known(db: Connection, conversation: str) -> Known | None:
    """What is known of this conversation, also once it is erased; None for one that never was."""
    row = db.execute(
        "SELECT (SELECT count(*) FROM cdr WHERE conversation = c.id) FROM conversation AS c WHERE c.id = ?",
        (conversation,),
    ).fetchone()
    if row is None:
        gone = db.execute("SELECT 1 FROM tombstone WHERE conversation = ?", (conversation,)).fetchone()
        return Known(conversation, False, True, (), ()) if gone else None
    holds = db.execute(_HOLDS_OF, (conversation,)).fetchall()
    recordings = db.execute(
        "SELECT id FROM recording WHERE conversation = ? AND consent <> '' ORDER BY part", (conversation,)
    ).fetchall()
    return Known(
        conversation, not row[0], False, tuple(Hold(*hold) for hold in holds), tuple(one for (one,) in recordings)
    )


def held(db: Connection, names: Sequence[str]) -> frozenset[str]:
    """Those of these conversations that somebody holds, by themselves or by their number."""
    return frozenset(name for name in names if db.execute(_HOLDS_OF, (name,)).fetchone() is not None)


def of_number(db: Connection, number: str) -> list[str]:
    """The conversations with this number (E.164), oldest first; those of withheld numbers are nobody's."""
    return [conversation for (conversation,) in db.execute(_OF_NUMBER, (number,)).fetchall()]


def holds_on(db: Connection, number: str) -> list[Hold]:
    """The holds on a number itself."""
    rows = db.execute(
        "SELECT id, conversation, number, why, by, at FROM hold WHERE number = ? AND released IS NULL ORDER BY at",
        (number,),
    )
    return [Hold(*row) for row in rows.fetchall()]
