"""The one writer of calls.db: events are appended to the chain, and the rows that follow from them change with them.

Everything that is given together is written in one transaction: after ``apply`` has returned it is on the disk
(synchronous=FULL), after an exception nothing of it is. A store belongs to one thread at a time; in the calls process
that is the thread of ``writer.Writer``.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlite_utils.db import Database

from appliance.clock import Clock
from appliance.records import chain, database, encode, events, rows, schema
from appliance.records.database import Connection
from appliance.records.events import Happened

log = logging.getLogger(__name__)

T = TypeVar("T")

_INSERT = "INSERT INTO event (n, at, mono, kind, subject, commitment, link) VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_BODY = "INSERT INTO event_body (n, salt, body) VALUES (?, ?, ?)"
_LINKS = """SELECT e.n, e.at, e.kind, e.subject, e.commitment, e.link, b.salt, b.body, x.n IS NOT NULL
FROM event AS e LEFT JOIN event_body AS b USING (n) LEFT JOIN erasure AS x USING (n)
WHERE e.n > ? ORDER BY e.n LIMIT ?"""
_OPEN = """SELECT id, opened, state FROM conversation LEFT JOIN cdr ON cdr.conversation = conversation.id
WHERE cdr.conversation IS NULL ORDER BY opened_n"""


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event with the moment at which it happened: UTC ms and monotonic ms."""

    happened: Happened
    at: int
    mono_ms: int


@dataclass(frozen=True, slots=True)
class OpenConversation:
    """One without a record yet: what a crash left behind. ``recordings`` are those still live, ``legs`` not ended."""

    conversation: str
    opened: int
    state: str
    is_closed: bool
    last_offset_ms: int
    agent: str
    recordings: tuple[str, ...]
    legs: tuple[str, ...]


class Store:
    """calls.db, open for writing. ``key`` is the raw database key (32 bytes)."""

    def __init__(self, path: Path, key: bytes, clock: Clock) -> None:
        """Opens (or makes) the file and brings its tables up to date; Problem where that cannot be."""
        self.path = path
        self._clock = clock
        self._connection: Connection = database.open_writer(path, key)
        # sqlite-utils for migrations only: it accepts any connection of the sqlite3 kind.
        schema.migrations.apply(Database(cast("Any", self._connection)))
        self._head = self._last()

    def stamped(self, happened: Happened) -> Stamped:
        """``happened`` with the time of now."""
        return Stamped(happened, self._clock.utc_ms(), round(self._clock.monotonic() * 1000))

    def apply(self, happened: Sequence[Happened]) -> list[int]:
        """Appends these events, in order, in one transaction; their numbers."""
        return self.apply_stamped([self.stamped(one) for one in happened])

    def apply_stamped(self, batch: Sequence[Stamped]) -> list[int]:
        """The same for events that were stamped when they happened."""
        if not batch:
            return []
        head, numbers = self._head, []
        with self.transaction() as connection:
            for one in batch:
                head = _append(connection, head, one)
                numbers.append(head.n)
        self._head = head
        return numbers

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction, for the few tables that do not follow from events; all or nothing of it stays."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def within(self, work: Callable[[Connection], T]) -> T:
        """Runs ``work`` in one transaction; what it returned."""
        with self.transaction() as connection:
            return work(connection)

    def head(self) -> chain.Head:
        """How far the chain reaches now."""
        return self._head

    def verify(self, anchor: chain.Head | None = None) -> chain.Head | chain.Fault:
        """Checks the chain from its first event on (about 5 us each)."""
        return chain.verify(links(self._connection), anchor)

    def rebuild(self) -> int:
        """Makes all rows anew from the events alone, in one transaction; how many events were read."""
        count = 0
        with self.transaction() as connection:
            for table in schema.DERIVED:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
            # Read in slices: a statement over the table would stay open while the rows change.
            for number in range(0, self._head.n, 1000):
                for n, at, kind, body in connection.execute(
                    "SELECT e.n, e.at, e.kind, b.body FROM event AS e JOIN event_body AS b USING (n)"
                    " WHERE e.n > ? AND e.n <= ? ORDER BY e.n",
                    (number, number + 1000),
                ).fetchall():
                    happened = encode.happened_from(kind, body)
                    for sql, values in rows.changes(happened, n, at) if happened else ():
                        connection.execute(sql, values)
                    count += 1
        return count

    def open_conversations(self) -> list[OpenConversation]:
        """Conversations whose record never closed, oldest first; after a start these are what a crash left."""
        return [
            self._open_conversation(identifier, opened, state)
            for identifier, opened, state in self._connection.execute(_OPEN).fetchall()
        ]

    def close_hard(self) -> None:
        """The last act before the process ends by ``os._exit``: everything into the file, nothing closed.

        A clean close would take -wal and -shm away, and no reader of another user could open the file then.
        """
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Closes cleanly; for tools and tests (see ``close_hard``)."""
        self._connection.close()

    def _open_conversation(self, identifier: str, opened: int, state: str) -> OpenConversation:
        query = self._connection.execute
        agent, since = query("SELECT agent, state_since_ms FROM conversation WHERE id = ?", (identifier,)).fetchall()[0]
        legs = query(
            "SELECT id, ended_ms, max(opened_ms, coalesce(answered_ms, 0), coalesce(ended_ms, 0)) FROM leg"
            " WHERE conversation = ? ORDER BY rowid",
            (identifier,),
        ).fetchall()
        recordings = query(
            "SELECT id, opened_ms FROM recording WHERE conversation = ? AND state = 'live' ORDER BY part", (identifier,)
        ).fetchall()
        return OpenConversation(
            conversation=identifier,
            opened=opened,
            state=state,
            is_closed=state == "closed",
            last_offset_ms=max([since, *(leg[2] for leg in legs), *(recording[1] for recording in recordings)]),
            agent=agent,
            recordings=tuple(recording[0] for recording in recordings),
            legs=tuple(leg[0] for leg in legs if leg[1] is None),
        )

    def _last(self) -> chain.Head:
        row = self._connection.execute("SELECT n, link FROM event ORDER BY n DESC LIMIT 1").fetchone()
        return chain.Head(row[0], row[1]) if row else chain.Head(0, chain.FIRST)

    def _roll_back(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
        except database.FullOrFailing as error:
            # SQLite rolls back by itself on a full disk or an I/O error; then there is nothing left to roll back.
            log.debug("roll back: %s", error)


def links(connection: Connection, after: int = 0, count: int = -1) -> Iterator[chain.Link]:
    """Events as the chain sees them, in order: all, or ``count`` of them after number ``after``."""
    for n, at, kind, subject, commitment, link, salt, body, is_erased in connection.execute(_LINKS, (after, count)):
        yield chain.Link(n, at, kind, subject, commitment, link, salt, body, bool(is_erased))


def _append(connection: Connection, before: chain.Head, one: Stamped) -> chain.Head:
    happened, body = encode.canonical(one.happened)
    n, subject, salt = before.n + 1, encode.subject(happened), secrets.token_bytes(chain.SALT_BYTES)
    committed = chain.commitment(salt, body)
    link = chain.link(before.link, n, one.at, happened.kind, subject, committed)
    connection.execute(_INSERT, (n, one.at, one.mono_ms, happened.kind, subject, committed, link))
    connection.execute(_INSERT_BODY, (n, salt, body))
    for sql, values in rows.changes(happened, n, one.at):
        connection.execute(sql, values)
    if isinstance(happened, events.ConversationErased | events.ContactRemoved):
        for sql, values in rows.erased_bodies(subject, n):
            connection.execute(sql, values)
    return chain.Head(n, link)
