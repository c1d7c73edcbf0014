"""The book of callbacks: who asked to be called, when the next attempt may begin, and what became of each.

A machine in UTC milliseconds, because it outlives the box's restarts: the driver writes every change down before it
acts on it and gives the book back at a start. One request is in one hand at a time: it waits here, or stands in a line
and is being dialled (``taken``), or is held while its customer is on the telephone anyway. Only a person ends a request
well: ``REACHED`` comes from a key that somebody pressed, never from an answer, a sound or a length.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MINUTE_MS = 60_000


class Outcome(StrEnum):
    """What became of one attempt."""

    REACHED = "reached"  # a person said so, by a key
    NOT_REACHED = "not_reached"  # answered, and a person said that it was somebody or something else
    NOT_GIVEN = "not_given"  # answered, and nobody said anything
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    OFF = "off"  # switched off, out of reach
    NO_SUCH_NUMBER = "no_such_number"
    NETWORK = "network"  # the trunk's doing: not the customer's, and not counted
    NO_AGENT = "no_agent"  # nobody of ours took it: not dialled, not counted
    INTERRUPTED = "interrupted"  # the box died: not counted


UNCOUNTED = frozenset({Outcome.NETWORK, Outcome.NO_AGENT, Outcome.INTERRUPTED})


class Kept(StrEnum):
    """What is true of a request after an attempt."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"  # the policy's attempts are used up, or the number does not exist


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Of one line: how often, how far apart, and for how long."""

    attempts: int = 3
    spacing_ms: int = 15 * MINUTE_MS
    uncounted_ms: int = 90_000  # after one that is not counted: 64*T1 and the time it may still ring (DECISIONS 9)
    most_uncounted: int = 20
    expires_ms: int = 48 * 60 * MINUTE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A request. ``opened`` is its place in the line; ``not_before`` 0 or the moment that was promised."""

    request: str
    queue: str
    customer: str
    language: str
    trunk: str
    opened: int
    not_before: int = 0
    code: str = ""  # that was told to the customer


@dataclass(slots=True)
class _Entry:
    wanted: Wanted
    attempts: int = 0
    uncounted: int = 0
    not_before: int = 0
    is_taken: bool = False
    held_by: set[str] = field(default_factory=set)


def outcome_of(code: int, cause: str) -> Outcome:
    """The outcome that a SIP status (RFC 3261, 21) or the cause of an unanswered leg means."""
    match code:
        case 486 | 600:
            return Outcome.BUSY
        case 603 | 607 | 608:
            return Outcome.DECLINED
        case 404 | 410 | 484 | 604:
            return Outcome.NO_SUCH_NUMBER
        case 480:
            return Outcome.OFF
        case 408 | 487:
            return Outcome.NO_ANSWER
        case 0:
            return Outcome.NO_ANSWER if cause == "no_answer" else Outcome.NETWORK
        case _:
            return Outcome.NETWORK


class Book:
    """All requests that are not done. ``policies`` by line may be set anew; a line without one has the usual."""

    def __init__(self, policies: dict[str, Policy] | None = None) -> None:
        self.policies = policies or {}
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def policy(self, queue: str) -> Policy:
        return self.policies.get(queue, _USUAL)

    def add(self, wanted: Wanted, attempts: int = 0, not_before: int = 0) -> None:
        """A new request, or one from before the start with the attempts that were counted."""
        begins = max(wanted.not_before, not_before)
        self._entries[wanted.request] = _Entry(wanted, attempts=attempts, not_before=begins)

    def of(self, customer: str, queue: str) -> Wanted | None:
        """The open request of this customer in this line: there is never a second one."""
        for entry in self._entries.values():
            if entry.wanted.customer == customer and entry.wanted.queue == queue and customer:
                return entry.wanted
        return None

    def ready(self, now: int) -> list[Wanted]:
        """Those whose next attempt may begin, in order of their places."""
        able = [
            entry.wanted
            for entry in self._entries.values()
            if not entry.is_taken and not entry.held_by and entry.not_before <= now
        ]
        return sorted(able, key=lambda wanted: (wanted.opened, wanted.request))

    def expired(self, now: int) -> list[Wanted]:
        """Those that waited longer than their line's policy allows; they are out of the book."""
        gone = [
            entry.wanted
            for entry in self._entries.values()
            if not entry.is_taken
            and now - max(entry.wanted.opened, entry.wanted.not_before) > self._of(entry).expires_ms
        ]
        for wanted in gone:
            del self._entries[wanted.request]
        return gone

    def take(self, request: str) -> bool:
        """Begins an attempt; False where there is none to begin: it is done, held, or in another hand."""
        entry = self._entries.get(request)
        if entry is None or entry.is_taken or entry.held_by:
            return False
        entry.is_taken = True
        return True

    def ended(self, request: str, outcome: Outcome, now: int) -> Kept:
        """The attempt is over."""
        entry = self._entries.get(request)
        if entry is None:
            return Kept.DONE  # the customer got through otherwise meanwhile
        entry.is_taken = False
        policy = self._of(entry)
        if outcome is Outcome.REACHED:
            del self._entries[request]
            return Kept.DONE
        if outcome in UNCOUNTED:
            entry.uncounted += outcome is not Outcome.NO_AGENT  # our own people never use a customer's patience up
            entry.not_before = now + policy.uncounted_ms
        else:
            entry.attempts += 1
            entry.not_before = now + policy.spacing_ms
        is_over = entry.attempts >= policy.attempts or entry.uncounted >= policy.most_uncounted
        if is_over or outcome is Outcome.NO_SUCH_NUMBER:
            del self._entries[request]
            return Kept.FAILED
        return Kept.OPEN

    def put_back(self, request: str) -> None:
        """Nobody was rung: as if the attempt had not begun."""
        entry = self._entries.get(request)
        if entry is not None:
            entry.is_taken = False

    def hold(self, request: str, by: str) -> None:
        """The customer is on the telephone in conversation ``by``: no attempt begins."""
        entry = self._entries.get(request)
        if entry is not None:
            entry.held_by.add(by)

    def is_held(self, request: str) -> bool:
        """Whether the customer is on the telephone, or the request is done meanwhile: nothing may begin."""
        entry = self._entries.get(request)
        return entry is None or bool(entry.held_by)

    def release(self, request: str, by: str) -> None:
        entry = self._entries.get(request)
        if entry is not None:
            entry.held_by.discard(by)

    def release_all(self, by: str) -> None:
        """Conversation ``by`` is over."""
        for entry in self._entries.values():
            entry.held_by.discard(by)

    def of_customer(self, customer: str) -> list[Wanted]:
        """All open requests of a customer."""
        return [entry.wanted for entry in self._entries.values() if customer and entry.wanted.customer == customer]

    def close(self, request: str) -> bool:
        """The request is done otherwise (the customer got through, a person closed it); False where it was not open."""
        return self._entries.pop(request, None) is not None

    def _of(self, entry: _Entry) -> Policy:
        return self.policy(entry.wanted.queue)


_USUAL = Policy()
