"""What is left of what was erased: tombstones, and where something is still to go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlite_utils import Database

from appliance.clock import VirtualClock
from appliance.records import erased, schema
from appliance.records.database import Connection
from appliance.records.erased import Place
from appliance.records.events import (
    ConversationErased,
    RecordingDeleted,
    RecordingExpired,
    RecordingOpened,
    UpstreamErased,
    UpstreamReceipt,
)
from appliance.records.store import Store
from tests.records.given import KEY, opened, sealed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A conversation of two recordings, of which one target has all and another has one."""
    it = Store(tmp_path / "calls.db", KEY, VirtualClock())
    it.apply([opened("c1"), *(RecordingOpened("c1", name, 1, "k", 0) for name in ("r1", "r2"))])
    it.apply([sealed("c1", name) for name in ("r1", "r2")])
    for target, recording in (("usb", "r1"), ("usb", "r2"), ("cloud", "r1")):
        it.apply([sent(target, recording, unit) for unit in ("head", "seal", "body")])
    yield it
    it.close()


def sent(target: str, recording: str, unit: str) -> UpstreamReceipt:
    return UpstreamReceipt(target, unit, f"{recording}.{unit}", recording, 0, 0, "", 1, "there")


def places(store: Store) -> tuple[Place, ...]:
    found = store.within(lambda db: erased.of(db, "c1"))
    assert found is not None
    return found.places


def test_each_place_counts_down_to_nothing_by_itself(store: Store) -> None:
    assert store.within(lambda db: erased.of(db, "c1")) is None
    store.apply([RecordingExpired("c1", "r1", 30), RecordingDeleted("c1", "r1", "expired")])
    store.apply([ConversationErased("c1", "asked for", "owner", ("r1", "r2"))])
    assert places(store) == (Place("", 2), Place("cloud", 1), Place("usb", 2))
    store.apply([RecordingDeleted("c1", "r1", "erased"), RecordingDeleted("c1", "r2", "erased")])
    store.apply([UpstreamErased("usb", "r1", ""), UpstreamErased("cloud", "r1", "r1.body r1.seal")])
    assert places(store) == (Place("", 0), Place("cloud", 0, 2), Place("usb", 1))
    [stone] = store.within(erased.newest)
    assert (stone.why, stone.by, stone.recordings) == ("asked for", "owner", 2)
    store.apply([UpstreamErased("usb", "r2", ""), UpstreamErased("cloud", "r1", "")])  # the lock has ended
    [stone] = store.within(erased.newest)
    assert stone.places[1] == Place("cloud", 0) and not any(place.left for place in stone.places)


def test_a_box_of_before_and_a_rebuild_know_the_same(store: Store) -> None:
    store.apply([ConversationErased("c1", "asked for", "owner", ("r1", "r2"))])
    store.apply([UpstreamErased("usb", "r1", ""), UpstreamErased("usb", "r2", "r2.body")])
    before = places(store)
    store.rebuild()
    assert places(store) == before

    def back(db: Connection) -> None:
        """As a box that has not been updated yet."""
        for index in ("going_by_conversation", "tombstone_by_order"):
            db.execute(f"DROP INDEX {index}")
        db.execute("DROP TABLE taken_away")
        schema.taken_away(Database(cast(Any, db)))

    store.within(back)
    assert places(store) == before
