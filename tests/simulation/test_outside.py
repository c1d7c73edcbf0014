"""The way out on the box's own ground, in virtual time: policy, money, lines by direction, and emergency calls."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from appliance.calls import money
from appliance.calls.answers import BoxAnswers
from appliance.calls.desk import Asked
from appliance.calls.outside import NotPermitted, Permit, shown_on
from appliance.calls.settings import CalledLine, DialHours, Queue, Tariff
from appliance.flow.load import load
from appliance.flow.steps import OpenRequest
from appliance.ids import uuid7
from appliance.messages.calendar import DAY_MS, day_begin
from appliance.records import events, ledger
from appliance.records.reader import Conversation
from appliance.signalling import port as signalling
from appliance.signalling import sdp
from appliance.signalling.loopback import Behaviour
from appliance.signalling.port import Identity, ToPhone, ToTrunk
from appliance.signalling.settings import Trunk
from tests.simulation.test_menus import happened, office
from tests.simulation.test_whole_office import TheOffice
from tests.support.virtual_time import run

OFFER = sdp.offer("192.0.2.1", 40_000, "PCMA", 1)
TRANSFER = """[flow]
name = "{name}"
start = "out"
needs_notice = false
[node.out]
kind = "transfer"
to = "{to}"
on_failure = "sorry"
next = "sorry"
[node.sorry]
kind = "goodbye"
outcome = "sorry"
"""
WAIT = """[flow]
name = "wait"
start = "line"
needs_notice = false
[node.line]
kind = "enqueue"
queue = "reception"
on_nobody = "sorry"
next = "sorry"
whole_seconds = 600
[node.sorry]
kind = "goodbye"
outcome = "sorry"
"""


class Box:
    """An office whose lines lead straight to a transfer; ``to`` names each line and the number it leads to.

    02188000000 waits in the line "reception".
    """

    def __init__(
        self,
        folder: Path,
        to: dict[str, str],
        trunk: dict[str, Any] | None = None,
        second: bool = False,
        **settings: Any,
    ) -> None:
        self.it: TheOffice = office(folder, "clinic")
        flows = {
            f"to-{number}": load(TRANSFER.format(name=f"to-{number}", to=out), "out.toml") for number, out in to.items()
        }
        self.it.office.flows = {**flows, "wait": load(WAIT, "wait.toml")}
        lines = tuple(
            CalledLine(name=f"line-{number}", trunk="provider", flow=f"to-{number}", number=number) for number in to
        )
        waiting = CalledLine(name="waits", trunk="provider", flow="wait", number="02188000000")
        first = dataclasses.replace(self.it.office.sip.trunks[0], **(trunk or {}))
        more = (Trunk(name="second", proxy="192.0.2.10", registers=False, max_calls=1),) if second else ()
        self.it.office.sip = dataclasses.replace(self.it.office.sip, trunks=(first, *more))
        queue = Queue(name="reception", agents=("first", "second"))
        self.settings = dataclasses.replace(
            self.it.office.settings, lines=(*lines, waiting), queues=(queue,), most_callbacks=10, **settings
        )
        self.it.office.arrange(self.settings)
        self.dialled: list[signalling.Dial] = []
        submit = self.it.line.submit

        def seen(command: signalling.Command) -> None:
            if isinstance(command, signalling.Dial) and isinstance(command.to, ToTrunk):
                self.dialled.append(command)
            submit(command)

        self.it.line.submit = seen  # type: ignore[method-assign]

    @property
    def numbers(self) -> list[str]:
        return [each.to.number for each in self.dialled if isinstance(each.to, ToTrunk)]

    def rings(self, called: str, caller: str = "09121234567") -> str:
        return self.it.line.call_in("provider", called, caller)

    def run(self, scene: Callable[[], Coroutine[Any, Any, object]]) -> list[Conversation]:
        async def whole() -> None:
            await scene()
            self.it.switchboard.callbacks.stop()
            await self.it.until_quiet(900.0)

        run(self.it.loop, whole())
        assert self.it.office.counters.get("faults", 0) == 0
        assert self.it.line.legs == 0 and self.it.mouth.streams == 0
        assert not self.it.office.outside._permits and not self.it.office.outside._cut
        return self.it.all()

    @property
    def counters(self) -> dict[str, int]:
        return self.it.office.counters


OUT = {"02188000001": "09351112233", "02188000110": "110"}


# Policy ---------------------------------------------------------------------------------------------------------------


def test_a_transfer_that_the_policy_forbids_is_not_dialled_and_is_an_event(tmp_path: Path) -> None:
    box = Box(tmp_path, {"02188000001": "09091234567", "02188000002": "+881623456789"})

    async def scene() -> None:
        box.rings("02188000001")
        box.rings("02188000002")
        await asyncio.sleep(5.0)

    conversations = box.run(scene)
    assert box.dialled == [] and [each.detail for each in conversations] == ["sorry", "sorry"]
    told = happened(box.it, "dial.refused")
    assert len(told) == 2 and '"number_kind":"premium"' in told[0] and '"reason":"premium"' in told[0]
    assert '"reason":"satellite"' in told[1] and '"purpose":"transfer"' in told[1]
    assert box.counters["dial_refused"] == 2 and box.counters["dial_refused_premium"] == 1


def test_a_diversion_obeys_the_policy_too(tmp_path: Path) -> None:
    box = Box(tmp_path, {"02188000001": "02144556677"})
    assert not box.it.office.desk.turn("divert_on", "00881623456789", "owner")
    assert box.it.office.desk.turn("divert_on", "09351112233", "owner")
    box.it.office.arrange(dataclasses.replace(box.settings, may_dial=("landline",)))  # since then forbidden

    async def scene() -> None:
        box.rings("02188000001")
        await asyncio.sleep(5.0)
        box.it.line.hang_up(next(iter(box.it.line._legs), ""))

    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=2.0)
    box.run(scene)
    assert box.numbers == ["02144556677"]  # the flow's own transfer, after the diversion was refused
    assert '"purpose":"divert"' in happened(box.it, "dial.refused")[0]


def test_a_wish_to_be_called_back_at_a_forbidden_number_is_refused_and_is_an_event(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT)
    reasons = []

    async def scene() -> None:
        for number in ("09091234567", "1" * 40, "desk1", "02188000001", "hello", "۰۹۱۲۱۲۳۴۵۶۷"):
            asked = Asked(OpenRequest("callback", number, "reception", 0, ""), "c", "n", "", "fa", 0, "provider")
            reasons.append((await box.it.office.answers.answer(asked)).reason)

    box.it.office.answers = BoxAnswers(box.it.office.desk, None, box.it.records, box.it.clock)
    box.run(scene)
    assert reasons == ["premium", "too_long", "internal", "own_number", "not_a_number", ""]
    assert len(happened(box.it, "dial.refused")) == 5 and box.dialled == []


def test_outside_its_hours_a_kind_is_not_dialled(tmp_path: Path) -> None:
    never = DialHours(name="never", kinds=("mobile", "short"), calendar="nowhere")
    box = Box(tmp_path, {**OUT, "02188000003": "02144556677"}, dial_hours=(never,))
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=2.0)

    async def scene() -> None:
        for called in ("02188000001", "02188000003", "02188000110"):
            box.rings(called)
            await asyncio.sleep(10.0)

    box.run(scene)
    assert box.numbers == ["02144556677", "110"] and box.counters["dial_refused_hours"] == 1


def test_no_more_calls_are_outside_at_once_than_allowed(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, most_outgoing=2)
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=30.0)

    async def scene() -> None:
        for _ in range(5):
            box.rings("02188000001")
            await asyncio.sleep(1.0)
        box.rings("02188000110")

    box.run(scene)
    assert box.numbers == ["09351112233"] * 2 + ["110"] and box.counters["dial_refused_too_many"] == 3


# Nobody goes round it -------------------------------------------------------------------------------------------------


def test_signalling_is_not_told_to_dial_a_trunk_without_a_permit(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT)
    leg = uuid7(0)
    with pytest.raises(NotPermitted):
        box.it.office.line.submit(signalling.Dial(leg, ToTrunk("provider", "09351112233"), OFFER, Identity("")))
    permit = box.it.office.outside.permit("c", leg, "09351112233", "provider", "transfer", 0)
    assert isinstance(permit, Permit)
    for to in (ToTrunk("provider", "09091234567"), ToTrunk("other", "09351112233")):
        with pytest.raises(NotPermitted):
            box.it.office.line.submit(signalling.Dial(leg, to, OFFER, Identity("")))
    assert box.dialled == []
    box.it.office.outside.dial(permit, OFFER)
    box.it.office.line.submit(signalling.Dial(uuid7(0), ToPhone("desk1"), OFFER, Identity("")))
    assert box.numbers == ["09351112233"]
    box.it.loop.close()


def test_only_the_way_out_and_the_rehearsal_s_caller_say_to_trunk() -> None:
    says = {
        file.relative_to("appliance").as_posix()
        for file in Path("appliance").rglob("*.py")
        if re.search(r"\bToTrunk\(", file.read_text(encoding="utf-8"))
    }
    assert says == {"calls/outside.py", "calls/parties.py"}


def test_a_trunk_shows_the_customer_who_is_passed_on_or_our_own_number_in_its_form() -> None:
    trunk = Trunk(name="t", proxy="x", show_as="021-88123456")
    caller = Identity("09121234567", "Ali")
    assert shown_on(trunk, caller) == caller
    assert shown_on(trunk, None) == shown_on(trunk, Identity("", "Ali", True)) == Identity("021-88123456")
    plus = dataclasses.replace(trunk, show_form="plus")
    assert shown_on(plus, caller) == Identity("+989121234567", "Ali")
    assert shown_on(plus, None) == Identity("+982188123456")
    ours = dataclasses.replace(trunk, show_form="local", show_caller=False)
    assert shown_on(ours, caller) == Identity("88123456")


def test_an_emergency_call_shows_the_number_of_the_office(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, trunk={"show_as": "02188123456"})
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=2.0)

    async def scene() -> None:
        box.rings("02188000110", "09121234567")
        await asyncio.sleep(8.0)
        box.rings("02188000001", "09121234567")

    box.run(scene)
    assert [each.caller.number for each in box.dialled] == ["02188123456", "09121234567"]


# Money ----------------------------------------------------------------------------------------------------------------

PER_SECOND = Tariff(name="mobile", kind="mobile", rial_per_minute=6000, increment_seconds=1)  # 100 rials a second
CAPPED: dict[str, Any] = {"tariffs": (PER_SECOND,), "daily_cap_rial": 3000}


def test_at_the_cap_no_new_call_begins_and_the_running_one_goes_on_and_the_owner_is_told(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, **CAPPED)
    box.it.line.outside = Behaviour(answers_after=0.0, talks_seconds=60.0)
    findings: list[list[str]] = []

    async def scene() -> None:
        box.rings("02188000001")
        await asyncio.sleep(20.0)
        findings.append([each.key for each in box.it.switchboard.snapshot().findings])
        await asyncio.sleep(15.0)
        findings.append([each.key for each in box.it.switchboard.snapshot().findings])
        box.rings("02188000001")
        await asyncio.sleep(5.0)
        box.rings("02188000110")
        await asyncio.sleep(60.0)

    conversations = box.run(scene)
    assert findings == [[], ["calls.money_cap"]]
    assert box.numbers == ["09351112233", "110"] and box.counters["dial_refused_money_cap"] == 1
    assert conversations[0].talking_ms > 59_000  # it went on
    assert 6000 <= box.it.office.outside.spent() <= 6100
    (finding,) = box.it.switchboard.snapshot().findings
    assert finding.fields == {"spent": box.it.office.outside.spent(), "cap": 3000}


def test_the_money_of_the_day_is_the_same_after_a_restart_and_nothing_at_midnight(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, **CAPPED)
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=21.5)
    chance = random.Random(5)
    again = {}

    async def scene() -> None:
        for _ in range(8):
            box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=round(chance.uniform(0.5, 9.0), 2))
            box.rings("02188000001")
            await asyncio.sleep(20.0)
        box.rings("02188000110")
        await asyncio.sleep(20.0)
        again["before"] = box.it.office.outside.spent()
        box.it.office.outside._till = money.Till((PER_SECOND,))  # a process that knows nothing
        again["empty"] = box.it.office.outside.spent()
        await box.it.office.find_spent()
        again["after"] = box.it.office.outside.spent()
        midnight = day_begin(box.it.clock.utc_ms()) + DAY_MS
        await asyncio.sleep((midnight - box.it.clock.utc_ms()) / 1000 + 1.0)
        again["tomorrow"] = box.it.office.outside.spent()
        box.rings("02188000001")
        await asyncio.sleep(20.0)

    box.run(scene)
    assert again["empty"] == again["tomorrow"] == 0
    assert again["before"] == again["after"] >= 3000
    assert box.numbers[-1] == "09351112233"


def test_the_legs_of_a_day_are_found_and_nothing_else(tmp_path: Path) -> None:
    """A leg to a phone, one that was never answered, a caller's own and one of yesterday cost nothing."""
    box = Box(tmp_path, OUT)
    at = box.it.clock.utc_ms()

    def a_call(name: str, direction: str, role: str, via: str, party: str, answered: bool) -> None:
        put = box.it.records.put
        put(
            events.ConversationOpened(
                name, direction, "office", "provider", "", "", "", "", False, "", "", "fa"
            )
        )  # fmt: skip
        put(events.LegOpened(name, name, role, party, via, 100))
        if answered:
            put(events.LegAnswered(name, name, "PCMA", 1000))
        put(events.LegEnded(name, name, "hung_up", 0, 62_500))

    a_call("a1", "out", "customer", "provider", "+989121234567", True)
    a_call("a2", "in", "outside", "provider", "1500", True)
    a_call("a3", "in", "agent", "desk1", "first", True)
    a_call("a4", "in", "customer", "provider", "+989121234567", True)
    a_call("a5", "out", "customer", "provider", "+989121234567", False)
    box.it.records.flush_now()
    found = box.it.store.within(lambda db: ledger.dialled_since(db, at, {"provider"}))
    assert [(leg.number, leg.milliseconds) for leg in found] == [("+989121234567", 61_500), ("1500", 61_500)]
    assert box.it.store.within(lambda db: ledger.dialled_since(db, at + 86_400_000, {"provider"})) == []
    box.it.loop.close()


