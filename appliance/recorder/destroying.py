"""Takes a recording's files away for good: the head is overwritten first, because without it the rest opens nobody.

May be interrupted and run again. What flash memory keeps of blocks that were overwritten is beyond any program.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from appliance import durable
from appliance.recorder.segments import HEAD, SUFFIXES, is_id


def destroy(folder: Path, recording: str) -> bool:
    """Whether there was anything. OSError where a file cannot be taken away: then it is still there."""
    if not is_id(recording):
        return False
    found = False
    for suffix in SUFFIXES:
        path = folder / f"{recording}{suffix}"
        if suffix == SUFFIXES[HEAD] and not path.is_symlink():
            with contextlib.suppress(FileNotFoundError, PermissionError):  # to be unlinked all the same
                _overwrite(path)
        with contextlib.suppress(FileNotFoundError):  # gone already: an earlier run was cut off here
            path.unlink()
            found = True
    if found:
        durable.sync(folder)
    return found


def _overwrite(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, bytes(os.fstat(descriptor).st_size), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
