"""What the processes of the box say to calls, and hear: one datagram each on a SOCK_SEQPACKET socket.

A datagram is the version byte and one msgpack array, at most 64 KiB. The page asks (``Ask``) with a number of its own
choice and gets ``Told`` with the same number; a ``Watch`` is answered by ``Shown`` pictures under that number until
``Unwatch``. Every command carries the opaque token of who asks; calls alone knows which person and role that is.
``Alive`` comes twice a second: after two seconds without any datagram calls counts as dead.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from appliance.errors import Problem

VERSION = 1
MAX_MESSAGE_BYTES = 65_536
ALIVE_SECONDS = 0.5
SILENCE_SECONDS = 2.0  # DECISIONS 29: four heart beats missed

Field = str | int | float
T = TypeVar("T")
Role = Literal["owner", "supervisor", "agent", "technician"]


class _Struct(msgspec.Struct, frozen=True, array_like=True):
    """A part of a message. A newer peer may append fields; they are passed over."""


class _Message(_Struct, frozen=True, tag=True):
    """A message or one of its alternatives; the tag is the class's name."""


# What is shown --------------------------------------------------------------------------------------------------------


class Trunk(_Struct, frozen=True):
    """``state`` is a word of signalling.port.TrunkState; ``detail`` is the provider's, for a technician."""

    name: str
    state: str
    code: int = 0
    detail: str = ""


class Phone(_Struct, frozen=True):
    name: str
    is_registered: bool
    contact_count: int = 0


class LiveCall(_Struct, frozen=True):
    """A call in progress. ``since_utc_ms`` is when it entered ``state``; ``customer`` is empty for whom it hides."""

    conversation: str
    line: str
    customer: str
    state: str  # a word of records.events.State
    agent: str
    since_utc_ms: int
    recording: str  # none, live, refused, stopped
    opened_utc_ms: int = 0
    queue: str = ""  # the line in which the customer waits
    place: int = 0  # 1 for the next; 0 for one who does not wait
    direction: str = "in"
    name: str = ""  # by which the office knows the customer


class Line(_Struct, frozen=True):
    """A waiting line. ``present`` counts its agents who are there, busy or not."""

    name: str
    waiting: int
    present: int
    free: int


class AgentNow(_Struct, frozen=True):
    """``doing`` is a word of queue.line.Doing, or why the agent is not there (not_registered, absent).

    ``reason`` is why they are away (calls/switches.py); ``work`` grows whenever their own page has something new.
    """

    name: str
    doing: str
    since_utc_ms: int = 0
    reason: str = ""
    work: int = 0


class Switches(_Struct, frozen=True):
    """What the owner has turned; moments are UTC ms, 0 for none."""

    night: bool = False
    closed_until: int = 0
    open_until: int = 0
    divert: str = ""
    outage_until: int = 0


class Finding(_Struct, frozen=True):
    """Something a person should act on: a key of the messages and its fields, as a Problem has them."""

    key: str
    fields: dict[str, Field] = {}


class Upstream(_Struct, frozen=True):
    """A target upstream as it stands. ``state`` is idle, sending, parked or disabled; ``reason`` why it is parked.

    ``oldest_utc_ms`` is when the oldest pending unit was made, ``receipt_utc_ms`` when the last receipt came (0: none);
    ``fault`` is the last fault while it lasts, ``remarks`` what the owner should know of a target that works.
    """

    name: str
    kind: str
    state: str
    reason: str = ""
    pending: int = 0
    pending_bytes: int = 0
    refused: int = 0
    oldest_utc_ms: int = 0
    receipt_utc_ms: int = 0
    receipts: int = 0
    fault: Finding | None = None
    remarks: tuple[Finding, ...] = ()


