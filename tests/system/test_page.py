"""The page in a real browser, on a real box: signing in, calls that come, wait and go, promises, switches."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from appliance.messages.calendar import jalali_moment
from appliance.records import encode
from appliance.records.database import Connection
from appliance.records.events import SwitchTurned
from tests.support.box import Box, free_ports, running
from tests.support.chromium import Visit, browser
from tests.support.queued import FLOW, always_open
from tests.support.softphone import Softphone, Talk
from tests.support.waiting import until

__all__ = ["browser"]  # a fixture
QUEUES = """
[[queue]]
name = "reception"
agents = ["first"]

[[queue]]
name = "doctors"
agents = ["first"]
"""


@pytest.fixture
def site() -> Iterator[tuple[Box, int]]:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(Box(f"127.0.0.2:{trunk}", services=("media", "calls", "web"))) as box:
        yield box, trunk


@pytest.fixture
def office() -> Iterator[tuple[Box, int]]:
    """A box with two waiting lines and hours that are always open."""
    (trunk,) = free_ports(1, "127.0.0.2")
    box = always_open(Box(f"127.0.0.2:{trunk}", services=("media", "calls", "web"), flow=FLOW, extra=QUEUES))
    with running(box):
        yield box, trunk


class Caller:
    """One customer at the provider's side, in a thread of its own."""

    def __init__(self, box: Box, trunk: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="caller", daemon=True)
        self._phone = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk))

    def __enter__(self) -> Caller:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._phone.start(), self._loop).result(20)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._phone.stop(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def call(self, number: str) -> Talk:
        async def begin() -> Talk:
            return self._phone.call("02188123456", number)

        return asyncio.run_coroutine_threadsafe(begin(), self._loop).result(20)

    def hang_up(self, talk: Talk) -> None:
        self._loop.call_soon_threadsafe(self._phone.hang_up, talk)
        self.until_ended(talk)

    def until_ended(self, talk: Talk) -> None:
        asyncio.run_coroutine_threadsafe(until(lambda: talk.ended is not None, 30), self._loop).result(40)


def a_call(box: Box, trunk: int, seconds: float) -> threading.Thread:
    """A customer in the menu, in a thread of its own (the browser has the other)."""

    async def scene() -> None:
        caller = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk))
        await caller.start()
        talk = caller.call("02188123456", "09121234567")
        await asyncio.sleep(seconds)
        caller.hang_up(talk)
        await asyncio.sleep(0.3)
        await caller.stop()

    thread = threading.Thread(target=lambda: asyncio.run(scene()), daemon=True)
    thread.start()
    return thread


def test_the_owner_signs_in_with_the_code_and_sees_a_call_come_and_go(browser: Browser, site: tuple[Box, int]) -> None:
    box, trunk = site
    code = (box.data / "first-boot-code").read_text().strip()
    visit = Visit(browser, box)
    visit.sign_in(code)
    page = visit.page
    assert page.evaluate("document.documentElement.dir") == "rtl"
    assert page.locator("#calls .none").count() == 1
    call = a_call(box, trunk, 9.0)
    page.wait_for_selector("#calls td:has-text('۰۹۱۲۱۲۳۴۵۶۷')")
    page.wait_for_selector("#calls .state.good")  # being recorded
    seen = page.locator("#calls [data-since]").inner_text()
    until = time.monotonic() + 10
    while page.locator("#calls [data-since]").inner_text() == seen:
        assert time.monotonic() < until, "the time does not go on"
        page.wait_for_timeout(100)
    call.join(20)
    ended = time.monotonic()
    page.wait_for_selector("#calls .none")
    assert time.monotonic() - ended < 5.0, "five-fold slack on a second"
    page.wait_for_selector("#last td:has-text('مهر و موم و سالم')")  # sealed and whole
    page.click("button[name=language]")
    page.wait_for_selector("text=Calls in progress")
    assert page.evaluate("document.documentElement.dir") == "ltr"
    page.wait_for_selector("#last td:has-text('09121234567')")
    page.click("text=Sign out")
    page.wait_for_url("**/sign-in")
    page.goto(visit.address + "/")
    assert page.url.endswith("/sign-in")
    assert visit.elsewhere == [] and visit.complaints == []
    assert not (box.data / "first-boot-code").exists()
    assert "Traceback" not in box.log


def test_a_wrong_code_opens_nothing_and_says_what_to_do(browser: Browser, site: tuple[Box, int]) -> None:
    box, _ = site
    page = Visit(browser, box).page
    page.goto(f"http://127.0.0.1:{box.page}/sign-in")
    page.fill("[name=secret]", "AAAAAAAAAA")
    page.click("button.main")
    page.wait_for_selector("[role=alert] span")
    assert "/sign-in" in page.url


def test_the_page_says_within_seconds_that_calls_is_stopped_and_comes_back_by_itself(
    browser: Browser, site: tuple[Box, int]
) -> None:
    box, _ = site
    visit = Visit(browser, box)
    visit.sign_in((box.data / "first-boot-code").read_text().strip())
    stopped = box.process("calls")
    os.kill(stopped, signal.SIGSTOP)
    try:
        visit.page.wait_for_selector(".finding.stopped:visible")
    finally:
        os.kill(stopped, signal.SIGCONT)
    visit.page.wait_for_selector(".finding.stopped:visible", state="detached")


