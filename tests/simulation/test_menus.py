"""Flows on the box's own ground, in virtual time: waiting lines, messages, secrets, switches, and what they leave."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from appliance.calls import lines
from appliance.calls.answers import BoxAnswers
from appliance.calls.desk import Reply
from appliance.calls.inbox import Inbox
from appliance.calls.publisher import Publisher
from appliance.calls.session import Session
from appliance.calls.settings import CalledLine, Calls, Queue
from appliance.calls.switches import OUTAGE_PROMPT, restored
from appliance.errors import Problem
from appliance.flow import catalogue, steps
from appliance.flow.shelf import Shelf
from appliance.hours.answer import answer as opening_at
from appliance.lookup.settings import Elsewhere, Lookup
from appliance.media import port as media
from appliance.messages.calendar import moment_of
from appliance.places import Places, shipped_flows
from appliance.records import events, ledger
from appliance.records.reader import Conversation, Reader
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from tests.simulation.test_whole_office import KEY, TheOffice
from tests.support.virtual_time import run

C = TypeVar("C")
PIN = "482619"
QUEUES = tuple(Queue(name=name, agents=("first", "second")) for name in ("reception", "sales", "technical", "accounts"))
MORNING_MS = moment_of("2026-10-05 11:30") or 0  # a Monday in Tehran


class Servers:
    """The owner's servers and PINs, as a test wants them."""

    def __init__(self) -> None:
        self.pins: list[str] = []

    async def look_up(self, lookup: str, values: Mapping[str, str]) -> Reply:
        found: dict[str, dict[str, steps.Value]] = {
            "orders": {"state": "sent", "amount": 5000},
            "customers": {"plan": "basic", "balance": 35_000},
        }
        return Reply(True, found[lookup]) if values.get("order") != "999" else Reply(False, reason="timeout")

    async def check_pin(self, identity: str, pin: str) -> Reply:
        self.pins.append(f"{identity} {pin}")
        return Reply(pin == PIN, reason="" if pin == PIN else "wrong")

    async def send_code(self, conversation: str, number: str, language: str) -> Reply:
        return Reply(False, reason=f"no gateway for {conversation} {number} {language}")

    def check_code(self, conversation: str, code: str) -> Reply:
        return Reply(False, reason=f"{conversation} {code}")


def house() -> catalogue.House:
    flows = shipped_flows()
    return catalogue.house(flows, flows / "prompts")


def office(folder: Path, flow: str) -> TheOffice:
    """A box that walks one of the flows that ship, on a Monday morning."""
    it = TheOffice(folder)
    it.clock._utc_ms_at_zero = MORNING_MS
    found = house()
    it.office.flows = catalogue.load_folder(shipped_flows(), found, [])
    it.office.calendars = found.calendars
    line = CalledLine(name="office", trunk="provider", flow=flow)
    it.office.arrange(dataclasses.replace(it.office.settings, lines=(line,), queues=QUEUES, most_callbacks=0))
    it.office.answers = BoxAnswers(it.office.desk, Servers(), it.records, it.clock)
    return it


def after(it: TheOffice, scene: Coroutine[Any, Any, object]) -> Conversation:
    """The record of the one call of a scene."""

    async def whole() -> None:
        await scene
        await it.until_quiet()

    run(it.loop, whole())
    (conversation,) = it.all()
    assert it.office.counters.get("faults", 0) == 0
    assert not it.office.floor.waiting() and not it.office.floor.engaged()
    return conversation


async def call(it: TheOffice, keys: str = "", wait: float = 8.0) -> str:
    """Rings, listens, and presses one key after each prompt."""
    leg = it.line.call_in("provider", "02188123456", "09121234567")
    await asyncio.sleep(wait)
    for key in keys:
        it.mouth.press(leg, key)
        await asyncio.sleep(1.0)
    return leg


def happened(it: TheOffice, *kinds: str) -> list[str]:
    """Everything that was kept, as text."""
    with it.store.transaction() as connection:
        rows = connection.execute("SELECT kind, body FROM event JOIN event_body USING (n) ORDER BY n").fetchall()
    return [f"{kind} {body.decode()}" for kind, body in rows if not kinds or kind in kinds]