class Contact(_Struct, frozen=True):
    """Somebody whom the office knows. ``numbers`` are in E.164 where they have that form, once calls has taken them."""

    name: str
    numbers: tuple[str, ...] = ()
    latin: str = ""  # the name for telephones that show no Persian
    language: str = ""  # fa, en; empty: that of the line
    is_vip: bool = False
    is_blocked: bool = False
    is_unrecorded: bool = False
    note: str = ""
    contact: str = ""  # its id; empty for a new one


class Snapshot(_Struct, frozen=True):
    """Everything live at once. ``counters`` are totals since calls started, by name."""

    box: str
    version: str
    language: str
    now_utc_ms: int
    trunks: tuple[Trunk, ...] = ()
    phones: tuple[Phone, ...] = ()
    calls: tuple[LiveCall, ...] = ()
    counters: dict[str, int] = {}
    findings: tuple[Finding, ...] = ()
    last_event: int = 0
    media: str = "unknown"  # up, lost, full, unknown
    lines: tuple[Line, ...] = ()
    agents: tuple[AgentNow, ...] = ()
    switches: Switches = Switches()
    upstream: tuple[Upstream, ...] = ()


class Changes(_Struct, frozen=True):
    """What is different from the picture before; None where nothing is. ``calls`` are the new and changed ones."""

    now_utc_ms: int
    trunks: tuple[Trunk, ...] | None = None
    phones: tuple[Phone, ...] | None = None
    calls: tuple[LiveCall, ...] = ()
    ended: tuple[str, ...] = ()
    counters: dict[str, int] | None = None
    findings: tuple[Finding, ...] | None = None
    last_event: int | None = None
    media: str | None = None
    lines: tuple[Line, ...] | None = None
    agents: tuple[AgentNow, ...] | None = None
    switches: Switches | None = None
    upstream: tuple[Upstream, ...] | None = None


class Brief(_Struct, frozen=True):
    """What an agent has written for whoever gets the customer next."""

    agent: str
    text: str


class DeskCall(_Struct, frozen=True):
    """The call for which an agent's telephone rings, or in which they speak.

    ``customer`` is E.164, or as it came; empty: withheld, or a colleague. ``shown`` is what the telephone shows.
    """

    conversation: str
    customer: str
    shown: str
    name: str
    line: str
    queue: str
    language: str
    state: str
    direction: str
    is_speaking: bool
    opened_utc_ms: int
    since_utc_ms: int
    briefs: tuple[Brief, ...] = ()


class FormField(_Struct, frozen=True):
    """``version`` is that of the value, or the one that whoever sends another value has seen."""

    name: str
    value: str
    version: int


class Choice(_Struct, frozen=True):
    """A disposition, as it is called."""

    name: str
    persian: str
    english: str


class DeskForm(_Struct, frozen=True):
    """What is asked of the agent about their last call. ``until_utc_ms``: when its time ends; 0: none runs."""

    conversation: str
    customer: str
    shown: str
    name: str
    line: str
    language: str
    state: str  # open, missed, given
    is_over: bool
    can_extend: bool
    until_utc_ms: int
    fields: tuple[FormField, ...]
    choices: tuple[Choice, ...]
    brief: str = ""  # what the agent has written for the next one


class Person(_Struct, frozen=True):
    """Somebody who may sign in to the page. ``has_password``: False while the code was not used."""

    name: str
    role: Role
    has_password: bool


# Requests -------------------------------------------------------------------------------------------------------------


class SignIn(_Message, frozen=True):
    """``address`` is the browser's: failures slow down the account and the address. Answered by SignedIn."""

    name: str
    secret: str
    address: str = ""

    def __repr__(self) -> str:
        return f"SignIn({self.name!r}, ***)"


class SignOut(_Message, frozen=True):
    token: str

    def __repr__(self) -> str:
        return "SignOut(***)"


class WhoAmI(_Message, frozen=True):
    """Answered by Who."""

    token: str

    def __repr__(self) -> str:
        return "WhoAmI(***)"


class SetPassword(_Message, frozen=True):
    """Answered by SignedIn with a new token; every older session of the person ends."""

    token: str
    new: str

    def __repr__(self) -> str:
        return "SetPassword(***)"


