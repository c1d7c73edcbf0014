"""Settings of calls: lines, agents, limits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from appliance.outbound_lists.settings import OutboundList
from appliance.queue.callbacks import MINUTE_MS, Policy
from appliance.queue.line import Rules
from appliance.signalling.numbers import EMERGENCY, Plan
from appliance.signalling.settings import RecordsOutward

MOST_LEVELS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledLine:
    """Which called number on which trunk reaches which flow."""

    name: str
    trunk: str
    flow: str
    number: str = ""  # in any written form; empty: every number of the trunk that no other line takes
    language: Literal["fa", "en"] = "fa"
    records: bool = True  # whether conversations of this line are recorded at all (the flow says after which notice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Reached at one of our telephones or at a number outside: ``phone`` or ``number``, one of the two."""

    name: str
    phone: str = ""  # where they sit until they sign in at another (*41); empty: they are away until they do
    number: str = ""  # outside, or an extension behind a trunk; whoever answers there presses 1 to take a call
    trunk: str = ""  # by which the number is dialled first; an extension by this one only. Empty: the first trunk
    language: Literal["fa", "en"] = "fa"  # in which an agent at a number is asked
    display: str = ""
    extension: str = ""  # what the office dials for this agent, beside the name: 2 to 6 digits
    skills: tuple[str, ...] = ()  # "sales:1", "support:3": lines that the agent serves too, and at which level
    supervises: tuple[str, ...] = ()  # lines whose agents' calls with customers this one may listen to, by *51
    shift_calendar: str = ""  # when it closes, an agent who signed in at a telephone is signed out; empty: their lines'


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Who serves those who wait in a line of this name, and how they are chosen."""

    name: str
    agents: tuple[str, ...]
    extension: str = ""  # what the office dials to put a caller into this line: 2 to 6 digits
    later: tuple[str, ...] = ()  # agents who are asked too, when a caller has waited ``later_seconds``
    later_seconds: float = 30.0
    strategy: Literal["in_order", "longest_idle", "round_robin", "ring_all"] = "in_order"
    ring_seconds: float = 20.0  # how long each agent's phone rings before the next one's
    wrap_up_seconds: float = 0.0  # how long an agent is left in peace after a call, by all lines
    most_waiting: int = 0  # beyond them callers go on as if nobody were there; 0: as many as come
    misses: int = 2  # an agent who does not take so many offers in a row ...
    after_misses: Literal["away", "pause"] = "away"  # ... is away, or passed over for a while
    pause_seconds: float = 60.0  # how long
    max_away: int = 0  # so many of its agents may be away at once by *43, who asks then waits for a turn; 0: any number
    shift_calendar: str = ""  # when it closes, agents who signed in at a telephone are signed out; empty: they stay
    prefer_seconds: float = 0.0  # how long the agent who spoke with the caller last is waited for
    callback_first: Literal["agent", "customer"] = "agent"  # who is rung first
    callback_attempts: int = 3
    callback_spacing_minutes: float = 15.0
    callback_expires_hours: float = 48.0
    callback_calendar: str = ""  # customers are called only while it is open; empty: at any hour
    callback_quarantine_hours: float = 24.0  # who was tried in vain is left in peace by what nobody asked for
    missed: Literal["list", "callback"] = "list"  # whether who was missed is called back without anybody saying so

    @property
    def policy(self) -> Policy:
        return Policy(
            attempts=self.callback_attempts,
            spacing_ms=round(self.callback_spacing_minutes * MINUTE_MS),
            expires_ms=round(self.callback_expires_hours * 60 * MINUTE_MS),
            quarantine_ms=round(self.callback_quarantine_hours * 60 * MINUTE_MS),
        )

    @property
    def rules(self) -> Rules:
        return Rules(
            name=self.name,
            agents={**dict.fromkeys(self.later, 2), **dict.fromkeys(self.agents, 1)},
            strategy=self.strategy,
            level_seconds=self.later_seconds,
            wrap_up_seconds=self.wrap_up_seconds,
            most_waiting=self.most_waiting,
            misses=self.misses,
            goes_away=self.after_misses == "away",
            pause_seconds=self.pause_seconds,
            prefer_seconds=self.prefer_seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What an answered call outside costs; the longest ``prefix`` that fits counts, else the ``kind`` of the number."""

    name: str
    prefix: str = ""  # +49, 0912 or, of short numbers, 15
    kind: Literal["", "mobile", "landline", "short", "premium", "satellite", "foreign"] = ""
    rial_per_minute: int = 0
    rial_per_call: int = 0  # on top, for each call that is answered
    increment_seconds: int = 60  # what was begun of them is paid whole