def test_a_caller_waits_in_a_line_until_an_agent_is_free(tmp_path: Path) -> None:
    it = office(tmp_path, "clinic")

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=2.0, talks_seconds=20.0))
        await asyncio.sleep(0.1)
        it.office.legs["another"] = Inbox()
        assert it.office.floor.engage("first", "somebody else", "another")
        await call(it, "1")
        await asyncio.sleep(30.0)
        assert it.office.floor.waiting() == 1
        it.office.floor.ended("first", "another")
        del it.office.legs["another"]

    conversation = after(it, scene())
    assert conversation.outcome == "served" and conversation.agent == "first"
    assert 30_000 < conversation.waiting_ms < 45_000


def test_those_who_came_first_are_served_first(tmp_path: Path) -> None:
    it = office(tmp_path, "clinic")

    async def scene() -> None:
        it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=10.0))
        await asyncio.sleep(0.1)
        for _ in range(6):
            leg = it.line.call_in("provider", "02188123456", "09121234567")
            await asyncio.sleep(8.0)
            it.mouth.press(leg, "1")
        await it.until_quiet()

    run(it.loop, scene())
    conversations = it.all()
    served = [next(leg.answered_ms for leg in each.legs if leg.role == "agent") or 0 for each in conversations]
    moments = [each.opened + answered for each, answered in zip(conversations, served, strict=True)]
    assert len(moments) == 6 and moments == sorted(moments)


def test_the_key_that_leaves_a_line_keeps_the_place_as_a_callback(tmp_path: Path) -> None:
    it = office(tmp_path, "clinic")
    conversation = after(it, call(it, "11"))
    assert (conversation.outcome, conversation.detail) == ("finished", "callback")
    (request,) = it.store.within(ledger.requests)
    assert (request.what, request.queue, request.customer) == ("callback", "reception", "+989121234567")
    assert ledger.is_code(request.code) and request.conversation == conversation.conversation


def test_a_message_is_kept_where_it_lies_even_of_a_caller_who_hangs_up(tmp_path: Path) -> None:
    for ends_with_key in (True, False):
        folder = tmp_path / str(ends_with_key)
        folder.mkdir()
        it = office(folder, "shop")

        async def scene(it: TheOffice = it, with_key: bool = ends_with_key) -> None:
            leg = await call(it, "3")
            await asyncio.sleep(6.0)
            if with_key:
                it.mouth.press(leg, "#")
            else:
                it.line.hang_up(leg)

        conversation = after(it, scene())
        assert conversation.outcome == ("finished" if ends_with_key else "abandoned")
        (request,) = it.store.within(ledger.requests)
        assert request.what == "complaint"
        (message,) = happened(it, "message.taken")
        told = json.loads(message.removeprefix("message.taken "))
        assert told["request"] == request.request and 3000 < told["ends_ms"] - told["begins_ms"] < 12_000
        assert len(conversation.recordings) == 1


def test_a_line_that_is_not_recorded_takes_no_message_and_says_goodbye(tmp_path: Path) -> None:
    it = office(tmp_path, "shop")
    (line,) = it.office.settings.lines
    it.office.settings = dataclasses.replace(it.office.settings, lines=(dataclasses.replace(line, records=False),))
    conversation = after(it, call(it, "3"))
    assert conversation.outcome == "finished"
    assert [each.what for each in it.store.within(ledger.requests)] == ["missed"]  # nobody came, and nothing was left


def test_an_order_is_looked_up_and_what_the_server_said_is_not_kept(tmp_path: Path) -> None:
    it = office(tmp_path, "shop")
    conversation = after(it, call(it, "1471#1"))
    assert '"is_found":true' in "".join(happened(it, "flow.lookup"))
    assert "sent" in [json.loads(each.split(" ", 1)[1])["node"] for each in happened(it, "flow.node")]
    assert conversation.digits.startswith("1471#1")
    assert not any("5000" in each for each in happened(it, "flow.lookup"))


def test_the_digits_of_a_pin_are_in_no_event_log_or_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    it = office(tmp_path, "support")
    submitted: list[media.Command] = []
    it.mouth.submit = also(it.mouth.submit, submitted)  # type: ignore[method-assign,assignment] # what the recorder is told

    async def scene() -> None:
        leg = await call(it, "1", wait=2.0)
        await asyncio.sleep(8.0)
        for key in "4711#":
            it.mouth.press(leg, key)
        await asyncio.sleep(4.0)
        for number, key in enumerate(PIN):  # half of them by INFO
            (it.mouth.press if number % 2 else it.line.press)(leg, key)
            await asyncio.sleep(0.2)
        it.mouth.press(leg, "#")
        await asyncio.sleep(20.0)
        it.line.hang_up(leg)

    conversation = after(it, scene())
    assert conversation.digits.startswith("14711") or "4711" in conversation.digits
    assert PIN not in conversation.digits and '"is_proven":true' in "".join(happened(it, "caller.identified"))
    kept_texts = [*happened(it), caplog.text, (tmp_path / "calls.db").read_bytes().decode("latin-1")]
    for some in range(len(PIN) - 2):
        assert not any(PIN[some : some + 3] in "".join(_keys(text)) for text in happened(it, "flow.digit"))
    assert not any(PIN in text for text in kept_texts)
    masks = [command for command in submitted if isinstance(command, media.Mask)]
    assert [mask.is_on for mask in masks] == [True, False]
    marks = [command.kind for command in submitted if isinstance(command, media.MarkRecording)]
    assert marks.index("masked") < marks.index("unmasked")
    assert not any(PIN in repr(command) for command in submitted)


