"""An agent's own page: what it shows, what it orders and for whom, and what comes back where others were faster."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from appliance.control import wire
from appliance.control.wire import Role
from appliance.errors import Problem
from appliance.records.events import Identified, WrapUpGiven
from tests.records.given import opened, whole_call
from tests.web.given import CALL, DESK, FORM, MINUTE, NOW, NUMBER, Browser, MadeUpCalls, Records
from tests.web.test_desk import texts

FIELDS = {"disposition": "settled", "seen_disposition": "0", "note": "ok\r\nyes", "seen_note": "2", "resolved": "yes"}
OF_CALL = {"agent": "sara", "desk": "", "conversation": "c9"}
SENT = tuple(
    wire.FormField(*each) for each in (("disposition", "settled", 0), ("note", "ok\nyes", 2), ("resolved", "yes", 0))
)
ORDERS: dict[str, tuple[dict[str, str], wire.DeskOrder | wire.MakePromise]] = {
    "/me/away": ({"agent": "sara", "reason": "meal"}, wire.GoAway("good", "sara", "meal")),
    "/me/give": ({**OF_CALL, **FIELDS}, wire.GiveForm("good", "sara", "c9", SENT)),
    "/me/draft": ({**OF_CALL, **FIELDS}, wire.WriteForm("good", "sara", "c9", SENT)),
    "/me/extend": (OF_CALL, wire.ExtendForm("good", "sara", "c9")),
    "/me/brief": ({**OF_CALL, "text": "call \x00 him"}, wire.WriteBrief("good", "sara", "c9", "call  him")),
    "/me/pause": ({**OF_CALL, "is_on": "1"}, wire.PauseRecording("good", "sara", "c9", is_on=True)),
    "/me/promise": (
        {"agent": "sara", "number": NUMBER, "due": "1630", "about": "price", "queue": "reception"},
        wire.MakePromise("good", NUMBER, "1630", "price", "reception", "sara"),
    ),
}  # fmt: skip
REPLIES: dict[str, wire.Reply] = {
    "/me/give": wire.Written(FORM.fields),
    "/me/draft": wire.Written(FORM.fields),
    "/me/promise": wire.Promised("271820", NOW),
}


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    it = Records(tmp_path)
    yield it
    it.close()


@pytest.mark.parametrize("path", ORDERS)
def test_what_an_agent_orders_goes_to_calls_as_it_was_typed(path: str) -> None:
    calls = MadeUpCalls("agent")
    calls.reply = REPLIES.get(path, wire.Done())
    fields, expected = ORDERS[path]
    status, headers, _ = Browser(calls).post(path, **fields)
    assert calls.orders == [expected]
    assert status == 200 if path == "/me/draft" else status == 303 and headers["location"].startswith("/me")


@pytest.mark.parametrize("path", [*ORDERS, "/me"])
def test_a_technician_has_no_desk_and_orders_nothing_there(path: str) -> None:
    calls = MadeUpCalls("technician")
    browser = Browser(calls)
    status, _, text = browser.get(path) if path == "/me" else browser.post(path, **ORDERS[path][0])
    assert status == 403 and not calls.orders and NUMBER not in text


@pytest.mark.parametrize("path", ORDERS)
def test_an_order_in_a_form_that_is_not_ours_is_not_given(path: str) -> None:
    calls = MadeUpCalls("agent")
    assert Browser(calls).post(path, "0" * 64, **ORDERS[path][0])[0] in (400, 403) and not calls.orders


def test_who_leads_comes_back_to_the_desk_at_which_they_were() -> None:
    calls = MadeUpCalls("supervisor")
    _, headers, _ = Browser(calls).post("/me/away", agent="سارا", desk="سارا", reason="")
    assert headers["location"] == "/me?agent=" + urllib.parse.quote("سارا")
    Browser(calls).get("/me?agent=reza")
    assert calls.asked_desks == ["reza"]


def test_the_page_shows_who_rings_why_and_what_is_known_of_them(records: Records) -> None:
    given = WrapUpGiven("c7", "first", "settled", "two <boxes>", "yes", "request", 70_000)
    records.at(NOW - 20 * MINUTE, *whole_call("c7"), given)
    records.at(NOW - MINUTE, opened("c1"), Identified("c1", "pin", True, "7", 100))
    records.owe("promise", "+989121234567", at=NOW, due=NOW + 10 * MINUTE, about="the catalogue")
    text = texts(Browser(MadeUpCalls("agent"), records.reader).get("/me")[2])
    assert f"{NUMBER} علی" in text and "rings for you" in text and "reception" in text and "proven" in text
    assert "From reza: wants &lt;i&gt;two&lt;/i&gt; of them" in text
    assert "settled: two &lt;boxes&gt;" in text and "the catalogue" in text


def test_a_withheld_number_is_told_so_and_nothing_is_looked_for(records: Records) -> None:
    calls = MadeUpCalls("agent")
    records.at(NOW - MINUTE, *whole_call("c7"))
    hidden = msgspec.structs.replace(CALL, customer="", shown="", name="")
    calls.desk_now = msgspec.structs.replace(DESK, call=hidden, form=None)
    text = texts(Browser(calls, records.reader).get("/me")[2])
    assert "withheld" in text and "None before this call." in text and 'id="wrap-up"' not in text


@pytest.mark.parametrize(("recording", "button"), [("live", "Pause the recording"), ("paused", "Resume the recording")])
def test_who_speaks_may_pause_what_is_recorded_and_sees_when_it_goes_on(recording: str, button: str) -> None:
    calls = MadeUpCalls("agent")
    calls.desk_now = msgspec.structs.replace(DESK, call=msgspec.structs.replace(CALL, recording=""))
    html = Browser(calls).get("/me")[2]
    assert 'id="pause"' not in html, "nothing is recorded"
    until = NOW + 42_000 if recording == "paused" else 0
    call = msgspec.structs.replace(CALL, is_speaking=True, recording=recording, pause_until_utc_ms=until)
    calls.desk_now = msgspec.structs.replace(DESK, call=call)
    html = Browser(calls).get("/me")[2]
    assert button in texts(html) and f'name="is_on" value="{int(recording == "live")}"' in html
    assert (f'data-until="{until}">0:42' in html) is (recording == "paused")
    keys = [key for pressed in re.findall(r'data-press="([^"]+)"', html) for key in pressed.split()]
    assert len(set(keys)) == len(keys) and "KeyZ" in keys


@pytest.mark.parametrize("language", ["fa", "en"])
def test_every_key_stands_beside_what_it_does_and_means_one_thing(language: str) -> None:
    html = Browser(MadeUpCalls("agent"), language="fa" if language == "fa" else "en").get("/me")[2]
    keys = [key for pressed in re.findall(r'data-press="([^"]+)"', html) for key in pressed.split()]
    assert len(set(keys)) == len(keys) >= 20
    shown = re.findall(r"<kbd>(.)</kbd>", html)
    assert sorted(shown) == sorted(key.removeprefix("Key").removeprefix("Digit") for key in keys if "Numpad" not in key)


def test_what_was_refused_comes_back_with_what_was_typed_and_what_to_do() -> None:
    calls = MadeUpCalls("agent")
    calls.refusal = Problem("desk.no_disposition")
    status, _, html = Browser(calls).post("/me/give", **OF_CALL, note="a <b> note", seen_note="2")
    assert (
        status == 400 and "What came of the call is not chosen yet." in html and "a &lt;b&gt; note</textarea>" in html
    )


def test_the_second_of_two_who_give_one_form_is_told_what_the_first_has_written_and_loses_nothing() -> None:
    calls = MadeUpCalls("agent")
    theirs = tuple(
        msgspec.structs.replace(each, value="theirs", version=3) if each.name == "note" else each
        for each in FORM.fields
    )
    calls.reply = wire.Written(theirs, ("note",))
    status, _, html = Browser(calls).post("/me/give", **OF_CALL, **FIELDS)
    assert status == 409 and "Note: theirs" in texts(html) and "ok\r\nyes</textarea>" in html
    assert '<input type="hidden" name="seen_note" value="3">' in html  # giving it again puts ours in its place


def test_the_script_is_told_which_fields_others_had_changed() -> None:
    calls = MadeUpCalls("agent")
    calls.reply = wire.Written(FORM.fields, ("note",))
    status, headers, text = Browser(calls).post("/me/draft", **OF_CALL, note="x", seen_note="1")
    told = json.loads(text)
    assert status == 409 and told["changed"] == ["note"] and headers["cache-control"] == "no-store"
    assert told["fields"]["note"] == {"value": "asks for <b>the</b> price", "version": 2}
    calls.refusal = Problem("control.calls_is_stopped")
    assert Browser(calls).post("/me/draft", **OF_CALL, note="x")[0] == 503


def test_a_note_of_the_greatest_length_fits_into_a_request_and_a_longer_one_is_cut() -> None:
    calls = MadeUpCalls("agent")
    calls.reply = wire.Written(FORM.fields)
    assert Browser(calls).post("/me/draft", **OF_CALL, note="م" * 2000, seen_note="9" * 400)[0] == 200
    Browser(calls).post("/me/draft", **OF_CALL, note="x" * 9000)
    notes = [each.fields[0] for each in calls.orders if isinstance(each, wire.WriteForm)]
    assert [len(each.value) for each in notes] == [2000, 2000] and notes[0].version == 999_999_999


def test_the_live_page_says_again_what_changed_and_leaves_the_form_into_which_people_type() -> None:
    calls = MadeUpCalls("agent")
    text = Browser(calls).get("/me/live")[2]
    parts = json.loads(text.split("data: ", 1)[1].split("\n", 1)[0])
    assert set(parts) == {"findings", "presence", "call", "task", "list", "wrap", "draft"}
    assert 'data-same="c9"' in parts["wrap"] and "the</b>" not in parts["wrap"]
    assert 'data-name="note" data-version="2" data-value="asks for &lt;b&gt;the&lt;/b&gt; price"' in parts["draft"]


def test_calls_that_dies_between_picture_and_desk_sends_nobody_away() -> None:
    calls = MadeUpCalls("agent")
    browser = Browser(calls)
    calls.desk_stops = True
    text = browser.get("/me/live")[2]
    assert "event: gone" not in text and '"findings"' in text and '"wrap"' not in text


# Who may sign in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["supervisor", "agent", "technician"])
def test_only_the_owner_makes_people(role: Role) -> None:
    calls = MadeUpCalls(role)
    browser = Browser(calls)
    assert browser.get("/people")[0] == 403
    assert browser.post("/people/invite", name="x", role="agent")[0] == 403 and not calls.orders


def test_a_code_is_shown_once_to_the_owner_and_nobody_becomes_owner() -> None:
    calls = MadeUpCalls()
    calls.reply = wire.Invited("reza", "ABCDE23456")
    browser = Browser(calls)
    status, headers, html = browser.post("/people/invite", name=" Reza ", role="owner")
    assert calls.orders == [wire.InvitePerson("good", "Reza", "agent")]
    assert status == 200 and "ABCDE23456" in html and headers["cache-control"] == "no-store"
    text = texts(browser.get("/people")[2])
    assert "ABCDE23456" not in text and "has a code and no password yet" in text
    assert '<option value="Reza">' in html and '<option value="Sara">' not in html


def test_what_a_person_could_not_be_made_for_is_said_on_the_page() -> None:
    calls = MadeUpCalls()
    calls.refusal = Problem("access.one_owner")
    status, _, html = Browser(calls).post("/people/remove", name="owner")
    assert status == 400 and "neither made nor taken away" in html
