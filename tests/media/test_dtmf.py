"""RFC 4733 digits: each exactly once, whatever the network does to its packets."""

from __future__ import annotations

import random
import struct

from appliance.media import dtmf

EVENT = struct.Struct("!BBH")


def packets_of(digit: str, timestamp: int, frames: int = 5) -> list[tuple[int, bytes]]:
    """What a telephone sends for one press: growing lengths, the end three times."""
    number = dtmf.DIGITS.index(digit)
    growing = [(timestamp, EVENT.pack(number, 10, 160 * (frame + 1))) for frame in range(frames - 1)]
    return growing + [(timestamp, EVENT.pack(number, 0x80 | 10, 160 * frames))] * 3


def through_a_bad_network(
    sent: list[tuple[float, int, bytes]], chance: random.Random, share: float
) -> list[tuple[float, int, bytes]]:
    """Loses, doubles and delays packets, each with the given share."""
    arrived = []
    for at, timestamp, payload in sent:
        if chance.random() < share:
            continue
        delay = 0.06 if chance.random() < share else 0.0
        arrived.append((at + delay, timestamp, payload))
        if chance.random() < share:
            arrived.append((at + 0.001, timestamp, payload))
    return sorted(arrived, key=lambda packet: packet[0])


def test_of_10000_digits_at_two_percent_of_everything_none_is_missed_and_none_doubled() -> None:
    chance = random.Random(4733)
    digits = [chance.choice(dtmf.DIGITS) for _ in range(10_000)]
    sent, at = [], 0.0
    for number, digit in enumerate(digits):
        for timestamp, payload in packets_of(digit, 8000 + number * 1600):
            sent.append((at, timestamp, payload))
            at += 0.02
        at += 0.06
    receiver, heard = dtmf.Receiver(), []
    clock = 0.0
    for moment, timestamp, payload in through_a_bad_network(sent, chance, 0.02):
        while clock + 0.02 < moment:
            clock += 0.02
            heard += receiver.due(clock)
        heard += receiver.receive(7, timestamp & 0xFFFFFFFF, payload, moment)
    heard += receiver.due(at + 1)
    assert [digit for digit, _ in heard] == digits


def test_a_long_press_is_one_digit_with_its_length() -> None:
    receiver, heard = dtmf.Receiver(), []
    for timestamp, payload in packets_of("5", 1000, frames=150):
        heard += receiver.receive(1, timestamp, payload, 0.0)
    assert heard == [("5", 3000)]


def test_a_press_whose_end_is_lost_ends_by_itself_and_its_late_end_is_not_another() -> None:
    receiver = dtmf.Receiver()
    packets = packets_of("9", 1000)
    assert receiver.receive(1, *packets[0], 0.0) == []
    assert receiver.due(0.2) == []
    assert receiver.due(0.31) == [("9", 20)]
    assert receiver.receive(1, *packets[-1], 0.4) == []


def test_the_same_key_twice_is_two_digits() -> None:
    receiver, heard = dtmf.Receiver(), []
    for timestamp, payload in packets_of("1", 1000) + packets_of("1", 3000):
        heard += receiver.receive(1, timestamp, payload, 0.0)
    assert [digit for digit, _ in heard] == ["1", "1"]


def test_what_is_no_event_is_passed_over() -> None:
    receiver = dtmf.Receiver()
    assert receiver.receive(1, 0, b"\x05", 0.0) == []
    assert receiver.receive(1, 0, EVENT.pack(16, 0x80, 800), 0.0) == []


def test_what_the_sender_presses_the_receiver_hears() -> None:
    sender, receiver, heard = dtmf.Sender(), dtmf.Receiver(), []
    sender.press("12#x*", 100)
    timestamp = 0
    while sender.is_busy:
        timestamp += 160
        _, began, payloads = sender.frame(timestamp)
        for payload in payloads:
            heard += receiver.receive(1, began, payload, timestamp / 8000)
    assert heard == [("1", 100), ("2", 100), ("#", 100), ("*", 100)]
