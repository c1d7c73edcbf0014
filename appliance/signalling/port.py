"""What the box says to signalling and hears from it; the only words of this room that others use.

A *leg* is one party's voice path and is named by 32 hex digits: signalling names the legs that come in (``Offered``),
the caller of ``Dial`` names those that go out. Commands never answer: what they led to comes as an event, and a command
for a leg that has ended meanwhile is dropped silently, because hanging up while the other side does is normal
telephony. Every leg ends with exactly one ``HungUp`` or ``Refused``; nothing comes for it afterwards.

``Sdp`` is ``appliance.signalling.sdp.Description``, already checked; a description that could not be used was answered
(400, 488) before anyone saw it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from appliance.signalling.sdp import Description as Sdp

Leg = str


class Cause(StrEnum):
    """Why a leg ended, in the words of the record."""

    HUNG_UP = "hung_up"  # the other side, by BYE
    CANCELLED = "cancelled"  # the other side before the answer, by CANCEL
    REFUSED = "refused"  # a final answer of 300 or more; the code stands beside it
    NO_ANSWER = "no_answer"  # we stopped ringing it
    ENDED_HERE = "ended_here"  # our side, in the ordinary course
    BUSY_TONE = "busy_tone"  # our side: the exchange plays busy tone, nobody is there any more
    CONGESTION_TONE = "congestion_tone"  # the same, with congestion tone
    ANSWERED_ELSEWHERE = "answered_elsewhere"  # our side, another phone took the call
    MADE_ROOM = "made_room"  # our side, an emergency call needs the line
    TOO_LONG = "too_long"  # our side, the call has lasted as long as the settings allow
    VANISHED = "vanished"  # no answer from the peer: 408, 481, session timer, 32 s of silence
    LOST_ACK = "lost_ack"  # our 200 was never acknowledged (RFC 3261, 13.3.1.4)
    NETWORK = "network"  # nothing could be sent at all
    FAULT = "fault"  # a fault of our own; the journal says which
    ORPHAN = "orphan"  # left over by a crash, ended by the next process


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a party says to be. ``number`` is as it arrived; E.164 is made by ``numbers.py``."""

    number: str
    name: str = ""
    is_withheld: bool = False


@dataclass(frozen=True, slots=True)
class FromTrunk:
    trunk: str


@dataclass(frozen=True, slots=True)
class FromPhone:
    phone: str


@dataclass(frozen=True, slots=True)
class ToTrunk:
    """``number`` is already in the trunk's own form (``dial_as``)."""

    trunk: str
    number: str


@dataclass(frozen=True, slots=True)
class ToPhone:
    phone: str


@dataclass(frozen=True, slots=True)
class Passage:
    """What a call between peers has come through (passage.py): ``legs`` are ours, oldest first.

    ``hops`` are those it has left; ``senders`` the numbers that have sent it on, where it says so.
    """

    hops: int = 70
    legs: tuple[Leg, ...] = ()
    senders: tuple[str, ...] = ()


BEGINS_HERE = Passage()


@dataclass(frozen=True, slots=True)
class LegKey:
    """What is needed to end a leg by another process: kept in the runtime file, given back with ``EndOrphan``.

    ``is_confirmed`` chooses between BYE and CANCEL (or, for a leg that came in and was never answered, 480).
    """

    leg: Leg
    transport: str
    destination: tuple[str, int]
    local_uri: str
    remote_uri: str
    target: str
    route: tuple[str, ...]
    call_id: str
    local_tag: str
    remote_tag: str
    cseq: int
    is_ours: bool
    is_confirmed: bool
    branch: str
    contact: str


# Events ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offered:
    """A call came in and was answered with 100; it waits for Ring, Progress, Answer or Refuse.

    ``called`` is the user part that chose us (request URI; the To header or Diversion where the trunk says so),
    ``sdp`` is None for a late offer: then the ``sdp`` of Answer is an offer and its answer comes with ``Confirmed``.
    """

    leg: Leg
    source: FromTrunk | FromPhone
    called: str
    caller: Identity
    sdp: Sdp | None
    diverted_by: str
    call_id: str
    passage: Passage = BEGINS_HERE


