"""Whether it is open: against an oracle for the years 1404 to 1408, and what beats what."""

from __future__ import annotations

import datetime
import os
import random
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.hours.answer import State, answer, lacks_table, next_open, slot, upcoming
from appliance.hours.load import load, load_folder
from appliance.hours.model import Hours, Switches
from tests.hours.oracle import RULES

TEHRAN = ZoneInfo("Asia/Tehran")
FIRST, LAST = datetime.date(2025, 3, 21), datetime.date(2030, 3, 20)  # 1404/01/01 to 1408/12/30
IS_LONG = bool(os.environ.get("PASOKH_LONG"))
NOBODY = Switches()
SHIPPED = load_folder(Path("ivr_flows/hours"))
EDGES = (
    0,
    449,
    450,
    479,
    480,
    539,
    540,
    719,
    720,
    749,
    750,
    779,
    780,
    839,
    840,
    959,
    960,
    1139,
    1140,
    1199,
    1200,
    1439,
)


def utc_ms(moment: datetime.datetime) -> int:
    return round(moment.timestamp() * 1000)


def at(text: str, zone: ZoneInfo = TEHRAN) -> int:
    return utc_ms(datetime.datetime.fromisoformat(text).replace(tzinfo=zone))


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_minute_of_five_years_agrees_with_the_oracle(name: str) -> None:
    """All 2.6 million with PASOKH_LONG=1 (``make long ONLY=hours``); else each day's edges and a seeded twentieth."""
    chance = random.Random(name)
    hours, rule = SHIPPED[name], RULES[name]
    wrong = []
    for number in range((LAST - FIRST).days + 1):
        day = FIRST + datetime.timedelta(days=number)
        minutes = range(1440) if IS_LONG else (*EDGES, *(chance.randrange(1440) for _ in range(20)))
        midnight = utc_ms(datetime.datetime.combine(day, datetime.time(), TEHRAN))
        for minute in minutes:
            local = datetime.datetime.combine(day, datetime.time(minute // 60, minute % 60))
            found = answer(hours, midnight + 60_000 * minute, NOBODY)
            if found.state.value != rule(local) or found.is_open != (rule(local) == "open"):
                wrong.append((local, found.state.value, rule(local)))
    assert wrong == []


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_slot_lies_in_opening_hours_for_every_minute_of_a_year(name: str) -> None:
    chance = random.Random(name)
    rule = RULES[name]
    begins = at("2026-03-21")
    minutes = range(365 * 1440) if IS_LONG else sorted(chance.randrange(365 * 1440) for _ in range(4000))
    for minute in minutes:
        found = slot(SHIPPED[name], begins + 60_000 * minute, NOBODY, 10)
        assert found is not None and found >= begins + 60_000 * minute
        local = datetime.datetime.fromtimestamp(found / 1000, TEHRAN).replace(tzinfo=None)
        for later in (0, 5, 9):
            assert rule(local + datetime.timedelta(minutes=later)) == "open", (minute, local)


@given(st.sampled_from(sorted(RULES)), st.integers(at("2025-03-21"), at("2030-03-20")))
def test_until_is_the_first_moment_at_which_the_state_changes(name: str, moment: int) -> None:
    hours = SHIPPED[name]
    found = answer(hours, moment, NOBODY)
    assert found.until_ms is not None and found.until_ms > moment
    after, before = answer(hours, found.until_ms, NOBODY), answer(hours, found.until_ms - 1, NOBODY)
    assert (after.state, after.name) != (found.state, found.name) == (before.state, before.name)
    opens = next_open(hours, moment, NOBODY)
    assert opens is not None and answer(hours, opens, NOBODY).is_open
    assert opens == moment or not answer(hours, opens - 1, NOBODY).is_open


def test_what_beats_what() -> None:
    clinic = SHIPPED["clinic"]
    morning, night = at("2026-10-05T10:00"), at("2026-10-05T23:00")
    tomorrow = at("2026-10-06T09:00")
    cases = [
        (morning, NOBODY, True, State.OPEN, True),
        (morning, Switches(night=True), True, State.NIGHT, False),
        (morning, Switches(night=True, open_until_ms=tomorrow), True, State.NIGHT, False),
        (morning, Switches(closed_until_ms=tomorrow), True, State.UNTIL, False),
        (morning, Switches(closed_until_ms=morning), True, State.OPEN, True),
        (night, Switches(open_until_ms=tomorrow), True, State.OPEN, True),
        (night, NOBODY, True, State.CLOSED, False),
        (morning, Switches(night=True), False, State.DOUBT, False),
        (at("1970-01-01T12:00"), NOBODY, False, State.DOUBT, False),
    ]
    for moment, switches, is_sure, state, is_open in cases:
        found = answer(clinic, moment, switches, is_sure)
        assert (found.state, found.is_open) == (state, is_open), (moment, switches)
    assert answer(clinic, morning, Switches(closed_until_ms=tomorrow)).next_open_ms == tomorrow


def test_a_lunar_day_asks_to_be_confirmed_and_can_be_refused() -> None:
    clinic = SHIPPED["clinic"]
    before, ashura = at("2026-06-22T10:00"), at("2026-06-25T10:00")
    asked = {day.isoformat(): name for day, name in upcoming(clinic, before, NOBODY)}
    assert asked.keys() == {"2026-06-24", "2026-06-25"}
    assert upcoming(clinic, before, Switches(confirmed=frozenset(asked))) == []
    assert answer(clinic, ashura, NOBODY).state is State.HOLIDAY
    assert answer(clinic, ashura, Switches(refused=frozenset({"2026-06-25"}))).is_open
    assert upcoming(clinic, at("2026-02-09T10:00"), NOBODY) == [], "22 Bahman is of the sun and needs nobody"


def test_a_year_without_its_lunar_table_is_told() -> None:
    assert lacks_table(SHIPPED["clinic"], at("2026-06-25T10:00")) == 0
    assert lacks_table(SHIPPED["clinic"], at("2031-06-25T10:00")) == 1410
    assert lacks_table(SHIPPED["shop"], at("2031-06-25T10:00")) == 0, "no holidays, no table"


def hours(week: str, rest: str = "", zone: str = "Europe/Berlin") -> Hours:
    return load(f'zone = "{zone}"\n{rest}\n[week]\n{week}\n', "test", "test.toml")


def test_a_span_passes_midnight_and_the_days_after() -> None:
    bar = hours('friday = "22-3"\nsaturday = "22-3"', zone="Asia/Tehran")
    for moment, is_open in (
        ("2026-10-02T21:59", False), ("2026-10-02T22:00", True), ("2026-10-03T02:59", True),
        ("2026-10-03T03:00", False),
        ("2026-10-04T02:00", True), ("2026-10-05T02:00", False),
    ):  # fmt: skip
        assert answer(bar, at(moment), NOBODY).is_open is is_open, moment
    assert answer(bar, at("2026-10-02T23:00"), NOBODY).until_ms == at("2026-10-03T03:00")


def test_hours_follow_the_clock_of_the_wall_through_both_changes_of_a_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    shop = hours('every_day = "1-4"')
    spring, autumn = at("2026-03-29T01:00", berlin), at("2026-10-25T01:00", berlin)
    assert answer(shop, spring, NOBODY).until_ms == spring + 2 * 3_600_000, "from 2 it is 3"
    assert answer(shop, autumn, NOBODY).until_ms == autumn + 4 * 3_600_000, "3 becomes 2 once"
    day = hours('every_day = "0-24"')
    assert answer(day, spring, NOBODY).is_open and answer(day, autumn, NOBODY).until_ms is None


def test_tehran_keeps_no_daylight_saving() -> None:
    office = hours('every_day = "8-17"', zone="Asia/Tehran")
    for day in ("2026-03-22", "2026-06-22", "2026-09-22", "2026-12-22"):
        opens = next_open(office, at(f"{day}T00:00"), NOBODY)
        assert opens is not None and opens % 86_400_000 == 4.5 * 3_600_000, "8:00 is always 4:30 UTC"


def test_holidays_of_another_country_are_known() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    office = hours('every_day = "8-17"', 'holidays = "DE"')
    found = answer(office, at("2026-10-03T10:00", berlin), NOBODY)
    assert found.state is State.HOLIDAY and found.name


def test_openings_and_seasons_greetings_and_music_of_a_day() -> None:
    office = load(
        'zone = "Asia/Tehran"\nholidays = "iran"\n[week]\nsaturday = "8-16"\n[openings]\n"1405/04/04" = "9-10"\n'
        '[[season]]\nname = "summer"\nfirst = "1405/05/01"\nlast = "1405/05/31"\n[season.week]\nsaturday = "7-12"\n'
        '[[greeting]]\nfirst = "1405/01/01"\nlast = "1405/01/13"\nsound = "nowruz"\n'
        '[[music]]\nfirst = "1405/04/03"\nlast = "1405/04/04"\nsound = "silence"\n',
        "office",
        "office.toml",
    )
    assert answer(office, at("2026-06-25T09:30"), NOBODY).is_open, "an opening of this day beats the holiday"
    assert answer(office, at("2026-06-25T09:30"), NOBODY).music == "silence"
    assert answer(office, at("2026-08-01T13:00"), NOBODY).state is State.CLOSED
    assert answer(office, at("2026-08-01T07:30"), NOBODY).name == "summer"
    assert answer(office, at("2026-03-25T09:30"), NOBODY).greeting == "nowruz"
