"""Whether the settings say where each agent is: at a telephone of ours, or at a number outside that can be rung. Pure.

A number that leads back here would ring the box by itself, and two agents of one number could not be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from appliance.calls import outbound
from appliance.calls.peers import extension_at
from appliance.calls.settings import Agent, Calls
from appliance.errors import Problem
from appliance.signalling.numbers import Number
from appliance.signalling.settings import Trunk

Meant = tuple[str, str]
"""What tells a number from others: its E.164; one without is another on each trunk, which is named."""


def check(calls: Calls, trunks: Sequence[Trunk], file: str) -> None:
    """Problem for the first agent whose place cannot be meant; ``file`` is named in it."""
    own = {
        _read(calls, written, trunk)[1]
        for trunk in trunks
        for written in (trunk.user, trunk.show_as, *(line.number for line in calls.lines if line.trunk == trunk.name))
        if written
    }
    taken: dict[Meant, str] = {}
    for agent in calls.agents:
        where = f"agent {agent.name}"
        if agent.phone and (agent.number or agent.trunk):
            raise Problem("config.agent_where", file=file, where=where)
        extension = extension_at(trunks, agent.number)
        if extension is not None:
            meant = extension.name, extension.trunk
            if meant in taken:
                raise _taken(file, agent, taken[meant])
            taken[meant] = agent.name
        elif agent.number:
            number, meant = _read(calls, agent.number, _trunk_of(agent, trunks, file))
            refusal = outbound.why_never(calls, number)
            if number.kind == "emergency":
                raise Problem("config.agent_emergency", file=file, where=where, found=agent.number)
            if meant in own:
                raise Problem("config.agent_own_number", file=file, where=where, found=agent.number)
            if refusal:
                raise Problem("config.agent_forbidden", file=file, where=where, found=agent.number, reason=refusal)
            if meant in taken:
                raise _taken(file, agent, taken[meant])
            taken[meant] = agent.name


def _taken(file: str, agent: Agent, other: str) -> Problem:
    return Problem("config.agent_number_taken", file=file, where=f"agent {agent.name}", found=agent.number, other=other)


def _trunk_of(agent: Agent, trunks: Sequence[Trunk], file: str) -> Trunk:
    for trunk in sorted(trunks, key=lambda each: each.kind == "peer"):
        if agent.trunk in ("", trunk.name):
            return trunk
    known = ", ".join(sorted(trunk.name for trunk in trunks)) or "-"
    where = f"agent {agent.name}"
    raise Problem("config.no_such", file=file, where=where, setting="trunk", value=agent.trunk, known=known)


def _read(calls: Calls, written: str, trunk: Trunk) -> tuple[Number, Meant]:
    number = outbound.read(calls, written, trunk.area_code)
    return number, (number.e164, "") if number.e164 else (number.national, trunk.name)
