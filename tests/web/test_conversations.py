"""The pages of past conversations: who finds what, what is typed, pages, and whom to listen to next."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.control.wire import Role
from appliance.records.events import ContactSaved, ConversationOpened, RecordingTaken, SurveyAnswered
from tests.records.given import a_call, opened
from tests.web.given import DAY, MINUTE, NOW, Browser, MadeUpCalls, Records


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    """Three calls: of yesterday, of an hour ago, and one that was not content."""
    it = Records(tmp_path)
    it.talk("c1", at=NOW - DAY)
    it.talk("c2", at=NOW - 60 * MINUTE)
    calls = [happened for moment in a_call("c3") for happened in moment]
    mina = replace(opened("c3", "+982144556677"), customer_as_arrived="02144556677", customer_name="مينا كاظمي")
    it.at(NOW - 30 * MINUTE, *(mina if isinstance(each, ConversationOpened) else each for each in calls))
    it.at(NOW - 29 * MINUTE, SurveyAnswered("c3", "csat", 1, "survey", 60_000))
    yield it
    it.close()


def found(text: str) -> list[str]:
    """The conversations of a page, by the links that lead to their sound."""
    return re.findall(r'href="/listen/(c\d+)-recording"', text)


def test_without_a_question_the_newest_come_first_and_each_leads_to_its_sound(records: Records) -> None:
    status, _, text = Browser(MadeUpCalls(), records.reader).get("/conversations")
    assert status == 200 and found(text) == ["c3", "c2", "c1"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("number=09121234567", ["c2", "c1"]),
        ("number=%DB%B0%DB%B9%DB%B1%DB%B2", ["c2", "c1"]),  # 0912 in Persian digits
        ("number=4455+6677", ["c3"]),
        ("name=%D9%85%DB%8C%D9%86%D8%A7+%DA%A9%D8%A7%D8%B8%D9%85%DB%8C", ["c3"]),  # with Persian ye and kaf
        ("since=1405/09/02", ["c3", "c2"]),
        ("until=2026-11-22", ["c1"]),
        ("score=2", ["c3"]),
        ("outcome=abandoned", []),
        ("agent=FIRST&sort=oldest", ["c1", "c2", "c3"]),
        ("overtalk=0.3", None),
        ("dead_air=1", ["c3", "c2", "c1"]),
        ("dead_air=2", []),
    ],
)
def test_what_is_asked_is_found(records: Records, query: str, expected: list[str] | None) -> None:
    status, _, text = Browser(MadeUpCalls(), records.reader).get(f"/conversations?{query}")
    if expected is None:
        assert status == 400 and "Both at once: &#39;0.3&#39; is no length of time" in text and "<table" not in text
    else:
        assert status == 200 and found(text) == expected
        assert ("Nothing was found." in text) is (not expected)


def test_what_was_typed_stays_in_the_form_and_cannot_break_out_of_it(records: Records) -> None:
    typed = '"><script>1</script>'
    _, _, text = Browser(MadeUpCalls(), records.reader).get(
        "/conversations?name=%22%3E%3Cscript%3E1%3C%2Fscript%3E&outcome=served&at_least=90"
    )
    assert f'name="name" value="{html.escape(typed).replace("&quot;", "&#34;")}"' in text and "<script>1" not in text
    assert '<option value="served" selected>' in text and 'name="at_least" value="90"' in text
    assert '<details id="more" open>' in text


def test_a_long_answer_comes_in_pages_that_keep_the_question(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for number in range(60):
        records.talk(f"c{number}", at=NOW - (60 - number) * MINUTE)
    browser = Browser(MadeUpCalls(), records.reader)
    _, _, first = browser.get("/conversations?agent=first")
    address = html.unescape(re.findall(r'rel="next" href="([^"]+)"', first)[0])
    _, _, second = browser.get(address)
    assert found(first) + found(second) == [f"c{number}" for number in reversed(range(60))]
    assert len(found(first)) == 50 and 'rel="next"' not in second and 'href="/conversations?agent=first"' in second
    records.close()


def test_an_agent_finds_the_own_conversations_only_whatever_is_asked(records: Records) -> None:
    calls = MadeUpCalls("agent")
    for query in ("", "?agent=first", "?agent=&number=0912"):
        status, _, text = Browser(calls, records.reader).get(f"/conversations{query}")
        assert status == 200 and "Nothing was found." in text and "0912" not in text.partition("<section")[2]
    calls.actor = "first"
    _, _, text = Browser(calls, records.reader).get("/conversations")
    assert text.count("<tr><td") == 3 and "/listen/" not in text  # what can be heard is for those who lead


@pytest.mark.parametrize("path", ["/conversations", "/listening"])
@pytest.mark.parametrize("role", ["owner", "supervisor", "agent", "technician"])
def test_only_those_may_look_who_may(records: Records, path: str, role: Role) -> None:
    may = role in ("owner", "supervisor") or (role == "agent" and path == "/conversations")
    status, _, text = Browser(MadeUpCalls(role), records.reader).get(path)
    assert status == (200 if may else 403) and ("09121234567" in text) is (may and role != "agent")


def test_the_pages_say_so_while_the_records_cannot_be_read() -> None:
    for path in ("/conversations", "/listening"):
        status, _, text = Browser(MadeUpCalls()).get(path)
        assert status == 200 and "The records cannot be read just now." in text


def test_whom_to_listen_to_stands_with_why_in_both_languages(records: Records) -> None:
    _, _, text = Browser(MadeUpCalls(), records.reader).get("/listening")
    assert sorted(found(text)) == ["c1", "c2", "c3"]  # so few that the draw takes all
    assert "the customer was not content: 1" in text and "rang again within 7 days" in text
    _, _, text = Browser(MadeUpCalls(), records.reader, language="fa").get("/listening")
    assert "مشتری ناراضی بود: ۱" in text and "به قید قرعه" in text


def test_both_pages_are_in_persian_with_its_digits(records: Records) -> None:
    _, _, text = Browser(MadeUpCalls(), records.reader, language="fa").get("/conversations?since=1405/09/02")
    assert 'dir="rtl"' in text and "۰۲۱۴۴۵۵۶۶۷۷" in text and "مينا كاظمي" in text and "هم‌زمان‌گویی" in text


def test_a_contact_is_found_and_shown_by_the_offices_name(records: Records) -> None:
    records.at(
        NOW, ContactSaved("k1", "فروشگاه نور", "Noor Shop", ("+989121234567",), "", False, False, False, "", "owner")
    )
    _, _, text = Browser(MadeUpCalls(), records.reader).get("/conversations?name=noor")
    assert found(text) == ["c2", "c1"] and text.count("فروشگاه نور") == 2


def test_the_list_says_who_has_listened_already(records: Records) -> None:
    records.at(NOW, RecordingTaken("c3", "c3-recording", "sara", "play", "the list"))
    _, _, text = Browser(MadeUpCalls("supervisor"), records.reader).get("/listening")
    rows = {name: row for row in re.findall(r"<tr><td>.*?</tr>", text, re.DOTALL) for name in found(row)}
    assert "sara" in rows["c3"] and "not yet" in rows["c1"] and "not yet" not in rows["c3"]
