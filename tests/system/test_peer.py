"""Beside the old PBX: thirty scripted calls between the box, the PBX that was there before, and a second Pasokh.

Kamailio is the old PBX (tests/support/old_pbx.py): its extensions 3XX are baresip and our softphone. What is asserted
is what people notice: who is rung, how often, whom they hear, what is told where nobody can be reached; that nothing
goes round, and that each call is one record.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from appliance.records.database import Connection
from appliance.records.reader import Conversation
from appliance.signalling import port
from tests.support.box import Box, free_ports, running
from tests.support.old_pbx import HOST, old_pbx
from tests.support.softphone import Softphone, Talk
from tests.support.voices import Scene
from tests.support.waiting import until
from tests.system.test_baresip import baresip
from tests.system.test_transfers import FLOW as QUEUE
from tests.system.test_transfers import told

CUSTOMER, HERE, THERE, BRANCH, OUTSIDE = (bytes([value]) * 160 for value in (0x11, 0x22, 0x33, 0x44, 0x66))
NAMES = {CUSTOMER[0]: "customer", HERE[0]: "here", THERE[0]: "there", BRANCH[0]: "branch", OUTSIDE[0]: "outside"}

ROUTE_BACK = '$rU = "301";'

MENU = """
[flow]
name = "f{n}"
start = "hello"
[node.hello]
kind = "notice"
prompt = ["recording_notice"]
next = "menu"
[node.menu]
kind = "menu"
prompt = "main_menu"
timeout_seconds = 8
on_failure = "bye"
[node.menu.keys]
1 = "there"
[node.there]
kind = "transfer"
to = "{to}"
ring_seconds = {ring_seconds}
on_failure = "bye"
next = "bye"
[node.bye]
kind = "goodbye"
prompt = ["goodbye"]
"""


@dataclass
class Case(Scene):
    """One call: a customer, a telephone at the box (``here``) and one at the old PBX (``there``)."""

    voices: ClassVar = NAMES
    number: int
    provider: Softphone
    here: Softphone
    there: Softphone
    answers: dict[str, str]  # what each of the two does when it is rung
    rung: list[str]  # which of the two was rung, in order
    pbx: tuple[str, int]
    log: Path  # what baresip says
    control: tuple[str, int]  # where it takes commands
    talk: Talk | None = None

    @property
    def extension_here(self) -> str:
        return f"2{self.number:02}"

    @property
    def extension_there(self) -> str:
        return f"3{self.number:02}"

    @property
    def queue(self) -> str:
        return f"5{self.number:02}"

    @property
    def is_answered_by_baresip(self) -> bool:
        return self.log.exists() and "Call established" in self.log.read_text(errors="replace")

    async def menu(self) -> Talk:
        """The customer calls and chooses 1, until the box has rung somebody or has let them go."""
        self.talk = talk = self.provider.call(self.line, self.customer)
        await until(lambda: talk.is_up, 40)
        while not self.rung and not talk.ended and not self.is_answered_by_baresip and self.now(talk) != "branch":
            self.provider.press(talk, "1")
            await asyncio.sleep(1.0)
        return talk

    async def ends(self, talk: Talk, code: int = 0, seconds: float = 60.0) -> None:
        """The other side has ended it; with ``code`` by this answer."""
        await until(lambda: talk.ended is not None, seconds)
        if code:
            assert isinstance(talk.ended, port.Refused) and talk.ended.code == code, talk.ended


# From the provider to an extension there ------------------------------------------------------------------------------


async def reaches(case: Case) -> None:
    await case.menu()
    await case.hears("there")
    await case.hears("customer", case.newest(case.there))


async def reaches_baresip(case: Case) -> None:
    await case.menu()
    assert case.is_answered_by_baresip


async def holds(case: Case) -> None:
    await case.menu()
    await case.hears("there")
    talk = case.newest(case.there)
    case.there.hold(talk, True)
    await case.hears("")
    await asyncio.sleep(0.5)
    case.there.hold(talk, False)
    await case.hears("there")


async def is_busy(case: Case) -> None:
    case.answers["there"] = "busy"
    await case.ends(await case.menu())


async def rings_in_vain(case: Case) -> None:
    case.answers["there"] = "ring"
    await case.ends(await case.menu())


async def nobody_has_it(case: Case) -> None:
    await case.ends(await case.menu())


# From an extension there ----------------------------------------------------------------------------------------------


async def to_a_queue(case: Case) -> None:
    talk = case.there.call(case.queue, case.extension_there)
    await case.hears("here", talk)
    case.there.hang_up(talk)


async def baresip_to_a_queue(case: Case) -> None:
    await asyncio.to_thread(told, case.control, "dial", f"sip:{case.queue}@{case.pbx[0]}:{case.pbx[1]}")
    await until(lambda: len(case.here.talks) == 1 and len(case.newest(case.here).heard) > 50, 20)
    await asyncio.to_thread(told, case.control, "hangup")


async def to_an_agent(case: Case) -> None:
    talk = case.there.call(case.extension_here, case.extension_there)
    await case.hears("here", talk)
    await case.hears("there", case.newest(case.here))
    case.there.hang_up(talk)


async def to_a_busy_agent(case: Case) -> None:
    case.answers["here"] = "busy"
    await case.ends(case.there.call(case.extension_here, case.extension_there), 486)


async def to_nobody(case: Case) -> None:
    await case.ends(case.there.call("599", case.extension_there), 404)


async def to_the_outside(case: Case) -> None:
    await case.ends(case.there.call("09351112233", case.extension_there), 403)


async def to_an_emergency(case: Case) -> None:
    talk = case.there.call("115", case.extension_there)
    await case.hears("outside", talk)
    case.there.hang_up(talk)


# Passing on, both ways ------------------------------------------------------------------------------------------------


async def in_the_queue(case: Case) -> None:
    case.talk = case.provider.call(case.line, case.customer)
    await case.hears("here")


async def blind(case: Case) -> None:
    await in_the_queue(case)
    await case.press(case.here, f"*7{case.extension_there}#")
    await case.hears("there")


async def warm(case: Case) -> None:
    await in_the_queue(case)
    await case.press(case.here, f"*8{case.extension_there}#")
    await case.hears("there", case.newest(case.here))
    await case.press(case.here, "*7")
    await case.hears("there")


async def blind_to_busy(case: Case) -> None:
    case.answers["there"] = "busy"
    await in_the_queue(case)
    await case.press(case.here, f"*7{case.extension_there}#")
    await until(lambda: "there" in case.rung, 10)
    await case.hears("here")


async def back_by_keys(case: Case) -> None:
    await case.menu()
    await case.hears("there")
    await case.press(case.there, f"*7{case.extension_here}#")
    await case.hears("here")


async def back_by_refer(case: Case) -> None:
    await case.menu()
    await case.hears("there")
    case.there.refer(case.newest(case.there), case.extension_here)
    await case.hears("here")
    assert case.there.told == [202]


async def out_by_keys(case: Case) -> None:
    """An extension there wants a customer dialled out: it is told no, and has the customer still."""
    await case.menu()
    await case.hears("there")
    await case.press(case.there, "*709351112233#")
    await case.hears("")
    await case.hears("there")


async def from_a_desk(case: Case) -> None:
    talk = case.here.call(case.extension_there, "desk")
    await case.hears("there", talk)
    await case.hears("here", case.newest(case.there))
    case.here.hang_up(talk)


async def attended(case: Case) -> None:
    await in_the_queue(case)
    first = case.newest(case.here)
    case.here.hold(first, True)
    await case.hears("")
    own = case.here.call(case.extension_there, "desk")
    await case.hears("there", own)
    case.here.refer(first, case.extension_there, own)
    await case.hears("there")


# What comes back ------------------------------------------------------------------------------------------------------


async def sent_on_to_an_agent(case: Case) -> None:
    await case.menu()
    await case.hears("here")


async def sent_on_to_a_queue(case: Case) -> None:
    await case.menu()
    await case.hears("here")


async def sent_on_to_itself(case: Case) -> None:
    await case.ends(await case.menu())


async def rings_with_a_desk(case: Case) -> None:
    """The extension rings together with the same person's telephone here: one of them is rung, once."""
    case.answers["there"] = "ring"
    await case.menu()
    await case.hears("here")


