"""Makes one backup, while the services run or not: snapshot, digests, one sealed stream, whole or not there at all.

The manifest goes first, so that whoever opens the file knows at once what it is; its digests are made by reading every
file once before. A file that changed between the two readings (somebody saves the settings just now) makes the stream
useless: it is begun anew. Nothing is ever on the disk in clear that was not so before; calls.db is copied encrypted.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from appliance import __version__, durable
from appliance.backup import contents, manifest
from appliance.backup.contents import Source
from appliance.backup.manifest import Entry, Manifest
from appliance.backup.sealed import Sealer
from appliance.errors import Problem
from appliance.places import DATABASE_KEY, Places
from appliance.recorder import custody, keys
from appliance.recorder.keys import Recipient
from appliance.records import chain, database, snapshot

TRIES = 3
READ_BYTES = 1 << 20

Progress = Callable[[int, int], None]
"""Bytes done and bytes in all."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is on the disk, whole. ``sha256`` is that of the sealed file."""

    file: Path
    bytes: int
    sha256: str
    head: chain.Head
    ledger: str
    files: int
    recipients: int
    requests_open: int


@dataclass(frozen=True, slots=True)
class Drilled:
    """A second sealing of the very same plaintext, to a key that is thrown away (``drill``)."""

    out: BinaryIO
    recipient: Recipient


class _ChangedError(Exception):
    """A file is not what was read of it a moment ago."""


def recipients_of(places: Places) -> tuple[Recipient, ...]:
    """Whom a backup is sealed to: the owner's keys; Problem where there are none."""
    recipients = custody.load(places.data).recipients
    if not recipients:
        raise Problem("backup.no_recipient", file=str(keys.recipients_file(places.data)))
    return recipients


def make(
    settings: Path,
    places: Places,
    box: str,
    out: Path,
    now_utc_ms: int,
    *,
    progress: Progress = lambda _done, _all: None,
    drilled: Drilled | None = None,
) -> Made:
    """Writes ``out``, which must not exist. Problem where it cannot be made; then nothing of it is left."""
    recipients = recipients_of(places)
    if out.exists():
        raise Problem("backup.exists", file=str(out))
    if out.parent.resolve() in {places.data, places.secrets, places.flows, places.prompts}:
        raise Problem("backup.inside", folder=str(out.parent))
    secret = places.secret(DATABASE_KEY)
    if secret is None:
        raise Problem("records.no_key", file=str(places.secrets / DATABASE_KEY))
    try:
        scratch = Path(tempfile.mkdtemp(prefix=".pasokh-backup-", dir=out.parent))
    except OSError as error:
        raise Problem("backup.unwritable", file=str(out), reason=error.strerror or str(error)) from error
    try:
        copy = scratch / "calls.db"
        taken = snapshot.take(places.database, database.key_from(secret), copy)
        for _ in range(TRIES):
            found, left_out = contents.sources(settings, places, [out.parent])
            sources = [Source(manifest.DATABASE, copy), *found]
            about = Manifest(
                format=manifest.FORMAT,
                version=__version__,
                box=box,
                ledger=taken.ledger,
                made_utc_ms=now_utc_ms,
                head_n=taken.head.n,
                head=taken.head.link.hex(),
                files=tuple(_entry(source) for source in sources),
                left_out=tuple(left_out),
            )
            try:
                sha256, size = _write(scratch / "sealed", about, sources, recipients, progress, drilled)
            except _ChangedError:
                continue
            _place(scratch / "sealed", out, sha256)
            return Made(out, size, sha256, taken.head, taken.ledger, len(sources), len(recipients), taken.requests_open)
        raise Problem("backup.changing", folder=str(settings.parent))
    except OSError as error:
        raise Problem("backup.unwritable", file=str(out), reason=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _entry(source: Source) -> Entry:
    try:
        with source.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return Entry(source.name, file.tell(), digest)
    except OSError as error:
        raise Problem("backup.unreadable", file=str(source.path), reason=error.strerror or str(error)) from error


def _write(
    file: Path,
    about: Manifest,
    sources: Sequence[Source],
    recipients: Sequence[Recipient],
    progress: Progress,
    drilled: Drilled | None,
) -> tuple[str, int]:
    """The sealed file's digest and length."""
    with ExitStack() as opened:
        target = opened.enter_context(file.open("wb"))
        sealers = [Sealer(target, recipients)]
        if drilled is not None:
            drilled.out.seek(0)
            drilled.out.truncate()
            sealers.append(Sealer(drilled.out, [drilled.recipient]))
        stream = cast("IO[bytes]", _Tee(sealers))
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            _add_bytes(tar, manifest.NAME, manifest.packed(about))
            done, total = 0, about.total_bytes
            for source, entry in zip(sources, about.files, strict=True):
                _add(tar, source, entry)
                done += entry.bytes
                progress(done, total)
        for sealer in sealers:
            sealer.finish()
        target.flush()
        os.fsync(target.fileno())
        if drilled is not None:
            drilled.out.flush()
        return sealers[0].sha256, sealers[0].sealed_bytes


class _Tee:
    def __init__(self, sealers: Sequence[Sealer]) -> None:
        self._sealers = sealers

    def write(self, data: bytes) -> int:
        for sealer in self._sealers:
            sealer.write(data)
        return len(data)


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode = len(content), 0o600
    tar.addfile(about, io.BytesIO(content))


def _add(tar: tarfile.TarFile, source: Source, entry: Entry) -> None:
    """One file, with its mode."""
    with source.path.open("rb") as file:
        stat = os.fstat(file.fileno())
        about = tarfile.TarInfo(entry.name)
        about.size, about.mode, about.mtime = entry.bytes, stat.st_mode & 0o777, int(stat.st_mtime)
        reading = _Digested(file, entry.bytes)
        try:
            tar.addfile(about, cast("IO[bytes]", reading))
        except OSError as error:
            if reading.is_short:
                raise _ChangedError from error
            raise
        if reading.hash.hexdigest() != entry.sha256 or file.read(1):
            raise _ChangedError


class _Digested:
    """A file as it is read, with the digest of what was."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size
        self.hash = hashlib.sha256()
        self.is_short = False

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        self.is_short = self.is_short or (len(data) < size and self._left > 0)
        self.hash.update(data)
        return data


def _place(sealed: Path, out: Path, sha256: str) -> None:
    """Read back from the disk, then given its name; durable afterwards."""
    with sealed.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise Problem("backup.read_back", file=str(out))
    sealed.chmod(0o640)
    if out.exists():
        raise Problem("backup.exists", file=str(out))
    sealed.rename(out)
    durable.sync(out.parent)
