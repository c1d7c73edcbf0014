"""docs/TELEPHONE.md says what the keys do: every code of the code stands there, and every code there is one."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.calls import agent_keys, features, supervision
from appliance.calls.agent_keys import AgentKeys, PassOn, Turn

PAGE = Path("docs/TELEPHONE.md").read_text(encoding="utf-8")
TALKING, DIALLED = PAGE.split("## From a desk phone")
TALKING, ASKING = TALKING.split("## Passing a customer on")
ASKING, LISTENING = ASKING.split("## Listening to a colleague")


def test_codes_while_talking_are_the_ones_of_the_list() -> None:
    listed = set(re.findall(r"^\| `\*([0-9*])`? ?", TALKING, re.MULTILINE))
    assert listed == {
        agent_keys.REACHED, agent_keys.NOT_REACHED, agent_keys.RECORDED, agent_keys.PROMISE,
        agent_keys.PAUSE, agent_keys.PASS_ON, agent_keys.CONSULT, agent_keys.PARK, "*",
    }  # fmt: skip
    for digit in "06#":
        machine = AgentKeys()
        machine.press("*", 0.0)
        assert machine.press(digit, 0.1) == [PassOn("*" + digit)]


def test_codes_while_somebody_is_asked_are_the_ones_of_the_list() -> None:
    listed = dict(re.findall(r"^\| `\*([0-9])`, (\w+)", ASKING, re.MULTILINE))
    assert listed == {agent_keys.PASS_ON: "give", agent_keys.CONSULT: "swap", agent_keys.BACK: "back"}
    for digit in "0123456789":
        machine = agent_keys.ConsultKeys()
        machine.press("*", 0.0)
        (meant,) = machine.press(digit, 0.1)
        assert meant == (Turn(listed[digit]) if digit in listed else PassOn("*" + digit))


def test_keys_of_who_listens_are_the_ones_of_the_list() -> None:
    listed = re.findall(r"^\| `\*([0-9])`: (\w+)", LISTENING, re.MULTILINE)
    assert dict(listed) == dict(supervision.MODES)


def test_dialled_codes_are_the_ones_of_the_list() -> None:
    examples = re.findall(r"`(\*\d[\d*]*)`", DIALLED)
    assert len(examples) > 6
    for example in examples:
        known = features.meant(
            example if not example.startswith("*35") or example.count("*") > 1 else example + "*1630"
        )
        assert not isinstance(known, features.Unknown), example
    assert all(f"`{code}" in DIALLED for code in features.CODES)