def test_a_call_that_was_up_when_the_box_died_has_cost_money_until_then(tmp_path: Path) -> None:
    """No event says how long it was up; the last one of anything says that it was up until then."""
    box = Box(tmp_path, OUT, **CAPPED)
    at = box.it.clock.utc_ms()
    spent = []

    async def scene() -> None:
        put = box.it.records.put
        put(events.ConversationOpened("c", "in", "office", "provider", "", "", "", "", False, "", "", "fa"))
        put(events.LegOpened("c", "l", "outside", "+989121234567", "provider", 0))
        put(events.LegAnswered("c", "l", "PCMA", 0))
        put(events.LegEnded("c", "l", "orphan", 0, 0))
        box.it.records.flush_now()
        for lived_until in (0, at + 20_000):
            await box.it.office.find_spent(lived_until)
            spent.append(box.it.office.outside.spent())
        put(events.ConversationClosed("c", events.Outcome.CRASHED, "calls", "", 0))

    run(box.it.loop, scene())
    assert spent == [100, 2000]


# Lines by direction, and emergency ------------------------------------------------------------------------------------


def test_callers_never_take_the_lines_that_are_kept_for_our_calls(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, trunk={"max_calls": 3, "kept_for_outgoing": 1, "kept_for_callers": 0})
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=5.0)

    async def scene() -> None:
        legs = [box.rings("02188000000") for _ in range(4)]
        await asyncio.sleep(2.0)
        permit = box.it.office.outside.permit("", uuid7(1), "09351112233", "provider", "phone", 0)
        assert isinstance(permit, Permit)
        second = box.it.office.outside.permit("", uuid7(2), "09351112233", "provider", "phone", 0)
        assert second == "trunk_full"
        box.it.office.outside.ended(permit.leg)
        for leg in legs:
            box.it.line.hang_up(leg)

    refused = [each for each in box.run(scene) if each.outcome == "refused"]
    assert len(refused) == 2 and {each.detail for each in refused} == {"lines kept"}
    assert [each.legs[0].code for each in refused] == [486, 486]


