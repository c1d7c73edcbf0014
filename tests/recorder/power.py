"""A disk that remembers every write and sync, and what it would hold had the power gone at any of them.

The model: what was written before a file's last sync is there. Of what was written since, any subset of 512-byte
sectors is, in any length between the two. A new name or a rename is there once its folder was synced, before that
perhaps.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from appliance.recorder.disk import RealDisk

SECTOR = 512
What = Literal["create", "write", "sync", "folder", "rename"]


@dataclass(frozen=True, slots=True)
class Op:
    """``what`` is create, write, sync, folder or rename; ``file`` is a path below the data folder."""

    what: What
    file: str
    offset: int
    data: bytes
    at: float


class RecordingDisk(RealDisk):
    """The real disk, and the list of what was asked of it. ``forgets_sync``: a broken writer that never syncs."""

    def __init__(self, folder: Path, monotonic: Callable[[], float], forgets_sync: bool = False) -> None:
        self.ops: list[Op] = []
        self._folder = folder
        self._monotonic = monotonic
        self._forgets_sync = forgets_sync
        self._names: dict[int, str] = {}
        self._lock = threading.Lock()

    def _note(self, what: What, file: str, offset: int = 0, data: bytes = b"") -> None:
        self.ops.append(Op(what, file, offset, data, self._monotonic()))

    def _name(self, descriptor: int) -> str:
        if descriptor not in self._names:
            self._names[descriptor] = os.readlink(f"/proc/self/fd/{descriptor}")
        return os.path.relpath(self._names[descriptor], self._folder)

    def open_new(self, path: Path) -> int:
        with self._lock:
            self._note("create", os.path.relpath(path, self._folder))
            descriptor = super().open_new(path)
            self._names[descriptor] = str(path)
            return descriptor

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        with self._lock:
            self._note("write", self._name(descriptor), offset, data)
            super().write(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        with self._lock:
            if not self._forgets_sync:
                self._note("sync", self._name(descriptor))

    def sync_many(self, descriptors: Sequence[int], folder: Path) -> None:
        for descriptor in descriptors:
            self.sync(descriptor)

    def sync_folder(self, path: Path) -> None:
        with self._lock:
            self._note("folder", os.path.relpath(path, self._folder))

    def rename(self, source: Path, target: Path) -> None:
        with self._lock:
            self._note(
                "rename", os.path.relpath(source, self._folder), 0, os.path.relpath(target, self._folder).encode()
            )
            super().rename(source, target)

    def close(self, descriptor: int) -> None:
        with self._lock:
            self._names.pop(descriptor, None)
            super().close(descriptor)


@dataclass(slots=True)
class _File:
    stable: bytearray
    current: bytearray
    is_new: bool  # its name may be lost
    moved_to: str = ""
    move_is_durable: bool = False


def cut(ops: list[Op], count: int, segments: dict[str, bytes], seed: random.Random, into: Path) -> None:
    """Writes to ``into`` what a disk might hold had the power gone after the first ``count`` ops."""
    files = {name: _File(bytearray(data), bytearray(data), False) for name, data in segments.items()}
    for op in ops[:count]:
        _apply(files, op)
    for folder in ("live", "kept"):
        (into / folder).mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        if file.is_new and seed.random() < 0.5:
            continue
        is_moved = bool(file.moved_to) and (file.move_is_durable or seed.random() < 0.5)
        path = into / (file.moved_to if is_moved else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_torn(file, seed))
    for name in segments:
        (into / name).with_name("in-use").touch()


def _apply(files: dict[str, _File], op: Op) -> None:
    match op.what:
        case "create":
            files[op.file] = _File(bytearray(), bytearray(), True)
        case "write":
            current = files[op.file].current
            current.extend(bytes(max(0, op.offset - len(current))))
            current[op.offset : op.offset + len(op.data)] = op.data
        case "sync":
            files[op.file].stable = bytearray(files[op.file].current)
        case "rename":
            files[op.file].moved_to = op.data.decode()
        case "folder":
            for name, file in files.items():
                if name.startswith(op.file + "/"):
                    file.is_new = False
                if file.moved_to.startswith(op.file + "/"):
                    file.move_is_durable = True


def _torn(file: _File, seed: random.Random) -> bytes:
    stable, current = file.stable, file.current
    if stable == current:
        return bytes(stable)
    size = seed.choice([len(stable), len(current), seed.randint(min(len(stable), len(current)), len(current))])
    out = bytearray(size)
    border = seed.randint(0, max(size, 1))
    mode = seed.choice(["new", "old", "mixed", "prefix"])
    for start in range(0, size, SECTOR):
        end = min(start + SECTOR, size)
        is_new = {"new": True, "old": False, "mixed": seed.random() < 0.5, "prefix": start < border}[mode]
        part = (current if is_new else stable)[start:end]
        out[start : start + len(part)] = part
    return bytes(out)
