"""What lamps show of an office in virtual time: ring, talk, end, pick-up, away, lines that wait, and messages."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from appliance.calls.desk import asked_by
from appliance.calls.settings import Agent, Queue
from appliance.signalling import lamps
from appliance.signalling.loopback import Behaviour
from appliance.signalling.port import LampState, ShowLamp, ShowMessages
from tests.simulation.test_menus import call, office
from tests.simulation.test_whole_office import TheOffice
from tests.support.virtual_time import run

AGENTS = (Agent(name="first", phone="desk1", extension="201"), Agent(name="second", phone="desk2", extension="202"))
QUEUE = Queue(name="reception", agents=("first", "second"), extension="300")
CUSTOMER = "09121234567"


def box(folder: Path, *, shows_numbers: bool = False, away: bool = False, ring_all: bool = False) -> TheOffice:
    it = office(folder, "clinic")
    queue = dataclasses.replace(QUEUE, strategy="ring_all" if ring_all else "in_order")
    settings = dataclasses.replace(
        it.office.settings, agents=AGENTS, queues=(queue,), lamps_show_numbers=shows_numbers, lamps_away=away
    )
    it.office.arrange(settings)
    return it


def after(it: TheOffice, scene: Callable[[], Coroutine[None, None, None]]) -> None:
    async def whole() -> None:
        looking = asyncio.create_task(it.office.lamps.run())
        await asyncio.sleep(0.1)
        await scene()
        await it.until_quiet()
        await asyncio.sleep(1.0)
        looking.cancel()

    run(it.loop, whole())
    assert it.office.counters.get("faults", 0) == 0 and it.line.legs == 0


def watch(it: TheOffice, extension: str, package: str = lamps.DIALOG) -> list[lamps.Shown]:
    seen = it.line.watch(package, extension)
    assert seen is not None, extension
    return seen


def states(seen: list[lamps.Shown]) -> list[str]:
    return [each.state.name if isinstance(each, ShowLamp) else str(each.waiting) for each in seen]


def test_every_name_of_who_is_rung_and_speaks_shows_it_and_nobody_elses(tmp_path: Path) -> None:
    it = box(tmp_path)
    seen: dict[str, list[lamps.Shown]] = {}

    async def scene() -> None:
        seen.update({name: watch(it, name) for name in ("first", "201", "desk1", "second", "202", "desk2")})
        it.line.register("desk1", Behaviour(answers_after=5.0, talks_seconds=20.0))
        await call(it, "1")

    after(it, scene)
    for name in ("first", "201", "desk1"):
        assert states(seen[name]) == ["DARK", "RINGING", "BUSY", "DARK"], name
    rings, talks = seen["201"][1], seen["201"][2]
    assert isinstance(rings, ShowLamp) and isinstance(talks, ShowLamp)
    assert rings.call == talks.call and not rings.is_caller and rings.other is None
    for name in ("second", "202", "desk2"):
        assert states(seen[name]) == ["DARK"], name


@pytest.mark.parametrize("shows", [False, True])
def test_the_customers_number_is_told_to_colleagues_only_where_the_owner_allows_it(tmp_path: Path, shows: bool) -> None:
    it = box(tmp_path, shows_numbers=shows)
    seen: list[lamps.Shown] = []

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=5.0, talks_seconds=20.0))
        await call(it, "1")
        seen.append(it.line.shown[lamps.DIALOG, "201"])

    after(it, scene)
    assert (CUSTOMER in str(seen)) is shows


def test_whoever_dials_is_busy_and_never_rings_and_whoever_is_dialled_rings(tmp_path: Path) -> None:
    it = box(tmp_path, shows_numbers=True)
    seen: dict[str, list[lamps.Shown]] = {}

    async def scene() -> None:
        seen.update({name: watch(it, name) for name in ("201", "202")})
        it.line.register("desk1", Behaviour())
        it.line.register("desk2", Behaviour(answers_after=4.0, talks_seconds=10.0))
        it.line.call_from("desk1", "202")
        await asyncio.sleep(30.0)
        it.line.call_from("desk1", "*28")

    after(it, scene)
    assert states(seen["201"]) == ["DARK", "CALLING", "BUSY", "DARK", "CALLING", "BUSY", "DARK"]
    assert states(seen["202"]) == ["DARK", "RINGING", "BUSY", "DARK"]
    dials, code = seen["201"][1], seen["201"][4]
    assert isinstance(dials, ShowLamp) and dials.is_caller and dials.other is not None and dials.other.number == "202"
    assert isinstance(code, ShowLamp) and code.other is None, "a code may hold a secret"


def test_the_lamp_of_a_call_that_was_picked_up_goes_where_the_call_went(tmp_path: Path) -> None:
    it = box(tmp_path)
    seen: dict[str, list[lamps.Shown]] = {}

    async def scene() -> None:
        seen.update({name: watch(it, name) for name in ("201", "202")})
        it.line.register("desk1", Behaviour(answers_after=None))
        it.line.register("desk2", Behaviour(code=486))
        leg = await call(it, "1")
        await asyncio.sleep(2.0)
        assert states(seen["201"])[-1] == "RINGING"
        it.line.call_from("desk2", "*8201")
        await asyncio.sleep(2.0)
        assert (states(seen["201"])[-1], states(seen["202"])[-1]) == ("DARK", "BUSY")
        it.line.hang_up(leg)

    after(it, scene)
    assert states(seen["202"])[-1] == "DARK"


def test_where_all_are_rung_all_lamps_ring_and_one_goes_on(tmp_path: Path) -> None:
    it = box(tmp_path, ring_all=True)
    seen: dict[str, list[lamps.Shown]] = {}

    async def scene() -> None:
        seen.update({name: watch(it, name) for name in ("201", "202")})
        it.line.register("desk1", Behaviour(answers_after=9.0, talks_seconds=30.0))
        it.line.register("desk2", Behaviour(answers_after=4.0, talks_seconds=30.0))
        await asyncio.sleep(0.1)
        await call(it, "1")

    after(it, scene)
    assert states(seen["201"]) == ["DARK", "RINGING", "DARK"]
    assert states(seen["202"]) == ["DARK", "RINGING", "BUSY", "DARK"]


def test_of_two_calls_the_one_that_rings_is_shown(tmp_path: Path) -> None:
    it = box(tmp_path)
    seen: list[str] = []

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=30.0))
        it.line.register("desk2", Behaviour())
        await call(it, "1")
        watched = watch(it, "desk1")
        it.line.phones["desk1"] = Behaviour(answers_after=None)
        second = it.line.call_from("desk2", "desk1")  # the telephone itself, whoever speaks there
        await asyncio.sleep(5.0)
        it.line.hang_up(second)
        await asyncio.sleep(5.0)
        seen.extend(states(watched))

    after(it, scene)
    assert seen == ["BUSY", "RINGING", "BUSY"]


def test_who_is_away_is_busy_where_the_owner_wants_that_and_the_telephone_itself_is_not(tmp_path: Path) -> None:
    it = box(tmp_path, away=True)
    seen: dict[str, list[lamps.Shown]] = {}

    async def scene() -> None:
        seen.update({name: watch(it, name) for name in ("201", "desk1")})
        for turn in (
            lambda: it.line.register("desk1", Behaviour()),
            lambda: it.office.desk.turn("sign_off", "first", "test"),
            lambda: it.office.desk.turn("sign_on", "first", "test"),
            lambda: it.line.unregister("desk1"),
        ):
            await asyncio.sleep(2.0)
            turn()
        await asyncio.sleep(2.0)

    after(it, scene)
    assert states(seen["201"]) == ["BUSY", "DARK", "BUSY", "DARK", "BUSY"]
    assert states(seen["desk1"]) == ["DARK"]


def test_a_line_in_which_somebody_waits_is_lit(tmp_path: Path) -> None:
    it = box(tmp_path)
    seen: dict[str, list[lamps.Shown]] = {}

    async def scene() -> None:
        seen.update({name: watch(it, name) for name in ("300", "reception")})
        it.line.register("desk1", Behaviour(answers_after=10.0, talks_seconds=5.0))
        await call(it, "1")

    after(it, scene)
    assert [states(each) for each in seen.values()] == [["DARK", "BUSY", "DARK"]] * 2


def test_messages_light_the_lamps_of_the_line_of_its_agents_and_of_their_telephones(tmp_path: Path) -> None:
    it = box(tmp_path)
    names = ("300", "first", "201", "202", "desk1", "desk2")
    seen: dict[str, list[lamps.Shown]] = {}

    async def scene() -> None:
        seen.update({name: watch(it, name, lamps.MESSAGES) for name in names})
        desk = it.office.desk
        requests = []
        for number in range(2):
            asked = asked_by("c" * 32, f"+98912000000{number}", "fa", "provider")
            requests.append(desk.message("message", asked, "reception", 0)[0])
            await asyncio.sleep(1.0)
        desk.message("complaint", asked_by("c" * 32, CUSTOMER, "fa", "provider"), "reception", 0)
        desk.close(requests[0], "done", "sara")
        await asyncio.sleep(1.0)
        desk.spoke_with("+989120000001")

    after(it, scene)
    for name in names:
        assert states(seen[name]) == ["0", "1", "2", "1", "0"], name
    assert isinstance(seen["300"][-1], ShowMessages)


def test_an_extension_that_nobody_has_cannot_be_watched(tmp_path: Path) -> None:
    it = box(tmp_path)

    async def scene() -> None:
        assert it.line.watch(lamps.DIALOG, "999") is None
        assert {each.state for each in it.line.shown.values() if isinstance(each, ShowLamp)} == {LampState.DARK}

    after(it, scene)
