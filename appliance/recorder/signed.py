"""What the owner signs for the box: who may listen (a set of recipients), and that the paper was tried (a drill).

Both are texts of lines with a signature as their last two lines (Ed25519, RFC 8032). A signed set is at the same time
a file of recipients as age reads it (``age -R``): everything but the public keys stands behind ``#``. The signing key
follows from the seed of a private key by HKDF, so there is nothing more to keep. Owner and Recovery can sign, because
whoever lost one of them needs the other to name a new one; listeners cannot. A text has one way of being written:
what does not come out again letter by letter is refused, so nothing hides between the lines.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.errors import Problem
from appliance.recorder.keys import Identity, Recipient, derive, parse_recipient

Role = Literal["owner", "recovery", "listener", "escrow"]
ROLES: tuple[Role, ...] = get_args(Role)
SIGNERS: tuple[Role, ...] = ("owner", "recovery")

SIGNING_INFO = b"pasokh/owner/signing/v1"
MARK = b"pasokh/owner/signed/v1\0"
MOST_BYTES = 64 << 10
MOST_MEMBERS = 6  # RECORDING.md 4: a head grows by 1.6 kB and each recording's start by 0.14 ms for each of them
SET_TITLE = "# Pasokh recipients"
DRILL_TITLE = "# Pasokh drill"

_SIGNATURE = re.compile(r"# signed by (?P<signer>[0-9a-f]{64})\n# signature (?P<signature>[0-9a-f]{128})\n")
_HEX, _NUMBER = "[0-9a-f]", "[0-9]{1,15}"
_SET = re.compile(
    rf"{SET_TITLE}\n# version (?P<version>[0-9]{{1,9}})\n# made (?P<made>{_NUMBER})\n(?P<members>.*)", re.DOTALL
)
_MEMBER = re.compile(
    rf"# (?P<role>{'|'.join(ROLES)}): (?P<name>[^\n]{{1,40}}?)(?: signs (?P<signer>{_HEX}{{64}}))?\n"
    r"(?P<key>age1[a-z0-9]+)\n"
)
_DRILL = re.compile(
    rf"{DRILL_TITLE}\n# at (?P<at>{_NUMBER})\n# owner (?P<owner>{_HEX}{{16}})\n# recovery (?P<recovery>{_HEX}{{16}})\n"
)
_NAME = re.compile(r"[^\W_](?:(?:[^\W_]|[ .‌-]){0,38}[^\W_])?")  # letters of any script, digits, spaces, ZWNJ


@dataclass(frozen=True, slots=True)
class Member:
    """One who can open every recording. ``signer`` is the public signing key in hex; empty for who may not sign."""

    role: Role
    name: str
    recipient: Recipient
    signer: str = ""


@dataclass(frozen=True, slots=True)
class SignedSet:
    """Recipients that a signature vouches for. ``made`` is UTC ms, ``signed_by`` hex; ``text`` is the file."""

    version: int
    made: int
    members: tuple[Member, ...]
    signed_by: str
    text: str

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        return tuple(member.recipient for member in self.members)

    @property
    def signers(self) -> frozenset[str]:
        """Who may sign the next version."""
        return frozenset(member.signer for member in self.members if member.signer)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def of(self, role: Role) -> tuple[Member, ...]:
        return tuple(member for member in self.members if member.role == role)


@dataclass(frozen=True, slots=True)
class SignedDrill:
    """At ``at`` (UTC ms) a test recording was opened with these two keys, named by their fingerprints."""

    at: int
    owner: str
    recovery: str
    signed_by: str
    text: str


def signing_key(identity: Identity) -> Ed25519PrivateKey:
    """The key with which the holder of ``identity`` signs."""
    return Ed25519PrivateKey.from_private_bytes(derive(identity.seed, None, SIGNING_INFO))


def signer_of(identity: Identity) -> str:
    """Its public half, in hex."""
    return signing_key(identity).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def member(role: Role, name: str, identity: Identity) -> Member:
    """Problem ``ceremony.bad_name`` for a name that cannot stand in a line."""
    if not _NAME.fullmatch(name) or " signs " in name:
        raise Problem("ceremony.bad_name", name=name[:40])
    return Member(role, name, identity.recipient(), signer_of(identity) if role in SIGNERS else "")


def sign_set(version: int, made: int, members: Sequence[Member], by: Identity) -> SignedSet:
    """Problem where two have one name or one key, keys are of two kinds, or there are too many of them, and where
    ``by`` is not one of the two who sign: whoever signs the next set must be known from this one."""
    _check(members, signer_of(by))
    text = _signed(_set_text(version, made, members), by)
    return SignedSet(version, made, tuple(members), signer_of(by), text)


def read_set(text: str) -> SignedSet:
    """A set as it was signed by the key it names; whether that key may sign is for whoever pinned one to say."""
    said, signer = _checked(text)
    found = _SET.fullmatch(said)
    if found is None:
        raise Problem("ceremony.not_signed_set")
    members = tuple(
        Member(cast(Role, each["role"]), each["name"], parse_recipient(each["key"]), each["signer"] or "")
        for each in _MEMBER.finditer(found["members"])
    )
    version, made = int(found["version"]), int(found["made"])
    if _set_text(version, made, members) != said:
        raise Problem("ceremony.not_signed_set")
    _check(members, signer)
    return SignedSet(version, made, members, signer, text)


def is_set(text: str) -> bool:
    """Whether this claims to be a signed set, not a plain list of public keys."""
    return text.startswith(SET_TITLE)


def is_drill(text: str) -> bool:
    return text.startswith(DRILL_TITLE)


def sign_drill(at: int, owner: Identity, recovery: Identity) -> SignedDrill:
    prints = owner.recipient().fingerprint, recovery.recipient().fingerprint
    text = _signed(f"{DRILL_TITLE}\n# at {at}\n# owner {prints[0]}\n# recovery {prints[1]}\n", owner)
    return SignedDrill(at, *prints, signer_of(owner), text)


def read_drill(text: str) -> SignedDrill:
    said, signer = _checked(text)
    found = _DRILL.fullmatch(said)
    if found is None:
        raise Problem("ceremony.not_signed_set")
    return SignedDrill(int(found["at"]), found["owner"], found["recovery"], signer, text)


def fits(drill: SignedDrill, known: SignedSet) -> bool:
    """Whether the drill speaks of the owner and the paper of this set, in the owner's own hand."""
    owners = {(member.recipient.fingerprint, member.signer) for member in known.of("owner")}
    papers = {member.recipient.fingerprint for member in known.of("recovery")}
    return (drill.owner, drill.signed_by) in owners and drill.recovery in papers


