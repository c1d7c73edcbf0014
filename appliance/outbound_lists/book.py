"""The book of outbound lists: who is next for an agent who asks, and what became of whom.

A machine in UTC milliseconds, as the book of callbacks is: the driver writes down what it says before it acts on it,
and gives it back at a start. Nothing is dialled by itself: an agent asks, gets one entry, and has no other until that
one is let go. An entry is in one hand at a time, and so is a number that stands in several lists. First come those
whose moment has come (a new try, a call that was agreed), then those who were never tried, in the order of the file.
An agent's word ends an entry or names a moment; else the attempts of the list are counted, ``spacing`` apart. Nobody
on the do-not-call list is ever given out.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from appliance.outbound_lists.outcomes import FINAL, UNCOUNTED, Outcome
from appliance.outbound_lists.settings import OutboundList

UNCOUNTED_MS = 90_000  # after an attempt that is not counted: 64*T1 and the time it may still ring (DECISIONS 9)
OTHER_HAND_MS = 60_000  # after this a number is looked at again that another list was calling

Refusal = Literal["not_yours", "paused", "closed", "in_hand", "nobody"]


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry as the records have it; ``not_before`` is UTC ms."""

    entry: str
    list_name: str
    number: str
    is_open: bool
    attempts: int
    not_before: int


@dataclass(frozen=True, slots=True)
class Taken:
    """This entry is in the agent's hand until it is released."""

    entry: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What is true of an entry after an attempt; ``outcome`` is do_not_call where it was forbidden before it rang."""

    outcome: Outcome
    is_open: bool
    not_before: int
    attempts: int


@dataclass(slots=True)
class _Entry:
    entry: str
    list_name: str
    number: str
    is_open: bool
    attempts: int
    not_before: int
    place: int
    before: int = 0  # attempts that counted before the one that is settled now
    conversation: str = ""  # of the attempt that was settled last
    agent: str = ""  # in whose hand it is


class _Queue:
    """Those of one list who are in nobody's hand."""

    def __init__(self) -> None:
        self.fresh: deque[str] = deque()
        self.later: list[tuple[int, int, str]] = []  # not before, place, entry
        self.open_count = 0


