"""A folder of this box as a target: a USB disk, a mounted share, the demo's own.

Written beside, synced, renamed, the folder synced; read back past the page cache, so that the medium answers and not
the memory. A disk that was pulled out leaves an empty mount point behind: where our marker once stood and does not any
more, nothing is written (``pasokh upstream adopt`` says that a new disk is meant).
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from appliance import durable
from appliance.sync.content import read_back
from appliance.sync.faults import Fault, Why, disk
from appliance.sync.port import MARKER, Marker, Parcel, Remark, marker_from

READ_BYTES = 256 << 10


class Folder:
    """``root`` must be there; it is never made. ``prefix`` stands before every name."""

    def __init__(self, root: Path, prefix: str) -> None:
        self._root = root
        self._prefix = prefix
        self._folders: set[Path] = set()

    def greet(self, marker: Marker, *, was_here: bool = False, takes_over: bool = False) -> Marker:
        with disk(str(self._root)):
            self._needs_root()
            file = self._root / self._prefix / MARKER
            if file.is_file() and not takes_over:
                return marker_from(file.read_bytes())
            if was_here and not takes_over:
                raise Fault(Why.GONE, f"{file}: the disk that was here is not mounted")
            self._make(file.parent)
            self.write(file, iter((marker.packed(),)))
            return marker

    def probe(self, *, writes: bool) -> None:
        with disk(str(self._root)):
            self._needs_root()
            if not (self._root / self._prefix / MARKER).is_file():
                raise Fault(Why.GONE, f"{self._root}: {MARKER} is not there")
            if writes:
                file = self._root / self._prefix / ".probe"
                self.write(file, iter((b"\n",)))
                file.unlink()

    def place(self, parcel: Parcel) -> None:
        file = self._root / parcel.key
        with disk(str(file)):
            self._needs_root()
            if not (self._root / self._prefix / MARKER).is_file():
                raise Fault(Why.GONE, f"{self._root}: {MARKER} is not there")
            if file.exists():
                return
            self._make(file.parent)
            self.write(file, parcel.chunks())
            parcel.is_stored = True

    def verify(self, parcel: Parcel) -> str:
        file = self._root / parcel.key
        with disk(str(file)):
            size, digest = read_back(parcel.reading(self.read(file)))
        if (size, digest) != (parcel.size, parcel.sha256):
            raise Fault(Why.MANGLED if parcel.is_ours else Why.FOREIGN, str(file))
        return str(file)

    def sweep(self, keep: frozenset[str]) -> None:  # noqa: ARG002 - a half-written file is written over
        return

    def erase(self, keys: list[str]) -> list[str]:
        for key in keys:
            file = self._root / key
            with disk(str(file)):
                self._needs_root()
                file.unlink(missing_ok=True)
                if file.parent.is_dir():
                    _sync_folder(file.parent)
        return []

    def remarks(self) -> list[Remark]:
        return []

    def close(self) -> None:
        return

    def _needs_root(self) -> None:
        if not self._root.is_dir():
            raise Fault(Why.GONE, str(self._root))

    def _make(self, folder: Path) -> None:
        if folder in self._folders and folder.is_dir():
            return
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for each in reversed(missing):
            each.mkdir(mode=0o750)
            _sync_folder(each.parent)
            self._folders.add(each)

    def write(self, file: Path, chunks: Iterator[bytes]) -> None:
        """Beside, synced, renamed. A rest of an earlier try is written over."""
        beside = file.with_name(f"{file.name}.part")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "wb") as out:
            for chunk in chunks:
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        os.rename(beside, file)
        _sync_folder(file.parent)

    @staticmethod
    def read(file: Path) -> Iterator[bytes]:
        """What the medium holds."""
        with file.open("rb", buffering=0) as source:
            with contextlib.suppress(OSError):  # a file system without it is read through its cache
                os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while chunk := source.read(READ_BYTES):
                yield chunk


def _sync_folder(folder: Path) -> None:
    """As far as the file system can: FAT through some drivers has nothing to sync a folder with."""
    try:
        durable.sync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
