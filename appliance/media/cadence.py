"""Busy and congestion tone of a telephone exchange, found by their cadence in the sound of one leg.

An analog line says nothing when its far side hangs up: the exchange plays a tone, 425 Hz on and off, and the line stays
up for ever. What a newcomer gets wrong: one beep is no busy tone. Ring-back, dial tone, fax, keys and notes of music
have the same pitch or the same rhythm; a busy tone has both, with the same level and length over and over.

Policy: sound is judged in blocks of 20 ms, each *on* (nearly all of its energy stands in the tone's frequencies), *off*
(silent, or far below the beeps before) or neither. A beep counts when its level stands still within 4 dB and its pitch,
measured by the phase from block to block, within 2.2 % of the table; another sound of more than 40 ms forgets what was
counted. A tone is found when so many beeps and pauses in a row fit its table (+-15 % and 30 ms) that they make up
2.2 s. A block that was lost is what the blocks around it are; packets that were never sent (silence suppression) are
silence. Beside that two things are told once: the first sound of some 160 ms that is no such tone (somebody or
something is there), and ring-back, two beeps of a second or so with seconds between (a gateway "answers" at once).
"""

from __future__ import annotations

import audioop
import math
import re
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

BLOCK = 160  # samples; 20 ms
BLOCK_MS = 20
SOUND, RINGING = "sound", "ringing"
RING_MS, RING_PAUSE_MS = (600.0, 2200.0), (1900.0, 4900.0)  # ITU-T E.180, 3.3: 0.67 to 1.5 s, and 3 to 5 s between

SILENT_RMS = 128.0  # -42 dBm0 (0 dBm0 is 16,140 in 16 bits, G.711 table 5)
TONE_RMS = 203.0  # -38 dBm0: below the weakest tone that must be found (-35)
PURE_SHARE = 0.7  # of a block's energy within the tone's frequencies
OFF_SHARE = 0.5  # of the beep's amplitude: what a pause may have at most, an echo of our own side included
OFF_TONE_SHARE = 0.3
PITCH_SHARE = 0.022  # lines keep +-1.5 %; the rest is for what measuring adds
PITCH_SPREAD = 0.3  # of that, from block to block around their mean; a voice glides, a tone does not
MOST_TURN = 2.0  # radians a block: a pitch that is further off cannot be told from one on the other side
LEVEL_RATIO = 1.6  # 4 dB within a beep and from beep to beep
TIME_SHARE = 0.15
EDGE_MS = 30.0  # what blocks, and a lost one at the edge, add
STEADY_MS = 45.0  # between two beeps of one tone
EVIDENCE_MS = 2200.0
LEAST_PARTS = 3
MOST_DOUBTFUL = 2  # blocks that are neither, before they are another sound
SOUND_BLOCKS = 8  # more of other sound than of tone and silence around it
HELD_SAMPLES = 3 * BLOCK  # a gap up to here was lost, beyond it was not sent
LONGEST_GAP = 3 * 8000
LONGEST_BLOCKS = 250  # a part that is longer fits no table
REFERENCE = 16_000
_WRITTEN = re.compile(r"(busy|congestion) (\d{3,4}(?:\+\d{3,4})?) (\d{2,4}(?:/\d{2,4}){1,5})")


@dataclass(frozen=True, slots=True)
class Tone:
    """``cadence_ms``: on, off, on, off, ..."""

    name: str
    hertz: tuple[float, ...]
    cadence_ms: tuple[int, ...]

    @property
    def parts(self) -> int:
        """How many beeps and pauses in a row are enough, wherever they begin."""
        return max(self._parts_from(first) for first in range(len(self.cadence_ms)))

    def _parts_from(self, first: int) -> int:
        total, count = 0, 0
        for length in islice(cycle(self.cadence_ms), first, None):
            total, count = total + length, count + 1
            if total >= EVIDENCE_MS and count >= LEAST_PARTS:
                break
        return count


