"""The port without a network: legs whose other ends follow a script, for simulations, ``flow test`` and commissioning.

Driven by a clock that may be virtual: whatever is to happen stands in one heap, and ``due`` delivers what has come due.
Nothing is delivered from within ``submit``. With ``keeps_legs`` it tells of each leg how another process could end it,
as the network does; otherwise of a ``Dial`` that waits only, whose owner waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from appliance.clock import Clock, Timers
from appliance.ids import uuid7
from appliance.signalling import lamps, port, sdp
from appliance.signalling.port import Cause, Identity

ADDRESS = "192.0.2.1"  # RFC 5737: stands in descriptions, is never sent to
REMOTE_PORT = 40_000
UNHEARD_SECONDS = 32.0  # how long a question to a party that is gone goes unanswered (64*T1)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a phone does when it is rung: answers after a while, refuses with ``code``, or rings on (both None).

    ``talks_seconds`` None: it never hangs up by itself. ``is_silent``: it does not let us hear that it rings.
    """

    answers_after: float | None = 1.0
    talks_seconds: float | None = None
    code: int | None = None
    code_after: float = 0.1
    is_silent: bool = False


@dataclass(slots=True)
class _Leg:
    name: str
    is_ours: bool  # dialled by us
    is_answered: bool = False
    is_gone: bool = False  # without a word: the box does not know it yet
    remote: sdp.Description | None = None
    behaviour: Behaviour | None = None


