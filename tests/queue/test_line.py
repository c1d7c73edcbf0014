"""Waiting lines: against the exact recursion, against a model that is a list of rules, and rule by rule."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import random

import pytest

from appliance.queue.line import Doing, Lines, Offer, Rules
from bench.wait import Caller, Day, Trace, callers, rules

LONG = bool(os.environ.get("PASOKH_LONG"))
RUNS = 10_000 if LONG else 600


def line(*agents: str, **others: object) -> Rules:
    return dataclasses.replace(Rules(name="sales", agents=dict.fromkeys(agents, 1)), **others)  # type: ignore[arg-type]


def lines_of(*agents: str, **others: object) -> Lines:
    it = Lines((line(*agents, **others),))
    for agent in agents:
        it.appear(agent, True, 0.0)
    return it


def thousand(agents: int, load: float, seed: int) -> list[Caller]:
    """A thousand callers of one long day."""
    chance = random.Random(seed)
    people: list[Caller] = []
    now = 0.0
    for caller in itertools.chain.from_iterable(callers(Trace("", agents, load, seed), days=40)):
        now += chance.expovariate(load * agents / 180)
        people.append(Caller(now, caller.talks))
    return people[:1000]


# The exact recursion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agents", [1, 3, 5])
def test_a_day_of_a_thousand_callers_equals_the_recursion(agents: int) -> None:
    """Kiefer and Wolfowitz, 1955: the next caller is served when the first of the agents is free."""
    people = thousand(agents, 0.95, agents)
    day = Day(Lines((rules(agents),)), agents)
    for number, caller in enumerate(people):
        day.at(caller.arrives, functools.partial(day.join, str(number), caller.talks))
    day.run()
    free = [0.0] * agents
    for number, caller in enumerate(people):
        begins = max(caller.arrives, min(free))
        free[free.index(min(free))] = begins + caller.talks
        assert abs(day.served[str(number)] - begins) < 1e-6, number
    assert len(day.served) == 1000


def test_who_dials_somebody_while_rung_or_in_a_call_is_not_rung_again_before_that_is_over() -> None:
    it = lines_of("sara")
    assert it.join("c1", "sales", 0.0) == [Offer("c1", ("sara",))]
    it.occupy("sara", "own")
    assert it.leave("c1", 1.0) == [] and it.join("c2", "sales", 2.0) == []
    assert it.engaged() == {"sara": "own"} and it.doing("sara") is Doing.TALKING and not it.is_free("sara", 2.0)
    assert it.vacate("sara", "own", 3.0) == [Offer("c2", ("sara",))]
    it.answered("c2", "sara", 4.0)
    it.occupy("sara", "second")
    it.join("c3", "sales", 5.0)
    assert it.ended("sara", 6.0) == [] and it.vacate("sara", "second", 7.0) == [Offer("c3", ("sara",))]


# Priority -------------------------------------------------------------------------------------------------------------


def served_with(people: list[Caller], agents: int, important: set[int]) -> list[float]:
    """How long each caller waited."""
    day = Day(Lines((rules(agents),)), agents)
    for number, caller in enumerate(people):
        day.at(caller.arrives, functools.partial(day.join, str(number), caller.talks, int(number in important)))
    day.run()
    return [day.served[str(number)] - caller.arrives for number, caller in enumerate(people)]


def test_priority_helps_and_starves_nobody() -> None:
    """Row 16: nobody waits more than twice as long as in order of arrival, but for fewer than one in a thousand."""
    beyond = 0
    gained: list[float] = []
    traces = 60 if LONG else 12
    for seed in range(traces):
        chance = random.Random(seed)
        agents = chance.choice((1, 2, 3, 5))
        people = thousand(agents, chance.choice((0.85, 0.95)), seed)
        important = {number for number in range(1000) if chance.random() < 0.2}
        by_arrival, by_priority = served_with(people, agents, set()), served_with(people, agents, important)
        beyond += sum(late > 2 * usual + 1e-6 for late, usual in zip(by_priority, by_arrival, strict=True))
        gained += [by_arrival[number] - by_priority[number] for number in important]
    each = sum(gained) / len(gained)
    print(f"callers beyond twice their wait: {beyond} of {traces * 1000}; gained: {each:.0f} s each")
    assert beyond < traces
    assert sum(gained) > 0


# Rule by rule ---------------------------------------------------------------------------------------------------------


def test_agents_are_asked_in_the_owner_s_order() -> None:
    it = lines_of("a", "b")
    assert it.join("x", "sales", 0.0) == [Offer("x", ("a",))]
    assert it.join("y", "sales", 0.0) == [Offer("y", ("b",))]
    assert it.join("z", "sales", 0.0) == [] and it.place("z", 0.0) == 3


def test_whoever_is_idle_longest_is_asked_first() -> None:
    it = lines_of("a", "b", strategy="longest_idle")
    for agent, ticket, ends in (("a", "x", 50.0), ("b", "y", 40.0)):
        it.join(ticket, "sales", 0.0)
        it.answered(ticket, agent, 1.0)
        it.ended(agent, ends)
    assert it.join("z", "sales", 60.0) == [Offer("z", ("b",))]


def test_round_robin_takes_turns() -> None:
    it = lines_of("a", "b", "c", strategy="round_robin")
    asked = []
    for number in range(6):
        (offer,) = it.join(str(number), "sales", float(number)) or []
        asked.append(offer.agents[0])
        it.answered(str(number), offer.agents[0], number + 0.1)
        it.ended(offer.agents[0], number + 0.2)
    assert asked == ["a", "b", "c", "a", "b", "c"]


def test_all_ring_and_the_others_are_free_again() -> None:
    it = lines_of("a", "b", "c", strategy="ring_all")
    assert it.join("x", "sales", 0.0) == [Offer("x", ("a", "b", "c"))]
    assert it.join("y", "sales", 1.0) == []
    assert it.answered("x", "b", 2.0) == [Offer("y", ("a", "c"))]


def test_a_caller_who_leaves_frees_the_agent_for_the_next() -> None:
    it = lines_of("a")
    it.join("x", "sales", 0.0)
    it.join("y", "sales", 1.0)
    assert it.leave("x", 2.0) == [Offer("y", ("a",))]


def test_wrap_up_holds_across_lines() -> None:
    it = Lines((line("a", wrap_up_seconds=30.0), dataclasses.replace(line("a"), name="support")))
    it.appear("a", True, 0.0)
    it.join("x", "sales", 0.0)
    it.answered("x", "a", 1.0)
    it.ended("a", 10.0)
    assert it.doing("a") is Doing.WRAP_UP
    assert it.join("y", "support", 11.0) == [] and it.deadline == 40.0
    assert it.due(40.0) == [Offer("y", ("a",))]


def test_wrap_up_is_made_longer_or_ended_by_who_is_in_it() -> None:
    it = lines_of("a", wrap_up_seconds=30.0)
    it.extend("a", 0.0)  # in none
    it.join("x", "sales", 0.0)
    it.answered("x", "a", 1.0)
    it.ended("a", 10.0)
    it.extend("a", 20.0)
    assert it.join("y", "sales", 45.0) == [] and it.deadline == 70.0
    assert it.wrapped("a", 50.0) == [Offer("y", ("a",))]


def test_an_agent_who_misses_twice_is_left_in_peace() -> None:
    it = lines_of("a", misses=2, pause_seconds=60.0)
    it.join("x", "sales", 0.0)
    assert it.missed("x", "a", 20.0) == [] and it.deadline == 25.0
    assert it.due(25.0) == [Offer("x", ("a",))]
    it.missed("x", "a", 45.0)
    assert it.due(60.0) == [] and it.deadline == 105.0
    assert it.due(105.0) == [Offer("x", ("a",))]


def test_a_telephone_s_fault_is_not_the_agent_s() -> None:
    it = lines_of("a", misses=1)
    it.join("x", "sales", 0.0)
    it.missed("x", "a", 20.0, is_fault=True)
    assert it.due(25.0) == [Offer("x", ("a",))]


def test_the_second_level_is_asked_later() -> None:
    it = Lines((dataclasses.replace(line(), agents={"a": 1, "b": 2}, level_seconds=15.0),))
    it.appear("b", True, 0.0)
    assert it.join("x", "sales", 0.0) == [] and it.deadline == 15.0
    assert it.due(15.0) == [Offer("x", ("b",))]


def test_the_agent_whom_the_caller_knows_is_waited_for() -> None:
    it = lines_of("a", "b", prefer_seconds=20.0)
    it.engage("b", "somebody", 0.0)
    assert it.join("x", "sales", 0.0, prefers="b") == []
    assert it.join("y", "sales", 1.0) == [Offer("y", ("a",))]
    assert it.ended("b", 5.0) == [Offer("x", ("b",))]


def test_a_full_line_takes_nobody_but_those_who_have_a_place() -> None:
    it = Lines((line("a", most_waiting=1),))
    assert it.join("x", "sales", 0.0) == []
    assert it.join("y", "sales", 1.0) is None
    assert it.join("z", "sales", 2.0, arrived=-60.0) == [] and it.order("sales", 2.0) == ("z", "x")


def test_an_agent_who_is_rung_otherwise_is_not_offered() -> None:
    it = lines_of("a")
    assert it.engage("a", "call", 0.0) and not it.engage("a", "other", 0.0)
    assert it.join("x", "sales", 1.0) == []
    assert it.ended("a", 2.0) == [Offer("x", ("a",))]


# Everything at once ---------------------------------------------------------------------------------------------------


class Model:
    """What must be true after every step, from a plain list of what was done: not the code under test."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.rings: dict[str, str] = {}  # agent: caller
        self.talks: dict[str, str] = {}
        self.present: set[str] = set()
        self.ended: set[str] = set()

    def offered(self, offers: list[Offer]) -> None:
        for offer in offers:
            assert offer.ticket in self.waiting, "offered for somebody who does not wait"
            assert offer.ticket not in self.rings.values(), "two offers for one caller"
            for agent in offer.agents:
                assert agent in self.present and agent not in self.rings and agent not in self.talks
                self.rings[agent] = offer.ticket

    def forget(self, ticket: str) -> None:
        self.waiting.remove(ticket)
        self.rings = {agent: other for agent, other in self.rings.items() if other != ticket}
        self.ended.add(ticket)


