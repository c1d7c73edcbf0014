"""Where each agent is rung: at a telephone of the office, or at a number outside. Who asks for it, asks here. Pure.

Until they sit down elsewhere, agents sit where the settings say.
"""

from __future__ import annotations

from collections.abc import Iterable

from appliance.calls.settings import Agent


class Seats:
    """Agents and telephones by their names in the settings."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        known = tuple(agents)
        self._phones = {agent.name: agent.phone for agent in known if agent.phone}
        self._numbers = {agent.name: agent.number for agent in known if agent.number}

    def phone_of(self, agent: str) -> str:
        """The telephone of this agent; empty: they sit at none, or there is no such agent."""
        return self._phones.get(agent, "")

    def number_of(self, agent: str) -> str:
        """The number outside of this agent, as in the settings; empty: they sit at a telephone, or nowhere."""
        return self._numbers.get(agent, "")

    def at(self, phone: str) -> tuple[str, ...]:
        """Who sits at this telephone, in order of the settings."""
        return tuple(agent for agent, theirs in self._phones.items() if theirs == phone)

    def first_at(self, phone: str) -> str:
        """Who speaks when this telephone dials; empty: nobody's."""
        return next(iter(self.at(phone)), "")
