"""Digits and dates as people read them; a second calendar library is the oracle."""

from __future__ import annotations

import datetime

import jdatetime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.messages import calendar, numbers

TEHRAN = datetime.timezone(datetime.timedelta(hours=3, minutes=30))


def at(*moment: int) -> int:
    """UTC milliseconds of a moment in Tehran."""
    return round(datetime.datetime(*moment, tzinfo=TEHRAN).timestamp() * 1000)  # type: ignore[misc,arg-type] # 5 or 6 ints


def test_every_tenth_day_of_two_centuries_is_that_of_another_library() -> None:
    day = datetime.date(1900, 1, 1)
    while day < datetime.date(2101, 1, 1):
        expected = jdatetime.date.fromgregorian(date=day)
        noon = at(day.year, day.month, day.day, 12, 0)
        assert calendar.jalali(noon) == (expected.year, expected.month, expected.day), day
        day += datetime.timedelta(days=10)


def test_each_new_year_of_this_century_begins_on_its_day() -> None:
    for year in range(1300, 1480):
        first = jdatetime.date(year, 1, 1).togregorian()
        midnight = at(first.year, first.month, first.day, 0, 0)
        assert calendar.jalali(midnight) == (year, 1, 1)
        assert calendar.jalali(midnight - 1)[:2] == (year - 1, 12)


@pytest.mark.parametrize(
    ("moment", "persian", "english"),
    [
        ((2026, 3, 21, 0, 0), "۱۴۰۵/۰۱/۰۱ ۰۰:۰۰:۰۰", "2026-03-21 00:00:00"),
        ((2025, 3, 20, 23, 59, 59), "۱۴۰۳/۱۲/۳۰ ۲۳:۵۹:۵۹", "2025-03-20 23:59:59"),
        ((2026, 11, 23, 9, 5), "۱۴۰۵/۰۹/۰۲ ۰۹:۰۵:۰۰", "2026-11-23 09:05:00"),
    ],
)
def test_a_moment_is_short_and_in_the_digits_of_its_language(
    moment: tuple[int, ...], persian: str, english: str
) -> None:
    assert calendar.moment(at(*moment), "fa") == persian
    assert calendar.moment(at(*moment), "en") == english


def test_a_day_is_named_in_words() -> None:
    assert calendar.day(at(2026, 11, 23, 12, 0), "fa") == "دوشنبه ۲ آذر ۱۴۰۵"
    assert calendar.day(at(2026, 11, 23, 12, 0), "en") == "Monday, 23 November 2026"
    weekdays = [calendar.day(at(2026, 11, 21 + number, 12, 0), "fa").split()[0] for number in range(7)]
    assert weekdays == ["شنبه", "یکشنبه", "دوشنبه", "سه‌شنبه", "چهارشنبه", "پنجشنبه", "جمعه"]


def test_the_day_changes_at_midnight_in_tehran_in_summer_as_in_winter() -> None:
    assert calendar.moment(
        round(datetime.datetime(2026, 7, 1, 20, 30, tzinfo=datetime.UTC).timestamp() * 1000), "en"
    ) == ("2026-07-02 00:00:00")


def test_a_length_is_minutes_and_seconds() -> None:
    assert calendar.length(0, "en") == "0:00"
    assert calendar.length(59_600, "en") == "1:00"
    assert calendar.length(3_725_000, "fa") == "۶۲:۰۵"


def test_digits_are_those_of_the_language() -> None:
    assert numbers.digits(1405, "fa") == "۱۴۰۵"
    assert numbers.digits("021-88", "en") == "021-88"


@given(st.integers(0, 10**15))
def test_persian_and_arabic_digits_are_read_back(number: int) -> None:
    arabic = str(number).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert numbers.latin(numbers.digits(number, "fa")) == numbers.latin(arabic) == str(number)
