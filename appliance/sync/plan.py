"""What one target does next: pure. Told what happened and the time, it says what to do and when to ask again.

States of a unit: ``queued`` (nothing of it counts), ``placed`` (something lies under its name upstream), ``verified``
(read back, digest agreed), ``told`` (calls has written the receipt), ``refused`` (other content upstream, or the file
here is not what was sealed: an alarm, never overwritten), ``void`` (nothing to send any more).

Policy. One unit at a time, kinds in their order, numbers in theirs. A fault of the target parks the whole target: the
pause before the next real try begins at ``first_pause`` and doubles up to ``longest_pause``, with up to a quarter of
jitter. Meanwhile a cheap probe goes out every ``probe`` seconds (after an error of the server one byte is written:
reaching it shows nothing); a probe that succeeds ends the pause. A probe that lied (the next try failed all the same)
is not believed again before something has come through. A fault of one unit holds up that unit alone, with the same
pauses, and so does the third fault in a row of the same unit: others go before it then. What is refused is looked at
again every hour, because somebody may have put it right. An object that has cost more than its budget of bytes today
rests: a full server must not eat the line. Nothing is sent before the target was greeted: whose it is is known first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from appliance.sync.faults import BLAMES, GREETS_ANEW, OF_UNIT, PARKS, REFUSED_AT_ONCE, WRITES_FAIL, Why
from appliance.sync.units import ORDER, Kind

SPARE_BYTES = 1 << 20  # of the budget, for small objects
RECHECK_SECONDS = 3600.0
BUDGET_SECONDS = 3600.0  # so long until it is seen whether the day has ended
BLAMED_TRIES = 3  # after so many faults in a row of one unit others go before it


class State(StrEnum):
    QUEUED = "queued"
    PLACED = "placed"
    VERIFIED = "verified"
    TOLD = "told"
    REFUSED = "refused"
    VOID = "void"


PENDING = frozenset({State.QUEUED, State.PLACED, State.REFUSED})


@dataclass(frozen=True, slots=True)
class Rules:
    first_pause: float = 30.0
    longest_pause: float = 900.0
    probe: float = 60.0
    budget: int = 4


@dataclass(frozen=True, slots=True)
class Job:
    """One unit on its way to one target. ``sent_today`` are bytes that left the box for it on ``day``."""

    number: int
    kind: Kind
    state: State
    size: int
    tries: int = 0
    sent_today: int = 0
    day: int = 0


class Book(Protocol):
    """Where the jobs of one target are kept."""

    def first(self, kind: Kind, passing_over: Collection[int]) -> Job | None:
        """The oldest queued or placed job of a kind that is not to be passed over."""
        ...


# What to do


@dataclass(frozen=True, slots=True)
class Greet:
    """Reach the target and see whose it is."""


@dataclass(frozen=True, slots=True)
class Probe:
    """``is_last``: there is nothing to send, so that this alone shows whether the target works."""

    writes: bool
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Place it, unless it is placed already, and read it back."""

    job: Job


Command = Greet | Probe | Send


@dataclass(frozen=True, slots=True)
class Parked:
    """Why nothing is sent: ``reason`` is clock, link, full or denied; ``why`` and ``detail`` name the last fault."""

    reason: str
    why: Why
    detail: str
    since: float


@dataclass(slots=True)
class _Rest:
    """A unit that is held back."""

    until: float
    tries: int
    is_spent: bool = False  # its bytes of the day are


