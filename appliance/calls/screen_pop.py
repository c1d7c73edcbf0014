"""Tells the owner's customer program who rings at whom, in the moment in which it rings.

It is one of the look-ups of the settings, by POST: where it is, which of ``FIELDS`` it is sent, its token and its
budget stand there. No call waits for it. Whoever rings is told once for each agent; while a server hangs, only the
newest few are on their way, and what would be more is dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol

from appliance.calls.answers import Servers
from appliance.calls.floor import Floor
from appliance.calls.settings import Agent, Calls
from appliance.control import wire
from appliance.control.wire import Contact

FIELDS = (
    "agent", "extension", "conversation", "number", "name", "contact", "is_vip", "language", "line", "queue",
    "direction",
)  # fmt: skip
MOST_AT_ONCE = 8
FAILURES_TO_TELL = 3  # in a row


class Rings(Protocol):
    """A conversation, as far as it is told."""

    id: str
    customer_number: str
    contact: Contact | None
    language: str
    line_name: str
    direction: str
    may_be_supervised: bool

    @property
    def customer_name(self) -> str: ...


class Around(Protocol):
    """What is needed of the office."""

    settings: Calls
    servers: Servers | None
    agents: Mapping[str, Agent]
    floor: Floor

    def count(self, what: str) -> None: ...


class ScreenPops:
    """``rung`` returns at once."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._under_way: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._reason = ""

    def rung(self, conversation: Rings, agents: Collection[str]) -> None:
        """These begin to ring for the customer of this conversation."""
        lookup, servers = self._around.settings.screen_pop, self._around.servers
        if not lookup or servers is None or not conversation.may_be_supervised:
            return
        for agent in agents:
            if len(self._under_way) >= MOST_AT_ONCE:
                self._around.count("screen_pops_dropped")
                continue
            task = asyncio.create_task(self._tell(servers, lookup, self._values(conversation, agent)))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def findings(self) -> tuple[wire.Finding, ...]:
        """What the owner should know: it fails again and again."""
        if self._failures < FAILURES_TO_TELL:
            return ()
        return (wire.Finding("calls.screen_pop", {"lookup": self._around.settings.screen_pop, "reason": self._reason}),)

    def _values(self, conversation: Rings, agent: str) -> Mapping[str, str]:
        contact = conversation.contact
        known = self._around.agents.get(agent)
        return {
            "agent": agent,
            "extension": known.extension if known is not None else "",
            "conversation": conversation.id,
            "number": conversation.customer_number,
            "name": conversation.customer_name,
            "contact": contact.contact if contact is not None else "",
            "is_vip": "yes" if contact is not None and contact.is_vip else "no",
            "language": conversation.language,
            "line": conversation.line_name,
            "queue": self._around.floor.line_of(conversation.id),
            "direction": conversation.direction,
        }

    async def _tell(self, servers: Servers, lookup: str, values: Mapping[str, str]) -> None:
        reply = await servers.look_up(lookup, values)
        if reply.is_ok:
            self._failures = 0
            self._around.count("screen_pops")
            return
        self._failures += 1
        self._reason = reply.reason
        self._around.count("screen_pops_failed")
