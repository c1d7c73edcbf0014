"""The estimate of the wait beside Asterisk's rule, on the same callers (``python -m bench.wait``).

Asterisk keeps one figure per queue: three quarters of it, plus a quarter of the wait of the caller who was just
connected, and says it to everybody, wherever they stand. Four traces with fixed seeds, thirty working days of ten hours
each, are walked by the box's own machine; every caller who has to wait asks both rules at the moment of joining.
"""

from __future__ import annotations

import functools
import heapq
import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from appliance.queue.estimate import Estimate, Range
from appliance.queue.line import Lines, Rules

DAY_SECONDS = 36_000.0
DAYS = 30
TALK_SECONDS = 180.0
SPREAD = 0.8  # of the logarithm of a talk's seconds: a coefficient of variation of 0.95
PATIENCE_SECONDS = 1_200.0  # mean; exponential


@dataclass(frozen=True, slots=True)
class Trace:
    name: str
    agents: int
    load: float
    seed: int
    peak: float = 0.0  # 0.5: half as many more callers at noon than on average


@dataclass(frozen=True, slots=True)
class Caller:
    arrives: float
    talks: float
    patience: float = math.inf


@dataclass(slots=True)
class Told:
    """What both rules said to callers who had to wait, and how long they waited."""

    name: str
    waits: list[float] = field(default_factory=list)
    said: list[Range] = field(default_factory=list)
    asterisk: list[int] = field(default_factory=list)
    rises: int = 0  # of the rest that is announced, from one announcement to the next, with no worse place

    def figures(self) -> dict[str, float | int]:
        ours = sum(abs(a - b.middle) for a, b in zip(self.waits, self.said, strict=True)) / len(self.waits)
        theirs = sum(abs(a - b) for a, b in zip(self.waits, self.asterisk, strict=True)) / len(self.waits)
        held = sum(wait <= said.most for wait, said in zip(self.waits, self.said, strict=True))
        return {
            "callers": len(self.waits),
            "mean_wait_s": round(sum(self.waits) / len(self.waits), 1),
            "our_error_s": round(ours, 1),
            "asterisk_error_s": round(theirs, 1),
            "ratio": round(ours / theirs, 3),
            "upper_bound_held": round(held / len(self.waits), 3),
            "rises": self.rises,
        }


TRACES = (
    Trace("3 agents, load 0.85", 3, 0.85, 1),
    Trace("3 agents, load 0.92", 3, 0.92, 2),
    Trace("2 agents, load 0.85", 2, 0.85, 3),
    Trace("5 agents, daily peak", 5, 0.80, 4, peak=0.5),
)


def callers(trace: Trace, days: int = DAYS) -> Iterator[list[Caller]]:
    """The callers of each day, in order of arrival."""
    chance = random.Random(trace.seed)
    mean_rate = trace.load * trace.agents / TALK_SECONDS
    highest = mean_rate * (1 + trace.peak)
    for _ in range(days):
        day: list[Caller] = []
        now = 0.0
        while (now := now + chance.expovariate(highest)) < DAY_SECONDS:
            rate = mean_rate * (1 - trace.peak * math.cos(2 * math.pi * now / DAY_SECONDS))
            if chance.random() < rate / highest:
                talks = math.exp(chance.gauss(math.log(TALK_SECONDS) - SPREAD**2 / 2, SPREAD))
                day.append(Caller(now, talks, chance.expovariate(1 / PATIENCE_SECONDS)))
        yield day


