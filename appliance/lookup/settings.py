"""Settings of look-ups, the SMS gateway and the list of PINs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A question to one of the owner's servers. A bearer token is the secret ``lookup-NAME``, never a setting.

    ``url`` may hold ``{variables}`` of the flow behind the host's name; each is percent-encoded. ``takes`` says which
    value of the JSON answer becomes which variable: ``"state = order.items[0].state"``.
    """

    name: str
    url: str
    takes: tuple[str, ...] = ()
    method: Literal["GET", "POST"] = "GET"
    sends: tuple[str, ...] = ()  # of a POST: variables that become a JSON object
    hosts: tuple[str, ...] = ()  # the only hosts that may be asked; empty: the one in url
    allows_private: bool = False  # whether the host may be in this office's own network
    budget_seconds: float = 2.0  # for all of it: name, connection, answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """The owner's SMS gateway: a POST of JSON with ``number``, ``code`` and ``language``; secret ``sms``."""

    url: str = ""  # empty: no codes are sent
    allows_private: bool = False
    budget_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """PINs are kept as Argon2id hashes in ``pins`` of the secrets' folder; `pasokh pin` writes them."""

    attempts: int = 5  # wrong PINs of one identity in a row, then it is locked
    lock_minutes: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """All that flows may ask outside of the box."""

    lookups: tuple[Lookup, ...] = ()
    sms: Sms = field(default_factory=Sms)
    identity: Identity = field(default_factory=Identity)
