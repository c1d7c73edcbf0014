"""Settings of calls: lines, agents, limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledLine:
    """Which called number on which trunk reaches which flow."""

    name: str
    trunk: str
    flow: str
    number: str = ""  # in any written form; empty: every number of the trunk that no other line takes
    language: Literal["fa", "en"] = "fa"
    records: bool = True  # whether conversations of this line are recorded at all (the flow says after which notice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    name: str
    phone: str
    display: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Who serves those who wait in a line of this name, in the order in which they are rung."""

    name: str
    agents: tuple[str, ...]
    ring_seconds: float = 20.0  # how long each agent's phone rings before the next one's


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    max_calls: int = 100  # conversations at once; beyond: 503 with Retry-After
    retry_after_seconds: int = 20
    seal_wait_seconds: float = 5.0  # how long a record waits for its recordings before they count as lost
    may_dial: tuple[str, ...] = ("mobile", "landline", "short")  # kinds of numbers; emergency numbers always
    lines: tuple[CalledLine, ...] = field(default=())
    agents: tuple[Agent, ...] = field(default=())
    queues: tuple[Queue, ...] = field(default=())
