"""``pasokh requests``, ``owed`` and ``promises``: what the box has promised, who waits for it, and what was kept.

They only read. Whether a promise was kept follows from the calls (owed.py), not from its state.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from appliance import messages
from appliance.messages import Language
from appliance.messages.calendar import DAY_MS
from appliance.records import ledger, owed
from appliance.records.commands import add_places, aligned, count, reader_of, when
from appliance.records.database import Connection
from appliance.records.survey import wilson

FEW = 30  # FIGURES.md: below, a rate stands with its interval

_WHAT: dict[str, str] = {
    "callback": "records.request_is_callback",
    "promise": "records.request_is_promise",
    "missed": "records.request_is_missed",
    "message": "records.request_is_message",
    "complaint": "records.request_is_complaint",
    "request": "records.request_is_request",
}
_STATE: dict[str, str] = {
    "open": "records.request_is_open",
    "doing": "records.request_is_doing",
    "done": "records.request_is_done",
    "cancelled": "records.request_is_cancelled",
    "expired": "records.request_is_expired",
}
_KEEPING: dict[str, str] = {
    "kept": "records.promise_kept",
    "broken": "records.promise_broken",
    "due": "records.promise_due",
    "taken_back": "records.promise_taken_back",
}
_HEADINGS = (
    "records.request_code",
    "records.request_what",
    "records.request_state",
    "records.request_customer",
    "records.request_opened",
    "records.request_due",
    "records.request_about",
    "records.request_tried",
)
_ATTEMPTS: dict[str, str] = {
    "": "records.attempt_goes_on",
    "reached": "records.attempt_reached",
    "not_reached": "records.attempt_not_reached",
    "not_given": "records.attempt_not_given",
    "announcement": "records.attempt_announcement",
    "busy": "records.attempt_busy",
    "no_answer": "records.attempt_no_answer",
    "declined": "records.attempt_declined",
    "off": "records.attempt_off",
    "no_such_number": "records.attempt_no_such_number",
    "network": "records.attempt_network",
    "no_agent": "records.attempt_no_agent",
    "interrupted": "records.attempt_interrupted",
}
_HEARD: dict[str, str] = {
    "early": "records.heard_early",
    "silence": "records.heard_silence",
    "ringing": "records.heard_ringing",
    "sound": "records.heard_sound",
    "busy": "records.heard_busy",
    "congestion": "records.heard_congestion",
}
_OWED_HEADINGS = (
    "records.request_customer",
    "records.owed_name",
    "records.request_what",
    "records.owed_since",
    "records.request_due",
    "records.request_state",
)
_PROMISE_HEADINGS = (
    "records.request_due",
    "records.request_customer",
    "records.column_agent",
    "records.request_state",
    "records.promise_spoke",
)


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds ``requests``, ``owed`` and ``promises`` to the command line."""
    text = "what the box has promised: callbacks, promises, missed calls, messages, complaints"
    requests = subparsers.add_parser("requests", help=text, description=text)
    add_places(requests)
    requests.add_argument("--last", type=count, default=20, metavar="N", help="how many (20)")
    requests.add_argument("--open", action="store_true", help="only those that wait for somebody")
    requests.add_argument("--what", choices=get_args(ledger.What), metavar="KIND", help=", ".join(_WHAT))
    requests.add_argument("--json", action="store_true", help="one JSON document a line, oldest first")
    requests.set_defaults(run=_requests)
    text = "who waits for a call of ours, one row a person; overdue first"
    persons = subparsers.add_parser("owed", help=text, description=text)
    add_places(persons)
    persons.add_argument("--json", action="store_true", help="one JSON document a line")
    persons.set_defaults(run=_owed)
    text = "promised calls: kept, broken or to come, and the on-time rate"
    promises = subparsers.add_parser("promises", help=text, description=text)
    add_places(promises)
    promises.add_argument("--days", type=count, default=30, metavar="N", help="of the last and the next N days (30)")
    promises.add_argument("--json", action="store_true", help="one JSON document a line, in order of their moments")
    promises.set_defaults(run=_promises)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _requests(chosen: argparse.Namespace) -> int:
    language, now = messages.chosen_language(), _now()

    def look(db: Connection) -> tuple[list[ledger.Request], Mapping[str, owed.Keeping]]:
        found = ledger.requests(db, "open" if chosen.open else "", chosen.last, chosen.what or "")
        dues = [each.due for each in found if each.what == "promise"]
        judged = owed.promises(db, min(dues), max(dues), now) if dues else []
        return found, {each.request: each.keeping for each in judged}

    with reader_of(chosen) as reader:
        found, keeping = reader.within(look)
        tried = reader.within(lambda db: ledger.attempts(db, [each.request for each in found]))
    if chosen.json:
        for one in found[::-1]:
            more = {
                "keeping": keeping.get(one.request, ""),
                "attempts": [dataclasses.asdict(each) for each in tried.get(one.request, ())],
            }
            print(json.dumps({**dataclasses.asdict(one), **more}, ensure_ascii=False))
        return 0
    rows = [[messages.text(key, language) for key in _HEADINGS]]
    for one in found:
        state = messages.text(_STATE[one.state], language)
        if one.request in keeping and not (one.state == "cancelled" and keeping[one.request] == "broken"):
            state += f" ({messages.text(_KEEPING[keeping[one.request]], language)})"
        rows.append(
            [
                one.code,
                messages.text(_WHAT[one.what], language),
                state,
                one.customer,
                when(one.opened, language),
                when(one.due, language) if one.due else "",
                one.detail or one.queue,
                _tried(tried.get(one.request, ()), language),
            ]
        )
    _print(rows)
    return 0


