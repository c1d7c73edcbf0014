"""The driver of one target: asks its plan, has the adapter do it in a thread of its own, keeps what came of it.

Everything about jobs is written by the loop; the thread only talks. Of two steps that a kill may part, the first is the
one that may be repeated: what was sent and not noted is found upstream and settled by reading back.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import TypeVar

from appliance.clock import Clock
from appliance.control import wire
from appliance.errors import Problem
from appliance.messages.calendar import DAY_MS, TEHRAN
from appliance.records import keeping
from appliance.records.reader import Reader
from appliance.sync import content, faults, plan
from appliance.sync.faults import Fault, Why
from appliance.sync.outbox import Outbox, Shelf
from appliance.sync.pace import SLOW_BYTES_PER_SECOND
from appliance.sync.plan import Greet, Job, Plan, Probe, Send, State
from appliance.sync.port import Marker, Paid, Parcel, Place
from appliance.sync.settings import Target, Upstream
from appliance.sync.targets import kinds
from appliance.sync.units import OF_RECORDING, Kind, Unit

log = logging.getLogger(__name__)

T = TypeVar("T")

MADE_UTC_MS = 1_767_225_600_000  # 2026-01-01: an earlier clock is not set
QUIET_LOOK_SECONDS = 60.0
MOST_TROUBLES = 100  # kept for the page, which shows the first


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all workers share."""

    outbox: Outbox
    reader: Reader
    kept: Path
    marker: Marker
    paid: Paid
    clock: Clock
    upstream: Upstream
    changed: Callable[[], None]  # a receipt is to be told, or the picture is different


