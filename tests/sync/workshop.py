"""A worker with a real outbox, real files and a target under test: what the fault matrix drives.

No calls process stands behind it: receipts stay ``verified`` in the outbox, which is what is asserted.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from appliance.clock import SystemClock
from appliance.control import wire
from appliance.records.reader import Reader
from appliance.sync.outbox import NewUnit, Outbox
from appliance.sync.port import Marker, Paid, Place, Unlimited
from appliance.sync.settings import Target, Upstream
from appliance.sync.units import Kind, recording_key
from appliance.sync.worker import Surroundings, Worker
from tests.sync.given import content

AT = 1_795_000_000_000
QUICK = Upstream(first_pause_seconds=0.2, longest_pause_seconds=1.0, probe_seconds=0.3, answer_seconds=1.5)
KEY = bytes(32)


class Workshop:
    """``add`` makes recordings of the given sizes; their files lie in ``kept``."""

    def __init__(self, folder: Path, upstream: Upstream = QUICK, paid: Paid | None = None) -> None:
        self.folder = folder
        self.kept = folder / "kept"
        self.kept.mkdir(parents=True, exist_ok=True)
        self.outbox = Outbox(folder / "outbox.db", KEY)
        self.marker = Marker("b" * 32, "office", "m" * 32)
        self._upstream = upstream
        self._paid = paid or Unlimited()
        self._news = asyncio.Event()
        self.workers: list[Worker] = []
        self.sent: dict[str, bytes] = {}  # what must lie upstream, by key
        self.shown: list[wire.Upstream] = []  # every different picture

    def worker(self, target: Target, make: Callable[[], Place]) -> Worker:
        around = Surroundings(
            self.outbox,
            Reader(self.folder / "calls.db", KEY),
            self.kept,
            self.marker,
            self._paid,
            SystemClock(),
            self._upstream,
            self._changed,
        )
        self.workers.append(Worker(target, around, make))
        return self.workers[-1]

    def add(self, *sizes: int, first: int = 1) -> None:
        """Recordings numbered from ``first``: a head and a seal of some bytes, a body of each size."""
        units = []
        for number, size in enumerate(sizes, first):
            recording = f"{number:032x}"
            for kind, length in ((Kind.HEAD, 168), (Kind.SEAL, 700), (Kind.BODY, size)):
                found = content(number * 10 + len(kind), length)
                (self.kept / f"{recording}.{kind}").write_bytes(found)
                digest = "" if kind is Kind.HEAD else hashlib.sha256(found).hexdigest()
                key = recording_key(recording, kind, AT)
                known = size if kind is Kind.BODY else 0
                units.append(NewUnit(kind, key, 0, 0, AT, recording, f"c{number}", known, digest))
                self.sent[f"office/{key}"] = found
        self.outbox.add(units, {}, {worker.id: worker.kinds for worker in self.workers})
        for worker in self.workers:
            worker.wake()

    def count(self, state: str) -> int:
        """Jobs in a state."""
        row = self.outbox._db.execute("SELECT count(*) FROM job WHERE state = ?", (state,)).fetchone()
        assert row is not None
        return int(row[0])

    async def until(self, is_so: Callable[[], bool], seconds: float) -> None:
        """Waits for what a worker does; AssertionError with the last picture after ``seconds``."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not is_so():
            if loop.time() > end:
                raise AssertionError(f"not so after {seconds} s: {[worker.shown() for worker in self.workers]}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await self._news.wait()
            self._changed()
            self._news.clear()

    async def until_named(self, fault: str, seconds: float = 20) -> None:
        """Until the page names this: ``fault_full``, ``slow``."""
        await self.until(lambda: self.names(fault), seconds)

    def names(self, fault: str) -> bool:
        """The page has named this."""
        return any(_names(one, f"sync.{fault}") for one in self.shown)

    async def until_all_verified(self, seconds: float = 90) -> None:
        await self.until(lambda: self.count("verified") == len(self.sent) * len(self.workers), seconds)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(worker.run()) for worker in self.workers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for worker in self.workers:
                await asyncio.to_thread(worker.close)
            self.outbox.close()

    def _changed(self) -> None:
        for worker in self.workers:
            picture = worker.shown()
            if not self.shown or self.shown[-1] != picture:
                self.shown.append(picture)
        self._news.set()


def _names(one: wire.Upstream, key: str) -> bool:
    return (one.fault is not None and one.fault.key == key) or any(each.key == key for each in one.remarks)
