"""Which conversations are meant: a question as a value, its SQL, and the pages of its answer.

All parts of a ``Query`` must hold. The answer comes in pages; each names the place behind its last row, so a page is
as quick as the first one, and a conversation that begins meanwhile moves nothing. The index ``conversation_searched``
holds everything that is asked for, so a question that nothing answers reads that index once and not the rows.

What a newcomer gets wrong: the order of conversations is that of their first event, never their time. A box may have
started in 1970.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from appliance.records.database import Connection, Value
from appliance.records.reader import Conversation, Reader, conversations

PAGE = 50
MOST = 1_000_000  # of one answer: more than a box ever holds
_AFTER = re.compile(r"(\d{1,15})-(\d{1,15})")


class Sort(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    LONGEST = "longest"
    OVERTALK = "overtalk"
    DEAD_AIR = "dead_air"


@dataclass(frozen=True, slots=True)
class Query:
    """What is left at its default is not asked. Moments are UTC ms, lengths whole ms, names as they are kept.

    ``number`` is E.164 and whole, ``digits`` a part of a number; ``name`` is folded (messages.folding), and each of its
    words must be in the name that came with the call or in that of the office's contact. ``agent`` has spoken with the
    customer, whoever spoke last. ``score`` is the most that was answered to "csat".
    """

    number: str = ""
    digits: str = ""
    name: str = ""
    agent: str = ""
    line: str = ""
    queue: str = ""
    since: int | None = None  # opened then or later
    until: int | None = None  # opened before
    direction: str = ""
    outcome: str | None = None  # empty: still going on
    at_least_ms: int | None = None
    at_most_ms: int | None = None
    overtalk_ms: int | None = None  # so much or more
    dead_air_ms: int | None = None
    score: int | None = None
    is_recorded: bool | None = None  # sound was kept
    sort: Sort = Sort.NEWEST


@dataclass(frozen=True, slots=True)
class Page:
    """``after`` asks for the next page; empty where this is the last."""

    conversations: list[Conversation]
    after: str


@dataclass(frozen=True, slots=True)
class Choices:
    """The names that occur in the records, in order."""

    agents: tuple[str, ...]
    lines: tuple[str, ...]
    queues: tuple[str, ...]


_PLACES = {
    Sort.NEWEST: "opened_n",
    Sort.OLDEST: "opened_n",
    Sort.LONGEST: "coalesce(total_ms, 0)",
    Sort.OVERTALK: "overtalk_ms",
    Sort.DEAD_AIR: "dead_air_ms",
}
# The contacts' names are looked through once for a question, not once for a conversation.
_NAMED = """(instr(folded_name, ?) OR customer IN (SELECT number FROM contact_number
WHERE contact IN (SELECT id FROM contact WHERE instr(contact.folded_name, ?))))"""
# The next name each time: as many steps down an index as there are names.
_NAMES = """WITH RECURSIVE each (name) AS (
SELECT (SELECT min({column}) FROM {table} WHERE {where}) UNION ALL
SELECT (SELECT min({column}) FROM {table} WHERE {where} AND {column} > each.name) FROM each WHERE each.name IS NOT NULL)
SELECT name FROM each WHERE name <> ''"""


def find(db: Connection, query: Query, count: int = PAGE, after: str = "") -> Page:
    """One page. An ``after`` that no page gave counts as none."""
    sql, values = statement(query, count + 1, after)
    rows = db.execute(sql, values).fetchall()
    numbers = [number for number, _ in rows[:count]]
    marks = ", ".join("?" * len(numbers))
    found = {each.number: each for each in conversations(db, f"WHERE opened_n IN ({marks})", tuple(numbers))}
    following = "{1}-{0}".format(*rows[count - 1]) if len(rows) > count else ""
    return Page([found[number] for number in numbers], following)


def every(reader: Reader, query: Query) -> Iterator[Conversation]:
    """The whole answer for a command line; each page is a read transaction of its own."""
    page = reader.within(lambda db: find(db, query))
    yield from page.conversations
    while page.after:
        after = page.after
        page = reader.within(lambda db: find(db, query, PAGE, after))  # noqa: B023 - run at once
        yield from page.conversations


def choices(db: Connection) -> Choices:
    """What can be chosen in a form."""
    return Choices(
        agents=_names(db, "party", "leg", "role = 'agent'"),
        lines=_names(db, "line", "conversation", "true"),
        queues=_names(db, "queue", "conversation", "true"),
    )


def statement(query: Query, count: int, after: str = "") -> tuple[str, tuple[Value, ...]]:
    """The SQL of the page's numbers (``opened_n`` and the value it is sorted by), and its values."""
    place = _PLACES[query.sort]
    direction, beyond = ("ASC", ">") if query.sort is Sort.OLDEST else ("DESC", "<")
    terms = list(_terms(query))
    last = _AFTER.fullmatch(after)
    if last is not None:
        terms.append((f"({place}, opened_n) {beyond} (?, ?)", (int(last[1]), int(last[2]))))
    where = " AND ".join(term for term, _ in terms) or "true"
    index = "conversation_by_customer" if query.number else "conversation_searched"
    order = f"{place} {direction}" + ("" if place == "opened_n" else f", opened_n {direction}")
    sql = f"SELECT opened_n, {place} FROM conversation INDEXED BY {index} WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608 - constants only
    return sql, (*(value for _, values in terms for value in values), max(0, min(count, MOST)))


def _terms(query: Query) -> Iterator[tuple[str, tuple[Value, ...]]]:
    """What must hold, each with its values; cheap ones first."""
    for term, value in (
        ("customer = ?", query.number or None),
        ("opened >= ?", query.since),
        ("opened < ?", query.until),
        ("direction = ?", query.direction or None),
        ("line = ?", query.line or None),
        ("queue = ?", query.queue or None),
        ("outcome = ?", query.outcome),
        ("total_ms >= ?", query.at_least_ms),
        ("total_ms <= ?", query.at_most_ms),
        ("overtalk_ms >= ?", query.overtalk_ms),
        ("dead_air_ms >= ?", query.dead_air_ms),
        ("instr(customer, ?)", query.digits or None),
        (
            "id IN (SELECT conversation FROM leg WHERE role = 'agent' AND party = ? AND answered_ms IS NOT NULL)",
            query.agent or None,
        ),
        ("id IN (SELECT conversation FROM survey WHERE question = 'csat' AND value <= ?)", query.score),
    ):
        if value is not None:
            yield term, (value,)
    for word in query.name.split():
        yield _NAMED, (word, word)
    if query.is_recorded is not None:
        yield "recorded_ms > 0" if query.is_recorded else "recorded_ms = 0", ()


def _names(db: Connection, column: str, table: str, where: str) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in db.execute(_NAMES.format(column=column, table=table, where=where)))
