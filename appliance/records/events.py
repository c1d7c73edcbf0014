"""The things that happen, as they are kept: one frozen dataclass per kind, numbered and chained by store.py.

An event names its ``subject`` (a conversation, a recording, a trunk) and is never changed. Every row of every other
table is written in the same transaction as the event it follows from, and can be rebuilt from the events alone.
``offset_ms`` is monotonic milliseconds since the conversation opened: durations come from it, never from wall times.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class State(StrEnum):
    """What a conversation is doing; the times in all states add up to its length exactly."""

    RINGING = "ringing"  # the customer's leg is not answered yet
    MENU = "menu"  # hears the flow
    WAITING = "waiting"  # an agent is being rung
    TALKING = "talking"
    HOLD = "hold"


class Outcome(StrEnum):
    SERVED = "served"  # an agent and the customer were connected
    ABANDONED = "abandoned"  # the customer left before that, by hanging up
    FINISHED = "finished"  # the flow came to its end by itself
    REFUSED = "refused"  # never answered: no line, no capacity
    CRASHED = "crashed"  # a process of the box died under it
    FAILED = "failed"  # a fault of the box or the network ended it


@dataclass(frozen=True, slots=True)
class ConversationOpened:
    """``customer`` is E.164 where it could be read, else as it arrived; empty for withheld."""

    kind: ClassVar[str] = "conversation.opened"
    conversation: str
    direction: str  # in, out
    line: str
    trunk: str
    called: str
    customer: str
    customer_as_arrived: str
    customer_name: str
    is_withheld: bool
    flow: str
    flow_hash: str
    language: str


@dataclass(frozen=True, slots=True)
class StateEntered:
    kind: ClassVar[str] = "conversation.state"
    conversation: str
    state: State
    offset_ms: int


@dataclass(frozen=True, slots=True)
class NodeEntered:
    kind: ClassVar[str] = "flow.node"
    conversation: str
    node: str
    node_kind: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class DigitTaken:
    """A key press that the flow consumed (never one of a secret step)."""

    kind: ClassVar[str] = "flow.digit"
    conversation: str
    node: str
    digit: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class LanguageChosen:
    kind: ClassVar[str] = "conversation.language"
    conversation: str
    language: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class LegOpened:
    """``role`` is customer or agent; ``party`` an E.164 number or the agent's name; ``via`` a trunk or phone."""

    kind: ClassVar[str] = "leg.opened"
    conversation: str
    leg: str
    role: str
    party: str
    via: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class LegAnswered:
    kind: ClassVar[str] = "leg.answered"
    conversation: str
    leg: str
    codec: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class LegEnded:
    """``cause`` is a word of signalling.port.Cause; MOS times ten and loss in thousandths of what we received."""

    kind: ClassVar[str] = "leg.ended"
    conversation: str
    leg: str
    cause: str
    code: int
    offset_ms: int
    mos10: int | None = None
    lost_permille: int | None = None


@dataclass(frozen=True, slots=True)
class LegMoved:
    """A leg that another conversation had is this one's from here on (a transfer with Replaces)."""

    kind: ClassVar[str] = "leg.moved"
    conversation: str
    leg: str
    role: str
    party: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class CustomerPassedOn:
    """A step of a transfer. ``how``: keys, refer, replaces.

    ``state``: asked, asking (the other side speaks with the agent), done, back (the agent has the customer again),
    recalled (was rung again for that), line (the customer waits in a line), left (the customer hung up), lost (nobody).
    """

    kind: ClassVar[str] = "call.passed_on"
    conversation: str
    agent: str  # who passes on
    target: str
    how: str
    state: str
    detail: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class MediaInterrupted:
    """The media process died under the conversation and took it up again ``gap_ms`` later."""

    kind: ClassVar[str] = "media.interrupted"
    conversation: str
    gap_ms: int
    offset_ms: int


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """``consent`` is an id of its own; a recording opens only with one (DECISIONS 17)."""

    kind: ClassVar[str] = "consent.given"
    conversation: str
    consent: str
    how: str  # notice, none_needed
    node: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class RecordingOpened:
    kind: ClassVar[str] = "recording.opened"
    conversation: str
    recording: str
    part: int
    consent: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class RecordingRefused:
    """Nothing was recorded, and why: a key of messages (no owner's key, no space, ...)."""

    kind: ClassVar[str] = "recording.refused"
    conversation: str
    recording: str
    reason: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class RecordingGap:
    """Seconds that are missing inside a recording."""

    kind: ClassVar[str] = "recording.gap"
    conversation: str
    recording: str
    reason: str
    missing_ms: int


