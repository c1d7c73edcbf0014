"""Outbound lists: whom the office wants to call, each attempt at it, and who is never to be called by a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class ListEntryAdded:
    """Somebody stands in a list; ``number`` is in E.164, the columns are the owner's own."""

    kind: ClassVar[str] = "list.added"
    entry: str
    list_name: str
    number: str
    name: str
    language: str  # fa, en
    columns: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True)
class ListTurned:
    """Nobody of this list is dialled while it is paused."""

    kind: ClassVar[str] = "list.turned"
    list_name: str
    is_paused: bool
    by: str


@dataclass(frozen=True, slots=True)
class ListEntryDialled:
    """An entry is dialled now: written before the INVITE leaves (DECISIONS 9). ``dial`` as in callback.dialled."""

    kind: ClassVar[str] = "list.dialled"
    conversation: str
    entry: str
    leg: str
    trunk: str
    agent: str
    offset_ms: int
    dial: str


@dataclass(frozen=True, slots=True)
class ListAttemptSettled:
    """What became of an attempt; a later one about the same conversation replaces it.

    ``outcome`` is a word of outbound_lists.outcomes.Outcome, ``result`` one of the list's own, or empty. ``state`` and
    ``not_before`` (UTC ms) are what is true of the entry from now on, ``attempts`` how many count.
    """

    kind: ClassVar[str] = "list.settled"
    conversation: str
    entry: str
    outcome: str
    result: str
    agent: str
    state: str  # open, done
    not_before: int
    attempts: int
    offset_ms: int


@dataclass(frozen=True, slots=True)
class DoNotCallSet:
    """No list dials this number any more; ``why`` is page, import, or the agent's word in ``conversation``."""

    kind: ClassVar[str] = "do_not_call.set"
    mark: str
    number: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class DoNotCallLifted:
    """Lists may dial the number again; what was closed by it stays closed."""

    kind: ClassVar[str] = "do_not_call.lifted"
    mark: str
    number: str
    by: str
