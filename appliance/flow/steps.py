"""What a caller's walk through a flow is told, and what it asks for.

``run.Walk`` is a machine: ``start(now)``, ``receive(event, now)`` and ``due(now)`` return commands; ``deadline`` is the
moment at which ``due`` wants to be called next, or None. calls/session.py carries the commands out, flow/trial.py
pretends to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from appliance.hours.answer import Answer as Opening

Value = str | int | bool

LISTENING = "tone:listening"
FULL, ABSENT = "line_full", "no_agents"  # why nobody of a line has answered
"""A short soft sound that is played where the box would be silent for more than two seconds."""

# Questions: what a walk cannot know by itself -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LookUp:
    """Asks one of the owner's servers; the answer's values are variables of the flow."""

    lookup: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CheckPin:
    identity: str
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendCode:
    """A one-time code to this number by the owner's SMS gateway."""

    number: str


@dataclass(frozen=True, slots=True)
class CheckCode:
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A row in the ledger; answered with ``code`` (digits) and, where the moment is chosen here, ``due`` (moment)."""

    what: Literal["callback", "promise", "complaint", "request"]
    number: str
    queue: str
    due_ms: int
    detail: str


@dataclass(frozen=True, slots=True)
class FindRequest:
    """What is known of a tracking code: answered with ``state`` (open, done, unknown) and ``due``."""

    code: str


@dataclass(frozen=True, slots=True)
class TakeMessage:
    """Records what the caller says until ``ends_with`` is pressed; answered with ``seconds`` and ``code``."""

    what: Literal["message", "complaint", "comment"]
    most_seconds: float
    ends_with: str


@dataclass(frozen=True, slots=True)
class Control:
    """Changes how the box answers (night, closed until, ...); read back and confirmed before."""

    action: str
    value: str


Question = LookUp | CheckPin | SendCode | CheckCode | OpenRequest | FindRequest | TakeMessage | Control

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
    """The recording notice was played to its end (or consent was given, or none is needed): recording may start.

    ``consent`` says why; ``node`` is where.
    """

    consent: Literal["notice", "asked", "none_needed"]
    node: str


@dataclass(frozen=True, slots=True)
class Secret:
    """Keys pressed from now on are a secret (or no longer): in no event, recording, log or capture."""

    is_on: bool


@dataclass(frozen=True, slots=True)
class RingAgents:
    """Ring these agents in order, ``ring_seconds`` each; answered by ``AgentAnswered`` or ``NobodyAnswered``."""

    agents: tuple[str, ...]
    ring_seconds: float
    whole_seconds: float


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Wait in a line for one of its agents; ``leave_key`` lets the caller leave it (``LeftLine``)."""

    queue: str
    whole_seconds: float
    leave_key: str
    priority: int = 0
    every_seconds: float = 0.0  # how often ``StillWaiting`` is told; 0: never
    leaves_when_absent: bool = False  # nobody is waited for who is not there: ``NobodyAnswered`` with ``ABSENT``


@dataclass(frozen=True, slots=True)
class TransferTo:
    """Ring this number or extension; answered as agents are."""

    number: str
    ring_seconds: float


@dataclass(frozen=True, slots=True)
class Ask:
    """Answered by ``Answer`` with the same number within ``seconds``; later answers are no longer waited for."""

    number: int
    question: Question
    seconds: float


@dataclass(frozen=True, slots=True)
class SurveyGiven:
    """``value``: CSAT 1 to 5, NPS 0 to 10, resolved 0 or 1."""

    question: Literal["csat", "nps", "resolved"]
    value: int


@dataclass(frozen=True, slots=True)
class Proven:
    """Who the caller is was proven, or could not be (shown to the agent)."""

    method: Literal["pin", "code"]
    is_proven: bool
    identity: str


@dataclass(frozen=True, slots=True)
class SetLanguage:
    language: str


@dataclass(frozen=True, slots=True)
class SetMusic:
    """What is heard while waiting, by the calendar; empty: the usual."""

    music: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The flow has ended; hang up. ``outcome`` is a word of the record: ``goodbye``, ``no_choice``, ``nobody``..."""

    outcome: str


Command = (
    Entered
    | Say
    | StopSaying
    | RecordFromNow
    | Secret
    | RingAgents
    | Enqueue
    | TransferTo
    | Ask
    | SurveyGiven
    | Proven
    | SetLanguage
    | SetMusic
    | Finish
)


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

    reason: str  # FULL and ABSENT of a line; all others only go on record


@dataclass(frozen=True, slots=True)
class StillWaiting:
    """It is time to tell the caller where they stand; nothing else changes."""


@dataclass(frozen=True, slots=True)
class LeftLine:
    """The caller pressed the key that leaves the waiting line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``is_ok`` False: the question has no answer, for this ``reason``."""

    number: int
    is_ok: bool
    values: Mapping[str, Value] = field(default_factory=dict)
    reason: str = ""


Event = Said | Pressed | AgentAnswered | AgentLeft | NobodyAnswered | StillWaiting | LeftLine | Answer


# The world ------------------------------------------------------------------------------------------------------------


class World(Protocol):
    """What a walk may look at without asking: pure reads, true at this moment."""

    def opening(self, calendar: str) -> Opening:
        """Whether the calendar's business is open now, and why."""
        ...

    def utc_ms(self) -> int: ...

    def outage(self) -> str:
        """The prompt of the outage notice that is on, or empty."""
        ...

    def fact(self, name: str) -> Value:
        """A variable that is always there: see model.FACTS."""
        ...
