"""What every implementation of the port promises: without a network, and over UDP and TCP between two real agents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Protocol, TypeVar

import pytest

from appliance.clock import SystemClock, VirtualClock
from appliance.signalling import sdp
from appliance.signalling.agent import Agent
from appliance.signalling.loopback import Behaviour, Loopback
from appliance.signalling.port import (
    Answer,
    Answered,
    Cause,
    Check,
    Command,
    Confirmed,
    Dial,
    Event,
    Go,
    HangUp,
    Held,
    Hold,
    HungUp,
    Identity,
    LampState,
    LegKept,
    Line,
    Offered,
    PhoneRegistered,
    Progress,
    Progressed,
    Refuse,
    Refused,
    Resume,
    Resumed,
    Ring,
    ShowLamp,
    ShowMessages,
    ToPhone,
    ToTrunk,
)
from appliance.signalling.settings import Phone, Signalling, Transport, Trunk
from tests.support.watcher import Watcher

LIMIT_SECONDS = 30.0
HERE = sdp.offer("127.0.0.1", 6000, "PCMA", 5)
E = TypeVar("E", bound=Event)


class Rig(Protocol):
    """A line under test and the other side of it."""

    line: Line
    events: list[Event]

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def call_in(self) -> str:
        """Somebody calls; the leg once it is offered."""
        ...

    def phone(self, behaviour: Behaviour) -> None:
        """What desk1 does from now on when it is rung."""
        ...

    def leave(self, leg: str) -> None:
        """The other side hangs up, or cancels."""
        ...

    def hold(self, leg: str, on: bool) -> None: ...

    async def watch(self, package: str, extension: str) -> Callable[[], list[str]] | None:
        """A telephone watches this extension; what it was shown so far. None: it is refused."""
        ...

    async def pause(self) -> None:
        """Lets happen what is to happen."""
        ...


async def heard(rig: Rig, kind: type[E], leg: str) -> E:
    """Waits until the line delivers an event of this kind for ``leg``."""
    pauses = 0
    while True:
        for event in rig.events:
            if isinstance(event, kind) and getattr(event, "leg", "") == leg:
                return event
        pauses += 1
        assert pauses < 2000, f"no {kind.__name__} for {leg}: {rig.events}"
        await rig.pause()


class WithoutNetwork:
    """The loopback in virtual time."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._clock = VirtualClock()
        self._loopback = Loopback(self.events.append, self._clock)
        self.line: Line = self._loopback

    async def start(self) -> None:
        self._loopback.register("desk1", Behaviour())

    async def stop(self) -> None:
        return None

    async def call_in(self) -> str:
        leg = self._loopback.call_in("main", "100", "200")
        await heard(self, Offered, leg)
        return leg

    def phone(self, behaviour: Behaviour) -> None:
        self._loopback.phones["desk1"] = behaviour

    def leave(self, leg: str) -> None:
        self._loopback.hang_up(leg)

    def hold(self, leg: str, on: bool) -> None:
        (self._loopback.hold if on else self._loopback.resume)(leg)

    async def watch(self, package: str, extension: str) -> Callable[[], list[str]] | None:
        seen = self._loopback.watch(package, extension)
        if seen is None:
            return None
        return lambda: [each.state.value if isinstance(each, ShowLamp) else str(each.waiting) for each in seen]

    async def pause(self) -> None:
        deadline = self._loopback.deadline
        if deadline is not None:
            self._clock.advance_to(max(deadline, self._clock.monotonic()))
            self._loopback.due(deadline)


