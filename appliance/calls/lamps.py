"""What the lamps of the office show: busy lamps from the legs of its telephones, message lamps from the book.

Stands before signalling and sees every leg of every telephone come and go, whoever rings or speaks on it, so that no
new way of ringing can forget a lamp. An extension has one lamp: of several calls the one that rings is shown, because
it can be picked up; then one that speaks. Who has dialled is not shown as ringing before the answer: telephones that
look at the state alone would offer the call to be picked up.

``look`` finds what does not come by a leg: who is away, who waits in a line or a slot, and messages. Colleagues are
told with whom somebody speaks only where ``lamps_show_numbers`` says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from appliance.calls import features
from appliance.calls.seats import Seats
from appliance.calls.settings import Agent, Calls
from appliance.calls.slots import Slots
from appliance.queue.callbacks import Book
from appliance.signalling import port as signalling
from appliance.signalling.port import FromPhone, Identity, LampState, Leg, ShowLamp, ShowMessages, ToPhone
from appliance.signalling.settings import Signalling

LOOK_SECONDS = 0.5
STRONGEST = (LampState.RINGING, LampState.BUSY, LampState.CALLING)


class Around(Protocol):
    """What the lamps need of the office."""

    settings: Calls
    sip: Signalling
    book: Book
    agents: Mapping[str, Agent]
    seats: Seats
    slots: Slots

    def why_away(self, name: str) -> str: ...

    def is_engaged(self, agent: str) -> bool: ...

    def waiting(self, line: str) -> int: ...


@dataclass(slots=True)
class _Call:
    """One leg of a telephone; dark while it does not ring yet."""

    phone: str
    is_caller: bool
    state: LampState
    other: Identity | None


class Lamps:
    """A Line before ``line``: what goes through is seen, and ``heard`` is told every event that comes back."""

    def __init__(self, around: Around, line: signalling.Line) -> None:
        self._around = around
        self._line = line
        self._calls: dict[Leg, _Call] = {}
        self._lamps: dict[str, ShowLamp] = {}
        self._messages: dict[str, ShowMessages] = {}

    # The legs of telephones -------------------------------------------------------------------------------------------

    def submit(self, command: signalling.Command) -> None:
        self._line.submit(command)
        match command:
            case signalling.Dial(leg, ToPhone(phone), _, caller):
                self._calls[leg] = _Call(phone, False, LampState.DARK, caller)
            case signalling.Answer(leg):
                self._turn(leg, LampState.BUSY)
            case _:
                pass

    def heard(self, event: signalling.Event) -> None:
        match event:
            case signalling.Offered(leg, FromPhone(phone), called):
                other = None if features.is_code(called) else Identity(called)
                self._calls[leg] = _Call(phone, True, LampState.CALLING, other)
                self._show_phone(phone)
            case signalling.Progressed(leg):
                self._turn(leg, LampState.RINGING)
            case signalling.Answered(leg):
                self._turn(leg, LampState.BUSY)
            case signalling.HungUp(leg) | signalling.Refused(leg):
                ended = self._calls.pop(leg, None)
                if ended is not None:
                    self._show_phone(ended.phone)
            case _:
                pass

    def _turn(self, leg: Leg, state: LampState) -> None:
        call = self._calls.get(leg)
        if call is not None and call.state is not state:
            call.state = state
            self._show_phone(call.phone)

    # What is shown ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Looks until it is cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Shows everything as it is now; from the first time on telephones may watch it."""
        around = self._around
        for phone in around.sip.phones:
            self._show_phone(phone.name)
        for queue in around.settings.queues:
            state = LampState.BUSY if around.waiting(queue.name) else LampState.DARK
            for name in _names(queue.name, queue.extension):
                self._show(ShowLamp(name, state))
        self._look_outside()
        for name, is_taken in around.slots.names():
            self._show(ShowLamp(name, LampState.BUSY if is_taken else LampState.DARK))
        self._look_at_messages()

    def _look_outside(self) -> None:
        """Agents at numbers outside, who have no telephone here: rung or in a call, or not."""
        around = self._around
        for agent in around.agents.values():
            if around.seats.number_of(agent.name):
                is_away = around.settings.lamps_away and bool(around.why_away(agent.name))
                is_busy = is_away or around.is_engaged(agent.name)
                for name in _names(agent.name, agent.extension):
                    self._show(ShowLamp(name, LampState.BUSY if is_busy else LampState.DARK))

    def _look_at_messages(self) -> None:
        """Those of a line, of the lines that an agent serves, and at a telephone those of whoever sits there."""
        around = self._around
        waiting = around.book.messages()
        serves = {rules.name: rules.agents.keys() for rules in around.settings.rules}
        for queue in around.settings.queues:
            self._show_messages(_names(queue.name, queue.extension), waiting[queue.name])
        for agent in around.agents.values():
            mine = sum(waiting[line] for line, agents in serves.items() if agent.name in agents)
            self._show_messages(_names(agent.name, agent.extension), mine)
        for phone in around.sip.phones:
            if phone.name not in around.agents:
                sits = {*around.seats.at(phone.name)}
                shown = sum(waiting[line] for line, agents in serves.items() if sits & agents)
                self._show_messages([phone.name], shown)

    def _show_phone(self, phone: str) -> None:
        """The lamps of a telephone and of the people who sit there; a name of both is the person's."""
        leg, call = self._strongest(phone)
        if phone not in self._around.agents:
            self._show(self._lamp(phone, leg, call))
        for name in self._around.seats.at(phone):
            is_away = self._around.settings.lamps_away and bool(self._around.why_away(name))
            for each in _names(name, self._around.agents[name].extension):
                lamp = self._lamp(each, leg, call)
                is_free = lamp.state is LampState.DARK
                self._show(ShowLamp(each, LampState.BUSY) if is_away and is_free else lamp)

    def _strongest(self, phone: str) -> tuple[Leg, _Call | None]:
        mine = [(leg, call) for leg, call in self._calls.items() if call.phone == phone and call.state in STRONGEST]
        return min(mine, key=lambda found: STRONGEST.index(found[1].state), default=("", None))

    def _lamp(self, name: str, leg: Leg, call: _Call | None) -> ShowLamp:
        if call is None:
            return ShowLamp(name, LampState.DARK)
        other = call.other if self._around.settings.lamps_show_numbers else None
        return ShowLamp(name, call.state, leg, call.is_caller, other)

    def _show(self, lamp: ShowLamp) -> None:
        if self._lamps.get(lamp.extension) != lamp:
            self._lamps[lamp.extension] = lamp
            self._line.submit(lamp)

    def _show_messages(self, names: Iterable[str], waiting: int) -> None:
        for name in names:
            messages = ShowMessages(name, waiting)
            if self._messages.get(name) != messages:
                self._messages[name] = messages
                self._line.submit(messages)


def _names(name: str, extension: str) -> Iterator[str]:
    yield name
    if extension and extension != name:
        yield extension
