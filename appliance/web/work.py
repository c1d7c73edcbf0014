"""What an agent's own page shows, in the words and digits of its reader; templates only place it."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from appliance import messages
from appliance.control.wire import Choice, DeskForm, DeskNow, Written
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits
from appliance.outbound_lists import to_csv
from appliance.outbound_lists.outcomes import SAID, Outcome
from appliance.records.dossier import Contact, Dossier
from appliance.records.drafts import FIELDS
from appliance.web import owed
from appliance.web.office import DOING_TONES, TIMED
from appliance.web.views import BAD, BUSY, GOOD, IDLE, State, national, near, word

# Why an agent is away, and the key of the page that says so (the place of the key, whatever it writes).
_AWAY_KEYS = ("KeyB", "KeyM", "KeyR", "KeyG", "KeyO")  # of the first reasons; the others have none
_KINDS = (("request", "KeyQ"), ("complaint", "KeyC"), ("criticism", "KeyX"), ("suggestion", "KeyS"))
_RESOLVED = (("yes", "KeyY"), ("no", "KeyN"))
_FORM_STATES = {"open": BUSY, "missed": BAD, "given": GOOD}


@dataclass(frozen=True, slots=True)
class Known:
    """``about`` is what the records know of who rings; None where they cannot be read. ``presses`` are of the menu."""

    about: Dossier | None
    presses: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A field of the form: what stands in it, and the version that the page shows."""

    value: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class ListRow:
    """``why_closed`` is empty where the next one can be asked for."""

    name: str
    remaining: str
    why_closed: str


@dataclass(frozen=True, slots=True)
class EntryRow:
    """Whom the agent calls by a list, or has called last; ``words`` are the outcomes that can be said by one press."""

    conversation: str
    name: str
    number: str
    columns: tuple[str, ...]
    outcome: str
    result: str
    results: tuple[str, ...]
    words: tuple[tuple[str, str], ...]


NO_VALUES: Mapping[str, Value] = dict.fromkeys(FIELDS, Value())


@dataclass(frozen=True, slots=True)
class ContactRow:
    when: str
    is_ours: bool
    outcome: State
    agent: str
    talked: str
    said: str  # disposition and note of the agent


@dataclass(frozen=True, slots=True)
class CallRow:
    """The call that rings, or in which the agent speaks. ``since_ms`` is when it came."""

    customer: str
    name: str
    line: str
    language: str
    state: State
    is_ours: bool
    since_ms: int
    length: str
    why: str
    identity: State
    briefs: tuple[tuple[str, str], ...]
    contacts: tuple[ContactRow, ...]
    promises: tuple[owed.RequestRow, ...]
    recording: State | None  # None: the agent has nothing to pause
    is_paused: bool
    resumes_ms: int
    resumes_in: str


@dataclass(frozen=True, slots=True)
class TaskRow:
    """The form of the last call: ``until_ms`` is when its time ends; 0: none runs."""

    customer: str
    state: State
    until_ms: int
    left: str
    can_extend: bool


def address(agent: str) -> str:
    """The query of an agent's page; empty: one's own."""
    return f"agent={urllib.parse.quote(agent)}" if agent else ""


def caller(desk: DeskNow) -> tuple[str, str] | None:
    """The conversation and customer of the call that is shown; None where there is none."""
    return (desk.call.conversation, desk.call.customer) if desk.call is not None else None


def lists(desk: DeskNow, language: Language) -> list[ListRow]:
    return [
        ListRow(each.name, digits(each.remaining, language), _why_closed(each.why_closed, language))
        for each in desk.lists
    ]


def _why_closed(word: str, language: Language) -> str:
    return messages.text(f"web.list_is_{word}", language) if word else ""


def entry(desk: DeskNow, language: Language) -> EntryRow | None:
    found = desk.entry
    if found is None:
        return None
    return EntryRow(
        conversation=found.conversation,
        name=found.name,
        number=digits(national(found.number), language),
        columns=found.columns,
        outcome=to_csv.outcome(found.outcome, language),
        result=found.result,
        results=found.results,
        words=tuple((each, to_csv.outcome(each, language)) for each in SAID if each is not Outcome.CALL_AGAIN),
    )


def state(desk: DeskNow, language: Language) -> tuple[State, int, str]:
    """What the agent does; since when (0: not shown), and how long that is."""
    what = word(f"web.doing_{desk.doing}", language)
    if desk.doing == "absent" and desk.reason:
        known = (_called(each, language) for each in desk.away if each.name == desk.reason)
        what = next(known, word(f"web.away_{desk.reason}", language))
    since = desk.since_utc_ms if desk.doing in TIMED else 0
    length = calendar.length(max(0, desk.now_utc_ms - since), language) if since else ""
    return State(what, DOING_TONES.get(desk.doing, IDLE)), since, length


