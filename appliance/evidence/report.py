"""The report that goes with a folder of evidence: what happened, by the signed events, for people who read no JSON.

``told`` says what stands in it, in one language; page.py and paper.py set it as HTML and as PDF.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from appliance import messages
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits

Events = Sequence[tuple[int, int, str, dict[str, Any]]]  # number, UTC ms, kind, body

_RECORDING_HEADS = (
    "evidence.column_file", "evidence.column_seconds", "evidence.column_state", "evidence.column_digest",
)  # fmt: skip
_EVENT_HEADS = ("evidence.column_number", "evidence.column_moment", "evidence.column_kind")


@dataclass(frozen=True, slots=True)
class Cell:
    """A text; ``is_code`` for what is read from left to right, letter by letter, in either language."""

    text: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """``heads`` are empty, or one for each cell of a row."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """Who made the folder and why; ``is_on_record``: it stands in the chain, written before the folder was."""

    who: str
    why: str
    is_on_record: bool


@dataclass(frozen=True, slots=True)
class Report:
    """In the order in which it is read."""

    language: Language
    title: str
    what: str
    facts: Table
    recordings: Table
    how_title: str
    how: str
    command: str
    limit: str
    events: Table


def told(
    conversation: str, events: Events, fingerprint: str, signed_at: int, exported: Exported, language: Language
) -> Report:
    """The report on a conversation; ``events`` are its own, in order, and ``fingerprint`` is that of who signed."""

    def say(key: str) -> str:
        return messages.text(key, language)

    signed = (Cell(say("evidence.signed")), Cell(f"{_moment(signed_at, language)} \u2066{fingerprint}\u2069"))
    is_on_record = "evidence.on_record" if exported.is_on_record else "evidence.not_on_record"
    handed = (
        (Cell(say("evidence.exported_by")), Cell(exported.who)),
        (Cell(say("evidence.exported_why")), Cell(exported.why)),
        (Cell(say("evidence.exported_noted")), Cell(say(is_on_record))),
    )
    facts = ((Cell(say(key)), cell) for key, cell in _facts(conversation, events, language))
    return Report(
        language=language,
        title=say("evidence.title"),
        what=say("evidence.what"),
        facts=Table("", (), (*facts, signed, *handed)),
        recordings=Table(say("evidence.recordings"), tuple(map(say, _RECORDING_HEADS)), _recordings(events, language)),
        how_title=say("evidence.how_to_check"),
        how=say("evidence.how"),
        command=f"python3 check.py . {fingerprint.replace(' ', '')}",
        limit=say("evidence.limit"),
        events=Table(say("evidence.events"), tuple(map(say, _EVENT_HEADS)), _happened(events, language)),
    )


def _facts(conversation: str, events: Events, language: Language) -> tuple[tuple[str, Cell], ...]:
    begun = next((body for _, _, kind, body in events if kind == "conversation.opened"), {})
    closed = next((body for _, _, kind, body in events if kind == "conversation.closed"), {})
    consents = [
        _word(f"evidence.consent_{body['how']}", language) for _, _, kind, body in events if kind.startswith("consent.")
    ]
    talks = [str(body["party"]) for _, _, kind, body in events if kind == "leg.opened" and body["role"] != "customer"]
    customer = (
        Cell(messages.text("evidence.hidden", language))
        if begun.get("is_withheld")
        else Cell(str(begun.get("customer", "")), is_code=True)
    )
    return (
        ("evidence.conversation", Cell(conversation, is_code=True)),
        ("evidence.opened", Cell(_moment(events[0][1], language))),
        ("evidence.customer", customer),
        ("evidence.called", Cell(str(begun.get("called", "")), is_code=True)),
        ("evidence.spoke_with", Cell(", ".join(talks))),
        ("evidence.consent", Cell(", ".join(_word(f"evidence.consent_{how}", language) for how in consents))),
        ("evidence.outcome", Cell(_word(f"records.outcome_{closed['outcome']}", language) if closed else "")),
    )


def _recordings(events: Events, language: Language) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        (
            Cell(f"{body['recording']}.wav", is_code=True),
            Cell(digits(round(body["milliseconds"] / 1000), language)),
            Cell(_word(f"records.recording_{body['state']}", language)),
            Cell(body["body_sha256"], is_code=True),
        )
        for _, _, kind, body in events
        if kind == "recording.sealed"
    )


def _happened(events: Events, language: Language) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        (Cell(digits(n, language)), Cell(_moment(at, language)), Cell(kind, is_code=True)) for n, at, kind, _ in events
    )


def _word(key: str, language: Language) -> str:
    """What is said for a word of an event; the word itself where another version of the box has written it."""
    return messages.text(key, language) if key in messages.catalogue(language) else key.rpartition("_")[2]


def _moment(utc_ms: int, language: Language) -> str:
    """Day and time, and the same in UTC, which no calendar changes."""
    utc = calendar.moment(utc_ms - calendar.TEHRAN_OFFSET_MS, "en")
    return f"{calendar.moment(utc_ms, language)} \u2066({utc} UTC)\u2069"
