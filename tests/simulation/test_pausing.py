"""An agent pauses the recording, in virtual time: for how long at most, by which ways, and that nobody can forget it.

Whether a leg is recorded as silence is read from what media was told.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path

import pytest

from appliance.calls.desks import Desks
from appliance.calls.settings import Calls
from appliance.control import wire
from appliance.errors import Problem
from appliance.media import port as media
from appliance.records import cdr
from appliance.records.reader import Conversation
from tests.calls.test_desks import FIRST
from tests.simulation.test_supervision import Office, incoming

PAUSE_SECONDS = 60.0


class Box(Office):
    """``silent`` are the legs of which nothing is recorded now."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.silent: set[str] = set()
        self.order: list[media.Command] = []
        office = self.it.office
        office.arrange(dataclasses.replace(office.settings, recording_pause_seconds=PAUSE_SECONDS))

    def _join(self, command: media.Command) -> None:
        super()._join(command)
        if isinstance(command, media.Pause):
            (self.silent.add if command.is_on else self.silent.discard)(command.stream)
        if isinstance(command, media.Pause | media.StartRecording | media.StopRecording):
            self.order.append(command)


def story(record: Conversation) -> list[tuple[str, str, str]]:
    return [(step.by, step.state, step.how) for step in record.pauses]


def test_the_agents_key_pauses_and_resumes_and_both_are_told_to_the_agent_alone(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1")

    async def scene() -> None:
        customer, agent = await box.talking()
        await box.keys(agent, "*5")
        assert box.silent == {customer} and box.hears[agent] == "recording_paused" and box.hears[customer] == "music"
        (shown,) = box.it.switchboard.snapshot().calls
        assert shown.recording == "paused"
        await asyncio.sleep(20.0)
        assert box.joined[customer] == agent and box.silent == {customer}
        await box.keys(agent, "*5")
        assert not box.silent and box.hears[agent] == "recording_resumed"
        await asyncio.sleep(5.0)
        assert box.it.switchboard.snapshot().calls[0].recording == "live"

    record = incoming(box.run(scene))
    assert story(record) == [("first", "paused", "keys"), ("first", "resumed", "keys")]
    began, ended = record.pauses
    assert 20_000 <= ended.at_ms - began.at_ms <= 22_000
    shown = json.loads(json.dumps(cdr.as_json(record)))["pauses"]
    assert [step["state"] for step in shown] == ["paused", "resumed"]


def test_a_pause_that_is_forgotten_ends_by_itself(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1")

    async def scene() -> None:
        _, agent = await box.talking()
        await box.keys(agent, "*5")
        await asyncio.sleep(PAUSE_SECONDS - 2.0)
        assert box.silent
        await asyncio.sleep(4.0)
        assert not box.silent
        await asyncio.sleep(5.0)

    record = incoming(box.run(scene))
    assert story(record) == [("first", "paused", "keys"), ("", "resumed", "time")]
    assert record.pauses[1].at_ms - record.pauses[0].at_ms == PAUSE_SECONDS * 1000


@pytest.mark.parametrize("how", ["passes on", "asks first", "agent leaves", "customer leaves", "agent holds"])
def test_whatever_ends_the_talk_ends_the_pause(tmp_path: Path, how: str) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")

    async def scene() -> None:
        customer, agent = await box.talking()
        await box.keys(agent, "*5")
        await asyncio.sleep(5.0)
        match how:
            case "passes on":
                await box.keys(agent, "*7202#")
            case "asks first":
                await box.keys(agent, "*8202#")
            case "agent leaves":
                box.it.line.hang_up(agent)
            case "customer leaves":
                box.it.line.hang_up(customer)
            case _:  # whoever only holds the customer still has them, and the time runs
                box.it.line.hold(agent)
                await asyncio.sleep(1.0)
                assert box.silent == {customer}
                await asyncio.sleep(PAUSE_SECONDS)
        await asyncio.sleep(1.0)
        assert not box.silent
        await asyncio.sleep(5.0)

    record = incoming(box.run(scene))
    wanted = {"passes on": "transfer", "asks first": "transfer", "agent holds": "time"}.get(how, "ended")
    assert story(record) == [("first", "paused", "keys"), ("", "resumed", wanted)]


def test_a_pause_counts_for_every_part_also_for_one_that_begins_meanwhile(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk3")

    async def scene() -> None:
        customer, agent = await box.talking()
        await box.keys(agent, "*5")
        await asyncio.sleep(3.0)
        own = await box.listens()
        assert box.silent == {customer, own}
        of_own = [one for one in box.order if isinstance(one, media.Pause | media.StartRecording) and one.stream == own]
        assert of_own[0] == media.Pause(own, True), "not a packet of it is recorded"
        await box.keys(agent, "*5")
        assert not box.silent
        await asyncio.sleep(5.0)

    record = incoming(box.run(scene))
    assert len(record.recordings) == 2


def test_who_is_not_recorded_hears_that_there_is_nothing_to_pause(tmp_path: Path) -> None:
    box = Box(tmp_path)
    settings: Calls = box.it.office.settings
    lines = tuple(dataclasses.replace(each, records=False) for each in settings.lines)
    box.it.office.arrange(dataclasses.replace(settings, lines=lines))
    box.there("desk1")

    async def scene() -> None:
        _, agent = await box.talking()
        await box.keys(agent, "*5")
        assert box.hears[agent] == "recording_nothing" and not box.silent
        await asyncio.sleep(5.0)

    assert story(incoming(box.run(scene))) == []


def test_the_page_pauses_and_shows_until_when(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")
    desks = Desks(box.it.office, box.it.switchboard.sessions, None)  # type: ignore[arg-type]  # nobody signs in

    async def call() -> wire.DeskCall:
        shown = await desks.answer(wire.AskDesk(""), FIRST)
        assert isinstance(shown, wire.DeskNow) and shown.call is not None
        return shown.call

    async def turn(conversation: str, is_on: bool) -> None:
        await desks.answer(wire.PauseRecording("", "", conversation, is_on), FIRST)
        await asyncio.sleep(0.5)

    async def scene() -> None:
        customer, _ = await box.talking()
        before = await call()
        assert before.recording == "live" and not before.pause_until_utc_ms
        await turn(before.conversation, True)
        paused = await call()
        rest_ms = paused.pause_until_utc_ms - box.it.clock.utc_ms()
        assert paused.recording == "paused" and 0 < rest_ms <= PAUSE_SECONDS * 1000 and box.silent == {customer}
        await turn(before.conversation, True)
        assert (await call()).pause_until_utc_ms == pytest.approx(paused.pause_until_utc_ms, abs=2), "not prolonged"
        await turn(before.conversation, False)
        assert (await call()).recording == "live" and not box.silent
        with pytest.raises(Problem) as refused:
            await turn("somebody else's", True)
        assert refused.value.key == "control.no_such_call"
        await asyncio.sleep(5.0)

    record = incoming(box.run(scene))
    assert story(record) == [("first", "paused", "page"), ("first", "resumed", "page")]
