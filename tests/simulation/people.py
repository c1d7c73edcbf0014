"""What people do in a random office, drawn with likely moves; one whole run from the first start to the last record."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.records.reader import Reader
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from tests.simulation.model_turns import overtaken
from tests.simulation.office_world import KEY, LONG_AGO_MS, World, e164, unencrypted
from tests.support.virtual_time import run

CUSTOMERS = tuple(f"091200000{number:02}" for number in range(1, 8))
OTHERS = tuple(f"091400000{number:02}" for number in range(1, 6))  # given by those who withhold theirs
STATES = ("ringing_ms", "menu_ms", "waiting_ms", "talking_ms", "hold_ms")
CLOSING_SECONDS = 15.0
MOVES = {
    "call": 30, "calls again": 16, "burst": 4, "agent comes or goes": 9, "agent holds": 4, "wait": 10,
    "media dies": 2, "kill": 2, "kill and call": 1, "clock is set": 6, "caller vanishes": 2, "agent vanishes": 2,
}  # fmt: skip


class Broken(AssertionError):  # noqa: N818 - a rule of the model
    """A rule does not hold; the text says which, and what happened last."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one run was."""

    figures: dict[str, int]
    served: int
    beyond: int


class People:
    """The callers, customers and agents of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chance = world.chance
        self._names = 0
        world.on_dial = self.is_dialled

    def _draw(self, weights: dict[str, int]) -> str:
        return self.chance.choices(list(weights), list(weights.values()))[0]

    # Callers ----------------------------------------------------------------------------------------------------------

    def call(self, number: str | None = None) -> str:
        """Somebody rings with something in mind."""
        self._names += 1
        chance, world = self.chance, self.world
        if number is None:
            number = chance.choice((*CUSTOMERS, "")) if chance.random() < 0.9 else ""
        leg = world.rings(number, f"c{self._names}")
        kind = self._draw({"waits": 44, "leaves": 24, "asks": 12, "vip": 7, "early": 5, "wrong": 3, "silent": 3})
        acts: list[tuple[float, str]] = []
        if chance.random() < 0.15:
            acts.append((chance.uniform(0.5, 8.0), "9"))
        line = str(chance.randint(1, len(world.rules.queues)))
        first = chance.uniform(0.3, 9.0)
        if kind in ("waits", "vip"):
            acts += [(first, "4" if kind == "vip" else line), (3.0 + chance.expovariate(1 / 70), "hangs up")]
        elif kind == "leaves":
            acts += [(first, line), (chance.uniform(3.2, 60.0), "1"), *self._wishes(number)]
        elif kind == "asks":
            acts += [(first, "5"), *self._wishes(number)]
        elif kind == "early":
            acts += [(chance.uniform(0.0, 6.0), "hangs up")]
        elif kind == "wrong":
            acts += [(first, "7"), (2.0, "8"), (3.0, line), (chance.uniform(5.0, 60.0), "hangs up")]
        else:
            acts += [(chance.uniform(20.0, 120.0), "hangs up")]
        self._do(leg, acts)
        world.later(chance.uniform(150.0, 260.0), world.hangs_up, leg)
        return leg

    def _wishes(self, number: str) -> list[tuple[float, str]]:
        """Asks for a callback: to this number, to another one, or forgets to say."""
        chance = self.chance
        begins = chance.uniform(0.2, 5.0)
        if number and chance.random() < 0.75:
            keys = [(begins, "1")] if chance.random() < 0.8 else []
        else:
            other = f"0913{number[4:]}" if number else chance.choice(OTHERS)
            keys = [(begins, "2"), (chance.uniform(0.3, 2.0), f"={other}")]
        return [*keys, (chance.choice((0.1, 1.0, 3.0, 12.0)), "hangs up")]

    def _do(self, leg: str, acts: Sequence[tuple[float, str]]) -> None:
        """One thing after the other, each so long after the one before."""
        if not acts:
            return
        seconds, act = acts[0]

        def done() -> None:
            if not self.world.line.is_up(leg):
                return
            if act == "hangs up":
                self.world.hangs_up(leg)
            elif act.startswith("="):
                self.world.model.callers[leg].other = e164(act[1:])
                for key in act[1:]:
                    self.world.presses(leg, key)
            else:
                self.world.presses(leg, act)
            self._do(leg, acts[1:])

        self.world.later(seconds, done)

    # Who is rung ------------------------------------------------------------------------------------------------------

    def is_dialled(self, dial: signalling.Dial) -> Behaviour | None:
        if isinstance(dial.to, signalling.ToTrunk):
            return self._customer(dial.leg)
        return self._agent(dial.leg, is_callback=not dial.caller.name)

    def _agent(self, leg: str, is_callback: bool) -> Behaviour:
        chance, world = self.chance, self.world
        kind = self._draw({"answers": 78, "rings": 9, "declines": 4, "busy": 4, "off": 2, "crashes": 3})
        if kind in ("answers", "crashes"):
            after, talks = chance.uniform(0.3, 7.0), 5.0 + chance.expovariate(1 / 40)
            if kind == "crashes":
                world.later(after + chance.uniform(0.0, 25.0), self._crash, leg)
            if is_callback:
                self._keys_of_agent(leg, after)
                talks += 25.0
            return Behaviour(after, talks)
        if kind == "rings":
            return Behaviour(None)
        return Behaviour(code={"declines": 603, "busy": 486, "off": 480}[kind])

    def _keys_of_agent(self, leg: str, after: float) -> None:
        """1 takes the callback, `*1` or `*2` says whom they reached; or something is forgotten."""
        chance = self.chance
        takes = self._draw({"takes": 82, "forgets": 10, "wrong": 8})
        acts = [(after + chance.uniform(0.2, 9.0), "1" if takes == "takes" else "5")] if takes != "forgets" else []
        says = self._draw({"*1": 40, "*2": 12, "1": 20, "2": 8, "": 20})
        seconds = chance.uniform(5.0, 50.0)
        for key in says:
            acts.append((seconds, key))
            seconds = 0.5
        self._do(leg, acts)

    def _crash(self, leg: str) -> None:
        """The agent's telephone is gone, and its BYE with it."""
        ring = self.world.model.rings.get(leg)
        if ring is not None and self.world.line.is_up(leg):
            self.world.model.note(self.world.now, f"{ring.agent} vanishes")
            self.world.vanishes(leg)
            self.world.disappears(ring.agent)
            self.world.later(self.chance.uniform(10.0, 60.0), self.world.appears, ring.agent)

    def _customer(self, leg: str) -> Behaviour:
        chance = self.chance
        kind = self._draw({"answers": 58, "rings": 15, "busy": 9, "off": 7, "fails": 6, "declines": 3, "nobody": 2})
        if kind == "answers":
            after = chance.choice((chance.uniform(0.5, 8.0), chance.uniform(8.0, 40.0)))
            presses = self._draw({"1": 70, "7": 8, "": 22})
            self._do(leg, [(after + chance.uniform(0.3, 12.0), key) for key in presses])
            return Behaviour(after, None if chance.random() < 0.3 else 6.0 + chance.expovariate(1 / 30))
        if kind == "rings":
            return Behaviour(None)
        code = {"busy": 486, "off": 480, "fails": 503, "declines": 603, "nobody": 404}[kind]
        return Behaviour(code=code, code_after=chance.uniform(0.1, 5.0))

    # Moves ------------------------------------------------------------------------------------------------------------

    async def move(self) -> None:
        """What happens next."""
        chance, world = self.chance, self.world
        what = self._draw(MOVES)
        if what == "call":
            self.call()
        elif what == "calls again":
            owed = sorted({wish.customer for wish in world.model.wishes if not wish.is_closed})
            self.call(f"0{chance.choice(owed)[3:]}" if owed else None)
        elif what == "burst":
            for _ in range(chance.randint(2, 6)):
                self.call()
        elif what == "agent comes or goes":
            agent = chance.choice(world.rules.agents)
            (world.disappears if agent in world.present and chance.random() < 0.5 else world.appears)(agent)
        elif what == "agent holds":
            self._hold()
        elif what == "media dies" and world.media is not None:
            world.media_dies()
            world.later(chance.choice((0.3, 1.0, 4.0)), world.media_returns)
        elif what in ("kill", "kill and call"):
            await self.kill(is_rung=what == "kill and call")
        elif what == "clock is set" and not world.model.is_clock_sure:
            world.set_clock(0)
        elif what == "caller vanishes":
            legs = [leg for leg, caller in world.model.callers.items() if caller.is_up and caller.is_answered]
            if legs:
                world.vanishes(chance.choice(legs))
        elif what == "agent vanishes":
            legs = [leg for leg, ring in world.model.rings.items() if ring.is_up and ring.is_answered]
            if legs:
                self._crash(chance.choice(legs))

    def _hold(self) -> None:
        talks = [leg for leg, ring in self.world.model.rings.items() if ring.is_up and ring.is_answered]
        if talks:
            leg = self.chance.choice(talks)
            self.world.line.hold(leg)
            self.world.later(self.chance.uniform(0.5, 15.0), self.world.line.resume, leg)

    async def kill(self, is_rung: bool = False) -> None:
        """Everything in memory is gone; the next process comes after a while, perhaps with a clock in doubt."""
        chance, world = self.chance, self.world
        await world.dies()
        down = chance.choice((0.4, 2.0, 2.0, 15.0))
        if is_rung:
            owed = sorted({wish.customer for wish in world.model.wishes if not wish.is_closed})
            for _ in range(2):
                number = f"0{chance.choice(owed)[3:]}" if owed and chance.random() < 0.6 else None
                world.later(down - chance.uniform(0.0, 0.3), self.call, number)
        await asyncio.sleep(down)
        if world.model.is_clock_sure and chance.random() < 0.25:
            world.set_clock(chance.choice(LONG_AGO_MS))
        await world.starts()
        for agent in sorted(world.present):
            world.later(chance.uniform(0.0, 5.0), self._registers_again, agent)

    def _registers_again(self, agent: str) -> None:
        if agent in self.world.present:
            self.world.appears(agent)

    async def start(self) -> None:
        await self.world.starts()
        for agent in self.world.rules.agents:
            if self.chance.random() < 0.8:
                self.world.appears(agent)
        asyncio.get_running_loop().call_later(1.0, self._second)

    def _second(self) -> None:
        self.world.look()
        self.world.later(1.0, self._second)

    def check(self) -> None:
        if self.world.model.broken:
            raise Broken(self.world.model.broken[0])


