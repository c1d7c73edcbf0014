"""Who may listen: the first set of keys, and every later one. Pure, but for the randomness of new keys.

Owner and Recovery are always there; listeners and an escrow are as many as the owner names. A later set keeps at least
one of the two who sign, and that one signs it: with the paper a new owner's key is named, with the owner's key a new
paper. So nobody loses both at one stroke, and the box always knows the hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.errors import Problem
from appliance.recorder import keys, signed
from appliance.recorder.keys import Identity, Kind
from appliance.recorder.signed import Member, Role, SignedSet

OWNER, RECOVERY = "Owner", "Recovery"  # names; the roles are theirs alone


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: names of listeners and of an escrow to be added, names that leave, keys to be made anew."""

    listeners: Sequence[str] = ()
    escrow: str = ""
    leave: Sequence[str] = ()
    new_owner: bool = False
    new_paper: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Made:
    """A signed set, and the private keys that were made for it by the names of their holders."""

    known: SignedSet
    identities: Mapping[str, Identity]


def first(wish: Wish, kind: Kind, made: int) -> Made:
    """Keys for all of them, signed by the owner; ``made`` is UTC ms. Problem for names that cannot be."""
    owner = keys.new_identity(kind)
    identities = {OWNER: owner, RECOVERY: keys.new_identity(kind)}
    members = [signed.member("owner", OWNER, owner), signed.member("recovery", RECOVERY, identities[RECOVERY])]
    members += _added(wish, kind, identities)
    return Made(signed.sign_set(1, made, members, owner), identities)


def following(known: SignedSet, wish: Wish, by: Identity, made: int) -> Made:
    """The next version, signed by ``by``. Problem where ``by`` may not sign, leaves, or a name is not there."""
    if signed.signer_of(by) not in known.signers:
        raise Problem("ceremony.other_signer", signer=signed.signer_of(by)[:16])
    identities: dict[str, Identity] = {}
    members = [_renewed(each, wish, identities) for each in known.members if each.name not in wish.leave]
    for name in wish.leave:
        if name not in {each.name for each in known.members if each.role not in signed.SIGNERS}:
            raise Problem("ceremony.not_there", name=name[:40])
    members += _added(wish, known.members[0].recipient.kind, identities)
    if [(each.name, each.recipient.raw) for each in members] == [
        (each.name, each.recipient.raw) for each in known.members
    ]:
        raise Problem("ceremony.no_change")
    return Made(signed.sign_set(known.version + 1, max(made, known.made), members, by), identities)


def _renewed(each: Member, wish: Wish, identities: dict[str, Identity]) -> Member:
    if (each.role == "owner" and wish.new_owner) or (each.role == "recovery" and wish.new_paper):
        identities[each.name] = keys.new_identity(each.recipient.kind)
        return signed.member(each.role, each.name, identities[each.name])
    return each


def _added(wish: Wish, kind: Kind, identities: dict[str, Identity]) -> list[Member]:
    asked: list[tuple[Role, str]] = [("listener", name) for name in wish.listeners]
    asked += [("escrow", wish.escrow)] if wish.escrow else []
    members = []
    for role, name in asked:
        if name in identities:
            raise Problem("ceremony.same_name", name=name[:40])
        identities[name] = keys.new_identity(kind)
        members.append(signed.member(role, name, identities[name]))
    return members
