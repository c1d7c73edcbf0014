"""Settings of signalling: where the box listens, its trunks, its desk phones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Transport = Literal["udp", "tcp"]
Names = Literal["persian", "latin", "number"]
RecordsOutward = Literal["off", "notice", "none_needed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """Our account at a provider, an IP trunk, or an analog gateway of the office.

    The password is the secret ``trunk-NAME``, never a setting. A gateway of analog lines is ``kind = "analog"``: such a
    line says nothing when its far side hangs up, so the exchange's busy or congestion tone ends the call; where the
    exchange plays others than Iran's, name them: ``tones = ["busy 480+620 500/500", "busy 425 480/480"]``. Another
    telephone system of the office, whose extensions are numbers of the office, is ``kind = "peer"`` (docs/PEER.md).
    """

    name: str
    proxy: str  # where requests go: host or host:port
    domain: str = ""  # what stands in From, To and the registration; the proxy's host where empty
    user: str = ""
    auth_user: str = ""  # where it differs from user
    registers: bool = True  # False: an IP trunk, known by its source addresses
    transport: Transport = "udp"
    address: str = ""  # our address towards this trunk; empty: what the system would use
    sources: tuple[str, ...] = ()  # networks an IP trunk may call from, beside its proxy
    media_from: tuple[str, ...] = ()  # networks its audio may come from, beside the address in its SDP
    kind: Literal["provider", "analog", "peer"] = "provider"  # analog: a busy tone on the line ends the call
    extensions: tuple[str, ...] = ()  # of a peer: which live there, such as 2XX (X 0-9, Z 1-9, N 2-9)
    may_dial_out: bool = False  # a peer's extensions may call numbers outside by our trunks; emergency ones always
    tones: tuple[str, ...] = ("busy 425 500/500", "congestion 425 250/250")  # name, hertz (a+b), ms on/off
    gateway_numbers: tuple[str, ...] = ()  # what the gateway shows when it knows no caller: its own extension or user
    law: Literal["PCMA", "PCMU"] = "PCMA"  # offered first
    called_in: Literal["request", "to", "diversion"] = "request"  # where the called number stands
    identity_in: Literal["from", "asserted", "diversion"] = "asserted"  # whom to believe about the caller
    dial_as: Literal["national", "e164", "plus", "local"] = "national"  # 0912..., 98912..., +98912..., 8 digits
    show_as: str = ""  # the number shown to whom we call; the line's own where empty
    show_form: Literal["as_written", "national", "e164", "plus", "local"] = "as_written"  # of whatever number is shown
    show_caller: bool = True  # who is passed on to the outside is shown with their own number; false: with ours
    records_outward: RecordsOutward = "off"  # whom we call on it: after they have heard the notice, or none is needed
    area_code: str = "21"  # what a bare local number belongs to
    register_seconds: int = 600
    max_calls: int = 0  # 0: as many as the box takes
    kept_for_callers: int = -1  # of max_calls: we never dial on them; left out: as [calls] says
    kept_for_outgoing: int = 0  # of max_calls: callers never get them (486)
    nat: str = "auto"  # auto, off, or the address to show


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A desk phone or softphone that registers here; its password is the secret ``phone-NAME``.

    For a phone with ``mac`` and ``model`` the box writes the file by which it sets itself up (`pasokh provision`).
    """

    name: str
    max_contacts: int = 2
    mac: str = ""  # twelve hexadecimal digits, with or without colons, as on its label
    model: str = ""  # T31 to T58 of Yealink; GRP2601 to GRP2670 and GXP1610 to GXP2170 of Grandstream
    names: Names = "persian"  # what it can show of people: Persian, Latin letters alone, or the number


@dataclass(frozen=True, slots=True, kw_only=True)
class Signalling:
    address: str = "0.0.0.0"  # noqa: S104 - a telephone box answers the office and its trunk; nftables narrows it
    port: int = 5060
    tcp: bool = True
    domain: str = "pasokh.local"  # the realm of desk phones
    phone_digest: Literal["md5", "sha256", "both"] = "md5"  # phones on older libraries refuse a challenge with SHA-256
    max_calls: int = 100
    session_seconds: int = 1800  # session timers (RFC 4028)
    ring_seconds: int = 120  # how long an unanswered INVITE of ours may ring at most
    banned_seconds: int = 300
    requests_per_second: int = 50  # by one unknown source; above it: silence
    trunks: tuple[Trunk, ...] = field(default=())
    phones: tuple[Phone, ...] = field(default=())

    @property
    def ways_out(self) -> tuple[Trunk, ...]:
        """The trunks by which numbers outside are dialled, in order: by a peer only where there is nothing else."""
        return tuple(trunk for trunk in self.trunks if trunk.kind != "peer") or self.trunks

    def way_out(self, name: str = "") -> Trunk | None:
        """The trunk of this name, else the first by which numbers outside are dialled."""
        return next((trunk for trunk in self.trunks if trunk.name == name), next(iter(self.ways_out), None))

    @property
    def area_code(self) -> str:
        """What a bare local number belongs to that came on no trunk: that of the first one."""
        return self.trunks[0].area_code if self.trunks else ""
