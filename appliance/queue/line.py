"""The waiting lines: one machine for all of them, since agents are shared.

Policy. Those who came first are offered an agent first, over all lines that share agents. Who has priority may step in
front of others, but only of those who can afford it: what a caller loses by being overtaken, over the whole wait, never
exceeds what the caller would have waited anyway. So nobody waits more than twice as long as in order of arrival; who
meets a talk longer than all before may (in traces of a thousand calls fewer than one). An agent is offered one call at
a time; one who does not take ``misses`` offers in a row is left in peace for ``pause_seconds``, or, where the line
``goes_away``, until they have been away and are back. Wrap-up follows the agent into every line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Literal

Strategy = Literal["in_order", "longest_idle", "round_robin", "ring_all"]

REFUSED_SECONDS = 5.0  # an agent who did not take a caller is not offered the same one again for so long
REMEMBERED_TALKS = 200
FIRST_TALK_SECONDS = 300.0  # how long a talk may last where none was seen yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One line. ``agents`` are in the order of the owner, each with a level: 1 is asked at once, 2 a while later."""

    name: str
    agents: Mapping[str, int]
    strategy: Strategy = "in_order"
    level_seconds: float = 30.0  # how long a caller waits before agents of the next level are asked too
    wrap_up_seconds: float = 0.0
    most_waiting: int = 0  # 0: as many as come
    misses: int = 2
    pause_seconds: float = 60.0
    goes_away: bool = False  # who misses so many is away, whatever ``pause_seconds``: see ``given_up``
    prefer_seconds: float = 0.0  # how long the agent whom the caller knows is waited for


@dataclass(frozen=True, slots=True)
class Offer:
    """Ring these agents for this caller: one of them, or all at once. Answered by ``answered`` or ``missed``."""

    ticket: str
    agents: tuple[str, ...]


class Doing(StrEnum):
    """What an agent does; presence (signed in, telephone there) is apart from it."""

    FREE = "free"
    OFFERED = "offered"
    TALKING = "talking"
    WRAP_UP = "wrap_up"


@dataclass(slots=True)
class _Agent:
    name: str
    is_present: bool = False
    doing: Doing = Doing.FREE
    ticket: str = ""  # who is offered, or spoken with
    line: str = ""  # whose wrap-up follows
    since: float = 0.0  # of ``doing``
    idle_since: float = float("-inf")
    turn: int = 0  # when it was last chosen, for round robin
    missed: int = 0
    paused_until: float = float("-inf")
    wraps_until: float = float("-inf")
    wrap_seconds: float = 0.0
    own: set[str] = field(default_factory=set)  # calls that they dialled themselves while they were rung or spoke


@dataclass(slots=True)
class _Ticket:
    name: str
    line: str
    arrived: float
    number: int  # order among those who arrived at the same moment
    priority: int
    prefers: str
    joined: float = 0.0
    prefer_seconds: float = 0.0
    offered: set[str] = field(default_factory=set)
    refused: dict[str, float] = field(default_factory=dict)  # agent: until when
    overtaken_seconds: float = 0.0


