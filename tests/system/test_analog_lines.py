"""A gateway of analog lines, which says nothing when its caller has gone: only the exchange's tone does."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import time

import numpy as np

from appliance.signalling.port import HungUp
from tests.support import sounds
from tests.support.box import Box, free_ports, running
from tests.support.customers import SILENCE, Customers, Script
from tests.support.softphone import Talk
from tests.support.waiting import until
from tests.system.test_callbacks import FLOW, QUEUE

FOUND_SECONDS = 5.0
ANALOG = 'kind = "analog"\ngateway_numbers = ["100"]'


def gone(voice_seconds: float, on_ms: int, off_ms: int, dbm0: float) -> tuple[list[bytes], float]:
    """A voice, and then the tone for a minute; the seconds after which it begins."""
    voice = np.resize(sounds.speech("سلام، یک لحظه گوشی", "fa"), round(voice_seconds * 8000))
    pause = np.zeros(3000)
    tone = sounds.beeps((425,), (on_ms, off_ms), 60.0, dbm0)
    made = sounds.encode(np.concatenate([voice, pause, tone]), "PCMA")
    return sounds.frames(made), (len(voice) + len(pause)) / 8000


async def ended_after(gateway: Customers, caller: str, plan: tuple[list[bytes], float], keys: str = "") -> float:
    """Calls, speaks, and never hangs up: seconds from the tone's first beep until the box has ended the call."""
    talk: Talk = gateway.call("02188123456", caller)
    await until(lambda: talk.is_up, 10)
    for key in keys:
        await asyncio.sleep(0.5)
        gateway.press(talk, key)
    frames, tone_at = plan
    talk.says.extend(frames)
    began = time.monotonic()
    await until(lambda: talk.ended is not None, 60)
    assert isinstance(talk.ended, HungUp)
    return time.monotonic() - began - tone_at


def test_a_caller_of_an_analog_line_who_has_gone_is_gone_within_five_seconds() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(
        Box(f"127.0.0.2:{trunk}", phones=("desk1", "desk2"), flow=FLOW, extra=QUEUE, extra_trunk=ANALOG)
    ) as box:

        async def scene() -> list[float]:
            gateway = Customers(("127.0.0.1", box.sip), ("127.0.0.2", trunk), lambda _: Script(code=480))
            phone = Customers(
                ("127.0.0.1", box.sip), ("127.0.0.3", 0), lambda _: Script(), user="desk1", password=box.password
            )
            await gateway.start()
            waiting = await asyncio.gather(
                ended_after(gateway, "09121000001", gone(4.0, 500, 500, -12.0)),
                ended_after(gateway, "100", gone(3.0, 250, 250, -25.0)),
                ended_after(gateway, "100", gone(6.5, 440, 560, -33.0)),
            )
            await phone.start()
            async with asyncio.timeout(10):
                await phone.is_registered.wait()
            talking = await ended_after(gateway, "09121000002", gone(8.0, 500, 500, -18.0))
            await until(lambda: phone.legs == 0, 5)
            await gateway.stop()
            await phone.stop()
            return [*waiting, talking]

        seconds = asyncio.run(scene())
        print(f"from the first beep to the end: {', '.join(f'{each:.2f}' for each in seconds)} s")
        assert all(0.0 < each <= FOUND_SECONDS for each in seconds), seconds
        found = box.conversations(4)
        assert sorted(leg.cause for each in found for leg in each.legs if leg.role == "customer") == [
            "busy_tone", "busy_tone", "busy_tone", "congestion_tone",
        ]  # fmt: skip
        assert sorted((each.customer, each.is_withheld) for each in found) == [
            ("", True), ("", True), ("+989121000001", False), ("+989121000002", False),
        ]  # fmt: skip
        assert [each.outcome for each in found if each.customer.endswith("2")] == ["served"]
        assert "Traceback" not in box.log


def test_the_tone_is_found_by_the_media_process_that_comes_after_a_crash() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(
        Box(f"127.0.0.2:{trunk}", phones=("desk1", "desk2"), flow=FLOW, extra=QUEUE, extra_trunk=ANALOG)
    ) as box:

        async def scene() -> None:
            gateway = Customers(("127.0.0.1", box.sip), ("127.0.0.2", trunk), lambda _: Script(code=480))
            await gateway.start()
            talk = gateway.call("02188123456", "09121000001")
            await until(functools.partial(getattr, talk, "is_up"), 10)
            await asyncio.sleep(1.0)
            os.kill(box.media_child(), signal.SIGKILL)
            await asyncio.sleep(1.5)
            assert talk.ended is None and set(talk.says) <= {SILENCE}
            talk.says.extend(gone(1.0, 500, 500, -15.0)[0])
            await until(lambda: talk.ended is not None, 30)
            await gateway.stop()

        asyncio.run(scene())
        (conversation,) = box.conversations(1)
        assert [leg.cause for leg in conversation.legs] == ["busy_tone"]
