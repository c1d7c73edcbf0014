"""Several voices into one: what a leg hears that hears more than one other leg. Pure.

A voice comes when its packets come; a mix is made on its listener's own clock, a frame every 20 ms. Between the two
lies a small buffer for each voice: it begins with two frames, holds back more where packets come unevenly, and gives a
frame up that was not needed for two seconds, so that a far clock which is a little fast never adds up to a delay. A mix
in which only one speaks is that voice, byte for byte; the sum of several is linear and cut at full scale.
"""

from __future__ import annotations

import audioop
from collections.abc import Iterator
from typing import Generic, TypeVar

from appliance.media import port
from appliance.media.prompts import CONVERT, FRAME, SILENCE, Player

LEAST_FRAMES, MOST_FRAMES = 2, 8  # held back before a voice is heard: 40 ms, and 160 ms on a bad line
MOST_BYTES = 2 * MOST_FRAMES * FRAME  # a burst behind a stall: what is older is passed over
LOOK_FRAMES = 100  # 2 s
LATE_SAMPLES = 8000  # a packet up to 1 s behind is late; beyond it the sender has begun anew
WHOLE = 1 << 32

_TO_LINEAR = {"PCMU": audioop.ulaw2lin, "PCMA": audioop.alaw2lin}
_FROM_LINEAR = {"PCMU": audioop.lin2ulaw, "PCMA": audioop.lin2alaw}


def listeners(command: port.Supervise) -> dict[port.Stream, tuple[port.Stream, ...]]:
    """Who hears a mix while the two are joined, and of whom; whoever is not named hears the other one alone.

    That a whisper never reaches the customer is so by this table: their mix holds it in mode ``join`` only.
    """
    supervisor, customer, agent = command.stream, command.customer, command.agent
    own = (supervisor,)
    table: dict[port.Stream, tuple[port.Stream, ...]] = {supervisor: (customer, agent)}
    if command.mode != "listen" or agent in command.told:
        table[agent] = (customer, *(own if command.mode != "listen" else ()))
    if command.mode == "join" or customer in command.told:
        table[customer] = (agent, *(own if command.mode == "join" else ()))
    return table


class Voice:
    """One voice on its way into one mix: ``put`` at every packet, ``take`` every 20 ms. G.711 in and out."""

    __slots__ = ("_end", "_held_frames", "_is_heard", "_lowest", "_sound", "_takes", "law")

    def __init__(self) -> None:
        self.law = "PCMA"  # of what ``take`` gives
        self._sound = bytearray()
        self._end = -1  # the timestamp behind what is here
        self._is_heard = False
        self._held_frames = LEAST_FRAMES
        self._lowest, self._takes = MOST_BYTES, 0

    def put(self, law: str, timestamp: int, payload: bytes) -> None:
        """A packet has come, with its RTP timestamp."""
        if law != self.law:
            self.law = law
            self._sound.clear()
        ahead = (timestamp - self._end) % WHOLE if self._end >= 0 else 0
        if ahead >= WHOLE - LATE_SAMPLES:
            self._put_late(WHOLE - ahead, payload)
            return
        if self._sound and 0 < ahead <= MOST_BYTES:  # lost on the way, or still to come
            self._sound += SILENCE[law][:1] * ahead
        self._sound += payload
        self._end = (timestamp + len(payload)) % WHOLE
        if len(self._sound) > MOST_BYTES:
            del self._sound[: len(self._sound) - self._held_frames * FRAME]

    def _put_late(self, behind: int, payload: bytes) -> None:
        """Where its place was not heard yet, it is put there."""
        start = len(self._sound) - behind
        if start >= 0:
            self._sound[start : start + len(payload)] = payload[: len(self._sound) - start]

    def take(self) -> bytes | None:
        """The next 20 ms; None where there is nothing to be heard, or not enough yet."""
        if not self._is_heard:
            if len(self._sound) < self._held_frames * FRAME:
                return None
            self._is_heard = True
        if len(self._sound) < FRAME:
            self._is_heard = False
            self._held_frames = min(self._held_frames + 1, MOST_FRAMES)
            self._lowest, self._takes = MOST_BYTES, 0
            return None
        frame = bytes(self._sound[:FRAME])
        del self._sound[:FRAME]
        self._look()
        return frame

    def _look(self) -> None:
        """Gives a frame up that has been too much for some time."""
        self._lowest = min(self._lowest, len(self._sound))
        self._takes += 1
        if self._takes < LOOK_FRAMES:
            return
        if self._lowest >= LEAST_FRAMES * FRAME:
            del self._sound[:FRAME]
            self._held_frames = max(LEAST_FRAMES, self._held_frames - 1)
        self._lowest, self._takes = MOST_BYTES, 0


Source = TypeVar("Source")


class Mix(Generic[Source]):
    """What one leg hears: ``voices`` by where they come from, and a beep while it lasts."""

    __slots__ = ("beep", "voices")

    def __init__(self) -> None:
        self.voices: dict[Source, Voice] = {}
        self.beep: Player | None = None

    def frame(self, law: str) -> bytes:
        """The next 20 ms in ``law``."""
        sounds = list(self._sounds(law))
        if not sounds:
            return SILENCE[law]
        first_law, first = sounds[0]
        if len(sounds) == 1:
            return first if first_law == law else first.translate(CONVERT[law])
        total = _TO_LINEAR[first_law](first, 2)
        for each_law, each in sounds[1:]:
            total = audioop.add(total, _TO_LINEAR[each_law](each, 2), 2)
        return _FROM_LINEAR[law](total, 2)

    def _sounds(self, law: str) -> Iterator[tuple[str, bytes]]:
        for voice in self.voices.values():
            sound = voice.take()
            if sound is not None and sound != SILENCE[voice.law]:
                yield voice.law, sound
        if self.beep is not None:
            beep = self.beep.frame()
            if beep is None:
                self.beep = None
            else:
                yield law, beep
