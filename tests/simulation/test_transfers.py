"""Customers are passed on, in virtual time: who speaks with whom at every moment, and that nobody is lost.

What is joined is read from what media was told: the model of these tests is the list of these commands.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from appliance.calls.settings import Agent, Queue
from appliance.media import port as media
from appliance.records import owed
from appliance.records.reader import Conversation
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from appliance.signalling.port import ToPhone
from appliance.signalling.settings import Phone
from tests.simulation.test_menus import call, office
from tests.support.virtual_time import run

CUSTOMER = "+989121234567"
WALKS = 10_000 if os.environ.get("PASOKH_LONG") else 100
AGENTS = ("first", "second", "third")


class Box:
    """The clinic with three agents; whoever is rung answers as ``phones`` says and stays until told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.it = office(folder, "clinic")
        settings = self.it.office.settings
        agents = tuple(
            Agent(name=name, phone=f"desk{number}", extension=f"20{number}") for number, name in enumerate(AGENTS, 1)
        )
        queues = (
            Queue(name="reception", agents=("first",), ring_seconds=20, after_misses="pause"),
            Queue(name="doctors", agents=("third",), extension="300", ring_seconds=20),
        )
        sip = self.it.office.sip
        phones = (*(Phone(name=f"desk{number}") for number in range(1, 4)), Phone(name="kitchen"))
        self.it.office.sip = dataclasses.replace(sip, phones=phones)
        self.it.office.arrange(dataclasses.replace(settings, agents=agents, queues=queues))
        self.rung: dict[str, list[str]] = {}  # by phone or number: its legs, in order
        self.joined: dict[str, str] = {}
        self.hears: dict[str, str] = {}  # what a leg hears that is joined with nobody
        self.ended: dict[str, tuple[float, signalling.Cause]] = {}
        line, mouth = self.it.line, self.it.mouth
        submit, play = line.submit, mouth.submit

        def said(command: signalling.Command) -> None:
            if isinstance(command, signalling.Dial):
                to = command.to.phone if isinstance(command.to, ToPhone) else command.to.number
                self.rung.setdefault(to, []).append(command.leg)
            elif isinstance(command, signalling.HangUp):
                self.ended.setdefault(command.leg, (self.now, command.cause))
            submit(command)

        def told(command: media.Command) -> None:
            self._join(command)
            play(command)

        line.submit = said  # type: ignore[method-assign]
        mouth.submit = told  # type: ignore[method-assign]

    @property
    def now(self) -> float:
        return self.it.clock.monotonic()

    def _join(self, command: media.Command) -> None:
        match command:
            case media.Bridge(left, right):
                for leg in (left, right):
                    self._part(leg)
                    self.hears.pop(leg, None)
                self.joined[left], self.joined[right] = right, left
            case media.Unbridge(leg) | media.Close(leg):
                self._part(leg)
            case media.Play(leg, _, pieces):
                self._part(leg)
                self.hears[leg] = pieces[0].path.rpartition("/")[2]
            case _:
                return

    def _part(self, leg: str) -> None:
        other = self.joined.pop(leg, None)
        if other is not None:
            self.joined.pop(other, None)

    def there(self, *phones: str, **behaviours: Behaviour) -> None:
        for phone in phones:
            self.it.line.register(phone, Behaviour(answers_after=1.0))
        for phone, behaviour in behaviours.items():
            self.it.line.register(phone, behaviour)

    async def talking(self) -> tuple[str, str]:
        """The legs of a customer and of the first agent, who speak."""
        leg = await call(self.it, "1")
        await asyncio.sleep(8.0)
        agent = self.rung["desk1"][-1]
        assert self.joined.get(leg) == agent
        return leg, agent

    async def keys(self, leg: str, keys: str) -> None:
        for key in keys:
            self.it.mouth.press(leg, key)
            await asyncio.sleep(0.2)

    async def asked(self, agent: str, keys: str) -> str:
        """The leg of the second agent, whom the first has rung by these keys and who has answered."""
        await self.keys(agent, keys)
        await asyncio.sleep(3.0)
        return self.rung["desk2"][-1]

    def run(self, scene: Callable[[], Coroutine[Any, Any, None]], rest: float = 120.0) -> list[Conversation]:
        async def whole() -> None:
            await scene()
            for leg in list(self.it.line._legs):
                self.it.line.hang_up(leg)
            ends = self.now + rest
            while self.now < ends and self.it.switchboard.sessions:
                await asyncio.sleep(1.0)
                self.it.records.flush_now()
            await self.it.stopped()

        run(self.it.loop, whole())
        counters = self.it.office.counters
        assert counters.get("faults", 0) == 0 and counters.get("presence_mended", 0) == 0
        assert self.it.line.legs == 0 and self.it.mouth.streams == 0 and not self.it.office.floor.engaged()
        return self.it.all()

    def waiting(self) -> list[str]:
        return [each.customer for each in self.it.store.within(owed.persons)]


