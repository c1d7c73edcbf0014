"""Answers to what a flow cannot know by itself: the ledger, the owner's switches, other servers, PINs and codes.

A walk waits two seconds at most; what comes later is not waited for. Nothing secret is in an event, a log or an
exception.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from appliance.calls.desk import Asked, Desk, Reply
from appliance.clock import Clock
from appliance.errors import Problem
from appliance.flow import steps
from appliance.records import events
from appliance.records.writer import Records

log = logging.getLogger(__name__)


class Answers(Protocol):
    """Who answers the questions of flows: ``BoxAnswers``, or a scene of a test."""

    async def answer(self, asked: Asked) -> Reply: ...


class Servers(Protocol):
    """Other servers and secrets: ``lookup`` on the box."""

    async def look_up(self, lookup: str, values: Mapping[str, str]) -> Reply: ...

    async def check_pin(self, identity: str, pin: str) -> Reply: ...

    async def send_code(self, conversation: str, number: str, language: str) -> Reply: ...

    def check_code(self, conversation: str, code: str) -> Reply: ...


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
            case steps.OpenRequest("promise", number, queue, due_ms, about):
                return self._desk.promise(asked, number, queue, due_ms, about)
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
