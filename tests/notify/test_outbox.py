"""What goes when: limits, quiet hours, pauses, age; nothing is planned twice."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from appliance.errors import Problem
from appliance.messages.calendar import moment_of
from appliance.notify.outbox import DAY_MS, HOUR_MS, MINUTE_MS, Notice, Outbox, is_quiet, quiet_hours
from appliance.notify.settings import Notify

NOON = moment_of("2026-11-28 12:00") or 0
SETTINGS = Notify(per_hour=3, per_recipient_day=2, expires_hours=12)


def notice(name: str, to: str = "+989121234567", at: int = NOON, **more: object) -> Notice:
    return replace(Notice(name, "callback", "sms", f"r-{name}", "fa", at, to=to), **more)  # type: ignore[arg-type]


def sends(box: Outbox, now: int, is_clock_sure: bool = True) -> list[str]:
    """The names that go now, each taken."""
    names = []
    while (found := box.due(now, is_clock_sure)) is not None:
        box.tried(found.name, now)
        box.over(found.name)
        names.append(found.name)
    return names


def test_the_oldest_goes_first_and_once() -> None:
    box = Outbox(SETTINGS)
    for name, at in (("b", NOON - 5), ("a", NOON - 9), ("c", NOON)):
        assert box.add(notice(name, to=name, at=at))
    assert sends(box, NOON) == ["a", "b", "c"] and sends(box, NOON + DAY_MS) == [] and len(box) == 0


def test_what_was_planned_once_is_never_planned_again() -> None:
    box = Outbox(SETTINGS)
    box.know("old")
    assert not box.add(notice("old"))
    assert box.add(notice("new")) and not box.add(notice("new"))
    assert sends(box, NOON) == ["new"] and not box.add(notice("new"))


def test_the_rate_of_an_hour_holds_and_what_waits_goes_later() -> None:
    box = Outbox(SETTINGS)
    for number in range(5):
        box.add(notice(str(number), to=f"+98912000000{number}"))
    assert sends(box, NOON) == ["0", "1", "2"]
    assert sends(box, NOON + HOUR_MS - 1) == [] and sends(box, NOON + HOUR_MS) == ["3", "4"]


def test_one_recipient_is_not_written_to_more_than_the_measure_of_a_day() -> None:
    box = Outbox(replace(SETTINGS, expires_hours=48))
    for number in range(3):
        box.add(notice(str(number)))
    box.add(notice("other", to="+989350000000"))
    assert sends(box, NOON) == ["0", "1", "other"]
    assert sends(box, NOON + DAY_MS) == ["2"]


def test_the_limits_count_what_was_sent_before_a_start() -> None:
    box = Outbox(SETTINGS)
    box.count(NOON - MINUTE_MS, "+989121234567", False)
    box.count(NOON - MINUTE_MS, "+989121234567", False)
    box.add(notice("a"))
    box.add(notice("b", to="+989350000000"))
    assert sends(box, NOON) == ["b"]


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [("20:59", False), ("21:00", True), ("23:59", True), ("00:00", True), ("07:59", True), ("08:00", False)],
)
def test_callers_are_left_in_peace_at_night(moment: str, quiet: bool) -> None:
    at = moment_of(f"2026-11-28 {moment}") or 0
    box = Outbox(SETTINGS)
    box.add(notice("a", at=at))
    assert is_quiet(quiet_hours(SETTINGS), at) == quiet
    assert sends(box, at) == ([] if quiet else ["a"])


def test_what_waited_in_the_night_goes_in_the_morning() -> None:
    box, night, morning = Outbox(SETTINGS), moment_of("2026-11-28 22:30") or 0, moment_of("2026-11-29 08:00") or 0
    box.add(notice("a", at=night))
    assert sends(box, morning - 1) == [] and box.expired(morning) == [] and sends(box, morning) == ["a"]


def test_an_alarm_knows_no_night_and_no_doubt_of_the_clock_but_has_its_own_rate() -> None:
    box = Outbox(replace(SETTINGS, alarms_per_hour=2))
    night = moment_of("2026-11-28 03:00") or 0
    for number in range(3):
        box.add(notice(f"alarm{number}", at=night, kind="alarm"))
    box.add(notice("caller", at=night))
    assert sends(box, night, is_clock_sure=False) == ["alarm0", "alarm1"]


def test_nobody_is_written_to_while_the_clock_is_in_doubt() -> None:
    box = Outbox(SETTINGS)
    box.add(notice("a"))
    assert sends(box, NOON, is_clock_sure=False) == [] and sends(box, NOON) == ["a"]


def test_what_was_surely_not_taken_is_tried_again_with_growing_pauses_until_it_is_too_old() -> None:
    box, now, tries = Outbox(replace(SETTINGS, per_recipient_day=1000, per_hour=1000)), NOON, []
    box.add(notice("a"))
    while not box.expired(now):
        found = box.due(now, True)
        if found is not None and not is_quiet(quiet_hours(SETTINGS), now):
            tries.append(now)
            box.tried("a", now)
            assert box.due(now, True) is None, "under way"
            box.again("a", now)
        now += 1_000
    pauses = [after - before for before, after in itertools.pairwise(tries)]
    assert pauses[:6] == [30_000, 60_000, 120_000, 240_000, 480_000, 900_000] and set(pauses[5:]) == {900_000}
    assert len(box) == 0 and now - NOON > 12 * HOUR_MS


def test_a_false_clock_of_the_past_blocks_nothing_for_ever() -> None:
    box = Outbox(SETTINGS)
    for number in range(3):
        box.count(NOON + 300 * DAY_MS + number, "+989121234567", False)
    box.add(notice("a"))
    assert sends(box, NOON) == ["a"]


def test_no_limit_is_ever_passed_in_a_wild_day() -> None:
    chance = random.Random(4)
    settings = replace(SETTINGS, per_hour=5, per_recipient_day=3)
    box, now, sent = Outbox(settings), NOON, []
    for number in range(3_000):
        now += chance.randrange(5 * MINUTE_MS)
        box.add(notice(str(number), to=f"+98912{chance.randrange(40):07}", at=now))
        found = box.due(now, True)
        if found is not None:
            box.tried(found.name, now)
            sent.append((now, found))
            if chance.random() < 0.3:
                box.again(found.name, now)
            else:
                box.over(found.name)
        box.expired(now)
    assert len(sent) > 300
    for index, (at, found) in enumerate(sent):
        before = sent[: index + 1]
        assert sum(at - other < HOUR_MS for other, _ in before) <= 5
        assert sum(at - other < DAY_MS and each.to == found.to for other, each in before) <= 3
        assert not is_quiet(quiet_hours(settings), at)


def test_a_notice_shows_no_number() -> None:
    assert "9121234567" not in repr(notice("a")) and notice("a").last4 == "4567"
    assert replace(notice("a", to="sara@firm.example"), channel="mail").last4 == "s...@firm.example"


@pytest.mark.parametrize("value", ["", "25:00", "8", "08:60", "x:10", "08:5", "۰۸:۰۰"])
def test_a_quiet_hour_that_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(Problem, match=r"notify\.bad_time"):
        quiet_hours(Notify(quiet_from=value))
