"""Moments and lengths for eyes: Jalali in Persian, Gregorian in English, both by the box's wall clock (+03:30).

Iran keeps no daylight saving since 2022, so the zone is fixed; a box in another country shows Tehran's time still.
"""

from __future__ import annotations

import datetime
import re

from persiantools.jdatetime import JalaliDate, JalaliDateTime

from appliance.messages import Language, text
from appliance.messages.numbers import digits, latin

TEHRAN = datetime.timezone(datetime.timedelta(hours=3, minutes=30))
TEHRAN_OFFSET_MS = 12_600_000
DAY_MS = 86_400_000
MINUTE_MS = 60_000
FIRST_GREGORIAN_YEAR = 1700  # a year below it is Jalali
_SPAN = re.compile(r"(?:(\d{4})[/-])?(\d{1,2})[/-](\d{1,2})(?:[ T]+(\d{1,2}):(\d{2}))?")
_MOMENT = re.compile(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})[ T]+(\d{1,2}):(\d{2})")
WEEKDAYS = ("دوشنبه", "سه‌شنبه", "چهارشنبه", "پنجشنبه", "جمعه", "شنبه", "یکشنبه")
MONTHS = (
    "فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند",
)  # fmt: skip


def jalali(utc_ms: int) -> tuple[int, int, int]:
    """Year, month and day of the Jalali calendar at this moment in Tehran."""
    local = JalaliDateTime.to_jalali(_local(utc_ms))  # type: ignore[no-untyped-call] # ships no types
    return local.year, local.month, local.day


def jalali_moment(utc_ms: int) -> str:
    """``1405/09/02 17:28:10``: for tables and spreadsheets."""
    year, month, day = jalali(utc_ms)
    return f"{year}/{month:02}/{day:02} {_local(utc_ms):%H:%M:%S}"


def moment(utc_ms: int, language: Language) -> str:
    """Day and time, short, in the digits of the language."""
    return digits(jalali_moment(utc_ms), language) if language == "fa" else f"{_local(utc_ms):%Y-%m-%d %H:%M:%S}"


def day(utc_ms: int, language: Language) -> str:
    """The day in words: for headings."""
    local = _local(utc_ms)
    if language == "fa":
        year, month, number = jalali(utc_ms)
        return digits(f"{WEEKDAYS[local.weekday()]} {number} {MONTHS[month - 1]} {year}", language)
    return f"{local:%A}, {local.day} {local:%B %Y}"


def day_number(utc_ms: int) -> int:
    """Days of Tehran, counted: equal for two moments of one day, one more for the day after."""
    return _local(utc_ms).toordinal()


def day_begin(utc_ms: int) -> int:
    """The midnight in Tehran before this moment, in UTC milliseconds."""
    return utc_ms - (utc_ms + TEHRAN_OFFSET_MS) % DAY_MS


def moment_of(written: str) -> int | None:
    """UTC milliseconds of ``1405/07/12 19:30`` or ``2026-10-04 19:30`` in Tehran; None where it is neither."""
    found = _MOMENT.fullmatch(latin(written).strip())
    if found is None:
        return None
    year, month, day, hour, minute = (int(part) for part in found.groups())
    try:
        date = datetime.date(year, month, day) if year >= FIRST_GREGORIAN_YEAR else _gregorian(year, month, day)
        return round(datetime.datetime(date.year, date.month, date.day, hour, minute, tzinfo=TEHRAN).timestamp() * 1000)
    except ValueError:
        return None


def span_of(written: str, now_ms: int) -> tuple[int, int] | None:
    """Begin and end, in UTC ms, of a day or a minute in Tehran; None where it is neither.

    ``1405/09/02`` and ``09/02`` (of this Jalali year) are Jalali days, ``2026-11-23`` is not; ``1405/09/02 16:30`` is
    a minute.
    """
    found = _SPAN.fullmatch(latin(written).strip())
    if found is None:
        return None
    year, month, day, hour, minute = found.groups()
    begins = moment_of(f"{year or jalali(now_ms)[0]}/{month}/{day} {hour or '00'}:{minute or '00'}")
    return None if begins is None else (begins, begins + (MINUTE_MS if hour else DAY_MS))


def length(milliseconds: int, language: Language) -> str:
    """Minutes and seconds."""
    seconds = round(milliseconds / 1000)
    return digits(f"{seconds // 60}:{seconds % 60:02}", language)


def age(milliseconds: int, language: Language) -> str:
    """How long something waits, in its largest unit: minutes, hours or days."""
    minutes = max(0, milliseconds) // 60_000
    if minutes < 120:
        return text("sync.age_minutes", language, count=digits(minutes, language))
    if minutes < 48 * 60:
        return text("sync.age_hours", language, count=digits(minutes // 60, language))
    return text("sync.age_days", language, count=digits(minutes // 1440, language))


def _gregorian(year: int, month: int, day: int) -> datetime.date:
    found: datetime.date = JalaliDate(year, month, day).to_gregorian()  # type: ignore[no-untyped-call] # ships no types
    return found


def jalali_day(day: datetime.date) -> str:
    """``1405/09/02``."""
    local = JalaliDate(day)  # type: ignore[no-untyped-call] # ships no types
    return f"{local.year}/{local.month:02}/{local.day:02}"


def _local(utc_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(utc_ms / 1000, TEHRAN)
