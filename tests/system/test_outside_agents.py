"""An agent at a number outside has a call when a person there has pressed 1: whatever else answers never has one.

Callers wait in lines; the first agent of each is one of the kinds of answers of ``answering.py`` (our softphone, SIPp
and pyVoIP), the second one a person. A seeded sample in ``make check``; 200 that are no person, and people among them,
in ``make long ONLY=outside-agents``.
"""

from __future__ import annotations

import asyncio
import collections
import os
import random
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from appliance.calls.switchboard import NOT_UP
from appliance.records.database import Connection
from appliance.records.reader import Conversation
from appliance.signalling import port
from tests.simulation.test_outside import WAIT
from tests.support import sounds
from tests.support.box import Box, free_ports, running
from tests.support.customers import Customers, Script
from tests.support.softphone import Softphone, Talk
from tests.support.waiting import until
from tests.system.answering import CUSTOMER, OURS, Kind, kinds
from tests.system.peers import Peers

LONG = bool(os.environ.get("PASOKH_LONG"))
MACHINES = 200 if LONG else 15
PEOPLE = 28 if LONG else 5
LANES = 8
RING_SECONDS = 12
CASE_SECONDS = 240.0
LAW_SILENCE = 20  # a frame with fewer different bytes is no sound by which anybody is known


def near_sound() -> bytes:
    """Long enough to be heard behind a key that comes late on a machine with much to do."""
    return 4 * sounds.encode(sounds.speech("سلام، همکار دوم هستم. چه کمکی از من ساخته است؟", "fa", 150), "PCMA")


def takes_calls() -> Script:
    return Script(sound=near_sound(), keys=((1.0, "1"), (4.0, "1"), (7.0, "1")), hangs_up=10.0)


@dataclass
class Case:
    """One caller, and what the first agent's number does; ``talk`` is the caller's."""

    number: str
    kind: Kind
    lane: str = ""
    talk: Talk | None = None
    heard: frozenset[bytes] = frozenset()

    @property
    def is_person(self) -> bool:
        return self.kind.outcome == "reached"


@dataclass
class Lane:
    """A line of its own. ``far`` and ``near`` are its agents: an extension behind a trunk, and a mobile number."""

    name: str
    trunk: str
    called: str
    far: str
    near: str
    cases: list[Case] = field(default_factory=list)

    def settings(self) -> str:
        return (
            f'[[line]]\nname = "to-{self.name}"\ntrunk = "provider"\nflow = "{self.name}"\nnumber = "{self.called}"\n'
            f'[[agent]]\nname = "far-{self.name}"\nnumber = "{self.far}"\ntrunk = "{self.trunk}"\n'
            f'[[agent]]\nname = "near-{self.name}"\nnumber = "{self.near}"\ntrunk = "provider"\n'
            f'[[queue]]\nname = "{self.name}"\nagents = ["far-{self.name}", "near-{self.name}"]\n'
            f"ring_seconds = {RING_SECONDS}\nmisses = 100\n"
        )


def chosen() -> list[Case]:
    """Seeded; every kind of those that are no person once where there are so many, then at random."""
    chance = random.Random(97)
    first = [kind for kind in kinds() if kind.line == CUSTOMER]
    people = [kind for kind in first if kind.outcome == "reached"]
    machines = [kind for kind in first if kind.outcome != "reached"]
    found = [*chance.sample(machines, min(MACHINES, len(machines)))]
    found += chance.choices(machines, k=MACHINES - len(found))
    found += chance.sample(people, min(PEOPLE, len(people)))
    found += chance.choices(people, k=MACHINES + PEOPLE - len(found))
    chance.shuffle(found)
    return [Case(f"0912{100 + number:07}", kind) for number, kind in enumerate(found)]


class Scene:
    """The box with its lanes, and everybody outside."""

    def __init__(self, folder: Path) -> None:
        self.cases = chosen()
        trunks = sorted({case.kind.trunk for case in self.cases} - {OURS})
        first, *others = free_ports(1 + len(trunks), "127.0.0.2")
        self.ports = {OURS: first, **dict(zip(trunks, others, strict=True))}
        ways = [*trunks, *(OURS for _ in range(LANES))]
        self.lanes = [
            Lane(f"lane{at}", trunk, f"0218800{at:04}", f"7{at:03}", f"0936000{at:04}") for at, trunk in enumerate(ways)
        ]
        for case in self.cases:
            lane = min((each for each in self.lanes if each.trunk == case.kind.trunk), key=lambda each: len(each.cases))
            lane.cases.append(case)
            case.lane = lane.name
        extra = "".join(
            f'[[trunk]]\nname = "{name}"\nproxy = "127.0.0.2:{self.ports[name]}"\nregisters = false\n'
            for name in trunks
        )
        self.box = Box(
            f"127.0.0.2:{first}", flow=WAIT.replace('name = "wait"', 'name = "welcome"').replace("reception", "lane0"),
            extra=extra + "".join(lane.settings() for lane in self.lanes),
        )  # fmt: skip
        for lane in self.lanes:
            flow = WAIT.replace('name = "wait"', f'name = "{lane.name}"').replace("reception", lane.name)
            (self.box.folder / "flows" / f"{lane.name}.toml").write_text(flow, encoding="utf-8")
        self.now: dict[str, Case] = {}  # by the number of the agent who is rung
        self.near = takes_calls()
        self.peers = Peers(folder, self.box.sip, self.ports)

    def script(self, offered: port.Offered) -> Script:
        case = self.now.get(offered.called)
        if case is None:
            return self.near
        assert case.kind.customer is not None
        last = max((moment for moment, _ in case.kind.customer.keys), default=0.0)
        return replace(case.kind.customer, hangs_up=last + 4.0) if case.is_person else case.kind.customer

    async def play(self) -> None:
        provider = Customers(
            ("127.0.0.1", self.box.sip), ("127.0.0.2", self.ports[OURS]), self.script, keeps_frames=True
        )
        await provider.start()
        try:
            await asyncio.gather(*(self._lane(provider, lane) for lane in self.lanes))
        finally:
            await provider.stop()

    async def _lane(self, provider: Softphone, lane: Lane) -> None:
        for case in lane.cases:
            self.now[lane.far] = case
            case.talk = talk = provider.call(lane.called, case.number)
            if case.is_person and lane.trunk != OURS:  # others' programs stay until the caller leaves
                await asyncio.sleep(20.0)
                provider.hang_up(talk)
            await until(lambda: talk.ended is not None, CASE_SECONDS)  # noqa: B023 - awaited here
            case.heard = frozenset(talk.frames)
            callers = {each.talk.leg for each in self.cases if each.talk is not None}  # each lane looks at its own
            for other in provider.talks.values():
                if other is talk or (other.ended is not None and other.leg not in callers):
                    other.frames.clear()
                    other.sent.clear()

    def served_by(self, case: Case, conversation: Conversation | None) -> str:
        if conversation is None or conversation.outcome != "served":
            return "nobody"
        return conversation.agent.removesuffix(f"-{case.lane}")


