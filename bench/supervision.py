"""What a supervised call costs the media process, in each mode, beside the same call without a supervisor.

The engine runs in one thread on a clock that is turned by hand, with real sockets on loopback and a real recorder, as
in media_only.py. All three legs speak all the time. A round measures every mode once, in turn, so that what the machine
does meanwhile falls on all of them; of the rounds the median counts.
"""

from __future__ import annotations

import contextlib
import gc
import random
import select
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from appliance.media import port, rtp
from appliance.media.engine import SLOTS, Engine
from appliance.media.settings import Media
from bench.media_only import FRAMES_A_SECOND, SLOT_SECONDS
from tests.recorder.given import Box, named
from tests.support.box import rtp_range

CALLS, SECONDS, ROUNDS = 20, 5, 3
Kind = Literal["none", "listen", "whisper", "join"]
KINDS: tuple[Kind, ...] = ("none", "listen", "whisper", "join")


def run(kind: Kind, far: socket.socket) -> float:
    """Milliseconds for each call-second: two legs that are joined, recorded, and one more unless ``none``."""
    legs = 2 if kind == "none" else 3
    with tempfile.TemporaryDirectory() as folder:
        box, poll, told = Box(Path(folder), segment_bytes=8 << 20), select.epoll(), list[port.Event]()
        first = rtp_range(4 * CALLS * legs)
        settings = Media(first_port=first, last_port=first + 4 * CALLS * legs - 1, max_streams=CALLS * legs)
        engine = Engine(settings, box.recorder, (Path(folder),), box.clock, poll, told.append)
        for call in range(CALLS):
            _begin(engine, box, [f"{legs * call + leg:032x}" for leg in range(legs)], kind, far.getsockname()[1])
        ports = [event.port for event in told if isinstance(event, port.Opened)]

        def turn(slot: int) -> None:
            box.clock.advance_to(box.now + SLOT_SECONDS)
            engine.drain(poll.poll(0, 4096), box.now)
            engine.slot(slot, box.now)

        spent = _spent(ports, far, turn)
        engine.close_all("asked", box.now)
        box.recorder.close(box.now)
        poll.close()
    with contextlib.ExitStack() as stack:
        deaf = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in ports]
        for each in deaf:
            each.bind(("127.0.0.1", 0))
        sending = _spent([each.getsockname()[1] for each in deaf], far, lambda _slot: None)
    return 1000 * (spent - sending) / (CALLS * SECONDS)


def _spent(ports: list[int], far: socket.socket, turn: Callable[[int], None]) -> float:
    """CPU seconds of this thread while everybody speaks."""
    chance = random.Random(2)
    voice = [chance.randbytes(160) for _ in range(64)]
    gc.collect()
    gc.disable()
    began = time.thread_time()
    for frame in range(SECONDS * FRAMES_A_SECOND):
        for slot in range(SLOTS):
            for number in range(slot, len(ports), SLOTS):
                head = rtp.HEADER.pack(0x80, 8, frame & 0xFFFF, 160 * frame, number + 1)
                far.sendto(head + voice[(frame * 7 + number) & 63], ("127.0.0.1", ports[number]))
            turn(slot)
    spent = time.thread_time() - began
    gc.enable()
    return spent


def _begin(engine: Engine, box: Box, legs: list[str], kind: Kind, far: int) -> None:
    for leg in legs:
        engine.carry_out(port.Open(leg, "127.0.0.1"), box.now)
        remote = port.SetRemote(leg, "127.0.0.1", far, "PCMA", 8, 8, 101, 101, sends=True, receives=True)
        engine.carry_out(remote, box.now)
    engine.carry_out(port.StartRecording(legs[0], named(int(legs[0], 16)), "f" * 32, 1, "consent", "{}"), box.now)
    engine.carry_out(port.Bridge(legs[0], legs[1]), box.now)
    if kind != "none":
        engine.carry_out(port.StartRecording(legs[2], named(int(legs[2], 16)), "f" * 32, 2, "consent", "{}"), box.now)
        engine.carry_out(port.Supervise(legs[2], legs[0], legs[1], kind), box.now)


def measure() -> dict[str, float]:
    """CPU of the thread, milliseconds for each second of a call, by mode."""
    found: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        for _ in range(ROUNDS):
            for kind in KINDS:
                found[kind].append(run(kind, far))
    return {f"{kind}_ms_per_call_second": round(statistics.median(each), 3) for kind, each in found.items()}
