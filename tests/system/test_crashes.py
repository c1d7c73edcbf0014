"""kill -9 of the box's processes in the middle of calls: what is lost, what goes on, and what the records say.

A sample in ``make check``; all twenty of each in ``make long``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from appliance.recorder import reading
from appliance.records.reader import Conversation
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone, Talk
from tests.support.waiting import until

KILLS = 20 if os.environ.get("PASOKH_LONG") else 2
CALLS = 10
LOST_MS = 850
RING_SECONDS = 5.0
VOICE = bytes([0x34] * 80 + [0xB4] * 80)  # a loud buzz


@contextlib.asynccontextmanager
async def ten_talks(
    box: Box, trunk: int, voice: bytes = VOICE
) -> AsyncIterator[tuple[Softphone, list[Talk], list[Softphone]]]:
    """Ten customers, each connected to an agent."""
    caller = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=voice)
    phones = [
        Softphone(("127.0.0.1", box.sip), ("127.0.0.3", 0), user=f"desk{number}", password=box.password, voice=voice)
        for number in range(1, CALLS + 1)
    ]
    for each in (caller, *phones):
        await each.start()
    try:
        async with asyncio.timeout(20):
            await asyncio.gather(*(phone.is_registered.wait() for phone in phones))
        talks = [caller.call("02188123456", f"0912000{number:04}") for number in range(CALLS)]
        await until(lambda: all(talk.is_up for talk in talks), 10)
        await asyncio.sleep(8.5)  # the greeting and the notice are played to their end
        for talk in talks:
            caller.press(talk, "1")
        await until(lambda: sum(len(phone.talks) for phone in phones) == CALLS, 20)
        await asyncio.sleep(2.5)
        yield caller, talks, phones
    finally:
        for each in (caller, *phones):
            await each.stop()


def box_for_ten(trunk: int, services: Sequence[str] = ("media", "calls")) -> Box:
    phones = [f"desk{number}" for number in range(1, CALLS + 1)]
    return Box(f"127.0.0.2:{trunk}", phones=phones, services=services)


def verified(box: Box, name: str) -> str:
    """What ``pasokh recording verify`` says, with the owner's key."""
    key = box.folder / "owner.key"
    key.write_text(box.identity.encode() + "\n")
    done = subprocess.run(
        [".venv/bin/pasokh", "recording", "verify", "--json", "--key", key, str(box.data / "kept" / name)],
        capture_output=True,
        text=True,
    )
    return str(json.loads(done.stdout.splitlines()[0])["state"])


def opened_by_age(box: Box, name: str) -> bool:
    """Whether the stock ``age`` command opens a closed recording and gives the bytes that we read."""
    key = box.folder / "owner.key"
    base = box.data / "kept" / name
    whole = (base.with_suffix(".head")).read_bytes() + (base.with_suffix(".body")).read_bytes()
    done = subprocess.run(["age", "-d", "-i", key], input=whole, capture_output=True)
    ours = reading.open_recording(base, box.identity, name).stereo
    return done.returncode == 0 and done.stdout.endswith(ours) and len(ours) > 1000


