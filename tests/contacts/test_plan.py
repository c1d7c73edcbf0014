"""What an import would do, before it does it."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from appliance.contacts import plan
from appliance.contacts.draft import Draft, Wrong
from appliance.contacts.plan import Same, Save
from appliance.control import wire
from appliance.control.wire import Contact
from appliance.errors import Problem
from tests.contacts.given import ALI, MINA, TEHRAN, KnownContacts, many_rows, steps


def test_the_list_is_asked_once_for_five_hundred_rows() -> None:
    known = KnownContacts()
    found = plan.planned(plan.steps(plan.source("\n".join(many_rows(1_100)).encode()).rows(), known, TEHRAN))
    assert found.new == 1_100 and known.asked == 3


def test_all_written_forms_of_a_number_are_the_contact_that_has_it() -> None:
    for number in ("09121234567", "+98 912 123 4567", "0098-912-1234567", "۰۹۱۲ ۱۲۳ ۴۵۶۷", "9121234567"):
        (step,) = steps(f"name,phone,note\nعلی,{number},تازه\n", ALI)
        assert isinstance(step, Save)
        assert (step.contact.contact, step.contact.name, step.contact.note) == ("c1", "علی", "تازه")
        assert step.contact.latin == "Ali Karimi"  # of which the file is silent


def test_numbers_are_added_and_marks_that_the_file_does_not_name_stay() -> None:
    (step,) = steps("name,phone\nمینا,88111111;09360000000\n", MINA)
    assert step == Save(2, msgspec.structs.replace(MINA, name="مینا", numbers=(*MINA.numbers, "+989360000000")))


def test_a_mark_that_the_file_names_is_as_the_file_says() -> None:
    (step,) = steps("name,phone,VIP\nمینا رضایی,09351112233,no\n", MINA)
    assert step == Save(2, msgspec.structs.replace(MINA, is_vip=False))


def test_the_same_import_again_changes_nothing() -> None:
    text = "name,phone,note\nعلی,09121234567,الف\nمینا,09351112233,ب\n"
    first = [each.contact for each in steps(text) if isinstance(each, Save)]
    known = [msgspec.structs.replace(each, contact=f"c{at}") for at, each in enumerate(first)]
    assert steps(text, *known) == [Same(2), Same(3)]


def test_a_number_that_stands_twice_in_a_file_is_named_and_the_first_row_counts() -> None:
    first, second = steps("name,phone\nعلی,09121234567\nرضا,+989121234567\n")
    assert isinstance(first, Save) and first.contact.name == "علی"
    assert isinstance(second, Wrong) and second.problem.fields == {"number": "4567", "line": 2}


def test_a_row_with_the_numbers_of_two_contacts_is_named() -> None:
    (step,) = steps("name,phone\nهر دو,09121234567;09351112233\n", ALI, MINA)
    assert isinstance(step, Wrong) and step.problem.key == "contacts.two_contacts"


def test_every_batch_fits_into_one_order() -> None:
    contacts = [
        Save(at, Contact("ن" * 100, tuple(f"+9891200{at:03}{n:02}" for n in range(10)), "x" * 100, note="ی" * 500))
        for at in range(120)
    ]
    batches = list(plan.batches([*contacts, Same(1), Wrong(2, Problem("contacts.no_name"))]))
    assert [each for batch in batches for each in batch] == [each.contact for each in contacts]
    assert all(len(wire.packed(wire.Ask(1, wire.SaveContacts("t" * 200, batch)))) < 65_536 for batch in batches)
    assert max(map(len, batches)) <= 50


def test_one_contact_is_changed_by_any_of_its_numbers() -> None:
    row = Draft(line=0, name="", numbers=("88111111",), is_blocked=True)
    assert plan.merged(row, KnownContacts(MINA), TEHRAN) == msgspec.structs.replace(MINA, is_blocked=True)


def test_what_cannot_be_is_a_problem_where_one_contact_is_typed() -> None:
    row = Draft(line=0, name="", numbers=("88111112",))
    with pytest.raises(Problem, match="no_name"):
        plan.merged(row, KnownContacts(MINA), TEHRAN)
    with pytest.raises(Problem, match="nobody_has"):
        plan.known("88111112", KnownContacts(MINA), TEHRAN)
    blocked = dataclasses.replace(row, is_blocked=True)
    assert plan.merged(blocked, KnownContacts(MINA), TEHRAN).name == ""
