"""``pasokh cdr``, ``survey`` and ``records``: what is kept, for people and for programs.

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
from appliance.records import cdr, chain, database, survey
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
    """Adds ``cdr``, ``survey`` and ``records verify`` to the command line."""
    text = "the records of the last conversations"
    records = subparsers.add_parser("cdr", help=text, description=text)
    add_places(records)
    records.add_argument("--last", type=count, default=20, metavar="N", help="how many (20)")
    form = records.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document a line, oldest first")
    form.add_argument("--csv", action="store_true", help="a table for a spreadsheet, oldest first")
    records.set_defaults(run=_cdr)
    text = "what callers answered after their calls: CSAT, NPS, resolved, with 95 % intervals"
    answers = subparsers.add_parser("survey", help=text, description=text)
    add_places(answers)
    answers.add_argument("--days", type=count, default=30, metavar="N", help="of the last N days (30)")
    answers.add_argument("--json", action="store_true", help="one JSON document")
    answers.set_defaults(run=_survey)
    text = "check that nothing in the records was changed"
    checks = subparsers.add_parser("records", help=text, description=text).add_subparsers(
        metavar="COMMAND", required=True
    )
    verify = checks.add_parser("verify", help=text, description=text)
    add_places(verify)
    verify.add_argument(
        "--anchor", type=anchor_from, metavar="N:HEX", help="a head of the chain that was noted elsewhere"
    )
    verify.set_defaults(run=_verify)


def add_places(parser: argparse.ArgumentParser) -> None:
    """Where the database and its key lie."""
    parser.add_argument("--database", type=Path, metavar="PATH", help=f"calls.db ({DEFAULT_DATA}/calls.db)")
    parser.add_argument("--key", type=Path, metavar="FILE", help=f"its key ({DEFAULT_SECRETS}/{DATABASE_KEY})")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the settings' file that names the box's folders")


def _cdr(chosen: argparse.Namespace) -> int:
    with reader_of(chosen) as reader:
        newest_first = reader.last(chosen.last)
    tell(newest_first[::-1] if chosen.json or chosen.csv else newest_first, chosen)
    return 0


def tell(conversations: Sequence[Conversation], chosen: argparse.Namespace) -> None:
    """Prints the records in their order: as JSON, as CSV, or as a table."""
    if chosen.json:
        for conversation in conversations:
            print(json.dumps(cdr.as_json(conversation), ensure_ascii=False))
    elif chosen.csv:
        sys.stdout.flush()
        sys.stdout.buffer.write(cdr.as_csv(conversations).encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
    else:
        for line in table(conversations, messages.chosen_language()):
            print(line)


def _verify(chosen: argparse.Namespace) -> int:
    with reader_of(chosen) as reader:
        found = reader.verify(chosen.anchor)
    match found:
        case chain.Fault(n, reason):
            raise Problem("records.chain_broken", n=n, reason=reason)
        case chain.Head(n, link):
            print(messages.text("records.chain_whole", messages.chosen_language(), n=n, head=f"{n}:{link.hex()}"))
            return 0


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
        (say("records.column_opened"), lambda one: when(one.opened, language)),
        (say("records.column_line"), lambda one: one.line),
        (say("records.column_customer"), lambda one: say("records.withheld") if one.is_withheld else one.customer),
        (say("records.column_outcome"), lambda one: say(_OUTCOMES[one.outcome]) if one.outcome in _OUTCOMES else "?"),
        (say("records.column_agent"), lambda one: one.agent),
        (say("records.column_waited"), lambda one: _seconds(one.waiting_ms)),
        (say("records.column_talked"), lambda one: _seconds(one.talking_ms + one.hold_ms)),
        (say("records.column_total"), lambda one: _seconds(one.total_ms)),
        ("MOS", lambda one: "" if cdr.mos(one) is None else str(cdr.mos(one))),
        (say("records.column_wrap_up"), lambda one: _wrap_up(one, language)),
        (say("records.column_recording"), lambda one: _recording(one, language)),
    )
    rows = [[heading for heading, _ in columns], *([cell(one) for _, cell in columns] for one in conversations)]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows with columns of one width each."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)) for row in rows
    ]


def _wrap_up(conversation: Conversation, language: Language) -> str:
    """What the last agent has said came of it."""
    if not conversation.wrap_ups:
        return ""
    last = conversation.wrap_ups[-1]
    return messages.text("records.wrap_up_missed", language) if last.state == "missed" else last.disposition


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


def when(at: int, language: Language) -> str:
    """A moment for a terminal: Jalali in Tehran, or UTC."""
    return cdr.jalali(at) if language == "fa" else cdr.utc(at)[:19].replace("T", " ")


def _seconds(milliseconds: int | None) -> str:
    return "" if milliseconds is None else f"{milliseconds / 1000:.1f}"


def _width(cell: str) -> int:
    """Columns of a terminal: marks that join or turn letters take none."""
    return sum(unicodedata.category(letter) not in ("Mn", "Cf") for letter in cell)


def reader_of(chosen: argparse.Namespace) -> Reader:
    """The records that a command line names by ``--database``, ``--key`` or ``--config``, or the box's own."""
    return reader_at(chosen.database, chosen.key, chosen.config)


def reader_at(database_file: Path | None, key: Path | None, config: Path | None) -> Reader:
    """The same for places that were named one by one."""
    data, secrets = _folders(config) if config else (DEFAULT_DATA, DEFAULT_SECRETS)
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    key_file = key or (Path(credentials) if credentials else secrets) / DATABASE_KEY
    path = database_file or data / "calls.db"
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


def count(given: str) -> int:
    """An argument that counts."""
    count = int(given)
    if not 1 <= count <= 1_000_000:
        raise ValueError(given)
    return count


def anchor_from(given: str) -> chain.Head:
    """A head of the chain out of ``N:HEX``; ValueError for anything else."""
    number, _, link = given.partition(":")
    head = chain.Head(int(number), bytes.fromhex(link))
    if len(head.link) != len(chain.FIRST):
        raise ValueError(given)
    return head