def _check(members: Sequence[Member], signer: str) -> None:
    if not 2 <= len(members) <= MOST_MEMBERS:
        raise Problem("ceremony.members", count=len(members), most=MOST_MEMBERS)
    if tuple(member.role for member in members if member.signer or member.role in SIGNERS) != SIGNERS or not all(
        _NAME.fullmatch(member.name) for member in members
    ):
        raise Problem("ceremony.not_signed_set")
    if signer not in {member.signer for member in members if member.signer}:
        raise Problem("ceremony.signer_leaves")
    if len({member.recipient.raw for member in members}) < len(members):
        raise Problem("ceremony.same_key")
    names = [member.name for member in members]
    for name in names:
        if names.count(name) > 1:
            raise Problem("ceremony.same_name", name=name)
    if len({member.recipient.kind for member in members}) > 1:
        raise Problem("recorder.mixed_recipients", file="recipients.txt")


def _set_text(version: int, made: int, members: Sequence[Member]) -> str:
    lines = [SET_TITLE, f"# version {version}", f"# made {made}"]
    for each in members:
        signs = f" signs {each.signer}" if each.signer else ""
        lines += [f"# {each.role}: {each.name}{signs}", each.recipient.text]
    return "\n".join(lines) + "\n"


def _signed(said: str, by: Identity) -> str:
    signature = signing_key(by).sign(MARK + said.encode())
    return f"{said}# signed by {signer_of(by)}\n# signature {signature.hex()}\n"


def _checked(text: str) -> tuple[str, str]:
    """What is said, and the key that signed it; Problem ``ceremony.bad_signature`` where it did not."""
    found = _SIGNATURE.search(text[-400:])
    if len(text) > MOST_BYTES or found is None or not text.endswith(found[0]):
        raise Problem("ceremony.not_signed_set")
    said = text[: -len(found[0])]
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(found["signer"]))
        key.verify(bytes.fromhex(found["signature"]), MARK + said.encode())
    except (ValueError, InvalidSignature) as error:
        raise Problem("ceremony.bad_signature") from error
    return said, found["signer"]
