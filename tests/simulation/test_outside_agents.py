"""Agents at numbers outside, in virtual time: who presses 1 has the call, and nothing else that answers ever does."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance.calls import money, outbound
from appliance.calls.settings import Agent, CalledLine, Queue, Tariff
from appliance.flow.load import load
from appliance.media import port as media
from appliance.records import events, ledger
from appliance.records.reader import Conversation
from appliance.signalling import lamps
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from appliance.signalling.port import LampState, ShowLamp, ToTrunk, TrunkChanged, TrunkState
from appliance.signalling.settings import Trunk
from tests.simulation.test_menus import happened, office
from tests.simulation.test_outside import WAIT
from tests.simulation.test_whole_office import TheOffice
from tests.support.virtual_time import run

FAR, NEAR = "09350000001", "09350000002"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a number does: seconds count from the answer."""

    after: float | None = 2.0
    code: int | None = None
    keys: tuple[tuple[float, str], ...] = ()
    leaves: float | None = None
    early: bool = False
    tone: str = ""


PERSON = Answer(keys=((5.0, "1"),), leaves=40.0)
MACHINE = Answer(leaves=60.0)
NOBODY_THERE = (
    MACHINE,
    Answer(after=None),
    Answer(after=None, early=True),
    Answer(early=True, leaves=30.0),
    Answer(leaves=0.0),
    Answer(leaves=3.0),
    Answer(keys=((4.0, "7"), (6.0, "*"), (8.0, "2"))),
    Answer(tone="busy"),
    Answer(tone="congestion"),
    Answer(tone="ringing"),
    Answer(code=486),
    Answer(code=480),
    Answer(code=404),
    Answer(code=503),
    Answer(code=603),
)


class Outside:
    """An office whose agents ``far`` and ``near`` are numbers, and ``desk`` a telephone; what numbers do is drawn."""

    def __init__(
        self,
        folder: Path,
        agents: tuple[str, ...] = ("far", "near"),
        trunk: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        **queue: Any,
    ) -> None:
        self.it: TheOffice = office(folder, "clinic")
        first = dataclasses.replace(self.it.office.sip.trunks[0], **(trunk or {}))
        second = Trunk(name="second", proxy="192.0.2.10", registers=False)
        self.it.office.sip = dataclasses.replace(self.it.office.sip, trunks=(first, second))
        people = (
            Agent(name="far", number=FAR),
            Agent(name="near", number=NEAR, language="en"),
            Agent(name="desk", phone="desk1", extension="201"),
        )
        self.it.office.flows = {"wait": load(WAIT, "wait.toml")}
        line = CalledLine(name="office", trunk="provider", flow="wait")
        given = Queue(name="reception", agents=agents, **queue)
        self.settings = dataclasses.replace(
            self.it.office.settings,
            lines=(line,),
            agents=people,
            queues=(given,),
            kept_for_callers=0,
            **(settings or {}),
        )
        self.it.office.arrange(self.settings)
        self.does: Callable[[str, str], Answer] = lambda number, _trunk: PERSON
        self.dialled: list[tuple[str, str]] = []  # number and trunk
        self.bridged: list[tuple[str, str]] = []
        self.said: list[tuple[str, tuple[str, ...]]] = []  # to which leg
        self.legs: list[str] = []
        submit, play = self.it.line.submit, self.it.mouth.submit

        def seen(command: signalling.Command) -> None:
            if isinstance(command, signalling.Dial) and isinstance(command.to, ToTrunk):
                self._ring(command, command.to, submit)
            else:
                submit(command)

        def heard(command: media.Command) -> None:
            if isinstance(command, media.Bridge):
                self.bridged.append((command.left, command.right))
            elif isinstance(command, media.Play):
                self.said.append((command.stream, tuple(Path(each.path).name for each in command.pieces)))
            play(command)

        self.it.line.submit = seen  # type: ignore[method-assign]
        self.it.mouth.submit = heard  # type: ignore[method-assign]

    def _ring(self, command: signalling.Dial, to: ToTrunk, submit: Callable[[signalling.Command], None]) -> None:
        self.dialled.append((to.number, to.trunk))
        self.legs.append(command.leg)
        answer = self.does(to.number, to.trunk)
        self.it.line.outside = Behaviour(answer.after, answer.leaves, answer.code)
        submit(command)
        loop = asyncio.get_running_loop()
        if answer.early:
            early = signalling.Progressed(command.leg, 183, self.it.line._legs[command.leg].remote)
            loop.call_later(0.5, self.it.switchboard.signalled, early)
            loop.call_later(1.0, self.it.mouth.press, command.leg, "1")  # before anybody was asked
        if answer.tone and answer.after is not None:
            loop.call_later(answer.after + 3.0, self.it.mouth.sound, command.leg, answer.tone)
        for at, key in answer.keys:
            loop.call_later((answer.after or 0.0) + at, self.it.mouth.press, command.leg, key)

    def rings(self) -> str:
        return self.it.line.call_in("provider", "02188123456", "09121234567")

    def run(self, scene: Callable[[], Coroutine[Any, Any, object]]) -> list[Conversation]:
        async def whole() -> None:
            await scene()
            await self.it.until_quiet(2000.0)

        run(self.it.loop, whole())
        assert self.it.office.counters.get("faults", 0) == 0
        assert self.it.line.legs == 0 and self.it.mouth.streams == 0
        assert not self.it.office.floor.engaged() and not self.it.office.outside._permits
        return self.it.all()

    def one(self, wait: float = 150.0, meanwhile: Callable[[str], Coroutine[Any, Any, object]] | None = None) -> str:
        """A caller who waits in the line, and leaves after so many seconds; who served them, empty: nobody."""

        async def scene() -> None:
            leg = self.rings()
            if meanwhile is not None:
                await meanwhile(leg)
            await asyncio.sleep(wait)
            self.it.line.hang_up(leg)

        (conversation,) = self.run(scene)
        return conversation.agent if conversation.outcome == "served" else ""


