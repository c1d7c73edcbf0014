"""outbox.db and what is cut into it: positions, lateness, kills between two steps, flat cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import Problem
from appliance.records.events import RecordingSealed
from appliance.records.outgoing import News
from appliance.sync import outbox as outbox_of
from appliance.sync.feed import MOST_EVENTS, Feed, batches, erasure
from appliance.sync.outbox import NewUnit, Outbox
from appliance.sync.plan import State
from appliance.sync.units import Kind, batch_key, recording_key

KEY = bytes(range(32))
FILES = frozenset({Kind.HEAD, Kind.SEAL, Kind.BODY, Kind.ERASE})


def sealed(recording: str, state: str = "sealed") -> RecordingSealed:
    return RecordingSealed("c1", recording, state, 500_000, "ab" * 32, "cd" * 32, 1, 0, 0, 0, 0, 0)


def news(last: int, *recordings: RecordingSealed, is_own_only: bool = False) -> News:
    return News(last, is_own_only, tuple((1000, one) for one in recordings), ())


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", KEY)
    yield box
    box.close()


def fill(box: Outbox, count: int, target: int, first: int = 0) -> None:
    units = [
        NewUnit(Kind.BODY, f"k{number}", 0, 0, number, f"r{number}", "c1", 100, "ab")
        for number in range(first, first + count)
    ]
    box.add(units, {"cut": first + count}, {target: FILES})


def test_a_recording_becomes_three_units_whose_names_never_change() -> None:
    units = Feed(15).took(news(5, sealed("r1")), 0)
    assert [unit.kind for unit in units] == [Kind.HEAD, Kind.SEAL, Kind.BODY]
    assert units[2].key == "recordings/1970/01/01/r1.body" and units[2].sha256 == "ab" * 32
    assert Feed(15).took(news(5, sealed("r1", "lost"), sealed("r2", "empty")), 0) == []


def test_a_batch_is_cut_when_it_is_full_or_when_its_first_event_has_waited() -> None:
    feed = Feed(15)
    feed.took(news(3), now=100)
    assert feed.batch(114) is None and feed.deadline() == 115
    assert feed.batch(115) == (1, 3)
    feed.was_cut(3)
    assert feed.batch(1000) is None and feed.deadline() is None
    feed.took(news(3 + MOST_EVENTS), now=200)
    assert feed.batch(200) == (4, 3 + MOST_EVENTS)


def test_receipts_alone_never_make_a_batch_and_ride_with_the_next() -> None:
    feed = Feed(15, seen=10, cut=10)
    feed.took(news(20, is_own_only=True), now=0)
    assert feed.batch(1e9) is None
    feed.took(news(21), now=50)
    assert feed.batch(65) == (11, 21)


def test_records_are_cut_only_where_one_was_revised_and_calls_only_for_webhooks() -> None:
    every = {Kind.EVENTS, Kind.RECORDS, Kind.CALL}
    assert [unit.kind for unit in batches(1, 9, [], 0, every)] == [Kind.EVENTS]
    assert [unit.kind for unit in batches(1, 9, [(7, "c1")], 0, every)] == [Kind.EVENTS, Kind.RECORDS, Kind.CALL]
    assert [unit.key for unit in batches(1, 9, [(7, "c1")], 0, {Kind.CALL})] == ["calls/000000000007.json"]
    assert batch_key(Kind.EVENTS, 1, 200) == "events/000000000001-000000000200.jsonl"
    assert recording_key("r", Kind.SEAL, 1_795_000_000_000) == "recordings/2026/11/18/r.seal"


def test_what_was_cut_before_a_target_was_known_waits_for_it_too(outbox: Outbox) -> None:
    first = outbox.target("first", FILES)
    fill(outbox, 3, first)
    late = outbox.target("late", FILES)
    assert outbox.standing(late).pending == 3 and outbox.standing(late).pending_bytes == 300
    fill(outbox, 2, first, 3)
    outbox.add([], {}, {})
    assert outbox.target("late", FILES) == late and outbox.standing(first).pending == 5


def test_the_same_units_again_change_nothing(outbox: Outbox) -> None:
    target = outbox.target("t", FILES)
    fill(outbox, 3, target)
    fill(outbox, 3, target)
    assert outbox.standing(target).pending == 3


def test_a_receipt_is_told_once_and_the_position_outlives_the_process(outbox: Outbox, tmp_path: Path) -> None:
    target = outbox.target("t", FILES)
    fill(outbox, 2, target)
    job = outbox.first(target, Kind.BODY, ())
    assert job is not None
    outbox.remember(target, job.number, "upload-7")
    assert outbox.notes(target) == {"upload-7"}
    outbox.settled(target, job, State.VERIFIED, 100, "there")
    outbox.close()
    again = Outbox(tmp_path / "outbox.db", KEY)
    assert again.target("t", FILES) == target and again.cursor("cut") == 2 and again.notes(target) == frozenset()
    told = again.verified()
    assert [one.unit.key for one in told] == ["k0"] and told[0].place == "there"
    again.told(told, 77)
    again.told(told, 78)
    assert again.verified() == [] and again.standing(target).receipt_at >= 77
    assert again.standing(target).pending == 1
    again.close()


def test_an_erasure_makes_what_is_pending_void_and_goes_only_where_something_may_lie(outbox: Outbox) -> None:
    target, records = outbox.target("t", FILES), outbox.target("records", {Kind.EVENTS})
    fill(outbox, 2, target)
    takers = {target: FILES, records: frozenset({Kind.EVENTS})}
    outbox.add([erasure("r0", 9, 0), erasure("unknown", 9, 0)], {}, takers)
    assert outbox.standing(target).pending == 2  # r1's body, and the erasure of r0
    job = outbox.first(target, Kind.ERASE, ())
    assert job is not None and outbox.files_of("r0") == ["k0"]
    assert outbox.standing(records).pending == 0
    assert outbox.recordings_of("c1") == ["r0", "r1"]


def test_the_content_of_a_batch_stays_until_every_target_has_its_receipt(outbox: Outbox) -> None:
    kinds = frozenset({Kind.EVENTS})
    targets = [outbox.target(name, kinds) for name in ("a", "b")]
    outbox.add([NewUnit(Kind.EVENTS, "events/1-2", 1, 2, 0)], {}, dict.fromkeys(targets, kinds))
    outbox.fix(1, 4, "ab", b"text")
    for target in targets:
        assert outbox.unit(1)[1] == b"text"
        job = outbox.first(target, Kind.EVENTS, ())
        assert job is not None
        outbox.settled(target, job, State.VERIFIED, 4)
        outbox.told(outbox.verified(), 1)
    assert outbox.unit(1)[1] is None


def test_numbers_of_customers_cannot_be_read_from_the_file(outbox: Outbox, tmp_path: Path) -> None:
    kinds = frozenset({Kind.EVENTS})
    target = outbox.target("a", kinds)
    outbox.add([NewUnit(Kind.EVENTS, "events/1-2", 1, 2, 0)], {}, {target: kinds})
    outbox.fix(1, 13, "ab", b"+989121234567")
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"9121234567" not in raw and b"events/1-2" not in raw
    with pytest.raises(Problem):
        Outbox(tmp_path / "outbox.db", bytes(32))


def test_targets_that_left_the_settings_take_their_jobs_with_them(outbox: Outbox) -> None:
    old, new = outbox.target("old", FILES), outbox.target("new", FILES)
    fill(outbox, 2, old)
    outbox.forget_others([new])
    assert outbox.standing(old).receipts == 0 and outbox.first(old, Kind.BODY, ()) is None


def test_a_job_is_found_as_fast_behind_ten_thousand_sent_ones(outbox: Outbox) -> None:
    """The full count is measured by bench/upstream.py; here the plan of the query is what is asserted."""
    target = outbox.target("t", FILES)
    fill(outbox, 10, target)
    for sql, values in (
        (outbox_of._FIRST, (target, 6, 1)),
        (outbox_of._OLDEST, (target, 6)),
        (outbox_of._VERIFIED, (9,)),
    ):
        plan = str(outbox._db.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall())
        assert "INDEX job_" in plan and "SCAN job" not in plan and "TEMP" not in plan, plan