async def _whole(people: People, steps: int) -> None:
    world, chance, model = people.world, people.chance, people.world.model
    await people.start()
    for _ in range(steps):
        await asyncio.sleep(chance.choice((0.3, 3.0, 6.0, 10.0)) * chance.uniform(0.3, 1.7))
        await people.move()
        world.read()
        people.check()
    world.set_clock(0)
    await asyncio.sleep(chance.choice((1.0, 30.0, 120.0)))
    if world.media is None:
        world.media_returns()
    for leg, caller in list(model.callers.items()):
        if caller.is_up:
            world.hangs_up(leg)
    assert world.life is not None
    await world.life.switchboard.drain(CLOSING_SECONDS)
    await asyncio.sleep(50.0)  # an agent whose BYE was lost is still asked
    world.life.records.flush_now()
    world.read()
    for leg, outcome in world.outcomes():
        model.outcome(leg, outcome)
    people.check()


async def _to_the_end(people: People, steps: int) -> None:
    try:
        await _whole(people, steps)
    except BaseException:
        if people.world.life is not None:
            await people.world.life.kill()
        raise


def _nothing_is_left(world: World) -> None:
    assert world.life is not None and world.media is not None
    office, model = world.life.office, world.model
    counters = world.counters()
    left = {
        "legs": world.line.legs,
        "streams": world.media.streams,
        "sessions": len(world.life.switchboard.sessions),
        "inboxes": len(office.legs),
        "recordings": len(office.recordings),
        "engaged": len(office.floor.engaged()),
        "waiting": office.floor.waiting(),
        "faults": counters.get("faults", 0),
        "mended": counters.get("presence_mended", 0),
    }
    if any(left.values()):
        model.fail("always", f"left at the end: { {name: count for name, count in left.items() if count} }")
    if world.owed() != set(office.book._entries):
        model.fail("row 5", "the book and the database disagree on what is owed")


