"""What sealing and the journal cost: CPU for each call-second, and what the disk was given for each byte of sound.

The box's own ``Recorder`` with its settings of the factory, on an ext4 file system of its own behind a loop device: the
kernel counts there what was written, file system's journal and all. Time is virtual, the threads and the disk are real.
CPU is that of sealing (cipher, hashes, seal records) in the voices' thread and of the journal's two threads, user and
system; hearing, placing and marking speech are none of it. Needs root, for the loop device.
"""

from __future__ import annotations

import contextlib
import gc
import math
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from appliance.recorder.events import Sealed
from appliance.recorder.journal import SEGMENTS
from appliance.recorder.live import LiveRecording
from appliance.recorder.settings import Recorder as Settings
from tests.recorder.given import Box

LEAST_SECONDS = 180  # an ordinary call: each end costs its last chunk once more
CHUNK_SECONDS = 4.1
SOUND_BYTES_A_SECOND = 16_000  # both directions, one byte a sample
IMAGE_BYTES = 1 << 30
SECTOR_BYTES = 512
SECTORS_WRITTEN = 6  # of /sys/block/*/stat (Documentation/block/stat.rst)


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[tuple[Path, Path]]:
    """A fresh ext4 file system, and where the kernel counts what its device is given."""
    image, at = folder / "disk.img", folder / "disk"
    at.mkdir()
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, at], check=True)
    try:
        device = subprocess.run(
            ["findmnt", "-n", "-o", "SOURCE", at], check=True, capture_output=True, text=True
        ).stdout.strip()
        yield at, Path("/sys/block") / Path(device).name / "stat"
    finally:
        subprocess.run(["umount", "-l", at], check=True)


@dataclass(frozen=True, slots=True)
class _Spent:
    """Seconds of CPU, and bytes that the disk was given."""

    sealing: float
    journal: float
    written: int

    @classmethod
    def of(cls, folder: Path, stat: Path, sealing: _Timed, threads: Sequence[int]) -> _Spent:
        """Up to now, with all that waits in memory written."""
        journal = sum(time.clock_gettime(clock) for clock in threads)
        subprocess.run(["sync", "-f", folder], check=True)
        written = int(stat.read_text().split()[SECTORS_WRITTEN]) * SECTOR_BYTES
        return cls(sealing.seconds, journal, written)

    def __sub__(self, before: _Spent) -> _Spent:
        return _Spent(self.sealing - before.sealing, self.journal - before.journal, self.written - before.written)


class _Timed:
    """``LiveRecording.flush`` with the CPU that it took."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextlib.contextmanager
    def patched(self) -> Iterator[None]:
        flush = LiveRecording.flush

        def measured(live: LiveRecording) -> None:
            began = time.thread_time()
            flush(live)
            self.seconds += time.thread_time() - began

        with mock.patch.object(LiveRecording, "flush", measured):
            yield


def run(calls: int) -> dict[str, Any]:
    """So many calls at once: their last minutes and their end, behind a first use of the whole journal."""
    sealing = _Timed()
    with contextlib.ExitStack() as around:
        scratch = around.enter_context(tempfile.TemporaryDirectory(prefix="pasokh-sealing-", dir="/var/tmp"))
        folder, stat = around.enter_context(disk(Path(scratch)))  # not in /tmp, which may be memory
        around.enter_context(sealing.patched())
        box = Box(folder, segment_bytes=Settings().segment_bytes)
        for number in range(calls):
            box.start(number)
        gc.freeze()
        gc.disable()  # as the voices' process does
        seconds = max(LEAST_SECONDS, _use_of_the_journal(box, calls))
        box.run(seconds)
        journal = box.recorder.journal
        threads = [time.pthread_getcpuclockid(each.ident or 0) for each in (journal._committer, journal._keeper)]
        before = _Spent.of(folder, stat, sealing, threads)
        box.run(seconds)
        for number in range(calls):
            box.stop(number)
            box.run(CHUNK_SECONDS / calls)  # no two end at the same place of their last chunk
        box.wait_for(Sealed, calls)
        spent = _Spent.of(folder, stat, sealing, threads) - before
        box.close()
        gc.enable()
    call_seconds = calls * (seconds + CHUNK_SECONDS / 2)
    return {
        "calls": calls,
        "seconds": seconds,
        "sealing_ms_per_call_second": round(spent.sealing * 1000 / call_seconds, 4),
        "journal_ms_per_call_second": round(spent.journal * 1000 / call_seconds, 4),
        "both_ms_per_call_second": round((spent.sealing + spent.journal) * 1000 / call_seconds, 4),
        "written_to_sound": round(spent.written / (call_seconds * SOUND_BYTES_A_SECOND), 3),
    }


def _use_of_the_journal(box: Box, calls: int) -> int:
    """Seconds in which so many calls fill every segment once: until then the file system has more to note down."""
    return math.ceil(SEGMENTS * box.recorder.settings.segment_bytes / (calls * SOUND_BYTES_A_SECOND))


def measure() -> dict[str, Any]:
    """A row for 8, 40 and 100 calls at once."""
    return {"runs": [run(calls) for calls in (8, 40, 100)]}