class Watch(_Message, frozen=True):
    """Answered by Done, then by Shown until Unwatch, or until the token ends (``Told`` with Refused)."""

    token: str

    def __repr__(self) -> str:
        return "Watch(***)"


class Unwatch(_Message, frozen=True):
    """``number`` is that of the Ask that held the Watch."""

    number: int


class HangUpCall(_Message, frozen=True):
    """Ends a call in the ordinary way; owner and supervisor only."""

    token: str
    conversation: str

    def __repr__(self) -> str:
        return f"HangUpCall(***, {self.conversation!r})"


class Turn(_Message, frozen=True):
    """Turns a switch (calls/switches.py: ``night_on``, ``closed_until``, ...); owner and supervisor, and the panel's
    button for the night alone, without a token.
    """

    token: str
    action: str
    value: str = ""

    def __repr__(self) -> str:
        return f"Turn(***, {self.action!r}, {self.value!r})"


class MakePromise(_Message, frozen=True):
    """Promises a call at ``due``, as a person writes it: ``1405/09/15 16:30``, ``2026-12-06 16:30``, ``16:30``.

    ``queue`` and ``agent`` may be empty. Answered by Promised.
    """

    token: str
    number: str
    due: str
    about: str = ""
    queue: str = ""
    agent: str = ""
    language: str = "fa"

    def __repr__(self) -> str:
        return f"MakePromise(***, due={self.due!r})"


class ChangeRequest(_Message, frozen=True):
    """Another number or moment for a call that is owed; empty: as it is."""

    token: str
    request: str
    number: str = ""
    due: str = ""

    def __repr__(self) -> str:
        return f"ChangeRequest(***, {self.request!r})"


class CallNow(_Message, frozen=True):
    """The next attempt of a call that is owed begins as soon as an agent is free."""

    token: str
    request: str

    def __repr__(self) -> str:
        return f"CallNow(***, {self.request!r})"


class CloseRequest(_Message, frozen=True):
    """``state`` is done or cancelled. Any open row of the ledger."""

    token: str
    request: str
    state: str

    def __repr__(self) -> str:
        return f"CloseRequest(***, {self.request!r}, {self.state!r})"


class MoveCaller(_Message, frozen=True):
    """Moves who waits into another line, at the place of their arrival; ``seen`` is the line in which they were seen.

    Of two who move the same caller the second is refused (``desk.moved_already``) and told where the caller is.
    """

    token: str
    conversation: str
    line: str
    seen: str

    def __repr__(self) -> str:
        return f"MoveCaller(***, {self.conversation!r}, {self.line!r})"


class TakeRecording(_Message, frozen=True):
    """A recording is to be given out, sealed as it lies; ``use`` is play. Owner and supervisor only.

    Answered by Done once who, which and ``why`` are in the records, on the disk.
    """

    token: str
    recording: str
    use: str
    why: str

    def __repr__(self) -> str:
        return f"TakeRecording(***, {self.recording!r}, {self.use!r})"


class AskDesk(_Message, frozen=True):
    """What an agent's own page shows. ``agent`` empty: who asks. Answered by DeskNow."""

    token: str
    agent: str = ""

    def __repr__(self) -> str:
        return f"AskDesk(***, {self.agent!r})"


class GoAway(_Message, frozen=True):
    """The agent is away, and why (a word of calls/switches.py); empty: they are there again."""

    token: str
    agent: str
    reason: str = ""

    def __repr__(self) -> str:
        return f"GoAway(***, {self.agent!r}, {self.reason!r})"


class WriteForm(_Message, frozen=True):
    """What was typed into the form of a call so far. Answered by Written once it is on the disk."""

    token: str
    agent: str
    conversation: str
    fields: tuple[FormField, ...] = ()

    def __repr__(self) -> str:
        return f"WriteForm(***, {self.agent!r}, {self.conversation!r})"