def steps(record: Conversation) -> list[str]:
    return [each.state for each in record.transfers]


def test_blind_to_a_colleague_who_takes_it(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*7202#")
        assert box.hears[leg] == "tone:ring-back"
        await asyncio.sleep(3.0)
        second = box.rung["desk2"][-1]
        assert box.joined[leg] == second and not box.it.line.is_up(agent)
        assert box.it.office.floor.engaged().keys() == {"second"}
        await asyncio.sleep(20.0)

    (record,) = box.run(scene)
    assert record.outcome == "served" and record.agent == "second" and record.talking_ms > 25_000
    assert steps(record) == ["asked", "done"] and [leg.role for leg in record.legs] == ["customer", "agent", "agent"]
    assert len(record.recordings) <= 1 and box.waiting() == []


@pytest.mark.parametrize("hangs_up", [False, True])
def test_blind_in_vain_comes_back_to_who_passed_on(tmp_path: Path, hangs_up: bool) -> None:
    box = Box(tmp_path)
    box.there("desk1", desk2=Behaviour(answers_after=None))

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*7202#")
        if hangs_up:
            box.it.line.hang_up(agent)
            await asyncio.sleep(2.0)
            assert not box.it.office.floor.why_not("first")  # free at once, not when the ringing is over
        await asyncio.sleep(28.0)
        assert box.joined[leg] == box.rung["desk1"][-1]
        assert (box.rung["desk1"][-1] == agent) is not hangs_up
        await asyncio.sleep(5.0)

    (record,) = box.run(scene)
    assert steps(record) == ["asked", "recalled" if hangs_up else "back"] and record.agent == "first"
    assert box.waiting() == []


def test_blind_in_vain_by_somebody_who_is_gone_waits_in_the_line_and_is_served(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", desk2=Behaviour(code=486, code_after=5.0))

    async def scene() -> None:
        leg, agent = await box.talking()
        box.it.line.phones["desk1"] = Behaviour(code=603)
        await box.keys(agent, "*7202#")
        box.it.line.hang_up(agent)
        await asyncio.sleep(40.0)
        assert leg not in box.joined and box.hears[leg] == "music"
        box.it.line.phones["desk1"] = Behaviour(answers_after=1.0)
        await asyncio.sleep(70.0)
        assert box.joined[leg] == box.rung["desk1"][-1]
        await asyncio.sleep(5.0)

    (record,) = box.run(scene)
    assert record.outcome == "served" and record.agent == "first" and box.waiting() == []


def test_who_hangs_up_while_nobody_has_them_is_owed_a_call(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", desk2=Behaviour(answers_after=None))

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*7202#")
        box.it.line.hang_up(agent)
        await asyncio.sleep(5.0)
        at = box.now
        box.it.line.hang_up(leg)
        await asyncio.sleep(1.0)
        assert box.ended[box.rung["desk2"][-1]][0] - at <= 1.0

    (record,) = box.run(scene)
    assert steps(record) == ["asked", "left"] and box.waiting() == [CUSTOMER]


def test_asking_first_and_giving_over(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*8202#")
        assert box.hears[leg] == "music"
        await asyncio.sleep(3.0)
        second = box.rung["desk2"][-1]
        assert box.joined[agent] == second and box.hears[leg] == "music"
        assert box.it.office.floor.engaged().keys() == {"first", "second"}
        await box.keys(agent, "*7")
        assert box.joined[leg] == second and not box.it.line.is_up(agent)
        await asyncio.sleep(10.0)

    (record,) = box.run(scene)
    assert steps(record) == ["asked", "asking", "done"] and record.agent == "second" and record.hold_ms > 3_000


def test_asking_first_to_and_fro_and_hanging_up_gives_over(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")

    async def scene() -> None:
        leg, agent = await box.talking()
        second = await box.asked(agent, "*8202#")
        for _ in range(2):
            await box.keys(agent, "*8")
            assert box.joined[agent] == leg and box.hears[second] == "music"
            await box.keys(agent, "*8")
            assert box.joined[agent] == second and box.hears[leg] == "music"
        box.it.line.hang_up(agent)
        await asyncio.sleep(1.0)
        assert box.joined[leg] == second
        await asyncio.sleep(5.0)

    (record,) = box.run(scene)
    assert steps(record) == ["asked", "asking", "done"]


@pytest.mark.parametrize("how", ["key", "refuses", "hangs up", "while it rings"])
def test_asking_in_vain_gives_the_customer_back_within_two_seconds(tmp_path: Path, how: str) -> None:
    box = Box(tmp_path)
    refuses = Behaviour(code=603, code_after=2.0)
    answers = {"refuses": refuses, "while it rings": Behaviour(answers_after=None)}
    box.there("desk1", desk2=answers.get(how, Behaviour(answers_after=1.0)))

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*8202#")
        await asyncio.sleep(4.0)
        second = box.rung["desk2"][-1]
        if how == "hangs up":
            box.it.line.hang_up(second)
        elif how != "refuses":
            await box.keys(agent, "*0")
        await asyncio.sleep(1.0)
        assert box.joined[leg] == agent and not box.it.line.is_up(second)
        assert box.it.office.floor.engaged().keys() == {"first"}
        await asyncio.sleep(5.0)

    (record,) = box.run(scene)
    assert steps(record)[-1] == "back" and record.agent == "first" and box.waiting() == []


def test_a_customer_who_leaves_while_somebody_is_asked_ends_it_and_both_are_told(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")

    async def scene() -> None:
        leg, agent = await box.talking()
        second = await box.asked(agent, "*8202#")
        box.it.line.hang_up(leg)
        await asyncio.sleep(0.5)
        assert box.hears[agent] == box.hears[second] == "caller_left"
        await asyncio.sleep(5.0)
        assert not box.it.line.is_up(agent) and not box.it.line.is_up(second)

    (record,) = box.run(scene)
    assert steps(record) == ["asked", "asking", "left"] and box.waiting() == [CUSTOMER]


def test_to_a_line_and_to_a_number_outside_and_on_from_there(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2", "desk3")
    box.it.line.outside = Behaviour(answers_after=2.0)

    async def scene() -> None:
        leg, agent = await box.talking()
        await box.keys(agent, "*7300#")
        await asyncio.sleep(3.0)
        third = box.rung["desk3"][-1]
        assert box.joined[leg] == third
        await box.keys(third, "*709351112233#")
        await asyncio.sleep(4.0)
        assert box.joined[leg] == box.rung["09351112233"][-1] and not box.it.line.is_up(third)
        await asyncio.sleep(5.0)

    (record,) = box.run(scene)
    assert steps(record) == ["asked", "line", "asked", "done"]
    assert [leg.role for leg in record.legs] == ["customer", "agent", "agent", "outside"]


@pytest.mark.parametrize("number", ["", "201", "desk1", "0044207123456", "09091234567", "202", "300300300300300300"])
def test_what_cannot_be_is_told_to_the_agent_who_keeps_the_customer(tmp_path: Path, number: str) -> None:
    """Nobody, oneself, a forbidden number, no number, somebody who is not there."""
    box = Box(tmp_path)
    box.there("desk1")

    async def scene() -> None:
        leg, agent = await box.talking()
        if number == "desk1":
            box.it.line.refer(agent, number)
            await asyncio.sleep(1.0)
            assert [code for _, code in box.it.line.referred] == [403]
        else:
            await box.keys(agent, f"*7{number}#")
            assert box.hears[agent] == "feature_refused" and box.hears[leg] == "music"
        await asyncio.sleep(5.0)
        assert box.joined[leg] == agent
        await asyncio.sleep(5.0)

    (record,) = box.run(scene)
    assert steps(record) == ["asked", "back"] and record.agent == "first"


def test_a_telephones_own_transfer_key_is_told_what_came_of_it(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "kitchen", desk2=Behaviour(code=486))

    async def scene() -> None:
        leg, agent = await box.talking()
        box.it.line.hold(agent)
        await asyncio.sleep(0.5)
        box.it.line.refer(agent, "second")
        await asyncio.sleep(2.0)
        assert box.it.line.referred == [(agent, 486)] and box.hears[leg] == "music"  # held still
        box.it.line.resume(agent)
        await asyncio.sleep(1.0)
        assert box.joined[leg] == agent
        box.it.line.refer(agent, "kitchen")
        await asyncio.sleep(3.0)
        assert box.it.line.referred[1:] == [(agent, 200)]
        assert box.joined[leg] == box.rung["kitchen"][-1] and not box.it.line.is_up(agent)
        await asyncio.sleep(3.0)

    (record,) = box.run(scene)
    assert steps(record) == ["asked", "back", "asked", "done"] and record.transfers[0].how == "refer"


@pytest.mark.parametrize("named_first", ["the customer's", "the other"])
@pytest.mark.parametrize("has_answered", [True, False])
def test_attended_by_telephone_connects_the_customer_with_whom_it_has_called(
    tmp_path: Path, named_first: str, has_answered: bool
) -> None:
    box = Box(tmp_path)
    box.there("desk1", desk2=Behaviour(answers_after=1.0 if has_answered else 6.0))

    async def scene() -> None:
        leg, agent = await box.talking()
        box.it.line.hold(agent)
        await asyncio.sleep(0.5)
        own = box.it.line.call_from("desk1", "202")
        await asyncio.sleep(3.0)
        second = box.rung["desk2"][-1]
        if has_answered:
            assert box.joined[own] == second and box.hears[leg] == "music"
        one, other = (agent, own) if named_first == "the customer's" else (own, agent)
        box.it.line.refer(one, "202", other)
        await asyncio.sleep(9.0)
        second = box.rung["desk2"][-1]
        assert box.joined[leg] == second, box.hears
        assert not box.it.line.is_up(agent) and not box.it.line.is_up(own)
        assert box.it.office.floor.engaged().keys() == {"second"}
        await asyncio.sleep(5.0)

    records = box.run(scene)
    record = next(each for each in records if each.direction == "in")
    assert steps(record) == ["asked", "done"] and record.agent == "second" and record.outcome == "served"
    assert [leg.party for leg in record.legs if leg.role == "agent"] == ["first", "second"]
    assert all(leg.ended_ms is not None and leg.ended_ms >= leg.opened_ms for leg in record.legs)


@pytest.mark.parametrize("dialled", ["09351112233", "202"])
def test_whom_the_telephone_rings_still_is_rung_by_the_box_where_they_are(tmp_path: Path, dialled: str) -> None:
    """Outside, or a colleague whose calls go outside; a telephone may write anything into its Refer-To."""
    box = Box(tmp_path)
    box.there("desk1", "desk2")
    box.it.line.outside = Behaviour(answers_after=6.0)
    box.it.office.desk.turn("forward_on", "second>09351112233", "test")

    async def scene() -> None:
        leg, agent = await box.talking()
        box.it.line.hold(agent)
        await asyncio.sleep(0.5)
        own = box.it.line.call_from("desk1", dialled)
        await asyncio.sleep(2.0)
        assert len(box.rung["09351112233"]) == 1
        box.it.line.refer(agent, "gone", own)
        await asyncio.sleep(9.0)
        assert box.joined[leg] == box.rung["09351112233"][-1]
        assert not box.it.line.is_up(agent) and not box.it.line.is_up(own)
        await asyncio.sleep(5.0)

    records = box.run(scene)
    assert steps(next(each for each in records if each.direction == "in")) == ["asked", "done"]


def test_a_customer_whom_an_agent_has_called_can_be_passed_on_by_the_telephone(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")
    box.it.line.outside = Behaviour(answers_after=2.0)

    async def scene() -> None:
        own = box.it.line.call_from("desk1", "09121234567")
        await asyncio.sleep(5.0)
        customer = box.rung["09121234567"][-1]
        assert box.joined[own] == customer
        box.it.line.refer(own, "second")
        await asyncio.sleep(3.0)
        assert box.joined[customer] == box.rung["desk2"][-1] and not box.it.line.is_up(own)
        await asyncio.sleep(5.0)

    (record,) = box.run(scene)
    assert steps(record) == ["asked", "done"] and record.outcome == "served"


# Picking up -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["*8", "*8201", "*8first", "*8desk1"])
def test_a_call_that_rings_at_a_colleague_is_picked_up(tmp_path: Path, code: str) -> None:
    box = Box(tmp_path)
    box.there("desk2", desk1=Behaviour(answers_after=None))

    async def scene() -> None:
        leg = await call(box.it, "1")
        await asyncio.sleep(6.0)
        rings = box.rung["desk1"][-1]
        own = box.it.line.call_from("desk2", code)
        await asyncio.sleep(1.0)
        assert box.joined[leg] == own and not box.it.line.is_up(rings)
        assert box.ended[rings][1] is signalling.Cause.ANSWERED_ELSEWHERE
        assert box.it.office.floor.engaged().keys() == {"second"} and not box.it.office.floor.why_not("first")
        await asyncio.sleep(10.0)
        assert box.joined[leg] == own

    records = box.run(scene)
    record = next(each for each in records if each.direction == "in")
    assert record.outcome == "served" and record.agent == "second" and record.talking_ms > 9_000
    assert {leg.party for leg in record.legs} >= {"first", "second"} and box.waiting() == []


def test_a_customer_who_is_passed_on_is_picked_up_where_it_rings(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk3", desk2=Behaviour(answers_after=None))

    async def scene() -> None:
        leg, agent = await box.talking()
        rings = await box.asked(agent, "*7202#")
        own = box.it.line.call_from("desk3", "*8")
        await asyncio.sleep(1.0)
        assert box.joined[leg] == own and not box.it.line.is_up(rings) and not box.it.line.is_up(agent)
        assert box.ended[rings][1] is signalling.Cause.ANSWERED_ELSEWHERE
        assert box.it.office.floor.engaged().keys() == {"third"} and not box.it.office.floor.why_not("second")
        await asyncio.sleep(10.0)

    records = box.run(scene)
    record = next(each for each in records if each.direction == "in")
    assert steps(record) == ["asked", "done"] and record.agent == "third" and box.waiting() == []


def test_of_two_who_pick_up_at_once_one_has_the_call_and_the_other_hangs_up(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk2", "desk3", desk1=Behaviour(answers_after=None))

    async def scene() -> None:
        leg = await call(box.it, "1")
        await asyncio.sleep(6.0)
        both = [box.it.line.call_from(phone, "*8") for phone in ("desk2", "desk3")]
        await asyncio.sleep(2.0)
        assert box.joined[leg] in both and sum(box.it.line.is_up(each) for each in both) == 1
        assert len(box.it.office.floor.engaged()) == 1
        await asyncio.sleep(5.0)

    records = box.run(scene)
    assert all(leg.ended_ms is not None for each in records for leg in each.legs)


@pytest.mark.parametrize("code", ["*8", "*8202", "*8300", "*8999"])
def test_where_nothing_rings_nothing_is_picked_up(tmp_path: Path, code: str) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")

    async def scene() -> None:
        leg, agent = await box.talking()
        box.it.line.call_from("desk2", code)
        await asyncio.sleep(3.0)
        assert box.joined[leg] == agent
        await asyncio.sleep(5.0)

    box.run(scene)


class Walk:
    """Somebody who presses keys, hangs up, refuses and refers at random, and whoever else is there."""

    def __init__(self, box: Box, seed: int) -> None:
        self.box = box
        self.chance = random.Random(seed)

    async def run(self) -> None:
        chance, box = self.chance, self.box
        for phone in ("desk1", "desk2", "desk3", "kitchen"):
            if phone == "desk1" or chance.random() < 0.8:
                box.it.line.register(phone, self._behaviour())
        box.it.line.phones["desk1"] = Behaviour(answers_after=1.0)
        box.it.line.outside = self._behaviour()
        leg = await call(box.it, "1")
        await asyncio.sleep(8.0)
        for _ in range(chance.randrange(3, 14)):
            await self._step(leg)
            await asyncio.sleep(chance.choice([0.0, 0.1, 0.5, 2.0, 6.0]))
            self._look(leg)
        if chance.random() < 0.5:
            box.it.line.hang_up(leg)
        await asyncio.sleep(30.0)

    def _behaviour(self) -> Behaviour:
        chance = self.chance
        if chance.random() < 0.25:
            return Behaviour(code=chance.choice([486, 603, 480]), code_after=chance.uniform(0.1, 3.0))
        answers = None if chance.random() < 0.15 else chance.uniform(0.2, 6.0)
        return Behaviour(answers_after=answers, talks_seconds=chance.choice([None, None, 5.0, 40.0]))

    async def _step(self, customer: str) -> None:
        chance, box = self.chance, self.box
        legs = [leg for each in box.rung.values() for leg in each if box.it.line.is_up(leg)]
        own = [leg for leg in box.it.line._legs if leg not in legs and leg != customer]
        target = chance.choice(["201", "202", "203", "300", "kitchen", "second", "09351112233", "0044", "7"])
        doer = chance.choice(legs) if legs else ""
        match chance.randrange(13):
            case 0 | 1 if doer and target.isdigit():
                await box.keys(doer, f"*{chance.choice('78')}{target}#")
            case 2 | 3 if doer:
                await box.keys(doer, "*" + chance.choice("780"))
            case 4 if doer:
                box.it.line.hang_up(doer)
            case 5 if doer:
                box.it.line.refer(doer, target, chance.choice(["", *own, *legs]))
            case 6:
                box.it.line.call_from(chance.choice(["desk1", "desk2"]), target)
            case 7 if doer:
                box.it.line.hold(doer) if chance.random() < 0.5 else box.it.line.resume(doer)
            case 9:
                box.it.line.call_from(chance.choice(["desk2", "desk3", "kitchen"]), "*8" + chance.choice(["", target]))
            case 10 | 11 if doer:
                await box.keys(doer, "*9")
            case 12:
                for _ in range(chance.choice([1, 1, 2])):
                    box.it.line.call_from(
                        chance.choice(["desk1", "desk2", "desk3", "kitchen"]), "*9" + chance.choice(["", "1", "2"])
                    )
            case 8 if own:
                box.it.line.refer(chance.choice(own), target, chance.choice(["", *legs]))

    def _look(self, customer: str) -> None:
        """Who is joined is up on both sides; nobody hears two; a customer who is up hears somebody or something."""
        box = self.box
        for one, other in box.joined.items():
            assert box.joined[other] == one and one != other
        if box.it.line.is_up(customer):
            assert customer in box.joined or customer in box.hears, "the customer hears nothing"


def test_random_walks_lose_nobody(tmp_path: Path) -> None:
    """Rows 27 and 52 as invariants: one record, states that add up, no leg and no agent left over, nobody forgotten."""
    steps_seen: dict[str, int] = {}
    for seed in range(WALKS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        box = Box(folder)
        records = box.run(Walk(box, seed).run, 1500.0)
        (record,) = [each for each in records if each.direction == "in"]
        states = record.ringing_ms + record.menu_ms + record.waiting_ms + record.talking_ms + record.hold_ms
        assert states == record.total_ms, seed
        assert all(leg.ended_ms is not None for each in records for leg in each.legs), seed
        last = steps(record)[-1] if record.transfers else ""
        if last in ("left", "lost"):
            assert CUSTOMER in box.waiting(), (seed, steps(record))
        for state in steps(record):
            steps_seen[state] = steps_seen.get(state, 0) + 1
    print(f"walks: {WALKS}, steps: {dict(sorted(steps_seen.items()))}")
    assert steps_seen.keys() >= {"asked", "asking", "done", "back", "left", "line", "parked", "recalled"}
