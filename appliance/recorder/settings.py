"""Settings of the recorder. The folders lie in the box's data folder: live/, kept/, journal/, keys/recipients.txt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    commit_seconds: float = 0.5  # one write and one fdatasync for all recordings
    hold_seconds: float = 0.1  # how long a slot waits for a late packet before it is written
    segment_bytes: int = 16 << 20  # of the journal; three at least
    floor_bytes: int = 256 << 20  # below so much free space no new recording starts
    left_talk_gap_ms: int = 300  # shorter pauses join two stretches of speech
    drill: Literal["advised", "required"] = "advised"  # required: nothing is recorded before `pasokh keys drill`
    min_talk_ms: int = 100  # shorter stretches are dropped
