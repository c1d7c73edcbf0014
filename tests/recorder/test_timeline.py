"""Sound lies where its timestamp says, whatever the network does to packets and however wrong the far clock is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.recorder.timeline import DRIFT_SAMPLES, SLOT_BYTES, Timeline

HOLD = 0.1
SILENCE = b"\xff" * SLOT_BYTES
Packet = tuple[float, int, bytes]  # arrival, timestamp, sound


def sound(number: int) -> bytes:
    """A frame that cannot be taken for another one or for silence."""
    return number.to_bytes(4, "big") * 40


def settled(timeline: Timeline, until: float) -> list[bytes]:
    return [bytes(sound) for sound in timeline.settle(until)[0]]


def played(packets: list[Packet], seconds: float, timeline: Timeline | None = None) -> list[bytes]:
    """The slots after all packets have arrived, looked at every 100 ms as the recorder does."""
    timeline = timeline or Timeline(0xFF)
    out: list[bytes] = []
    waiting = sorted(packets, key=lambda packet: packet[0])
    at = 0
    for look in range(1, round((seconds + HOLD) * 10) + 2):
        while at < len(waiting) and waiting[at][0] <= look / 10:
            arrival, timestamp, payload = waiting[at]
            timeline.put(timestamp & 0xFFFFFFFF, payload, arrival)
            at += 1
        out += settled(timeline, look / 10 - HOLD)
    return out


@st.composite
def journeys(draw: st.DrawFn) -> tuple[int, list[tuple[int, float, bool]]]:
    """A first timestamp (often near the wrap), and of each packet that is not lost: number, delay, doubled or not."""
    first = draw(st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0xFFFFFFFF - 8000, 0xFFFFFFFF)))
    seed = random.Random(draw(st.integers(0, 1 << 30)))
    loss, jitter, double = draw(st.tuples(st.floats(0, 0.4), st.floats(0, 0.09), st.floats(0, 0.3)))
    fates = [
        (n, seed.uniform(0, jitter), seed.random() < double) for n in range(200) if n == 0 or seed.random() >= loss
    ]
    return first, [(n, 0.0 if n == 0 else delay, doubled) for n, delay, doubled in fates]


@given(journeys())
@settings(max_examples=60)
def test_loss_doubles_and_disorder_within_the_hold_never_move_sound(
    journey: tuple[int, list[tuple[int, float, bool]]],
) -> None:
    first, fates = journey
    packets: list[Packet] = []
    for number, delay, is_double in fates:
        packets += [(0.005 + number * 0.02 + delay, first + number * 160, sound(number))] * (1 + is_double)
    timeline = Timeline(0xFF)
    slots = played(packets, 4.0, timeline)
    there = {number for number, _, _ in fates}
    assert slots[:200] == [sound(n) if n in there else SILENCE for n in range(200)]
    assert timeline.filled_slots == len(slots) - len(there)
    assert timeline.packets == len(packets) and timeline.resyncs == 0 and timeline.late_packets == 0


def test_a_packet_later_than_the_hold_is_kept_aside_with_its_place() -> None:
    packets = [(0.005 + n * 0.02, 5000 + n * 160, sound(n)) for n in range(100) if n != 40]
    timeline = Timeline(0xFF)
    slots = played([*packets, (1.3, 5000 + 40 * 160, sound(40))], 2.0, timeline)
    assert slots[40] == SILENCE and slots[39] == sound(39) and slots[41] == sound(41)
    assert timeline.take_late() == [(40 * 160, 5000 + 40 * 160, sound(40))]
    assert timeline.late_packets == 1 and timeline.take_late() == []


@pytest.mark.parametrize("ppm", [-300, -100, 100, 300])
def test_a_far_clock_that_is_wrong_is_followed_within_40_ms_and_a_slot(ppm: int) -> None:
    """Ten minutes; each packet is found again, and its place compared with the moment it was said."""
    timeline = Timeline(0xFF)
    step = 0.02 * (1 + ppm / 1e6)
    count = 30_000
    placed: dict[int, int] = {}
    slot = 0
    for number in range(count):
        arrival = 0.005 + number * step
        timeline.put((number * 160) & 0xFFFFFFFF, sound(number), arrival)
        if number % 50 == 49:
            for payload in settled(timeline, arrival - HOLD):
                if payload != SILENCE:
                    placed[int.from_bytes(payload[:4], "big")] = slot
                slot += 1
    worst = max(abs(at * 0.02 - number * step) for number, at in placed.items())
    assert worst <= DRIFT_SAMPLES / 8000 + 0.03, worst
    assert timeline.resyncs >= 1 if abs(ppm) == 300 else timeline.resyncs <= 3
    skipped = (count - 60) - len(placed)
    assert skipped <= 3 * timeline.resyncs, "a new anchor costs at most the packets that fall together"


def test_a_new_source_goes_on_where_it_is_heard() -> None:
    timeline = Timeline(0xFF)
    for n in range(50):
        timeline.put(7_000_000 + n * 160, sound(n), 0.005 + n * 0.02)
    timeline.resync()
    for n in range(50, 100):
        timeline.put(3_111_222_333 + n * 160, sound(n), 0.005 + n * 0.02)
    assert settled(timeline, 2.0) == [sound(n) for n in range(100)]


@given(st.integers(1 << 16, (1 << 32) - (1 << 16)))
@settings(max_examples=40)
def test_a_sender_that_jumps_in_its_timestamps_loses_nothing(jump: int) -> None:
    timeline = Timeline(0xFF)
    for n in range(100):
        timestamp = n * 160 + (jump if n >= 50 else 0)
        timeline.put(timestamp & 0xFFFFFFFF, sound(n), 0.005 + n * 0.02)
    assert settled(timeline, 2.0) == [sound(n) for n in range(100)]
    assert timeline.resyncs == 1


@given(st.lists(st.sampled_from([80, 160, 240, 320, 480]), min_size=1, max_size=40), st.integers(0, 0xFFFFFFFF))
@settings(max_examples=60)
def test_packets_of_any_length_are_joined_without_a_seam(lengths: list[int], first: int) -> None:
    timeline = Timeline(0xFF)
    data = random.Random(1).randbytes(sum(lengths))
    at = 0
    for length in lengths:
        timeline.put((first + at) & 0xFFFFFFFF, data[at : at + length], at / 8000 + 0.005)
        at += length
    whole = b"".join(settled(timeline, at / 8000 + 0.02))
    assert whole[:at] == data and set(whole[at:]) <= {0xFF}


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.binary(max_size=700), st.floats(0, 3)), max_size=60))
def test_no_packet_whatsoever_breaks_the_grid(packets: list[tuple[int, bytes, float]]) -> None:
    timeline = Timeline(0xFF)
    slots: list[bytes] = []
    for timestamp, payload, arrival in sorted(packets, key=lambda packet: packet[2]):
        timeline.put(timestamp, payload, arrival)
        slots += settled(timeline, arrival - HOLD)
    slots += settled(timeline, 4.0)
    assert len(slots) == 200 and all(len(slot) == SLOT_BYTES for slot in slots)


def test_what_is_our_own_or_masked_is_told_with_its_slot() -> None:
    timeline = Timeline(0xFF)
    for n in range(10):
        timeline.put(n * 160, sound(n), 0.005 + n * 0.02, n in (2, 3))
    timeline.mask(0.1, 40)
    sounds, own, filled = timeline.settle(0.24)
    assert (len(sounds), own, filled) == (12, 0b000011101100, 0b110000000000)


def test_late_packets_are_counted_without_end_but_kept_with_one() -> None:
    timeline = Timeline(0xFF)
    timeline.put(0, sound(0), 0.005)
    timeline.settle(8.0)
    for n in range(155, 398):
        timeline.put(n * 160, sound(n), 8.0)
    assert timeline.late_packets == 243 and len(timeline.take_late()) == 200


def test_a_burst_after_a_stall_moves_nothing_and_loses_nothing() -> None:
    timeline = Timeline(0xFF)
    packets = [(max(0.005 + n * 0.02, 3.0 if 50 <= n < 150 else 0), n * 160, sound(n)) for n in range(250)]
    slots = played(packets, 5.0, timeline)
    late = {position // 160: payload for position, _, payload in timeline.take_late()}
    assert timeline.resyncs == 0 and timeline.late_packets == len(late) >= 90
    assert [late.get(n, slots[n]) for n in range(250)] == [sound(n) for n in range(250)]


def test_a_double_that_comes_late_covers_nothing() -> None:
    timeline = Timeline(0xFF)
    for n in range(50):
        timeline.put(n * 160, sound(n), 0.005 + n * 0.02)
    timeline.settle(0.9)
    timeline.put(10 * 160, sound(99), 1.0)
    assert timeline.late_packets == 1 and timeline.take_late() == []


def test_a_longer_way_is_followed_after_a_second() -> None:
    timeline = Timeline(0xFF)
    for n in range(400):
        timeline.put(n * 160, sound(n), 0.005 + n * 0.02 + (0.06 if n >= 100 else 0))
    slots = settled(timeline, 8.06)
    assert timeline.resyncs == 1 and slots[:150] == [sound(n) for n in range(150)]
    assert slots[203:403] == [sound(n) for n in range(200, 400)]


@given(st.floats(0.0, 0.02), st.floats(0.0, 0.02), st.floats(0.2, 0.5))
def test_the_two_directions_lie_within_half_a_slot_of_how_they_came(
    left_at: float, right_at: float, later: float
) -> None:
    left = Timeline(0xFF)
    right = Timeline(0xFF, 0.0, left)
    left.put(0, sound(1), left_at)
    right.put(0, sound(2), later + right_at)
    places = [settled(each, 1.0).index(sound(number)) for number, each in ((1, left), (2, right))]
    assert abs((places[1] - places[0]) * 0.02 - (later + right_at - left_at)) <= 0.0101