@dataclass(frozen=True, slots=True)
class RecordingSealed:
    """Closed: ``state`` sealed, recovered (cut to its last sealed half second), empty or lost."""

    kind: ClassVar[str] = "recording.sealed"
    conversation: str
    recording: str
    state: str
    body_bytes: int
    body_sha256: str
    seal_sha256: str
    milliseconds: int
    missing_ms: int
    left_talk_ms: int
    right_talk_ms: int
    overtalk_ms: int
    dead_air_ms: int


@dataclass(frozen=True, slots=True)
class RecordingVerified:
    """What a check of the files without any key found: ``state`` is verified, open, damaged or missing."""

    kind: ClassVar[str] = "recording.verified"
    recording: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class ConversationClosed:
    """All legs have ended; the record closes when its recordings are sealed or lost (<= 5 s)."""

    kind: ClassVar[str] = "conversation.closed"
    conversation: str
    outcome: Outcome
    detail: str
    agent: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class RecordClosed:
    """The CDR of the conversation stands (``revision`` 1); later facts raise the revision."""

    kind: ClassVar[str] = "record.closed"
    conversation: str


@dataclass(frozen=True, slots=True)
class TrunkTurned:
    kind: ClassVar[str] = "trunk.changed"
    trunk: str
    state: str
    code: int


@dataclass(frozen=True, slots=True)
class PhoneTurned:
    """A desk phone registered or went."""

    kind: ClassVar[str] = "phone.changed"
    phone: str
    is_registered: bool


@dataclass(frozen=True, slots=True)
class ServiceStarted:
    """A process of the box started; ``orphans`` are the legs that the one before had left up."""

    kind: ClassVar[str] = "service.started"
    service: str
    version: str
    boot: str
    orphans: int


@dataclass(frozen=True, slots=True)
class ServiceLost:
    """A process of the box died and was missed."""

    kind: ClassVar[str] = "service.lost"
    service: str
    detail: str


@dataclass(frozen=True, slots=True)
class ConversationErased:
    """The bodies of everything before about this conversation are erased; their commitments and this stay."""

    kind: ClassVar[str] = "conversation.erased"
    conversation: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """A way to sign in was set (never its value): first_boot, password."""

    kind: ClassVar[str] = "access.credential_set"
    actor: str
    role: str
    how: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    kind: ClassVar[str] = "access.signed_in"
    actor: str
    role: str
    how: str


@dataclass(frozen=True, slots=True)
class SignInRefused:
    kind: ClassVar[str] = "access.refused"
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class SignedOut:
    kind: ClassVar[str] = "access.signed_out"
    actor: str


ON_TIME_MS = 900_000  # a promise is kept within 15 min of its moment, before and after (FIGURES.md)


@dataclass(frozen=True, slots=True)
class RequestOpened:
    """A row in the ledger: what the box has promised to somebody. ``number`` counts them, ``code`` is said aloud."""

    kind: ClassVar[str] = "request.opened"
    conversation: str
    request: str
    number: int
    code: str
    what: str  # callback, promise, message, complaint, request
    customer: str  # the number to call
    language: str
    queue: str
    due: int  # UTC ms; 0: no time was named
    detail: str
    offset_ms: int
    agent: str = ""  # who promised it, and is rung first
    place: int = 0  # UTC ms: since when they wait; 0: since now
    trunk: str = ""  # by which they are called; empty: that of the conversation


@dataclass(frozen=True, slots=True)
class RequestMoved:
    """``state`` open, doing, done, cancelled or expired; ``by`` a person of the office, or the box."""

    kind: ClassVar[str] = "request.moved"
    request: str
    state: str
    by: str
    detail: str


@dataclass(frozen=True, slots=True)
class RequestChanged:
    """Another number, time or line for what was asked; nothing else of the request is different."""

    kind: ClassVar[str] = "request.changed"
    request: str
    customer: str
    due: int
    queue: str
    by: str