def test_a_person_who_presses_1_has_the_caller_who_heard_music_until_then(tmp_path: Path) -> None:
    box = Outside(tmp_path)
    assert box.one() == "far" and box.dialled == [(FAR, "provider")]
    (question,) = [said for leg, said in box.said if leg == box.legs[0]]
    assert question[0] == "agent_call_from" and question[-1] == "agent_press"
    (conversation,) = box.it.all()
    assert conversation.talking_ms > 25_000
    assert [right for _, right in box.bridged] == box.legs


@pytest.mark.parametrize("answer", NOBODY_THERE)
def test_whatever_else_answers_the_caller_goes_on_to_the_next_agent_and_hears_nothing_of_it(
    tmp_path: Path, answer: Answer
) -> None:
    box = Outside(tmp_path)
    box.does = lambda number, _trunk: answer if number == FAR else PERSON
    assert box.one() == "near"
    near = [leg for leg, (number, _) in zip(box.legs, box.dialled, strict=True) if number == NEAR]
    assert {right for _, right in box.bridged} == set(near[-1:])


def test_an_agent_is_asked_in_the_language_of_the_settings_and_twice(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("near",))
    box.does = lambda _number, _trunk: MACHINE

    box.one(120.0)
    asked = [each for each in box.said if each[0] == box.legs[0] and each[1][-1] == "agent_press"]
    assert len(asked) == 2
    assert box.it.office.counters.get("agents_not_dialled", 0) == 0