class ListBook:
    """``lists`` by name may be set anew; entries of a list that is not there any more rest."""

    def __init__(self, lists: Mapping[str, OutboundList]) -> None:
        self.lists = lists
        self.paused: set[str] = set()
        self.forbidden: set[str] = set()  # numbers that no list dials
        self._entries: dict[str, _Entry] = {}
        self._by_number: dict[tuple[str, str], str] = {}
        self._queues: dict[str, _Queue] = {}
        self._in_hand: dict[str, str] = {}  # agent: entry

    def __len__(self) -> int:
        return len(self._entries)

    def restore(self, kept: Iterable[Kept], forbidden: Iterable[str], paused: Iterable[str]) -> None:
        """What the records have, in the order of the files."""
        self.forbidden = set(forbidden)
        self.paused = set(paused)
        for each in kept:
            self._put(each)

    def add(self, list_name: str, entry: str, number: str) -> None:
        """Somebody new, at the end; ``why_not`` has been asked."""
        self._put(Kept(entry, list_name, number, True, 0, 0))

    def why_not(self, list_name: str, number: str) -> Literal["", "listed", "do_not_call"]:
        """Why a number cannot be taken into a list."""
        if number in self.forbidden:
            return "do_not_call"
        return "listed" if (list_name, number) in self._by_number else ""

    def remaining(self, list_name: str) -> int:
        """How many are not done."""
        queue = self._queues.get(list_name)
        return 0 if queue is None else queue.open_count

    def next_moment(self, list_name: str) -> int:
        """UTC ms of the next one who may be called; 0: now, or nobody is left."""
        queue = self._queues.get(list_name)
        if queue is None or queue.fresh or not queue.later:
            return 0
        return queue.later[0][0]

    # In an agent's hand -----------------------------------------------------------------------------------------------

    def of_agent(self, agent: str) -> tuple[OutboundList, ...]:
        """The lists that this agent may work, in order."""
        return tuple(each for each in self.lists.values() if agent in each.agents)

    def why_closed(self, list_name: str, is_open: Callable[[str], bool]) -> Literal["", "paused", "closed"]:
        """Why nobody of a list is dialled now."""
        if list_name in self.paused:
            return "paused"
        known = self.lists.get(list_name)
        return "" if known is not None and is_open(known.calendar) else "closed"

    def take(self, agent: str, now: int, is_open: Callable[[str], bool], list_name: str = "") -> Taken | Refusal:
        """The next one for this agent, or why there is none. Without a list: of the first that has one."""
        if agent in self._in_hand:
            return "in_hand"
        lists = [each for each in self.of_agent(agent) if list_name in ("", each.name)]
        if not lists:
            return "not_yours"
        refusal: Refusal = "nobody"
        for each in lists:
            why = self.why_closed(each.name, is_open)
            if why:
                refusal = why
                continue
            found = self._next(each.name, now)
            if found is not None:
                found.agent = agent
                self._in_hand[agent] = found.entry
                return Taken(found.entry)
        return refusal

    def dials(self, entry: str, conversation: str) -> None:
        """The entry is dialled in this conversation: an attempt, until it is settled as one that does not count."""
        known = self._entries[entry]
        known.conversation, known.before = conversation, known.attempts

    def settle(self, entry: str, conversation: str, outcome: Outcome, now: int, due: int = 0) -> Settled | None:
        """What became of the attempt that ``conversation`` is; may be said again. None: another one has followed."""
        known = self._entries.get(entry)
        if known is None or known.conversation != conversation:
            return None
        was_open = known.is_open
        known.attempts = known.before + (outcome not in UNCOUNTED)
        known.is_open, known.not_before = self._after(known, outcome, now, due)
        queue = self._queues[known.list_name]
        queue.open_count += known.is_open - was_open
        if not known.agent and known.is_open:
            self._wait(known)
        is_forbidden = outcome in UNCOUNTED and known.number in self.forbidden
        told = Outcome.DO_NOT_CALL if is_forbidden else outcome
        return Settled(told, known.is_open, known.not_before, known.attempts)

    def release(self, agent: str) -> None:
        """The agent is done with the entry: it is done, or waits for its moment or in its place."""
        entry = self._in_hand.pop(agent, "")
        known = self._entries.get(entry)
        if known is None:
            return
        known.agent = ""
        if not known.is_open:
            return
        if known.not_before or known.conversation:
            self._wait(known)
        else:
            self._queues[known.list_name].fresh.appendleft(entry)

    def in_hand(self, agent: str) -> str:
        """The entry that this agent has; empty for none."""
        return self._in_hand.get(agent, "")

    # Do not call ------------------------------------------------------------------------------------------------------

    def forbid(self, number: str) -> None:
        """No list dials this number from now on; who has it is done."""
        self.forbidden.add(number)
        for name, queue in self._queues.items():
            known = self._entries.get(self._by_number.get((name, number), ""))
            if known is not None and known.is_open:
                known.is_open = False
                queue.open_count -= 1

    def allow(self, number: str) -> None:
        self.forbidden.discard(number)

    # Within -----------------------------------------------------------------------------------------------------------

    def _put(self, kept: Kept) -> None:
        place = len(self._entries)
        known = _Entry(kept.entry, kept.list_name, kept.number, kept.is_open, kept.attempts, kept.not_before, place)
        self._entries[kept.entry] = known
        self._by_number[kept.list_name, kept.number] = kept.entry
        queue = self._queues.setdefault(kept.list_name, _Queue())
        if not kept.is_open:
            return
        queue.open_count += 1
        if kept.not_before or kept.attempts:
            self._wait(known)
        else:
            queue.fresh.append(kept.entry)

    def _wait(self, known: _Entry) -> None:
        heapq.heappush(self._queues[known.list_name].later, (known.not_before, known.place, known.entry))

    def _next(self, list_name: str, now: int) -> _Entry | None:
        queue = self._queues.get(list_name)
        if queue is None:
            return None
        numbers = {self._entries[entry].number for entry in self._in_hand.values()}
        while (queue.later and queue.later[0][0] <= now) or queue.fresh:
            if queue.later and queue.later[0][0] <= now:
                moment, _, entry = heapq.heappop(queue.later)
                known = self._entries[entry]
                if known.not_before != moment:
                    continue  # another moment was said since, and stands there too
            else:
                known = self._entries[queue.fresh.popleft()]
                if known.conversation:
                    continue
            if not known.is_open or known.agent or known.number in self.forbidden:
                continue
            if known.number in numbers:
                known.not_before = now + OTHER_HAND_MS
                self._wait(known)
                continue
            return known
        return None

    def _after(self, known: _Entry, outcome: Outcome, now: int, due: int) -> tuple[bool, int]:
        """Whether it is still open, and not before when."""
        if outcome in FINAL or known.number in self.forbidden:
            return False, 0
        if outcome is Outcome.CALL_AGAIN:
            return True, due
        if outcome in UNCOUNTED:
            return True, now + UNCOUNTED_MS
        known_list = self.lists.get(known.list_name)
        if known_list is None or known.attempts >= known_list.attempts:
            return False, 0
        return True, now + known_list.spacing_ms
