"""The owner hears of what lasts, once, and when it is over."""

from __future__ import annotations

from appliance.errors import Problem
from appliance.notify.alarms import GONE_MS, REMIND_MS, Alarms, Over, Raised

AFTER = 600_000
DOWN = {"trunk main": Problem("notify.trunk_down", trunk="main", code=503)}


def test_a_fault_is_told_once_it_has_lasted_and_once_it_is_over() -> None:
    alarms = Alarms(AFTER, {})
    assert alarms.look(DOWN, 0) == [] and alarms.look(DOWN, AFTER - 1) == []
    assert alarms.look(DOWN, AFTER) == [Raised("trunk main", DOWN["trunk main"])]
    assert alarms.look(DOWN, AFTER + 60_000) == []
    assert alarms.look({}, 2 * AFTER) == [] and alarms.look({}, 2 * AFTER + GONE_MS - 1) == []
    assert alarms.look({}, 2 * AFTER + GONE_MS) == [Over("trunk main", DOWN["trunk main"])]
    assert alarms.look({}, 3 * AFTER) == []


def test_a_fault_that_goes_in_time_is_never_told() -> None:
    alarms = Alarms(AFTER, {})
    for minute in range(100):
        assert alarms.look(DOWN if minute % 9 else {}, minute * 60_000) == []


def test_a_fault_that_flaps_after_its_alarm_makes_no_further_noise() -> None:
    alarms = Alarms(AFTER, {})
    told = [alarm for at in range(0, 4 * AFTER, 30_000) for alarm in alarms.look(DOWN if at % 60_000 else {}, at)]
    assert told == []
    alarms = Alarms(0, {})
    told = [alarm for at in range(0, 4 * AFTER, 30_000) for alarm in alarms.look(DOWN if at % 60_000 else {}, at)]
    assert told == [Raised("trunk main", DOWN["trunk main"])]


def test_a_fault_that_still_stands_is_told_again_after_a_day() -> None:
    alarms = Alarms(0, {})
    assert len(alarms.look(DOWN, 0)) == 1 and alarms.look(DOWN, REMIND_MS - 1) == []
    assert len(alarms.look(DOWN, REMIND_MS)) == 1


def test_an_alarm_from_before_a_start_is_not_raised_again_but_its_end_is_told() -> None:
    alarms = Alarms(0, {"trunk main": 5})
    assert alarms.look(DOWN, 1_000) == []
    assert alarms.look({}, 2_000) == [] and alarms.look({}, 2_000 + GONE_MS) == [Over("trunk main", DOWN["trunk main"])]
    alarms = Alarms(0, {"disk": 5})
    alarms.look({}, 1_000)
    assert alarms.look({}, 1_000 + GONE_MS) == [Over("disk", None)]