def test_we_never_take_the_lines_that_are_kept_for_callers_by_the_trunk_s_own_setting(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, trunk={"max_calls": 4, "kept_for_callers": 3})
    box.it.line.outside = Behaviour(answers_after=None)

    async def scene() -> None:
        legs = [box.rings("02188000001") for _ in range(2)]  # each wants a line outside as well: one gets it
        await asyncio.sleep(5.0)
        legs.append(box.rings("02188000000"))  # the third caller
        await asyncio.sleep(2.0)
        assert box.it.office.outside.busy("provider") == 4 or len(box.dialled) == 1
        for leg in legs:
            box.it.line.hang_up(leg)

    conversations = box.run(scene)
    assert box.numbers == ["09351112233"] and box.counters["dial_refused_lines_kept"] == 1
    assert all(each.outcome != "refused" for each in conversations)


def test_a_full_trunk_refuses_a_caller_and_a_call_out_and_lets_an_emergency_call_through(tmp_path: Path) -> None:
    """All lines are waiting callers: none of them is cut, and the emergency call goes out over the limit."""
    box = Box(tmp_path, OUT, trunk={"max_calls": 3, "kept_for_callers": 0})
    box.it.line.outside = Behaviour(answers_after=2.0, talks_seconds=20.0)

    async def scene() -> None:
        legs = [box.rings("02188000000") for _ in range(2)]
        await asyncio.sleep(3.0)
        box.rings("02188000110")
        await asyncio.sleep(10.0)
        assert box.numbers == ["110"]
        assert box.rings("02188000000") and all(box.it.line.is_up(leg) for leg in legs)
        await asyncio.sleep(60.0)
        for leg in legs:
            box.it.line.hang_up(leg)

    conversations = box.run(scene)
    assert [each.outcome for each in conversations] == ["abandoned", "abandoned", "served", "refused"]
    assert box.counters["emergency_over_limit"] == 1 and "made_room" not in box.counters


