"""RTP and RTCP packets, and what is known of the reception of one source (RFC 3550).

``parse`` is strict: a packet that is not well formed is None, never an exception. The hot path of stream.py reads plain
packets by itself and comes here only for those with extensions, padding or contributing sources.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

CLOCK_RATE = 8000
FRAME_SAMPLES = 160  # 20 ms
HEADER = struct.Struct("!BBHII")
MAX_PACKET_BYTES = 1500
MAX_MISORDER = 100  # RFC 3550, appendix A.1
MAX_DROPOUT = 3000
REMEMBERED = 62  # sequence numbers below the highest that are told apart as duplicates or late
SEEN_MASK = (1 << REMEMBERED) - 1

_SENDER = struct.Struct("!IIIIII")  # SSRC, NTP seconds, fraction, RTP time, packets, octets
_BLOCK = struct.Struct("!IIIIII")  # SSRC, fraction and lost, highest, jitter, last SR, delay


@dataclass(frozen=True, slots=True)
class Packet:
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse(data: bytes) -> Packet | None:
    """One RTP packet of version 2, or None."""
    if not 12 <= len(data) <= MAX_PACKET_BYTES or data[0] >> 6 != 2:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    start = 12 + 4 * (first & 0x0F)
    end = len(data)
    if first & 0x10:  # header extension
        if start + 4 > end:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & 0x20:  # padding: its last byte counts itself
        if end <= start or not 1 <= data[-1] <= end - start:
            return None
        end -= data[-1]
    if start > end or 72 <= second & 0x7F <= 76:  # RTCP that strayed here
        return None
    return Packet(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, data[start:end])


class Reception:
    """Counts of one source by sequence number, and its jitter (RFC 3550, A.1, A.3 and A.8)."""

    __slots__ = (
        "_base",
        "_cycles",
        "_expected_before",
        "_received_before",
        "duplicated",
        "highest",
        "jitter",
        "late",
        "received",
        "seen",
        "ssrc",
        "transit",
    )

    def __init__(self) -> None:
        self.ssrc = -1
        self.highest = -1
        self.received = 0
        self.late = 0
        self.duplicated = 0
        self.jitter = 0.0  # in samples
        self._base = 0
        self._cycles = 0
        self.seen = 0  # bit n: the number n below the highest was received
        self.transit = 0.0
        self._expected_before = 0
        self._received_before = 0

    def begin(self, ssrc: int, sequence: int) -> None:
        """A new source: counting goes on where it was, in its own numbers."""
        lost = self.lost
        self.ssrc = ssrc
        self._base = sequence - self.received - lost
        self._cycles = 0
        self.highest = sequence
        self.seen = 1
        self.received += 1
        self.transit = 0.0

    def take(self, sequence: int) -> bool:
        """Counts a packet that is not simply the next one; False for a duplicate."""
        ahead = (sequence - self.highest) & 0xFFFF
        if ahead == 0:
            self.duplicated += 1
            return False
        if ahead < MAX_DROPOUT:
            if sequence < self.highest:
                self._cycles += 0x10000
            self.highest = sequence
            self.seen = (self.seen << ahead | 1) & SEEN_MASK
        elif ahead <= 0x10000 - MAX_MISORDER:  # so far off that the source has begun anew
            self.begin(self.ssrc, sequence)
            return True
        else:
            behind = 0x10000 - ahead
            if behind < REMEMBERED and self.seen >> behind & 1:
                self.duplicated += 1
                return False
            self.seen |= 1 << behind if behind < REMEMBERED else 0
            self.late += 1
        self.received += 1
        return True

    @property
    def expected(self) -> int:
        return self._cycles + self.highest - self._base + 1 if self.highest >= 0 else 0

    @property
    def lost(self) -> int:
        return max(0, self.expected - self.received)

    @property
    def extended(self) -> int:
        """The highest sequence number with its cycles (RFC 3550, 6.4.1)."""
        return (self._cycles + max(self.highest, 0)) & 0xFFFFFFFF

    def interval_fraction(self) -> int:
        """Loss since the last call in 256ths (RFC 3550, A.3)."""
        expected = self.expected - self._expected_before
        received = self.received - self._received_before
        self._expected_before, self._received_before = self.expected, self.received
        lost = expected - received
        return min(255, (lost << 8) // expected) if expected > 0 and lost > 0 else 0


@dataclass(frozen=True, slots=True)
class Block:
    """What the other side says of one of our sources. ``round_trip`` needs our clock: see ``round_trip_ms``."""

    ssrc: int
    fraction: int
    lost: int
    jitter: int
    last_sender: int
    delay: int


@dataclass(frozen=True, slots=True)
class Report:
    """A compound RTCP packet as far as it matters here."""

    ssrc: int
    middle_ntp: int | None  # of their sender report
    blocks: tuple[Block, ...]
    is_bye: bool


def report(
    ssrc: int,
    name: bytes,
    ntp: int,
    timestamp: int,
    packets: int,
    octets: int,
    block: Block | None,
    bye: bool = False,
) -> bytes:
    """SR (or RR where nothing was sent), SDES with a CNAME, and BYE at the end (RFC 3550, 6)."""
    blocks = b""
    if block is not None:
        lost = max(-(1 << 23), min((1 << 23) - 1, block.lost)) & 0xFFFFFF
        blocks = _BLOCK.pack(block.ssrc, block.fraction << 24 | lost, 0, block.jitter, block.last_sender, block.delay)
    if packets:
        body = _SENDER.pack(ssrc, ntp >> 32, ntp & 0xFFFFFFFF, timestamp, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
        kind = 200
    else:
        body, kind = ssrc.to_bytes(4, "big"), 201
    head = struct.pack("!BBH", 0x80 | bool(blocks), kind, (len(body) + len(blocks)) // 4)
    item = b"\x01" + bytes([len(name)]) + name + b"\0"
    item += b"\0" * (-len(item) % 4)
    description = struct.pack("!BBHI", 0x81, 202, 1 + len(item) // 4, ssrc) + item
    ending = struct.pack("!BBHI", 0x81, 203, 1, ssrc) if bye else b""
    return head + body + blocks + description + ending


def with_highest(data: bytes, extended: int) -> bytes:
    """The first report block of ``data`` with its highest sequence number filled in."""
    start = 8 + (20 if data[1] == 200 else 0) + 8
    return data[:start] + extended.to_bytes(4, "big") + data[start + 4 :]


def parse_report(data: bytes) -> Report | None:
    """A compound packet, or None if it is none."""
    blocks: list[Block] = []
    ssrc, middle, is_bye, at = -1, None, False, 0
    while at + 4 <= len(data):
        first, kind, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            return None
        if kind in (200, 201) and end - at >= 8:
            ssrc = int.from_bytes(data[at + 4 : at + 8], "big")
            start = at + 8
            if kind == 200 and end - start >= 20:
                middle = int.from_bytes(data[start + 2 : start + 6], "big")
                start += 20
            while start + 24 <= end and len(blocks) < 31:
                source, lost, _, jitter, last, delay = _BLOCK.unpack_from(data, start)
                number = lost & 0xFFFFFF
                blocks.append(
                    Block(source, lost >> 24, number - (1 << 24) if number >> 23 else number, jitter, last, delay)
                )
                start += 24
        elif kind == 203:
            is_bye = True
        at = end
    return None if ssrc < 0 else Report(ssrc, middle, tuple(blocks), is_bye)


def ntp(utc_ms: int) -> int:
    """64 bits of NTP time: seconds since 1900 and their fraction."""
    return (utc_ms // 1000 + 2_208_988_800) << 32 | (utc_ms % 1000 << 32) // 1000


def round_trip_ms(now_ntp: int, block: Block) -> float | None:
    """From our last sender report, by way of the other side, back to us (RFC 3550, 6.4.1)."""
    if not block.last_sender:
        return None
    trip = ((now_ntp >> 16) - block.last_sender - block.delay) & 0xFFFFFFFF
    return None if trip > 0x7FFFFFFF else trip * 1000.0 / 65536.0
