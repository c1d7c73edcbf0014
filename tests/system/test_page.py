"""The page in a real browser, on a real box: signing in, a call that comes and goes, both languages."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
]
PASSWORD = "four words nobody guesses"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield found
        found.close()


@pytest.fixture
def site() -> Iterator[tuple[Box, int]]:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(Box(f"127.0.0.2:{trunk}", services=("media", "calls", "web"))) as box:
        yield box, trunk


class Visit:
    """A browser tab that notes every request to another origin and every complaint."""

    def __init__(self, browser: Browser, box: Box) -> None:
        self.context = browser.new_context(viewport={"width": 1000, "height": 800})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        self.address = f"http://127.0.0.1:{box.page}"
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._said)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _asked(self, url: str) -> None:
        if not url.startswith(self.address):
            self.elsewhere.append(url)

    def sign_in(self, code: str) -> None:
        page = self.page
        page.goto(self.address + "/")
        assert page.url.endswith("/sign-in")
        page.fill("[name=secret]", code)
        page.click("button.main")
        page.wait_for_url("**/password")
        page.fill("[name=new]", PASSWORD)
        page.fill("[name=again]", PASSWORD)
        page.click("button.main")
        page.wait_for_url(self.address + "/")


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