class Day:
    """One day of one line whose agents answer at once; ``served`` maps a caller's number to when it was served."""

    def __init__(self, lines: Lines, agents: int, began: float = 0.0) -> None:
        self.lines = lines
        self.now = began
        self.served: dict[str, float] = {}
        self.on_served: Callable[[str, float], None] | None = None
        self.on_ended: Callable[[float, float], None] | None = None
        self._talks: dict[str, float] = {}
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        for agent in range(agents):
            lines.appear(f"agent{agent}", True, began)

    def at(self, moment: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (moment, self._count, action))

    def join(self, ticket: str, talks: float, priority: int = 0) -> None:
        self._talks[ticket] = talks
        for offer in self.lines.join(ticket, "line", self.now, priority=priority) or ():
            self._take(offer.ticket, offer.agents[0])

    def leave(self, ticket: str) -> bool:
        if self.lines.place(ticket, self.now) == 0:
            return False
        self.lines.leave(ticket, self.now)
        return True

    def run(self) -> None:
        while self._heap:
            self.now, _, action = heapq.heappop(self._heap)
            action()

    def _take(self, ticket: str, agent: str) -> None:
        self.served[ticket] = self.now
        if self.on_served is not None:
            self.on_served(ticket, self.now)
        self.lines.answered(ticket, agent, self.now)
        self.at(self.now + self._talks[ticket], lambda: self._end(agent, self._talks[ticket]))

    def _end(self, agent: str, seconds: float) -> None:
        if self.on_ended is not None:
            self.on_ended(seconds, self.now)
        for offer in self.lines.ended(agent, self.now):
            self._take(offer.ticket, offer.agents[0])


def rules(agents: int) -> Rules:
    return Rules(name="line", agents={f"agent{number}": 1 for number in range(agents)})


class _Asking:
    """Callers of one day who ask both rules when they join, and ours again every half minute."""

    def __init__(self, told: Told, trace: Trace, estimate: Estimate, hold: int, began: float) -> None:
        self.day = Day(Lines((rules(trace.agents),)), trace.agents, began)
        self.day.on_served, self.day.on_ended = self._served, estimate.talked
        self.hold = hold  # Asterisk's one figure
        self._told = told
        self._agents = trace.agents
        self._estimate = estimate
        self._asked: dict[str, tuple[float, Range, int]] = {}
        self._joined: dict[str, float] = {}

    def arrive(self, ticket: str, caller: Caller) -> None:
        now = self._joined[ticket] = self.day.now
        self.day.join(ticket, caller.talks)
        place = self.day.lines.place(ticket, now)
        if not place:
            return
        self._estimate.joined(ticket, place, self._agents, now)
        found = self._estimate.say(ticket, place, self._agents, now)
        if found is not None:
            self._asked[ticket] = now, found, self.hold
            self._ask_later(ticket, place, found)
        self.day.at(now + caller.patience, lambda: self._leave(ticket))

    def _leave(self, ticket: str) -> None:
        if self.day.leave(ticket):
            self._estimate.gone(ticket)

    def _ask_later(self, ticket: str, place: int, said: Range) -> None:
        self.day.at(self.day.now + 30.0, lambda: self._ask_again(ticket, place, said))

    def _ask_again(self, ticket: str, place: int, said: Range) -> None:
        place_now = self.day.lines.place(ticket, self.day.now)
        found = self._estimate.say(ticket, place_now, self._agents, self.day.now) if place_now else None
        if found is not None:
            self._told.rises += place_now <= place and found.most > said.most
            self._ask_later(ticket, place_now, found)

    def _served(self, ticket: str, now: float) -> None:
        self._estimate.served(ticket, now)
        self.hold = (self.hold * 3 + int(now - self._joined[ticket])) // 4
        if ticket in self._asked:
            at, said, theirs = self._asked[ticket]
            self._told.waits.append(now - at)
            self._told.said.append(said)
            self._told.asterisk.append(theirs)


def measure(trace: Trace, days: int = DAYS) -> Told:
    """Both rules on one trace; the estimate begins without any knowledge, like a box that is new."""
    told, estimate = Told(trace.name), Estimate()
    hold, began = 0, 0.0
    for number, people in enumerate(callers(trace, days)):
        asking = _Asking(told, trace, estimate, hold, began)
        for each, caller in enumerate(people):
            arrive = functools.partial(asking.arrive, f"{number}-{each}", caller)
            asking.day.at(began + caller.arrives, arrive)
        asking.day.run()
        hold, began = asking.hold, asking.day.now + 50_000.0
    return told


def main() -> int:
    for trace in TRACES:
        print(json.dumps({"trace": trace.name, **measure(trace).figures()}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
