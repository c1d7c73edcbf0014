"""The redo journal: every byte of every recording is durable after one write and one sync for all of them.

The RTP thread ``put``s bytes and, each half second, calls ``hand_over``; a thread of the journal's own writes the
block to a segment, syncs it, and only then writes the bytes to their files, lazily. When a segment is full the next
one is taken at once and a second thread syncs the files behind the old one before it may be used again: a commit never
waits for a checkpoint. What a newcomer gets wrong: nothing may reach a file before it is durable in the journal, or a
power cut leaves a file that nobody can mend.
"""

from __future__ import annotations

import functools
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from appliance.recorder import destroying
from appliance.recorder.disk import Disk, RealDisk, errno_name
from appliance.recorder.segments import (
    CHECK_AT,
    CHECK_BYTES,
    HEAD,
    RECORD_BYTES,
    SUFFIXES,
    highest_epoch,
    is_id,
    record_head,
    segment_file,
)

SEGMENTS = 3
IN_USE = "in-use"  # a folder with this file belongs to a process that did not end in order

ROOM_BYTES = 512 << 10  # what one recording may put after one look at is_congested
RETRY_SECONDS = 0.5  # between two tries at a disk that refuses
FREE_POLL_SECONDS = 0.02
BEHIND_BATCHES = 2  # files are written once a second: half as many writes, each twice as long

Key = tuple[bytes, int]  # recording, kind
Target = tuple[Key, int, bytes]  # file, offset, data


@dataclass(slots=True)
class _Segment:
    """``uses`` counts how often it was begun, ``freed`` how often it was done with: equal where it is free."""

    descriptor: int
    uses: int = 0
    freed: int = 0
    dirty: set[Key] = field(default_factory=set)  # files that hold bytes of this use and are not synced
    heads: list[tuple[int, int]] = field(default_factory=list)  # offsets and lengths of the heads of this use


@dataclass(slots=True)
class _Piece:
    """The part of a batch that lies in one segment. ``retires``: nothing more follows in this use of it."""

    segment: int
    use: int
    offset: int
    parts: list[bytes] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    retires: bool = False


@dataclass(slots=True)
class _Batch:
    """What one ``hand_over`` gives to the thread."""

    number: int
    began: float = 0.0
    created: list[bytes] = field(default_factory=list)
    pieces: list[_Piece] = field(default_factory=list)
    finished: list[bytes] = field(default_factory=list)
    fills_files: bool = False  # at once, not together with the next


@dataclass(frozen=True, slots=True)
class _Retire:
    """All bytes of a segment are written to their files: sync these, then it is free."""

    segment: int


