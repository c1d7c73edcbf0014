"""A week of agents who forget every key they should press, and a log of what they really did.

The log is kept by what passes outside of the box: INVITEs, answers and ends of their telephones' legs, REGISTERs, codes
that they dial. It knows the rules of the office (two offers not taken, the time after a call), and nothing of how the
box keeps them. What the box has recorded is held against it moment by moment.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance.calls.settings import AWAY_REASONS
from appliance.flow.load import load
from appliance.media import port as media
from appliance.records import attendance
from appliance.records.attendance import BEAT_SECONDS, Part, State
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from tests.simulation.office_world import World, drawn_rules
from tests.simulation.test_agents_lives import FLOW, OUTSIDE, _Ears
from tests.simulation.test_seats import Plain

AGENTS = ("agent1", "agent2", "agent3", "agent4")
RING_SECONDS, WRAP_SECONDS, MISSES = 12.0, 20.0, 2
DAY = 86_400.0
OPENS, CLOSES = 8 * 3600.0, 18 * 3600.0
NEAR_MS = 1000  # of a moment at which something changed

Now = tuple[str, str]


@dataclass(slots=True)
class _Leg:
    agent: str
    direction: str
    is_dialled: bool
    is_rung: bool
    at: float
    is_held: bool = False


@dataclass(slots=True)
class _Person:
    phone: str
    is_registered: bool = False
    away: str | None = None
    missed: int = 0
    wraps_until: float = 0.0
    told: list[tuple[int, Now]] = field(default_factory=list)


class Week(World):
    """A world whose agents are followed second by second."""

    def __init__(self, folder: Path, chance: random.Random, empty: Path) -> None:
        super().__init__(folder, chance, empty)
        drawn = drawn_rules(chance)
        line = dataclasses.replace(
            drawn.queues[0], name="q1", agents=AGENTS, later=(), most_waiting=0, strategy="longest_idle",
            ring_seconds=RING_SECONDS, wrap_up_seconds=WRAP_SECONDS, misses=MISSES, prefer_seconds=0.0,
            after_misses="away",
        )  # fmt: skip
        self.rules = dataclasses.replace(
            drawn, agents=AGENTS, queues=(line,), max_calls=0, most_callbacks=0, disk_seconds=0.02
        )
        self.flow = load(FLOW.replace("whole_seconds = 60", "whole_seconds = 3600"), "welcome.toml")
        self.model = _Ears(self.rules.lines(), 0, 1, 0)
        self.people = {agent: _Person(agent.replace("agent", "desk")) for agent in AGENTS}
        self.gaps: list[tuple[int, int]] = []
        self.died_ms = 0
        self.faults = 0
        self.legs: dict[str, _Leg] = {}
        self.swap: tuple[str, str, str] | None = None  # a telephone, who signs in there and who sits there
        self.on_dial = self._picks_up
        self.begins_ms = self.clock.utc_ms()
        self._minder: asyncio.Task[None] | None = None

    # What is really so ------------------------------------------------------------------------------------------------

    def truth(self, agent: str) -> Now:
        if self.life is None:
            return "unknown", "off"
        person = self.people[agent]
        legs = [leg for leg in self.legs.values() if leg.agent == agent]
        legs.sort(key=lambda leg: leg.is_dialled)
        if any(leg.is_rung for leg in legs):
            return "rung", ""
        if legs:
            return "hold" if legs[0].is_held else "talking", legs[0].direction
        if not person.phone:
            return "away", "signed_out"
        if person.away is not None:
            return "away", person.away
        if not person.is_registered:
            return "no_telephone", ""
        return ("wrap_up" if self.now < person.wraps_until else "ready"), ""

    def note(self) -> None:
        for agent, person in self.people.items():
            now = self.truth(agent)
            if not person.told or person.told[-1][1] != now:
                person.told.append((self.clock.utc_ms(), now))

    # What passes outside ----------------------------------------------------------------------------------------------

    def submitted(self, command: signalling.Command) -> None:
        match command:
            case signalling.Dial(leg, signalling.ToPhone(phone), _, caller):
                self._swapped()
                agent = self._sits(phone)
                direction = "inside" if caller.number.startswith("desk") else "in"
                self.legs[leg] = _Leg(agent, direction, False, True, self.now)
                self.people[agent].wraps_until = 0.0
                self.line.phones.setdefault(phone, Behaviour(code=480))
                if self.people[agent].is_registered:
                    self.line.phones[phone] = self._picks_up(command)
                self.line.submit(command)
            case signalling.Dial(_, signalling.ToTrunk()):
                self.line.outside = self._picks_up(command)
                self.line.submit(command)
            case signalling.HangUp(leg) | signalling.Refuse(leg):
                gone = self.legs.get(leg)
                if gone is not None and gone.is_rung and self.now - gone.at >= RING_SECONDS - 0.01:
                    self._misses(gone)
                self._ends(leg)
                self.line.submit(command)
            case _:
                self.line.submit(command)
        self.note()

    def mouthed(self, command: media.Command) -> None:
        """Nobody listens."""

    def _signalled(self, event: signalling.Event) -> None:
        match event:
            case signalling.Offered(leg, source, called) if isinstance(source, signalling.FromPhone):
                agent = self._sits(source.phone)
                if agent and not called.startswith("*") and self.life is not None:
                    direction = "out" if called == OUTSIDE else "inside"
                    self.legs[leg] = _Leg(agent, direction, True, False, self.now)
                    self.people[agent].wraps_until = 0.0
            case signalling.Answered(leg) if leg in self.legs:
                self.legs[leg].is_rung = False
                if self.legs[leg].direction == "in":
                    self.people[self.legs[leg].agent].missed = 0
            case signalling.Held(leg) | signalling.Resumed(leg) if leg in self.legs:
                self.legs[leg].is_held = isinstance(event, signalling.Held)
            case signalling.Refused(leg, code):
                if code == 603 and leg in self.legs:
                    self._misses(self.legs[leg])
                self._ends(leg)
            case signalling.HungUp(leg):
                self._ends(leg)
            case _:
                pass
        if self.life is not None:
            self.life.switchboard.signalled(event)
        self.note()

    def _sits(self, phone: str) -> str:
        return next((agent for agent, person in self.people.items() if person.phone == phone), "")

    def _misses(self, leg: _Leg) -> None:
        person = self.people[leg.agent]
        if leg.direction == "in":
            person.missed += 1
            if person.missed >= MISSES:
                person.missed, person.away = 0, "missed"

    def _ends(self, leg: str) -> None:
        gone = self.legs.pop(leg, None)
        if gone is not None and gone.direction == "in" and not gone.is_rung and self.life is not None:
            self.people[gone.agent].wraps_until = self.now + WRAP_SECONDS
            self.later(WRAP_SECONDS + 0.001, self.note)

    # What people do ---------------------------------------------------------------------------------------------------

    def _picks_up(self, _dial: signalling.Dial) -> Behaviour:
        chance = self.chance
        kind = chance.choices(("answers", "rings", "refuses"), (70, 22, 8))[0]
        if kind == "answers":
            return Behaviour(chance.uniform(0.2, 9.0), chance.choice((None, chance.expovariate(1 / 90))))
        return Behaviour(None) if kind == "rings" else Behaviour(code=chance.choice((480, 486, 603)))

    def registers(self, agent: str, is_there: bool) -> None:
        person = self.people[agent]
        if not person.phone or self.life is None or any(leg.agent == agent for leg in self.legs.values()):
            return
        if is_there:
            self.line.register(person.phone, Behaviour())
        elif person.is_registered:
            self.line.unregister(person.phone)
        if is_there and not person.is_registered:
            person.missed = 0
        person.is_registered = is_there
        self.note()

    async def dials(self, agent: str, code: str) -> bool:
        """A code, to its end; False where the agent could not."""
        person = self.people[agent]
        is_busy = any(leg.agent == agent for leg in self.legs.values())
        if not person.phone or not person.is_registered or is_busy or self.life is None:
            return False
        leg = self.line.call_from(person.phone, code)
        await asyncio.sleep(0.01)
        if code == "*60":
            person.away, person.missed = None, 0
        elif code.startswith("*61"):
            person.away = AWAY_REASONS[int(code[3:]) - 1].name if code[3:] else ""
        self.note()
        for _ in range(20):
            await asyncio.sleep(1.0)
            if not self.line.is_up(leg):
                break
        return True

    async def swaps(self, agent: str) -> None:
        """Sits down at another's desk, whose telephone is there; who sat there is signed out."""
        life = self.life
        phones = [each.phone for each in self.people.values() if each.phone and each.is_registered]
        busy = {leg.agent for leg in self.legs.values()}
        if life is None or not phones or agent in busy:
            return
        phone = self.chance.choice(phones)
        other = self._sits(phone)
        if other in busy or other == agent:
            return
        leg = self.line.call_from(phone, f"*41{agent}")
        await asyncio.sleep(5.0)
        if self.life is not life or self.media is None or {agent, other} & {leg.agent for leg in self.legs.values()}:
            self.line.hang_up(leg)
            return
        self.swap = phone, agent, other
        for key in "5937#":
            self.media.press(leg, key)
        await asyncio.sleep(0.15)
        self._swapped()
        self.swap = None
        self.note()
        await asyncio.sleep(10.0)

    def _swapped(self) -> None:
        """Whether a sign-in was taken is read from the box, and not what is looked at here."""
        if self.swap is None or self.life is None:
            return
        phone, agent, other = self.swap
        comes, goes = self.people[agent], self.people[other]
        if goes.phone == phone and self.life.office.seats.phone_of(agent) == phone:
            goes.phone, goes.is_registered = "", False
            comes.phone, comes.is_registered, comes.away, comes.missed = phone, True, None, 0

    async def lives(self, agent: str) -> None:
        """One agent, from the first day to the last."""
        chance = self.chance
        while True:
            await asyncio.sleep(chance.expovariate(1 / 600))
            if self.life is None:
                continue
            person = self.people[agent]
            match chance.choices(
                ("goes away", "comes back", "dials out", "dials a colleague", "telephone", "sits elsewhere", "nothing"),
                (20, 25, 10, 8, 6, 3, 10),
            )[0]:
                case "goes away":
                    await self.dials(agent, f"*61{chance.choice(('', 1, 2, 3, 4, 5))}")
                case "comes back" if person.away is not None:
                    await self.dials(agent, "*60")
                case "dials out" | "dials a colleague" as what:
                    others = [each for each in AGENTS if each != agent]
                    called = OUTSIDE if what == "dials out" else chance.choice(others)
                    if person.phone and person.is_registered and not any(x.agent == agent for x in self.legs.values()):
                        leg = self.line.call_from(person.phone, called)
                        self.later(chance.uniform(2.0, 120.0), self.line.hang_up, leg)
                case "telephone":
                    self.registers(agent, False)
                    await asyncio.sleep(chance.uniform(5.0, 900.0))
                    self.registers(agent, True)
                case "sits elsewhere":
                    await self.swaps(agent)
                case _:
                    self.registers(agent, True)

    async def callers(self) -> None:
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / 70))
            time = (self.now + OPENS) % DAY
            if self.life is None or not OPENS <= time < CLOSES:
                continue
            leg = self.line.call_in("provider", "02188123456", f"0912000{self.chance.randint(1000, 9999)}")
            self.later(self.chance.uniform(1.0, 3.0), self._presses, leg)
            self.later(self.chance.uniform(5.0, 400.0), self.line.hang_up, leg)

    def _presses(self, leg: str) -> None:
        if self.media is not None and self.line.is_up(leg):
            self.media.press(leg, "1")

    async def holds(self) -> None:
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / 300))
            talks = [leg for leg, each in self.legs.items() if not each.is_rung and not each.is_dialled]
            talks = [leg for leg in talks if self.legs[leg].direction == "in" and not self.legs[leg].is_held]
            if talks:
                leg = self.chance.choice(talks)
                self.line.hold(leg)
                await asyncio.sleep(self.chance.uniform(2.0, 60.0))
                self.line.resume(leg)

    # The box ----------------------------------------------------------------------------------------------------------

    async def on(self) -> None:
        await self.starts()
        assert self.life is not None
        office = self.life.office
        office.pins.hashing = Plain()
        if not office.pins.has(AGENTS[0]):
            for agent in AGENTS:
                await office.pins.choose(agent, "", "5937", "own")
        self._minder = asyncio.create_task(office.timekeeper.run())
        if self.died_ms:
            self.gaps.append((self.died_ms, self.clock.utc_ms()))
        self.note()

    async def off(self, is_clean: bool) -> None:
        assert self.life is not None and self._minder is not None
        self.faults += self.life.office.counters.get("faults", 0)
        for leg in list(self.legs):
            self.line.hang_up(leg)
        if is_clean:
            await asyncio.sleep(1.0)
            await self.life.office.timekeeper.stop()
        self.died_ms = self.clock.utc_ms()
        life, self.life = self.life, None
        life.line.is_dead = life.mouth.is_dead = life.records.is_dead = life.kept.is_dead = True
        own = {task for task in asyncio.all_tasks() if task.get_name().startswith("session ")}
        for task in {self._minder, *own}:
            task.cancel()
        await asyncio.gather(self._minder, *own, return_exceptions=True)
        life.switchboard.callbacks.stop()
        life.store.close()
        self.legs.clear()
        for person in self.people.values():
            if person.is_registered:
                self.line.unregister(person.phone)
            person.is_registered, person.missed, person.wraps_until = False, 0, 0.0
        self.note()

    def jumps(self, milliseconds: int) -> None:
        """The clock is set."""
        was = self.clock.utc_ms()
        self.clock._utc_ms_at_zero += milliseconds
        self.gaps.append((min(was, was + milliseconds), max(was, was + milliseconds)))
        self.note()


