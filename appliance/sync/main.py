"""The process ``pasokh sync``: feeds the outbox from the records, drives the targets, tells calls the receipts.

It yields: once a second, while anything is sent, it asks calls how voices fare and sets the pace by that. It may be
killed at any moment, may start in 1970, and its clock may jump: order comes from numbers, pauses from the monotonic
clock, and nothing is sent twice because the target is asked what it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

from appliance import service
from appliance.clock import Clock, SystemClock
from appliance.control import wire
from appliance.control.client import ControlClient
from appliance.control.wire import Pulse
from appliance.errors import Problem
from appliance.places import DATABASE_KEY, Places
from appliance.records import database, outgoing
from appliance.records.reader import Conversation, Reader
from appliance.sync import feed, targets
from appliance.sync.content import revised
from appliance.sync.feed import Feed
from appliance.sync.outbox import Outbox, Verified
from appliance.sync.pace import Bucket, Pace, Strain
from appliance.sync.port import Marker, Place
from appliance.sync.settings import Sync, Target
from appliance.sync.shredder import Shredder
from appliance.sync.units import Kind, Unit
from appliance.sync.worker import Surroundings, Worker

log = logging.getLogger(__name__)

BUSY_SECONDS = 1.0
IDLE_SECONDS = 5.0
LEAST_SECONDS = 0.5  # between two questions
TELL_SECONDS = 10.0  # at the latest: calls says that sync is stopped after three times as long
VITALS_SECONDS = 60.0  # how much memory it takes is of interest, and seldom new
RETRY_SECONDS = 1.0
CPU = Path("/proc/cpuinfo")


def run(name: str, places: Places, sync: Sync) -> int:
    """Runs until SIGTERM or SIGINT. Problem where the box cannot send with these settings."""
    asyncio.run(_Process(name, places, sync).run())
    return 0


class _Process:
    def __init__(self, name: str, places: Places, sync: Sync) -> None:
        self._name = name
        self._places = places
        self._sync = sync
        self._clock: Clock = SystemClock()
        self._control = ControlClient(places.control_socket)
        self._pace = Pace(sync.upstream.bytes_per_second, sync.upstream.bytes_per_second_in_calls)
        self._bucket = Bucket(self._pace.told(Strain()))
        self._stopped = asyncio.Event()
        self._receipts = asyncio.Event()
        self._news = asyncio.Event()
        self._shown: tuple[wire.Upstream, ...] = ()
        self._is_shown_old = True
        self._workers: list[Worker] = []
        self._born = self._clock.monotonic()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopped.set)
        watched = asyncio.create_task(service.tell_watchdog(), name="watchdog")
        async with self._control:
            await self._work()
        watched.cancel()

    async def _work(self) -> None:
        service.notify("READY=1")
        key = await self._key()
        if key is None:
            return
        reader = Reader(self._places.database, key)
        shredder = Shredder(self._places.data / "kept", reader, self._control)
        shredding = asyncio.create_task(shredder.run(), name="shredder")
        if self._sync.targets:
            await self._send(key, reader, shredding)
        else:
            log.info("no target is set: nothing goes upstream")
            await self._until_over([shredding])
        service.notify("STOPPING=1")
        self._bucket.close()
        await self._control.close()
        logging.shutdown()
        os._exit(0)  # a thread may still wait for a server that hangs; what it does is settled at the next start

    async def _send(self, key: bytes, reader: Reader, shredding: asyncio.Task[None]) -> None:
        """Feeds the outbox and drives the targets until it is stopped."""
        folder = self._places.data / "sync"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        box = service.made_once(folder / "box-id", 16).hex()
        outbox = Outbox(folder / "outbox.db", key)
        marker = Marker(box, self._name, machine())
        around = Surroundings(
            outbox, reader, self._places.data / "kept", marker, self._bucket, self._clock, self._sync.upstream,
            self._changed,
        )  # fmt: skip
        records = records_of(reader)
        for target in self._sync.targets:
            self._workers.append(Worker(target, around, self._maker(target, records)))
        outbox.forget_others([worker.id for worker in self._workers])
        log.info("sync is ready: %s", ", ".join(worker.target.name for worker in self._workers))
        tasks = [
            shredding,
            asyncio.create_task(self._feed(outbox, reader), name="feed"),
            asyncio.create_task(self._tell_receipts(outbox), name="receipts"),
            *(asyncio.create_task(worker.run(), name=f"target {worker.target.name}") for worker in self._workers),
        ]
        await self._until_over(tasks)
        outbox.close()

    async def _until_over(self, tasks: list[asyncio.Task[None]]) -> None:
        """Until it is stopped; a fault of our own in one of the tasks ends the process, which is started again."""
        stopped = asyncio.create_task(self._stopped.wait())
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            task.result()
        for task in tasks:
            task.cancel()

    def _maker(self, target: Target, records: targets.Records) -> Callable[[], Place]:
        return lambda: targets.make(target, self._name, self._places, records, self._sync.upstream.answer_seconds)

    async def _key(self) -> bytes | None:
        """The key of the records, which calls makes at its first start; None if we are stopped before."""
        while not self._stopped.is_set():
            secret = self._places.secret(DATABASE_KEY)
            if secret is not None:
                return database.key_from(secret)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._stopped.wait()
        return None

    # Feeding and pacing -----------------------------------------------------------------------------------------------

    async def _feed(self, outbox: Outbox, reader: Reader) -> None:
        """Asks calls for its pulse, reads what is new, cuts units, wakes the targets."""
        cut = outbox.cursor("cut")
        feeding = Feed(self._sync.upstream.batch_seconds, cut, cut)  # what was seen and not cut is seen again
        told_at = vitals_at = asked = float("-inf")
        taken = 0
        while True:
            await self._control.until_alive()
            began = self._clock.monotonic()
            try:
                if self._is_different() or began - told_at >= TELL_SECONDS:
                    pulse = await self._control.tell_upstream(self._shown)
                    told_at = began
                    if began - vitals_at >= VITALS_SECONDS:
                        await self._control.tell_vitals(self._vitals())
                        vitals_at = began
                else:
                    pulse = await self._control.pulse()
                if pulse.last_event != feeding.seen or feeding.batch(began) is not None:
                    await self._take(feeding, outbox, reader)
            except Problem as problem:
                log.warning("feeding: %s", problem)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            for worker in self._workers:
                if worker.target.name in pulse.try_now:
                    worker.try_now()
            sent = (self._bucket.taken - taken) / max(0.1, began - asked)
            taken, asked = self._bucket.taken, began
            self._bucket.set_rate(self._pace.told(_strain(pulse), round(sent)))
            await self._pause(self._seconds_to_next(feeding, pulse))

    def _changed(self) -> None:
        """A worker has done something: a receipt may be to be told, and the picture is different."""
        self._is_shown_old = True
        self._receipts.set()
        self._news.set()

    def _is_different(self) -> bool:
        """Whether the targets stand otherwise than was shown; asks the outbox only if something has happened."""
        busy = any(worker.is_sending for worker in self._workers)  # its line may crawl
        if not self._is_shown_old and not busy:
            return False
        before, self._shown = self._shown, tuple(worker.shown() for worker in self._workers)
        self._is_shown_old = False
        return self._shown != before

    async def _pause(self, seconds: float) -> None:
        """Until then, or until something has happened; never less than a moment."""
        self._news.clear()
        await asyncio.sleep(min(seconds, LEAST_SECONDS))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds - LEAST_SECONDS)):
                await self._news.wait()

    def _seconds_to_next(self, feeding: Feed, pulse: Pulse) -> float:
        is_busy = pulse.calls or any(worker.is_sending for worker in self._workers)
        seconds = BUSY_SECONDS if is_busy else IDLE_SECONDS
        deadline = feeding.deadline()
        return seconds if deadline is None else max(0.05, min(seconds, deadline - self._clock.monotonic()))

    async def _take(self, feeding: Feed, outbox: Outbox, reader: Reader) -> None:
        takers = {worker.id: worker.kinds for worker in self._workers}
        kinds = {kind for taken in takers.values() for kind in taken}
        while True:
            after = feeding.seen
            news = await asyncio.to_thread(reader.within, lambda db: outgoing.news(db, after))  # noqa: B023 - used at once
            units = feeding.took(news, self._clock.monotonic())
            units += [
                feed.erasure(recording, news.last, self._clock.utc_ms())
                for conversation in news.erased
                for recording in outbox.recordings_of(conversation)
            ]
            outbox.add(units, {}, takers)
            while (batch := feeding.batch(self._clock.monotonic())) is not None:
                first, last = batch
                found = await asyncio.to_thread(
                    reader.within,
                    lambda db: outgoing.revisions(db, first, last),  # noqa: B023 - used at once
                )
                cut = feed.batches(first, last, found, self._clock.utc_ms(), kinds)
                feeding.was_cut(last)
                outbox.add(cut, {"cut": feeding.cut}, takers)
            self._is_shown_old = True
            for worker in self._workers:
                worker.wake()
            if news.last == after:
                return

    # Receipts ---------------------------------------------------------------------------------------------------------

    async def _tell_receipts(self, outbox: Outbox) -> None:
        while True:
            found = outbox.verified()
            if not found:
                await self._receipts.wait()
                self._receipts.clear()
                continue
            try:
                await self._control.until_alive()
                await self._control.tell_receipts(_told(found))
            except Problem as problem:
                log.warning("receipts wait: %s", problem)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            outbox.told(found, self._clock.utc_ms())

    def _vitals(self) -> wire.Vitals:
        figures = {"rss_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
        return wire.Vitals("sync", round((self._clock.monotonic() - self._born) * 1000), figures)


def records_of(reader: Reader) -> targets.Records:
    """What targets may ask of the records."""

    def of_day(since: int, until: int) -> list[Conversation]:
        names = reader.within(lambda db: outgoing.opened_between(db, since, until))
        return [one for name in names if (one := reader.conversation(name)) is not None]

    def touched(unit: Unit) -> list[Conversation]:
        return [one for _, one in revised(reader, unit)]

    return targets.Records(of_day, touched)


def machine() -> str:
    """Which hardware this is, in a form that says nothing else: a card that was copied shows by it."""
    serial = ""
    with contextlib.suppress(OSError):
        lines = [line for line in CPU.read_text(errors="replace").splitlines() if line.startswith("Serial")]
        serial = lines[0] if lines else ""
    if not serial:
        with contextlib.suppress(OSError):
            serial = Path("/etc/machine-id").read_text()
    return hashlib.sha256(b"pasokh/machine/v1" + serial.strip().encode()).hexdigest()[:32]


def box_marker(name: str, places: Places) -> Marker:
    """The marker of this box, for tools."""
    return Marker(service.made_once(places.data / "sync" / "box-id", 16).hex(), name, machine())


def _told(found: list[Verified]) -> wire.TellReceipts:
    receipts, erased = [], []
    for one in found:
        unit = one.unit
        if unit.kind is Kind.ERASE:
            erased.append(wire.Erased(one.target, unit.recording, one.place))
        else:
            receipts.append(
                wire.Receipt(
                    one.target, unit.kind.value, unit.key, unit.recording, unit.first, unit.last, unit.sha256,
                    unit.size, one.place,
                )
            )  # fmt: skip
    return wire.TellReceipts(tuple(receipts), tuple(erased))


def _strain(pulse: Pulse) -> Strain:
    return Strain(pulse.calls, pulse.lost_permille, float(pulse.jitter_ms), pulse.late_ticks)
