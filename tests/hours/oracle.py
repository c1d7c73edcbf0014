"""Whether a business is open at one minute, straight from the plain words of its hours: slow, and shares nothing.

Moments are naive local times; the Jalali date is jdatetime's. ``RULES`` repeat in code what the calendars of
ivr_flows/hours say in TOML, and the days of the moon are written out from the printed calendar's table.
"""

from __future__ import annotations

import datetime
import functools
import tomllib
from pathlib import Path

import jdatetime

LUNAR = {
    day
    for table in tomllib.loads(Path("appliance/hours/iran.toml").read_text(encoding="utf-8")).values()
    for day in table
}
SOLAR = {"01/01", "01/02", "01/03", "01/04", "01/12", "01/13", "03/14", "03/15", "11/22", "12/29", "12/30"}


@functools.cache
def is_holiday(day: datetime.date) -> bool:
    jalali = jdatetime.date.fromgregorian(date=day)
    return jalali.strftime("%m/%d") in SOLAR or jalali.strftime("%Y/%m/%d") in LUNAR


def clinic(moment: datetime.datetime) -> str:
    day, minute = moment.date(), moment.hour * 60 + moment.minute
    if is_holiday(day):
        return "holiday"
    weekday = day.strftime("%a")
    if weekday == "Fri":
        return "closed"
    ends = 13 * 60 if weekday == "Thu" else 19 * 60
    if not 8 * 60 <= minute < ends:
        return "closed"
    return "break" if 12 * 60 + 30 <= minute < 14 * 60 else "open"


def shop(moment: datetime.datetime) -> str:
    day, minute = moment.date(), moment.hour * 60 + moment.minute
    jalali = jdatetime.date.fromgregorian(date=day)
    if (jalali.year, jalali.month, jalali.day) in {(1404, 12, 29), (1405, 1, 1), (1405, 12, 29), (1406, 1, 1)}:
        return "closure"
    begins = 16 * 60 if day.strftime("%a") == "Fri" else 9 * 60
    return "open" if begins <= minute < 21 * 60 else "closed"


def support(moment: datetime.datetime) -> str:
    day, minute = moment.date(), moment.hour * 60 + moment.minute
    if is_holiday(day):
        return "holiday"
    jalali = jdatetime.date.fromgregorian(date=day)
    weekday = day.strftime("%a")
    if weekday == "Fri":
        return "closed"
    if jdatetime.date(1405, 11, 20) <= jalali <= jdatetime.date(1405, 12, 19):
        begins, ends = (9 * 60, 12 * 60) if weekday == "Thu" else (9 * 60, 16 * 60)
    else:
        begins, ends = (8 * 60, 14 * 60) if weekday == "Thu" else (7 * 60 + 30, 20 * 60)
    return "open" if begins <= minute < ends else "closed"


RULES = {"clinic": clinic, "shop": shop, "support": support}
