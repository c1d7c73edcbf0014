"""The owner's SMS gateway, by its shape in the settings: what is sent where, and what its answer means.

A message is taken once or not at all: only where it is sure that the gateway has not begun (no connection, 429, 502,
503) is another try allowed. What was sent and not answered is ``unknown``, and never sent again. The key may stand in
the path, a header or the body; neither it nor what was sent is in an exception, a log or an outcome.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlencode

from appliance.errors import Problem
from appliance.lookup.http import Outgoing, Refusal, fetch
from appliance.lookup.settings import Sms, SmsTemplate
from appliance.lookup.templates import Target, filled, taken, takes_of, target_of

SECRET = "sms"  # noqa: S105 - the name of a secret
LATER = frozenset({429, 502, 503})  # not taken, and worth another try
MOST_FIELDS = 20
LEAST_OF_KEY = 6  # so many of its characters are a piece of the key, and not a number of the gateway's own
_FIELD = re.compile(r"\s*([A-Za-z][A-Za-z0-9_.-]{0,59})\s*=\s*(.{0,500})", re.DOTALL)
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,59}):\s*(.{0,300})")
_WANTED = re.compile(r"\s*([A-Za-z0-9_.\[\]-]{1,200})\s*=\s*(.{1,80}?)\s*")
_HOLE = re.compile(r"\{([a-z]+)\}")
_CODE = ("number = {number}", "code = {code}", "language = {language}")
_TEXT = ("number = {number}", "text = {text}", "language = {language}")

State = Literal["sent", "refused", "later", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """``refused`` for good, ``later``: not taken and may be tried again, ``unknown``: perhaps taken.

    ``reference`` is the gateway's id of the message, ``detail`` a word or a number for a technician.
    """

    state: State
    detail: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class _Shape:
    target: Target
    fields: tuple[tuple[str, str], ...]


class Gateway:
    """``secret`` gives the key. Problem where the settings cannot be meant, or would send in clear over a network."""

    def __init__(self, settings: Sms, templates: Sequence[SmsTemplate], secret: Callable[[str], str | None]) -> None:
        self._settings = settings
        self._secret = secret
        self._tls = ssl.create_default_context()
        self._shapes: dict[str, _Shape] = {}
        self._header = header_of(settings)
        if not settings.url:
            return
        target = guarded("sms", settings.url)
        self._text = _Shape(target, _fields("sms", settings.sends or _TEXT))
        self._shapes["code"] = _Shape(target, _fields("sms", settings.sends or _CODE))
        for each in templates:
            place = guarded(f"sms_template {each.name}", each.url) if each.url else target
            self._shapes[each.name] = _Shape(place, _fields(f"sms_template {each.name}", each.sends))
        self._accepted = _parsed(_WANTED, "accepted", settings.accepted) if settings.accepted else None
        ways = {"accepted": self._accepted[0] if self._accepted else "", "reference": settings.reference}
        self._ways = takes_of("sms", tuple(f"{name} = {way}" for name, way in ways.items() if way))
        self._status_target = guarded("sms", settings.status_url) if settings.status_url else None
        self._status_way = takes_of("sms", (f"state = {settings.status}",)) if settings.status else {}

    @property
    def is_there(self) -> bool:
        return bool(self._settings.url)

    @property
    def tells_delivery(self) -> bool:
        return self.is_there and self._status_target is not None and bool(self._status_way)

    async def send(self, kind: str, values: Mapping[str, str]) -> Outcome:
        """Sends one message; never longer than the budget."""
        if not self.is_there:
            return Outcome("refused", "no_gateway")
        shape = self._shapes.get(kind, self._text)
        known = {**values, "sender": self._settings.sender, "key": self._secret(SECRET) or ""}
        fields = {name: _HOLE.sub(lambda hole: known.get(hole[1], ""), text) for name, text in shape.fields}
        settings = self._settings
        seconds = settings.budget_seconds if kind == "code" else settings.wait_seconds
        answer = await self._ask(shape.target, self._outgoing(shape.target, fields, known), seconds)
        if isinstance(answer, Outcome):
            return answer
        found = self._judged(answer)
        return replace(
            found, detail=_hiding(known["key"], found.detail), reference=_hiding(known["key"], found.reference)
        )

    async def delivery(self, reference: str) -> Literal["delivered", "undelivered", ""]:
        """What became of a message; empty while nobody knows."""
        if self._status_target is None or not reference:
            return ""
        known = {"reference": reference, "key": self._secret(SECRET) or ""}
        path = filled(self._status_target.path, known)
        answer = await self._ask(
            self._status_target, Outgoing("GET", path, self._headers(known)), self._settings.wait_seconds
        )
        found = taken(answer, self._status_way) if isinstance(answer, bytes) else None
        state = str((found or {}).get("state", ""))
        if state in self._settings.delivered:
            return "delivered"
        return "undelivered" if state in self._settings.undelivered else ""

    def _outgoing(self, target: Target, fields: Mapping[str, str], known: Mapping[str, str]) -> Outgoing:
        path, headers = filled(target.path, known), self._headers(known)
        settings = self._settings
        if settings.method == "GET":
            return Outgoing("GET", path + ("&" if "?" in path else "?") + urlencode(fields), headers)
        if settings.form == "form":
            kind, body = "application/x-www-form-urlencoded", urlencode(fields).encode()
        else:
            kind, body = "application/json", json.dumps(fields, ensure_ascii=False).encode()
        return Outgoing("POST", path, (*headers, ("Content-Type", kind)), body)

    def _headers(self, known: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        return headers_of(self._header, known, bears=not self._settings.sends)

    async def _ask(self, target: Target, outgoing: Outgoing, seconds: float) -> bytes | Outcome:
        try:
            async with asyncio.timeout(seconds):
                status, body = await fetch(target, outgoing, self._tls, self._settings.allows_private)
        except TimeoutError:
            return Outcome("unknown" if outgoing.is_sent else "later", "timeout")
        except Refusal as refusal:
            return Outcome("unknown" if outgoing.is_sent else "later", refusal.reason)
        if status // 100 == 2:
            return body
        if status in LATER:
            return Outcome("later", str(status))
        return Outcome("unknown" if status // 100 == 5 else "refused", str(status))

    def _judged(self, body: bytes) -> Outcome:
        """What an answer of 2xx means: many gateways say there that they have refused."""
        found = taken(body, self._ways) if self._ways else {}
        if self._accepted is not None:
            if found is None or "accepted" not in found:
                return Outcome("unknown", "garbage")
            if str(found["accepted"]) != self._accepted[1]:
                return Outcome("refused", str(found["accepted"])[:40])
        return Outcome("sent", reference=str((found or {}).get("reference", ""))[:80])


def header_of(settings: Sms) -> tuple[str, str] | None:
    """The header that the owner has written for the key; Problem where it is none."""
    return _parsed(_HEADER, "header", settings.header) if settings.header else None


def headers_of(header: tuple[str, str] | None, known: Mapping[str, str], *, bears: bool) -> tuple[tuple[str, str], ...]:
    """What a request shows: ``header`` with its holes filled, or (``bears``) the key as a bearer's (RFC 6750)."""
    if header is not None:
        return ((header[0], _HOLE.sub(lambda hole: known.get(hole[1], ""), header[1])),)
    return (("Authorization", f"Bearer {known['key']}"),) if bears and known["key"] else ()


def guarded(name: str, url: str) -> Target:
    """Where a URL leads; Problem ``lookup.needs_tls`` where a key would go in clear over a network."""
    try:
        target = target_of(name, url)
    except Problem as problem:  # its own words show the URL, which may hold a key
        raise Problem("lookup.bad_gateway", name=name) from problem
    if not target.is_tls and not is_loopback(target.host):
        raise Problem("lookup.needs_tls", name=name, host=target.host)
    return target


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host never leaves the machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _hiding(key: str, text: str) -> str:
    """What a gateway said, without the key: some say what they were asked."""
    return "***" if key and (key in text or (len(text) >= LEAST_OF_KEY and text in key)) else text


def _fields(name: str, lines: Sequence[str]) -> tuple[tuple[str, str], ...]:
    if len(lines) > MOST_FIELDS:
        raise Problem("lookup.bad_field", name=name, line=str(len(lines)))
    return tuple(_parsed(_FIELD, name, line) for line in lines)


def _parsed(pattern: re.Pattern[str], name: str, line: str) -> tuple[str, str]:
    found = pattern.fullmatch(line)
    if found is None or any(ord(letter) < 32 for letter in line):
        raise Problem("lookup.bad_field", name=name, line=line[:80])
    return found[1], found[2]