def call(desk: DeskNow, known: Known, now: int, language: Language) -> CallRow | None:
    call = desk.call
    if call is None:
        return None
    about = known.about or Dossier((), (), None, "", "")
    ringing = State(messages.text("web.rings_for_you", language), BUSY)
    return CallRow(
        customer=digits(call.shown, language) or messages.text("web.hidden", language),
        name=call.name or about.name,
        line=call.queue or call.line,
        language={"fa": "فارسی", "en": "English"}.get(call.language, call.language),
        state=State(word(f"web.state_{call.state}", language), GOOD) if call.is_speaking else ringing,
        is_ours=call.direction == "out",
        since_ms=call.opened_utc_ms,
        length=calendar.length(max(0, now - call.opened_utc_ms), language),
        why=_path(known.presses, language),
        identity=_identity(about, language),
        briefs=tuple((each.agent, each.text) for each in call.briefs),
        contacts=tuple(_contact(each, now, language) for each in about.contacts),
        promises=tuple(owed.request_row(each, now, language) for each in about.requests),
        recording=_recording(call.recording, language),
        is_paused=call.recording == "paused",
        resumes_ms=call.pause_until_utc_ms,
        resumes_in=calendar.length(max(0, call.pause_until_utc_ms - now), language),
    )


def _recording(recording: str, language: Language) -> State | None:
    tone = BUSY if recording == "paused" else GOOD
    return State(word(f"web.recording_now_{recording}", language), tone) if recording else None


def _path(presses: Sequence[tuple[str, str, str]], language: Language) -> str:
    """The way through the menu: its nodes, and what was pressed in them."""
    found: list[str] = []
    for what, node, pressed in presses:
        if what == "node":
            found.append(node)
        elif what == "digit" and found:
            found[-1] += f" [{digits(pressed, language)}]"
    return " › ".join(found)


def _identity(about: Dossier, language: Language) -> State:
    if about.identity is None:
        return State(messages.text("web.identity_none", language), IDLE)
    if about.identity:
        return State(messages.text("web.identity_proven", language), GOOD, about.identified_by)
    return State(messages.text("web.identity_failed", language), BAD, about.identified_by)


def _contact(contact: Contact, now: int, language: Language) -> ContactRow:
    return ContactRow(
        when=near(contact.opened, now, language),
        is_ours=contact.direction == "out",
        outcome=State(word(f"web.outcome_{contact.outcome or 'open'}", language), IDLE),
        agent=contact.agent,
        talked=calendar.length(contact.talked_ms, language),
        said=": ".join(filter(None, (contact.disposition, contact.note))),
    )


def task(desk: DeskNow, now: int, language: Language) -> TaskRow | None:
    form = desk.form
    if form is None:
        return None
    what = f"web.form_{form.state}" if form.is_over or form.state != "open" else "web.form_while"
    return TaskRow(
        customer=digits(form.shown, language) or messages.text("web.hidden", language),
        state=State(word(what, language), _FORM_STATES.get(form.state, IDLE)),
        until_ms=form.until_utc_ms,
        left=calendar.length(max(0, form.until_utc_ms - now), language) if form.until_utc_ms else "",
        can_extend=form.can_extend,
    )


def reasons(desk: DeskNow, language: Language) -> list[tuple[str, str, str]]:
    """Why an agent may be away: name, what it is called, and its key (empty: it has none)."""
    named = zip_longest(desk.away, _AWAY_KEYS[: len(desk.away)], fillvalue="")
    return [(each.name, _called(each, language), key) for each, key in named if isinstance(each, Choice)]


def _called(choice: Choice, language: Language) -> str:
    return choice.persian if language == "fa" else choice.english


def resolutions(language: Language) -> list[tuple[str, str, str]]:
    return [(name, word(f"web.resolved_{name}", language), key) for name, key in _RESOLVED]


def kinds(language: Language) -> list[tuple[str, str, str]]:
    return [(name, word(f"web.kind_{name}", language), key) for name, key in _KINDS]


def choices(form: DeskForm | None, language: Language) -> list[tuple[str, str, int]]:
    """Dispositions: name, what it is called, and its key."""
    found = form.choices if form is not None else ()
    return [
        (each.name, each.persian if language == "fa" else each.english, key) for key, each in enumerate(found, start=1)
    ]


def values(form: DeskForm | None, typed: Mapping[str, str] | None, changed: Written | None) -> dict[str, Value] | None:
    """What stands in the fields: what was typed and refused, with the versions as they are now, else what is known."""
    if form is None:
        return None
    known = changed.fields if changed is not None else form.fields
    sent = typed or {}
    return {each.name: Value(sent.get(each.name, each.value), each.version) for each in known}


def changed(form: DeskForm | None, written: Written, language: Language) -> list[tuple[str, str]]:
    """The fields that somebody else had changed, and what stands in them now, in words."""
    named = {name: called for name, called, _ in choices(form, language)}
    now = {each.name: each.value for each in written.fields}
    words = {
        "disposition": named.get(now["disposition"], now["disposition"]),
        "resolved": word(f"web.resolved_{now['resolved']}", language) if now["resolved"] else "–",
        "kind": word(f"web.kind_{now['kind']}", language) if now["kind"] else "–",
        "note": now["note"],
    }
    return [(word(f"web.field_{name}", language), words[name]) for name in written.changed]


def promised(form: DeskForm | None, typed: Mapping[str, str] | None, language: Language) -> dict[str, str]:
    """The promise as it was typed and refused, else one for the customer of the last call."""
    if typed is not None:
        return {name: typed.get(name, "") for name in ("number", "due", "about")}
    return {"number": digits(national(form.shown), language) if form is not None else "", "due": "", "about": ""}