def test_a_promise_is_made_by_keyboard_shown_at_once_changed_and_closed(
    browser: Browser, office: tuple[Box, int]
) -> None:
    box, _ = office
    visit = Visit(browser, box)
    visit.sign_in((box.data / "first-boot-code").read_text().strip())
    page = visit.page
    page.goto(visit.address + "/owed")
    beside = visit.context.new_page()  # another tab of the same person
    beside.set_default_timeout(15_000)
    beside.goto(visit.address + "/owed")
    page.focus("#new-promise > summary")
    for keys in ("Enter", "Tab", "۰۹۱۲ ۱۲۳ ۴۵۶۷", "Tab", "۳۰ اسفند", "Tab", "قیمت", "Enter"):
        page.keyboard.press(keys) if keys in ("Enter", "Tab") else page.keyboard.insert_text(keys)
    page.wait_for_selector("#new-promise [role=alert]:has-text('۳۰ اسفند')")
    assert page.input_value("#new-promise [name=number]") == "۰۹۱۲ ۱۲۳ ۴۵۶۷"
    assert page.input_value("#new-promise [name=about]") == "قیمت"
    due = jalali_moment(time.time_ns() // 1_000_000 + 300_000)[:16]
    page.fill("#new-promise [name=due]", due)
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=status]:has-text('کد پیگیری')")
    for tab in (page, beside):
        tab.wait_for_selector("#persons li:has-text('۰۹۱۲۱۲۳۴۵۶۷'):has-text('قیمت')")
    home = visit.context.new_page()
    home.set_default_timeout(15_000)
    home.goto(visit.address + "/")
    home.wait_for_selector("#reminders .reminder:has-text('۰۹۱۲۱۲۳۴۵۶۷')")  # due within ten minutes
    beside.focus("#persons a[href*=change]")
    page.click("#persons a[href*=change]")
    page.fill("#change [name=number]", "٠٩٣٥١١١٢٢٣٣")
    page.fill("#change [name=due]", jalali_moment(time.time_ns() // 1_000_000 + 3_600_000)[:16])
    page.keyboard.press("Enter")
    for tab in (page, beside):
        tab.wait_for_selector("#persons li:has-text('۰۹۳۵۱۱۱۲۲۳۳')")
    assert str(beside.evaluate("document.activeElement.id")).startswith("change-"), "the keyboard lost its place"
    home.wait_for_selector("#reminders .reminder", state="detached")
    page.click("#persons button[value=done]")
    page.wait_for_selector("#persons .none")
    with box.reader() as reader:
        (request,) = reader.requests()
    assert (request.what, request.state, request.by, request.detail) == ("promise", "done", "owner", "قیمت")
    assert request.customer == "+989351112233"
    assert visit.elsewhere == [] and [each for each in visit.complaints if "400 (Bad Request)" not in each] == []
    assert "Traceback" not in box.log


def test_the_night_that_the_page_turns_on_is_what_callers_meet_and_an_event(
    browser: Browser, office: tuple[Box, int]
) -> None:
    box, trunk = office
    visit = Visit(browser, box)
    visit.sign_in((box.data / "first-boot-code").read_text().strip())
    page = visit.page
    page.goto(visit.address + "/switches")
    page.click("#night")
    page.wait_for_selector("#switched li:has-text('کلید شب روشن است')")
    with Caller(box, trunk) as caller:
        caller.until_ended(caller.call("09121234567"))
        (met,) = box.conversations(1)
        assert (met.node, met.detail) == ("closed", "closed")
        page.click("#normal")
        page.wait_for_selector("#switched:has-text('بر پایهٔ ساعت کار')")
        page.goto(visit.address + "/")
        waits = caller.call("09351112233")
        page.wait_for_selector("#waiting li:has-text('۰۹۳۵۱۱۱۲۲۳۳'):has-text('reception')")
        page.click("#waiting summary")
        page.click("#waiting button.bad")
        caller.until_ended(waits)
    assert _switched(box) == [("night", "on", "owner"), ("night", "", "owner")]
    assert visit.complaints == [] and "Traceback" not in box.log


def test_of_two_browsers_that_move_the_same_caller_the_second_is_told_where_they_are(
    browser: Browser, office: tuple[Box, int]
) -> None:
    box, trunk = office
    first = Visit(browser, box)
    first.sign_in((box.data / "first-boot-code").read_text().strip())
    second = Visit(browser, box, has_scripts=False)  # shows what was so when it was loaded
    with Caller(box, trunk) as caller:
        talk = caller.call("09121234567")
        first.page.wait_for_selector("#waiting li:has-text('reception')")
        second.sign_in_again()
        for visit in (second, first):
            visit.page.click("#waiting summary")
        first.page.click("#waiting button[value=doctors]")
        first.page.wait_for_selector("#waiting li:has-text('doctors')")
        second.page.click("#waiting button[value=doctors]")
        second.page.wait_for_selector("[role=alert]:has-text('doctors'):has-text('پیش‌تر جابه‌جا شده')")
        assert second.page.locator("#waiting li").count() == 1
        first.page.click("#waiting summary")
        first.page.click("#waiting button.bad")
        caller.until_ended(talk)
        first.page.wait_for_selector("#waiting li", state="detached")
    assert "Traceback" not in box.log


def _switched(box: Box) -> list[tuple[str, str, str]]:
    """The switches that were turned, in order: which, to what, by whom."""

    def look(db: Connection) -> list[tuple[str, bytes]]:
        return db.execute(
            "SELECT kind, body FROM event JOIN event_body USING (n) WHERE kind = 'switch.turned' ORDER BY n"
        ).fetchall()

    with box.reader() as reader:
        found = [encode.happened_from(kind, body) for kind, body in reader.within(look)]
    return [(each.switch, each.value, each.by) for each in found if isinstance(each, SwitchTurned)]