def test_a_media_process_that_is_killed_costs_a_moment_of_sound_and_no_call() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    gaps: list[float] = []
    with running(box_for_ten(trunk)) as box:

        async def scene() -> None:
            async with ten_talks(box, trunk) as (caller, talks, phones):
                for _ in range(KILLS):
                    killed = time.monotonic()
                    os.kill(box.media_child(), signal.SIGKILL)
                    await asyncio.sleep(4)
                    now = time.monotonic()
                    both = [*talks, *(talk for phone in phones for talk in phone.talks.values())]
                    assert len(both) == 2 * CALLS and all(talk.is_up for talk in both)
                    assert all(talk.heard[-1] > now - 0.5 for talk in both)
                    gaps.extend(talk.longest_silence(killed - 0.3, now) for talk in both)
                for talk in talks:
                    caller.hang_up(talk)
                await asyncio.sleep(1)

        asyncio.run(scene())
        conversations = box.conversations(CALLS)
        for each in conversations:
            assert each.outcome == "served" and each.interruptions == KILLS, each
            assert [part.part for part in each.recordings] == list(range(1, KILLS + 2))
            assert {part.state for part in each.recordings[:-1]} == {"recovered"}
            assert each.recordings[-1].state == "sealed"
            _lost_little(each)
        parts = [part for each in conversations for part in each.recordings]
        assert {verified(box, part.recording) for part in parts[:: KILLS + 1]} == {"open"}
        assert all(verified(box, each.recordings[-1].recording) == "verified" for each in conversations[:3])
        assert opened_by_age(box, conversations[0].recordings[-1].recording)
        assert "Traceback" not in box.log
    gaps.sort()
    print(f"media kills: {KILLS}, silence p50 {gaps[len(gaps) // 2]:.3f} s, p95 {gaps[int(len(gaps) * 0.95)]:.3f} s,"
          f" longest {gaps[-1]:.3f} s")  # fmt: skip
    assert max(gaps) < 5.0, "five-fold slack; the figure of one second is measured by make long"


def _lost_little(conversation: Conversation) -> None:
    """From the first to the last recorded moment only the gaps and at most 0.85 s for each kill are missing."""
    parts = conversation.recordings
    recorded = sum(part.milliseconds for part in parts)
    gaps = sum(part.gap_ms for part in parts)
    spanned = (conversation.total_ms or 0) - parts[0].opened_ms
    assert spanned - recorded - gaps <= (len(parts) - 1) * LOST_MS + 500, (spanned, recorded, gaps)


def test_a_calls_process_that_is_killed_leaves_no_leg_up_and_closes_its_records() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(box_for_ten(trunk)) as box:
        back = sorted(asyncio.run(_killed_calls(box, trunk)) for _ in range(KILLS))
        middle, longest = back[len(back) // 2], back[-1]
        print(f"calls kills: {KILLS}, legs down and ready again: p50 {middle:.2f} s, longest {longest:.2f} s")
        conversations = box.conversations(CALLS * KILLS, timeout_seconds=40)
        for each in conversations:
            assert each.outcome == "crashed" and {leg.cause for leg in each.legs} == {"orphan"}, each
            assert [part.state for part in each.recordings] == ["sealed"]
        assert verified(box, conversations[0].recordings[0].recording) == "verified"
        assert opened_by_age(box, conversations[-1].recordings[0].recording)
        with box.reader() as reader:
            assert not hasattr(reader.verify(), "reason"), "the chain of events is whole"
        assert "Traceback" not in box.log


async def _killed_calls(box: Box, trunk: int) -> float:
    """Seconds from the kill until no leg is up on either side and the service is ready again."""
    async with ten_talks(box, trunk) as (caller, talks, phones):
        began = time.monotonic()
        os.kill(box.process("calls"), signal.SIGKILL)
        await until(lambda: not caller.legs and not any(phone.legs for phone in phones), 25)
        assert not any(talk.is_up for talk in talks)
        box.until_ready("calls")
        spent = time.monotonic() - began
        assert spent < 25.0, "five-fold slack on five seconds"
        return spent


def test_a_box_without_an_owners_key_takes_calls_and_says_that_it_does_not_record() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(Box(f"127.0.0.2:{trunk}", has_key=False)) as box:

        async def scene() -> None:
            caller = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk))
            await caller.start()
            talk = caller.call("02188123456", "09121234567")
            await until(lambda: talk.is_up, 10)
            await asyncio.sleep(9)
            caller.hang_up(talk)
            await caller.stop()

        asyncio.run(scene())
        (conversation,) = box.conversations(1)
        assert [(part.state, part.reason) for part in conversation.recordings] == [("refused", "recorder.no_owner_key")]
        kept: list[Path] = [*(box.data / "kept").iterdir(), *(box.data / "live").iterdir()]
        assert kept == []
