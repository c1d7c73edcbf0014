"""The book of callbacks: who asked to be called, when the next attempt may begin, and what became of each.

A machine in UTC milliseconds, because it outlives the box's restarts: the driver writes every change down before it
acts on it and gives the book back at a start. One request is in one hand at a time: it waits here, or stands in a line
and is being dialled (``taken``), or is held while its customer is on the telephone anyway. Of several requests of one
customer one is dialled at a time. Only a person ends a request well: ``REACHED`` comes from a key that somebody
pressed, never from an answer, a sound or a length.

Four kinds stand here. A callback was asked for, and begins as soon as it may. A promise was made for a moment, and
begins then. A missed call is a person whom nobody has spoken with, a message one who has left word: they begin when
somebody says so, missed calls also by themselves where the line's owner wants that. A number that was tried in vain as
often as the policy allows is left in peace for a while by everything that nobody has asked for: its own wish, or a
promise, ends that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from appliance.records.events import ON_TIME_MS

MINUTE_MS = 60_000
REMIND_MS = 10 * MINUTE_MS  # so long before a promise is due the office is told

What = Literal["callback", "promise", "missed", "message"]


class Outcome(StrEnum):
    """What became of one attempt."""

    REACHED = "reached"  # a person said so, by a key
    NOT_REACHED = "not_reached"  # answered, and a person said that it was somebody or something else
    NOT_GIVEN = "not_given"  # answered, and nobody said anything
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    OFF = "off"  # switched off, out of reach
    ANNOUNCEMENT = "announcement"  # answered, and a person of ours said that a recorded voice spoke
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
    quarantine_ms: int = 24 * 60 * MINUTE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A request. ``opened`` is its place in the line; ``not_before`` 0 or the moment that was promised.

    ``customer`` is the number to call, ``asker`` the one from which it was asked for: somebody who gives another
    number has one request all the same. Once a second person wants the same number called the asker is the number
    itself: none of the two can take it from the other. ``is_wish``: the customer, or a person of the office, wants it.
    """

    request: str
    queue: str
    customer: str
    language: str
    trunk: str
    opened: int
    not_before: int = 0
    code: str = ""  # that was told to the customer
    what: What = "callback"
    agent: str = ""  # who promised it, and is rung first
    asker: str = ""
    is_wish: bool = True
    renewed: int = 0  # when it was asked for again, if it was: attempts and time began anew


@dataclass(slots=True)
class _Entry:
    wanted: Wanted
    attempts: int = 0
    uncounted: int = 0
    not_before: int = 0
    is_taken: bool = False
    is_renewed: bool = False  # it was asked for again while it is taken: that attempt was for the wish before
    is_listed: bool = False  # begins only when somebody says so
    is_reminded: bool = False
    expires: int = 0  # from then on it is too old
    arrived: float = 0.0  # its place, in monotonic seconds: it stays what it is when the wall clock is set
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


def arrived_at(place_ms: int, now_ms: int, now: float) -> float:
    """A place in UTC ms as monotonic seconds, at a moment that is known in both."""
    return now - max(0, now_ms - place_ms) / 1000


