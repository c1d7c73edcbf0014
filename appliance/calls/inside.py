"""Whom a number of the office means: an agent, a telephone, a waiting line, an extension of a peer. Pure.

Names come before extensions, agents before telephones: an agent is rung at the telephone that is theirs, and counts as
busy meanwhile; a telephone that is dialled by its own name rings whoever sits there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from appliance.calls.settings import Calls
from appliance.messages.numbers import latin


@dataclass(frozen=True, slots=True)
class Inside:
    """``name`` as in the settings; of an extension of a peer it is the extension, and ``trunk`` the way there."""

    kind: Literal["agent", "phone", "line", "peer"]
    name: str
    trunk: str = ""


def known(settings: Calls, phones: Collection[str]) -> frozenset[str]:
    """The names of agents and telephones, and every extension."""
    extensions = {agent.extension for agent in settings.agents} | {queue.extension for queue in settings.queues}
    return frozenset({agent.name for agent in settings.agents} | {*phones} | extensions) - {""}


def whom(settings: Calls, phones: Collection[str], dialled: str) -> Inside | None:
    """Who has this name or extension; None where nobody has, and it may be a number outside."""
    written = latin(dialled).strip()
    if any(agent.name == written for agent in settings.agents):
        return Inside("agent", written)
    if written in phones:
        return Inside("phone", written)
    if any(queue.name == written for queue in settings.queues):
        return Inside("line", written)
    if not written:
        return None
    agent = next((agent.name for agent in settings.agents if agent.extension == written), None)
    if agent is not None:
        return Inside("agent", agent)
    line = next((queue.name for queue in settings.queues if queue.extension == written), None)
    return None if line is None else Inside("line", line)
