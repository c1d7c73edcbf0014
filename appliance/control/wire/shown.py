"""What is live, as it is shown: trunks, calls, lines, people, targets; and an agent's own desk."""

from __future__ import annotations

import msgspec

from appliance.control.wire.struct import Field, Role, Struct


class Trunk(Struct, frozen=True):
    """``state`` is a word of signalling.port.TrunkState; ``detail`` is the provider's, for a technician."""

    name: str
    state: str
    code: int = 0
    detail: str = ""


class Phone(Struct, frozen=True):
    name: str
    is_registered: bool
    contact_count: int = 0


class LiveCall(Struct, frozen=True):
    """A call in progress. ``since_utc_ms`` is when it entered ``state``; ``customer`` is empty for whom it hides."""

    conversation: str
    line: str
    customer: str
    state: str  # a word of records.events.State, or parked
    agent: str
    since_utc_ms: int
    recording: str  # none, live, refused, stopped
    opened_utc_ms: int = 0
    queue: str = ""  # the line in which the customer waits
    place: int = 0  # 1 for the next; 0 for one who does not wait
    direction: str = "in"
    name: str = ""  # by which the office knows the customer
    slot: int = 0  # in which the customer is parked; 0: in none


class Line(Struct, frozen=True):
    """A waiting line. ``present`` counts its agents who are there, busy or not."""

    name: str
    waiting: int
    present: int
    free: int


class AgentNow(Struct, frozen=True):
    """``doing`` is a word of queue.line.Doing, or why they are not there: not_registered, not_seated, no_trunk, absent.

    ``reason`` is why they are away (calls/switches.py); ``work`` grows whenever their own page has something new.
    """

    name: str
    doing: str
    since_utc_ms: int = 0
    reason: str = ""
    work: int = 0


class Switches(Struct, frozen=True):
    """What the owner has turned; moments are UTC ms, 0 for none."""

    night: bool = False
    closed_until: int = 0
    open_until: int = 0
    divert: str = ""
    outage_until: int = 0


class Finding(Struct, frozen=True):
    """Something a person should act on: a key of the messages and its fields, as a Problem has them."""

    key: str
    fields: dict[str, Field] = msgspec.field(default_factory=dict)


class Upstream(Struct, frozen=True):
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


class Contact(Struct, frozen=True):
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


class Snapshot(Struct, frozen=True):
    """Everything live at once. ``counters`` are totals since calls started, by name."""

    box: str
    version: str
    language: str
    now_utc_ms: int
    trunks: tuple[Trunk, ...] = ()
    phones: tuple[Phone, ...] = ()
    calls: tuple[LiveCall, ...] = ()
    counters: dict[str, int] = msgspec.field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    last_event: int = 0
    media: str = "unknown"  # up, lost, full, unknown
    lines: tuple[Line, ...] = ()
    agents: tuple[AgentNow, ...] = ()
    switches: Switches = Switches()
    upstream: tuple[Upstream, ...] = ()


class Changes(Struct, frozen=True):
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


class Brief(Struct, frozen=True):
    """What an agent has written for whoever gets the customer next."""

    agent: str
    text: str


class ListRow(Struct, frozen=True):
    """Somebody who shall stand in an outbound list; ``columns`` are at most three of the owner's own."""

    number: str
    name: str = ""
    language: str = ""
    columns: tuple[str, ...] = ()


class ListNow(Struct, frozen=True):
    """An outbound list: how many of it are not done, and why nobody is dialled now (paused, closed, or empty)."""

    name: str
    remaining: int
    why_closed: str
    results: tuple[str, ...] = ()


class DeskEntry(Struct, frozen=True):
    """Whom an agent calls by a list, or has called last; ``outcome`` and ``result`` are what was said so far."""

    conversation: str
    list_name: str
    number: str
    name: str
    columns: tuple[str, ...]
    attempts: int
    outcome: str
    result: str
    results: tuple[str, ...]


class DeskCall(Struct, frozen=True):
    """The call for which an agent's telephone rings, or in which they speak.

    ``customer`` is E.164, or as it came; empty: withheld, or a colleague. ``shown`` is what the telephone shows.
    ``recording`` is live or paused (until ``pause_until_utc_ms``) where the agent may turn that; else empty.
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
    recording: str = ""
    pause_until_utc_ms: int = 0


class FormField(Struct, frozen=True):
    """``version`` is that of the value, or the one that whoever sends another value has seen."""

    name: str
    value: str
    version: int


class Choice(Struct, frozen=True):
    """A disposition, as it is called."""

    name: str
    persian: str
    english: str


class DeskForm(Struct, frozen=True):
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


class Person(Struct, frozen=True):
    """Somebody who may sign in to the page. ``has_password``: False while the code was not used."""

    name: str
    role: Role
    has_password: bool
