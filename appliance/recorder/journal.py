"""The redo journal: every byte of every recording is durable after one write and one sync for all of them.

The RTP thread ``put``s bytes and, each half second, calls ``hand_over``; a thread of the journal's own writes the
block to a segment, syncs it, and only then writes the bytes to their files, lazily. When a segment is full the next
one is taken at once and a second thread syncs the files behind the old one before it may be used again: a commit never
waits for a checkpoint. What a newcomer gets wrong: nothing may reach a file before it is durable in the journal, or a
power cut leaves a file that nobody can mend.

Record: magic ``PJR1``, CRC-32 of the rest, epoch u64, recording 16 bytes, kind u8 (0 head, 1 body, 2 seal), offset u64,
length u32, data. A segment's records bear one epoch; a record of another epoch is left over from an earlier use.
"""

from __future__ import annotations

import os
import queue
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

MAGIC = b"PJR1"
_HEAD = struct.Struct(">4sIQ16sB3xQI")  # 48 bytes
_REST = struct.Struct(">Q16sB3xQI")  # what the CRC covers besides the data
SEGMENTS = 3
HEAD, BODY, SEAL = 0, 1, 2
SUFFIXES = (".head", ".body", ".seal")
IN_USE = "in-use"  # a folder with this file belongs to a process that did not end in order

Key = tuple[bytes, int]  # recording, kind


class Disk(Protocol):
    """The calls that a power-cut model replaces; everything that must be durable goes through here."""

    def open_new(self, path: Path) -> int: ...

    def write(self, descriptor: int, data: bytes, offset: int) -> None: ...

    def sync(self, descriptor: int) -> None: ...

    def sync_folder(self, path: Path) -> None: ...

    def rename(self, source: Path, target: Path) -> None: ...

    def close(self, descriptor: int) -> None: ...


class RealDisk:
    """The operating system's own."""

    def open_new(self, path: Path) -> int:
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o640)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view = view[written:]
            offset += written

    def sync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def sync_folder(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        os.rename(source, target)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)


@dataclass(slots=True)
class _Segment:
    descriptor: int
    is_free: bool = True
    dirty: set[int] = field(default_factory=set)  # files that hold bytes of this segment and are not synced


@dataclass(slots=True)
class _Batch:
    """What one ``hand_over`` gives to the thread. Writes are of one segment each, in order."""

    number: int
    began: float
    created: list[bytes] = field(default_factory=list)
    writes: list[tuple[int, int, list[bytes]]] = field(default_factory=list)  # segment, offset, parts
    targets: list[tuple[int, Key, int, bytes]] = field(default_factory=list)  # segment, file, offset, data
    retired: list[int] = field(default_factory=list)
    finished: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch is durable; ``seconds`` from handing over to the end of the sync."""

    number: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Finished:
    """All three files of a closed recording are synced and stand in kept/."""

    recording: bytes


@dataclass(frozen=True, slots=True)
class WriteFailed:
    """The journal or a file could not be written: ``reason`` is the error's name (ENOSPC, EIO)."""

    reason: str


Notice = Committed | Finished | WriteFailed