async def branch(case: Case) -> None:
    await case.menu()
    await case.hears("branch")


async def branch_sends_on(case: Case) -> None:
    await case.menu()
    await case.hears("here")


async def branch_sends_round(case: Case) -> None:
    """Two persons have their calls sent to each other, one here and one there."""
    await case.ends(await case.menu())


THERE_ONLY, HERE_ONLY, BOTH, NOBODY = ["there"], ["here"], ["here", "there"], list[str]()
CASES: tuple[tuple[Callable[[Case], Awaitable[None]], list[str]], ...] = (
    (reaches, THERE_ONLY),
    (reaches_baresip, NOBODY),
    (holds, THERE_ONLY),
    (is_busy, THERE_ONLY),
    (rings_in_vain, THERE_ONLY),
    (nobody_has_it, NOBODY),
    (to_a_queue, HERE_ONLY),
    (to_a_queue, HERE_ONLY),
    (baresip_to_a_queue, HERE_ONLY),
    (to_an_agent, HERE_ONLY),
    (to_an_agent, HERE_ONLY),
    (to_a_busy_agent, HERE_ONLY),
    (to_nobody, NOBODY),
    (to_the_outside, NOBODY),
    (to_an_emergency, NOBODY),
    (blind, BOTH),
    (warm, BOTH),
    (blind_to_busy, BOTH),
    (back_by_keys, BOTH[::-1]),
    (back_by_refer, BOTH[::-1]),
    (out_by_keys, THERE_ONLY),
    (from_a_desk, THERE_ONLY),
    (attended, BOTH),
    (sent_on_to_an_agent, HERE_ONLY),
    (sent_on_to_a_queue, HERE_ONLY),
    (sent_on_to_itself, NOBODY),
    (rings_with_a_desk, BOTH[::-1]),
    (branch, NOBODY),
    (branch_sends_on, HERE_ONLY),
    (branch_sends_round, NOBODY),
)  # who is rung, each once, in order
PLAYS = [play for play, _ in CASES]
QUEUED = {to_a_queue, baresip_to_a_queue, blind, warm, blind_to_busy, attended, sent_on_to_a_queue}
FROM_THE_PROVIDER = {play for play in PLAYS if not play.__name__.startswith(("to_", "baresip_", "from_"))}
AT_THE_BRANCH: dict[Callable[[Case], Awaitable[None]], str] = {
    branch: "440",
    branch_sends_on: "441",
    branch_sends_round: "442",
}
BARESIPS = {reaches_baresip, baresip_to_a_queue}
UNANSWERED = {is_busy, rings_in_vain, nobody_has_it, sent_on_to_itself, branch_sends_round}
EXTRA = 2  # the attended transfer's own call; a telephone here that has its calls sent on