class Lines:
    """All lines of the box. Every change returns the offers that follow from it; ``deadline`` is when to call ``due``.

    A name of a line that has no rules raises KeyError: settings are checked before anything starts.
    """

    def __init__(self, rules: Iterable[Rules], agents: Iterable[str] = ()) -> None:
        self._rules = {each.name: each for each in rules}
        names = [*agents, *(name for each in self._rules.values() for name in each.agents)]
        self._agents = {name: _Agent(name) for name in dict.fromkeys(names)}
        self._tickets: dict[str, _Ticket] = {}
        self._talks: deque[float] = deque(maxlen=REMEMBERED_TALKS)
        self._count = 0
        self._turns = 0
        self.deadline: float | None = None

    # What is so -------------------------------------------------------------------------------------------------------

    def waiting(self, line: str = "") -> int:
        """How many wait, in one line or in all."""
        return sum(not line or ticket.line == line for ticket in self._tickets.values())

    def order(self, line: str, now: float) -> tuple[str, ...]:
        """Those who wait in ``line``, in the order in which they will be served."""
        return tuple(ticket.name for ticket in self._in_order(now) if ticket.line == line)

    def place(self, ticket: str, now: float) -> int:
        """1 for the next; 0 for one who does not wait."""
        found = self._tickets.get(ticket)
        return self.order(found.line, now).index(ticket) + 1 if found is not None else 0

    def present(self, line: str) -> int:
        """How many agents of the line are there, busy or not."""
        return sum(self._agents[name].is_present for name in self._rules[line].agents)

    def agents_of(self, line: str) -> Iterable[str]:
        """Who serves a line."""
        return self._rules[line].agents

    def doing(self, agent: str) -> Doing:
        known = self._agents[agent]
        return Doing.TALKING if known.own and known.doing in (Doing.FREE, Doing.WRAP_UP) else known.doing

    def since(self, agent: str) -> float:
        """Since when the agent does it; 0 where nothing has happened yet."""
        return self._agents[agent].since

    def engaged(self) -> Mapping[str, str]:
        """Agents that are rung or speak, and for whom."""
        return {
            agent.name: agent.ticket or min(agent.own) for agent in self._agents.values() if agent.ticket or agent.own
        }

    def is_offered(self, ticket: str) -> bool:
        """Whether somebody is being rung for this caller."""
        found = self._tickets.get(ticket)
        return found is not None and bool(found.offered)

    def is_free(self, agent: str, now: float) -> bool:
        """Whether this agent could be rung now."""
        found = self._agents.get(agent)
        return found is not None and self._can_ring(found, now)

    def is_paused(self, agent: str, now: float) -> bool:
        """Whether this agent is passed over for offers that they did not take."""
        return self._agents[agent].paused_until > now

    def given_up(self, agent: str) -> bool:
        """Whether this agent is to be set away for offers not taken; until then they are offered nothing more."""
        return self._agents[agent].paused_until == inf

    # Callers ----------------------------------------------------------------------------------------------------------

    def join(
        self,
        ticket: str,
        line: str,
        now: float,
        *,
        arrived: float | None = None,
        priority: int = 0,
        prefers: str = "",
        prefer_seconds: float | None = None,
    ) -> list[Offer] | None:
        """A caller comes, perhaps to a place from before (``arrived``). None: the line is full.

        ``prefer_seconds`` is how long the agent ``prefers`` is waited for; None: as the line's rules say.
        """
        rules = self._rules[line]
        if rules.most_waiting and self.waiting(line) >= rules.most_waiting and arrived is None:
            return None
        self._count += 1
        came = now if arrived is None else min(arrived, now)
        known = prefers if prefers in rules.agents else ""
        waits = rules.prefer_seconds if prefer_seconds is None else prefer_seconds
        self._tickets[ticket] = _Ticket(ticket, line, came, self._count, priority, known, now, waits)
        return self._match(now)

    def move(self, ticket: str, line: str, now: float) -> list[Offer] | None:
        """The caller waits in another line from now on, at the place of their arrival; None: they are being served."""
        waits = self._tickets.get(ticket)
        if waits is None or waits.offered:
            return None
        waits.line, waits.prefers = self._rules[line].name, ""
        waits.refused.clear()
        return self._match(now)

    def leave(self, ticket: str, now: float) -> list[Offer]:
        """A caller goes without having been served; agents that ring for it are free again."""
        gone = self._tickets.pop(ticket, None)
        for name in gone.offered if gone is not None else ():
            self._free(self._agents[name], now)
        return self._match(now)

    # Offers -----------------------------------------------------------------------------------------------------------

    def answered(self, ticket: str, agent: str, now: float) -> list[Offer]:
        """The agent took the caller, who leaves the line; whoever rang beside it is free again."""
        served = self._tickets.pop(ticket)
        self._charge(served)
        taken = self._agents[agent]
        taken.missed, taken.doing, taken.since, taken.ticket, taken.line = 0, Doing.TALKING, now, ticket, served.line
        for name in served.offered - {agent}:
            self._free(self._agents[name], now)
        return self._match(now)

    def missed(self, ticket: str, agent: str, now: float, *, is_fault: bool = False) -> list[Offer]:
        """The agent did not take the caller; ``is_fault``: the telephone's doing, which is not counted."""
        waits = self._tickets.get(ticket)
        if waits is not None and agent in waits.offered:
            waits.offered.discard(agent)
            waits.refused[agent] = now + REFUSED_SECONDS
            rung = self._agents[agent]
            self._free(rung, now)
            rung.missed += not is_fault
            rules = self._rules[waits.line]
            if rung.missed >= rules.misses:
                rung.missed, rung.paused_until = 0, inf if rules.goes_away else now + rules.pause_seconds
        return self._match(now)

    # Agents -----------------------------------------------------------------------------------------------------------

    def appear(self, agent: str, is_present: bool, now: float) -> list[Offer]:
        """The agent is there (signed in, telephone registered) or not."""
        known = self._agents[agent]
        if is_present and not known.is_present:
            known.missed, known.paused_until = 0, float("-inf")
        known.is_present = is_present
        return self._match(now)

    def engage(self, agent: str, ticket: str, now: float) -> bool:
        """Takes an agent for something else than a line; False where they cannot be rung now."""
        known = self._agents[agent]
        if not self._can_ring(known, now, wrapped=True):
            return False
        known.doing, known.since, known.ticket, known.line = Doing.TALKING, now, ticket, ""
        return True

    def handed(self, agent: str, ticket: str) -> None:
        """What the agent was taken for is another ticket's from now on."""
        known = self._agents[agent]
        if known.doing is Doing.TALKING:
            known.ticket = ticket

    def occupy(self, agent: str, ticket: str) -> None:
        """The agent has dialled somebody, though rung or in a call: not rung again before that is over too."""
        self._agents[agent].own.add(ticket)

    def vacate(self, agent: str, ticket: str, now: float) -> list[Offer]:
        self._agents[agent].own.discard(ticket)
        return self._match(now)

    def ended(self, agent: str, now: float) -> list[Offer]:
        """The agent's last dialog is over; wrap-up begins where the line has one."""
        known = self._agents[agent]
        if known.doing is Doing.TALKING:
            if known.line:
                self._talks.append(now - known.since)
            wraps = self._rules[known.line].wrap_up_seconds if known.line else 0.0
            self._free(known, now)
            if wraps > 0:
                known.doing, known.wraps_until, known.wrap_seconds = Doing.WRAP_UP, now + wraps, wraps
        return self._match(now)

    def extend(self, agent: str, now: float) -> None:
        """As much wrap-up again. Nothing for an agent who is in none."""
        known = self._agents[agent]
        if known.doing is Doing.WRAP_UP and known.wraps_until > now:
            known.wraps_until += known.wrap_seconds

    def wrapped(self, agent: str, now: float) -> list[Offer]:
        """The agent is done before the time of the wrap-up has ended."""
        self._agents[agent].wraps_until = now
        return self._match(now)

    def due(self, now: float) -> list[Offer]:
        """Time has passed: a wrap-up, a pause or a refusal is over, or the next level is asked."""
        return self._match(now)

    # Choosing ---------------------------------------------------------------------------------------------------------

    def _free(self, agent: _Agent, now: float) -> None:
        agent.doing, agent.ticket, agent.line, agent.since = Doing.FREE, "", "", now
        agent.idle_since = now

    def _can_ring(self, agent: _Agent, now: float, wrapped: bool = False) -> bool:
        is_free = agent.doing is Doing.FREE or (wrapped and agent.doing is Doing.WRAP_UP)
        return agent.is_present and is_free and not agent.own and agent.paused_until <= now

    def _match(self, now: float) -> list[Offer]:
        """Offers callers in order to agents as long as both are there."""
        for agent in self._agents.values():
            if agent.doing is Doing.WRAP_UP and agent.wraps_until <= now:
                agent.doing, agent.since, agent.idle_since = Doing.FREE, now, now
        offers: list[Offer] = []
        if any(self._can_ring(agent, now) for agent in self._agents.values()):
            for ticket in self._in_order(now):
                chosen = () if ticket.offered else self._chosen(ticket, now)
                for agent in chosen:
                    self._turns += 1
                    agent.doing, agent.ticket, agent.since, agent.turn = Doing.OFFERED, ticket.name, now, self._turns
                    ticket.offered.add(agent.name)
                if chosen:
                    offers.append(Offer(ticket.name, tuple(agent.name for agent in chosen)))
        self.deadline = min(self._moments(now), default=None)
        return offers

    def _chosen(self, ticket: _Ticket, now: float) -> Sequence[_Agent]:
        rules = self._rules[ticket.line]
        waited = now - ticket.arrived
        preferred = self._agents.get(ticket.prefers)
        if preferred is not None and preferred.is_present and now - ticket.joined < ticket.prefer_seconds:
            names: Iterable[str] = (preferred.name,)
        else:
            names = (name for name, level in rules.agents.items() if waited >= (level - 1) * rules.level_seconds)
        able = [
            self._agents[name]
            for name in names
            if self._can_ring(self._agents[name], now) and ticket.refused.get(name, now) <= now
        ]
        if not able or rules.strategy == "ring_all":
            return able
        best = min(rules.agents[agent.name] for agent in able)
        able = [agent for agent in able if rules.agents[agent.name] == best]
        match rules.strategy:
            case "longest_idle":
                return [min(able, key=lambda agent: agent.idle_since)]
            case "round_robin":
                return [min(able, key=lambda agent: agent.turn)]
            case _:
                return able[:1]

    def _in_order(self, now: float) -> list[_Ticket]:
        """Order of arrival, but for those with priority who may overtake."""
        ordered = sorted(self._tickets.values(), key=lambda ticket: (ticket.arrived, ticket.number))
        if len({ticket.priority for ticket in ordered}) < 2:
            return ordered
        for begins in range(1, len(ordered)):
            at = begins
            while at and ordered[at - 1].priority < ordered[at].priority and self._can_yield(ordered[at - 1], now):
                ordered[at - 1], ordered[at] = ordered[at], ordered[at - 1]
                at -= 1
        return ordered

    def _can_yield(self, ticket: _Ticket, now: float) -> bool:
        """What it waited by itself so far covers what it has lost to others, and would lose by one more."""
        by_itself = now - ticket.arrived - ticket.overtaken_seconds
        return by_itself >= ticket.overtaken_seconds + self._cost(ticket.line)

    def _cost(self, line: str) -> float:
        """The most that being overtaken once may cost: the longest talk of late, less where many agents end theirs."""
        return max(self._talks, default=FIRST_TALK_SECONDS) * min(1.0, 2 / max(1, self.present(line)))

    def _charge(self, served: _Ticket) -> None:
        """Those of less priority who came before and still wait in the same line were overtaken."""
        came = served.arrived, served.number
        for other in self._tickets.values():
            is_before = (other.arrived, other.number) < came
            if is_before and other.line == served.line and other.priority < served.priority:
                other.overtaken_seconds += self._cost(other.line)

    def _moments(self, now: float) -> Iterable[float]:
        """When something changes by itself that somebody waits for."""
        for agent in self._agents.values():
            if agent.doing is Doing.WRAP_UP:
                yield agent.wraps_until
            elif agent.doing is Doing.FREE and agent.is_present and agent.paused_until > now:
                yield agent.paused_until
        for ticket in self._tickets.values():
            rules = self._rules[ticket.line]
            yield from (until for until in ticket.refused.values() if until > now)
            levels = {(level - 1) * rules.level_seconds for level in rules.agents.values()}
            yield from (ticket.arrived + after for after in levels if ticket.arrived + after > now)
            if ticket.prefers and ticket.joined + ticket.prefer_seconds > now:
                yield ticket.joined + ticket.prefer_seconds
