"""Dates and digits as people read them."""

from __future__ import annotations

import datetime

import jdatetime
import pytest

from appliance.messages import calendar, numbers

MOMENT = 1_795_446_977_557  # 2026-11-23 15:16:17 UTC


def test_jalali_days_agree_with_a_second_opinion_from_1900_to_2100() -> None:
    first = datetime.date(1900, 1, 1)
    for days in range(0, 73_000, 10):
        date = first + datetime.timedelta(days=days)
        noon = datetime.datetime(date.year, date.month, date.day, 8, 30, tzinfo=datetime.UTC)
        expected = jdatetime.date.fromgregorian(date=date)
        assert calendar.jalali(round(noon.timestamp() * 1000)) == (expected.year, expected.month, expected.day)


def test_moments_days_and_lengths_are_in_the_readers_own_digits() -> None:
    assert calendar.moment(MOMENT, "fa") == "۱۴۰۵/۰۹/۰۲ ۱۸:۴۶:۱۷"
    assert calendar.moment(MOMENT, "en") == "2026-11-23 18:46:17"
    assert (
        calendar.day(MOMENT, "fa") == "دوشنبه ۲ آذر ۱۴۰۵" and calendar.day(MOMENT, "en") == "Monday, 23 November 2026"
    )
    assert calendar.length(65_400, "fa") == "۱:۰۵" and calendar.length(0, "en") == "0:00"


def test_a_night_in_tehran_is_the_next_day_already() -> None:
    late = datetime.datetime(2026, 3, 20, 20, 45, tzinfo=datetime.UTC)
    assert calendar.jalali(round(late.timestamp() * 1000)) == (1405, 1, 1)


@pytest.mark.parametrize(("typed", "meant"), [("۰۹١٢", "0912"), ("12a", "12a")])
def test_digits_of_any_keyboard_are_understood(typed: str, meant: str) -> None:
    assert numbers.latin(typed) == meant


def test_persian_text_is_folded_to_one_spelling() -> None:
    assert numbers.folded("علي كريمي ۲") == "علی کریمی 2"
