"""What the services of the box ask and tell: figures, vitals, receipts."""

from __future__ import annotations

import msgspec

from appliance.control.wire.shown import Finding, Upstream
from appliance.control.wire.struct import Message, Struct


class Measure(Message, frozen=True):
    """What a monitor may know; nobody is signed in for it. Answered by Measured."""


class AskPhoneFile(Message, frozen=True):
    """From the page: a desk phone asks for its file ``name`` with the token of its path. Answered by PhoneFile.

    ``page`` is the address by which it has reached the page (``https://192.168.1.5:8080``).
    """

    path_token: str
    name: str
    page: str

    def __repr__(self) -> str:
        return f"AskPhoneFile(***, {self.name!r})"


class Vitals(Message, frozen=True):
    """What every service tells of itself each second; ``figures`` are whole numbers by name (``rss_kb``, ...)."""

    service: str
    uptime_ms: int
    figures: dict[str, int] = msgspec.field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


class Receipt(Struct, frozen=True):
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


class Erased(Struct, frozen=True):
    """A recording was taken away from a target (records.events.UpstreamErased)."""

    target: str
    recording: str
    left: str


class TellReceipts(Message, frozen=True):
    """From sync alone: answered by Done once they are in the records, on the disk; what stands there is passed over."""

    receipts: tuple[Receipt, ...] = ()
    erased: tuple[Erased, ...] = ()


class TellDestroyed(Message, frozen=True):
    """From sync alone: the files of these recordings are gone from the box. Answered by Done once it is on record."""

    recordings: tuple[str, ...]


class TellUpstream(Message, frozen=True):
    """From sync alone: how its targets stand, for the page. Answered by Pulse."""

    targets: tuple[Upstream, ...]


class AskPulse(Message, frozen=True):
    """From sync: how do calls fare? Answered by Pulse."""


class AskUpstream(Message, frozen=True):
    """How the targets stand; for the command line of the box's own user. Answered by UpstreamNow."""


class TryUpstream(Message, frozen=True):
    """A person has put something right: sync shall try this target at once. Answered by Done."""

    target: str


FromService = (
    Measure | AskPhoneFile | Vitals | TellReceipts | TellDestroyed | TellUpstream | AskPulse | AskUpstream | TryUpstream
)
"""All that a service can say."""
