"""What calls does for retention, holds and erasure: it decides by the plan, and writes what was decided as events.

Orders come from the owner, one at a time, and each looks at the records in the moment in which it is carried out: of
an erasure and a hold that come together one is first. Sync reads the events and destroys the files here and at the
targets; media forgets what it still holds of them. Once an hour everything that has a date is looked at; once a minute
whether what was erased is gone.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from appliance.clock import Clock
from appliance.control import wire
from appliance.errors import Problem
from appliance.ids import uuid7
from appliance.records import events, keeping
from appliance.records.database import Connection
from appliance.records.keeping import Known, Stored
from appliance.records.writer import Records
from appliance.retention import forecast, plan
from appliance.retention.meant import Meant, meant, shown
from appliance.retention.plan import Refusal, Refused, Rules, Verdict

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
SWEEP_SECONDS = 3600.0
LATE_MS = 60_000  # by when what was erased is to be gone (FEATURES.md, row 33)
MOST_REASON = 200
MOST_TOLD = 1000  # ids in one command to media

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Space:
    """The disk of the recordings, in bytes; ``floor`` is the free space below which none is begun."""

    size: int
    free: int
    floor: int


def space_of(folder: Path, floor: int) -> Space:
    found = os.statvfs(folder)
    return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, floor)


@dataclass(slots=True)
class _Sweep:
    """What one look at all recordings finds."""

    waiting: dict[Verdict, int] = field(default_factory=dict)
    written: dict[int, list[int]] = field(default_factory=dict)
    leaving: dict[int, int] = field(default_factory=dict)
    days: int = 0  # of history

    def saw(self, one: Stored, rules: Rules, now_utc_ms: int) -> None:
        """For the forecast."""
        age = max(0, now_utc_ms - one.opened) // plan.DAY_MS
        self.days = min(max(self.days, age + 1), forecast.HISTORY_DAYS)
        if age < forecast.HISTORY_DAYS:
            stays = rules.retention.days_of(one.line, one.queue)
            self.written.setdefault(stays, [0] * forecast.HISTORY_DAYS)[age] += one.size
        leaves = plan.leaves_in_days(one, rules, now_utc_ms)
        if leaves is not None:
            self.leaving[leaves] = self.leaving.get(leaves, 0) + one.size

    def full_in_days(self, free_bytes: int) -> float | None:
        histories = {stays: history[: self.days] for stays, history in self.written.items()}
        return forecast.full_in_days(histories, self.leaving, free_bytes)


class Archive:
    """``forget`` tells media which recordings are erased; ``found`` takes the finding of a place, None for none."""

    def __init__(
        self,
        rules: Rules,
        records: Records,
        clock: Clock,
        is_clock_sure: Callable[[], bool],
        space: Callable[[], Space],
        forget: Callable[[tuple[str, ...]], None],
        found: Callable[[str, Problem | None], None],
        area_code: str = "",
        trust: plan.Trust | None = None,
    ) -> None:
        self._rules = rules
        self._records = records
        self._clock = clock
        self._is_clock_sure = is_clock_sure
        self._space = space
        self._forget = forget
        self._found = found
        self._area_code = area_code
        self._trust = trust or plan.Trust()
        self._one_at_a_time = asyncio.Lock()
        self._sweep_at = float("-inf")

    async def run(self) -> None:
        """Looks until it is cancelled; first a minute after the start, when there is other work."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Once a minute. What has a date is looked at each hour."""
        now = self._clock.monotonic()
        is_trusted = self._trust.looked(self._clock.utc_ms(), now, is_sure=self._is_clock_sure())
        await self._find_leftovers()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_SECONDS
            await self._sweep(is_trusted)

    # Orders -----------------------------------------------------------------------------------------------------------

    async def carry_out(self, order: wire.ArchiveOrder, by: str) -> wire.Reply:
        """Does what the owner has ordered. Problem where it cannot be done; then nothing of it is."""
        why = order.why.strip()
        if not why or len(why) > MOST_REASON:
            raise Problem("retention.no_reason", most=MOST_REASON)
        async with self._one_at_a_time:
            found = await self._ordered(order, by, why)
            await self._records.flush()
        return wire.Affected(len(found), sum(len(one.recordings) for one in found))

    async def _ordered(self, order: wire.ArchiveOrder, by: str, why: str) -> list[Known]:
        """The conversations that it reaches."""
        match order:
            case wire.HoldRecordings(_, about):
                return await self._hold(about, by, why)
            case wire.ReleaseRecordings(_, about):
                return await self._release(about, by, why)
            case wire.EraseRecordings(_, about):
                return await self._erase(about, by, why)

    async def _hold(self, about: str, by: str, why: str) -> list[Known]:
        asked = await self._meant(about)
        number, found = asked.number, asked.found
        if not number:
            _raise(plan.may_hold(found[0] if found else None), about)
        conversation = "" if number else found[0].conversation
        hold = uuid7(self._clock.utc_ms())
        self._records.put(events.RecordingHeld(hold, conversation, number, by, why))
        log.info("recordings of %d conversations are held by %s", len(found), by)
        return found

    async def _release(self, about: str, by: str, why: str) -> list[Known]:
        asked = await self._meant(about)
        found, holds = asked.found, asked.on_number
        if asked.number:
            if not holds:
                raise Problem("retention.not_held", about=shown(about))
        else:
            released = plan.released(found[0] if found else None)
            if isinstance(released, Refused):
                raise _problem(released, about)
            holds = released
        for hold in holds:
            self._records.put(events.RecordingReleased(hold.hold, hold.conversation, by, why))
        return found

    async def _erase(self, about: str, by: str, why: str) -> list[Known]:
        asked = await self._meant(about)
        found = asked.found
        if asked.on_number:
            raise _problem(Refused(Refusal.HELD, "", asked.on_number[0]), about)
        if asked.number and not found:
            raise Problem("retention.nobody", about=shown(about))
        _raise(plan.may_erase(found), about)
        for one in found:
            self._records.put(events.ConversationErased(one.conversation, why, by, one.recordings))
        await self._records.flush()
        recordings = [recording for one in found for recording in one.recordings]
        for start in range(0, len(recordings), MOST_TOLD):
            self._forget(tuple(recordings[start : start + MOST_TOLD]))
        log.info("%d conversations are erased by %s", len(found), by)
        return found

    async def _meant(self, about: str) -> Meant:
        return await self._ask(lambda db: meant(db, about, self._area_code))

    # What time does ---------------------------------------------------------------------------------------------------

    async def _sweep(self, is_trusted: bool) -> None:
        """Looks at every recording, in slices: what may go is ordered to go; and when the disk will be full."""
        now, seen, after = self._clock.utc_ms(), _Sweep(), 0
        last = await self._ask(keeping.last_row)
        while after < last:
            async with self._one_at_a_time:
                for one in await self._ask(functools.partial(keeping.stored, after=after)):
                    found = plan.verdict(one, self._rules, now, is_clock_sure=is_trusted)
                    seen.waiting[found] = seen.waiting.get(found, 0) + 1
                    seen.saw(one, self._rules, now)
                    if found is Verdict.MAY_GO:
                        days = self._rules.retention.days_of(one.line, one.queue)
                        self._records.put(events.RecordingExpired(one.conversation, one.recording, days))
                await self._records.flush()
            after += keeping.SLICE
        self._tell(seen)

    def _tell(self, seen: _Sweep) -> None:
        unsent, unsendable = seen.waiting.get(Verdict.NOT_SENT, 0), seen.waiting.get(Verdict.NO_TARGET, 0)
        kept = Problem("retention.no_target", count=unsendable) if unsendable else None
        self._found("retention", Problem("retention.not_sent", count=unsent) if unsent else kept)
        space = self._space()
        share = 1 - space.free / max(1, space.size)
        days = seen.full_in_days(max(0, space.free - space.floor))
        problem = None
        if days is not None and days < forecast.SOON_DAYS:
            problem = Problem("retention.full_soon", days=int(days), percent=round(100 * share))
        elif share >= forecast.FULL_SHARE:
            problem = Problem("retention.filling", percent=round(100 * share))
        self._found("disk", problem)

    async def _find_leftovers(self) -> None:
        """Erasing is a promise with a time: what is still there after it is said."""
        before = self._clock.utc_ms() - LATE_MS
        count = await self._ask(lambda db: keeping.erased_before(db, before))
        self._found("erasing", Problem("retention.not_gone", count=count) if count else None)

    async def _ask(self, question: Callable[[Connection], T]) -> T:
        return await self._records.call(lambda store: store.within(question))


def _raise(refused: Refused | None, about: str) -> None:
    if refused is not None:
        raise _problem(refused, about)


def _problem(refused: Refused, about: str) -> Problem:
    match refused.why:
        case Refusal.UNKNOWN:
            return Problem("retention.unknown", about=shown(about))
        case Refusal.ERASED:
            return Problem("retention.erased", about=shown(about))
        case Refusal.HELD:
            assert refused.hold is not None
            return Problem("retention.held", about=shown(about), by=refused.hold.by, why=refused.hold.why)
        case Refusal.OPEN:
            return Problem("retention.on_the_telephone", about=shown(about))
        case Refusal.NOT_HELD:
            return Problem("retention.not_held", about=shown(about))
        case Refusal.HELD_BY_NUMBER:
            assert refused.hold is not None
            return Problem("retention.held_by_number", number=shown(refused.hold.number))
