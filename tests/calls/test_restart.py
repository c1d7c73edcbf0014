"""The wall clock after a start: not believed before what is on record, and never in the way of what is owed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from appliance.calls.restart import MADE_UTC_MS, BoxClock, note_settings
from appliance.clock import VirtualClock
from appliance.records.events import SettingsTaken
from appliance.records.store import Store
from appliance.records.writer import DirectWriter
from tests.records.given import KEY

NOON = 1_790_000_000_000
HOUR = 3_600_000


@pytest.mark.parametrize("starts", [0, NOON - HOUR, NOON - 61_000])
def test_a_clock_behind_the_records_is_in_doubt_and_time_goes_on_from_them(starts: int) -> None:
    machine = VirtualClock(starts)
    clock = BoxClock(machine)
    clock.not_before(NOON)
    machine.advance_to(10.0)
    assert not clock.is_sure() and clock.utc_ms() == NOON + 10_000 and clock.monotonic() == 10.0


def test_a_clock_that_is_set_is_believed_again() -> None:
    machine = VirtualClock(0)
    clock = BoxClock(machine)
    clock.not_before(NOON)
    machine.advance_to(10.0)
    machine._utc_ms_at_zero = NOON + HOUR
    assert clock.is_sure() and clock.utc_ms() == NOON + HOUR + 10_000


def test_a_clock_that_is_corrected_by_some_seconds_stays_sure() -> None:
    clock = BoxClock(VirtualClock(NOON - 30_000))
    clock.not_before(NOON)
    assert clock.is_sure()


def test_a_new_box_is_not_older_than_its_making() -> None:
    assert not BoxClock(VirtualClock(0)).is_sure() and BoxClock(VirtualClock(0)).utc_ms() == MADE_UTC_MS
    assert BoxClock(VirtualClock(NOON)).is_sure()


def test_other_settings_are_an_event_and_the_same_ones_are_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock(NOON))
    records = DirectWriter(store)
    for sha256 in ("aa", "aa", "bb", "bb", "aa"):
        asyncio.run(note_settings(records, sha256))
        records.flush_now()
    taken = store.within(
        lambda db: db.execute("SELECT body FROM event JOIN event_body USING (n) WHERE kind = ?", (SettingsTaken.kind,))
    ).fetchall()
    assert [bytes(body) for (body,) in taken] == [b'{"sha256":"aa"}', b'{"sha256":"bb"}', b'{"sha256":"aa"}']
    store.close()
