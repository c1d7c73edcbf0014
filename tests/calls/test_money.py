"""What calls outside cost, to the rial, and what a day has cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.calls.money import Answered, Till, cost, price_of, spent_by_day
from appliance.calls.settings import Tariff
from appliance.messages.calendar import day_begin, day_number
from appliance.signalling.numbers import normalise

MIDNIGHT_MS = 1_785_011_400_000  # 2026-07-26 00:00 in Tehran is 2026-07-25 20:30 UTC
TODAY = day_number(MIDNIGHT_MS)
MOBILE = Tariff(name="mobile", kind="mobile", rial_per_minute=1250, rial_per_call=100, increment_seconds=1)
TARIFFS = (
    MOBILE,
    Tariff(name="landline", kind="landline", rial_per_minute=330),
    Tariff(name="germany", prefix="+49", rial_per_minute=28_000, increment_seconds=30),
    Tariff(name="berlin", prefix="0049 30", rial_per_minute=24_000, increment_seconds=30),
    Tariff(name="short", kind="short", rial_per_call=500),
)


def answered(number: str, at_ms: int, seconds: float) -> Answered:
    return Answered(normalise(number, "21"), MIDNIGHT_MS + at_ms, round(1000 * seconds))


def test_the_day_begins_at_midnight_in_tehran() -> None:
    assert day_begin(MIDNIGHT_MS) == day_begin(MIDNIGHT_MS + 86_399_999) == MIDNIGHT_MS
    assert day_number(MIDNIGHT_MS - 1) == TODAY - 1


@pytest.mark.parametrize(
    ("number", "seconds", "rial"),
    [
        ("09121234567", 0.0, 100 + 21),  # one second: 1250 / 60 = 20.83, up to 21
        ("09121234567", 1.0, 100 + 21),
        ("09121234567", 1.001, 100 + 42),  # two seconds: 41.67
        ("09121234567", 60.0, 100 + 1250),
        ("09121234567", 90.0, 100 + 1875),
        ("02188123456", 0.2, 330),
        ("88123456", 60.0, 330),
        ("88123456", 60.001, 660),
        ("+498912345678", 31.0, 28_000),  # two half minutes
        ("+493012345678", 31.0, 24_000),  # the longer prefix counts
        ("1500", 600.0, 500),
        ("115", 600.0, 0),  # an emergency call has no price
    ],
)
def test_a_call_costs_what_the_tariff_says_to_the_rial(number: str, seconds: float, rial: int) -> None:
    found = normalise(number, "21")
    assert cost(price_of(TARIFFS, found), round(1000 * seconds)) == rial


def test_a_day_worked_by_hand_is_found_to_the_rial() -> None:
    """Yesterday's last call runs into today and is yesterday's; today's last one ends tomorrow and is today's."""
    calls = [
        answered("09121234567", -60_000, 3600.0),
        answered("09121234567", 0, 61.5),  # 62 s: 1291.67 up to 1292, and 100
        answered("88123456", 3_600_000, 185.0),  # four minutes: 1320
        answered("+493012345678", 7_200_000, 95.0),  # four half minutes: 48,000
        answered("1500", 9_000_000, 10.0),  # 500
        answered("110", 9_100_000, 100.0),  # nothing
        answered("09351112233", 86_399_000, 30.0),  # 625, and 100
    ]
    assert spent_by_day(TARIFFS, calls) == {
        TODAY - 1: 100 + 75_000,
        TODAY: 1392 + 1320 + 48_000 + 500 + 0 + 725,
    }


def test_a_call_costs_more_as_it_grows_and_the_same_when_it_ends() -> None:
    till = Till((MOBILE,))
    till.answered("leg", normalise("09121234567"), MIDNIGHT_MS, now=5.0)
    seen = [till.spent(MIDNIGHT_MS + round(1000 * now), 5.0 + now) for now in (0.0, 30.0, 60.0, 61.0)]
    assert seen == [121, 725, 1350, 1371]
    till.ended("leg", now=66.0)
    till.ended("leg", now=99.0)
    assert till.spent(MIDNIGHT_MS + 90_000, 95.0) == 1371


def test_a_new_day_has_cost_nothing_and_a_call_over_midnight_stays_the_evening_s() -> None:
    till = Till((MOBILE,))
    till.answered("leg", normalise("09121234567"), MIDNIGHT_MS - 1000, now=0.0)
    assert till.spent(MIDNIGHT_MS - 500, 0.5) == 121
    assert till.spent(MIDNIGHT_MS, 1.0) == 0
    till.ended("leg", now=600.0)
    assert till.spent(MIDNIGHT_MS + 600_000, 601.0) == 0


def test_what_the_records_know_is_there_after_a_start_even_of_a_box_whose_clock_was_not_set() -> None:
    till = Till(TARIFFS)
    till.restore([answered("88123456", 0, 30.0), answered("88123456", 5000, 30.0)])
    assert till.spent(0, 0.0) == 0  # it is 1970
    assert till.spent(MIDNIGHT_MS + 10_000, 10.0) == 660


@given(
    st.integers(0, 100_000),
    st.integers(0, 5000),
    st.integers(1, 3600),
    st.lists(st.integers(0, 10_000_000), min_size=2, max_size=5).map(sorted),
)
def test_a_longer_call_never_costs_less_and_never_less_than_its_seconds(
    per_minute: int, per_call: int, increment: int, lengths: list[int]
) -> None:
    tariff = Tariff(
        name="x", kind="mobile", rial_per_minute=per_minute, rial_per_call=per_call, increment_seconds=increment
    )
    costs = [cost(tariff, each) for each in lengths]
    assert costs == sorted(costs)
    for length, rial in zip(lengths, costs, strict=True):
        assert per_minute * length <= (rial - per_call) * 60_000
        assert (rial - per_call - 1) * 60_000 < per_minute * (length + 1000 * increment)


def test_days_are_whole() -> None:
    assert day_begin(day_begin(MIDNIGHT_MS) + 1) == MIDNIGHT_MS
