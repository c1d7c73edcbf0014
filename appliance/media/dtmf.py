"""Digits as RFC 4733 telephone-events: heard exactly once, sent so that they survive loss.

What a newcomer gets wrong: one key press is many packets with one timestamp, and its end is sent three times, of which
any may be lost, doubled or late. A press is named by its source and timestamp, not by its packets.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"
END = 0x80
VOLUME = 10  # -10 dBm0, what telephones send
END_LOST_SECONDS = 0.3  # no packet of a press for so long: its end was lost (RFC 4733, 2.5.2.2 leaves the time open)
REMEMBERED = 64  # presses that late packets may still belong to

_EVENT = struct.Struct("!BBH")


@dataclass(slots=True)
class _Press:
    source: int
    timestamp: int
    digit: str
    samples: int
    heard_at: float


class Receiver:
    """The presses of one stream. Each is told once, when it ends or its end is overdue."""

    __slots__ = ("_done", "_press")

    def __init__(self) -> None:
        self._press: _Press | None = None
        self._done: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)

    @property
    def is_pressed(self) -> bool:
        return self._press is not None

    def receive(self, source: int, timestamp: int, payload: bytes, now: float) -> list[tuple[str, int]]:
        """Digits that have ended with this packet, each with its milliseconds."""
        if len(payload) < 4:
            return []
        event, flags, samples = _EVENT.unpack_from(payload)
        if event >= len(DIGITS) or (source, timestamp) in self._done:
            return []
        ended: list[tuple[str, int]] = []
        press = self._press
        if press is not None and (press.source, press.timestamp) != (source, timestamp):
            if press.source == source and (press.timestamp - timestamp) & 0xFFFFFFFF < 0x80000000:
                return self._late_press(source, timestamp, event, samples)
            ended.append(self._end(press))  # the end of the one before was lost
            press = None
        if press is None:
            press = self._press = _Press(source, timestamp, DIGITS[event], samples, now)
        press.samples = max(press.samples, samples)
        press.heard_at = now
        if flags & END:
            ended.append(self._end(press))
        return ended

    def due(self, now: float) -> list[tuple[str, int]]:
        """A press whose end is overdue."""
        if self._press is not None and now - self._press.heard_at >= END_LOST_SECONDS:
            return [self._end(self._press)]
        return []

    def _late_press(self, source: int, timestamp: int, event: int, samples: int) -> list[tuple[str, int]]:
        """All packets of this press but late ones were lost, and the next press goes on already."""
        self._done.append((source, timestamp))
        return [(DIGITS[event], samples // 8)]

    def _end(self, press: _Press) -> tuple[str, int]:
        self._done.append((press.source, press.timestamp))
        self._press = None
        return press.digit, press.samples // 8


class Sender:
    """Digits to be pressed towards the other side: one packet a frame, the end three times, then a pause."""

    __slots__ = ("_frame", "_frames", "_queue", "_timestamp")

    PAUSE_FRAMES = 5  # 100 ms

    def __init__(self) -> None:
        self._queue: deque[tuple[str, int]] = deque(maxlen=64)
        self._frame = 0
        self._frames = 0
        self._timestamp = 0

    @property
    def is_busy(self) -> bool:
        return bool(self._queue)

    def press(self, digits: str, milliseconds: int) -> None:
        frames = max(2, min(milliseconds, 5000) // 20)
        self._queue.extend((digit, frames) for digit in digits.upper() if digit in DIGITS)

    def frame(self, timestamp: int) -> tuple[bool, int, list[bytes]]:
        """Whether a press begins, its timestamp, and the payloads for this frame (none in a pause)."""
        digit, frames = self._queue[0]
        begins = self._frame == 0
        if begins:
            self._timestamp = timestamp
        self._frame += 1
        number = DIGITS.index(digit)
        if self._frame < frames:
            return begins, self._timestamp, [_EVENT.pack(number, VOLUME, self._frame * 160)]
        if self._frame == frames:
            return begins, self._timestamp, [_EVENT.pack(number, END | VOLUME, frames * 160)] * 3
        if self._frame >= frames + self.PAUSE_FRAMES:
            self._queue.popleft()
            self._frame = 0
        return False, self._timestamp, []