@dataclass(frozen=True, slots=True, kw_only=True)
class DialHours:
    """Kinds of numbers that are dialled only while a calendar of ``hours/`` is open. Emergency numbers always are."""

    name: str
    kinds: tuple[str, ...]
    calendar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """What came of a call, in an agent's words: one of at most nine that are chosen by a key of the agent's page.

    Without any table of this kind there are seven that fit most offices.
    """

    name: str
    persian: str
    english: str
    queues: tuple[str, ...] = ()  # lines in which it is offered; empty: in all, and for calls of no line


@dataclass(frozen=True, slots=True, kw_only=True)
class AwayReason:
    """Why an agent is away: one of at most nine that are chosen on the page, or by ``*61`` and its place in the list.

    Without any table of this kind there are five that fit most offices.
    """

    name: str
    persian: str
    english: str
    most_minutes: int = 0  # who is away longer is shown to those who lead; 0: as long as it takes


AWAY_REASONS = (
    AwayReason(name="break", persian="استراحت", english="Break"),
    AwayReason(name="meal", persian="غذا", english="Meal"),
    AwayReason(name="prayer", persian="نماز", english="Prayer"),
    AwayReason(name="training", persian="آموزش", english="Training"),
    AwayReason(name="other", persian="موارد دیگر", english="Something else"),
)
MOST_AWAY_REASONS = 9  # one key each
MISSED = "missed"  # the reason of who did not take their offers: nobody chooses it

