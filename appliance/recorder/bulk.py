"""Many recordings as files in one folder, with a list of them; it can be killed at any moment and then goes on.

A file gets its name when all of it is on the disk, and its line in the list before that: whatever has a name is whole
and listed. What is there already is hashed again and passed over; what differs is written anew. A file that stands
under such a name and is not listed is somebody else's, and is never touched.

The list is ``manifest.jsonl``, one document a line, the last line of a file counts; when all is done it is written
anew in order, and as ``manifest.csv``. One that cannot be opened has a line too, with the reason, and holds up nothing.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal

import msgspec

from appliance import durable, messages
from appliance.errors import Problem
from appliance.recorder import export, reading
from appliance.recorder.keys import Identity
from appliance.recorder.reading import Opened
from appliance.recorder.segments import is_id
from appliance.recorder.telling import Occasion
from appliance.records import cdr

LIST, TABLE = "manifest.jsonl", "manifest.csv"
PART = ".part"
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A recording that is wanted. ``base`` names its three files, whether they are there or not."""

    recording: str
    base: Path

    @property
    def body_bytes(self) -> int:
        """How much there is to do; 0 where it cannot be told."""
        try:
            return self.base.with_suffix(".body").stat().st_size
        except OSError:
            return 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list. ``state`` is whole, open (never closed: all up to a crash) or failed (then see problem)."""

    recording: str
    state: Literal["whole", "open", "failed"]
    file: str
    conversation: str = ""
    part: int = 0
    started_utc: str = ""
    started_jalali: str = ""
    milliseconds: int = 0
    bytes: int = 0
    sha256: str = ""
    seal_sha256: str = ""  # of the sealed recording that it was made from
    problem: str = ""
    reason: str = ""
    who: str = ""  # exported it, and why
    why: str = ""
    is_on_record: bool = False  # a box runs here, and has it in its chain


@dataclass(frozen=True, slots=True)
class Done:
    """One recording was looked at; ``is_new`` where a file was written for it now."""

    source: Source
    entry: Entry
    is_new: bool


def find(folder: Path) -> list[Source]:
    """All recordings in a folder and the folders in it, oldest first; Problem where it cannot be read."""
    if not folder.is_dir():
        raise Problem("recorder.no_folder", folder=str(folder))
    seals = {path.stem: path for path in sorted(folder.rglob("*.seal")) if is_id(path.stem)}
    return [Source(name, path.with_suffix("")) for name, path in sorted(seals.items())]


def export_all(
    sources: Sequence[Source], identity: Identity, out: Path, ending: str, occasion: Occasion
) -> Iterator[Done]:
    """Writes what is missing in ``out``, one by one, each put on record before.

    Problem only where nothing can be written at all, or the box that runs here does not answer.
    """
    with _only_one(out), _List(out) as listed:
        for source in sources:
            yield _exported(source, identity, out, ending, occasion, listed)


def _exported(source: Source, identity: Identity, out: Path, ending: str, occasion: Occasion, listed: _List) -> Done:
    file = out / (source.recording + ending)
    known = listed.entries.get(file.name)
    try:
        if known is not None and known.state != "failed" and _is_as_listed(source, file, known):
            return Done(source, known, is_new=False)
        opened = _opened(source, identity)
        if file.exists() and (known is None or not known.sha256):
            raise Problem("recorder.exists", file=str(file))
    except Problem as problem:
        what, _ = messages.problem_lines(problem, messages.chosen_language())
        before = known or Entry(source.recording, "failed", file.name)  # what was written once stays ours
        entry = replace(before, state="failed", problem=problem.key, reason=what)
        listed.add(entry)
        return Done(source, entry, is_new=False)
    is_on_record = occasion.tell([source.recording], ending.removeprefix("."))
    data = export.encode(opened, file)
    entry = replace(
        _entry(source, opened, file.name, data), who=occasion.who, why=occasion.why, is_on_record=is_on_record
    )
    _replace(file, data, lambda: listed.add(entry))
    return Done(source, entry, is_new=True)


def _opened(source: Source, identity: Identity) -> Opened:
    try:
        return reading.open_recording(source.base, identity, source.recording)
    except OSError as error:
        raise Problem("recorder.unreadable", file=str(source.base), reason=error.strerror or "") from error


def _entry(source: Source, opened: Opened, name: str, data: bytes) -> Entry:
    started = reading.started_utc_ms(source.recording)
    part = opened.about.get("part", 0)
    return Entry(
        recording=source.recording,
        state="whole" if opened.is_closed else "open",
        conversation=str(opened.about.get("conversation", "")),
        part=part if isinstance(part, int) else 0,
        started_utc=cdr.utc(started),
        started_jalali=cdr.jalali(started),
        milliseconds=opened.milliseconds,
        file=name,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        seal_sha256=_sha256(source.base.with_suffix(".seal")),
    )


def _is_as_listed(source: Source, file: Path, known: Entry) -> bool:
    """Whether the file is the one that was written, and made from the recording that lies there now."""
    try:
        return (
            file.stat().st_size == known.bytes
            and _sha256(source.base.with_suffix(".seal")) == known.seal_sha256
            and _sha256(file) == known.sha256
        )
    except OSError:
        return False


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while part := opened.read(READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


class _List:
    """The list of a folder: read at first, added to line by line, written anew in order at the end."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self.entries: dict[str, Entry] = {}  # by the name of the file

    def __enter__(self) -> _List:
        file = self._out / LIST
        for line in file.read_bytes().splitlines() if file.exists() else ():
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except msgspec.MsgspecError:
                continue  # half a line of a kill: what it spoke of is looked at again
            self.entries[entry.file] = entry
        self._write_anew()
        return self

    def __exit__(self, *_: object) -> None:
        self._write_anew()
        _replace(self._out / TABLE, _table(self._in_order()))

    def add(self, entry: Entry) -> None:
        """On the disk before this returns."""
        self.entries[entry.file] = entry
        with _writing(self._out / LIST) as file, file.open("ab") as opened:
            opened.write(msgspec.json.encode(entry) + b"\n")
            opened.flush()
            os.fsync(opened.fileno())

    def _in_order(self) -> list[Entry]:
        return [entry for _, entry in sorted(self.entries.items())]

    def _write_anew(self) -> None:
        _replace(self._out / LIST, b"".join(msgspec.json.encode(entry) + b"\n" for entry in self._in_order()))


def _table(entries: Sequence[Entry]) -> bytes:
    """The list for a spreadsheet, as that of records/cdr.py is."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([field.name for field in fields(Entry)])
    writer.writerows([cdr.harmless(cell) for cell in asdict(entry).values()] for entry in entries)
    return out.getvalue().encode("utf-8", "replace")


def _replace(file: Path, data: bytes, before_name: Callable[[], None] = lambda: None) -> None:
    """The whole file or the one before, never half of one; ``before_name`` runs when all of it is on the disk."""
    part = file.with_name(file.name + PART)
    with _writing(file):
        part.unlink(missing_ok=True)
        export.write_new(part, data)
        before_name()
        part.replace(file)
        durable.sync(file.parent)


@contextmanager
def _writing(file: Path) -> Iterator[Path]:
    try:
        yield file
    except OSError as error:
        raise Problem("recorder.unwritable", file=str(file), reason=error.strerror or "") from error


@contextmanager
def _only_one(out: Path) -> Iterator[None]:
    """The folder, made where it is missing, for one export at a time; a kill gives it back."""
    with _writing(out):
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Problem("recorder.export_busy", folder=str(out)) from error
        yield
    finally:
        os.close(descriptor)
