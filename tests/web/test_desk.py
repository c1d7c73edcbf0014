"""The pages of the office's work: who may, what is ordered, what comes back where it was refused, what is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from appliance.control import wire
from appliance.control.wire import Role, Switches
from appliance.errors import Problem
from appliance.messages.calendar import moment_of
from appliance.records.events import ContactSaved, RecordingHeld
from appliance.web.app import ROLES
from tests.web.given import DAY, MINUTE, NOW, NUMBER, SNAPSHOT, WAITS, Browser, MadeUpCalls, Records

ALI, MINA = "+989121234567", "+989351112233"
ORDERS: dict[str, dict[str, str]] = {
    "/owed/promise": {"number": NUMBER, "due": "23:50"},
    "/owed/change": {"request": "r1", "number": WAITS, "was_number": NUMBER, "due": "", "was_due": ""},
    "/owed/call": {"request": "r1"},
    "/owed/close": {"request": "r1", "state": "done"},
    "/switches": {"turn": "night_on"},
    "/calls/move": {"call": "c2", "line": "doctors", "seen": "reception"},
    "/calls/hang-up": {"call": "c1"},
}
FOR_LEADERS = ("/switches", "/calls/move", "/calls/hang-up")
EXPECTED: dict[str, wire.Order] = {
    "/owed/promise": wire.MakePromise("good", NUMBER, "23:50"),
    "/owed/change": wire.ChangeRequest("good", "r1", WAITS),
    "/owed/call": wire.CallNow("good", "r1"),
    "/owed/close": wire.CloseRequest("good", "r1", "done"),
    "/switches": wire.Turn("good", "night_on"),
    "/calls/move": wire.MoveCaller("good", "c2", "doctors", "reception"),
    "/calls/hang-up": wire.HangUpCall("good", "c1"),
}


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    it = Records(tmp_path)
    yield it
    it.close()


def texts(html: str) -> str:
    """What a reader sees, without tags and with single blanks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


# Who may --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ORDERS)
def test_an_order_goes_to_calls_as_it_was_typed_and_leads_back(path: str) -> None:
    calls = MadeUpCalls()
    calls.reply = wire.Promised("271820", NOW) if path == "/owed/promise" else wire.Done()
    status, headers, _ = Browser(calls).post(path, **ORDERS[path])
    assert calls.orders == [EXPECTED[path]]
    assert status == 303 and headers["location"].partition("?")[0] in ("/", "/owed", "/switches")


@pytest.mark.parametrize("path", ORDERS)
@pytest.mark.parametrize("role", ["supervisor", "agent", "technician"])
def test_only_those_who_may_give_an_order_and_others_are_told_so(path: str, role: Role) -> None:
    calls = MadeUpCalls(role)
    calls.reply = wire.Promised("271820", NOW) if path == "/owed/promise" else wire.Done()
    may = role == "supervisor" or (role == "agent" and path not in FOR_LEADERS)
    status, _, text = Browser(calls).post(path, **ORDERS[path])
    assert (status == 303) is may and bool(calls.orders) is may
    assert may or (status == 403 and f"not for the role {role}" in text)


@pytest.mark.parametrize("path", ORDERS)
@pytest.mark.parametrize("form", ["wrong", "0" * 64])
def test_an_order_in_a_form_that_is_not_ours_is_not_given(path: str, form: str) -> None:
    calls = MadeUpCalls()
    status, _, text = Browser(calls).post(path, form, **ORDERS[path])
    assert (status, calls.orders) == (403, []) and "too old, or came from elsewhere" in text


@pytest.mark.parametrize("path", ORDERS)
def test_an_order_of_somebody_who_is_not_signed_in_is_not_given(path: str) -> None:
    calls = MadeUpCalls()
    status, headers, _ = Browser(calls, token="stolen").post(path, **ORDERS[path])
    assert (status, headers["location"], calls.orders) == (303, "/sign-in", [])