@dataclass(frozen=True, slots=True)
class _Finish:
    """All bytes of these closed recordings are written to their files: sync and move them."""

    recordings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Destroy:
    """What is left in live/ of recordings that are none of ours any more."""

    recordings: tuple[str, ...]


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
        self.files_hold = 0  # the number of the batch up to which all bytes are in their files
        self._folder = folder
        self._live = live
        self._kept = kept
        self._size = segment_bytes
        self._monotonic = monotonic
        self._disk = disk or RealDisk()
        folder.mkdir(parents=True, exist_ok=True)
        self.epoch = highest_epoch(folder) + 1
        (folder / IN_USE).touch()
        self._segments = [_Segment(segment_file(folder / f"segment.{n}", segment_bytes)) for n in range(SEGMENTS)]
        self._current = 0
        self._segments[0].uses = 1
        self._position = 0
        self._batch = _Batch(1)
        self._piece: _Piece | None = None
        self._files: dict[Key, int] = {}
        self._behind: deque[Target | _Retire | _Finish] = deque()
        self._lock = threading.Lock()
        self._given_up = threading.Event()
        self._is_damaged = False
        self._is_commit_refused = False
        self._are_files_refused = False
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._chores: queue.SimpleQueue[_Retire | _Finish | _Destroy | None] = queue.SimpleQueue()
        self._committer = threading.Thread(target=self._commit_all, name="journal", daemon=True)
        self._keeper = threading.Thread(target=self._do_chores, name="checkpoint", daemon=True)
        self._committer.start()
        self._keeper.start()

    # The RTP thread ---------------------------------------------------------------------------------------------------

    @property
    def batch(self) -> int:
        """The number of the batch that what is put now belongs to."""
        return self._batch.number

    @property
    def is_refused(self) -> bool:
        """Whether the disk refuses to write, by the last that was tried; after a failed sync for good."""
        return self._is_damaged or self._is_commit_refused or self._are_files_refused

    @property
    def is_congested(self) -> bool:
        """Whether a recording should wait with its next half second (at most ROOM_BYTES may be put if not)."""
        if self.pending_batches > 2:
            return True
        following = self._segments[(self._current + 1) % SEGMENTS]
        return self._position + ROOM_BYTES > self._size and following.uses != following.freed

    def create(self, recording: bytes) -> None:
        """The recording's files are made before its first bytes become durable."""
        self._batch.created.append(recording)

    def put(self, recording: bytes, kind: int, offset: int, data: bytes) -> None:
        """Bytes for a file, to be durable with the next commit. Ask ``is_congested`` before.

        A power cut keeps what was put up to some moment: what makes other bytes valid must be put before what
        destroys the state without them.
        """
        size = RECORD_BYTES + len(data)
        if self._position + size > self._size:
            self._switch()
        piece = self._piece or self._begin_piece()
        piece.parts.append(record_head(self.epoch, recording, kind, offset, data))
        piece.parts.append(data)
        piece.targets.append(((recording, kind), offset, data))
        self._position += size

    def fill_files(self) -> int:
        """Bytes put so far are to be readable soon: when ``files_hold`` has reached the number returned."""
        self._batch.fills_files = True
        return self._batch.number

    def read(self, recording: bytes, kind: int, offset: int, size: int) -> bytes:
        """What a file holds, from memory nearly always: it was written seconds ago. May raise OSError."""
        return self._disk.read(self._files[recording, kind], size, offset)

    def finish(self, recording: bytes) -> None:
        """The recording's last bytes are put: sync its files and move them to kept/ after the next commit."""
        self._batch.finished.append(recording)

    def retire(self) -> bool:
        """The segment in use is done with, so that its heads are overwritten soon; False: not yet, ask again."""
        following = self._segments[(self._current + 1) % SEGMENTS]
        if following.uses != following.freed:
            return False
        if self._position:
            self._switch()
        return True

    def destroy(self, recordings: tuple[str, ...]) -> None:
        """Takes away what lies in live/ of these, but for what is still being written."""
        self._chores.put(_Destroy(recordings))

    def hand_over(self) -> None:
        """Gives what was put to the thread that makes it durable; returns at once."""
        batch = self._batch
        if not (batch.pieces or batch.created or batch.finished or batch.fills_files or self._behind):
            return
        batch.began = self._monotonic()
        self.pending_batches += 1
        self._batch, self._piece = _Batch(batch.number + 1), None
        self._batches.put(batch)

    def settled(self) -> None:
        """The owner saw a Committed: one batch less is under way."""
        self.pending_batches -= 1

    def close(self, patience_seconds: float = 10.0) -> bool:
        """Commits and checkpoints what is left, ends the threads. True where nothing is left to replay.

        A disk that refuses for longer than ``patience_seconds`` keeps its journal for the next start.
        """
        self.hand_over()
        self._batches.put(None)
        self._committer.join(patience_seconds)
        self._given_up.set()
        self._committer.join()
        is_whole = not self._behind and self._batches.empty()
        if is_whole:
            for index, segment in enumerate(self._segments):
                if segment.uses != segment.freed:
                    self._chores.put(_Retire(index))
        self._chores.put(None)
        self._keeper.join()
        for descriptor in [*self._files.values(), *(segment.descriptor for segment in self._segments)]:
            self._disk.close(descriptor)
        self._files.clear()
        if is_whole and not self._is_damaged:
            (self._folder / IN_USE).unlink(missing_ok=True)
        return is_whole and not self._is_damaged

    def _begin_piece(self) -> _Piece:
        self._piece = _Piece(self._current, self._segments[self._current].uses, self._position)
        self._batch.pieces.append(self._piece)
        return self._piece

    def _switch(self) -> None:
        (self._piece or self._begin_piece()).retires = True
        self._current = (self._current + 1) % SEGMENTS
        self._segments[self._current].uses += 1
        self._position = 0
        self._piece = None
        self.epoch += 1

    # The committing thread --------------------------------------------------------------------------------------------

    def _commit_all(self) -> None:
        while (batch := self._batches.get()) is not None:
            if not self._commit(batch):
                self._batches.put(None)  # given up: the next start replays what is durable
                return
        self._write_behind()

    def _commit(self, batch: _Batch) -> bool:
        """Piece by piece, each durable before the next is begun: a torn journal ends in one place only."""
        if batch.created and not self._insist(lambda: self._create(batch.created)):
            return False
        last = len(batch.pieces) - 1
        for index, piece in enumerate(batch.pieces):
            if not (self._await_free(piece) and self._insist(functools.partial(self._write_piece, piece))):
                return False
            if index < last:
                self._follow(piece)
        self.notices.append(Committed(batch.number, self._monotonic() - batch.began))
        if batch.pieces:
            self._follow(batch.pieces[-1])
        if batch.finished:
            self._behind.append(_Finish(tuple(batch.finished)))
        if batch.finished or batch.fills_files or batch.number % BEHIND_BATCHES == 0:
            self._write_behind()
            if not self._behind:
                self.files_hold = batch.number
        return True

    def _insist(self, work: Callable[[], None]) -> bool:
        """Until the disk takes it; False where the process ends before."""
        while True:
            try:
                work()
            except OSError as error:
                self._is_commit_refused = True
                self._failed(error)
                if self._given_up.wait(RETRY_SECONDS):
                    return False
            else:
                self._is_commit_refused = False
                return True

    def _create(self, recordings: list[bytes]) -> None:
        for recording in recordings:
            for kind, suffix in enumerate(SUFFIXES):
                key = (recording, kind)
                if key not in self._files:
                    self._files[key] = self._disk.open_new(self._live / (recording.hex() + suffix))
        self._disk.sync_folder(self._live)

    def _await_free(self, piece: _Piece) -> bool:
        """A segment is never written anew before the files behind its last use are synced."""
        segment = self._segments[piece.segment]
        while segment.freed < piece.use - 1:
            self._write_behind()
            if self._given_up.wait(FREE_POLL_SECONDS):
                return False
        return True

    def _write_piece(self, piece: _Piece) -> None:
        descriptor = self._segments[piece.segment].descriptor
        self._disk.write(descriptor, b"".join(piece.parts), piece.offset)
        self._disk.sync(descriptor)

    def _follow(self, piece: _Piece) -> None:
        """What is durable goes to its files."""
        with self._lock:
            self._segments[piece.segment].dirty.update(key for key, _, _ in piece.targets)
        position = piece.offset
        for (_, kind), _, data in piece.targets:
            if kind == HEAD:
                self._segments[piece.segment].heads.append((position + RECORD_BYTES, len(data)))
            position += RECORD_BYTES + len(data)
        self._behind.extend(piece.targets)
        if piece.retires:
            self._behind.append(_Retire(piece.segment))
            self._write_behind()

    def _write_behind(self) -> None:
        """Through the page cache, in order; what the disk refuses is tried again with the next batch."""
        behind = self._behind
        while behind:
            joined: dict[tuple[Key, int], list[bytes]] = {}  # by file and the offset at which more may follow
            tasks = 0
            for task in behind:
                if not isinstance(task, tuple):
                    break
                tasks += 1
                key, offset, data = task
                parts = joined.pop((key, offset), [])
                parts.append(data)
                joined[key, offset + len(data)] = parts
            for (key, end), parts in joined.items():
                whole = b"".join(parts)
                try:
                    self._disk.write(self._files[key], whole, end - len(whole))
                except OSError as error:
                    self._are_files_refused = True
                    self._failed(error)
                    return
            self._are_files_refused = False
            for _ in range(tasks):
                behind.popleft()
            while behind and not isinstance(chore := behind[0], tuple):
                self._chores.put(chore)
                behind.popleft()

    def _failed(self, error: OSError) -> None:
        self.notices.append(WriteFailed(errno_name(error)))

    # The checkpointing thread -----------------------------------------------------------------------------------------

    def _do_chores(self) -> None:
        while (chore := self._chores.get()) is not None:
            match chore:
                case _Retire(index):
                    self._free(self._segments[index])
                case _Finish(recordings):
                    self._move(recordings)
                case _Destroy(names):
                    self._destroy(names)

    def _free(self, segment: _Segment) -> None:
        """Once the files behind a segment are synced it may be written anew.

        A sync that failed leaves no way to know what reached the disk (a second try would say yes to lost pages): the
        segment is then never used again, and the next start replays it.
        """
        with self._lock:
            dirty, segment.dirty = segment.dirty, set()
        # A file that is not open any more was synced when it was moved.
        descriptors = [descriptor for key in dirty if (descriptor := self._files.get(key)) is not None]
        if self._sync(descriptors):
            self._forget_heads(segment)
            segment.freed += 1

    def _forget_heads(self, segment: _Segment) -> None:
        """A recording that is erased must not have a second head here.

        First nothing of the segment can be replayed any more: half of it would bring older bytes back.
        """
        if not segment.heads:
            return
        heads, segment.heads = segment.heads, []
        try:
            check = self._disk.read(segment.descriptor, CHECK_BYTES, CHECK_AT)
            self._disk.write(segment.descriptor, bytes(each ^ 0xFF for each in check), CHECK_AT)
            self._disk.sync(segment.descriptor)
            for offset, length in heads:
                self._disk.write(segment.descriptor, bytes(length), offset)
            self._disk.sync(segment.descriptor)
        except OSError as error:
            self._failed(error)

    def _destroy(self, names: tuple[str, ...]) -> None:
        for name in names:
            try:
                if is_id(name) and (bytes.fromhex(name), HEAD) not in self._files:
                    destroying.destroy(self._live, name)
            except OSError as error:
                self._failed(error)

    def _move(self, recordings: tuple[bytes, ...]) -> None:
        """Closed recordings leave live/ once their files are durable; all of one batch share two folder syncs."""
        keys = [(recording, kind) for recording in recordings for kind in range(len(SUFFIXES))]
        if not self._sync([self._files[key] for key in keys]) or not self._insist(lambda: self._rename(recordings)):
            return
        for key in keys:
            self._disk.close(self._files.pop(key))
        self.notices.extend(Finished(recording) for recording in recordings)

    def _rename(self, recordings: tuple[bytes, ...]) -> None:
        for recording in recordings:
            for suffix in SUFFIXES:
                name = recording.hex() + suffix
                if (self._live / name).exists():
                    self._disk.rename(self._live / name, self._kept / name)
        self._disk.sync_folder(self._kept)
        self._disk.sync_folder(self._live)

    def _sync(self, descriptors: list[int]) -> bool:
        """True where all of these files are durable."""
        try:
            self._disk.sync_many(descriptors, self._live)
        except OSError as error:
            self._is_damaged = True
            self._failed(error)
            return False
        return True
