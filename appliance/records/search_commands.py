"""``pasokh search``: conversations by what is known of them, and the same options for other commands."""

from __future__ import annotations

import argparse
import itertools
import time
from typing import Any

from appliance.records import search
from appliance.records.commands import add_places, count, reader_of, tell
from appliance.records.reader import Reader
from appliance.records.search import Query
from appliance.records.search_form import E164, FIELDS, query_from

_HELP = {
    "number": "a number in any form, or three or more digits of it",
    "name": "words of the customer's name, typed with any keyboard",
    "agent": "an agent who spoke with the customer",
    "line": "the line that was called",
    "queue": "the waiting line",
    "since": "from this day or moment on: 1405/09/02, 2026-11-23, '1405/09/02 16:30'",
    "until": "up to this day, to its end, or this minute",
    "direction": "in or out",
    "outcome": "served, abandoned, finished, refused, crashed, failed or open",
    "at_least": "the shortest that is meant: 90, 1:30",
    "at_most": "the longest that is meant",
    "overtalk": "both spoke at once for so long or longer",
    "dead_air": "nobody spoke for so long or longer, in stretches of three seconds",
    "score": "the customer gave so many of five or fewer",
    "recorded": "yes or no: whether sound was kept",
    "sort": "newest, oldest, longest, overtalk or dead_air",
}


def register(subparsers: argparse._SubParsersAction[Any], e164: E164) -> None:
    """Adds ``search``; ``e164`` gives a whole number as E.164, or nothing."""
    text = "conversations by number, name, agent, time, outcome, length, overtalk and silence"
    command = subparsers.add_parser("search", help=text, description=text)
    add_places(command)
    add_filters(command)
    command.add_argument("--last", type=count, default=search.PAGE, metavar="N", help="how many (50)")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document a line")
    form.add_argument("--csv", action="store_true", help="a table for a spreadsheet")
    command.set_defaults(run=lambda chosen: _search(chosen, e164))


def add_filters(parser: argparse.ArgumentParser) -> None:
    """An option for each field of a search."""
    for name in FIELDS:
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, dest=f"search_{name}", default="", metavar="X", help=_HELP[name])


def has_filters(chosen: argparse.Namespace) -> bool:
    """Whether anything was asked for."""
    return any(getattr(chosen, f"search_{name}") for name in FIELDS)


def query_of(reader: Reader, chosen: argparse.Namespace, e164: E164) -> Query:
    """What was asked for on the command line; Problem where it cannot be meant."""
    fields = {name: getattr(chosen, f"search_{name}") for name in FIELDS}
    return query_from(fields, e164, reader.within(search.choices), time.time_ns() // 1_000_000)


def _search(chosen: argparse.Namespace, e164: E164) -> int:
    with reader_of(chosen) as reader:
        found = list(itertools.islice(search.every(reader, query_of(reader, chosen, e164)), chosen.last))
    tell(found, chosen)
    return 0
