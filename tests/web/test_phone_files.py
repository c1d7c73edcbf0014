"""Desk phones fetch their files: with their token, from near, not too often; anybody else meets nothing."""

from __future__ import annotations

import asyncio

import pytest

from appliance.clock import VirtualClock
from appliance.control import wire
from appliance.control.client import ControlClient
from appliance.errors import Problem
from appliance.provisioning.settings import Provisioning
from appliance.web.app import Page, Shown
from tests.web.given import Browser, MadeUpCalls, no_reader

PATH = f"/provision/{'ab' * 16}/001565123456.cfg"


class Calls(MadeUpCalls):
    """Keeps what phones ask, and answers with a file."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[wire.Request] = []
        self.problem: Problem | None = None

    async def ask(self, request: wire.Request) -> wire.Reply:
        self.asked.append(request)
        if self.problem is not None:
            raise self.problem
        return wire.PhoneFile("account.1.password = secret\n")


class TelephoneAt(Browser):
    """A phone, which has no session, at ``address``."""

    def __init__(self, calls: ControlClient, address: str = "192.168.1.77", **settings: object) -> None:
        assert isinstance(calls, MadeUpCalls)
        super().__init__(calls, token="")
        made = Provisioning(**{"serves": True, **settings})  # type: ignore[arg-type]
        self.clock = VirtualClock()
        page = Page(calls, no_reader, "test", "en", True, self.clock, office=Shown("", made))
        self.app = page.app(("box.local",))
        self.address = address


def test_a_phone_gets_its_file_by_its_token_without_a_session() -> None:
    calls = Calls()
    code, headers, text = TelephoneAt(calls).get(PATH)
    assert (code, text) == (200, "account.1.password = secret\n") and headers["cache-control"] == "no-store"
    assert calls.asked == [wire.AskPhoneFile("ab" * 16, "001565123456.cfg", "https://box.local")]
    assert headers["content-type"].startswith("text/plain")
    assert "xml" in TelephoneAt(Calls()).get(PATH.replace("001565123456.cfg", "cfg001565123456.xml"))[1]["content-type"]


def test_nothing_is_served_until_the_owner_has_asked_for_it() -> None:
    calls = Calls()
    assert TelephoneAt(calls, serves=False).get(PATH)[0] == 404 and calls.asked == []


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:db8::1", "", "not an address"])
def test_who_asks_from_outside_of_the_office_meets_nothing(address: str) -> None:
    calls = Calls()
    assert TelephoneAt(calls, address).get(PATH)[0] == 404 and calls.asked == []


def test_a_wrong_token_is_answered_like_any_page_that_is_not_there() -> None:
    calls = Calls()
    calls.problem = Problem("provisioning.no_file")
    code, _, text = TelephoneAt(calls).get(PATH)
    assert (code, text) == (404, "404\n") == TelephoneAt(Calls(), "8.8.8.8").get(PATH)[::2]


def test_who_asks_too_often_waits_a_minute_and_others_do_not() -> None:
    calls = Calls()
    phone = TelephoneAt(calls)
    assert [phone.get(PATH)[0] for _ in range(61)] == [200] * 60 + [429]
    phone.address = "192.168.1.78"
    assert phone.get(PATH)[0] == 200
    phone.address = "192.168.1.77"
    phone.clock.advance_to(phone.clock.monotonic() + 61)
    assert phone.get(PATH)[0] == 200


def test_nothing_is_listed_and_nothing_is_taken_from_a_phone() -> None:
    phone = TelephoneAt(Calls())
    for path in ("/provision", "/provision/", f"/provision/{'ab' * 16}/", f"/provision/{'ab' * 16}"):
        assert phone.get(path)[0] == 404
    assert phone.ask("POST", PATH, b"x")[0] == 405


def test_a_phone_that_asks_while_calls_is_stopped_tries_again_later() -> None:
    calls = Calls()
    calls.problem = Problem("control.calls_is_stopped")
    assert TelephoneAt(calls).get(PATH)[0] == 503


def test_messages_with_tokens_and_passwords_in_them_do_not_print_them() -> None:
    asked = wire.AskPhoneFile("ab" * 16, "a.cfg", "https://box.local")
    assert "abab" not in repr(asked) and "secret" not in repr(wire.PhoneFile("secret"))
    assert asyncio.run(Calls().ask(asked)) == wire.PhoneFile("account.1.password = secret\n")
