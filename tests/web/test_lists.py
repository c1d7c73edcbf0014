"""The pages of outbound lists: who may, an import that is shown before it is done, and an agent's next customer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from appliance.control import wire
from appliance.control.wire import DeskEntry, ListNow, ListRow, Role
from appliance.records.events import DoNotCallSet, ListAttemptSettled, ListEntryAdded, ListEntryDialled
from tests.web.given import DESK, NOW, Browser, MadeUpCalls, Records

BOUNDARY = "----boundary"
ALI = "+989121234567"
PATHS = ("/lists/turn", "/lists/import", "/lists/import/do", "/lists/forbid", "/lists/allow")


class Calls(MadeUpCalls):
    """Calls with one list, in which no number may stand that ends in 999."""

    def __init__(self, role: Role = "owner") -> None:
        super().__init__(role)
        self.why_closed = ""

    async def order(self, order: wire.Order | wire.DeskOrder | wire.PeopleOrder | wire.SeatOrder) -> wire.Reply:
        match order:
            case wire.AskLists():
                return wire.ListsNow((ListNow("spring", 7, self.why_closed, ("sold",)),))
            case wire.CheckNumbers(_, _, numbers):
                return wire.Checked(tuple((each, "do_not_call" if each.endswith("999") else "") for each in numbers))
            case wire.AddToList(_, _, rows):
                await super().order(order)
                return wire.Counted(len(rows))
            case wire.ForbidNumbers(_, numbers):
                await super().order(order)
                return wire.Counted(len(numbers))
            case _:
                return await super().order(order)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    it = Records(tmp_path)
    it.at(NOW, ListEntryAdded("e1", "spring", ALI, "=علی", "fa", ("a", "", ""), "owner"))
    it.at(NOW, ListEntryAdded("e2", "spring", "+989350000000", "<b>مینا</b>", "fa", (), "owner"))
    it.at(NOW, ListEntryDialled("c1", "e1", "l1", "provider", "sara", 0, "{}"))
    it.at(NOW, ListAttemptSettled("c1", "e1", "reached", "sold", "sara", "done", 0, 1, 10))
    it.at(NOW, DoNotCallSet("m1", "+989361112233", "owner", "page"))
    yield it
    it.close()


def send(browser: Browser, content: bytes, name: str = "spring") -> tuple[int, dict[str, str], str]:
    parts = (("form", browser.form_token().encode()), ("list", name.encode()), ("file", content))
    body = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n'.encode() + value + b"\r\n"
        for field, value in parts
    )
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return browser.ask("POST", "/lists/import", body + f"--{BOUNDARY}--\r\n".encode(), kind=kind)


def test_who_leads_sees_lists_progress_and_who_is_not_to_be_called(records: Records) -> None:
    code, _, html = Browser(Calls("supervisor"), records.reader).get("/lists")
    assert code == 200 and "spring" in html and "still to be called: 7" in html
    assert "<td>reached</td>" in html and "<td>not called yet</td>" in html and "09361112233" in html
    fa = Browser(Calls(), records.reader, language="fa").get("/lists")[2]
    assert "گفتگو شد" in fa and "۰۹۳۶۱۱۱۲۲۳۳" in fa


@pytest.mark.parametrize("role", ["agent", "technician"])
def test_nobody_else_sees_or_changes_lists(records: Records, role: Role) -> None:
    calls = Calls(role)
    browser = Browser(calls, records.reader)
    assert browser.get("/lists")[0] == 403 and browser.get("/lists/export?list=spring")[0] == 403
    assert [browser.post(path, list="spring")[0] for path in PATHS] == [403] * len(PATHS) and calls.orders == []


def test_a_file_shows_its_wrong_rows_first_and_is_done_with_one_press(records: Records) -> None:
    calls = Calls()
    browser = Browser(calls, records.reader)
    code, _, html = send(browser, "شماره;نام\n09121111111;رضا\n09121111999;x\n09121111111;again\n".encode("utf-16"))
    assert code == 200 and calls.orders == [] and "UTF-16" in html
    assert html.index("is not to be called") < html.index("new: 1") and "left out: 2" in html
    code, headers, _ = browser.post("/lists/import/do", list="spring")
    assert (code, headers["location"]) == (303, "/lists?added=1")
    assert calls.orders == [wire.AddToList("good", "spring", (ListRow("09121111111", "رضا", "", ("", "", "")),))]
    assert "Taken in: 1" in browser.get("/lists?added=1")[2]
    assert browser.post("/lists/import/do", list="spring")[0] == 400  # a file is done once


def test_a_large_file_goes_in_orders_of_fifty(records: Records) -> None:
    calls = Calls()
    browser = Browser(calls, records.reader)
    send(browser, "\n".join(["number", *(f"0912{number:07}" for number in range(120))]).encode())
    assert browser.post("/lists/import/do", list="spring")[1]["location"] == "/lists?added=120"
    assert [len(each.rows) for each in calls.orders if isinstance(each, wire.AddToList)] == [50, 50, 20]


def test_a_file_that_is_none_is_refused(records: Records) -> None:
    code, _, html = send(Browser(Calls(), records.reader), b"")
    assert code == 400 and "The file is empty." in html


def test_a_list_is_paused_and_numbers_are_forbidden_and_allowed(records: Records) -> None:
    calls = Calls()
    browser = Browser(calls, records.reader)
    browser.post("/lists/turn", list="spring", pause="yes")
    browser.post("/lists/forbid", numbers="0912 111 1111; 09350000000")
    browser.post("/lists/allow", number="+989361112233")
    assert calls.orders == [
        wire.TurnList("good", "spring", True),
        wire.ForbidNumbers("good", ("0912 111 1111", "09350000000"), "page"),
        wire.AllowNumber("good", "+989361112233"),
    ]
    assert browser.post("/lists/forbid", numbers="")[0] == 400
    calls.why_closed = "paused"
    assert "Go on" in browser.get("/lists")[2]


def test_the_export_opens_in_excel_and_calculates_nothing(records: Records) -> None:
    _, headers, text = Browser(Calls(), records.reader).get("/lists/export?list=spring")
    assert headers["content-disposition"].endswith('"outcomes.csv"') and text.startswith("\ufeff")
    assert "09121234567,'=علی,fa,a,,,reached,sold,1,sara," in text


def test_an_agent_asks_for_the_next_customer_and_says_what_came_of_it(records: Records) -> None:
    calls = Calls("agent")
    entry = DeskEntry("c1", "spring", ALI, "<b>Ali</b>", ("a", "", ""), 1, "", "", ("sold", "not now"))
    calls.desk_now = msgspec.structs.replace(DESK, lists=(ListNow("spring", 7, ""),), entry=entry)
    browser = Browser(calls, records.reader)
    html = browser.get("/me")[2]
    assert "Next customer" in html and "09121234567" in html and "&lt;b&gt;Ali" in html and 'value="sold"' in html
    browser.post("/me/next", list="spring", agent="Sara")
    browser.post("/me/outcome", agent="Sara", conversation="c1", outcome="reached", result="sold")
    browser.post("/me/outcome", agent="Sara", outcome="call_again", due="۱۶:۳۰")
    assert calls.orders[0] == wire.NextCustomer("good", "Sara", "spring")
    assert calls.orders[1] == wire.SayOutcome("good", "Sara", "c1", "reached", "sold")
    said = calls.orders[2]
    assert isinstance(said, wire.SayOutcome) and said.outcome == "call_again" and said.due
    calls.desk_now = msgspec.structs.replace(DESK, lists=(ListNow("spring", 7, "closed"),))
    assert "outside its hours" in browser.get("/me")[2]
    calls.desk_now = DESK
    assert 'id="lists"' not in browser.get("/me")[2]
