"""Beside another telephone system, in virtual time: what goes there, what comes from there, and what comes back."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from appliance.calls.settings import Agent, CalledLine, Queue, Tariff
from appliance.control.wire import Contact
from appliance.flow.load import load
from appliance.records.reader import Conversation
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from appliance.signalling.port import Passage, ToTrunk
from appliance.signalling.settings import Phone, Trunk
from tests.simulation.test_menus import happened, office
from tests.simulation.test_outside import TRANSFER, WAIT
from tests.support.virtual_time import run

CUSTOMER = "09121234567"
PEER = Trunk(name="pbx", proxy="192.0.2.20", registers=False, kind="peer", extensions=("3XX",))


class Box:
    """An office with the agents 201 and 202, the line 250, and a peer with the extensions 3XX.

    02188000001 leads to extension 301 there, 02188000002 waits in the line; 500 from the peer leads to 301 as well.
    """

    def __init__(self, folder: Path, **peer: Any) -> None:
        self.it = office(folder, "clinic")
        it = self.it.office
        flows = {name: load(TRANSFER.format(name=name, to="301"), "out.toml") for name in ("there",)}
        it.flows = {**flows, "wait": load(WAIT, "wait.toml")}
        lines = (
            CalledLine(name="there", trunk="provider", flow="there", number="02188000001"),
            CalledLine(name="waits", trunk="provider", flow="wait", number="02188000002"),
            CalledLine(name="round", trunk="pbx", flow="there", number="500"),
        )
        agents = tuple(
            Agent(name=name, phone=f"desk{n}", extension=f"20{n}") for n, name in enumerate(("first", "second"), 1)
        )
        queues = (Queue(name="reception", agents=("first",), extension="250"),)
        it.sip = dataclasses.replace(
            it.sip,
            trunks=(*it.sip.trunks, dataclasses.replace(PEER, **peer)),
            phones=(Phone(name="desk1"), Phone(name="desk2")),
        )
        tariffs = (Tariff(name="short", kind="short", rial_per_call=5000), Tariff(name="three", prefix="301"))
        it.arrange(dataclasses.replace(it.settings, agents=agents, queues=queues, lines=lines, tariffs=tariffs))
        self.dialled: list[tuple[str, str]] = []  # the leg, and whom it rings
        self.shown: list[str] = []
        self.passed: list[Passage] = []
        self.refused: list[int] = []
        self.it.line.outside = Behaviour(answers_after=None)
        submit = self.it.line.submit

        def said(command: signalling.Command) -> None:
            if isinstance(command, signalling.Dial):
                to = command.to.number if isinstance(command.to, ToTrunk) else command.to.phone
                self.dialled.append((command.leg, to))
                self.shown.append(command.caller.number)
                self.passed.append(command.passage)
            elif isinstance(command, signalling.Refuse):
                self.refused.append(command.code)
            submit(command)

        self.it.line.submit = said  # type: ignore[method-assign]

    @property
    def rung(self) -> list[str]:
        return [to for _, to in self.dialled]

    def there(self, *desks: str) -> None:
        for desk in desks:
            self.it.line.register(desk, Behaviour(answers_after=1.0, talks_seconds=10.0))

    async def to_301(self, caller: str = CUSTOMER) -> str:
        """A customer for whom 301 rings; the leg that rings."""
        self.it.line.call_in("provider", "02188000001", caller)
        await asyncio.sleep(2.0)
        assert self.rung[-1] == "301"
        return self.dialled[-1][0]

    def back(self, called: str, caller: str = CUSTOMER, *legs: str, senders: tuple[str, ...] = ()) -> str:
        """The peer calls us."""
        return self.it.line.call_in("pbx", called, caller, passage=Passage(69, legs, senders))

    def plays(self, scene: Callable[[], Coroutine[Any, Any, None]], rest: float = 60.0) -> list[Conversation]:
        async def whole() -> None:
            await scene()
            await asyncio.sleep(rest)
            for leg in list(self.it.line._legs):
                self.it.line.hang_up(leg)
            await self.it.until_quiet()

        run(self.it.loop, whole())
        assert self.it.office.counters.get("faults", 0) == 0 and self.it.line.legs == 0
        assert not self.it.office.floor.engaged() and not self.it.office.floor.waiting()
        return self.it.all()

    def told(self) -> list[str]:
        """The states of what came back."""
        return [each.rpartition('"state":"')[2].partition('"')[0] for each in happened(self.it, "call.came_back")]


def test_an_extension_there_is_dialled_as_it_is_and_costs_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=90.0)

    async def scene() -> None:
        await box.to_301()
        await asyncio.sleep(30.0)
        assert box.it.office.outside.busy("pbx") == 1 and box.it.office.outside.spent() == 0

    [record] = box.plays(scene, 120.0)
    assert (record.outcome, record.agent) == ("served", "301") and box.shown == [CUSTOMER]
    assert [(leg.party, leg.via) for leg in record.legs][1:] == [("301", "pbx")]


def test_what_it_cost_is_nothing_after_a_restart_either(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=20.0)

    async def scene() -> None:
        await box.to_301()
        await asyncio.sleep(40.0)
        await box.it.office.find_spent()
        assert box.it.office.outside.spent() == 0

    box.plays(scene)


@pytest.mark.parametrize(
    ("behaviour", "detail"),
    [
        (Behaviour(code=486), "busy"),
        (Behaviour(code=404), "no_such_extension"),
        (Behaviour(code=503), "peer_down"),
        (Behaviour(code=408, is_silent=True), "peer_down"),
        (Behaviour(code=408), "no_answer"),
        (Behaviour(code=482), "loop"),
        (Behaviour(answers_after=None, is_silent=True), "peer_down"),
        (Behaviour(answers_after=None), "no_answer"),
    ],
)
def test_why_nobody_was_reached_there_is_told_to_the_telephone_here(
    tmp_path: Path, behaviour: Behaviour, detail: str
) -> None:
    box = Box(tmp_path)
    box.there("desk1")
    box.it.line.outside = behaviour

    async def scene() -> None:
        box.it.line.call_from("desk1", "301")

    [record] = box.plays(scene, 90.0)
    assert record.detail == detail and box.shown == ["201"]
    codes = {"busy": 486, "no_such_extension": 404, "peer_down": 503, "loop": 482, "no_answer": 480}
    assert box.refused == [codes[detail]]


def test_a_peer_that_is_down_costs_the_caller_ten_seconds_and_the_flow_goes_on(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.outside = Behaviour(answers_after=None, is_silent=True)

    async def scene() -> None:
        await box.to_301()
        await asyncio.sleep(9.5)

    [record] = box.plays(scene, 5.0)
    assert record.detail == "sorry" and record.total_ms is not None and record.total_ms < 15_000


# From there -----------------------------------------------------------------------------------------------------------


def test_an_extension_there_calls_an_agent_and_the_waiting_line_here(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")

    async def scene() -> None:
        box.back("202", "305")
        await asyncio.sleep(30.0)
        box.back("250", "305")

    one, other = box.plays(scene)
    assert box.rung == ["desk2", "desk1"] and box.shown == ["305", "305"]
    for record, agent in ((one, "second"), (other, "first")):
        assert (record.direction, record.outcome, record.agent) == ("internal", "served", agent)
        assert (record.customer, record.recordings, record.legs[0].party) == ("", (), "305")


def test_a_caller_whom_the_peer_puts_through_is_a_customer(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk2")

    async def scene() -> None:
        box.back("202")

    [record] = box.plays(scene)
    assert (record.direction, record.customer, record.outcome) == ("in", f"+98{CUSTOMER[1:]}", "served")


@pytest.mark.parametrize(("may", "rung"), [(False, []), (True, [CUSTOMER])])
def test_an_extension_there_calls_out_by_our_trunks_only_where_the_owner_wants_it(
    tmp_path: Path, may: bool, rung: list[str]
) -> None:
    box = Box(tmp_path, may_dial_out=may)

    async def scene() -> None:
        box.back(CUSTOMER, "305")

    [record] = box.plays(scene, 90.0)
    assert box.rung == rung
    assert record.detail == ("no_answer" if may else "from_peer") and box.refused == [480 if may else 403]
    assert len(happened(box.it, "dial.refused")) == (0 if may else 1)


def test_an_emergency_call_from_there_always_goes_out(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        box.back("110", "305")

    box.plays(scene, 90.0)
    assert box.rung[0] == "110"


def test_an_extension_there_cannot_have_a_customer_dialled_out(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.outside = Behaviour(answers_after=1.0)

    async def scene() -> None:
        leg = await box.to_301()
        await asyncio.sleep(3.0)
        box.it.line.refer(leg, "09350001122")
        await asyncio.sleep(3.0)
        box.it.line.refer(leg, "302")

    [record] = box.plays(scene)
    assert box.rung == ["301", "302"] and [code for _, code in box.it.line.referred] == [403, 200]
    assert [each.state for each in record.transfers] == ["asked", "back", "asked", "done"]


def test_nobody_has_the_number_that_was_dialled_there(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        box.back("299", "305")
        box.back("x" * 500, "305")

    assert [record.outcome for record in box.plays(scene)] == ["refused", "refused"] and box.refused == [404, 404]


# What comes back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["name", "caller", "diversion"])
def test_who_is_sent_on_to_an_agent_here_is_rung_once_in_the_same_conversation(tmp_path: Path, by: str) -> None:
    """A proxy hands our name of the leg back; a PBX that makes a new call of it shows the same caller at least."""
    box = Box(tmp_path)
    box.there("desk2")

    async def scene() -> None:
        leg = await box.to_301()
        caller = "+98" + CUSTOMER[1:] if by == "caller" else CUSTOMER
        box.back("202", caller, *([leg] if by == "name" else []), senders=("301",) if by == "diversion" else ())

    [record] = box.plays(scene)
    assert box.rung == ["301", "desk2"] and box.refused == [482] and box.told() == ["followed"]
    assert (record.outcome, record.agent) == ("served", "second")


@pytest.mark.parametrize("by", ["name", "diversion"])
def test_a_call_without_a_number_is_known_again_by_the_leg_or_by_who_has_sent_it_on(tmp_path: Path, by: str) -> None:
    box = Box(tmp_path)
    box.there("desk2")

    async def scene() -> None:
        leg = await box.to_301("")
        box.back("202", "", *([leg] if by == "name" else []), senders=("301",) if by == "diversion" else ())

    [record] = box.plays(scene)
    assert box.rung == ["301", "desk2"] and record.is_withheld and box.told() == ["followed"]


def test_who_was_sent_back_once_is_not_passed_there_again_however_late(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.register("desk2", Behaviour(answers_after=1.0, talks_seconds=300.0))

    async def scene() -> None:
        box.back("202", CUSTOMER, await box.to_301())
        await asyncio.sleep(200.0)
        box.it.line.refer(box.dialled[-1][0], "301")

    [record] = box.plays(scene, 200.0)
    assert box.rung == ["301", "desk2"] and box.told() == ["followed", "loop"]
    assert [each.state for each in record.transfers] == ["asked", "back"]


def test_a_caller_whom_the_office_has_blocked_is_not_put_through_from_there(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk2")

    async def scene() -> None:
        await box.it.office.contacts.save((Contact("Spam", (CUSTOMER,), is_blocked=True),), "owner")
        box.back("202")

    [record] = box.plays(scene)
    assert box.rung == [] and box.refused == [486] and record.detail == "blocked"


def test_another_caller_from_there_is_a_call_of_its_own(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk2")

    async def scene() -> None:
        await box.to_301()
        box.back("202", "305")

    records = box.plays(scene)
    assert len(records) == 2 and box.told() == []


@pytest.mark.parametrize("to", ["301", CUSTOMER, "02188000001"])
def test_what_would_go_round_ends_and_the_caller_goes_on(tmp_path: Path, to: str) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        leg = await box.to_301()
        box.back(to, CUSTOMER, leg)

    [record] = box.plays(scene)
    assert box.rung == ["301"] and box.refused[0] == 482 and record.detail == "sorry"
    assert record.total_ms is not None and record.total_ms < 5_000


def test_a_flood_of_the_same_call_that_comes_back_is_refused_and_rings_nobody_twice(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk2")

    async def scene() -> None:
        leg = await box.to_301()
        for _ in range(200):
            box.back("202", CUSTOMER, leg)
            await asyncio.sleep(0.05)

    [record] = box.plays(scene)
    assert box.rung == ["301", "desk2"] and box.refused == [482] * 200 and box.told() == ["followed"]
    assert record.outcome == "served" and box.it.office.counters["came_back"] == 200


def test_a_menu_that_leads_there_again_does_so_once(tmp_path: Path) -> None:
    """301 sends its calls to 500, a menu of ours that leads to 301."""
    box = Box(tmp_path)

    async def scene() -> None:
        await box.to_301()
        box.back("500")

    records = box.plays(scene)
    assert box.rung == ["301"] and len(records) == 2 and box.told() == ["loop"]


def test_an_extension_that_has_answered_gives_the_customer_back_to_us(tmp_path: Path) -> None:
    """A PBX passes on by a new call in the customer's name, and says who has sent it."""
    box = Box(tmp_path)
    box.there("desk2")
    box.it.line.outside = Behaviour(answers_after=1.0)

    async def scene() -> None:
        await box.to_301()
        await asyncio.sleep(5.0)
        box.back("202", senders=("301",))

    [record] = box.plays(scene)
    assert box.rung == ["301", "desk2"] and box.told() == ["passed_on"]
    assert [each.state for each in record.transfers] == ["asked", "done"] and record.agent == "second"


