"""Voices that are put together: what is heard of each, in which order, how late, and by whom."""

from __future__ import annotations

import audioop
import itertools
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.media import port
from appliance.media.mix import LEAST_FRAMES, MOST_BYTES, MOST_FRAMES, Mix, Voice, listeners
from appliance.media.prompts import CONVERT, FRAME, SILENCE, Player, Sounds

CUSTOMER, AGENT, SUPERVISOR = "c" * 32, "a" * 32, "5" * 32
TEN_MINUTES = 30_000  # frames
MODES: tuple[port.Mode, ...] = ("listen", "whisper", "join")


def frame(number: int) -> bytes:
    """A frame that says its number; none is silence."""
    return bytes([number % 0x50]) * FRAME


def loud(level: int, law: str = "PCMA") -> bytes:
    linear = struct.pack("<160h", *[level] * FRAME)
    return audioop.lin2alaw(linear, 2) if law == "PCMA" else audioop.lin2ulaw(linear, 2)


def speaking(*sounds: bytes, law: str = "PCMA") -> Mix[int]:
    """A mix of voices that say one frame each, again and again."""
    mix: Mix[int] = Mix()
    for number, sound in enumerate(sounds):
        voice = mix.voices[number] = Voice()
        for at in range(LEAST_FRAMES):
            voice.put(law, FRAME * at, sound)
    return mix


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("told", [(), (AGENT,), (CUSTOMER, AGENT, SUPERVISOR)])
def test_the_customer_hears_the_supervisor_in_no_mode_but_join(mode: port.Mode, told: tuple[str, ...]) -> None:
    table = listeners(port.Supervise(SUPERVISOR, CUSTOMER, AGENT, mode, told))
    assert table[SUPERVISOR] == (CUSTOMER, AGENT)
    assert (SUPERVISOR in table.get(CUSTOMER, ())) is (mode == "join")
    assert (SUPERVISOR in table.get(AGENT, ())) is (mode != "listen")
    assert CUSTOMER not in table or AGENT in table[CUSTOMER]
    assert AGENT not in table or CUSTOMER in table[AGENT]


def test_nobody_hears_a_mix_who_needs_none() -> None:
    assert listeners(port.Supervise(SUPERVISOR, CUSTOMER, AGENT, "listen")).keys() == {SUPERVISOR}
    assert listeners(port.Supervise(SUPERVISOR, CUSTOMER, AGENT, "whisper")).keys() == {SUPERVISOR, AGENT}


@pytest.mark.parametrize("law", ["PCMA", "PCMU"])
def test_one_voice_among_silent_ones_is_that_voice_byte_for_byte(law: str) -> None:
    sound = bytes(range(FRAME))
    assert speaking(SILENCE[law], sound, SILENCE[law], law=law).frame(law) == sound
    other = "PCMU" if law == "PCMA" else "PCMA"
    assert speaking(sound, law=other).frame(law) == sound.translate(CONVERT[law])
    assert speaking(SILENCE[law], law=law).frame(law) == SILENCE[law] == speaking().frame(law)


def test_two_voices_are_their_sum_and_never_beyond_full_scale() -> None:
    linear = audioop.alaw2lin(speaking(loud(4000), loud(2000)).frame("PCMA"), 2)
    assert {abs(sample - 6000) < 200 for sample in struct.unpack("<160h", linear)} == {True}
    for sign in (1, -1):
        both = audioop.ulaw2lin(speaking(loud(30_000 * sign), loud(30_000 * sign)).frame("PCMU"), 2)
        assert {sample * sign > 30_000 for sample in struct.unpack("<160h", both)} == {True}


def test_a_beep_is_heard_with_the_voice_and_then_the_voice_alone(tmp_path: Path) -> None:
    (tmp_path / "beep.alaw").write_bytes(loud(5000))
    mix = speaking(loud(1000))
    piece = port.Piece(str(tmp_path / "beep"))
    mix.beep = Player(0, (piece,), "PCMA", Sounds(tmp_path), loops=False, is_speech=False)
    both = struct.unpack("<160h", audioop.alaw2lin(mix.frame("PCMA"), 2))
    assert abs(both[0] - 6000) < 200
    assert mix.frame("PCMA") == loud(1000) and mix.beep is None