def test_nobody_is_lost_doubled_or_stuck_whatever_happens() -> None:
    steps = 0
    for seed in range(RUNS):
        steps += _wild(random.Random(seed))
    print(f"random runs: {RUNS}, steps: {steps}")
    assert steps > 20 * RUNS


def _wild(chance: random.Random) -> int:
    agents = ["a", "b", "c", "d"][: chance.randint(1, 4)]
    one = line(*agents, strategy=chance.choice(("in_order", "longest_idle", "round_robin", "ring_all")))
    one = dataclasses.replace(one, wrap_up_seconds=chance.choice((0.0, 20.0)), misses=chance.choice((1, 2, 3)))
    two = dataclasses.replace(line(*agents[:2]), name="support")
    it, model = Lines((one, two)), Model()
    now, count, steps = 0.0, 0, chance.randint(30, 60)
    for _ in range(steps):
        now += chance.choice((0.0, 1.0, 10.0, 40.0))
        if it.deadline is not None and it.deadline <= now:
            model.offered(it.due(now))
        what = chance.randrange(6)
        if what == 0:
            count += 1
            model.waiting.append(f"{count}")
            model.offered(
                it.join(f"{count}", chance.choice(("sales", "support")), now, priority=chance.randrange(2)) or []
            )
        elif what == 1 and model.waiting:
            ticket = chance.choice(model.waiting)
            model.forget(ticket)
            model.offered(it.leave(ticket, now))
        elif what == 2 and model.rings:
            agent, ticket = chance.choice(sorted(model.rings.items()))
            model.forget(ticket)
            model.talks[agent] = ticket
            model.offered(it.answered(ticket, agent, now))
        elif what == 3 and model.rings:
            agent, ticket = chance.choice(sorted(model.rings.items()))
            del model.rings[agent]
            model.offered(it.missed(ticket, agent, now, is_fault=chance.random() < 0.2))
        elif what == 4 and model.talks:
            agent = chance.choice(sorted(model.talks))
            del model.talks[agent]
            model.offered(it.ended(agent, now))
        elif what == 5:
            agent = chance.choice(agents)
            is_there = agent not in model.present
            model.present ^= {agent}
            model.offered(it.appear(agent, is_there, now))
        assert it.waiting() == len(model.waiting)
        assert dict(it.engaged()) == model.rings | model.talks  # presence: nobody busy without a call
    for agent in agents:
        model.present.add(agent)
        model.offered(it.appear(agent, True, now))
    while model.waiting:  # agents who answer: everybody is served in the end
        for agent in sorted(model.talks):
            del model.talks[agent]
            model.offered(it.ended(agent, now))
        if model.rings:
            agent, ticket = min(model.rings.items())
            model.forget(ticket)
            model.talks[agent] = ticket
            model.offered(it.answered(ticket, agent, now))
        elif model.waiting and not model.talks:
            assert it.deadline is not None, "somebody waits, and nothing will happen"
            assert it.deadline > now or it.due(now) == []
            now = max(now + 0.001, it.deadline)
            model.offered(it.due(now))
    return steps
