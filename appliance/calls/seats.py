"""Where each agent is rung: at a telephone of the office, or at a number outside. Who asks for it, asks here. Pure.

Until they sit down elsewhere, agents sit where the settings say; the settings may put several at one telephone. Who
signs in at a telephone has it alone, and who leaves one sits nowhere, also where the settings name one for them: they
went home, and nothing shall ring at an empty desk. An agent with a number is rung there while they sit nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from appliance.calls.settings import Agent


class Seats:
    """Agents and telephones by their names in the settings."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        known = tuple(agents)
        self._phones = {agent.name: agent.phone for agent in known}
        self._numbers = {agent.name: agent.number for agent in known if agent.number}
        self._since: dict[str, int] = {}  # who has signed in, and when (UTC ms)

    def phone_of(self, agent: str) -> str:
        """The telephone of this agent; empty: they sit at none, or there is no such agent."""
        return self._phones.get(agent, "")

    def number_of(self, agent: str) -> str:
        """The number at which this agent is rung, as in the settings; empty: they sit at a telephone, or nowhere."""
        return "" if self.phone_of(agent) else self._numbers.get(agent, "")

    def is_reachable(self, agent: str) -> bool:
        """Whether there is anything to ring for this agent: a telephone, or a number."""
        return bool(self.phone_of(agent) or self.number_of(agent))

    def at(self, phone: str) -> tuple[str, ...]:
        """Who sits at this telephone, in order of the settings."""
        return tuple(agent for agent, theirs in self._phones.items() if theirs == phone)

    def first_at(self, phone: str) -> str:
        """Who speaks when this telephone dials; empty: nobody's."""
        return next(iter(self.at(phone)), "")

    @property
    def signed_in(self) -> Mapping[str, int]:
        """Who sits somewhere because they signed in there, and since when (UTC ms)."""
        return self._since

    def sit(self, agent: str, phone: str, at_ms: int) -> tuple[str, ...]:
        """The agent has this telephone alone from now on; who sat there and sits nowhere now."""
        others = tuple(each for each in self.at(phone) if each != agent)
        for each in others:
            self.leave(each)
        self._phones[agent], self._since[agent] = phone, at_ms
        return others

    def leave(self, agent: str) -> None:
        """The agent sits nowhere from now on."""
        self._phones[agent] = ""
        self._since.pop(agent, None)

    def restore(self, agent: str, phone: str, since_ms: int) -> None:
        """As the records know it of an agent who has signed in or out; nothing for one who is no agent any more."""
        if agent in self._phones:
            self._phones[agent] = phone
            if phone:
                self._since[agent] = since_ms