class Book:
    """All requests that are not done. ``policies`` by line may be set anew; a line without one has the usual."""

    def __init__(self, policies: dict[str, Policy] | None = None) -> None:
        self.policies = policies or {}
        self._entries: dict[str, _Entry] = {}
        self._quarantine: dict[str, int] = {}  # customer: until when
        self._on_telephone: dict[str, str] = {}  # conversation: customer

    def __len__(self) -> int:
        return len(self._entries)

    def policy(self, queue: str) -> Policy:
        return self.policies.get(queue, _USUAL)

    def add(
        self,
        wanted: Wanted,
        attempts: int = 0,
        not_before: int = 0,
        *,
        arrived: float | None = None,
        is_listed: bool = False,
        is_reminded: bool = False,
    ) -> None:
        """A new request, or one from before the start with the attempts that were counted.

        ``arrived`` is its place in the driver's monotonic seconds (``arrived_at``).

        One that ``is_listed`` is shown and closes itself like any other, but begins only by ``hurry``.
        """
        begins = max(wanted.not_before, not_before)
        if wanted.is_wish and not attempts:
            self._quarantine.pop(wanted.customer, None)
        self._entries[wanted.request] = entry = _Entry(
            wanted, attempts=attempts, not_before=begins, is_listed=is_listed, is_reminded=is_reminded,
            arrived=wanted.opened / 1000 if arrived is None else arrived,
        )  # fmt: skip
        entry.expires = self._expires(wanted)

    def quarantine(self, customer: str, until: int) -> None:
        """Nothing that nobody asked for is dialled at this number before ``until``."""
        self._quarantine[customer] = max(until, self._quarantine.get(customer, 0))

    def arrived(self, request: str) -> float | None:
        """The place of an open request, in monotonic seconds."""
        entry = self._entries.get(request)
        return None if entry is None else entry.arrived

    def get(self, request: str) -> Wanted | None:
        """The open request of this name."""
        entry = self._entries.get(request)
        return None if entry is None else entry.wanted

    def of(self, customer: str, queue: str) -> Wanted | None:
        """The open callback of this customer in this line: there is never a second one. Else the one they asked for."""
        here = [
            entry.wanted
            for entry in self._entries.values()
            if customer and entry.wanted.what == "callback" and entry.wanted.queue == queue
        ]
        theirs = next((wanted for wanted in here if wanted.customer == customer), None)
        return theirs or next((wanted for wanted in here if wanted.asker == customer), None)

    def ready(self, now: int) -> list[Wanted]:
        """Those whose next attempt may begin, in order of their places; one of each customer."""
        dialled = {entry.wanted.customer for entry in self._entries.values() if entry.is_taken}
        able: dict[str, Wanted] = {}
        able_now = [entry for entry in self._entries.values() if not entry.is_listed and self._may_begin(entry, now)]
        for entry in sorted(able_now, key=lambda each: (each.arrived, each.wanted.opened, each.wanted.request)):
            if entry.wanted.customer not in dialled:
                able.setdefault(entry.wanted.customer, entry.wanted)
        return list(able.values())

    def moment(self, now: int) -> int | None:
        """When something changes here by itself: an attempt may begin, a promise is due soon, a request expires."""
        earliest: int | None = None
        for entry in self._entries.values():  # looked at often, so nothing is called for those that only stand here
            at = entry.expires
            if not entry.is_listed or entry.wanted.what == "promise":
                at = min((at, *self._moments(entry, now)))
            if not entry.is_taken and (earliest is None or at < earliest):
                earliest = at
        return earliest

    def due_soon(self, now: int) -> list[Wanted]:
        """Promises of which the office is to be told now; each once."""
        soon = [
            entry
            for entry in self._entries.values()
            if entry.wanted.what == "promise" and not entry.is_reminded and entry.wanted.not_before - REMIND_MS <= now
        ]
        for entry in soon:
            entry.is_reminded = True
        return [entry.wanted for entry in soon]

    def expired(self, now: int) -> list[Wanted]:
        """Those that waited longer than their line's policy allows; they are out of the book."""
        gone = [entry.wanted for entry in self._entries.values() if not entry.is_taken and now >= entry.expires]
        for wanted in gone:
            del self._entries[wanted.request]
        return gone

    def take(self, request: str) -> bool:
        """Begins an attempt; False where there is none to begin: it is done, held, or in another hand."""
        entry = self._entries.get(request)
        if entry is None or entry.is_taken or self._is_held(entry):
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
            entry.attempts += not entry.is_renewed
            entry.not_before = now + policy.spacing_ms
        entry.is_renewed = False
        is_over = entry.attempts >= policy.attempts or entry.uncounted >= policy.most_uncounted
        if is_over or outcome is Outcome.NO_SUCH_NUMBER:
            del self._entries[request]
            self.quarantine(entry.wanted.customer, now + policy.quarantine_ms)
            return Kept.FAILED
        return Kept.OPEN

    def put_back(self, request: str) -> None:
        """Nobody was rung: as if the attempt had not begun."""
        entry = self._entries.get(request)
        if entry is not None:
            entry.is_taken = False

    def rings(self, customer: str, by: str) -> None:
        """The customer is on the telephone in conversation ``by``: no attempt begins, of requests to come neither."""
        self._on_telephone[by] = customer

    def hold(self, request: str, by: str) -> None:
        """Whoever asked for it still speaks in conversation ``by``: no attempt begins."""
        entry = self._entries.get(request)
        if entry is not None:
            entry.held_by.add(by)

    def is_held(self, request: str, by: str = "") -> bool:
        """Whether the customer is on the telephone (not in ``by``), or the request is done: nothing may begin."""
        entry = self._entries.get(request)
        return entry is None or self._is_held(entry, by)

    def replan(self, jump_ms: int, now: int, since: int) -> None:
        """The wall clock has jumped to ``now``: who has to wait waits as long as before; promises keep their hour.

        Places that were taken after ``since`` were taken by the old time.
        """
        for entry in self._entries.values():
            wanted = entry.wanted
            if now - jump_ms < entry.not_before != wanted.not_before:
                entry.not_before += jump_ms
            if wanted.opened > since:
                entry.wanted = replace(wanted, opened=wanted.opened + jump_ms)
            if wanted.renewed > since:
                entry.wanted = replace(entry.wanted, renewed=wanted.renewed + jump_ms)
            entry.expires = self._expires(entry.wanted)

    def release(self, request: str, by: str) -> None:
        entry = self._entries.get(request)
        if entry is not None:
            entry.held_by.discard(by)

    def release_all(self, by: str) -> bool:
        """Conversation ``by`` is over; whether it held anything."""
        customer = self._on_telephone.pop(by, "")
        held = [entry for entry in self._entries.values() if by in entry.held_by]
        for entry in held:
            entry.held_by.discard(by)
        return bool(held) or bool(self.of_customer(customer))

    def of_customer(self, customer: str) -> list[Wanted]:
        """All open requests of a customer, by the number to call or the one from which they asked."""
        return [
            entry.wanted
            for entry in self._entries.values()
            if customer and customer in (entry.wanted.customer, entry.wanted.asker)
        ]

    def messages(self) -> Counter[str]:
        """How many messages wait, by line."""
        return Counter(entry.wanted.queue for entry in self._entries.values() if entry.wanted.what == "message")

    def satisfied(self, customer: str, now: int) -> list[Wanted]:
        """Somebody has spoken with this customer: what that settles is out of the book, and returned.

        A promise is settled only where its moment has come: who was told "at five" is called at five.
        """
        done = [
            each for each in self.of_customer(customer) if each.what != "promise" or each.not_before - ON_TIME_MS <= now
        ]
        for wanted in done:
            self.close(wanted.request)
        return done

    def change(
        self, request: str, *, customer: str = "", not_before: int | None = None, queue: str = ""
    ) -> Wanted | None:
        """Another number, moment or line for an open request; None where there is none, or it is being dialled."""
        entry = self._entries.get(request)
        if entry is None or entry.is_taken:
            return None
        wanted = entry.wanted
        entry.wanted = replace(
            wanted,
            customer=customer or wanted.customer,
            not_before=wanted.not_before if not_before is None else not_before,
            queue=queue or wanted.queue,
        )
        entry.expires = self._expires(entry.wanted)
        if not_before is not None:
            entry.not_before, entry.is_reminded = not_before, False
        return entry.wanted

    def asks(self, request: str, asker: str) -> Wanted | None:
        """From now on the request is of who asks from this number, be it in whose hand it may."""
        entry = self._entries.get(request)
        if entry is None:
            return None
        entry.wanted = replace(entry.wanted, asker=asker)
        return entry.wanted

    def renew(self, request: str, now: int) -> None:
        """It is asked for again: who is told that they will be called has all attempts and all the time before them."""
        entry = self._entries.get(request)
        if entry is None:
            return
        entry.attempts = entry.uncounted = 0
        entry.is_renewed = entry.is_taken
        entry.wanted = replace(entry.wanted, is_wish=True, renewed=now)
        entry.expires = self._expires(entry.wanted)
        self._quarantine.pop(entry.wanted.customer, None)

    def hurry(self, request: str) -> bool:
        """The next attempt may begin now, whatever the spacing says; False where there is none to begin."""
        entry = self._entries.get(request)
        if entry is None or entry.is_taken:
            return False
        entry.not_before, entry.is_listed = 0, False
        self._quarantine.pop(entry.wanted.customer, None)
        return True

    def close(self, request: str) -> bool:
        """The request is done otherwise (the customer got through, a person closed it); False where it was not open."""
        return self._entries.pop(request, None) is not None

    def _moments(self, entry: _Entry, now: int) -> Iterator[int]:
        wanted = entry.wanted
        if wanted.what == "promise" and not entry.is_reminded:
            yield wanted.not_before - REMIND_MS
        if not entry.is_listed:
            quarantine = 0 if wanted.is_wish else self._quarantine.get(wanted.customer, 0)
            if (begins := max(entry.not_before, quarantine)) > now:
                yield begins

    def _may_begin(self, entry: _Entry, now: int) -> bool:
        if entry.is_taken or self._is_held(entry) or entry.is_listed or entry.not_before > now:
            return False
        return entry.wanted.is_wish or self._quarantine.get(entry.wanted.customer, 0) <= now

    def _expires(self, wanted: Wanted) -> int:
        return max(wanted.opened, wanted.not_before, wanted.renewed) + self.policy(wanted.queue).expires_ms + 1

    def _is_held(self, entry: _Entry, by: str = "") -> bool:
        """Whoever is to be called, or asked for it, is on the telephone."""
        people = entry.wanted.customer, entry.wanted.asker
        return bool(entry.held_by) or any(
            each in people and conversation != by for conversation, each in self._on_telephone.items()
        )

    def _of(self, entry: _Entry) -> Policy:
        return self.policy(entry.wanted.queue)


_USUAL = Policy()
