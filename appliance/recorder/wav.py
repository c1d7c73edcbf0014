"""The payload's form: a WAV of stereo G.711, whose lengths are unknown while the call lasts."""

from __future__ import annotations

import struct

WAV_FORMAT = {"PCMU": 7, "PCMA": 6}  # RFC 2361
WAV_HEADER_BYTES = 46
UNKNOWN_LENGTH = 0xFFFFFFFF


def wav_header(law: str, data_bytes: int = UNKNOWN_LENGTH) -> bytes:
    """RIFF header; with the unknown length players play to the end of the file."""
    whole = UNKNOWN_LENGTH if data_bytes == UNKNOWN_LENGTH else WAV_HEADER_BYTES - 8 + data_bytes
    return (
        b"RIFF"
        + struct.pack("<I", whole)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHHH", 18, WAV_FORMAT[law], 2, 8000, 16000, 2, 8, 0)
        + b"data"
        + struct.pack("<I", data_bytes)
    )
