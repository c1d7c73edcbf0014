"""A recorder on a clock that the test turns, fed with sound that can be told apart byte for byte."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.clock import VirtualClock
from appliance.recorder import keys
from appliance.recorder.disk import Disk
from appliance.recorder.events import RecorderEvent, Sealed
from appliance.recorder.live import LiveRecording, Recorder
from appliance.recorder.settings import Recorder as Settings
from appliance.recorder.telling import Occasion

CLASSIC = keys.Identity("classic", bytes(range(32)))
HYBRID = keys.Identity("hybrid", bytes(range(1, 33)))
OTHER = keys.Identity("classic", bytes(range(2, 34)))
NO_BOX = Occasion("sara", "an audit", Path("/nowhere/calls.sock"))
PATIENCE_SECONDS = 120.0  # far more than a disk may stand still: virtual time must not go on without it


def named(number: int) -> str:
    """An id of a recording: a UUIDv7 of 2026."""
    return f"019f{number:04x}-0000-7000-8000-{number:012x}".replace("-", "")


class Voice:
    """What one recording hears and sends: each packet once, for ever the same for the same seed."""

    def __init__(self, live: LiveRecording, seed: int) -> None:
        self.live = live
        self._random = random.Random(seed)
        self._timestamp = self._random.randrange(1 << 32)
        self.left: list[bytes] = []
        self.right: list[bytes] = []

    def speak(self, now: float) -> None:
        left, right = self._random.randbytes(160), self._random.randbytes(160)
        self.left.append(left)
        self.right.append(right)
        timestamp = (self._timestamp + 160 * len(self.left)) & 0xFFFFFFFF
        self.live.heard(timestamp, left, now)
        self.live.sent((timestamp + 0x1234) & 0xFFFFFFFF, right, True, now)

    def stereo(self) -> bytes:
        return interleaved(b"".join(self.left), b"".join(self.right))


class Box:
    """A data folder with the owner's key, a recorder, and the loop that ticks it."""

    def __init__(
        self,
        folder: Path,
        identity: keys.Identity = CLASSIC,
        disk: Disk | None = None,
        segment_bytes: int = 1 << 20,
        floor_bytes: int = 0,
    ) -> None:
        self.folder = folder
        self.clock = VirtualClock(monotonic=1000.01)
        keys.install(keys.recipients_file(folder), identity.recipient())
        settings = Settings(segment_bytes=segment_bytes, floor_bytes=floor_bytes)
        self.recorder = Recorder(settings, folder, self.clock, disk)
        self.voices: dict[int, Voice] = {}
        self.events: list[RecorderEvent] = []

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    def start(self, number: int = 1, law: str = "PCMU") -> Voice:
        live = self.recorder.start(
            named(number), f"s{number}", law, "conversation", 1, "consent", "{}", self.now - 0.01
        )
        assert isinstance(live, LiveRecording), live
        self.voices[number] = Voice(live, number)
        return self.voices[number]

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            for voice in self.voices.values():
                if not voice.live.is_stopped:
                    voice.speak(self.now)
            self.tick()

    def tick(self) -> None:
        """20 ms; whatever was handed over is durable before the next one."""
        self.recorder.tick(self.now)
        self.wait_for_commit()
        self.events += self.recorder.take_events()
        self.clock.advance_to(round(self.clock.monotonic() + 0.02, 2))

    def wait_for_commit(self) -> None:
        journal = self.recorder.journal
        for _ in patience():
            if journal.pending_batches == sum(type(notice).__name__ == "Committed" for notice in list(journal.notices)):
                return
        raise AssertionError(f"nothing was committed in {PATIENCE_SECONDS} s")

    def wait_for_room(self) -> None:
        """Until the checkpoint of every segment that was retired and handed over is done."""
        journal = self.recorder.journal
        for _ in patience():
            held = {journal._current, *(piece.segment for piece in journal._batch.pieces if piece.retires)}
            if all(each.uses == each.freed for index, each in enumerate(journal._segments) if index not in held):
                return
        raise AssertionError(f"no segment became free in {PATIENCE_SECONDS} s")

    def stop(self, number: int) -> None:
        self.voices[number].live.stop(self.now)

    def wait_for(self, kind: type[RecorderEvent], count: int = 1) -> list[RecorderEvent]:
        """Ticks (in virtual time) until so many events of a kind have been told."""
        for _ in patience():
            found = [event for event in self.events if isinstance(event, kind)]
            if len(found) >= count:
                return found
            self.tick()
        raise AssertionError(f"no {kind.__name__} in {PATIENCE_SECONDS} s: {self.events}")

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Ticks (in virtual time) until the threads have come so far."""
        for _ in patience():
            self.run(0.02)
            if is_so():
                return
        raise AssertionError(f"not so in {PATIENCE_SECONDS} s: {self.events}")

    def sealed(self, number: int) -> Path:
        """Stops one recording, waits until it is kept, and returns its base."""
        self.stop(number)
        for _ in patience():
            if any(isinstance(event, Sealed) and event.recording == named(number) for event in self.events):
                return self.folder / "kept" / named(number)
            self.tick()
        raise AssertionError(f"not sealed in {PATIENCE_SECONDS} s: {self.events}")

    def close(self) -> None:
        self.recorder.close(self.now)
        self.events += self.recorder.take_events()


def patience() -> Iterator[None]:
    """Steps of a millisecond for threads to get on with it; ends, failing nothing, when they have had their time."""
    pause = threading.Event()
    for _ in range(round(PATIENCE_SECONDS * 1000)):
        yield
        pause.wait(0.001)


def interleaved(left: bytes, right: bytes) -> bytes:
    stereo = bytearray(2 * len(left))
    stereo[0::2] = left
    stereo[1::2] = right
    return bytes(stereo)
