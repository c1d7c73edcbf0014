"""Busy and congestion tone by cadence: what is found, what is found wrongly, and what the search costs.

True: tones over the whole range of levels, pitches and tempi, with loss; false: ten hours of everything else
(``tests/support/sounds.py``, by kind); cost: CPU milliseconds for each second of a leg that is attended, and of one
that is not, through the very ``Stream`` that the box runs.
"""

from __future__ import annotations

import collections
import itertools
import random
import time

import numpy as np

from appliance.media import port, rtp
from appliance.media.cadence import RINGING, SOUND, Cadence, tone_of
from appliance.media.stream import Stream
from appliance.signalling.settings import Trunk
from tests.support import sounds

TONES = Trunk(name="any", proxy="any").tones
MINUTES = 600
LOSS = 0.01
IN_TIME = 5.0
LEVELS = (-35.0, -30.0, -25.0, -20.0, -15.0, -10.0, -5.0)
PITCHES = (0.985, 1.0, 1.015)
TEMPI = (0.85, 0.93, 1.0, 1.07, 1.15)
COST_SECONDS = 600


def search(law: str, sound: bytes, seed: int) -> list[tuple[str, float]]:
    """Every tone found, with the seconds of sound until then."""
    found: list[tuple[str, float]] = []
    searching, chance = Cadence([tone_of(each) for each in TONES]), random.Random(seed)
    for at in range(0, len(sound) - 159, 160):
        if chance.random() >= LOSS:
            names = searching.receive(law, at, sound[at : at + 160])
            found += [(name, (at + 160) / 8000) for name in names if name not in (SOUND, RINGING)]
    return found


def true() -> dict[str, object]:
    """Tones that must be found, and how soon they are."""
    times: list[float] = []
    missed: list[str] = []
    for number, (text, dbm0, pitch, tempo, law) in enumerate(
        itertools.product(TONES, LEVELS, PITCHES, TEMPI, ("PCMA", "PCMU"))
    ):
        tone, chance = tone_of(text), random.Random(number)
        played = sounds.beeps(
            [pitch * each for each in tone.hertz], [tempo * each for each in tone.cadence_ms], 7.0, dbm0
        )
        before = chance.randrange(8000)
        line = np.concatenate([np.zeros(before), played]) + sounds.noise(chance, 7.0 + before / 8000, -55.0)
        found = search(law, sounds.encode(line, law), number)
        if found and found[0][0] == tone.name and found[0][1] - before / 8000 <= IN_TIME:
            times.append(found[0][1] - before / 8000)
        else:
            missed.append(f"{text} at {dbm0} dBm0, pitch {pitch}, tempo {tempo}, {law}")
    ordered = sorted(times)
    return {
        "tones": len(times) + len(missed),
        "found_in_5_s": len(times),
        "missed": missed,
        "median_s": round(ordered[len(ordered) // 2], 2),
        "slowest_s": round(ordered[-1], 2),
    }


def false() -> dict[str, object]:
    """By kind of sound: minutes, and tones that were none."""
    minutes: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    for number in range(MINUTES):
        kind, law, sound = sounds.scene(number)
        minutes[kind] += 1
        wrong += [f"minute {number} ({kind}): {name} at {at:.1f} s" for name, at in search(law, sound, number)]
    return {"hours": MINUTES / 60, "minutes": dict(minutes), "false": len(wrong), "where": wrong}


def cost() -> dict[str, float]:
    """CPU milliseconds for each second of a leg, by what is heard on it."""
    talk = sounds.scene(0)[2]
    busy = sounds.encode(sounds.beeps((425,), (1000, 4000), 60.0, -15.0), "PCMA")  # a tone that is never decided on
    heard = {"talk": talk, "ring-back": busy, "silence": b"\xd5" * len(talk)}
    without = {name: _cost(sound, ()) for name, sound in heard.items()}
    attended = {name: _cost(sound, TONES) for name, sound in heard.items()}
    return {
        **{f"attended, {name}": round(attended[name] - without[name], 4) for name in heard},
        **{f"whole receive path without, {name}": round(without[name], 4) for name in heard},
    }


def _cost(sound: bytes, tones: tuple[str, ...]) -> float:
    address = ("192.0.2.1", 4000)
    stream = Stream("a" * 32, 20_000, _sent, _sent, lambda _event: None, lambda: 1, 50)
    stream.set_remote(port.SetRemote("a" * 32, *address, "PCMA", 8, 8, 101, 101, sends=True, receives=True))
    stream.attend(tones)
    frames = sounds.frames(sound)
    packets = [
        rtp.HEADER.pack(0x80, 8, number & 0xFFFF, 160 * number, 7) + frames[number % len(frames)]
        for number in range(50 * COST_SECONDS)
    ]
    began = time.process_time()
    for number, packet in enumerate(packets):
        stream.receive(packet, address, 0.02 * number)
    return (time.process_time() - began) * 1000 / COST_SECONDS


def _sent(data: bytes, _address: tuple[str, int]) -> int:
    return len(data)


def measure() -> dict[str, object]:
    return {"cpu_ms_per_call_second": cost(), "true": true(), "false": false()}
