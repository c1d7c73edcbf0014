"""When backups and drills are due, what goes, and what the owner is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.backup import plan
from appliance.backup.plan import AGAIN_MS, DAY_MS, HOUR_MS, Kept
from appliance.backup.settings import Backup
from appliance.errors import Problem

DAILY = Backup(every_hours=24)
NOW = 1_790_000_000_000


def test_the_first_backup_is_due_at_once_and_the_next_after_its_period() -> None:
    kept = Kept(since=NOW)
    assert plan.is_due(DAILY, kept, NOW)
    kept = replace(kept, made=NOW)
    assert not plan.is_due(DAILY, kept, NOW + 24 * HOUR_MS - 1)
    assert plan.is_due(DAILY, kept, NOW + 24 * HOUR_MS)


def test_a_box_without_a_schedule_makes_none_and_finds_nothing() -> None:
    off = Backup(every_hours=0)
    assert not plan.is_due(off, Kept(since=0), NOW) and plan.findings(off, Kept(since=0), NOW) == {}


def test_a_clock_that_went_back_costs_no_backup() -> None:
    assert plan.is_due(DAILY, Kept(since=NOW, made=NOW), NOW - 50 * 365 * DAY_MS)
    assert plan.is_drill_due(DAILY, Kept(since=NOW, drilled=NOW), NOW - DAY_MS)


def test_after_a_failure_it_is_tried_again_every_ten_minutes_and_said() -> None:
    problem = Problem("backup.no_folder", folder="/usb")
    kept = Kept(since=NOW, failed=problem, failed_at=NOW)
    assert not plan.is_due(DAILY, kept, NOW + AGAIN_MS - 1) and plan.is_due(DAILY, kept, NOW + AGAIN_MS)
    assert plan.findings(DAILY, kept, NOW)["backup"] is problem


@pytest.mark.parametrize(
    ("every_hours", "age_hours", "is_found"),
    [(24, 48, False), (24, 49, True), (1, 24, False), (1, 25, True), (168, 336, False), (168, 337, True)],
)
def test_a_backup_older_than_two_periods_and_a_day_is_a_finding(
    every_hours: int, age_hours: int, is_found: bool
) -> None:
    settings = Backup(every_hours=every_hours)
    found = plan.findings(settings, Kept(since=0, made=NOW, drilled=NOW), NOW + age_hours * HOUR_MS)
    assert ("backup" in found) == is_found
    if is_found:
        assert found["backup"].fields == {"hours": age_hours}


def test_a_drill_older_than_35_days_is_a_finding_also_where_there_never_was_one() -> None:
    for kept in (Kept(since=0, made=NOW + 36 * DAY_MS, drilled=NOW), Kept(since=NOW, made=NOW + 36 * DAY_MS)):
        assert "backup_drill" not in plan.findings(DAILY, kept, NOW + 35 * DAY_MS)
        assert plan.findings(DAILY, kept, NOW + 36 * DAY_MS)["backup_drill"].key == "backup.drill_old"


def test_a_drill_that_failed_is_a_finding_beside_a_good_backup() -> None:
    found = plan.findings(DAILY, Kept(since=NOW, made=NOW, drill_failed="backup.damaged"), NOW)
    assert found["backup_drill"].key == "backup.drill_failed" and "backup" not in found


def test_a_drill_is_due_each_month() -> None:
    kept = Kept(since=NOW, drilled=NOW)
    assert not plan.is_drill_due(DAILY, kept, NOW + 30 * DAY_MS - 1)
    assert plan.is_drill_due(DAILY, kept, NOW + 30 * DAY_MS) and plan.is_drill_due(DAILY, Kept(since=0), NOW)


def test_the_newest_stay_by_their_event_whatever_their_clock_said() -> None:
    names = [
        plan.name_of("shop", moment, n)
        for moment, n in [("19700101T000000Z", 900), ("20261128T000000Z", 100), ("20261129T000000Z", 200)]
    ]
    others = ["pasokh-clinic-20261128T000000Z-000000001.age", "notes.age", "owner.key", ".making-1.age"]
    assert plan.superseded([*others, *names], "shop", 1) == [names[2], names[1]]
    assert plan.superseded([*others, *names], "shop", 3) == []
    assert plan.superseded(names, "shop", 0) == [names[2], names[1]], "one is always kept"


def test_a_name_of_a_box_that_is_no_name_of_a_file_becomes_one() -> None:
    name = plan.name_of("../دفتر", "20261128T000000Z", 7)
    assert "/" not in name and plan.superseded([name, name.replace("7.age", "8.age")], "../دفتر", 1) == [name]
