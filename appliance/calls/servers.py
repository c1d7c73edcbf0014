"""The box's own answers.Servers: look-ups, PINs and codes of the room lookup."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from appliance.calls.desk import Reply
from appliance.clock import Clock
from appliance.lookup.http import Found, Lookups, Refusal, request
from appliance.lookup.pins import Checked, Codes, Pins
from appliance.lookup.settings import Identity, Lookup, Sms
from appliance.lookup.templates import target_of


class BoxServers:
    """``secret`` reads the box's secrets by name; ``pins`` is the list of PINs."""

    def __init__(
        self,
        lookups: tuple[Lookup, ...],
        sms: Sms,
        identity: Identity,
        secret: Callable[[str], str | None],
        pins: Path,
        clock: Clock,
    ) -> None:
        self._lookups = Lookups(lookups, secret)
        self._pins = Pins(pins, identity, clock)
        self._codes = Codes()
        self._sms = sms
        self._gateway = target_of("sms", sms.url) if sms.url else None
        self._secret = secret
        self._clock = clock
        self._tls = ssl.create_default_context()

    async def look_up(self, lookup: str, values: Mapping[str, str]) -> Reply:
        found = await self._lookups.ask(lookup, values)
        return Reply(True, found.values) if isinstance(found, Found) else Reply(False, reason=found.reason)

    async def check_pin(self, identity: str, pin: str) -> Reply:
        return _reply(await self._pins.check(identity, pin))

    async def send_code(self, conversation: str, number: str, language: str) -> Reply:
        if self._gateway is None:
            return Reply(False, reason="no_gateway")
        code = self._codes.make(conversation, self._clock.monotonic())
        sends = {"number": number, "code": code, "language": language}
        token = self._secret("sms") or ""
        try:
            async with asyncio.timeout(self._sms.budget_seconds):
                status, _ = await request(
                    self._gateway, "POST", self._gateway.path, sends, token, self._tls, self._sms.allows_private
                )
        except TimeoutError:
            return Reply(False, reason="timeout")
        except Refusal as refusal:
            return Reply(False, reason=refusal.reason)
        return Reply(status // 100 == 2, reason="" if status // 100 == 2 else "status")

    def check_code(self, conversation: str, code: str) -> Reply:
        return _reply(self._codes.check(conversation, code, self._clock.monotonic()))


def _reply(checked: Checked) -> Reply:
    return Reply(checked == "right", reason="" if checked == "right" else checked)