DISPOSITIONS = (
    Disposition(name="settled", persian="انجام شد", english="Settled"),
    Disposition(name="informed", persian="راهنمایی شد", english="Information given"),
    Disposition(name="passed_on", persian="به همکار سپرده شد", english="Passed on"),
    Disposition(name="follow_up", persian="پیگیری لازم دارد", english="Needs follow-up"),
    Disposition(name="cut_off", persian="تماس قطع شد", english="Cut off"),
    Disposition(name="wrong_number", persian="اشتباه گرفته بود", english="Wrong number"),
    Disposition(name="other", persian="موارد دیگر", english="Something else"),
)
MOST_DISPOSITIONS = 9  # one key each


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    max_calls: int = 100  # conversations at once; beyond: 503 with Retry-After
    retry_after_seconds: int = 20
    recording_pause_seconds: float = 120.0  # after them a recording that an agent has paused goes on by itself
    records_inside: RecordsOutward = "off"  # calls among telephones of the office; both hear the notice
    records_consultations: bool = False  # whom an agent asks while the customer waits, in recorded conversations
    seal_wait_seconds: float = 5.0  # how long a record waits for its recordings before they count as lost
    may_dial: tuple[str, ...] = ("mobile", "landline", "short")  # kinds of numbers; emergency numbers always
    allow: tuple[str, ...] = ()  # prefixes that are let out whatever their kind: +49, 0900, of short numbers 15
    deny: tuple[str, ...] = ()  # prefixes that are never let out, whatever else is allowed
    emergency: tuple[str, ...] = ()  # emergency numbers beside 110, 112, 115 and 125
    outside_prefix: str = ""  # what the office may dial before numbers outside; it is understood and never sent on
    daily_cap_rial: int = 0  # once calls outside have cost so much in a day, none begins any more; 0: no cap
    most_outgoing: int = 0  # calls to the outside at once, over all trunks; 0: as many as the trunks take
    most_callbacks: int = 2  # at once
    blocked_callers: Literal["busy", "announcement"] = "busy"  # what a caller meets whom the contact list blocks
    vip_priority: int = 3  # of a VIP of the contact list in every line: 0 (none) to 9
    answer_within_minutes: int = 120  # of open hours: by when who was missed or left a message shall be called
    longest_outside_minutes: int = 180  # of what we dial outside, after the answer; emergency calls never end. 0: none
    park_recall_seconds: float = 90.0  # a parked customer rings again at who has parked them after so long
    supervision_tone: Literal["none", "agent", "all"] = "agent"  # who hears a beep when a supervisor listens or joins
    kept_for_callers: int = 1  # of each trunk's max_calls: we never dial on them
    screen_pop: str = ""  # the look-up (by POST) that tells the owner's customer program who rings at whom; empty: none
    lamps_show_numbers: bool = False  # whether busy lamps tell colleagues with which number somebody speaks
    lamps_away: bool = False  # who is away, or whose telephone is not there, is shown as busy
    lines: tuple[CalledLine, ...] = field(default=())
    agents: tuple[Agent, ...] = field(default=())
    queues: tuple[Queue, ...] = field(default=())
    tariffs: tuple[Tariff, ...] = field(default=())
    dial_hours: tuple[DialHours, ...] = field(default=())
    dispositions: tuple[Disposition, ...] = field(default=())
    outbound_lists: tuple[OutboundList, ...] = field(default=())
    away_reasons: tuple[AwayReason, ...] = field(default=())

    @property
    def known_away(self) -> tuple[AwayReason, ...]:
        """The reasons for which agents are away, in order of their keys."""
        return self.away_reasons or AWAY_REASONS

    def shift_of(self, agent: str) -> str:
        """The calendar by which this agent is signed out: their own, else that of the first line which has one."""
        own = next((each.shift_calendar for each in self.agents if each.name == agent), "")
        named = {queue.name: queue.shift_calendar for queue in self.queues}
        return own or next(filter(None, (named[each.name] for each in self.rules if agent in each.agents)), "")

    @property
    def plan(self) -> Plan:
        """How people of the office write the numbers that they dial."""
        return Plan(self.outside_prefix, EMERGENCY | frozenset(self.emergency))

    def dispositions_of(self, queue: str) -> tuple[Disposition, ...]:
        """What an agent may choose after a call of this line (empty: of none), in order."""
        known = self.dispositions or DISPOSITIONS
        return tuple(each for each in known if not each.queues or queue in each.queues)

    @property
    def rules(self) -> tuple[Rules, ...]:
        """Of every line, with the agents who serve it by their skills."""
        return tuple(
            replace(queue.rules, agents={**_skilled(self.agents, queue.name), **queue.rules.agents})
            for queue in self.queues
        )

    def may_supervise(self, supervisor: str, agent: str) -> bool:
        """Whether this agent may listen to that one: they serve a line that the settings name for it."""
        lines = {each.name for each in self.rules if agent in each.agents}
        return any(lines & {*each.supervises} for each in self.agents if each.name == supervisor)


def skill_of(written: str) -> tuple[str, int] | None:
    """Line and level of ``"sales:2"``; a line alone is level 1. None where it is neither."""
    queue, colon, level = written.partition(":")
    if not queue or (colon and not (level.isdigit() and level.isascii() and 1 <= int(level) <= MOST_LEVELS)):
        return None
    return queue, int(level) if colon else 1


def _skilled(agents: tuple[Agent, ...], queue: str) -> dict[str, int]:
    found = ((agent.name, skill_of(each)) for agent in agents for each in agent.skills)
    return {name: skill[1] for name, skill in found if skill is not None and skill[0] == queue}
