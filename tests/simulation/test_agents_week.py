"""A simulated week of agents who forget every key: every second is attributed or unknown, and the sums are equal."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from appliance.calls.timekeeper import Timekeeper
from appliance.records.attendance import State
from tests.simulation.office_world import template, unencrypted
from tests.simulation.test_random_office import ground, quietly
from tests.simulation.week import Found, Week, week
from tests.support.virtual_time import run

__all__ = ["ground"]  # a fixture

LONG = bool(os.environ.get("PASOKH_LONG"))
DAYS = 7 if LONG else 1
OPEN_SECONDS = 11 * 3600.0
SEEDS = range(2)


def lived(folder: Path, seed: int, days: int) -> Found:
    with quietly(), unencrypted():
        (folder / str(seed)).mkdir(parents=True)
        world = Week(folder / str(seed), random.Random(seed), template(folder / str(seed)))
        return run(world.loop, week(world, days, OPEN_SECONDS))


def test_every_second_of_every_agent_is_accounted_for(ground: Path) -> None:
    """As what they did, or as unknown; the sums are the span."""
    found = [lived(ground, seed, DAYS) for seed in SEEDS]
    seconds, transitions = sum(each.seconds for each in found), sum(each.transitions for each in found)
    wrong = [f"week {seed}: {each}" for seed, one in zip(SEEDS, found, strict=True) for each in one.wrong]
    print(f"weeks: {len(found)} of {DAYS} days, agent seconds: {seconds}, transitions: {transitions}")
    print(f"unknown seconds: {sum(each.unknown_seconds for each in found)}, wrong: {len(wrong)}")
    assert not wrong, f"{len(wrong)}, the first: {wrong[:5]}"
    states = frozenset[str]().union(*(each.states for each in found))
    for state in ("ready", "rung", "talking in", "talking out", "talking inside", "hold in", "wrap_up", "no_telephone",
                  "away missed", "away meal", "away signed_out", "unknown off", "unknown clock"):  # fmt: skip
        assert state in states, f"no agent ever was: {state}"
    assert transitions > 200 * DAYS * len(found)


@pytest.mark.parametrize("name", ["_busy"])
def test_it_is_found_when_the_box_does_not_see(ground: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(Timekeeper, name, lambda *_: (State.READY, ""))
    assert lived(ground / name, 0, 1).wrong
