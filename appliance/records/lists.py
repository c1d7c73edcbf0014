"""Outbound lists out of calls.db: questions only, each short (records/reader.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from appliance.records.database import Connection

SLICE = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody in a list; ``columns`` are the owner's own three."""

    entry: str
    n: int
    list_name: str
    number: str
    name: str
    language: str
    columns: tuple[str, str, str]
    state: str
    attempts: int
    not_before: int  # UTC ms
    outcome: str
    result: str
    agent: str
    changed: int  # UTC ms; 0: never


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call to somebody of a list; ``outcome`` is empty while nobody has ended it or said anything."""

    conversation: str
    agent: str
    outcome: str
    result: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Unended:
    """An attempt that nobody has ended: the process that made it died. ``dial`` is how its INVITE is cancelled."""

    conversation: str
    entry: str
    agent: str
    began: int
    began_ms: int
    dial: str


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A number that no list dials; ``at`` is UTC ms."""

    number: str
    at: int
    by: str
    why: str


_COLUMNS = """id, n, list_name, number, name, language, first, second, third, state, attempts, not_before, outcome,
result, agent, changed"""
_ONE = f"SELECT {_COLUMNS} FROM list_entry WHERE id = ?"  # noqa: S608 - constants only
_CALL = "SELECT conversation, agent, outcome, result, entry FROM list_attempt"
_OF_CALL = f"{_CALL} WHERE conversation = ?"
_LAST = f"{_CALL} WHERE agent = ? ORDER BY began DESC LIMIT 1"
_SLICE = f"SELECT {_COLUMNS} FROM list_entry WHERE list_name = ? AND n > ? ORDER BY n LIMIT ?"  # noqa: S608 - constants only


def one(db: Connection, entry: str) -> Entry | None:
    row = db.execute(_ONE, (entry,)).fetchone()
    return _entry(row) if row else None


def of_call(db: Connection, conversation: str) -> Attempt | None:
    """The attempt that this conversation was."""
    return _attempt(db, _OF_CALL, conversation)


def last_of(db: Connection, agent: str) -> Attempt | None:
    """The last attempt of an agent, also while it goes on."""
    return _attempt(db, _LAST, agent)


def after(db: Connection, list_name: str, n: int, count: int = SLICE) -> list[Entry]:
    """The next entries of a list, in the order in which they came."""
    return [_entry(row) for row in db.execute(_SLICE, (list_name, n, count)).fetchall()]


def kept(db: Connection) -> Iterator[tuple[str, str, str, bool, int, int]]:
    """Everybody for the book, in order: entry, list, number, whether open, attempts, not before."""
    for entry, name, number, state, attempts, not_before in db.execute(
        "SELECT id, list_name, number, state, attempts, not_before FROM list_entry ORDER BY n"
    ).fetchall():
        yield entry, name, number, state == "open", attempts, not_before


def unended(db: Connection) -> list[Unended]:
    sql = "SELECT conversation, entry, agent, began, began_ms, dial FROM list_attempt WHERE ended IS NULL"
    return [Unended(*row) for row in db.execute(sql).fetchall()]


def paused(db: Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT list_name FROM list_state WHERE is_paused").fetchall()]


def progress(db: Connection) -> dict[str, dict[str, int]]:
    """How many of each list came to what; empty: nobody has tried them yet."""
    found: dict[str, dict[str, int]] = {}
    rows = db.execute("SELECT list_name, outcome, count(*) FROM list_entry GROUP BY list_name, outcome").fetchall()
    for name, outcome, count in rows:
        found.setdefault(name, {})[outcome] = count
    return found


def forbidden(db: Connection, count: int = -1) -> list[Forbidden]:
    """Who is not to be called, the newest first; ``count`` -1: all."""
    sql = "SELECT number, at, by, why FROM do_not_call ORDER BY at DESC, number LIMIT ?"
    return [Forbidden(*row) for row in db.execute(sql, (count,)).fetchall()]


def _attempt(db: Connection, sql: str, value: str) -> Attempt | None:
    row = db.execute(sql, (value,)).fetchone()
    if row is None:
        return None
    conversation, agent, outcome, result, entry = row
    found = one(db, entry)
    return Attempt(conversation, agent, outcome, result, found) if found is not None else None


def _entry(row: tuple[Any, ...]) -> Entry:
    entry, n, list_name, number, name, language, first, second, third, *rest = row
    return Entry(entry, n, list_name, number, name, language, (first, second, third), *rest)
