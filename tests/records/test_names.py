"""What customers are called: by the office's contacts first; a search by name knows both names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlite_utils import Database

from appliance.clock import VirtualClock
from appliance.messages.folding import fold
from appliance.records import dossier, schema, search
from appliance.records.database import Connection
from appliance.records.events import ContactRemoved, ContactSaved
from appliance.records.reader import Reader
from appliance.records.search import Query
from appliance.records.store import Store
from tests.records.given import KEY, opened

ALI, MINA = "+989121234567", "+989351112233"


def contact(identifier: str, name: str, latin: str, *numbers: str, note: str = "") -> ContactSaved:
    return ContactSaved(identifier, name, latin, numbers, "", False, False, False, note, "owner")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two calls of a contact (one told another name), one of somebody unknown, and one without a number."""
    it = Store(tmp_path / "calls.db", KEY, VirtualClock())
    it.apply([contact("k1", "عليرضا كريمي", "Alireza Karimi", ALI, MINA, note="price")])
    it.apply([replace(opened("c1", ALI), customer_name="phone of Ali"), replace(opened("c2", MINA), customer_name="")])
    it.apply(
        [
            replace(opened("c3", "+982144556677"), customer_name="Alireza Other"),
            replace(opened("c4", ""), customer_name=""),
        ]
    )
    yield it
    it.close()


def found(store: Store, name: str) -> list[str]:
    return [one.conversation for one in store.within(lambda db: search.find(db, Query(name=fold(name)))).conversations]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("علیرضا", ["c2", "c1"]),  # Persian letters for Arabic ones
        ("كریمی علی", ["c2", "c1"]),  # words in any order, parts of words
        ("KARIMI", ["c2", "c1"]),
        ("alireza", ["c3", "c2", "c1"]),
        ("phone کریمی", ["c1"]),  # one word told by the call, the other by the list
        ("price", []),  # a note is no name
        ("912123", []),  # nor is a number
        ("nobody", []),
    ],
)
def test_a_search_by_name_knows_the_list_of_contacts(store: Store, name: str, expected: list[str]) -> None:
    assert found(store, name) == expected


def test_a_row_and_the_dossier_show_the_contacts_name_first_and_the_calls_name_without_one(store: Store) -> None:
    def names() -> list[str]:
        with Reader(store.path, KEY) as reader:
            return [one.name for one in reader.last()]

    def about(customer: str) -> str:
        return store.within(lambda db: dossier.read(db, customer, "other")).name

    assert names() == ["", "Alireza Other", "عليرضا كريمي", "عليرضا كريمي"]
    assert [about(ALI), about(MINA), about("+982144556677"), about("")] == ["عليرضا كريمي"] * 2 + ["Alireza Other", ""]
    store.apply([contact("k1", "", "Karimi", ALI)])  # without a Persian name, and with one number less
    assert names() == ["", "Alireza Other", "", "Karimi"] and about(MINA) == "" and found(store, "karimi") == ["c1"]
    store.apply([ContactRemoved("k1", "owner")])
    assert names()[-1] == about(ALI) == "phone of Ali" and found(store, "karimi") == []


def test_a_list_of_before_is_found_by_name_too(store: Store) -> None:
    def back(db: Connection) -> None:
        """As a box that has not been updated yet."""
        db.execute("ALTER TABLE contact DROP COLUMN folded_name")
        schema.contact_names(Database(cast(Any, db)))

    store.within(back)
    assert found(store, "کریمی") == ["c2", "c1"]