def tone_of(text: str) -> Tone:
    """``busy 425 500/500``: a name, hertz joined by ``+``, milliseconds on and off by ``/``. Raises ValueError."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"no tone: {text}")
    tone = Tone(found[1], tuple(map(float, found[2].split("+"))), tuple(map(int, found[3].split("/"))))
    is_heard = all(200.0 <= each <= 3400.0 for each in tone.hertz) and all(
        80 <= each <= 2000 for each in tone.cadence_ms
    )
    if not is_heard or len(tone.cadence_ms) % 2:
        raise ValueError(f"no tone: {text}")
    return tone


class Cadence:
    """What is found in the sound of one leg; fed with every packet, in the order of arrival."""

    __slots__ = ("_expected", "_has_rung", "_left", "_sounds", "_watches")

    def __init__(self, tones: Sequence[Tone]) -> None:
        pitches = dict.fromkeys(tone.hertz for tone in tones)
        self._watches = [_Watch(hertz, [tone for tone in tones if tone.hertz == hertz]) for hertz in pitches]
        self._expected = -1  # the timestamp of the next packet
        self._left = b""  # linear samples that are not a whole block yet
        self._has_rung = False  # and it was told
        self._sounds = 0  # blocks of other sound, less those of silence and tone; -1 once it was told

    def receive(self, law: str, timestamp: int, payload: bytes) -> list[str]:
        """The names of tones that this packet completes, and ``sound`` once; nearly always nothing."""
        found: list[str] = []
        if timestamp != self._expected and self._expected >= 0:
            gap = (timestamp - self._expected) & 0xFFFFFFFF
            if gap >= 0x80000000:
                return found  # late or twice
            self._pass_over(gap, found)
        self._expected = (timestamp + len(payload)) & 0xFFFFFFFF
        linear = audioop.alaw2lin(payload, 2) if law == "PCMA" else audioop.ulaw2lin(payload, 2)
        if self._left or len(payload) != BLOCK:
            linear = self._left + linear
            whole = len(linear) - len(linear) % (2 * BLOCK)
            for start in range(0, whole, 2 * BLOCK):
                self._block(linear[start : start + 2 * BLOCK], found)
            self._left = linear[whole:]
        else:
            self._block(linear, found)
        return found

    def _pass_over(self, gap: int, found: list[str]) -> None:
        self._left = b""
        for watch in self._watches:
            if gap <= HELD_SAMPLES:
                watch.lost(round(gap / BLOCK))
            elif gap <= LONGEST_GAP:
                for _ in range(gap // BLOCK):
                    watch.block(b"", 0.0, found)
            else:
                watch.forget()

    def _block(self, linear: bytes, found: list[str]) -> None:
        rms = float(audioop.rms(linear, 2))
        is_tone = False
        for watch in self._watches:
            is_tone |= watch.block(linear, rms, found)
            if watch.has_rung and not self._has_rung:
                self._has_rung = True
                found.append(RINGING)
        if self._sounds >= 0:
            is_other = rms >= SILENT_RMS and not is_tone
            self._sounds = self._sounds + 1 if is_other else max(0, self._sounds - 1)
            if self._sounds >= SOUND_BLOCKS:
                self._sounds = -1
                found.append(SOUND)


@dataclass(slots=True)
class _Part:
    """A beep or a pause that is over. ``level`` of a beep: the amplitude of its tone."""

    is_on: bool
    milliseconds: float
    level: float


class _Watch:
    """The tones of one pitch."""

    __slots__ = (
        "_amplitudes", "_doubtful", "_is_on", "_is_partial", "_length", "_level", "_parts", "_phases", "_projections",
        "_tones", "_turns", "has_rung",
    )  # fmt: skip

    def __init__(self, hertz: tuple[float, ...], tones: list[Tone]) -> None:
        self._tones = [(tone, tone.parts) for tone in tones]
        self._projections = [_projection(each) for each in hertz]
        self._parts: deque[_Part] = deque(maxlen=max(parts for _, parts in self._tones))
        self._is_on: bool | None = None  # None: another sound, or nothing yet
        self.has_rung = False
        self.forget()

    def forget(self) -> None:
        """Another sound: nothing of before counts."""
        self._parts.clear()
        self._is_on = None
        self._is_partial = True  # the part that goes on began before we knew
        self._length = 0.0
        self._doubtful = 0
        self._level = 0.0
        self._amplitudes: list[float] = []
        self._phases: list[float] | None = None  # of the block before, one for each frequency
        self._turns: list[float] = []  # from block to block, beyond what the table's pitch turns; 1.0 is the bound

    def lost(self, blocks: int) -> None:
        self._length += blocks
        self._phases = None

    def block(self, linear: bytes, rms: float, found: list[str]) -> bool:
        """Takes 20 ms; adds a tone that ends to be doubtful with it. True where the block is tone."""
        if rms < SILENT_RMS:
            self._went(False, found)
            return False
        amplitude, phases = self._measure(linear)
        if amplitude >= TONE_RMS and amplitude * amplitude >= PURE_SHARE * rms * rms:
            self._went(True, found)
            if len(self._amplitudes) < LONGEST_BLOCKS:
                self._amplitudes.append(amplitude)
                if len(self._amplitudes) == 2:
                    self._level = amplitude
                if self._phases is not None:
                    self._turns += self._turned(self._phases, phases)
            self._phases = phases
            return True
        self._phases = None
        if self._level and rms <= OFF_SHARE * self._level and amplitude <= OFF_TONE_SHARE * self._level:
            self._went(False, found)
        elif self._is_on is not None:
            self._doubtful += 1
            if self._doubtful > MOST_DOUBTFUL:
                self.forget()
        return False

    def _measure(self, linear: bytes) -> tuple[float, list[float]]:
        """The effective value of the tone's part of a block, and its phases."""
        square, phases = 0.0, []
        for cosine, sine, _, _ in self._projections:
            real, imaginary = audioop.findfactor(linear, cosine), audioop.findfactor(linear, sine)
            square += real * real + imaginary * imaginary
            phases.append(math.atan2(imaginary, real))
        return REFERENCE * math.sqrt(square / 2.0), phases

    def _turned(self, before: list[float], now: list[float]) -> Iterator[float]:
        for (_, _, advance, bound), one, other in zip(self._projections, before, now, strict=True):
            yield ((other - one - advance + math.pi) % (2 * math.pi) - math.pi) / bound

    def _went(self, is_on: bool, found: list[str]) -> None:
        """One more block of a beep or of a pause."""
        if is_on is self._is_on:
            self._length += 1 + self._doubtful
        else:
            half = self._doubtful / 2
            self._length += half
            self._end(found)
            self._is_partial = self._is_on is None
            self._is_on = is_on
            self._length = 1 + half
            if is_on:
                self._amplitudes, self._turns, self._phases = [], [], None
        self._doubtful = 0
        if self._length > LONGEST_BLOCKS and self._parts:
            self._parts.clear()
            self._is_partial = True

    def _end(self, found: list[str]) -> None:
        """The part that went on is over."""
        if self._is_on is None:
            return
        if self._is_on and not self._is_steady():
            self._parts.clear()
            return
        if self._is_partial:
            return
        level = self._level if self._is_on else 0.0
        self._parts.append(_Part(self._is_on, self._length * BLOCK_MS, level))
        self.has_rung = self.has_rung or _rings(list(self._parts)[-3:])
        for tone, parts in self._tones:
            if len(self._parts) >= parts and _fits(tone, list(self._parts)[-parts:]):
                found.append(tone.name)
                self._parts.clear()
                return

    def _is_steady(self) -> bool:
        """Whether the beep that is over has one level and the table's pitch; its ends are no whole blocks."""
        inner = self._amplitudes[1:-1]
        if not inner or not self._turns or max(inner) > LEVEL_RATIO * min(inner):
            return False
        mean = sum(self._turns) / len(self._turns)
        spread = sum(abs(turn - mean) for turn in self._turns) / len(self._turns)
        return abs(mean) <= 1.0 and spread <= PITCH_SPREAD


