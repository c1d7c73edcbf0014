"""Which calls that the office makes are recorded, and on whose word: every case held against a list of rules.

The rules below know nothing of the box: they see who was called, what the settings say, and what the customer did. What
the box did is read from what media was told and from the records.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance.calls.access import Session
from appliance.calls.desks import Desks
from appliance.calls.settings import Queue
from appliance.control import wire
from appliance.control.wire import Contact
from appliance.media import port as media
from appliance.records import consents, events
from appliance.records.events import Happened
from appliance.records.reader import Conversation
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from tests.simulation.test_whole_office import TheOffice
from tests.support.virtual_time import run

NUMBER, CUSTOMER = "09121234567", "+989121234567"
SAID = ("nothing", "notice", "yes", "no")
FLOW = """[flow]
name = "welcome"
start = "first"
[variables]
code = "digits"
[node.first]
{first}
[node.ask]
kind = "callback"
queue = "reception"
into = "code"
next = "bye"
on_failure = "bye"
[node.bye]
kind = "goodbye"
prompt = "bye"
"""
ASKS = 'kind = "consent"\nprompt = "may_we"\ntimeout_seconds = 5\nattempts = 1\non_yes = "ask"\non_no = "ask"'
FIRST = {
    "nothing": 'kind = "say"\nprompt = "hello"\nnext = "ask"',
    "notice": 'kind = "notice"\nprompt = "hello"\nnext = "ask"',
    "yes": ASKS,
    "no": ASKS,
}


@dataclass(frozen=True)
class Case:
    """``said`` is what the customer has said of being recorded when they asked for the call."""

    direction: str  # agent_first, customer_first, outward, inside
    policy: str
    said: str = "nothing"
    is_unrecorded: bool = False  # by the contact list
    leaves: bool = False  # while the notice is played
    number: str = NUMBER

    def __str__(self) -> str:
        flags = [name for name in ("is_unrecorded", "leaves") if getattr(self, name)]
        number = [self.number] if self.number != NUMBER else []
        return "-".join([self.direction, self.policy, self.said, *flags, *number])


Rule = tuple[str, Callable[[Case], bool], str]
RULES: tuple[Rule, ...] = (  # the first that fits decides
    ("an emergency number is neither told anything nor recorded", lambda case: case.number != NUMBER, "nothing"),
    ("off is off", lambda case: case.policy == "off", "nothing"),
    ("who shall never be recorded is not", lambda case: case.is_unrecorded, "nothing"),
    ("who has refused is not recorded", lambda case: case.said == "no", "nothing"),
    ("who was told, or has said yes, is not told again", lambda case: case.said in ("notice", "yes"), "kept"),
    ("where no notice is needed none is played", lambda case: case.policy == "none_needed", "none_needed"),
    ("who leaves during the notice was not told", lambda case: case.leaves, "told in part"),
    ("everybody else is told first", lambda case: True, "notice"),
)


def ruled(case: Case) -> str:
    return next(then for _, fits, then in RULES if fits(case))


def cases() -> Iterator[Case]:
    for direction, policy, said, never, leaves in itertools.product(
        ("agent_first", "customer_first"), ("off", "notice", "none_needed"), SAID, (False, True), (False, True)
    ):
        case = Case(direction, policy, said, never, leaves)
        if not leaves or ruled(dataclasses.replace(case, leaves=False)) == "notice":
            yield case
    for policy, never, leaves in itertools.product(("off", "notice", "none_needed"), (False, True), (False, True)):
        if not leaves or (policy == "notice" and not never):
            yield Case("outward", policy, is_unrecorded=never, leaves=leaves)
    for policy in ("off", "notice", "none_needed"):
        yield Case("inside", policy)
        yield Case("outward", policy, number="110")


class Scene:
    """An office with two agents; ``heard`` and ``told`` are what media was told, in order."""

    def __init__(self, folder: Path, case: Case, **settings: Any) -> None:
        self.case = case
        self.it = TheOffice(folder, FLOW.format(first=FIRST[case.said]))
        office = self.it.office
        first = "customer" if case.direction == "customer_first" else "agent"
        queue = Queue(name="reception", agents=("first",), callback_first=first)  # type: ignore[arg-type]
        inside = case.policy if case.direction == "inside" else "off"
        wanted = dataclasses.replace(office.settings, queues=(queue,), records_inside=inside, **settings)  # type: ignore[arg-type]
        trunk = dataclasses.replace(office.sip.trunks[0], records_outward=case.policy)  # type: ignore[arg-type]
        office.sip = dataclasses.replace(office.sip, trunks=(trunk,))
        office.arrange(wanted)
        self.told: list[tuple[float, media.Command]] = []
        self.dialled: list[signalling.Dial] = []
        speak, submit = self.it.mouth.submit, self.it.line.submit

        def spoken(command: media.Command) -> None:
            self.told.append((self.it.clock.monotonic(), command))
            speak(command)
            if case.leaves and isinstance(command, media.Play) and "recording_notice" in command.pieces[0].path:
                asyncio.get_running_loop().call_later(1.0, self.it.line.hang_up, command.stream)

        def submitted(command: signalling.Command) -> None:
            if isinstance(command, signalling.Dial):
                self.dialled.append(command)
                is_agent = isinstance(command.to, signalling.ToPhone)
                if case.direction == ("agent_first" if is_agent else "customer_first"):
                    asyncio.get_running_loop().call_later(5.0, self.it.mouth.press, command.leg, "1")
            submit(command)

        self.it.mouth.submit = spoken  # type: ignore[method-assign]
        self.it.line.submit = submitted  # type: ignore[method-assign]

    def play(self, scene: Callable[[], Coroutine[Any, Any, None]]) -> list[Conversation]:
        async def whole() -> None:
            if self.case.is_unrecorded:
                await self.it.office.contacts.save((Contact("وکیل", (NUMBER,), is_unrecorded=True),), "owner")
            await scene()
            await self.it.until_quiet(60.0)
            await self.it.stopped()

        run(self.it.loop, whole())
        assert self.it.office.counters.get("faults", 0) == 0 and self.it.line.legs == 0
        return self.it.all()

    async def the_call(self) -> None:
        """Whatever the case is about, until the two have spoken for a while."""
        line = self.it.line
        line.outside = Behaviour(answers_after=2.0, talks_seconds=40.0)
        talks = Behaviour(answers_after=2.0, talks_seconds=60.0)
        if self.case.direction in ("outward", "inside"):
            line.register("desk1", talks)
            line.register("desk2", talks)
            await asyncio.sleep(0.2)
            line.call_from("desk1", self.case.number if self.case.direction == "outward" else "second")
            await asyncio.sleep(50.0)
            return
        await self.asks()
        line.register("desk1", talks)
        await asyncio.sleep(70.0)

    async def asks(self) -> None:
        """The customer rings and asks to be called back."""
        leg = self.it.line.call_in("provider", "02188123456", NUMBER)
        await asyncio.sleep(4.0)
        if self.case.said in ("yes", "no"):
            self.it.mouth.press(leg, "1" if self.case.said == "yes" else "2")
        await asyncio.sleep(10.0)

    def happened(self, kind: type[Happened], conversation: str) -> list[Any]:
        with self.it.store.transaction() as db:
            rows = db.execute(
                "SELECT body FROM event JOIN event_body USING (n) WHERE kind = ? AND subject = ?",
                (kind.kind, conversation),
            ).fetchall()
        return [json.loads(body) for (body,) in rows]


def moments(scene: Scene, wanted: Callable[[media.Command], bool]) -> list[float]:
    return [at for at, command in scene.told if wanted(command)]


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_a_call_of_ours_is_recorded_as_the_rules_say(tmp_path: Path, case: Case) -> None:
    scene = Scene(tmp_path, case)
    made = scene.play(scene.the_call)
    record = made[-1]
    is_inside = case.direction == "inside"
    leg = next(dial.leg for dial in scene.dialled if is_inside or isinstance(dial.to, signalling.ToTrunk))
    notices = moments(
        scene,
        lambda one: isinstance(one, media.Play) and one.stream == leg and "recording_notice" in one.pieces[0].path,
    )
    started = [
        (at, one)
        for at, one in scene.told
        if isinstance(one, media.StartRecording) and one.conversation == record.conversation
    ]
    joined = moments(scene, lambda one: isinstance(one, media.Bridge) and leg in (one.left, one.right))
    then = ruled(case)
    assert (len(started), len(notices)) == {
        "nothing": (0, 0), "kept": (1, 0), "none_needed": (1, 0), "notice": (1, 1), "told in part": (0, 1),
    }[then]  # fmt: skip
    assert joined or case.leaves, "whatever is recorded, they speak"
    if not started:
        assert not [each for each in record.recordings if each.state != "refused"] and not record.consent
        return
    ((at, start),) = started
    assert start.stream == leg and at <= joined[0], "the customer's leg, before anybody speaks"
    assert not notices or notices[0] + 3.0 <= at, "and only when all of the notice was heard"
    manifest = json.loads(start.manifest)["consent"]
    (part,) = record.recordings
    assert manifest["id"] == start.consent == part.consent == record.consent and part.state == "sealed"
    given = scene.happened(events.ConsentGiven, record.conversation)
    kept = scene.happened(events.ConsentKept, record.conversation)
    if then == "kept":
        before = made[0]
        assert not given and [each["consent"] for each in kept] == [start.consent] == [before.consent]
        assert manifest["conversation"] == kept[0]["given_in"] == before.conversation
        assert manifest["how"] == ("asked" if case.said == "yes" else "notice")
    else:
        assert not kept and [(each["consent"], each["how"]) for each in given] == [(start.consent, then)]


def test_the_consent_of_a_callback_holds_when_the_customer_is_passed_on(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Case("agent_first", "notice", "yes"))

    async def passed_on() -> None:
        scene.it.line.outside = Behaviour(answers_after=2.0, talks_seconds=60.0)
        await scene.asks()
        talks = Behaviour(answers_after=1.0, talks_seconds=200.0)
        scene.it.line.register("desk1", talks)
        scene.it.line.register("desk2", talks)
        await asyncio.sleep(20.0)
        agent = next(dial.leg for dial in scene.dialled if isinstance(dial.to, signalling.ToPhone))
        for key in "*7second#":
            if key.isdigit() or key in "*#":
                scene.it.mouth.press(agent, key)
        await asyncio.sleep(40.0)

    made = scene.play(passed_on)
    (part,) = made[-1].recordings
    assert part.consent == made[0].consent and part.milliseconds > 30_000


def test_who_refuses_after_all_is_not_recorded_though_they_had_agreed_before(tmp_path: Path) -> None:
    """The customer asks for a callback and agrees, rings again, and refuses: the newest word counts."""
    scene = Scene(tmp_path, Case("agent_first", "none_needed", "yes"))

    async def asked_again() -> None:
        await scene.asks()
        scene.case = dataclasses.replace(scene.case, said="no")
        await scene.asks()
        scene.it.line.outside = Behaviour(answers_after=2.0, talks_seconds=20.0)
        scene.it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=60.0))
        await asyncio.sleep(60.0)

    made = scene.play(asked_again)
    assert [each.direction for each in made] == ["in", "in", "out"]
    assert made[0].consent and not made[1].consent and not made[2].consent
    assert [(each.state, each.reason) for each in made[2].recordings] == [("refused", "recorder.refused_before")]


def test_a_word_that_was_erased_counts_no_more(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Case("agent_first", "notice", "yes"))
    (record,) = scene.play(scene.asks)
    request = next(iter(scene.happened(events.RequestOpened, record.conversation)))["request"]
    word = scene.it.store.within(lambda db: consents.word_of(db, request))
    assert (word.consent, word.how, word.given_in) == (record.consent, "asked", record.conversation)
    scene.it.records.put(events.ConversationErased(record.conversation, "asked", "owner"))
    scene.it.records.flush_now()
    assert scene.it.store.within(lambda db: consents.word_of(db, request)) == consents.NOTHING_SAID


def test_the_page_pauses_what_a_telephone_of_ours_has_called(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Case("outward", "none_needed"))
    desks = Desks(scene.it.office, scene.it.switchboard.sessions, None)  # type: ignore[arg-type]  # nobody signs in
    agent = Session("first", "agent", False)

    async def pauses() -> None:
        scene.it.line.outside = Behaviour(answers_after=2.0, talks_seconds=40.0)
        scene.it.line.register("desk1", Behaviour())
        await asyncio.sleep(0.2)
        scene.it.line.call_from("desk1", NUMBER)
        await asyncio.sleep(10.0)
        shown = await desks.answer(wire.AskDesk(""), agent)
        assert isinstance(shown, wire.DeskNow) and shown.call is not None and shown.call.recording == "live"
        await desks.answer(wire.PauseRecording("", "", shown.call.conversation, is_on=True), agent)
        await asyncio.sleep(5.0)

    (record,) = scene.play(pauses)
    (leg,) = (dial.leg for dial in scene.dialled)
    turned = [one for _, one in scene.told if isinstance(one, media.Pause)]
    assert turned == [media.Pause(leg, True), media.Pause(leg, False)]
    assert [(step.by, step.how) for step in record.pauses] == [("first", "page"), ("", "ended")]


def test_who_is_never_recorded_is_not_heard_in_a_supervisors_part_either(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Case("agent_first", "none_needed", is_unrecorded=True))

    async def listened_to() -> None:
        office = scene.it.office
        first, second = office.settings.agents
        agents = (dataclasses.replace(first, extension="201"), dataclasses.replace(second, supervises=("reception",)))
        office.arrange(dataclasses.replace(office.settings, agents=agents))
        scene.it.line.outside = Behaviour(answers_after=2.0, talks_seconds=40.0)
        await scene.asks()
        scene.it.line.register("desk1", Behaviour(answers_after=1.0))
        scene.it.line.register("desk2", Behaviour())
        await asyncio.sleep(15.0)
        scene.it.line.call_from("desk2", "*51201")
        await asyncio.sleep(5.0)

    record = next(each for each in scene.play(listened_to) if each.direction == "out")
    assert [step.state for step in record.supervision] == ["started", "ended"]
    assert not any(isinstance(one, media.StartRecording) for _, one in scene.told)
