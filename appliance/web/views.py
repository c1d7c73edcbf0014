"""What the page shows, in the words and digits of its reader; templates only place it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance import messages
from appliance.control.wire import Finding, LiveCall, Role, Snapshot, Upstream
from appliance.errors import Problem
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits
from appliance.records import cdr
from appliance.records.reader import Conversation

GOOD, BUSY, BAD, IDLE = "good", "busy", "bad", "idle"
_TRUNK_TONES = {"up": GOOD, "starting": BUSY, "refused": BAD, "unreachable": BAD, "stopped": IDLE}
_CALL_TONES = {"ringing": BUSY, "menu": BUSY, "waiting": BUSY, "talking": GOOD, "hold": BUSY, "parked": BUSY}
_OUTCOME_TONES = {"served": GOOD, "finished": IDLE, "abandoned": BUSY, "refused": BAD, "crashed": BAD, "failed": BAD}
_RECORDING_TONES = {
    "verified": GOOD, "sealed": BUSY, "live": BUSY, "recovered": BUSY, "open": BUSY, "": IDLE, "empty": IDLE,
    "refused": BAD, "lost": BAD, "damaged": BAD, "missing": BAD,
}  # fmt: skip
_NEAR_DAYS = {-1: "web.yesterday", 0: "web.today", 1: "web.tomorrow"}
_MEDIA_TONES = {"up": GOOD, "full": BUSY, "lost": BAD, "unknown": IDLE}


@dataclass(frozen=True, slots=True)
class State:
    """A word with a colour and, for eyes that see no colour, a shape (the tone's name is its class)."""

    word: str
    tone: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    name: str
    state: State


@dataclass(frozen=True, slots=True)
class CallRow:
    """``since_ms`` is the wall time from which the browser counts on."""

    call: str
    customer: str
    name: str
    line: str
    agent: str
    state: State
    recording: State
    since_ms: int
    length: str
    is_ours: bool  # we have called them


@dataclass(frozen=True, slots=True)
class LastRow:
    when: str
    customer: str
    line: str
    agent: str
    outcome: State
    waited: str
    talked: str
    clarity: str
    recording: State
    listen: tuple[str, ...]  # its recordings that can be heard


@dataclass(frozen=True, slots=True)
class UpstreamRow:
    """A target: ``size`` in megabytes, ``fault`` and ``todo`` the last error in plain words."""

    name: str
    kind: str
    state: State
    pending: str
    size: str
    oldest: str
    receipt: str
    fault: str
    todo: str


@dataclass(frozen=True, slots=True)
class FindingRow:
    what: str
    do: str


def trunks(snapshot: Snapshot, language: Language) -> list[Party]:
    return [
        Party(
            each.name,
            State(word(f"web.trunk_{each.state}", language), _TRUNK_TONES.get(each.state, IDLE), each.detail),
        )
        for each in snapshot.trunks
    ]


def phones(snapshot: Snapshot, language: Language) -> list[Party]:
    return [
        Party(
            each.name,
            State(
                messages.text("web.phone_here" if each.is_registered else "web.phone_away", language),
                GOOD if each.is_registered else BAD,
            ),
        )
        for each in snapshot.phones
    ]


def media(snapshot: Snapshot, language: Language) -> State:
    return State(word(f"web.media_{snapshot.media}", language), _MEDIA_TONES.get(snapshot.media, IDLE))


def calls(snapshot: Snapshot, language: Language) -> list[CallRow]:
    """Those in progress, but for customers who wait in a line: they are shown there."""
    return [_call(each, snapshot.now_utc_ms, language) for each in snapshot.calls if not each.place]


def _state_of(call: LiveCall, language: Language) -> str:
    if call.slot:
        return messages.text("web.state_parked", language, slot=digits(str(call.slot), language))
    return word(f"web.state_{call.state}", language)


def _call(call: LiveCall, now: int, language: Language) -> CallRow:
    return CallRow(
        call=call.conversation,
        customer=digits(call.customer, language) or messages.text("web.hidden", language),
        name=call.name,
        line=call.line,
        agent=call.agent,
        state=State(_state_of(call, language), _CALL_TONES.get(call.state, IDLE)),
        recording=State(
            word(f"web.recording_now_{call.recording}", language),
            {"live": GOOD, "paused": BUSY, "refused": BAD}.get(call.recording, IDLE),
        ),
        since_ms=call.since_utc_ms,
        length=calendar.length(max(0, now - call.since_utc_ms), language),
        is_ours=call.direction != "in",
    )


def last(conversations: Sequence[Conversation], role: Role, language: Language) -> list[LastRow]:
    """The newest first. A technician sees no numbers."""
    return [_last(each, role != "technician", language) for each in conversations]


def _last(one: Conversation, shows_numbers: bool, language: Language) -> LastRow:
    recorded = cdr.recording_word(one.recordings)
    clarity = cdr.mos(one)
    hidden = messages.text("web.hidden", language)
    outcome = one.outcome or "open"
    return LastRow(
        when=calendar.moment(one.opened, language),
        customer=digits(_number(one), language) or hidden if shows_numbers and not one.is_withheld else hidden,
        line=one.line or one.trunk,
        agent=one.agent,
        outcome=State(word(f"web.outcome_{outcome}", language), _OUTCOME_TONES.get(outcome, BUSY)),
        waited=calendar.length(one.waiting_ms, language),
        talked=calendar.length(one.talking_ms + one.hold_ms, language),
        clarity="" if clarity is None else digits(clarity, language),
        recording=State(word(f"web.recording_{recorded or 'none'}", language), _RECORDING_TONES.get(recorded, BAD)),
        listen=tuple(each.recording for each in one.recordings if each.is_kept),
    )


def _number(one: Conversation) -> str:
    return national(one.customer) if one.customer.startswith("+98") else one.customer_as_arrived


def national(number: str) -> str:
    """A number of this country as people write it; others as they are."""
    return "0" + number[3:] if number.startswith("+98") else number


def near(utc_ms: int, now_ms: int, language: Language) -> str:
    """A moment to the minute; yesterday, today and tomorrow by their names."""
    whole = calendar.moment(utc_ms, language)
    day, clock = whole.split(" ")
    name = _NEAR_DAYS.get(calendar.day_number(utc_ms) - calendar.day_number(now_ms))
    return f"{word(name, language) if name else day} {clock[:5]}"


def findings(found: Sequence[Finding], language: Language) -> list[FindingRow]:
    rows = []
    for each in found:
        what, do = messages.problem_lines(Problem(each.key, **each.fields), language)
        rows.append(FindingRow(what, do))
    return rows


def upstream(snapshot: Snapshot, language: Language) -> list[UpstreamRow]:
    return [_upstream(each, snapshot.now_utc_ms, language) for each in snapshot.upstream]


def _upstream(target: Upstream, now: int, language: Language) -> UpstreamRow:
    faults = [*((target.fault,) if target.fault else ()), *target.remarks]
    said = findings(faults, language)
    reason = messages.text(f"web.upstream_reason_{target.reason}", language) if target.reason in _REASONS else ""
    return UpstreamRow(
        name=target.name,
        kind=target.kind,
        state=State(
            word(f"web.upstream_{target.state}", language),
            BAD if target.refused and target.state != "parked" else _UPSTREAM_TONES.get(target.state, IDLE),
            reason,
        ),
        pending=digits(target.pending, language),
        size=digits(f"{target.pending_bytes / 1e6:.1f}", language),
        oldest=calendar.age(now - target.oldest_utc_ms, language) if target.oldest_utc_ms else "–",
        receipt=calendar.moment(target.receipt_utc_ms, language) if target.receipt_utc_ms else "–",
        fault=said[0].what if said else "",
        todo=said[0].do if said else "",
    )


_UPSTREAM_TONES = {"idle": GOOD, "sending": BUSY, "parked": BAD, "disabled": BAD}
_REASONS = frozenset({"clock", "link", "full", "denied", "quiet"})


def counters(snapshot: Snapshot, language: Language) -> list[tuple[str, str]]:
    """Names are for a technician and stay as they are."""
    return [(name, digits(count, language)) for name, count in sorted(snapshot.counters.items())]


def word(key: str, language: Language) -> str:
    """The text for a word of another room; the word itself where a newer one is not known here."""
    return messages.text(key, language) if key in messages.catalogue(language) else key.rpartition("_")[2]
