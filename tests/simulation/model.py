"""What must be true of an office whatever happens: a list of what was seen from outside, and rules over it.

Nothing of the code under test is in here. The model hears what left the box and what came to it (INVITEs, answers,
BYEs, keys, what is played, who is joined to whom), what is committed when the process dies, and once a second whom the
box counts as busy; it says what is wrong. A place is a span of moments, because who was cut off may be put where the
call began or where the line was joined.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

SLACK = 0.005  # one instant of the loop, in virtual seconds
QUIET_SECONDS = 2.15  # row 15: two seconds, and what the loop takes
BUSY_SECONDS = 5.0  # row 18
UNCOUNTED_SECONDS = 90.0  # DECISIONS 9: 64*T1 and the ring limit
REFUSED_SECONDS = 5.0  # an agent who did not take a caller is not offered the same one for so long
DOUBT_SECONDS = 45.0  # what is stamped while the clock is in doubt is early by as long as the box was down
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
    is_answered: bool = False
    is_up: bool = True
    is_known: bool = False  # the box has been told of it
    is_connected: bool = False
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


@dataclass(slots=True)
class Attempt:
    leg: str
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
    is_owed: bool = False  # nobody asked for it: they were cut off
    attempts: list[Attempt] = field(default_factory=list)
    ringing: set[str] = field(default_factory=set)
    is_closed: bool = False
    was_rung: bool = False


@dataclass(slots=True)
class Ring:
    """An INVITE to an agent."""

    agent: str
    who: Caller | Wish
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


class Model:
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

    def of(self, number: str) -> list[Wish]:
        """What is owed to who calls from this number, or is called at it."""
        return [wish for wish in self.wishes if number in (wish.customer, wish.asker) and not wish.is_closed]

    def in_line(self, customer: str, line: str) -> Wish | None:
        return next((wish for wish in self.of(customer) if wish.line == line), None)

    # Callers ----------------------------------------------------------------------------------------------------------

    def rings_in(self, at: float, leg: str, name: str, number: str) -> None:
        self.note(at, f"{name} ({number or 'withheld'}) rings")
        self.callers[leg] = Caller(name, number, leg, at)
        self.count("calls")

    def answers(self, at: float, leg: str) -> None:
        """The box answers a caller."""
        caller = self.callers[leg]
        self.note(at, f"{caller.name} is answered")
        caller.is_answered = True
        self._silent.setdefault(leg, at)

    def refuses(self, at: float, leg: str, code: int) -> None:
        caller = self.callers[leg]
        self.note(at, f"{caller.name} is refused: {code}")
        if code == 486:
            inbound = sum(other.is_up and other.is_known and other is not caller for other in self.callers.values())
            outbound = self._callbacks_up()
            self.count("refused: every line taken")
            if inbound + outbound < self._max_calls:  # unless a callback has just taken a line, and is written down
                text = f"{caller.name} is refused with {inbound} in and {outbound} out on {self._max_calls}"
                self._refusals.append((at, text))
            if inbound < self._kept:
                self.fail("row 17", f"{outbound} callbacks hold lines that are kept for callers")
        self.gone(at, leg)

    def gone(self, at: float, leg: str) -> None:
        """A leg is over, whoever ended it; told once or often."""
        caller = self.callers.get(leg)
        if caller is not None and caller.is_up:
            self.note(at, f"{caller.name} is gone")
            caller.is_up = caller.is_waiting = False
            caller.ended = at
        ring = self.rings.get(leg)
        if ring is not None and ring.is_up:
            self._ring_over(at, leg, ring)
        found = self.customers.get(leg)
        if found is not None and found[1].ended is None:
            wish, attempt = found
            self.note(at, f"the leg to {wish.customer} is over")
            attempt.ended, attempt.is_doubtful = at, not self.is_clock_sure
        self._silent.pop(leg, None)
        self._playing.pop(leg, None)

    def presses(self, at: float, leg: str, key: str) -> None:
        who = self.callers.get(leg)
        ring = self.rings.get(leg)
        name = who.name if who else ring.agent if ring else "the customer"
        if who is None or not who.keys.endswith(key):
            self.note(at, f"{name} presses {key}")
        if who is not None:
            who.keys += key
        if ring is not None and isinstance(ring.who, Wish) and ring.is_answered:
            called = ring.who.customer
            last = [each for wish, each in self.customers.values() if wish.customer == called]
            attempt = max(last, key=lambda each: each.began, default=None)
            if attempt is not None and attempt.answered is not None and key == "1":
                attempt.is_given = attempt.is_given or ring.starred or attempt.ended is not None
            ring.starred = key == "*"
        found = self.customers.get(leg)
        if found is not None and key == "1" and found[1].answered is not None:
            found[1].is_given = found[1].is_given or not found[1].is_first

    # Sound ------------------------------------------------------------------------------------------------------------

    def plays(self, at: float, stream: str, play: int, prompts: tuple[str, ...], language: str, loops: bool) -> None:
        self._playing[stream] = play
        self._silent.pop(stream, None)
        caller = self.callers.get(stream)
        if caller is None or not caller.is_up:
            found = self.customers.get(stream)
            if found is not None and language and found[0].language not in ("", language):
                self.fail("language", f"{found[0].customer} asked in {found[0].language} and hears {language}")
            return
        if language == "en" and "9" in caller.keys:
            caller.language = "en"
        if language and language != caller.language:
            self.fail("language", f"{caller.name} chose {caller.language} and hears {language}")
        word = prompts[0]
        if loops and word == "music":
            if caller.next_line:
                self._joins(at, caller)
            elif not caller.is_waiting:  # keys pressed ahead: the line was not named
                caller.is_waiting, caller.line, caller.joined = True, "", at
        elif word.startswith("to_"):
            _, caller.next_line, priority = word.split("_")
            caller.priority = int(priority)
        elif word.startswith(("kept_", "given_")):
            how, line = word.split("_")
            self._promised(at, caller, line, caller.other if how == "given" else caller.number)
        elif word == "busy" and caller.next_line:  # the line was full: who came is kept in mind as having come then
            caller.places.setdefault(caller.next_line, (at, at))
            caller.next_line = ""
        elif caller.is_waiting and not word.startswith(("place", "tone:")):
            self.note(at, f"{caller.name} has left the line: {word}")
            caller.is_waiting = False

    def _joins(self, at: float, caller: Caller) -> None:
        line = caller.line = caller.next_line
        caller.next_line = ""
        kept = self.in_line(caller.number, line) if caller.number else None
        stands = kept.place if kept is not None else (at, at)
        if kept is not None and self._may_be_over(at, kept):
            stands = kept.place[0], at
        first = caller.places.setdefault(line, stands)
        caller.joined, caller.is_waiting = at, True
        # who comes again to the same line in one call has left it meanwhile: either place is right
        caller.place = stands if kept is not None else (first[0], at)
        self.note(at, f"{caller.name} waits in {line} at {caller.place}")
        self.count("waits")
        if kept is not None:
            self.count("rang again: waits at the old place")

    def _promised(self, at: float, caller: Caller, line: str, customer: str) -> None:
        self.count("callbacks asked for")
        known = self.in_line(customer, line) or (self.in_line(caller.number, line) if caller.number else None)
        if known is not None and self._may_be_over(at, known):  # it is told below whether it was
            known.is_closed = True
            stood = caller.places.get(line, (at, at))
            place = min(known.place[0], stood[0]), max(known.place[1], stood[1])
            self.wishes.append(
                Wish(customer, line, place, at, "", asker=caller.number, before=known.before or known.asker)
            )
            return
        if known is not None:
            known.customer, known.since = customer, at
            self.note(at, f"{caller.name} is told again that {customer} is called back in {line}")
            return
        place = caller.places.get(line, (min(at, caller.joined), at))
        self.note(at, f"{caller.name} is told that {customer} is called back in {line}, at {place}")
        if not self.is_clock_sure:
            place = place[0] - DOUBT_SECONDS, place[1]
        self.wishes.append(Wish(customer, line, place, at, caller.language, asker=caller.number))

    def quiet(self, at: float, stream: str, play: int) -> None:
        """A play has ended, or was stopped (0: whatever it is)."""
        if stream in self._playing and play in (0, self._playing[stream]):
            del self._playing[stream]
            if stream not in self._partner:
                self._silent.setdefault(stream, at)

    def joins(self, at: float, left: str, right: str) -> None:
        for one, other in ((left, right), (right, left)):
            self._partner[one] = other
            self._playing.pop(one, None)
            self._silent.pop(one, None)
        for customer, agent in ((left, right), (right, left)):
            if agent in self.rings and self.rings[agent].is_answered:
                self.rings[agent].is_joined = True
                self._connected(at, customer, self.rings[agent])

    def parts(self, at: float, stream: str) -> None:
        other = self._partner.pop(stream, "")
        self._partner.pop(other, None)
        for each in (stream, other):
            if each and each not in self._playing:
                self._silent.setdefault(each, at)

    def _connected(self, at: float, leg: str, ring: Ring) -> None:
        caller = self.callers.get(leg)
        if caller is not None and not caller.is_connected:
            self.note(at, f"{caller.name} speaks with {ring.agent}")
            caller.is_connected, caller.is_waiting = True, False
            self.count("served")
            if caller.line:
                self.served[caller.line].append((caller.place, at, caller.priority))
            for wish in self.of(caller.number) if caller.number else ():
                wish.is_closed = True
                self.count("got through by ringing again")
        found = self.customers.get(leg)
        if found is not None and found[1].answered is not None and not found[1].was_joined:
            self.note(at, f"{found[0].customer} speaks with {ring.agent}")
            found[1].was_joined = True
            self.served[found[0].line].append((found[0].place, at, 0))
            self.count("called back and joined")

    # Agents -----------------------------------------------------------------------------------------------------------

    def rings_agent(self, at: float, leg: str, agent: str, name: str, number: str) -> None:
        """An INVITE to an agent's phone; who it is for stands in it."""
        who: Caller | Wish | None
        is_plain = True
        if name:
            who = next((each for each in self.callers.values() if each.name == name), None)
        else:
            rung = [w for w in self.of(number) if w.customer == number and agent in self.lines[w.line].levels]
            rung = rung or [
                w for w, attempt in self.customers.values() if attempt.ended is None and w.customer == number
            ]
            is_plain = len(rung) == 1  # else it is not told which of the two lines it is for
            who = next(iter(rung), None)
        self.note(at, f"{agent} is rung for {name or number}")
        if who is None:
            self.fail("row 5", f"{agent} is rung for {name or number}, who wants nothing")
            return
        if any(ring.agent == agent and ring.is_up for ring in self.rings.values()):
            self.fail("row 18", f"{agent} is rung twice at once")
        self.rings[leg] = Ring(agent, who, at)
        who.ringing.add(leg)
        if isinstance(who, Caller) and not (who.is_up and who.is_waiting):
            self.fail("row 18", f"{agent} is rung for {who.name}, who does not wait")
        if isinstance(who, Wish) and not who.attempts:
            who.was_rung = True
        if is_plain and not (isinstance(who, Wish) and any(each.ended is None for each in who.attempts)):
            self._in_turn(at, agent, who, 0.0)

    def picks_up(self, at: float, leg: str) -> None:
        ring = self.rings.get(leg)
        if ring is not None:
            ring.is_answered = True
            self.note(at, f"{ring.agent} picks up")
        found = self.customers.get(leg)
        if found is not None:
            self.note(at, f"{found[0].customer} picks up")
            found[1].answered = at
            self._silent.setdefault(leg, at)

    def turned_down(self, at: float, leg: str, code: int) -> None:
        found = self.customers.get(leg)
        if found is not None:
            found[1].code = code
        self.gone(at, leg)

    def _ring_over(self, at: float, leg: str, ring: Ring) -> None:
        self.note(at, f"{ring.agent} is free of that call")
        ring.is_up = False
        ring.who.ringing.discard(leg)
        if not ring.is_answered:
            self._refused[ring.agent, _name(ring.who)] = at + REFUSED_SECONDS
        if isinstance(ring.who, Caller):
            ring.who.rung_until = at

    # Customers --------------------------------------------------------------------------------------------------------

    def dials(self, at: float, leg: str, customer: str, row: tuple[str, str, str] | None) -> None:
        """An INVITE to a customer; ``row``: request, line and state, as committed with an attempt of this leg."""
        self.note(at, f"{customer} is dialled")
        self.count("attempts")
        if row is None:
            self.fail("row 3", f"{customer} is dialled, and no attempt is committed")
            return
        request, line, state = row
        owed = [each for each in self.of(customer) if each.customer == customer and each.line == line]
        wish = next(iter(owed), None)
        if wish is None or state not in ("open", "doing"):
            self.fail("row 3", f"{customer} is dialled for {line}, and is owed no call ({state})")
            return
        if wish.request and wish.request != request:
            self.fail("row 6", f"{customer} has two requests in {line}")
        wish.request = request
        if leg in self.customers:
            self.fail("row 5", f"{customer} is dialled twice for one attempt")
        if any(other.ended is None and each.customer == customer for each, other in self.customers.values()):
            self.fail("row 3", f"{customer} is dialled while another call to them is under way")
        on_phone = [
            each.name
            for each in self.callers.values()
            if each.is_up and each.is_known and each.number == customer and each.began < at - SLACK
        ]
        if on_phone:
            self.fail("row 6", f"{customer} is dialled and is on the telephone: {on_phone}")
        if not self.is_clock_sure:
            self.fail("clock", f"{customer} is dialled while the clock is in doubt")
        self._within_policy(at, wish)
        rules = self.lines[line]
        agents = [self.rings[leg] for each in self.of(customer) for leg in each.ringing]
        if rules.is_agent_first and not any(ring.is_answered for ring in agents):
            self.fail("row 11", f"{customer} is dialled before an agent is there")
        attempt = Attempt(leg, at, rules.is_agent_first)
        wish.attempts.append(attempt)
        self.customers[leg] = wish, attempt
        if not rules.is_agent_first:
            self._in_turn(at, "", wish, SETTLED_SECONDS)
        if self._max_calls:
            out = self._callbacks_up()
            inbound = sum(each.is_up and each.is_known for each in self.callers.values())
            if out > self._max_calls - self._kept or out + inbound > self._max_calls:
                self.fail("row 17", f"{out} callbacks and {inbound} calls on {self._max_calls} lines")
        if self._dialling() > self._most_callbacks:
            self.fail("row 17", "more callbacks at once than are allowed")

    def _within_policy(self, at: float, wish: Wish) -> None:
        rules = self.lines[wish.line]
        counted = sum(counts(attempt) for attempt in wish.attempts)
        if counted >= rules.attempts:
            self.fail("row 3", f"{wish.customer} is dialled after {counted} of {rules.attempts} attempts")
        if any(attempt.code == 404 for attempt in wish.attempts):
            self.fail("row 9", f"{wish.customer} does not exist and is dialled again")
        for attempt in wish.attempts[-1:]:
            since = at - (attempt.ended or 0.0)
            least = UNCOUNTED_SECONDS
            if counts(attempt) and not attempt.is_interrupted:
                least = rules.spacing_seconds
            elif not counts(attempt) and not attempt.is_interrupted:
                least = min(least, rules.spacing_seconds)
            if attempt.is_doubtful:
                least -= DOUBT_SECONDS
            if attempt.is_interrupted:
                least -= SETTLED_SECONDS  # it was closed a little before the process said that it was up
            if since < least - 0.2:
                self.fail("row 9", f"{wish.customer} is dialled {since:.1f} s after the last time, not {least}")

    def _dialling(self) -> int:
        return sum(attempt.ended is None for _, attempt in self.customers.values())

    def _callbacks_up(self) -> int:
        """Callbacks for which somebody is rung or speaks: each takes a line, or is about to."""
        dialled = {wish.customer for wish, attempt in self.customers.values() if attempt.ended is None}
        return len(dialled | {wish.customer for wish in self.wishes if self._has_line(wish)})

    def _has_line(self, wish: Wish) -> bool:
        """Whether an agent is rung, and the customer will be; not where the agent is still asked whom they reached."""
        over = wish.attempts[-1].ended if wish.attempts else None
        return any(over is None or self.rings[leg].at > over for leg in wish.ringing)

    # Order ------------------------------------------------------------------------------------------------------------

    def _in_turn(self, at: float, agent: str, who: Caller | Wish, slack: float) -> None:
        """Row 4: nobody who came earlier, and could have been served now, is passed over."""
        if at - self.media_at < 10.0 or not self.is_media_up or not who.line:
            return
        line = self.lines[who.line]
        for other in self.callers.values():
            if other is who or not (other.is_waiting and other.is_up and other.line) or other.ringing:
                continue
            if other.place[1] >= who.place[0] or other.joined >= at - slack - SLACK or other.rung_until >= at - SLACK:
                continue
            if slack and (other.line != who.line or other.rung_until > at - REFUSED_SECONDS - slack - 1.0):
                continue
            if isinstance(who, Caller) and who.priority > other.priority:
                continue
            if isinstance(who, Caller) and who.number == other.number != "":
                continue  # one person who rings twice
            if self._may_serve(at, agent, other) if agent else self._waits_for_all(at, other, line, slack):
                self.count("pairs compared")
                self._suspects.append((at, f"{_name(who)} at {who.place} is served before", other))
        if isinstance(who, Caller) and who.priority == 0:
            for wish in self.wishes:
                if wish.line == who.line and wish.place[1] < who.place[0] and self._must_stand(at, wish):
                    self.count("pairs compared")
                    self.fail("row 4", f"{who.name} is served before the callback of {wish.customer} at {wish.place}")

    def _waits_for_all(self, at: float, caller: Caller, line: Line, slack: float) -> bool:
        """Whether any agent of this line could have been asked for this caller, whichever was reserved."""
        if caller.line != line.name:
            return False
        since = max(caller.joined, self.doubted_at)
        return at - since >= slack + line.prefer_seconds + line.level_seconds * (max(line.levels.values()) - 1)

    def _may_serve(self, at: float, agent: str, caller: Caller) -> bool:
        line = self.lines[caller.line]
        waited = at - caller.place[1]
        if caller.place[0] < self.doubted_at:
            waited -= DOUBT_SECONDS
        if agent not in line.levels or self._refused.get((agent, caller.name), 0.0) > at:
            return False
        joined = at - caller.joined
        return waited >= (line.levels[agent] - 1) * line.level_seconds and min(waited, joined) >= line.prefer_seconds

    def _must_stand(self, at: float, wish: Wish) -> bool:
        """Whether this callback surely stands in its line: fresh, in nobody's hand, with room and cap to spare."""
        if wish.is_closed or wish.attempts or wish.was_rung or wish.ringing or not self.is_clock_sure:
            return False
        others = [each for each in self.wishes if each.customer == wish.customer and each is not wish]
        if any(wish.is_owed or not each.is_closed for each in others):
            return False  # one call at a time; who was tried in vain is left in peace by what nobody asked for
        if self._was_up(wish, at):
            return False
        ready = max(wish.since, self.up_since, self.sure_since, self._tight_at)
        return SETTLED_SECONDS < at - ready < 280.0

    def _was_up(self, wish: Wish, at: float) -> bool:
        """Whether somebody held it lately: whoever asked for it may still be on the telephone."""
        people = {wish.customer, wish.asker} - {""}
        return any(people & {each.number, each.other} and each.ended > at - 8.0 for each in self.callers.values())

    def _judge(self, at: float) -> None:
        """Who seemed to be passed over was not, if they were rung within the same instant."""
        while self._suspects and self._suspects[0][0] < at - SLACK:
            then, text, other = self._suspects.pop(0)
            if other.is_waiting and not any(self.rings[leg].at <= then + SLACK for leg in other.ringing):
                self.fail("row 4", f"{text} {other.name} at {other.place}, who waits in {other.line}")

    # Once a second ----------------------------------------------------------------------------------------------------

    def second(
        self,
        at: float,
        engaged: Collection[str],
        shown: Collection[str],
        page: Mapping[str, str],
        is_up: Callable[[str], bool],
    ) -> None:
        """Row 18, and what callers hear.

        ``engaged`` are busy agents, ``shown`` those who speak by the page, ``page`` what it says that each does.
        """
        self.note(at, "") if self._suspects else None
        self.count("seconds looked at")
        self._look_for_room(at)
        if self._refusals and self._refusals[0][0] < at - SETTLED_SECONDS:
            since, text = self._refusals.pop(0)
            if not any(since <= attempt.began <= at for _, attempt in self.customers.values()):
                self.fail("row 17", text)
        if at >= self._orphans_until:
            left = [leg for leg in self._orphans if is_up(leg)]
            if left:
                self.fail("row 5", f"legs of the dead process are still up: {left}")
            self._orphans, self._orphans_until = [], math.inf
        if not self.is_box_up:
            return
        rings = [ring for ring in self.rings.values() if ring.is_up]
        live = {ring.agent for ring in rings}
        talking = {ring.agent for ring in rings if ring.is_joined}
        is_reserved = any(
            not each.is_first and each.ended is None and not each.was_joined for _, each in self.customers.values()
        )
        for agent in live - set(engaged):
            self.fail("row 18", f"{agent} has a dialog and does not count as busy")
        for agent in live:
            if page.get(agent) not in ("offered", "talking", "not_registered"):
                self.fail("row 18", f"{agent} has a dialog, and the page says {page.get(agent)}")
        idle = set(engaged) - live if not is_reserved else set()
        self._idle = {agent: self._idle.get(agent, at) for agent in idle}
        for agent, since in self._idle.items():
            if at - max(since, self.media_at) > BUSY_SECONDS:
                self.fail("row 18", f"{agent} counts as busy and has had no dialog for {BUSY_SECONDS} s")
        if talking != set(shown):
            self.fail("row 18", f"{sorted(talking)} speak, the page shows {sorted(shown)}")
        if self.is_media_up:
            for stream, since in self._silent.items():
                if at - max(since, self.media_at) > QUIET_SECONDS and self._hears(stream):
                    self.fail("row 15", f"{self._who(stream)} hears nothing for {at - since:.1f} s")

    def _hears(self, stream: str) -> bool:
        caller = self.callers.get(stream)
        if caller is not None:
            return caller.is_answered and caller.is_up
        found = self.customers.get(stream)
        return found is not None and found[1].answered is not None and found[1].ended is None

    def _who(self, stream: str) -> str:
        caller = self.callers.get(stream)
        return caller.name if caller is not None else self.customers[stream][0].customer

    def _look_for_room(self, at: float) -> None:
        """Whether callbacks could be kept from standing in their lines now."""
        wanted = sum(not each.is_closed for each in self.wishes)
        inbound = sum(each.ended > at - 8.0 for each in self.callers.values())
        room = not self._max_calls or inbound + self._callbacks_up() + self._kept + 1 < self._max_calls
        if wanted > self._most_callbacks or not room:
            self._tight_at = at

    # The process dies -------------------------------------------------------------------------------------------------

    def killed(self, at: float, rows: Collection[Row], cut_off: Collection[str], attempts: Collection[str]) -> None:
        """As committed: ``rows``, ``cut_off`` (numbers in open conversations), ``attempts`` (legs without an end)."""
        self.note(at, "the process is killed")
        self.count("kills")
        self.is_box_up = False
        self._open_before = {row.request: row for row in rows if row.state in ("open", "doing")}
        self._cut_off = [each for each in self.callers.values() if each.is_up and each.number in cut_off]
        # who had just gone may be owed a call too: that they went was not written down yet
        self._gone = [each for each in self.callers.values() if not each.is_up and each.ended > at - 7.0]
        self._orphans += [leg for leg, caller in self.callers.items() if caller.is_up and caller.is_known]
        self._orphans += [leg for leg, ring in self.rings.items() if ring.is_up]
        self._orphans += [leg for leg, (_, attempt) in self.customers.items() if attempt.ended is None]
        self._orphans_until = math.inf
        for leg, (_, attempt) in self.customers.items():
            if leg in attempts:
                attempt.is_interrupted = True
                attempt.ended = math.inf  # until the next process has closed it
        for ring in self.rings.values():
            if ring.is_up:
                ring.is_up = False
                ring.who.ringing.clear()
        for caller in self.callers.values():
            caller.is_waiting = False
        self._partner.clear()
        self._silent.clear()
        self._playing.clear()
        self._refused.clear()
        self._idle.clear()
        self._suspects.clear()
        self._refusals.clear()
        open_now = {(row.customer, row.line) for row in self._open_before.values()}
        for wish in self.wishes:
            if wish.is_closed and (wish.customer, wish.line) in open_now and not self.in_line(wish.customer, wish.line):
                wish.is_closed = False  # that it was done had not been written down
            elif not wish.is_closed and (wish.customer, wish.line) not in open_now:
                if wish.since < at - 1.0 and not self._may_be_over(at, wish):
                    self.fail("row 5", f"{wish.customer} was told of a callback in {wish.line} that is not committed")
                wish.is_closed = True

    def restarted(self, at: float, rows: Collection[Row], attempts: Collection[str]) -> None:
        """The next process has brought back what it knows; as committed now."""
        self.note(at, "the next process is up")
        self.is_box_up, self.up_since = True, at
        if not self.is_clock_sure:
            self.doubted_at = at
        self._orphans_until = at + 2.0
        for leg in self._orphans:
            self.gone(at, leg)
        if attempts:
            self.fail("row 5", f"attempts without an end after a restart: {attempts}")
        by_request = {row.request: row for row in rows}
        for before in self._open_before.values():
            after = by_request.get(before.request)
            if after is None or after.state not in ("open", "doing"):
                self.fail(
                    "row 5", f"the request of {before.customer} was open and is {after.state if after else 'gone'}"
                )
            if self.in_line(before.customer, before.line) is None:  # nobody has heard of it yet
                self.wishes.append(Wish(before.customer, before.line, (0.0, at), at, "", before.request))
        for caller in self._cut_off:
            self.count("cut off")
            if not self._owe(at, caller, rows):
                self.fail("row 5", f"{caller.name} was cut off and is owed nothing")
        for caller in self._gone:
            self._owe(at, caller, rows)
        for _, attempt in self.customers.values():
            if attempt.ended == math.inf:
                attempt.ended, attempt.is_doubtful = at, not self.is_clock_sure

    def _owe(self, at: float, caller: Caller, rows: Collection[Row]) -> bool:
        """Takes over what the box owes to this caller; whether it owes anything."""
        known = [w for w in self.wishes if not w.is_closed and caller.number in (w.customer, w.asker, w.before)]
        numbers = {caller.number, *(wish.customer for wish in known)} if caller.number else set()
        owed = [row for row in rows if row.customer in numbers and row.state in ("open", "doing")]
        for row in owed:
            if self.in_line(row.customer, row.line) is None:
                lost = [*self._cut_off, *self._gone]
                spans = [self._span(each, row.line) for each in lost if each.number == caller.number]
                place = min(span[0] for span in spans), max(span[1] for span in spans)
                if self.doubted_at > place[0]:
                    place = place[0] - DOUBT_SECONDS, place[1]
                self.note(at, f"{caller.name} is owed a call in {row.line} at {place}")
                wish = Wish(row.customer, row.line, place, at, "", row.request, caller.number, is_owed=True)
                self.wishes.append(wish)
        return bool(owed)

    @staticmethod
    def _span(caller: Caller, line: str) -> Place:
        """Where somebody who was cut off may stand: where the call began, or where they waited."""
        stood = caller.places.get(line, (caller.began, caller.began))
        return min(caller.began, stood[0]), max(caller.began, stood[1])

    # What is committed ------------------------------------------------------------------------------------------------

    def committed(self, at: float, rows: Collection[Row]) -> None:
        """Every request that was promised is there, once, and is not closed without a reason."""
        self.note(at, "") if self._suspects else None
        open_now = [(row.customer, row.line) for row in rows if row.state in ("open", "doing")]
        if len(open_now) != len(set(open_now)):
            self.fail("row 6", f"somebody has two requests in one line: {sorted(open_now)}")
        for wish in self.wishes:
            if wish.is_closed or wish.since > at - SETTLED_SECONDS or (wish.customer, wish.line) in open_now:
                continue
            if not self._may_be_over(at, wish):
                self.fail("row 5", f"the callback of {wish.customer} in {wish.line} is closed without a reason")
            wish.is_closed = True

    def _may_be_over(self, at: float, wish: Wish) -> bool:
        rules = self.lines[wish.line]
        counted = sum(counts(attempt) for attempt in wish.attempts)
        return (
            counted >= rules.attempts
            or any(attempt.code == 404 for attempt in wish.attempts)
            or any(attempt.is_given for each in self._same_person(wish) for attempt in each.attempts)
            or len(wish.attempts) >= 20
            or at - wish.place[0] > rules.expires_seconds - 1.0
        )

    def _same_person(self, wish: Wish) -> list[Wish]:
        """Who was reached for one line was reached for all."""
        people = {wish.customer, wish.asker, wish.before} - {""}
        return [each for each in self.wishes if {each.customer, each.asker} & people]

    def outcome(self, leg: str, outcome: str) -> None:
        """An attempt's end as committed agrees with what was seen (rows 9 and 10)."""
        found = self.customers.get(leg)
        if found is None:
            if outcome not in ("network", "no_agent", "interrupted"):
                self.fail("row 9", f"nobody was dialled, and the outcome is {outcome}")
            return
        wish, attempt = found
        self.count(f"outcome: {outcome}")
        if attempt.is_interrupted:
            expected = {"interrupted"}
        elif attempt.code:
            expected = {COUNTED.get(attempt.code, "network")}
        elif attempt.answered is None:
            expected = {"no_answer", "no_agent", "network"}
        else:
            expected = {"not_reached", "not_given", "no_agent"} | ({"reached"} if attempt.is_given else set())
        if outcome not in expected:
            self.fail("row 10", f"the outcome of {wish.customer} is {outcome}, not of {sorted(expected)}")


