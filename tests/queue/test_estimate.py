"""The estimate of the wait: rows 13 and 14 on four traces, and what it does not say."""

from __future__ import annotations

import pytest

from appliance.queue.estimate import LEAST_SERVED, Estimate
from bench.wait import TRACES, Trace, measure


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.name)
def test_the_range_holds_and_beats_the_moving_average(trace: Trace) -> None:
    figures = measure(trace, days=12).figures()
    assert figures["callers"] > 1000
    assert figures["ratio"] <= 0.75, figures
    assert 0.75 <= figures["upper_bound_held"] <= 0.85, figures
    assert figures["rises"] == 0


def taught(served: int, now: float = 0.0) -> Estimate:
    estimate = Estimate()
    for number in range(served):
        estimate.talked(180.0, now)
        estimate.served(f"before {number}", now)
    return estimate


def test_no_minutes_are_said_until_thirty_were_served() -> None:
    assert taught(LEAST_SERVED - 1).say("x", 3, 2, 10.0) is None
    assert taught(LEAST_SERVED).say("x", 3, 2, 10.0) is not None


def test_what_was_two_hours_ago_does_not_count() -> None:
    assert taught(LEAST_SERVED).say("x", 3, 2, 7_300.0) is None


def test_nothing_is_said_where_nobody_serves() -> None:
    assert taught(LEAST_SERVED).say("x", 3, 0, 10.0) is None


def test_the_rest_never_rises_while_the_place_gets_no_worse() -> None:
    estimate = taught(LEAST_SERVED)
    first = estimate.say("x", 3, 4, 10.0)
    later = estimate.say("x", 3, 1, 40.0)  # three agents went home
    worse = estimate.say("x", 5, 1, 70.0)
    assert first is not None and later is not None and worse is not None
    assert later.most == pytest.approx(first.most - 30.0)
    assert worse.most > later.most
    assert first.least <= first.middle <= first.most
