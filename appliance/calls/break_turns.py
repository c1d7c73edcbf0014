"""Breaks that agents ask for: who may go goes, who must wait goes when it is their turn and they are free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.queue.breaks import Breaks, Limit

if TYPE_CHECKING:
    from appliance.calls.office import Office

REASON = "break"


class BreakTurns:
    """Drives ``queue.breaks``."""

    def __init__(self, office: Office) -> None:
        self._office = office
        most = {queue.name: queue.max_away for queue in office.settings.queues if queue.max_away}
        self._breaks = Breaks(
            Limit(frozenset(each.agents), most[each.name]) for each in office.settings.rules if each.name in most
        )

    @property
    def waiting(self) -> tuple[str, ...]:
        """Who waits for a break, the next one first."""
        return self._breaks.waiting

    def ask(self, agent: str) -> int:
        """0: the agent is away from now on. Else their place in the line for breaks, 1 for the next."""
        place = self._breaks.ask(agent, self._away())
        if not place:
            self._goes(agent)
        return place

    def withdraw(self, agent: str) -> None:
        """The agent is there, or away in another way."""
        self._breaks.withdraw(agent)

    def look(self) -> None:
        """Lets go whose turn it is."""
        if not self._breaks.waiting:
            return
        office = self._office
        engaged = office.floor.engaged()
        there = {agent: agent not in engaged for agent in office.agents if not office.why_away(agent)}
        for agent in self._breaks.turns(self._away(), there):
            self._goes(agent)

    def _goes(self, agent: str) -> None:
        self._office.desk.turn("sign_off", f"{agent}={REASON}", agent)
        self._office.floor.look()

    def _away(self) -> frozenset[str]:
        """Agents who sit somewhere and are away: who went home takes nobody's turn."""
        absent = self._office.desk.switches.absent
        return frozenset(agent for agent in absent if self._office.seats.is_reachable(agent))
