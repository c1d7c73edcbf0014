"""Row 7: of five hundred calls, who is in the list of those who wait for us, and who is not; by labels of the script.

The script knows who was spoken with because it decides when agents are there; it never asks the list.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from appliance.calls.orders import Orders
from appliance.calls.switches import BoxSwitches
from appliance.control import wire
from appliance.hours.model import Switches
from appliance.records import owed
from appliance.signalling.loopback import Behaviour
from tests.simulation.test_callbacks import Box

CALLS, PEOPLE = 500, 140


def number_of(person: int) -> str:
    return f"0912{3_000_000 + person}"


class Day:
    """One call after the other, so that the script knows for sure what each came to."""

    def __init__(self, box: Box, chance: random.Random) -> None:
        self.box = box
        self.chance = chance
        self.waits: dict[str, int] = {}  # who waits for us: how often they rang in vain
        self.withheld = 0
        self.is_attended = False

    async def call(self) -> None:
        """Somebody rings: spoken with, or gone before, or hides the number."""
        person = "" if self.chance.random() < 0.04 else number_of(int(self.chance.triangular(0, PEOPLE, 0)))
        leg = self.box.it.line.call_in("provider", "02188123456", person)
        if self.chance.random() < 0.1:  # rings off in the greeting
            await asyncio.sleep(3.0)
            self.box.it.line.hang_up(leg)
            self._missed(person)
            await asyncio.sleep(10.0)
            return
        await asyncio.sleep(8.0)
        self.box.it.mouth.press(leg, "1")
        await asyncio.sleep(14.0)
        if self.is_attended:
            self._spoken(person)
        else:
            self._missed(person)
        self.box.it.line.hang_up(leg)
        await asyncio.sleep(15.0)

    async def call_back(self) -> None:
        """Somebody of the office calls a person of the list, who is reached or is not."""
        open_now = [each for each in self.box.it.store.within(owed.persons) if each.customer]
        if not open_now or not self.is_attended:
            return
        chosen = self.chance.choice(open_now)
        is_reached = self.chance.random() < 0.6
        self.box.it.line.outside = Behaviour(answers_after=2.0) if is_reached else Behaviour(code=486)
        orders = Orders(self.box.it.office, self.box.it.switchboard.sessions, lambda: None)
        await orders.carry_out(wire.CallNow("", chosen.requests[0][0]), "owner")
        await asyncio.sleep(90.0)
        if is_reached:
            self._spoken("0" + chosen.customer.removeprefix("+98"))

    async def attend(self, is_so: bool) -> None:
        self.is_attended = is_so
        if is_so:
            self.box.it.line.register("desk1", Behaviour(answers_after=1.0, talks_seconds=60.0))
        else:
            self.box.it.line.unregister("desk1")
        await asyncio.sleep(70.0)

    def _missed(self, person: str) -> None:
        if person:
            self.waits[person] = self.waits.get(person, 0) + 1
        else:
            self.withheld += 1

    def _spoken(self, person: str) -> None:
        self.waits.pop(person, None)


def test_the_list_holds_whom_nobody_has_spoken_with_once_each_and_nobody_else(tmp_path: Path) -> None:
    box = Box(tmp_path, callback_attempts=20, callback_spacing_minutes=10_000.0, callback_expires_hours=1_000.0)
    box.agent_keys = [(5.0, "1"), (25.0, "*"), (25.5, "1")]
    day = Day(box, random.Random(7))

    async def scene() -> None:
        box.it.office.desk.switches = BoxSwitches(Switches(open_until_ms=box.it.clock.utc_ms() + 10**10))  # a long day
        for number in range(CALLS):
            if number % 25 == 0:
                await day.attend(not day.is_attended)
            if number % 3 == 0:
                await box.it.records.flush()
                await day.call_back()
            await day.call()
        await box.it.records.flush()
        found = box.it.store.within(owed.persons)
        listed = ["0" + each.customer.removeprefix("+98") for each in found if each.customer]
        assert len(listed) == len(set(listed)), "a person has two rows"
        right = set(listed) & set(day.waits)
        print(f"missed: {CALLS} calls, {len(day.waits)} wait, precision {len(right)}/{len(listed)}")
        assert {"0" + each.customer.removeprefix("+98"): each.missed for each in found if each.customer} == day.waits
        assert sum(not each.customer for each in found) == day.withheld  # each of them is a person of its own

    box.run(scene, 10.0)
    assert len(day.waits) > 30
