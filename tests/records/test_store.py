"""What is appended stays; what follows from it is the same when it is made anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.records import chain, schema
from appliance.records.events import (
    ConversationClosed,
    ConversationErased,
    Happened,
    Outcome,
    RecordingOpened,
    State,
    StateEntered,
)
from appliance.records.store import Store
from tests.records.given import KEY, a_call, opened, whole_call, with_erasures


def rows(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every derived row of the database."""
    with store.transaction() as connection:
        tables = {}
        for table in schema.DERIVED:
            columns = [column[1] for column in connection.execute(f"PRAGMA table_info({table})").fetchall()]
            tables[table] = connection.execute(f"SELECT * FROM {table} ORDER BY {columns[0]}").fetchall()
        return tables


def test_events_are_numbered_from_one_without_a_hole_over_restarts(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    assert store.apply(whole_call("c1")[:3]) == [1, 2, 3]
    store.close()
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    assert store.apply(whole_call("c1")[3:5]) == [4, 5] and store.apply([]) == []
    assert store.verify() == store.head() and store.head().n == 5
    store.close()


def test_a_batch_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply([opened("c1")])
    before, head = rows(store), store.head()
    wrong = StateEntered("c1", State.MENU, "soon")  # type: ignore[arg-type] # what mypy would have caught
    with pytest.raises(Exception, match="cannot store TEXT value"):
        store.apply([StateEntered("c1", State.TALKING, 5), wrong])
    assert rows(store) == before and store.head() == head == store.verify()
    assert store.apply([StateEntered("c1", State.TALKING, 5)]) == [2]
    store.close()


@given(st.lists(with_erasures, max_size=40))
@settings(max_examples=60 if not os.environ.get("PASOKH_LONG") else 1000, deadline=None)
def test_all_rows_made_anew_from_the_events_are_the_rows_that_were(
    tmp_path_factory: pytest.TempPathFactory, happened: list[Happened]
) -> None:
    clock = VirtualClock()
    store = Store(tmp_path_factory.mktemp("store") / "calls.db", KEY, clock)
    for number, one in enumerate([*whole_call("c2"), *happened]):
        clock.advance_to(number)
        store.apply([one])
    before = rows(store)
    store.rebuild()
    assert rows(store) == before
    assert store.verify() == store.head()
    store.close()


def test_a_rebuild_repairs_rows_that_somebody_changed(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply(whole_call("c1"))
    before = rows(store)
    with store.transaction() as connection:
        connection.execute("UPDATE conversation SET talking_ms = 1, agent = 'somebody else'")
        connection.execute("DELETE FROM recording")
    assert store.rebuild() == store.head().n
    assert rows(store) == before
    store.close()


@given(
    changes=st.lists(st.tuples(st.sampled_from(State), st.integers(0, 90_000)), max_size=12),
    end=st.integers(0, 120_000),
    are_in_order=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_the_times_in_all_states_add_up_to_the_total_exactly(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[State, int]], end: int, are_in_order: bool
) -> None:
    if are_in_order:
        changes = sorted(changes, key=lambda change: change[1])
    store = Store(tmp_path_factory.mktemp("store") / "calls.db", KEY, VirtualClock())
    entered = [StateEntered("c1", state, offset) for state, offset in changes]
    late = StateEntered("c1", State.TALKING, end + 5_000)
    store.apply([opened("c1"), *entered, ConversationClosed("c1", Outcome.SERVED, "", "", end), late])
    with store.transaction() as connection:
        [row] = connection.execute(
            "SELECT ringing_ms, menu_ms, waiting_ms, talking_ms, hold_ms, total_ms FROM conversation"
        ).fetchall()
    assert sum(row[:5]) == row[5] == max([end, *(offset for _, offset in changes)])
    assert all(part >= 0 for part in row)
    store.close()


def test_after_a_crash_the_open_conversations_are_known_with_their_legs_and_recordings(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    for moment in [*a_call("c1"), *a_call("c2")[:4], *a_call("c3")[:1]]:
        store.apply(moment)
    store.apply([RecordingOpened("c2", "second-part", 2, "k", 9_500)])
    left = {one.conversation: one for one in store.open_conversations()}
    assert list(left) == ["c2", "c3"]
    assert left["c2"].legs == ("c2-customer", "c2-agent")
    assert left["c2"].recordings == ("c2-recording", "second-part")
    assert (left["c2"].agent, left["c2"].state, left["c2"].last_offset_ms) == ("first", "talking", 9_500)
    assert left["c3"].recordings == () and not left["c3"].is_closed
    store.close()


def test_an_erased_conversation_is_gone_from_every_row_and_from_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply([*whole_call("c1"), *whole_call("c2")])
    store.apply([ConversationErased("c1", "asked", "owner")])
    kept = rows(store)
    assert [row[0] for row in kept["conversation"]] == ["c2"] and [row[0] for row in kept["tombstone"]] == ["c1"]
    assert all("c1" not in str(row) for table in ("leg", "recording", "cdr") for row in kept[table])
    store.rebuild()
    assert rows(store) == kept and store.verify() == store.head()
    store.close()


def test_neither_the_file_nor_its_log_shows_a_number_in_clear(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply([opened("c1", "+989121112233")])
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"9121112233" not in content and b"SQLite format 3" not in content
    store.close_hard()
    assert b"9121112233" not in (tmp_path / "calls.db").read_bytes()
    store.close()


def test_a_wrong_key_a_foreign_file_and_a_folder_that_cannot_be_are_told_apart(tmp_path: Path) -> None:
    Store(tmp_path / "calls.db", KEY, VirtualClock()).close()
    (tmp_path / "other").write_bytes(b"not a database at all" * 300)
    for path, key, problem in (
        (tmp_path / "calls.db", bytes(32), "records.wrong_key"),
        (tmp_path / "other", KEY, "records.wrong_key"),
        (tmp_path / "other" / "calls.db", KEY, "records.unwritable"),
        (tmp_path / "calls.db", b"short", "records.bad_key"),
    ):
        with pytest.raises(Problem) as caught:
            Store(path, key, VirtualClock())
        assert caught.value.key == problem


def test_the_head_that_is_noted_elsewhere_shows_a_chain_that_was_rewritten(tmp_path: Path) -> None:
    first, second = (Store(tmp_path / name, KEY, VirtualClock()) for name in ("one.db", "two.db"))
    first.apply(whole_call("c1"))
    second.apply(whole_call("c1"))
    assert second.verify(first.head()) == chain.Fault(first.head().n, "other_chain")
    first.close()
    second.close()
