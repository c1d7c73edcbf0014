"""SIP over TCP with a peer that is not ours: SIPp calls and is called."""

from __future__ import annotations

import asyncio
from pathlib import Path

from appliance.clock import SystemClock
from appliance.signalling import sdp
from appliance.signalling.agent import Agent
from appliance.signalling.port import (
    Answer,
    Answered,
    Cause,
    Dial,
    Event,
    HangUp,
    HungUp,
    Identity,
    Offered,
    Ring,
    ToTrunk,
)
from appliance.signalling.settings import Signalling, Trunk
from tests.support.box import free_ports

CALLS = 20


class Office:
    """An agent with one IP trunk over TCP that answers whatever comes in."""

    def __init__(self, peer_port: int) -> None:
        trunk = Trunk(
            name="gateway",
            proxy=f"127.0.0.1:{peer_port}",
            transport="tcp",
            registers=False,
            sources=("127.0.0.0/8",),
        )
        self.events: list[Event] = []
        settings = Signalling(address="127.0.0.1", port=0, trunks=(trunk,))
        self.agent = Agent(settings, lambda _name: None, SystemClock(), self._heard)

    def _heard(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Offered):
            self.agent.submit(Ring(event.leg))
            self.agent.submit(Answer(event.leg, sdp.offer("", 6000, "PCMA", 1)))

    def all_of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[Event], count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.all_of(kind)) < count:  # noqa: ASYNC110 - what is waited for happens in another program
                await asyncio.sleep(0.02)


async def sipp(folder: Path, *arguments: str) -> int:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        "sipp", *arguments, "-t", "t1", "-i", "127.0.0.1", "-nostdin", "-timeout", "30", "-timeout_error",
        cwd=folder, stdout=quiet, stderr=quiet,
    )  # fmt: skip
    return await asyncio.wait_for(process.wait(), 60)


def test_sipp_calls_over_one_tcp_connection_and_every_call_is_answered_and_ended_once(tmp_path: Path) -> None:
    async def story() -> None:
        [port] = free_ports(1)
        office = Office(port)
        await office.agent.start()
        try:
            target = f"127.0.0.1:{office.agent.port}"
            code = await sipp(
                tmp_path, "-sn", "uac", target, "-p", str(port), "-m", str(CALLS), "-r", "20", "-d", "200"
            )
            assert code == 0
            await office.until(HungUp, CALLS)
            causes = {event.cause for event in office.events if isinstance(event, HungUp)}
            assert len(office.all_of(HungUp)) == CALLS and causes == {Cause.HUNG_UP}
            assert office.agent.counters["repeated"] == 0 and office.agent.counters["legs"] == 0
        finally:
            await office.agent.stop()

    asyncio.run(story())


def test_sipp_is_called_over_tcp_answers_and_is_hung_up_on(tmp_path: Path) -> None:
    async def story() -> None:
        [port] = free_ports(1)
        office = Office(port)
        await office.agent.start()
        try:
            answering = asyncio.create_task(sipp(tmp_path, "-sn", "uas", "-p", str(port), "-m", "1"))
            async with asyncio.timeout(20):
                while not await is_listening(port):  # noqa: ASYNC110 - another program opens it
                    await asyncio.sleep(0.05)
            office.agent.submit(
                Dial("d" * 32, ToTrunk("gateway", "100"), sdp.offer("", 6002, "PCMA", 2), Identity("1"))
            )
            await office.until(Answered, 1)
            office.agent.submit(HangUp("d" * 32))
            assert await answering == 0
        finally:
            await office.agent.stop()

    asyncio.run(story())


async def is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
