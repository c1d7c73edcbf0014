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

import pytest

from appliance.records import ledger
from appliance.records.database import Connection
from appliance.signalling import port
from tests.support.box import Box, free_ports, running
from tests.support.softphone import Softphone, Talk
from tests.support.waiting import until
from tests.system.test_crashes import VOICE

LONG = bool(os.environ.get("PASOKH_LONG"))
CALLBACKS = 100 if LONG else 4
KILLS = 200 if LONG else 5
AGENTS = 6 if LONG else 2
SITES = 2 if LONG else 1  # boxes that are killed beside each other: no more than cores, or they wait for each other
READY_SECONDS = 25.0  # five-fold slack on 5 s: the machine is shared
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
    names = ", ".join(f'"{name}"' for name in ("first", *(f"agent{number}" for number in range(2, AGENTS + 1))))
    phones = [f"desk{number}" for number in range(1, AGENTS + 1)]
    box = Box(f"127.0.0.2:{trunk}", phones=phones, flow=FLOW, extra=QUEUE.replace('"first", "agent2"', names))
    box.file.write_text(box.file.read_text().replace("[calls]\n", f"[calls]\nmost_callbacks = {AGENTS}\n"))
    return box


class Office:
    """The agents' phones and the provider's side, which is every customer too."""

    def __init__(self, box: Box, trunk: int) -> None:
        self.box = box
        self.called: list[str] = []
        self.up_at_once = 0
        self.provider = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=VOICE, answer=self._rung)
        self.phones = [
            Softphone(
                ("127.0.0.1", box.sip), ("127.0.0.3", 0), user=f"desk{number}", password=box.password, voice=VOICE
            )
            for number in range(1, AGENTS + 1)
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


@pytest.mark.timeout(3600)
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


class Kills:
    """One box whose calls process is killed again and again while people ask, wait, are called and speak."""

    def __init__(self, site: int) -> None:
        self.site = site
        self.chance = random.Random(6 + site)
        self.ready: list[float] = []
        self.cut_off: list[str] = []
        self.owed: set[str] = set()
        self.attempts = 0

    async def run(self) -> None:
        (trunk,) = free_ports(1, "127.0.0.2")
        box = the_box(trunk)
        try:
            await asyncio.to_thread(box.start)
            async with Office(box, trunk) as office:
                await office.agents()
                working = asyncio.create_task(office.work())
                for number in range(KILLS // SITES):
                    await self._once(box, office, number)
                working.cancel()
                await asyncio.sleep(3.0)
                await asyncio.to_thread(self._judge, box, office)
            assert "Traceback" not in box.log
        finally:
            await asyncio.to_thread(box.stop)
            box.remove()

    async def _once(self, box: Box, office: Office, number: int) -> None:
        asking = asyncio.create_task(office.asks(f"09122{self.site}0{number:04}", 1.0))
        await asyncio.sleep(self.chance.uniform(0.5, 14.0))
        if asking.done() or self.chance.random() < 0.5:
            leg = office.provider.call("02188123456", f"09123{self.site}0{number:04}")
            await until(functools.partial(getattr, leg, "is_up"), 20)
            await asyncio.sleep(self.chance.uniform(0.5, 3.0))
            self.cut_off.append(f"+989123{self.site}0{number:04}")
        os.kill(box.process("calls"), signal.SIGKILL)
        began = time.monotonic()
        await asyncio.sleep(0.2)
        await asyncio.to_thread(box.until_ready, "calls")
        self.ready.append(time.monotonic() - began)
        asking.cancel()
        for talk in [each for each in office.provider.talks.values() if each.is_up]:
            office.provider.hang_up(talk)

    def _judge(self, box: Box, office: Office) -> None:
        rows = office.look()
        self.owed = {customer for customer, _, _ in rows}
        still_open = [customer for customer, state, _ in rows if state == "open"]
        assert len(set(still_open)) == len(still_open), "two open requests for one customer"
        with box.reader() as reader:
            left = reader.within(ledger.open_callbacks)
            attempts = reader.within(_attempts)
            served = {each.customer for each in reader.last(4 * KILLS) if each.talking_ms}
        assert set(self.cut_off) <= self.owed | served, "who was cut off is not called back"
        assert {each.customer for each in left if each.what == "callback"} <= self.owed
        for spans in attempts.values():
            for (_, ended), (began_at, _) in itertools.pairwise(spans):
                assert ended is not None and began_at >= ended, "two attempts at once"
        self.attempts = sum(map(len, attempts.values()))


@pytest.mark.timeout(3600)
def test_killing_calls_at_any_moment_loses_no_request_and_dials_nobody_twice_at_once() -> None:
    sites = [Kills(number) for number in range(SITES)]

    async def scene() -> None:
        await asyncio.gather(*(site.run() for site in sites))

    asyncio.run(scene())
    ready = sorted(moment for site in sites for moment in site.ready)
    print(f"kills: {len(ready)}, requests: {sum(len(site.owed) for site in sites)}, lost: 0, dialled twice at once: 0")
    print(f"attempts: {sum(site.attempts for site in sites)}, cut off: {sum(len(site.cut_off) for site in sites)}")
    p50, p95 = ready[len(ready) // 2], ready[len(ready) * 95 // 100]
    print(f"ready again: p50 {p50:.2f}, p95 {p95:.2f}, longest {ready[-1]:.2f} s")
    assert len(ready) == KILLS and ready[-1] < READY_SECONDS


def _attempts(db: Connection) -> dict[str, list[tuple[int, int | None]]]:
    """Of each request when its attempts began and ended, in order."""
    found: dict[str, list[tuple[int, int | None]]] = {}
    for request, began, ended in db.execute("SELECT request, began, ended FROM attempt ORDER BY began").fetchall():
        found.setdefault(str(request), []).append((int(began), ended))
    return found
