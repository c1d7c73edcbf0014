"""Waiting lines on the box's own ground, in virtual time: who is rung, what is heard, and what is mended."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from appliance.calls.settings import Queue
from appliance.flow import model
from appliance.media import port as media
from appliance.queue.estimate import LEAST_SERVED
from appliance.records import ledger
from appliance.records.reader import Conversation
from appliance.signalling.loopback import Behaviour
from tests.simulation.test_menus import call, office
from tests.simulation.test_whole_office import TheOffice
from tests.support.virtual_time import run


def box(folder: Path, **settings: Any) -> TheOffice:
    """The clinic, whose reception has two agents; its settings as given."""
    it = office(folder, "clinic")
    queue = dataclasses.replace(Queue(name="reception", agents=("first", "second")), **settings)
    it.office.arrange(dataclasses.replace(it.office.settings, queues=(queue,)))
    return it


def plays(it: TheOffice) -> list[tuple[str, ...]]:
    """Everything that media is asked to play from now on, by the names of the prompts."""
    heard: list[tuple[str, ...]] = []
    submit = it.mouth.submit

    def listened(command: media.Command) -> None:
        if isinstance(command, media.Play):
            heard.append(tuple(piece.path.rpartition("/")[2] for piece in command.pieces))
        submit(command)

    it.mouth.submit = listened  # type: ignore[method-assign]
    return heard


def after(it: TheOffice, scene: Callable[[], Coroutine[Any, Any, object]]) -> list[Conversation]:
    async def whole() -> None:
        await scene()
        await it.until_quiet()

    run(it.loop, whole())
    assert it.office.counters.get("faults", 0) == 0
    assert not it.office.floor.waiting() and not it.office.floor.engaged()
    assert it.line.legs == 0 and it.mouth.streams == 0
    return it.all()


def test_a_waiting_caller_hears_the_place_and_then_music_again(tmp_path: Path) -> None:
    it = box(tmp_path)
    heard = plays(it)

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=150.0))
        await asyncio.sleep(0.1)
        await call(it, "1")
        await call(it, "1")
        await asyncio.sleep(100.0)

    assert [each.outcome for each in after(it, scene)] == ["served", "served"]
    said = [each for each in heard if "queue_place" in each[0] or any("queue_place" in piece for piece in each)]
    assert len(said) >= 3, heard  # at two seconds, and every forty-five
    assert all(heard[heard.index(each) + 1] == ("music",) for each in said[:1])
    assert not any("queue_wait" in piece for each in heard for piece in each)  # too few were served lately


def test_the_range_of_the_wait_is_said_once_enough_were_served(tmp_path: Path) -> None:
    it = box(tmp_path)
    estimate = it.office.floor._estimates["reception"]
    for number in range(LEAST_SERVED):
        estimate.talked(180.0, 0.0)
        estimate.served(str(number), 0.0)
    heard = plays(it)

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=100.0))
        await asyncio.sleep(0.1)
        await call(it, "1")
        await call(it, "1")
        await asyncio.sleep(100.0)

    after(it, scene)
    assert any("queue_wait" in piece for each in heard for piece in each), heard


def test_all_ring_and_who_is_slower_hears_that_it_was_answered(tmp_path: Path) -> None:
    it = box(tmp_path, strategy="ring_all")

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=9.0, talks_seconds=30.0))
        it.line.register("desk2", Behaviour(answers_after=4.0, talks_seconds=30.0))
        await asyncio.sleep(0.1)
        await call(it, "1")

    (conversation,) = after(it, scene)
    assert conversation.agent == "second"
    assert {leg.party: leg.cause for leg in conversation.legs if leg.role == "agent"}["first"] == "answered_elsewhere"


def test_wrap_up_leaves_the_agent_in_peace(tmp_path: Path) -> None:
    it = box(tmp_path, agents=("first",), wrap_up_seconds=40.0)

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=20.0))
        await asyncio.sleep(0.1)
        await call(it, "1")
        await call(it, "1")
        await asyncio.sleep(60.0)

    _, second = after(it, scene)
    assert second.outcome == "served" and second.waiting_ms > 45_000


def test_an_agent_who_does_not_answer_is_passed_over(tmp_path: Path) -> None:
    it = box(tmp_path, ring_seconds=5.0, misses=1, pause_seconds=100.0)

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=None))
        it.line.register("desk2", Behaviour(answers_after=1.0, talks_seconds=10.0))
        await asyncio.sleep(0.1)
        await call(it, "1")
        await asyncio.sleep(20.0)
        await call(it, "1")

    first, second = after(it, scene)
    assert first.agent == second.agent == "second"
    assert [leg.party for leg in first.legs] == [first.customer, "first", "second"]
    assert [leg.party for leg in second.legs] == [second.customer, "second"]  # the first is left in peace


def test_later_agents_are_asked_when_a_caller_has_waited(tmp_path: Path) -> None:
    it = box(tmp_path, agents=("first",), later=("second",), later_seconds=15.0)

    async def scene() -> None:
        it.line.register("desk2", Behaviour(answers_after=1.0, talks_seconds=10.0))
        await asyncio.sleep(0.1)
        await call(it, "1")

    (conversation,) = after(it, scene)
    assert conversation.agent == "second" and 15_000 < conversation.waiting_ms < 18_000


def test_the_agent_whom_the_customer_knows_is_waited_for(tmp_path: Path) -> None:
    it = box(tmp_path, strategy="round_robin", prefer_seconds=30.0)

    async def scene() -> None:
        for desk in ("desk1", "desk2"):
            it.line.register(desk, Behaviour(answers_after=1.0, talks_seconds=10.0))
        await asyncio.sleep(0.1)
        for _ in range(3):
            await call(it, "1")
            await it.until_quiet()

    assert [each.agent for each in after(it, scene)] == ["first"] * 3


def test_a_line_without_anybody_lets_its_callers_go_another_way_at_once(tmp_path: Path) -> None:
    it = box(tmp_path)
    flow = it.office.flows["clinic"]
    line = flow.nodes["reception"]
    assert isinstance(line, model.Enqueue)
    absent = dataclasses.replace(line, on_absent="callback")
    flows = {**it.office.flows, "clinic": dataclasses.replace(flow, nodes={**flow.nodes, "reception": absent})}
    it.office.flows = flows

    async def scene() -> None:
        await call(it, "1")
        await asyncio.sleep(30.0)
        it.line.register("desk1", Behaviour(answers_after=None))
        await call(it, "1")
        await asyncio.sleep(20.0)
        it.line.unregister("desk1")

    first, second = sorted(after(it, scene), key=lambda each: each.opened)
    assert first.waiting_ms < 1_000 and 20_000 < second.waiting_ms < 30_000
    assert {each.what for each in it.store.within(ledger.requests)} == {"callback"}


def test_who_has_waited_a_while_is_offered_another_way(tmp_path: Path) -> None:
    it = box(tmp_path)
    heard = plays(it)

    async def scene() -> None:
        leg = await call(it, "1")
        await asyncio.sleep(30.0)
        assert not any("queue_offer" in each for each in heard)
        await asyncio.sleep(60.0)
        it.line.hang_up(leg)

    after(it, scene)
    assert any("queue_offer" in each for each in heard)


def test_a_full_line_sends_callers_on(tmp_path: Path) -> None:
    it = box(tmp_path, most_waiting=1)

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=60.0))
        await asyncio.sleep(0.1)
        legs = [await call(it, "1") for _ in range(3)]
        assert it.office.floor.waiting("reception") == 1
        it.line.hang_up(legs[2])

    assert after(it, scene)[2].node != "reception"


def test_an_agent_who_counts_as_busy_without_a_leg_is_mended(tmp_path: Path) -> None:
    it = box(tmp_path)

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=1.0))
        await asyncio.sleep(0.1)
        assert it.office.floor.engage("first", "a conversation that is gone", "a leg that is gone")
        await asyncio.sleep(4.5)
        assert not it.office.floor.engaged()

    after(it, scene)
    assert it.office.counters["presence_mended"] == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_wild_day_leaves_nobody_waiting_or_busy(tmp_path: Path, seed: int) -> None:
    """Agents who come, go and do not answer; callers who leave, in every phase: row 18 is asserted at the end."""
    chance = random.Random(seed)
    strategy = chance.choice(("in_order", "longest_idle", "round_robin", "ring_all"))
    rests: dict[str, Any] = {"after_misses": "pause", "pause_seconds": 20.0}
    it = box(tmp_path, strategy=strategy, wrap_up_seconds=5.0, ring_seconds=8.0, **rests)

    async def caller() -> None:
        leg = await call(it, "1", wait=chance.uniform(7.0, 9.0))
        await asyncio.sleep(chance.expovariate(1 / 60))
        it.line.hang_up(leg)

    async def scene() -> None:
        for desk in ("desk1", "desk2"):
            it.line.register(desk, Behaviour(answers_after=3.0, talks_seconds=30.0))
        callers = []
        for _ in range(60):
            await asyncio.sleep(chance.expovariate(1 / 15))
            callers.append(asyncio.create_task(caller()))
            desk = chance.choice(("desk1", "desk2"))
            it.line.phones[desk] = chance.choice(
                (Behaviour(3.0, 30.0), Behaviour(3.0, 30.0), Behaviour(None), Behaviour(code=486), Behaviour(0.5, 1.0))
            )
        await asyncio.gather(*callers)

    conversations = after(it, scene)
    assert len(conversations) == 60
    assert sum(each.outcome == "served" for each in conversations) > 10
    assert it.office.counters.get("presence_mended", 0) == 0
