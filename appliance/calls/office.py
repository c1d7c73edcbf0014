"""What all conversations of the box share: the ports they speak to, the settings they obey, who is busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from appliance.calls import money, outbound
from appliance.calls.answers import Answers, BoxAnswers, Servers
from appliance.calls.break_turns import BreakTurns
from appliance.calls.desk import Desk
from appliance.calls.directory import Directory
from appliance.calls.floor import AgentsOffered, Floor
from appliance.calls.forwarding import Followed, follow
from appliance.calls.inbox import Inbox
from appliance.calls.inside import Inside, known, whom
from appliance.calls.lamps import Lamps
from appliance.calls.lists import Lists
from appliance.calls.outside import GuardedLine, Outside
from appliance.calls.party import Party
from appliance.calls.peers import CameBack, extension_at
from appliance.calls.pins import Pins
from appliance.calls.screen_pop import ScreenPops
from appliance.calls.seating import Seating
from appliance.calls.seats import Seats
from appliance.calls.settings import MISSED, Agent, Calls, Queue
from appliance.calls.slots import Slots
from appliance.calls.spoken import Spoken
from appliance.calls.timekeeper import Timekeeper
from appliance.calls.wrap_ups import WrapUps
from appliance.clock import Clock
from appliance.control import wire
from appliance.flow import steps
from appliance.flow.catalogue import Flows
from appliance.hours.answer import Answer as Opening
from appliance.hours.answer import State as OpeningState
from appliance.hours.answer import answer as opening_at
from appliance.hours.answer import next_open, upcoming
from appliance.hours.model import Hours
from appliance.media import port as media
from appliance.messages import calendar
from appliance.queue.callbacks import MINUTE_MS, Book
from appliance.records import ledger
from appliance.records.writer import Records
from appliance.signalling import port as signalling
from appliance.signalling.settings import Names, Signalling, Trunk

BOX = "box"  # by whom a switch is turned that nobody has turned


@dataclass(frozen=True, slots=True)
class EndCall:
    """A person of the office, or the box itself while it stops, ends this conversation."""

    reason: str  # asked, stopping


@dataclass(frozen=True, slots=True)
class Surrender:
    """Another conversation wants the other side of this call of a telephone: answered there by ``Surrendered``."""

    to: Inbox[Item]


@dataclass(frozen=True, slots=True)
class Surrendered:
    """The party that is handed over; None: nobody has answered ``dialled`` yet."""

    party: Party | None
    dialled: str


@dataclass(frozen=True, slots=True)
class PickedUp:
    """Somebody at another telephone takes this call, which rings at a colleague's; nothing of the leg is theirs now."""

    party: Party


@dataclass(frozen=True, slots=True)
class SupervisorCame:
    """Somebody who may listens to ``agent`` from now on; nothing of the leg is the supervisor's own call any more."""

    party: Party
    agent: str


@dataclass(frozen=True, slots=True)
class PauseAsked:
    """The agent wants the recording of their call to pause, or to go on, by their page."""

    agent: str
    is_on: bool


Item = (
    signalling.Event
    | media.ClientEvent
    | EndCall
    | steps.Answer
    | AgentsOffered
    | Surrender
    | Surrendered
    | PickedUp
    | SupervisorCame
    | PauseAsked
    | CameBack
)
"""What arrives in a conversation's inbox."""


