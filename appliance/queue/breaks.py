"""The line for breaks: who may be away at once, and who goes next.

Policy. A line of callers may name how many of its agents are away at once. Who asks goes at once where every line that
they serve has room; else they stand in the line for breaks, in the order of asking. Who stands before keeps their room:
an agent behind goes first only where the two share no full line. Whose turn comes while they are in a call goes when
they are free. Who is away in another way, or has gone, stands in the line no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many (at least one) of these agents are away at once."""

    agents: frozenset[str]
    most: int


class Breaks:
    """``limits`` are those of the lines that have one."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._limits = tuple(limits)
        self._waiting: list[str] = []

    @property
    def waiting(self) -> tuple[str, ...]:
        """Who stands in the line, the next one first."""
        return tuple(self._waiting)

    def ask(self, agent: str, away: Collection[str]) -> int:
        """0: the agent goes now. Else their place in the line from now on, 1 for the next, however often they ask."""
        if agent in self._waiting:
            return self._waiting.index(agent) + 1
        if self._has_room(agent, {*away, *self._waiting}):
            return 0
        self._waiting.append(agent)
        return len(self._waiting)

    def withdraw(self, agent: str) -> None:
        """The agent wants no break any more; nothing where they want none."""
        if agent in self._waiting:
            self._waiting.remove(agent)

    def turns(self, away: Collection[str], is_free: Mapping[str, bool]) -> tuple[str, ...]:
        """Who goes now, and stands in the line no more; ``is_free`` lacks those who are not there."""
        self._waiting = [agent for agent in self._waiting if agent in is_free and agent not in away]
        taken, going = set(away), []
        for agent in self._waiting:
            if self._has_room(agent, taken) and is_free[agent]:
                going.append(agent)
            taken.add(agent)
        self._waiting = [agent for agent in self._waiting if agent not in going]
        return tuple(going)

    def _has_room(self, agent: str, taken: Collection[str]) -> bool:
        others = set(taken) - {agent}
        return all(len(others & limit.agents) < limit.most for limit in self._limits if agent in limit.agents)
