"""Whom the business owes a call, and whether promises were kept: from the calls themselves, never from ticks.

A promise ("we call you at five") is kept when its customer and somebody of the office spoke within fifteen minutes of
its moment, whoever rang whom (FIGURES.md, on-time follow-up). The list of those who are owed has one row for each
person: a missed call, a callback, a promise and a message of the same number are one person who waits. It closes by
itself, because requests do: a person got through, or was reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from appliance.records.database import Connection
from appliance.records.events import ON_TIME_MS

LONGEST_CALL_MS = 4 * 3_600_000  # a conversation that began earlier is not looked at for a talk near the moment


class Keeping(StrEnum):
    """What is true of a promise."""

    DUE = "due"  # its moment is still to come
    KEPT = "kept"
    BROKEN = "broken"
    TAKEN_BACK = "taken_back"  # before its moment


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise and what became of it. ``spoke`` is UTC ms of the first talk within its time; 0 for none."""

    request: str
    customer: str
    due: int
    agent: str
    state: str
    keeping: Keeping
    spoke: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who waits for us. ``requests`` are what is open for them, oldest first; ``missed`` counts their calls
    since the oldest of these in which nobody spoke with them; ``due`` is the earliest moment named, 0 for none.
    """

    customer: str  # empty: the number was withheld
    name: str
    language: str
    requests: tuple[tuple[str, str], ...]  # id and kind
    since: int
    missed: int
    due: int
    queue: str


# When customer and office began to speak, of each conversation in which they did.
_TALKS = """SELECT c.opened + CASE c.direction WHEN 'in' THEN min(them.answered_ms)
 ELSE max(min(them.answered_ms), coalesce((SELECT min(answered_ms) FROM leg
  WHERE conversation = c.id AND role = 'customer'), 0)) END
FROM conversation AS c JOIN leg AS them ON them.conversation = c.id AND them.role <> 'customer'
WHERE c.customer = ?1 AND c.opened BETWEEN ?2 AND ?3 AND c.talking_ms + c.hold_ms > 0 AND them.answered_ms IS NOT NULL
AND (c.direction = 'in' OR NOT EXISTS (SELECT 1 FROM attempt AS a WHERE a.conversation = c.id)
 OR EXISTS (SELECT 1 FROM attempt AS a WHERE a.conversation = c.id AND a.outcome = 'reached'))
GROUP BY c.id"""

_PROMISES = """SELECT id, customer, due, agent, state, moved, late FROM request
WHERE what = 'promise' AND due BETWEEN ? AND ? ORDER BY due"""

_OPEN = """SELECT r.id, r.what, r.customer, r.language, r.opened, r.due, r.queue, coalesce(c.customer_name, '')
FROM request AS r LEFT JOIN conversation AS c ON c.id = r.conversation
WHERE r.state IN ('open', 'doing') AND r.what IN ('missed', 'callback', 'promise', 'message') ORDER BY r.number"""

_MISSED = """SELECT count(*) FROM conversation
WHERE customer = ? AND direction = 'in' AND opened >= ? AND talking_ms + hold_ms = 0 AND closed IS NOT NULL"""
_FIRST = (
    "SELECT coalesce(min(c.opened), 0) FROM request AS r JOIN conversation AS c ON c.id = r.conversation WHERE r.id = ?"
)


def promises(connection: Connection, since: int, until: int, now: int) -> list[Promise]:
    """Promises due between two moments (UTC ms), in order of their moments; what is true of each at ``now``."""
    found = connection.execute(_PROMISES, (since, until)).fetchall()
    return [_judged(connection, now, *row) for row in found]


def on_time(judged: Sequence[Promise]) -> tuple[int, int]:
    """Kept, and due: the two numbers of the on-time follow-up rate. Those still to come, and those that their customer
    or the office took back before they were due, are no part of it: nothing that is done afterwards makes it better.
    """
    counted = [each for each in judged if each.keeping in (Keeping.KEPT, Keeping.BROKEN)]
    return sum(each.keeping is Keeping.KEPT for each in counted), len(counted)


def persons(connection: Connection) -> list[Person]:
    """Who waits for us, one row for each person, longest first; each withheld number is a person of its own."""
    rows: dict[str, list[tuple[str, str, str, str, int, int, str, str]]] = {}
    for row in connection.execute(_OPEN).fetchall():
        rows.setdefault(str(row[2]) or f"withheld {row[0]}", []).append(row)
    return sorted((_person(connection, each) for each in rows.values()), key=lambda person: person.since)


def _person(connection: Connection, rows: list[tuple[str, str, str, str, int, int, str, str]]) -> Person:
    customer, since = rows[0][2], min(row[4] for row in rows)
    first = connection.execute(_FIRST, (rows[0][0],)).fetchone()
    began = min(since, first[0]) if first and first[0] else since
    missed = connection.execute(_MISSED, (customer, began)).fetchone() if customer else (1,)
    assert missed is not None
    return Person(
        customer=customer,
        name=next((row[7] for row in rows if row[7]), ""),
        language=rows[-1][3],
        requests=tuple((row[0], row[1]) for row in rows),
        since=since,
        missed=missed[0],
        due=min((row[5] for row in rows if row[5]), default=0),
        queue=rows[0][6],
    )


def _judged(
    connection: Connection,
    now: int,
    request: str,
    customer: str,
    due: int,
    agent: str,
    state: str,
    moved: int,
    late: int,
) -> Promise:
    earliest = due - ON_TIME_MS
    talks = connection.execute(_TALKS, (customer, earliest - LONGEST_CALL_MS, due + ON_TIME_MS)).fetchall()
    spoke = min((at for (at,) in talks if earliest <= at <= due + ON_TIME_MS), default=0)
    if late:
        keeping = Keeping.BROKEN
    elif spoke:
        keeping = Keeping.KEPT
    elif state == "cancelled" and moved <= due:
        keeping = Keeping.TAKEN_BACK
    else:
        keeping = Keeping.DUE if now <= due + ON_TIME_MS else Keeping.BROKEN
    return Promise(request, customer, due, agent, state, keeping, spoke)