@dataclass(slots=True)
class Office:
    """Made once by main.py (or by a test in virtual time) and given to every session.

    ``legs`` and ``recordings`` say whose inbox an event belongs to; ``floor`` knows who waits and who is busy.
    ``desk`` and ``answers`` are the box's own where none are given.
    """

    box: str
    boot: str
    settings: Calls
    sip: Signalling
    line: signalling.Line
    mouth: media.Mouth
    records: Records
    clock: Clock
    flows: Flows
    prompts: Path
    changed: Callable[[], None]
    verify: Callable[[media.RecordingSealed], None]
    legs: dict[str, Inbox[Item]] = field(default_factory=dict)
    recordings: dict[str, Inbox[Item]] = field(default_factory=dict)
    slots: Slots = field(default_factory=Slots)  # of who is parked
    registered: dict[str, set[str]] = field(default_factory=dict)  # phone: its contacts
    counters: dict[str, int] = field(default_factory=dict)
    spoken: Spoken | None = None  # prompts by telephone; None: there are none, and none can be made
    kept: Path | None = None  # where media leaves sealed recordings
    calendars: Mapping[str, Hours] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)  # of the records: calls_missed, requests_open
    world: Callable[[Mapping[str, steps.Value]], steps.World] | None = None  # None: the box itself
    is_clock_sure: Callable[[], bool] = lambda: True
    servers: Servers | None = None  # None: no other servers were named
    desk: Desk = field(init=False)
    contacts: Directory = field(init=False)
    answers: Answers = field(init=False)
    floor: Floor = field(init=False)
    book: Book = field(init=False)
    agents: Mapping[str, Agent] = field(init=False)
    seats: Seats = field(init=False)
    outside: Outside = field(init=False)
    lamps: Lamps = field(init=False)
    wrap_ups: WrapUps = field(init=False)
    screen_pops: ScreenPops = field(init=False)
    lists: Lists = field(init=False)
    timekeeper: Timekeeper = field(init=False)
    pins: Pins = field(init=False)
    seating: Seating = field(init=False)
    breaks: BreakTurns = field(init=False)

    def __post_init__(self) -> None:
        self.book = Book()
        self.outside = Outside(self)
        self.screen_pops = ScreenPops(self)
        self.lamps = Lamps(self, self.line)
        self.line = GuardedLine(self.lamps, self.outside)
        told, self.timekeeper = self.changed, Timekeeper(self)

        def changed() -> None:
            self.timekeeper.changed()
            told()

        self.changed = changed
        self.pins = Pins(self.records, self.clock)
        self.seating = Seating(self)
        self.contacts = Directory(self.records, self.clock, self.sip.area_code)
        self.lists = Lists(self)
        self.arrange(self.settings)
        self.desk = Desk(self.records, self.clock, self.changed, self.book, self)
        self.answers = BoxAnswers(self.desk, self.servers, self.records, self.clock, self.holidays_to_confirm)

    def arrange(self, settings: Calls) -> None:
        """These settings from now on, with nobody waiting yet."""
        self.settings = settings
        self.agents = {agent.name: agent for agent in settings.agents}
        self.seats = Seats(settings.agents)
        self.breaks = BreakTurns(self)
        self.outside.arrange()
        self.lists.arrange()
        self.book.policies = {queue.name: queue.policy for queue in settings.queues}
        agents = tuple(agent.name for agent in settings.agents)
        self.floor = Floor(
            settings.rules,
            agents,
            self.clock,
            self.why_away,
            self.legs.__contains__,
            self.count,
            self.changed,
            self._over,
        )
        self.floor.on_given_up = self._given_up
        self.wrap_ups = WrapUps(self.floor, settings, self.records, self.clock, self.changed, self.count)

    def _over(self, agent: str, leg: str) -> None:
        self.wrap_ups.over(agent, leg)  # which is made after the floor, and needs it

    def _given_up(self, agent: str) -> None:
        """Offers that were not taken: away until somebody says otherwise, and those who lead see why."""
        self.count("agents_missed")
        self.desk.turn("sign_off", f"{agent}={MISSED}", BOX)

    # What the desk must know ------------------------------------------------------------------------------------------

    def callback_number(self, number: str, trunk: str) -> tuple[str, str]:
        """By the outbound policy."""
        area_code = next((each.area_code for each in self.sip.trunks if each.name == trunk), "")
        inside = known(self.settings, {phone.name for phone in self.sip.phones})
        return outbound.callback_number(self.settings, number, area_code, inside)

    def may_divert(self, number: str) -> bool:
        """Whether the policy ever lets calls out to this number, by the first trunk at least; never to an emergency."""
        found = self.inside(number)
        if found is not None:
            return found.kind != "line"
        is_emergency = outbound.read(self.settings, number, self.sip.area_code).kind == "emergency"
        return not is_emergency and outbound.may_dial(self.settings, number, self.sip.area_code)

    def line_for(self, queue: str, agent: str) -> str:
        """The line that was named, else the first one that the agent serves, else the first."""
        lines = {each.name: each.agents for each in self.settings.rules}
        if queue in lines:
            return queue
        return next((name for name, agents in lines.items() if agent in agents), next(iter(lines), ""))

    def may_call_at(self, queue: str, at_ms: int) -> bool:
        """Whether customers of a line may be called then; a calendar that is not there is never open."""
        settings = self.queues.get(queue)
        if settings is None or not settings.callback_calendar:
            return True
        return self.opening(settings.callback_calendar, at_ms).is_open

    def dials_missed(self, queue: str) -> bool:
        settings = self.queues.get(queue)
        return settings is not None and settings.missed == "callback"

    def answer_by(self, queue: str) -> int:
        """When who is missed now, or leaves a message, shall have been called (UTC ms): within open hours."""
        now, settings = self.clock.utc_ms(), self.queues.get(queue)
        hours = self.calendars.get(settings.callback_calendar) if settings is not None else None
        begins = next_open(hours, now, self.desk.switches.hours) if hours is not None else now
        return (begins or now) + self.settings.answer_within_minutes * MINUTE_MS

    async def find_spent(self, lived_until_ms: int = 0) -> None:
        """What the records know of today's money; before anything is dialled.

        ``lived_until_ms`` (UTC) is the last moment that the process before is known to have lived: what was up when it
        died had cost money until then, though no event says so.
        """
        midnight = calendar.day_begin(self.clock.utc_ms())
        area_codes = {trunk.name: trunk.area_code for trunk in self.sip.trunks}
        found = await self.records.call(
            lambda store: store.within(lambda db: ledger.dialled_since(db, midnight, area_codes))
        )
        self.outside.restore(
            money.Answered(
                outbound.read(self.settings, self.seats.number_of(leg.number) or leg.number, area_codes[leg.trunk]),
                leg.at_ms,
                max(leg.milliseconds, lived_until_ms - leg.at_ms) if leg.is_cut_off else leg.milliseconds,
            )
            for leg in found
            if extension_at([self.trunk(leg.trunk)], leg.number) is None
        )

    def is_open(self, calendar: str) -> bool:
        """Whether a calendar is open now; one that is not there never is, nor any while the clock is in doubt."""
        return self.opening(calendar, self.clock.utc_ms()).is_open

    def opening(self, calendar: str, at_ms: int) -> Opening:
        """What a calendar says of a moment, with the owner's switches; in doubt where the calendar is not there."""
        hours = self.calendars.get(calendar)
        if hours is None:  # one that went after the flow was checked: nobody is told "closed"
            return Opening(OpeningState.DOUBT, False, "", None, None)
        switches = self.desk.switches.hours
        if at_ms > self.clock.utc_ms():  # nobody knows how long a night lasts that was switched on by hand
            switches = replace(switches, night=False)
        return opening_at(hours, at_ms, switches, self.is_clock_sure())

    # Numbers of the office --------------------------------------------------------------------------------------------

    def inside(self, dialled: str) -> Inside | None:
        """Whose name or extension this is; None where it may be a number outside."""
        found = whom(self.settings, {phone.name for phone in self.sip.phones}, dialled)
        return found or extension_at(self.sip.trunks, dialled)

    def followed(self, dialled: str) -> Followed:
        """What to ring for it: people of the office may have their calls sent elsewhere."""
        return follow(dialled, self.desk.switches.forwards, self.inside)

    def why_silent(self, phone: str) -> str:
        """Why a telephone that was dialled itself does not ring; empty where it does."""
        if not self.registered.get(phone):
            return "not_registered"
        return "absent" if phone in self.desk.switches.absent else ""

    def names_on(self, phone: str) -> Names:
        """What this telephone can show of people."""
        return next((each.names for each in self.sip.phones if each.name == phone), "persian")

    # Agents -----------------------------------------------------------------------------------------------------------

    def why_away(self, name: str) -> str:
        """Why an agent is not there; empty where they are."""
        if self.seats.number_of(name):
            if not self.ways_to(name):
                return "no_trunk"
        elif not self.seats.phone_of(name):
            return "not_seated"
        elif not self.registered.get(self.seats.phone_of(name)):
            return "not_registered"
        return "absent" if name in self.desk.switches.absent else ""

    def ways_to(self, agent: str) -> list[str]:
        """The trunks by which this agent can be rung now, in order; one empty name: at a telephone of ours."""
        number = self.seats.number_of(agent)
        extension = extension_at(self.sip.trunks, number)
        if extension is not None:
            return [extension.trunk] if self.outside.is_up(extension.trunk) else []
        return self.outside.open_ways(number, self.first_way(agent)) if number else [""]

    def first_way(self, agent: str) -> str:
        """The trunk by which an agent outside is rung where it is up."""
        return self.agents[agent].trunk or self.sip.ways_out[0].name

    def is_engaged(self, agent: str) -> bool:
        """Whether an agent is rung or in a call."""
        return agent in self.floor.engaged()

    def waiting(self, line: str) -> int:
        """How many wait in a line."""
        return self.floor.waiting(line)

    def agents_now(self) -> Iterator[wire.AgentNow]:
        """Every agent, for the page."""
        for each in self.floor.agents():
            reason = self.desk.switches.absent.get(each.name, "")
            yield msgspec.structs.replace(each, reason=reason, work=self.wrap_ups.version(each.name))

    @property
    def queues(self) -> Mapping[str, Queue]:
        return {queue.name: queue for queue in self.settings.queues}

    def prompt(self, language: str, name: str) -> Path:
        """The file of a prompt, without ending."""
        return self.spoken.base(language, name) if self.spoken is not None else self.prompts / language / name

    def holidays_to_confirm(self) -> frozenset[str]:
        """The lunar holidays of the next three days of all calendars that nobody has confirmed or refused."""
        now, switches = self.clock.utc_ms(), self.desk.switches.hours
        found = (upcoming(hours, now, switches) for hours in self.calendars.values())
        return frozenset(day.isoformat() for days in found for day, _ in days)

    def trunk(self, name: str) -> Trunk:
        return next(trunk for trunk in self.sip.trunks if trunk.name == name)

    def count(self, what: str) -> None:
        self.counters[what] = self.counters.get(what, 0) + 1
