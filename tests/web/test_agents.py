"""The agents' page: who did what with a day, and PINs that are made, shown once, and unlocked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.control import wire
from appliance.control.wire import Role
from appliance.errors import Problem
from appliance.records.events import AgentEntered
from tests.web.given import MINUTE, NOW, Browser, MadeUpCalls, Records
from tests.web.test_desk import texts


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    it = Records(tmp_path)
    yield it
    it.close()


@pytest.mark.parametrize("role", ["agent", "technician"])
def test_only_those_who_lead_see_the_agents_days_and_make_pins(role: Role) -> None:
    calls = MadeUpCalls(role)
    browser = Browser(calls)
    assert browser.get("/agents")[0] == 403
    assert browser.post("/agents/pin", agent="Sara")[0] == browser.post("/agents/unlock", agent="Sara")[0] == 403
    assert not calls.orders


def test_a_day_is_shown_second_by_second_with_its_sum(records: Records) -> None:
    records.at(NOW - 90 * MINUTE, AgentEntered("Sara", "ready", ""))
    records.at(NOW - 60 * MINUTE, AgentEntered("Sara", "away", "meal"))
    records.at(NOW, AgentEntered("Sara", "talking", "in"))
    text = texts(Browser(MadeUpCalls("supervisor"), records.reader).get("/agents")[2])
    assert all(each in text for each in ("Ready", "0:30:00", "Meal", "1:00:00", "Not known", "Sum")), text
    assert "LOCKED" in text and "waits for a break" in text and "hall" in text


@pytest.mark.parametrize("day", ["1405/13/40", "yesterday", "x" * 5000, "<b>"])
def test_a_day_that_is_none_is_said_and_shows_today(records: Records, day: str) -> None:
    status, _, html = Browser(MadeUpCalls("owner"), records.reader).get(f"/agents?day={day}")
    assert status == 400 and "There is no such moment" in html and "<b>yes" not in html


def test_a_pin_is_shown_once_and_stands_on_no_page_afterwards() -> None:
    calls = MadeUpCalls("supervisor")
    calls.reply = wire.PinMade("Reza", "730184")
    browser = Browser(calls)
    status, headers, html = browser.post("/agents/pin", agent="Reza")
    assert calls.orders == [wire.MakePin("good", "Reza")]
    assert status == 200 and "730184" in html and headers["cache-control"] == "no-store"
    assert "730184" not in browser.get("/agents")[2]


def test_agents_and_telephones_are_unlocked() -> None:
    calls = MadeUpCalls("supervisor")
    browser = Browser(calls)
    assert browser.post("/agents/unlock", agent="Sara")[0] == browser.post("/agents/unlock", phone="hall")[0] == 303
    assert calls.orders == [wire.UnlockPin("good", "Sara", ""), wire.UnlockPin("good", "", "hall")]


def test_an_agents_own_pin_goes_to_calls_in_latin_digits_and_never_comes_back() -> None:
    calls = MadeUpCalls("agent")
    browser = Browser(calls)
    assert browser.post("/me/pin", agent="sara", password="pass & word", pin="۷۳۰۱۸۴")[0] == 303
    assert calls.orders == [wire.ChoosePin("good", "sara", "pass & word", "730184")]
    calls.refusal = Problem("pins.weak")
    status, _, html = browser.post("/me/pin", agent="sara", password="pass & word", pin="4321")
    assert status == 400 and "too easy to guess" in html and "4321" not in html and "pass &amp; word" not in html
