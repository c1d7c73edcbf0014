"""What the recorder tells the media process; mirrors the recording part of media/port.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.recorder.speech import Talk


@dataclass(frozen=True, slots=True)
class Started:
    """The first bytes are durable: the recording will be there whatever happens."""

    recording: str
    stream: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Milliseconds that are missing inside a recording: ``no_space``, ``overflow``, ``write_failed``."""

    recording: str
    reason: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """Closed for good and durable in ``folder``; of a recovered one nobody here knows who spoke."""

    recording: str
    state: Literal["sealed", "recovered", "empty"]
    folder: str
    body_bytes: int
    body_sha256: str
    seal_sha256: str
    milliseconds: int
    filled_milliseconds: int
    missing_milliseconds: int
    talk: Talk


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller began to speak (100 ms of it were heard)."""

    stream: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    stream: str
    at_ms: int


RecorderEvent = Started | Gap | Sealed | SpeechStarted | SpeechEnded
