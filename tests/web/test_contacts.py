"""The page of contacts: who may, what is searched and ordered, and an import that is shown before it is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.control import wire
from appliance.control.wire import Contact, Role
from appliance.errors import Problem
from appliance.records.events import ContactSaved
from appliance.web import upload
from tests.contacts.given import many_rows
from tests.web.given import NOW, Browser, MadeUpCalls, Records

ALI, MINA = "+989121234567", "+989351112233"
BOUNDARY = "----boundary"


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    it = Records(tmp_path)
    it.at(NOW, ContactSaved("c1", "علی کریمی", "Ali", (ALI,), "en", True, False, False, "خریدار", "owner"))
    it.at(NOW, ContactSaved("c2", "<b>مینا</b>", "", (MINA,), "", False, True, True, "", "owner"))
    yield it
    it.close()


class Sender(Browser):
    """A browser that sends files too."""

    def send(self, content: bytes, form: str = "") -> tuple[int, dict[str, str], str]:
        token = form or self.form_token()
        body = b"\r\n".join(
            [
                f"--{BOUNDARY}".encode(), b'Content-Disposition: form-data; name="form"', b"", token.encode(),
                f"--{BOUNDARY}".encode(), b'Content-Disposition: form-data; name="file"; filename="people.csv"',
                b"Content-Type: text/csv", b"", content, f"--{BOUNDARY}--".encode(), b"",
            ]
        )  # fmt: skip
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return self.ask("POST", "/contacts/import", body, kind=kind)


@pytest.mark.parametrize("role", ["owner", "supervisor", "agent"])
def test_everybody_who_works_here_sees_the_list_and_only_leaders_its_forms(records: Records, role: Role) -> None:
    code, _, html = Browser(MadeUpCalls(role), records.reader).get("/contacts")
    assert code == 200 and "علی کریمی" in html and "09121234567" in html
    assert ("/contacts/save" in html) is (role != "agent") and "<b>مینا" not in html


@pytest.mark.parametrize("path", ["/contacts/save", "/contacts/remove", "/contacts/import", "/contacts/import/do"])
def test_an_agent_and_a_technician_change_nothing(records: Records, path: str) -> None:
    for role in ("agent", "technician"):
        calls = MadeUpCalls(role)
        assert Browser(calls, records.reader).post(path, contact="c1")[0] == 403 and calls.orders == []
        assert Browser(calls, records.reader).get("/contacts/export")[0] == 403


def test_a_technician_sees_no_contact(records: Records) -> None:
    code, _, html = Browser(MadeUpCalls("technician"), records.reader).get("/contacts")
    assert code == 403 and "علی" not in html


@pytest.mark.parametrize("wanted", ["%D8%B9%D9%84%D9%8A", "%DB%B0%DB%B9%DB%B1%DB%B2", "ali", "0912+123"])
def test_the_search_finds_in_every_script(records: Records, wanted: str) -> None:
    html = Browser(MadeUpCalls(), records.reader).get(f"/contacts?q={wanted}")[2]
    assert "علی کریمی" in html and "مینا" not in html


def test_a_saved_form_is_one_order_and_leads_back(records: Records) -> None:
    calls = MadeUpCalls()
    fields = {"name": "رضا", "numbers": "0912 111 1111; 88111111", "language": "fa", "vip": "yes", "contact": "c1"}
    code, headers, _ = Browser(calls, records.reader).post("/contacts/save", **fields)
    assert (code, headers["location"]) == (303, "/contacts?done=saved")
    contact = Contact("رضا", ("0912 111 1111", "88111111"), "", "fa", True, False, False, "", "c1")
    assert calls.orders == [wire.SaveContacts("good", (contact,))]


def test_what_is_refused_comes_back_as_it_was_typed(records: Records) -> None:
    calls = MadeUpCalls()
    calls.refusal = Problem("contacts.taken", number="4567", name="علی")
    code, _, html = Browser(calls, records.reader).post("/contacts/save", name="رضا", numbers="0912")
    assert code == 400 and "ends in 4567" in html and 'value="رضا"' in html


def test_a_contact_is_removed_by_its_id(records: Records) -> None:
    calls = MadeUpCalls()
    Browser(calls, records.reader).post("/contacts/remove", contact="c1")
    assert calls.orders == [wire.RemoveContacts("good", ("c1",))]


def test_the_export_is_a_table_of_everybody(records: Records) -> None:
    code, headers, text = Browser(MadeUpCalls(), records.reader).get("/contacts/export")
    assert code == 200 and headers["content-disposition"] == 'attachment; filename="contacts.csv"'
    assert text.splitlines()[1] == "علی کریمی,Ali,09121234567,en,yes,no,no,خریدار"


def test_a_file_is_shown_and_changes_nothing_until_it_is_done(records: Records) -> None:
    calls = MadeUpCalls()
    calls.reply = wire.Saved(())
    browser = Sender(calls, records.reader)
    content = "name,phone,city\nعلي,0912 123 4567,x\nرضا,09360000000,\nغلط,call me,\n"
    code, _, html = browser.send(content.encode("cp1256"))
    assert code == 200 and calls.orders == [] and "Windows-1256" in html and "city" in html
    for said in ("new: 1", "changed: 1", "left out: 1", "This is no telephone number: call me"):
        assert said in html
    code, headers, _ = browser.post("/contacts/import/do")
    assert (code, headers["location"]) == (303, "/contacts?imported=2")
    (order,) = calls.orders
    assert isinstance(order, wire.SaveContacts)
    assert [(each.contact, each.name) for each in order.contacts] == [("c1", "علی"), ("", "رضا")]
    assert browser.post("/contacts/import/do")[0] == 400  # a file is done once


def test_a_file_of_somebody_else_is_not_done(records: Records) -> None:
    calls = MadeUpCalls()
    browser = Sender(calls, records.reader)
    browser.send(b"name,phone\nAli,09360000000\n")
    calls.is_stopped = False
    browser.token = "other"
    assert browser.post("/contacts/import/do")[0] == 303 and calls.orders == []  # signed out: to the door


def test_a_large_import_goes_in_orders_of_fifty(records: Records) -> None:
    calls = MadeUpCalls()
    calls.reply = wire.Saved(())
    browser = Sender(calls, records.reader)
    browser.send("\n".join(many_rows(205)).encode())
    assert browser.post("/contacts/import/do")[1]["location"] == "/contacts?imported=205"
    assert [len(each.contacts) for each in calls.orders if isinstance(each, wire.SaveContacts)] == [50, 50, 50, 50, 5]


def test_a_form_of_another_site_and_a_file_that_is_none_are_refused(records: Records) -> None:
    browser = Sender(MadeUpCalls(), records.reader)
    assert browser.send(b"name,phone\n", form="forged")[0] == 400
    code, _, html = browser.send(b"")
    assert code == 400 and "The file is empty." in html
    assert browser.post("/contacts/import", name="x")[0] == 400  # no file at all


def test_a_file_may_be_large_at_its_own_path_alone(records: Records) -> None:
    browser = Sender(MadeUpCalls(), records.reader)
    assert browser.send("\n".join(many_rows(2_000)).encode())[0] == 200
    assert browser.ask("POST", "/contacts/save", b"x" * 20_000)[0] == 413
    assert browser.ask("POST", "/contacts/import", b"x" * 1_100_000, chunks=16)[0] == 413


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary="])
def test_a_body_of_another_kind_has_no_parts(kind: str) -> None:
    assert upload.parts(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--', kind) == {}


def test_a_part_is_given_back_byte_by_byte() -> None:
    content = bytes(range(256)) + b"\r\n--xx\r\n\r\n"
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + content + b"\r\n--x--\r\n"
    assert upload.parts(body.replace(b"--xx", b"-- x"), 'multipart/form-data; boundary="x"')["a"] == content.replace(
        b"--xx", b"-- x"
    )