class BetweenAgents:
    """The agent under test, and a second one that is its desk phone: it registers, is rung, and calls."""

    def __init__(self, transport: Transport) -> None:
        self.events: list[Event] = []
        self._transport = transport
        self._theirs: list[Event] = []
        self._behaviour = Behaviour(answers_after=0.01)
        self._legs: dict[str, str] = {}  # the tested side's leg to the other side's
        self._offered = 0
        self._watchers: list[Watcher] = []

    async def start(self) -> None:
        clock = SystemClock()
        phones = (Phone(name="desk1"), Phone(name="desk2"))
        box = Signalling(address="127.0.0.1", port=0, domain="box.example", phones=phones)
        self._box = Agent(box, {f"phone-{phone.name}": "geheim" for phone in phones}.get, clock, self.events.append)
        await self._box.start()
        self.line: Line = self._box
        trunk = Trunk(
            name="box",
            proxy=f"127.0.0.1:{self._box.port}",
            domain="box.example",
            user="desk1",
            transport=self._transport,
        )
        other = Signalling(address="127.0.0.1", port=0, trunks=(trunk,))
        self._other = Agent(other, {"trunk-box": "geheim"}.get, clock, self._heard)
        await self._other.start()
        while not any(isinstance(event, PhoneRegistered) for event in self.events):
            await self.pause()

    async def stop(self) -> None:
        for watcher in self._watchers:
            watcher.stop()
        await self._other.stop()
        await self._box.stop()

    def _heard(self, event: Event) -> None:
        self._theirs.append(event)
        if isinstance(event, Offered):
            loop = asyncio.get_running_loop()
            dialled = next(leg for leg in reversed(list(self._legs)) if not self._legs[leg])
            self._legs[dialled] = event.leg
            loop.call_soon(self._other.submit, Ring(event.leg))
            does = self._behaviour
            if does.code is not None:
                loop.call_later(does.code_after, self._other.submit, Refuse(event.leg, does.code))
            elif does.answers_after is not None:
                loop.call_later(does.answers_after, self._other.submit, Answer(event.leg, HERE))
            if does.talks_seconds is not None:
                loop.call_later(does.talks_seconds, self._other.submit, HangUp(event.leg))

    def expect(self, leg: str) -> None:
        """The tested side dials: what is offered next over there is its other end."""
        self._legs[leg] = ""

    async def call_in(self) -> str:
        self._offered += 1
        theirs = f"theirs-{self._offered}"
        self._other.submit(Dial(theirs, ToTrunk("box", "100"), HERE, Identity("200")))
        while True:
            found = [event.leg for event in self.events if isinstance(event, Offered)]
            if len(found) == self._offered:
                self._legs[found[-1]] = theirs
                return found[-1]
            await self.pause()

    def phone(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    def leave(self, leg: str) -> None:
        self._other.submit(HangUp(self._legs[leg]))

    def hold(self, leg: str, on: bool) -> None:
        direction = sdp.Direction.SENDONLY if on else sdp.Direction.SENDRECV
        command = Hold if on else Resume
        self._other.submit(command(self._legs[leg], replace(HERE, direction=direction)))

    async def watch(self, package: str, extension: str) -> Callable[[], list[str]] | None:
        box = ("127.0.0.1", self._box.port)
        watcher = Watcher(box, "127.0.0.1", "desk2", "geheim", "box.example", is_tcp=self._transport == "tcp")
        self._watchers.append(watcher)
        await watcher.start()
        watched = await watcher.watch(extension, package)
        if watched.code != 200:
            return None
        return lambda: [state.removeprefix("yes ").removeprefix("no ").partition("/")[0] for state in watched.states]

    async def pause(self) -> None:
        await asyncio.sleep(0.003)


RIGS: dict[str, Callable[[], WithoutNetwork | BetweenAgents]] = {
    "loopback": WithoutNetwork,
    "udp": lambda: BetweenAgents("udp"),
    "tcp": lambda: BetweenAgents("tcp"),
}


def dial(rig: Rig, leg: str = "d" * 32) -> str:
    if isinstance(rig, BetweenAgents):
        rig.expect(leg)
    rig.line.submit(Dial(leg, ToPhone("desk1"), HERE, Identity("09121234567", "Ali")))
    return leg


async def with_rig(name: str, story: Callable[[Rig], Coroutine[None, None, None]]) -> None:
    rig = RIGS[name]()
    async with asyncio.timeout(LIMIT_SECONDS):
        await rig.start()
        try:
            await story(rig)
            for _ in range(20):
                await rig.pause()
        finally:
            await rig.stop()
    over: set[str] = set()
    for event in rig.events:
        leg = event.key.leg if isinstance(event, LegKept) else getattr(event, "leg", "")
        assert leg not in over, f"{event} after the end of its leg"
        if isinstance(event, HungUp | Refused):
            over.add(leg)
    started = {event.leg for event in rig.events if isinstance(event, Offered | Answered)}
    assert started <= over, "a leg never ended"


def run(name: str, story: Callable[[Rig], Coroutine[None, None, None]]) -> None:
    asyncio.run(with_rig(name, story))


every_line = pytest.mark.parametrize("name", RIGS)


@every_line
def test_a_call_that_comes_in_is_offered_answered_confirmed_and_ended_by_the_caller(name: str) -> None:
    async def story(rig: Rig) -> None:
        leg = await rig.call_in()
        offered = await heard(rig, Offered, leg)
        assert offered.sdp is not None and offered.called == "100" and offered.caller.number
        rig.line.submit(Ring(leg))
        rig.line.submit(Answer(leg, HERE))
        assert (await heard(rig, Confirmed, leg)).sdp is None
        rig.leave(leg)
        assert (await heard(rig, HungUp, leg)).cause is Cause.HUNG_UP

    run(name, story)


@every_line
def test_a_call_that_comes_in_can_be_ended_here(name: str) -> None:
    async def story(rig: Rig) -> None:
        leg = await rig.call_in()
        rig.line.submit(Progress(leg, HERE))
        rig.line.submit(Answer(leg, HERE))
        await heard(rig, Confirmed, leg)
        rig.line.submit(HangUp(leg))
        assert (await heard(rig, HungUp, leg)).cause is Cause.ENDED_HERE

    run(name, story)


@every_line
def test_a_caller_who_leaves_before_the_answer_has_cancelled(name: str) -> None:
    async def story(rig: Rig) -> None:
        leg = await rig.call_in()
        rig.line.submit(Ring(leg))
        await rig.pause()
        rig.leave(leg)
        assert (await heard(rig, HungUp, leg)).cause is Cause.CANCELLED

    run(name, story)


@every_line
def test_a_call_that_is_refused_ends_with_the_code_that_was_given(name: str) -> None:
    async def story(rig: Rig) -> None:
        leg = await rig.call_in()
        rig.line.submit(Refuse(leg, 486))
        ended = await heard(rig, HungUp, leg)
        assert (ended.cause, ended.code) == (Cause.ENDED_HERE, 486)

    run(name, story)


@every_line
def test_a_phone_that_is_dialled_rings_answers_and_hangs_up(name: str) -> None:
    async def story(rig: Rig) -> None:
        rig.phone(Behaviour(answers_after=0.02, talks_seconds=0.1))
        leg = dial(rig)
        assert (await heard(rig, Progressed, leg)).code == 180
        answered = await heard(rig, Answered, leg)
        assert sdp.agree(HERE, answered.sdp) is not None
        assert (await heard(rig, HungUp, leg)).cause is Cause.HUNG_UP

    run(name, story)


@every_line
def test_a_busy_phone_refuses_with_its_code(name: str) -> None:
    async def story(rig: Rig) -> None:
        rig.phone(Behaviour(code=486, code_after=0.01))
        leg = dial(rig)
        assert (await heard(rig, Refused, leg)).code == 486

    run(name, story)


@every_line
def test_a_phone_that_is_not_there_is_refused_480(name: str) -> None:
    async def story(rig: Rig) -> None:
        leg = "e" * 32
        rig.line.submit(Dial(leg, ToPhone("nobody"), HERE, Identity("1")))
        assert (await heard(rig, Refused, leg)).code == 480

    run(name, story)


@every_line
def test_giving_up_a_ringing_phone_ends_with_our_own_cause(name: str) -> None:
    async def story(rig: Rig) -> None:
        rig.phone(Behaviour(answers_after=None))
        leg = dial(rig)
        await heard(rig, Progressed, leg)
        rig.line.submit(HangUp(leg, Cause.NO_ANSWER))
        assert (await heard(rig, HungUp, leg)).cause is Cause.NO_ANSWER

    run(name, story)


@every_line
def test_hold_and_resume_of_the_other_side_are_told_in_order(name: str) -> None:
    async def story(rig: Rig) -> None:
        leg = await rig.call_in()
        rig.line.submit(Answer(leg, HERE))
        await heard(rig, Confirmed, leg)
        rig.hold(leg, True)
        assert sdp.is_hold((await heard(rig, Held, leg)).sdp)
        rig.hold(leg, False)
        assert not sdp.is_hold((await heard(rig, Resumed, leg)).sdp)
        rig.leave(leg)
        await heard(rig, HungUp, leg)

    run(name, story)


@every_line
def test_our_own_hold_resume_and_check_end_nothing(name: str) -> None:
    async def story(rig: Rig) -> None:
        rig.phone(Behaviour(answers_after=0.01))
        leg = dial(rig)
        await heard(rig, Answered, leg)
        held = replace(HERE, direction=sdp.Direction.SENDONLY)
        commands: tuple[Command, ...] = (Hold(leg, held), Resume(leg, HERE), Check(leg))
        for command in commands:
            rig.line.submit(command)
            for _ in range(10):
                await rig.pause()
        assert not [event for event in rig.events if isinstance(event, HungUp)]
        rig.line.submit(HangUp(leg))
        await heard(rig, HungUp, leg)

    run(name, story)


@every_line
def test_commands_for_a_leg_that_is_over_or_unknown_are_dropped_and_nothing_comes_from_within_submit(name: str) -> None:
    async def story(rig: Rig) -> None:
        leg = await rig.call_in()
        before = len(rig.events)
        rig.line.submit(Refuse(leg, 480))
        assert len(rig.events) == before
        await heard(rig, HungUp, leg)
        commands: tuple[Command, ...] = (Answer(leg, HERE), HangUp(leg), Ring("f" * 32), Hold("f" * 32, HERE))
        for command in commands:
            rig.line.submit(command)
        for _ in range(10):
            await rig.pause()
        assert len([event for event in rig.events if isinstance(event, HungUp)]) == 1

    run(name, story)


@every_line
def test_a_call_that_waits_is_told_at_once_and_begins_when_it_is_said(name: str) -> None:
    async def story(rig: Rig) -> None:
        rig.phone(Behaviour(answers_after=0.05))
        leg = "d" * 32
        if isinstance(rig, BetweenAgents):
            rig.expect(leg)
        rig.line.submit(Dial(leg, ToPhone("desk1"), HERE, Identity("09121234567"), waits=True))
        for _ in range(20):
            await rig.pause()
        kept = [event.key for event in rig.events if isinstance(event, LegKept)]
        assert [key.leg for key in kept] == [leg] and not kept[0].is_confirmed and kept[0].is_ours
        assert not any(isinstance(event, Progressed | Answered) for event in rig.events)
        rig.line.submit(Go(leg))
        await heard(rig, Answered, leg)
        rig.line.submit(HangUp(leg, Cause.ENDED_HERE))
        await heard(rig, HungUp, leg)

    run(name, story)


@every_line
def test_a_telephone_that_watches_is_shown_what_is_so_and_then_what_changes(name: str) -> None:
    async def story(rig: Rig) -> None:
        assert await rig.watch("dialog", "201") is None
        rig.line.submit(ShowLamp("201", LampState.BUSY, call="c1"))
        assert await rig.watch("message-summary", "201") is None
        rig.line.submit(ShowMessages("201", 2))
        lamp, messages = await rig.watch("dialog", "201"), await rig.watch("message-summary", "201")
        assert lamp is not None and messages is not None
        await shown(rig, lamp, ["confirmed"])
        await shown(rig, messages, ["2"])
        for command in (ShowLamp("201", LampState.BUSY, call="c1"), ShowLamp("202", LampState.RINGING)):
            rig.line.submit(command)
        rig.line.submit(ShowLamp("201", LampState.DARK))
        rig.line.submit(ShowMessages("201", 0))
        await shown(rig, lamp, ["confirmed", "terminated"])
        await shown(rig, messages, ["2", "0"])

    run(name, story)


async def shown(rig: Rig, seen: Callable[[], list[str]], states: list[str]) -> None:
    pauses = 0
    while seen() != states:
        pauses += 1
        assert pauses < 2000, (seen(), states)
        await rig.pause()
