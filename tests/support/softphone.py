"""Callers and desk phones for tests: our own user agent with a voice, many in one loop.

Not an independent peer (pyVoIP, baresip and SIPp are): it is for tests that need many parties whose every packet is
known. A voice is a G.711 frame sent every 20 ms; what is heard is kept with its moment.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from appliance.clock import SystemClock
from appliance.ids import uuid7
from appliance.signalling import port, sdp
from appliance.signalling.agent import Agent
from appliance.signalling.port import Cause, Identity, ToTrunk
from appliance.signalling.settings import Signalling, Trunk
from appliance.signalling.wire import Response

_HEADER = struct.Struct("!BBHII")


@dataclass
class Talk:
    """One call of a softphone. ``heard`` are monotonic seconds of every packet of sound."""

    leg: str
    voice: bytes
    sound: socket.socket
    local: sdp.Description
    remote: tuple[str, int] | None = None
    number: str = ""  # that was called
    is_up: bool = False
    ended: port.Event | None = None
    heard: list[float] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    sent: list[tuple[float, bytes]] = field(default_factory=list)
    sequence: int = 1
    timestamp: int = 1000
    digits: list[str] = field(default_factory=list)
    says: deque[bytes] = field(default_factory=deque)  # frames that are said first, once

    def longest_silence(self, since: float, until: float) -> float:
        """The longest time between two packets from ``since`` to ``until``."""
        moments = [since, *(each for each in self.heard if since <= each <= until), until]
        return max(after - before for before, after in itertools.pairwise(moments))


class Softphone:
    """``answer`` says what to do with a call that comes in: "answer", "busy" or "ring"."""

    def __init__(
        self,
        box: tuple[str, int],
        mine: tuple[str, int],
        *,
        user: str = "",
        password: str = "",
        domain: str = "pasokh.local",
        answer: Callable[[port.Offered], str] = lambda _offered: "answer",
        voice: bytes = b"\x55" * 160,
        keeps_frames: bool = False,
        frames: list[bytes] | None = None,
        voice_of: Callable[[str], bytes] | None = None,
    ) -> None:
        trunk = Trunk(
            name="box", proxy=f"{box[0]}:{box[1]}", domain=domain, user=user, registers=bool(user), sources=(box[0],)
        )
        settings = Signalling(address=mine[0], port=mine[1], tcp=False, trunks=(trunk,))
        self.talks: dict[str, Talk] = {}
        self.ringing: list[port.Offered] = []  # those that ``answer`` wants to ring, and that nobody picked up
        self.rang_at: dict[str, float] = {}  # wall seconds, by leg
        self.told: list[int] = []  # what the box has answered to our REFERs
        self.is_registered = asyncio.Event()
        self._agent = Agent(settings, lambda _name: password or None, SystemClock(), self._heard_event)
        self._address = mine[0]
        self._answer = answer
        self._voice = voice
        self._voice_of = voice_of  # by the number that is called
        self._keeps_frames = keeps_frames
        self._says = frames or []  # one after the other instead of the same voice
        self._speaking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._agent.start()
        self._speaking = asyncio.create_task(self._speak())
        while not self._agent.heart.accounts["box"].peers:  # noqa: ASYNC110 - a machine has no event to wait for
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
        for talk in self.talks.values():
            if talk.ended is None:
                self._agent.submit(port.HangUp(talk.leg, Cause.ENDED_HERE))
        await asyncio.sleep(0.1)
        await self._agent.stop()
        loop = asyncio.get_running_loop()
        for talk in self.talks.values():
            loop.remove_reader(talk.sound.fileno())
            talk.sound.close()

    def call(self, number: str, caller: str) -> Talk:
        talk = self._talk(uuid7(time.time_ns() // 1_000_000))
        self._agent.submit(port.Dial(talk.leg, ToTrunk("box", number), talk.local, Identity(caller)))
        return talk

    def hang_up(self, talk: Talk) -> None:
        self._agent.submit(port.HangUp(talk.leg, Cause.ENDED_HERE))

    def press(self, talk: Talk, digit: str) -> None:
        talk.digits.append(digit)

    def hold(self, talk: Talk, is_held: bool) -> None:
        direction = sdp.Direction.SENDONLY if is_held else sdp.Direction.SENDRECV
        local = sdp.offer(self._address, talk.local.port, "PCMA", 1, direction=direction)
        self._agent.submit(port.Hold(talk.leg, local) if is_held else port.Resume(talk.leg, local))

    def refer(self, talk: Talk, to: str, replaces: Talk | None = None) -> None:
        """The transfer key: REFER (RFC 3515) in this call, naming another call of this telephone where one is given."""
        heart = self._agent.heart
        dialog = heart._legs[talk.leg].dialog
        assert dialog is not None
        request = dialog.request("REFER")
        asked = ""
        if replaces is not None:
            other = heart._legs[replaces.leg].dialog
            assert other is not None
            asked = "?Replaces=" + quote(
                f"{other.call_id};to-tag={other.remote_tag};from-tag={other.local_tag}", safe=""
            )
        request.headers.add("refer-to", f"<sip:{to}@pasokh.local{asked}>")
        account = heart.accounts["box"]
        heart.ask(
            request, heart.trunk_side(account), account.peers[0], self._referred, lambda _client, _now: None,
            time.monotonic(),
        )  # fmt: skip

    def inform(self, talk: Talk, digit: str) -> None:
        """Presses a key by SIP INFO instead of RFC 4733."""
        heart = self._agent.heart
        dialog = heart._legs[talk.leg].dialog
        assert dialog is not None
        request = dialog.request("INFO")
        request.headers.add("content-type", "application/dtmf-relay")
        request.body = f"Signal={digit}\r\nDuration=160\r\n".encode()
        account = heart.accounts["box"]
        heart.ask(
            request, heart.trunk_side(account), account.peers[0], lambda _client, _response, _now: None,
            lambda _client, _now: None, time.monotonic(),
        )  # fmt: skip

    def _referred(self, _client: object, response: Response, _now: float) -> None:
        self.told.append(response.code)

    @property
    def legs(self) -> int:
        return self._agent.heart.legs

    def _talk(self, leg: str, offered: sdp.Description | None = None) -> Talk:
        sound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sound.bind((self._address, 0))
        number = sound.getsockname()[1]
        local = sdp.offer(self._address, number, "PCMA", 1)
        if offered is not None:
            local = sdp.answer(offered, self._address, number, "PCMA") or local
        talk = self.talks[leg] = Talk(leg, self._voice, sound, local)
        asyncio.get_running_loop().add_reader(sound.fileno(), self._readable, talk)
        return talk

    def _heard_event(self, event: port.Event) -> None:
        asyncio.get_running_loop().call_soon(self._on_event, event)

    def _on_event(self, event: port.Event) -> None:
        match event:
            case port.Offered(leg, _, _, _, description):
                self._offered(event, leg, description)
            case port.Answered(leg, description) if leg in self.talks:
                self.talks[leg].remote = description.address, description.port
                self.talks[leg].is_up = True
            case port.MediaChanged(leg, description) | port.Resumed(leg, description) if leg in self.talks:
                self.talks[leg].remote = description.address, description.port
            case port.HungUp(leg) | port.Refused(leg) if leg in self.talks:
                self.talks[leg].is_up = False
                self.talks[leg].ended = event
            case port.TrunkChanged(_, state, _, _):
                if state is port.TrunkState.UP:
                    self.is_registered.set()
            case _:
                return

    def _offered(self, event: port.Offered, leg: str, description: sdp.Description | None) -> None:
        wish = self._answer(event)
        if wish == "busy":
            self._agent.submit(port.Refuse(leg, 486))
        elif wish == "ring":
            self.ringing.append(event)
            self.rang_at[leg] = time.time()
            self._agent.submit(port.Ring(leg))
        elif description is not None:
            self.pick_up(event)

    def take(self) -> None:
        """Answers the call that has rung longest."""
        self.pick_up(self.ringing.pop(0))

    def pick_up(self, offered: port.Offered) -> Talk:
        """Answers a call that came in."""
        assert offered.sdp is not None
        talk = self._talk(offered.leg, offered.sdp)
        talk.number = offered.called
        if self._voice_of is not None:
            talk.voice = self._voice_of(offered.called)
        talk.remote = offered.sdp.address, offered.sdp.port
        talk.is_up = True
        self._agent.submit(port.Answer(offered.leg, talk.local))
        return talk

    def _readable(self, talk: Talk) -> None:
        for _ in range(64):
            try:
                data = talk.sound.recv(2048)
            except OSError:
                return
            if len(data) > 12 and data[1] & 0x7F in (0, 8):
                talk.heard.append(time.monotonic())
                if self._keeps_frames:
                    talk.frames.append(data[12:])

    async def _speak(self) -> None:
        """A frame every 20 ms for every call that is up, on an absolute clock."""
        loop = asyncio.get_running_loop()
        at = loop.time()
        while True:
            at += 0.02
            await asyncio.sleep(max(0.0, at - loop.time()))
            for talk in self.talks.values():
                if talk.is_up and talk.remote is not None:
                    self._send(talk)

    def _send(self, talk: Talk) -> None:
        assert talk.remote is not None
        talk.timestamp += 160
        try:
            if talk.digits:
                digit = "0123456789*#".index(talk.digits.pop(0))
                for duration, end in ((160, 0), (480, 0), (800, 0x80), (800, 0x80), (800, 0x80)):
                    talk.sequence = talk.sequence + 1 & 0xFFFF
                    event = struct.pack("!BBH", digit, end | 10, duration)
                    talk.sound.sendto(_HEADER.pack(0x80, 101, talk.sequence, talk.timestamp, 7) + event, talk.remote)
            talk.sequence = talk.sequence + 1 & 0xFFFF
            voice = (
                talk.says.popleft()
                if talk.says
                else self._says[talk.timestamp // 160 % len(self._says)]
                if self._says
                else talk.voice
            )
            talk.sound.sendto(_HEADER.pack(0x80, 8, talk.sequence, talk.timestamp, 7) + voice, talk.remote)
            if self._keeps_frames:
                talk.sent.append((time.monotonic(), voice))
        except OSError:
            return