def test_a_technician_sees_nobody_who_waits_and_no_page_of_the_office(records: Records) -> None:
    records.owe("promise", MINA, at=NOW - DAY, due=NOW + 5 * MINUTE, about="a secret")
    browser = Browser(MadeUpCalls("technician"), records.reader)
    for path in ("/", "/live", "/owed", "/owed/live", "/switches", "/switches/live"):
        status, _, text = browser.get(path)
        assert status == (200 if path in ("/", "/live") else 403)
        for hidden in (NUMBER, WAITS, "a secret", "02144556677", 'href="/owed"', "hang"):
            assert hidden not in text, (path, hidden)
    assert "reception" in browser.get("/")[2] and "sara" in browser.get("/")[2]  # lines and agents are no numbers


def test_an_agent_is_offered_neither_switches_nor_callers_to_move() -> None:
    agent, owner = Browser(MadeUpCalls("agent")).get("/")[2], Browser(MadeUpCalls()).get("/")[2]
    for form in ('action="/calls/move"', 'action="/calls/hang-up"', 'href="/switches"'):
        assert form in owner and form not in agent
    assert WAITS in agent and 'href="/owed"' in agent


def test_every_route_of_the_table_answers_and_every_form_leads_to_one(records: Records) -> None:
    records.owe("promise", MINA, at=NOW - DAY, due=NOW + 5 * MINUTE)
    records.owe("message", ALI, at=NOW - 60 * MINUTE)
    records.at(NOW, ContactSaved("c1", "Ali", "", (ALI,), "", False, False, False, "", "owner"))
    records.talk("c8", at=NOW)
    records.at(NOW, RecordingHeld("h1", "", MINA, "owner", "a lawsuit"))
    browser = Browser(MadeUpCalls(), records.reader)
    paths = "/", "/owed", "/owed?change=r1", "/owed?promise=r2", "/switches", "/me", "/agents", "/people"
    pages = [
        browser.get(path)
        for path in (*paths, "/contacts?edit=c1", f"/keeping?about={NUMBER}", f"/keeping?about={WAITS}")
    ]
    assert [status for status, _, _ in pages] == [200] * len(pages)
    forms = {
        action for _, _, text in pages for action in re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', text)
    }
    elsewhere = {"/sign-in", "/password", "/listen/{recording}", "/contacts/import/do", "/me/draft"}
    elsewhere |= {path for _, path in ROLES if path.startswith("/lists")} | {"/me/next", "/me/outcome"}  # test_lists.py
    assert forms == {path for method, path in ROLES if method == "POST"} - elsewhere
    for _, _, text in pages:
        for form in re.findall(r'<form[^>]*method="post".*?</form>', text, re.DOTALL):
            assert 'name="form"' in form, "without a token"


# What was refused -----------------------------------------------------------------------------------------------------


def test_a_refused_promise_comes_back_with_all_that_was_typed_and_what_to_do(records: Records) -> None:
    calls = MadeUpCalls()
    calls.refusal = Problem("desk.closed_hour")
    typed = {
        "number": "۰۹۱۲ ۱۲۳ ۴۵۶۷", "due": "فردا ظهر", "about": '<b>"نرخ" & more', "agent": "reza", "queue": "doctors",
        "language": "en",
    }  # fmt: skip
    status, _, text = Browser(calls, records.reader).post("/owed/promise", **typed)
    assert status == 400 and 'role="alert"' in text and "pasokh hours" in text
    for shown in ("۰۹۱۲ ۱۲۳ ۴۵۶۷", "فردا ظهر", "&lt;b&gt;&#34;نرخ&#34; &amp; more"):
        assert f'value="{shown}"' in text
    for chosen in ("<option selected>reza", "<option selected>doctors", '<option value="en" selected'):
        assert chosen in text
    assert '<details class="card" id="new-promise" open>' in text and "<b>" + '"نرخ"' not in text