def test_an_agent_who_has_not_pressed_twice_is_left_in_peace_for_a_while(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",), pause_seconds=120.0)
    box.does = lambda _number, _trunk: MACHINE
    box.one(170.0)
    assert len(box.dialled) == 2


def test_a_telephone_that_is_off_is_no_missed_offer(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",))
    box.does = lambda _number, _trunk: Answer(code=480)
    box.one(60.0)
    assert len(box.dialled) > 5 and {trunk for _, trunk in box.dialled} == {"provider"}


def test_of_all_that_ring_at_once_the_person_has_the_call_whoever_answers_first(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far", "near", "desk"), strategy="ring_all")
    box.does = lambda number, _trunk: Answer(after=0.5) if number == FAR else PERSON
    assert box.one() == "near" and len(box.dialled) == 2


def test_a_colleague_at_a_telephone_may_answer_while_the_one_outside_is_asked(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far", "desk"), strategy="ring_all")
    box.does = lambda _number, _trunk: MACHINE
    box.it.line.register("desk1", Behaviour(answers_after=8.0, talks_seconds=20.0))
    assert box.one() == "desk" and len(box.dialled) == 1


def test_a_caller_who_leaves_while_the_agent_is_asked_ends_the_leg(tmp_path: Path) -> None:
    box = Outside(tmp_path)
    assert box.one(4.0) == "" and len(box.dialled) == 1


def test_who_is_asked_keeps_the_time_of_the_question_beyond_that_of_ringing(tmp_path: Path) -> None:
    box = Outside(tmp_path, ring_seconds=10.0)
    box.does = lambda _number, _trunk: Answer(after=9.0, keys=((8.0, "1"),), leaves=30.0)
    assert box.one() == "far" and len(box.dialled) == 1


# Presence, lines, money -----------------------------------------------------------------------------------------------


def test_an_agent_outside_signs_off_and_on_as_others_do(tmp_path: Path) -> None:
    box = Outside(tmp_path)
    assert box.it.office.desk.turn("sign_off", "far", "owner")
    assert box.it.office.floor.why_not("far") == "absent"
    assert box.one() == "near"
    assert box.it.office.desk.turn("sign_on", "far", "owner")
    assert box.it.office.floor.why_not("far") == ""


def test_an_extension_of_a_peer_is_an_agent_who_is_rung_there_and_nowhere_else(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",))
    office = box.it.office
    peer = Trunk(name="pbx", kind="peer", proxy="192.0.2.20", registers=False, extensions=("3XX",))
    office.sip = dataclasses.replace(office.sip, trunks=(peer, *office.sip.trunks))
    far = Agent(name="far", number="301")
    office.arrange(dataclasses.replace(box.settings, agents=(far, *box.settings.agents[1:])))
    assert box.one() == "far" and box.dialled == [("301", "pbx")]
    box.it.switchboard.signalled(TrunkChanged("pbx", TrunkState.UNREACHABLE, 0, ""))
    assert office.floor.why_not("far") == "no_trunk"


def test_a_number_outside_is_not_dialled_by_a_peer_that_stands_first(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",))
    office = box.it.office
    peer = Trunk(name="pbx", kind="peer", proxy="192.0.2.20", registers=False, extensions=("3XX",))
    office.sip = dataclasses.replace(office.sip, trunks=(peer, *office.sip.trunks))
    assert box.one() == "far" and box.dialled == [(FAR, "provider")]


def test_the_time_of_an_agent_outside_is_known_as_that_of_others(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",))

    async def scene() -> None:
        await box.it.office.timekeeper.start()
        leg = box.rings()
        await asyncio.sleep(60.0)
        box.it.line.hang_up(leg)

    box.run(scene)
    rows = box.it.store.within(lambda db: db.execute("SELECT state FROM agent_time WHERE agent = 'far'").fetchall())
    assert [state for (state,) in rows][:4] == ["ready", "rung", "talking", "ready"]


def test_with_the_internet_down_they_are_reached_by_the_other_trunk_and_with_none_up_they_are_not_there(
    tmp_path: Path,
) -> None:
    box = Outside(tmp_path, ("far",))
    box.it.switchboard.signalled(TrunkChanged("provider", TrunkState.UNREACHABLE, 0, ""))
    assert box.one() == "far" and box.dialled == [(FAR, "second")]
    box.it.switchboard.signalled(TrunkChanged("second", TrunkState.REFUSED, 403, ""))
    assert box.it.office.floor.why_not("far") == "no_trunk"
    assert next(each.doing for each in box.it.office.agents_now() if each.name == "far") == "no_trunk"


def test_a_trunk_that_refuses_what_the_network_cannot_is_followed_by_the_next_at_once(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",))
    box.does = lambda _number, trunk: PERSON if trunk == "second" else Answer(code=503)
    assert box.one() == "far" and box.dialled == [(FAR, "provider"), (FAR, "second")]


def test_an_extension_behind_a_trunk_is_dialled_by_no_other(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",))
    people = (Agent(name="far", number="312", trunk="second"),)
    box.it.office.arrange(dataclasses.replace(box.settings, agents=people))
    assert box.one() == "far" and box.dialled == [("312", "second")]
    box.it.switchboard.signalled(TrunkChanged("second", TrunkState.UNREACHABLE, 0, ""))
    assert box.it.office.floor.why_not("far") == "no_trunk"


def test_the_lines_that_are_kept_for_callers_are_never_taken_and_the_caller_goes_to_a_telephone(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far", "desk"), trunk={"max_calls": 2, "kept_for_callers": 2})
    people = tuple(
        dataclasses.replace(each, number="312") if each.name == "far" else each for each in box.settings.agents
    )
    box.it.office.arrange(dataclasses.replace(box.settings, agents=people))
    box.it.line.register("desk1", Behaviour(answers_after=2.0, talks_seconds=20.0))
    assert box.one() == "desk" and box.dialled == []
    assert box.it.office.counters["agents_not_dialled"] == 1


def test_a_call_to_an_agent_outside_costs_what_the_tariff_says_before_and_after_a_restart(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",), settings={"tariffs": (Tariff(name="m", kind="mobile", rial_per_call=700),)})
    spent = []

    async def scene() -> None:
        box.rings()
        await asyncio.sleep(70.0)
        spent.append(box.it.office.outside.spent())
        box.it.office.outside._till = money.Till(box.settings.tariffs)  # a process that knows nothing
        await box.it.office.find_spent()
        spent.append(box.it.office.outside.spent())

    box.run(scene)
    assert spent == [700, 700]


def test_at_the_cap_of_the_day_nobody_is_dialled_and_the_caller_waits(tmp_path: Path) -> None:
    tariffs = (Tariff(name="m", kind="mobile", rial_per_call=700),)
    box = Outside(tmp_path, settings={"tariffs": tariffs, "daily_cap_rial": 700})
    box.it.office.outside._till.answered(
        "x", outbound.read(box.settings, FAR, ""), box.it.clock.utc_ms(), box.it.clock.monotonic()
    )
    assert box.one(60.0) == "" and box.dialled == [] and happened(box.it, "dial.refused") == []


def test_colleagues_see_by_a_lamp_whether_an_agent_outside_is_in_a_call(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",))
    seen: list[list[lamps.Shown]] = []

    async def scene() -> None:
        box.it.office.lamps.look()
        seen.append(box.it.line.watch("dialog", "far") or [])
        leg = box.rings()
        for _ in range(3):
            await asyncio.sleep(15.0)
            box.it.office.lamps.look()
        box.it.line.hang_up(leg)
        await asyncio.sleep(15.0)
        box.it.office.lamps.look()

    box.run(scene)
    states = [each.state for each in seen[0] if isinstance(each, ShowLamp)]
    assert states == [LampState.DARK, LampState.BUSY, LampState.DARK]


# What they do ---------------------------------------------------------------------------------------------------------


def test_an_agent_outside_passes_a_caller_on_by_the_keys_of_all_agents(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",))
    keys = tuple((15.0 + at / 2, key) for at, key in enumerate("*7201#"))
    box.does = lambda _number, _trunk: Answer(keys=((5.0, "1"), *keys))
    box.it.line.register("desk1", Behaviour(answers_after=2.0, talks_seconds=20.0))
    assert box.one() == "desk"
    (done,) = (each for each in happened(box.it, "call.passed_on") if '"state":"done"' in each)
    assert '"agent":"far"' in done


@pytest.mark.parametrize(("answer", "served"), [(PERSON, "near"), (MACHINE, "desk")])
def test_a_caller_who_is_passed_on_to_an_agent_outside_has_them_when_they_press_1_and_else_goes_back(
    tmp_path: Path, answer: Answer, served: str
) -> None:
    box = Outside(tmp_path, ("desk",))
    people = tuple(
        dataclasses.replace(each, extension="202" if each.name == "near" else each.extension)
        for each in box.settings.agents
    )
    box.it.office.arrange(dataclasses.replace(box.settings, agents=people))
    box.does = lambda _number, _trunk: answer
    box.it.line.register("desk1", Behaviour(answers_after=2.0))

    async def passes_on(_leg: str) -> None:
        await asyncio.sleep(10.0)
        (desk,) = (leg for leg, each in box.it.line._legs.items() if each.is_ours)
        for key in "*7202#":
            box.it.mouth.press(desk, key)

    assert box.one(100.0, passes_on) == served


@pytest.mark.parametrize(
    ("keys", "outcome"),
    [(((4.0, "4"),), "follow_up"), (((4.0, "9"), (6.0, "*"), (8.0, "1")), "settled"), ((), "")],
)
def test_an_agent_outside_gives_the_outcome_by_a_key_after_the_caller_has_gone(
    tmp_path: Path, keys: tuple[tuple[float, str], ...], outcome: str
) -> None:
    box = Outside(tmp_path, ("far",), wrap_up_seconds=30.0)
    box.does = lambda _number, _trunk: Answer(keys=((5.0, "1"),))
    doing = []

    def far() -> str:
        return next(each.doing for each in box.it.office.agents_now() if each.name == "far")

    async def scene() -> None:
        leg = box.rings()
        await asyncio.sleep(30.0)
        box.it.line.hang_up(leg)
        for at, key in keys:
            asyncio.get_running_loop().call_later(at, box.it.mouth.press, box.legs[0], key)
        for seconds in (1.0, 14.0, 50.0):
            await asyncio.sleep(seconds)
            doing.append(far())

    (conversation,) = box.run(scene)
    assert conversation.talking_ms < 30_000 and not box.it.line.is_up(box.legs[0])
    given = happened(box.it, "wrap_up.given")
    assert [f'"disposition":"{outcome}"' in each for each in given] == ([True] if outcome else [])
    assert doing == ["talking", "free" if outcome else "talking", "free"]


def test_a_line_without_wrap_up_asks_nothing(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",))
    box.does = lambda _number, _trunk: Answer(keys=((5.0, "1"),))
    assert box.one(30.0) == "far"
    assert not any("agent_wraps_up" in said for _, said in box.said)


def test_a_callback_s_agent_outside_hears_what_it_is_about_once_and_the_customer_is_dialled(tmp_path: Path) -> None:
    box = Outside(tmp_path, ("far",), settings={"most_callbacks": 1})
    box.does = lambda number, _trunk: PERSON if number == FAR else Answer(leaves=10.0)

    async def scene() -> None:
        opened = events.RequestOpened("", "r1", 1, "", "callback", "+989121234567", "fa", "reception", 0, "", 0)
        box.it.records.put(opened)
        await box.it.records.flush()
        box.it.switchboard.callbacks.restore(box.it.store.within(ledger.open_callbacks))
        box.it.switchboard.callbacks.look()
        await asyncio.sleep(120.0)
        box.it.switchboard.callbacks.stop()

    box.run(scene)
    assert [number for number, _ in box.dialled][:2] == [FAR, "09121234567"]
    briefs = [said for leg, said in box.said if leg == box.legs[0] and "callback_press" in said]
    assert len(briefs) == 1 and not any("agent_press" in said for _, said in box.said)


def test_of_two_hundred_answers_that_are_no_person_none_is_an_agent_s_and_every_caller_is_served(
    tmp_path: Path,
) -> None:
    chance = random.Random(97)
    box = Outside(tmp_path, misses=100)
    drawn = [chance.choice(NOBODY_THERE) for _ in range(200)]
    answers = iter(drawn)
    box.does = lambda number, trunk: next(answers) if (number, trunk) == (FAR, "provider") else NEARBY[number]

    async def scene() -> None:
        for _ in drawn:
            leg = box.rings()
            await asyncio.sleep(chance.uniform(110.0, 130.0))
            box.it.line.hang_up(leg)
            await asyncio.sleep(10.0)

    served = [each.agent for each in box.run(scene) if each.outcome == "served"]
    assert served == ["near"] * 200


NEARBY = {FAR: Answer(code=404), NEAR: PERSON}