def _projection(hertz: float) -> tuple[bytes, bytes, float, float]:
    """Cosine and sine of a block, how far the phase turns in one, and how far beyond that it may."""
    turn = 2 * math.pi * hertz / 8000.0
    cosine = struct.pack(f"<{BLOCK}h", *(round(REFERENCE * math.cos(turn * at)) for at in range(BLOCK)))
    sine = struct.pack(f"<{BLOCK}h", *(round(-REFERENCE * math.sin(turn * at)) for at in range(BLOCK)))
    return cosine, sine, turn * BLOCK, min(MOST_TURN, PITCH_SHARE * turn * BLOCK)


def _rings(parts: list[_Part]) -> bool:
    """Whether this is a beep, a long pause, and the same beep again."""
    if len(parts) < 3 or not parts[0].is_on:
        return False
    first, pause, second = (part.milliseconds for part in parts)
    levels = parts[0].level, parts[2].level
    is_steady = abs(first - second) <= STEADY_MS and max(levels) <= LEVEL_RATIO * min(levels)
    return is_steady and RING_MS[0] <= first <= RING_MS[1] and RING_PAUSE_MS[0] <= pause <= RING_PAUSE_MS[1]


def _fits(tone: Tone, parts: list[_Part]) -> bool:
    """Whether these beeps and pauses are that tone, wherever in its table they begin."""
    levels = [part.level for part in parts if part.is_on]
    if max(levels) > LEVEL_RATIO * min(levels):
        return False
    table = tone.cadence_ms
    return any(_fits_from(table, first, parts) for first in range(0 if parts[0].is_on else 1, len(table), 2))


def _fits_from(table: tuple[int, ...], first: int, parts: list[_Part]) -> bool:
    seen: dict[int, float] = {}
    for number, part in enumerate(parts):
        place = (first + number) % len(table)
        if abs(part.milliseconds - table[place]) > TIME_SHARE * table[place] + EDGE_MS:
            return False
        if abs(part.milliseconds - seen.setdefault(place, part.milliseconds)) > STEADY_MS:
            return False
    return True
