"""What is recorded of calls that the office makes and of consultations, over real SIP, to the byte.

Everybody says noise of which no two frames are alike, so that what is in a recording can be held against what was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.places import shipped_flows
from appliance.recorder import reading
from appliance.recorder.reading import Opened
from appliance.records.reader import Conversation
from tests.support import sounds
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone, Talk
from tests.support.waiting import until
from tests.system.test_transfers import FLOW

SILENCE = b"\xd5" * 160
CUSTOMER, A, B = (
    sounds.frames(sounds.encode(sounds.noise(random.Random(seed), 40.0, -20.0), "PCMA")) for seed in (1, 2, 3)
)
NOTICE = frozenset(sounds.frames((shipped_flows() / "prompts" / "fa" / "recording_notice.alaw").read_bytes())) - {
    SILENCE
}
LEAST = 40  # frames that somebody speaks in each stretch
MOST_LATE = 10  # frames for which a busy machine was too late
UNDER_WAY = 12  # frames that are on their way while something changes


@contextlib.contextmanager
def a_box(*, calls: str = "", trunk: str = "") -> Iterator[tuple[Box, int]]:
    """With desk1 (extension 201) and desk2 (202); what ``[calls]`` and the trunk say beside."""
    (number,) = free_ports(1, "127.0.0.2")
    box = Box(
        f"127.0.0.2:{number}", phones=("desk1", "desk2"), flow=FLOW.format(n=0).replace('"f0"', '"welcome"'),
        extra='[[queue]]\nname = "q0"\nagents = ["first"]\n', extra_trunk=trunk,
    )  # fmt: skip
    text = box.file.read_text().replace("[calls]\n", f"[calls]\n{calls}\n")
    text = text.replace('name = "first"\n', 'name = "first"\nextension = "201"\n')
    box.file.write_text(text.replace('name = "agent2"\n', 'name = "agent2"\nextension = "202"\n'))
    with running(box):
        yield box, number
        assert "Traceback" not in box.log


@dataclass
class People:
    provider: Softphone
    desk1: Softphone
    desk2: Softphone


@contextlib.asynccontextmanager
async def people(box: Box, trunk: int) -> AsyncIterator[People]:
    provider = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), frames=CUSTOMER, keeps_frames=True)
    desks = [
        Softphone(
            ("127.0.0.1", box.sip), ("127.0.0.3", 0), user=f"desk{number}", password=box.password, frames=says,
            keeps_frames=True,
        )
        for number, says in ((1, A), (2, B))
    ]  # fmt: skip
    for each in (provider, *desks):
        await each.start()
    try:
        async with asyncio.timeout(20):
            await asyncio.gather(*(desk.is_registered.wait() for desk in desks))
        yield People(provider, *desks)
    finally:
        for each in (provider, *desks):
            await each.stop()


async def hears(talk: Talk, voice: list[bytes], frames: int = LEAST) -> None:
    """Until this party has heard so much more of a voice."""
    known = set(voice)
    begins = len(talk.frames)
    await until(lambda: sum(each in known for each in talk.frames[begins:]) >= frames, 20)


async def keys(phone: Softphone, talk: Talk, pressed: str) -> None:
    for key in pressed:
        phone.press(talk, key)
        await until(lambda: not talk.digits, 5)
        await asyncio.sleep(0.1)


def opened(box: Box, record: Conversation, part: int = 0) -> tuple[Opened, list[bytes], list[bytes]]:
    """A part of a recording, and the packets of its left and right side."""
    recording = record.recordings[part].recording
    found = reading.open_recording(box.data / "kept" / recording, box.identity, recording)
    return found, *(sounds.frames(found.stereo[side::2]) for side in (0, 1))  # type: ignore[return-value]


def missing(part: Sequence[bytes], sent: Sequence[bytes]) -> list[int]:
    """How many frames are missing between each two of ``part``: a frame that was never sent, or out of order, fails."""
    places = {frame: place for place, frame in enumerate(sent)}
    found = [places[frame] for frame in part]
    assert found == sorted(found), "in the order in which they were said"
    return [other - one - 1 for one, other in itertools.pairwise(found)]


def is_whole(part: Sequence[bytes], sent: Sequence[bytes]) -> bool:
    """Whether it is long enough, and all of what was sent meanwhile but for what a busy machine was late with."""
    return len(part) >= LEAST and sum(missing(part, sent)) <= MOST_LATE


def is_what_was_sent(recorded: list[bytes], talk: Talk) -> bool:
    """Whether all that is no silence is what this party has sent, in its order and without a hole."""
    return is_whole([each for each in recorded if each != SILENCE], [frame for _, frame in talk.sent])


def consent_of(found: Opened) -> dict[str, str]:
    said: dict[str, str] = json.loads(found.about["manifest"])["consent"]
    return said


def given(box: Box, record: Conversation) -> list[dict[str, str]]:
    with box.reader() as reader:
        rows = reader.within(
            lambda db: db.execute(
                "SELECT body FROM event JOIN event_body USING (n) WHERE kind = 'consent.given' AND subject = ?",
                (record.conversation,),
            ).fetchall()
        )
    return [json.loads(body) for (body,) in rows]


# Calls outward -------------------------------------------------------------------------------------------------------


def test_a_desk_phones_call_outward_is_recorded_only_after_the_customer_has_heard_the_notice() -> None:
    with a_box(trunk='records_outward = "notice"') as (box, trunk):
        customer, agent = asyncio.run(_calls_out(box, trunk))
        (record,) = box.conversations(1)
        whole, left, right = opened(box, record)
        notice = [at for at, frame in enumerate(customer.frames) if frame in NOTICE]
        spoken = [at for at, frame in enumerate(customer.frames) if frame in A]
        assert len(notice) >= len(NOTICE) * 0.9 and notice[-1] < spoken[0], "the notice, and then the agent"
        assert not NOTICE & {*left, *right}, "nothing of before is recorded"
        assert is_what_was_sent(left, customer) and is_what_was_sent(right, agent)
        heard = [frame for frame in customer.frames if frame in A]
        kept = [frame for frame in right if frame != SILENCE]
        assert is_whole(kept[:-UNDER_WAY], heard), "to the byte what they heard"
        (event,) = given(box, record)
        (part,) = record.recordings
        assert consent_of(whole)["id"] == event["consent"] == part.consent == record.consent == whole.about["consent"]
        assert (record.direction, event["how"], event["node"]) == ("out", "notice", "outward")


async def _calls_out(box: Box, trunk: int) -> tuple[Talk, Talk]:
    async with people(box, trunk) as them:
        agent = them.desk1.call("09121234567", "desk1")
        await until(lambda: bool(them.provider.talks), 20)
        (customer,) = them.provider.talks.values()
        await hears(customer, A)
        await hears(agent, CUSTOMER)
        them.desk1.hang_up(agent)
        await until(lambda: customer.ended is not None, 10)
        return customer, agent


def test_who_hangs_up_during_the_notice_is_not_recorded_and_off_plays_none() -> None:
    with a_box(trunk='records_outward = "notice"') as (box, trunk):

        async def leaves() -> None:
            async with people(box, trunk) as them:
                agent = them.desk1.call("09121234567", "desk1")
                await until(lambda: bool(them.provider.talks), 20)
                (customer,) = them.provider.talks.values()
                await until(lambda: any(frame in NOTICE for frame in customer.frames), 10)
                them.provider.hang_up(customer)
                await until(lambda: agent.ended is not None, 10)
                assert not any(frame in A for frame in customer.frames)

        asyncio.run(leaves())
        (record,) = box.conversations(1)
        assert record.recordings == () and not record.consent and given(box, record) == []
    with a_box() as (box, trunk):
        customer, _ = asyncio.run(_calls_out(box, trunk))
        (record,) = box.conversations(1)
        assert record.recordings == () and not NOTICE & {*customer.frames}


# Consultations -------------------------------------------------------------------------------------------------------


def test_a_consultation_is_a_part_of_its_own_whose_sound_is_what_was_said(tmp_path: Path) -> None:
    with a_box(calls="records_consultations = true") as (box, trunk):
        customer, agent, asked = asyncio.run(_asks(box, trunk))
        (record,) = box.conversations(1)
        first, left, right = opened(box, record)
        assert is_what_was_sent(left, customer)
        assert not {*right} & {*B}, "the customer heard nothing of it, and neither does their part"
        second, own_left, own_right = opened(box, record, 1)
        assert is_what_was_sent(own_left, asked)
        said = [frame for frame in own_right if frame in A]
        assert is_whole(said, [frame for _, frame in agent.sent])
        assert not {*own_left, *own_right} & {*CUSTOMER}, "and nothing of the customer"
        assert [each.part for each in record.recordings] == [1, 2] and second.about["left"] == "agent"
        assert consent_of(first) == consent_of(second) and consent_of(second)["id"] == record.consent
        steps = {step.state: step for step in record.transfers}
        assert steps["asking"].detail == record.recordings[1].recording and "back" in steps
        begun = [json.loads(each.about["manifest"]) for each in (first, second)]
        by_clock, by_record = (begun[1][name] - begun[0][name] for name in ("monotonic_ms", "offset_ms"))
        assert abs(by_clock - by_record) <= 2, "one clock for both"
        _judge_export(box, record, tmp_path)


async def _asks(box: Box, trunk: int) -> tuple[Talk, Talk, Talk]:
    async with people(box, trunk) as them:
        customer = them.provider.call("02188123456", "09121234567")
        await hears(customer, A)
        (agent,) = them.desk1.talks.values()
        await keys(them.desk1, agent, "*8202#")
        await until(lambda: bool(them.desk2.talks), 20)
        (asked,) = them.desk2.talks.values()
        await hears(asked, A)
        await hears(agent, B)
        await keys(them.desk1, agent, "*0")
        await hears(customer, A)
        assert not any(frame in B for frame in customer.frames)
        them.provider.hang_up(customer)
        await until(lambda: agent.ended is not None and asked.ended is not None, 10)
        return customer, agent, asked


def _judge_export(box: Box, record: Conversation, folder: Path) -> None:
    """Both parts are listed, counted and written out."""
    owner = folder / "owner.key"
    owner.write_text(box.identity.encode() + "\n")

    def pasokh(*arguments: str) -> str:
        command = [sys.executable, "-m", "appliance", *arguments, "--config", str(box.file)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    (document,) = [json.loads(line) for line in pasokh("cdr", "--json").splitlines()]
    assert [each["part"] for each in document["recordings"]] == [1, 2]
    out = folder / "all"
    pasokh("recording", "export-all", "--key", str(owner), "--out", str(out), "--from", str(box.data / "kept"),
           "--reason", "test")  # fmt: skip
    assert len([each for each in out.rglob("*") if each.suffix in (".flac", ".wav", ".opus")]) == 2


# Pauses --------------------------------------------------------------------------------------------------------------


def test_a_pause_is_silence_of_the_right_length_and_every_other_byte_is_what_was_said() -> None:
    with a_box() as (box, trunk):
        customer, agent = asyncio.run(_pauses(box, trunk))
        (record,) = box.conversations(1)
        whole, left, right = opened(box, record)
        paused, resumed = record.pauses
        assert (paused.by, paused.state, resumed.state, resumed.how) == ("first", "paused", "resumed", "keys")
        at = {mark.kind: mark.at_ms // 20 for mark in whole.marks if mark.kind in ("paused", "unpaused")}
        length = at["unpaused"] - at["paused"]
        assert abs(length - (resumed.at_ms - paused.at_ms) / 20) <= 50
        for side, talk in ((left, customer), (right, agent)):
            quiet = side[at["paused"] + UNDER_WAY : at["unpaused"] - UNDER_WAY]
            assert {*quiet} == {SILENCE} and len(quiet) > LEAST
            before, after = side[: at["paused"]], side[at["unpaused"] :]
            voices = {frame for _, frame in talk.sent}
            assert all(sum(frame in voices for frame in part) >= LEAST for part in (before, after)), (
                "and they are heard before and after"
            )
        spoken = [frame for frame in left if frame != SILENCE]
        holes = missing(spoken, [frame for _, frame in customer.sent])
        hole = max(holes)
        assert sum(holes) - hole <= MOST_LATE, "one hole, and nothing else is missing or changed"
        assert abs(hole - length) <= UNDER_WAY
        print(f"paused {length * 20} ms, in the recording {hole * 20} ms of the customer are missing")


async def _pauses(box: Box, trunk: int) -> tuple[Talk, Talk]:
    async with people(box, trunk) as them:
        customer = them.provider.call("02188123456", "09121234567")
        await hears(customer, A)
        (agent,) = them.desk1.talks.values()
        await hears(agent, CUSTOMER)
        await keys(them.desk1, agent, "*5")
        await hears(customer, A, 3 * LEAST)
        await keys(them.desk1, agent, "*5")
        await hears(customer, A)
        await hears(agent, CUSTOMER)
        them.provider.hang_up(customer)
        await until(lambda: agent.ended is not None, 10)
        return customer, agent
