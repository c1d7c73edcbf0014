"""``pasokh lists``: outbound lists from a terminal of the box itself (root, or calls' own user).

``import`` shows what a file would do and does it only with ``--go``; what cannot be taken is named by line. It needs
the service calls to run, for calls knows which numbers may stand in a list; the others read the records alone.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.contacts.commands import EXIT_SOME_WRONG, Settings, group, read_file, reader_of
from appliance.control import client, wire
from appliance.control.client import ControlClient
from appliance.messages.numbers import digits
from appliance.outbound_lists import from_csv, to_csv
from appliance.outbound_lists.from_csv import Plan, Source
from appliance.records import lists
from appliance.records.commands import aligned
from appliance.records.lists import Entry
from appliance.records.reader import Reader


def register(
    subparsers: argparse._SubParsersAction[Any], load: Callable[[Path], Settings], default_config: Path
) -> None:
    """Adds ``lists`` to the command line."""
    add = group(subparsers, "lists", "outbound lists: whom agents call one by one", load, default_config)
    imported = add("import", "show what a CSV file would add to a list, and do it with --go", _import)
    imported.add_argument("list", metavar="LIST", help="its name in the settings")
    imported.add_argument("file", type=Path, metavar="FILE", help="CSV (UTF-8, UTF-16, Windows-1256)")
    imported.add_argument("--go", action="store_true", help="do it; rows that cannot be taken are left out")
    add("status", "how many of each list came to what", _status)
    exported = add("export", "a list and what came of it, as CSV", _export)
    exported.add_argument("list", metavar="LIST", help="its name in the settings")


def _import(chosen: argparse.Namespace, settings: Settings) -> int:
    language = messages.chosen_language()
    source = from_csv.source(read_file(chosen.file))
    plan = Plan()
    added = asyncio.run(_judge(settings, chosen.list, source, plan, is_done=chosen.go))
    print(
        messages.text(
            "contacts.read_as", language, file=chosen.file.name, encoding=source.encoding, separator=source.separator
        )
    )
    counts = {"new": digits(plan.new, language), "wrong": digits(plan.wrong_count, language)}
    print(messages.text("lists.planned", language, **counts))
    for wrong in plan.wrong:
        what, _ = messages.problem_lines(wrong.problem, language)
        print(messages.text("contacts.wrong_line", language, line=digits(wrong.line, language), what=what))
    if chosen.go:
        print(messages.text("lists.added", language, count=digits(added, language)))
    elif plan.new:
        print(messages.text("contacts.say_go", language))
    return EXIT_SOME_WRONG if plan.wrong_count else 0


async def _judge(settings: Settings, name: str, source: Source, plan: Plan, is_done: bool) -> int:
    """Fills the plan, and adds what may be added where it is to be done; how many were."""
    added = 0
    async with client.reached(settings.places.control_socket) as calls:
        for chunk in from_csv.chunks(source.rows()):
            reply = await calls.order(wire.CheckNumbers("", name, from_csv.numbers_of(chunk)))
            assert isinstance(reply, wire.Checked)
            rows = list(plan.take(chunk, reply.numbers))
            if is_done:
                added += await _add(calls, name, rows)
    return added


async def _add(calls: ControlClient, name: str, rows: list[wire.ListRow]) -> int:
    added = 0
    for batch in from_csv.batches(rows):
        reply = await calls.order(wire.AddToList("", name, batch))
        assert isinstance(reply, wire.Counted)
        added += reply.count
    return added


def _status(_: argparse.Namespace, settings: Settings) -> int:
    language = messages.chosen_language()
    with reader_of(settings) as reader:
        found = reader.within(lists.progress)
    rows = [
        (name, to_csv.outcome(word, language), digits(count, language))
        for name, outcomes in sorted(found.items())
        for word, count in sorted(outcomes.items())
    ]
    for line in aligned(rows) if rows else ():
        print(line.rstrip())
    return 0


def _export(chosen: argparse.Namespace, settings: Settings) -> int:
    with reader_of(settings) as reader:
        for line in to_csv.lines(_entries(reader, chosen.list), messages.chosen_language()):
            sys.stdout.write(line)
    return 0


def _entries(reader: Reader, name: str) -> Iterator[Entry]:
    last = 0
    while found := reader.within(lambda db: lists.after(db, name, last)):  # noqa: B023 - asked at once
        yield from found
        last = found[-1].n
