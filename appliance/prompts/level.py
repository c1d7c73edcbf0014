"""How loud speech is while there is speech: the active level of ITU-T P.56 (method B), and what else can be wrong.

Samples are 16-bit at 8 kHz. The envelope is taken every millisecond instead of every sample: speech does not change
faster. Levels are in dBm0: a sine at full scale is +3.14 dBm0 in A-law (G.711, table 5), so an RMS of 32,768 is
+6.15 dBm0.
"""

from __future__ import annotations

import audioop
import math
from dataclasses import dataclass

RATE = 8000
FULL_SCALE_DBM0 = 6.15
MARGIN_DB = 15.9  # P.56: between the active level and the threshold of activity
HANGOVER_MS = 200
TIME_CONSTANT_MS = 30.0
LOUD = 32_700  # a sample here is as good as cut off
QUIET = 200  # below it a millisecond counts as silence when the ends are looked for
_THRESHOLDS = [2.0**power for power in range(15)]


@dataclass(frozen=True, slots=True)
class Measured:
    """``level_dbm0`` None: no speech. ``before`` and ``after`` are seconds of silence at the ends."""

    seconds: float
    level_dbm0: float | None
    activity: float
    clipped_share: float
    before: float
    after: float
    offset: int


def measured(linear: bytes) -> Measured:
    """What can be said of a sound."""
    samples = memoryview(linear).cast("h")
    level, activity = active_level(linear)
    loud = [at for at in range(0, len(samples), 8) if audioop.max(linear[2 * at : 2 * at + 16], 2) > QUIET]
    clipped = sum(1 for sample in samples if abs(sample) >= LOUD) if samples else 0
    length = len(samples) / RATE
    return Measured(
        seconds=round(length, 3),
        level_dbm0=None if level is None else round(level, 1),
        activity=round(activity, 3),
        clipped_share=clipped / max(1, len(samples)),
        before=round(loud[0] / RATE, 3) if loud else length,
        after=round(length - (loud[-1] + 8) / RATE, 3) if loud else length,
        offset=audioop.avg(linear, 2) if linear else 0,
    )


def active_level(linear: bytes) -> tuple[float | None, float]:
    """The level of active speech in dBm0 and the share of time that is active; None and 0 where nothing is."""
    milliseconds = len(linear) // 16
    if not milliseconds:
        return None, 0.0
    keep = math.exp(-1.0 / TIME_CONSTANT_MS)
    first = second = 0.0
    active = [0] * len(_THRESHOLDS)
    hang = [HANGOVER_MS] * len(_THRESHOLDS)
    square = 0.0
    for at in range(milliseconds):
        block = linear[16 * at : 16 * at + 16]
        rms = audioop.rms(block, 2)
        square += rms * rms
        first = keep * first + (1 - keep) * _mean(block)
        second = keep * second + (1 - keep) * first
        for number, threshold in enumerate(_THRESHOLDS):
            if second >= threshold:
                active[number] += 1
                hang[number] = 0
            elif hang[number] < HANGOVER_MS:
                active[number] += 1
                hang[number] += 1
            else:
                break  # the higher ones have hung longer still
    return _level(square, active, milliseconds)


def _mean(block: bytes) -> float:
    return sum(map(abs, memoryview(block).cast("h"))) / 8


def _level(square: float, active: list[int], milliseconds: int) -> tuple[float | None, float]:
    """Where the active level lies ``MARGIN_DB`` above its own threshold, between two of those that were counted."""
    before: tuple[float, float] | None = None
    for count, threshold in zip(active, _THRESHOLDS, strict=True):
        if not count or not square:
            break
        level = 10 * math.log10(square / count)
        margin = level - 20 * math.log10(threshold)
        if margin <= MARGIN_DB:
            if before is not None:
                share = (before[1] - MARGIN_DB) / max(1e-9, before[1] - margin)
                level = before[0] + share * (level - before[0])
            activity = min(1.0, square / (10 ** (level / 10)) / milliseconds)
            return level - 20 * math.log10(32_768) + FULL_SCALE_DBM0, activity
        before = level, margin
    return None, 0.0
