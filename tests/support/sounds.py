"""Telephone sounds for tests and benches: exchange tones as they are met, and hours of everything that is none.

Everything is made from a seed, so that a sample of it is the same in every run. ``scene`` gives a minute of one of the
kinds in ``KINDS``; speech is espeak-ng's, music is made here or is the box's own, and the tones are those that a line
carries beside busy and congestion.
"""

from __future__ import annotations

import audioop
import functools
import io
import math
import random
import subprocess
import tomllib
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from appliance.places import shipped_flows

Samples = NDArray[np.float64]

RATE = 8000
FRAME = 160
ZERO_DBM0 = 16_140.0  # effective value in 16 bits (G.711)
SCENE_SECONDS = 60
VOICES = ("fa", "fa+f2", "fa+m3", "fa+f5", "en-us", "en-us+f3", "en-gb", "en-gb+m7", "en-us+croak", "en-gb+f4")


def encode(samples: Samples, law: str) -> bytes:
    linear = np.clip(np.round(samples), -32_768, 32_767).astype("<i2").tobytes()
    return audioop.lin2alaw(linear, 2) if law == "PCMA" else audioop.lin2ulaw(linear, 2)


def frames(sound: bytes) -> list[bytes]:
    """Packets of 20 ms; a rest is dropped."""
    return [sound[at : at + FRAME] for at in range(0, len(sound) - FRAME + 1, FRAME)]


def sine(hertz: Sequence[float], seconds: float, dbm0: float) -> Samples:
    """All frequencies at once, together of this level."""
    at = np.arange(round(seconds * RATE)) / RATE
    amplitude = ZERO_DBM0 * 10 ** (dbm0 / 20) * math.sqrt(2 / len(hertz))
    return amplitude * sum((np.sin(2 * np.pi * each * at) for each in hertz), start=np.zeros_like(at))


def beeps(hertz: Sequence[float], cadence_ms: Sequence[float], seconds: float, dbm0: float) -> Samples:
    """On, off, on, off, ... for so long, over and over."""
    tone = sine(hertz, seconds, dbm0)
    place = np.arange(len(tone)) / RATE * 1000 % sum(cadence_ms)
    is_on = np.zeros(len(tone), bool)
    begins = 0.0
    for number, length in enumerate(cadence_ms):
        if number % 2 == 0:
            is_on |= (place >= begins) & (place < begins + length)
        begins += length
    return np.where(is_on, tone, 0.0)


def noise(chance: random.Random, seconds: float, dbm0: float) -> Samples:
    made = np.random.default_rng(chance.getrandbits(32)).standard_normal(round(seconds * RATE))
    return made * ZERO_DBM0 * 10 ** (dbm0 / 20)


def speech(text: str, voice: str, words_per_minute: int = 160, pitch: int = 50) -> Samples:
    done = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-p", str(pitch), "--stdin", "--stdout"],
        input=text.encode(), capture_output=True, check=True,
    )  # fmt: skip
    with wave.open(io.BytesIO(done.stdout)) as opened:
        linear, rate = opened.readframes(opened.getnframes()), opened.getframerate()
    converted, _ = audioop.ratecv(linear, 2, 1, rate, RATE, None)
    return np.frombuffer(converted, "<i2").astype(np.float64)


@functools.cache
def sentences(language: str) -> tuple[str, ...]:
    text = (shipped_flows() / "prompts" / "texts" / f"{language}.toml").read_text(encoding="utf-8")
    return tuple(value for value in _texts(tomllib.loads(text)) if len(value) > 12)


def _texts(tree: object) -> list[str]:
    if isinstance(tree, dict):
        return [text for value in tree.values() for text in _texts(value)]
    return [tree] if isinstance(tree, str) else []


def _talk(chance: random.Random) -> Samples:
    voice = chance.choice(VOICES)
    known = sentences(voice[:2])
    text = " ".join(chance.choice(known) for _ in range(30))
    return speech(text, voice, chance.randrange(110, 230), chance.randrange(10, 95))


def _conversation(chance: random.Random) -> Samples:
    """Short words with pauses of half a second, as people answer: the rhythm of a busy tone, and no tone."""
    words = {"fa": ["الو", "بله", "بفرمایید", "نه", "صبر کنید"], "en": ["hello", "yes", "no", "who is it", "wait"]}
    voice = chance.choice(VOICES)
    said = [speech(word, voice, chance.randrange(120, 220), chance.randrange(10, 95)) for word in words[voice[:2]]]
    parts: list[Samples] = []
    while sum(map(len, parts)) < SCENE_SECONDS * RATE:
        parts += [chance.choice(said), np.zeros(round(chance.choice((0.25, 0.5, chance.uniform(0.1, 1.5))) * RATE))]
    return np.concatenate(parts)


def _melody(chance: random.Random) -> Samples:
    """Notes around and between 425 Hz with the tempi at which a cadence could come out, in many timbres."""
    beat = chance.choice((0.25, 0.5, 1.0, chance.uniform(0.2, 0.8)))
    share = chance.choice((0.5, 0.9, 1.0, chance.uniform(0.3, 1.0)))
    partials = chance.choice(((1.0,), (1.0, 0.5, 0.25), (1.0, 0.1), (0.5, 1.0, 0.3, 0.2)))
    decay = chance.choice((0.0, 2.0, 6.0))
    scale = [220 * 2 ** (step / 12) for step in range(25)]
    few = chance.sample(scale, chance.randrange(1, 8))
    chords = chance.random() < 0.4
    made = np.zeros(SCENE_SECONDS * RATE)
    for start in np.arange(0, SCENE_SECONDS - beat, beat):
        if chance.random() < 0.1:
            continue
        length = round(beat * share * RATE)
        at = np.arange(length) / RATE
        shape = np.exp(-decay * at) * np.minimum(1.0, np.minimum(at, at[-1] - at) / 0.005)
        for _ in range(3 if chords else 1):
            pitch = chance.choice(few)
            for number, strength in enumerate(partials, 1):
                begin = round(start * RATE)
                made[begin : begin + length] += 4000 * strength * shape * np.sin(2 * np.pi * pitch * number * at)
    return made


