"""calls.db as a file: opened with the right key and pragmas. The only module that imports sqlcipher3.

The key is raw (``x'..'``: 0.3 ms; a passphrase would cost 108 ms). The file is created 0660, and SQLite gives -wal and
-shm the mode of the file, so that readers of the same group can map them. A reader works beside a living writer and
after its crash, but not after a clean close: the writer therefore never closes (``Store.close_hard``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import quote

from sqlcipher3 import dbapi2 as sqlcipher

from appliance.errors import Problem

KEY_BYTES = 32
BUSY_MS = 5000
JOURNAL_LIMIT_BYTES = 16 << 20
CACHE_KIB = 4096

Value = str | int | bytes | None

FullOrFailing: type[Exception] = sqlcipher.OperationalError  # no space, an I/O error, a lock: worth another try
Unreadable: type[Exception] = sqlcipher.DatabaseError
Unacceptable: tuple[type[Exception], ...] = (sqlcipher.IntegrityError, sqlcipher.DataError, sqlcipher.InterfaceError)


class Cursor(Protocol):
    rowcount: int

    def fetchone(self) -> tuple[Any, ...] | None: ...
    def fetchall(self) -> list[tuple[Any, ...]]: ...
    def __iter__(self) -> Iterator[tuple[Any, ...]]: ...


class Connection(Protocol):
    """What we use of a database connection (sqlcipher3 ships no types)."""

    def execute(self, sql: str, parameters: Sequence[Value] = ..., /) -> Cursor: ...
    def executemany(self, sql: str, parameters: Iterable[Sequence[Value]], /) -> Cursor: ...
    def close(self) -> None: ...


def key_from(content: str) -> bytes:
    """The database key out of its secret (64 hex digits); Problem if it is none."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", content.strip()):
        raise Problem("records.bad_key")
    return bytes.fromhex(content.strip())


def open_writer(path: Path, key: bytes) -> Connection:
    """The one connection that writes; creates the file (0660) where there is none.

    Problem ``records.wrong_key`` if the file does not open with ``key``, ``records.unwritable`` if it cannot be made.
    """
    try:
        _create(path)
        connection = _connect(f"file:{quote(str(path))}?mode=rw", key)
    except (OSError, sqlcipher.OperationalError) as error:
        raise Problem("records.unwritable", file=str(path), reason=str(error)) from error
    _settle(connection, path)
    # Without recursive_triggers INSERT OR REPLACE walks past the triggers that keep events as they are.
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",
        "secure_delete=ON",
        "trusted_schema=OFF",
        f"busy_timeout={BUSY_MS}",
        f"journal_size_limit={JOURNAL_LIMIT_BYTES}",
        f"cache_size=-{CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_reader(path: Path, key: bytes) -> Connection:
    """A connection that can only read; may be another user of the same group.

    Problem ``records.no_database`` if there is no file, ``records.stopped`` if it cannot be read now because no
    writer keeps it, ``records.wrong_key`` if the key does not fit.
    """
    if not path.is_file():
        raise Problem("records.no_database", file=str(path))
    try:
        connection = _connect(f"file:{quote(str(path))}?mode=ro", key)
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        connection.execute("PRAGMA query_only=ON")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlcipher.OperationalError as error:
        raise Problem("records.stopped", file=str(path), reason=str(error)) from error
    except sqlcipher.DatabaseError as error:
        raise Problem("records.wrong_key", file=str(path)) from error
    return connection


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o2770)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, 0o660)
    finally:
        os.close(descriptor)


def _connect(uri: str, key: bytes) -> Connection:
    if len(key) != KEY_BYTES:
        raise Problem("records.bad_key")
    # The statement cache holds every hot statement; the connection moves once, from start to the writer's thread.
    connection = sqlcipher.connect(
        uri, uri=True, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=False, cached_statements=256
    )
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    return cast("Connection", connection)


def _settle(connection: Connection, path: Path) -> None:
    """The first read: it shows whether the key fits, and leaves the file in WAL mode."""
    try:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    except sqlcipher.OperationalError as error:
        raise Problem("records.unwritable", file=str(path), reason=str(error)) from error
    except sqlcipher.DatabaseError as error:
        raise Problem("records.wrong_key", file=str(path)) from error
    if mode != ("wal",):
        raise Problem("records.unwritable", file=str(path), reason="no WAL")
