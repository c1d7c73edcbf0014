"""The box's own answers.Servers: look-ups, PINs and codes of the room lookup."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from appliance import messages
from appliance.calls.desk import Reply
from appliance.clock import Clock
from appliance.lookup.gateway import Gateway
from appliance.lookup.http import Found, Lookups
from appliance.lookup.pins import Checked, Codes, Pins
from appliance.lookup.settings import Identity, Lookup, Sms, SmsTemplate
from appliance.messages import Language
from appliance.messages.numbers import digits
from appliance.signalling import numbers


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
        templates: Sequence[SmsTemplate] = (),
    ) -> None:
        self._lookups = Lookups(lookups, secret)
        self._pins = Pins(pins, identity, clock)
        self._codes = Codes()
        self._sms = sms
        self._gateway = Gateway(sms, templates, secret)
        self._clock = clock

    async def look_up(self, lookup: str, values: Mapping[str, str]) -> Reply:
        found = await self._lookups.ask(lookup, values)
        return Reply(True, found.values) if isinstance(found, Found) else Reply(False, reason=found.reason)

    async def check_pin(self, identity: str, pin: str) -> Reply:
        return _reply(await self._pins.check(identity, pin))

    async def send_code(self, conversation: str, number: str, language: str) -> Reply:
        if not self._gateway.is_there:
            return Reply(False, reason="no_gateway")
        code = self._codes.make(conversation, self._clock.monotonic())
        spoken: Language = "en" if language == "en" else "fa"
        values = {
            "number": numbers.dial_form(numbers.normalise(number), self._sms.number_form),
            "code": code,
            "language": language,
            "text": messages.text("lookup.code", spoken, code=digits(code, spoken)),
        }
        sent = await self._gateway.send("code", values)
        return Reply(sent.state == "sent", reason="" if sent.state == "sent" else sent.detail or sent.state)

    def check_code(self, conversation: str, code: str) -> Reply:
        return _reply(self._codes.check(conversation, code, self._clock.monotonic()))


def _reply(checked: Checked) -> Reply:
    return Reply(checked == "right", reason="" if checked == "right" else checked)