def counts(attempt: Attempt) -> bool:
    """Whether this attempt uses up one of those that the policy allows."""
    if attempt.ended is None or attempt.is_interrupted:
        return False
    if attempt.code:
        return attempt.code in COUNTED
    if attempt.answered is None:
        return attempt.ended - attempt.began >= RINGS_SECONDS
    return attempt.is_first or attempt.was_joined or not attempt.is_given


def overtaken(served: Collection[tuple[Place, float, int]]) -> tuple[int, int]:
    """Row 16: of how many callers, how many were overtaken and waited more than twice as long as in order of arrival.

    The same agents were free at the same moments; in order of arrival the first free one is for the first who came.
    """
    moments = sorted(at for _, at, _ in served)
    order = sorted(served, key=lambda each: each[0][1])
    usual = {}
    for (place, at, priority), moment in zip(order, moments, strict=True):
        usual[place, at, priority] = max(0.0, moment - place[1])
    beyond = 0
    for place, at, priority in served:
        is_overtaken = any(
            other[2] > priority and other[0][0] > place[1] and place[1] < other[1] < at for other in served
        )
        beyond += is_overtaken and at - place[1] > 2 * usual[place, at, priority] + 1.0
    return len(order), beyond


def _name(who: Caller | Wish) -> str:
    return who.name if isinstance(who, Caller) else f"the callback of {who.customer}"
