"""Promises and missed callers in virtual time: dialled at their moment, kept or broken by the calls themselves."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from appliance.calls.orders import Orders
from appliance.control import wire
from appliance.messages.calendar import jalali_moment, moment_of
from appliance.records import ledger, owed
from appliance.records.owed import Keeping
from appliance.signalling.loopback import Behaviour
from tests.simulation.test_callbacks import CUSTOMER, Box, agents
from tests.simulation.test_lines import plays
from tests.simulation.test_menus import call

MINUTE_MS = 60_000


def clock_in(box: Box, minutes: int) -> str:
    """The moment so many minutes from now, as a person writes it."""
    return jalali_moment(box.it.clock.utc_ms() + minutes * MINUTE_MS)[:-3]


async def promise(box: Box, minutes: int, agent: str = "") -> None:
    orders = Orders(box.it.office, box.it.switchboard.sessions, lambda: None)
    await orders.carry_out(wire.MakePromise("", "09121234567", clock_in(box, minutes), "prices", "", agent), "owner")
    await box.it.records.flush()


def judged(box: Box) -> list[owed.Promise]:
    box.it.records.flush_now()
    now = box.it.clock.utc_ms()
    return box.it.store.within(lambda db: owed.promises(db, 0, now + 10**10, now))


def happened(box: Box, kind: str) -> list[int]:
    with box.it.store.transaction() as db:
        return [int(row[0]) for row in db.execute("SELECT at FROM event WHERE kind = ? ORDER BY n", (kind,)).fetchall()]


def test_a_promise_is_dialled_at_its_moment_by_who_made_it_and_is_kept(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.agent_keys = [(6.0, "1"), (40.0, "*"), (40.5, "1")]
    box.it.line.outside = Behaviour(answers_after=5.0)

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0, talks_seconds=80.0))
        box.it.line.register("desk2", Behaviour(answers_after=1.0, talks_seconds=80.0))
        await promise(box, 30, agent="second")

    began = box.it.clock.utc_ms()
    box.run(scene, 2400.0)
    ((at, _),) = box.dialled
    (found,) = judged(box)
    assert found.due - 1000 <= began + at * 1000 <= found.due + 60_000
    assert found.keeping is Keeping.KEPT and found.state == "done" and abs(found.spoke - found.due) < 60_000
    assert box.it.all()[-1].agent == "second"
    (reminded,) = happened(box, "request.reminded")
    assert found.due - 11 * MINUTE_MS < reminded <= found.due - 9 * MINUTE_MS
    assert owed.on_time(judged(box)) == (1, 1)


def test_a_promise_is_kept_by_somebody_else_where_its_maker_is_not_there(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.agent_keys = [(6.0, "1"), (40.0, "*"), (40.5, "1")]
    box.it.line.outside = Behaviour(answers_after=5.0)

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0, talks_seconds=80.0))
        await promise(box, 30, agent="second")  # who never comes

    box.run(scene, 2400.0)
    (found,) = judged(box)
    assert found.keeping is Keeping.KEPT and box.it.all()[-1].agent == "first"


@pytest.mark.parametrize("outside", [Behaviour(code=486), Behaviour(answers_after=None)])
def test_a_promise_that_nobody_answered_is_broken_by_the_calls_whatever_is_ticked(
    tmp_path: Path, outside: Behaviour
) -> None:
    box = Box(tmp_path, callback_attempts=1)
    box.it.line.outside = outside

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0, talks_seconds=80.0))
        await promise(box, 20)

    box.run(scene, 4800.0)
    (found,) = judged(box)
    assert found.keeping is Keeping.BROKEN and found.state == "expired"
    assert owed.on_time(judged(box)) == (0, 1)


def test_a_customer_who_rings_near_the_moment_keeps_the_promise_and_one_who_rings_before_does_not(
    tmp_path: Path,
) -> None:
    box = Box(tmp_path)
    box.agent_keys = []
    box.it.line.outside = Behaviour(code=486)

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0, talks_seconds=30.0))
        await promise(box, 60)
        await call(box.it, "1")
        await asyncio.sleep(120.0)
        assert [each.keeping for each in judged(box)] == [Keeping.DUE]
        assert box.request().state == "open"  # "at five" stands
        await asyncio.sleep(50 * 60.0)
        await call(box.it, "1")
        await asyncio.sleep(120.0)
        assert [each.keeping for each in judged(box)] == [Keeping.KEPT]

    box.run(scene, 1200.0)
    assert box.request().state == "done" and box.dialled == []


def test_who_was_missed_stands_in_the_list_until_they_get_through(tmp_path: Path) -> None:
    box = Box(tmp_path)

    def waiting() -> list[tuple[str, int]]:
        return [(each.customer, each.missed) for each in box.it.store.within(owed.persons)]

    async def scene() -> None:
        for _ in range(3):
            leg = await call(box.it, "1")
            await asyncio.sleep(20.0)
            box.it.line.hang_up(leg)
            await asyncio.sleep(5.0)
            await box.it.records.flush()
        assert waiting() == [(CUSTOMER, 3)]
        agents(box, Behaviour(answers_after=1.0, talks_seconds=20.0))
        await call(box.it, "1")
        await asyncio.sleep(60.0)
        await box.it.records.flush()
        assert waiting() == []

    box.run(scene, 30.0)
    assert [each.state for each in box.requests()] == ["done"] and box.dialled == []


def test_who_was_missed_is_called_back_where_the_line_wants_that(tmp_path: Path) -> None:
    box = Box(tmp_path, missed="callback")
    box.agent_keys = [(6.0, "1"), (30.0, "*"), (30.5, "1")]
    box.it.line.outside = Behaviour(answers_after=5.0)

    async def scene() -> None:
        leg = await call(box.it, "1")
        await asyncio.sleep(20.0)
        box.it.line.hang_up(leg)
        agents(box)

    box.run(scene, 300.0)
    assert len(box.dialled) == 1 and [(each.what, each.state) for each in box.requests()] == [("missed", "done")]


def test_a_number_that_was_tried_in_vain_is_left_in_peace_by_what_nobody_asked_for(tmp_path: Path) -> None:
    box = Box(tmp_path, missed="callback", callback_attempts=1, callback_spacing_minutes=1.0)
    box.it.line.outside = Behaviour(code=486)

    async def misses() -> None:
        box.it.line.unregister("desk1")
        leg = await call(box.it, "1")
        await asyncio.sleep(20.0)
        box.it.line.hang_up(leg)
        await asyncio.sleep(1.0)
        agents(box)
        await asyncio.sleep(120.0)

    async def scene() -> None:
        await misses()
        assert len(box.dialled) == 1
        await misses()
        assert len(box.dialled) == 1  # in quarantine
        await box.asks()  # their own wish
        await asyncio.sleep(120.0)

    box.run(scene, 60.0)
    assert len(box.dialled) == 2


def test_an_agent_promises_a_call_by_keys_and_hears_it_read_back(tmp_path: Path) -> None:
    box = Box(tmp_path)
    said: list[tuple[str, ...]] = []

    async def scene() -> None:
        box.it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=90.0))
        await call(box.it, "1")
        await asyncio.sleep(15.0)
        session = next(iter(box.it.switchboard.sessions.values()))
        say_to = session.say_to

        def also(party: object, prompts: tuple[str, ...], language: str) -> int:
            said.append(prompts)
            return say_to(party, prompts, language)  # type: ignore[arg-type] # a Party

        session.say_to = also  # type: ignore[method-assign] # what the agent hears
        leg = next(party.leg for party in session.parties.values() if party.role == "agent")
        for key in "*42355#":
            box.it.mouth.press(leg, key)
            await asyncio.sleep(0.3)
        await asyncio.sleep(40.0)

    box.run(scene, 100.0)
    (request,) = [each for each in box.requests() if each.what == "promise"]
    assert request.customer == CUSTOMER and request.agent == "first" and request.state in ("open", "done")
    assert request.due % 86_400_000 == ((moment_of("1405/01/01 23:55") or 0) % 86_400_000)
    assert said and said[0][0] == "promise_made"


@pytest.mark.parametrize(
    ("dialled", "heard", "night"),
    [("*281", "switch_night_on", True), ("*280", "switch_by_hours", False), ("*2830101", "switch_closed_until", False),
     ("*2831399", "feature_no_sense", False), ("*77", "feature_unknown", False), ("*28", "switch_by_hours", False)],
)  # fmt: skip
def test_a_desk_phone_turns_the_night_switch_by_a_code_and_hears_what_is_so(
    tmp_path: Path, dialled: str, heard: str, night: bool
) -> None:
    box = Box(tmp_path)
    said = plays(box.it)

    async def scene() -> None:
        agents(box)
        box.it.line.call_from("desk1", dialled)

    box.run(scene, 60.0)
    assert any(heard in played for played in said) and box.it.office.desk.switches.hours.night is night
    (record,) = box.it.all()
    assert record.direction == "internal" and record.outcome == "finished"


def test_a_desk_phone_promises_a_call_to_whom_its_agent_spoke_with_last(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0, talks_seconds=10.0))
        await call(box.it, "1")
        await asyncio.sleep(40.0)
        box.it.line.call_from("desk1", "*35*2355")
        await asyncio.sleep(30.0)
        box.it.line.call_from("desk1", "*3509351112233*2355")
        await asyncio.sleep(30.0)
        box.it.line.call_from("desk1", "*35110*2355")

    box.run(scene, 60.0)
    found = sorted((each.customer, each.agent) for each in box.requests() if each.what == "promise")
    assert found == [(CUSTOMER, "first"), ("+989351112233", "first")]


def test_a_promise_survives_a_start_with_its_agent_and_its_reminder(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        await promise(box, 300, agent="second")

    box.run(scene, 10.0)
    (kept,) = box.it.store.within(ledger.open_callbacks)
    assert (kept.what, kept.agent, kept.reminded) == ("promise", "second", 0) and kept.customer == CUSTOMER
    (tmp_path / "again").mkdir()
    again = Box(tmp_path / "again")
    again.it.switchboard.callbacks.restore([dataclasses.replace(kept, queue="reception")])
    (wanted,) = again.it.office.book.of_customer(CUSTOMER)
    assert wanted.what == "promise" and wanted.agent == "second" and wanted.not_before == kept.due
    again.it.loop.close()
