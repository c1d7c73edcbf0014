"""A span of an agent, cut at what is known: exact, without hole or overlap."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

from appliance.clock import VirtualClock
from appliance.records import attendance
from appliance.records.attendance import Gap, Mark, Part, State
from appliance.records.attendance_commands import AgentDay, as_csv
from appliance.records.events import AgentEntered, AttendanceGap
from appliance.records.store import Store
from tests.records.given import KEY


def test_before_the_first_mark_and_inside_a_gap_nobody_knows() -> None:
    found = attendance.parts([Mark(10, State.READY), Mark(40, State.AWAY, "meal")], [Gap(20, 50, "off")], 0, 100)
    assert found == [
        Part(0, 10, State.UNKNOWN, ""),
        Part(10, 20, State.READY, ""),
        Part(20, 50, State.UNKNOWN, "off"),
        Part(50, 100, State.AWAY, "meal"),
    ]


def test_the_state_before_a_span_goes_on_in_it_and_an_empty_span_has_no_parts() -> None:
    assert attendance.parts([Mark(1, State.RUNG)], [], 5, 9) == [Part(5, 9, State.RUNG, "")]
    assert attendance.parts([Mark(1, State.RUNG)], [], 9, 9) == attendance.parts([], [], 9, 5) == []


def test_whatever_the_marks_and_gaps_the_parts_are_the_span() -> None:
    for seed in range(2000):
        chance = random.Random(seed)
        marks = [Mark(chance.randrange(-50, 150), chance.choice(list(State))) for _ in range(chance.randrange(12))]
        gaps = [Gap(at, at + chance.randrange(40), "off") for at in chance.sample(range(-60, 140), chance.randrange(4))]
        found = attendance.parts(marks, gaps, 0, 100)
        assert found[0].begins == 0 and found[-1].ends == 100, seed
        assert all(one.ends == other.begins for one, other in itertools.pairwise(found)), seed
        assert all(part.milliseconds > 0 for part in found) and sum(attendance.sums(found).values()) == 100, seed


def test_a_box_that_does_not_live_any_more_leaves_the_rest_of_the_day_unknown(tmp_path: Path) -> None:
    clock = VirtualClock(1_000_000)
    store = Store(tmp_path / "calls.db", KEY, clock)
    store.apply([AgentEntered("sara", "ready", "")])
    clock.advance_to(100.0)
    store.within(lambda db: attendance.alive(db, clock.utc_ms()))
    found = store.within(lambda db: attendance.read(db, 1_000_000, 1_900_000, 1_800_000))
    assert found == {
        "sara": [Part(1_000_000, 1_100_000, State.READY, ""), Part(1_100_000, 1_800_000, State.UNKNOWN, "off")]
    }
    store.apply([AttendanceGap("clock", 1_010_000, 1_020_000)])
    store.rebuild()
    (parts,) = store.within(lambda db: attendance.read(db, 1_000_000, 1_050_000, 1_110_000)).values()
    assert [part.state for part in parts] == [State.READY, State.UNKNOWN, State.READY]
    store.close()


def test_the_seconds_of_a_row_are_its_sum_and_no_name_becomes_a_formula() -> None:
    sums = {(State.READY, ""): 1001, (State.AWAY, "meal"): 999, (State.TALKING, "in"): 86_398_000}
    heading, row = as_csv([AgentDay("1405/09/02", "=sara", sums)]).lstrip("\ufeff").splitlines()
    assert heading == "day,agent,ready,talking_in,away_meal,sum"
    assert row == "1405/09/02,'=sara,1.001,86398.000,0.999,86400.000"
