"""Outbound lists in offices where everything happens at random: agents ask, customers answer or not, the owner forbids
and pauses, and the calls process is killed at any moment.

What is looked at is what leaves the box: who is dialled when, with what on the disk. ``make long ONLY=outbound-lists``.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime
import logging
import os
import random
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from appliance.calls import restart
from appliance.control.wire import ListRow
from appliance.hours import load as hours
from appliance.messages.calendar import TEHRAN
from appliance.outbound_lists.settings import OutboundList
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from appliance.signalling.port import ToTrunk
from tests.simulation.office_world import MORNING_MS, Life, World, template, unencrypted

WALKS = 1000 if os.environ.get("PASOKH_LONG") else 30
CHUNK = 10
PROCESSES = 2
MINUTES = 24  # of a walk; the list closes before its end
CLOSES_AFTER = 20 * 60
SPACING_SECONDS = 240.0
UNCOUNTED_SECONDS = 85.0  # 90 s, counted from a little earlier than the box does
ATTEMPTS = 2
ENTRIES = 8


@dataclasses.dataclass
class Dialled:
    """One INVITE that left, and what came of it outside."""

    entry: str
    number: str
    at: float
    agent: str
    ended: float = 0.0
    is_clean: bool = False  # it ended by itself while the process lived, and counts


class ListWorld(World):
    """The ground of office_world.py, looked at for lists alone."""

    def __init__(self, folder: Path, chance: random.Random, empty: Path) -> None:
        super().__init__(folder, chance, empty)
        local = datetime.datetime.fromtimestamp(MORNING_MS / 1000 + CLOSES_AFTER, TEHRAN)
        self.closes = CLOSES_AFTER - local.second
        self.calendar = hours.load(f'[week]\nevery_day = "0-{local:%H:%M}"\n', "work", "work.toml")
        self.wrong: list[str] = []
        self.forbidden: set[str] = set()  # the box has said that it is so
        self.paused = False
        self.done: dict[str, str] = {}  # entry: the outcome that was on the disk
        self.calls: dict[str, Dialled] = {}
        self.figures: collections.Counter[str] = collections.Counter()
        self.mended = 0
        self._waits: dict[str, signalling.Dial] = {}

    def fail(self, what: str) -> None:
        self.wrong.append(f"{self.now:.1f} {what}")

    # The ground -------------------------------------------------------------------------------------------------------

    async def starts(self) -> None:
        life = self.life = Life(self)
        both = tuple(
            OutboundList(
                name=name, calendar="work", agents=self.rules.agents, attempts=ATTEMPTS,
                spacing_minutes=SPACING_SECONDS / 60,
            )
            for name in ("spring", "summer")
        )  # fmt: skip
        life.office.arrange(dataclasses.replace(life.office.settings, outbound_lists=both))
        life.office.calendars = {"work": self.calendar}
        for agent in self.present:
            phone = agent.replace("agent", "desk")
            life.office.registered[phone] = {phone}
        self._connect(life)
        await restart.resume(life.switchboard, life.kept.left_over)

    def _signalled(self, event: signalling.Event) -> None:
        match event:
            case signalling.HungUp(leg) | signalling.Refused(leg) if leg in self.calls:
                self._over(leg, isinstance(event, signalling.Refused) and event.code in (486, 480))
            case _:
                pass
        if self.life is not None:
            self.life.switchboard.signalled(event)

    def mouthed(self, command: object) -> None:
        """What is heard is looked at elsewhere."""

    def look(self) -> None:
        """Nothing of the model of waiting lines is true here."""

    def submitted(self, command: signalling.Command) -> None:
        match command:
            case signalling.Dial(leg, ToTrunk(), waits=True):
                self._waits[leg] = command
            case signalling.Dial(_, ToTrunk()):
                self.fail("an INVITE that nobody has written down")
            case signalling.Go(leg):
                self._leaves(leg, self._waits.pop(leg))
            case signalling.EndOrphan(key) if key.leg in self.calls:
                self._over(key.leg, is_clean=False)
            case signalling.HangUp(leg) if leg in self.calls:
                self._over(leg, is_clean=False)
            case _:
                pass
        self.line.submit(command)

    def _over(self, leg: str, is_clean: bool) -> None:
        call = self.calls[leg]
        if not call.ended:
            call.ended, call.is_clean = self.now, is_clean and self.life is not None

    def _leaves(self, leg: str, dial: signalling.Dial) -> None:
        assert isinstance(dial.to, ToTrunk) and self.life is not None
        number = "+98" + dial.to.number[1:]
        self.figures["dialled"] += 1
        with self.life.store.transaction() as db:
            row = db.execute(
                "SELECT entry, agent, dial FROM list_attempt WHERE leg = ? AND ended IS NULL", (leg,)
            ).fetchone()
        if row is None or not row[2]:
            self.fail(f"{number} is dialled with nothing on the disk")
            return
        entry, agent, _ = row
        if self.now >= self.closes:
            self.fail(f"{number} is dialled after hours")
        if number in self.forbidden:
            self.fail(f"{number} is dialled, who is not to be called")
        if entry in self.done:
            self.fail(f"{number} is dialled again after {self.done[entry]}")
        if self.paused:
            self.fail(f"{number} is dialled while the lists are paused")
        if any(not call.ended and (call.number == number or call.agent == agent) for call in self.calls.values()):
            self.fail(f"a second live attempt: {number} by {agent}")
        before = [call for call in self.calls.values() if call.entry == entry]
        for call in before:
            least = SPACING_SECONDS - 1 if call.is_clean else UNCOUNTED_SECONDS
            if call.ended and self.now - call.ended < least:
                self.fail(f"{number} is dialled {self.now - call.ended:.0f} s after {call}")
        if sum(call.is_clean for call in before) >= ATTEMPTS:
            self.fail(f"{number} is dialled too often")
        self.calls[leg] = Dialled(entry, number, self.now, agent)
        self.line.outside = self.chance.choice(
            [
                Behaviour(answers_after=self.chance.uniform(1, 20), talks_seconds=self.chance.uniform(5, 60)),
                Behaviour(answers_after=self.chance.uniform(1, 20), talks_seconds=None),
                Behaviour(code=self.chance.choice((486, 480, 404, 503)), code_after=self.chance.uniform(0.1, 5)),
                Behaviour(answers_after=None),
            ]
        )

    # What is on the disk ----------------------------------------------------------------------------------------------

    def read(self) -> None:
        """What is done stays done, whatever happens."""
        if self.life is None:
            return
        with self.life.store.transaction() as db:
            rows = db.execute("SELECT id, number, state, outcome FROM list_entry").fetchall()
        for entry, number, state, outcome in rows:
            if state == "done":
                self.done.setdefault(entry, outcome)
            elif entry in self.done:
                self.fail(f"{number} was {self.done[entry]} and is open again")

    # People -----------------------------------------------------------------------------------------------------------

    async def agent(self, name: str) -> None:
        phone, chance = name.replace("agent", "desk"), self.chance
        while self.now < MINUTES * 60 - 120:
            await asyncio.sleep(chance.uniform(1, 60))
            leg = self.line.call_from(phone, "*45")
            ends = self.now + chance.choice((5.0, 40.0, 90.0, 150.0))
            said = chance.choice(("", "*1", "*2", "*3", "1", "4"))
            speaks = self.now + chance.uniform(30, 120)
            while self.now < ends and self.line.is_up(leg):
                await asyncio.sleep(1.0)
                if said and self.now >= speaks:
                    for key in said:
                        self.line.press(leg, key)
                        await asyncio.sleep(0.3)
                    said = ""
            self.line.hang_up(leg)

    async def owner(self) -> None:
        chance = self.chance
        while self.now < MINUTES * 60 - 120:
            await asyncio.sleep(chance.uniform(20, 300))
            life = self.life
            if life is None:
                continue
            number = f"+98912000{chance.randrange(ENTRIES):04}"
            if chance.random() < 0.4:
                await life.office.lists.forbid_all([number], "owner", "page")
                if self.life is life:
                    self.forbidden.add(number)
            else:
                self.paused = False
                is_paused = chance.random() < 0.4
                for name in ("spring", "summer"):
                    await life.office.lists.turn(name, is_paused, "owner")
                self.paused = is_paused and self.life is life

    async def kills(self) -> None:
        chance = self.chance
        while self.now < MINUTES * 60 - 300:
            await asyncio.sleep(chance.expovariate(1 / 300))
            self.read()
            assert self.life is not None
            life, self.life = self.life, None
            for leg, call in self.calls.items():
                call.ended = call.ended or (0.0 if self.line.is_up(leg) else self.now)
            await self.die(life)
            self.figures["kills"] += 1
            await asyncio.sleep(chance.uniform(0.1, 5.0))
            await self.starts()
            self.read()

    async def die(self, life: Life) -> None:
        """As ``Life.kill``, but people live on: only what belongs to the process ends."""
        life.line.is_dead = life.mouth.is_dead = life.records.is_dead = life.kept.is_dead = True
        life.switchboard.callbacks.stop()
        tasks = list(life.switchboard._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        life.store.close()

    async def walk(self) -> None:
        for agent in self.rules.agents:
            self.appears(agent)
        await self.starts()
        assert self.life is not None
        rows = [ListRow(f"0912000{number:04}", "somebody") for number in range(ENTRIES)]
        await self.life.office.lists.add("spring", rows, "owner")
        await self.life.office.lists.add("summer", rows[:3], "owner")
        people = [asyncio.create_task(self.agent(name)) for name in self.rules.agents]
        people += [asyncio.create_task(self.owner()), asyncio.create_task(self.kills())]
        results = await asyncio.gather(*people, return_exceptions=True)
        self.wrong += [f"a fault of the test: {each!r}" for each in results if each is not None]
        await asyncio.sleep(120.0)
        self.read()
        with self.life.store.transaction() as db:
            open_rows = db.execute("SELECT leg FROM list_attempt WHERE ended IS NULL OR outcome = ''").fetchall()
            outcomes = db.execute("SELECT outcome, count(*) FROM list_attempt GROUP BY outcome").fetchall()
        if open_rows:
            self.fail(f"attempts that were never ended: {open_rows}")
        self.figures.update(dict(outcomes))
        self.mended = self.life.office.counters.get("presence_mended", 0)
        await self.die(self.life)


def walked(folder: Path, seeds: range) -> tuple[collections.Counter[str], list[str]]:
    """The figures of these walks, and what was wrong in them."""
    logging.disable(logging.CRITICAL)  # a process that was killed may still say that its calls have ended
    figures: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    folder.mkdir()
    empty = template(folder)
    for seed in seeds:
        place = folder / str(seed)
        place.mkdir()
        with unencrypted(has_tables=True):
            world = ListWorld(place, random.Random(seed), empty)
            world.loop.run_until_complete(world.walk())
            world.loop.close()
        shutil.rmtree(place)
        figures.update(world.figures)
        wrong += [f"seed {seed}: {each}" for each in world.wrong]
        if world.mended:
            wrong.append(f"seed {seed}: an agent counted as busy who was not")
    return figures, wrong


def test_nobody_is_dialled_twice_after_hours_or_against_their_wish_whatever_dies(tmp_path: Path) -> None:
    figures: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    chunks = [range(at, min(WALKS, at + CHUNK)) for at in range(0, WALKS, CHUNK)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        for counted, broken in pool.map(walked, [tmp_path / str(chunk[0]) for chunk in chunks], chunks):
            figures.update(counted)
            wrong += broken
    for name, count in sorted(figures.items()):
        print(f"{name}: {count}")
    print(f"walks: {WALKS}, wrong: {len(wrong)}")
    assert not wrong, f"{len(wrong)} in {WALKS} walks, the first: {wrong[0]}"
    assert figures["dialled"] > 3 * WALKS and figures["kills"] > WALKS, figures