@dataclass(frozen=True, slots=True)
class RequestRenewed:
    """Somebody has asked again for the call that they are owed: its attempts and its time begin anew."""

    kind: ClassVar[str] = "request.renewed"
    request: str
    by: str


@dataclass(frozen=True, slots=True)
class RequestReminded:
    """The office was told that a promise is due soon."""

    kind: ClassVar[str] = "request.reminded"
    request: str


@dataclass(frozen=True, slots=True)
class CallbackDialled:
    """The customer of a request is dialled now: written before the INVITE leaves (DECISIONS 9).

    ``dial`` is what another process needs to cancel that INVITE: a signalling.port.LegKey in JSON.
    """

    kind: ClassVar[str] = "callback.dialled"
    conversation: str
    request: str
    leg: str
    trunk: str
    customer: str
    offset_ms: int
    dial: str = ""


@dataclass(frozen=True, slots=True)
class CallbackEnded:
    """What became of the attempt that this conversation was: a word of queue.callbacks.Outcome.

    ``heard`` is what came of the customer's side first: ``early`` (sound before an answer that never came), behind an
    answer ``silence``, ``ringing`` that never ended, ``sound``, or the tone ``busy`` or ``congestion``; empty where
    nothing could be heard.
    """

    kind: ClassVar[str] = "callback.ended"
    conversation: str
    request: str
    outcome: str
    agent: str
    offset_ms: int
    heard: str = ""


@dataclass(frozen=True, slots=True)
class DialRefused:
    """A call to the outside, or the wish to be called back, was refused: ``reason`` is a word of outbound.Refusal."""

    kind: ClassVar[str] = "dial.refused"
    conversation: str
    trunk: str
    number: str
    number_kind: str  # a word of numbers.Kind
    reason: str
    purpose: str  # callback, transfer, divert, request, ...
    offset_ms: int


@dataclass(frozen=True, slots=True)
class SurveyAnswered:
    """A later answer to the same question replaces the one before. A comment's value is its seconds."""

    kind: ClassVar[str] = "survey.answered"
    conversation: str
    question: str  # csat, nps, resolved, comment
    value: int
    node: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class Identified:
    """Who the caller is was proven, or could not be; ``identity`` is an id, never what was pressed."""

    kind: ClassVar[str] = "caller.identified"
    conversation: str
    method: str  # pin, code
    is_proven: bool
    identity: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class MessageTaken:
    """A stretch of the recording is a message: where it lies, and the request that it opened."""

    kind: ClassVar[str] = "message.taken"
    conversation: str
    what: str  # message, complaint, comment
    request: str
    begins_ms: int
    ends_ms: int


@dataclass(frozen=True, slots=True)
class LookedUp:
    """One of the owner's servers was asked; what it said is not kept."""

    kind: ClassVar[str] = "flow.lookup"
    conversation: str
    node: str
    lookup: str
    is_found: bool
    reason: str
    milliseconds: int
    offset_ms: int


@dataclass(frozen=True, slots=True)
class FlowPublished:
    """From here on new calls walk this text of the flow."""

    kind: ClassVar[str] = "flow.published"
    flow: str
    flow_hash: str
    what: str  # published, rolled_back, started (with the box)
    by: str


@dataclass(frozen=True, slots=True)
class SwitchTurned:
    """How the box answers was changed: night, closed_until, open_until, divert, outage, agent."""

    kind: ClassVar[str] = "switch.turned"
    switch: str
    value: str
    by: str


@dataclass(frozen=True, slots=True)
class ReplyReceived:
    """Somebody has sent an SMS to the box. ``reply`` is a name that follows from the gateway's id of it."""

    kind: ClassVar[str] = "reply.received"
    conversation: str  # the one that a survey was about; empty: none
    reply: str
    what: str  # survey, words, stop, start, order, refused (an order), stranger, before (lay there at the first look)
    customer: str  # E.164; empty of strangers and of the owner
    text: str  # of words only


@dataclass(frozen=True, slots=True)
class HeadSigned:
    """The box has signed how far its chain reached (records/signing.py). All but ``n`` and ``at`` (UTC ms) is hex."""

    kind: ClassVar[str] = "chain.head"
    n: int
    link: str
    at: int
    public: str
    signature: str


