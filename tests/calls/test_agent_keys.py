"""What agents key in while they talk, and codes that desk phones dial: what each means, and what is passed on."""

from __future__ import annotations

import random

import pytest

from appliance.calls.agent_keys import (
    CONSULT,
    MOST_DIGITS,
    PASS_ON,
    PROMISE,
    STAR,
    WAIT_SECONDS,
    AgentKeys,
    ConsultKeys,
    Park,
    PassOn,
    PromiseAt,
    Reached,
    RecordedVoice,
    Said,
    Transfer,
    Turn,
    TurnPause,
)
from appliance.calls.features import PickUp, Presence, PromiseCall, TellSwitches, TurnSwitches, Unknown, is_code, meant


def pressed(keys: str) -> list[Said]:
    machine = AgentKeys()
    said = [each for number, key in enumerate(keys) for each in machine.press(key, float(number) / 10)]
    return said + machine.due(len(keys) + WAIT_SECONDS)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("5", [PassOn("5")]),
        ("#", [PassOn("#")]),
        ("*1", [Reached(True)]),
        ("*2", [Reached(False)]),
        ("*3", [RecordedVoice()]),
        ("*41630#", [PromiseAt("1630")]),
        ("*409151630#", [PromiseAt("09151630")]),
        ("**", [PassOn("*")]),
        ("*0", [PassOn("*0")]),
        ("*5", [TurnPause()]),
        ("*7201#", [Transfer("201", asks_first=False)]),
        ("*809121234567#", [Transfer("09121234567", asks_first=True)]),
        ("*9", [Park()]),
        ("*93", [Park(), PassOn("3")]),
        ("*7#", [Transfer("", asks_first=False)]),
        ("*72", []),
        ("*", [PassOn("*")]),
        ("*416", []),  # not ended: nothing is promised, and nothing of it is heard
        ("12*13", [PassOn("1"), PassOn("2"), Reached(True), PassOn("3")]),
    ],
)
def test_a_code_is_for_the_box_and_everything_else_for_the_other_side(keys: str, said: list[Said]) -> None:
    assert pressed(keys) == said


@pytest.mark.parametrize("code", [PROMISE, PASS_ON, CONSULT])
def test_what_has_no_end_is_forgotten_when_it_is_too_long(code: str) -> None:
    machine = AgentKeys()
    for key in STAR + code + "1" * (MOST_DIGITS[code] + 1):
        assert machine.press(key, 0.0) == []
    assert machine.deadline is None and machine.press("5", 0.0) == [PassOn("5")]


def test_every_key_is_either_passed_on_or_part_of_a_code() -> None:
    """Random keys: what is passed on is a part of what was pressed, in its order."""
    for seed in range(500):
        chance = random.Random(seed)
        keys = "".join(chance.choice("0123456789*#") for _ in range(12))
        passed = "".join(each.digits for each in pressed(keys) if isinstance(each, PassOn))
        rest = iter(keys)
        assert all(key in rest for key in passed), (keys, passed)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("*7", [Turn("give")]), ("*8", [Turn("swap")]), ("*0", [Turn("back")]), ("5", [PassOn("5")]),
        ("**", [PassOn("*")]), ("*1", [PassOn("*1")]), ("*", [PassOn("*")]),
        ("1*8#*0", [PassOn("1"), Turn("swap"), PassOn("#"), Turn("back")]),
    ],
)  # fmt: skip
def test_while_somebody_is_asked_a_star_and_a_key_turn_the_talk(keys: str, said: list[Turn | PassOn]) -> None:
    machine = ConsultKeys()
    found = [each for number, key in enumerate(keys) for each in machine.press(key, float(number) / 10)]
    assert found + machine.due(len(keys) + WAIT_SECONDS) == said and machine.deadline is None


@pytest.mark.parametrize(
    ("dialled", "feature"),
    [
        ("*28", TellSwitches()),
        ("*280", TurnSwitches((("night_off", ""), ("closed_until", "0"), ("open_until", "0")))),
        ("*281", TurnSwitches((("night_on", ""),))),
        ("*2822130", TurnSwitches((("night_off", ""), ("open_until", "2130")))),
        ("*2830915#", TurnSwitches((("closed_until", "0915"),))),
        ("*28199", Unknown()),
        ("*35*1630", PromiseCall("", "1630")),
        ("*3509121234567*09151630", PromiseCall("09121234567", "09151630")),
        ("*35", Unknown()),
        ("*8", PickUp("")),
        ("*8201#", PickUp("201")),
        ("*6", Presence(None)),
        ("*60", Presence(False)),
        ("*61#", Presence(True)),
        ("*62", Unknown()),
        ("*90", Unknown()),
    ],
)
def test_a_dialled_code_means_what_the_list_says(dialled: str, feature: object) -> None:
    assert is_code(dialled) and meant(dialled) == feature


def test_a_number_is_no_code() -> None:
    assert not is_code("02188123456") and not is_code("")