class GiveForm(_Message, frozen=True):
    """The agent is done with it, unless others had changed something that was not seen. Answered by Written."""

    token: str
    agent: str
    conversation: str
    fields: tuple[FormField, ...] = ()

    def __repr__(self) -> str:
        return f"GiveForm(***, {self.agent!r}, {self.conversation!r})"


class ExtendForm(_Message, frozen=True):
    """As much time for it again, once."""

    token: str
    agent: str
    conversation: str

    def __repr__(self) -> str:
        return f"ExtendForm(***, {self.agent!r}, {self.conversation!r})"


class WriteBrief(_Message, frozen=True):
    """A word for whoever gets the customer next; in place of the agent's word before."""

    token: str
    agent: str
    conversation: str
    text: str

    def __repr__(self) -> str:
        return f"WriteBrief(***, {self.agent!r}, {self.conversation!r})"


class AskPeople(_Message, frozen=True):
    """Who may sign in; the owner alone. Answered by People."""

    token: str

    def __repr__(self) -> str:
        return "AskPeople(***)"


class InvitePerson(_Message, frozen=True):
    """A new person, or a new code for one who is known: what they had before ends. Answered by Invited."""

    token: str
    name: str
    role: Role

    def __repr__(self) -> str:
        return f"InvitePerson(***, {self.name!r}, {self.role!r})"


class RemovePerson(_Message, frozen=True):
    """They cannot sign in any more, and are signed out."""

    token: str
    name: str

    def __repr__(self) -> str:
        return f"RemovePerson(***, {self.name!r})"


class SaveContacts(_Message, frozen=True):
    """Contacts as they shall be from now on, whole; all of them or, where one cannot be, none. Answered by Saved."""

    token: str
    contacts: tuple[Contact, ...]

    def __repr__(self) -> str:
        return f"SaveContacts(***, {len(self.contacts)} contacts)"


class RemoveContacts(_Message, frozen=True):
    """By their ids; what was known of them is erased."""

    token: str
    contacts: tuple[str, ...]

    def __repr__(self) -> str:
        return f"RemoveContacts(***, {len(self.contacts)} contacts)"


class HoldRecordings(_Message, frozen=True):
    """Nothing of ``about`` is deleted or erased from now on: a conversation, or all with a number. Owner only.

    ``why`` stays in the records. Answered by Affected, as the two below.
    """

    token: str
    about: str
    why: str

    def __repr__(self) -> str:
        return "HoldRecordings(***)"


class ReleaseRecordings(_Message, frozen=True):
    """The holds on ``about`` are over."""

    token: str
    about: str
    why: str

    def __repr__(self) -> str:
        return "ReleaseRecordings(***)"


class EraseRecordings(_Message, frozen=True):
    """The records and recordings of ``about`` are destroyed, here and at every target. It cannot be taken back."""

    token: str
    about: str
    why: str

    def __repr__(self) -> str:
        return "EraseRecordings(***)"


class Measure(_Message, frozen=True):
    """What a monitor may know; nobody is signed in for it. Answered by Measured."""


class AskPhoneFile(_Message, frozen=True):
    """From the page: a desk phone asks for its file ``name`` with the token of its path. Answered by PhoneFile.

    ``page`` is the address by which it has reached the page (``https://192.168.1.5:8080``).
    """

    path_token: str
    name: str
    page: str

    def __repr__(self) -> str:
        return f"AskPhoneFile(***, {self.name!r})"


class Vitals(_Message, frozen=True):
    """What every service tells of itself each second; ``figures`` are whole numbers by name (``rss_kb``, ...)."""

    service: str
    uptime_ms: int
    figures: dict[str, int] = {}
    findings: tuple[Finding, ...] = ()


class Receipt(_Struct, frozen=True):
    """A unit lies at a target and was read back (records.events.UpstreamReceipt)."""

    target: str
    unit: str
    key: str
    recording: str
    first: int
    last: int
    sha256: str
    size: int
    place: str


