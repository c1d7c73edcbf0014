"""Flows for these tests: one that is right, and the means to make it wrong in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from appliance.errors import Problem
from appliance.flow import steps
from appliance.flow.check import Surroundings, check
from appliance.flow.load import load
from appliance.flow.model import FACTS, Flow
from appliance.flow.run import TICK_PLAY, Walk
from appliance.flow.steps import Value
from appliance.hours.answer import Answer, State

OFFICE = """\
[flow]
name = "office"
start = "greeting"
languages = ["fa", "en"]

[node.greeting]
kind = "notice"
prompt = ["hello", "recorded"]
next = "main"

[node.main]
kind = "menu"
prompt = "choices"
timeout_seconds = 5
attempts = 3
wrong_prompt = "wrong"
timeout_prompt = "nothing"
on_failure = "bye"

[node.main.keys]
1 = "sales"
2 = "hours"
9 = "english"

[node.english]
kind = "goto"
language = "en"
next = "main"

[node.hours]
kind = "say"
prompt = "open_from"
next = "main"

[node.sales]
kind = "call"
agents = ["sara", "reza"]
ring_seconds = 20
on_nobody = "sorry"

[node.sorry]
kind = "goodbye"
prompt = "nobody_there"
outcome = "nobody"

[node.bye]
kind = "goodbye"
prompt = "goodbye"
outcome = "no_choice"
"""


def office(old: str = "", new: str = "") -> Flow:
    """The office's flow, with ``old`` replaced once by ``new``."""
    return load(changed(old, new), "office.toml")


def changed(old: str, new: str) -> str:
    assert old in OFFICE, old
    return OFFICE.replace(old, new, 1)


def line_of(text: str, start: str) -> int:
    """The number of the first line of ``text`` that begins with ``start``, from 1."""
    return next(number for number, line in enumerate(text.split("\n"), 1) if line.startswith(start))


def refusal(text: str) -> Problem:
    """The Problem with which ``text`` is refused as a flow."""
    with pytest.raises(Problem) as caught:
        load(text, "office.toml")
    return caught.value


def findings(flow: Flow, missing: Sequence[tuple[str, str]] = (), agents: Sequence[str] | None = None) -> list[Problem]:
    """What is found where every prompt has a sound but those ``missing`` (pairs of language and name)."""
    return check(flow, around(missing, agents=agents))


def around(missing: Sequence[tuple[str, str]] = (), **known: Sequence[str] | None) -> Surroundings:
    """Surroundings in which every prompt is a sound of two seconds, but those ``missing``."""
    return Surroundings(
        length_of=lambda language, prompt: 0.0 if (language, prompt) in missing else 2.0,
        agents=known.get("agents"),
        queues=known.get("queues"),
        calendars=known.get("calendars"),
        lookups=known.get("lookups"),
        may_dial=lambda number: not number.startswith("0909"),
    )


@dataclass
class Around:
    """steps.World for a walk in a test: what is true is written into it."""

    openings: dict[str, Answer] = field(default_factory=dict)
    facts: Mapping[str, Value] = field(default_factory=dict)
    notice: str = ""
    now_ms: int = 1_700_000_000_000

    def opening(self, calendar: str) -> Answer:
        return self.openings.get(calendar, Answer(State.OPEN, True, "", None, self.now_ms))

    def utc_ms(self) -> int:
        return self.now_ms

    def outage(self) -> str:
        return self.notice

    def fact(self, name: str) -> Value:
        usual: Value = {"number": 0, "yes_no": False, "moment": self.now_ms}.get(FACTS[name], "")
        return self.facts.get(name, usual)


def passes(walk: Walk, until: float) -> list[steps.Command]:
    """What the walk asks at ``until`` where nothing happens before; sounds of life left out."""
    while walk.deadline is not None and walk.deadline < until:
        commands = walk.due(walk.deadline)
        assert commands == [steps.Say(TICK_PLAY, (steps.LISTENING,), walk.language)], commands
    return walk.due(until)


def walk(flow: Flow, language: str = "fa", world: Around | None = None) -> Walk:
    return Walk(flow, language, world or Around())
