"""Whom the office knows. A contact's own id is the subject, so that removing it erases what was known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class ContactSaved:
    """The whole of a contact, new or changed. ``numbers`` are in E.164 where they have that form."""

    kind: ClassVar[str] = "contact.saved"
    contact: str
    name: str
    latin: str  # for telephones that show no Persian
    numbers: tuple[str, ...]
    language: str  # fa, en; empty: that of the line
    is_vip: bool
    is_blocked: bool
    is_unrecorded: bool  # never to be recorded (DECISIONS 17)
    note: str
    by: str


@dataclass(frozen=True, slots=True)
class ContactRemoved:
    """The contact is known no more: the bodies of its events before this one are erased with it."""

    kind: ClassVar[str] = "contact.removed"
    contact: str
    by: str


@dataclass(frozen=True, slots=True)
class CallerBlocked:
    """A caller whom the office has blocked was turned away; ``how`` is busy or announcement."""

    kind: ClassVar[str] = "caller.blocked"
    conversation: str
    contact: str
    how: str
    offset_ms: int
