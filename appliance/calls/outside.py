"""The only way out: whoever dials a trunk asks here for a permit first, and dials with it.

``permit`` asks the policy (outbound.py), the money of the day (money.py) and the lines of the trunk (capacity.py), and
takes a line from that moment on; ``dial`` sends the INVITE in the trunk's own form. A refusal is an event and counted.
``GuardedLine`` stands before signalling and lets no other ``Dial`` to a trunk pass, so that nobody can go round this.
An emergency number gets a permit whatever the policy, the money and the lines say, and is shown with our own number.
What was dialled here ends when it has lasted too long: a telephone that was left off its hook costs no night.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from appliance.calls import capacity, money, outbound
from appliance.calls.peers import Peers
from appliance.calls.settings import Calls
from appliance.clock import Clock
from appliance.control import wire
from appliance.records import events
from appliance.records.events import Happened, State
from appliance.signalling import numbers, sdp
from appliance.signalling import port as signalling
from appliance.signalling.numbers import Number
from appliance.signalling.port import BEGINS_HERE, Cause, Identity, Passage, ToTrunk
from appliance.signalling.settings import Signalling, Trunk

Purpose = Literal["callback", "list", "transfer", "divert", "phone", "request", "agent"]


class NotPermitted(Exception):  # noqa: N818 - a fault of the code: somebody dials a trunk without asking
    """A ``Dial`` to a trunk without a permit for this leg, trunk and number."""


@dataclass(frozen=True, slots=True)
class Permit:
    """``leg`` may dial ``number`` by ``trunk``, once; it holds a line of the trunk until the leg has ended."""

    leg: str
    conversation: str
    trunk: str
    number: Number
    purpose: Purpose
    at: float
    is_inside: bool = False  # an extension of a peer: no call to the outside, and free

    @property
    def is_emergency(self) -> bool:
        return self.number.kind == "emergency"


class _Leg(Protocol):
    leg: str
    has_ended: bool


class Followed(Protocol):
    """A conversation, as far as its line is concerned; ``trunk_name`` is empty while it takes none."""

    id: str
    trunk_name: str
    state: State
    began: float

    @property
    def is_incoming(self) -> bool: ...

    @property
    def customer(self) -> _Leg: ...


class _Records(Protocol):
    def put(self, happened: Happened) -> None: ...


class Around(Protocol):
    """What the way out needs of the office."""

    settings: Calls
    sip: Signalling
    line: signalling.Line
    clock: Clock

    @property
    def records(self) -> _Records: ...

    def is_open(self, calendar: str) -> bool: ...

    def count(self, what: str) -> None: ...


class Outside:
    """Made by the office. ``conversations`` and ``is_up`` are the switchboard's, where there is one."""

    def __init__(self, around: Around) -> None:
        self.conversations: Callable[[], Iterable[Followed]] = tuple
        self.is_up: Callable[[str], bool] = lambda _trunk: True
        self.peers = Peers()
        self._around = around
        self._permits: dict[str, Permit] = {}
        self._cut: set[str] = set()  # legs that make room and have not ended yet
        self._limits: dict[str, asyncio.TimerHandle] = {}  # of legs that were answered
        self._till = money.Till(around.settings.tariffs)

    # Whether ----------------------------------------------------------------------------------------------------------

    def permit(
        self, conversation: str, leg: str, text: str, trunk: str, purpose: Purpose, offset_ms: int
    ) -> Permit | outbound.Refusal:
        """A permit, and its line taken; or why there is none, put on record."""
        around = self._around
        number = outbound.read(around.settings, text, self._trunk(trunk).area_code)
        refusal = self._why_not(number, trunk, leg)
        if refusal:
            self._refused(conversation, number, trunk, refusal, purpose, offset_ms)
            return refusal
        if number.kind == "emergency":
            self._make_room(conversation, trunk, leg)
            around.count("emergency_calls")
        permit = Permit(leg, conversation, trunk, number, purpose, around.clock.monotonic())
        self._permits[leg] = permit
        return permit

    def permit_inside(self, conversation: str, leg: str, extension: str, trunk: str) -> Permit | outbound.Refusal:
        """A permit for an extension of a peer, dialled as it is: no policy and no money, but a line of the trunk."""
        refusal = capacity.why_no_line_out(self._trunk(trunk), self._calls(besides=leg), by_default=0)
        if refusal:
            return refusal
        number = Number(None, extension, "unknown", extension)
        at = self._around.clock.monotonic()
        permit = self._permits[leg] = Permit(leg, conversation, trunk, number, "transfer", at, is_inside=True)
        return permit

    def why_not_from(self, trunk: str, text: str) -> outbound.Refusal:
        """Why a party on this trunk may not have a number outside dialled; it matters where the party is at a peer."""
        party = next((each for each in self._around.sip.trunks if each.name == trunk), None)
        if party is None or party.kind != "peer" or party.may_dial_out:
            return ""
        kind = outbound.read(self._around.settings, text, party.area_code).kind
        return "" if kind == "emergency" else "from_peer"

    def refuse(self, conversation: str, text: str, trunk: str, refusal: outbound.Refusal, offset_ms: int) -> None:
        """Puts on record that this number is not dialled."""
        number = outbound.read(self._around.settings, text, self._trunk(trunk).area_code)
        self._refused(conversation, number, trunk, refusal, "transfer", offset_ms)

    def _refused(
        self,
        conversation: str,
        number: Number,
        trunk: str,
        refusal: outbound.Refusal,
        purpose: Purpose,
        offset_ms: int,
    ) -> None:
        around = self._around
        around.count("dial_refused")
        around.count(f"dial_refused_{refusal}")
        shown = number.e164 or number.national
        around.records.put(events.DialRefused(conversation, trunk, shown, number.kind, refusal, purpose, offset_ms))

    def why_not(self, text: str, trunk: str) -> outbound.Refusal:
        """Why a number could not be dialled now; nothing is taken and nothing is written."""
        return self._why_not(outbound.read(self._around.settings, text, self._trunk(trunk).area_code), trunk, "")

    def why_not_in(self, trunk: str) -> outbound.Refusal:
        """Why a caller gets no line of this trunk."""
        return capacity.why_no_line_in(self._trunk(trunk), self._calls())

    def ways(self, text: str, trunk: str) -> list[str]:
        """The trunks to try in order: ``trunk`` alone, but for an emergency number any that may get it out."""
        if outbound.read(self._around.settings, text, self._trunk(trunk).area_code).kind != "emergency":
            return [trunk]
        trunks = self._around.sip.trunks
        up = [each.name for each in trunks if self.is_up(each.name)]
        return capacity.ways(trunks, trunk, up, self._calls())

    def open_ways(self, text: str, trunk: str) -> list[str]:
        """The trunks that are up by which a number can be dialled: ``trunk`` first; without E.164 no other has it."""
        number = outbound.read(self._around.settings, text, self._trunk(trunk).area_code)
        others = [each.name for each in self._around.sip.ways_out if each.name != trunk and number.e164]
        return [each for each in (trunk, *others) if self.is_up(each)]

    def _why_not(self, number: Number, trunk: str, leg: str) -> outbound.Refusal:
        around = self._around
        calls = self._calls(besides=leg)
        outgoing = sum(not call.is_incoming and not call.is_emergency and not call.is_inside for call in calls)
        moment = outbound.Moment(around.is_open, self.spent(), outgoing)
        refusal = outbound.why_not(around.settings, number, moment)
        if refusal or number.kind == "emergency":
            return refusal
        return capacity.why_no_line_out(self._trunk(trunk), calls, around.settings.kept_for_callers)

    # Out --------------------------------------------------------------------------------------------------------------

    def dial(
        self,
        permit: Permit,
        description: sdp.Description,
        caller: Identity | None = None,
        *,
        waits: bool = False,
        passage: Passage = BEGINS_HERE,
    ) -> None:
        """Sends the INVITE; with ``waits`` not before ``Go``. ``caller`` is the customer who is passed on, if any."""
        trunk = self._trunk(permit.trunk)
        to = ToTrunk(trunk.name, dialled_on(trunk, permit.number))
        shown = shown_on(trunk, None if permit.is_emergency else caller)
        if trunk.kind == "peer":
            self.peers.dialled(permit.leg, trunk.name, to.number, shown)
        self._around.line.submit(signalling.Dial(permit.leg, to, description, shown, waits, passage))

    def is_permitted(self, leg: str, to: ToTrunk) -> bool:
        permit = self._permits.get(leg)
        if permit is None or permit.trunk != to.trunk:
            return False
        return to.number == dialled_on(self._trunk(to.trunk), permit.number)

    def answered(self, leg: str) -> None:
        """The leg costs from now on, where it is one of ours to the outside."""
        self.peers.answered(leg)
        permit = self._permits.get(leg)
        if permit is not None and not permit.is_inside:
            clock = self._around.clock
            self._till.answered(leg, permit.number, clock.utc_ms(), clock.monotonic())
            if self._around.settings.longest_outside_minutes and not permit.is_emergency:
                seconds = 60.0 * self._around.settings.longest_outside_minutes
                self._limits[leg] = asyncio.get_running_loop().call_later(seconds, self._end, leg)

    def ended(self, leg: str) -> None:
        """The leg is over: its line is free, and what it cost is known."""
        self._permits.pop(leg, None)
        self._cut.discard(leg)
        limit = self._limits.pop(leg, None)
        if limit is not None:
            limit.cancel()
        now = self._around.clock.monotonic()
        self._till.ended(leg, now)
        self.peers.ended(leg, now)

    def _end(self, leg: str) -> None:
        self._around.count("too_long")
        self._around.line.submit(signalling.HangUp(leg, Cause.TOO_LONG))

    def _make_room(self, conversation: str, trunk: str, leg: str) -> None:
        calls = self._calls(besides=leg)
        if not capacity.is_full(self._trunk(trunk), calls):
            return
        victim = capacity.makes_room(self._trunk(trunk), calls, conversation)
        if victim is None:
            self._around.count("emergency_over_limit")
            return
        self._around.count("made_room")
        self._cut.add(victim.leg)
        self._around.line.submit(signalling.HangUp(victim.leg, Cause.MADE_ROOM, 486))

    # Money and lines --------------------------------------------------------------------------------------------------

    def restore(self, calls: Iterable[money.Answered]) -> None:
        """What the records know of calls to the outside, since midnight."""
        self._till.restore(calls)

    def spent(self) -> int:
        """Rials of today."""
        clock = self._around.clock
        return self._till.spent(clock.utc_ms(), clock.monotonic())

    def arrange(self) -> None:
        """The office has other settings."""
        self._till.tariffs = self._around.settings.tariffs

    def findings(self) -> tuple[wire.Finding, ...]:
        """What the owner should know of the way out."""
        cap, spent = self._around.settings.daily_cap_rial, self.spent()
        if not cap or spent < cap:
            return ()
        return (wire.Finding("calls.money_cap", {"spent": spent, "cap": cap}),)

    def busy(self, trunk: str) -> int:
        """How many lines of a trunk are taken."""
        return sum(call.trunk == trunk for call in self._calls())

    def _calls(self, besides: str = "") -> list[capacity.Call]:
        """Every line that is taken, ``besides`` the one of this leg."""
        found: dict[str, capacity.Call] = {}
        states: dict[str, State] = {}
        for each in self.conversations():
            states[each.id] = each.state
            leg = each.customer.leg
            if each.trunk_name and not each.customer.has_ended:
                found[leg] = capacity.Call(
                    leg=leg,
                    conversation=each.id,
                    trunk=each.trunk_name,
                    is_incoming=each.is_incoming,
                    began=each.began,
                    is_callback=not each.is_incoming,
                    is_waiting=each.state is State.WAITING,
                    is_dialled=each.is_incoming or leg in self._permits,
                )
        for leg, permit in self._permits.items():
            found[leg] = capacity.Call(
                leg=leg,
                conversation=permit.conversation,
                trunk=permit.trunk,
                is_incoming=False,
                began=permit.at,
                is_callback=permit.purpose in ("callback", "list"),
                is_emergency=permit.is_emergency,
                is_inside=permit.is_inside,
            )
        return [call for leg, call in found.items() if leg not in self._cut and leg != besides]

    def _trunk(self, name: str) -> Trunk:
        return next(trunk for trunk in self._around.sip.trunks if trunk.name == name)


class GuardedLine:
    """A Line that dials a trunk only with a permit."""

    def __init__(self, line: signalling.Line, outside: Outside) -> None:
        self._line = line
        self._outside = outside

    def submit(self, command: signalling.Command) -> None:
        match command:
            case signalling.Dial(leg, ToTrunk(trunk) as to) if not self._outside.is_permitted(leg, to):
                raise NotPermitted(trunk)
        self._line.submit(command)


def shown_on(trunk: Trunk, caller: Identity | None) -> Identity:
    """Whom a trunk shows: the customer who is passed on where it may, else our own number; in the trunk's form."""
    passed_on = caller if caller is not None and trunk.show_caller and not caller.is_withheld else None
    written = passed_on.number if passed_on is not None and passed_on.number else trunk.show_as
    number = numbers.normalise(written, trunk.area_code)
    if trunk.show_form != "as_written" and number.e164 is not None:
        written = numbers.dial_form(number, trunk.show_form, trunk.area_code)
    return Identity(written, passed_on.name if passed_on is not None else "")


def dialled_on(trunk: Trunk, number: Number) -> str:
    """What is dialled on this trunk: in its own form."""
    return numbers.dial_form(number, trunk.dial_as, trunk.area_code)
