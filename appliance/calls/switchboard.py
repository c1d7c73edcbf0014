"""Who gets which event: calls that come in find their line, everything else finds the conversation it belongs to.

One conversation's fault ends that conversation; the switchboard stays. It knows nothing of what a conversation does:
sessions are tasks with an inbox each.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging

from appliance import __version__
from appliance.calls import features, outbound, pick_up
from appliance.calls import recording as recording_of
from appliance.calls.blocked_call import BlockedCall
from appliance.calls.by_phone import ByPhone
from appliance.calls.callbacks import Callbacks
from appliance.calls.conversation import Conversation
from appliance.calls.desk import asked_by
from appliance.calls.feature_call import FeatureCall
from appliance.calls.next_call import NextCall
from appliance.calls.office import EndCall, Item, Office
from appliance.calls.peer_call import PeerCall, is_direct
from appliance.calls.peers import CameBack
from appliance.calls.phone_call import PhoneCall
from appliance.calls.pick_up import PickUpCall
from appliance.calls.runtime import KeptLegs
from appliance.calls.seat_call import SeatCall
from appliance.calls.session import Session
from appliance.calls.settings import CalledLine
from appliance.calls.supervise_call import SuperviseCall
from appliance.calls.take_parked_call import TakeParkedCall
from appliance.calls.upstream import Strain
from appliance.control import wire
from appliance.control.wire import Contact
from appliance.ids import uuid7
from appliance.media import port as media
from appliance.messages import Language
from appliance.records import events, ledger
from appliance.records.events import Outcome, State
from appliance.signalling import numbers
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause, FromPhone, Identity, Refuse
from appliance.signalling.settings import Trunk

log = logging.getLogger(__name__)

BYE_SECONDS = 33.0  # 64*T1 (RFC 3261, 17.1.2.2), and a little
ENDED_BY_US = frozenset(
    {Cause.ENDED_HERE, Cause.NO_ANSWER, Cause.ANSWERED_ELSEWHERE, Cause.FAULT, Cause.MADE_ROOM}
    | {Cause.BUSY_TONE, Cause.CONGESTION_TONE, Cause.TOO_LONG}
)
NOT_UP = frozenset(
    {signalling.TrunkState.REFUSED.value, signalling.TrunkState.UNREACHABLE.value, signalling.TrunkState.STOPPED.value}
)
SHOWN_CALLS = 400  # at most so many calls in one picture
SHOWN_NAME = 40  # letters of a customer's name in it: control/picture.py sends 150 calls in one datagram


class Switchboard:
    """``kept`` is the file of legs; ``language`` that of the page's first visit."""

    def __init__(self, office: Office, kept: KeptLegs | None, language: Language = "fa") -> None:
        self.office = office
        self.sessions: dict[str, Conversation] = {}
        self.findings: dict[str, wire.Finding] = {}
        self.sealing: media.Sealing | None = None  # since media said so
        self.last_event = 0
        self._kept = kept
        self._language = language
        self._tasks: set[asyncio.Task[None]] = set()
        self._trunks = {
            trunk.name: wire.Trunk(trunk.name, signalling.TrunkState.STARTING.value) for trunk in office.sip.trunks
        }
        self._media = "unknown"
        self._load: media.Load | None = None
        self.strain = Strain()
        self.upstream: tuple[wire.Upstream, ...] = ()
        self._is_draining = False
        self._early: list[signalling.Event] | None = None  # what came before it was open; None: it is
        self.callbacks = Callbacks(office, self._begin)
        office.lists.begin = self._begin
        office.outside.conversations = self.sessions.values
        office.outside.is_up = self._is_up
        office.timekeeper.conversations = self.sessions.values
        office.pins.on_locked = self._find_locked

    @property
    def calls_now(self) -> int:
        return len(self.sessions)

    # Events of signalling ---------------------------------------------------------------------------------------------

    def shut(self) -> None:
        """Until ``open`` what signalling says is kept: first what was left over is settled (restart.py)."""
        self._early = []

    def open(self) -> None:
        early, self._early = self._early or [], None
        for event in early:
            self.signalled(event)

    def signalled(self, event: signalling.Event) -> None:
        if self._early is not None:
            self._early.append(event)
            return
        self.office.lamps.heard(event)
        match event:
            case signalling.Offered():
                self._offered(event)
            case signalling.TrunkChanged(trunk, state, code, detail):
                self._trunks[trunk] = wire.Trunk(trunk, state.value, code, detail)
                self.office.records.put(events.TrunkTurned(trunk, state.value, code))
                self.office.changed()
            case signalling.PhoneRegistered(phone, contact, _, _):
                contacts = self.office.registered.setdefault(phone, set())
                if not contacts:
                    self.office.records.put(events.PhoneTurned(phone, True))
                contacts.add(contact)
                self.office.changed()
            case signalling.PhoneGone(phone, contact):
                contacts = self.office.registered.get(phone, set())
                contacts.discard(contact)
                if not contacts and self.office.registered.pop(phone, None) is not None:
                    self.office.records.put(events.PhoneTurned(phone, False))
                self.office.changed()
            case signalling.LegKept(key):
                if self._kept is not None:
                    self._kept.keep(key)
                if key.is_ours and not key.is_confirmed:  # whoever dials may want to write it down first
                    self._pass(key.leg, event)
            case signalling.HungUp(leg) | signalling.Refused(leg):
                self._forget(leg, is_ours=isinstance(event, signalling.HungUp) and event.cause in ENDED_BY_US)
                self._pass(leg, event)
            case signalling.TransferAsked(leg, to, replaces):
                asked, other = self._with_leg(leg), self._with_leg(replaces)
                if isinstance(asked, ByPhone) and other is not None and not isinstance(other, ByPhone):
                    leg, replaces = replaces, leg  # whose call holds a customer goes on, whichever was named first
                self._pass(leg, signalling.TransferAsked(leg, to, replaces))
            case (
                signalling.Progressed(leg)
                | signalling.Answered(leg)
                | signalling.Confirmed(leg)
                | signalling.Held(leg)
                | signalling.Resumed(leg)
                | signalling.MediaChanged(leg)
                | signalling.DigitPressed(leg)
            ):
                self._pass(leg, event)

    def _forget(self, leg: str, is_ours: bool) -> None:
        """The next process need not end this leg; one that we ended is kept while its BYE may still be lost."""
        if self._kept is None:
            return
        if is_ours:
            asyncio.get_running_loop().call_later(BYE_SECONDS, self._kept.forget, leg)
        else:
            self._kept.forget(leg)

    def _with_leg(self, leg: str) -> Conversation | None:
        return next((each for each in self.sessions.values() if leg in each.parties), None)

    def _pass(self, leg: str, event: Item) -> None:
        inbox = self.office.legs.get(leg)
        if inbox is not None:
            inbox.put(event)

    # Events of media --------------------------------------------------------------------------------------------------

    def mediated(self, event: media.ClientEvent) -> None:
        match event:
            case media.Hello():
                self._media = "up"
                self._find_recorder(event)
                self.sealing = event.sealing
            case media.Load():
                self._load = event
                self.strain.loaded(event, self.office.clock.monotonic())
                self._media = "up" if event.accepts else "full"
            case media.MediaLost(streams):
                self._media = "lost"
                self.office.count("media_lost")
                self.office.records.put(events.ServiceLost("media", f"{len(streams)} streams"))
            case media.MediaBack(streams):
                self._media = "up"
                known = {id(found): found for leg in streams if (found := self.office.legs.get(leg)) is not None}
                for each in known.values():
                    each.put(event)
            case media.Statistics(stream):
                self.strain.measured(event, self.office.clock.monotonic())
                self._pass(stream, event)
            case (
                media.Opened(stream)
                | media.OpenFailed(stream)
                | media.Closed(stream)
                | media.PlayEnded(stream)
                | media.DigitHeard(stream)
                | media.Heard(stream)
                | media.ToneHeard(stream)
                | media.SoundHeard(stream)
                | media.MediaStarted(stream)
                | media.MediaSilent(stream)
                | media.SpeechStarted(stream)
                | media.SpeechEnded(stream)
            ):
                self._pass(stream, event)
            case media.RecordingContinued(recording, follows):
                inbox = self.office.recordings.get(follows)
                if inbox is not None:
                    self.office.recordings[recording] = inbox
                    inbox.put(event)
            case (
                media.RecordingStarted(recording)
                | media.RecordingRefused(recording)
                | media.RecordingGap(recording)
                | media.RecordingSealed(recording)
            ):
                self._pass_recording(recording, event)
        self.office.changed()

    def _pass_recording(self, recording: str, event: Item) -> None:
        inbox = self.office.recordings.get(recording)
        if inbox is not None:
            inbox.put(event)
        elif isinstance(event, media.RecordingSealed):
            task = asyncio.create_task(self._late(event), name=f"late recording {recording}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            log.warning("media speaks of recording %s, which no conversation waits for", recording)

    async def _late(self, sealed: media.RecordingSealed) -> None:
        """A recording that was sealed when its record had closed: the record is revised."""
        conversation = await self.office.records.call(
            lambda store: store.within(lambda db: ledger.conversation_of(db, sealed.recording))
        )
        if not conversation:
            log.warning("media has sealed recording %s, which no conversation knows", sealed.recording)
            return
        self.office.records.put(recording_of.sealed(conversation, sealed))
        self.office.verify(sealed)

    def _find_recorder(self, hello: media.Hello) -> None:
        """A box that cannot record says so on its page."""
        self.findings.pop("recorder", None)
        if not hello.can_record and hello.refusal:
            self.findings["recorder"] = wire.Finding(hello.refusal)

    # Calls that come in -----------------------------------------------------------------------------------------------

    def _offered(self, offered: signalling.Offered) -> None:
        if isinstance(offered.source, FromPhone):
            self._offered_by_phone(offered, offered.source.phone)
            return
        trunk = self.office.trunk(offered.source.trunk)
        offered = self._with_caller(offered, trunk)
        line = self._line_for(trunk.name, offered.called, trunk.area_code, offered.diverted_by)
        if trunk.kind == "peer":
            peers = self.office.outside.peers
            leg = peers.leg_of(offered, trunk.name)
            if line is not None and line.number:
                offered = peers.marked(offered, leg)
            elif leg:
                self._send_back(offered, leg)
                return
            elif is_direct(self.office, offered, trunk, has_line=line is not None):
                self._offered_by_peer(offered, trunk)
                return
        if line is None:
            self._turn_away(offered, trunk.name, 404, "no line for this number", None)
            return
        blocked = self._blocked(offered, trunk)
        if blocked is not None:
            self._block(offered, line, blocked)
            return
        if self._has_room(offered, trunk):
            self._begin(Session(self.office, offered, line, self.office.flows[line.flow]))

    def _has_room(self, offered: signalling.Offered, trunk: Trunk) -> bool:
        """Whether one more call can be taken; else it is turned away."""
        no_line = self.office.outside.why_not_in(trunk.name)
        if no_line:
            self._turn_away(offered, trunk.name, 486, no_line.replace("_", " "), None)
        elif (
            self._is_draining or len(self.sessions) >= self.office.settings.max_calls or not self.office.mouth.accepts()
        ):
            self._turn_away(offered, trunk.name, 503, "box full", self.office.settings.retry_after_seconds)
        else:
            return True
        return False

    def _offered_by_peer(self, offered: signalling.Offered, peer: Trunk) -> None:
        blocked = self._blocked(offered, peer)
        if blocked is not None:
            self.office.count("blocked")
            self._turn_away(offered, peer.name, 486, "blocked", None, blocked)
        elif self._has_room(offered, peer):
            way_out = next((each for each in self.office.sip.trunks if each.kind != "peer"), None)
            self._begin(PeerCall(self.office, offered, peer, way_out, self._language))

    def _send_back(self, offered: signalling.Offered, leg: str) -> None:
        """What we passed to a peer came back: no new call, but news for the conversation that has passed it there."""
        self.office.line.submit(Refuse(offered.leg, 482))
        self.office.count("came_back")
        if self.office.outside.peers.came_back(leg):
            self._pass(leg, CameBack(leg, offered.called))

    def _offered_by_phone(self, offered: signalling.Offered, phone: str) -> None:
        """Desk phones dial codes of the office, each other, and out."""
        trunk = self.office.sip.way_out()
        meant = features.meant(offered.called) if features.is_code(offered.called) else None
        if self._is_draining or not self.office.mouth.accepts():
            self.office.line.submit(Refuse(offered.leg, 503, "", self.office.settings.retry_after_seconds))
        elif (taken := self._picked_up(meant, phone)) is not None:
            self._begin(PickUpCall(self.office, offered, phone, taken, self._language))
        elif isinstance(meant, features.TakeParked):
            self._begin(TakeParkedCall(self.office, offered, phone, meant.slot, self._language))
        elif isinstance(meant, features.Supervise):
            self._begin(SuperviseCall(self.office, offered, phone, meant.whom, self.sessions.values, self._language))
        elif isinstance(meant, features.NextCustomer):
            self._begin(NextCall(self.office, offered, phone, self._language))
        elif isinstance(meant, features.Seat):
            self._begin(SeatCall(self.office, offered, phone, self._language))
        elif meant is not None:
            self._begin(FeatureCall(self.office, offered, phone, self._language))
        else:
            self._begin(PhoneCall(self.office, offered, phone, trunk, self._language))

    def _picked_up(self, meant: features.Feature | None, phone: str) -> Conversation | None:
        """The conversation that this code takes, if one rings."""
        if not isinstance(meant, features.PickUp):
            return None
        return pick_up.rings_at(self.office, self.sessions.values(), meant.whom, phone)

    def _line_for(self, trunk: str, called: str, area_code: str, diverted_by: str = "") -> CalledLine | None:
        """The line of the hotline that diverts here, else of the number called, else the trunk's without a number."""
        lines = [line for line in self.office.settings.lines if line.trunk == trunk]
        for written in (diverted_by, called):
            wanted = numbers.normalise(written, area_code)
            for line in lines:
                own = numbers.normalise(line.number, area_code)
                if line.number and (line.number == written or (own.e164 is not None and own.e164 == wanted.e164)):
                    return line
        return next((line for line in lines if not line.number), None)

    def _with_caller(self, offered: signalling.Offered, trunk: Trunk) -> signalling.Offered:
        """A number of our own as caller's is a gateway's, or a hotline's that diverts here: nobody knows who rings."""
        caller = offered.caller.number
        own = outbound.own_numbers(self.office.settings, trunk.area_code, (trunk.show_as, trunk.user))
        if caller and (caller == trunk.user or numbers.normalise(caller, trunk.area_code).e164 in own):
            return dataclasses.replace(offered, caller=Identity("", "", is_withheld=True))
        return offered

    def _blocked(self, offered: signalling.Offered, trunk: Trunk) -> Contact | None:
        """The contact whose calls the office does not take; an emergency service's are always taken."""
        if offered.caller.is_withheld:
            return None
        number = numbers.normalise(offered.caller.number, trunk.area_code, self.office.settings.plan)
        contact = self.office.contacts.of(offered.caller.number, trunk.area_code)
        return contact if contact is not None and contact.is_blocked and number.kind != "emergency" else None

    def _block(self, offered: signalling.Offered, line: CalledLine, contact: Contact) -> None:
        is_full = len(self.sessions) >= self.office.settings.max_calls or not self.office.mouth.accepts()
        self.office.count("blocked")
        if self.office.settings.blocked_callers == "busy" or is_full or self._is_draining:
            self._turn_away(offered, line.trunk, 486, "blocked", None, contact)
        else:
            self._begin(BlockedCall(self.office, offered, line, contact))

    def _turn_away(
        self,
        offered: signalling.Offered,
        trunk: str,
        code: int,
        why: str,
        retry_after_seconds: int | None,
        blocked: Contact | None = None,
    ) -> None:
        """Refuses a call, and keeps that it was refused: the owner's figures count it."""
        self.office.line.submit(Refuse(offered.leg, code, "", retry_after_seconds))
        self.office.count(f"refused_{code}")
        caller = offered.caller
        conversation = uuid7(self.office.clock.utc_ms())
        put = self.office.records.put
        put(
            events.ConversationOpened(
                conversation, "in", "", trunk, offered.called, caller.number, caller.number, caller.name,
                caller.is_withheld, "", "", self._language,
            )
        )  # fmt: skip
        put(events.LegOpened(conversation, offered.leg, "customer", caller.number, trunk, 0))
        if blocked is not None:
            put(events.CallerBlocked(conversation, blocked.contact, "busy", 0))
        put(events.LegEnded(conversation, offered.leg, "refused", code, 0))
        put(events.ConversationClosed(conversation, Outcome.REFUSED, why, "", 0))
        put(events.RecordClosed(conversation))
        if code in (486, 503) and blocked is None:
            number = numbers.normalise(caller.number, self.office.trunk(trunk).area_code).e164 or caller.number
            customer = "" if caller.is_withheld else number
            queue = self.office.line_for("", "")
            asked = asked_by(conversation, customer, self._language, trunk)
            self.office.desk.missed(asked, queue, self.office.answer_by(queue), self.office.clock.utc_ms())

    def _find_locked(self) -> None:
        """Agents and telephones at which too many PINs were wrong are shown to those who lead."""
        self.findings.pop("pins", None)
        locked = [name for names in self.office.pins.locked() for name in names]
        if locked:
            self.findings["pins"] = wire.Finding("pins.locked", {"who": ", ".join(locked)})
        self.office.changed()

    def _is_up(self, trunk: str) -> bool:
        """Whether calls can go out by this trunk; one that does not register has no state of its own."""
        known = self._trunks.get(trunk)
        return known is None or known.state not in NOT_UP

    def _begin(self, session: Conversation) -> None:
        self.sessions[session.id] = session
        self.office.legs[session.customer.leg] = session.inbox
        self.office.count("calls")
        task = asyncio.create_task(session.run(), name=f"session {session.id}")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(session, done))

    def _ended(self, session: Conversation, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.sessions.pop(session.id, None)
        for party in session.parties.values():
            self.office.legs.pop(party.leg, None)
            self.office.outside.ended(party.leg)
        self.office.outside.ended(session.customer.leg)
        if not task.cancelled() and task.exception() is not None:
            self.office.count("faults")
            log.error("conversation %s could not be closed", session.id, exc_info=task.exception())
        self.office.changed()

    # Its end, and what is shown ---------------------------------------------------------------------------------------

    async def drain(self, seconds: float) -> None:
        """Takes no more calls and ends those under way; returns when their records are closed, or at ``seconds``."""
        self._is_draining = True
        self.callbacks.stop()
        for session in self.sessions.values():
            session.inbox.put(EndCall("stopping"))
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def snapshot(self) -> wire.Snapshot:
        """Everything live, for the page."""
        calls = [self._shown(session) for session in list(self.sessions.values())[:SHOWN_CALLS]]
        phones = tuple(
            wire.Phone(
                phone.name, phone.name in self.office.registered, len(self.office.registered.get(phone.name, ()))
            )
            for phone in self.office.sip.phones
        )
        counters = dict(self.office.counters)
        if self._load is not None:
            counters["media_streams"] = self._load.streams
            counters["recordings_now"] = self._load.recordings
            counters["bad_rtp"] = self._load.bad_packets
            counters["late_ticks"] = self._load.late_ticks
            counters["commit_p99_ms"] = round(self._load.commit_p99_ms)
        return wire.Snapshot(
            box=self.office.box,
            version=__version__,
            language=self._language,
            now_utc_ms=self.office.clock.utc_ms(),
            trunks=tuple(self._trunks.values()),
            phones=phones,
            calls=tuple(calls),
            counters=counters,
            findings=(*self.findings.values(), *self.office.outside.findings(), *self.office.screen_pops.findings()),
            last_event=self.last_event,
            media=self._media,
            lines=tuple(self.office.floor.lines()),
            agents=tuple(self.office.agents_now()),
            switches=self._switches(),
            upstream=self.upstream,
        )

    def _switches(self) -> wire.Switches:
        switches = self.office.desk.switches
        hours = switches.hours
        return wire.Switches(
            night=hours.night,
            closed_until=hours.closed_until_ms,
            open_until=hours.open_until_ms,
            divert=switches.divert,
            outage_until=switches.outage_until_ms,
        )

    def _shown(self, session: Conversation) -> wire.LiveCall:
        floor = self.office.floor
        return _shown(session, floor.line_of(session.id), floor.place(session.id) if floor.line_of(session.id) else 0)


def _shown(session: Conversation, queue: str, place: int) -> wire.LiveCall:
    """Who speaks is shown as long as they do, not until the record is closed."""
    is_speaking = any(
        party.name == session.agent and party.is_answered and not party.has_ended for party in session.parties.values()
    )
    return wire.LiveCall(
        conversation=session.id,
        line=session.line_name,
        customer=session.shown_customer,
        state="parked" if session.parked else session.state.value,
        agent=session.agent if is_speaking and session.state in (State.TALKING, State.HOLD) else "",
        since_utc_ms=session.since_utc_ms,
        recording="paused" if session.pausing.is_on else session.recording.state,
        opened_utc_ms=session.opened_utc_ms,
        queue=queue,
        place=place,
        direction=session.direction,
        name=session.customer_name[:SHOWN_NAME],
        slot=session.parked,
    )
