"""/metrics and /health for monitors, on the page's own server: bound where the page is, behind the same door.

/metrics wants a token of its own (``Authorization: Bearer``), also on loopback: it lies in the file ``metrics-token``
of the page's folder, made at the first start and readable by root and the page alone. /health tells anybody one word
and nothing else: whether calls answers and the voices run. Both cost calls one question a second at most.
"""

from __future__ import annotations

import hmac
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from appliance.control.client import ControlClient
from appliance.control.wire import Measured
from appliance.errors import Problem
from appliance.web.metrics import CONTENT_TYPE, Own, text

FRESH_SECONDS = 1.0


class Monitor:
    """``token`` empty: /metrics is for nobody. ``data`` is the folder whose disk is told."""

    def __init__(
        self, control: ControlClient, token: str, data: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._control = control
        self._token = token
        self._data = data
        self._clock = clock
        self._born = clock()
        self._known: Measured | None = None
        self._known_at = float("-inf")

    async def metrics(self, request: Request) -> Response:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        is_right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token.encode())
        if not self._token or kind.lower() != "bearer" or not is_right:
            return PlainTextResponse("401\n", 401, headers={"www-authenticate": "Bearer"})
        return Response(text(await self._measured(), self._own()), media_type=CONTENT_TYPE)

    async def health(self, _request: Request) -> Response:
        measured = await self._measured()
        is_well = measured is not None and measured.media in ("up", "full")
        return JSONResponse({"status": "ok" if is_well else "down"}, 200 if is_well else 503)

    async def _measured(self) -> Measured | None:
        """At most a second old; None while calls does not answer."""
        now = self._clock()
        if now - self._known_at >= FRESH_SECONDS:
            try:
                self._known = await self._control.measure() if self._control.is_alive else None
            except Problem:
                self._known = None
            self._known_at = now
        return self._known

    def _own(self) -> Own:
        try:
            disk = os.statvfs(self._data)
            free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        except OSError:
            free, whole = 0, 0
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Own(self._clock() - self._born, resident, free, whole)
