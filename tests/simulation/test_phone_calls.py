"""Desk phones call each other and out, in virtual time: policy, emergency, presence, and what a talk settles."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from appliance.records import encode, events, owed
from appliance.records.store import links
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from appliance.signalling.settings import Phone
from tests.simulation.test_callbacks import CUSTOMER, Box, agents
from tests.simulation.test_lines import plays
from tests.simulation.test_menus import call


def codes(box: Box) -> list[int]:
    """With what calls of phones were refused."""
    found: list[int] = []
    submit = box.it.line.submit

    def seen(command: signalling.Command) -> None:
        if isinstance(command, signalling.Refuse):
            found.append(command.code)
        submit(command)

    box.it.line.submit = seen  # type: ignore[method-assign] # what the phone is told
    return found


def rung(box: Box) -> list[str]:
    """Telephones and numbers that the box dials, in order."""
    found: list[str] = []
    submit = box.it.line.submit

    def seen(command: signalling.Command) -> None:
        if isinstance(command, signalling.Dial):
            found.append(command.to.phone if isinstance(command.to, signalling.ToPhone) else command.to.number)
        submit(command)

    box.it.line.submit = seen  # type: ignore[method-assign] # what is dialled
    return found


def kitchen(box: Box) -> None:
    """A telephone where nobody of the agents sits."""
    office = box.it.office
    office.sip = dataclasses.replace(office.sip, phones=(*office.sip.phones, Phone(name="kitchen")))
    box.it.line.register("kitchen", Behaviour(answers_after=1.0, talks_seconds=10.0))


def test_a_desk_phone_calls_out_and_the_record_names_agent_and_customer(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.customer_keys = []
    box.it.line.outside = Behaviour(answers_after=4.0, talks_seconds=30.0)

    async def scene() -> None:
        agents(box)
        box.it.line.call_from("desk1", "0912 123 4567")
        await asyncio.sleep(20.0)
        assert box.it.office.floor.why_not("first") == "busy"

    box.run(scene, 60.0)
    (record,) = box.it.all()
    assert (record.direction, record.customer, record.agent, record.outcome) == ("out", CUSTOMER, "first", "served")
    assert 29_000 <= record.talking_ms <= 31_000


@pytest.mark.parametrize(
    ("dialled", "code"), [("00442071234567", 403), ("09091234567", 403), ("hello", 403), ("1" * 40, 403)]
)
def test_what_the_policy_forbids_is_refused_and_dialled_by_nobody(tmp_path: Path, dialled: str, code: int) -> None:
    box = Box(tmp_path)
    told = codes(box)

    async def scene() -> None:
        agents(box)
        box.it.line.call_from("desk1", dialled)

    box.run(scene, 30.0)
    assert told == [code] and box.dialled == []
    (record,) = box.it.all()
    assert record.outcome == "finished" and record.talking_ms == 0


@pytest.mark.parametrize("number", ["110", "115", "125", "112"])
def test_an_emergency_number_goes_out_though_nothing_else_may(tmp_path: Path, number: str) -> None:
    box = Box(tmp_path)
    settings = dataclasses.replace(box.it.office.settings, may_dial=(), kept_for_callers=5)
    box.it.office.arrange(settings)
    sip = box.it.office.sip
    box.it.office.sip = dataclasses.replace(sip, trunks=(dataclasses.replace(sip.trunks[0], max_calls=1),))
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=20.0)

    async def scene() -> None:
        agents(box)
        await call(box.it, "")
        box.it.line.call_from("desk1", number)

    box.run(scene, 60.0)
    assert [dialled for _, dialled in box.dialled] == [number]


def test_desk_phones_call_each_other_by_name(tmp_path: Path) -> None:
    box = Box(tmp_path)
    told = codes(box)

    async def scene() -> None:
        agents(box)
        box.it.line.register("desk2", Behaviour(answers_after=2.0, talks_seconds=15.0))
        box.it.line.call_from("desk1", "second")
        await asyncio.sleep(40.0)
        box.it.line.unregister("desk2")
        box.it.line.call_from("desk1", "second")
        await asyncio.sleep(10.0)
        box.it.line.call_from("desk1", "desk2")

    box.run(scene, 30.0)
    first, *others = sorted(box.it.all(), key=lambda each: each.opened)
    assert first.direction == "internal" and 14_000 <= first.talking_ms <= 16_000 and first.agent == "first"
    assert [each.talking_ms for each in others] == [0, 0] and told == [480, 480]


def test_who_was_missed_and_is_called_by_hand_waits_no_more(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        leg = await call(box.it, "1")
        await asyncio.sleep(20.0)
        box.it.line.hang_up(leg)
        agents(box)
        box.it.line.outside = Behaviour(answers_after=2.0, talks_seconds=4.0)  # an announcement
        box.it.line.call_from("desk1", "09121234567")
        await asyncio.sleep(30.0)
        await box.it.records.flush()
        assert len(box.it.store.within(owed.persons)) == 1
        box.it.line.outside = Behaviour(answers_after=2.0, talks_seconds=40.0)
        box.it.line.call_from("desk1", "09121234567")

    box.run(scene, 90.0)
    assert box.it.store.within(owed.persons) == []


def test_a_phone_that_hangs_up_while_it_rings_leaves_nobody_ringing(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.outside = Behaviour(answers_after=None)

    async def scene() -> None:
        agents(box)
        leg = box.it.line.call_from("desk1", "09121234567")
        await asyncio.sleep(10.0)
        box.it.line.hang_up(leg)

    box.run(scene, 20.0)
    (record,) = box.it.all()
    assert record.outcome == "abandoned"


def test_an_agent_who_is_away_by_the_telephone_is_rung_again_only_when_back(tmp_path: Path) -> None:
    box = Box(tmp_path)
    heard = plays(box.it)
    talking: list[str] = []

    async def scene() -> None:
        agents(box)
        for code in ("*61", "*60"):
            box.it.line.call_from("desk1", code)
            await asyncio.sleep(10.0)
            leg = await call(box.it, "1")
            await asyncio.sleep(12.0)
            talking.append(",".join(box.it.office.floor.engaged()))
            box.it.line.hang_up(leg)
            await asyncio.sleep(3.0)
        box.it.line.call_from("desk2", "*6")  # this telephone's agent never was away
        await asyncio.sleep(10.0)
        box.it.line.call_from("kitchen", "*61")

    box.run(scene, 60.0)
    assert talking == ["", "first"]
    assert [each for played in heard for each in played if each.startswith(("agent_", "feature_"))] == [
        "agent_away", "agent_there", "agent_there",
    ]  # fmt: skip


def test_a_telephone_without_an_agent_that_shall_not_ring_is_not_rung(tmp_path: Path) -> None:
    box = Box(tmp_path)
    told, heard = codes(box), plays(box.it)

    async def scene() -> None:
        agents(box)
        kitchen(box)
        for code in ("*78", "*79"):
            box.it.line.call_from("kitchen", code)
            await asyncio.sleep(10.0)
            box.it.line.call_from("desk1", "kitchen")
            await asyncio.sleep(20.0)

    box.run(scene, 60.0)
    talks = [record.talking_ms > 0 for record in box.it.all() if record.agent == "first"]
    assert told == [480] and talks == [False, True]
    assert [each for played in heard for each in played if each.startswith("phone_")] == ["phone_silent", "phone_rings"]


def forwards(box: Box) -> list[tuple[str, str]]:
    """Who sent on to whom, by the events."""
    found = box.it.store.within(lambda db: list(links(db)))
    happened = (encode.happened_from(link.kind, link.body or b"") for link in found)
    return [(each.whom, each.to) for each in happened if isinstance(each, events.CallForwarded)]


def test_calls_for_a_telephone_go_where_its_keys_have_sent_them_until_they_are_taken_back(tmp_path: Path) -> None:
    box = Box(tmp_path)
    heard, numbers = plays(box.it), rung(box)
    box.customer_keys = []
    box.it.line.outside = Behaviour(answers_after=3.0, talks_seconds=10.0)

    async def scene() -> None:
        agents(box)
        kitchen(box)
        for code in ("*72kitchen", "*7209121234567#", "*73"):
            box.it.line.call_from("desk2", code)
            await asyncio.sleep(15.0)
            if code == "*73":  # a telephone that is not there has its calls sent on all the same
                box.it.line.register("desk2", Behaviour(answers_after=1.0, talks_seconds=10.0))
            box.it.line.call_from("desk1", "second")
            await asyncio.sleep(30.0)
        box.it.line.call_from("desk2", "*72")

    box.run(scene, 60.0)
    assert forwards(box) == [("second", "kitchen"), ("second", "09121234567")]
    said = [each for played in heard for each in played if each.startswith("forward_")]
    assert said == ["forward_on", "forward_on", "forward_off", "forward_off"]
    assert numbers == ["kitchen", "09121234567", "desk2"]


@pytest.mark.parametrize("to", ["110", "00442071234567", "09091234567", "second", "desk2", "sales", "x" * 30])
def test_calls_are_not_sent_to_oneself_to_a_line_or_where_the_policy_lets_nobody(tmp_path: Path, to: str) -> None:
    box = Box(tmp_path)
    heard = plays(box.it)

    async def scene() -> None:
        agents(box)
        box.it.line.call_from("desk2", f"*72{to}")

    box.run(scene, 20.0)
    assert "feature_refused" in [each for played in heard for each in played]
    assert box.it.office.desk.switches.forwards == {}
