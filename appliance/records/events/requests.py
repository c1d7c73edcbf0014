"""Whom the box owes a call, and each attempt at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

ON_TIME_MS = 900_000  # a promise is kept within 15 min of its moment, before and after (FIGURES.md)


@dataclass(frozen=True, slots=True)
class RequestOpened:
    """A row in the ledger: what the box has promised to somebody. ``number`` counts them, ``code`` is said aloud."""

    kind: ClassVar[str] = "request.opened"
    conversation: str
    request: str
    number: int
    code: str
    what: str  # callback, promise, message, complaint, request
    customer: str  # the number to call
    language: str
    queue: str
    due: int  # UTC ms; 0: no time was named
    detail: str
    offset_ms: int
    agent: str = ""  # who promised it, and is rung first
    place: int = 0  # UTC ms: since when they wait; 0: since now
    trunk: str = ""  # by which they are called; empty: that of the conversation


@dataclass(frozen=True, slots=True)
class RequestMoved:
    """``state`` open, doing, done, cancelled or expired; ``by`` a person of the office, or the box."""

    kind: ClassVar[str] = "request.moved"
    request: str
    state: str
    by: str
    detail: str


@dataclass(frozen=True, slots=True)
class RequestChanged:
    """Another number, time or line for what was asked; nothing else of the request is different."""

    kind: ClassVar[str] = "request.changed"
    request: str
    customer: str
    due: int
    queue: str
    by: str


@dataclass(frozen=True, slots=True)
class RequestRenewed:
    """Somebody has asked again for the call that they are owed: its attempts and its time begin anew."""

    kind: ClassVar[str] = "request.renewed"
    request: str
    by: str


@dataclass(frozen=True, slots=True)
class RequestReminded:
    """The office was told that a promise is due soon."""

    kind: ClassVar[str] = "request.reminded"
    request: str


@dataclass(frozen=True, slots=True)
class CallbackDialled:
    """The customer of a request is dialled now: written before the INVITE leaves (DECISIONS 9).

    ``dial`` is what another process needs to cancel that INVITE: a signalling.port.LegKey in JSON.
    """

    kind: ClassVar[str] = "callback.dialled"
    conversation: str
    request: str
    leg: str
    trunk: str
    customer: str
    offset_ms: int
    dial: str = ""


@dataclass(frozen=True, slots=True)
class CallbackEnded:
    """What became of the attempt that this conversation was: a word of queue.callbacks.Outcome.

    ``heard`` is what came of the customer's side first: ``early`` (sound before an answer that never came), behind an
    answer ``silence``, ``ringing`` that never ended, ``sound``, or the tone ``busy`` or ``congestion``; empty where
    nothing could be heard.
    """

    kind: ClassVar[str] = "callback.ended"
    conversation: str
    request: str
    outcome: str
    agent: str
    offset_ms: int
    heard: str = ""
