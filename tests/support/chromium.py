"""Chromium for tests: started in one way, quiet and without the network; and a tab at the page of a box.

``browser`` is a fixture: a test file imports it by that name.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.support.box import Box

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


class Visit:
    """A browser tab that notes every request to another origin and every complaint."""

    def __init__(self, browser: Browser, box: Box, *, has_scripts: bool = True) -> None:
        self.context = browser.new_context(viewport={"width": 1000, "height": 800}, java_script_enabled=has_scripts)
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

    def sign_in(self, code: str, name: str = "") -> None:
        """For the first time, with a code; sets the password. Without a name it is the owner."""
        page = self.page
        page.goto(self.address + "/")
        assert page.url.endswith("/sign-in")
        self._fill(code, name)
        page.click("button.main")
        page.wait_for_url("**/password")
        page.fill("[name=new]", PASSWORD)
        page.fill("[name=again]", PASSWORD)
        page.click("button.main")
        page.wait_for_url(self.address + "/")

    def sign_in_again(self, name: str = "") -> None:
        self.page.goto(self.address + "/sign-in")
        self._fill(PASSWORD, name)
        self.page.click("button.main")
        self.page.wait_for_url(self.address + "/")

    def _fill(self, secret: str, name: str) -> None:
        if name:
            self.page.fill("[name=name]", name)
        self.page.fill("[name=secret]", secret)
