"""What the random office (test_random_office.py) found, one by one."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from appliance.calls import restart
from appliance.media import port as media
from appliance.records import events, ledger
from appliance.signalling.loopback import Behaviour
from tests.simulation.test_callbacks import CUSTOMER, Box, agents
from tests.simulation.test_lines import plays
from tests.simulation.test_menus import call
from tests.support.virtual_time import run

OTHER = "09351112233"


async def somebody_else(box: Box, keys: str = "1") -> str:
    """Another caller, who is past the menu."""
    leg = box.it.line.call_in("provider", "02188123456", OTHER)
    await asyncio.sleep(8.0)
    for key in keys:
        box.it.mouth.press(leg, key)
        await asyncio.sleep(1.0)
    return leg


def test_who_leaves_the_line_for_a_callback_keeps_the_place_of_having_joined_it(tmp_path: Path) -> None:
    box = Box(tmp_path)
    joined = 0.0

    async def scene() -> None:
        nonlocal joined
        leg = await call(box.it, "1")
        joined = box.it.office.clock.utc_ms() - 1000.0
        await asyncio.sleep(60.0)
        box.it.mouth.press(leg, "1")
        await asyncio.sleep(5.0)

    box.run(scene, 20.0)
    (owed,) = box.it.store.within(ledger.open_callbacks)
    assert abs(owed.place - joined) < 1000


@pytest.mark.parametrize(("disk_seconds", "told_after"), [(0.0, 0.0), (1.2, 1.2), (60.0, 2.0)])
def test_nobody_is_told_of_a_callback_before_it_is_on_the_disk_or_the_disk_has_taken_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk_seconds: float, told_after: float
) -> None:
    box = Box(tmp_path)
    flush = box.it.records.flush
    asked: list[float] = []

    async def slow() -> None:
        asked.append(box.it.clock.monotonic())
        await asyncio.sleep(disk_seconds)
        await flush()

    monkeypatch.setattr(box.it.records, "flush", slow)
    told: list[float] = []
    say = box.it.mouth.submit

    def heard(command: media.Command) -> None:
        if isinstance(command, media.Play) and "callback_kept" in str(command.pieces) and not told:
            told.append(box.it.clock.monotonic())
        say(command)

    monkeypatch.setattr(box.it.office.mouth, "submit", heard)
    box.run(box.asks, 20.0)
    assert told and abs(told[0] - asked[0] - told_after) < 0.01, (asked, told)


def test_a_callback_that_ends_frees_nobody_who_speaks_with_another(tmp_path: Path) -> None:
    box = Box(tmp_path, strategy="ring_all")
    box.agent_keys = [(4.0, "1")]
    box.it.line.outside = Behaviour(answers_after=2.0, talks_seconds=20.0)
    speaks: list[bool] = []

    async def scene() -> None:
        await box.asks()
        await box.asks()
        box.it.line.register("desk1", Behaviour(answers_after=9.0, talks_seconds=200.0))
        box.it.line.register("desk2", Behaviour(answers_after=1.0, talks_seconds=90.0))
        await asyncio.sleep(1.0)
        await somebody_else(box)
        for _ in range(150):
            await asyncio.sleep(1.0)
            if any(each.agent == "first" for each in box.it.switchboard.snapshot().calls):
                speaks.append("first" in box.it.office.floor.engaged())

    box.run(scene, 250.0)
    assert len(speaks) > 20 and all(speaks), speaks


def test_a_customer_who_is_asked_hears_that_the_line_lives(tmp_path: Path) -> None:
    box = Box(tmp_path, callback_first="customer", callback_attempts=1)
    box.it.line.outside = Behaviour(answers_after=5.0, talks_seconds=40.0)
    heard = plays(box.it)

    async def scene() -> None:
        agents(box)
        await box.asks()

    box.run(scene, 100.0)
    after = heard[heard.index(("callback_hello",)) :]
    assert after.count(("tone:listening",)) >= 4


def test_a_call_whose_record_is_being_closed_takes_no_line(tmp_path: Path) -> None:
    box = Box(tmp_path)
    trunk = dataclasses.replace(box.it.office.sip.trunks[0], max_calls=1)
    box.it.office.sip = dataclasses.replace(box.it.office.sip, trunks=(trunk,))

    async def scene() -> None:
        leg = await call(box.it)
        box.it.line.hang_up(leg)
        await asyncio.sleep(0.2)
        assert box.it.switchboard.sessions, "the record is closed already"
        box.it.line.hang_up(await somebody_else(box, ""))

    box.run(scene, 20.0)
    assert [each.outcome for each in box.it.all()] == ["abandoned", "abandoned"]


def test_nobody_is_shown_as_speaking_when_the_customer_has_gone(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        agents(box)
        leg = await call(box.it, "1")
        await asyncio.sleep(5.0)
        assert [each.agent for each in box.it.switchboard.snapshot().calls] == ["first"]
        box.it.line.hang_up(leg)
        await asyncio.sleep(0.2)
        assert [each.agent for each in box.it.switchboard.snapshot().calls] == [""]

    box.run(scene, 20.0)


def test_a_callback_that_no_agent_took_leaves_the_line_to_callers(tmp_path: Path) -> None:
    box = Box(tmp_path, agents=("first",), ring_seconds=5.0, misses=5)
    busy: list[int] = []

    async def scene() -> None:
        await box.asks()
        agents(box, Behaviour(answers_after=None))
        for _ in range(20):
            await asyncio.sleep(0.5)
            busy.append(box.it.office.outside.busy("provider"))

    box.run(scene, 20.0)
    assert 1 in busy and busy[busy.index(1) :].count(0) > 2


def test_a_callback_takes_no_line_while_media_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(tmp_path)
    box.it.line.outside = Behaviour(answers_after=2.0, talks_seconds=20.0)
    busy: list[int] = []

    async def scene() -> None:
        await box.asks()
        with monkeypatch.context() as down:
            down.setattr(box.it.office.mouth, "accepts", lambda: False)
            agents(box)
            for _ in range(20):
                await asyncio.sleep(0.5)
                busy.append(box.it.office.outside.busy("provider"))
        await asyncio.sleep(10.0)
        busy.append(box.it.office.outside.busy("provider"))

    box.run(scene, 60.0)
    assert busy == [0] * 20 + [1]


def test_an_attempt_for_a_request_that_is_done_is_ended_by_the_next_process(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.put(events.RequestOpened("", "r", 1, "1", "callback", CUSTOMER, "fa", "reception", 0, "", 0))
    box.put(events.CallbackDialled("c", "r", "l", "provider", CUSTOMER, 0))
    box.put(events.RequestMoved("r", "done", "box", "got_through"))

    async def scene() -> None:
        await restart.take_over(box.it.office, box.it.switchboard.callbacks, ())
        await box.it.records.flush()

    run(box.it.loop, scene())
    assert box.outcomes() == ["interrupted"]


def test_a_call_that_comes_during_a_start_is_not_taken_for_a_left_over(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        box.it.switchboard.shut()
        box.it.line.call_in("provider", "02188123456", OTHER)
        await asyncio.sleep(0.1)
        assert not box.it.switchboard.sessions
        await restart.resume(box.it.switchboard, ())
        await asyncio.sleep(0.1)
        assert len(box.it.switchboard.sessions) == 1

    box.run(scene, 90.0)
    assert [each.outcome for each in box.it.all()] != ["crashed"]


def test_an_attempt_that_was_not_counted_is_spaced_after_a_start_too(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.put(events.RequestOpened("", "r", 1, "1", "callback", CUSTOMER, "fa", "reception", 0, "", 0))
    box.put(events.CallbackDialled("c", "r", "l", "provider", CUSTOMER, 0))
    box.put(events.CallbackEnded("c", "r", "network", "", 0))
    box.it.records.flush_now()
    box.it.switchboard.callbacks.restore(box.it.store.within(ledger.open_callbacks))
    now = box.it.clock.utc_ms()
    assert box.it.office.book.ready(now + 89_000) == [] and box.it.office.book.ready(now + 90_000)
    box.it.loop.close()
