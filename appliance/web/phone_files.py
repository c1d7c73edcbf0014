"""Where desk phones fetch their files: at an address that is theirs alone, from the office's networks, not too often.

A phone has no session. The path holds a token of 128 bits that calls has made for this one phone; who asks without it,
or from elsewhere, hears 404 like everybody who asks for what is not there. Nothing is listed, and nothing is logged.
"""

from __future__ import annotations

import ipaddress

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from appliance.clock import Clock
from appliance.control import wire
from appliance.control.client import STOPPED, ControlClient
from appliance.errors import Problem
from appliance.provisioning.settings import Provisioning

MOST_A_MINUTE = 60  # from one address: a phone asks for four files at its start
MOST_ADDRESSES = 1_024
LONGEST = 80
MINUTE_SECONDS = 60.0


class PhoneFiles:
    def __init__(self, control: ControlClient, settings: Provisioning, scheme: str, clock: Clock) -> None:
        self._control = control
        self._serves = settings.serves
        self._networks = [ipaddress.ip_network(each, strict=False) for each in settings.networks]
        self._scheme = scheme
        self._clock = clock
        self._asked: dict[str, int] = {}
        self._since = 0.0

    async def fetch(self, request: Request) -> Response:
        address = request.client.host if request.client else ""
        if not self._serves or not self._is_near(address):
            return PlainTextResponse("404\n", 404)
        if not self._may_ask(address):
            return PlainTextResponse("429\n", 429)
        token, name = request.path_params["token"][:LONGEST], request.path_params["name"][:LONGEST]
        page = f"{self._scheme}://{request.headers.get('host', '')[:LONGEST]}"
        try:
            reply = await self._control.ask(wire.AskPhoneFile(token, name, page))
        except Problem as problem:
            is_stopped = problem.key == STOPPED
            return PlainTextResponse("503\n", 503) if is_stopped else PlainTextResponse("404\n", 404)
        assert isinstance(reply, wire.PhoneFile)
        kind = "application/xml" if name.lower().endswith(".xml") else "text/plain; charset=utf-8"
        return Response(reply.content, media_type=kind)

    def _is_near(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)

    def _may_ask(self, address: str) -> bool:
        now = self._clock.monotonic()
        if now - self._since >= MINUTE_SECONDS or len(self._asked) >= MOST_ADDRESSES:
            self._asked, self._since = {}, now
        self._asked[address] = self._asked.get(address, 0) + 1
        return self._asked[address] <= MOST_A_MINUTE
