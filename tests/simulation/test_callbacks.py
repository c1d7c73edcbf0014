"""Callbacks on the box's own ground, in virtual time: dialled once, at the kept place, reached only by a person."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from appliance.calls.settings import Queue
from appliance.records import events, ledger
from appliance.records.events import Happened
from appliance.signalling import port as signalling
from appliance.signalling.loopback import Behaviour
from appliance.signalling.port import ToPhone, ToTrunk
from tests.simulation.test_menus import call, office
from tests.support.virtual_time import run

CUSTOMER = "+989121234567"


class Box:
    """The clinic with a customer who is called back; keys are pressed so many seconds after an answer."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.it = office(folder, "clinic")
        queue = dataclasses.replace(Queue(name="reception", agents=("first", "second")), **settings)
        self.it.office.arrange(dataclasses.replace(self.it.office.settings, queues=(queue,), most_callbacks=2))
        self.agent_keys: list[tuple[float, str]] = [(4.0, "1")]
        self.customer_keys: list[tuple[float, str]] = []
        self.dialled: list[tuple[float, str]] = []  # customers: when, and the number
        self.committed = 0  # attempts that were on the disk when an INVITE left
        submit = self.it.line.submit

        waiting: dict[str, signalling.Dial] = {}

        def seen(command: signalling.Command) -> None:
            submit(command)
            if isinstance(command, signalling.Dial) and command.waits:
                waiting[command.leg] = command
            elif isinstance(command, signalling.Go):
                self._leaves(waiting.pop(command.leg))
            elif isinstance(command, signalling.Dial):
                self._leaves(command)

        self.it.line.submit = seen  # type: ignore[method-assign]

    def _leaves(self, command: signalling.Dial) -> None:
        """An INVITE goes out: notes what was on the disk by then, and what will be pressed once it is answered."""
        line = self.it.line
        keys = self.agent_keys if isinstance(command.to, ToPhone) else self.customer_keys
        behaviour = line.phones.get(command.to.phone) if isinstance(command.to, ToPhone) else line.outside
        if isinstance(command.to, ToTrunk):
            self.dialled.append((self.it.clock.monotonic(), command.to.number))
            with self.it.store.transaction() as db:
                row = db.execute("SELECT count(*) FROM attempt WHERE leg = ? AND dial <> ''", (command.leg,)).fetchone()
                self.committed += 1 if not command.waits else row[0] if row else 0  # a person dials without a book
        if behaviour is not None and behaviour.answers_after is not None:
            for after, key in keys:
                at = behaviour.answers_after + after
                asyncio.get_running_loop().call_later(at, self.it.mouth.press, command.leg, key)

    def run(self, scene: Callable[[], Coroutine[Any, Any, object]], seconds: float = 600.0) -> None:
        async def whole() -> None:
            await scene()
            ends = self.it.clock.monotonic() + seconds
            while self.it.clock.monotonic() < ends:
                await asyncio.sleep(5.0)
                self.it.records.flush_now()
            await self.it.stopped()

        run(self.it.loop, whole())
        assert self.it.office.counters.get("faults", 0) == 0
        assert self.it.line.legs == 0 and self.it.mouth.streams == 0 and not self.it.office.floor.engaged()
        assert self.committed == len(self.dialled), "an INVITE left before its attempt was written"

    async def asks(self) -> None:
        """The customer rings, asks for a callback, and hangs up."""
        leg = await call(self.it, "2")
        await asyncio.sleep(12.0)
        self.it.line.hang_up(leg)
        await asyncio.sleep(2.0)

    def request(self) -> ledger.Request:
        (found,) = self.requests()
        return found

    def requests(self) -> list[ledger.Request]:
        return self.it.store.within(ledger.requests)

    def outcomes(self) -> list[str]:
        with self.it.store.transaction() as db:
            return [row[0] for row in db.execute("SELECT outcome FROM attempt ORDER BY began").fetchall()]

    def put(self, happened: Happened) -> None:
        self.it.records.put(happened)