@dataclass(slots=True)
class Plan:
    """``chance`` gives numbers from 0 to 1 for the jitter."""

    rules: Rules
    chance: Callable[[], float]
    parked: Parked | None = None
    is_disabled: bool = False
    is_greeted: bool = False
    faults: int = 0  # in a row
    _retry_at: float = 0.0
    _probe_at: float = 0.0
    _is_probe_believed: bool = True
    _was_let_go_by_probe: bool = False
    _resting: dict[int, _Rest] = field(default_factory=dict)
    _blamed: tuple[int, int] = (0, 0)  # the unit of the last faults, and how many
    _under_way: Command | None = None

    # What next --------------------------------------------------------------------------------------------------------

    def next(self, now: float, book: Book, *, day: int = 0, is_quiet: bool = False) -> Command | None:
        """What to do at once; None: nothing before ``deadline``, or before there is a new job."""
        if self._under_way is not None or self.is_disabled:
            return None
        self._under_way = self._next(now, book, day, is_quiet)
        return self._under_way

    def deadline(self, now: float) -> float | None:
        """When to ask again though nothing happens; None if only a new job can bring something to do."""
        if self._under_way is not None or self.is_disabled:
            return None
        if self.parked is not None:
            return min(self._retry_at, self._probe_at)
        return min((rest.until for rest in self._resting.values() if rest.until > now), default=None)

    @property
    def spent(self) -> int:
        """How many units wait for tomorrow, because they have cost their budget of bytes today."""
        return sum(rest.is_spent for rest in self._resting.values())

    # What happened ----------------------------------------------------------------------------------------------------

    def greeted(self) -> None:
        """The target was reached and is ours."""
        self._under_way = None
        self.is_greeted = True
        self._works()

    def probed(self, now: float) -> None:
        """The probe came through."""
        command, self._under_way = self._under_way, None
        self._probe_at = now + self._between_probes()
        if isinstance(command, Probe) and command.is_last:
            self._works()
        elif self._is_probe_believed:
            self._retry_at = now
            self._was_let_go_by_probe = True

    def verified(self, number: int) -> State:
        """The unit lies upstream, whole."""
        self._settled(number)
        self._works()
        return State.VERIFIED

    def broken_off(self) -> None:
        """The command under way was ended by us: nobody's fault, and it is tried again in its turn."""
        self._under_way = None

    def void(self, number: int) -> State:
        """There is nothing to send: erased, or part of a later unit."""
        self._settled(number)
        return State.VOID

    def failed(self, why: Why, detail: str, now: float, *, retry_after: float = 0.0) -> State | None:
        """The command under way did not come through; the unit's new state, where it changes."""
        command, self._under_way = self._under_way, None
        if isinstance(command, Send) and why in OF_UNIT:
            return self._unit_failed(command.job.number, why, now)
        if isinstance(command, Send):
            number = command.job.number
            self._blamed = number, self._blamed[1] + 1 if self._blamed[0] == number else 1
            if self._blamed[1] >= BLAMED_TRIES and why in BLAMES:
                self._resting[number] = _Rest(now + 2 * self._pause(self._blamed[1]), 0)
        is_early = isinstance(command, Probe | Greet) and now < self._retry_at  # the pause goes on
        self._parks(why, detail, now, is_early, retry_after)
        return None

    def try_now(self) -> None:
        """Somebody has put something right: nothing rests any more."""
        self._resting.clear()
        self._retry_at = 0.0
        self.is_disabled = False

    # ------------------------------------------------------------------------------------------------------------------

    def _next(self, now: float, book: Book, day: int, is_quiet: bool) -> Command | None:
        if self.parked is not None and now < self._retry_at:
            if now < self._probe_at:
                return None
            return Probe(self.parked.why in WRITES_FAIL) if self.is_greeted else Greet()
        if not self.is_greeted:
            return Greet()
        command = self._pick(now, book, day, is_quiet)
        if command is None and self.parked is not None:
            return Probe(self.parked.why in WRITES_FAIL, is_last=True)
        return command

    def _pick(self, now: float, book: Book, day: int, is_quiet: bool) -> Send | None:
        held = {number for number, rest in self._resting.items() if rest.until > now}
        for kind in ORDER:
            if kind is Kind.BODY and is_quiet:
                continue
            while (job := book.first(kind, held)) is not None:
                spent = job.sent_today if job.day == day else 0
                if not spent or spent + job.size <= self.rules.budget * job.size + SPARE_BYTES:
                    self._goes(job.number)
                    return Send(job)
                self._resting[job.number] = _Rest(now + BUDGET_SECONDS, 0, is_spent=True)
                held.add(job.number)
        return None

    def _goes(self, number: int) -> None:
        """Another day: it has bytes again."""
        if number in self._resting and self._resting[number].is_spent:
            del self._resting[number]

    def _unit_failed(self, number: int, why: Why, now: float) -> State | None:
        tries = (self._resting[number].tries if number in self._resting else 0) + 1
        is_refused = why in REFUSED_AT_ONCE
        self._resting[number] = _Rest(now + (RECHECK_SECONDS if is_refused else self._pause(tries)), tries)
        return State.REFUSED if is_refused else None

    def _settled(self, number: int) -> None:
        self._under_way = None
        self._resting.pop(number, None)
        self._blamed = 0, 0

    def _parks(self, why: Why, detail: str, now: float, was_probe: bool, retry_after: float) -> None:
        if why in GREETS_ANEW:
            self.is_greeted = False
        if not was_probe:
            if self._was_let_go_by_probe:
                self._is_probe_believed = False
            self.faults += 1
            self._retry_at = now + min(max(self._pause(self.faults), retry_after), self.rules.longest_pause)
        self._was_let_go_by_probe = False
        self._probe_at = now + self._between_probes()
        self.is_disabled = why is Why.DISABLED
        since = self.parked.since if self.parked is not None else now
        self.parked = Parked(PARKS.get(why, "link"), why, detail, since)

    def _pause(self, tries: int) -> float:
        pause = min(self.rules.first_pause * 2 ** min(tries - 1, 20), self.rules.longest_pause)
        return float(pause * (1 - 0.25 * self.chance()))

    def _between_probes(self) -> float:
        return self.rules.probe * (1 - 0.25 * self.chance())

    def _works(self) -> None:
        self.parked = None
        self.faults = 0
        self._is_probe_believed = True
        self._was_let_go_by_probe = False