class Loopback:
    """A Line whose remote parties are scripted. ``phones`` may be changed at any time."""

    def __init__(self, deliver: port.Deliver, clock: Clock, *, keeps_legs: bool = False) -> None:
        self.phones: dict[str, Behaviour] = {}
        self.outside = Behaviour()  # of every number outside
        self._deliver = deliver
        self._clock = clock
        self._keeps_legs = keeps_legs
        self._legs: dict[str, _Leg] = {}
        self._waiting: dict[str, tuple[port.ToTrunk | port.ToPhone, sdp.Description]] = {}  # not sent yet
        self.referred: list[tuple[port.Leg, int]] = []  # what telephones were told of the transfers they asked for
        self.shown: dict[tuple[str, str], lamps.Shown] = {}  # by event package and extension
        self._watching: dict[tuple[str, str], list[list[lamps.Shown]]] = {}
        self._timers = Timers()

    # Time -------------------------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When ``due`` wants to be called next."""
        return self._timers.deadline

    def due(self, now: float) -> None:
        """Delivers what has come due."""
        self._timers.due(now)

    @property
    def legs(self) -> int:
        return len(self._legs)

    # What the others do -----------------------------------------------------------------------------------------------

    def call_from(self, phone: str, called: str) -> port.Leg:
        """A desk phone dials; the leg's name is returned, Offered follows."""
        return self._come(port.FromPhone(phone), called, phone, is_late_offer=False)

    def call_in(
        self,
        trunk: str,
        called: str,
        caller: str,
        *,
        name: str = "",
        is_late_offer: bool = False,
        passage: port.Passage = port.BEGINS_HERE,
    ) -> port.Leg:
        """Somebody rings; the leg's name is returned, Offered follows."""
        return self._come(port.FromTrunk(trunk), called, caller, name, is_late_offer=is_late_offer, passage=passage)

    def _come(
        self,
        source: port.FromTrunk | port.FromPhone,
        called: str,
        caller: str,
        name: str = "",
        *,
        is_late_offer: bool,
        passage: port.Passage = port.BEGINS_HERE,
    ) -> port.Leg:
        leg = _Leg(uuid7(self._clock.utc_ms()), is_ours=False)
        self._legs[leg.name] = leg
        described = sdp.offer(ADDRESS, REMOTE_PORT, "PCMA", 1)
        leg.remote = None if is_late_offer else described
        offered = port.Offered(
            leg=leg.name,
            source=source,
            called=called,
            caller=Identity(caller, name, is_withheld=not caller),
            sdp=None if is_late_offer else described,
            diverted_by="",
            call_id=leg.name,
            passage=passage,
        )
        self._soon(lambda: self._deliver(offered))
        self._keep(leg)
        return leg.name

    def register(self, phone: str, behaviour: Behaviour) -> None:
        """A desk phone is there from now on."""
        self.phones[phone] = behaviour
        self._soon(lambda: self._deliver(port.PhoneRegistered(phone, f"sip:{phone}@{ADDRESS}", 3600, "loopback")))

    def unregister(self, phone: str) -> None:
        if self.phones.pop(phone, None) is not None:
            self._soon(lambda: self._deliver(port.PhoneGone(phone, f"sip:{phone}@{ADDRESS}")))

    def hang_up(self, leg: port.Leg) -> None:
        """The other side leaves: by BYE, or by CANCEL before the answer."""
        known = self._legs.get(leg)
        if known is not None and not known.is_gone:
            cause = Cause.HUNG_UP if known.is_answered else Cause.CANCELLED
            self._soon(lambda: self._end(leg, port.HungUp(leg, cause)))

    def vanish(self, leg: port.Leg) -> None:
        """The other side is gone and its BYE was lost: the box learns it when it asks (``Check``)."""
        known = self._legs.get(leg)
        if known is not None:
            known.is_gone = True

    def hold(self, leg: port.Leg) -> None:
        self._redirect(leg, sdp.Direction.SENDONLY)

    def resume(self, leg: port.Leg) -> None:
        self._redirect(leg, sdp.Direction.SENDRECV)

    def press(self, leg: port.Leg, digit: str) -> None:
        """A key press by INFO."""
        if leg in self._legs:
            self._soon(lambda: self._deliver(port.DigitPressed(leg, digit, 100)))

    def refer(self, leg: port.Leg, to: str, replaces: port.Leg = "") -> None:
        """The telephone of this leg asks for a transfer."""
        if leg in self._legs:
            self._soon(lambda: self._deliver(port.TransferAsked(leg, to, replaces)))

    def watch(self, package: str, extension: str) -> list[lamps.Shown] | None:
        """What a telephone that watches this extension is shown, from now on; None where there is nothing to watch."""
        key = package, extension
        if key not in self.shown:
            return None
        seen = [self.shown[key]]
        self._watching.setdefault(key, []).append(seen)
        return seen

    def is_up(self, leg: port.Leg) -> bool:
        return leg in self._legs

    # The port ---------------------------------------------------------------------------------------------------------

    def submit(self, command: port.Command) -> None:
        match command:
            case port.Dial(leg, to, description, _, waits):
                if waits:
                    self._waiting[leg] = to, description
                    self._soon(lambda: self._deliver(port.LegKept(_key(leg))))
                else:
                    self._dial(leg, to, description)
            case port.Go(leg):
                waiting = self._waiting.pop(leg, None)
                if waiting is not None:
                    self._dial(leg, *waiting)
            case port.Answer(leg, description):
                self._answered(leg, description)
            case port.Refuse(leg, code, _, _):
                if leg in self._legs:
                    self._soon(lambda: self._end(leg, port.HungUp(leg, Cause.ENDED_HERE, code)))
            case port.HangUp(leg, cause, _):
                if self._waiting.pop(leg, None) is not None:
                    self._soon(lambda: self._deliver(port.HungUp(leg, cause)))
                elif leg in self._legs:
                    self._soon(lambda: self._end(leg, port.HungUp(leg, cause)))
            case port.Check(leg):
                if leg in self._legs and self._legs[leg].is_gone:
                    self._in(UNHEARD_SECONDS, lambda: self._end(leg, port.HungUp(leg, Cause.VANISHED)))
            case port.EndOrphan(key):
                self._soon(lambda: self._legs.pop(key.leg, None))
            case port.TransferEnded(leg, code):
                self.referred.append((leg, code))
            case port.ShowLamp() | port.ShowMessages():
                self._show(command)
            case port.Ring() | port.Progress() | port.Hold() | port.Resume():
                pass

    def _show(self, shown: lamps.Shown) -> None:
        key = lamps.event_of(shown), shown.extension
        if self.shown.get(key) != shown:
            self.shown[key] = shown
            for seen in self._watching.get(key, ()):
                seen.append(shown)

    def _answered(self, leg: str, description: sdp.Description) -> None:
        known = self._legs.get(leg)
        if known is None or known.is_ours or known.is_answered:
            return
        known.is_answered = True
        self._keep(known)
        late = sdp.answer(description, ADDRESS, REMOTE_PORT, "PCMA") if known.remote is None else None
        self._soon(lambda: leg in self._legs and self._deliver(port.Confirmed(leg, late)))

    def _dial(self, leg: str, to: port.ToTrunk | port.ToPhone, description: sdp.Description) -> None:
        behaviour = self.phones.get(to.phone) if isinstance(to, port.ToPhone) else self.outside
        self._legs[leg] = known = _Leg(leg, is_ours=True, behaviour=behaviour)
        known.remote = sdp.answer(description, ADDRESS, REMOTE_PORT, "PCMA")
        self._keep(known)
        if behaviour is None or known.remote is None:
            code = 480 if behaviour is None else 488
            self._soon(lambda: self._end(leg, port.Refused(leg, code, "", None)))
            return
        if not behaviour.is_silent:
            self._soon(lambda: leg in self._legs and self._deliver(port.Progressed(leg, 180, None)))
        if behaviour.code is not None:
            code = behaviour.code
            self._in(behaviour.code_after, lambda: self._end(leg, port.Refused(leg, code, "", None)))
        elif behaviour.answers_after is not None:
            self._in(behaviour.answers_after, lambda: self._pick_up(leg))

    def _pick_up(self, leg: str) -> None:
        known = self._legs.get(leg)
        if known is None or known.remote is None or known.behaviour is None or known.is_gone:
            return
        known.is_answered = True
        self._keep(known)
        self._deliver(port.Answered(leg, known.remote))
        if known.behaviour.talks_seconds is not None:
            self._in(known.behaviour.talks_seconds, lambda: self.hang_up(leg))

    def _redirect(self, leg: str, direction: sdp.Direction) -> None:
        known = self._legs.get(leg)
        if known is None or known.remote is None or not known.is_answered:
            return
        known.remote = remote = replace(known.remote, direction=direction, version=known.remote.version + 1)
        is_hold = sdp.is_hold(remote)
        event: port.Event = port.Held(leg, remote) if is_hold else port.Resumed(leg, remote)
        self._soon(lambda: leg in self._legs and self._deliver(event))

    def _keep(self, leg: _Leg) -> None:
        if self._keeps_legs:
            key = replace(_key(leg.name), is_ours=leg.is_ours, is_confirmed=leg.is_answered)
            self._soon(lambda: leg.name in self._legs and self._deliver(port.LegKept(key)))

    def _end(self, leg: str, event: port.Event) -> None:
        """The one last event of a leg."""
        if self._legs.pop(leg, None) is not None:
            self._deliver(event)

    def _soon(self, action: Callable[[], object]) -> None:
        self._in(0.0, action)

    def _in(self, seconds: float, action: Callable[[], object]) -> None:
        self._timers.at(self._clock.monotonic() + seconds, lambda _now: action())


def _key(leg: str) -> port.LegKey:
    """How a leg of the loopback is named to whoever wants to write it down."""
    return port.LegKey(
        leg=leg,
        transport="udp",
        destination=(ADDRESS, 5060),
        local_uri="",
        remote_uri="",
        target="",
        route=(),
        call_id=leg,
        local_tag="",
        remote_tag="",
        cseq=1,
        is_ours=True,
        is_confirmed=False,
        branch=leg,
        contact="",
    )
