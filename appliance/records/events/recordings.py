"""Recordings: the consent they open with, their gaps, their seal, and who has taken one to hear it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

KEPT_STATES = ("sealed", "recovered")  # of a closed recording that has files, and can be heard


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """``consent`` is an id of its own; a recording opens only with one (DECISIONS 17)."""

    kind: ClassVar[str] = "consent.given"
    conversation: str
    consent: str
    how: str  # notice, none_needed
    node: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class ConsentKept:
    """A consent of another conversation holds in this one: the customer is called back who has given it there."""

    kind: ClassVar[str] = "consent.kept"
    conversation: str
    consent: str
    how: str  # as it was given
    given_in: str  # that conversation
    offset_ms: int


@dataclass(frozen=True, slots=True)
class RecordingPaused:
    """Silence stands in every part of the conversation from ``paused`` to ``resumed`` (``state``).

    ``how``: keys, page; of a resumed one also time, transfer (the agent passes the customer on), ended (the talk is
    over). ``by`` is the agent who has paused or resumed; empty: the box has resumed by itself.
    """

    kind: ClassVar[str] = "recording.paused"
    conversation: str
    by: str
    state: str
    how: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class RecordingOpened:
    kind: ClassVar[str] = "recording.opened"
    conversation: str
    recording: str
    part: int
    consent: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class RecordingRefused:
    """Nothing was recorded, and why: a key of messages (no owner's key, no space, ...)."""

    kind: ClassVar[str] = "recording.refused"
    conversation: str
    recording: str
    reason: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class RecordingGap:
    """Seconds that are missing inside a recording."""

    kind: ClassVar[str] = "recording.gap"
    conversation: str
    recording: str
    reason: str
    missing_ms: int


@dataclass(frozen=True, slots=True)
class RecordingSealed:
    """Closed: ``state`` sealed, recovered (cut to its last sealed half second), empty or lost.

    Who spoke how is counted while the call lasts (recorder.speech.Talk); of a recovered recording it is not known: 0.
    """

    kind: ClassVar[str] = "recording.sealed"
    conversation: str
    recording: str
    state: str
    body_bytes: int
    body_sha256: str
    seal_sha256: str
    milliseconds: int
    missing_ms: int
    left_talk_ms: int
    right_talk_ms: int
    overtalk_ms: int
    dead_air_ms: int
    longest_silence_ms: int = 0
    left_interruptions: int = 0
    right_interruptions: int = 0
    replies: int = 0
    reply_ms: int = 0


@dataclass(frozen=True, slots=True)
class RecordingVerified:
    """What a check of the files without any key found: ``state`` is verified, open, damaged or missing."""

    kind: ClassVar[str] = "recording.verified"
    recording: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordingTaken:
    """Somebody was given a recording as it lies sealed: written before the first byte of it leaves.

    ``use`` is play; ``why`` is what ``actor`` gave as the reason.
    """

    kind: ClassVar[str] = "recording.taken"
    conversation: str
    recording: str
    actor: str
    use: str
    why: str


@dataclass(frozen=True, slots=True)
class RecordingExported:
    """The owner's key opened a recording for a file: written before anything of it is.

    ``form`` is that of the file (wav, flac, opus, ogg), or evidence. ``conversation`` is empty where the records do
    not know the recording (it was erased, or is of another box).
    """

    kind: ClassVar[str] = "recording.exported"
    conversation: str
    recording: str
    actor: str
    form: str
    why: str


@dataclass(frozen=True, slots=True)
class RecordingHeld:
    """Nothing of one conversation, or of every one with ``number``, is deleted or erased until the hold is released."""

    kind: ClassVar[str] = "recording.held"
    hold: str  # an id of its own
    conversation: str  # empty: the hold is on a number
    number: str  # E.164; empty: the hold is on a conversation
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class RecordingReleased:
    """The hold is over."""

    kind: ClassVar[str] = "recording.released"
    hold: str
    conversation: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class RecordingExpired:
    """Kept for ``days``, and upstream by now: the files on the box are to go. The record and the copies stay."""

    kind: ClassVar[str] = "recording.expired"
    conversation: str
    recording: str
    days: int


@dataclass(frozen=True, slots=True)
class RecordingDeleted:
    """The files on the box are gone, the head overwritten first. ``cause``: expired, erased."""

    kind: ClassVar[str] = "recording.deleted"
    conversation: str
    recording: str
    cause: str