def also(submit: Callable[[C], None], kept: list[C]) -> Callable[[C], None]:
    """Submits, and keeps what was submitted."""

    def both(command: C) -> None:
        kept.append(command)
        submit(command)

    return both


def _keys(text: str) -> str:
    return str(json.loads(text.split(" ", 1)[1])["digit"])


def test_keys_pressed_ahead_of_a_secret_are_forgotten_and_not_kept(tmp_path: Path) -> None:
    it = office(tmp_path, "remote")

    async def scene() -> None:
        leg = it.line.call_in("provider", "02188123456", "09121234567")
        await asyncio.sleep(0.01)
        for key in PIN:
            it.line.press(leg, key)
        await asyncio.sleep(12.0)
        it.line.hang_up(leg)

    conversation = after(it, scene())
    assert conversation.digits == "" and not any(PIN in text for text in happened(it))


def test_the_owner_turns_switches_by_telephone_and_the_box_remembers_them(tmp_path: Path) -> None:
    it = office(tmp_path, "remote")
    conversation = after(it, call(it, f"{PIN}#11" + "41", wait=6.0))
    assert conversation.flow == "remote" and it.office.desk.switches.hours.night
    assert it.office.desk.switches.outage(it.clock.utc_ms()) == OUTAGE_PROMPT
    turned = it.store.within(ledger.switch_values)
    assert restored(turned) == it.office.desk.switches
    (switch, *_) = [json.loads(each.split(" ", 1)[1]) for each in happened(it, "switch.turned")]
    assert switch == {"switch": "night", "value": "on", "by": "+989121234567"}


async def leaves_after_a_minute(it: TheOffice) -> None:
    leg = await call(it)
    await asyncio.sleep(60.0)
    it.line.hang_up(leg)


def test_a_diversion_is_tried_first_and_without_an_answer_the_flow_is_walked(tmp_path: Path) -> None:
    for answers in (True, False):
        folder = tmp_path / str(answers)
        folder.mkdir()
        it = office(folder, "clinic")
        it.office.desk.turn("divert_on", "09351112233", "owner")
        dialled: list[signalling.Command] = []
        it.line.submit = also(it.line.submit, dialled)  # type: ignore[method-assign,assignment] # looks at what is dialled
        it.line.outside = Behaviour(answers_after=2.0 if answers else None, talks_seconds=5.0)
        conversation = after(it, leaves_after_a_minute(it))
        to = [command.to for command in dialled if isinstance(command, signalling.Dial)]
        assert to[0] == signalling.ToTrunk("provider", "09351112233")
        assert conversation.outcome == ("served" if answers else "abandoned")
        assert (conversation.detail == "diverted") is answers


def test_what_the_policy_forbids_is_not_dialled_and_emergency_numbers_always_are(tmp_path: Path) -> None:
    it = office(tmp_path, "clinic")
    from appliance.calls.outbound import may_dial

    for number, expected in (
        ("09121234567", True), ("02188123456", True), ("1818", True), ("110", True), ("115", True),
        ("09091234567", False), ("00442071234567", False), ("hello", False),
    ):  # fmt: skip
        assert may_dial(it.office.settings, number, "21") is expected, number
    it.office.settings = dataclasses.replace(it.office.settings, may_dial=())
    settings = it.office.settings
    assert may_dial(settings, "125", "21") and not may_dial(settings, "09121234567", "21")
    it.loop.close()


