"""A process that records until it is killed: ``python -m tests.recorder.writing_process DATA PROGRESS``.

PROGRESS is a file of doubles: when the last packets were handed over, the slowest commit (one under way counts) or
longest pause of the loop in seconds, and when each recording began, all of the machine's monotonic clock. The first
recording is closed after two seconds.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path

from appliance.clock import SystemClock
from appliance.recorder.live import LiveRecording, Recorder
from appliance.recorder.settings import Recorder as Settings
from tests.recorder.given import Voice, named

RECORDINGS = 5
STOP_SECONDS = 2.0  # the first one's
PROGRESS = struct.Struct(f"<{2 + RECORDINGS}d")


def main(data: Path, progress: Path) -> None:
    clock = SystemClock()
    recorder = Recorder(Settings(floor_bytes=0, segment_bytes=1 << 20), data, clock)
    with progress.open("r+b") as file:
        shared = mmap.mmap(file.fileno(), PROGRESS.size)
    began: list[float] = []
    voices: list[Voice] = []
    for number in range(1, RECORDINGS + 1):
        began.append(clock.monotonic())
        live = recorder.start(named(number), f"s{number}", "PCMA", "c", 1, "k", "{}", began[-1])
        assert isinstance(live, LiveRecording), live
        voices.append(Voice(live, number))
    following = idle_at = before = clock.monotonic() + 0.01
    slowest = 0.0
    while True:
        time.sleep(max(0.0, following - clock.monotonic()))
        now = clock.monotonic()
        while following <= now:  # a machine that was busy gets its packets late, all at once
            for voice in voices:
                if not voice.live.is_stopped:
                    voice.speak(now)
            following += 0.02
        if now > began[0] + STOP_SECONDS and not voices[0].live.is_stopped:
            voices[0].live.stop(now)
        recorder.tick(now)
        recorder.take_events()
        if not recorder.journal.pending_batches:
            idle_at = now
        slowest = max(slowest, recorder.commit_p99_ms / 1000, now - before)
        before = now
        shared[:] = PROGRESS.pack(now, max(slowest, now - idle_at), *began)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
