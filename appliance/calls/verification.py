"""Every recording is checked once it is sealed, without any key: whole, and the very files that media sealed.

One at a time, in a thread, so that a long recording delays nothing. What is found is an event, and stands beside the
recording on the page.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from appliance.errors import Problem
from appliance.media.port import RecordingSealed
from appliance.recorder import reading
from appliance.records.events import KEPT_STATES, RecordingVerified
from appliance.records.writer import Records

log = logging.getLogger(__name__)

SETTLE_SECONDS = 0.2  # the files were renamed a moment ago


class Verifier:
    """``put`` takes what was sealed; ``run`` is a task of the process."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._sealed: asyncio.Queue[RecordingSealed] = asyncio.Queue()

    def put(self, sealed: RecordingSealed) -> None:
        if sealed.state in KEPT_STATES:
            self._sealed.put_nowait(sealed)

    async def run(self) -> None:
        while True:
            sealed = await self._sealed.get()
            await asyncio.sleep(SETTLE_SECONDS)
            state, reason = await asyncio.to_thread(verdict, sealed)
            self._records.put(RecordingVerified(sealed.recording, state, reason))
            if state != "verified":
                log.warning("recording %s is %s: %s", sealed.recording, state, reason)


def found_in(kept: Path, recording: str) -> RecordingSealed | None:
    """What media would have said of a recording whose files lie in ``kept``; None where there are none to be read.

    Talk times are not known: the box cannot read what it has sealed. To be called in a thread.
    """
    try:
        found = reading.verify(kept / recording, None, recording)
    except (Problem, OSError):
        return None
    if found.state not in ("verified", "open"):
        return None
    return RecordingSealed(
        recording=recording,
        state="sealed" if found.state == "verified" else "recovered",
        folder=str(kept),
        body_bytes=found.body_bytes,
        body_sha256=found.body_sha256,
        seal_sha256=found.seal_sha256,
        milliseconds=found.milliseconds,
        filled_milliseconds=0,
        missing_milliseconds=0,
        left_talk_ms=0,
        right_talk_ms=0,
        overtalk_ms=0,
        dead_air_ms=0,
    )


def verdict(sealed: RecordingSealed) -> tuple[str, str]:
    """What the files are, held against what media said when it sealed them."""
    try:
        found = reading.verify(Path(sealed.folder) / sealed.recording, None, sealed.recording)
    except Problem as problem:
        return "missing", problem.key
    except OSError as error:
        return "missing", error.strerror or str(error)
    if found.state in ("verified", "open") and sealed.body_sha256 and found.body_sha256 != sealed.body_sha256:
        return "damaged", "not the files that were sealed"
    return found.state, found.reason