def test_fifty_calls_stay_on_their_menu_through_twenty_publishes_and_rollbacks(tmp_path: Path) -> None:
    """Every record names the hash of the very text that its caller walked."""
    it = office(tmp_path, "welcome")
    shelf = Shelf(tmp_path / "flows")
    found: list[Problem | None] = []
    publisher = Publisher(it.office, shelf, house(), found.append)
    text = (shipped_flows() / "welcome.toml").read_text(encoding="utf-8")
    walked: dict[str, str] = {}
    drafts = []
    for number in range(10):
        draft = tmp_path / f"draft{number}.toml"
        draft.write_text(text.replace("timeout_seconds = 6", f"timeout_seconds = {10 + number}"), encoding="utf-8")
        drafts.append(draft)

    async def publishing() -> None:
        for number in range(20):
            await asyncio.sleep(3.1)
            if number % 2:
                shelf.roll_back("welcome", it.clock.utc_ms(), "owner")
            else:
                shelf.publish(drafts[number // 2], house(), it.clock.utc_ms(), "owner")

    async def scene() -> None:
        publisher.take()
        looking = asyncio.create_task(_look(publisher))
        published = asyncio.create_task(publishing())
        for _ in range(50):
            it.line.call_in("provider", "02188123456", "09121234567")
            await asyncio.sleep(1.3)
            session = list(it.switchboard.sessions.values())[-1]
            assert isinstance(session, Session)
            walked[session.id] = session.flow.sha256
        await published
        await it.until_quiet()
        looking.cancel()

    async def _look(publisher: Publisher) -> None:
        while True:  # as Publisher.run does, without a thread: virtual time has none
            await asyncio.sleep(1.0)
            publisher.take()

    run(it.loop, scene())
    conversations = it.all()
    assert len(conversations) == 50 and len({each.flow_hash for each in conversations}) >= 8
    for each in conversations:
        assert each.flow_hash == walked[each.conversation]
    published = [json.loads(each.split(" ", 1)[1]) for each in happened(it, "flow.published")]
    assert {each["what"] for each in published} == {"published", "rolled_back"} and len(published) >= 19
    assert set(found) == {None}
    with Reader(tmp_path / "calls.db", KEY) as reader:
        assert len(reader.versions("welcome")) == len(published)


def test_a_flow_that_another_lines_people_serve_may_lie_in_the_folder(tmp_path: Path) -> None:
    flows = shipped_flows()
    places = Places(data=tmp_path, run=tmp_path, secrets=tmp_path, flows=flows, prompts=flows / "prompts")
    it = office(tmp_path, "welcome")
    settings = Calls(lines=(CalledLine(name="o", trunk="provider", flow="welcome"),), agents=it.office.settings.agents)
    checked, _ = lines.checked_flows(places, it.office.sip, settings, Elsewhere())
    assert {"welcome", "clinic", "shop", "support", "remote"} <= set(checked)
    shop = dataclasses.replace(settings, lines=(CalledLine(name="o", trunk="provider", flow="shop"),))
    with pytest.raises(Problem, match="unknown_"):
        lines.checked_flows(places, it.office.sip, dataclasses.replace(shop, queues=()), Elsewhere())
    orders = Elsewhere(lookups=(Lookup(name="orders", url="https://shop.example/x"),))
    lines.checked_flows(places, it.office.sip, dataclasses.replace(shop, queues=QUEUES), orders)
    it.loop.close()


def test_events_of_the_ledger_follow_the_calls_that_made_them(tmp_path: Path) -> None:
    it = office(tmp_path, "clinic")
    after(it, call(it, "2"))
    assert it.store.rebuild() > 10
    assert len(it.store.within(ledger.requests)) == 1
    assert events.RequestOpened.kind in "".join(happened(it))


@pytest.mark.parametrize(("key", "is_open"), [("1", False), ("2", True)])
def test_the_owner_says_by_one_key_whether_a_lunar_holiday_is_one_here(tmp_path: Path, key: str, is_open: bool) -> None:
    it = office(tmp_path, "remote")
    it.clock._utc_ms_at_zero = moment_of("1405/04/02 11:00") or 0  # Tasua and Ashura are the days after
    it.office.answers = BoxAnswers(it.office.desk, Servers(), it.records, it.clock, it.office.holidays_to_confirm)
    assert it.office.holidays_to_confirm() == {"2026-06-24", "2026-06-25"}
    after(it, call(it, f"{PIN}#{key}", wait=6.0))
    assert it.office.holidays_to_confirm() == frozenset()
    ashura = moment_of("1405/04/04 11:00") or 0
    assert opening_at(it.office.calendars["clinic"], ashura, it.office.desk.switches.hours).is_open is is_open
    assert restored(it.store.within(ledger.switch_values)) == it.office.desk.switches
