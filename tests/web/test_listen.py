"""Listening on the page: the reason first, then sealed bytes by ranges, for whom it is and for as long as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from appliance.clock import VirtualClock
from appliance.control import wire
from appliance.control.wire import Role
from appliance.errors import Problem
from appliance.records.events import ConversationErased, RecordingOpened
from appliance.web import listen
from appliance.web.listen import Grants
from tests.records.given import opened, sealed
from tests.web.given import NOW, Browser, MadeUpCalls, Records

ONE, LIVE, LOST = (f"{number:032x}" for number in (0xA1, 0xA2, 0xA3))
BODY = bytes(range(256)) * 8192  # two ranges


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """A conversation with a closed recording, one that lasts, and one of which nothing is left."""
    records = Records(tmp_path)
    records.at(NOW - 90_000, opened("c1"))
    records.at(NOW - 80_000, *(RecordingOpened("c1", each, 1, "k", 5_000) for each in (ONE, LIVE, LOST)))
    records.at(NOW - 10_000, sealed("c1", ONE), sealed("c1", LOST, "lost"))
    kept = tmp_path / "kept"
    kept.mkdir()
    for part, content in (("head", b"age"), ("body", BODY), ("seal", b"PSKSEAL1")):
        (kept / f"{ONE}.{part}").write_bytes(content)
    (kept / f"{LIVE}.body").write_bytes(b"not for anybody")
    return records


@pytest.fixture
def browser(records: Records, tmp_path: Path) -> Browser:
    return Browser(MadeUpCalls(), records.reader, kept=tmp_path / "kept")


def asked(browser: Browser, part: str, given: str, recording: str = ONE) -> tuple[int, dict[str, str], bytes]:
    return browser.ask_bytes("GET", f"/recordings/{recording}/{part}", headers={"range": given} if given else {})


def test_a_reason_is_on_record_before_a_byte_goes_out(browser: Browser) -> None:
    assert asked(browser, "body", "bytes=0-9")[0] == 403
    status, _, text = browser.get(f"/listen/{ONE}")
    assert status == 200 and 'name="why"' in text and "listen.js" not in text
    status, headers, _ = browser.post(f"/listen/{ONE}", why="a complaint")
    assert (status, headers["location"]) == (303, f"/listen/{ONE}")
    assert browser.calls.orders == [wire.TakeRecording("good", ONE, "play", "a complaint")]
    status, _, text = browser.get(f"/listen/{ONE}")
    assert "/static/listen.js" in text and f'data-recording="{ONE}" data-seal="{"cd" * 32}"' in text
    words = re.search(r'id="listen-words">(.*?)</script>', text)
    assert words is not None and "listen.wrong_key" in json.loads(words[1])["en"]
    status, headers, content = asked(browser, "body", "bytes=256-300")
    assert (status, headers["content-range"], content) == (206, f"bytes 256-300/{len(BODY)}", BODY[256:301])
    assert headers["content-type"] == "application/octet-stream" and headers["cache-control"] == "no-store"


def test_where_calls_refuses_nothing_is_granted(browser: Browser) -> None:
    browser.calls.refusal = Problem("listen.no_why")
    status, _, text = browser.post(f"/listen/{ONE}", why=" ")
    assert status == 400 and "There is no reason" in text and 'name="why"' in text
    browser.calls.refusal = Problem("control.calls_is_stopped")
    assert browser.post(f"/listen/{ONE}", why="a complaint")[0] == 503
    assert asked(browser, "head", "bytes=0-9")[0] == 403


def test_a_form_that_is_not_ours_takes_nothing(browser: Browser) -> None:
    assert browser.post(f"/listen/{ONE}", "wrong", why="x")[0] == 403 and browser.calls.orders == []


@pytest.mark.parametrize("role", ["agent", "technician"])
def test_agents_and_technicians_neither_ask_nor_get(role: Role, records: Records, tmp_path: Path) -> None:
    browser = Browser(MadeUpCalls(role), records.reader, kept=tmp_path / "kept")
    assert browser.get(f"/listen/{ONE}")[0] == 403
    assert browser.post(f"/listen/{ONE}", why="x")[0] == 403 and browser.calls.orders == []
    assert asked(browser, "body", "bytes=0-9")[0] == 403
    assert "/listen/" not in browser.get("/")[2]


@pytest.mark.parametrize("role", ["owner", "supervisor"])
def test_the_last_calls_lead_to_what_can_be_heard_and_to_nothing_else(
    role: Role, records: Records, tmp_path: Path
) -> None:
    text = Browser(MadeUpCalls(role), records.reader, kept=tmp_path / "kept").get("/")[2]
    assert re.findall(r'href="/listen/(\w+)"', text) == [ONE]


@pytest.mark.parametrize(
    ("recording", "says"),
    [(LIVE, "still being recorded"), (LOST, "Nothing was kept"), ("f" * 32, "no such recording"), ("..", "no such")],
)
def test_what_cannot_be_heard_says_why(recording: str, says: str, browser: Browser) -> None:
    for status, _, text in (browser.get(f"/listen/{recording}"), browser.post(f"/listen/{recording}", why="x")):
        assert status == 403 and says in text
    assert browser.calls.orders == []


def test_an_erased_recording_is_unknown_and_a_file_that_is_gone_is_not_found(
    browser: Browser, records: Records, tmp_path: Path
) -> None:
    browser.post(f"/listen/{ONE}", why="x")
    (tmp_path / "kept" / f"{ONE}.head").unlink()
    assert asked(browser, "head", "bytes=0-9")[0] == 404
    records.at(NOW, ConversationErased("c1", "asked for", "owner"))
    assert "no such recording" in browser.get(f"/listen/{ONE}")[2]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("", 416), ("bytes=0-", 416), ("bytes=-5", 416), ("bytes=0-1,4-5", 416), ("bytes=5-4", 416), ("lines=0-5", 416),
        (f"bytes=0-{listen.MOST_RANGE_BYTES}", 416), (f"bytes=0-{listen.MOST_RANGE_BYTES - 1}", 206),
        (f"bytes={len(BODY)}-{len(BODY) + 5}", 416), (f"bytes={len(BODY) - 1}-{len(BODY) + 5}", 206),
        ("bytes=99999999999999999999-99999999999999999999", 416),
    ],
)  # fmt: skip
def test_only_one_range_of_at_most_a_mebibyte_is_served(given: str, status: int, browser: Browser) -> None:
    browser.post(f"/listen/{ONE}", why="x")
    found, headers, content = asked(browser, "body", given)
    assert found == status and len(content) <= listen.MOST_RANGE_BYTES
    if status == 206:
        assert headers["content-range"].endswith(f"/{len(BODY)}") and content in BODY


def test_a_grant_is_for_one_recording_of_one_session(browser: Browser, records: Records) -> None:
    browser.post(f"/listen/{ONE}", why="x")
    assert asked(browser, "body", "bytes=0-9", LIVE)[0] == 403
    assert asked(browser, "other", "bytes=0-9")[0] == 404
    browser.token = "stolen"
    status, headers, _ = asked(browser, "body", "bytes=0-9")
    assert (status, headers["location"]) == (303, "/sign-in")


def test_a_link_under_the_name_of_a_recording_is_not_followed(browser: Browser, tmp_path: Path) -> None:
    browser.post(f"/listen/{ONE}", why="x")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "kept" / f"{ONE}.head").unlink()
    (tmp_path / "kept" / f"{ONE}.head").symlink_to(tmp_path / "secret")
    assert asked(browser, "head", "bytes=0-5")[0] == 404


def test_grants_end_after_an_hour_and_the_oldest_gives_way() -> None:
    clock = VirtualClock(NOW)
    grants = Grants(clock)
    grants.give("a", ONE)
    clock.advance_to(listen.GRANT_SECONDS - 1)
    assert grants.holds("a", ONE) and not grants.holds("b", ONE) and not grants.holds("a", LIVE)
    clock.advance_to(listen.GRANT_SECONDS)
    assert not grants.holds("a", ONE)
    for number in range(listen.MOST_GRANTS + 1):
        grants.give(str(number), ONE)
    assert not grants.holds("0", ONE) and grants.holds("1", ONE)


def test_the_language_button_leads_back_to_the_recording(browser: Browser) -> None:
    assert browser.post("/language", language="fa", back=f"/listen/{ONE}")[1]["location"] == f"/listen/{ONE}"
    assert browser.post("/language", language="fa", back="/listen/../x")[1]["location"] == "/"