def _own_sounds(chance: random.Random) -> Samples:
    """The box's prompts and music, faster or slower."""
    folder = shipped_flows() / "prompts"
    files = sorted(folder.rglob("*.alaw"))
    parts: list[Samples] = []
    while sum(map(len, parts)) < SCENE_SECONDS * RATE:
        file = folder / "music.alaw" if chance.random() < 0.2 else chance.choice(files)
        linear = audioop.alaw2lin(_read(file), 2)
        turned, _ = audioop.ratecv(linear, 2, 1, RATE, round(RATE * chance.uniform(0.85, 1.15)), None)
        parts.append(np.frombuffer(turned, "<i2").astype(np.float64))
    return np.concatenate(parts)


@functools.cache
def _read(file: Path) -> bytes:
    return file.read_bytes()


def _other_tones(chance: random.Random) -> Samples:
    """What a line carries beside busy tone: ring-back, dial tone, call waiting, fax, keys, information tones."""
    level = chance.uniform(-32.0, -8.0)
    parts: list[Samples] = []
    while sum(map(len, parts)) < SCENE_SECONDS * RATE:
        match chance.randrange(9):
            case 0:
                parts.append(beeps((425,), (1000, 4000), chance.uniform(5, 25), level))
            case 1:
                parts.append(sine((425,), chance.uniform(1, 15), level))
            case 2:
                parts.append(beeps((425,), (200, 600, 200, 3000), chance.uniform(4, 12), level))
            case 3:
                parts.append(beeps((1100,), (500, 3000), chance.uniform(4, 12), level))
            case 4:
                parts.append(sine((2100,), chance.uniform(2.6, 4.0), level))
            case 5:
                parts.append(keys("".join(chance.choices("0123456789*#", k=11)), level, chance.choice((50, 100, 500))))
            case 6:
                parts += [sine((hertz,), 0.33, level) for hertz in (950, 1400, 1800)] + [np.zeros(RATE)]
            case 7:
                parts.append(beeps((chance.choice((350, 400, 440, 450, 480, 1000)),), (500, 500), 5, level))
            case _:
                parts.append(beeps((400, 450), (400, 200, 400, 2000), chance.uniform(4, 12), level))
        parts.append(np.zeros(round(chance.uniform(0.1, 1.0) * RATE)))
    return np.concatenate(parts)


_LOW, _HIGH = (697, 770, 852, 941), (1209, 1336, 1477)


def keys(digits: str, dbm0: float, milliseconds: int) -> Samples:
    """DTMF as sound (ITU-T Q.23), each key so long with a pause as long."""
    rows = ("123", "456", "789", "*0#")
    parts: list[Samples] = []
    for digit in digits:
        row = next(number for number, row in enumerate(rows) if digit in row)
        pair = _LOW[row], _HIGH[rows[row].index(digit)]
        parts += [sine(pair, milliseconds / 1000, dbm0), np.zeros(milliseconds * RATE // 1000)]
    return np.concatenate(parts)


def heard_keys(samples: Samples) -> str:
    """The keys whose tones are in the sound: one row and one column that hold nearly all of its energy (Goertzel)."""
    rows, window = ("123", "456", "789", "*0#"), 240
    frequencies = np.array((*_LOW, *_HIGH[:3]))
    turns = np.exp(-2j * np.pi * np.outer(np.arange(window), frequencies) / RATE)
    found, last = "", ""
    for begins in range(0, len(samples) - window, window // 2):
        part = samples[begins : begins + window]
        energy = float(part @ part)
        powers = np.abs(part @ turns) ** 2 * 2 / window
        low, high = int(np.argmax(powers[:4])), int(np.argmax(powers[4:]))
        is_key = energy > window * 100.0**2 and min(powers[low], powers[4 + high]) > 0.2 * energy
        key = rows[low][high] if is_key and powers[low] + powers[4 + high] > 0.7 * energy else ""
        found += key if key != last else ""
        last = key
    return found


def _noisy(chance: random.Random) -> Samples:
    """A poor line: talk under hum and hiss."""
    talk = _talk(chance)[: SCENE_SECONDS * RATE]
    seconds = len(talk) / RATE
    hum = sine((50, 150), seconds, chance.uniform(-50, -30))
    hiss = noise(chance, seconds, chance.uniform(-60, -35))
    return talk + hum[: len(talk)] + hiss[: len(talk)]


KINDS: dict[str, Callable[[random.Random], Samples]] = {
    "talk": _talk,
    "talk again": _talk,
    "short words": _conversation,
    "melody": _melody,
    "melody again": _melody,
    "own prompts and music": _own_sounds,
    "other tones": _other_tones,
    "noisy talk": _noisy,
}


def scene(number: int) -> tuple[str, str, bytes]:
    """Minute ``number``: its kind, its law, and its sound at a level of its own."""
    chance = random.Random(f"scene {number}")
    kind = list(KINDS)[number % len(KINDS)]
    samples = KINDS[kind](chance)[: SCENE_SECONDS * RATE]
    samples = np.pad(samples, (0, SCENE_SECONDS * RATE - len(samples)))
    law = chance.choice(("PCMA", "PCMU"))
    return kind, law, encode(samples * 10 ** (chance.uniform(-18.0, 4.0) / 20), law)
