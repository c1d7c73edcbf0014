"""An agent's own page in a real browser, on a real box with telephones: by keyboard alone, through kill and cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page

from appliance.messages.numbers import digits
from appliance.records.database import Connection
from appliance.records.reader import Conversation
from tests.support.box import Box, free_ports, running
from tests.support.chromium import Visit, browser
from tests.support.queued import FLOW, always_open
from tests.support.softphone import Softphone, Talk
from tests.support.waiting import until

__all__ = ["browser"]  # a fixture
MOST_PRESSES = 12
POP_MS = 300
SLACK = 5  # DECISIONS 30
LOST_SECONDS = 2.0
QUEUES = """
[[queue]]
name = "reception"
agents = ["first"]
wrap_up_seconds = 60

[[queue]]
name = "doctors"
agents = ["agent2"]
"""
PERSIAN = {"KeyY": "غ", "KeyD": "ی", "KeyP": "ح", "KeyC": "ز", "KeyT": "ف"}  # what the places write by that layout


WHEN_SHOWN = """(number) => new MutationObserver(() => {
    const shown = document.getElementById("call").textContent;
    if (!window.popped && shown.includes(number)) window.popped = Date.now();
}).observe(document.getElementById("call"), { childList: true, subtree: true })"""


@dataclass(frozen=True)
class Office:
    box: Box
    trunk: int


class Telephones:
    """The customer's side and the agent's telephone, in a thread of their own."""

    def __init__(self, box: Box, trunk: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="telephones", daemon=True)
        self.customer = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk))
        self.agent = Softphone(
            ("127.0.0.1", box.sip), ("127.0.0.3", 0), user="desk1", password=box.password, answer=lambda _: "ring"
        )

    def __enter__(self) -> Telephones:
        self._thread.start()
        for phone in (self.customer, self.agent):
            asyncio.run_coroutine_threadsafe(phone.start(), self._loop).result(20)
        asyncio.run_coroutine_threadsafe(self.agent.is_registered.wait(), self._loop).result(20)
        return self

    def __exit__(self, *_: object) -> None:
        for phone in (self.customer, self.agent):
            asyncio.run_coroutine_threadsafe(phone.stop(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def call(self, number: str) -> Talk:
        async def begin() -> Talk:
            return self.customer.call("02188123456", number)

        return asyncio.run_coroutine_threadsafe(begin(), self._loop).result(20)

    def rung_at(self) -> float:
        """Wall seconds at which the agent's telephone began to ring."""
        self.until(lambda: bool(self.agent.ringing))
        return self.agent.rang_at[self.agent.ringing[0].leg]

    def take(self) -> None:
        self._loop.call_soon_threadsafe(self.agent.take)

    def hang_up(self, talk: Talk) -> None:
        self._loop.call_soon_threadsafe(self.customer.hang_up, talk)

    def until(self, is_so: Callable[[], bool]) -> None:
        asyncio.run_coroutine_threadsafe(until(is_so, 20), self._loop).result(30)


class Keyboard:
    """Presses keys one by one and counts them; with ``is_persian`` as that layout writes them."""

    def __init__(self, visit: Visit, *, is_persian: bool) -> None:
        self._wire = visit.context.new_cdp_session(visit.page)
        self._is_persian = is_persian
        self.count = 0

    def press(self, *places: str) -> None:
        for place in places:
            self.count += 1
            written = "\r" if place == "Enter" else place[-1].lower()
            if self._is_persian and place != "Enter":
                written = "۰۱۲۳۴۵۶۷۸۹"[int(written)] if written.isdigit() else PERSIAN[place]
            key = "Enter" if place == "Enter" else written
            code = 13 if place == "Enter" else ord(place[-1])
            about = {"code": place, "key": key, "windowsVirtualKeyCode": code}
            self._wire.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": written, **about})
            self._wire.send("Input.dispatchKeyEvent", {"type": "keyUp", **about})


@contextlib.contextmanager
def an_office(browser: Browser) -> Iterator[Office]:
    """A box with two lines, whose first agent has an account."""
    (trunk,) = free_ports(1, "127.0.0.2")
    services, phones = ("media", "calls", "web"), ("desk1", "desk2")
    box = always_open(Box(f"127.0.0.2:{trunk}", services=services, phones=phones, flow=FLOW, extra=QUEUES))
    with running(box):
        the_agent(browser, box, "first")
        yield Office(box, trunk)