def the_boxes(provider: int, pbx: int) -> tuple[Box, Box]:
    """The box, and the second Pasokh."""
    phones = [f"desk{n}" for n in range(len(CASES))]
    names = ["first", *(f"agent{n}" for n in range(2, len(CASES) + 1))]
    lines = "".join(
        f'[[line]]\nname = "l{n}"\ntrunk = "provider"\nflow = "f{n}"\nnumber = "021880000{n:02}"\n'
        f'[[queue]]\nname = "q{n}"\nextension = "5{n:02}"\nagents = ["{names[n]}"]\n'
        for n in range(len(CASES))
    )
    peer = 'kind = "peer"\nregisters = false\n'
    other = Box(
        "127.0.0.1:1", phones=("desk1", "desk2", "desk3"), extra_trunk='kind = "peer"\nextensions = ["2XX", "5XX"]'
    )
    box = Box(
        f"127.0.0.2:{provider}",
        phones=phones,
        extra=lines
        + f'[[trunk]]\nname = "pbx"\nproxy = "{HOST}:{pbx}"\n{peer}extensions = ["3XX"]\n'
        + f'[[trunk]]\nname = "branch"\nproxy = "127.0.0.1:{other.sip}"\n{peer}extensions = ["44X"]\n',
    )
    other.file.write_text(
        other.file.read_text().replace('proxy = "127.0.0.1:1"', f'proxy = "127.0.0.1:{box.sip}"'), "utf-8"
    )
    for each, agents, first in ((box, names, 200), (other, ["first", "agent2", "agent3"], 440)):
        text = each.file.read_text()
        for n, name in enumerate(agents):
            named = f'[[agent]]\nname = "{name}"\n'
            text = text.replace(named, f'{named}extension = "{first + n}"\n')
        each.file.write_text(text, "utf-8")
    for n, play in enumerate(PLAYS):
        to = AT_THE_BRANCH.get(play, f"3{n:02}")
        seconds = 4 if play is rings_in_vain else 20
        is_menu = play not in QUEUED or play is sent_on_to_a_queue
        flow = MENU.format(n=n, to=to, ring_seconds=seconds) if is_menu else QUEUE.format(n=n)
        (box.folder / "flows" / f"f{n}.toml").write_text(flow, "utf-8")
    return box, other