def test_a_refused_change_comes_back_with_all_that_was_typed(records: Records) -> None:
    request = records.owe("promise", MINA, at=NOW - DAY, due=NOW + 5 * MINUTE)
    calls = MadeUpCalls()
    calls.refusal = Problem("desk.not_callable", number="0912")
    browser = Browser(calls, records.reader)
    typed = {"request": request, "number": "0912", "was_number": WAITS, "due": "٢٣:٥٠", "was_due": "x"}
    status, _, text = browser.post("/owed/change", **typed)
    assert status == 400 and "Nobody can be called at this number: 0912" in text
    assert all(f'value="{value}"' in text for value in typed.values())


@pytest.mark.parametrize(
    ("turn", "name", "typed", "problem"),
    [
        ("closed_until", "day", "1405/12/30", "There is no such day to come: 1405/12/30"),
        ("open_until", "time", "۲۵:۰۰", "There is no such time: ۲۵:۰۰"),
    ],
)
def test_a_switch_that_cannot_be_meant_is_not_turned_and_what_was_typed_stays(
    turn: str, name: str, typed: str, problem: str
) -> None:
    calls = MadeUpCalls()
    fields = {"turn": turn, name: typed}
    status, _, text = Browser(calls).post("/switches", **fields)
    assert (status, calls.orders) == (400, []) and problem in text and f'value="{typed}"' in text


def test_the_second_who_moves_a_caller_is_told_on_the_home_page_where_they_are() -> None:
    calls = MadeUpCalls()
    calls.refusal = Problem("desk.moved_already", line="doctors")
    status, _, text = Browser(calls).post("/calls/move", **ORDERS["/calls/move"])
    assert status == 409 and "was moved already, and waits in doctors" in text and WAITS in text


def test_what_was_typed_can_be_sent_again_after_calls_was_stopped_and_secrets_are_never_given_back() -> None:
    calls = MadeUpCalls()
    browser = Browser(calls)
    token = browser.form_token()
    calls.is_stopped = True
    status, _, text = browser.post("/owed/promise", token, number="0912", due="1405/09/15 16:30", about="قیمت")
    assert status == 503 and 'action="/owed/promise"' in text and "journalctl" in text
    assert all(f'value="{value}"' in text for value in ("0912", "1405/09/15 16:30", "قیمت", token))
    assert 'name="number"' not in browser.post("/owed/promise", "forged", number="0912")[2]
    assert "a long password" not in browser.post("/password", token, new="a long password", again="x")[2]


def test_a_form_that_became_too_old_is_shown_again_with_what_was_typed(records: Records) -> None:
    calls = MadeUpCalls()
    browser = Browser(calls, records.reader)
    _, _, text = browser.post("/owed/promise", "old", number="0912", due="16:30", about="قیمت")
    assert 'value="قیمت"' in text and f'value="{browser.form_token()}"' in text and calls.orders == []


def test_a_promise_that_stands_is_told_with_its_tracking_code() -> None:
    calls = MadeUpCalls()
    calls.reply = wire.Promised("271820", NOW)
    browser = Browser(calls)
    _, headers, _ = browser.post("/owed/promise", number=NUMBER, due="23:50")
    assert headers["location"] == "/owed?code=271820"
    assert "Tracking code: 271820" not in browser.get("/owed?code=271821")[2]  # no code of ours
    assert "<script>" not in browser.get("/owed?code=<script>&done=<script>&change=<script>")[2]
    assert "Is called as soon as an agent is free." in browser.get("/owed?done=called")[2]


def test_a_change_of_what_is_not_open_any_more_says_so(records: Records) -> None:
    request = records.owe("promise", MINA, at=NOW - DAY, due=NOW + 5 * MINUTE)
    records.settle(request, "done", at=NOW - MINUTE)
    status, _, text = Browser(MadeUpCalls(), records.reader).get(f"/owed?change={request}")
    assert status == 409 and "not open any more" in text and 'action="/owed/change"' not in text


# What is shown --------------------------------------------------------------------------------------------------------