def test_a_callback_makes_room_for_an_emergency_call_and_is_still_owed(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, trunk={"max_calls": 3, "kept_for_callers": 0})
    box.it.line.outside = Behaviour(answers_after=None)

    async def scene() -> None:
        box.it.records.put(
            events.RequestOpened("", "r1", 1, "", "callback", "+989350000000", "fa", "reception", 0, "", 0)
        )
        await box.it.records.flush()
        box.it.office.arrange(
            dataclasses.replace(
                box.settings,
                queues=(Queue(name="reception", agents=("first",), callback_first="customer"),),
            )
        )
        box.it.line.register("desk1", Behaviour(answers_after=1.0))
        await asyncio.sleep(0.1)
        box.it.switchboard.callbacks.restore(box.it.store.within(ledger.open_callbacks))
        box.it.switchboard.callbacks.look()
        await asyncio.sleep(5.0)
        assert box.numbers == ["09350000000"]
        waits = box.rings("02188000000")
        await asyncio.sleep(1.0)
        box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=10.0)
        box.rings("02188000110")
        await asyncio.sleep(5.0)
        assert box.numbers == ["09350000000", "110"] and box.it.line.is_up(waits)
        box.it.line.hang_up(waits)
        await asyncio.sleep(20.0)
        box.it.switchboard.callbacks.stop()

    conversations = box.run(scene)
    assert box.counters["made_room"] == 1
    (called,) = (each for each in conversations if each.direction == "out")
    assert [leg.cause for leg in called.legs if leg.role == "customer"] == ["made_room"]
    (request,) = box.it.store.within(ledger.requests)
    assert request.state == "open"
    with box.it.store.transaction() as db:
        assert db.execute("SELECT outcome FROM attempt").fetchall() == [("network",)]  # not counted


