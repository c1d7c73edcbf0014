"""A caller and a telephone of the office for rehearsals: our own user agent with an ear, a key pad and little else.

The caller knows prompts by their first frame. Keys are pressed by RFC 4733; between them silence is sent, so that the
box knows where the caller's sound comes from.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Mapping

from appliance.clock import SystemClock
from appliance.ids import uuid7
from appliance.media import dtmf
from appliance.signalling import port as signalling
from appliance.signalling import sdp
from appliance.signalling.agent import Agent
from appliance.signalling.port import Cause, Identity, ToTrunk
from appliance.signalling.settings import Signalling, Trunk

HOME = "127.0.0.1"
OUTSIDE = "127.0.0.2"  # where callers are: the box tells trunks and telephones apart by address
FRAME_BYTES = 160
FRAME_SECONDS = 0.02
SILENCE = b"\xd5" * FRAME_BYTES
PRESS_MS = 60
EVENT_TYPE = 101
MOST_AT_ONCE = 64
_header = struct.Struct("!BBHII")


class Voice:
    """One call's RTP: silence and keys outward, known frames inward. ``known`` names prompts by their first frame."""

    def __init__(self, address: str, known: Mapping[bytes, str]) -> None:
        self.heard: list[str] = []
        self.heard_at = 0.0
        self.remote: tuple[str, int] | None = None
        self._known = known
        self._digits = dtmf.Sender()
        self._sequence = self._timestamp = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind((address, 0))
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)
        self._speaking = asyncio.create_task(self._speak())

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    async def press(self, key: str) -> None:
        """Returns when the key was pressed and let go."""
        self._digits.press(key, PRESS_MS)
        while self._digits.is_busy:  # noqa: ASYNC110 - the clock of the frames is what it waits for
            await asyncio.sleep(FRAME_SECONDS)

    async def close(self) -> None:
        self._speaking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._speaking
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _readable(self) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                data = self._socket.recv(2048)
            except OSError:
                return
            if len(data) != 12 + FRAME_BYTES:
                continue
            name = self._known.get(data[12:])
            if name is not None:
                self.heard.append(name)
            if data[12:] != SILENCE:
                self.heard_at = time.monotonic()

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time()
        while True:
            at += FRAME_SECONDS
            await asyncio.sleep(max(0.0, at - loop.time()))
            if self.remote is not None:
                self._timestamp += FRAME_BYTES
                if self._digits.is_busy:
                    _, moment, payloads = self._digits.frame(self._timestamp)
                    for payload in payloads:
                        self._send(EVENT_TYPE, moment, payload)
                else:
                    self._send(8, self._timestamp, SILENCE)

    def _send(self, kind: int, timestamp: int, payload: bytes) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        with contextlib.suppress(OSError):  # the box may just have closed its port
            self._socket.sendto(
                _header.pack(0x80, kind, self._sequence, timestamp, 7) + payload, self.remote or (HOME, 9)
            )


class Caller:
    """Calls the box at this port, once."""

    def __init__(self, box_port: int, known: Mapping[bytes, str]) -> None:
        self.is_up = False
        self.has_ended = False
        self.marked = 0  # what was heard before this was looked at already
        self.acted_at = 0.0
        self._known = known
        self._leg = uuid7(time.time_ns() // 1_000_000)
        trunk = Trunk(name="box", proxy=f"{HOME}:{box_port}", registers=False, sources=(HOME,), dial_as="national")
        settings = Signalling(address=OUTSIDE, port=0, tcp=False, trunks=(trunk,))
        self._agent = Agent(settings, lambda _name: None, SystemClock(), self._happened)

    @property
    def heard(self) -> list[str]:
        return self._voice.heard

    @property
    def heard_at(self) -> float:
        return self._voice.heard_at

    async def start(self, number: str, mine: str) -> None:
        self._voice = Voice(OUTSIDE, self._known)
        await self._agent.start()
        while not self._agent.heart.accounts["box"].peers:  # noqa: ASYNC110 - a machine has no event to wait for
            await asyncio.sleep(0.01)
        offer = sdp.offer(OUTSIDE, self._voice.port, "PCMA", 1)
        self._agent.submit(signalling.Dial(self._leg, ToTrunk("box", number), offer, Identity(mine)))

    async def press(self, key: str) -> None:
        await self._voice.press(key)
        self.acted_at = time.monotonic()

    def hang_up(self) -> None:
        if not self.has_ended:
            self.has_ended = True
            self._agent.submit(signalling.HangUp(self._leg, Cause.ENDED_HERE))

    async def stop(self) -> None:
        await self._agent.stop()
        await self._voice.close()

    def _happened(self, event: signalling.Event) -> None:
        match event:
            case signalling.Answered(_, description):
                self._voice.remote = description.address, description.port
                self.is_up, self.acted_at = True, time.monotonic()
            case signalling.MediaChanged(_, description) | signalling.Resumed(_, description):
                self._voice.remote = description.address, description.port
            case signalling.HungUp() | signalling.Refused():
                self.is_up, self.has_ended = False, True
            case _:
                return


class Telephone:
    """A telephone of the office: registers, and answers as it is told."""

    def __init__(self, box_port: int, name: str, password: str) -> None:
        trunk = Trunk(name="box", proxy=f"{HOME}:{box_port}", domain="pasokh.local", user=name, sources=(HOME,))
        settings = Signalling(address=HOME, port=0, tcp=False, trunks=(trunk,))
        self._agent = Agent(settings, lambda _name: password, SystemClock(), self._happened)
        self._answers = True
        self._talk_seconds = 1.0
        self._voices: dict[str, Voice] = {}

    def behave(self, answers: bool, talk_seconds: float) -> None:
        self._answers, self._talk_seconds = answers, talk_seconds

    async def start(self) -> None:
        await self._agent.start()

    async def stop(self) -> None:
        await self._agent.stop()
        for voice in self._voices.values():
            await voice.close()

    def _happened(self, event: signalling.Event) -> None:
        asyncio.get_running_loop().call_soon(self._on_event, event)

    def _on_event(self, event: signalling.Event) -> None:
        match event:
            case signalling.Offered(leg, _, _, _, offered) if offered is not None:
                if not self._answers:
                    self._agent.submit(signalling.Refuse(leg, 480))
                    return
                voice = self._voices[leg] = Voice(HOME, {})
                voice.remote = offered.address, offered.port
                local = sdp.answer(offered, HOME, voice.port, "PCMA")
                if local is not None:
                    self._agent.submit(signalling.Answer(leg, local))
                    asyncio.get_running_loop().call_later(self._talk_seconds, self._hang_up, leg)
            case signalling.HungUp(leg) | signalling.Refused(leg):
                voice_of = self._voices.pop(leg, None)
                if voice_of is not None:
                    asyncio.get_running_loop().create_task(voice_of.close(), name="hangs up")
            case _:
                return

    def _hang_up(self, leg: str) -> None:
        if leg in self._voices:
            self._agent.submit(signalling.HangUp(leg, Cause.ENDED_HERE))
