"""The floor of the office: who is there, who is busy, who waits in which line. Drives ``queue.line`` and the estimate.

The only place that knows whether an agent can be rung. Offers go into the inbox of the conversation that waits; while
anybody waits or speaks it looks once a second whether what is believed of the agents is so: telephones that went,
agents that were signed off, and (which must never happen, is counted and mended) agents that count as busy though their
leg has ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from appliance.clock import Clock
from appliance.control import wire
from appliance.flow import steps
from appliance.queue.estimate import Estimate, Range
from appliance.queue.line import Doing, Lines, Offer, Rules

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
STUCK_LOOKS = 3  # so often an agent is seen busy without a leg before that is mended


@dataclass(frozen=True, slots=True)
class AgentsOffered:
    """Ring these agents now: one of them, or all at once; each is answered for by ``answered`` or ``missed``."""

    agents: tuple[str, ...]


class Floor:
    """``away`` says why an agent cannot be rung (not there, signed off), ``is_up`` whether a leg still is.

    ``changed`` is told when an agent does something else, ``over`` which agent's call by which leg has ended.
    """

    def __init__(
        self,
        rules: tuple[Rules, ...],
        agents: tuple[str, ...],
        clock: Clock,
        away: Callable[[str], str],
        is_up: Callable[[str], bool],
        count: Callable[[str], None],
        changed: Callable[[], None],
        over: Callable[[str, str], None],
    ) -> None:
        self.on_given_up: Callable[[str], None] = lambda _agent: None  # told who is to be away for offers not taken
        self._lines = Lines(rules, agents)
        self._present = dict.fromkeys(agents, False)
        self._wraps = {each.name: each.wrap_up_seconds for each in rules}
        self._estimates = {each.name: Estimate() for each in rules}
        self._clock = clock
        self._away = away
        self._is_up = is_up
        self._count = count
        self._changed = changed
        self._over = over
        self._offered: dict[str, Callable[[AgentsOffered], None]] = {}
        self._line_of: dict[str, str] = {}  # of those who wait
        self._talks: dict[str, tuple[str, float, str]] = {}  # agent: leg, since when, line or empty
        self._stuck: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    # What is so -------------------------------------------------------------------------------------------------------

    def is_attended(self, line: str) -> bool:
        """Whether any agent of the line is there, busy or not."""
        return self._lines.present(line) > 0

    def waiting(self, line: str = "") -> int:
        """How many wait, in one line or in all."""
        return self._lines.waiting(line)

    def engaged(self) -> Mapping[str, str]:
        """Agents who are rung or speak, and in which conversation."""
        return self._lines.engaged()

    def place(self, conversation: str) -> int:
        """1 for the next; 0 for one who does not wait."""
        return self._lines.place(conversation, self._now)

    def rest(self, conversation: str) -> Range | None:
        """How long this caller will still wait; None where only the place can be said."""
        line = self._line_of.get(conversation, "")
        if not line:
            return None
        now = self._now
        return self._estimates[line].say(
            conversation, self._lines.place(conversation, now), self._lines.present(line), now
        )

    def lines(self) -> Iterator[wire.Line]:
        """Every line, for the page."""
        for name in self._estimates:
            present = [each for each in self._lines.agents_of(name) if not self._away(each)]
            free = sum(self._lines.doing(each) is Doing.FREE for each in present)
            yield wire.Line(name, self._lines.waiting(name), len(present), free)

    def agents(self) -> Iterator[wire.AgentNow]:
        """Every agent, for the page; since when is told in wall time."""
        wall = self._clock.utc_ms() - self._now * 1000
        for name in self._present:
            doing, since = self._lines.doing(name), self._lines.since(name)
            is_busy = doing in (Doing.OFFERED, Doing.TALKING)  # whatever they have said about the time after it
            shown = doing.value if is_busy else self._away(name) or doing.value
            yield wire.AgentNow(name, shown, round(wall + since * 1000) if since else 0)

    def doing(self, agent: str) -> Doing:
        """What this agent does, whether they are there or not."""
        return self._lines.doing(agent)

    def is_paused(self, agent: str) -> bool:
        """Whether this agent is passed over for offers that they did not take."""
        return self._lines.is_paused(agent, self._now)

    def why_not(self, agent: str) -> str:
        """Why an agent cannot be rung now; empty where they can."""
        if agent not in self._present:
            return "not_registered"
        return self._away(agent) or ("busy" if agent in self._lines.engaged() else "")

    # Lines ------------------------------------------------------------------------------------------------------------

    def join(
        self,
        conversation: str,
        line: str,
        offered: Callable[[AgentsOffered], None],
        *,
        arrived: float | None = None,
        priority: int = 0,
        prefers: str = "",
        prefer_seconds: float | None = None,
    ) -> str:
        """Waits in a line; ``offered`` is called with those to ring. Otherwise why not."""
        if line not in self._estimates:
            return "no_queue"
        self.look()
        self._offered[conversation] = offered
        self._line_of[conversation] = line
        now = self._now
        offers = self._lines.join(
            conversation,
            line,
            now,
            arrived=arrived,
            priority=priority,
            prefers=prefers,
            prefer_seconds=prefer_seconds,
        )
        if offers is None:
            self._forget(conversation)
            return steps.FULL
        if not self._lines.is_offered(conversation):
            place = self._lines.place(conversation, now)
            self._estimates[line].joined(conversation, place, self._lines.present(line), now)
        self._tell(offers)
        return ""

    def line_of(self, conversation: str) -> str:
        """The line in which a conversation waits; empty where it does not."""
        return self._line_of.get(conversation, "")

    def move(self, conversation: str, line: str) -> bool:
        """Waits in another line, at the place of its arrival; False where it waits no more, or is being served."""
        before = self._line_of.get(conversation, "")
        if not before or line not in self._estimates:
            return False
        offers = self._lines.move(conversation, line, self._now)
        if offers is None:
            return False
        self._estimates[before].gone(conversation)
        self._line_of[conversation] = line
        self._tell(offers)
        return True

    def leave(self, conversation: str) -> None:
        """The caller waits no longer; nothing where they were served."""
        line = self._forget(conversation)
        if line:
            self._estimates[line].gone(conversation)
            self._tell(self._lines.leave(conversation, self._now))

    def answered(self, conversation: str, agent: str, leg: str) -> None:
        """The agent took the call on this leg."""
        line = self._forget(conversation)
        self._estimates[line].served(conversation, self._now)
        self._talks[agent] = leg, self._now, line
        self._tell(self._lines.answered(conversation, agent, self._now))

    def picked_up(self, conversation: str, name: str, leg: str) -> None:
        """Somebody at another telephone took the call: those who were rung for it are free. They need be no agent."""
        line = self._forget(conversation)
        if line:
            self._estimates[line].served(conversation, self._now)
        self._tell(self._lines.leave(conversation, self._now))
        if name in self._present:
            self.engage(name, conversation, leg)

    def missed(self, conversation: str, agent: str, *, is_fault: bool) -> None:
        """The agent did not take it; ``is_fault``: the telephone's doing."""
        self._tell(self._lines.missed(conversation, agent, self._now, is_fault=is_fault))
        if self._lines.given_up(agent):
            self.on_given_up(agent)
            self.look()

    # Agents -----------------------------------------------------------------------------------------------------------

    def engage(self, agent: str, conversation: str, leg: str) -> bool:
        """Takes an agent for a call that is not from a line; False where they cannot be rung."""
        self.look()
        if not self._lines.engage(agent, conversation, self._now):
            return False
        self._talks[agent] = leg, self._now, ""
        self._changed()
        self._wind()
        return True

    def occupy(self, agent: str, conversation: str) -> None:
        """The agent dials somebody while being rung or in a call: busy until ``vacate``, whatever becomes of that."""
        self._lines.occupy(agent, conversation)

    def vacate(self, agent: str, conversation: str) -> None:
        self._tell(self._lines.vacate(agent, conversation, self._now))

    def handed(self, agent: str, conversation: str) -> None:
        """The agent's call goes on in another conversation. Nothing for people who are no agents."""
        if agent in self._talks:
            self._lines.handed(agent, conversation)

    def ended(self, agent: str, leg: str) -> None:
        """The agent's call by this leg is over. Nothing for people who are no agents, or speak on another by now."""
        if agent not in self._talks or self._talks[agent][0] != leg:
            return
        _, since, line = self._talks.pop(agent)
        self._stuck.pop(agent, None)
        if line:
            self._estimates[line].talked(self._now - since + self._wraps[line], self._now)
        self._tell(self._lines.ended(agent, self._now))
        self._over(agent, leg)

    def asks_wrap_up(self, agent: str) -> tuple[str, float]:
        """The line whose call the agent is in, and how many seconds it gives them afterwards; empty: of no line."""
        line = self._talks[agent][2] if agent in self._talks else ""
        return line, self._wraps[line] if line else 0.0

    def extend(self, agent: str) -> None:
        """As much wrap-up again."""
        self._lines.extend(agent, self._now)

    def wrapped(self, agent: str) -> None:
        """The agent is done with the wrap-up."""
        self._tell(self._lines.wrapped(agent, self._now))

    def pass_time(self) -> None:
        """Time has passed: a wrap-up may be over, though nobody waits."""
        self._tell(self._lines.due(self._now))

    def look(self) -> None:
        """Looks who is there."""
        for agent, was_there in self._present.items():
            is_there = not self._away(agent)
            if is_there is not was_there:
                self._present[agent] = is_there
                self._tell(self._lines.appear(agent, is_there, self._now))

    def _look_at_busy(self) -> None:
        """Whether those who count as busy are."""
        for agent, (leg, _, _) in tuple(self._talks.items()):
            self._stuck[agent] = 0 if self._is_up(leg) else self._stuck.get(agent, 0) + 1
            if self._stuck[agent] >= STUCK_LOOKS:
                log.error("agent %s counted as busy, though leg %s has ended", agent, leg)
                self._count("presence_mended")
                self.ended(agent, leg)

    # The clock --------------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return self._clock.monotonic()

    def _forget(self, conversation: str) -> str:
        self._offered.pop(conversation, None)
        return self._line_of.pop(conversation, "")

    def _tell(self, offers: list[Offer]) -> None:
        for offer in offers:
            self._offered[offer.ticket](AgentsOffered(offer.agents))
        self._changed()
        self._wind()

    def _wind(self) -> None:
        """One timer while there is anything to look at."""
        if self._timer is None and (self._line_of or self._talks):
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._look_at_busy()
        if self._line_of:
            self.look()
            self._tell(self._lines.due(self._now))
        self._wind()
