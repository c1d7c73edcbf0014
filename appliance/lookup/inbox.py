"""What people have answered by SMS, as the owner's gateway tells it: asked now and then, by its shape in the settings.

The box has no address in the world, so it asks. One GET, and a list of JSON objects in the answer (at most 64 kB). An
entry that lacks its id, its number or its text is no message and is left out; neither numbers nor texts are in a log or
an exception.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.errors import Problem
from appliance.lookup.gateway import SECRET, guarded, header_of, headers_of
from appliance.lookup.http import Outgoing, Refusal, fetch
from appliance.lookup.settings import Sms
from appliance.lookup.templates import each_taken, filled, takes_of, way_of

NEEDED = ("id", "number", "text")


@dataclass(frozen=True, slots=True)
class Arrived:
    """One SMS that somebody has sent. ``name`` follows from the gateway's id of it: two of one name are one message."""

    name: str
    number: str = field(repr=False)
    text: str = field(repr=False)


class Inbox:
    """``secret`` gives the gateway's key. Problem where the settings cannot be meant."""

    def __init__(self, settings: Sms, secret: Callable[[str], str | None]) -> None:
        self._settings = settings
        self._secret = secret
        self._tls = ssl.create_default_context()
        self._target = guarded("sms", settings.inbox_url) if settings.inbox_url else None
        self._header = header_of(settings)
        self._ways = takes_of("sms", settings.inbox_takes)
        self._list = way_of(settings.inbox)
        missing = [name for name in NEEDED if name not in self._ways]
        if self._target is not None and missing:
            raise Problem("lookup.inbox_takes", names=", ".join(missing))

    @property
    def is_there(self) -> bool:
        return self._target is not None

    async def fetch(self) -> list[Arrived]:
        """All that the gateway lists, in its order. Refusal where it does not answer, or answers something else."""
        if self._target is None:
            return []
        known = {"key": self._secret(SECRET) or "", "sender": self._settings.sender}
        headers = headers_of(self._header, known, bears="{key}" not in self._settings.inbox_url)
        outgoing = Outgoing("GET", filled(self._target.path, known), headers)
        try:
            async with asyncio.timeout(self._settings.wait_seconds):
                status, body = await fetch(self._target, outgoing, self._tls, self._settings.allows_private)
        except TimeoutError as error:
            raise Refusal("timeout") from error
        if status // 100 != 2:
            raise Refusal("status")
        entries = each_taken(body, self._list, self._ways)
        if entries is None:
            raise Refusal("garbage")
        found = [
            Arrived(_name(entry["id"]), str(entry["number"]), str(entry["text"]))
            for entry in entries
            if all(name in entry for name in NEEDED)
        ]
        return list({each.name: each for each in found}.values())


def _name(given: object) -> str:
    """Of one length and of plain letters, whatever the gateway's own id is."""
    return hashlib.sha256(str(given).encode("utf-8", "replace")).hexdigest()[:32]