class Erased(_Struct, frozen=True):
    """A recording was taken away from a target (records.events.UpstreamErased)."""

    target: str
    recording: str
    left: str


class TellReceipts(_Message, frozen=True):
    """From sync alone: answered by Done once they are in the records, on the disk; what stands there is passed over."""

    receipts: tuple[Receipt, ...] = ()
    erased: tuple[Erased, ...] = ()


class TellDestroyed(_Message, frozen=True):
    """From sync alone: the files of these recordings are gone from the box. Answered by Done once it is on record."""

    recordings: tuple[str, ...]


class TellUpstream(_Message, frozen=True):
    """From sync alone: how its targets stand, for the page. Answered by Pulse."""

    targets: tuple[Upstream, ...]


class AskPulse(_Message, frozen=True):
    """From sync: how do calls fare? Answered by Pulse."""


class AskUpstream(_Message, frozen=True):
    """How the targets stand; for the command line of the box's own user. Answered by UpstreamNow."""


class TryUpstream(_Message, frozen=True):
    """A person has put something right: sync shall try this target at once. Answered by Done."""

    target: str


Request = (
    SignIn
    | SignOut
    | WhoAmI
    | SetPassword
    | Watch
    | Unwatch
    | HangUpCall
    | Turn
    | MakePromise
    | ChangeRequest
    | CallNow
    | CloseRequest
    | MoveCaller
    | TakeRecording
    | AskDesk
    | GoAway
    | WriteForm
    | GiveForm
    | ExtendForm
    | WriteBrief
    | AskPeople
    | InvitePerson
    | RemovePerson
    | SaveContacts
    | RemoveContacts
    | HoldRecordings
    | ReleaseRecordings
    | EraseRecordings
    | Measure
    | AskPhoneFile
    | Vitals
    | TellReceipts
    | TellDestroyed
    | TellUpstream
    | AskPulse
    | AskUpstream
    | TryUpstream
)


OfficeOrder = (
    HangUpCall
    | Turn
    | MakePromise
    | ChangeRequest
    | CallNow
    | CloseRequest
    | MoveCaller
    | TakeRecording
    | SaveContacts
    | RemoveContacts
)
ArchiveOrder = HoldRecordings | ReleaseRecordings | EraseRecordings
Order = OfficeOrder | ArchiveOrder
"""What a person of the office orders; all else only asks."""

DeskOrder = AskDesk | GoAway | WriteForm | GiveForm | ExtendForm | WriteBrief
"""What an agent's own page asks and orders: of oneself, or by those who lead of anybody."""

PeopleOrder = AskPeople | InvitePerson | RemovePerson
"""Who may sign in: the owner's."""


class Ask(_Struct, frozen=True):
    number: int
    request: Request


# Answers --------------------------------------------------------------------------------------------------------------


class Done(_Message, frozen=True):
    """It is done; nothing more to say."""


class Refused(_Message, frozen=True):
    """It is not done: the key and the fields of a Problem."""

    key: str
    fields: dict[str, Field] = {}


class SignedIn(_Message, frozen=True):
    """``token`` is opaque and known to nobody else; with ``must_set_password`` it is good for SetPassword only."""

    token: str
    actor: str
    role: Role
    must_set_password: bool

    def __repr__(self) -> str:
        return f"SignedIn(***, {self.actor!r}, {self.role!r})"


class Who(_Message, frozen=True):
    actor: str
    role: Role
    must_set_password: bool


class Promised(_Message, frozen=True):
    """A promise stands, under this tracking code."""

    code: str
    due: int


class DeskNow(_Message, frozen=True):
    """``agents`` are those at whose page this person may look; ``reason`` is why the agent is away."""

    now_utc_ms: int
    agent: str
    doing: str
    reason: str
    since_utc_ms: int
    agents: tuple[str, ...]
    call: DeskCall | None = None
    form: DeskForm | None = None


