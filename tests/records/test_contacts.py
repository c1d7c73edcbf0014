"""Contacts in calls.db: rows that follow from events, found, erased, made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.clock import VirtualClock
from appliance.contacts import reading
from appliance.control.wire import Contact
from appliance.records import chain
from appliance.records.events import ContactRemoved, ContactSaved
from appliance.records.store import Store
from tests.records.given import KEY, whole_call

ALI = Contact("علی کریمی", ("+989121234567",), "Ali Karimi", "en", False, True, False, "بدحساب", "c1")
MINA = Contact("مینا", ("+989351112233", "+982188111111"), "", "", True, False, True, "", "c2")


def saved(contact: Contact) -> ContactSaved:
    return ContactSaved(
        contact.contact, contact.name, contact.latin, contact.numbers, contact.language,
        contact.is_vip, contact.is_blocked, contact.is_unrecorded, contact.note, "owner",
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    it = Store(tmp_path / "calls.db", KEY, VirtualClock())
    it.apply([saved(ALI), saved(MINA)])
    yield it
    it.close()


def found(store: Store, wanted: str) -> list[str]:
    return [each.contact for each in store.within(lambda db: reading.search(db, wanted, 10))]


@pytest.mark.parametrize(
    ("wanted", "contacts"),
    [
        ("", ["c1", "c2"]),
        ("علي", ["c1"]),  # Arabic ye
        ("كریمی", ["c1"]),
        ("karimi ALI", ["c1"]),
        ("0912 123", ["c1"]),
        ("۰۹۱۲۱۲۳۴۵۶۷", ["c1"]),
        ("٨٨١١", ["c2"]),
        ("+98935", ["c2"]),
        ("021-8811", ["c2"]),
        ("بدحساب", ["c1"]),
        ("علی مینا", []),
        ("%", []),
        ("' OR 1", []),
    ],
)
def test_contacts_are_found_in_whatever_letters_and_digits_they_are_searched(
    store: Store, wanted: str, contacts: list[str]
) -> None:
    assert sorted(found(store, wanted)) == contacts


def test_a_contact_is_read_as_it_was_saved_and_found_by_each_of_its_numbers(store: Store) -> None:
    of = store.within(lambda db: reading.of_numbers(db, ("+989121234567", "+982188111111", "+989000000000")))
    assert of == {"+989121234567": ALI, "+982188111111": MINA}
    assert list(reading.everybody(store.within)) == [ALI, MINA] and store.within(reading.count) == 2


def test_a_number_that_was_taken_away_finds_nobody_any_more(store: Store) -> None:
    store.apply([saved(Contact("مینا", ("+989351112233",), contact="c2"))])
    assert store.within(lambda db: reading.of_numbers(db, ("+982188111111",))) == {}


def test_what_is_removed_is_erased_from_the_events_and_the_chain_still_holds(store: Store) -> None:
    store.apply([ContactRemoved("c1", "owner")])
    bodies = store.within(lambda db: db.execute("SELECT body FROM event_body").fetchall())
    assert not any(b"1234567" in body or "کریمی".encode() in body for (body,) in bodies)
    assert any("مینا".encode() in body for (body,) in bodies)
    assert store.verify() == chain.Head(3, store.head().link)
    assert found(store, "") == ["c2"]


def test_rows_made_anew_from_the_events_are_the_same(store: Store) -> None:
    renamed = saved(Contact("مینا ر", ("+989351112233",), contact="c2"))
    store.apply([*whole_call("c9"), ContactRemoved("c1", "owner"), renamed])

    def rows() -> list[object]:
        query = "SELECT * FROM contact", "SELECT * FROM contact_number"
        return store.within(lambda db: [db.execute(each).fetchall() for each in query])

    before = rows()
    store.rebuild()
    assert rows() == before


def test_no_contacts_event_erases_what_was_said_of_anything_else(store: Store) -> None:
    with pytest.raises(Exception, match="an erasure needs its event"):
        store.within(lambda db: db.execute("INSERT INTO erasure (n) VALUES (1)"))
