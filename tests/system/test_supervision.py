"""A supervisor on a real box, over SIP and RTP: in which packets their voice is, and in which recordings.

The supervisor says one pitch all the time, the marker; the agent says noise of which no two frames are alike, so that
what reaches the customer can be held against what was sent byte by byte.
"""

from __future__ import annotations

import asyncio
import audioop
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from appliance.recorder import reading
from appliance.records.reader import Conversation
from tests.support import sounds
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone, Talk
from tests.support.waiting import until
from tests.system.test_transfers import FLOW

MARKER_HERTZ = 1700.0
SETTLE = 15  # frames that are under way while something changes
WINDOW = 50
LOUD, ABSENT = 1000.0, 100.0  # amplitude at the marker's pitch, of 32,767
SILENCE = b"\xd5" * 160
AGENT = sounds.frames(sounds.encode(sounds.noise(random.Random(1), 40.0, -20.0), "PCMA"))
CUSTOMER = sounds.frames(sounds.encode(sounds.sine((400.0,), 1.0, -15.0), "PCMA"))
SUPERVISOR = sounds.frames(sounds.encode(sounds.sine((MARKER_HERTZ,), 1.0, -10.0), "PCMA"))


def marker(sound: bytes) -> float:
    """The amplitude at the marker's pitch (a DFT at one frequency) of A-law sound."""
    samples = np.frombuffer(audioop.alaw2lin(sound, 2), "<i2")
    turns = np.exp(-2j * np.pi * MARKER_HERTZ / 8000 * np.arange(len(samples)))
    return float(2 * abs(samples @ turns) / max(1, len(samples)))


@dataclass
class Scene:
    """Whoever speaks; the telephone ``other`` may listen to nobody."""

    customer: Talk
    agent: Talk
    phone: Softphone
    own: Talk
    provider: Softphone

    async def keys(self, keys: str) -> None:
        for key in keys:
            self.phone.press(self.own, key)
        await until(lambda: not self.own.digits, 10)

    async def hears_marker(self, talk: Talk, wanted: bool = True) -> None:
        await until(lambda: (marker(b"".join(talk.frames[-WINDOW:])) > LOUD) is wanted, 15)

    async def talks(self) -> None:
        """Long enough for a window in which nothing changes."""
        for talk in (self.customer, self.agent):
            count = len(talk.frames) + WINDOW + SETTLE
            await until(lambda talk=talk, count=count: len(talk.frames) >= count, 15)


@contextlib.contextmanager
def the_box() -> Iterator[tuple[Box, int]]:
    (trunk,) = free_ports(1, "127.0.0.2")
    line = '[[queue]]\nname = "q0"\nagents = ["first"]\n'
    flow = FLOW.format(n=0).replace('"f0"', '"welcome"')
    box = Box(f"127.0.0.2:{trunk}", phones=("desk1", "desk2", "desk3"), flow=flow, extra=line)
    text = box.file.read_text().replace('name = "first"\n', 'name = "first"\nextension = "201"\n')
    box.file.write_text(text.replace('name = "agent2"\n', 'name = "agent2"\nsupervises = ["q0"]\n'))
    with running(box):
        yield box, trunk
        assert "Traceback" not in box.log


@contextlib.asynccontextmanager
async def talking(box: Box, trunk: int) -> AsyncIterator[Scene]:
    """A customer and an agent speak, and ``desk2`` listens; ``desk3`` was told that it may not."""
    provider = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), frames=CUSTOMER, keeps_frames=True)
    phones = [
        Softphone(
            ("127.0.0.1", box.sip), ("127.0.0.3", 0), user=f"desk{number}", password=box.password, frames=says,
            keeps_frames=True,
        )
        for number, says in ((1, AGENT), (2, SUPERVISOR), (3, SUPERVISOR))
    ]  # fmt: skip
    everybody = [provider, *phones]
    for each in everybody:
        await each.start()
    try:
        async with asyncio.timeout(20):
            await asyncio.gather(*(phone.is_registered.wait() for phone in phones))
        customer = provider.call("02188123456", "09121234567")
        await until(lambda: bool(phones[0].talks) and customer.frames[-1:] != [] and customer.frames[-1] in AGENT, 30)
        (agent,) = phones[0].talks.values()
        refused = phones[2].call("*51201", "desk3")
        await until(lambda: refused.ended is not None, 20)
        assert len(refused.heard) > 25, "told why, and let go"
        own = phones[1].call("*51201", "desk2")
        await until(lambda: len(own.frames) > WINDOW, 15)
        yield Scene(customer, agent, phones[1], own, provider)
        provider.hang_up(customer)
        await until(lambda: agent.ended is not None and own.ended is not None, 10)
    finally:
        for each in everybody:
            await each.stop()


