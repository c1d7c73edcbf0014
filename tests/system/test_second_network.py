"""A trunk on a network of its own, behind a proxy that is not its domain, as Iranian providers hand it over.

The provider lives in a network namespace: Kamailio is its proxy, SIPp its telephones. The box has another network
beside it (loopback here) and must show the provider only its address there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.clock import SystemClock
from appliance.signalling import sdp
from appliance.signalling.agent import Agent
from appliance.signalling.port import (
    Answer,
    Answered,
    Cause,
    Dial,
    Event,
    FromTrunk,
    HangUp,
    HungUp,
    Identity,
    Offered,
    Ring,
    ToTrunk,
    TrunkChanged,
    TrunkState,
)
from appliance.signalling.settings import Signalling, Trunk

DOMAIN = "sip.provider.example"
NUMBER = "02188123456"
ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]

KAMAILIO = """
debug=0
log_stderror=yes
children=1
auto_aliases=no
disable_tcp=yes
listen=udp:{theirs}:5060
mpath="{modules}/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "siputils.so"
loadmodule "textops.so"
request_route {{
    if (has_totag() && loose_route()) {{ t_relay(); exit; }}
    if (is_method("REGISTER")) {{
        if ($rd == "{domain}" && $td == "{domain}") {{ sl_send_reply("200", "OK"); }}
        else {{ sl_send_reply("404", "Wrong Domain"); }}
        exit;
    }}
    if (is_method("INVITE")) {{ record_route(); }}
    if ($si == "{ours}") {{ t_relay_to_udp("{theirs}", "5070"); }}
    else {{ t_relay_to_udp("{ours}", "{port}"); }}
}}
"""


@dataclass(frozen=True)
class Network:
    """A namespace with the provider in it, joined to the box by a pair of interfaces."""

    namespace: str
    ours: str
    theirs: str

    def inside(self, *command: str) -> list[str]:
        return [*ROOT, "ip", "netns", "exec", self.namespace, *command]


def ip(*arguments: str) -> None:
    subprocess.run([*ROOT, "ip", *arguments], check=True, capture_output=True, text=True, timeout=20)


@pytest.fixture
def network() -> Iterator[Network]:
    mark = secrets.token_hex(3)
    subnet = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(250)}"
    found = Network(f"pasokh-{mark}", f"{subnet}.1", f"{subnet}.2")
    near, far = f"pk{mark}a", f"pk{mark}b"
    ip("netns", "add", found.namespace)
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", found.namespace)
        ip("addr", "add", f"{found.ours}/24", "dev", near)
        ip("link", "set", near, "up")
        for command in (("addr", "add", f"{found.theirs}/24", "dev", far), ("link", "set", far, "up")):
            ip("-n", found.namespace, *command)
        ip("-n", found.namespace, "link", "set", "lo", "up")
        yield found
    finally:
        ip("netns", "del", found.namespace)  # its end of the pair goes with it, and ours with that


async def until(what: Callable[[], object], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not what():  # noqa: ASYNC110 - what is waited for happens in other programs
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def proxy(network: Network, port: int, folder: Path) -> AsyncIterator[None]:
    config = configured(network, port, folder)
    # -DD: stays in the foreground and keeps its children in its own group, which ends with it
    command = network.inside("kamailio", "-f", str(config), "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(folder))
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 15)


def configured(network: Network, port: int, folder: Path) -> Path:
    modules = next(Path("/usr/lib").glob("*/kamailio/modules"))
    config = folder / "kamailio.cfg"
    config.write_text(
        KAMAILIO.format(theirs=network.theirs, ours=network.ours, port=port, domain=DOMAIN, modules=modules), "utf-8"
    )
    return config


class Office:
    """The box's agent with that one trunk; calls that come in are answered, those that end are remembered."""

    def __init__(self, network: Network) -> None:
        trunk = Trunk(name="provider", proxy=network.theirs, domain=DOMAIN, user=NUMBER, address=network.ours)
        settings = Signalling(address="127.0.0.1", port=0, trunks=(trunk,))
        self.events: list[Event] = []
        self.agent = Agent(settings, lambda _name: None, SystemClock(), self._heard)

    def _heard(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Offered):
            loop = asyncio.get_running_loop()
            loop.call_soon(self.agent.submit, Ring(event.leg))
            loop.call_soon(self.agent.submit, Answer(event.leg, sdp.offer("", 6000, "PCMA", 1)))

    @property
    def is_up(self) -> bool:
        return any(isinstance(event, TrunkChanged) and event.state is TrunkState.UP for event in self.events)

    def has(self, kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for event in self.events)


