"""Promises judged by the calls: nothing that is done afterwards makes a broken one better."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.clock import VirtualClock
from appliance.records import owed
from appliance.records.events import (
    ConversationClosed,
    ConversationOpened,
    LegAnswered,
    LegOpened,
    Outcome,
    RecordClosed,
    RequestChanged,
    RequestMoved,
    RequestOpened,
    State,
    StateEntered,
)
from appliance.records.owed import Keeping
from appliance.records.store import Store
from tests.records.given import KEY

MINUTE = 60.0
CUSTOMER = "+989121234567"


class Ledger:
    """A store whose clock the test turns; one promise, due an hour after it was made."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.store = Store(folder / "calls.db", KEY, self.clock)
        self.due = self.clock.utc_ms() + 3_600_000
        self.store.apply([RequestOpened("", "p", 1, "1", "promise", CUSTOMER, "fa", "sales", self.due, "", 0)])

    def at(self, minutes: float) -> None:
        self.clock.advance_to(minutes * MINUTE)

    def talk(self, name: str, direction: str = "in", seconds: int = 60) -> None:
        """They speak from now on."""
        self.store.apply(
            [
                ConversationOpened(name, direction, "", "main", "", CUSTOMER, CUSTOMER, "", False, "", "", "fa"),
                LegOpened(name, f"{name}c", "customer", CUSTOMER, "main", 0),
                LegOpened(name, f"{name}a", "agent", "sara", "desk1", 0),
                LegAnswered(name, f"{name}c", "PCMA", 0),
                LegAnswered(name, f"{name}a", "PCMA", 0),
                StateEntered(name, State.TALKING, 0),
                ConversationClosed(name, Outcome.SERVED, "", "sara", 1000 * seconds),
                RecordClosed(name),
            ]
        )

    def keeping(self) -> Keeping:
        (promise,) = self.store.within(lambda db: owed.promises(db, 0, self.due * 2, self.clock.utc_ms()))
        return promise.keeping

    def rate(self) -> tuple[int, int]:
        return owed.on_time(self.store.within(lambda db: owed.promises(db, 0, self.due * 2, self.clock.utc_ms())))


@pytest.mark.parametrize(
    ("minutes", "keeping"),
    [(44, Keeping.BROKEN), (46, Keeping.KEPT), (60, Keeping.KEPT), (74, Keeping.KEPT), (76, Keeping.BROKEN)],
)
def test_a_promise_is_kept_within_a_quarter_of_an_hour_whoever_rings_whom(
    tmp_path: Path, minutes: int, keeping: Keeping
) -> None:
    for direction in ("in", "out"):
        folder = tmp_path / direction
        folder.mkdir()
        ledger = Ledger(folder)
        ledger.at(minutes)
        ledger.talk("c", direction)
        ledger.at(120)
        assert ledger.keeping() is keeping


def test_a_promise_that_is_still_to_come_is_neither(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.at(74)
    assert ledger.keeping() is Keeping.DUE and ledger.rate() == (0, 0)
    ledger.at(76)
    assert ledger.keeping() is Keeping.BROKEN and ledger.rate() == (0, 1)


@pytest.mark.parametrize(("minutes", "keeping"), [(50, Keeping.TAKEN_BACK), (80, Keeping.BROKEN)])
def test_taking_a_promise_back_helps_only_before_its_moment(tmp_path: Path, minutes: int, keeping: Keeping) -> None:
    ledger = Ledger(tmp_path)
    ledger.at(minutes)
    ledger.store.apply([RequestMoved("p", "cancelled", "sara", "by hand")])
    ledger.at(200)
    assert ledger.keeping() is keeping


@pytest.mark.parametrize(("minutes", "keeping"), [(70, Keeping.KEPT), (80, Keeping.BROKEN)])
def test_moving_a_promise_helps_only_before_its_time_is_over(tmp_path: Path, minutes: int, keeping: Keeping) -> None:
    ledger = Ledger(tmp_path)
    ledger.at(minutes)
    later = ledger.due + 7_200_000
    ledger.store.apply([RequestChanged("p", "+989351112233", ledger.due, "sales", "sara")])  # another number only
    ledger.store.apply([RequestChanged("p", CUSTOMER, later, "sales", "sara")])
    ledger.at(180)
    ledger.talk("c")
    ledger.at(400)
    assert ledger.keeping() is keeping
    assert ledger.store.rebuild() > 0 and ledger.keeping() is keeping
