"""``pasokh hours``: whether a line is open at a moment, why, until when, and the next opening."""

from __future__ import annotations

import argparse
import datetime
import json
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from appliance import messages
from appliance.errors import Problem
from appliance.hours import days
from appliance.hours.answer import Answer, State, answer, lacks_table, upcoming
from appliance.hours.load import load_folder
from appliance.hours.model import Hours, Switches
from appliance.messages import Language, calendar, text
from appliance.places import shipped_flows

_WHY: dict[State, str] = {
    State.OPEN: "hours.is_open",
    State.CLOSED: "hours.is_closed",
    State.BREAK: "hours.is_break",
    State.HOLIDAY: "hours.is_holiday",
    State.CLOSURE: "hours.is_closure",
    State.NIGHT: "hours.is_night",
    State.UNTIL: "hours.is_until",
    State.DOUBT: "hours.is_doubt",
}


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds ``hours`` to the command line."""
    about = "whether a line is open at a moment, why, and when it opens next"
    hours = subparsers.add_parser("hours", help=about, description=about)
    hours.add_argument("name", nargs="?", default="", metavar="NAME", help="the calendar (all of them)")
    hours.add_argument("--at", default="", metavar="MOMENT", help='"1405/07/12 19:30" or "2026-10-04 19:30" (now)')
    hours.add_argument("--folder", type=Path, metavar="FOLDER", help="where the calendars are (hours/ of the flows)")
    hours.add_argument("--json", action="store_true", help="one JSON document a calendar")
    hours.set_defaults(run=_hours)


def _hours(chosen: argparse.Namespace) -> int:
    known = load_folder(chosen.folder or shipped_flows() / "hours")
    if chosen.name and chosen.name not in known:
        raise Problem("hours.no_such", name=chosen.name, known=", ".join(known) or "-")
    at_ms = calendar.moment_of(chosen.at) if chosen.at else time.time_ns() // 1_000_000
    if at_ms is None:
        raise Problem("hours.bad_moment", found=chosen.at)
    for name, hours in known.items():
        if chosen.name in ("", name):
            _say(hours, at_ms, chosen.json)
    return 0


def _say(hours: Hours, at_ms: int, as_json: bool) -> None:
    missing = lacks_table(hours, at_ms)
    if missing:
        raise Problem("hours.no_lunar_table", name=hours.name, year=missing, known=", ".join(map(str, days.lunar())))
    found = answer(hours, at_ms, Switches())
    if as_json:
        document = {
            "name": hours.name,
            "is_open": found.is_open,
            "state": found.state.value,
            "because": found.name,
            "until_utc_ms": found.until_ms,
            "next_open_utc_ms": found.next_open_ms,
            "to_confirm": [{"day": day.isoformat(), "name": name} for day, name in upcoming(hours, at_ms, Switches())],
        }
        print(json.dumps(document, ensure_ascii=False))
        return
    language = messages.chosen_language()
    print(f"{hours.name}: {_sentence(hours, found, language)}")
    for day, name in upcoming(hours, at_ms, Switches()):
        print(f"  {text('hours.confirm', language, day=_day(day, language), name=name)}")


def _sentence(hours: Hours, found: Answer, language: Language) -> str:
    parts = [text(_WHY[found.state], language, name=found.name)]
    if found.until_ms is not None:
        parts.append(text("hours.until", language, moment=_moment(hours, found.until_ms, language)))
    if not found.is_open and found.next_open_ms is not None:
        parts.append(text("hours.opens", language, moment=_moment(hours, found.next_open_ms, language)))
    return "; ".join(parts) if language == "en" else "؛ ".join(parts)


def _moment(hours: Hours, at_ms: int, language: Language) -> str:
    local = datetime.datetime.fromtimestamp(at_ms / 1000, ZoneInfo(hours.zone))
    return f"{_day(local.date(), language)} {local:%H:%M}"


def _day(day: datetime.date, language: Language) -> str:
    return calendar.jalali_day(day) if language == "fa" else day.isoformat()
