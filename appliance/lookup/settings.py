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
    """The owner's SMS gateway, whatever its shape. Its key is the secret ``sms``, never a setting.

    ``url``, ``header`` and ``sends`` may hold ``{key}``, ``{number}``, ``{text}``, ``{code}``, ``{sender}`` and
    ``{language}``. Without ``sends`` it is a POST of JSON with ``number``, ``language`` and ``text`` (of one-time
    codes: ``code``), and the key as a bearer token.
    """

    url: str = ""  # empty: no SMS is sent; https, or http on loopback
    method: Literal["POST", "GET"] = "POST"
    form: Literal["json", "form"] = "json"  # of a POST's body; a GET sends its fields behind the URL
    sends: tuple[str, ...] = ()  # `"receptor = {number}"`: the gateway's name of each field
    header: str = ""  # one header with the key: `"apikey: {key}"`
    sender: str = ""  # the line from which it is sent, where the gateway wants it
    number_form: Literal["national", "e164", "plus"] = "national"  # 0912..., 98912..., +98912...
    accepted: str = ""  # what the answer says when it was taken: `"return.status = 200"`; empty: any 2xx
    reference: str = ""  # where the answer has the message's id: `"entries[0].messageid"`
    status_url: str = ""  # asked for the delivery, with `{reference}` and `{key}`; empty: not asked
    status: str = ""  # where that answer has the state: `"entries[0].status"`
    delivered: tuple[str, ...] = ()  # the states that mean delivered
    undelivered: tuple[str, ...] = ()  # those that mean that it will never be (blocked, no such number)
    inbox_url: str = ""  # asked for what people have answered, with `{key}` and `{sender}`; empty: not asked
    inbox: str = "entries"  # where that answer has its list; empty: the answer is the list
    inbox_takes: tuple[str, ...] = ("id = messageid", "number = sender", "text = message")  # of each entry
    inbox_seconds: float = 60.0  # how often it is asked
    most_parts: int = 3  # a text of more parts is not sent (70/67 characters in Persian, 160/153 in Latin)
    allows_private: bool = False
    budget_seconds: float = 2.0  # for a one-time code, since a caller waits for it
    wait_seconds: float = 15.0  # for all other messages


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsTemplate:
    """A text that the gateway has approved, for one kind of message; only its tokens are sent.

    Kinds: ``code`` (one-time codes), ``missed``, ``callback``, ``promise``, ``promise_moved``, ``promise_kept``,
    ``request``, ``survey``, ``alarm``.
    """

    name: str  # the kind
    sends: tuple[str, ...]  # `"template = our-callback"`, `"token = {code}"`; also `{when}`, `{link}`, `{firm}`
    url: str = ""  # where another one is used for templates


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
    sms_templates: tuple[SmsTemplate, ...] = ()
    identity: Identity = field(default_factory=Identity)
