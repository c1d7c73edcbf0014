"""After a crash or a power cut: puts committed bytes where they belong and cuts every open recording to its last
sealed half second. Needs no key, changes nothing that is whole, and may itself be interrupted and run again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from appliance import durable
from appliance.recorder import seal, segments
from appliance.recorder.journal import IN_USE
from appliance.recorder.segments import SUFFIXES

State = Literal["sealed", "recovered", "empty"]
READ_BYTES = 1 << 20
NOTHING_BYTES = 64  # nonce and header: no sound yet


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of one recording. ``sealed``: it was closed before the cut; ``empty``: nothing was durable yet."""

    recording: bytes
    state: State
    body_bytes: int
    body_sha256: str
    seal_sha256: str
    ticks: int


def dirty_folders(journals: Path) -> list[Path]:
    """Journals of processes that did not end in order."""
    return sorted(path.parent for path in journals.glob(f"*/{IN_USE}"))


def fresh_folder(journals: Path) -> Path:
    """A journal folder that needs no replay: one used before if there is any, so that its segments need not be made."""
    number = 0
    while (journals / str(number) / IN_USE).exists():
        number += 1
    return journals / str(number)


def live_recordings(live: Path) -> list[bytes]:
    """The recordings that lie in live/, by whatever of their files is there."""
    names = {path.name.partition(".")[0] for path in live.iterdir() if path.suffix in SUFFIXES}
    return sorted(bytes.fromhex(name) for name in names if len(name) == 32)


def replay(folder: Path, live: Path) -> int:
    """Writes every committed byte of a dead journal to its file again (idempotent) and syncs; returns the bytes.

    Touches only files that still exist in live/: an erased recording must not come back.
    """
    entries = [entry for path in sorted(folder.glob("segment.*")) for entry in segments.read_segment(path.read_bytes())]
    entries.sort(key=lambda entry: (entry.epoch, entry.position))
    descriptors: dict[tuple[bytes, int], int | None] = {}
    written = 0
    try:
        for entry in entries:
            key = (entry.recording, entry.kind)
            if key not in descriptors:
                path = live / (entry.recording.hex() + SUFFIXES[entry.kind])
                descriptors[key] = os.open(path, os.O_RDWR | os.O_CLOEXEC) if path.exists() else None
            descriptor = descriptors[key]
            if descriptor is not None:
                os.pwrite(descriptor, entry.data, entry.offset)
                written += len(entry.data)
    finally:
        for descriptor in descriptors.values():
            if descriptor is not None:
                os.fsync(descriptor)
                os.close(descriptor)
    return written


def recover(recording: bytes, live: Path, kept: Path) -> Recovered:
    """Cuts body and seal of one recording to the last seal record whose hash fits, and moves it to ``kept``.

    Where nothing was durable yet its files are removed; where its seal is unreadable though there is sound, nothing is
    touched but moved: what it holds is for the owner to judge.
    """
    if any((kept / (recording.hex() + suffix)).exists() for suffix in SUFFIXES):
        _move(recording, live, kept)  # it was closed, and the cut came between two of its three renames
    folder = live if (live / (recording.hex() + ".seal")).exists() else kept
    base = folder / recording.hex()
    body = base.with_suffix(".body")
    try:
        sealed = base.with_suffix(".seal").read_bytes()
    except FileNotFoundError:
        sealed = b""
    records, ends = seal.walk(sealed)
    best = _last_good(records, body)
    if best is None:
        if body.exists() and body.stat().st_size > NOTHING_BYTES:
            _move(recording, live, kept)
            return Recovered(recording, "recovered", 0, "", "", 0)
        _discard(recording, live)
        return Recovered(recording, "empty", 0, "", "", 0)
    body_bytes = records[best].body_bytes
    _cut(body, body_bytes)
    _cut(base.with_suffix(".seal"), ends[best + 1])
    _move(recording, live, kept)
    return Recovered(
        recording,
        "sealed" if records[best].type is seal.Type.END else "recovered",
        body_bytes,
        records[best].digest.hex(),
        hashlib.sha256(sealed[: ends[best + 1]]).hexdigest(),
        sum(record.type is seal.Type.TICK for record in records[: best + 1]),
    )


def run(folders: list[Path], live: Path, kept: Path, recordings: list[bytes]) -> Iterator[Recovered]:
    """Replays ``folders``, then recovers ``recordings`` one by one; at last the folders are free again.

    A recording that the disk refuses stays where it is, with its journal, for the next start; the first such OSError is
    raised when all others are done.
    """
    refused: list[OSError] = []
    for folder in folders:
        replay(folder, live)
    for recording in recordings:
        try:
            yield recover(recording, live, kept)
        except OSError as error:
            refused.append(error)
    if refused:
        raise refused[0]
    for folder in folders:
        forget_heads(folder)
        (folder / IN_USE).unlink(missing_ok=True)


def forget_heads(folder: Path) -> None:
    """Overwrites the heads in a journal of which nothing is to be replayed any more: who erases one has all of them."""
    for path in sorted(folder.glob("segment.*")):
        spans = segments.head_spans(path.read_bytes())
        if not spans:
            continue
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            for offset, length in spans:
                os.pwrite(descriptor, bytes(length), offset)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _move(recording: bytes, live: Path, kept: Path) -> None:
    for suffix in SUFFIXES:
        name = recording.hex() + suffix
        if (live / name).exists():
            os.rename(live / name, kept / name)
    for folder in (kept, live):
        durable.sync(folder)


def _discard(recording: bytes, live: Path) -> None:
    for suffix in SUFFIXES:
        (live / (recording.hex() + suffix)).unlink(missing_ok=True)


def _last_good(records: list[seal.Record], body: Path) -> int | None:
    """The last record whose prefix of the body is there and has its hash.

    The END record vouches for a body whose open chunk was written anew, so it is looked at by itself first.
    """
    if not records or not body.exists():
        return None
    size = body.stat().st_size
    is_closed = records[-1].type is seal.Type.END
    if is_closed and records[-1].body_bytes <= size and _good(records[-1:], body) == 1:
        return len(records) - 1
    ticks = [record for record in records if record.type is not seal.Type.END and record.body_bytes <= size]
    good = _good(ticks, body)
    return good - 1 if good else None


def _good(records: list[seal.Record], body: Path) -> int:
    """How many records, from the first on, have the hash of their prefix of the body."""
    running = hashlib.sha256()
    at = 0
    with body.open("rb") as file:
        for index, record in enumerate(records):
            if record.body_bytes < at:
                return index
            while at < record.body_bytes:
                part = file.read(min(READ_BYTES, record.body_bytes - at))
                running.update(part)
                at += len(part)
            if running.digest() != record.digest:
                return index
    return len(records)


def _cut(path: Path, size: int) -> None:
    if path.stat().st_size != size:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
