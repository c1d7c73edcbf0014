"""What a caller's walk through a flow is told, and what it asks for.

``run.Walk`` is a machine: ``start(now)``, ``receive(event, now)`` and ``due(now)`` return commands; ``deadline`` is the
moment at which ``due`` wants to be called next, or None. calls/session.py carries the commands out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Commands -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entered:
    """The walk stands at this node now (for the record)."""

    node: str
    kind: str


@dataclass(frozen=True, slots=True)
class Say:
    """Play these prompts (names without language, in order) in ``language``; answered by ``Said``."""

    play: int
    prompts: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class StopSaying:
    play: int


@dataclass(frozen=True, slots=True)
class RecordFromNow:
    """The recording notice was played to its end (or none is needed): recording may start.

    ``consent`` says why: ``notice`` or ``none_needed``; ``node`` is where.
    """

    consent: Literal["notice", "none_needed"]
    node: str


@dataclass(frozen=True, slots=True)
class RingAgents:
    """Ring these agents in order, ``ring_seconds`` each; answered by ``AgentAnswered`` or ``NobodyAnswered``."""

    agents: tuple[str, ...]
    ring_seconds: float
    whole_seconds: float


@dataclass(frozen=True, slots=True)
class SetLanguage:
    language: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The flow has ended; hang up. ``outcome`` is a word of the record: ``goodbye``, ``no_choice``, ``nobody``..."""

    outcome: str


Command = Entered | Say | StopSaying | RecordFromNow | RingAgents | SetLanguage | Finish


# Events ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    play: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Pressed:
    digit: str


@dataclass(frozen=True, slots=True)
class AgentAnswered:
    """The caller is connected; the walk pauses until ``AgentLeft`` or the caller hangs up."""

    agent: str


@dataclass(frozen=True, slots=True)
class AgentLeft:
    """The agent ended the conversation while the caller is still there."""

    agent: str


@dataclass(frozen=True, slots=True)
class NobodyAnswered:
    """Every agent was rung, was busy or is not there."""

    reason: str


Event = Said | Pressed | AgentAnswered | AgentLeft | NobodyAnswered
