"""The line for breaks."""

from __future__ import annotations

import random

from appliance.queue.breaks import Breaks, Limit

ONE_OF_THREE = Limit(frozenset({"a", "b", "c"}), 1)


def test_who_asks_first_goes_and_the_next_ones_wait_in_order() -> None:
    breaks = Breaks([ONE_OF_THREE])
    assert breaks.ask("a", set()) == 0
    assert (breaks.ask("b", {"a"}), breaks.ask("c", {"a"}), breaks.ask("b", {"a"})) == (1, 2, 1)
    free = {"a": True, "b": True, "c": True}
    assert breaks.turns({"a"}, free) == ()
    assert breaks.turns(set(), free) == ("b",)
    assert breaks.waiting == ("c",)


def test_whose_turn_comes_in_a_call_keeps_it_and_goes_when_free() -> None:
    breaks = Breaks([ONE_OF_THREE])
    breaks.ask("b", {"a"})
    breaks.ask("c", {"a"})
    assert breaks.turns(set(), {"a": True, "b": False, "c": True}) == ()
    assert breaks.turns(set(), {"a": True, "b": True, "c": True}) == ("b",)


def test_without_a_limit_everybody_goes_at_once() -> None:
    breaks = Breaks([])
    assert [breaks.ask(agent, {"a", "b"}) for agent in "cde"] == [0, 0, 0]


def test_an_agent_of_another_line_is_not_held_up() -> None:
    breaks = Breaks([ONE_OF_THREE, Limit(frozenset({"d"}), 1)])
    breaks.ask("b", {"a"})
    assert breaks.ask("d", {"a"}) == 0


def test_who_goes_home_or_is_away_otherwise_stands_in_the_line_no_more() -> None:
    breaks = Breaks([ONE_OF_THREE])
    breaks.ask("b", {"a"})
    breaks.ask("c", {"a"})
    breaks.withdraw("nobody")
    assert breaks.turns({"a"}, {"a": True, "c": True}) == () and breaks.waiting == ("c",)
    breaks.withdraw("c")
    assert not breaks.waiting


def test_never_more_are_away_by_turn_than_a_line_allows_and_nobody_waits_for_ever() -> None:
    for seed in range(200):
        chance = random.Random(seed)
        agents = [f"a{number}" for number in range(8)]
        limits = [Limit(frozenset(chance.sample(agents, 5)), chance.randint(1, 3)) for _ in range(chance.randint(0, 3))]
        breaks, away = Breaks(limits), set[str]()
        for _ in range(200):
            agent = chance.choice(agents)
            if agent in away:
                away.remove(agent)
            elif breaks.ask(agent, away) == 0:
                away.add(agent)
            away.update(breaks.turns(away, {each: chance.random() < 0.7 for each in agents}))
            assert all(len(away & limit.agents) <= limit.most for limit in limits), seed
        for _ in agents:
            away = set(breaks.turns(set(), dict.fromkeys(agents, True)))
        assert breaks.waiting == ()