def test_a_call_outside_makes_room_before_any_caller_does_and_its_customer_stays(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, trunk={"max_calls": 3, "kept_for_callers": 0})
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=30.0)

    async def scene() -> None:
        box.rings("02188000001")
        await asyncio.sleep(5.0)
        box.rings("02188000110")
        await asyncio.sleep(40.0)

    first, second = box.run(scene)
    assert box.numbers == ["09351112233", "110"]
    assert [leg.cause for leg in first.legs] == ["ended_here", "made_room"]
    assert first.detail == "sorry" and first.outcome == "served"  # the flow went on for the customer
    assert second.outcome == "served"


def test_an_emergency_call_takes_another_trunk_before_anybody_is_cut(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, trunk={"max_calls": 2, "kept_for_callers": 0}, second=True)
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=10.0)

    async def scene() -> None:
        legs = [box.rings("02188000000")]
        await asyncio.sleep(2.0)
        box.rings("02188000110")
        await asyncio.sleep(30.0)
        box.it.line.hang_up(legs[0])

    box.run(scene)
    assert [each.to for each in box.dialled] == [ToTrunk("second", "110")] and "made_room" not in box.counters


def test_where_one_trunk_cannot_carry_an_emergency_call_the_next_one_is_tried(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, second=True)
    box.it.line.outside = Behaviour(code=503)

    async def scene() -> None:
        box.rings("02188000110")
        await asyncio.sleep(30.0)

    box.run(scene)
    assert [each.to for each in box.dialled] == [ToTrunk("provider", "110"), ToTrunk("second", "110")]


