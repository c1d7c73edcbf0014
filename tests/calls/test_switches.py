"""What the owner turns: what each action means, what makes no sense, and what is true again after a start."""

from __future__ import annotations

import pytest

from appliance.calls.switches import OUTAGE_HOURS, OUTAGE_PROMPT, BoxSwitches, Turn, restored, taken_back, turn_of
from appliance.messages.calendar import moment_of

NOW_MS = moment_of("1405/09/02 12:00") or 0
HOUR_MS = 3_600_000


def turned(*actions: tuple[str, str]) -> BoxSwitches:
    switches = BoxSwitches()
    for action, value in actions:
        turn = turn_of(action, value, NOW_MS, switches)
        assert turn is not None, (action, value)
        switches = switches.turned(turn)
    return switches


def test_closed_until_is_the_next_day_of_that_name() -> None:
    assert turned(("closed_until", "0915")).hours.closed_until_ms == moment_of("1405/09/15 0:00")
    assert turned(("closed_until", "0101")).hours.closed_until_ms == moment_of("1406/01/01 0:00")
    assert turned(("closed_until", "0902")).hours.closed_until_ms == moment_of("1406/09/02 0:00"), "today has begun"
    assert turned(("closed_until", "0915"), ("closed_until", "0")).hours.closed_until_ms == 0


def test_open_until_is_the_next_such_time_and_takes_closed_until_back() -> None:
    switches = turned(("closed_until", "0915"), ("open_until", "2130"))
    assert switches.hours.open_until_ms == NOW_MS + 9.5 * HOUR_MS and switches.hours.closed_until_ms == 0
    assert turned(("open_until", "0900")).hours.open_until_ms == NOW_MS + 21 * HOUR_MS


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("closed_until", "1331"), ("closed_until", "12"), ("closed_until", "abcd"), ("open_until", "2460"),
        ("closed_until", "²²²²"), ("open_until", "²²²²"),
        ("open_until", ""), ("divert_on", ""), ("divert_on", "call me"), ("sign_off", ""), ("self_destruct", "1"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_turns_nothing(action: str, value: str) -> None:
    assert turn_of(action, value, NOW_MS, BoxSwitches()) is None


def test_an_outage_notice_goes_by_itself() -> None:
    switches = turned(("outage_on", ""))
    assert switches.outage(NOW_MS) == OUTAGE_PROMPT
    assert switches.outage(NOW_MS + OUTAGE_HOURS * HOUR_MS) == ""
    assert turned(("outage_on", ""), ("outage_off", "")).outage(NOW_MS) == ""


def test_agents_are_signed_off_and_on_by_name() -> None:
    assert turned(("sign_off", "12"), ("sign_off", "14"), ("sign_on", "12")).absent == {"14": ""}


def test_the_box_knows_after_a_start_what_it_knew_before() -> None:
    switches, rows = BoxSwitches(), dict[str, str]()
    for action, value in (
        ("night_on", ""), ("divert_on", "0912"), ("sign_off", "12"), ("open_until", "2130"), ("closed_until", "0915"),
    ):  # fmt: skip
        turn = turn_of(action, value, NOW_MS, switches)
        assert turn is not None
        before, switches = switches, switches.turned(turn)
        rows |= dict.fromkeys(taken_back(before, switches), "0") | {turn.switch: turn.value}
    assert rows["open_until"] == "0"
    assert restored(rows) == switches and switches.hours.night and switches.divert == "0912"
    assert BoxSwitches().turned(Turn("unheard_of", "1")) == BoxSwitches()
