"""Reached means a person said so: hundreds of answers of forty kinds by real SIP, each told as what it was.

Customers are our softphone, SIPp and pyVoIP; agents are telephones of the office; many callbacks run at once. A seeded
sample in ``make check``; five hundred in ``make long ONLY=answers``.
"""

from __future__ import annotations

import asyncio
import collections
import os
import random
import secrets
import time
from pathlib import Path

import pytest

from appliance.clock import SystemClock
from appliance.records import events
from appliance.records.database import Connection
from appliance.records.store import Store
from appliance.signalling import port
from tests.support.box import Box, free_ports, running
from tests.support.customers import Customers, Script
from tests.system.answering import Kind, kinds
from tests.system.peers import Peers
from tests.system.test_callbacks import FLOW

LONG = bool(os.environ.get("PASOKH_LONG"))
ANSWERS = 500 if LONG else 46
AT_ONCE = 28 if LONG else 18
SLOWEST = "rings and nobody answers"
NOBODY = Script(code=480)


def queues(agents: list[str]) -> str:
    names = ", ".join(f'"{name}"' for name in agents)
    return "".join(
        f'[[queue]]\nname = "{name}"\nagents = [{names}]\nstrategy = "longest_idle"\ncallback_first = "{first}"\n'
        f"callback_attempts = 1\nmisses = 100\nring_seconds = 30\n"
        for name, first in (("reception", "agent"), ("sales", "customer"))
    )


def chosen(everything: tuple[Kind, ...]) -> list[Kind]:
    """Every kind once, then at random; those that take longest first."""
    chance = random.Random(12)
    rest = [each for each in everything if LONG or each.name != SLOWEST]
    found = [*everything, *chance.choices(rest, k=max(0, ANSWERS - len(everything)))]
    chance.shuffle(found)
    return sorted(found, key=lambda kind: kind.name != SLOWEST)


class Scene:
    """The box, the requests in its book, and who answers them."""

    def __init__(self, folder: Path) -> None:
        every = kinds()
        self.asked = {f"0912{100 + number:07}": kind for number, kind in enumerate(chosen(every))}
        names = sorted({kind.trunk for kind in every} - {"provider"})
        first, *others = free_ports(1 + len(names), "127.0.0.2")
        self.ports = {"provider": first, **dict(zip(names, others, strict=True))}
        trunks = "".join(
            f'[[trunk]]\nname = "{name}"\nproxy = "127.0.0.2:{self.ports[name]}"\nregisters = false\n' for name in names
        )
        phones = [f"desk{number}" for number in range(1, AT_ONCE + 1)]
        agents = ["first", *(f"agent{number}" for number in range(2, AT_ONCE + 1))]
        self.box = Box(f"127.0.0.2:{first}", phones=phones, flow=FLOW, extra=trunks + queues(agents))
        text = self.box.file.read_text()
        self.box.file.write_text(text.replace("[calls]\n", f"[calls]\nmost_callbacks = {AT_ONCE}\n"))
        self.answered = {number: asyncio.Event() for number in self.asked}
        self.phones: list[Customers] = []
        self.peers = Peers(folder, self.box.sip, self.ports)
        self._write_requests()

    def _write_requests(self) -> None:
        """Everybody has asked for a callback already, on the trunk that they are called by."""
        key = secrets.token_bytes(32)
        (self.box.folder / "secrets" / "database-key").write_text(key.hex())
        (self.box.folder / "data").mkdir(exist_ok=True)
        store = Store(self.box.data / "calls.db", key, SystemClock())
        put: list[events.Happened] = []
        for count, (number, kind) in enumerate(self.asked.items(), 1):
            asker, customer = f"{count:032x}", "+98" + number[1:]
            put += [
                events.ConversationOpened(
                    asker, "in", "office", kind.trunk, "", customer, number, "", False, "welcome", "", "fa"
                ),
                events.ConversationClosed(asker, events.Outcome.FINISHED, "callback", "", 1000),
                events.RecordClosed(asker),
                events.RequestOpened(
                    asker, f"r{count}", count, f"{count:06}", "callback", customer, "fa", kind.line, 0, "", 0
                ),
            ]
        store.apply(put)
        store.close_hard()

    async def start(self) -> None:
        box = ("127.0.0.1", self.box.sip)
        provider = Customers(box, ("127.0.0.2", self.ports["provider"]), self._customer, answered=self._has_answered)
        await provider.start()
        self.phones.append(provider)
        for number in range(1, AT_ONCE + 1):
            phone = Customers(
                box, ("127.0.0.3", 0), self._agent, until_customer=self._until_customer, user=f"desk{number}",
                password=self.box.password,
            )  # fmt: skip
            await phone.start()
            self.phones.append(phone)
        async with asyncio.timeout(30):
            await asyncio.gather(*(phone.is_registered.wait() for phone in self.phones[1:]))

    async def stop(self) -> None:
        for phone in self.phones:
            await phone.stop()

    def _customer(self, offered: port.Offered) -> Script:
        kind = self.asked.get(offered.called)
        return kind.customer if kind is not None and kind.customer is not None else NOBODY

    def _agent(self, offered: port.Offered) -> Script:
        kind = self.asked.get(offered.caller.number)
        return kind.agent if kind is not None and kind.agent is not None else NOBODY

    def _has_answered(self, offered: port.Offered) -> None:
        self.answered[offered.called].set()

    async def _until_customer(self, offered: port.Offered) -> None:
        await self.answered[offered.caller.number].wait()

    # What came of it --------------------------------------------------------------------------------------------------

    def look(self) -> dict[str, tuple[str, str]]:
        """By number: outcome and what was heard, of the first attempt that has ended."""

        def query(db: Connection) -> dict[str, tuple[str, str]]:
            rows = db.execute(
                "SELECT r.customer, a.outcome, a.heard FROM attempt AS a JOIN request AS r ON r.id = a.request"
                " WHERE a.ended IS NOT NULL ORDER BY a.began DESC"
            ).fetchall()
            return {"0" + str(row[0]).removeprefix("+98"): (str(row[1]), str(row[2])) for row in rows}

        with self.box.reader() as reader:
            return reader.within(query)


