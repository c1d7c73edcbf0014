"""Sounds that are played: G.711 files mapped into memory once and shared by all calls, and tones that are made here.

A play is a list of pieces, so that "you are number 12" is put together without copying. A file exists as mu-law or
A-law; the twin is made when it is first asked for. A sound that is missing or empty is silence of no length: the play
goes on with the next piece, and what was not whole is told.
"""

from __future__ import annotations

import audioop
import math
import mmap
import struct
from collections import OrderedDict
from pathlib import Path

from appliance.media.port import Piece

FRAME = 160
SILENCE = {"PCMU": b"\xff" * FRAME, "PCMA": b"\xd5" * FRAME}
SUFFIX = {"PCMU": ".ulaw", "PCMA": ".alaw"}
MOST_SOUNDS = 2_000
RING_BACK_HERTZ = 425.0  # ITU-T E.180, as Iran's network rings: 1 s on, 4 s off
LEVEL = 5_000  # of 32,767: about -16 dBm0
SOFT_LEVEL = 900

TO_ULAW = bytes(audioop.lin2ulaw(audioop.alaw2lin(bytes([value]), 2), 2)[0] for value in range(256))
TO_ALAW = bytes(audioop.lin2alaw(audioop.ulaw2lin(bytes([value]), 2), 2)[0] for value in range(256))
CONVERT = {"PCMU": TO_ULAW, "PCMA": TO_ALAW}  # the other law into this one


class Sounds:
    """All sounds of a media process. Paths are taken only from below ``folders``."""

    def __init__(self, *folders: Path) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._known: OrderedDict[tuple[str, str], bytes | mmap.mmap] = OrderedDict()

    def get(self, path: str, law: str) -> bytes | mmap.mmap:
        """The sound at ``path`` (without ending) in ``law``; empty where there is none."""
        key = path, law
        sound = self._known.get(key)
        if sound is None:
            sound = self._load(path, law)
            if not len(sound):
                return sound  # asked for again next time: it may have been made by then
            self._known[key] = sound
            if len(self._known) > MOST_SOUNDS:
                self._known.popitem(last=False)
        return sound

    def _load(self, path: str, law: str) -> bytes | mmap.mmap:
        if path.startswith("tone:"):
            return tone(path.removeprefix("tone:"), law)
        file = Path(path + SUFFIX[law])
        if not any(file.resolve().is_relative_to(folder) for folder in self._folders):
            return b""
        try:
            with file.open("rb") as opened:
                return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # ValueError: an empty file cannot be mapped
            return self._twin(path, law)

    @staticmethod
    def _twin(path: str, law: str) -> bytes:
        other = "PCMA" if law == "PCMU" else "PCMU"
        try:
            return Path(path + SUFFIX[other]).read_bytes().translate(CONVERT[law])
        except OSError:
            return b""


def tone(name: str, law: str) -> bytes:
    """``ring-back``: one period of it; ``beep``: speak now; ``listening``: the line lives. Else no sound."""
    match name:
        case "ring-back":
            linear = _sine(RING_BACK_HERTZ, LEVEL, 8000) + bytes(2 * 8000 * 4)
        case "beep":
            linear = _sine(1000.0, LEVEL, 2000)
        case "listening":
            linear = _sine(RING_BACK_HERTZ, SOFT_LEVEL, 640)
        case _:
            return b""
    return audioop.lin2ulaw(linear, 2) if law == "PCMU" else audioop.lin2alaw(linear, 2)


def _sine(hertz: float, level: int, samples: int) -> bytes:
    return struct.pack(
        f"<{samples}h", *(round(level * math.sin(2 * math.pi * hertz * at / 8000)) for at in range(samples))
    )


class Player:
    """One play of one stream: frames of 160 bytes until it ends."""

    __slots__ = ("_at", "_end", "_loops", "_next", "_pieces", "_silence", "_sound", "is_speech", "is_whole", "play")

    def __init__(
        self,
        play: int,
        pieces: tuple[Piece, ...],
        law: str,
        sounds: Sounds,
        loops: bool,
        is_speech: bool,
        skip: int = 0,
    ) -> None:
        self.play = play
        self.is_speech = is_speech
        self.is_whole = True
        self._pieces: list[tuple[bytes | mmap.mmap, int, int]] = []
        for piece in pieces:
            sound = sounds.get(piece.path, law)
            end = len(sound) if not piece.length else min(len(sound), piece.start + piece.length)
            if not len(sound):
                self.is_whole = False  # a prompt that is not there: the caller heard less than was meant
            elif piece.start < end:
                self._pieces.append((sound, piece.start, end))
        self._loops = loops and bool(self._pieces)
        self._silence = SILENCE[law][:1]
        self._next = 0
        self._sound: bytes | mmap.mmap = b""
        self._at = self._end = 0
        if skip:
            self._pass_over(skip)

    def _pass_over(self, skip: int) -> None:
        """Begins ``skip`` bytes later, in a later round where it loops."""
        if self._loops:
            skip %= sum(end - start for _, start, end in self._pieces)
        while self._next < len(self._pieces):
            self._sound, self._at, self._end = self._pieces[self._next]
            self._next += 1
            if skip < self._end - self._at:
                self._at += skip
                return
            skip -= self._end - self._at
        self._at = self._end

    def frame(self) -> bytes | None:
        """The next 20 ms; None when the play has ended. Pieces follow each other without a gap."""
        at = self._at
        if at + FRAME <= self._end:
            self._at = at + FRAME
            return self._sound[at : at + FRAME]
        frame = self._sound[at : self._end]
        self._at = self._end
        while len(frame) < FRAME:
            if self._next == len(self._pieces):
                if not self._loops:
                    break
                self._next = 0
            self._sound, at, self._end = self._pieces[self._next]
            self._next += 1
            self._at = min(self._end, at + FRAME - len(frame))
            frame += self._sound[at : self._at]
        if not frame:
            return None
        return frame + self._silence * (FRAME - len(frame))
