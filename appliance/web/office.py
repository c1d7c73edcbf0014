"""What the page shows of the office: waiting lines, who waits in them, what agents do, what the owner has switched."""

from __future__ import annotations

from dataclasses import dataclass

from appliance import messages
from appliance.control.wire import AgentNow, Line, LiveCall, Snapshot, Switches
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits
from appliance.web.views import BAD, BUSY, GOOD, IDLE, State, near, word

DOING_TONES = {
    "free": GOOD, "offered": BUSY, "talking": BUSY, "wrap_up": BUSY,
    "not_registered": IDLE, "not_seated": IDLE, "absent": IDLE,
}  # fmt: skip
TIMED = ("offered", "talking", "wrap_up")  # how long an agent does these is worth knowing
NEXT_DAYS = 7


@dataclass(frozen=True, slots=True)
class LineRow:
    """``longest_ms`` is since when (wall time) the one waits who waits longest; 0 where nobody does."""

    name: str
    waiting: str
    present: str
    free: str
    state: State
    longest_ms: int
    longest: str


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """``others`` are the lines into which the caller can be moved; none for a callback, which waits for its agent."""

    call: str
    customer: str
    name: str
    line: str
    place: str
    since_ms: int
    length: str
    others: tuple[str, ...]
    is_ours: bool  # we call them


@dataclass(frozen=True, slots=True)
class AgentRow:
    name: str
    state: State
    since_ms: int  # 0: not shown
    length: str


@dataclass(frozen=True, slots=True)
class SwitchRow:
    """Something that is switched, and the action that ends it. ``is_hidden``: something stronger hides it now."""

    what: str
    off: str
    is_hidden: bool


def lines(snapshot: Snapshot, language: Language) -> list[LineRow]:
    return [_line(each, snapshot, language) for each in snapshot.lines]


def _line(line: Line, snapshot: Snapshot, language: Language) -> LineRow:
    since = min((call.since_utc_ms for call in snapshot.calls if call.place and call.queue == line.name), default=0)
    if not line.present:
        tone, what = (BAD if line.waiting else IDLE), "web.line_empty"
    elif line.waiting:
        tone, what = BUSY, "web.line_waits"
    else:
        tone, what = (GOOD, "web.line_free") if line.free else (BUSY, "web.line_busy")
    return LineRow(
        name=line.name,
        waiting=digits(line.waiting, language),
        present=digits(line.present, language),
        free=digits(line.free, language),
        state=State(messages.text(what, language), tone),
        longest_ms=since,
        longest=calendar.length(max(0, snapshot.now_utc_ms - since), language) if since else "",
    )


def waiting(snapshot: Snapshot, language: Language) -> list[WaitingRow]:
    """Who waits, line by line in the order in which they will be served."""
    order = {line.name: number for number, line in enumerate(snapshot.lines)}
    found = sorted(
        (call for call in snapshot.calls if call.place), key=lambda call: (order.get(call.queue, 0), call.place)
    )
    return [_waiting(call, snapshot, language) for call in found]


def _waiting(call: LiveCall, snapshot: Snapshot, language: Language) -> WaitingRow:
    return WaitingRow(
        call=call.conversation,
        customer=digits(call.customer, language) or messages.text("web.hidden", language),
        name=call.name,
        line=call.queue,
        place=digits(call.place, language),
        since_ms=call.since_utc_ms,
        length=calendar.length(max(0, snapshot.now_utc_ms - call.since_utc_ms), language),
        others=tuple(line.name for line in snapshot.lines if line.name != call.queue) if call.direction == "in" else (),
        is_ours=call.direction != "in",
    )


def agents(snapshot: Snapshot, language: Language) -> list[AgentRow]:
    return [_agent(each, snapshot.now_utc_ms, language) for each in snapshot.agents]


def _agent(agent: AgentNow, now: int, language: Language) -> AgentRow:
    since = agent.since_utc_ms if agent.doing in TIMED else 0
    return AgentRow(
        name=agent.name,
        state=State(word(f"web.{_doing(agent)}", language), DOING_TONES.get(agent.doing, IDLE)),
        since_ms=since,
        length=calendar.length(max(0, now - since), language) if since else "",
    )


def _doing(agent: AgentNow) -> str:
    """Who was set away for offers not taken is told apart from who went: somebody should look after them."""
    is_missed = agent.doing == "absent" and agent.reason == "missed"
    return "away_missed" if is_missed else f"doing_{agent.doing}"


def opening(switches: Switches, now: int, language: Language) -> State:
    """Whether the box is open by hand, or its hours decide: the strongest switch that is on."""
    found = switched(switches, now, language)
    if not found or found[0].off not in ("night_off", "closed_off", "open_off"):
        return State(messages.text("web.by_the_hours", language), IDLE)
    return State(found[0].what, GOOD if found[0].off == "open_off" else BUSY)


def switched(switches: Switches, now: int, language: Language) -> list[SwitchRow]:
    """Everything that is switched, strongest first (hours/answer.py: night, closed until, open until)."""
    rows: list[SwitchRow] = []
    if switches.night:
        rows.append(SwitchRow(messages.text("web.night_is_on", language), "night_off", False))
    if switches.closed_until > now:
        until = calendar.day(switches.closed_until, language)
        rows.append(SwitchRow(messages.text("web.closed_until_is", language, until=until), "closed_off", bool(rows)))
    if switches.open_until > now:
        until = near(switches.open_until, now, language)
        rows.append(SwitchRow(messages.text("web.open_until_is", language, until=until), "open_off", bool(rows)))
    if switches.divert:
        number = digits(switches.divert, language)
        rows.append(SwitchRow(messages.text("web.divert_is", language, number=number), "divert_off", False))
    if switches.outage_until > now:
        until = near(switches.outage_until, now, language)
        rows.append(SwitchRow(messages.text("web.outage_is", language, until=until), "outage_off", False))
    return rows


def next_days(now: int, language: Language) -> list[tuple[str, str]]:
    """The coming days, as they are typed and as they are called: what is offered for ``closed until``."""
    days = [now + number * calendar.DAY_MS for number in range(1, NEXT_DAYS + 1)]
    return [(calendar.moment(day, language).split(" ")[0], calendar.day(day, language)) for day in days]