@pytest.mark.timeout(1200)
def test_every_answer_is_told_as_what_it_was_and_only_a_person_s_key_is_reached(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.peers.start(collections.Counter(kind.trunk for kind in scene.asked.values()))
    began = time.monotonic()
    with running(scene.box) as box:

        async def whole() -> None:
            await scene.start()
            try:
                async with asyncio.timeout(900 if LONG else 240):
                    while len(scene.look()) < len(scene.asked):  # noqa: ASYNC110 - another process writes the rows
                        await asyncio.sleep(1.0)
            finally:
                await scene.stop()

        try:
            asyncio.run(whole())
        finally:
            found = scene.look()
            codes = scene.peers.end()
        assert "Traceback" not in box.log
    wrong = [
        f"{kind.name}: {found.get(number)} and not {(kind.outcome, kind.heard)}"
        for number, kind in scene.asked.items()
        if found.get(number) != (kind.outcome, kind.heard)
    ]
    people = [number for number, kind in scene.asked.items() if kind.outcome == "reached"]
    reached = {number for number, (outcome, _) in found.items() if outcome == "reached"}
    of_kinds = collections.Counter(kind.name for kind in scene.asked.values())
    print("kinds: " + "; ".join(f"{name} {count}" for name, count in sorted(of_kinds.items())))
    print(f"outcomes: {dict(collections.Counter(outcome for outcome, _ in found.values()))}")
    print(f"answers: {len(found)} of {len(of_kinds)} kinds")
    print(f"seconds: {time.monotonic() - began:.0f}, at once: {AT_ONCE}")
    print(f"false reached: {len(reached - set(people))}, people reached: {len(reached & set(people))} of {len(people)}")
    print(f"told otherwise than they were: {len(wrong)}")
    assert not reached - set(people) and not wrong, "\n".join(wrong)
    assert set(codes.values()) == {0}, codes