@dataclass(frozen=True, slots=True)
class Found:
    """What one week came to."""

    seconds: int
    transitions: int
    unknown_seconds: int
    wrong: tuple[str, ...]
    states: frozenset[str]


async def week(world: Week, days: int, open_seconds: float) -> Found:
    """Agents live and the box with them for so many days; what was recorded, held against what was so."""
    await world.on()
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(world.lives(agent)) for agent in AGENTS]
    tasks += [loop.create_task(work) for work in (world.callers(), world.holds())]
    for agent in AGENTS:
        world.later(world.chance.uniform(1.0, 1800.0), world.registers, agent, True)
    for day in range(days):
        for _ in range(world.chance.randint(1, 3)):
            await asyncio.sleep(world.chance.uniform(0.0, 0.27) * open_seconds)
            await world.off(is_clean=False)
            await asyncio.sleep(world.chance.uniform(1.0, 300.0))
            await world.on()
            for agent in AGENTS:
                world.later(world.chance.uniform(1.0, 60.0), world.registers, agent, True)
        if day % 3 == 0:
            world.jumps(world.chance.choice((-40_000, 90_000, 600_000)))
        await asyncio.sleep(max(0.0, day * DAY + open_seconds - world.now))
        if day % 2 == 0:  # the box is off for the night
            await world.off(is_clean=world.chance.random() < 0.5)
            await asyncio.sleep((day + 1) * DAY - 1800 - world.now)
            await world.on()
            for agent in AGENTS:
                world.later(world.chance.uniform(1.0, 1800.0), world.registers, agent, True)
        await asyncio.sleep(max(0.0, (day + 1) * DAY - world.now))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert world.life is not None
    world.life.records.flush_now()
    ends = world.clock.utc_ms()
    found = world.life.store.within(lambda db: attendance.read(db, world.begins_ms, ends, ends))
    await world.off(is_clean=True)
    return compared(world, found, world.begins_ms, ends)


