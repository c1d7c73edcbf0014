"""Consultations in virtual time: when one is a part of its own, from when to when, and with whom nobody forgets it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path

import pytest

from appliance.control.wire import Contact
from appliance.media import port as media
from appliance.records import events
from appliance.records.reader import Conversation
from appliance.signalling.loopback import Behaviour
from tests.simulation.test_pausing import Box as Pausing
from tests.simulation.test_supervision import incoming

OUTSIDE = "09351112233"


class Box(Pausing):
    """``began`` are the legs that are recorded, ``notices`` those that were told so, and since when."""

    def __init__(self, folder: Path, outward: str = "off", *, records: bool = True, consultations: bool = True) -> None:
        self.began: dict[str, float] = {}
        self.notices: dict[str, float] = {}
        super().__init__(folder)
        office = self.it.office
        trunks = tuple(dataclasses.replace(each, records_outward=outward) for each in office.sip.trunks)  # type: ignore[arg-type]
        office.sip = dataclasses.replace(office.sip, trunks=trunks)
        lines = tuple(dataclasses.replace(each, records=records) for each in office.settings.lines)
        office.arrange(dataclasses.replace(office.settings, lines=lines, records_consultations=consultations))

    def _join(self, command: media.Command) -> None:
        super()._join(command)
        match command:
            case media.StartRecording(stream):
                self.began[stream] = self.now
            case media.Play(stream, _, pieces) if pieces[0].path.endswith("recording_notice"):
                self.notices[stream] = self.now
            case _:
                return


async def consults(box: Box, ends: str) -> tuple[str, str, str]:
    """The first agent asks the second one, and ``ends`` it."""
    customer, agent = await box.talking()
    other = await box.asked(agent, "*8202#")
    await asyncio.sleep(10.0)
    match ends:
        case "gives":
            await box.keys(agent, "*7")
        case "takes back":
            await box.keys(agent, "*0")
        case "agent leaves":
            box.it.line.hang_up(agent)
        case "other leaves":
            box.it.line.hang_up(other)
        case _:
            box.it.line.hang_up(customer)
    await asyncio.sleep(15.0)
    return customer, agent, other


@pytest.mark.parametrize("ends", ["gives", "takes back", "agent leaves", "other leaves", "customer leaves"])
def test_a_consultation_is_recorded_until_it_ends_and_not_a_moment_longer(tmp_path: Path, ends: str) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")
    legs: list[str] = []

    async def scene() -> None:
        legs.extend(await consults(box, ends))

    record = incoming(box.run(scene))
    customer, agent, other = legs
    assert set(box.began) == {customer, other}, "the agent's voice is the right side of it"
    first, second = record.recordings
    assert (first.part, second.part, first.state, second.state) == (1, 2, "sealed", "sealed")
    assert 9_000 <= second.milliseconds <= 14_500, "what they say after it is not recorded"
    assert first.consent == second.consent == record.consent
    (asking,) = (step for step in record.transfers if step.state == "asking")
    assert asking.detail == second.recording == box.recorded[other].recording
    manifest = json.loads(box.recorded[other].manifest)
    assert (manifest["left"]["role"], manifest["right"]["role"]) == ("agent", "agent")
    assert manifest["left"]["leg"] == other and manifest["consent"]["id"] == record.consent
    assert manifest["offset_ms"] == asking.at_ms


@pytest.mark.parametrize("why", ["off", "not recorded", "never recorded"])
def test_what_shall_not_be_recorded_is_not_recorded_as_a_consultation_either(tmp_path: Path, why: str) -> None:
    box = Box(tmp_path, records=why != "not recorded", consultations=why != "off")
    box.there("desk1", "desk2")
    legs: list[str] = []

    async def scene() -> None:
        if why == "never recorded":
            await box.it.office.contacts.save((Contact("وکیل", ("09121234567",), is_unrecorded=True),), "owner")
        legs.extend(await consults(box, "takes back"))

    record = incoming(box.run(scene))
    assert legs[2] not in box.began
    assert len([each for each in record.recordings if each.state != "refused"]) == (1 if why == "off" else 0)


@pytest.mark.parametrize("outward", ["off", "notice", "none_needed"])
def test_somebody_outside_is_told_first_as_the_trunk_says(tmp_path: Path, outward: str) -> None:
    box = Box(tmp_path, outward)
    box.there("desk1")
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=200.0)
    legs: list[str] = []

    async def scene() -> None:
        _, agent = await box.talking()
        await box.keys(agent, f"*8{OUTSIDE}#")
        await asyncio.sleep(2.0)
        (other,) = box.rung[OUTSIDE]
        if outward == "notice":
            assert box.joined.get(other) is None, "nobody speaks before the notice was heard"
        await asyncio.sleep(8.0)
        assert box.joined[other] == agent
        legs.append(other)
        await box.keys(agent, "*0")
        await asyncio.sleep(5.0)

    record = incoming(box.run(scene))
    (other,) = legs
    assert (other in box.notices, other in box.began) == {
        "off": (False, False), "notice": (True, True), "none_needed": (False, True),
    }[outward]  # fmt: skip
    if outward == "notice":
        assert box.began[other] >= box.notices[other] + 3.0
    assert record.consent and box.recorded[next(iter(box.recorded))].consent == record.consent
    given = _given(box, record)
    assert [each["node"] for each in given][1:] == (["consultation"] if outward == "notice" else [])


def test_a_pause_ends_before_the_consultation_and_an_erasure_takes_both_parts(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")

    async def scene() -> None:
        _, agent = await box.talking()
        await box.keys(agent, "*5")
        await asyncio.sleep(5.0)
        await box.asked(agent, "*8202#")
        assert not box.silent
        await asyncio.sleep(5.0)

    record = incoming(box.run(scene))
    assert len(record.recordings) == 2 and [step.how for step in record.pauses] == ["keys", "transfer"]
    gone = tuple(each.recording for each in record.recordings)
    box.it.records.put(events.ConversationErased(record.conversation, "asked", "owner", gone))
    box.it.records.flush_now()
    with box.it.store.transaction() as db:
        for table in ("recording", "paused", "passed_on"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        left = db.execute(
            "SELECT count(*) FROM event_body JOIN event USING (n) WHERE subject = ?", (record.conversation,)
        )
        going = {row[0] for row in db.execute("SELECT recording FROM going").fetchall()}
        assert going == {*gone} and left.fetchone() == (1,), "only that it was erased"


def _given(box: Box, record: Conversation) -> list[dict[str, str]]:
    with box.it.store.transaction() as db:
        rows = db.execute(
            "SELECT body FROM event JOIN event_body USING (n) WHERE kind = 'consent.given' AND subject = ? ORDER BY n",
            (record.conversation,),
        ).fetchall()
    return [json.loads(body) for (body,) in rows]