def the_agents(heard: list[bytes], agent: Talk) -> bool:
    """Whether these packets are the agent's own bytes, all of them, in their order."""
    sent = [frame for _, frame in agent.sent]
    places = {frame: at for at, frame in enumerate(sent)}  # of 2,000 frames no two are alike
    return all(frame in places for frame in heard) and all(
        places[after] - places[one] == 1 for one, after in pairwise(heard)
    )


def test_a_whisper_is_in_no_packet_towards_the_customer_and_in_a_recording_of_its_own() -> None:
    with the_box() as (box, trunk):
        asyncio.run(_listen_whisper_join(box, trunk))
        refused, supervising, record = sorted(box.conversations(3), key=lambda each: each.direction == "in")
        assert [step.state for step in record.supervision] == ["started", "mode", "mode", "mode", "ended"]
        assert {step.detail for step in refused.supervision + supervising.supervision} == {"not_allowed"}
        _judge_recordings(box, record)
        shown = subprocess.run(
            [sys.executable, "-m", "appliance", "cdr", "--json", "--config", str(box.file)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        documents = [json.loads(line) for line in shown.stdout.splitlines()]
        (document,) = [each for each in documents if each["conversation"] == record.conversation]
        assert [step["mode"] for step in document["supervision"]] == ["listen", "whisper", "join", "listen", "listen"]


async def _listen_whisper_join(box: Box, trunk: int) -> None:
    async with talking(box, trunk) as scene:
        customer, agent, own = scene.customer, scene.agent, scene.own
        began = len(customer.frames)
        await scene.talks()
        assert marker(b"".join(agent.frames[-WINDOW:])) < ABSENT, "who listens is not heard"
        assert own.frames[-1] not in AGENT and own.frames[-1] not in CUSTOMER, "and hears both"

        await scene.keys("*2")
        await scene.hears_marker(agent)
        await scene.talks()
        assert marker(b"".join(agent.frames[-WINDOW:])) > LOUD
        heard = customer.frames[began:]
        assert len(heard) > 2 * WINDOW and the_agents(heard, agent)
        assert marker(b"".join(heard)) < ABSENT
        print(f"whispered: {len(heard)} packets to the customer, all of them the agent's bytes")

        await scene.keys("*3")
        await scene.hears_marker(customer)
        await scene.talks()
        assert all(marker(b"".join(each.frames[-WINDOW:])) > LOUD for each in (customer, agent))
        assert not the_agents(customer.frames[-WINDOW:], agent)

        await scene.keys("*1")
        await scene.hears_marker(customer, wanted=False)
        await scene.talks()
        assert the_agents(customer.frames[-WINDOW:], agent) and marker(b"".join(agent.frames[-WINDOW:])) < ABSENT


def _judge_recordings(box: Box, record: Conversation) -> None:
    customers, own = record.recordings
    assert own.recording == record.supervision[0].recording and own.state == customers.state == "sealed"
    whole, beside = (
        reading.open_recording(box.data / "kept" / each.recording, box.identity) for each in (customers, own)
    )
    left, right = whole.stereo[0::2], whole.stereo[1::2]
    at = {mark.detail: mark.at_ms * 8 for mark in whole.marks if mark.kind == "supervised" and mark.at_ms}
    second = 8000
    whispered = right[at["whisper"] : at["join"]]
    assert len(whispered) > second and marker(whispered) < ABSENT
    assert marker(right[at["join"] + second : at["join"] + 2 * second]) > LOUD, "the customer heard them"
    assert marker(left[: at["join"]]) < ABSENT
    assert beside.about["left"] == "supervisor" and marker(beside.stereo[0::2][second : 3 * second]) > LOUD
    consents = {json.loads(each.about["manifest"])["consent"]["id"] for each in (whole, beside)}
    assert consents == {record.consent}
    length = own.milliseconds / 1000
    assert length == pytest.approx((record.supervision[-1].at_ms - record.supervision[0].at_ms) / 1000, abs=1.5)


def test_when_media_dies_under_a_whisper_it_comes_back_as_a_whisper() -> None:
    with the_box() as (box, trunk):
        asyncio.run(_media_dies(box, trunk))
        *_, record = sorted(box.conversations(3), key=lambda each: each.direction == "in")
        assert record.interruptions == 1 and {each.state for each in record.recordings} <= {"sealed", "recovered"}
        assert len(record.recordings) == 4, "two parts of each leg"


async def _media_dies(box: Box, trunk: int) -> None:
    async with talking(box, trunk) as scene:
        customer, agent = scene.customer, scene.agent
        await scene.keys("*2")
        await scene.hears_marker(agent)
        began = len(customer.frames)
        os.kill(box.media_child(), signal.SIGKILL)
        await scene.talks()
        await scene.hears_marker(agent)
        await scene.talks()
        heard = [frame for frame in customer.frames[began:] if frame != SILENCE]
        assert len(heard) > WINDOW and set(heard) <= {frame for _, frame in agent.sent}
