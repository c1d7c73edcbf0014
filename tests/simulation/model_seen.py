"""What the model of the office knows: the people, calls and promises that were seen from outside, and what is wrong.

Nothing of the code under test is in here. A place is a span of moments, because who was cut off may be put where the
call began or where the line was joined.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

SLACK = 0.005  # one instant of the loop, in virtual seconds
QUIET_SECONDS = 2.15  # row 15: two seconds, and what the loop takes
BUSY_SECONDS = 5.0  # row 18
UNCOUNTED_SECONDS = 90.0  # DECISIONS 9: 64*T1 and the ring limit
REFUSED_SECONDS = 5.0  # an agent who did not take a caller is not offered the same one for so long
DOUBT_SECONDS = 45.0  # what is stamped while the clock is in doubt is early by as long as the box was down
ASKED_SECONDS = 3.0  # nobody takes a silence for a wish sooner after the question
SETTLED_SECONDS = 4.0  # ticks of the book, a slow disk
COUNTED = {486: "busy", 480: "off", 603: "declined", 404: "no_such_number"}
RINGS_SECONDS = 44.0
SHOWN = 60  # of what happened last, where something is wrong

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """The rules of one line as its owner wrote them."""

    name: str
    levels: Mapping[str, int]
    level_seconds: float
    prefer_seconds: float
    is_agent_first: bool
    attempts: int
    spacing_seconds: float
    expires_seconds: float


@dataclass(slots=True)
class Caller:
    name: str
    number: str  # E.164; empty: withheld
    leg: str
    began: float
    language: str = "fa"
    is_early: bool = False  # rang while the box was down
    is_answered: bool = False
    is_up: bool = True
    is_known: bool = False  # the box has been told of it
    is_connected: bool = False
    connected_at: float = -math.inf
    is_waiting: bool = False
    line: str = ""
    next_line: str = ""
    priority: int = 0
    joined: float = math.inf
    places: dict[str, Place] = field(default_factory=dict)  # line: where they stood in it first
    place: Place = (0.0, 0.0)
    ended: float = math.inf
    ringing: set[str] = field(default_factory=set)  # legs of agents
    rung_until: float = -math.inf
    other: str = ""  # the number that was given instead
    keys: str = ""
    asks_for: str = ""  # the line, while they are asked whether they want to be called back
    asked_at: float = math.inf
    pressed_at: float = -math.inf
    asked_keys: int = 0  # how many keys they had pressed by then

    def may_be_asked_in(self, lines: Collection[str]) -> Collection[str]:
        """The lines for which they may have asked: keys that are pressed ahead walk on without a word."""
        if self.asks_for:
            return (self.asks_for,)
        return lines if self.is_answered and len(self.keys) - self.asked_keys >= 2 else ()


@dataclass(slots=True)
class Attempt:
    leg: str
    number: str  # that was dialled: the wish may move to another
    began: float
    is_first: bool  # agent-first
    answered: float | None = None
    ended: float | None = None
    code: int = 0
    is_interrupted: bool = False
    is_given: bool = False  # a person pressed the key that says so
    was_joined: bool = False
    is_doubtful: bool = False  # the clock was in doubt when it ended


@dataclass(slots=True)
class Wish:
    """A callback that somebody was promised, or is owed."""

    customer: str
    line: str
    place: Place
    since: float
    language: str
    request: str = ""
    asker: str = ""
    before: str = ""  # who had asked for what this may be, or may have taken the place of
    perhaps: frozenset[str] = frozenset()  # numbers of which it may be, or may not
    is_maybe_settled: bool = False  # one of them has spoken with somebody
    is_owed: bool = False  # nobody asked for it: they were cut off
    is_unsure: bool = False  # they hung up before they were told whether it is kept
    attempts: list[Attempt] = field(default_factory=list)
    ringing: set[str] = field(default_factory=set)
    is_closed: bool = False
    was_rung: bool = False
    renewed: float = -math.inf  # when it was surely asked for again: attempts and time begin anew
    perhaps_renewed: float = -math.inf  # when it may have been


@dataclass(slots=True)
class Ring:
    """An INVITE to an agent."""

    agent: str
    who: Caller | Wish
    number: str  # for which the agent is rung: the wish may move to another
    at: float
    is_up: bool = True
    is_answered: bool = False
    is_joined: bool = False
    starred: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A request as it is committed."""

    request: str
    customer: str
    line: str
    state: str