@dataclass(frozen=True, slots=True)
class Progressed:
    """A leg we dialled rings (180) or plays early media (183 with ``sdp``)."""

    leg: Leg
    code: int
    sdp: Sdp | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A leg we dialled was answered and acknowledged."""

    leg: Leg
    sdp: Sdp


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The ACK to our 200 came; ``sdp`` is the answer to a late offer, else None."""

    leg: Leg
    sdp: Sdp | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A leg we dialled ended without an answer; ``code`` is the SIP status (408 where nothing came)."""

    leg: Leg
    code: int
    reason: str
    retry_after_seconds: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """The other side put us on hold; it was answered in kind."""

    leg: Leg
    sdp: Sdp


@dataclass(frozen=True, slots=True)
class Resumed:
    leg: Leg
    sdp: Sdp


@dataclass(frozen=True, slots=True)
class MediaChanged:
    """The other side moved its media (address, port, codec, payload numbers); it was answered already."""

    leg: Leg
    sdp: Sdp


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """A digit by SIP INFO; those in RTP come from media."""

    leg: Leg
    digit: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class TransferAsked:
    """A telephone, ours or a peer's, asks by REFER (RFC 3515) that the other side of this leg be connected with ``to``.

    ``replaces`` is the leg of the same telephone whose other side is meant (RFC 3891), empty where none is. It was
    answered with 202; exactly one ``TransferEnded`` is expected, and no other REFER of the leg is taken before it.
    """

    leg: Leg
    to: str
    replaces: Leg = ""


@dataclass(frozen=True, slots=True)
class HungUp:
    """A leg that came in, was answered, or was given up by its owner, has ended; ``code``: the SIP status, or 0."""

    leg: Leg
    cause: Cause
    code: int = 0


class TrunkState(StrEnum):
    STARTING = "starting"
    UP = "up"
    REFUSED = "refused"  # 401/403/404 after our answer: wrong user or password
    UNREACHABLE = "unreachable"  # no answer, or the name cannot be resolved
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class TrunkChanged:
    trunk: str
    state: TrunkState
    code: int
    detail: str


@dataclass(frozen=True, slots=True)
class PhoneRegistered:
    phone: str
    contact: str
    expires_seconds: int
    user_agent: str


@dataclass(frozen=True, slots=True)
class PhoneGone:
    phone: str
    contact: str


@dataclass(frozen=True, slots=True)
class LegKept:
    """How this leg could be ended by another process, each time that changes."""

    key: LegKey


Event = (
    Offered
    | Progressed
    | Answered
    | Confirmed
    | Refused
    | Held
    | Resumed
    | MediaChanged
    | DigitPressed
    | TransferAsked
    | HungUp
    | TrunkChanged
    | PhoneRegistered
    | PhoneGone
    | LegKept
)


# Commands -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ring:
    """180 to a leg that came in."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Progress:
    """183 with early media to a leg that came in."""

    leg: Leg
    sdp: Sdp


@dataclass(frozen=True, slots=True)
class Answer:
    """200 to a leg that came in; ``sdp`` is our answer, or our offer where theirs was late."""

    leg: Leg
    sdp: Sdp


@dataclass(frozen=True, slots=True)
class Refuse:
    leg: Leg
    code: int
    reason: str = ""
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Dial:
    """INVITE with our offer. A phone with several contacts is forked; the first 200 wins, the others are ended.

    With ``waits`` nothing is sent before ``Go``: ``LegKept`` tells at once how the INVITE that will leave could be
    cancelled by another process, so that this can be written down first. ``passage`` is told to peers alone.
    """

    leg: Leg
    to: ToTrunk | ToPhone
    sdp: Sdp
    caller: Identity
    waits: bool = False
    passage: Passage = BEGINS_HERE


@dataclass(frozen=True, slots=True)
class Go:
    """Sends what a ``Dial`` that waits has prepared."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Hold:
    """Our re-INVITE: ``sdp`` says sendonly (or inactive)."""

    leg: Leg
    sdp: Sdp


@dataclass(frozen=True, slots=True)
class Resume:
    leg: Leg
    sdp: Sdp


@dataclass(frozen=True, slots=True)
class Check:
    """Asks an answered leg by OPTIONS whether it still lives; where it does not, it ends with ``VANISHED``."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class TransferEnded:
    """Tells the telephone that asked by REFER what came of it, in a SIP status: 200, or why not."""

    leg: Leg
    code: int


class LampState(StrEnum):
    """What a busy lamp says of an extension, in the words of RFC 4235, 3.7.1."""

    DARK = "terminated"
    CALLING = "trying"  # it has dialled somebody who has not answered yet
    RINGING = "early"  # it is rung, and may be picked up
    BUSY = "confirmed"


@dataclass(frozen=True, slots=True)
class ShowLamp:
    """What the busy lamps of ``extension`` show from now on; from the first time on telephones may watch it.

    ``call`` names the call (another name is another call), ``is_caller`` says that the extension began it. ``other``
    is whom it speaks with; None: the telephones are not told.
    """

    extension: str
    state: LampState
    call: str = ""
    is_caller: bool = False
    other: Identity | None = None


@dataclass(frozen=True, slots=True)
class ShowMessages:
    """How many messages wait for ``extension``; from the first time on telephones may watch it."""

    extension: str
    waiting: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """Ends a leg in whatever state it is: CANCEL, BYE, or a refusal with ``code``."""

    leg: Leg
    cause: Cause = Cause.ENDED_HERE
    code: int = 480


@dataclass(frozen=True, slots=True)
class EndOrphan:
    """Ends a leg of a process that is no more; leads to no event."""

    key: LegKey


Command = (
    Ring
    | Progress
    | Answer
    | Refuse
    | Dial
    | Go
    | Hold
    | Resume
    | Check
    | TransferEnded
    | ShowLamp
    | ShowMessages
    | HangUp
    | EndOrphan
)


class Line(Protocol):
    """One implementation of the port: the network (agent.Agent) or none (loopback.Loopback)."""

    def submit(self, command: Command) -> None:
        """Takes one command; what comes of it is delivered as events, never from within this call."""
        ...


Deliver = Callable[[Event], None]
"""Where a Line puts its events: appends to the owner's inbox and returns at once."""
