"""One conversation while it lasts: its parties, its place in time, its inbox. The ground on which session.py stands.

``next`` is the only place where a conversation waits. What concerns every phase alike (the customer leaving, media
moving, recordings reporting) is dealt with there; the rest is handed to whoever waits.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Collection
from pathlib import Path

from appliance.calls.floor import AgentsOffered
from appliance.calls.inbox import Inbox
from appliance.calls.office import EndCall, Item, Office, PauseAsked, PickedUp, SupervisorCame, Surrender, Surrendered
from appliance.calls.party import Party
from appliance.calls.pausing import Pausing
from appliance.calls.peers import CameBack
from appliance.calls.recording import ConversationRecording
from appliance.calls.supervision import Supervision
from appliance.contacts import names
from appliance.control.wire import Contact
from appliance.flow import steps
from appliance.ids import uuid7
from appliance.media import port as media
from appliance.records import events
from appliance.records.events import Happened, State
from appliance.signalling import port as signalling
from appliance.signalling import sdp
from appliance.signalling.port import Cause, Identity
from appliance.signalling.settings import Trunk

MEDIA_SECONDS = 3.0  # how long media may take to open a port: longer than it takes to start again
LAST_WORDS_SECONDS = 1.0  # how long a leg's last figures are waited for
TOLD_SECONDS = 60.0  # longer than anything that is told
VANISHED_SECONDS = 20  # silence after which a leg is asked whether it lives (DECISIONS 22)
OWN_PLAYS = 1_000_000  # numbers of what the conversation plays itself; those below are the flow's
RING_BACK = media.Piece("tone:ring-back")
BEEP = media.Piece("tone:beep")
QUIET = frozenset({"silence", "ringing"})  # nobody and nothing was there so far
TONES = {"busy": Cause.BUSY_TONE, "congestion": Cause.CONGESTION_TONE}
MUSIC = "music"
NEVER_RECORDED = "contacts.never_recorded"  # why there is no recording of somebody


class Left(Exception):  # noqa: N818 - the ordinary end of a conversation
    """The customer is gone, or the conversation was ended from outside."""


class Trouble(Exception):  # noqa: N818 - ends the conversation with a record that says why
    """The box cannot carry this conversation (no port, no common codec)."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Conversation(ABC):
    """With the customer of ``leg``, who says to be ``caller``. Offsets are monotonic milliseconds since it began."""

    direction = "in"
    dialled = ""  # what our telephone has dialled, where it began this
    trunk_name = ""  # the trunk that the customer's leg takes
    may_be_supervised = True  # it is with a customer
    customer_number = ""  # E.164 where it could be read; empty: withheld, or a colleague

    def __init__(
        self, office: Office, leg: str, caller: Identity, address: str, law: sdp.Law, sources: tuple[str, ...]
    ) -> None:
        self.office = office
        self.caller = caller
        self.id = uuid7(office.clock.utc_ms())
        self.inbox: Inbox[Item] = Inbox()
        self.began = office.clock.monotonic()
        self.opened_utc_ms = office.clock.utc_ms()
        self.state = State.RINGING
        self.since_utc_ms = self.opened_utc_ms
        self.law: sdp.Law = law
        self.customer = Party(leg, "customer", "")
        self.parties: dict[str, Party] = {}
        self.agent = ""
        self.line_name = ""
        self.language = "fa"  # in which the box speaks to its parties
        self.shown_number = caller.number  # how an agent's phone shows the customer
        self.recording = ConversationRecording(self)
        self.pausing = Pausing(self)
        self.supervision = Supervision(self)
        self.digits: list[str] = []
        self.is_stopping = False
        self.takes_referral = ""  # the leg whose telephone may pass the customer on now
        self.contact: Contact | None = None  # who the customer is, where the office knows them
        self._ringing: frozenset[str] = frozenset()
        self.briefs: dict[str, str] = {}  # agent: what they have written for whoever gets the customer next
        self.parked = 0  # the slot in which the customer is, and may be taken from
        self.gives: Party | None = None  # who may go on in another conversation, as one of its parties
        self.passage = signalling.BEGINS_HERE  # what the call has come through, where it came from a peer
        self.sent_back: set[tuple[str, str]] = set()  # peer and extension that has sent this call on to us
        self.music_name = MUSIC
        self.sound = bytearray()  # what the customer speaks as a prompt
        self.sound_law = ""
        self.sound_is_whole = False
        self._address = address
        self._sources = sources
        self._plays = OWN_PLAYS
        self._announced = 0  # the play after which the music goes on

    def know(self, contact: Contact | None) -> None:
        """The other side of the talk is this contact, if any: their marks hold from now on."""
        self.contact = contact
        self.forbid_recording(contact)

    def forbid_recording(self, contact: Contact | None) -> None:
        """Somebody who takes part is perhaps never to be recorded."""
        if contact is not None and contact.is_unrecorded:
            self.recording.forbid(NEVER_RECORDED)

    @property
    def priority(self) -> int:
        """Of the customer in a waiting line, whatever the flow says."""
        is_vip = self.contact is not None and self.contact.is_vip
        return self.office.settings.vip_priority if is_vip else 0

    @property
    def shown_customer(self) -> str:
        """The customer's number as a person reads it; empty: they withhold it."""
        return "" if self.caller.is_withheld else self.shown_number

    @property
    def customer_name(self) -> str:
        """As the office knows them, or as they name themselves where they are who called."""
        if self.contact is not None:
            return self.contact.name
        return "" if self.caller.is_withheld or not self.is_incoming else self.caller.name

    @property
    def rung(self) -> frozenset[str]:
        """Agents whose telephones ring for the customer, and may be picked up."""
        return self._ringing

    @rung.setter
    def rung(self, agents: Collection[str]) -> None:
        new, self._ringing = frozenset(agents) - self._ringing, frozenset(agents)
        self.office.screen_pops.rung(self, sorted(new))

    def name_on(self, phone: str) -> str:
        """By which name the customer is shown on this telephone of the office; empty: by the number alone."""
        if self.contact is None:
            return self.caller.name
        return names.on_phone(self.contact.name, self.contact.latin, self.office.names_on(phone))

    @property
    def is_incoming(self) -> bool:
        """Whether the customer rang us."""
        return self.direction == "in"

    @abstractmethod
    async def run(self) -> None:
        """From its beginning to its record, whatever happens."""

    async def take(self) -> None:
        """Answers the customer, where they have rung us and were not answered yet."""
        return

    # Record -----------------------------------------------------------------------------------------------------------

    def offset_ms(self) -> int:
        return round((self.office.clock.monotonic() - self.began) * 1000)

    def put(self, happened: Happened) -> None:
        self.office.records.put(happened)

    def enter(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self.since_utc_ms = self.office.clock.utc_ms()
            self.put(events.StateEntered(self.id, state, self.offset_ms()))
            self.office.changed()

    # Waiting ----------------------------------------------------------------------------------------------------------

    async def next(self, deadline: float | None) -> Item | None:
        """What happens next, or None at ``deadline``. Raises Left when the customer has gone."""
        while True:
            item = await self.inbox.next(self.pausing.sooner(deadline))
            if item is None:
                if self.pausing.due():
                    continue
                return None
            self._absorb(item)
            if not self.supervision.takes(item):
                return item

    def _absorb(self, item: Item) -> None:
        """What is the same in every phase."""
        match item:
            case EndCall(reason):
                self.is_stopping = reason == "stopping"
                raise Left
            case signalling.HungUp(leg, cause, code):
                self.ended(self.parties.get(leg), cause.value, code)
                if leg == self.customer.leg:
                    raise Left
            case signalling.Refused(leg, code, _, _):
                self.ended(self.parties.get(leg), Cause.REFUSED.value, code)
            case signalling.TransferAsked(leg):
                if leg != self.takes_referral:
                    self.office.line.submit(signalling.TransferEnded(leg, 603))
            case PickedUp(taker) if not self.rung and not self.parked:  # somebody else was faster
                self.adopt(taker)
                self.hang_up(taker, Cause.ANSWERED_ELSEWHERE)
            case SupervisorCame():
                self.supervision.begin(item)
            case PauseAsked(agent, is_on):
                if self.state in (State.TALKING, State.HOLD):  # they may have passed the customer on meanwhile
                    self.pausing.turn(agent, "page", is_on)
            case Surrender(to):
                to.put(Surrendered(self._given(to), self.dialled))
                if self.dialled:
                    raise Left
            case signalling.Held(leg, description):
                self._moved(leg, description, is_held=True)
            case signalling.Resumed(leg, description):
                self._moved(leg, description, is_held=False)
            case signalling.MediaChanged(leg, description):
                self._moved(leg, description, is_held=None)
            case signalling.DigitPressed() | media.DigitHeard():
                self.digits += key_of(self.customer, item)
            case media.Heard(stream, law, sound, is_last):
                if stream == self.customer.leg:
                    self.sound += sound
                    self.sound_law, self.sound_is_whole = law, is_last
            case media.PlayEnded(stream, play, _):
                if stream == self.customer.leg and play == self._announced and self.state is State.WAITING:
                    self.music(self.customer)
            case media.ToneHeard(stream, tone):
                self._toned(self.parties.get(stream), tone)
            case media.SoundHeard(stream):
                self._sounded(self.parties.get(stream))
            case media.Statistics(stream):
                party = self.parties.get(stream)
                if party is not None:
                    party.figures = item
            case media.Closed(stream):
                self._told(self.parties.get(stream))
            case media.MediaSilent(stream, seconds):
                party = self.parties.get(stream)
                if seconds >= VANISHED_SECONDS and party is not None and not party.is_held:
                    self.office.line.submit(signalling.Check(stream))
            case media.MediaBack(_, gap_ms):
                self.put(events.MediaInterrupted(self.id, gap_ms, self.offset_ms()))
            case (
                media.RecordingStarted()
                | media.RecordingRefused()
                | media.RecordingGap()
                | media.RecordingSealed()
                | media.RecordingContinued()
            ):
                self.recording.receive(item)
            case (
                signalling.Offered()
                | signalling.Progressed()
                | signalling.Answered()
                | signalling.Confirmed()
                | signalling.TrunkChanged()
                | signalling.PhoneRegistered()
                | signalling.PhoneGone()
                | signalling.LegKept()
                | media.Hello()
                | media.Opened()
                | media.OpenFailed()
                | media.MediaStarted()
                | media.SpeechStarted()
                | media.SpeechEnded()
                | media.MediaLost()
                | steps.Answer()
                | AgentsOffered()
                | Surrendered()
                | PickedUp()
                | media.Load()
                | CameBack()
            ):
                pass

    # Parties ----------------------------------------------------------------------------------------------------------

    async def open(self, party: Party) -> None:
        """A port for the party's voice. Trouble where there is none."""
        self.parties[party.leg] = party
        self.office.legs[party.leg] = self.inbox
        address = self._address if party is self.customer else self.office.sip.address
        self.office.mouth.submit(media.Open(party.leg, address))
        deadline = self.office.clock.monotonic() + MEDIA_SECONDS
        came: list[Item] = []  # somebody takes the call before it rings: a leg that must not be lost
        try:
            while True:
                match await self.next(deadline):
                    case media.Opened(stream, port) if stream == party.leg:
                        party.port = port
                        return
                    case media.OpenFailed(stream, reason) if stream == party.leg:
                        raise Trouble(503, f"media: {reason}")
                    case None:
                        raise Trouble(503, "media: no answer")
                    case PickedUp() as taken:
                        came.append(taken)
                    case _:
                        continue
        finally:
            for each in came:
                self.inbox.put(each)

    def agree(self, party: Party, local: sdp.Description, remote: sdp.Description) -> bool:
        """Both descriptions are known: media may flow. False where they have nothing in common."""
        agreed = sdp.agree(local, remote)
        if agreed is None:
            return False
        party.local, party.agreed = local, agreed
        self.office.mouth.submit(
            media.SetRemote(
                stream=party.leg,
                address=agreed.address,
                port=agreed.port,
                law=agreed.law,
                send_payload_type=agreed.send_payload_type,
                receive_payload_type=agreed.receive_payload_type,
                send_event_payload_type=agreed.send_event_payload_type,
                receive_event_payload_type=agreed.receive_event_payload_type,
                sends=agreed.sends,
                receives=agreed.receives,
                sources=self._sources if party is self.customer else (),
            )
        )
        return True

    def answered(self, party: Party) -> None:
        if not party.is_answered and party.agreed is not None:
            party.is_answered = True
            self.put(events.LegAnswered(self.id, party.leg, party.agreed.law, self.offset_ms()))
            self.office.outside.answered(party.leg)
            trunk = self._trunk_of(party)
            if trunk is not None and trunk.kind == "analog":
                self.attend(party)

    def adopt(self, party: Party) -> None:
        """A leg of another conversation is one of ours."""
        self.parties[party.leg] = party
        self.office.legs[party.leg] = self.inbox
        if party.role == "outside":
            self.forbid_recording(self.office.contacts.of(party.name))
        self.put(events.LegMoved(self.id, party.leg, party.role, party.name, self.offset_ms()))

    def hand_over(self, party: Party, to: Inbox[Item]) -> Party:
        """The party goes on elsewhere: nothing of it is ours any more, and what happens to it is told there."""
        self.recording.leave(party.leg)
        del self.parties[party.leg]
        self.office.legs[party.leg] = to
        given = dataclasses.replace(party)
        party.has_ended = True
        return given

    def _given(self, to: Inbox[Item]) -> Party | None:
        party, self.gives = self.gives, None
        return None if party is None or party.has_ended else self.hand_over(party, to)

    # Lines that say nothing when they end -------------------------------------------------------------------------

    def attend(self, party: Party) -> None:
        """From now on the tones of the party's trunk end its leg."""
        trunk = self._trunk_of(party)
        if trunk is not None and trunk.tones and not party.heard:
            party.heard = "silence"
            self.office.mouth.submit(media.Attend(party.leg, trunk.tones))

    def _trunk_of(self, party: Party) -> Trunk | None:
        name = self.trunk_name if party is self.customer else party.trunk
        return next((trunk for trunk in self.office.sip.trunks if trunk.name == name), None)

    def _sounded(self, party: Party | None) -> None:
        """Somebody or something is there. A provider tells us itself when it is gone; an analog line never does."""
        if party is None or party.has_ended:
            return
        party.heard = "sound" if party.heard in QUIET else party.heard
        trunk = self._trunk_of(party)
        if trunk is not None and trunk.kind != "analog":
            self.office.mouth.submit(media.Attend(party.leg, ()))

    def _toned(self, party: Party | None, tone: str) -> None:
        """Nobody is there, or not any more: the leg ends. While it rings nobody is there yet."""
        if party is None or party.has_ended:
            return
        party.heard = tone if party.heard in QUIET else party.heard
        if tone in TONES:
            self.hang_up(party, TONES[tone])
            if party is self.customer:
                raise Left

    def hang_up(self, party: Party, cause: Cause, code: int = 480) -> None:
        """Ends a leg from our side."""
        if not party.has_ended:
            self.office.line.submit(signalling.HangUp(party.leg, cause, code))
            self.ended(party, cause.value, 0)

    def ended(self, party: Party | None, cause: str, code: int) -> None:
        """The leg is over: its stream closes, its last figures follow."""
        if party is None or party.has_ended:
            return
        party.has_ended = True
        self.office.outside.ended(party.leg)
        party.ended = events.LegEnded(self.id, party.leg, cause, code, self.offset_ms())
        self.office.mouth.submit(media.Close(party.leg))
        self.supervision.left(party)

    async def close(self, outcome: events.Outcome, detail: str) -> None:
        """Ends what is left, and closes the record once its recordings are sealed (DECISIONS 2)."""
        for party in list(self.parties.values()):
            self.hang_up(party, Cause.ENDED_HERE)
        closed_at = self.offset_ms()
        await self.last_words()
        self.put(events.ConversationClosed(self.id, outcome, detail, self.agent, closed_at))
        self.office.changed()
        deadline = self.office.clock.monotonic() + self.office.settings.seal_wait_seconds
        while not self.recording.is_settled:
            try:
                if await self.next(deadline) is None:
                    break
            except Left:
                continue
        self.recording.give_up()
        if self.office.legs.get(self.customer.leg) is self.inbox:
            del self.office.legs[self.customer.leg]
        self.put(events.RecordClosed(self.id))

    async def last_words(self) -> None:
        """Waits a moment for the figures of the legs that have ended; writes their ends with or without."""
        deadline = self.office.clock.monotonic() + LAST_WORDS_SECONDS
        while any(party.ended is not None for party in self.parties.values()):
            try:
                if await self.next(deadline) is None:
                    break
            except Left:
                continue
        for party in self.parties.values():
            self._told(party)

    def _told(self, party: Party | None) -> None:
        """Puts the end of a leg, with what media measured of it."""
        if party is None or party.ended is None:
            return
        ended, party.ended = party.ended, None
        self.office.legs.pop(party.leg, None)
        figures = party.figures
        if figures is not None and figures.received:
            ended = events.LegEnded(
                ended.conversation,
                ended.leg,
                ended.cause,
                ended.code,
                ended.offset_ms,
                mos10=round(figures.mos * 10),
                lost_permille=round(1000 * figures.lost / (figures.received + figures.lost)),
            )
        self.put(ended)

    def _moved(self, leg: str, description: sdp.Description, is_held: bool | None) -> None:
        party = self.parties.get(leg)
        if party is None or party.local is None:
            return
        if is_held is not None:
            party.is_held = is_held
        self.agree(party, party.local, description)

    # Sound ------------------------------------------------------------------------------------------------------------

    def say(self, play: int, prompts: tuple[str, ...], language: str) -> None:
        self.office.mouth.submit(media.Play(self.customer.leg, play, self._pieces(prompts, language)))

    def say_to(self, party: Party, prompts: tuple[str, ...], language: str) -> int:
        """Says something of our own to anybody; the number of the play."""
        self._plays += 1
        self.office.mouth.submit(media.Play(party.leg, self._plays, self._pieces(prompts, language)))
        return self._plays

    async def tell(self, party: Party, prompts: tuple[str, ...]) -> None:
        """Says something to a party; returns when all of it was said, or they have left. Left: the customer has."""
        play = self.say_to(party, prompts, self.language)
        until = self.office.clock.monotonic() + TOLD_SECONDS
        while not party.has_ended:
            match await self.next(until):
                case media.PlayEnded(stream, number, _) if stream == party.leg and number == play:
                    return
                case None:
                    return
                case _:
                    continue

    def _pieces(self, prompts: tuple[str, ...], language: str) -> tuple[media.Piece, ...]:
        return tuple(
            media.Piece(each if each.startswith("tone:") else str(self.office.prompt(language, each)))
            for each in prompts
        )

    def announce(self, play: int, prompts: tuple[str, ...], language: str) -> None:
        """Says something to who waits; the music follows."""
        self._announced = play
        self.say(play, prompts, language)

    def beep(self) -> None:
        """Tells the customer to speak now."""
        self._plays += 1
        self.office.mouth.submit(media.Play(self.customer.leg, self._plays, (BEEP,), is_speech=False))

    def ring_back(self) -> None:
        """What a caller hears who was answered already while an agent's phone rings."""
        self.loop(self.customer, RING_BACK)

    def music(self, party: Party) -> None:
        self.loop(party, media.Piece(str(Path(self.office.prompts) / self.music_name)))

    def loop(self, party: Party, piece: media.Piece) -> None:
        """Music or a tone, until something else is to be heard."""
        self._plays += 1
        self.office.mouth.submit(media.Play(party.leg, self._plays, (piece,), loops=True, is_speech=False))


def key_of(party: Party, item: Item | None) -> str:
    """The key that ``party`` has pressed, however it came; empty where this is none of theirs."""
    match item:
        case media.DigitHeard(stream, digit) if stream == party.leg:
            return digit
        case signalling.DigitPressed(leg, digit, _) if leg == party.leg:
            return digit
        case _:
            return ""