def test_a_second_call_of_who_speaks_there_is_a_call_of_its_own(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.there("desk2")
    box.it.line.outside = Behaviour(answers_after=1.0)

    async def scene() -> None:
        await box.to_301()
        await asyncio.sleep(5.0)
        box.back("202")

    assert len(box.plays(scene)) == 2


@pytest.mark.parametrize("by", ["customer", "desk"])
def test_who_is_sent_on_to_the_waiting_line_waits_there(tmp_path: Path, by: str) -> None:
    box = Box(tmp_path)
    box.there("desk1", "desk2")

    async def scene() -> None:
        if by == "desk":
            box.it.line.call_from("desk2", "301")
            await asyncio.sleep(2.0)
            box.back("250", "202", box.dialled[-1][0])
        else:
            box.back("250", CUSTOMER, await box.to_301())

    [record] = box.plays(scene)
    assert box.rung == ["301", "desk1"] and record.outcome == "served" and box.told() == ["followed"]
    assert record.waiting_ms > 0 and record.queue == "reception"


@pytest.mark.parametrize("keys", ["*7301#", "*8301#"])
def test_an_agent_passes_on_to_an_extension_that_sends_its_calls_to_the_line_here(tmp_path: Path, keys: str) -> None:
    box = Box(tmp_path)
    box.it.line.register("desk1", Behaviour(answers_after=1.0))

    async def scene() -> None:
        box.it.line.call_in("provider", "02188000002", CUSTOMER)
        await asyncio.sleep(4.0)
        agent = box.dialled[-1][0]
        for key in keys:
            box.it.mouth.press(agent, key)
            await asyncio.sleep(0.2)
        await asyncio.sleep(1.0)
        box.back("250", CUSTOMER, box.dialled[-1][0])

    [record] = box.plays(scene)
    assert box.rung == ["desk1", "301", "desk1"] and record.outcome == "served"
    assert [each.state for each in record.transfers] == ["asked", "line"]


def test_who_is_sent_on_after_long_ringing_there_rings_here_as_long_as_anybody(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.register("desk2", Behaviour(answers_after=15.0, talks_seconds=10.0))

    async def scene() -> None:
        leg = await box.to_301()
        await asyncio.sleep(27.0)
        box.back("202", CUSTOMER, leg)

    [record] = box.plays(scene)
    assert record.outcome == "served" and record.agent == "second"


@pytest.mark.parametrize("to", ["02188000001", "+982188000001"])
def test_a_number_of_our_own_is_never_dialled_outside_for_it(tmp_path: Path, to: str) -> None:
    box = Box(tmp_path, may_dial_out=True)

    async def scene() -> None:
        box.back(to, CUSTOMER, await box.to_301())

    [record] = box.plays(scene)
    assert box.rung == ["301"] and record.detail == "sorry"


def test_what_another_pasokh_adds_to_the_way_of_a_call_goes_on_with_it(tmp_path: Path) -> None:
    box = Box(tmp_path)
    theirs = "ab" * 16

    async def scene() -> None:
        box.back("304", "305", theirs)

    box.plays(scene, 90.0)
    assert box.rung == ["304"] and box.passed == [Passage(69, (theirs,))]
