"""The driver on real sockets of 127.0.0.1: what only shows there."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.clock import SystemClock
from appliance.signalling import transport, wire
from appliance.signalling.agent import Agent
from appliance.signalling.port import Event, PhoneGone, PhoneRegistered, TrunkChanged, TrunkState
from appliance.signalling.settings import Phone, Signalling, Trunk
from tests.signalling.given import Caller, code_of
from tests.support.box import free_ports

BOX = Signalling(address="127.0.0.1", port=0, domain="box.example", phones=(Phone(name="desk1"),))


class Station:
    """One agent, its events, and a way to wait for them."""

    def __init__(self, settings: Signalling, kept: Path | None = None, password: str = "geheim") -> None:
        self.events: list[Event] = []
        known = {"phone-desk1": "geheim", "trunk-box": password}
        self.agent = Agent(settings, known.get, SystemClock(), self.events.append, kept)

    async def __aenter__(self) -> Station:
        await self.agent.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.agent.stop()

    async def until(self, what: Callable[[Event], bool]) -> Event:
        async with asyncio.timeout(20):
            while True:
                for event in self.events:
                    if what(event):
                        return event
                await asyncio.sleep(0.005)


def desk(box: Station, **changes: str) -> Signalling:
    """Settings of an agent that registers at the box as desk1."""
    trunk = Trunk(name="box", proxy=f"127.0.0.1:{box.agent.port}", domain="box.example", user="desk1")
    trunk = replace(trunk, transport="tcp" if changes.get("transport") == "tcp" else "udp")
    return Signalling(address="127.0.0.1", port=0, trunks=(trunk,))


def is_up(event: Event) -> bool:
    return isinstance(event, TrunkChanged) and event.state is TrunkState.UP


def run(story: Callable[[], Coroutine[None, None, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await story()

    asyncio.run(bounded())


class Raw:
    """A bare UDP socket that speaks to an agent."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)

    async def ask(self, data: bytes) -> wire.Message:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.socket, data)
        return wire.parse(await asyncio.wait_for(loop.sock_recv(self.socket, 65_535), 5))

    def close(self) -> None:
        self.socket.close()


def options(number: int = 1) -> bytes:
    return Caller(call_id=f"o{number}").ask("OPTIONS")


@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_a_trunk_registers_with_its_password_and_takes_it_back_at_the_end(over: str) -> None:
    async def story() -> None:
        async with Station(BOX) as box:
            async with Station(desk(box, transport=over)) as other:
                await other.until(is_up)
                await box.until(lambda event: isinstance(event, PhoneRegistered))
            await box.until(lambda event: isinstance(event, PhoneGone))

    run(story)


def test_a_wrong_password_is_told_as_refused() -> None:
    async def story() -> None:
        async with Station(BOX) as box, Station(desk(box), password="guess") as other:
            changed = await other.until(lambda event: isinstance(event, TrunkChanged))
            assert isinstance(changed, TrunkChanged) and (changed.state, changed.code) == (TrunkState.REFUSED, 403)
            assert box.events == []

    run(story)


def test_a_name_that_nobody_knows_is_told_as_unreachable() -> None:
    async def story() -> None:
        trunk = Trunk(name="box", proxy="no-such-host.invalid:5060")
        async with Station(replace(BOX, trunks=(trunk,))) as station:
            changed = await station.until(lambda event: isinstance(event, TrunkChanged))
            assert isinstance(changed, TrunkChanged) and changed.state is TrunkState.UNREACHABLE
            assert "no-such-host.invalid" in changed.detail

    run(story)


def test_a_tcp_trunk_that_nobody_listens_on_is_told_as_unreachable_at_once() -> None:
    async def story() -> None:
        [port] = free_ports(1)
        trunk = Trunk(name="box", proxy=f"127.0.0.1:{port}", transport="tcp")
        async with Station(replace(BOX, trunks=(trunk,))) as station:
            changed = await station.until(lambda event: isinstance(event, TrunkChanged))
            assert isinstance(changed, TrunkChanged) and changed.state is TrunkState.UNREACHABLE

    run(story)


def test_an_ip_trunk_is_up_once_it_was_heard() -> None:
    async def story() -> None:
        raw_port = free_ports(1)[0]
        trunk = Trunk(name="gateway", proxy=f"127.0.0.1:{raw_port}", registers=False)
        async with Station(replace(BOX, trunks=(trunk,))) as station:
            first = await station.until(lambda event: isinstance(event, TrunkChanged))
            assert isinstance(first, TrunkChanged) and first.state is TrunkState.STARTING
            raw = Raw(station.agent.port)
            assert code_of([await raw.ask(options())]) == 200
            raw.close()
            await station.until(is_up)

    run(story)


