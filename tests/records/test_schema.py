"""Events can be appended and nothing else, whatever SQL somebody writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.clock import VirtualClock
from appliance.records import database
from appliance.records.database import Connection
from appliance.records.events import ConversationErased
from appliance.records.store import Store
from tests.records.given import KEY, whole_call


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply(whole_call("c1"))
    store.close()
    connection = database.open_writer(tmp_path / "calls.db", KEY)
    yield connection
    connection.close()


EVENT = "(n, at, mono, kind, subject, commitment, link)"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM event WHERE n = 3",
        "DELETE FROM event",
        "UPDATE event SET at = at - 1 WHERE n = 3",
        "UPDATE event SET n = 1000 WHERE n = 3",
        f"INSERT OR REPLACE INTO event {EVENT} VALUES (3, 1, 1, 'x', 'y', x'00', x'00')",
        f"REPLACE INTO event {EVENT} SELECT n, at, mono, 'x', subject, commitment, link FROM event WHERE n = 3",
        f"INSERT INTO event {EVENT} VALUES (3, 1, 1, 'x', 'y', x'00', x'00') ON CONFLICT (n) DO UPDATE SET kind = 'x'",
        f"INSERT INTO event {EVENT} VALUES (1000, 1, 1, 'x', 'y', x'00', x'00')",
        f"INSERT INTO event {EVENT} VALUES (0, 1, 1, 'x', 'y', x'00', x'00')",
        f"INSERT INTO event {EVENT} VALUES (-5, 1, 1, 'x', 'y', x'00', x'00')",
        "UPDATE event_body SET body = x'7b7d' WHERE n = 3",
        "UPDATE event_body SET salt = x'00' WHERE n = 3",
        "DELETE FROM event_body WHERE n = 3",
        "INSERT OR REPLACE INTO event_body (n, salt, body) VALUES (3, x'00', x'7b7d')",
        "INSERT OR IGNORE INTO erasure (n) VALUES (3)",
        "UPDATE OR REPLACE event SET n = 4 WHERE n = 3",
    ],
)
def test_no_statement_changes_what_has_happened(connection: Connection, sql: str) -> None:
    before = connection.execute("SELECT * FROM event JOIN event_body USING (n) ORDER BY n").fetchall()
    with pytest.raises(database.Unacceptable):
        connection.execute(sql)
    assert connection.execute("SELECT * FROM event JOIN event_body USING (n) ORDER BY n").fetchall() == before


def test_the_triggers_hold_without_recursive_triggers_too(connection: Connection) -> None:
    connection.execute("PRAGMA recursive_triggers=OFF")
    for sql in (
        f"INSERT OR REPLACE INTO event {EVENT} VALUES (3, 1, 1, 'x', 'y', x'00', x'00')",
        "INSERT OR REPLACE INTO event_body (n, salt, body) VALUES (3, x'00', x'7b7d')",
    ):
        with pytest.raises(database.Unacceptable):
            connection.execute(sql)


def test_an_erasure_takes_the_bodies_of_its_conversation_and_cannot_be_undone(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply([*whole_call("c1"), *whole_call("c2")])
    [n] = store.apply([ConversationErased("c1", "asked", "owner")])
    with store.transaction() as connection:
        subjects = connection.execute("SELECT DISTINCT subject FROM event JOIN event_body USING (n) WHERE n < ?", (n,))
        assert "c1" not in {row[0] for row in subjects}
        kept = connection.execute("SELECT count(*) FROM event_body WHERE n > 0").fetchone()
        for sql in (
            "DELETE FROM erasure",
            "UPDATE erasure SET n = n",
            "INSERT INTO event_body VALUES (1, x'00', x'00')",
        ):
            with pytest.raises(database.Unacceptable):
                connection.execute(sql)
    whole = len(whole_call())
    about = sum(hasattr(happened, "conversation") for happened in whole_call())
    assert kept == (2 * whole - about + 1,)
    assert store.verify() == store.head()
    store.close()
