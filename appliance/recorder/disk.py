"""The disk as the journal sees it: everything that must be durable goes through here, so that a model can cut it."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from appliance import durable
from appliance.recorder.segments import HEAD, SUFFIXES

MANY_FILES = 100  # a box with few calls never touches other people's data
_WRITE = 2  # SYNC_FILE_RANGE_WRITE
_libc = ctypes.CDLL(None, use_errno=True)


class Disk(Protocol):
    """The calls whose order durability hangs on."""

    def open_new(self, path: Path) -> int: ...

    def write(self, descriptor: int, data: bytes, offset: int) -> None: ...

    def read(self, descriptor: int, size: int, offset: int) -> bytes: ...

    def sync(self, descriptor: int) -> None: ...

    def sync_many(self, descriptors: Sequence[int], folder: Path) -> None: ...

    def sync_folder(self, path: Path) -> None: ...

    def rename(self, source: Path, target: Path) -> None: ...

    def close(self, descriptor: int) -> None: ...


class RealDisk:
    """The operating system's own."""

    def open_new(self, path: Path) -> int:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o640)
        if path.suffix == SUFFIXES[HEAD]:
            os.fchmod(descriptor, 0o660)  # sync overwrites what is erased
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view = view[written:]
            offset += written

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        return os.pread(descriptor, size, offset)

    def sync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def sync_many(self, descriptors: Sequence[int], folder: Path) -> None:
        """Files of ``folder``. Many at once cost a twentieth if their whole file system is synced in their stead.

        Of a few the bytes of all are on their way before the first is waited for: what the file system notes down of
        them it writes once then, and not once for each (on ext4 a tenth less in all).
        """
        if len(descriptors) < MANY_FILES:
            for descriptor in descriptors:
                _begin_to_write(descriptor)
            for descriptor in descriptors:
                self.sync(descriptor)
            return
        within = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _libc.syncfs(within):
                raise _last_error()
        finally:
            os.close(within)

    def sync_folder(self, path: Path) -> None:
        durable.sync(path)

    def rename(self, source: Path, target: Path) -> None:
        os.rename(source, target)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)


def _begin_to_write(descriptor: int) -> None:
    """Of the whole file; nothing is durable by it (sync_file_range(2))."""
    if _libc.sync_file_range(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(_WRITE)):
        raise _last_error()


def _last_error() -> OSError:
    return OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def errno_name(error: OSError) -> str:
    """``ENOSPC`` and the like."""
    return errno.errorcode.get(error.errno or 0, "EIO")
