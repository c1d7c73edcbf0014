"""A whole office in virtual time: real sessions, flows and records, a line without network, media without sound."""

from __future__ import annotations

import asyncio
import collections
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.calls.office import EndCall, Office
from appliance.calls.settings import Agent, CalledLine, Calls
from appliance.calls.slots import SLOTS
from appliance.calls.switchboard import Switchboard
from appliance.clock import VirtualClock
from appliance.flow.load import load
from appliance.media import port as media
from appliance.media.loopback import LoopbackMedia
from appliance.records.reader import Conversation, Reader
from appliance.records.store import Store
from appliance.records.writer import DirectWriter
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour, Loopback
from appliance.signalling.port import LampState, ShowLamp
from appliance.signalling.settings import Phone, Signalling, Trunk
from tests.support.virtual_time import VirtualLoop, run
from tests.support.work import functions_entered

KEY = bytes(range(32))
FLOW = Path("ivr_flows/welcome.toml").read_text(encoding="utf-8").replace('["first"]', '["first", "second"]')
DAY_SECONDS = 36_000
STATES = ("ringing_ms", "menu_ms", "waiting_ms", "talking_ms", "hold_ms")


@dataclass
class TheOffice:
    """Everything between the trunk and calls.db, with a clock that jumps."""

    folder: Path
    flow: str = FLOW
    max_calls: int = 100
    clock: VirtualClock = field(default_factory=VirtualClock)

    def __post_init__(self) -> None:
        self.loop = VirtualLoop(self.clock)
        self.line = Loopback(self._signalled, self.clock)
        self.mouth = LoopbackMedia(self._mediated, self.clock, lambda _piece: 3.0)
        self.loop.sources += [self.line, self.mouth]
        self.store = Store(self.folder / "calls.db", KEY, self.clock)
        self.records = DirectWriter(self.store)
        agents = (Agent(name="first", phone="desk1"), Agent(name="second", phone="desk2"))
        line = CalledLine(name="office", trunk="provider", flow="welcome")
        self.office = Office(
            box="test",
            boot="",
            settings=Calls(max_calls=self.max_calls, lines=(line,), agents=agents),
            sip=Signalling(
                trunks=(Trunk(name="provider", proxy="192.0.2.9", registers=False),),
                phones=(Phone(name="desk1"), Phone(name="desk2")),
            ),
            line=self.line,
            mouth=self.mouth,
            records=self.records,
            clock=self.clock,
            flows={"welcome": load(self.flow, "welcome.toml")},
            prompts=Path("/prompts"),
            changed=lambda: None,
            verify=lambda _sealed: None,
        )
        self.switchboard = Switchboard(self.office, None)

    def _signalled(self, event: signalling.Event) -> None:
        self.switchboard.signalled(event)

    def _mediated(self, event: media.ClientEvent) -> None:
        self.switchboard.mediated(event)

    async def until_quiet(self, seconds: float = 400.0) -> None:
        ends = self.clock.monotonic() + seconds
        await asyncio.sleep(0.1)
        while self.switchboard.sessions and self.clock.monotonic() < ends:
            await asyncio.sleep(1.0)
            self.records.flush_now()
        self.records.flush_now()

    async def stopped(self) -> None:
        """Everything that still lasts is ended, as when the process stops."""
        self.switchboard.callbacks.stop()
        for session in self.switchboard.sessions.values():
            session.inbox.put(EndCall("stopping"))
        await asyncio.sleep(10.0)
        self.records.flush_now()

    def all(self) -> list[Conversation]:
        with Reader(self.folder / "calls.db", KEY) as reader:
            return reader.last(10_000)[::-1]


async def a_caller(office: TheOffice, chance: random.Random) -> None:
    """One of many kinds of callers, from ringing to leaving."""
    leg = office.line.call_in("provider", "02188123456", f"0912{chance.randrange(10**7):07}")
    kind = chance.choice(["person", "person", "person", "menu", "wrong", "silent", "early", "english", "holds"])
    await asyncio.sleep(chance.uniform(0.01, 1.0) if kind == "early" else chance.uniform(5.0, 9.0))
    if kind in ("person", "holds"):
        office.mouth.press(leg, "1")
        await asyncio.sleep(chance.uniform(5.0, 40.0))
    if kind == "holds":
        office.line.hold(leg)
        await asyncio.sleep(chance.uniform(1.0, 20.0))
        office.line.resume(leg)
    elif kind == "english":
        office.mouth.press(leg, "9")
        await asyncio.sleep(2.0)
        office.line.press(leg, "1")
    elif kind == "wrong":
        for digit in "777":
            office.mouth.press(leg, digit)
            await asyncio.sleep(4.0)
    elif kind == "menu":
        office.mouth.press(leg, "2")
        await asyncio.sleep(1.0)
    elif kind == "silent":
        await asyncio.sleep(60.0)
    if chance.random() < 0.6:
        await asyncio.sleep(chance.uniform(0.0, 60.0))
        office.line.hang_up(leg)