@dataclass(frozen=True, slots=True)
class BackupMade:
    """The box, sealed to its owner, lies in ``file``; ``sha256`` is of the sealed file, ``head_n`` its last event."""

    kind: ClassVar[str] = "backup.made"
    file: str
    size: int
    sha256: str
    head_n: int
    recipients: int


@dataclass(frozen=True, slots=True)
class BackupFailed:
    """``reason`` is a key of messages."""

    kind: ClassVar[str] = "backup.failed"
    reason: str


@dataclass(frozen=True, slots=True)
class BackupDrilled:
    """The report of a drill: a backup was restored into a scratch folder; ``reason`` is empty where all was well."""

    kind: ClassVar[str] = "backup.drilled"
    reason: str
    files: int
    head_n: int
    requests_open: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class BoxRestored:
    """The box was made out of a backup: what happened after ``made`` (UTC ms) is not in these records."""

    kind: ClassVar[str] = "backup.restored"
    made: int
    version: str
    head_n: int


@dataclass(frozen=True, slots=True)
class NoticePlanned:
    """Somebody is to be written to. ``about`` is a request, a conversation or the place of an alarm."""

    kind: ClassVar[str] = "notice.planned"
    conversation: str  # empty: the message is about none
    notice: str
    what: str  # a word of notify.outbox.Kind
    channel: str  # sms, mail
    about: str
    last4: str  # all that is kept of the recipient
    language: str
    not_before: int


@dataclass(frozen=True, slots=True)
class NoticeTried:
    """The message is handed over now: written before it leaves, so that no start sends it a second time."""

    kind: ClassVar[str] = "notice.tried"
    conversation: str
    notice: str


@dataclass(frozen=True, slots=True)
class NoticeEnded:
    """``outcome`` sent, later (not taken; it waits again), refused, unknown, expired or needless."""

    kind: ClassVar[str] = "notice.ended"
    conversation: str
    notice: str
    what: str
    channel: str
    last4: str
    outcome: str
    detail: str
    parts: int
    reference: str  # the gateway's id


@dataclass(frozen=True, slots=True)
class NoticeDelivered:
    """What the gateway says became of a message that it had taken: delivered, undelivered, silent."""

    kind: ClassVar[str] = "notice.delivered"
    conversation: str
    notice: str
    state: str


@dataclass(frozen=True, slots=True)
class UpstreamReceipt:
    """A unit lies at a target, was read back, and its digest agrees; ``key`` is its name there, ``place`` where.

    ``first`` and ``last`` are the numbers of the events that a batch reaches (0 for files of a recording).
    """

    kind: ClassVar[str] = "upstream.receipt"
    target: str
    unit: str  # events, records, call, head, seal, body
    key: str
    recording: str
    first: int
    last: int
    sha256: str
    size: int
    place: str


@dataclass(frozen=True, slots=True)
class UpstreamErased:
    """A recording was taken away from a target: its head is gone; ``left`` are the files that a lock still holds."""

    kind: ClassVar[str] = "upstream.erased"
    target: str
    recording: str
    left: str


Happened = (
    ConversationOpened
    | StateEntered
    | NodeEntered
    | DigitTaken
    | LanguageChosen
    | LegOpened
    | LegAnswered
    | LegEnded
    | LegMoved
    | CustomerPassedOn
    | MediaInterrupted
    | ConsentGiven
    | RecordingOpened
    | RecordingRefused
    | RecordingGap
    | RecordingSealed
    | RecordingVerified
    | ConversationClosed
    | RecordClosed
    | TrunkTurned
    | PhoneTurned
    | ServiceStarted
    | ServiceLost
    | CredentialSet
    | SignedIn
    | SignInRefused
    | SignedOut
    | ConversationErased
    | RequestOpened
    | RequestMoved
    | RequestChanged
    | RequestReminded
    | RequestRenewed
    | CallbackDialled
    | CallbackEnded
    | DialRefused
    | SurveyAnswered
    | Identified
    | MessageTaken
    | LookedUp
    | FlowPublished
    | SwitchTurned
    | ReplyReceived
    | NoticePlanned
    | NoticeTried
    | NoticeEnded
    | NoticeDelivered
    | HeadSigned
    | BackupMade
    | BackupFailed
    | BackupDrilled
    | BoxRestored
    | UpstreamReceipt
    | UpstreamErased
)
