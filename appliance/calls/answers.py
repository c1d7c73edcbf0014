"""Answers to what a flow cannot know by itself: the ledger, the owner's switches, other servers, PINs and codes.

A walk waits two seconds at most; what comes later is not waited for. Nothing secret is in an event, a log or an
exception.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from appliance.calls.switches import BoxSwitches, taken_back, turn_of
from appliance.clock import Clock
from appliance.errors import Problem
from appliance.flow import steps
from appliance.flow.steps import Value
from appliance.ids import uuid7
from appliance.queue.callbacks import Book, Wanted
from appliance.records import events, ledger
from appliance.records.writer import Records
from appliance.signalling import numbers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """As ``steps.Answer``, without its number."""

    is_ok: bool
    values: Mapping[str, Value] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and who asks: the conversation at this node, its customer and language."""

    question: steps.Question
    conversation: str
    node: str
    customer: str
    language: str
    offset_ms: int
    trunk: str = ""


class Answers(Protocol):
    """Who answers the questions of flows: ``BoxAnswers``, or a scene of a test."""

    async def answer(self, asked: Asked) -> Reply: ...


class Servers(Protocol):
    """Other servers and secrets: ``lookup`` on the box."""

    async def look_up(self, lookup: str, values: Mapping[str, str]) -> Reply: ...

    async def check_pin(self, identity: str, pin: str) -> Reply: ...

    async def send_code(self, conversation: str, number: str, language: str) -> Reply: ...

    def check_code(self, conversation: str, code: str) -> Reply: ...


Screen = Callable[[str, str], tuple[str, str]]
"""A number to be called back, as it came on this trunk: its E.164 form, and why it is refused (empty: it is not)."""


class Desk:
    """What the box itself keeps and answers: requests of the ledger and the switches; ``changed`` is told of both."""

    def __init__(self, records: Records, clock: Clock, changed: Callable[[], None], book: Book, screen: Screen) -> None:
        self.switches = BoxSwitches()
        self.on_callback: Callable[[], None] = lambda: None  # there is a new one in the book
        self._book = book
        self._screen = screen
        self._records = records
        self._clock = clock
        self._changed = changed
        self._next = 1

    def restore(self, next_number: int, switches: BoxSwitches) -> None:
        """What was true when the box last ran."""
        self._next, self.switches = next_number, switches

    def open(self, what: ledger.What, asked: Asked, number: str, queue: str, due: int, detail: str) -> tuple[str, str]:
        """A new request: its id and its tracking code."""
        request, code = uuid7(self._clock.utc_ms()), ledger.code_of(self._next)
        customer = numbers.normalise(number).e164 or number if number else asked.customer
        self._records.put(
            events.RequestOpened(
                asked.conversation, request, self._next, code, what, customer, asked.language, queue,
                due, detail, asked.offset_ms,
            )
        )  # fmt: skip
        self._next += 1
        self._changed()
        return request, code

    def call_back(self, asked: Asked, number: str, queue: str, due: int, opened: int = 0) -> Reply:
        """Keeps a place in the line for who asks; the one that they have already, where there is one.

        ``opened`` is the place (UTC ms); 0: now.
        """
        customer, refusal = self._screen(number or asked.customer, asked.trunk)
        if refusal:
            return Reply(False, reason=refusal)
        known = self._book.of(customer, queue)
        if known is None:
            now = self._clock.utc_ms()
            request, code = self.open("callback", asked, customer, queue, due, "")
            known = Wanted(
                request=request, queue=queue, customer=customer, language=asked.language, trunk=asked.trunk,
                opened=opened or now, not_before=due, code=code,
            )  # fmt: skip
            self._book.add(known)
        self._book.hold(known.request, asked.conversation)
        self.on_callback()
        return Reply(True, {"code": known.code, "due": known.not_before})

    def turn(self, action: str, value: str, by: str) -> bool:
        """Turns a switch; False where the value makes no sense."""
        turn = turn_of(action, value, self._clock.utc_ms(), self.switches)
        if turn is None:
            return False
        before, self.switches = self.switches, self.switches.turned(turn)
        for other in taken_back(before, self.switches):  # so that the records say what is true after a start
            self._records.put(events.SwitchTurned(other, "0", by))
        self._records.put(events.SwitchTurned(turn.switch, turn.value, by))
        self._changed()
        return True

    async def find(self, code: str) -> Reply:
        found = await self._records.call(lambda store: store.within(lambda db: ledger.find(db, code)))
        if found is None:
            return Reply(False, {"state": "unknown"}, "unknown")
        state = "open" if found.state in ("open", "doing") else "done"
        return Reply(True, {"state": state, "due": found.due})


class BoxAnswers:
    """Asks whoever knows."""

    def __init__(
        self,
        desk: Desk,
        servers: Servers | None,
        records: Records,
        clock: Clock,
        holidays: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._desk = desk
        self._servers = servers
        self._records = records
        self._clock = clock
        self._holidays = holidays

    async def answer(self, asked: Asked) -> Reply:
        try:
            return await self._answer(asked)
        except Problem as problem:
            log.warning("a flow's question at %s has no answer: %s", asked.node, problem.key)
            return Reply(False, reason=problem.key)

    async def _answer(self, asked: Asked) -> Reply:
        match asked.question:
            case steps.LookUp() | steps.CheckPin() | steps.SendCode() | steps.CheckCode():
                return await self._elsewhere(asked, asked.question)
            case steps.OpenRequest("callback", number, queue, due_ms):
                return self._desk.call_back(asked, number, queue, due_ms)
            case steps.OpenRequest(what, number, queue, due_ms, detail):
                _, code = self._desk.open(what, asked, number, queue, due_ms, detail)
                return Reply(True, {"code": code, "due": due_ms})
            case steps.FindRequest(code):
                return await self._desk.find(code)
            case steps.Control("confirm_holidays" | "refuse_holidays" as action):
                value = ",".join(sorted(self._holidays()))
                return Reply(self._desk.turn(action, value, asked.customer or "telephone"), reason="no_holiday")
            case steps.Control(action, value):
                return Reply(self._desk.turn(action, value, asked.customer or "telephone"), reason="no_sense")
            case steps.TakeMessage():
                return Reply(False, reason="taken elsewhere")  # the session listens itself

    async def _elsewhere(
        self, asked: Asked, question: steps.LookUp | steps.CheckPin | steps.SendCode | steps.CheckCode
    ) -> Reply:
        servers = self._servers
        if servers is None:
            return Reply(False, reason="no_servers")
        match question:
            case steps.LookUp(lookup, values):
                return await self._timed(asked, lookup, servers.look_up(lookup, values))
            case steps.CheckPin(identity, pin):
                return await servers.check_pin(identity, pin)
            case steps.SendCode(number):
                return await servers.send_code(asked.conversation, number, asked.language)
            case steps.CheckCode(code):
                return servers.check_code(asked.conversation, code)

    async def _timed(self, asked: Asked, lookup: str, work: Awaitable[Reply]) -> Reply:
        began = self._clock.monotonic()
        reply = await work
        milliseconds = round(1000 * (self._clock.monotonic() - began))
        self._records.put(
            events.LookedUp(
                asked.conversation, asked.node, lookup, reply.is_ok, reply.reason, milliseconds, asked.offset_ms
            )
        )
        return reply
