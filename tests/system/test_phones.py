"""The telephones of a whole office: fifty with two places each, lamps that follow, races, floods, and other makers'.

Whoever only watches is ``Watcher``; whoever speaks is ``Softphone``. Each stands at an address of its own, as in an
office, because the box measures what comes from one address.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.clock import SystemClock
from appliance.signalling import port, wire
from appliance.signalling.agent import Agent
from appliance.signalling.settings import Phone, Signalling
from tests.signalling.given import proof
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone, Talk
from tests.support.watcher import Watched, Watcher
from tests.system import sipp
from tests.system.sipp import must_match, recv, scenario
from tests.system.test_baresip import baresip

PHONES = [f"p{number:02}" for number in range(1, 51)]
CALLS = 30 if os.environ.get("PASOKH_LONG") else 3
FLOOD = 10_000
FOLLOWS_SECONDS = 5.0  # five-fold slack on 1 s
MOST_GROWTH_BYTES = 40 << 20
FLOW = """
[flow]
name = "welcome"
start = "line"
needs_notice = false
[node.line]
kind = "enqueue"
queue = "all"
on_nobody = "bye"
[node.bye]
kind = "goodbye"
outcome = "nobody"
"""
QUEUE = '[[queue]]\nname = "all"\nagents = ["first", "agent2"]\nstrategy = "ring_all"\nring_seconds = 60\n'


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Box, int]]:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(Box(f"127.0.0.2:{trunk}", phones=PHONES, flow=FLOW, extra=QUEUE)) as box:
        yield box, trunk
        assert "Traceback" not in box.log


def watcher(box: Box, user: str, address: str) -> Watcher:
    return Watcher(("127.0.0.1", box.sip), address, user, box.password)


def softphone(box: Box, user: str, address: str) -> Softphone:
    return Softphone(
        ("127.0.0.1", box.sip), (address, 0), user=user, password=box.password, answer=lambda _offered: "ring"
    )


def places(box: Box) -> dict[str, int]:
    """How many contacts each telephone has, as the box keeps them."""
    kept = json.loads((box.data / "runtime" / "sip.json").read_text())["phones"]
    return {phone: len(contacts) for phone, contacts in kept.items()}


async def until(what: Callable[[], object], seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends, "it did not happen"
        await asyncio.sleep(0.005)


def test_fifty_telephones_with_two_places_each_are_rung_followed_and_found_again(site: tuple[Box, int]) -> None:
    box, trunk = site
    follows = asyncio.run(_office(box, trunk))
    worst = {what: max(each) for what, each in follows.items()}
    for what, each in follows.items():
        median, slowest = 1000 * statistics.median(each), 1000 * max(each)
        print(f"lamp {what}: n {len(each)}, median {median:.0f} ms, worst {slowest:.0f} ms")
    assert max(worst.values()) <= FOLLOWS_SECONDS, worst
    records = box.conversations(CALLS + 1)
    assert {each.outcome for each in records} == {"served"} and {each.agent for each in records} <= {"first", "agent2"}


async def _office(box: Box, trunk: int) -> dict[str, list[float]]:
    """What happens, and how long the lamps took to follow ring, talk and end."""
    desks = [watcher(box, phone, f"127.0.1.{number}") for number, phone in enumerate(PHONES, 1)]
    others = [watcher(box, phone, f"127.0.2.{number}") for number, phone in enumerate(PHONES[2:], 3)]
    first, second = softphone(box, PHONES[0], "127.0.3.1"), softphone(box, PHONES[1], "127.0.3.2")
    customer = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk))
    phones = [first, second, customer]
    try:
        await asyncio.gather(*(each.start() for each in (*desks, *others)))
        for each in phones:
            await each.start()
        await asyncio.gather(first.is_registered.wait(), second.is_registered.wait())
        await until(lambda: places(box) == dict.fromkeys(PHONES, 2))
        lamps = await asyncio.gather(*(each.watch("first") for each in desks[2:]))
        own = await desks[2].watch(PHONES[2], "message-summary")
        assert {each.code for each in (*lamps, own)} == {200} and (await own.until("no")).state == "no 0/0 (0/0)"
        for desk in desks[:2]:
            desk.is_deaf = True  # their network is lost: the box still rings there
        follows: dict[str, list[float]] = {"ring": [], "talk": [], "end": []}
        for number in range(1, CALLS + 1):
            await _followed(customer, first, second, lamps, follows)
            await asyncio.to_thread(box.conversations, number)  # until it is closed its agent is not rung again
        await _moved(box, customer, second, phones)
        assert await desks[2].register(0) == 200  # whoever takes the telephone away is told that the lamps are dark
        await until(lambda: own.told[-1].is_last and "deactivated" in own.told[-1].subscription)
        await until(lambda: places(box)[PHONES[2]] == 1)
    finally:
        for each in phones:
            await each.stop()
        for watching in (*desks, *others):
            watching.stop()
    return follows


async def _followed(
    customer: Softphone, first: Softphone, second: Softphone, lamps: list[Watched], follows: dict[str, list[float]]
) -> None:
    """A customer rings; one of those who are rung answers, and hangs up."""
    known = [len(each.told) for each in lamps]

    async def took(what: str, state: str, since: float) -> None:
        for each, before in zip(lamps, known, strict=True):
            follows[what].append((await each.until(state, before)).at - since)

    talk = customer.call("02188123456", "09121234567")
    await until(lambda: first.ringing and second.ringing)
    await took("ring", "early", time.monotonic())
    answered = time.monotonic()
    mine = first.pick_up(first.ringing.pop())
    await until(lambda: talk.is_up)
    await took("talk", "confirmed", answered)
    known = [len(each.told) for each in lamps]
    ended = time.monotonic()
    customer.hang_up(talk)
    await took("end", "terminated", ended)
    await until(lambda: mine.ended is not None)
    second.ringing.clear()


async def _moved(box: Box, customer: Softphone, second: Softphone, phones: list[Softphone]) -> None:
    """The first telephone goes on at another address without a word; both who are rung answer in the same moment."""
    moved = softphone(box, PHONES[0], "127.0.4.1")
    heard: list[bytes] = []
    for phone in (moved, second):
        _listen(phone, heard)
    phones.append(moved)
    await moved.start()
    await moved.is_registered.wait()
    await until(lambda: places(box)[PHONES[0]] == 2)
    talk = customer.call("02188123456", "09121234567")
    await until(lambda: moved.ringing and second.ringing)
    both: list[Talk] = [phone.pick_up(phone.ringing.pop()) for phone in (moved, second)]
    await until(lambda: talk.is_up and any(each.ended for each in both))
    [won] = [each for each in both if each.ended is None]
    [lost] = [each for each in both if each.ended is not None]
    assert isinstance(lost.ended, port.HungUp) and won.is_up
    byes = [data.decode() for data in heard if data.startswith((b"BYE", b"CANCEL"))]
    assert byes and all("answered elsewhere" in each.lower() or "completed elsewhere" in each for each in byes)
    customer.hang_up(talk)
    await until(lambda: won.ended is not None)


def _listen(phone: Softphone, heard: list[bytes]) -> None:
    """Keeps every message that reaches a telephone."""
    heart = phone._agent.heart
    receive = heart.receive

    def kept(data: bytes, *rest: object) -> None:
        heard.append(data)
        receive(data, *rest)  # type: ignore[arg-type] # passed on

    heart.receive = kept  # type: ignore[method-assign,assignment]


# Other makers' telephones ---------------------------------------------------------------------------------------------


def asked(method: str, uri: str, to: str, *, headers: str, auth: bool, tag: str = "s") -> str:
    """A request of a telephone as SIPp writes it; each stands in a dialog of its own by its From tag."""
    lines = [
        f"{method} {uri} SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport",
        "Max-Forwards: 70",
        f"From: <sip:p05@pasokh.local>;tag=[pid]{tag}[call_number]",
        f"To: {to}",
        "Call-ID: [call_id]",
        f"CSeq: [cseq] {method}",
        "Contact: <sip:p05@[local_ip]:[local_port]>",
        *headers.splitlines(),
        *(["[authentication username=p05 password=PASSWORD]"] if auth else []),
        "Content-Length: 0",
        "",
        "",
    ]
    return '<send retrans="500"><![CDATA[\n' + "\n".join(lines) + "\n]]></send>"


ACKNOWLEDGED = """<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>"""
NAME, LAMP = "<sip:p05@pasokh.local>", "<sip:agent7@pasokh.local>"


def told(pattern: str) -> str:
    return f'<recv request="NOTIFY" timeout="20000">{must_match(pattern)}</recv>{ACKNOWLEDGED}'


def both_times(method: str, uri: str, to: str, headers: str, *answers: str, tag: str) -> tuple[str, ...]:
    """Without the password and with it."""
    plain = asked(method, uri, to, headers=headers, auth=False, tag=tag)
    signed = asked(method, uri, to, headers=headers, auth=True, tag=tag)
    return plain, recv(401, auth=True), signed, *answers


def test_sipp_registers_watches_a_lamp_refreshes_nothing_and_takes_it_back(
    site: tuple[Box, int], tmp_path: Path
) -> None:
    box, _ = site
    register = both_times("REGISTER", "sip:[remote_ip]:[remote_port]", NAME, "Expires: 300", recv(200), tag="r")
    uri = "sip:agent7@[remote_ip]:[remote_port]"
    watches = both_times(
        "SUBSCRIBE", uri, LAMP, "Event: dialog\nAccept: application/dialog-info+xml\nExpires: 300",
        recv(200, action=must_match("Expires: 300")), told("active;expires=300.*state=.full.*terminated"), tag="s",
    )  # fmt: skip
    once = both_times(
        "SUBSCRIBE", uri, LAMP, "Event: message-summary\nExpires: 0",
        recv(200), told("terminated;reason=timeout.*Messages-Waiting: no"), tag="m",
    )  # fmt: skip
    strange = both_times(
        "SUBSCRIBE", uri, LAMP, "Event: presence\nExpires: 300",
        recv(489, action=must_match("Allow-Events: dialog, message-summary")), tag="p",
    )  # fmt: skip
    xml = scenario(*register, *watches, *once, *strange).replace("PASSWORD", box.password)
    (mine,) = free_ports(1, "127.0.5.1")
    outcome = sipp.run(tmp_path / "sipp", box.sip, ("127.0.5.1", mine), xml)
    assert (outcome.code, outcome.successful, outcome.failed) == (0, 1, 0), outcome.output


def test_baresip_lights_its_message_lamp_when_a_message_waits(tmp_path: Path) -> None:
    log = tmp_path / "phone" / "log"
    asyncio.run(_messages(tmp_path / "phone", log))
    said = log.read_text(errors="replace")
    assert said.index("Voice-Message: 0/0") < said.index("Voice-Message: 3/0"), said


async def _messages(folder: Path, log: Path) -> None:
    agent = Agent(
        Signalling(address="127.0.0.1", port=0, phones=(Phone(name="p06"),)),
        lambda _name: "geheim",
        SystemClock(),
        lambda _event: None,
    )
    await agent.start()
    agent.submit(port.ShowMessages("p06", 0))
    # Its module looks after its list one millisecond after it was loaded, so it must be loaded before the account is.
    phone = baresip(folder, agent.port, "geheim", user="p06", modules="module mwi.so\n")
    try:
        await until(lambda: b"Voice-Message: 0/0" in log.read_bytes())
        agent.submit(port.ShowMessages("p06", 3))
        await until(lambda: b"Voice-Message: 3/0" in log.read_bytes())
    finally:
        phone.kill()
        phone.communicate()
        await agent.stop()


# A flood --------------------------------------------------------------------------------------------------------------


def resident(process: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_ten_thousand_subscribes_of_one_telephone_cost_no_call_and_no_memory(site: tuple[Box, int]) -> None:
    box, trunk = site
    before = resident(box.process("calls"))
    codes = asyncio.run(_flooded(box, trunk))
    grown = resident(box.process("calls")) - before
    print(f"flood: {FLOOD} SUBSCRIBEs, answers {dict(codes)}, {grown >> 10} KiB more")
    assert set(codes) <= {200, 401, 480} and codes[200] + codes[480] > 0
    assert grown < MOST_GROWTH_BYTES


async def _flooded(box: Box, trunk: int) -> Counter[int]:
    """A registered telephone sends them as fast as it can, with its password; meanwhile a customer is served."""
    attacker, desk = watcher(box, PHONES[9], "127.0.6.1"), watcher(box, PHONES[10], "127.0.6.2")
    agent = Softphone(("127.0.0.1", box.sip), ("127.0.6.3", 0), user=PHONES[1], password=box.password)
    customer = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk))
    codes: Counter[int] = Counter()
    try:
        for each in (attacker, desk, agent, customer):
            await each.start()
        await agent.is_registered.wait()
        flood = asyncio.create_task(_flood(box, attacker, codes))
        await asyncio.sleep(0.2)
        talk = customer.call("02188123456", "09121234567")
        await until(lambda: talk.is_up)
        lamp = await desk.watch("agent2")
        assert lamp.code == 200
        await lamp.until("confirmed")
        await flood
        customer.hang_up(talk)
        await lamp.until("terminated")
    finally:
        for each in (agent, customer):
            await each.stop()
        for watching in (attacker, desk):
            watching.stop()
    return codes


async def _flood(box: Box, attacker: Watcher, codes: Counter[int]) -> None:
    own, uri = f"<sip:{attacker.user}@pasokh.local>", "sip:first@127.0.0.1"
    first = attacker.written("SUBSCRIBE", uri, own, f"<{uri}>", "c0", "a0", ("Event: dialog",))
    challenge = await attacker._asked(first)

    def heard(data: bytes, addr: object) -> None:
        message = wire.parse(data)
        if isinstance(message, wire.Response):
            codes[message.code] += 1

    attacker.datagram_received = heard  # type: ignore[method-assign]
    for number in range(1, FLOOD + 1):
        line = proof(challenge, "SUBSCRIBE", uri, attacker.user, box.password, count=number)
        lines = ("Event: dialog", line)
        attacker._send(attacker.written("SUBSCRIBE", uri, own, f"<{uri}>", f"c{number}", "a", lines)[2])
        if number % 20 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(1.0)