def agents(box: Box, behaviour: Behaviour = Behaviour(answers_after=1.0, talks_seconds=60.0)) -> None:  # noqa: B008
    box.it.line.register("desk1", behaviour)


def test_agent_first_reaches_the_customer_once(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.agent_keys = [(4.0, "1"), (30.0, "*"), (30.5, "1")]
    box.it.line.outside = Behaviour(answers_after=5.0)

    async def scene() -> None:
        agents(box)
        await box.asks()

    box.run(scene)
    assert [number for _, number in box.dialled] == ["09121234567"]
    assert box.outcomes() == ["reached"] and box.request().state == "done"
    incoming, outgoing = box.it.all()
    assert incoming.direction == "in" and outgoing.direction == "out"
    assert outgoing.agent == "first" and outgoing.outcome == "served" and outgoing.talking_ms > 20_000


def test_the_agent_is_asked_when_the_customer_hangs_up_first(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.agent_keys = [(4.0, "1"), (32.0, "1")]
    box.it.line.outside = Behaviour(answers_after=5.0, talks_seconds=10.0)

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0))
        await box.asks()

    box.run(scene, 300.0)
    assert box.outcomes()[0] == "reached"


@pytest.mark.parametrize(
    ("behaviour", "keys", "outcome"),
    [
        (Behaviour(code=486), [], "busy"),
        (Behaviour(code=480), [], "off"),
        (Behaviour(code=603), [], "declined"),
        (Behaviour(code=503), [], "network"),
        (Behaviour(answers_after=None), [], "no_answer"),
        (Behaviour(answers_after=2.0, talks_seconds=20.0), [], "not_given"),  # an announcement behind a 200
        (Behaviour(answers_after=2.0), [(20.0, "*"), (21.0, "2")], "not_reached"),  # the agent says: nobody
    ],
)
def test_nothing_but_a_person_s_key_is_reached(
    tmp_path: Path, behaviour: Behaviour, keys: list[tuple[float, str]], outcome: str
) -> None:
    box = Box(tmp_path, callback_attempts=2, callback_spacing_minutes=2.0)
    box.agent_keys = [(4.0, "1"), *keys]
    box.it.line.outside = behaviour

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0, talks_seconds=100.0))
        await box.asks()

    box.run(scene, 1500.0)
    assert set(box.outcomes()) == {outcome}
    assert len(box.dialled) == 2 if outcome != "network" else len(box.dialled) > 2
    if outcome != "network":
        assert box.request().state == "expired"
        first, second = (at for at, _ in box.dialled)
        assert second - first >= 120.0


