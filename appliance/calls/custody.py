"""Whom recordings are sealed to, watched: each change is an event, and what the owner has not signed is a finding.

The media process reads the keys and refuses what the pin beside them does not allow; but whoever can write both files
can write both. The events remember on their own which set was the last in a known hand, they are chained, signed and
sent upstream: a set that was slipped in cannot be made unseen. The first signed set is believed, as the pin believes
it. The drill is looked at once a minute, and only ever as old as its signature says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from appliance.clock import Clock
from appliance.errors import Problem
from appliance.media.port import Sealing
from appliance.recorder import custody
from appliance.recorder.signed import SignedDrill
from appliance.records import custody as kept
from appliance.records.events import KeysDrilled, RecipientsChanged
from appliance.records.writer import Records

LOOK_SECONDS = 60.0
FIRST_SECONDS = 2.0  # media says whom it seals to as soon as it is there
DAY_MS = 86_400_000

Found = Callable[[str, Problem | None], None]


class Seals(Protocol):
    """Where the last word of the media process stands: the switchboard."""

    sealing: Sealing | None


class Watch:
    """``found`` is told the findings ``recipients`` and ``drill``; ``run`` is a task of the process."""

    def __init__(self, data: Path, seals: Seals, records: Records, clock: Clock, found: Found) -> None:
        self._data = data
        self._seals = seals
        self._records = records
        self._clock = clock
        self._found = found
        self._kept = kept.LastCustody(None, None, 0)

    async def start(self) -> None:
        """What the records know."""
        self._kept = await self._records.call(lambda store: store.within(kept.last))

    async def run(self) -> None:
        """Looks until it is cancelled."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Notes what has changed since the last look; says what a person should act on."""
        sealing = self._seals.sealing
        if sealing is None:
            return
        if not _is_same(sealing, self._kept.last):
            changed = _changed(sealing, self._kept.trusted)
            self._records.put(changed)
            trusted = changed if changed.is_trusted and changed.version else self._kept.trusted
            self._kept = kept.LastCustody(changed, trusted, self._kept.drilled)
        drill = await asyncio.to_thread(self._drill) if sealing.version else None
        if drill is not None and drill.at > self._kept.drilled:
            self._records.put(KeysDrilled(drill.at, drill.owner, drill.recovery))
            self._kept = kept.LastCustody(self._kept.last, self._kept.trusted, drill.at)
        is_trusted = self._kept.last is not None and self._kept.last.is_trusted
        self._found("recipients", of_recipients(sealing, is_trusted))
        self._found("drill", of_drill(drill, self._clock.utc_ms()) if sealing.version else None)

    def _drill(self) -> SignedDrill | None:
        try:
            return custody.load(self._data).drill
        except Problem:
            return None  # media refuses these keys, and the page says so


def of_recipients(sealing: Sealing, is_trusted: bool) -> Problem | None:
    if not sealing.members:
        return None  # nothing is recorded: media says so itself
    if not is_trusted:
        return Problem("ceremony.swapped", version=sealing.version)
    return None if sealing.version else Problem("ceremony.unsigned")


def of_drill(drill: SignedDrill | None, now_utc_ms: int) -> Problem | None:
    if drill is None:
        return Problem("ceremony.never_drilled")
    days = (now_utc_ms - drill.at) // DAY_MS
    return Problem("ceremony.drill_old", days=days) if days > kept.DRILL_DAYS else None


def _is_same(sealing: Sealing, last: RecipientsChanged | None) -> bool:
    if last is None:
        return not sealing.members
    return (_lines(sealing), sealing.version, sealing.signed_by) == (last.members, last.version, last.signed_by)


def _changed(sealing: Sealing, trusted: RecipientsChanged | None) -> RecipientsChanged:
    is_trusted = trusted is None or (
        sealing.signed_by in trusted.signers.split()
        and (sealing.version > trusted.version or _is_same(sealing, trusted))
    )
    signers = " ".join(sealing.signers)
    return RecipientsChanged(_lines(sealing), sealing.version, sealing.signed_by, signers, is_trusted)


def _lines(sealing: Sealing) -> str:
    return "\n".join(sealing.members)
