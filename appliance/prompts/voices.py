"""Prompts from their texts: spoken by espeak-ng at build, levelled, and written in both G.711 laws.

A recorded voice replaces any of them: a file ``NAME.wav`` in the language's folder wins over the text. Only what has
changed is made anew; ``made.json`` remembers from what each sound was made. espeak-ng is a tool of the build and is not
shipped. The music for waiting is made here as well: a slow arpeggio of our own, so that no rights are touched.
"""

from __future__ import annotations

import audioop
import hashlib
import io
import json
import math
import os
import struct
import subprocess
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from appliance import saying
from appliance.durable import write_whole
from appliance.errors import Problem
from appliance.prompts.level import active_level
from appliance.prompts.recordings import PEAK, TARGET_DBM0
from appliance.saying import texts

RATE = 8000
QUIET = 200  # below it a sample counts as silence when the ends are trimmed
TAIL_SAMPLES = 1200  # 150 ms of silence after the last word
VOICES = {"fa": ("fa", 145), "en": ("en", 150)}  # espeak-ng's voice, words a minute
VERSION = "2"  # raised when the same text would be made into another sound
MUSIC_SECONDS = 24


@dataclass(frozen=True, slots=True)
class Built:
    """How many sounds there are and how many of them were made now."""

    sounds: int
    made: int


def build(prompts: Path, only: str = "") -> Built:
    """Makes what has changed below ``prompts`` (texts/LANGUAGE.toml -> LANGUAGE/NAME.ulaw and .alaw)."""
    built = made = 0
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        for language, sounds in sounds_of(prompts).items():
            folder = prompts / language
            folder.mkdir(exist_ok=True)
            memory = folder / "made.json"
            known = _known(memory)

            def one(sound: tuple[str, str]) -> tuple[str, tuple[str, bool]]:
                name, text = sound
                return name, _one(folder, language, name, text, known.get(name, ""), only)  # noqa: B023 - done with before the next

            now: dict[str, str] = {}
            for name, (mark, is_new) in workers.map(one, sounds.items()):
                now[name] = mark
                built += 1
                made += is_new
            if now != known:
                write_whole(memory, json.dumps(now, indent=1, sort_keys=True).encode(), 0o644)
    made += _music(prompts)
    return Built(built + 1, made)


def sounds_of(prompts: Path) -> dict[str, dict[str, str]]:
    """Every sound and its words by language: the prompts' stretches between values, and the pieces of values."""
    found: dict[str, dict[str, str]] = {}
    for language, named in texts.read(prompts).items():
        stretches = [texts.sounds_of(name, text) for name, text in named.items()]
        has_values = any(texts.script_of(name, text) != (name,) for name, text in named.items())
        found[language] = {name: words for each in stretches for name, words in each.items()}
        found[language] |= saying.pieces(language) if has_values else {}
    return found


def _known(memory: Path) -> dict[str, str]:
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _one(folder: Path, language: str, name: str, text: str, before: str, only: str) -> tuple[str, bool]:
    """The hash of what the sound is made from, and whether it was made now."""
    recorded = folder / f"{name}.wav"
    source = recorded.read_bytes() if recorded.is_file() else text.encode()
    mark = hashlib.sha256(f"{VERSION} {language} {recorded.is_file()} ".encode() + source).hexdigest()
    is_there = all((folder / f"{name}{ending}").is_file() for ending in (".ulaw", ".alaw"))
    if (mark == before and is_there) or (only and name != only and is_there):
        return (mark if mark == before else before), False
    linear = _linear(source, str(recorded)) if recorded.is_file() else _spoken(text, language)
    sound = levelled(trimmed(linear))
    if not sound:
        raise Problem("prompts.silent", prompt=name)
    write(folder / name, sound)
    return mark, True


def _spoken(text: str, language: str) -> bytes:
    """16-bit samples at 8 kHz, by espeak-ng."""
    voice, speed = VOICES.get(language, (language, 150))
    try:
        done = subprocess.run(  # noqa: S603 - the text comes after --, from the box's own files
            ["espeak-ng", "-v", voice, "-s", str(speed), "--stdout", "--", text],  # noqa: S607 - found on the PATH
            capture_output=True,
            check=True,
            timeout=60,
        )
    except FileNotFoundError as error:
        raise Problem("prompts.no_voice", program="espeak-ng") from error
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise Problem("prompts.voice_failed", program="espeak-ng", reason=str(error)[:200]) from error
    return _linear(done.stdout, "espeak-ng")


