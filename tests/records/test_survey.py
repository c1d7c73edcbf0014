"""What callers answered, as figures with their intervals."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.clock import VirtualClock
from appliance.records.events import RecordClosed, SurveyAnswered
from appliance.records.reader import Reader
from appliance.records.store import Store
from appliance.records.survey import figures, wilson
from tests.records.given import KEY, opened


@pytest.mark.parametrize(
    ("yes", "all_", "least", "most"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (29, 29, 0.8830, 1.0)],
)  # Newcombe (1998), table I: the score method without continuity correction
def test_wilsons_interval_agrees_with_the_published_one(yes: int, all_: int, least: float, most: float) -> None:
    found = wilson(yes, all_)
    assert found[0] == pytest.approx(least, abs=1e-4) and found[1] == pytest.approx(most, abs=1e-4)


def test_figures_count_those_who_answered_and_say_nothing_where_nobody_did() -> None:
    found = figures({"csat": {5: 6, 4: 2, 3: 1, 1: 1}, "nps": {10: 5, 9: 1, 8: 2, 6: 1, 0: 1}})
    assert (found["csat"].answers, found["csat"].value) == (10, 80.0)
    assert (found["nps"].answers, found["nps"].value) == (10, 40.0)
    assert found["nps"].least is not None and found["nps"].most is not None
    assert found["nps"].least < 40 < found["nps"].most <= 100
    assert found["resolved"].answers == 0 and found["resolved"].value is None


def test_a_later_answer_replaces_the_one_before_and_revises_the_record(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply(
        [
            opened("c1"),
            RecordClosed("c1"),
            SurveyAnswered("c1", "csat", 2, "ask", 1),
            SurveyAnswered("c1", "csat", 5, "ask", 2),
        ]
    )
    store.close_hard()
    with Reader(tmp_path / "calls.db", KEY) as reader:
        assert reader.survey() == {"csat": {5: 1}}
        conversation = reader.conversation("c1")
        assert conversation is not None and conversation.revision == 3