@pytest.mark.timeout(280)
def test_thirty_calls_beside_the_old_pbx_reach_whom_they_are_for_once_and_are_one_record_each(tmp_path: Path) -> None:
    assert len(CASES) == 30
    (provider,), (pbx,) = free_ports(1, "127.0.0.2"), free_ports(1, HOST)
    box, other = the_boxes(provider, pbx)
    with running(box), running(other):
        cases = asyncio.run(_all(box, other, provider, pbx, tmp_path))
        found = box.conversations(len(CASES) + EXTRA, 30)
        with box.reader() as reader:
            assert len(reader.last(100)) == len(CASES) + EXTRA
            events = reader.within(_events)
        done = [judge(case, play, rung, found) for case, (play, rung) in zip(cases, CASES, strict=True)]
        print(f"{sum(done)} of {len(done)}")
        states = sorted(
            each.rpartition('"state":"')[2].partition('"')[0] for each in events if "call.came_back" in each
        )
        assert states == ["followed"] * 6 + ["loop"] * 2, events
        refused = [each for each in events if "dial.refused" in each]
        assert len(refused) == 1 and '"reason":"from_peer"' in refused[0]
        for each in (box, other):
            assert "Traceback" not in each.log


def _events(db: Connection) -> list[str]:
    rows = db.execute(
        "SELECT e.kind, b.body FROM event AS e JOIN event_body AS b USING (n)"
        " WHERE e.kind IN ('call.came_back', 'dial.refused') ORDER BY n"
    )
    return [f"{row[0]} {bytes(row[1]).decode()}" for row in rows.fetchall()]


def judge(case: Case, play: Callable[[Case], Awaitable[None]], rung: list[str], found: list[Conversation]) -> bool:
    """Who was rung, how often, and the one record."""
    assert case.rung == rung, (play.__name__, case.rung)
    if play in FROM_THE_PROVIDER:
        [record] = [each for each in found if each.customer == f"+98{case.customer[1:]}"]
        [recording] = record.recordings
        assert recording.state == "sealed", play.__name__
        assert record.outcome == ("finished" if play in UNANSWERED else "served"), (play.__name__, record.outcome)
    else:
        caller = case.extension_here if play is from_a_desk else case.extension_there
        names = {caller, f"desk{case.number}", "first" if not case.number else f"agent{case.number + 1}"}
        mine = [each for each in found if {leg.party for leg in each.legs} & names]
        assert len(mine) == 1, (play.__name__, mine)
        record = mine[0]
        assert record.recordings == ()
    assert all(leg.ended_ms is not None for leg in record.legs), play.__name__
    return True


async def _all(box: Box, other: Box, provider_port: int, pbx_port: int, folder: Path) -> list[Case]:
    numbers = {play: f"3{n:02}" for n, play in enumerate(PLAYS)}
    here = {play: f"2{n:02}" for n, play in enumerate(PLAYS)}
    sent_on = {
        numbers[sent_on_to_an_agent]: here[sent_on_to_an_agent],
        numbers[sent_on_to_a_queue]: f"5{numbers[sent_on_to_a_queue][1:]}",
        numbers[sent_on_to_itself]: numbers[sent_on_to_itself],
    }
    also = {numbers[rings_with_a_desk]: here[rings_with_a_desk]}
    provider = Softphone(
        ("127.0.0.1", box.sip), ("127.0.0.2", provider_port), voice=CUSTOMER, keeps_frames=True,
        voice_of=lambda number: OUTSIDE,
    )  # fmt: skip
    branches = [
        Softphone(
            ("127.0.0.1", other.sip), ("127.0.0.6", 0), user=f"desk{n}", password=other.password, voice=BRANCH,
            keeps_frames=True,
        )
        for n in (1, 2, 3)
    ]  # fmt: skip
    cases = [_case(box, pbx_port, folder, n, play, provider) for n, play in enumerate(PLAYS)]
    phones = [phone for case in cases for phone in (case.here, case.there)]
    everybody = [provider, *branches, *phones]
    processes = []
    async with old_pbx(folder / "pbx", pbx_port, f"127.0.0.1:{box.sip}", sent_on=sent_on, also=also):
        await asyncio.gather(*(phone.start() for phone in everybody))
        try:
            for case, play in zip(cases, PLAYS, strict=True):
                if play in BARESIPS:
                    user = case.extension_there
                    processes.append(baresip(case.log.parent, pbx_port, "x", case.control[1], user, host=HOST))
            async with asyncio.timeout(40):
                await asyncio.gather(*(phone.is_registered.wait() for phone in [*branches, *phones]))
            await asyncio.gather(
                _send_on(branches[1], here[branch_sends_on]),
                _send_on(branches[2], here[branch_sends_round]),
                _send_on(cases[PLAYS.index(branch_sends_round)].here, "442"),
            )
            outcomes = await asyncio.gather(
                *(_play(play, case) for play, case in zip(PLAYS, cases, strict=True)), return_exceptions=True
            )
            failed = [(play.__name__, error) for play, error in zip(PLAYS, outcomes, strict=True) if error]
            assert not failed, failed
            assert [each.number for each in provider.talks.values() if each.number] == ["115"], "nothing else went out"
        finally:
            for process in processes:
                process.kill()
                process.communicate()
            await asyncio.gather(*(phone.stop() for phone in everybody))
    return cases


