"""Moments and lengths for eyes: Jalali in Persian, Gregorian in English, both by the box's wall clock (+03:30).

Iran keeps no daylight saving since 2022, so the zone is fixed; a box in another country shows Tehran's time still.
"""

from __future__ import annotations

import datetime

from persiantools.jdatetime import JalaliDateTime

from appliance.messages import Language
from appliance.messages.numbers import digits

TEHRAN = datetime.timezone(datetime.timedelta(hours=3, minutes=30))
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


def length(milliseconds: int, language: Language) -> str:
    """Minutes and seconds."""
    seconds = round(milliseconds / 1000)
    return digits(f"{seconds // 60}:{seconds % 60:02}", language)


def _local(utc_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(utc_ms / 1000, TEHRAN)
