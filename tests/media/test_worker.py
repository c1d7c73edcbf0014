"""The media process itself: its client, its crashes, its end. Real processes and sockets, all on loopback."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from appliance.clock import SystemClock
from appliance.media import port, rtp
from appliance.media.client import MediaClient
from appliance.recorder import keys
from tests.recorder.given import CLASSIC, named
from tests.support.box import rtp_range

CUSTOMER = "c" * 32
PATIENCE_SECONDS = 20.0
PROGRAM = """
import sys
from pathlib import Path
from appliance.media import loop, worker
from appliance.media.settings import Media
from appliance.places import Places
from appliance.recorder.settings import Recorder
folder, first, loop.ORPHAN_SECONDS = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
media = Media(first_port=first, last_port=first + 31, max_streams=8, real_time=False)
places = Places(
    data=folder / "data", run=folder / "run", secrets=folder, flows=folder, prompts=folder / "prompts"
)
sys.exit(worker.run(media, Recorder(floor_bytes=0), places))
"""
Kind = TypeVar("Kind", bound=port.ClientEvent)


class Process:
    """A media process, and the folder it works in."""

    def __init__(self, orphan_seconds: float = 10.0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pasokh-"))
        prompts = self.folder / "prompts"
        prompts.mkdir()
        self.prompt = prompts / "count"
        self.prompt.with_suffix(".alaw").write_bytes(b"".join(bytes([n]) * 160 for n in range(250)))
        keys.install(keys.recipients_file(self.folder / "data"), CLASSIC.recipient())
        self._running = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, self.folder, str(rtp_range(32)), str(orphan_seconds)]
        )
        self.path = self.folder / "run" / "media-1.sock"

    @property
    def child(self) -> int:
        parent = self._running.pid
        while True:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            if children:
                return int(children[0])
            time.sleep(0.01)

    def wait_until_listening(self) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not self.path.exists():
            assert time.monotonic() < until
            time.sleep(0.01)

    def end(self, number: int = signal.SIGTERM) -> int:
        self._running.send_signal(number)
        return self._running.wait(PATIENCE_SECONDS)

    def clear(self) -> None:
        if self._running.poll() is None:
            self._running.kill()
            self._running.wait(PATIENCE_SECONDS)
        shutil.rmtree(self.folder)


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.clear()


class Party:
    """A telephone that listens without blocking the loop."""

    def __init__(self) -> None:
        self.port = rtp_range(2)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(("127.0.0.1", self.port))
        self.heard: list[tuple[float, rtp.Packet]] = []
        asyncio.get_running_loop().add_reader(self.socket.fileno(), self._readable)

    def _readable(self) -> None:
        packet = rtp.parse(self.socket.recv(2048))
        assert packet is not None
        self.heard.append((time.monotonic(), packet))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket.fileno())
        self.socket.close()


class Calls:
    """Stands for the calls process."""

    def __init__(self, process: Process) -> None:
        self.events: list[port.ClientEvent] = []
        self.client = MediaClient(process.path, SystemClock(), self.events.append)
        self.client.start()

    async def until(self, kind: type[Kind], is_it: Callable[[Kind], bool] = lambda _: True) -> Kind:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for event in self.events:
                if isinstance(event, kind) and is_it(event):
                    return event
            await asyncio.sleep(0.005)
        raise AssertionError(f"no {kind.__name__} in {self.events}")

    async def open(self, party: Party) -> int:
        await self.until(port.Hello)
        self.client.submit(port.Open(CUSTOMER, "127.0.0.1"))
        opened = await self.until(port.Opened)
        self.client.submit(
            port.SetRemote(CUSTOMER, "127.0.0.1", party.port, "PCMA", 8, 8, 101, 101, sends=True, receives=True)
        )
        return opened.port


async def heard(party: Party, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    wanted = len(party.heard) + count
    while len(party.heard) < wanted:
        assert time.monotonic() < deadline, "nothing is sent"
        await asyncio.sleep(0.01)


def test_a_killed_process_is_back_within_a_second_with_its_port_its_prompt_and_the_next_part(process: Process) -> None:
    async def scene() -> None:
        calls, party = Calls(process), Party()
        number = await calls.open(party)
        calls.client.submit(port.StartRecording(CUSTOMER, named(1), "f" * 32, 1, "consent", "{}"))
        await calls.until(port.RecordingStarted)
        calls.client.submit(port.Play(CUSTOMER, 7, (port.Piece(str(process.prompt)),)))
        await heard(party, 30)
        before = len(party.heard)
        os.kill(process.child, signal.SIGKILL)
        lost = await calls.until(port.MediaLost)
        back = await calls.until(port.MediaBack)
        assert lost.streams == back.streams == (CUSTOMER,) and back.gap_ms < 1000
        opened = [event.port for event in calls.events if isinstance(event, port.Opened)]
        await calls.until(port.RecordingStarted, lambda event: event.recording != named(1))
        await heard(party, 20)
        assert opened[0] == number and {event.port for event in calls.events if isinstance(event, port.Opened)} == {
            number
        }
        continued = await calls.until(port.RecordingContinued)
        assert (continued.follows, continued.part) == (named(1), 2)
        ssrc = party.heard[before - 1][1].ssrc
        at, first = next((at, packet) for at, packet in party.heard if packet.ssrc != ssrc and packet.payload[0] > 1)
        last_at, last = [(at, packet) for at, packet in party.heard if packet.ssrc == ssrc][-1]
        assert next(packet for _, packet in party.heard if packet.ssrc != ssrc).marker
        frames_between = (at - last_at) * 50
        assert abs(first.payload[0] - last.payload[0] - frames_between) < 25, "the prompt goes on where it would be"
        recovered = await calls.until(port.RecordingSealed)
        assert (recovered.recording, recovered.state) == (named(1), "recovered")
        party.close()
        calls.client.stop()

    asyncio.run(scene())
    assert process.end() == 0


def test_a_process_that_stood_still_skips_what_is_past_and_its_timestamps_stay_true(process: Process) -> None:
    async def scene() -> None:
        calls, party = Calls(process), Party()
        await calls.open(party)
        await heard(party, 20)
        os.kill(process.child, signal.SIGSTOP)
        await asyncio.sleep(0.6)
        before = len(party.heard)
        os.kill(process.child, signal.SIGCONT)
        await heard(party, 30)
        first_at, first = party.heard[before - 1]
        last_at, last = party.heard[-1]
        passed = ((last.timestamp - first.timestamp) & 0xFFFFFFFF) / 8000
        assert abs(passed - (last_at - first_at)) < 0.4
        assert last.sequence - first.sequence & 0xFFFF == len(party.heard) - before, "nothing looks lost"
        load = await calls.until(port.Load, lambda load: load.skipped_frames > 0)
        assert load.skipped_frames >= 20
        party.close()
        calls.client.stop()

    asyncio.run(scene())


def test_at_the_end_every_recording_is_sealed_and_the_socket_is_gone(process: Process) -> None:
    async def scene() -> None:
        calls, party = Calls(process), Party()
        await calls.open(party)
        calls.client.submit(port.StartRecording(CUSTOMER, named(1), "f" * 32, 1, "consent", "{}"))
        await calls.until(port.RecordingStarted)
        await heard(party, 30)
        ended = asyncio.to_thread(process.end)
        assert await ended == 0
        sealed = await calls.until(port.RecordingSealed)
        assert sealed.state == "sealed" and sealed.milliseconds >= 500
        party.close()
        calls.client.stop()

    asyncio.run(scene())
    assert not process.path.exists()


def test_streams_without_calls_run_on_and_a_new_calls_process_is_told_what_was_sealed_meanwhile() -> None:
    process = Process(orphan_seconds=0.5)

    async def scene() -> None:
        first, party = Calls(process), Party()
        await first.open(party)
        first.client.submit(port.StartRecording(CUSTOMER, named(1), "f" * 32, 1, "consent", "{}"))
        await first.until(port.RecordingStarted)
        first.client.stop()
        await heard(party, 20)
        silent_since = time.monotonic() + 2.0
        while time.monotonic() < silent_since or time.monotonic() - party.heard[-1][0] < 0.5:
            assert time.monotonic() < silent_since + PATIENCE_SECONDS
            await asyncio.sleep(0.05)
        second = Calls(process)
        hello = await second.until(port.Hello)
        assert hello.streams == () and hello.sealing.members == (CLASSIC.recipient().fingerprint,)
        sealed = await second.until(port.RecordingSealed)
        assert (sealed.recording, sealed.state) == (named(1), "sealed")
        party.close()
        second.client.stop()

    try:
        asyncio.run(scene())
        assert process.end() == 0
    finally:
        process.clear()


def test_a_new_calls_process_that_knows_nothing_ends_what_was_left(process: Process) -> None:
    async def scene() -> None:
        first, party = Calls(process), Party()
        await first.open(party)
        first.client.stop()
        second = Calls(process)
        assert (await second.until(port.Hello)).streams == (CUSTOMER,)
        closed = await second.until(port.Closed)
        assert closed == port.Closed(CUSTOMER, "orphan")
        assert second.client.accepts()
        party.close()
        second.client.stop()

    asyncio.run(scene())


def test_bytes_that_are_no_command_are_passed_over(process: Process) -> None:
    process.wait_until_listening()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as raw:
        raw.settimeout(PATIENCE_SECONDS)
        raw.connect(str(process.path))
        raw.recv(port.MAX_MESSAGE_BYTES)
        for junk in (b"\x00", b"\xc1", b"{}", bytes(range(256))):
            raw.send(junk)
    asyncio.run(_opens(process))


async def _opens(process: Process) -> None:
    calls, party = Calls(process), Party()
    await calls.open(party)
    await heard(party, 5)
    party.close()
    calls.client.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_told_to_end_while_it_starts_ends(process: Process, number: int) -> None:
    process.wait_until_listening()
    time.sleep(0.03)
    assert process.end(number) in (0, -number)