def _tried(attempts: Sequence[ledger.Attempt], language: Language) -> str:
    """How often a customer was called back, and what came of the last time."""
    if not attempts:
        return ""
    last = attempts[-1]
    outcome = messages.text(_ATTEMPTS.get(last.outcome, "records.attempt_unknown"), language)
    heard = messages.text(_HEARD[last.heard], language) if last.heard in _HEARD else ""
    return f"{len(attempts)}: {outcome}" + (f" ({heard})" if heard else "")


def _owed(chosen: argparse.Namespace) -> int:
    language, now = messages.chosen_language(), _now()
    with reader_of(chosen) as reader:
        persons = reader.within(owed.persons)
    persons.sort(key=lambda each: (not _is_late(each, now), each.due if _is_late(each, now) else each.since))
    if chosen.json:
        for one in persons:
            print(json.dumps({**dataclasses.asdict(one), "is_overdue": _is_late(one, now)}, ensure_ascii=False))
        return 0
    rows = [[messages.text(key, language) for key in _OWED_HEADINGS]]
    rows += [_owed_row(one, now, language) for one in persons]
    _print(rows)
    return 0


def _owed_row(one: owed.Person, now: int, language: Language) -> list[str]:
    return [
        one.customer or messages.text("records.withheld", language),
        one.name,
        _kinds(one, language),
        when(one.since, language),
        when(one.due, language) if one.due else "",
        messages.text("records.owed_overdue", language) if _is_late(one, now) else "",
    ]


def _is_late(person: owed.Person, now: int) -> bool:
    return 0 < person.due <= now


def _kinds(person: owed.Person, language: Language) -> str:
    """``callback, promise, rang in vain 2``."""
    kinds = dict.fromkeys(kind for _, kind in person.requests)
    said = [messages.text(_WHAT[kind], language) for kind in kinds]
    if person.missed:
        said.append(messages.text("records.owed_missed", language, count=person.missed))
    return ", ".join(said)


def _promises(chosen: argparse.Namespace) -> int:
    language, now = messages.chosen_language(), _now()
    span = chosen.days * DAY_MS
    with reader_of(chosen) as reader:
        found = reader.within(lambda db: owed.promises(db, now - span, now + span, now))
    if chosen.json:
        for one in found:
            print(json.dumps(dataclasses.asdict(one), ensure_ascii=False))
        return 0
    rows = [[messages.text(key, language) for key in _PROMISE_HEADINGS]]
    for one in found:
        is_taken_back = one.state == "cancelled" and not one.spoke
        state = messages.text(_STATE["cancelled"] if is_taken_back else _KEEPING[one.keeping], language)
        spoke = when(one.spoke, language) if one.spoke else ""
        rows.append([when(one.due, language), one.customer, one.agent, state, spoke])
    _print(rows)
    print(_rate([each for each in found if each.due <= now], chosen.days, language))
    return 0


def _rate(judged: list[owed.Promise], days: int, language: Language) -> str:
    kept, due = owed.on_time(judged)
    if not due:
        return messages.text("records.on_time_none", language, days=days)
    said = messages.text("records.on_time", language, days=days, share=round(100 * kept / due, 1), kept=kept, due=due)
    if due < FEW:
        least, most = (round(100 * each, 1) for each in wilson(kept, due))
        said += " " + messages.text("records.on_time_interval", language, least=least, most=most)
    return said


def _print(rows: list[list[str]]) -> None:
    for line in aligned(rows):
        print(line.rstrip())
