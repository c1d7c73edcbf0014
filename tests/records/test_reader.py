"""Readers see what was written, beside the writer, as another user, and after its crash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.records import chain
from appliance.records.events import ConversationErased, PhoneTurned, RecordingVerified, TrunkTurned
from appliance.records.reader import PhoneState, Reader, TrunkState
from appliance.records.store import Store
from tests.records.given import KEY, a_call, sealed, whole_call

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65_534


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    yield store
    store.close()


@pytest.fixture
def reader(store: Store) -> Iterator[Reader]:
    with Reader(store.path, KEY) as reader:
        yield reader


def test_the_last_conversations_come_newest_first_with_their_legs_and_recordings(store: Store, reader: Reader) -> None:
    for number in range(5):
        store.apply(whole_call(f"c{number}"))
    last = reader.last(3)
    assert [one.conversation for one in last] == ["c4", "c3", "c2"]
    assert [(leg.role, leg.party, leg.cause) for leg in last[0].legs] == [
        ("customer", "+989121234567", "ended_here"),
        ("agent", "first", "hung_up"),
    ]
    assert [(part.state, part.verified, part.milliseconds) for part in last[0].recordings] == [
        ("sealed", "verified", 55_010)
    ]
    assert [one.conversation for one in reader.last(9, before=last[-1].number)] == ["c1", "c0"]
    assert reader.conversation("c1") == reader.last(4)[3] and reader.conversation("c9") is None


def test_a_conversation_is_seen_while_it_lasts_and_its_record_when_it_closes(store: Store, reader: Reader) -> None:
    seen = []
    for moment in a_call("c1"):
        store.apply(moment)
        [one] = reader.last()
        seen.append((one.state, one.agent, one.total_ms, one.revision))
    assert seen == [
        ("menu", "", None, 0),
        ("menu", "", None, 0),
        ("waiting", "", None, 0),
        ("talking", "first", None, 0),
        ("closed", "first", 60_010, 0),
        ("closed", "first", 60_010, 2),  # the record, and then the check of its recording
    ]


def test_later_facts_raise_the_revision_and_a_cursor_finds_them(store: Store, reader: Reader) -> None:
    store.apply([*whole_call("c1"), *whole_call("c2")])
    cursor = reader.last_event()
    assert [one.conversation for one in reader.changed(0)] == ["c1", "c2"] and reader.changed(cursor) == []
    store.apply([RecordingVerified("c1-recording", "verified", "again")])
    assert reader.changed(cursor) == []  # found as it was: nothing new
    store.apply([RecordingVerified("c1-recording", "damaged", "body")])
    store.apply([sealed("c2", "c2-recording", "recovered")])
    assert [(one.conversation, one.revision) for one in reader.changed(cursor)] == [("c1", 3), ("c2", 3)]


def test_counts_are_by_outcome_state_and_check_and_can_begin_at_a_time(store: Store, reader: Reader) -> None:
    store.apply([*whole_call("c1"), *whole_call("c2"), *a_call("c3")[0]])
    counts = reader.counts()
    assert (counts.conversations, counts.open, counts.outcomes) == (3, 1, {"served": 2, "": 1})
    assert (counts.recordings, counts.verified) == ({"sealed": 2}, {"verified": 2})
    assert counts.last_event == store.head().n == reader.last_event()
    assert reader.counts(since_utc_ms=1 << 60).conversations == 0


def test_the_last_state_of_trunks_and_phones_is_known_while_calls_is_stopped(store: Store, reader: Reader) -> None:
    store.apply([TrunkTurned("main", "refused", 403), TrunkTurned("main", "up", 200), PhoneTurned("desk1", True)])
    at = VirtualClock().utc_ms()
    assert reader.trunks() == [TrunkState("main", "up", 200, at)] and reader.phones() == [PhoneState("desk1", True, at)]


def test_the_chain_is_checked_by_a_reader_too(store: Store, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.records.reader.SLICE_EVENTS", 7)
    store.apply([*whole_call("c1"), *whole_call("c2"), ConversationErased("c1", "asked", "owner")])
    assert reader.verify() == store.head()
    assert reader.verify(chain.Head(3, bytes(32))) == chain.Fault(3, "other_chain")


def test_a_reader_cannot_write_whatever_it_tries(store: Store, reader: Reader) -> None:
    store.apply(whole_call("c1"))
    with pytest.raises(Problem), reader._reading() as connection:
        connection.execute("DELETE FROM conversation")
    assert reader.counts().conversations == 1  # and it goes on reading


def test_a_reader_lives_through_the_database_being_made_anew(tmp_path: Path) -> None:
    with Reader(tmp_path / "calls.db", KEY) as reader:
        with pytest.raises(Problem, match=r"records\.no_database"):
            reader.last()
        store = Store(tmp_path / "calls.db", KEY, VirtualClock())
        store.apply(whole_call("c1"))
        assert reader.counts().conversations == 1
        with pytest.raises(Problem, match=r"records\.wrong_key"):
            Reader(tmp_path / "calls.db", bytes(32)).last()
        store.close()


OTHER_USER = f"""
import os, sys
from pathlib import Path
from appliance.records.reader import Reader
from tests.records.given import KEY
if os.getuid() == 0:
    os.setgroups([]); os.setresgid(4_711, 4_711, 4_711); os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
reader = Reader(Path(sys.argv[1]), KEY)
for line in sys.stdin:
    print(reader.counts().conversations, flush=True)
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder like the box's data folder: of the writer's user, for a group that the other user is in."""
    folder = Path(tempfile.mkdtemp(prefix="pasokh-shared-"))
    if os.getuid() == 0:
        os.chown(folder, 0, 4_711)
    folder.chmod(0o2770)
    yield folder
    shutil.rmtree(folder)


def test_another_user_of_the_group_reads_beside_the_writer_and_after_its_hard_end(shared: Path) -> None:
    before = os.umask(0o077)  # the strictest: the modes must not depend on it
    try:
        store = Store(shared / "calls.db", KEY, VirtualClock())
    finally:
        os.umask(before)
    store.apply(whole_call("c1"))
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in shared.iterdir()} == {
        "calls.db": "0o660",
        "calls.db-wal": "0o660",
        "calls.db-shm": "0o660",
    }
    for file in shared.iterdir():
        assert file.stat().st_gid == shared.stat().st_gid
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER_USER, str(shared / "calls.db")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdin is not None and other.stdout is not None
    with other, other.stdin, other.stdout:

        def asked() -> str:
            print("?", file=other.stdin, flush=True)
            assert other.stdout is not None
            return other.stdout.readline()

        assert asked() == "1\n"
        store.apply(whole_call("c2"))
        assert asked() == "2\n"
        store.close_hard()
        assert asked() == "2\n"
    store.close()
