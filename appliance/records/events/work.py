"""What agents say about a call: what it was about, what came of it, and a word for the colleague who has it next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class WrapUpGiven:
    """The agent has said what came of the call. A later one of the same agent about the same call replaces it."""

    kind: ClassVar[str] = "wrap_up.given"
    conversation: str
    agent: str
    disposition: str  # the name of one, from the settings
    note: str
    resolved: str  # yes, no, or empty: not said
    kind_of_call: str  # request, complaint, criticism, suggestion, or empty: not said
    offset_ms: int


@dataclass(frozen=True, slots=True)
class WrapUpMissed:
    """Its time ended before it was given; what had been typed until then is kept."""

    kind: ClassVar[str] = "wrap_up.missed"
    conversation: str
    agent: str
    disposition: str
    note: str
    resolved: str
    kind_of_call: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class TransferBriefed:
    """What an agent has written for whoever gets the customer next; a later text of theirs replaces it."""

    kind: ClassVar[str] = "transfer.brief"
    conversation: str
    agent: str
    text: str
    offset_ms: int
