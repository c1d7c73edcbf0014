"""Takes a backup apart with the owner's key and believes nothing of it before it was checked.

Every file must be in the manifest, of its length and digest, and none may be missing or stand twice; names that lead
out of the box's folder, links and devices are refused. Then calls.db is opened with its key: every page, every table,
and the chain of events from its first link to the very head that the manifest names (and the one that the owner had
noted elsewhere, if given).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from appliance.backup import manifest
from appliance.backup.manifest import Entry, Manifest
from appliance.backup.sealed import Opener
from appliance.errors import Problem
from appliance.recorder.container import DamagedError
from appliance.recorder.keys import Identity
from appliance.records import chain, database, snapshot
from appliance.records.snapshot import Snapshot

READ_BYTES = 1 << 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Checked:
    """A backup of which everything is as it was when it was made."""

    manifest: Manifest
    records: Snapshot


def verify(
    file: Path,
    identity: Identity,
    *,
    anchor: chain.Head | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Checked:
    """Checks all of ``file`` and keeps nothing: only calls.db, encrypted as it is, is laid down for the while."""
    with tempfile.TemporaryDirectory(prefix="pasokh-verify-") as scratch:
        return unpack(file, identity, Path(scratch), anchor=anchor, progress=progress, only=manifest.DATABASE)


def unpack(
    file: Path,
    identity: Identity,
    into: Path,
    *,
    anchor: chain.Head | None = None,
    progress: Progress = lambda _done, _all: None,
    only: str = "",
) -> Checked:
    """Lays every file (or ``only`` one) under ``into``, an empty folder of ours; Problem at the first thing wrong."""
    try:
        with file.open("rb") as opened:
            total = os.fstat(opened.fileno()).st_size
            opener = Opener(opened, identity, file.name)
            about, key = _members(opener, file.name, into, only, lambda: progress(opener.read_bytes, total))
    except OSError as error:
        raise Problem("backup.unreadable", file=str(error.filename or file), reason=error.strerror or "") from error
    except DamagedError as error:
        raise Problem("backup.damaged", file=file.name, place=str(error)) from error
    head = chain.Head(about.head_n, bytes.fromhex(about.head))
    path = into / manifest.DATABASE
    records = snapshot.verified(path, key, head)
    if anchor is not None:
        snapshot.verified(path, key, anchor)
    if records.head != head or records.ledger != about.ledger:
        raise Problem("backup.bad_inside", file=file.name, reason="head")
    return Checked(about, records)


def _members(opener: Opener, name: str, into: Path, only: str, progress: Callable[[], None]) -> tuple[Manifest, bytes]:
    """The manifest, and the key of calls.db; everything was read to the true end."""
    with _as_problem(name):
        tar = tarfile.open(fileobj=cast("IO[bytes]", opener), mode="r|")  # noqa: SIM115 - only reads from the opener
        members = iter(tar)
        first = next(members, None)
    if first is None or first.name != manifest.NAME or first.size > manifest.MOST_BYTES:
        raise Problem("backup.bad_inside", file=name, reason="no manifest")
    about = manifest.read(_content(tar, first).read(), name)
    expected = {entry.name: entry for entry in about.files}
    key = b""
    with _as_problem(name):
        for member in members:
            entry = expected.pop(member.name, None)
            if entry is None or not member.isreg() or member.size != entry.bytes:
                raise Problem("backup.bad_inside", file=name, reason=f"member {member.name[:60]!r}")
            content = _content(tar, member)
            if member.name == manifest.DATABASE_KEY:
                secret = content.read(1000)
                key = database.key_from(secret.decode("ascii", "replace"))
                content = cast("IO[bytes]", _Again(secret, content))
            target = into / entry.name if not only or entry.name == only else None
            _lay(content, entry, target, member, name)
            progress()
    opener.drain()
    if expected:
        raise Problem("backup.bad_inside", file=name, reason=f"missing {min(expected)[:60]!r}")
    return about, key


@contextlib.contextmanager
def _as_problem(name: str) -> Iterator[None]:
    try:
        yield
    except tarfile.TarError as error:
        raise Problem("backup.bad_inside", file=name, reason=str(error)[:120]) from error


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    assert content is not None
    return content


class _Again:
    """What was read already, and then the rest."""

    def __init__(self, read: bytes, rest: IO[bytes]) -> None:
        self._read = read
        self._rest = rest

    def read(self, size: int) -> bytes:
        if self._read:
            given, self._read = self._read[:size], self._read[size:]
            return given
        return self._rest.read(size)


def _lay(content: IO[bytes], entry: Entry, target: Path | None, member: tarfile.TarInfo, name: str) -> None:
    """Writes one file, or only its digest; nothing that is there already is ever written over."""
    digest = hashlib.sha256()
    mode = 0o600 if entry.name.startswith("secrets/") else member.mode & 0o770 | 0o400
    with contextlib.ExitStack() as opened:
        out: BinaryIO | None = None
        if target is not None:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            out = opened.enter_context(os.fdopen(os.open(target, flags, mode), "wb"))
        while data := content.read(READ_BYTES):
            digest.update(data)
            if out is not None:
                out.write(data)
        if out is not None:
            os.fchmod(out.fileno(), mode)
            out.flush()
            os.fsync(out.fileno())
    if digest.hexdigest() != entry.sha256:
        raise Problem("backup.bad_inside", file=name, reason=f"digest of {entry.name[:60]!r}")