def test_a_port_that_is_taken_is_an_error_of_the_system() -> None:
    async def story() -> None:
        async with Station(BOX) as box:
            other = Station(replace(BOX, port=box.agent.port))
            with pytest.raises(OSError, match="in use"):
                await other.agent.start()

    run(story)


def test_phones_are_known_again_after_a_restart_and_no_password_is_in_the_file(tmp_path: Path) -> None:
    async def story() -> None:
        kept = tmp_path / "phones.json"
        [port] = free_ports(1)
        settings = replace(BOX, port=port)
        box = Station(settings, kept)
        await box.agent.start()
        async with Station(desk(box)) as other:
            await other.until(is_up)
            await box.agent.stop()
            assert "geheim" not in kept.read_text() and kept.stat().st_mode & 0o777 == 0o600
            async with Station(settings, kept) as again:
                event = await again.until(lambda event: isinstance(event, PhoneRegistered))
                assert isinstance(event, PhoneRegistered) and event.phone == "desk1"

    run(story)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"users": 3, "phones": 4}', '{"phones": {"desk1": [1]}}'])
def test_a_spoiled_file_of_phones_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    async def story() -> None:
        kept = tmp_path / "phones.json"
        kept.write_text(content)
        async with Station(BOX, kept) as box:
            assert box.events == []

    run(story)


def test_spoiled_datagrams_are_counted_and_the_next_good_one_is_answered() -> None:
    async def story() -> None:
        async with Station(replace(BOX, requests_per_second=1000)) as box:
            raw = Raw(box.agent.port)
            good = options()
            for data in (b"\r\n\r\n", b"\x00" * 60, b"", good.replace(b":5060;", b":99999;", 1), b"x" * 60_000):
                raw.socket.send(data)
            assert code_of([await raw.ask(good)]) == 200
            assert box.agent.counters["bad_messages"] == 2 and box.agent.counters["bad_via"] == 1
            raw.close()

    run(story)


def test_a_stream_may_be_cut_anywhere_hold_two_messages_and_be_kept_alive() -> None:
    async def story() -> None:
        async with Station(BOX) as box:
            reader, writer = await asyncio.open_connection("127.0.0.1", box.agent.port)
            data = options(1).replace(b"UDP", b"TCP") + options(2).replace(b"UDP", b"TCP") + b"\r\n\r\n"
            for start in range(0, len(data), 37):
                writer.write(data[start : start + 37])
                await writer.drain()
                await asyncio.sleep(0)
            answer = b""
            while answer.count(b"SIP/2.0 200") < 2 or not answer.endswith(b"\r\n\r\n\r\n"):
                answer += await asyncio.wait_for(reader.read(4096), 5)
            assert b"Call-ID: o1" in answer and b"Call-ID: o2" in answer
            writer.close()
            await writer.wait_closed()

    run(story)


def test_a_stream_of_nonsense_is_closed() -> None:
    async def story() -> None:
        async with Station(BOX) as box:
            reader, writer = await asyncio.open_connection("127.0.0.1", box.agent.port)
            writer.write(b"x" * 40_000)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(100), 5) == b""
            writer.close()

    run(story)


def test_a_phone_whose_connection_breaks_is_gone() -> None:
    async def story() -> None:
        async with Station(BOX) as box:
            other = Station(desk(box, transport="tcp"))
            await other.agent.start()
            await box.until(lambda event: isinstance(event, PhoneRegistered))
            other.agent._transport.stop()  # as if its power failed: nothing is taken back
            await box.until(lambda event: isinstance(event, PhoneGone))
            await other.agent.stop()

    run(story)


def test_a_trunk_whose_connection_breaks_registers_again_soon() -> None:
    async def story() -> None:
        async with Station(BOX) as box, Station(desk(box, transport="tcp")) as other:
            await other.until(is_up)
            for stream in list(box.agent._transport._streams.values()):
                stream.abort()
            await box.until(lambda event: isinstance(event, PhoneGone))
            box.events.clear()
            await box.until(lambda event: isinstance(event, PhoneRegistered))

    run(story)


def test_who_connects_and_says_nothing_makes_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(transport, "FIRST_MESSAGE_SECONDS", 0.05)
        async with Station(BOX) as box:
            reader, writer = await asyncio.open_connection("127.0.0.1", box.agent.port)
            writer.write(b"\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                while await asyncio.wait_for(reader.read(100), 5):
                    pass
            writer.close()

    run(story)
