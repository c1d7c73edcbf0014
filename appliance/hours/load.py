"""From TOML text to hours, with the line of everything that can be wrong.

Dates may be Jalali (1405/07/12) or Gregorian (2026-10-04), told apart by the year; digits may be Persian. The holidays
of Iran come from days.py, those of other countries from the package ``holidays``.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from persiantools.jdatetime import JalaliDate

from appliance.errors import Problem
from appliance.hours import days
from appliance.hours.model import Dated, Dates, Holiday, Hours, Season, Span, Week
from appliance.messages.numbers import latin
from appliance.toml_lines import line_numbers

MAX_FILE_BYTES = 64 << 10
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EVERY_DAY = "every_day"
SETTINGS = (
    "zone", "holidays", "week", "breaks", "season", "closures", "openings", "greeting", "music",
)  # fmt: skip
FIRST_GREGORIAN_YEAR = 1700
_SPAN = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*[-–]\s*(\d{1,2})(?::(\d{2}))?")
_DATE = re.compile(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})")


def load_folder(path: Path) -> Mapping[str, Hours]:
    """Every ``*.toml`` of the folder; a file's name is its calendar's. Raises the first Problem."""
    return {file.stem: load_file(file) for file in sorted(path.glob("*.toml"))}


def load_file(file: Path) -> Hours:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise Problem("hours.too_long", file=file.name, most=MAX_FILE_BYTES)
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem("hours.unreadable", file=str(file), reason=str(error)) from error
    return load(text, file.stem, file.name)


def load(text: str, name: str, file: str) -> Hours:
    """The hours in ``text``; raises the first Problem."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Problem("hours.not_toml", file=file, reason=str(error)) from error
    return _Reader(file, line_numbers(text)).hours(name, document)


class _Reader:
    """Reads one file; knows it only to say where something is wrong."""

    def __init__(self, file: str, lines: Mapping[tuple[str, ...], int]) -> None:
        self._file = file
        self._lines = lines

    def hours(self, name: str, document: Mapping[str, Any]) -> Hours:
        for setting in document:
            if setting not in SETTINGS:
                raise self._problem("hours.unknown_key", (setting,), setting=setting, known=", ".join(SETTINGS))
        week = self._week(document.get("week"), ("week",))
        openings = {
            self._date(day, ("openings", day)): self._spans(spans, ("openings", day))
            for day, spans in self._table(document.get("openings", {}), ("openings",)).items()
        }
        if not any(week.values()) and not openings:
            raise self._problem("hours.never_open", ("week",))
        return Hours(
            name=name,
            zone=self._zone(document.get("zone", "Asia/Tehran")),
            week=week,
            breaks=self._week(document.get("breaks", {}), ("breaks",)),
            seasons=tuple(self._season(each) for each in self._list(document, "season")),
            holidays=self._holidays(document.get("holidays", "")),
            follows_moon=document.get("holidays") == days.IRAN,
            closures={
                self._date(day, ("closures", day)): str(why)
                for day, why in self._table(document.get("closures", {}), ("closures",)).items()
            },
            openings=openings,
            greetings=tuple(self._dated(each, "greeting") for each in self._list(document, "greeting")),
            music=tuple(self._dated(each, "music") for each in self._list(document, "music")),
        )

    def _problem(self, key: str, path: tuple[str, ...], **fields: str | int) -> Problem:
        while path and path not in self._lines:
            path = path[:-1]
        return Problem(key, file=self._file, line=self._lines.get(path, 1), **fields)

    def _zone(self, name: object) -> str:
        try:
            return ZoneInfo(str(name)).key
        except (OSError, ValueError, KeyError) as error:
            raise self._problem("hours.unknown_zone", ("zone",), zone=str(name)) from error

    def _holidays(self, code: object) -> Mapping[datetime.date, Holiday]:
        if code == "":
            return {}
        found = days.iran() if code == days.IRAN else days.of_country(str(code).upper())
        if found is None:
            raise self._problem("hours.unknown_holidays", ("holidays",), found=str(code))
        return found

    def _table(self, value: object, path: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._problem("hours.needs_table", path, setting=".".join(path))
        return value

    def _list(self, document: Mapping[str, Any], setting: str) -> list[Mapping[str, Any]]:
        value = document.get(setting, [])
        if not isinstance(value, list):
            raise self._problem("hours.needs_table", (setting,), setting=f"[[{setting}]]")
        return [self._table(each, (setting,)) for each in value]

    def _week(self, value: object, path: tuple[str, ...]) -> Week:
        table = self._table(value, path)
        week: dict[int, tuple[Span, ...]] = {}
        for day, spans in table.items():
            if day != EVERY_DAY and day not in WEEKDAYS:
                known = ", ".join((EVERY_DAY, *WEEKDAYS))
                raise self._problem("hours.unknown_key", (*path, day), setting=day, known=known)
            found = self._spans(spans, (*path, day))
            for number in range(7) if day == EVERY_DAY else (WEEKDAYS.index(day),):
                if day != EVERY_DAY or WEEKDAYS[number] not in table:
                    week[number] = found
        return week

    def _spans(self, value: object, path: tuple[str, ...]) -> tuple[Span, ...]:
        texts = value if isinstance(value, list) else [value]
        return tuple(sorted((self._span(text, path) for text in texts if text != ""), key=lambda s: s.opens_minute))

    def _span(self, text: object, path: tuple[str, ...]) -> Span:
        found = _SPAN.fullmatch(latin(str(text)).strip())
        if found is None:
            raise self._problem("hours.bad_span", path, found=str(text))
        opens, closes = (60 * int(found[at]) + int(found[at + 1] or 0) for at in (1, 3))
        if max(opens, closes) > 1440 or opens == closes or opens == 1440:
            raise self._problem("hours.bad_span", path, found=str(text))
        return Span(opens, closes if closes > opens else closes + 1440)

    def _date(self, text: object, path: tuple[str, ...]) -> datetime.date:
        found = _DATE.fullmatch(latin(str(text)).strip())
        try:
            if found is None:
                raise ValueError
            year, month, day = (int(part) for part in found.groups())
            if year >= FIRST_GREGORIAN_YEAR:
                return datetime.date(year, month, day)
            moment: datetime.date = JalaliDate(year, month, day).to_gregorian()  # type: ignore[no-untyped-call] # ships no types
            return moment
        except ValueError as error:
            raise self._problem("hours.bad_date", path, found=str(text)) from error

    def _dates(self, table: Mapping[str, Any], path: tuple[str, ...]) -> Dates:
        first = self._date(table.get("first"), (*path, "first"))
        last = self._date(table.get("last", table.get("first")), (*path, "last"))
        if last < first:
            raise self._problem("hours.bad_date", (*path, "last"), found=str(table.get("last")))
        return Dates(first, last)

    def _season(self, table: Mapping[str, Any]) -> Season:
        week = self._week(table.get("week", {}), ("season", "week"))
        breaks = self._week(table.get("breaks", {}), ("season", "breaks"))
        return Season(str(table.get("name", "")), self._dates(table, ("season",)), week, breaks)

    def _dated(self, table: Mapping[str, Any], setting: str) -> Dated:
        sound = table.get("sound")
        if not isinstance(sound, str) or not sound:
            raise self._problem("hours.missing_key", (setting,), setting=f"{setting}.sound")
        return Dated(self._dates(table, (setting,)), sound)
