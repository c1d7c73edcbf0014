"""Busy and congestion tone: found in time whatever the line does to them, and found in nothing else."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.media.cadence import RINGING, SOUND, Cadence, tone_of
from appliance.signalling.settings import Trunk
from tests.support import sounds

IRAN = Trunk(name="any", proxy="any").tones
ITU = (
    "busy 425 480/480",
    "congestion 425 240/240",
    "busy 440 500/500",
    "busy 400 375/375",
    "congestion 400 400/350/225/525",
    "busy 480+620 500/500",
    "congestion 480+620 250/250",
    "busy 425 350/350",
    "busy 425 200/300",
    "congestion 425 200/200",
)
NONE = ("", "busy", "busy 425", "busy 425 500", "buzz 425 500/500", "busy 10 500/500", "busy 425 5/5", "busy x 1/2")
SECONDS = 5.0
LOSS = 0.01
MINUTES = 600
SCENES = range(MINUTES) if os.environ.get("PASOKH_LONG") else random.Random(10).sample(range(MINUTES), MINUTES // 20)


def found_in(
    sound: bytes, tones: tuple[str, ...] = IRAN, *, law: str = "PCMA", loss: float = 0.0, seed: int = 0, size: int = 160
) -> list[tuple[str, float]]:
    """What is found, with the seconds of sound until then."""
    search, chance = Cadence([tone_of(each) for each in tones]), random.Random(seed)
    found: list[tuple[str, float]] = []
    for at in range(0, len(sound) - size + 1, size):
        if chance.random() >= loss:
            stamp = (at + 0xFFFFF000) & 0xFFFFFFFF  # wraps around soon
            found += [(name, (at + size) / 8000) for name in search.receive(law, stamp, sound[at : at + size])]
    return found


def played(text: str, dbm0: float, pitch: float = 1.0, time: float = 1.0, seconds: float = 6.0) -> np.ndarray:
    tone = tone_of(text)
    return sounds.beeps([pitch * each for each in tone.hertz], [time * each for each in tone.cadence_ms], seconds, dbm0)


@given(
    text=st.sampled_from(IRAN),
    dbm0=st.floats(-35.0, -5.0),
    pitch=st.floats(0.985, 1.015),
    time=st.floats(0.85, 1.15),
    law=st.sampled_from(("PCMA", "PCMU")),
    before_ms=st.integers(0, 1500),
    seed=st.integers(0, 2**32),
)
@example(text=IRAN[0], dbm0=-35.0, pitch=1.015, time=1.15, law="PCMU", before_ms=13, seed=1)
@example(text=IRAN[1], dbm0=-35.0, pitch=0.985, time=0.85, law="PCMA", before_ms=7, seed=2)
@settings(max_examples=150, deadline=None)
def test_a_tone_is_found_within_five_seconds_at_every_level_pitch_tempo_and_loss_that_lines_have(
    text: str, dbm0: float, pitch: float, time: float, law: str, before_ms: int, seed: int
) -> None:
    lead = np.zeros(before_ms * 8)
    line = sounds.noise(random.Random(seed), before_ms / 1000 + 6.5, -55.0)
    tone = np.concatenate([lead, played(text, dbm0, pitch, time)])
    found = found_in(sounds.encode(tone + line[: len(tone)], law), law=law, loss=LOSS, seed=seed)
    assert found and found[0][0] == text.split()[0], found
    assert found[0][1] - before_ms / 1000 <= SECONDS


@pytest.mark.parametrize("text", ITU)
@pytest.mark.parametrize("dbm0", [-33.0, -10.0])
def test_the_tones_of_other_networks_are_found_where_a_trunk_names_them(text: str, dbm0: float) -> None:
    found = found_in(sounds.encode(played(text, dbm0, seconds=7.0), "PCMA"), (text,))
    assert found and found[0][0] == text.split()[0] and found[0][1] <= SECONDS


@pytest.mark.parametrize("size", [80, 240, 320, 480])
def test_packets_of_other_lengths_carry_the_same_tone(size: int) -> None:
    found = found_in(sounds.encode(played(IRAN[0], -15.0), "PCMA"), size=size)
    assert found[0][0] == "busy" and found[0][1] <= SECONDS


def test_a_gateway_that_sends_nothing_in_the_pauses_is_understood() -> None:
    search, found = Cadence([tone_of(each) for each in IRAN]), []
    for number, frame in enumerate(sounds.frames(sounds.encode(played(IRAN[0], -15.0), "PCMA"))):
        if frame.strip(b"\xd5\x55"):
            found += search.receive("PCMA", 160 * number, frame)
    assert found[:1] == ["busy"]


def test_packets_that_come_late_or_twice_change_nothing() -> None:
    search, found = Cadence([tone_of(each) for each in IRAN]), []
    parts = sounds.frames(sounds.encode(played(IRAN[1], -15.0), "PCMU"))
    for number, frame in enumerate(parts):
        found += search.receive("PCMU", 160 * number, frame)
        if number % 5 == 4:
            found += search.receive("PCMU", 160 * (number - 3), parts[number - 3])
    assert found[:1] == ["congestion"]


def test_our_own_side_s_echo_does_not_hide_the_tone() -> None:
    chance = random.Random(3)
    echo = sounds.speech("hello, hello, is anybody there? please speak, we hear nothing at all", "en-us")
    tone = played(IRAN[0], -12.0, seconds=12.0)
    echo = np.resize(echo, len(tone)) * 10 ** (-20 / 20)
    line = sounds.noise(chance, 12.0, -55.0)
    found = [name for name, _ in found_in(sounds.encode(tone + echo + line, "PCMA")) if name != SOUND]
    assert found and found[0] == "busy"


def test_a_voice_before_the_tone_is_told_as_sound_and_the_tone_is_found_in_time() -> None:
    voice = sounds.speech("بله، بفرمایید", "fa")
    found = found_in(sounds.encode(np.concatenate([voice, np.zeros(2000), played(IRAN[0], -15.0)]), "PCMA"))
    assert [name for name, _ in found[:2]] == [SOUND, "busy"]
    assert found[1][1] - len(voice) / 8000 - 0.25 <= SECONDS


def test_tones_and_silence_are_no_sound_and_sound_is_told_once() -> None:
    quiet = np.concatenate(
        [np.zeros(8000), played(IRAN[0], -20.0), played(IRAN[1], -20.0), sounds.sine((425,), 3, -12)]
    )
    assert SOUND not in [name for name, _ in found_in(sounds.encode(quiet, "PCMA"))]
    voice = sounds.speech("hello. who is it? hello?", "en-us")
    assert [name for name, _ in found_in(sounds.encode(voice, "PCMA"))].count(SOUND) == 1


@pytest.mark.parametrize("cadence_ms", [(1000, 4000), (850, 3400), (1150, 4600), (1000, 3000)])
def test_ring_back_is_told_once_and_is_no_sound(cadence_ms: tuple[int, int]) -> None:
    rings = np.concatenate([np.zeros(4000), sounds.beeps((425,), cadence_ms, 22.0, -18.0)])
    found = found_in(sounds.encode(rings, "PCMA"), loss=LOSS)
    assert [name for name, _ in found] == [RINGING] and found[0][1] <= 8.0
    voice = sounds.speech("hello. who is it?", "en-us")
    assert [name for name, _ in found_in(sounds.encode(np.concatenate([rings, voice]), "PCMU"), law="PCMU")] == [
        RINGING,
        SOUND,
    ]


def test_a_dial_tone_and_a_lone_beep_are_no_ringing() -> None:
    sound = np.concatenate(
        [sounds.sine((425,), 1.0, -15), np.zeros(24_000), sounds.sine((425,), 2.0, -15), np.zeros(24_000)]
    )
    assert found_in(sounds.encode(sound, "PCMA")) == []


@pytest.mark.parametrize("text", [*NONE, "busy 425+480+620 500/500", "busy nan 500/500", "busy 425 500/500/500"])
def test_what_is_no_tone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no tone"):
        tone_of(text)


def test_nothing_else_on_a_line_is_taken_for_a_tone() -> None:
    """Ten hours of voices, music, prompts and other tones; a seeded twentieth by default."""
    false: list[str] = []
    for number in SCENES:
        kind, law, sound = sounds.scene(number)
        others = {SOUND, RINGING} if kind == "other tones" else {SOUND}  # those ring
        found = [(name, at) for name, at in found_in(sound, law=law, loss=LOSS, seed=number) if name not in others]
        false += [f"minute {number} ({kind}): {name} at {at:.1f} s" for name, at in found]
    print(f"false tones: {len(false)} in {len(SCENES) / 60:.2f} hours")
    assert not false