async def sipp(network: Network, folder: Path, *arguments: str) -> tuple[int, str]:
    """Runs SIPp in the provider's network; its exit code and every message it saw."""
    trace = folder / f"messages-{arguments[1]}.txt"
    command = network.inside("sipp", *arguments, "-i", network.theirs, "-m", "1", "-timeout", "20", "-timeout_error")
    process = await asyncio.create_subprocess_exec(
        *command, "-trace_msg", "-message_file", str(trace), "-nostdin",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    code = await asyncio.wait_for(process.wait(), 40)
    return code, trace.read_text("utf-8", "replace")


def test_a_trunk_on_a_second_network_behind_a_proxy_that_is_not_its_domain_works_both_ways(
    network: Network, tmp_path: Path
) -> None:
    async def story() -> None:
        office = Office(network)
        await office.agent.start()
        port = office.agent.port
        try:
            async with proxy(network, port, tmp_path):
                await until(
                    lambda: any(isinstance(e, TrunkChanged) and e.state is TrunkState.UP for e in office.events), 60
                )
                await comes_in(office, network, tmp_path, port)
                await goes_out(office, network, tmp_path, port)
        finally:
            await office.agent.stop()

    asyncio.run(story())


async def comes_in(office: Office, network: Network, folder: Path, port: int) -> None:
    code, seen = await sipp(network, folder, "-sn", "uac", "-s", NUMBER, "-p", "5080", f"{network.theirs}:5060")
    assert code == 0, seen[-3000:]
    offered = next(event for event in office.events if isinstance(event, Offered))
    assert (offered.source, offered.called) == (FromTrunk("provider"), NUMBER)
    await until(lambda: office.has(HungUp))
    answer = next(part for part in re.split(r"-{20,}", seen) if "SIP/2.0 200" in part and "INVITE" in part)
    shows_only(answer, network, port)


async def goes_out(office: Office, network: Network, folder: Path, port: int) -> None:
    answering = asyncio.create_task(sipp(network, folder, "-sn", "uas", "-p", "5070"))
    await until(lambda: (folder / "messages-uas.txt").exists() or answering.done())
    dial = Dial("d" * 32, ToTrunk("provider", "09121234567"), sdp.offer("", 6002, "PCMA", 2), Identity(NUMBER))
    office.agent.submit(dial)
    await until(lambda: office.has(Answered))
    office.agent.submit(HangUp("d" * 32))
    code, seen = await answering
    assert code == 0, seen[-3000:]
    invite = seen[seen.index("INVITE sip:09121234567@") :]
    assert invite.startswith(f"INVITE sip:09121234567@{DOMAIN} SIP/2.0")
    shows_only(invite.partition("UDP message sent")[0], network, port)
    ended = [event for event in office.events if isinstance(event, HungUp)]
    assert [event.cause for event in ended] == [Cause.HUNG_UP, Cause.ENDED_HERE]


def shows_only(message: str, network: Network, port: int) -> None:
    """Contact, Via and SDP of a message of ours name our address on that network and no other."""
    contact = re.search(r"^Contact: <sip:[0-9a-f]+@([^>]+)>", message, re.MULTILINE)
    assert contact is not None and contact[1] == f"{network.ours}:{port}", message
    assert f"c=IN IP4 {network.ours}" in message
    assert "127.0.0.1" not in message and "0.0.0.0" not in message
