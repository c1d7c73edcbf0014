"""The box and its people: trunks, telephones, services, sign-ins, switches, the signed head, backups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


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
class SettingsTaken:
    """The box started with another settings' file than before; ``sha256`` is that of its bytes."""

    kind: ClassVar[str] = "settings.taken"
    sha256: str


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """A way to sign in was set (never its value): first_boot, code, password; or removed."""

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
class HeadSigned:
    """The box has signed how far its chain reached (records/signing.py). All but ``n`` and ``at`` (UTC ms) is hex."""

    kind: ClassVar[str] = "chain.head"
    n: int
    link: str
    at: int
    public: str
    signature: str


@dataclass(frozen=True, slots=True)
class RecipientsChanged:
    """Media seals to another set of keys than before: ``members`` as ``role name fingerprint``, in lines.

    ``version`` 0 is a plain list. ``signed_by`` and ``signers`` (who may sign the next one, between spaces) are hex;
    ``is_trusted``: it is plain where none was signed before, or signed by whom the last trusted one names, and newer.
    """

    kind: ClassVar[str] = "recipients.changed"
    members: str
    version: int
    signed_by: str
    signers: str
    is_trusted: bool


@dataclass(frozen=True, slots=True)
class KeysDrilled:
    """At ``at`` (UTC ms) the owner opened a test recording with the paper; fingerprints of both keys."""

    kind: ClassVar[str] = "keys.drilled"
    at: int
    owner: str
    recovery: str


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