def known(sound: bytes) -> set[bytes]:
    """The frames of a sound by which it is recognised."""
    return {frame for frame in sounds.frames(sound) if len(set(frame)) >= LAW_SILENCE}


@pytest.mark.timeout(3000)
def test_nothing_but_a_person_who_presses_1_has_the_call_and_no_caller_is_lost(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    began = time.monotonic()
    with running(scene.box) as box:
        try:
            scene.peers.start(collections.Counter(case.kind.trunk for case in scene.cases))
            asyncio.run(scene.play())
            conversations = box.conversations(len(scene.cases), 60)
        finally:
            scene.peers.end()
        assert "Traceback" not in box.log
    found = {"0" + each.customer.removeprefix("+98"): each for each in conversations}
    by = {case.number: scene.served_by(case, found.get(case.number)) for case in scene.cases}
    wrong = [
        f"{case.kind.name}: served by {by[case.number]}"
        for case in scene.cases
        if by[case.number] != ("far" if case.is_person else "near")
    ]
    near = known(near_sound())
    leaked = [
        case.kind.name
        for case in scene.cases
        if not case.is_person and case.kind.customer is not None
        and (known(case.kind.customer.sound + case.kind.customer.early) - near) & case.heard
    ]  # fmt: skip
    deaf = [case.kind.name for case in scene.cases if not case.is_person and not near & case.heard]
    machines, people = [[case for case in scene.cases if case.is_person is is_so] for is_so in (False, True)]
    of_kinds = collections.Counter(case.kind.name for case in scene.cases)
    print("kinds: " + "; ".join(f"{name} {count}" for name, count in sorted(of_kinds.items())))
    print(f"answered for an agent: {sum(by[case.number] == 'far' for case in machines)} of {len(machines)} machines")
    print(f"people with their caller: {sum(by[case.number] == 'far' for case in people)} of {len(people)}")
    print(f"callers served: {sum(each != 'nobody' for each in by.values())} of {len(scene.cases)}")
    print(f"machines that a caller heard: {len(leaked)}, next agents whom a caller did not hear: {len(deaf)}")
    print(f"seconds: {time.monotonic() - began:.0f}, at once: {len(scene.lanes)}")
    assert not wrong, "\n".join(wrong)
    assert not leaked and not deaf


def is_down(box: Box, trunk: str) -> bool:
    """Whether the box knows that this trunk does not carry calls."""

    def query(db: Connection) -> bool:
        rows = db.execute(
            "SELECT b.body FROM event AS e JOIN event_body AS b USING (n) WHERE e.kind = 'trunk.changed' ORDER BY n"
        ).fetchall()
        mine = [bytes(row[0]).decode() for row in rows if f'"{trunk}"' in bytes(row[0]).decode()]
        return bool(mine) and any(f'"{state}"' in mine[-1] for state in NOT_UP)

    with box.reader() as reader:
        return reader.within(query)


@pytest.mark.timeout(400)
def test_with_a_trunk_over_the_internet_down_the_agent_is_reached_by_the_other_and_takes_the_call() -> None:
    trunk, dead = free_ports(2, "127.0.0.2")
    extra = (
        f'[[trunk]]\nname = "internet"\nproxy = "127.0.0.2:{dead}"\nuser = "100"\n'
        '[[agent]]\nname = "far"\nnumber = "09350000000"\ntrunk = "internet"\n'
        '[[queue]]\nname = "reception"\nagents = ["far"]\n'
    )
    box = Box(f"127.0.0.2:{trunk}", flow=WAIT.replace('name = "wait"', 'name = "welcome"'), extra=extra)
    (box.folder / "secrets" / "trunk-internet").write_text("of-nobody")
    rung: list[str] = []

    def takes(offered: port.Offered) -> Script:
        rung.append(offered.called)
        return takes_calls()

    async def scene() -> None:
        provider = Customers(("127.0.0.1", box.sip), ("127.0.0.2", trunk), takes)
        await provider.start()
        try:
            await until(lambda: is_down(box, "internet"), 120)
            talk = provider.call("02188123456", "09121234567")
            await until(lambda: talk.ended is not None, 120)
        finally:
            await provider.stop()

    with running(box):
        asyncio.run(scene())
        (conversation,) = box.conversations(1)
        assert "Traceback" not in box.log
    assert (conversation.outcome, conversation.agent) == ("served", "far") and rung == ["09350000000"]