@pytest.mark.parametrize("saturated_by", ["callers", "callbacks"])
def test_row_17_whichever_direction_saturates_the_other_gets_in_100_of_100_and_so_does_an_emergency_call(
    tmp_path: Path, saturated_by: str
) -> None:
    box = Box(tmp_path, OUT, trunk={"max_calls": 4, "kept_for_callers": 1, "kept_for_outgoing": 1})
    outside = box.it.office.outside
    got_in = got_out = in_need = 0

    async def scene() -> None:
        nonlocal got_in, got_out, in_need
        box.it.line.outside = Behaviour(answers_after=None)
        for number in range(100):
            legs, permits = [], []
            for other in range(5):  # takes whatever it can get
                if saturated_by == "callers":
                    legs.append(box.rings("02188000000", f"0912{number:03}{other:04}"))
                else:
                    leg = uuid7(box.it.clock.utc_ms())
                    permit = outside.permit("", leg, f"0912{number:03}{other:04}", "provider", "callback", 0)
                    permits += [permit] if isinstance(permit, Permit) else []
            await asyncio.sleep(1.0)
            assert outside.busy("provider") == 3
            if saturated_by == "callers":
                leg = uuid7(box.it.clock.utc_ms())
                permit = outside.permit("", leg, "09351112233", "provider", "callback", 0)
                permits += [permit] if isinstance(permit, Permit) else []
                got_out += isinstance(permit, Permit)
            else:
                legs.append(box.rings("02188000000"))
                await asyncio.sleep(1.0)
                got_in += box.it.line.is_up(legs[-1])
            leg = uuid7(box.it.clock.utc_ms())
            permit = outside.permit("", leg, "115", "provider", "phone", 0)
            in_need += isinstance(permit, Permit)
            permits += [permit] if isinstance(permit, Permit) else []
            for permit in permits:
                outside.ended(permit.leg)
            for caller in legs:
                box.it.line.hang_up(caller)
            await asyncio.sleep(8.0)

    box.run(scene)
    assert (got_in, got_out) == ((0, 100) if saturated_by == "callers" else (100, 0)) and in_need == 100