def compared(world: Week, found: dict[str, list[Part]], begins: int, ends: int) -> Found:
    wrong = [f"{world.faults} conversations ended by a fault"] if world.faults else []
    transitions = unknown = 0
    states: set[str] = set()
    for agent, person in world.people.items():
        parts = found.get(agent, [])
        whole = sum(attendance.sums(parts).values())
        if whole != ends - begins:
            wrong.append(f"{agent}: the parts are {whole} ms of {ends - begins}")
        if any(part.milliseconds <= 0 for part in parts):
            wrong.append(f"{agent}: a part is empty or negative")
        if any(one.ends != other.begins for one, other in itertools.pairwise(parts)):
            wrong.append(f"{agent}: there is a hole")
        transitions += len(person.told)
        unknown += sum(part.milliseconds for part in parts if part.state is State.UNKNOWN)
        states |= {f"{part.state} {part.detail}".strip() for part in parts}
        wrong += (f"{agent}: {each}" for each in _differences(world, person, parts, begins, ends))
    return Found(4 * (ends - begins) // 1000, transitions, unknown // 1000, tuple(wrong[:20]), frozenset(states))


def _differences(world: Week, person: _Person, parts: list[Part], begins: int, ends: int) -> Iterator[str]:
    """Moments at which the two say different things, a second from whatever changed and further."""
    changes = sorted({at for at, _ in person.told} | {at for gap in world.gaps for at in gap} | {begins, ends})
    moments = [(one + other) // 2 for one, other in itertools.pairwise(changes)]
    moments += [one + NEAR_MS + 1 for one in changes] + [one - NEAR_MS - 1 for one in changes]
    for at in sorted(moments):
        near = bisect_left(changes, at)
        if not begins <= at < ends or any(abs(each - at) <= NEAR_MS for each in changes[max(0, near - 1) : near + 1]):
            continue
        part = next(each for each in parts if each.begins <= at < each.ends)
        said = part.state.value, "" if part.state is State.UNKNOWN else part.detail
        was = next((now for since, now in reversed(person.told) if since <= at), ("unknown", ""))
        is_gap = was[0] == "unknown" or any(one <= at <= other for one, other in world.gaps)
        is_lost = any(one - BEAT_SECONDS * 1000 - NEAR_MS <= at <= one for one, _ in world.gaps)
        if said[0] == "unknown" and (is_gap or is_lost):
            continue
        if is_gap or said != was:
            yield f"at {(at - begins) / 1000:.1f} s it was {was}, and is recorded as {said}"