@settings(max_examples=40)
@given(st.integers(0, 0xFFFFFFFF), st.lists(st.sampled_from([10, 20, 30, 40, 60]), min_size=40, max_size=80))
def test_packets_of_any_length_are_heard_whole_and_in_order(start: int, lengths: list[int]) -> None:
    voice, sent, heard, timestamp = Voice(), b"", b"", start
    for number, milliseconds in enumerate(lengths):
        payload = bytes([number]) * (8 * milliseconds)
        voice.put("PCMU", timestamp & 0xFFFFFFFF, payload)
        timestamp += len(payload)
        sent += payload
        while len(sent) - len(heard) >= 2 * FRAME and (found := voice.take()) is not None:
            heard += found
    assert heard and sent.startswith(heard)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(0, 3), st.floats(0, 0.1))
def test_loss_and_uneven_arrival_change_no_order_and_double_nothing(seed: int, spread_frames: int, loss: float) -> None:
    chance = random.Random(seed)
    arrivals: dict[int, list[int]] = {}
    for number in range(300):
        if chance.random() >= loss:
            arrivals.setdefault(number + chance.randint(0, spread_frames), []).append(number)
    voice, heard = Voice(), []
    for tick in range(310):
        come = arrivals.get(tick, [])
        chance.shuffle(come)
        for number in come:
            voice.put("PCMA", 0xFFFF_F000 + FRAME * number & 0xFFFFFFFF, struct.pack("!H", 1 + number) * 80)
        sound = voice.take()
        if sound is not None and sound != SILENCE["PCMA"]:
            heard.append(struct.unpack("!H", sound[:2])[0])
    assert heard == sorted(set(heard))
    got = sum(map(len, arrivals.values()))
    assert len(heard) >= got - 40, "what came late is lost, and what is behind the end"


@pytest.mark.parametrize("ppm", [-300, 300])
def test_a_far_clock_that_drifts_never_adds_up_to_a_delay(ppm: int) -> None:
    """Ten minutes; what is dropped or missing is what the drift is (9 frames), and each new beginning."""
    voice, sent, heard, longest = Voice(), 0, 0, 0
    for tick in range(TEN_MINUTES):
        while sent <= tick * (1 + ppm / 1e6):
            voice.put("PCMA", FRAME * sent & 0xFFFFFFFF, b"\x11" * FRAME)
            sent += 1
        heard += voice.take() is not None
        longest = max(longest, len(voice._sound))
    assert longest <= (MOST_FRAMES + 2) * FRAME
    assert TEN_MINUTES - heard <= 60


def test_a_stall_is_passed_over_and_a_pause_or_a_new_beginning_of_the_sender_is_none() -> None:
    voice = Voice()
    for number in range(60):  # a second and more in one moment
        voice.put("PCMA", FRAME * number, frame(number))
    assert len(voice._sound) <= MOST_BYTES
    heard = [voice.take() for _ in range(LEAST_FRAMES)]
    assert None not in heard and heard[-1] in list(map(frame, range(30, 60)))
    while voice.take() is not None:
        continue
    for start in (8000 * 60, 77):  # silence was not sent; another source
        for number in range(8):
            voice.put("PCMA", start + FRAME * number, frame(number))
        taken = list(itertools.takewhile(bool, (voice.take() for _ in range(20))))
        assert taken == [frame(number) for number in range(8)]


def test_another_law_in_the_middle_of_a_call_is_heard_as_such() -> None:
    mix = speaking(frame(1))
    for at in range(4):
        mix.voices[0].put("PCMU", FRAME * (4 + at), frame(2))
    assert mix.frame("PCMU") == frame(2)