def _records_are_whole(world: World) -> None:
    with Reader(world.folder / "calls.db", KEY) as reader:
        conversations = reader.last(10_000)
    model = world.model
    model.count("conversations", len(conversations))
    for each in conversations:
        if each.closed is None or each.revision < 1:
            model.fail("row 59", f"conversation {each.conversation} has no closed record")
        elif each.total_ms != sum(getattr(each, state) for state in STATES):
            model.fail("row 59", f"the times of {each.conversation} do not add up")
        if any(leg.ended_ms is None for leg in each.legs):
            model.fail("row 59", f"a leg of {each.conversation} has no end")
        if any(part.state == "live" for part in each.recordings):
            model.fail("row 59", f"a recording of {each.conversation} is never closed")


def office_run(folder: Path, seed: int, empty: Path) -> Told:
    """One random run; Broken where a rule does not hold. ``empty`` is a database without a row (``template``)."""
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with unencrypted(has_tables=True):
        world = World(folder, chance, empty)
        people = People(world)
        run(world.loop, _to_the_end(people, round(chance.triangular(20, 80, 25))))
        _nothing_is_left(world)
        _records_are_whole(world)
        assert world.life is not None
        world.life.store.close()
    people.check()
    served = beyond = 0
    if world.rules.priority:
        for each in world.model.served.values():
            counted, late = overtaken(each)
            served, beyond = served + counted, beyond + late
    world.model.count("runs")
    return Told(world.model.figures, served, beyond)
