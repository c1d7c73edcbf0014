"""Who waits for a call of ours, and what became of promises: read from the records, and shown with one row a person.

Whoever is overdue stands first, then who has waited longest. A promise's fate comes from the calls themselves
(records/owed.py), never from a tick on this page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance import messages
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits
from appliance.queue.callbacks import REMIND_MS
from appliance.records import ledger, owed
from appliance.records.database import Connection
from appliance.records.events import ON_TIME_MS
from appliance.records.ledger import Request
from appliance.records.owed import Keeping, Person, Promise
from appliance.records.survey import wilson
from appliance.web.views import BAD, BUSY, GOOD, IDLE, State, national, near, word

SPAN_MS = 30 * calendar.DAY_MS  # how far promises are shown back and ahead
MOST_SHOWN = 100  # rows of a list of promises; the command line shows all
FEW = 30  # FIGURES: below, a rate stands with its interval
OPEN = ("open", "doing")
QUARTER_MS = 900_000
_KEEPING_TONES = {Keeping.KEPT: GOOD, Keeping.BROKEN: BAD, Keeping.DUE: IDLE, Keeping.TAKEN_BACK: IDLE}


@dataclass(frozen=True, slots=True)
class Owed:
    """What the records say, in one read. ``requests`` are the open ones of all persons; ``promises`` of ``SPAN_MS``."""

    persons: Sequence[Person]
    requests: Mapping[str, Request]
    promises: Sequence[Promise]
    now: int


@dataclass(frozen=True, slots=True)
class RequestRow:
    request: str
    kind: str
    code: str
    due: str
    about: str
    agent: str
    overdue: State | None
    doing: State | None


@dataclass(frozen=True, slots=True)
class PersonRow:
    number: str
    name: str
    is_known: bool  # False: the number was withheld
    missed: str  # how often, in words; empty where they have asked for something and never rang in vain
    since: str
    line: str
    requests: tuple[RequestRow, ...]
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class PromiseRow:
    due: str
    customer: str
    agent: str
    state: State
    spoke: str


@dataclass(frozen=True, slots=True)
class Rate:
    """The on-time follow-up of 30 days. From ``FEW`` on ``interval`` is empty; ``share`` is where none was due."""

    share: str
    kept: str
    due: str
    interval: str
    broken_today: str
    next_due: str


@dataclass(frozen=True, slots=True)
class Reminder:
    request: str
    due: str
    customer: str
    agent: str
    about: str
    overdue: State | None


def read(db: Connection, now: int, *, is_whole: bool = True) -> Owed:
    """``is_whole``: with the promises of 30 days to both sides; otherwise those about which to remind somebody."""
    persons = owed.persons(db)
    found = (ledger.of_id(db, request) for person in persons for request, _ in person.requests)
    since, until = (now - SPAN_MS, now + SPAN_MS) if is_whole else (now - ON_TIME_MS, now + REMIND_MS)
    promises = owed.promises(db, since, until, now)
    return Owed(persons, {each.request: each for each in found if each is not None}, promises, now)


# Persons --------------------------------------------------------------------------------------------------------------


def persons(kept: Owed, language: Language) -> list[PersonRow]:
    """Overdue first, the longest overdue at the top; then who has waited longest."""

    def order(person: Person) -> tuple[bool, int]:
        late = _overdue_since(person, kept)
        return not late, late or person.since

    return [_person(each, kept, language) for each in sorted(kept.persons, key=order)]


def count(kept: Owed) -> tuple[int, int]:
    """How many wait for us, and how many of them are overdue."""
    return len(kept.persons), sum(_overdue_since(each, kept) > 0 for each in kept.persons)


def _overdue_since(person: Person, kept: Owed) -> int:
    """The earliest moment that has passed, of what is open for this person; 0 for none."""
    dues = (kept.requests[request].due for request, _ in person.requests if request in kept.requests)
    return min((due for due in dues if 0 < due <= kept.now), default=0)


def _person(person: Person, kept: Owed, language: Language) -> PersonRow:
    known = [kept.requests[request] for request, _ in person.requests if request in kept.requests]
    return PersonRow(
        number=_number(person.customer, language),
        name=person.name,
        is_known=bool(person.customer),
        missed=messages.text("web.missed_times", language, count=digits(person.missed, language))
        if person.missed
        else "",
        since=near(person.since, kept.now, language),
        line=person.queue,
        requests=tuple(request_row(each, kept.now, language) for each in known),
        is_overdue=_overdue_since(person, kept) > 0,
    )


def request_row(request: Request, now: int, language: Language) -> RequestRow:
    return RequestRow(
        request=request.request,
        kind=word(f"web.owed_{request.what}", language),
        code=digits(request.code, language),
        due=near(request.due, now, language) if request.due else "",
        about="" if request.what == "missed" else request.detail,
        agent=request.agent,
        overdue=_overdue(request.due, now, language),
        doing=State(messages.text("web.being_called", language), BUSY) if request.state == "doing" else None,
    )


def _overdue(due: int, now: int, language: Language) -> State | None:
    """In words, and by a shape: not by a colour alone."""
    return State(messages.text("web.overdue", language), BAD) if 0 < due <= now else None


# Promises -------------------------------------------------------------------------------------------------------------


def reminders(kept: Owed, language: Language) -> list[Reminder]:
    """Promises whose moment comes within ten minutes, or came and can still be kept, and which wait to be kept."""
    return [
        Reminder(
            request=each.request,
            due=near(each.due, kept.now, language),
            customer=_number(each.customer, language),
            agent=each.agent,
            about=kept.requests[each.request].detail if each.request in kept.requests else "",
            overdue=_overdue(each.due, kept.now, language),
        )
        for each in kept.promises
        if each.state in OPEN and each.keeping is Keeping.DUE and each.due <= kept.now + REMIND_MS
    ]


def past(kept: Owed, language: Language) -> list[PromiseRow]:
    """Promises of the last 30 days, newest first."""
    return [_promise(each, kept.now, language) for each in reversed(kept.promises) if each.due <= kept.now][:MOST_SHOWN]


def to_come(kept: Owed, language: Language) -> list[PromiseRow]:
    """Promises of the next 30 days, next first."""
    return [_promise(each, kept.now, language) for each in kept.promises if each.due > kept.now][:MOST_SHOWN]


def _promise(promise: Promise, now: int, language: Language) -> PromiseRow:
    if promise.keeping is Keeping.DUE and promise.due <= now:  # can still be kept
        state = State(messages.text("web.promise_now", language), BUSY)
    else:
        state = State(word(f"web.promise_{promise.keeping}", language), _KEEPING_TONES[promise.keeping])
    return PromiseRow(
        due=near(promise.due, now, language),
        customer=_number(promise.customer, language),
        agent=promise.agent,
        state=state,
        spoke=near(promise.spoke, now, language) if promise.spoke else "",
    )


def rate(kept: Owed, language: Language) -> Rate:
    """On-time follow-up by FIGURES: kept within 15 minutes / due. Never coloured."""
    judged = [each for each in kept.promises if each.due <= kept.now]
    kept_count, due_count = owed.on_time(judged)
    today = calendar.day_number(kept.now)
    broken = [each for each in judged if each.keeping is Keeping.BROKEN]
    coming = [each for each in kept.promises if each.due > kept.now and each.state in OPEN]
    interval = ""
    if 0 < due_count < FEW:
        least, most = wilson(kept_count, due_count)
        interval = messages.text(
            "web.interval", language, least=_per_cent(least, language), most=_per_cent(most, language)
        )
    return Rate(
        share=_per_cent(kept_count / due_count, language) if due_count else "",
        kept=digits(kept_count, language),
        due=digits(due_count, language),
        interval=interval,
        broken_today=digits(sum(calendar.day_number(each.due) == today for each in broken), language),
        next_due=near(coming[0].due, kept.now, language) if coming else "",
    )


def _per_cent(share: float, language: Language) -> str:
    return digits(f"{100 * share:.1f}", language)


def _number(customer: str, language: Language) -> str:
    return digits(national(customer), language) if customer else messages.text("web.hidden", language)


# Moments that are offered ---------------------------------------------------------------------------------------------


def typed(utc_ms: int, language: Language) -> str:
    """A moment as it is typed into a form; empty for none."""
    return calendar.moment(utc_ms, language)[:16] if utc_ms else ""


def suggestions(now: int, language: Language) -> list[tuple[str, str]]:
    """Moments for which a promise is often made, as they are typed and as they are called."""
    soon = -(-(now + 2 * QUARTER_MS) // QUARTER_MS) * QUARTER_MS
    moments = [soon, soon + 2 * QUARTER_MS, soon + 6 * QUARTER_MS, soon + calendar.DAY_MS]
    return [(typed(each, language), near(each, now, language)) for each in moments]
