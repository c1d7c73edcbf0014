"""What the owner is written to about, and what only the page says."""

from __future__ import annotations

from appliance import messages
from appliance.calls.faults import ADVICE, faults
from appliance.control.wire import Finding, Snapshot, Trunk
from appliance.errors import Problem

QUIET = Snapshot("box", "1", "en", 1)


def test_a_set_of_keys_that_was_slipped_in_is_told_and_advice_about_keys_is_not() -> None:
    swapped = Finding("ceremony.swapped", {"version": 3})
    assert [problem.key for problem in faults(QUIET, {"recipients": swapped}).values()] == ["ceremony.swapped"]
    assert faults(QUIET, {place: Finding(place) for place in ADVICE}) == {}


def test_trunks_that_are_down_and_lost_voices_are_told() -> None:
    down = Snapshot(
        "box", "1", "en", 1, media="lost", trunks=(Trunk("isp", "refused", 403), Trunk("sim", "registered"))
    )
    found = faults(down, {})
    assert {place: problem.key for place, problem in found.items()} == {
        "trunk isp": "notify.trunk_down",
        "media": "notify.media_lost",
    }
    assert found["trunk isp"].fields == {"trunk": "isp", "code": 403}


def test_advice_is_what_the_box_can_find() -> None:
    assert all(all(messages.problem_lines(Problem(key, version=1, days=1, count=1), "en")) for key in ADVICE)
