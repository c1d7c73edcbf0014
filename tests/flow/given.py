"""Flows for these tests: one that is right, and the means to make it wrong in one place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from appliance.errors import Problem
from appliance.flow.check import check
from appliance.flow.load import load
from appliance.flow.model import Flow

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
kind = "hangup"
prompt = "nobody_there"
outcome = "nobody"

[node.bye]
kind = "hangup"
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
    return check(flow, lambda language, prompt: (language, prompt) not in missing, agents)
