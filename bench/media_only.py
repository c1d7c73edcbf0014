"""What a call-second costs inside the media process, by part: polling, hearing, sending, recording.

The engine runs here in one thread on a clock that is turned by hand, with real sockets on loopback and a real recorder;
only the far side's own sending is left out. Run it before and after a change of the hot path, a few times each: on a
shared machine single figures mean little.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import select
import socket
import sys
import tempfile
import time
from pathlib import Path

from appliance.media import port, rtp
from appliance.media.engine import SLOTS, Engine
from appliance.media.settings import Media
from tests.recorder.given import Box, named
from tests.support.box import rtp_range

FRAMES_A_SECOND = 50
SLOT_SECONDS = 0.005


class Parts:
    """The time that each part took."""

    def __init__(self) -> None:
        self.poll = self.hear = self.slot = self.record = 0.0


def opened(
    folder: Path, streams: int, records: bool, parts: Parts, far: socket.socket
) -> tuple[Engine, Box, select.epoll, list[int]]:
    """An engine with so many streams that play a prompt for ever, and their ports."""
    box = Box(folder, segment_bytes=8 << 20)
    poll = select.epoll()
    told: list[port.Event] = []
    first = rtp_range(4 * streams)
    settings = Media(first_port=first, last_port=first + 4 * streams - 1, max_streams=streams)
    engine = Engine(settings, box.recorder, (folder,), box.clock, poll, told.append)
    (folder / "prompt.alaw").write_bytes(random.Random(1).randbytes(80_000))
    for number in range(streams):
        name = f"{number:032x}"
        engine.carry_out(port.Open(name, "127.0.0.1"), box.now)
        engine.carry_out(
            port.SetRemote(name, "127.0.0.1", far.getsockname()[1], "PCMA", 8, 8, 101, 101, sends=True, receives=True),
            box.now,
        )
        engine.carry_out(port.Play(name, 1, (port.Piece(str(folder / "prompt")),), loops=True), box.now)
        if records:
            engine.carry_out(port.StartRecording(name, named(number), "f" * 32, 1, "consent", "{}"), box.now)
    tick = box.recorder.tick

    def timed(now: float) -> None:
        began = time.perf_counter()
        tick(now)
        parts.record += time.perf_counter() - began

    box.recorder.tick = timed  # type: ignore[method-assign]  # the one method that is timed from within
    return engine, box, poll, [event.port for event in told if isinstance(event, port.Opened)]


def run(streams: int, seconds: int, records: bool, far: socket.socket) -> dict[str, float]:
    """Milliseconds for each call-second, by part."""
    parts = Parts()
    chance = random.Random(2)
    voice = [chance.randbytes(160) for _ in range(64)]
    with tempfile.TemporaryDirectory() as folder:
        engine, box, poll, ports = opened(Path(folder), streams, records, parts, far)
        gc.collect()
        gc.freeze()
        gc.disable()
        for frame in range(seconds * FRAMES_A_SECOND):
            for slot in range(SLOTS):
                for number in range(slot, streams, SLOTS):
                    head = rtp.HEADER.pack(0x80, 8, frame & 0xFFFF, 160 * frame, number + 1)
                    far.sendto(head + voice[(frame * 7 + number) & 63], ("127.0.0.1", ports[number]))
                box.clock.advance_to(box.now + SLOT_SECONDS)
                marks = [time.perf_counter()]
                ready = poll.poll(0, 4096)
                marks.append(time.perf_counter())
                engine.drain(ready, box.now)
                marks.append(time.perf_counter())
                engine.slot(slot, box.now)
                marks.append(time.perf_counter())
                parts.poll += marks[1] - marks[0]
                parts.hear += marks[2] - marks[1]
                parts.slot += marks[3] - marks[2]
        gc.enable()
        engine.close_all("asked", box.now)
        box.recorder.close(box.now)
        poll.close()
    scale = 1000 / (streams * seconds)
    return {
        "poll": round(parts.poll * scale, 3),
        "hear": round(parts.hear * scale, 3),
        "send": round((parts.slot - parts.record) * scale, 3),
        "record": round(parts.record * scale, 3),
        "all": round((parts.poll + parts.hear + parts.slot) * scale, 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=5)
    chosen = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        for records in (False, True):
            parts = run(chosen.streams, chosen.seconds, records, far)
            print(json.dumps({"streams": chosen.streams, "records": records, "ms_per_call_second": parts}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
