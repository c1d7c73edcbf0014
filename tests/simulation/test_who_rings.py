"""Hotlines that divert to the office, and callers who show a number of the box itself."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from appliance.calls.settings import CalledLine
from appliance.records.reader import Conversation
from appliance.signalling import port as signalling
from tests.simulation.test_menus import office
from tests.simulation.test_whole_office import TheOffice
from tests.support.virtual_time import run

LINES = (
    CalledLine(name="hotline", trunk="provider", flow="clinic", number="0990-000 00 00"),
    CalledLine(name="office", trunk="provider", flow="clinic", number="021-88123456-8"),
    CalledLine(name="others", trunk="provider", flow="clinic"),
)


def one_call(folder: Path, called: str, caller: str, diverted_by: str = "", **trunk: Any) -> Conversation:
    it: TheOffice = office(folder, "clinic")
    it.office.arrange(dataclasses.replace(it.office.settings, lines=LINES))
    first = dataclasses.replace(it.office.sip.trunks[0], **trunk)
    it.office.sip = dataclasses.replace(it.office.sip, trunks=(first,))
    signalled = it.switchboard.signalled

    def diverted(event: signalling.Event) -> None:
        if isinstance(event, signalling.Offered):
            event = dataclasses.replace(event, diverted_by=diverted_by)
        signalled(event)

    it.switchboard.signalled = diverted  # type: ignore[method-assign]

    async def scene() -> None:
        leg = it.line.call_in("provider", called, caller)
        await asyncio.sleep(3.0)
        it.line.hang_up(leg)
        await it.until_quiet()

    run(it.loop, scene())
    (conversation,) = it.all()
    return conversation


@pytest.mark.parametrize(
    ("called", "diverted_by", "line"),
    [
        ("02188123456", "", "office"),
        ("88123456", "", "office"),
        ("+982188123456", "", "office"),
        ("02188000000", "", "others"),
        ("02188123456", "09900000000", "hotline"),  # Diversion chooses the line
        ("02188123456", "+989900000000", "hotline"),
        ("02188123456", "09351112233", "office"),  # somebody else's diversion does not
        ("02188000000", "09351112233", "others"),
    ],
)
def test_the_line_is_that_of_the_hotline_that_diverts_else_of_the_number_called(
    tmp_path: Path, called: str, diverted_by: str, line: str
) -> None:
    assert one_call(tmp_path, called, "09121234567", diverted_by).line == line


@pytest.mark.parametrize("caller", ["09900000000", "+989900000000", "00989900000000", "88123456", "021-88123456"])
def test_a_caller_who_shows_a_number_of_the_box_is_nobody(tmp_path: Path, caller: str) -> None:
    conversation = one_call(tmp_path, "02188123456", caller, "09900000000")
    assert conversation.is_withheld and conversation.customer == ""


def test_the_account_of_a_gateway_is_never_a_caller_and_everybody_else_is(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert one_call(tmp_path / "a", "02188000000", "201", user="201", kind="analog").is_withheld
    other = one_call(tmp_path / "b", "02188000000", "09121234567", user="201", kind="analog")
    assert not other.is_withheld and other.customer == "+989121234567"
