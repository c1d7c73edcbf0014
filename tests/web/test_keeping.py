"""The owner's page of holding and erasing: who may, what is shown before, what is typed, and what is left of it."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.control import wire
from appliance.control.wire import Role
from appliance.errors import Problem
from appliance.records.events import (
    ConversationErased,
    ConversationOpened,
    KeysDrilled,
    RecipientsChanged,
    RecordingDeleted,
    RecordingHeld,
    RecordingReleased,
    UpstreamErased,
    UpstreamReceipt,
)
from tests.records.given import a_call, opened
from tests.web.given import DAY, MINUTE, NOW, Browser, MadeUpCalls, Records

NUMBER = "09121234567"
ORDERS = ("hold", "release", "erase")


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    """Two calls of one number, and one of a caller who withheld theirs."""
    it = Records(tmp_path)
    it.talk("c1", at=NOW - DAY)
    it.talk("c2", at=NOW - 60 * MINUTE)
    nobody = replace(opened("c3", ""), customer_as_arrived="", is_withheld=True)
    calls = [happened for moment in a_call("c3") for happened in moment]
    it.at(NOW - 30 * MINUTE, *(nobody if isinstance(each, ConversationOpened) else each for each in calls))
    yield it
    it.close()


@pytest.fixture
def browser(records: Records) -> Browser:
    calls = MadeUpCalls()
    calls.reply = wire.Affected(2, 2)
    return Browser(calls, records.reader)


def page(browser: Browser, about: str) -> str:
    status, _, text = browser.get("/keeping?" + urllib.parse.urlencode({"about": about}))
    assert status == 200
    return text


@pytest.mark.parametrize("role", ["agent", "supervisor", "technician"])
def test_nobody_but_the_owner_sees_it_or_orders_anything(role: Role, records: Records) -> None:
    browser = Browser(MadeUpCalls(role), records.reader)
    assert browser.get("/keeping?about=c1")[0] == 403 and browser.get("/keeping/live")[0] == 403
    for order in ORDERS:
        status, _, text = browser.post(f"/keeping/{order}", about="c1", erase_why="x", digits="4567", seen="1")
        assert status == 403 and NUMBER not in text
    assert browser.calls.orders == []
    assert "/keeping" not in browser.get("/")[2] + browser.get("/conversations")[2]


@pytest.mark.parametrize("order", ORDERS)
def test_a_form_that_is_not_ours_orders_nothing(order: str, browser: Browser) -> None:
    fields = {"about": "c1", f"{order}_why": "x", "digits": "4567", "seen": "1"}
    assert browser.post(f"/keeping/{order}", "wrong", **fields)[0] == 403 and browser.calls.orders == []


def test_a_post_of_a_strangers_page_orders_nothing(browser: Browser) -> None:
    for headers in ({"origin": "https://elsewhere.example"}, {"sec-fetch-site": "cross-site"}):
        assert browser.ask_bytes("POST", "/keeping/erase", headers)[0] == 403
    assert browser.calls.orders == []


@pytest.mark.parametrize("about", [NUMBER, "+98 912 123 4567", "۰۹۱۲۱۲۳۴۵۶۷"])
def test_a_number_shows_how_many_conversations_it_reaches_in_any_way_of_writing_it(
    about: str, browser: Browser
) -> None:
    text = page(browser, about)
    assert "2 conversations, with 2 recordings." in text and "Nobody holds it." in text
    assert 'name="seen" value="2"' in text and 'action="/keeping/release"' not in text
    assert "4567" not in text.partition('id="erase"')[2].partition("</form>")[0].replace(about, "")  # it is typed


def test_hold_and_release_go_to_calls_with_their_reason_and_lead_back(browser: Browser) -> None:
    for order, kind, done in (
        ("hold", wire.HoldRecordings, "Held: 2"),
        ("release", wire.ReleaseRecordings, "Released"),
    ):
        status, headers, _ = browser.post(f"/keeping/{order}", about=NUMBER, **{f"{order}_why": "a lawsuit"})
        assert status == 303 and browser.calls.orders.pop() == kind("good", NUMBER, "a lawsuit")
        assert done in browser.get(headers["location"])[2]


def test_what_is_held_is_shown_with_its_reason_and_cannot_be_erased(browser: Browser, records: Records) -> None:
    records.at(NOW - MINUTE, RecordingHeld("h1", "", "+989121234567", "owner", "a <b>lawsuit</b>"))
    text = page(browser, NUMBER)
    assert "The number is held:" in text
    assert "a &lt;b&gt;lawsuit&lt;/b&gt;" in text and 'action="/keeping/release"' in text
    assert 'action="/keeping/erase"' not in text and "It cannot be erased now" in text
    one = page(browser, "c1")  # held by its number: released there
    assert 'action="/keeping/release"' not in one and 'href="/keeping?about=%2B989121234567"' in one
    assert browser.get("/conversations")[2].count(">held<") == 2
    records.at(NOW, RecordingReleased("h1", "", "owner", "it is over"))
    assert 'action="/keeping/erase"' in page(browser, NUMBER)


def test_one_conversation_that_is_held_stands_in_the_way_of_the_whole_number_and_is_named(
    browser: Browser, records: Records
) -> None:
    records.at(NOW - MINUTE, RecordingHeld("h1", "c2", "", "owner", "a lawsuit"), opened("c4"))
    text = page(browser, NUMBER)
    blocked = text.partition('id="blocked"')[2].partition("</section>")[0]
    assert re.findall(r"about=(c\d)", blocked) == ["c2", "c4"]
    assert "is held" in blocked and "goes on" in blocked and 'action="/keeping/erase"' not in text


@pytest.mark.parametrize(("digits", "seen"), [("", "2"), ("4568", "2"), ("1234567", "2"), ("4567", "1"), ("4567", "")])
def test_an_erasure_with_other_digits_or_of_more_than_was_shown_is_not_sent(
    digits: str, seen: str, browser: Browser
) -> None:
    status, _, text = browser.post("/keeping/erase", about=NUMBER, erase_why="asked for", digits=digits, seen=seen)
    assert status == 400 and browser.calls.orders == [] and "nothing was erased" in text
    assert 'name="erase_why" value="asked for"' in text


@pytest.mark.parametrize("digits", ["4567", "۴۵۶۷", " 4567 "])
def test_with_the_last_digits_of_the_number_it_is(digits: str, browser: Browser) -> None:
    status, headers, _ = browser.post("/keeping/erase", about=NUMBER, erase_why="asked for", digits=digits, seen="2")
    assert status == 303 and browser.calls.orders == [wire.EraseRecordings("good", NUMBER, "asked for")]
    assert "Erased: 2 conversations with 2 recordings." in browser.get(headers["location"])[2]


def test_a_conversation_without_a_number_is_confirmed_by_its_id(browser: Browser) -> None:
    text = page(browser, "c3")
    assert "withheld" in text and "letters of its id" in text
    assert browser.post("/keeping/erase", about="c3", erase_why="x", digits="c3", seen="1")[0] == 303


def test_what_calls_refuses_is_said_with_what_was_typed(browser: Browser) -> None:
    browser.calls.refusal = Problem("retention.no_reason", most=200)
    status, _, text = browser.post("/keeping/hold", about="c1", hold_why=" ")
    assert status == 400 and "A reason is needed" in text
    browser.calls.refusal = Problem("control.calls_is_stopped")
    assert browser.post("/keeping/hold", about="c1", hold_why="a lawsuit")[0] == 503


def test_the_tombstone_tells_where_something_is_still_to_go_until_it_is_gone_everywhere(
    browser: Browser, records: Records
) -> None:
    sent = [UpstreamReceipt(to, "body", f"{to}-c1", "c1-recording", 0, 0, "", 1, "there") for to in ("usb", "cloud")]
    records.at(NOW - 2 * MINUTE, *sent)
    records.at(NOW - MINUTE, ConversationErased("c1", "asked for", "owner", ("c1-recording",)))
    text = page(browser, "c1")
    assert "This is all that is left of it" in text and "asked for" in text and 'action="/keeping/' not in text
    row = row_of(text, "c1")
    assert "On the box: 1 still there" in row and row.count("1 still there") == 3
    records.at(NOW, RecordingDeleted("c1", "c1-recording", "erased"), UpstreamErased("usb", "c1-recording", ""))
    row = row_of(page(browser, ""), "c1")
    assert "On the box: gone" in row and "usb\u2069: gone" in row and "cloud\u2069: 1 still there" in row
    records.at(NOW, UpstreamErased("cloud", "c1-recording", "c1-recording.body"))
    row = row_of(page(browser, ""), "c1")
    assert "still there" not in row and "1 files stay locked" in row
    assert row_of(page(Browser(MadeUpCalls(), records.reader, language="fa"), ""), "c1").count("از میان رفت") == 3


def row_of(text: str, conversation: str) -> str:
    return text.partition(f'<tr id="tombstone-{conversation}">')[2].partition("</tr>")[0]


@pytest.mark.parametrize("about", ["nobody", "anonymous", '"><script>1</script>', "x" * 500])
def test_what_means_nothing_says_so(about: str, browser: Browser) -> None:
    status, _, text = browser.get("/keeping?" + urllib.parse.urlencode({"about": about}))
    assert status == 400 and 'role="alert"' in text and "<script>1" not in text and 'action="/keeping/hold"' not in text


def test_without_records_it_says_so_and_nothing_is_erased_unconfirmed() -> None:
    browser = Browser(MadeUpCalls())
    status, _, text = browser.get("/keeping?about=c1")
    assert status == 400 and "The records cannot be read just now." in text
    for about in ("c1", ""):
        assert browser.post("/keeping/erase", about=about, erase_why="x", digits="", seen="0")[0] == 400
    assert browser.calls.orders == []


def test_a_search_by_number_leads_the_owner_to_all_its_conversations(browser: Browser, records: Records) -> None:
    text = browser.get(f"/conversations?number={NUMBER}")[2]
    assert f'href="/keeping?about={NUMBER}"' in text and 'href="/keeping?about=c1"' in text
    others = Browser(MadeUpCalls("supervisor"), records.reader).get(f"/conversations?number={NUMBER}")[2]
    assert "/keeping" not in others


@pytest.mark.parametrize(
    ("days", "says", "todo"),
    [(None, "Nobody has tried yet", True), (10, "to be tried again by", False), (80, "to be tried again by", True),
     (95, "to be tried again by", True)],
)  # fmt: skip
def test_the_drill_with_the_paper_is_shown_with_what_to_do(
    days: int | None, says: str, todo: bool, browser: Browser, records: Records
) -> None:
    members = "owner Sara Rezai ab12\nrecovery paper cd34\nlistener Reza ef56"
    records.at(NOW - MINUTE, RecipientsChanged(members, 1, "aa", "aa", True))
    if days is not None:
        records.at(NOW - MINUTE, KeysDrilled(NOW - days * DAY, "ab12", "cd34"))
    keys = page(browser, "").partition('id="keys"')[2]
    assert says in keys and ("pasokh keys drill" in keys) is todo
    assert "Sara Rezai" in keys and "ef56" in keys and "Listener" in keys


def test_a_plain_list_of_keys_is_said_to_be_unsigned(browser: Browser, records: Records) -> None:
    records.at(NOW, RecipientsChanged("ab12", 0, "", "", True))
    keys = page(browser, "").partition('id="keys"')[2]
    assert "not signed" in keys and "pasokh keys ceremony" in keys and "ab12" in keys
