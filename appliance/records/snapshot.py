"""A consistent copy of calls.db while calls goes on writing it.

By ``VACUUM INTO`` through a read-only connection of its own: one read transaction, so the copy is the records as of one
event; the writer is neither waited for nor held up, and what was erased is not in the copy, not even in free pages.
SQLite's backup interface would copy those too, and begins anew whenever another process writes between two steps. The
copy is encrypted under the same key. 35 MB take about a second; only in that time the write-ahead log is not taken in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from appliance.errors import Problem
from appliance.records import chain, database, ledger, store
from appliance.records.database import Connection


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far the copy reaches. ``ledger`` is the link of the first event, which no other box's chain has."""

    head: chain.Head
    ledger: str
    requests_open: int


def take(path: Path, key: bytes, out: Path) -> Snapshot:
    """Copies ``path`` to ``out``, which must not exist. Problem where the records cannot be read or copied."""
    connection = database.open_reader(path, key)
    try:
        connection.execute("PRAGMA query_only=OFF")  # the file is still opened mode=ro: only ``out`` is written
        connection.execute("VACUUM INTO ?", (str(out),))
    except database.Unreadable as error:
        out.unlink(missing_ok=True)
        raise Problem("records.not_copied", file=str(path), reason=str(error)) from error
    finally:
        connection.close()
    out.chmod(0o660)
    return inspected(out, key)


def inspected(path: Path, key: bytes) -> Snapshot:
    """How far a file of records reaches, without checking it."""
    connection = database.open_reader(path, key)
    try:
        return _about(connection)
    finally:
        connection.close()


def verified(path: Path, key: bytes, anchor: chain.Head) -> Snapshot:
    """The same once every page, table and link was checked; Problem (``records.*``) where one is not as it was."""
    connection = database.open_reader(path, key)
    try:
        for pragma in ("cipher_integrity_check", "integrity_check"):
            found = connection.execute(f"PRAGMA {pragma}").fetchall()
            if found not in ([], [("ok",)]):
                raise Problem("records.file_damaged", file=path.name, reason=str(found[0][0])[:120])
        match chain.verify(store.links(connection), anchor):
            case chain.Fault(n, reason):
                raise Problem("records.chain_broken", n=n, reason=reason)
            case chain.Head():
                return _about(connection)
    except database.Unreadable as error:
        raise Problem("records.file_damaged", file=path.name, reason=str(error)) from error
    finally:
        connection.close()


def _about(connection: Connection) -> Snapshot:
    last = connection.execute("SELECT n, link FROM event ORDER BY n DESC LIMIT 1").fetchone()
    first = connection.execute("SELECT link FROM event WHERE n = 1").fetchone()
    head = chain.Head(last[0], last[1]) if last else chain.Head(0, chain.FIRST)
    return Snapshot(head, first[0].hex() if first else "", ledger.open_count(connection))
