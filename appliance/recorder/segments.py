"""The journal's records in its segments.

Record: magic ``PJR1``, CRC-32 of the rest, epoch u64, recording 16 bytes, kind u8 (0 head, 1 body, 2 seal), offset u64,
length u32, data. A segment's records bear one epoch; a record of another epoch is left over from an earlier use.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"PJR1"
SUFFIXES = (".head", ".body", ".seal")
HEAD, BODY, SEAL = range(len(SUFFIXES))
_HEAD = struct.Struct(">4sIQ16sB3xQI")
_REST = struct.Struct(">Q16sB3xQI")  # what the CRC covers besides the data
_ID = re.compile(r"[0-9a-f]{32}")
RECORD_BYTES = _HEAD.size  # 48, before the data
CHECK_AT, CHECK_BYTES = len(MAGIC), 4  # where a record's CRC stands


def is_id(name: str) -> bool:
    """Whether a file's name without its ending is the id of a recording."""
    return _ID.fullmatch(name) is not None


def record_head(epoch: int, recording: bytes, kind: int, offset: int, data: bytes) -> bytes:
    """What stands before ``data``."""
    rest = _REST.pack(epoch, recording, kind, offset, len(data))
    return MAGIC + zlib.crc32(data, zlib.crc32(rest)).to_bytes(4, "big") + rest


def segment_file(path: Path, size: int) -> int:
    """A segment of its full size; made once, used for years."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    if os.fstat(descriptor).st_size < size:
        os.posix_fallocate(descriptor, 0, size)
        os.fsync(descriptor)
    return descriptor


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a journal: ``data`` belongs at ``offset`` of a recording's file."""

    epoch: int
    position: int
    recording: bytes
    kind: int
    offset: int
    data: memoryview


def read_segment(data: bytes) -> list[Entry]:
    """The records of one segment up to the first that is torn or of another epoch."""
    entries: list[Entry] = []
    view = memoryview(data)
    position = 0
    while position + _HEAD.size <= len(data):
        magic, check, epoch, recording, kind, offset, length = _HEAD.unpack_from(data, position)
        end = position + _HEAD.size + length
        if magic != MAGIC or end > len(data) or kind >= len(SUFFIXES):
            break
        if entries and epoch != entries[0].epoch:
            break
        content = view[position + _HEAD.size : end]
        if zlib.crc32(content, zlib.crc32(view[position + 8 : position + _HEAD.size])) != check:
            break
        entries.append(Entry(epoch, position, recording, kind, offset, content))
        position = end
    return entries


def head_spans(data: bytes) -> list[tuple[int, int]]:
    """Offsets and lengths of the heads of recordings in a segment, whether or not their records are whole."""
    spans: list[tuple[int, int]] = []
    position = 0
    while position + _HEAD.size <= len(data):
        magic, _, _, _, kind, _, length = _HEAD.unpack_from(data, position)
        start, end = position + _HEAD.size, position + _HEAD.size + length
        if magic != MAGIC or end > len(data):
            break
        if kind == HEAD:
            spans.append((start, length))
        position = end
    return spans


def highest_epoch(folder: Path) -> int:
    """The highest epoch in a journal's folder, 0 for none; never taken from a clock."""
    highest = 0
    for path in folder.glob("segment.*"):
        with path.open("rb") as file:
            first = file.read(_HEAD.size)
        if len(first) == _HEAD.size and first[:4] == MAGIC:
            highest = max(highest, _HEAD.unpack(first)[2])
    return highest