class Journal:
    """All methods are called from one thread; ``notices`` is filled by the journal's own threads."""

    def __init__(
        self,
        folder: Path,
        live: Path,
        kept: Path,
        segment_bytes: int,
        monotonic: Callable[[], float],
        disk: Disk | None = None,
    ) -> None:
        self.notices: deque[Notice] = deque()
        self.pending_batches = 0
        self._folder = folder
        self._live = live
        self._kept = kept
        self._size = segment_bytes
        self._monotonic = monotonic
        self._disk = disk or RealDisk()
        folder.mkdir(parents=True, exist_ok=True)
        self.epoch = highest_epoch(folder) + 1
        (folder / IN_USE).touch()
        self._segments = [_Segment(_segment_file(folder / f"segment.{n}", segment_bytes)) for n in range(SEGMENTS)]
        self._current = 0
        self._segments[0].is_free = False
        self._position = 0
        self._block_start = 0
        self._block: list[bytes] = []
        self._batch = _Batch(1, 0.0)
        self._files: dict[Key, int] = {}
        self._unwritten: deque[tuple[int, Key, int, bytes]] = deque()
        self._lock = threading.Lock()
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._chores: queue.SimpleQueue[tuple[int, list[int]] | bytes | None] = queue.SimpleQueue()
        self._committer = threading.Thread(target=self._commit_all, name="journal", daemon=True)
        self._keeper = threading.Thread(target=self._do_chores, name="checkpoint", daemon=True)
        self._committer.start()
        self._keeper.start()

    # The RTP thread ---------------------------------------------------------------------------------------------------

    @property
    def is_congested(self) -> bool:
        """Whether recordings should wait with their next half second."""
        return self.pending_batches > 2 or not self._room(0)

    def create(self, recording: bytes) -> None:
        """The recording's files are made before its first bytes become durable."""
        self._batch.created.append(recording)

    def put(self, recording: bytes, kind: int, offset: int, data: bytes) -> None:
        """Bytes for a file, to be durable with the next commit. Ask ``is_congested`` before."""
        size = _HEAD.size + len(data)
        if self._position + size > self._size:
            self._switch()
        rest = _REST.pack(self.epoch, recording, kind, offset, len(data))
        check = zlib.crc32(data, zlib.crc32(rest))
        self._block.append(MAGIC + check.to_bytes(4, "big") + rest)
        self._block.append(data)
        self._batch.targets.append((self._current, (recording, kind), offset, data))
        self._position += size

    def finish(self, recording: bytes) -> None:
        """The recording's last bytes are put: sync its files and move them to kept/ after the next commit."""
        self._batch.finished.append(recording)

    def hand_over(self) -> None:
        """Gives what was put to the thread that makes it durable; returns at once."""
        self._close_block()
        batch = self._batch
        if not (batch.writes or batch.created or batch.finished or self._unwritten):
            return
        batch.began = self._monotonic()
        self.pending_batches += 1
        self._batch = _Batch(batch.number + 1, 0.0)
        self._batches.put(batch)

    def settled(self, notice: Committed) -> None:
        """The owner saw a Committed: one batch less is under way."""
        del notice
        self.pending_batches -= 1

    def close(self) -> None:
        """Commits and checkpoints what is left, ends the threads; afterwards the folder holds nothing to replay."""
        self.hand_over()
        self._batches.put(None)
        self._committer.join()
        for index, segment in enumerate(self._segments):
            self._chores.put((index, list(segment.dirty)))
        self._chores.put(None)
        self._keeper.join()
        for segment in self._segments:
            self._disk.close(segment.descriptor)
        for descriptor in self._files.values():
            self._disk.close(descriptor)
        self._files.clear()
        if not self._unwritten:
            (self._folder / IN_USE).unlink(missing_ok=True)

    def _room(self, size: int) -> bool:
        if self._position + size + (256 << 10) <= self._size:
            return True
        return self._segments[(self._current + 1) % SEGMENTS].is_free

    def _switch(self) -> None:
        self._close_block()
        self._batch.retired.append(self._current)
        self._current = (self._current + 1) % SEGMENTS
        self._segments[self._current].is_free = False
        self._position = self._block_start = 0
        self.epoch += 1

    def _close_block(self) -> None:
        if self._block:
            self._batch.writes.append((self._current, self._block_start, self._block))
            self._block = []
            self._block_start = self._position

    # The committing thread --------------------------------------------------------------------------------------------

    def _commit_all(self) -> None:
        while (batch := self._batches.get()) is not None:
            while not self._commit(batch):
                threading.Event().wait(0.5)  # the card is full or failing: nothing is forgotten, nothing goes on
            self.notices.append(Committed(batch.number, self._monotonic() - batch.began))
            self._write_files(batch)

    def _commit(self, batch: _Batch) -> bool:
        try:
            for recording in batch.created:
                for kind, suffix in enumerate(SUFFIXES):
                    key = (recording, kind)
                    if key not in self._files:
                        self._files[key] = self._disk.open_new(self._live / (recording.hex() + suffix))
            if batch.created:
                self._disk.sync_folder(self._live)
            for index, offset, parts in batch.writes:
                self._disk.write(self._segments[index].descriptor, b"".join(parts), offset)
            for index in {index for index, _, _ in batch.writes}:
                self._disk.sync(self._segments[index].descriptor)
        except OSError as error:
            self._failed(error)
            return False
        return True

    def _write_files(self, batch: _Batch) -> None:
        """The bytes go to their files through the page cache; what fails is tried again with the next batch."""
        targets = [*self._unwritten, *batch.targets]
        self._unwritten.clear()
        for position, (index, key, offset, data) in enumerate(targets):
            descriptor = self._files.get(key)
            if descriptor is None:
                continue
            try:
                self._disk.write(descriptor, data, offset)
            except OSError as error:
                self._failed(error)
                self._unwritten.extend(targets[position:])
                break
            with self._lock:
                self._segments[index].dirty.add(descriptor)
        if self._unwritten:
            return
        for index in batch.retired:
            with self._lock:
                dirty, self._segments[index].dirty = list(self._segments[index].dirty), set()
            self._chores.put((index, dirty))
        for recording in batch.finished:
            self._chores.put(recording)

    def _failed(self, error: OSError) -> None:
        self.notices.append(WriteFailed(errno_name(error)))

    # The checkpointing thread -----------------------------------------------------------------------------------------

    def _do_chores(self) -> None:
        while (chore := self._chores.get()) is not None:
            if isinstance(chore, bytes):
                self._move(chore)
            else:
                index, dirty = chore
                for descriptor in dirty:
                    self._sync_quietly(descriptor)
                self._segments[index].is_free = True

    def _move(self, recording: bytes) -> None:
        """A closed recording leaves live/ once its files are durable."""
        descriptors = [self._files.pop((recording, kind)) for kind in range(3) if (recording, kind) in self._files]
        for descriptor in descriptors:
            self._sync_quietly(descriptor)
        for suffix in SUFFIXES:
            name = recording.hex() + suffix
            self._disk.rename(self._live / name, self._kept / name)
        self._disk.sync_folder(self._kept)
        self._disk.sync_folder(self._live)
        with self._lock:
            for segment in self._segments:
                segment.dirty.difference_update(descriptors)
        for descriptor in descriptors:
            self._disk.close(descriptor)
        self.notices.append(Finished(recording))

    def _sync_quietly(self, descriptor: int) -> None:
        try:
            self._disk.sync(descriptor)
        except OSError as error:  # EBADF: the file was closed with its recording, synced already
            if errno_name(error) != "EBADF":
                self._failed(error)


