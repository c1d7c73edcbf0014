"""Orders that change the contact list: all or nothing, one holder for a number, what is kept and what is erased."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from appliance.calls.directory import Directory
from appliance.calls.orders import Orders
from appliance.clock import VirtualClock
from appliance.contacts import check, reading
from appliance.control import wire
from appliance.control.wire import Contact
from appliance.errors import Problem
from appliance.records.store import Store
from appliance.records.writer import DirectWriter
from tests.records.given import KEY
from tests.simulation.test_whole_office import TheOffice
from tests.support.virtual_time import run


class List:
    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "calls.db", KEY, VirtualClock())
        self.directory = Directory(DirectWriter(self.store), VirtualClock(), "21")

    def save(self, *contacts: Contact) -> tuple[str, ...]:
        return asyncio.run(self.directory.save(contacts, "owner"))

    def remove(self, *contacts: str) -> None:
        asyncio.run(self.directory.remove(contacts, "owner"))

    def kept(self) -> list[Contact]:
        return list(reading.everybody(self.store.within))


def test_a_contact_is_known_by_every_written_form_of_its_numbers(tmp_path: Path) -> None:
    it = List(tmp_path)
    (contact,) = it.save(Contact("علي", ("0912 123 4567", "88111111")))
    for number in ("+989121234567", "09121234567", "0098 21 8811 1111", "88111111"):
        known = it.directory.of(number)
        assert known is not None and (known.contact, known.name) == (contact, "علی")
    assert it.directory.of("09120000000") is None and it.directory.of("") is None
    assert it.kept() == [it.directory.of("88111111")]


def test_what_was_known_is_known_after_a_start(tmp_path: Path) -> None:
    it = List(tmp_path)
    it.save(Contact("علی", ("09121234567",)), Contact("مینا", ("09351112233",), is_blocked=True))
    again = Directory(DirectWriter(it.store), VirtualClock(), "21")
    again.restore(reading.everybody(it.store.within))
    mina = again.of("09351112233")
    assert len(again) == 2 and mina is not None and mina.is_blocked


def test_a_number_has_one_holder_and_who_asks_for_it_hears_whose_it_is(tmp_path: Path) -> None:
    it = List(tmp_path)
    it.save(Contact("علی", ("09121234567",)))
    with pytest.raises(Problem) as refused:
        it.save(Contact("رضا", ("09350000000",)), Contact("مینا", ("+989121234567",)))
    assert (refused.value.key, refused.value.fields) == ("contacts.taken", {"number": "4567", "name": "علی"})
    assert [each.name for each in it.kept()] == ["علی"]  # all or nothing
    with pytest.raises(Problem, match="taken"):
        it.save(Contact("رضا", ("09350000000",)), Contact("مینا", ("0935 000 0000",)))


def test_a_change_keeps_the_contact_and_frees_the_number_it_gave_up(tmp_path: Path) -> None:
    it = List(tmp_path)
    (contact,) = it.save(Contact("علی", ("09121234567",)))
    it.save(Contact("علی", ("09350000000",), contact=contact))
    assert it.directory.of("09121234567") is None
    it.save(Contact("مینا", ("09121234567",)))
    assert {each.name for each in it.kept()} == {"علی", "مینا"}


def test_what_is_removed_is_gone_and_cannot_be_changed_or_removed_again(tmp_path: Path) -> None:
    it = List(tmp_path)
    (contact,) = it.save(Contact("علی", ("09121234567",)))
    it.remove(contact)
    assert it.kept() == [] and it.directory.of("09121234567") is None
    with pytest.raises(Problem, match="gone"):
        it.remove(contact)
    with pytest.raises(Problem, match="gone"):
        it.save(Contact("علی", ("09121234567",), contact=contact))


@pytest.mark.parametrize(
    ("contact", "problem"),
    [
        (Contact("علی"), "contacts.no_number"),
        (Contact("", ("09121234567",)), "contacts.no_name"),
        (Contact("x" * 10_000, ("09121234567",)), "contacts.too_long"),
        (Contact("علی\u0000", ("09121234567",)), "contacts.not_printable"),
        (Contact("علی\ud800", ("09121234567",)), "contacts.not_printable"),
        (Contact("علی", ("09121234567",), note="x" * 501), "contacts.too_long"),
        (Contact("علی", ("09121234567",), language="de"), "contacts.no_language"),
        (Contact("علی", ("ali",)), "contacts.not_a_number"),
        (Contact("علی", tuple(f"091212345{each}" for each in range(60, 71))), "contacts.many_numbers"),
    ],
)
def test_what_no_contact_can_be_is_refused(tmp_path: Path, contact: Contact, problem: str) -> None:
    with pytest.raises(Problem) as refused:
        List(tmp_path).save(contact)
    assert refused.value.key == problem


def test_what_telephones_copy_with_a_name_is_taken_off() -> None:
    cleaned = check.checked(Contact("\u202aعلي\u200cرضا\n كريمي\u202c", ("\u202a+98 912 123 4567\u202c",)), "21")
    assert (cleaned.name, cleaned.numbers) == ("علی\u200cرضا کریمی", ("+989121234567",))


def test_the_list_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "MOST_CONTACTS", 1)
    it = List(tmp_path)
    (contact,) = it.save(Contact("علی", ("09121234567",)))
    with pytest.raises(Problem, match="too_many"):
        it.save(Contact("مینا", ("09351112233",)))
    it.save(Contact("علی ک", ("09121234567",), contact=contact))  # a change is no new one


def test_orders_of_the_office_reach_the_list_and_say_under_which_ids(tmp_path: Path) -> None:
    it = TheOffice(tmp_path)
    orders = Orders(it.office, {}, lambda: None)

    async def scene() -> None:
        reply = await orders.carry_out(wire.SaveContacts("", (Contact("علی", ("09121234567",)),)), "owner")
        assert isinstance(reply, wire.Saved)
        assert await orders.carry_out(wire.RemoveContacts("", reply.contacts), "owner") == wire.Done()
        assert len(it.office.contacts) == 0

    run(it.loop, scene())