def test_who_waits_for_us_has_one_row_with_all_that_is_owed_and_the_overdue_stand_first(records: Records) -> None:
    records.owe("callback", ALI, at=NOW - 3 * DAY)
    records.owe("missed", "+982144556677", at=NOW - 2 * DAY, due=NOW + DAY)
    records.owe("promise", ALI, at=NOW - DAY, due=NOW + DAY, about="prices", agent="sara")
    records.owe("promise", MINA, at=NOW - 60 * MINUTE, due=NOW - 20 * MINUTE)
    records.owe("message", "", at=NOW - 50 * MINUTE, due=NOW - 10 * MINUTE)
    text = Browser(MadeUpCalls(), records.reader).get("/owed")[2]
    listed = text[text.index('id="persons"') : text.index('id="promises"')]
    rows = [texts(row) for row in re.split(r"<li(?: class=\"late\")?>\s*<div class=\"who\">", listed)[1:]]
    assert [row.split()[0] for row in rows] == [WAITS, "withheld", NUMBER, "02144556677"]
    assert ["overdue" in row for row in rows] == [True, True, False, False]
    assert "Callback" in rows[2] and "Promise" in rows[2] and "prices" in rows[2] and "sara" in rows[2]
    assert rows[0].count("Call now") == 1 and "Call now" not in rows[1]  # a message of nobody known


def test_the_on_time_rate_has_its_n_and_below_thirty_its_interval_and_no_colour(records: Records) -> None:
    for day in range(12, 0, -1):
        request = records.owe("promise", ALI, at=NOW - day * DAY - 60 * MINUTE, due=NOW - day * DAY)
        if day % 3:
            records.talk(f"c{day}", at=NOW - day * DAY + 2 * MINUTE)
        records.settle(request, "done", at=NOW - day * DAY + 20 * MINUTE)
    records.owe("promise", MINA, at=NOW - MINUTE, due=NOW + DAY)
    text = Browser(MadeUpCalls(), records.reader).get("/owed")[2]
    (figure,) = re.findall(r'<p class="figure">.*?</p>', text)
    assert texts(figure).strip() == "66.7 % 8 of 12 · 95 % interval: 39.1 to 86.2 %"
    assert "good" not in figure and "bad" not in figure and "state" not in figure
    assert len(re.findall(r"</i>kept<", text)) == 8 and len(re.findall(r"</i>broken<", text)) == 4
    assert len(re.findall(r"</i>to come<", text)) == 1 and "Next due: tomorrow 18:46." in text


def test_from_thirty_on_the_rate_stands_without_an_interval(records: Records) -> None:
    for number in range(30):
        at = NOW - 20 * DAY + number * 40 * MINUTE
        records.owe("promise", f"+98912000{number:04}", at=at, due=at + 30 * MINUTE)
    text = Browser(MadeUpCalls(), records.reader).get("/owed")[2]
    (figure,) = re.findall(r'<p class="figure">.*?</p>', text)
    assert texts(figure).strip() == "0.0 % 0 of 30"


def test_promises_within_ten_minutes_stand_on_the_home_page_and_others_do_not(records: Records) -> None:
    for minutes, about in ((-20, "broken"), (-5, "late"), (9, "soon"), (11, "later")):
        records.owe("promise", MINA, at=NOW - DAY, due=NOW + minutes * MINUTE, about=about)
    taken = records.owe("promise", MINA, at=NOW - DAY, due=NOW + MINUTE, about="taken back")
    records.settle(taken, "cancelled", at=NOW - MINUTE)
    text = Browser(MadeUpCalls(), records.reader).get("/")[2]
    shown = texts(text[text.index('id="reminders"') : text.index('id="health"')])
    assert [word in shown for word in ("broken", "late", "soon", "later", "taken back")] == [
        *(False, True, True, False, False),
    ]
    assert shown.count("overdue") == 1
    assert "1 persons overdue: 1" in texts(text)