async def _send_on(phone: Softphone, to: str) -> None:
    """The telephone has its calls sent on from now on."""
    talk = phone.call(f"*72{to}", "desk")
    await until(lambda: talk.ended is not None, 20)


def _case(
    box: Box, pbx: int, folder: Path, n: int, play: Callable[[Case], Awaitable[None]], provider: Softphone
) -> Case:
    answers = {"here": "answer", "there": "answer"}
    rung: list[str] = []

    def rings(which: str, _offered: port.Offered) -> str:
        rung.append(which)
        return answers[which]

    here = Softphone(
        ("127.0.0.1", box.sip), ("127.0.0.3", 0), user=f"desk{n}", password=box.password, voice=HERE,
        keeps_frames=True, answer=functools.partial(rings, "here"),
    )  # fmt: skip
    number = f"3{n:02}"
    is_there = play not in {nobody_has_it, *BARESIPS}
    there = Softphone(
        (HOST, pbx), ("127.0.0.5", 0), user=number if is_there else f"7{n:02}", voice=THERE, keeps_frames=True,
        domain=HOST, answer=functools.partial(rings, "there"),
    )  # fmt: skip
    log = folder / f"baresip{n}" / "log"
    (control,) = free_ports(1)
    return Case(n, provider, here, there, answers, rung, (HOST, pbx), log, ("127.0.0.1", control))


async def _play(play: Callable[[Case], Awaitable[None]], case: Case) -> None:
    await asyncio.sleep(0.3 * case.number)  # not all in the same moment
    await play(case)
    await asyncio.sleep(0.5)
    if case.talk is not None and case.talk.ended is None:
        case.provider.hang_up(case.talk)
    legs = itertools.chain(case.here.talks.values(), case.there.talks.values())
    await until(lambda legs=list(legs): all(talk.ended for talk in legs), 10)


def test_with_the_box_out_of_the_path_the_number_still_reaches_an_extension(tmp_path: Path) -> None:
    """One route back at the old PBX, whose trunk the provider's calls come by again: there is no box any more."""
    (provider_port,), (pbx,), (nobody,) = free_ports(1, "127.0.0.2"), free_ports(1, HOST), free_ports(1)

    async def scene() -> None:
        provider = Softphone((HOST, pbx), ("127.0.0.2", provider_port), voice=CUSTOMER, keeps_frames=True)
        there = Softphone((HOST, pbx), ("127.0.0.5", 0), user="301", voice=THERE, keeps_frames=True, domain=HOST)
        async with old_pbx(tmp_path / "pbx", pbx, f"127.0.0.1:{nobody}", route=ROUTE_BACK):
            await asyncio.gather(provider.start(), there.start())
            try:
                async with asyncio.timeout(20):
                    await there.is_registered.wait()
                talk = provider.call("02188000001", "09125550001")
                await until(lambda: talk.frames[-4:] == [THERE] * 4, 10)
                provider.hang_up(talk)
                await until(lambda: all(each.ended for each in there.talks.values()), 5)
            finally:
                await asyncio.gather(provider.stop(), there.stop())

    asyncio.run(scene())