@pytest.fixture(scope="module")
def office(browser: Browser) -> Iterator[Office]:
    with an_office(browser) as it:
        yield it


def the_agent(browser: Browser, box: Box, name: str) -> None:
    """The owner makes an account for the agent, who sets a password."""
    owner = Visit(browser, box)
    owner.sign_in((box.data / "first-boot-code").read_text().strip())
    page = owner.page
    page.goto(owner.address + "/people")
    page.fill("[name=name][list]", name)
    page.click("form:has([name=name][list]) button.main")
    code = page.inner_text("#code")
    visit = Visit(browser, box)
    visit.sign_in(code, name)
    assert [*owner.complaints, *owner.elsewhere, *visit.complaints, *visit.elsewhere] == []
    owner.context.close()
    visit.context.close()


def at_the_desk(browser: Browser, box: Box, name: str = "first") -> Visit:
    """A browser of the agent, at their own page."""
    visit = Visit(browser, box)
    visit.sign_in_again(name)
    visit.page.goto(visit.address + "/me")
    return visit


def record_of(box: Box, customer: str) -> Conversation:
    """The closed record of this customer's call."""
    ends = time.monotonic() + 20
    while True:
        with box.reader() as reader:
            found = [one for one in reader.last(9) if one.direction == "in" and one.customer == customer]
        if found and found[0].revision:
            return found[0]
        assert time.monotonic() < ends, found
        time.sleep(0.1)


def draft(box: Box, name: str) -> str:
    """A field of the form as it is on the disk."""

    def look(db: Connection) -> str:
        row = db.execute(f"SELECT {name} FROM draft").fetchone()
        return str(row[0]) if row else ""

    with box.reader() as reader:
        return reader.within(look)


def until_written(box: Box, value: str, name: str = "note") -> None:
    ends = time.monotonic() + 20
    while draft(box, name) != value:
        assert time.monotonic() < ends, f"on the disk stands {draft(box, name)!r}"
        time.sleep(0.05)


def until_form(page: Page, number: str) -> None:
    """Until the form of this caller is there, and not that of the call before."""
    page.wait_for_selector(f"#task:has-text('{number}')")
    page.wait_for_selector("#wrap-up")


def until_shown(visit: Visit, note: str) -> None:
    ends = time.monotonic() + 20
    while visit.page.input_value("#wrap-up [name=note]") != note:
        assert time.monotonic() < ends, "the other browser does not show it"
        visit.page.wait_for_timeout(50)


@pytest.mark.parametrize("language", ["fa", "en"])
def test_from_answer_to_wrap_up_to_promise_takes_twelve_presses_of_the_keyboard_alone(
    browser: Browser, office: Office, language: str
) -> None:
    box, number = office.box, "09121234567" if language == "fa" else "09351112233"
    visit = at_the_desk(browser, box)
    page = visit.page
    if language == "en":
        page.click("button[name=language]")
        page.wait_for_url("**/me")
    shown = digits(number, "fa" if language == "fa" else "en")
    page.evaluate(WHEN_SHOWN, shown)
    with Telephones(box, office.trunk) as telephones:
        page.wait_for_selector("#doing .good")
        talk = telephones.call(number)
        rang = telephones.rung_at()
        page.wait_for_selector(f"#call .caller:has-text('{shown}')")
        pop_ms = page.evaluate("window.popped") - 1000 * rang
        print(json.dumps({"screen pop ms": round(pop_ms)}))
        assert pop_ms < POP_MS * SLACK
        telephones.take()
        until_form(page, shown)
        assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "fa" else "ltr")
        keyboard = Keyboard(visit, is_persian=language == "fa")
        keyboard.press("Digit2", "KeyY", "KeyC")
        telephones.hang_up(talk)
        page.wait_for_selector("#task [data-until]")
        keyboard.press("KeyD")
        page.wait_for_selector("[role=status].said")
        keyboard.press("KeyP", "Digit2", "Digit3", "Digit5", "Digit9", "Enter")
        page.wait_for_url("**/me?code=*")
        page.wait_for_selector("#doing .good")
    assert keyboard.count <= MOST_PRESSES
    customer = "+98" + number[1:]
    (said,) = record_of(box, customer).wrap_ups
    told = said.agent, said.state, said.disposition, said.resolved, said.kind
    assert told == ("first", "given", "informed", "yes", "complaint")
    with box.reader() as reader:
        (promise,) = (each for each in reader.requests(what="promise") if each.customer == customer)
    assert (promise.agent, promise.queue) == ("first", "reception")
    assert visit.complaints == [] and visit.elsewhere == [] and "Traceback" not in box.log


