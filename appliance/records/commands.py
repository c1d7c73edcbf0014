"""``pasokh cdr``, ``requests``, ``survey`` and ``records``: what is kept, for people and for programs.

Both only read, beside a running box or after a crash of it. After a clean stop only the box's own user can read the
file (SQLite then wants to make its -wal anew).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
import tomllib
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.errors import Problem
from appliance.messages import Language
from appliance.places import DATABASE_KEY
from appliance.records import cdr, chain, database, ledger, survey
from appliance.records.reader import Conversation, Reader

DEFAULT_DATA = Path("/var/lib/pasokh")
DEFAULT_SECRETS = Path("/etc/pasokh/secrets")
EXIT_BROKEN = 1

_OUTCOMES: dict[str, str] = {
    "": "records.outcome_open",
    "served": "records.outcome_served",
    "abandoned": "records.outcome_abandoned",
    "finished": "records.outcome_finished",
    "refused": "records.outcome_refused",
    "crashed": "records.outcome_crashed",
    "failed": "records.outcome_failed",
}


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds ``cdr``, ``requests``, ``survey`` and ``records verify`` to the command line."""
    text = "the records of the last conversations"
    records = subparsers.add_parser("cdr", help=text, description=text)
    _add_places(records)
    records.add_argument("--last", type=_count, default=20, metavar="N", help="how many (20)")
    form = records.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document a line, oldest first")
    form.add_argument("--csv", action="store_true", help="a table for a spreadsheet, oldest first")
    records.set_defaults(run=_cdr)
    text = "what the box has promised: callbacks, promises, messages, complaints"
    requests = subparsers.add_parser("requests", help=text, description=text)
    _add_places(requests)
    requests.add_argument("--last", type=_count, default=20, metavar="N", help="how many (20)")
    requests.add_argument("--open", action="store_true", help="only those that wait for somebody")
    requests.add_argument("--json", action="store_true", help="one JSON document a line, oldest first")
    requests.set_defaults(run=_requests)
    text = "what callers answered after their calls: CSAT, NPS, resolved, with 95 % intervals"
    answers = subparsers.add_parser("survey", help=text, description=text)
    _add_places(answers)
    answers.add_argument("--days", type=_count, default=30, metavar="N", help="of the last N days (30)")
    answers.add_argument("--json", action="store_true", help="one JSON document")
    answers.set_defaults(run=_survey)
    text = "check that nothing in the records was changed"
    checks = subparsers.add_parser("records", help=text, description=text).add_subparsers(
        metavar="COMMAND", required=True
    )
    verify = checks.add_parser("verify", help=text, description=text)
    _add_places(verify)
    verify.add_argument("--anchor", type=_anchor, metavar="N:HEX", help="a head of the chain that was noted elsewhere")
    verify.set_defaults(run=_verify)


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", type=Path, metavar="PATH", help=f"calls.db ({DEFAULT_DATA}/calls.db)")
    parser.add_argument("--key", type=Path, metavar="FILE", help=f"its key ({DEFAULT_SECRETS}/{DATABASE_KEY})")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the settings' file that names the box's folders")


