"""Outbound lists in offices where everything happens at random: agents ask, customers answer or not, the owner forbids
and pauses, and the calls process is killed at any moment.

What is looked at is what leaves the box: who is dialled when, with what on the disk. ``make long ONLY=outbound-lists``.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime
import os
import random
from pathlib import Path

import pytest

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
MINUTES = 40  # of a walk; the list closes before its end
CLOSES_AFTER = 34 * 60
SPACING_SECONDS = 240.0
UNCOUNTED_SECONDS = 85.0  # 90 s, counted from a little earlier than the box does
ATTEMPTS = 2
ENTRIES = 8


@dataclasses.dataclass
class Dialled:
    """One INVITE that left, and what came of it outside."""

    number: str
    at: float
    phone: str
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
        self.done: dict[str, str] = {}  # number: the outcome that was on the disk
        self.calls: dict[str, Dialled] = {}
        self.figures: collections.Counter[str] = collections.Counter()
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
                "SELECT agent, dial, outcome FROM list_attempt WHERE leg = ? AND ended IS NULL", (leg,)
            ).fetchone()
        if row is None or not row[1]:
            self.fail(f"{number} is dialled with nothing on the disk")
            return
        if self.now >= self.closes:
            self.fail(f"{number} is dialled after hours")
        if number in self.forbidden:
            self.fail(f"{number} is dialled, who is not to be called")
        if number in self.done:
            self.fail(f"{number} is dialled again after {self.done[number]}")
        if self.paused:
            self.fail(f"{number} is dialled while the lists are paused")
        before = [call for call in self.calls.values() if call.number == number]
        if any(not call.ended for call in before) or any(
            not call.ended and call.phone == row[0] for call in self.calls.values()
        ):
            self.fail(f"a second live attempt: {number} by {row[0]}")
        for call in before:
            least = SPACING_SECONDS - 1 if call.is_clean else UNCOUNTED_SECONDS
            if call.ended and self.now - call.ended < least:
                self.fail(f"{number} is dialled {self.now - call.ended:.0f} s after {call}")
        if sum(call.is_clean for call in before) >= 2 * ATTEMPTS:  # the number may stand in both lists
            self.fail(f"{number} is dialled too often")
        self.calls[leg] = Dialled(number, self.now, row[0])
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
            rows = db.execute("SELECT list_name, number, state, outcome FROM list_entry").fetchall()
        by_number: dict[str, list[tuple[str, str]]] = {}
        for _, number, state, outcome in rows:
            by_number.setdefault(number, []).append((state, outcome))
        for number, found in by_number.items():
            if all(state == "done" for state, _ in found):
                self.done.setdefault(number, found[0][1])
            elif number in self.done:
                self.fail(f"{number} was {self.done[number]} and is open again")

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
            (left,) = db.execute("SELECT count(*) FROM list_attempt WHERE ended IS NULL OR outcome = ''").fetchone()
            outcomes = db.execute("SELECT outcome, count(*) FROM list_attempt GROUP BY outcome").fetchall()
        if left:
            self.fail(f"{left} attempts were never ended")
        self.figures.update(dict(outcomes))
        await self.die(self.life)


@pytest.mark.parametrize("chunk", range(0, WALKS, CHUNK))
def test_nobody_is_dialled_twice_after_hours_or_against_their_wish_whatever_dies(tmp_path: Path, chunk: int) -> None:
    figures: collections.Counter[str] = collections.Counter()
    empty = template(tmp_path)
    for seed in range(chunk, chunk + CHUNK):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with unencrypted(has_tables=True):
            world = ListWorld(folder, random.Random(seed), empty)
            world.loop.run_until_complete(world.walk())
            world.loop.close()
        assert world.wrong == [], f"seed {seed}"
        figures += world.figures
    print(f"walks {chunk} to {chunk + CHUNK - 1}: {dict(figures)}")
    assert figures["dialled"] > CHUNK and figures["kills"] > CHUNK
