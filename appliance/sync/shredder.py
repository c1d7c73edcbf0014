"""Destroys recordings on the box: what calls has written into the records as expired or erased.

The records say what is to go and what is gone, so nothing needs to be remembered here: after a kill the files are
looked for again, and calls is told again. Works without any target too.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from appliance.control.client import ControlClient
from appliance.errors import Problem
from appliance.recorder import destroying
from appliance.records import keeping
from appliance.records.keeping import Going
from appliance.records.reader import Reader

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # what is erased is to be gone within a minute


class Shredder:
    """``kept`` holds closed recordings; nobody else takes anything away there."""

    def __init__(self, kept: Path, reader: Reader, control: ControlClient) -> None:
        self._kept = kept
        self._reader = reader
        self._control = control

    async def run(self) -> None:
        """Until it is cancelled. What fails is tried again; calls says on the page what is not gone in time."""
        while True:
            try:
                has_more = await self._look()
            except Problem as problem:
                log.warning("destroying waits: %s", problem)
                has_more = False
            if not has_more:
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> bool:
        """Destroys what is to go, and tells calls; whether there may be more of it."""
        going = await asyncio.to_thread(self._reader.within, keeping.going)
        gone = [one.recording for one in going if await asyncio.to_thread(self._destroy, one)]
        if not gone:
            return False
        await self._control.until_alive()
        await self._control.tell_destroyed(tuple(gone))
        return len(gone) == keeping.MOST_AT_ONCE

    def _destroy(self, one: Going) -> bool:
        """Whether nothing of it is left."""
        try:
            if destroying.destroy(self._kept, one.recording):
                log.info("recording %s is destroyed: %s", one.recording, one.cause)
        except OSError as error:
            log.error("recording %s cannot be destroyed: %s", one.recording, error)
            return False
        return True