async def a_day(office: TheOffice, calls: int, chance: random.Random) -> None:
    office.line.register("desk1", Behaviour(answers_after=3.0, talks_seconds=90.0))
    office.line.register("desk2", Behaviour(answers_after=25.0, talks_seconds=60.0))
    callers = []
    for _ in range(calls):
        await asyncio.sleep(chance.expovariate(calls / DAY_SECONDS))
        office.records.flush_now()
        callers.append(asyncio.create_task(a_caller(office, chance)))
        if chance.random() < 0.02:
            office.line.phones["desk2"] = Behaviour(code=chance.choice([486, 603, 480]))
        elif chance.random() < 0.02:
            office.line.phones["desk2"] = Behaviour(answers_after=2.0, talks_seconds=30.0)
    await asyncio.gather(*callers)
    await office.until_quiet()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_of_500_calls_leaves_one_whole_record_each_and_nothing_else(tmp_path: Path, seed: int) -> None:
    office = TheOffice(tmp_path)
    run(office.loop, a_day(office, 500, random.Random(seed)))
    conversations = office.all()
    assert len(conversations) == 500 and len({each.conversation for each in conversations}) == 500
    assert office.line.legs == 0 and office.mouth.streams == 0 and not office.office.floor.engaged()
    assert not office.office.legs and not office.office.recordings
    office.office.lamps.look()
    shown = [each for each in office.line.shown.values() if isinstance(each, ShowLamp)]
    slots = {f"*9{slot}" for slot in SLOTS}
    assert {each.extension for each in shown} == {"first", "second", "desk1", "desk2"} | slots
    assert {each.state for each in shown} == {LampState.DARK}
    for each in conversations:
        assert each.revision == 1 and each.outcome in ("served", "abandoned", "finished"), each
        assert each.total_ms == sum(getattr(each, state) for state in STATES), each
        assert all(leg.ended_ms is not None for leg in each.legs), each
        assert all(part.state == "sealed" for part in each.recordings), each
        assert each.outcome != "served" or (each.agent and each.talking_ms), each
    outcomes = collections.Counter(each.outcome for each in conversations)
    assert min(outcomes["served"], outcomes["abandoned"], outcomes["finished"]) > 20
    assert office.office.counters.get("faults", 0) == 0


def test_a_day_of_calls_is_little_work(tmp_path: Path) -> None:
    """Its CPU time is measured by ``make long ONLY=cpu``."""
    office = TheOffice(tmp_path)
    entered = functions_entered(lambda: run(office.loop, a_day(office, 100, random.Random(3))))
    assert len(office.all()) == 100
    assert entered / 100 < 4400  # 1,200 of them look once a second who is busy while somebody speaks


def test_beyond_the_limit_new_calls_are_refused_and_counted_and_running_ones_do_not_notice(tmp_path: Path) -> None:
    office = TheOffice(tmp_path, max_calls=3)

    async def scene() -> None:
        for _ in range(5):
            office.line.call_in("provider", "02188123456", "09121234567")
            await asyncio.sleep(0.5)
        await office.until_quiet()

    run(office.loop, scene())
    outcomes = [each.outcome for each in office.all()]
    assert outcomes.count("refused") == 2 and outcomes.count("finished") == 3
    assert office.office.counters["refused_503"] == 2


def test_a_line_that_begins_with_a_call_rings_and_is_answered_with_the_agent(tmp_path: Path) -> None:
    flow = (
        '[flow]\nname = "welcome"\nstart = "ring"\nneeds_notice = false\n'
        '[node.ring]\nkind = "call"\nagents = ["first"]\non_nobody = "sorry"\n'
        '[node.sorry]\nkind = "goodbye"\noutcome = "nobody"\n'
    )
    office = TheOffice(tmp_path, flow=flow)

    async def scene() -> None:
        office.line.register("desk1", Behaviour(answers_after=4.0, talks_seconds=10.0))
        await asyncio.sleep(0.1)
        office.line.call_in("provider", "02188123456", "09121234567")
        await office.until_quiet()

    run(office.loop, scene())
    (conversation,) = office.all()
    assert conversation.outcome == "served" and 3900 <= conversation.ringing_ms <= 4100
    assert conversation.menu_ms == 0 and 9900 <= conversation.talking_ms <= 10_100
    assert conversation.consent_how == "none_needed" and len(conversation.recordings) == 1