def test_lines_agents_and_those_who_wait_are_on_the_home_page() -> None:
    text = texts(Browser(MadeUpCalls()).get("/")[2])
    assert "reception 2 1:01 2 0 callers wait" in text and "doctors 0 – 1 1 free" in text
    assert f"{WAITS} place 1 in reception · 1:01" in text and "02144556677 place 2 in reception · 0:20" in text
    assert text.index(WAITS) < text.index("02144556677")
    for agent in ("sara talking 1:35", "reza free", "nima phone not registered"):
        assert agent in text


def test_a_callback_that_waits_for_its_agent_is_told_apart_and_not_moved() -> None:
    calls = MadeUpCalls()
    ours = [msgspec.structs.replace(call, direction="out") for call in SNAPSHOT.calls]
    calls.snapshot = msgspec.structs.replace(SNAPSHOT, calls=tuple(ours))
    text = Browser(calls).get("/")[2]
    assert f"{WAITS} we call them · place 1 in reception" in texts(text) and f"{NUMBER} we call them" in texts(text)
    assert 'action="/calls/move"' not in text


def test_a_box_without_lines_shows_none() -> None:
    calls = MadeUpCalls()
    calls.snapshot = msgspec.structs.replace(SNAPSHOT, lines=(), agents=(), calls=())
    text = Browser(calls).get("/")[2]
    assert "Waiting lines" not in text and "<h2>Agents" not in text and "Who waits" not in text


def test_what_is_switched_is_told_strongest_first_with_its_end() -> None:
    calls = MadeUpCalls()
    browser = Browser(calls)
    assert "As the opening hours say" in texts(browser.get("/switches")[2])
    calls.switch(Switches(night=True, closed_until=moment_of("1405/09/05 00:00") or 0, divert="09121112233"))
    text = texts(browser.get("/switches")[2])
    assert "Closed: night, until somebody turns it off End this" in text
    assert "Closed until Thursday, 26 November 2026 (in force once what stands above has ended)" in text
    assert "Every call is tried at 09121112233 first" in text and "Back to normal" in text
    assert "Closed: night" in texts(browser.get("/")[2])
    calls.switch(Switches(closed_until=NOW - 1, open_until=NOW + 60 * MINUTE))
    assert "Open until today 19:46" in texts(browser.get("/")[2])


def test_pages_are_persian_first_from_right_to_left_in_persian_digits(records: Records) -> None:
    records.owe("promise", MINA, at=NOW - DAY, due=NOW - 20 * MINUTE)
    browser = Browser(MadeUpCalls(), records.reader, language="fa")
    text = browser.get("/owed")[2]
    assert '<html lang="fa" dir="rtl">' in text and "۰۹۳۵۱۱۱۲۲۳۳" in text and "دیر شده" in text
    assert "موعد: امروز ۱۸:۲۶" in texts(text)
    assert "۰۹۳۵۱۱۱۲۲۳۳" in browser.get("/owed?change=r1")[2]


def test_the_stream_brings_the_parts_of_its_page(records: Records) -> None:
    records.owe("promise", MINA, at=NOW - DAY, due=NOW - 20 * MINUTE)
    browser = Browser(MadeUpCalls(), records.reader)
    for path, parts in (
        ("/owed/live", {"findings", "persons", "promises"}),
        ("/switches/live", {"findings", "switched"}),
    ):
        _, headers, text = browser.get(path)
        assert headers["content-type"].startswith("text/event-stream")
        assert set(json.loads(text.partition("data: ")[2])) == parts


def test_pages_open_while_the_records_cannot_be_read() -> None:
    status, _, text = Browser(MadeUpCalls()).get("/owed")
    assert status == 200 and "The records cannot be read just now." in text


def test_who_chooses_a_language_stays_on_the_page() -> None:
    browser = Browser(MadeUpCalls())
    for back, expected in (("/owed", "/owed"), ("/switches", "/switches"), ("//evil.example", "/"), ("/live", "/")):
        assert browser.post("/language", language="fa", back=back)[1]["location"] == expected
