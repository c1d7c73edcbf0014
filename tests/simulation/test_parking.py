"""Customers are parked, in virtual time: who takes them, who is told, where they go when nobody does."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from tests.simulation.test_transfers import CUSTOMER, Box, steps

RECALL = 90.0  # as the settings say where nothing is said


def shown(box: Box) -> tuple[str, int]:
    """State and slot of the customer, as the page is told."""
    [call] = [each for each in box.it.switchboard.snapshot().calls if each.direction == "in"]
    return call.state, call.slot


@pytest.mark.parametrize("code", ["*91", "*9"])
@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_parked_customer_is_taken_by_another_telephone(tmp_path: Path, code: str, hangs_up: bool) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk3", "kitchen")

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*9")
        assert box.hears[leg] == "music" and box.hears[agent] == "park_slot" and shown(box) == ("parked", 1)
        if hangs_up:
            box.it.line.hang_up(agent)
        await asyncio.sleep(12.0)
        assert not box.it.line.is_up(agent) and not box.it.office.floor.engaged() and leg not in box.joined
        own = box.it.line.call_from("desk3", code)
        await asyncio.sleep(1.0)
        assert box.joined[leg] == own and box.it.office.floor.engaged().keys() == {"third"}
        assert shown(box) == ("talking", 0)
        await asyncio.sleep(RECALL + 10.0)
        assert box.joined[leg] == own and len(box.rung["desk1"]) == 1

    records = box.run(scene)
    record = next(each for each in records if each.direction == "in")
    assert steps(record) == ["parked", "done"] and record.transfers[0].how == "park" and record.agent == "third"
    assert record.transfers[0].target == "*91" and record.outcome == "served" and len(record.recordings) <= 1
    assert box.waiting() == []


def test_of_two_telephones_that_dial_a_slot_at_once_one_has_the_customer_and_the_other_is_told(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2", "desk3")

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*9")
        await asyncio.sleep(12.0)
        both = [box.it.line.call_from(phone, "*91") for phone in ("desk2", "desk3")]
        await asyncio.sleep(1.0)
        has = box.joined[leg]
        (other,) = {*both} - {has}
        assert has in both and box.hears[other] == "park_empty"
        await asyncio.sleep(10.0)
        assert box.joined[leg] == has and not box.it.line.is_up(other)

    records = box.run(scene)
    assert all(leg.ended_ms is not None for each in records for leg in each.legs) and box.waiting() == []


def test_whom_nobody_takes_comes_back_to_who_has_parked_them(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1")

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*9")
        await asyncio.sleep(RECALL - 2.0)
        assert len(box.rung["desk1"]) == 1 and box.hears[leg] == "music"
        await asyncio.sleep(6.0)
        assert box.joined[leg] == box.rung["desk1"][-1] != agent and shown(box) == ("talking", 0)
        await asyncio.sleep(5.0)

    (record,) = box.run(scene)
    assert steps(record) == ["parked", "recalled"] and record.agent == "first" and box.waiting() == []


def test_where_nobody_is_at_the_recall_the_customer_waits_in_the_line_and_is_served(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1")

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*9")
        await asyncio.sleep(12.0)
        box.it.line.phones["desk1"] = Behaviour(answers_after=None)
        await asyncio.sleep(RECALL + 15.0)
        assert leg not in box.joined and shown(box)[0] == "waiting"
        box.it.line.phones["desk1"] = Behaviour(answers_after=1.0)
        await asyncio.sleep(90.0)
        assert box.joined[leg] == box.rung["desk1"][-1]

    (record,) = box.run(scene)
    assert steps(record) == ["parked", "line"] and record.outcome == "served" and box.waiting() == []


def test_the_slot_can_be_dialled_while_it_rings_back(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "kitchen")

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*9")
        await asyncio.sleep(12.0)
        box.it.line.phones["desk1"] = Behaviour(answers_after=None)
        await asyncio.sleep(RECALL - 5.0)
        rings = box.rung["desk1"][-1]
        assert rings != agent and box.hears[leg] == "tone:ring-back"
        own = box.it.line.call_from("kitchen", "*91")
        await asyncio.sleep(1.0)
        assert box.joined[leg] == own and box.ended[rings][1] is signalling.Cause.ANSWERED_ELSEWHERE
        await asyncio.sleep(5.0)

    records = box.run(scene)
    assert steps(next(each for each in records if each.direction == "in"))[0] == "parked" and box.waiting() == []


def test_who_hangs_up_while_parked_is_owed_a_call_and_the_slot_is_free(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*9")
        await asyncio.sleep(12.0)
        box.it.line.hang_up(leg)
        await asyncio.sleep(1.0)
        own = box.it.line.call_from("desk2", "*91")
        await asyncio.sleep(1.0)
        assert box.hears[own] == "park_empty"
        await asyncio.sleep(10.0)

    records = box.run(scene)
    assert steps(next(each for each in records if each.direction == "in")) == ["parked", "left"]
    assert box.waiting() == [CUSTOMER]


@pytest.mark.parametrize("hangs_up", [False, True])
def test_without_a_free_slot_the_agent_keeps_the_customer_or_is_rung_again(tmp_path: Path, hangs_up: bool) -> None:
    box = Box(tmp_path)
    box.there("desk1")
    for number in range(9):
        box.it.office.slots.park(f"other{number}")

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*9")
        assert box.hears[agent] == "park_full"
        if hangs_up:
            box.it.line.hang_up(agent)
        await asyncio.sleep(6.0)
        assert box.joined[leg] == box.rung["desk1"][-1] and (box.rung["desk1"][-1] == agent) is not hangs_up
        await asyncio.sleep(5.0)

    (record,) = box.run(scene)
    assert record.agent == "first" and box.waiting() == []


def test_the_time_in_a_slot_is_a_setting(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1")
    box.it.office.arrange(dataclasses.replace(box.it.office.settings, park_recall_seconds=20.0))

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*9")
        await asyncio.sleep(25.0)
        assert box.joined[leg] == box.rung["desk1"][-1] != agent
        await asyncio.sleep(5.0)

    box.run(scene)