def test_a_caller_who_gives_up_while_an_agents_phone_rings_ends_that_ringing(tmp_path: Path) -> None:
    office = TheOffice(tmp_path)

    async def scene() -> None:
        office.line.register("desk1", Behaviour(answers_after=None))
        await asyncio.sleep(0.1)
        leg = office.line.call_in("provider", "02188123456", "09121234567")
        await asyncio.sleep(7.0)
        office.mouth.press(leg, "1")
        await asyncio.sleep(6.0)
        office.line.hang_up(leg)
        await office.until_quiet()

    run(office.loop, scene())
    (conversation,) = office.all()
    assert conversation.outcome == "abandoned" and office.line.legs == 0 and not office.office.floor.engaged()
    assert [leg.cause for leg in conversation.legs if leg.role == "agent"] == ["no_answer"]


def test_a_hold_by_the_agent_is_counted_and_the_talk_goes_on_after_it(tmp_path: Path) -> None:
    office = TheOffice(tmp_path)

    async def scene() -> None:
        office.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=30.0))
        await asyncio.sleep(0.1)
        leg = office.line.call_in("provider", "02188123456", "09121234567")
        await asyncio.sleep(7.0)
        office.mouth.press(leg, "1")
        await asyncio.sleep(6.0)
        (session,) = office.switchboard.sessions.values()
        agent = next(party.leg for party in session.parties.values() if party.role == "agent")
        office.line.hold(agent)
        await asyncio.sleep(5.0)
        office.line.resume(agent)
        await office.until_quiet()

    run(office.loop, scene())
    (conversation,) = office.all()
    assert conversation.outcome == "served" and conversation.hold_ms == 5000
    assert conversation.talking_ms == 25_000


def test_a_late_offer_is_answered_with_ours(tmp_path: Path) -> None:
    office = TheOffice(tmp_path)

    async def scene() -> None:
        leg = office.line.call_in("provider", "02188123456", "09121234567", is_late_offer=True)
        await asyncio.sleep(4.0)
        office.line.hang_up(leg)
        await office.until_quiet()

    run(office.loop, scene())
    (conversation,) = office.all()
    assert conversation.outcome == "abandoned" and conversation.legs[0].answered_ms is not None


def test_a_number_without_a_line_is_refused_with_404_and_kept(tmp_path: Path) -> None:
    office = TheOffice(tmp_path)
    office.office.settings = Calls(lines=(CalledLine(name="other", trunk="provider", flow="welcome", number="1500"),))

    async def scene() -> None:
        office.line.call_in("provider", "02188123456", "09121234567")
        await office.until_quiet()

    run(office.loop, scene())
    (conversation,) = office.all()
    assert conversation.outcome == "refused" and conversation.legs[0].code == 404


def test_media_that_dies_under_a_call_leaves_a_second_part_and_a_counted_gap(tmp_path: Path) -> None:
    office = TheOffice(tmp_path)

    async def scene() -> None:
        office.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=30.0))
        await asyncio.sleep(0.1)
        leg = office.line.call_in("provider", "02188123456", "09121234567")
        await asyncio.sleep(7.0)
        office.mouth.press(leg, "1")
        await asyncio.sleep(10.0)
        (first,) = office.office.recordings
        office.switchboard.mediated(media.MediaLost((leg,)))
        office.switchboard.mediated(media.MediaBack((leg,), 400))
        office.switchboard.mediated(media.RecordingContinued("f" * 32, first, 2, 400))
        for name, state in ((first, "recovered"), ("f" * 32, "sealed")):
            await asyncio.sleep(1.0)
            office.switchboard.mediated(media.RecordingSealed(name, state, "", 1, "", "", 1000, 0, 0, 0, 0, 0, 0))
        await office.until_quiet()

    run(office.loop, scene())
    (conversation,) = office.all()
    assert conversation.interruptions == 1 and conversation.interrupted_ms == 400
    assert [(part.part, part.state) for part in conversation.recordings] == [(1, "recovered"), (2, "sealed")]
    assert conversation.outcome == "served"


def test_a_fault_inside_one_conversation_ends_it_with_a_record_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = TheOffice(tmp_path)

    async def scene() -> None:
        office.line.call_in("provider", "02188123456", "09121234567")
        await asyncio.sleep(1.0)
        (session,) = office.switchboard.sessions.values()
        monkeypatch.setattr(session, "_heard", lambda _item: 1 / 0)
        office.line.call_in("provider", "02188123456", "09121234568")
        await office.until_quiet()

    run(office.loop, scene())
    faulty, other = office.all()
    assert (faulty.outcome, faulty.detail) == ("failed", "fault") and other.outcome == "finished"
    assert office.office.counters["faults"] == 1
