"""Recordings of people: read from any common file, mended where that is honest, refused with the reason where not."""

from __future__ import annotations

import audioop
import io
import itertools
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import Problem
from appliance.prompts.level import RATE, Measured, measured

TARGET_DBM0 = -19.0
MOST_BYTES = 20 << 20
MOST_SECONDS = 300
LEAST_SECONDS = 0.15
MOST_CLIPPED_SHARE = 0.001
LEAST_DBM0 = -50.0
LEAD_SECONDS, TAIL_SECONDS = 0.04, 0.15  # of silence that is left at the ends
PEAK = 30_000
PAUSE_SECONDS = 0.7  # of silence between two entries of a long recording
DECODE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Mended:
    """The sound as it is kept, and what was measured before and after."""

    linear: bytes
    before: Measured
    after: Measured


def read(file: Path) -> bytes:
    """16-bit samples at 8 kHz of WAV, FLAC, OGG or MP3, by ffmpeg in a process of its own; Problem where it is none."""
    try:
        size = file.stat().st_size
    except OSError as error:
        raise Problem("prompts.unreadable", file=str(file), reason=error.strerror or str(error)) from error
    if size > MOST_BYTES:
        raise Problem("prompts.too_large", file=file.name, most_mb=MOST_BYTES >> 20)
    command = [
        "ffmpeg", "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i", f"file:{file}", "-vn",
        "-t", str(MOST_SECONDS + 1), "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=DECODE_SECONDS)  # noqa: S603 - a list of our own
    except FileNotFoundError as error:
        raise Problem("prompts.no_voice", program="ffmpeg") from error
    except subprocess.TimeoutExpired as error:
        raise Problem("prompts.not_a_sound", file=file.name) from error
    if done.returncode or not done.stdout:
        raise Problem("prompts.not_a_sound", file=file.name)
    if len(done.stdout) > 2 * RATE * MOST_SECONDS:
        raise Problem("prompts.too_long", file=file.name, most=MOST_SECONDS)
    return done.stdout[: len(done.stdout) // 2 * 2]


def mended(linear: bytes, name: str) -> Mended:
    """Trimmed, without offset, at the target level; Problem where mending would only hide what is wrong."""
    before = measured(linear)
    if before.level_dbm0 is None:
        raise Problem("prompts.silent", prompt=name)
    if before.clipped_share > MOST_CLIPPED_SHARE:
        raise Problem("prompts.clipped", prompt=name, permille=round(1000 * before.clipped_share, 1))
    if before.level_dbm0 < LEAST_DBM0:
        raise Problem("prompts.too_quiet", prompt=name, level=before.level_dbm0, least=LEAST_DBM0)
    centred = audioop.bias(linear, 2, -before.offset)
    begins = max(0.0, before.before - LEAD_SECONDS)
    ends = max(begins, before.seconds - max(0.0, before.after - TAIL_SECONDS))
    cut = centred[2 * round(begins * RATE) : 2 * round(ends * RATE)]
    if before.seconds - before.before - before.after < LEAST_SECONDS:
        raise Problem("prompts.too_short", prompt=name, least=LEAST_SECONDS)
    level = measured(cut).level_dbm0
    assert level is not None
    factor = min(10 ** ((TARGET_DBM0 - level) / 20), PEAK / max(1, audioop.max(cut, 2)))
    sound = audioop.mul(cut, 2, factor)
    return Mended(sound, before, measured(sound))


def as_wav(linear: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(RATE)
        opened.writeframes(linear)
    return file.getvalue()


def entries(linear: bytes) -> list[tuple[float, bytes]]:
    """A long recording cut at its pauses: the second at which each entry begins, and its sound."""
    step = RATE // 100
    levels = [audioop.rms(linear[at : at + 2 * step], 2) for at in range(0, len(linear), 2 * step)]
    loudest = sorted(levels)[-max(1, len(levels) // 50)] if levels else 0
    floor = max(60.0, loudest * 0.03)
    found: list[tuple[float, bytes]] = []
    begins: int | None = None
    quiet = 0
    for number, level in enumerate(itertools.chain(levels, itertools.repeat(0, round(PAUSE_SECONDS * 100) + 1))):
        if level > floor:
            begins = number if begins is None else begins
            quiet = 0
            continue
        quiet += 1
        if begins is not None and quiet > PAUSE_SECONDS * 100:
            first = max(0, begins - 10)
            last = min(len(levels), number - quiet + 15)
            found.append((begins / 100, linear[2 * step * first : 2 * step * last]))
            begins = None
    return found
