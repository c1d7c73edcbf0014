"""Agents: at which telephone they sit, their PINs, and what they do at each moment of the day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class AgentSeated:
    """The agent has signed in at this telephone with their PIN; who sat there has left it by an event before."""

    kind: ClassVar[str] = "agent.seated"
    agent: str
    phone: str


@dataclass(frozen=True, slots=True)
class AgentLeft:
    """The agent sits at no telephone. ``why``: signed_out, elsewhere (sits down there), replaced, shift_over."""

    kind: ClassVar[str] = "agent.left"
    agent: str
    phone: str
    why: str


@dataclass(frozen=True, slots=True)
class PinSet:
    """The agent has another PIN (never its digits). ``how``: code (made by ``by``), own, chosen (by telephone)."""

    kind: ClassVar[str] = "agent.pin_set"
    agent: str
    by: str
    how: str


@dataclass(frozen=True, slots=True)
class PinRefused:
    """A PIN was wrong at this telephone; ``agent`` is empty where nobody has the extension."""

    kind: ClassVar[str] = "agent.pin_refused"
    agent: str
    phone: str


@dataclass(frozen=True, slots=True)
class PinLocked:
    """Too many were wrong: no more is tried for the agent, or at the telephone; the other of the two is empty."""

    kind: ClassVar[str] = "agent.pin_locked"
    agent: str
    phone: str


@dataclass(frozen=True, slots=True)
class PinUnlocked:
    """A person of the office lets this agent, or this telephone, try again."""

    kind: ClassVar[str] = "agent.pin_unlocked"
    agent: str
    phone: str
    by: str


@dataclass(frozen=True, slots=True)
class AgentEntered:
    """What the agent does from now on: a word of ``records.attendance.State``, and what kind of it.

    ``detail``: of away the reason, of talking and hold the direction (in, out, inside).
    """

    kind: ClassVar[str] = "agent.entered"
    agent: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class AttendanceGap:
    """Between two moments (UTC ms, ``begins`` <= ``ends``) nobody knows what agents did.

    ``why``: off (the box did not run), clock (its clock was set).
    """

    kind: ClassVar[str] = "attendance.gap"
    why: str
    begins: int
    ends: int