class Seen:
    """What has happened, and the first rule that it broke."""

    def __init__(self, lines: Mapping[str, Line], max_calls: int, kept: int, most_callbacks: int) -> None:
        self.lines = lines
        self.broken: list[str] = []
        self.happened: list[str] = []
        self.callers: dict[str, Caller] = {}
        self.wishes: list[Wish] = []
        self.rings: dict[str, Ring] = {}
        self.customers: dict[str, tuple[Wish, Attempt]] = {}
        self.figures: dict[str, int] = {}
        self.is_media_up, self.media_at = True, -math.inf
        self.is_box_up = True
        self.up_since = 0.0
        self.is_clock_sure, self.sure_since = True, 0.0
        self.doubted_at = -math.inf  # the last start with a clock in doubt
        self.now = 0.0
        self.served: dict[str, list[tuple[Place, float, int]]] = {name: [] for name in lines}
        self._open_before: dict[str, Row] = {}
        self._cut_off: list[Caller] = []
        self._gone: list[Caller] = []
        self._max_calls, self._kept, self._most_callbacks = max_calls, kept, most_callbacks
        self._silent: dict[str, float] = {}  # stream: since when
        self._playing: dict[str, int] = {}
        self._partner: dict[str, str] = {}
        self._refused: dict[tuple[str, str], float] = {}
        self._idle: dict[str, float] = {}  # busy without a dialog: since when
        self._refusals: list[tuple[float, str]] = []
        self._suspects: list[tuple[float, str, Caller]] = []
        self._tight_at = -math.inf
        self._orphans: list[str] = []
        self._orphans_until = math.inf

    # Bookkeeping ------------------------------------------------------------------------------------------------------

    def count(self, what: str, by: int = 1) -> None:
        self.figures[what] = self.figures.get(what, 0) + by

    def fail(self, rule: str, text: str) -> None:
        if not self.broken:
            last = "\n  ".join(self.happened[-SHOWN:])
            self.broken.append(f"{rule}: {text}\n  {last}")

    def note(self, at: float, text: str) -> None:
        self.now = at
        self.happened.append(f"{at:9.3f} {text}")
        if self._suspects and self._suspects[0][0] < at - SLACK:
            self._judge(at)

    def _judge(self, at: float) -> None:
        """Who seemed to be passed over was not, if they were rung within the same instant."""
        while self._suspects and self._suspects[0][0] < at - SLACK:
            then, text, other = self._suspects.pop(0)
            if other.is_waiting and not any(self.rings[leg].at <= then + SLACK for leg in other.ringing):
                self.fail("row 4", f"{text} {other.name} at {other.place}, who waits in {other.line}")

    def of(self, number: str) -> list[Wish]:
        """What is owed to who calls from this number, or is called at it."""
        return [wish for wish in self.wishes if number in (wish.customer, wish.asker) and not wish.is_closed]

    def in_line(self, customer: str, line: str) -> Wish | None:
        """The call that is owed to this number in this line; else the one for which it asked."""
        here = [wish for wish in self.of(customer) if wish.line == line]
        return next((wish for wish in here if wish.customer == customer), None) or next(iter(here), None)

    def _perhaps_of(self, number: str, line: str) -> Wish | None:
        """The call in this line that this number may have asked for, or may not."""
        return next((w for w in self.wishes if w.line == line and not w.is_closed and number in w.perhaps), None)

    def _callbacks_up(self) -> int:
        """Callbacks that surely take a line, or are about to: somebody is rung, or speaks.

        Of a customer who is called in two lines it is not told for which of them an agent is rung: they count once.
        """
        dialled = {wish.customer for wish, attempt in self.customers.values() if attempt.ended is None}
        return len(dialled | {wish.customer for wish in self.wishes if self._has_line(wish)})

    def _most_callbacks_up(self) -> int:
        """As many as there may be: an agent may still be asked for one that is done, beside the next one."""
        dialled = {id(wish) for wish, attempt in self.customers.values() if attempt.ended is None}
        return len(dialled | {id(wish) for wish in self.wishes if self._has_line(wish)})

    def _has_line(self, wish: Wish) -> bool:
        """Whether an agent is rung, and the customer will be; not where the agent is still asked whom they reached."""
        over = wish.attempts[-1].ended if wish.attempts else None
        return any(over is None or self.rings[leg].at >= over for leg in wish.ringing)


def counts(attempt: Attempt) -> bool:
    """Whether this attempt uses up one of those that the policy allows."""
    if attempt.ended is None or attempt.is_interrupted:
        return False
    if attempt.code:
        return attempt.code in COUNTED
    if attempt.answered is None:
        return attempt.ended - attempt.began >= RINGS_SECONDS
    return attempt.is_first or attempt.was_joined or not attempt.is_given


def name_of(who: Caller | Wish) -> str:
    return who.name if isinstance(who, Caller) else f"the callback of {who.customer}"
