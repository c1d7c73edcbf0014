"""Official holidays: Iran's by rule (solar) and yearly tables (lunar), others' by the package ``holidays``.

Friday is no holiday here but a day of the week. 30 Esfand is one where the year has it. The lunar days are in iran.toml
beside this module, whole years only.
"""

from __future__ import annotations

import datetime
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources

from persiantools.jdatetime import JalaliDate

from appliance.hours.model import Holiday

IRAN = "iran"
FIRST_YEAR, LAST_YEAR = 2025, 2035  # Gregorian years of other countries' holidays
SOLAR: Mapping[tuple[int, int], str] = {
    (1, 1): "نوروز",
    (1, 2): "نوروز",
    (1, 3): "نوروز",
    (1, 4): "نوروز",
    (1, 12): "روز جمهوری اسلامی",
    (1, 13): "روز طبیعت",
    (3, 14): "رحلت امام خمینی",
    (3, 15): "قیام ۱۵ خرداد",
    (11, 22): "پیروزی انقلاب",
    (12, 29): "ملی شدن صنعت نفت",
    (12, 30): "آخرین روز سال",
}


@functools.cache
def lunar() -> Mapping[int, Mapping[datetime.date, str]]:
    """The lunar holidays of Iran by Jalali year."""
    text = resources.files(__package__).joinpath("iran.toml").read_text(encoding="utf-8")
    return {
        int(year): {_gregorian(*map(int, day.split("/"))): name for day, name in table.items()}
        for year, table in tomllib.loads(text).items()
    }


@functools.cache
def iran() -> Mapping[datetime.date, Holiday]:
    """The holidays of all years whose lunar table is there. A day that is both is solar: it needs no confirmation."""
    found: dict[datetime.date, Holiday] = {}
    for year, table in lunar().items():
        found |= {day: Holiday(name, is_lunar=True) for day, name in table.items()}
        for (month, day_of_month), name in SOLAR.items():
            try:
                found[_gregorian(year, month, day_of_month)] = Holiday(name)
            except ValueError:
                continue  # 30 Esfand of a year without it
    return found


@functools.cache
def of_country(code: str) -> Mapping[datetime.date, Holiday] | None:
    """The public holidays of a country by its ISO 3166 code (``DE``, or ``DE-BY`` with its part); None for no such."""
    import holidays  # slow to import, and most boxes never need it

    country, _, part = code.partition("-")
    try:
        known = holidays.country_holidays(country, subdiv=part or None, years=range(FIRST_YEAR, LAST_YEAR + 1))
    except NotImplementedError:
        return None
    return {day: Holiday(str(name)) for day, name in known.items()}


def year_of(day: datetime.date) -> int:
    """The Jalali year of a day."""
    return int(JalaliDate(day).year)  # type: ignore[no-untyped-call] # ships no types


def _gregorian(year: int, month: int, day: int) -> datetime.date:
    found: datetime.date = JalaliDate(year, month, day).to_gregorian()  # type: ignore[no-untyped-call] # ships no types
    return found
