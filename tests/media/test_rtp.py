"""RTP and RTCP: what is well formed is read, all else is refused; loss and jitter are counted as RFC 3550 says."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.media import quality, rtp

PLAIN = rtp.HEADER.pack(0x80, 8, 7, 160, 99) + b"x" * 160


def test_a_plain_packet_is_read() -> None:
    packet = rtp.parse(PLAIN)
    assert packet == rtp.Packet(8, False, 7, 160, 99, b"x" * 160)


def test_extensions_padding_and_contributing_sources_are_taken_off() -> None:
    head = rtp.HEADER.pack(0x80 | 0x30 | 2, 0x80 | 8, 7, 160, 99)
    data = head + b"\0" * 8 + b"\xbe\xde\0\1" + b"ABCD" + b"voice" + b"\0\0\3"
    packet = rtp.parse(data)
    assert packet is not None and packet.payload == b"voice" and packet.marker


@pytest.mark.parametrize(
    "data",
    [b"", PLAIN[:11], b"\x40" + PLAIN[1:], b"\x9f" + PLAIN[1:20], b"\xa0" + PLAIN[1:-1] + b"\xff", PLAIN + b"x" * 2000],
    ids=["empty", "short", "version 1", "more sources than bytes", "more padding than bytes", "too long"],
)
def test_what_is_no_packet_is_none(data: bytes) -> None:
    assert rtp.parse(data) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_the_parsers_raise(data: bytes) -> None:
    rtp.parse(data)
    rtp.parse_report(data)


def received(sequences: list[int]) -> rtp.Reception:
    reception = rtp.Reception()
    for sequence in sequences:
        if reception.ssrc < 0:
            reception.begin(1, sequence)
        else:
            reception.take(sequence)
    return reception


@given(st.integers(0, 65_535), st.integers(2, 3000), st.data())
def test_loss_duplicates_and_order_are_counted_across_the_wrap(start: int, count: int, data: st.DataObject) -> None:
    whole = [(start + number) & 0xFFFF for number in range(count)]
    lost = data.draw(st.sets(st.integers(1, max(1, count - 2)), max_size=20)) if count > 3 else set()
    sent = [sequence for number, sequence in enumerate(whole) if number not in lost]
    twice = data.draw(st.integers(0, len(sent) - 1))
    sent.insert(twice + 1, sent[twice])
    reception = received(sent)
    assert reception.lost == len(lost) and reception.duplicated == 1
    assert reception.received == count - len(lost)


def test_a_packet_that_is_overtaken_is_late_and_not_lost() -> None:
    reception = received([1, 2, 4, 3, 5])
    assert (reception.lost, reception.late, reception.duplicated) == (0, 1, 0)


def test_a_report_is_read_as_it_was_built_and_gives_the_round_trip() -> None:
    sent_at = rtp.ntp(1_790_000_000_000)
    block = rtp.Block(7, 25, -3, 80, sent_at >> 16 & 0xFFFFFFFF, 65_536)
    data = rtp.report(1, b"box", sent_at, 8000, 50, 8000, block, bye=True)
    report = rtp.parse_report(rtp.with_highest(data, 0x12345))
    assert report is not None and report.is_bye and report.ssrc == 1 and report.blocks == (block,)
    assert struct.unpack_from("!I", rtp.with_highest(data, 0x12345), 36)[0] == 0x12345
    trip = rtp.round_trip_ms(rtp.ntp(1_790_000_001_250), block)
    assert trip is not None and abs(trip - 250) < 1


@pytest.mark.parametrize(
    ("lost", "delay_ms", "r", "mos"),
    [
        (0, 20, 92.72, 4.400),
        (1, 50, 88.36, 4.297),
        (2, 100, 83.79, 4.159),
        (5, 150, 73.82, 3.771),
        (10, 250, 52.14, 2.687),
    ],
)
def test_clarity_agrees_with_the_e_model(lost: float, delay_ms: float, r: float, mos: float) -> None:
    found = quality.r_factor(lost / 100, delay_ms)
    assert abs(found - r) < 0.01 and abs(quality.mos(found) - mos) < 0.001
