"""Agents sit down at any telephone by PIN, leave it, and go for breaks, in virtual time on the box's own ground."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from pathlib import Path

import pytest

from appliance.calls import restart
from appliance.calls.settings import Agent
from appliance.records import events, ledger
from appliance.signalling.loopback import Behaviour
from appliance.signalling.settings import Phone
from tests.simulation.test_callbacks import Box
from tests.simulation.test_lines import plays
from tests.simulation.test_menus import call, happened
from tests.simulation.test_phone_calls import rung

PINS = {"first": "730184", "second": "5937", "mina": "86420975"}
EXTENSIONS = {"first": "201", "second": "202", "mina": "203"}


class Plain:
    """No slowness, no threads: what is kept is no hash of any use, and holds no digits of the PIN."""

    async def hashed(self, secret: str) -> str:
        await asyncio.sleep(0.1)
        return f"hash:{sum(map(ord, secret))}:{hash(secret)}"

    async def fits(self, hashed: str, secret: str) -> bool:
        return hashed == await self.hashed(secret)


def shared_desks(folder: Path, **settings: object) -> Box:
    """Three agents with extensions, of whom Mina has no telephone of her own; desk1, desk2 and hall are there."""
    box = Box(folder, agents=("first", "second", "mina"), **settings)
    office = box.it.office
    office.sip = dataclasses.replace(office.sip, phones=(*office.sip.phones, Phone(name="hall")))
    phones = {"first": "desk1", "second": "desk2", "mina": ""}
    agents = tuple(Agent(name=name, phone=phones[name], extension=EXTENSIONS[name]) for name in phones)
    office.arrange(dataclasses.replace(office.settings, agents=agents))
    office.pins.hashing = Plain()
    return box


async def chosen(box: Box) -> None:
    """Every agent has a PIN, and telephones are there."""
    for phone in ("desk1", "desk2", "hall"):
        box.it.line.register(phone, Behaviour(answers_after=2.0, talks_seconds=20.0))
    for agent, pin in PINS.items():
        await box.it.office.pins.choose(agent, EXTENSIONS[agent], pin, "own")
    await asyncio.sleep(1.0)


async def signs_in(box: Box, phone: str, extension: str, *keyed: str) -> str:
    """Dials ``*41`` and the extension, keys in these after the prompts; the leg."""
    leg = box.it.line.call_from(phone, f"*41{extension}")
    for keys in keyed:
        await asyncio.sleep(6.0)
        for key in keys:
            box.it.mouth.press(leg, key)
            await asyncio.sleep(0.2)
    await asyncio.sleep(6.0)
    return leg


def said(heard: list[tuple[str, ...]], *beginnings: str) -> list[str]:
    return [each for played in heard for each in played if each.startswith(beginnings or ("seat_", "pin_", "agent_"))]


def test_an_agent_who_signs_in_at_another_telephone_is_rung_there_and_whoever_sat_there_is_not(tmp_path: Path) -> None:
    box = shared_desks(tmp_path)
    heard, dialled = plays(box.it), rung(box)

    async def scene() -> None:
        await chosen(box)
        assert box.it.office.why_away("mina") == "not_seated"
        await signs_in(box, "desk1", "203", PINS["mina"])
        assert box.it.office.why_away("first") == "not_seated"
        box.it.line.call_from("hall", "203")
        await asyncio.sleep(40.0)
        box.it.line.call_from("hall", "201")  # nobody is there: not rung
        await asyncio.sleep(10.0)
        await signs_in(box, "hall", "203", PINS["mina"] + "#")
        box.it.line.call_from("desk2", "203")
        await asyncio.sleep(40.0)
        box.it.line.call_from("hall", "*42")

    box.run(scene, 30.0)
    assert dialled == ["desk1", "hall"]
    assert said(heard) == ["seat_ask_pin", "agent_there", "seat_ask_pin", "agent_there", "seat_left"]
    left = [each.partition(" ")[2] for each in happened(box.it, events.AgentLeft.kind)]
    assert [f'"why":"{why}"' in each for why, each in zip(("replaced", "elsewhere", "signed_out"), left, strict=True)]
    assert box.it.store.within(lambda db: sorted(ledger.seats(db)))[1][:2] == ("mina", "")


def test_a_call_goes_on_where_it_is_when_its_agent_sits_down_elsewhere(tmp_path: Path) -> None:
    box = shared_desks(tmp_path)

    async def scene() -> None:
        await chosen(box)
        box.it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=60.0))
        leg = await call(box.it, "1")
        await asyncio.sleep(5.0)
        await signs_in(box, "hall", "201", PINS["first"])
        assert box.it.line.is_up(leg) and "first" in box.it.office.floor.engaged()

    box.run(scene, 120.0)
    (record,) = [each for each in box.it.all() if each.direction == "in"]
    assert record.agent == "first" and 55_000 < record.talking_ms < 65_000


def test_a_pin_is_wrong_ten_times_and_then_nobody_tries_any_more_until_it_is_unlocked(tmp_path: Path) -> None:
    box = shared_desks(tmp_path)
    heard = plays(box.it)
    took: list[float] = []

    async def scene() -> None:
        await chosen(box)
        for _ in range(4):
            leg = box.it.line.call_from("hall", "*41201")
            while box.it.line.is_up(leg):
                before = box.it.clock.monotonic(), len(said(heard))
                await asyncio.sleep(4.0)
                for key in "1357":
                    box.it.mouth.press(leg, key)
                box.it.mouth.press(leg, "#")
                while box.it.line.is_up(leg) and len(said(heard)) == before[1]:  # noqa: ASYNC110 - virtual time
                    await asyncio.sleep(0.5)
                took.append(box.it.clock.monotonic() - before[0])
        assert box.it.office.pins.locked() == (("first",), ("hall",))
        assert box.it.switchboard.findings["pins"].fields == {"who": "first, hall"}
        await signs_in(box, "desk2", "201", PINS["first"])  # right, and too late
        assert box.it.office.seats.phone_of("first") == "desk1"
        await signs_in(box, "desk2", "203", PINS["mina"])  # everybody else signs in
        assert box.it.office.seats.phone_of("mina") == "desk2"
        box.it.office.pins.unlock("first", "hall", "owner")
        await signs_in(box, "hall", "201", PINS["first"])
        assert box.it.office.seats.phone_of("first") == "hall"

    box.run(scene, 30.0)
    assert said(heard, "seat_locked") == ["seat_locked"] * 2 and "pins" not in box.it.switchboard.findings
    assert len(happened(box.it, events.PinRefused.kind)) == 10
    assert len(happened(box.it, events.PinLocked.kind)) == 2
    assert max(took) > 25.0, "who guesses waits longer and longer"


def test_a_lock_opens_by_itself_after_half_an_hour(tmp_path: Path) -> None:
    box = shared_desks(tmp_path)

    async def scene() -> None:
        await chosen(box)
        for _ in range(10):
            await box.it.office.pins.check("first", "hall", "9999")
        assert box.it.office.pins.is_locked("first", "desk1")
        await asyncio.sleep(1801.0)
        await signs_in(box, "hall", "201", PINS["first"])
        assert box.it.office.seats.phone_of("first") == "hall"

    box.run(scene, 10.0)


@pytest.mark.parametrize("extension", ["", "999", "reception", "0" * 60, "*", "201*5555"])
def test_an_extension_that_nobody_has_is_answered_like_a_wrong_pin(tmp_path: Path, extension: str) -> None:
    box = shared_desks(tmp_path)
    heard = plays(box.it)

    async def scene() -> None:
        await chosen(box)
        keyed = ("999#", "5937#") if not extension else ("5937#",)
        leg = await signs_in(box, "hall", extension, *keyed)
        box.it.line.hang_up(leg)

    box.run(scene, 10.0)
    assert "pin_wrong" in said(heard) and box.it.office.seats.at("hall") == ()


def test_who_has_a_code_chooses_a_pin_of_their_own_before_they_sit(tmp_path: Path) -> None:
    box = shared_desks(tmp_path)
    heard = plays(box.it)

    async def scene() -> None:
        await chosen(box)
        code = await box.it.office.pins.make("mina", "owner")
        await signs_in(box, "hall", "203", code + "#", "1234#", "5937#", "5938#")
        await asyncio.sleep(10.0)
        assert box.it.office.seats.at("hall") == ()
        await signs_in(box, "hall", "203", code + "#", "5937#", "5937#")
        assert box.it.office.seats.at("hall") == ("mina",)
        assert await box.it.office.pins.check("mina", "hall", code) == "wrong"
        assert await box.it.office.pins.check("mina", "hall", "5937") == "right"

    box.run(scene, 30.0)
    assert {"seat_pin_weak", "seat_pin_differs", "seat_choose_pin", "seat_repeat_pin"} <= set(said(heard))


def test_the_digits_of_a_pin_stand_in_no_event_no_log_and_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    box = shared_desks(tmp_path)
    pin = PINS["mina"]

    async def scene() -> None:
        await chosen(box)
        await signs_in(box, "hall", "203", pin)
        await signs_in(box, "hall", "", "203#", pin)
        await signs_in(box, "hall", "203", pin[::-1])
        box.it.line.call_from("hall", f"*41203*{pin}")  # as people do who are in a hurry
        await asyncio.sleep(10.0)

    box.run(scene, 30.0)
    kept = "\n".join(happened(box.it))
    assert "agent.seated" in kept and "agent.pin_refused" in kept
    with box.it.store.transaction() as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
        rows = "\n".join(str(row) for table in tables for row in db.execute(f"SELECT * FROM {table}").fetchall())
    files = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    for digits in (pin, pin[::-1]):
        assert digits not in kept and digits not in caplog.text and digits not in rows
        assert digits.encode() not in files and digits not in repr(box.it.office.pins)


def test_where_agents_sit_outlives_the_process(tmp_path: Path) -> None:
    box = shared_desks(tmp_path)

    async def scene() -> None:
        await chosen(box)
        await signs_in(box, "hall", "203", PINS["mina"])
        box.it.office.seating.leave("second", "signed_out")
        box.it.records.flush_now()
        office = box.it.office
        office.arrange(office.settings)  # forgets
        restart.recall(office, box.it.store)
        assert office.seats.phone_of("mina") == "hall" and office.seats.phone_of("second") == ""
        assert office.seats.phone_of("first") == "desk1" and office.pins.has("mina")

    box.run(scene, 10.0)


def test_who_signed_in_is_signed_out_at_the_end_of_the_shift_and_not_before_the_call_has_ended(tmp_path: Path) -> None:
    box = shared_desks(tmp_path)
    office = box.it.office
    calendar = next(iter(office.calendars))
    agents = tuple(dataclasses.replace(each, shift_calendar=calendar) for each in office.settings.agents)
    office.arrange(dataclasses.replace(office.settings, agents=agents))
    left: list[float] = []

    async def scene() -> None:
        await chosen(box)
        await signs_in(box, "hall", "203", PINS["mina"])
        assert office.is_open(calendar)
        while office.is_open(calendar):
            office.seating.look()
            assert office.seats.phone_of("mina") == "hall"
            await asyncio.sleep(600.0)
        assert office.floor.engage("mina", "a call", "a leg")
        office.seating.look()
        assert office.seats.phone_of("mina") == "hall"
        office.floor.ended("mina", "a leg")
        office.seating.look()
        left.append(box.it.clock.monotonic())
        assert office.seats.phone_of("mina") == "" and office.seats.phone_of("first") == "desk1"
        await signs_in(box, "hall", "203", PINS["mina"])  # overtime
        office.seating.look()
        assert office.seats.phone_of("mina") == "hall"

    box.run(scene, 10.0)
    assert left and '"why":"shift_over"' in happened(box.it, events.AgentLeft.kind)[-1]


# Breaks and offers that are not taken ---------------------------------------------------------------------------------


def test_two_offers_that_are_not_taken_mean_away_until_the_agent_says_otherwise(tmp_path: Path) -> None:
    box = shared_desks(tmp_path, ring_seconds=6.0)
    heard, dialled = plays(box.it), rung(box)

    async def scene() -> None:
        box.it.line.register("desk1", Behaviour(answers_after=None))
        leg = await call(box.it, "1")
        await asyncio.sleep(60.0)
        assert box.it.office.desk.switches.absent == {"first": "missed"}
        assert next(each for each in box.it.office.agents_now() if each.name == "first").reason == "missed"
        box.it.line.call_from("desk1", "*6")
        await asyncio.sleep(10.0)
        box.it.line.call_from("desk1", "*60")
        await asyncio.sleep(20.0)
        box.it.line.hang_up(leg)

    box.run(scene, 60.0)
    assert dialled[:3] == ["desk1"] * 3
    assert said(heard, "agent_")[:2] == ["agent_missed", "agent_there"]
    assert box.it.office.counters["agents_missed"] >= 1


def test_where_the_line_says_pause_offers_that_are_not_taken_mean_a_while_of_peace(tmp_path: Path) -> None:
    box = shared_desks(tmp_path, ring_seconds=6.0, after_misses="pause", pause_seconds=60.0)

    async def scene() -> None:
        box.it.line.register("desk1", Behaviour(answers_after=None))
        leg = await call(box.it, "1")
        await asyncio.sleep(60.0)
        assert box.it.office.desk.switches.absent == {}
        box.it.line.hang_up(leg)

    box.run(scene, 60.0)


@pytest.mark.parametrize(("dialled", "reason"), [("*611", "break"), ("*613", "prayer"), ("*615", "other"), ("*61", "")])
def test_an_agent_is_away_for_a_reason_by_its_place_in_the_settings(tmp_path: Path, dialled: str, reason: str) -> None:
    box = shared_desks(tmp_path)

    async def scene() -> None:
        await chosen(box)
        box.it.line.call_from("desk1", dialled)
        await asyncio.sleep(10.0)
        assert box.it.office.desk.switches.absent == {"first": reason}

    box.run(scene, 10.0)


@pytest.mark.parametrize("dialled", ["*616", "*610", "*6111", "*619", "*61a"])
def test_a_reason_that_is_not_there_changes_nothing(tmp_path: Path, dialled: str) -> None:
    box = shared_desks(tmp_path)

    async def scene() -> None:
        await chosen(box)
        box.it.line.call_from("desk1", dialled)
        await asyncio.sleep(10.0)
        assert box.it.office.desk.switches.absent == {}

    box.run(scene, 10.0)


def test_who_may_not_go_for_a_break_yet_waits_for_a_turn_and_is_away_by_itself(tmp_path: Path) -> None:
    box = shared_desks(tmp_path, max_away=1)
    heard = plays(box.it)

    async def scene() -> None:
        await chosen(box)
        await signs_in(box, "hall", "203", PINS["mina"])
        for phone in ("desk1", "desk2", "hall"):
            box.it.line.call_from(phone, "*43")
            await asyncio.sleep(10.0)
        absent = box.it.office.desk.switches.absent
        assert absent == {"first": "break"} and box.it.office.breaks.waiting == ("second", "mina")
        for _ in range(2):
            for agent in ("first", "second"):
                if agent in box.it.office.desk.switches.absent:
                    box.it.line.call_from("desk1" if agent == "first" else "desk2", "*60")
                    await asyncio.sleep(10.0)
            box.it.office.breaks.look()
        assert box.it.office.desk.switches.absent == {"mina": "break"}

    box.run(scene, 10.0)
    assert said(heard, "break_") == ["break_next", "break_waits"]


def test_nobody_asks_for_a_break_at_a_telephone_where_nobody_sits_nor_signs_out_without_a_pin(tmp_path: Path) -> None:
    box = shared_desks(tmp_path)
    heard = plays(box.it)

    async def scene() -> None:
        for phone in ("hall", "desk1"):
            box.it.line.register(phone, Behaviour())
        await asyncio.sleep(1.0)
        for phone, code in (("hall", "*43"), ("hall", "*42"), ("desk1", "*42")):
            box.it.line.call_from(phone, code)
            await asyncio.sleep(10.0)
        assert box.it.office.seats.phone_of("first") == "desk1"

    box.run(scene, 10.0)
    assert said(heard, "seat_", "feature_") == ["feature_no_sense", "seat_left", "seat_no_pin"]