def _linear(content: bytes, file: str) -> bytes:
    """Any PCM WAV as mono 16-bit samples at 8 kHz."""
    try:
        with wave.open(io.BytesIO(content)) as opened:
            width, channels, rate = opened.getsampwidth(), opened.getnchannels(), opened.getframerate()
            frames = opened.readframes(1 << 26)  # a stream's header may claim more than there is
        if width == 1:
            frames = audioop.bias(frames, 1, -128)  # WAV keeps 8-bit samples unsigned
        frames = audioop.lin2lin(frames, width, 2)
        if channels == 2:
            frames = audioop.tomono(frames, 2, 0.5, 0.5)
        elif channels != 1:
            raise Problem("prompts.bad_recording", file=file, reason=f"{channels} channels")
        if rate > RATE:
            frames = _low_passed(frames, rate)
        return audioop.ratecv(frames, 2, 1, rate, RATE, None)[0] if rate != RATE else frames
    except (wave.Error, EOFError, audioop.error) as error:
        raise Problem("prompts.bad_recording", file=file, reason=str(error)) from error


def _low_passed(frames: bytes, rate: int) -> bytes:
    """Without what would fold back at 8 kHz: a windowed sinc at 3.6 kHz."""
    half = 24
    cut = 3600 / rate
    taps = []
    for at in range(-half, half + 1):
        sinc = 2 * cut if at == 0 else math.sin(2 * math.pi * cut * at) / (math.pi * at)
        taps.append(sinc * (0.54 + 0.46 * math.cos(math.pi * at / half)))
    total = sum(taps)
    # Weighted, shifted copies added by audioop: 49 passes in C instead of a loop over samples.
    result = bytes(len(frames))
    for number, tap in enumerate(taps):
        shift = (number - half) * 2
        moved = frames[shift:] + bytes(shift) if shift >= 0 else bytes(-shift) + frames[:shift]
        result = audioop.add(result, audioop.mul(moved, 2, tap / total), 2)
    return result


def linear_of(ulaw: bytes) -> bytes:
    """16-bit samples of a sound in mu-law."""
    return audioop.ulaw2lin(ulaw, 2)


def trimmed(linear: bytes) -> bytes:
    """Without the silence before and after, and with a short one at the end."""
    samples = memoryview(linear).cast("h")
    loud = [at for at in range(0, len(samples), 40) if max(map(abs, samples[at : at + 40])) > QUIET]
    if not loud:
        return b""
    return linear[2 * loud[0] : 2 * (loud[-1] + 40)] + bytes(2 * TAIL_SAMPLES)


def levelled(linear: bytes) -> bytes:
    """At the level of active speech that recordings get, never clipped."""
    level, _ = active_level(linear)
    if level is None:  # hardly anything: as it is
        return linear
    factor = min(10 ** ((TARGET_DBM0 - level) / 20), PEAK / max(1, audioop.max(linear, 2)))
    return audioop.mul(linear, 2, factor)


def write(base: Path, linear: bytes) -> None:
    """The sound in both laws; ``base`` is without ending."""
    write_whole(base.with_name(base.name + ".ulaw"), audioop.lin2ulaw(linear, 2), 0o644)
    write_whole(base.with_name(base.name + ".alaw"), audioop.lin2alaw(linear, 2), 0o644)


def _music(prompts: Path) -> bool:
    if all((prompts / f"music{ending}").is_file() for ending in (".ulaw", ".alaw")):
        return False
    samples = list(_tune())
    write(prompts / "music", struct.pack(f"<{len(samples)}h", *samples))
    return True


def _tune() -> Iterator[int]:
    """Four chords of eight soft notes; it ends where it begins, so that it loops without a seam."""
    chords = ((57, 64, 69, 72), (53, 60, 65, 69), (48, 55, 64, 67), (55, 62, 67, 71))  # MIDI numbers: Am F C G
    order = (0, 1, 2, 3, 2, 1, 2, 1)
    length = RATE * MUSIC_SECONDS // (len(chords) * len(order))
    for chord in chords:
        for step in order:
            hertz = 440.0 * 2 ** ((chord[step] - 69) / 12)
            for at in range(length):
                envelope = min(1.0, at / 200) * math.exp(-2.2 * at / length) * min(1.0, (length - at) / 200)
                angle = 2 * math.pi * hertz * at / RATE
                yield round(3800 * envelope * (math.sin(angle) + 0.25 * math.sin(2 * angle)))
