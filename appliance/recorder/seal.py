"""R.seal: an authenticated index of a recording, two records a second, beside its body.

Each record says which prefix of the body it vouches for (length and SHA-256, in clear, so that a box without any key
can cut a torn body to its last good half second) and carries a payload only the key holder can read or forge: nonce =
the record's number, associated data = the tag of the record before (for the first one the recording's id) and the
clear fields. Layout (big-endian): ``PSKSEAL1``, then records of length u32, CRC-32 of the rest u32, type u8, number
u64, body length u64, SHA-256 32 bytes, ciphertext and tag.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from appliance.recorder.container import TAG_BYTES, DamagedError
from appliance.recorder.keys import derive

MAGIC = b"PSKSEAL1"
INFO = b"pasokh/seal/v1"
_LENGTH = struct.Struct(">II")
_CLEAR = struct.Struct(">BQQ32s")
_CHANNEL = struct.Struct(">IHHHHbI")  # RTP timestamp, packets, lost, late, filled samples, level dBov, speech bits
_TICK = struct.Struct(">QQQB")  # plain bytes, UTC ms, monotonic ms, clock quality
_LATE = struct.Struct(">BQI")  # channel, sample position, RTP timestamp
TICK_BYTES = _TICK.size + 2 * _CHANNEL.size  # 59


class Type(IntEnum):
    """What a record is."""

    START = 1
    TICK = 2
    MARK = 3
    LATE = 4
    END = 5


_TYPES = frozenset(Type)


@dataclass(frozen=True, slots=True)
class Record:
    """One record in clear; ``payload`` is empty until a key has opened it."""

    type: Type
    number: int
    body_bytes: int
    digest: bytes
    sealed: bytes
    clear: bytes
    payload: bytes = b""


class Channel(NamedTuple):
    """What one direction was in one half second. ``speech`` holds one bit per 20 ms, the first in bit 0.

    A tuple, as is ``Tick``: they are made six times a second for every call, and a frozen class costs thrice as much.
    """

    timestamp: int
    packets: int
    lost: int
    late: int
    filled_samples: int
    level_dbov: int
    speech: int


class Tick(NamedTuple):
    plain_bytes: int
    utc_ms: int
    monotonic_ms: int
    clock_quality: int
    left: Channel
    right: Channel

    def encode(self) -> bytes:
        return (
            _TICK.pack(self.plain_bytes, self.utc_ms, self.monotonic_ms, self.clock_quality)
            + _packed(self.left)
            + _packed(self.right)
        )


def decode_tick(payload: bytes) -> Tick:
    if len(payload) != TICK_BYTES:
        raise DamagedError("seal: tick")
    left = Channel(*_CHANNEL.unpack_from(payload, _TICK.size))
    right = Channel(*_CHANNEL.unpack_from(payload, _TICK.size + _CHANNEL.size))
    plain_bytes, utc_ms, monotonic_ms, clock_quality = _TICK.unpack_from(payload)
    return Tick(plain_bytes, utc_ms, monotonic_ms, clock_quality, left, right)


def encode_late(channel: int, position: int, timestamp: int, audio: bytes) -> bytes:
    """A packet that came after its slot was written; ``position`` in samples from the recording's start."""
    return _LATE.pack(channel, position, timestamp) + audio


def decode_late(payload: bytes) -> tuple[int, int, int, bytes]:
    if len(payload) < _LATE.size:
        raise DamagedError("seal: late packet")
    return (*_LATE.unpack_from(payload), payload[_LATE.size :])


def canonical(content: object) -> bytes:
    """JSON with sorted keys and no floats: the same bytes for the same content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Sealer:
    """Writes the records of one recording, in order."""

    __slots__ = ("_cipher", "_key", "_previous", "bytes_written", "number")

    def __init__(self, recording: bytes, file_key: bytes, nonce: bytes) -> None:
        self._key = derive(file_key, nonce, INFO)
        self._cipher: ChaCha20Poly1305 | None = ChaCha20Poly1305(self._key)
        self._previous = recording
        self.number = 0
        self.bytes_written = 0

    def record(self, type_: Type, payload: bytes, body_bytes: int, digest: bytes) -> bytes:
        assert self._cipher is not None
        clear = _CLEAR.pack(type_, self.number, body_bytes, digest)
        sealed = self._cipher.encrypt(_nonce(self.number), payload, self._previous + clear)
        self._previous = sealed[-TAG_BYTES:]
        self.number += 1
        rest = clear + sealed
        record = _LENGTH.pack(len(rest), zlib.crc32(rest)) + rest
        self.bytes_written += len(record)
        return record

    def close(self) -> bytes:
        """Forgets the key and hands it over to be wiped."""
        self._cipher = None
        return self._key


def walk(data: bytes) -> tuple[list[Record], list[int]]:
    """The records up to the first that is torn, and the offsets at which each ends (the first is that of MAGIC).

    Needs no key. Offsets have one element more than records; [0] alone means that not even MAGIC is there.
    """
    if data[: len(MAGIC)] != MAGIC:
        return [], [0]
    records: list[Record] = []
    ends = [len(MAGIC)]
    position = len(MAGIC)
    while position + _LENGTH.size <= len(data):
        length, check = _LENGTH.unpack_from(data, position)
        rest = data[position + _LENGTH.size : position + _LENGTH.size + length]
        if len(rest) < length or length < _CLEAR.size + TAG_BYTES or zlib.crc32(rest) != check:
            break
        kind, number, body_bytes, digest = _CLEAR.unpack_from(rest)
        if number != len(records) or kind not in _TYPES:
            break
        clear, sealed = rest[: _CLEAR.size], rest[_CLEAR.size :]
        records.append(Record(Type(kind), number, body_bytes, digest, sealed, clear))
        position += _LENGTH.size + length
        ends.append(position)
    return records, ends


def opened(records: list[Record], recording: bytes, file_key: bytes, nonce: bytes) -> list[Record]:
    """The same records with their payloads; DamagedError at the first that was not written by the key's holder."""
    cipher = ChaCha20Poly1305(derive(file_key, nonce, INFO))
    previous = recording
    out: list[Record] = []
    for record in records:
        try:
            payload = cipher.decrypt(_nonce(record.number), record.sealed, previous + record.clear)
        except InvalidTag as error:
            raise DamagedError(f"seal: record {record.number}") from error
        previous = record.sealed[-TAG_BYTES:]
        out.append(
            Record(record.type, record.number, record.body_bytes, record.digest, record.sealed, record.clear, payload)
        )
    return out


def _nonce(number: int) -> bytes:
    return bytes(4) + number.to_bytes(8, "big")


def _packed(channel: Channel) -> bytes:
    return _CHANNEL.pack(
        channel.timestamp & 0xFFFFFFFF,
        min(channel.packets, 0xFFFF),
        min(channel.lost, 0xFFFF),
        min(channel.late, 0xFFFF),
        min(channel.filled_samples, 0xFFFF),
        max(-127, min(0, channel.level_dbov)),
        channel.speech & 0xFFFFFFFF,
    )