def test_a_number_that_does_not_exist_is_dialled_once(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.it.line.outside = Behaviour(code=404)

    async def scene() -> None:
        agents(box)
        await box.asks()

    box.run(scene, 3000.0)
    assert len(box.dialled) == 1 and box.request().state == "expired"


def test_an_agent_who_does_not_press_is_not_connected_and_nobody_is_dialled(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.agent_keys = []

    async def scene() -> None:
        agents(box)
        await box.asks()

    box.run(scene, 600.0)
    assert box.dialled == [] and box.request().state == "open"


@pytest.mark.parametrize(
    ("keys", "outcome"), [([(5.0, "1")], "reached"), ([(5.0, "7")], "not_reached"), ([], "not_reached")]
)
def test_customer_first_needs_the_customer_s_key(tmp_path: Path, keys: list[tuple[float, str]], outcome: str) -> None:
    box = Box(tmp_path, callback_first="customer", callback_attempts=1)
    box.customer_keys = keys
    box.it.line.outside = Behaviour(answers_after=5.0)

    async def scene() -> None:
        agents(box, Behaviour(answers_after=1.0, talks_seconds=30.0))
        await box.asks()

    box.run(scene, 300.0)
    assert box.outcomes() == [outcome]
    assert box.it.all()[-1].agent == ("first" if outcome == "reached" else "")


def test_a_callback_keeps_its_place_among_those_who_wait(tmp_path: Path) -> None:
    box = Box(tmp_path, agents=("first",))
    box.agent_keys = [(4.0, "1"), (20.0, "*"), (20.5, "1")]

    async def scene() -> None:
        await box.asks()  # nobody is there yet
        leg = box.it.line.call_in("provider", "02188123456", "09351112233")
        await asyncio.sleep(8.0)
        box.it.mouth.press(leg, "1")
        await asyncio.sleep(5.0)
        agents(box, Behaviour(answers_after=1.0, talks_seconds=40.0))
        await asyncio.sleep(200.0)

    box.run(scene, 100.0)
    _, waited, called = sorted(box.it.all(), key=lambda each: each.opened)
    talked = {
        each.direction: each.opened + each.ringing_ms + each.menu_ms + each.waiting_ms for each in (waited, called)
    }
    assert called.direction == "out" and called.outcome == waited.outcome == "served"
    assert talked["out"] < talked["in"]


def test_who_rings_again_has_one_request_and_is_not_called_meanwhile(tmp_path: Path) -> None:
    box = Box(tmp_path)

    async def scene() -> None:
        await box.asks()
        leg = await call(box.it, "2")  # asks again
        await asyncio.sleep(15.0)
        box.it.line.hang_up(leg)
        leg = await call(box.it, "1")  # waits, and gets through
        agents(box, Behaviour(answers_after=1.0, talks_seconds=30.0))

    box.run(scene, 600.0)
    assert box.dialled == [] and box.request().state == "done"
    assert box.it.all()[-1].outcome == "served"


def test_who_rings_again_waits_at_the_old_place(tmp_path: Path) -> None:
    box = Box(tmp_path, agents=("first",))

    async def scene() -> None:
        await box.asks()
        other = box.it.line.call_in("provider", "02188123456", "09351112233")
        await asyncio.sleep(8.0)
        box.it.mouth.press(other, "1")
        await asyncio.sleep(10.0)
        await call(box.it, "1")  # the customer of the callback, who has come last and asked first
        agents(box, Behaviour(answers_after=1.0, talks_seconds=40.0))
        await asyncio.sleep(100.0)

    box.run(scene, 100.0)
    _, other, again = sorted(box.it.all(), key=lambda each: each.opened)
    assert again.customer == CUSTOMER and again.outcome == other.outcome == "served"
    assert again.opened + again.menu_ms + again.waiting_ms < other.opened + other.menu_ms + other.waiting_ms
    assert box.dialled == [] and box.request().state == "done"


@pytest.mark.parametrize(
    "number", ["", "09091234567", "00442071234567", "desk1", "110", "1" * 40, "hello", "02188123456"]
)
def test_what_cannot_be_called_back_is_refused(tmp_path: Path, number: str) -> None:
    box = Box(tmp_path)
    line = dataclasses.replace(box.it.office.settings.lines[0], number="02188123456")
    box.it.office.arrange(dataclasses.replace(box.it.office.settings, lines=(line,)))
    assert box.it.office.callback_number(number, "provider")[1]
    assert box.it.office.callback_number("۰۹۱۲۱۲۳۴۵۶۷", "provider") == (CUSTOMER, "")
    assert box.it.office.callback_number("44556677", "provider") == ("+982144556677", "")
    box.it.loop.close()


def test_callbacks_leave_a_line_for_callers(tmp_path: Path) -> None:
    """Row 17: a trunk of three lines, callbacks without end: a caller always gets in."""
    box = Box(tmp_path)
    sip = box.it.office.sip
    box.it.office.sip = dataclasses.replace(sip, trunks=(dataclasses.replace(sip.trunks[0], max_calls=3),))
    box.it.office.arrange(dataclasses.replace(box.it.office.settings, most_callbacks=50, kept_for_callers=1))
    box.it.line.outside = Behaviour(answers_after=None)

    async def scene() -> None:
        for number in range(20):
            box.put(
                events.RequestOpened(
                    "", f"r{number}", number + 1, "", "callback", f"+98912{number:07}", "fa", "reception", 0, "", 0
                )
            )
        await box.it.records.flush()
        agents(box, Behaviour(answers_after=1.0))
        box.it.line.register("desk2", Behaviour(answers_after=1.0))
        box.it.switchboard.callbacks.restore(box.it.store.within(ledger.open_callbacks))
        box.it.switchboard.callbacks.look()
        for _ in range(100):
            await asyncio.sleep(7.0)
            leg = await call(box.it, "")
            box.it.line.hang_up(leg)
            await asyncio.sleep(1.0)

    box.run(scene, 60.0)
    incoming = [each for each in box.it.all() if each.direction == "in"]
    assert len(incoming) == 100 and all(each.outcome != "refused" for each in incoming)
    assert len(box.dialled) > 10


@pytest.mark.parametrize("seed", range(5))
def test_after_a_crash_every_callback_is_still_owed_and_none_is_dialled_twice_at_once(
    tmp_path: Path, seed: int
) -> None:
    """The book as the records give it back: an attempt under way is closed as interrupted, and waits its time."""
    chance = random.Random(seed)
    box = Box(tmp_path)
    box.it.line.outside = Behaviour(answers_after=chance.choice((None, 20.0)))
    at = chance.uniform(14.0, 60.0)

    async def scene() -> None:
        agents(box)
        await box.asks()
        await asyncio.sleep(at)
        await box.it.records.flush()

    async def crash() -> None:
        await scene()
        ends = list(box.it.switchboard._tasks)
        for task in ends:
            task.cancel()
        await asyncio.gather(*ends, return_exceptions=True)

    run(box.it.loop, crash())
    before = len(box.dialled)
    left = box.it.store.within(ledger.open_callbacks)
    if not left:
        assert box.request().state == "done"
        return
    (owed,) = left
    assert bool(owed.dialling) == (before > 0 and "" in box.outcomes())
    (tmp_path / "again").mkdir()
    again = Box(tmp_path / "again")
    again.it.clock._utc_ms_at_zero += round(box.it.clock.monotonic() * 1000)

    async def restart() -> None:
        began = again.it.clock.monotonic()
        agents(again)
        again.it.switchboard.callbacks.restore([dataclasses.replace(owed, queue="reception")])
        again.it.switchboard.callbacks.look()
        await asyncio.sleep(300.0)
        assert again.dialled and all(moment - began >= (90.0 if owed.dialling else 0.0) for moment, _ in again.dialled)

    again.run(restart, 60.0)


def test_a_callback_can_be_asked_for_at_any_moment_in_the_line(tmp_path: Path) -> None:
    """Row 2: two hundred callers press the key at moments of their own, during announcements, music and ringing."""
    box = Box(tmp_path)
    box.it.office.arrange(dataclasses.replace(box.it.office.settings, most_callbacks=0, max_calls=400))
    chance = random.Random(2)

    async def one(number: int) -> None:
        leg = box.it.line.call_in("provider", "02188123456", f"0912{number:07}")
        await asyncio.sleep(8.0)
        box.it.mouth.press(leg, "1")
        await asyncio.sleep(chance.uniform(0.5, 120.0))
        box.it.mouth.press(leg, "1")
        await asyncio.sleep(15.0)
        box.it.line.hang_up(leg)

    async def scene() -> None:
        agents(box, Behaviour(answers_after=None))  # rings all the time, and nobody answers
        await asyncio.gather(*(one(number) for number in range(200)))

    box.run(scene, 30.0)
    assert len(box.requests()) == 100  # the newest hundred
    with box.it.store.transaction() as db:
        assert db.execute("SELECT count(DISTINCT customer) FROM request WHERE what = 'callback'").fetchone() == (200,)
