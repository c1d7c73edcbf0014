"""Callbacks with real calls: asked for, dialled, reached by a key; and kill -9 of the calls process at any moment.

A sample in ``make check``; a hundred callbacks and two hundred kills in ``make long ONLY=callbacks``.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import random
import signal
import time

from appliance.records import ledger
from appliance.records.database import Connection
from appliance.signalling import port
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone, Talk
from tests.system.test_crashes import VOICE, until

LONG = bool(os.environ.get("PASOKH_LONG"))
CALLBACKS = 100 if LONG else 4
KILLS = 200 if LONG else 5
RING_AGENT_SECONDS, READY_SECONDS = 20, 5.0
FLOW = """
[flow]
name = "welcome"
start = "line"
languages = ["fa", "en"]
needs_notice = false

[variables]
code = "digits"

[node.line]
kind = "enqueue"
queue = "reception"
leave_key = "1"
on_leave = "callback"
on_nobody = "bye"

[node.callback]
kind = "callback"
queue = "reception"
into = "code"
next = "kept"
on_failure = "bye"

[node.kept]
kind = "goodbye"
prompt = ["callback_kept", "tracking_code_is"]
outcome = "callback"

[node.bye]
kind = "goodbye"
prompt = ["goodbye"]
"""
QUEUE = """
[[queue]]
name = "reception"
agents = ["first", "agent2"]
callback_spacing_minutes = 1
ring_seconds = 10
"""


def the_box(trunk: int) -> Box:
    return Box(f"127.0.0.2:{trunk}", phones=("desk1", "desk2"), flow=FLOW, extra=QUEUE)


class Office:
    """Two agents' phones and the provider's side, which is every customer too."""

    def __init__(self, box: Box, trunk: int) -> None:
        self.box = box
        self.called: list[str] = []
        self.up_at_once = 0
        self.provider = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=VOICE, answer=self._rung)
        self.phones = [
            Softphone(
                ("127.0.0.1", box.sip), ("127.0.0.3", 0), user=f"desk{number}", password=box.password, voice=VOICE
            )
            for number in (1, 2)
        ]

    def _rung(self, offered: port.Offered) -> str:
        self.called.append(offered.called)
        return "answer"

    async def __aenter__(self) -> Office:
        await self.provider.start()
        return self

    async def agents(self) -> None:
        for phone in self.phones:
            await phone.start()
        async with asyncio.timeout(20):
            await asyncio.gather(*(phone.is_registered.wait() for phone in self.phones))

    async def __aexit__(self, *_: object) -> None:
        for each in (self.provider, *self.phones):
            await each.stop()

    async def asks(self, number: str, moment: float) -> None:
        """A customer rings, waits a moment in the line, asks for a callback and hangs up."""
        talk = self.provider.call("02188123456", number)
        await until(lambda: talk.is_up, 10)
        await asyncio.sleep(moment)
        self.provider.press(talk, "1")
        await until(lambda: talk.ended is not None, 30)

    async def work(self) -> None:
        """Agents press 1 whenever they are spoken to, and hang up once the customer was reached."""
        pressed: dict[str, float] = {}
        while True:
            await asyncio.sleep(0.3)
            for phone in self.phones:
                for talk in [each for each in phone.talks.values() if each.is_up]:
                    await self._press(phone, talk, pressed)

    async def _press(self, phone: Softphone, talk: Talk, pressed: dict[str, float]) -> None:
        began = pressed.setdefault(talk.leg, time.monotonic())
        passed = time.monotonic() - began
        if passed > 9.0:
            phone.hang_up(talk)
        elif passed > 7.0:
            phone.press(talk, "*")
            phone.press(talk, "1")
        elif passed > 1.0:
            phone.press(talk, "1")

    def look(self) -> list[tuple[str, str, int]]:
        """Of each request: the customer, its state, and how many attempts are on record."""

        def query(db: Connection) -> list[tuple[str, str, int]]:
            rows = db.execute(
                "SELECT r.customer, r.state, (SELECT count(*) FROM attempt WHERE request = r.id)"
                " FROM request AS r WHERE r.what = 'callback' ORDER BY r.number"
            ).fetchall()
            return [(str(row[0]), str(row[1]), int(row[2])) for row in rows]

        with self.box.reader() as reader:
            return reader.within(query)


def test_customers_are_called_back_and_reached() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    chance = random.Random(5)
    with running(the_box(trunk)) as box:

        async def scene() -> None:
            async with Office(box, trunk) as office:
                numbers = [f"0912100{number:04}" for number in range(CALLBACKS)]
                await asyncio.gather(*(office.asks(number, chance.uniform(0.2, 4.0)) for number in numbers))
                assert [state for _, state, _ in office.look()] == ["open"] * CALLBACKS
                await office.agents()
                working = asyncio.create_task(office.work())
                await until(lambda: all(state == "done" for _, state, _ in office.look()), 60 + 12 * CALLBACKS)
                working.cancel()
                assert sorted(office.called) == numbers  # each once
                print(f"callbacks reached: {len(office.look())} of {CALLBACKS}, dialled {len(office.called)} times")

        asyncio.run(scene())
        assert "Traceback" not in box.log


def test_killing_calls_at_any_moment_loses_no_request_and_dials_nobody_twice_at_once() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    chance = random.Random(6)
    ready: list[float] = []
    cut_off: list[str] = []
    with running(the_box(trunk)) as box:

        async def scene() -> None:
            async with Office(box, trunk) as office:
                await office.agents()
                working = asyncio.create_task(office.work())
                for number in range(KILLS):
                    asking = asyncio.create_task(office.asks(f"0912200{number:04}", 1.0))
                    await asyncio.sleep(chance.uniform(0.5, 14.0))
                    if asking.done() or chance.random() < 0.5:
                        leg = office.provider.call("02188123456", f"0912300{number:04}")
                        await until(functools.partial(getattr, leg, "is_up"), 10)
                        await asyncio.sleep(chance.uniform(0.5, 3.0))
                        cut_off.append(f"+98912300{number:04}")
                    os.kill(box.process("calls"), signal.SIGKILL)
                    began = time.monotonic()
                    await asyncio.sleep(0.2)
                    await asyncio.to_thread(box.until_ready, "calls")
                    ready.append(time.monotonic() - began)
                    asking.cancel()
                    for talk in [each for each in office.provider.talks.values() if each.is_up]:
                        office.provider.hang_up(talk)
                working.cancel()
                await asyncio.sleep(3.0)
                owed = {customer for customer, _, _ in office.look()}
                still_open = [customer for customer, state, _ in office.look() if state == "open"]
                assert len(set(still_open)) == len(still_open), "two open requests for one customer"
                with box.reader() as reader:
                    left = reader.within(ledger.open_callbacks)
                    attempts = reader.within(_attempts)
                with box.reader() as reader:
                    served = {each.customer for each in reader.last(4 * KILLS) if each.talking_ms}
                assert set(cut_off) <= owed | served, "who was cut off is not called back"
                assert {each.customer for each in left} <= owed
                for spans in attempts.values():
                    for (_, ended), (began_at, _) in itertools.pairwise(spans):
                        assert ended is not None and began_at >= ended, "two attempts at once"
                print(f"kills: {KILLS}, requests: {len(owed)}, attempts: {sum(map(len, attempts.values()))}")
                print(f"ready again: longest {max(ready):.2f} s")

        asyncio.run(scene())
        assert max(ready) < READY_SECONDS
        assert "Traceback" not in box.log


def _attempts(db: Connection) -> dict[str, list[tuple[int, int | None]]]:
    """Of each request when its attempts began and ended, in order."""
    found: dict[str, list[tuple[int, int | None]]] = {}
    for request, began, ended in db.execute("SELECT request, began, ended FROM attempt ORDER BY began").fetchall():
        found.setdefault(str(request), []).append((int(began), ended))
    return found