def test_a_note_comes_back_after_a_power_cut_but_for_the_last_two_seconds(browser: Browser) -> None:
    """Nor is anything lost of a window that stays: it sends what it has once calls is there again."""
    with an_office(browser) as office:
        box, text = office.box, "می‌خواهد فردا ساعت ۵ با او تماس بگیریم و قیمت تازه را بگوییم"
        visit, stays = at_the_desk(browser, box), at_the_desk(browser, box)
        page = visit.page
        with Telephones(box, office.trunk) as telephones:
            telephones.call("09121234567")
            telephones.rung_at()
            telephones.take()
            for each in (visit, stays):
                each.page.wait_for_selector("#wrap-up")
            page.keyboard.press("t")
            typed: list[float] = []
            for letter in text[:45]:
                page.keyboard.insert_text(letter)
                typed.append(time.monotonic())
                page.wait_for_timeout(90)
            cut = time.monotonic()
            os.kill(box.process("calls"), signal.SIGKILL)
            page.close()  # the window goes as well: what is lost is what the box did not have
            stays.page.check("#wrap-up [name=kind][value=complaint]")
        box.until_ready("calls")
        until_written(box, "complaint", "kind")
        kept, least = draft(box, "note"), sum(at <= cut - LOST_SECONDS for at in typed)
        print(json.dumps({"letters": len(typed), "kept": len(kept), "typed two seconds before the cut": least}))
        assert text.startswith(kept) and least <= len(kept) <= len(typed) and least > 15
        back = visit.context.new_page()
        back.set_default_timeout(15_000)
        back.goto(visit.address + "/me")
        assert back.input_value("#wrap-up [name=note]") == kept
        back.check("#wrap-up [name=disposition][value=follow_up]")
        back.click("#give")
        back.wait_for_selector("[role=status].said")
        call = record_of(box, "+989121234567")
        assert call.outcome == "crashed" and draft(box, "note") == ""
        assert [(one.disposition, one.kind, one.note) for one in call.wrap_ups] == [("follow_up", "complaint", kept)]


def test_two_browsers_of_one_agent_share_a_form_and_neither_loses_anything_unseen(
    browser: Browser, office: Office
) -> None:
    box = office.box
    first, second = at_the_desk(browser, box), at_the_desk(browser, box)
    with Telephones(box, office.trunk) as telephones:
        talk = telephones.call("09187654321")
        telephones.rung_at()
        telephones.take()
        first.page.wait_for_selector("#call .caller:has-text('۰۹۱۸۷۶۵۴۳۲۱')")
        until_form(first.page, "۰۹۱۸۷۶۵۴۳۲۱")
        second.page.route("**/me/live*", lambda route: route.abort())  # it does not hear of the other
        second.page.goto(second.address + "/me")
        first.page.fill("#wrap-up [name=note]", "by the first")
        until_written(box, "by the first")
        second.page.check("#wrap-up [name=disposition][value=settled]")
        first.page.wait_for_selector("#wrap-up [name=disposition][value=settled]:checked")  # other fields do not fight
        second.page.fill("#wrap-up [name=note]", "by the second")
        second.page.wait_for_selector("#changed:visible:has-text('by the first')")
        assert draft(box, "note") == "by the first"
        assert second.page.input_value("#wrap-up [name=note]") == "by the second"
        second.page.click("#keep-mine")
        until_written(box, "by the second")
        until_shown(first, "by the second")
        first.page.fill("#wrap-up [name=note]", "by the first again")
        until_written(box, "by the first again")
        second.page.fill("#wrap-up [name=note]", "by the second again")
        second.page.click("#give")  # at once, without having seen it
        second.page.wait_for_selector("[role=alert]:has-text('by the first again')")
        assert second.page.input_value("#wrap-up [name=note]") == "by the second again"
        second.page.click("#give")
        second.page.wait_for_selector("[role=status].said")
        first.page.wait_for_selector("#form-state .good")
        telephones.hang_up(talk)
        telephones.until(lambda: talk.ended is not None)
    assert [one.note for one in record_of(box, "+989187654321").wrap_ups] == ["by the second again"]
    assert first.complaints == [] and "Traceback" not in box.log