class Worker:
    """``make`` gives the adapter (Problem where settings or secrets do not allow it)."""

    def __init__(self, target: Target, around: Surroundings, make: Callable[[], Place]) -> None:
        self.target = target
        self.kinds: Collection[Kind] = kinds(target)
        self._around = around
        self._make = make
        self._place: Place | None = None
        self._id = around.outbox.target(target.name, self.kinds)
        self._shelf = Shelf(around.outbox, self._id)
        settings = around.upstream
        rules = plan.Rules(
            settings.first_pause_seconds, settings.longest_pause_seconds, settings.probe_seconds, target.budget
        )
        self.plan = Plan(rules, random.random)
        self._thread = ThreadPoolExecutor(1, f"target {target.name}")
        self._news = asyncio.Event()
        self._problem: Problem | None = None
        self._is_first = True
        self._remarks: tuple[wire.Finding, ...] = ()
        self._troubles: dict[int, wire.Finding] = {}  # units that do not come through, and why
        self._parcel: Parcel | None = None
        self._since = 0.0
        self.is_sending = False

    @property
    def id(self) -> int:
        return self._id

    @property
    def prefix(self) -> str:
        return self.target.prefix.strip("/") or self._around.marker.name

    def wake(self) -> None:
        """There may be something to do; what is to be erased does not wait for what is being sent."""
        self._news.set()
        if self._parcel is not None and self._shelf.first(Kind.ERASE, ()) is not None:
            self._parcel.is_broken_off = True

    def try_now(self) -> None:
        self.plan.try_now()
        self.wake()

    async def run(self) -> None:
        """For ever; a fault of our own rests like one of the target's, and is in the journal."""
        while True:
            self._news.clear()
            now = self._around.clock.monotonic()
            command = self.plan.next(now, self._shelf, day=self._day(), is_quiet=self._is_quiet())
            if command is None:
                await self._wait(now)
                continue
            self.is_sending = isinstance(command, Send)
            try:
                await self._carry_out(command)
            finally:
                self.is_sending = False
            self._around.changed()

    def close(self) -> None:
        if self._place is not None:
            self._place.close()

    def shown(self) -> wire.Upstream:
        """How the target stands."""
        standing = self._around.outbox.standing(self._id)
        parked = self.plan.parked
        state = (
            "disabled" if self.plan.is_disabled else "parked" if parked else "sending" if standing.pending else "idle"
        )
        fault = None
        if parked is not None:
            fault = faults.finding(self.target.name, parked.why, parked.detail)
            if parked.why is Why.SETTINGS and self._problem is not None:
                fault = wire.Finding(self._problem.key, dict(self._problem.fields))
        elif self._troubles:
            fault = next(iter(self._troubles.values()))
        remarks = list(self._remarks)
        if self._is_slow():
            remarks.append(wire.Finding("sync.slow", {"target": self.target.name}))
        if standing.refused:
            remarks.append(wire.Finding("sync.refused", {"target": self.target.name, "count": standing.refused}))
        if self.plan.spent:
            remarks.append(wire.Finding("sync.spent", {"target": self.target.name, "count": self.plan.spent}))
        return wire.Upstream(
            name=self.target.name,
            kind=self.target.kind,
            state=state,
            reason=parked.reason if parked else "quiet" if self._is_quiet() and standing.pending else "",
            pending=standing.pending,
            pending_bytes=standing.pending_bytes,
            refused=standing.refused,
            oldest_utc_ms=standing.oldest,
            receipt_utc_ms=standing.receipt_at,
            receipts=standing.receipts,
            fault=fault,
            remarks=tuple(remarks),
        )

    # ------------------------------------------------------------------------------------------------------------------

    async def _wait(self, now: float) -> None:
        deadline = self.plan.deadline(now)
        seconds = None if deadline is None else max(0.0, deadline - now)
        if self.target.quiet_from:
            seconds = min(seconds if seconds is not None else QUIET_LOOK_SECONDS, QUIET_LOOK_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _carry_out(self, command: plan.Command) -> None:
        sent = 0
        try:
            match command:
                case Greet():
                    await self._greet()
                case Probe(writes):
                    await self._in_thread(lambda place: place.probe(writes=writes))
                    self.plan.probed(self._now())
                case Send(job):
                    await self._send(job)
        except Fault as fault:
            sent = fault.sent_bytes
            if isinstance(command, Send) and await self._is_withdrawn(command.job):
                self._drop(command.job)
            elif fault.why is Why.BROKEN_OFF:
                self.plan.broken_off()
            else:
                self._failed(command, fault, sent)
        except Problem as problem:
            self._problem = problem
            self._failed(command, Fault(Why.SETTINGS, problem.key), 0)
        except Exception as error:
            log.exception("target %s", self.target.name)
            self._failed(command, Fault(Why.UNEXPECTED, f"{type(error).__name__}: {error}"), 0)

    async def _greet(self) -> None:
        ours = self._around.marker
        was_here = self._around.outbox.is_known(self._id)
        if self._place is not None:
            await self._in_thread(lambda place: place.close())
            self._place = None
        found = await self._in_thread(lambda place: place.greet(ours, was_here=was_here))
        if found.box != ours.box:
            raise Fault(Why.OTHER_BOX, f"{found.name} ({found.box[:8]})")
        if found.machine != ours.machine:
            raise Fault(Why.TWO_BOXES, f"{found.name} ({found.machine[:8]})")
        self._around.outbox.known(self._id)
        keep = self._around.outbox.notes(self._id)
        await self._in_thread(lambda place: place.sweep(keep))
        self.plan.greeted()
        await self._take_remarks()

    async def _send(self, job: Job) -> None:
        if job.kind is Kind.ERASE:
            await self._erase(job)
            return
        parcel = await self._made(job)
        if parcel is None:
            self._drop(job)
            return
        self._parcel, self._since = parcel, self._now()
        try:
            place = await self._in_thread(lambda it: _place_and_verify(it, parcel))
        except Fault as fault:
            fault.sent_bytes = parcel.sent_bytes
            if parcel.is_broken_off:  # whatever the library made of it
                raise Fault(Why.BROKEN_OFF, sent_bytes=fault.sent_bytes) from fault
            raise
        finally:
            self._parcel = None
        self._around.outbox.settled(self._id, job, self.plan.verified(job.number), parcel.size, place)
        self._troubles.pop(job.number, None)

    def _drop(self, job: Job) -> None:
        """There is nothing to send any more."""
        self._around.outbox.settled(self._id, job, self.plan.void(job.number), job.size)
        self._troubles.pop(job.number, None)

    async def _is_withdrawn(self, job: Job) -> bool:
        """Whether a file that could not be sent is one that was taken away on purpose."""
        unit, _ = self._around.outbox.unit(job.number)
        if unit.kind not in OF_RECORDING:
            return False
        ask = self._around.reader.within
        try:
            return await asyncio.to_thread(ask, lambda db: keeping.is_withdrawn(db, unit.recording))
        except Problem:  # the records cannot be read now; it is tried again
            return False

    async def _made(self, job: Job) -> Parcel | None:
        """The unit with its content, fixed from here on; None where nothing is left of it."""
        outbox = self._around.outbox
        unit, kept = outbox.unit(job.number)
        if kept is not None:
            found: content.Content | None = content.Content(kept, unit.size, unit.sha256)
        elif unit.kind in OF_RECORDING:
            found = await asyncio.to_thread(content.of_file, self._around.kept, unit)
        else:
            found = await asyncio.to_thread(content.of_batch, self._around.reader, unit, self._around.marker.box)
        if found is None:
            return None
        if (found.size, found.sha256) != (unit.size, unit.sha256):
            batch = found.source if isinstance(found.source, bytes) else None
            outbox.fix(unit.number, found.size, found.sha256, batch)
            unit = Unit(unit.number, unit.kind, unit.key, unit.first, unit.last, unit.recording, unit.born, found.size,
                        found.sha256)  # fmt: skip
        loop = asyncio.get_running_loop()

        def remember(note: str) -> None:
            async def write() -> None:
                outbox.remember(self._id, unit.number, note)

            asyncio.run_coroutine_threadsafe(write(), loop).result()

        is_retry, self._is_first = self._is_first or job.tries > 0, False
        return Parcel(
            unit,
            f"{self.prefix}/{unit.key}",
            found.source,
            note=outbox.note(self._id, unit.number),
            remember=remember,
            paid=self._around.paid,
            is_retry=is_retry,
            was_placed=job.state is State.PLACED,
        )

    async def _erase(self, job: Job) -> None:
        """The head first: what it opened is closed to everybody from then on."""
        unit, _ = self._around.outbox.unit(job.number)
        keys = [f"{self.prefix}/{key}" for key in self._around.outbox.files_of(unit.recording)]
        left = await self._in_thread(lambda place: place.erase(keys))
        self._around.outbox.settled(self._id, job, self.plan.verified(job.number), job.size, " ".join(left))

    async def _take_remarks(self) -> None:
        remarks = await self._in_thread(lambda place: place.remarks())
        self._remarks = tuple(wire.Finding(each.key, {"target": self.target.name, **each.fields}) for each in remarks)

    def _failed(self, command: plan.Command, fault: Fault, sent: int) -> None:
        was = self.plan.parked
        state = self.plan.failed(fault.why, fault.detail, self._now(), retry_after=fault.retry_after_seconds)
        if isinstance(command, Send) and fault.why in faults.OF_UNIT and len(self._troubles) < MOST_TROUBLES:
            self._troubles[command.job.number] = faults.finding(self.target.name, fault.why, fault.detail)
        if fault.why is Why.MANGLED and state is None:
            state = State.PLACED  # by us: what lies there is looked at again, and not called somebody else's
        if isinstance(command, Send):
            self._around.outbox.tried(self._id, command.job, state, sent, self._day())
        if state is State.REFUSED or was is None or was.why is not fault.why:
            log.warning("target %s: %s: %s", self.target.name, fault.why, fault.detail)

    async def _in_thread(self, work: Callable[[Place], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._worked, work)

    def _worked(self, work: Callable[[Place], T]) -> T:
        if self._place is None:
            self._place = self._make()
        return work(self._place)

    def _is_slow(self) -> bool:
        """Whether the line crawls: it is waited for, and said."""
        seconds = self._now() - self._since
        if self._parcel is None or seconds < self._around.upstream.answer_seconds or self._around.paid.holds_back:
            return False
        return self._parcel.sent_bytes + self._parcel.read_bytes < seconds * SLOW_BYTES_PER_SECOND

    def _now(self) -> float:
        return self._around.clock.monotonic()

    def _day(self) -> int:
        return max(0, self._around.clock.utc_ms()) // DAY_MS

    def _is_quiet(self) -> bool:
        """Whether recordings wait now; never where the clock is not set."""
        utc_ms = self._around.clock.utc_ms()
        if not self.target.quiet_from or utc_ms < MADE_UTC_MS:
            return False
        now = datetime.fromtimestamp(utc_ms / 1000, TEHRAN).time()
        since, until = (time.fromisoformat(each) for each in (self.target.quiet_from, self.target.quiet_until))
        return since <= now < until if since <= until else now >= since or now < until


def _place_and_verify(place: Place, parcel: Parcel) -> str:
    place.place(parcel)
    return place.verify(parcel)
