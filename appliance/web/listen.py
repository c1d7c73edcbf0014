"""Listening: why somebody wants to is put on record, then their browser gets the recording as it lies sealed.

The page has no key and asks for none; the browser decrypts. A session may fetch the three files of a recording only
after calls has put on record who takes it and why (``wire.TakeRecording``), and for an hour. Bytes go out by ranges of
at most a mebibyte, so that a seek in an hour fetches what is heard and no answer needs more memory than that.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from appliance.clock import Clock
from appliance.control import wire
from appliance.errors import Problem
from appliance.messages import calendar
from appliance.messages.numbers import digits
from appliance.recorder import viewer
from appliance.records import recordings
from appliance.records.recordings import Known
from appliance.web import views
from appliance.web.site import Site

PLACE = re.compile(r"/listen/[0-9a-f]{32}")
PARTS = ("head", "body", "seal")
GRANT_SECONDS = 3600.0
MOST_GRANTS = 1000
MOST_RANGE_BYTES = 1 << 20  # source.js asks for no more
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{1,15})")


class Grants:
    """Which sessions may fetch which recordings. Sessions are kept as hashes; the oldest grant gives way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[tuple[bytes, str], float] = {}

    def give(self, token: str, recording: str) -> None:
        self._until.pop(_of(token, recording), None)
        self._until[_of(token, recording)] = self._clock.monotonic() + GRANT_SECONDS
        while len(self._until) > MOST_GRANTS:
            del self._until[next(iter(self._until))]

    def holds(self, token: str, recording: str) -> bool:
        return self._clock.monotonic() < self._until.get(_of(token, recording), 0.0)


class Listening:
    """``kept`` is the folder of closed recordings, read and never written."""

    def __init__(self, site: Site, kept: Path) -> None:
        self._site = site
        self._kept = kept
        self._grants = Grants(site.clock)

    async def show(self, request: Request) -> Response:
        """The player where this session was granted the recording, else the question why."""
        return await self._page(request, await self._known(request))

    async def take(self, request: Request) -> Response:
        """Puts the reason on record; only then anything is granted."""
        form = await self._site.form(request)
        known, token, why = await self._known(request), self._site.token(request), form.get("why", "")
        try:
            await self._site.control.order(wire.TakeRecording(token, known.recording, "play", why))
        except Problem as problem:
            if problem.key != "listen.no_why":
                raise
            return await self._page(request, known, problem)
        self._grants.give(token, known.recording)
        return RedirectResponse(f"/listen/{known.recording}", 303)

    async def part(self, request: Request) -> Response:
        """One range of one of the three files, as it lies on the disk."""
        recording, part = request.path_params["recording"], request.path_params["part"]
        if not self._grants.holds(self._site.token(request), recording):
            return PlainTextResponse("403\n", 403)
        if part not in PARTS:
            return PlainTextResponse("404\n", 404)
        first, last = asked_range(request)
        if not 0 <= last - first < MOST_RANGE_BYTES:
            return PlainTextResponse("416\n", 416)
        try:
            content, size = await asyncio.to_thread(_read, self._kept / f"{recording}.{part}", first, last + 1 - first)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP):
                raise
            return PlainTextResponse("404\n", 404)
        if not content:
            return PlainTextResponse("416\n", 416, {"content-range": f"bytes */{size}"})
        return partial(content, first, size)

    async def _known(self, request: Request) -> Known:
        """What the records say of the recording that is asked for: its id is theirs from here on."""
        name = request.path_params["recording"][:64]
        reader = self._site.reader()
        return recordings.takeable(await asyncio.to_thread(reader.within, lambda db: recordings.of(db, name)))

    async def _page(self, request: Request, known: Known, problem: Problem | None = None) -> Response:
        site, language = self._site, self._site.language_of(request)
        is_granted = self._grants.holds(site.token(request), known.recording)
        number = views.national(known.customer) if known.customer.startswith("+98") else known.customer_as_arrived
        return site.render(
            request,
            "listen.html",
            400 if problem else 200,
            problem=site.lines(request, problem) if problem else None,
            known=known,
            is_granted=is_granted,
            when=calendar.moment(known.began, language),
            length=calendar.length(known.milliseconds, language),
            customer=digits(number, language),
            catalogue=viewer.words(language) if is_granted else "",
        )


def asked_range(request: Request) -> tuple[int, int]:
    """The first and the last byte that are asked for; the last before the first where nothing fit to give is."""
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    return (int(asked[1]), int(asked[2])) if asked else (1, 0)


def partial(content: bytes, first: int, size: int) -> Response:
    """Some bytes of a file of so many, from ``first`` on."""
    headers = {"content-range": f"bytes {first}-{first + len(content) - 1}/{size}", "accept-ranges": "bytes"}
    return Response(content, 206, headers, "application/octet-stream")


def _of(token: str, recording: str) -> tuple[bytes, str]:
    return hashlib.sha256(token.encode()).digest(), recording


def _read(file: Path, first: int, count: int) -> tuple[bytes, int]:
    """So many bytes, or what there is of them, and the file's size."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return os.pread(descriptor, count, first), os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