def _cdr(chosen: argparse.Namespace) -> int:
    with reader_of(chosen) as reader:
        newest_first = reader.last(chosen.last)
    conversations = newest_first[::-1]
    if chosen.json:
        for conversation in conversations:
            print(json.dumps(cdr.as_json(conversation), ensure_ascii=False))
    elif chosen.csv:
        sys.stdout.flush()
        sys.stdout.buffer.write(cdr.as_csv(conversations).encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
    else:
        for line in table(newest_first, messages.chosen_language()):
            print(line)
    return 0


def _verify(chosen: argparse.Namespace) -> int:
    with reader_of(chosen) as reader:
        found = reader.verify(chosen.anchor)
    match found:
        case chain.Fault(n, reason):
            raise Problem("records.chain_broken", n=n, reason=reason)
        case chain.Head(n, link):
            print(messages.text("records.chain_whole", messages.chosen_language(), n=n, head=f"{n}:{link.hex()}"))
            return 0


def _requests(chosen: argparse.Namespace) -> int:
    language = messages.chosen_language()
    with reader_of(chosen) as reader:
        found = reader.requests("open" if chosen.open else "", chosen.last)
        tried = reader.within(lambda db: ledger.attempts(db, [each.request for each in found]))
    if chosen.json:
        for request in found[::-1]:
            attempts = [dataclasses.asdict(each) for each in tried.get(request.request, ())]
            print(json.dumps({**dataclasses.asdict(request), "attempts": attempts}, ensure_ascii=False))
        return 0
    rows = [[messages.text(key, language) for key in _HEADINGS]]
    for one in found:
        due = _when(one.due, language) if one.due else ""
        about = one.detail or one.queue
        what, state = (messages.text(_REQUESTS[word], language) for word in (one.what, one.state))
        last = _tried(tried.get(one.request, ()), language)
        rows.append([one.code, what, state, one.customer, _when(one.opened, language), due, about, last])
    for line in _aligned(rows):
        print(line)
    return 0


def _tried(attempts: Sequence[ledger.Attempt], language: Language) -> str:
    """How often a customer was called back, and what came of the last time."""
    if not attempts:
        return ""
    last = attempts[-1]
    outcome = messages.text(_ATTEMPTS.get(last.outcome, "records.attempt_unknown"), language)
    heard = messages.text(_HEARD[last.heard], language) if last.heard in _HEARD else ""
    return f"{len(attempts)}: {outcome}" + (f" ({heard})" if heard else "")


def _survey(chosen: argparse.Namespace) -> int:
    language = messages.chosen_language()
    since = round(time.time() * 1000) - chosen.days * 86_400_000
    with reader_of(chosen) as reader:
        found = survey.figures(reader.survey(since))
    if chosen.json:
        print(json.dumps({name: dataclasses.asdict(figure) for name, figure in found.items()}))
        return 0
    for name, figure in found.items():
        if figure.value is None:
            print(messages.text("records.survey_none", language, name=messages.text(_SURVEYS[name], language)))
        else:
            print(
                messages.text(
                    "records.survey_figure",
                    language,
                    name=messages.text(_SURVEYS[name], language),
                    value=figure.value,
                    least=figure.least or 0.0,
                    most=figure.most or 0.0,
                    count=figure.answers,
                )
            )
    return 0


_REQUESTS: dict[str, str] = {
    "callback": "records.request_is_callback",
    "promise": "records.request_is_promise",
    "message": "records.request_is_message",
    "complaint": "records.request_is_complaint",
    "request": "records.request_is_request",
    "open": "records.request_is_open",
    "doing": "records.request_is_doing",
    "done": "records.request_is_done",
    "cancelled": "records.request_is_cancelled",
    "expired": "records.request_is_expired",
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
_SURVEYS: dict[str, str] = {
    "csat": "records.survey_csat",
    "nps": "records.survey_nps",
    "resolved": "records.survey_resolved",
}


def table(conversations: Sequence[Conversation], language: Language) -> list[str]:
    """The records as lines for a terminal, with a heading, newest first."""

    def say(key: str) -> str:
        return messages.text(key, language)

    columns: tuple[tuple[str, Callable[[Conversation], str]], ...] = (
        (say("records.column_opened"), lambda one: _when(one.opened, language)),
        (say("records.column_line"), lambda one: one.line),
        (say("records.column_customer"), lambda one: say("records.withheld") if one.is_withheld else one.customer),
        (say("records.column_outcome"), lambda one: say(_OUTCOMES[one.outcome]) if one.outcome in _OUTCOMES else "?"),
        (say("records.column_agent"), lambda one: one.agent),
        (say("records.column_waited"), lambda one: _seconds(one.waiting_ms)),
        (say("records.column_talked"), lambda one: _seconds(one.talking_ms + one.hold_ms)),
        (say("records.column_total"), lambda one: _seconds(one.total_ms)),
        ("MOS", lambda one: "" if cdr.mos(one) is None else str(cdr.mos(one))),
        (say("records.column_recording"), lambda one: _recording(one, language)),
    )
    rows = [[heading for heading, _ in columns], *([cell(one) for _, cell in columns] for one in conversations)]
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows with columns of one width each."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)) for row in rows
    ]


def _recording(conversation: Conversation, language: Language) -> str:
    word = cdr.recording_word(conversation.recordings)
    return messages.text(_RECORDINGS[word], language) if word in _RECORDINGS else word


_RECORDINGS: dict[str, str] = {
    "": "records.recording_none",
    "verified": "records.recording_verified",
    "open": "records.recording_open",
    "damaged": "records.recording_damaged",
    "missing": "records.recording_missing",
    "live": "records.recording_live",
    "sealed": "records.recording_sealed",
    "recovered": "records.recording_recovered",
    "empty": "records.recording_empty",
    "lost": "records.recording_lost",
    "refused": "records.recording_refused",
}


def _when(at: int, language: Language) -> str:
    return cdr.jalali(at) if language == "fa" else cdr.utc(at)[:19].replace("T", " ")


def _seconds(milliseconds: int | None) -> str:
    return "" if milliseconds is None else f"{milliseconds / 1000:.1f}"


def _width(cell: str) -> int:
    """Columns of a terminal: marks that join or turn letters take none."""
    return sum(unicodedata.category(letter) not in ("Mn", "Cf") for letter in cell)


def reader_of(chosen: argparse.Namespace) -> Reader:
    """The records that a command line names by ``--database``, ``--key`` or ``--config``, or the box's own."""
    data, secrets = _folders(chosen.config) if chosen.config else (DEFAULT_DATA, DEFAULT_SECRETS)
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    key_file = chosen.key or (Path(credentials) if credentials else secrets) / DATABASE_KEY
    path = chosen.database or data / "calls.db"
    if not path.is_file():
        raise Problem("records.no_database", file=str(path))
    try:
        content = key_file.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise Problem("records.no_key", file=str(key_file)) from error
    return Reader(path, database.key_from(content))


def _folders(config: Path) -> tuple[Path, Path]:
    """Where the settings' file says that data and secrets lie; the file is checked whole by ``pasokh check``."""
    try:
        box = tomllib.loads(config.read_text(encoding="utf-8")).get("box", {})
        named = [box.get("data_folder", str(DEFAULT_DATA)), box.get("secrets_folder", str(DEFAULT_SECRETS))]
        data, secrets = ((config.resolve().parent / folder).resolve() for folder in named)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise Problem("records.not_settings", file=str(config), reason=str(error)) from error
    return data, secrets


def _count(given: str) -> int:
    count = int(given)
    if not 1 <= count <= 1_000_000:
        raise ValueError(given)
    return count


def _anchor(given: str) -> chain.Head:
    number, _, link = given.partition(":")
    head = chain.Head(int(number), bytes.fromhex(link))
    if len(head.link) != len(chain.FIRST):
        raise ValueError(given)
    return head
