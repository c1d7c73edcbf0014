"""Outbound lists on the box's own ground, in virtual time: hours to the second, nobody twice, no forbidden one."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from appliance.calls import list_desk
from appliance.control import wire
from appliance.control.wire import ListRow
from appliance.errors import Problem
from appliance.hours import load as hours
from appliance.outbound_lists.settings import OutboundList
from appliance.records import lists
from appliance.records.lists import Entry
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from appliance.signalling.port import ToTrunk
from tests.simulation.test_lines import plays
from tests.simulation.test_menus import MORNING_MS, office
from tests.support.virtual_time import run

SPRING = OutboundList(
    name="spring", calendar="work", agents=("first", "second"), attempts=2, spacing_minutes=10.0,
    results=("sold", "not now"),
)  # fmt: skip
WORK = '[week]\nmonday = "9-12"\n'  # it is Monday, 11:30
CLOSES_AFTER = 1800.0
NUMBERS = ("09121110001", "09121110002", "09121110003")
TALKS = Behaviour(answers_after=3.0, talks_seconds=20.0)


class Box:
    """The clinic with a list; ``keys`` are pressed by whoever has dialled, so many seconds after an INVITE went out."""

    def __init__(self, folder: Path, spring: OutboundList = SPRING) -> None:
        self.it = office(folder, "clinic")
        self.it.office.arrange(dataclasses.replace(self.it.office.settings, outbound_lists=(spring,), queues=()))
        self.it.office.calendars = {"work": hours.load(WORK, "work", "work.toml")}
        self.keys: list[tuple[float, str]] = []
        self.dialled: list[tuple[float, str]] = []
        self.before_go: Callable[[], object] = lambda: None
        self._waiting: dict[str, signalling.Dial] = {}
        self._submit = self.it.line.submit
        self.it.line.submit = self._seen  # type: ignore[method-assign] # what leaves the box

    def _seen(self, command: signalling.Command) -> None:
        match command:
            case signalling.Dial(leg, ToTrunk(), waits=True):
                self._waiting[leg] = command
                self.before_go()
            case signalling.Go(leg):
                with self.it.store.transaction() as db:
                    row = db.execute("SELECT dial FROM list_attempt WHERE leg = ?", (leg,)).fetchone()
                assert row is not None and row[0], "an INVITE left before its attempt was written"
                to = self._waiting.pop(leg).to
                assert isinstance(to, ToTrunk)
                self.dialled.append((self.it.clock.monotonic(), to.number))
                for after, key in self.keys:
                    for phone in self.legs:
                        asyncio.get_running_loop().call_later(after, self.it.mouth.press, phone, key)
            case _:
                pass
        self._submit(command)

    legs: tuple[str, ...] = ()

    @property
    def numbers(self) -> list[str]:
        return [number for _, number in self.dialled]

    def run(self, scene: Callable[[], Coroutine[Any, Any, object]], seconds: float = 120.0) -> None:
        async def whole() -> None:
            for phone in ("desk1", "desk2"):
                self.it.line.register(phone, Behaviour(answers_after=1.0))
            await asyncio.sleep(0.1)
            await scene()
            await asyncio.sleep(seconds)
            self.it.records.flush_now()
            await self.it.stopped()

        run(self.it.loop, whole())
        assert self.it.office.counters.get("faults", 0) == 0
        assert self.it.line.legs == 0 and self.it.mouth.streams == 0 and not self.it.office.floor.engaged()

    async def add(self, *numbers: str) -> int:
        rows = [ListRow(number, f"name {number[-1:]}", "fa", ("a", "b", "c")) for number in numbers]
        return (await self.it.office.lists.add("spring", rows, "owner")).count

    async def next(self, phone: str = "desk1", seconds: float = 60.0) -> str:
        """The agent dials *45 and stays until it is over."""
        leg = self.it.line.call_from(phone, "*45")
        self.legs = (*self.legs, leg)
        await asyncio.sleep(seconds)
        self.it.line.hang_up(leg)
        await asyncio.sleep(3.0)
        return leg

    async def entries(self) -> Sequence[Entry]:
        await self.it.records.flush()
        return self.it.store.within(lambda db: lists.after(db, "spring", 0))

    def states(self) -> list[tuple[str, str, int]]:
        found = self.it.store.within(lambda db: lists.after(db, "spring", 0))
        return [(each.outcome, each.state, each.attempts) for each in found]


def test_an_agent_dials_45_hears_who_it_is_and_the_customer_is_called(tmp_path: Path) -> None:
    box = Box(tmp_path)
    heard = plays(box.it)
    box.keys = [(10.0, "*"), (10.3, "1")]
    box.it.line.outside = TALKS

    async def scene() -> None:
        assert await box.add(*NUMBERS) == 3
        await box.next()

    box.run(scene)
    assert box.numbers == [NUMBERS[0]]
    assert box.states() == [("reached", "done", 1), ("", "open", 0), ("", "open", 0)]
    brief = next(played for played in heard if "list_next" in played)
    assert "list_left" in brief
    record = next(each for each in box.it.all() if each.direction == "out")
    assert (record.customer, record.agent, record.outcome) == ("+989121110001", "first", "served")
    assert record.talking_ms > 15_000 and not record.recordings


@pytest.mark.parametrize(
    ("behaviour", "outcome", "state", "dialled"),
    [
        (Behaviour(code=486), "busy", "done", 2),
        (Behaviour(code=480), "off", "done", 2),
        (Behaviour(code=603), "declined", "done", 2),
        (Behaviour(answers_after=None), "no_answer", "done", 2),
        (Behaviour(code=404), "no_such_number", "done", 1),
        (Behaviour(code=503), "network", "open", 3),
    ],
)
def test_the_outcome_follows_the_sip_cause_and_attempts_and_spacing_are_kept(
    tmp_path: Path, behaviour: Behaviour, outcome: str, state: str, dialled: int
) -> None:
    box = Box(tmp_path)
    box.it.line.outside = behaviour

    async def scene() -> None:
        await box.add(NUMBERS[0])
        for _ in range(16):
            await box.next(seconds=85.0)

    box.run(scene)
    assert [(each[0], each[1]) for each in box.states()] == [(outcome, state)]
    assert len(box.dialled) == dialled if outcome != "network" else len(box.dialled) >= dialled
    pauses = [later - at for (at, _), (later, _) in zip(box.dialled, box.dialled[1:], strict=False)]
    assert all(pause >= (600.0 if outcome != "network" else 90.0) for pause in pauses)


def dialled_at(folder: Path, begins: float) -> list[float]:
    """When somebody is dialled for an agent who asks at this moment."""
    folder.mkdir()
    box = Box(folder)

    async def scene() -> None:
        await box.add(*NUMBERS)
        await asyncio.sleep(begins - box.it.clock.monotonic())
        await box.next()

    box.run(scene)
    return [at for at, _ in box.dialled]


def test_hours_are_kept_to_the_second_also_for_who_is_briefed_when_they_end(tmp_path: Path) -> None:
    (early,) = dialled_at(tmp_path / "early", 100.0)
    brief = early - 100.0
    (last,) = dialled_at(tmp_path / "last", CLOSES_AFTER - brief - 1.0)
    assert CLOSES_AFTER - 1.1 < last < CLOSES_AFTER
    assert dialled_at(tmp_path / "over", CLOSES_AFTER - brief + 0.1) == []
    assert dialled_at(tmp_path / "closed", CLOSES_AFTER + 1.0) == []


def test_a_number_that_comes_onto_the_do_not_call_list_between_offer_and_dial_is_not_dialled(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.before_go = lambda: box.it.office.lists.forbid("+989121110001", "owner", "page")

    async def scene() -> None:
        await box.add(*NUMBERS)
        await box.next()
        box.before_go = lambda: None
        await box.next()

    box.run(scene)
    assert box.numbers == [NUMBERS[1]]
    assert box.states()[0][:2] == ("do_not_call", "done")


def test_nobody_on_the_do_not_call_list_is_taken_in_or_given_out(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        office_lists = box.it.office.lists
        assert (await office_lists.forbid_all([NUMBERS[0], "۰۹۱۲۱۱۱۰۰۰۲", "no number"], "owner", "import")).count == 2
        assert await box.add(*NUMBERS) == 1
        assert office_lists.check("spring", NUMBERS).numbers[0] == ("+989121110001", "do_not_call")
        await office_lists.forbid_all([NUMBERS[2]], "owner", "page")
        await box.next()
        with pytest.raises(Problem):
            await office_lists.allow("09350000000", "owner")
        await office_lists.allow(NUMBERS[0], "owner")
        assert await box.add(*NUMBERS) == 1

    box.run(scene)
    assert box.dialled == []


def test_two_agents_at_the_same_moment_get_two_customers(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.outside = TALKS

    async def scene() -> None:
        await box.add(*NUMBERS)
        await asyncio.gather(box.next("desk1"), box.next("desk2"))

    box.run(scene)
    assert sorted(box.numbers) == list(NUMBERS[:2])


def test_an_agent_who_is_in_a_call_or_away_or_paused_gets_nobody(tmp_path: Path) -> None:
    box = Box(tmp_path)
    heard = plays(box.it)
    box.it.line.outside = Behaviour(answers_after=3.0, talks_seconds=40.0)

    async def scene() -> None:
        await box.add(*NUMBERS)
        first = asyncio.create_task(box.next(seconds=50.0))
        await asyncio.sleep(20.0)
        assert box.it.office.floor.why_not("first") == "busy"
        await box.next(seconds=10.0)
        await first
        await box.it.office.lists.turn("spring", True, "owner")
        await box.next(seconds=10.0)
        await box.it.office.lists.turn("spring", False, "owner")
        box.it.office.desk.turn("sign_off", "first", "owner")
        await box.next(seconds=10.0)

    box.run(scene)
    assert box.numbers == [NUMBERS[0]]
    assert [word for played in heard for word in played if word in ("feature_refused", "list_paused")] == [
        "feature_refused", "list_paused", "feature_refused",
    ]  # fmt: skip


def test_the_agent_s_word_do_not_call_forbids_the_number_at_once(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.outside = Behaviour(answers_after=3.0, talks_seconds=8.0)
    box.keys = [(20.0, "4")]  # asked after the customer has gone

    async def scene() -> None:
        await box.add(*NUMBERS)
        await box.next(seconds=80.0)

    box.run(scene)
    assert box.states()[0] == ("do_not_call", "done", 1)
    assert box.it.office.lists.book.forbidden == {"+989121110001"}


def test_call_again_at_a_moment_comes_then_and_not_before(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.outside = Behaviour(answers_after=3.0, talks_seconds=40.0)
    box.keys = [(10.0 + at / 5, key) for at, key in enumerate("*41150#")]

    async def scene() -> None:
        await box.add(NUMBERS[0])
        await box.next()
        box.keys = []
        await box.next()
        assert box.numbers == [NUMBERS[0]]
        await asyncio.sleep(1200.0 - box.it.clock.monotonic())
        await box.next()

    box.run(scene)
    assert box.numbers == [NUMBERS[0]] * 2 and box.dialled[1][0] >= 1200.0


def test_by_page_the_agent_s_telephone_rings_first_and_the_word_is_said_there(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.outside = TALKS

    async def scene() -> None:
        await box.add(*NUMBERS)
        box.it.line.register("desk1", Behaviour(answers_after=2.0, talks_seconds=90.0))
        await list_desk.call_next(box.it.office, "first", "spring")
        with pytest.raises(Problem):  # one after the other
            await list_desk.call_next(box.it.office, "first", "spring")
        await asyncio.sleep(48.0)
        shown = await list_desk.shown(box.it.office, "first")
        assert shown is not None and (shown.number, shown.columns, shown.outcome) == (
            "+989121110001", ("a", "b", "c"), "",
        )  # fmt: skip
        sessions = box.it.switchboard.sessions
        said = wire.SayOutcome("", "first", shown.conversation, "reached", "sold")
        with pytest.raises(Problem):
            await list_desk.say(box.it.office, sessions, "first", wire.SayOutcome("", "", shown.conversation, "bought"))
        with pytest.raises(Problem):
            await list_desk.say(box.it.office, sessions, "second", said)
        await list_desk.say(box.it.office, sessions, "first", said)
        await asyncio.sleep(90.0)
        (first, *_) = await box.entries()
        assert (first.outcome, first.result, first.agent) == ("reached", "sold", "first")
        again = wire.SayOutcome("", "first", "", "call_again", due="1155")
        await list_desk.say(box.it.office, {}, "first", again)
        (first, *_) = await box.entries()
        assert (first.outcome, first.state) == ("call_again", "open") and first.not_before > MORNING_MS

    box.run(scene)
    assert box.numbers == [NUMBERS[0]]


def test_an_agent_whose_telephone_nobody_answers_keeps_the_customer_for_later(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        await box.add(NUMBERS[0])
        box.it.line.register("desk1", Behaviour(answers_after=None))
        await list_desk.call_next(box.it.office, "first", "")
        await asyncio.sleep(60.0)
        await box.next("desk2")

    box.run(scene)
    assert box.numbers == [NUMBERS[0]]


@pytest.mark.parametrize("number", ["110", "00442071234567", "09091234567", "first", "", "02188123456", "12"])
def test_what_may_not_be_called_back_is_not_taken_into_a_list(tmp_path: Path, number: str) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        settings = box.it.office.settings
        ours = tuple(dataclasses.replace(line, number="02188123456") for line in settings.lines)
        box.it.office.arrange(dataclasses.replace(settings, lines=ours))
        ((_, why),) = box.it.office.lists.check("spring", [number]).numbers
        assert why and await box.add(number) == 0

    box.run(scene, 1.0)
