"""The owner's keys on the page: made in the browser, and the test recording with which the paper is tried.

The page serves a script and, once the box has a signed set, a recording of three seconds sealed to it. It takes nothing
back: no service of the box may write the folder in which the set lies, so what the browser signs is a file, and `pasokh
keys install` on the box is its only door.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from appliance.ceremony import drill
from appliance.messages import LANGUAGES
from appliance.recorder import custody, viewer
from appliance.recorder.signed import SignedSet
from appliance.web.listen import MOST_RANGE_BYTES, PARTS, asked_range, partial
from appliance.web.site import Site


@dataclass(frozen=True, slots=True)
class Trial:
    """A test recording for the set whose text is ``known``; its files by their parts."""

    known: str
    recording: str
    files: Mapping[str, bytes]


class Keys:
    """``data`` is the box's data folder, of which ``keys/`` is read."""

    def __init__(self, site: Site, data: Path) -> None:
        self._site = site
        self._data = data
        self._test: Trial | None = None
        self._making = asyncio.Lock()

    async def show(self, request: Request) -> Response:
        """Problem where the box's keys are not the owner's: then nothing is tried with them either."""
        test = await self._for_set((await asyncio.to_thread(custody.load, self._data)).signed)
        return self._site.render(request, "keys.html", test=test, catalogue=viewer.words(*LANGUAGES))

    async def part(self, request: Request) -> Response:
        """One range of one of the three files of the test recording."""
        test, part = self._test, request.path_params["part"]
        if test is None or request.path_params["recording"] != test.recording or part not in PARTS:
            return PlainTextResponse("404\n", 404)
        content = test.files[part]
        first, last = asked_range(request)
        if not 0 <= last - first < MOST_RANGE_BYTES or first >= len(content):
            return PlainTextResponse("416\n", 416)
        return partial(content[first : last + 1], first, len(content))

    async def _for_set(self, known: SignedSet | None) -> Trial | None:
        async with self._making:
            if known is None:
                self._test = None
            elif self._test is None or self._test.known != known.text:
                self._test = await asyncio.to_thread(_made, known, self._site.clock.utc_ms())
            return self._test


def _made(known: SignedSet, now_utc_ms: int) -> Trial:
    with tempfile.TemporaryDirectory(prefix="pasokh-drill-") as scratch:
        base, _ = drill.record(Path(scratch), known, now_utc_ms)
        return Trial(known.text, base.name, {part: base.with_suffix(f".{part}").read_bytes() for part in PARTS})
