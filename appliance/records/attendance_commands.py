"""``pasokh agents``: what every agent did with every second of each day, as a table for a spreadsheet.

A row is an agent's day in Tehran. The columns are seconds to the millisecond, so that those of a row are its sum
exactly; a reason for being away has a column of its own.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from appliance.errors import Problem
from appliance.messages import calendar
from appliance.records import attendance
from appliance.records.attendance import State
from appliance.records.cdr import harmless
from appliance.records.commands import add_places, reader_of

MOST_DAYS = 400


@dataclass(frozen=True, slots=True)
class AgentDay:
    """``sums`` are milliseconds by state and detail."""

    day: str
    agent: str
    sums: Mapping[tuple[State, str], int]


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds ``agents``."""
    text = "what every agent did with every second of each day, as CSV"
    command = subparsers.add_parser("agents", help=text, description=text)
    add_places(command)
    command.add_argument("--from", dest="first", default="", metavar="DAY", help="1405/09/02 or 2026-11-23 (today)")
    command.add_argument("--to", dest="last", default="", metavar="DAY", help="the last day that is meant (the first)")
    command.set_defaults(run=_agents)


def _agents(chosen: argparse.Namespace) -> int:
    now = time.time_ns() // 1_000_000
    first = _day(chosen.first, now) if chosen.first else calendar.day_begin(now)
    last = _day(chosen.last, now) if chosen.last else first
    if not 0 <= last - first < MOST_DAYS * calendar.DAY_MS:
        raise Problem("records.too_many_days", most=MOST_DAYS)
    days: list[AgentDay] = []
    with reader_of(chosen) as reader:
        for begins in range(first, last + 1, calendar.DAY_MS):
            ends = begins + calendar.DAY_MS
            found = reader.within(partial(attendance.read, begins=begins, ends=ends, now=now))
            day = "{}/{:02}/{:02}".format(*calendar.jalali(begins))
            days += (AgentDay(day, agent, attendance.sums(parts)) for agent, parts in found.items())
    sys.stdout.flush()
    sys.stdout.buffer.write(as_csv(days).encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
    return 0


def as_csv(days: Iterable[AgentDay]) -> str:
    """The table as ``cdr.as_csv`` makes one, with what no agent ever did left out."""
    days = list(days)
    order = list(State)
    kinds = sorted({kind for day in days for kind in day.sums}, key=lambda kind: (order.index(kind[0]), kind[1]))
    written = io.StringIO()
    written.write("\ufeff")
    table = csv.writer(written, lineterminator="\r\n")
    table.writerow(["day", "agent", *("_".join(filter(None, kind)) for kind in kinds), "sum"])
    for day in days:
        cells = [_seconds(day.sums.get(kind, 0)) for kind in kinds]
        table.writerow([day.day, harmless(day.agent), *cells, _seconds(sum(day.sums.values()))])
    return written.getvalue()


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}"


def _day(written: str, now: int) -> int:
    span = calendar.span_of(written, now)
    if span is None:
        raise Problem("desk.no_such_moment", value=written[:40])
    return calendar.day_begin(span[0])