class Written(_Message, frozen=True):
    """The form as it stands. ``changed`` are fields that somebody else had changed: they were not written over."""

    fields: tuple[FormField, ...]
    changed: tuple[str, ...] = ()


class People(_Message, frozen=True):
    """Who may sign in, and agents of the settings, who may be asked to."""

    persons: tuple[Person, ...]
    agents: tuple[str, ...]


class Invited(_Message, frozen=True):
    """The code by which they sign in once, to set a password."""

    name: str
    code: str

    def __repr__(self) -> str:
        return f"Invited({self.name!r}, ***)"


class Saved(_Message, frozen=True):
    """The contacts stand, under these ids, in their order."""

    contacts: tuple[str, ...]


class PhoneFile(_Message, frozen=True):
    """The file, with the phone's passwords in it."""

    content: str

    def __repr__(self) -> str:
        return "PhoneFile(***)"


class Affected(_Message, frozen=True):
    """How much an order about recordings reaches."""

    conversations: int
    recordings: int


class Measured(_Message, frozen=True):
    """Figures without a number, an address or the name of a person in them. ``findings`` are keys of messages."""

    version: str
    uptime_ms: int
    resident_kb: int
    trunks: dict[str, bool]  # name: whether it is up
    phones: int
    phones_registered: int
    agents: dict[str, int]  # what they do: how many
    calls: dict[str, int]  # state: how many
    lines: tuple[Line, ...]
    counters: dict[str, int]
    findings: tuple[str, ...]
    media: str
    last_event: int


class Pulse(_Message, frozen=True):
    """What sync yields to: the worst loss, jitter and lateness of all streams lately. ``last_event`` is the chain's.

    ``try_now`` names targets that a person wants to be tried at once.
    """

    last_event: int
    calls: int = 0
    lost_permille: int = 0
    jitter_ms: int = 0
    late_ticks: int = 0
    try_now: tuple[str, ...] = ()


class UpstreamNow(_Message, frozen=True):
    targets: tuple[Upstream, ...]
    is_running: bool = True


Reply = (
    Done
    | Refused
    | SignedIn
    | Who
    | Promised
    | Saved
    | Affected
    | PhoneFile
    | DeskNow
    | Written
    | People
    | Invited
    | Measured
    | Pulse
    | UpstreamNow
)


class Told(_Message, frozen=True):
    """The answer to the Ask of this number."""

    number: int
    reply: Reply


class Shown(_Message, frozen=True):
    """The first picture of a watch (``whole``), or what has changed since (``changes``)."""

    number: int
    whole: Snapshot | None = None
    changes: Changes | None = None


class Alive(_Message, frozen=True):
    now_utc_ms: int


Push = Told | Shown | Alive

_encoder = msgspec.msgpack.Encoder()
_asks = msgspec.msgpack.Decoder(Ask)
_pushes: msgspec.msgpack.Decoder[Push] = msgspec.msgpack.Decoder(Push)


def packed(message: Ask | Push) -> bytes:
    """The datagram; Problem ``control.too_long`` above 64 KiB."""
    content = bytes((VERSION,)) + _encoder.encode(message)
    if len(content) > MAX_MESSAGE_BYTES:
        raise Problem("control.too_long", bytes=len(content))
    return content


def ask_from(datagram: bytes) -> Ask:
    """What a client said; Problem ``control.not_understood`` for anything else."""
    return _decoded(_asks, datagram)


def push_from(datagram: bytes) -> Push:
    """What calls said; Problem ``control.not_understood`` for anything else."""
    return _decoded(_pushes, datagram)


def _decoded(decoder: msgspec.msgpack.Decoder[T], datagram: bytes) -> T:
    if len(datagram) < 2 or datagram[0] != VERSION or len(datagram) > MAX_MESSAGE_BYTES:
        raise Problem("control.not_understood", reason="version")
    try:
        return decoder.decode(memoryview(datagram)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("control.not_understood", reason=str(error)) from error