@pytest.mark.parametrize("seed", range(6))
def test_a_wild_hour_never_exceeds_its_lines_and_every_emergency_call_goes_out(tmp_path: Path, seed: int) -> None:
    """Row 17 in both directions: callers, transfers and emergency calls of the office by chance on four lines."""
    chance = random.Random(seed)
    trunk = {"max_calls": 4, "kept_for_callers": 1, "kept_for_outgoing": 1}
    box = Box(tmp_path, OUT, trunk=trunk, most_outgoing=2)
    outside = box.it.office.outside
    over: list[object] = []
    asked = 0

    async def caller(called: str) -> None:
        leg = box.rings(called)
        await asyncio.sleep(chance.expovariate(1 / 30))
        box.it.line.hang_up(leg)

    async def in_need() -> None:
        leg = uuid7(box.it.clock.utc_ms())
        permit = outside.permit("a phone", leg, chance.choice(("115", "110", "۱۲۵")), "provider", "phone", 0)
        assert isinstance(permit, Permit) and permit.is_emergency
        outside.dial(permit, OFFER)
        await asyncio.sleep(chance.expovariate(1 / 30))
        box.it.office.line.submit(signalling.HangUp(leg))
        outside.ended(leg)

    async def scene() -> None:
        nonlocal asked
        tasks = []
        for _ in range(150):
            await asyncio.sleep(chance.expovariate(1 / 8))
            box.it.line.outside = chance.choice((Behaviour(1.0, 20.0), Behaviour(2.0, 5.0), Behaviour(None)))
            if chance.random() < 0.1:
                asked += 1
                tasks.append(asyncio.create_task(in_need()))
            else:
                tasks.append(asyncio.create_task(caller(chance.choice(("02188000000", "02188000001")))))
            await asyncio.sleep(0.1)
            plain = [call for call in outside._calls() if not call.is_emergency]
            ours = sum(not call.is_incoming for call in plain)
            if len(plain) > 4 or ours > 2 or len(plain) - ours > 3:
                over.append(plain)
        await asyncio.gather(*tasks)

    conversations = box.run(scene)
    assert over == [] and asked > 5
    assert sum(number in ("110", "115", "125") for number in box.numbers) == asked
    cut = [leg for each in conversations for leg in each.legs if leg.cause == "made_room"]
    assert len(cut) == box.counters.get("made_room", 0)
    waited = [each for each in conversations if each.called == "02188000000" and each.outcome != "refused"]
    assert waited and all(each.legs[0].cause != "made_room" for each in waited)


# Length ---------------------------------------------------------------------------------------------------------------


def test_what_was_dialled_outside_ends_when_it_has_lasted_too_long_and_no_emergency_call_does(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, longest_outside_minutes=30)
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=None)

    async def scene() -> None:
        long, urgent = box.rings("02188000001"), box.rings("02188000110")
        await asyncio.sleep(29 * 60.0)
        assert box.it.line.is_up(long)
        await asyncio.sleep(2 * 60.0)
        assert not box.it.line.is_up(long) and box.it.line.is_up(urgent)
        box.it.line.hang_up(urgent)

    conversations = box.run(scene)
    legs = [leg for each in conversations for leg in each.legs if leg.role == "outside"]
    assert sorted((leg.party, leg.cause) for leg in legs) == [("+989351112233", "too_long"), ("110", "ended_here")]
    assert box.counters["too_long"] == 1 and not box.it.office.outside._limits


def test_a_call_that_ends_before_is_not_ended_once_more(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, longest_outside_minutes=30)
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=20.0)

    async def scene() -> None:
        box.rings("02188000001")
        await asyncio.sleep(40 * 60.0)

    box.run(scene)
    assert "too_long" not in box.counters


def test_without_a_limit_nothing_is_ended(tmp_path: Path) -> None:
    box = Box(tmp_path, OUT, longest_outside_minutes=0)
    box.it.line.outside = Behaviour(answers_after=1.0, talks_seconds=None)

    async def scene() -> None:
        leg = box.rings("02188000001")
        await asyncio.sleep(24 * 3600.0)
        assert box.it.line.is_up(leg)
        box.it.line.hang_up(leg)

    box.run(scene)
    assert "too_long" not in box.counters
