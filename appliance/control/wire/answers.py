"""What calls answers."""

from __future__ import annotations

import msgspec

from appliance.control.wire.shown import (
    Choice,
    DeskCall,
    DeskEntry,
    DeskForm,
    FormField,
    Line,
    ListNow,
    Person,
    Upstream,
)
from appliance.control.wire.struct import Field, Message, Role


class Done(Message, frozen=True):
    """It is done; nothing more to say."""


class Refused(Message, frozen=True):
    """It is not done: the key and the fields of a Problem."""

    key: str
    fields: dict[str, Field] = msgspec.field(default_factory=dict)


class SignedIn(Message, frozen=True):
    """``token`` is opaque and known to nobody else; with ``must_set_password`` it is good for SetPassword only."""

    token: str
    actor: str
    role: Role
    must_set_password: bool

    def __repr__(self) -> str:
        return f"SignedIn(***, {self.actor!r}, {self.role!r})"


class Who(Message, frozen=True):
    actor: str
    role: Role
    must_set_password: bool


class Promised(Message, frozen=True):
    """A promise stands, under this tracking code."""

    code: str
    due: int


class DeskNow(Message, frozen=True):
    """``agents`` are those at whose page this person may look; ``reason`` is why the agent is away."""

    now_utc_ms: int
    agent: str
    doing: str
    reason: str
    since_utc_ms: int
    agents: tuple[str, ...]
    call: DeskCall | None = None
    form: DeskForm | None = None
    lists: tuple[ListNow, ...] = ()  # that the agent may work
    entry: DeskEntry | None = None
    away: tuple[Choice, ...] = ()  # for what they may be away


class Written(Message, frozen=True):
    """The form as it stands. ``changed`` are fields that somebody else had changed: they were not written over."""

    fields: tuple[FormField, ...]
    changed: tuple[str, ...] = ()


class People(Message, frozen=True):
    """Who may sign in, and agents of the settings, who may be asked to."""

    persons: tuple[Person, ...]
    agents: tuple[str, ...]


class SeatNow(Message, frozen=True):
    """An agent: the telephone where they sit (empty: at none), and their PIN (none, code, chosen, locked)."""

    agent: str
    phone: str
    pin: str


class Seated(Message, frozen=True):
    """``locked_phones`` take no PIN now; ``breaks`` are those who wait for one, the next one first."""

    seats: tuple[SeatNow, ...]
    locked_phones: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    away: tuple[Choice, ...] = ()


class PinMade(Message, frozen=True):
    """By which the agent signs in once, at a telephone, to choose their own."""

    agent: str
    pin: str


class Invited(Message, frozen=True):
    """The code by which they sign in once, to set a password."""

    name: str
    code: str

    def __repr__(self) -> str:
        return f"Invited({self.name!r}, ***)"


class Saved(Message, frozen=True):
    """The contacts stand, under these ids, in their order."""

    contacts: tuple[str, ...]


class PhoneFile(Message, frozen=True):
    """The file, with the phone's passwords in it."""

    content: str

    def __repr__(self) -> str:
        return "PhoneFile(***)"


class Checked(Message, frozen=True):
    """Of each number that was asked about its one form, and why it cannot stand in the list; empty where it can."""

    numbers: tuple[tuple[str, str], ...]


class Counted(Message, frozen=True):
    """How many of what was sent were new, and stand now."""

    count: int


class ListsNow(Message, frozen=True):
    """Every outbound list of the settings."""

    lists: tuple[ListNow, ...]


class Affected(Message, frozen=True):
    """How much an order about recordings reaches."""

    conversations: int
    recordings: int


class Measured(Message, frozen=True):
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


class Pulse(Message, frozen=True):
    """What sync yields to: the worst loss, jitter and lateness of all streams lately. ``last_event`` is the chain's.

    ``try_now`` names targets that a person wants to be tried at once.
    """

    last_event: int
    calls: int = 0
    lost_permille: int = 0
    jitter_ms: int = 0
    late_ticks: int = 0
    try_now: tuple[str, ...] = ()


class UpstreamNow(Message, frozen=True):
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
    | Checked
    | Counted
    | ListsNow
    | PhoneFile
    | DeskNow
    | Written
    | People
    | Invited
    | Seated
    | PinMade
    | Measured
    | Pulse
    | UpstreamNow
)