def errno_name(error: OSError) -> str:
    import errno

    return errno.errorcode.get(error.errno or 0, "EIO")


def _segment_file(path: Path, size: int) -> int:
    """A segment of its full size; made once, used for years."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    if os.fstat(descriptor).st_size < size:
        os.posix_fallocate(descriptor, 0, size)
        os.fsync(descriptor)
    return descriptor


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a journal: ``data`` belongs at ``offset`` of a recording's file."""

    epoch: int
    position: int
    recording: bytes
    kind: int
    offset: int
    data: bytes


def read_segment(data: bytes) -> list[Entry]:
    """The records of one segment up to the first that is torn or of another epoch."""
    entries: list[Entry] = []
    position = 0
    while position + _HEAD.size <= len(data):
        magic, check, epoch, recording, kind, offset, length = _HEAD.unpack_from(data, position)
        end = position + _HEAD.size + length
        if magic != MAGIC or end > len(data) or kind >= len(SUFFIXES):
            break
        if entries and epoch != entries[0].epoch:
            break
        content = data[position + _HEAD.size : end]
        if zlib.crc32(content, zlib.crc32(data[position + 8 : position + _HEAD.size])) != check:
            break
        entries.append(Entry(epoch, position, recording, kind, offset, content))
        position = end
    return entries


def highest_epoch(folder: Path) -> int:
    """The highest epoch in a journal's folder, 0 for none; never taken from a clock."""
    highest = 0
    for path in folder.glob("segment.*"):
        with path.open("rb") as file:
            first = file.read(_HEAD.size)
        if len(first) == _HEAD.size and first[:4] == MAGIC:
            highest = max(highest, _HEAD.unpack(first)[2])
    return highest
