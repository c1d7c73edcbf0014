"""Whether a business is open at a moment: what beats what, and when it changes.

In this order, the first that applies: the clock in doubt, the night switch, closed or open until, a closure or opening
of this day, a holiday, a season, the week, a break in it. A day is cut into segments once and kept.
"""

from __future__ import annotations

import datetime
import functools
import itertools
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from appliance.hours import days
from appliance.hours.model import DAY_MINUTES, Dated, Hours, Span, Switches, Week

MOST_DAYS = 400  # how far the next opening is looked for
CONFIRM_DAYS = 3
DAY = datetime.timedelta(days=1)


class State(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    BREAK = "break"
    HOLIDAY = "holiday"
    CLOSURE = "closure"
    NIGHT = "night"
    UNTIL = "until"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Answer:
    """``until_ms`` is the first moment at which the state is another; None: not by itself, or not within 400 days.

    ``name`` is the holiday's, closure's or season's. ``greeting`` and ``music`` are prompts, empty for the usual ones.
    """

    state: State
    is_open: bool
    name: str
    until_ms: int | None
    next_open_ms: int | None
    greeting: str = ""
    music: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    begins_ms: int
    ends_ms: int
    state: State
    name: str


def answer(hours: Hours, at_ms: int, switches: Switches, is_clock_sure: bool = True) -> Answer:
    """The state at ``at_ms`` (UTC milliseconds)."""
    if not is_clock_sure:
        return Answer(State.DOUBT, False, "", None, None)
    day = _local_day(hours, at_ms)
    greeting, music = _sound(hours.greetings, day), _sound(hours.music, day)
    if switches.night:
        return Answer(State.NIGHT, False, "", None, None, greeting, music)
    if at_ms < switches.closed_until_ms:
        opens = next_open(hours, at_ms, switches)
        return Answer(State.UNTIL, False, "", switches.closed_until_ms, opens, greeting, music)
    if at_ms < switches.open_until_ms:
        return Answer(State.OPEN, True, "", switches.open_until_ms, at_ms, greeting, music)
    segment = _segment(hours, at_ms, switches)
    until = _until(hours, segment, switches)
    if segment.state is State.OPEN:
        return Answer(State.OPEN, True, segment.name, until, at_ms, greeting, music)
    opens = next_open(hours, segment.ends_ms, switches)
    return Answer(segment.state, False, segment.name, until, opens, greeting, music)


def next_open(hours: Hours, at_ms: int, switches: Switches) -> int | None:
    """The first moment from ``at_ms`` on at which the week, its exceptions and ``closed_until`` say open."""
    at_ms = max(at_ms, switches.closed_until_ms)
    if at_ms < switches.open_until_ms:
        return at_ms
    day = _local_day(hours, at_ms)
    for number in range(MOST_DAYS):
        for segment in _segments(hours, (day + number * DAY).toordinal(), switches.refused):
            if segment.state is State.OPEN and segment.ends_ms > at_ms:
                return max(at_ms, segment.begins_ms)
    return None


def slot(hours: Hours, at_ms: int, switches: Switches, minutes: int) -> int | None:
    """The first moment from ``at_ms`` on from which it is open for ``minutes`` without a break."""
    opens = next_open(hours, at_ms, switches)
    while opens is not None:
        closes = _closes(hours, opens, switches)
        if closes - opens >= 60_000 * minutes:
            return opens
        opens = next_open(hours, closes, switches)
        if opens is not None and opens - at_ms > MOST_DAYS * 86_400_000:
            return None
    return None


def upcoming(hours: Hours, at_ms: int, switches: Switches) -> list[tuple[datetime.date, str]]:
    """Lunar holidays within the next three days that nobody has confirmed or refused."""
    today = _local_day(hours, at_ms)
    found = []
    for number in range(CONFIRM_DAYS + 1):
        day = today + number * DAY
        holiday = hours.holidays.get(day)
        is_asked = day.isoformat() not in switches.confirmed | switches.refused
        if holiday is not None and holiday.is_lunar and is_asked:
            found.append((day, holiday.name))
    return found


def lacks_table(hours: Hours, at_ms: int) -> int:
    """The Jalali year of this moment where its table of lunar holidays is missing; 0 where all is there."""
    year = days.year_of(_local_day(hours, at_ms)) if hours.follows_moon else 0
    return 0 if year in days.lunar() else year


@functools.lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _local_day(hours: Hours, at_ms: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(at_ms / 1000, _zone(hours.zone)).date()


def _segment(hours: Hours, at_ms: int, switches: Switches) -> Segment:
    segments = _segments(hours, _local_day(hours, at_ms).toordinal(), switches.refused)
    return next((each for each in segments if each.begins_ms <= at_ms < each.ends_ms), segments[-1])


def _until(hours: Hours, segment: Segment, switches: Switches) -> int | None:
    """Where this state ends, over midnight and over days alike."""
    ends = segment.ends_ms
    for _ in range(4 * MOST_DAYS):
        after = _segment(hours, ends, switches)
        if (after.state, after.name) != (segment.state, segment.name):
            return ends
        ends = after.ends_ms
    return None


def _closes(hours: Hours, at_ms: int, switches: Switches) -> int:
    """The end of being open, where it is open at ``at_ms``."""
    if at_ms < switches.open_until_ms:
        at_ms = switches.open_until_ms
    ends = at_ms
    for _ in range(4 * MOST_DAYS):
        segment = _segment(hours, ends, switches)
        if segment.state is not State.OPEN:
            return ends
        ends = segment.ends_ms
    return ends


@functools.lru_cache(maxsize=4096)
def _segments(hours: Hours, ordinal: int, refused: frozenset[str]) -> tuple[Segment, ...]:
    """One local day, cut where its state changes."""
    day = datetime.date.fromordinal(ordinal)
    closed, name, spans, breaks = _plan(hours, day, refused)
    # What yesterday left open over midnight, unless today is one of the days that are closed as a whole.
    _, _, before, _ = _plan(hours, day - DAY, refused)
    over = [Span(0, span.closes_minute - DAY_MINUTES) for span in before if span.closes_minute > DAY_MINUTES]
    if closed is State.CLOSED or spans:
        spans = (*over, *spans)
    minutes = {0, DAY_MINUTES}
    for span in (*spans, *breaks):
        minutes |= {min(span.opens_minute, DAY_MINUTES), min(span.closes_minute, DAY_MINUTES)}
    edges = sorted(minutes)
    found: list[Segment] = []
    for begins, ends in itertools.pairwise(edges):
        is_open = any(span.opens_minute <= begins < span.closes_minute for span in spans)
        is_break = is_open and any(span.opens_minute <= begins < span.closes_minute for span in breaks)
        state = State.BREAK if is_break else State.OPEN if is_open else closed
        begins_ms, ends_ms = _utc_ms(hours, day, begins), _utc_ms(hours, day, ends)
        if begins_ms >= ends_ms:
            continue  # an hour that the clock skips
        if found and (found[-1].state, found[-1].name) == (state, name):
            found[-1] = Segment(found[-1].begins_ms, ends_ms, state, name)
        else:
            found.append(Segment(begins_ms, ends_ms, state, name))
    return tuple(found)


def _plan(
    hours: Hours, day: datetime.date, refused: frozenset[str]
) -> tuple[State, str, tuple[Span, ...], tuple[Span, ...]]:
    """What a day is where it is not open, the name of what rules it, its spans and its breaks."""
    if day in hours.closures:
        return State.CLOSURE, hours.closures[day], (), ()
    if day in hours.openings:
        return State.CLOSED, "", hours.openings[day], ()
    holiday = hours.holidays.get(day)
    if holiday is not None and not (holiday.is_lunar and day.isoformat() in refused):
        return State.HOLIDAY, holiday.name, (), ()
    for season in hours.seasons:
        if day in season.dates:
            return State.CLOSED, season.name, *_of(season.week, season.breaks, day)
    return State.CLOSED, "", *_of(hours.week, hours.breaks, day)


def _of(week: Week, breaks: Week, day: datetime.date) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    return week.get(day.weekday(), ()), breaks.get(day.weekday(), ())


def _utc_ms(hours: Hours, day: datetime.date, minute: int) -> int:
    days, minute = divmod(minute, DAY_MINUTES)
    moment = datetime.datetime.combine(day + days * DAY, datetime.time(minute // 60, minute % 60), _zone(hours.zone))
    return round(moment.timestamp() * 1000)


def _sound(dated: tuple[Dated, ...], day: datetime.date) -> str:
    return next((each.sound for each in dated if day in each.dates), "")
