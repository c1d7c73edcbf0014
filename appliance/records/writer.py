"""The store's thread: events are put in by the loop, written one transaction per drained inbox, and told back.

``put`` never waits. What was put within ``LINGER_SECONDS`` goes to the thread together; what comes while a transaction
is being written goes into the next. A disk that is full, or fails, delays: the batch is kept and tried again until it
is written, the owner hears ``WritesDelayed`` once and ``WritesResumed`` after, and ``flush`` waits that long. Events
that the database refuses for what they are (a fault of our own) are written one by one: one cannot hold up others.

Policy of the thread: nothing that was put is dropped while the process lives, and the order is kept.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from appliance.records import database
from appliance.records.events import Happened
from appliance.records.store import Stamped, Store

log = logging.getLogger(__name__)

T = TypeVar("T")

LINGER_SECONDS = 0.1  # what happens within it becomes one transaction: each costs an fdatasync and about 0.2 ms of CPU
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Written:
    """These events are on the disk. ``numbers`` and ``happened`` go together, in order."""

    numbers: tuple[int, ...]
    happened: tuple[Happened, ...]


@dataclass(frozen=True, slots=True)
class WritesDelayed:
    """The database cannot be written now (disk full, failing card): a finding. It is tried again and again."""

    reason: str


@dataclass(frozen=True, slots=True)
class WritesResumed:
    """Everything that had been kept back is written."""


@dataclass(frozen=True, slots=True)
class EventRefused:
    """One event did not fit the database: a fault of our own, in the journal; nothing else was held up."""

    kind: str
    reason: str


Report = Written | WritesDelayed | WritesResumed | EventRefused
Deliver = Callable[[Report], None]
Work = Callable[[Store], T]


class Records(Protocol):
    """What calls uses to keep what happened: ``Writer`` on the box, ``DirectWriter`` in virtual time."""

    def put(self, happened: Happened) -> None:
        """Takes an event; written soon, in the order of putting."""
        ...

    async def flush(self) -> None:
        """Returns when everything put before is on the disk."""
        ...

    async def call(self, work: Work[T]) -> T:
        """Runs ``work`` where the store lives, after everything put before; its result or exception."""
        ...


class Writer:
    """Owns the thread and, from ``start`` to ``close``, the store.

    ``deliver`` runs in the loop that called ``start``.
    """

    def __init__(self, store: Store, deliver: Deliver) -> None:
        self._store = store
        self._deliver = deliver
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held: list[Stamped | _Task] = []
        self._is_scheduled = False
        self._inbox: deque[Stamped | _Task] = deque()
        self._news = threading.Condition()
        self._is_closing = False
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)

    def start(self) -> None:
        """Starts the thread; to be called in the loop that wants the reports."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def put(self, happened: Happened) -> None:
        """Takes an event; stamped now, written within some 100 ms. From the loop's thread only."""
        self._held.append(self._store.stamped(happened))
        if not self._is_scheduled and self._loop is not None:
            self._is_scheduled = True
            self._loop.call_later(LINGER_SECONDS, self._hand_over)

    async def flush(self) -> None:
        """Returns when everything put before is on the disk."""
        await self.call(lambda _: None)

    async def call(self, work: Work[T]) -> T:
        """Runs ``work`` in the thread after everything put before; its result or exception. No event by this way."""
        task = _Task(work)
        self._held.append(task)
        self._hand_over()
        result: T = await asyncio.wrap_future(task.done)
        return result

    async def close(self, *, give_up: bool = False) -> None:
        """Writes what is left, ends the thread and moves everything into the file (``Store.close_hard``).

        With ``give_up`` a batch that cannot be written now is left behind instead of being waited for.
        """
        self._hand_over()
        with self._news:
            self._is_closing = True
            self._news.notify()
        if give_up:
            self._abandoned.set()
        await asyncio.to_thread(self._thread.join)

    def _hand_over(self) -> None:
        self._is_scheduled = False
        if self._held:
            with self._news:
                self._inbox.extend(self._held)
                self._news.notify()
            self._held = []

    def _run(self) -> None:
        while (entries := self._drained()) is not None:
            batch: list[Stamped] = []
            for entry in entries:
                if isinstance(entry, Stamped):
                    batch.append(entry)
                else:
                    self._write(batch)
                    batch = []
                    entry.run(self._store)
            self._write(batch)
        try:
            self._store.close_hard()
        except database.FullOrFailing as error:
            log.error("calls.db was left with its write-ahead log: %s", error)

    def _drained(self) -> list[Stamped | _Task] | None:
        with self._news:
            while not self._inbox:
                if self._is_closing:
                    return None
                self._news.wait()
            entries = list(self._inbox)
            self._inbox.clear()
            return entries

    def _write(self, batch: Sequence[Stamped]) -> None:
        """Writes ``batch``, however long it takes."""
        pause = FIRST_PAUSE_SECONDS
        is_delayed = False
        while batch:
            try:
                reports = write(self._store, batch)
            except database.FullOrFailing as error:
                if not is_delayed:
                    log.error("calls.db cannot be written, %d events wait: %s", len(batch), error)
                    self._tell(WritesDelayed(str(error)))
                is_delayed = True
                if self._abandoned.wait(pause):
                    log.error("%d events were not written", len(batch))
                    return
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            if is_delayed:
                log.warning("calls.db is written again")
                self._tell(WritesResumed())
            for report in reports:
                self._tell(report)
            return

    def _tell(self, report: Report) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, report)


class DirectWriter:
    """The same without a thread, for virtual time: events wait until ``flush_now`` (or ``flush``) writes them."""

    def __init__(self, store: Store, deliver: Deliver | None = None) -> None:
        self._store = store
        self._deliver = deliver
        self._held: list[Stamped] = []

    def put(self, happened: Happened) -> None:
        self._held.append(self._store.stamped(happened))

    def flush_now(self) -> None:
        """Writes what was put, in one transaction; what cannot be written raises and stays."""
        if not self._held:
            return
        reports = write(self._store, self._held)
        self._held = []
        for report in reports:
            if self._deliver is not None:
                self._deliver(report)

    async def flush(self) -> None:
        self.flush_now()

    async def call(self, work: Work[T]) -> T:
        self.flush_now()
        return work(self._store)


class _Task:
    """Something else than events that the thread shall do, in its turn."""

    __slots__ = ("done", "work")

    def __init__(self, work: Work[Any]) -> None:
        self.work = work
        self.done: Future[Any] = Future()

    def run(self, store: Store) -> None:
        if not self.done.set_running_or_notify_cancel():
            return
        try:
            self.done.set_result(self.work(store))
        except BaseException as error:  # noqa: BLE001 - handed whole to whoever awaits the result
            self.done.set_exception(error)


def write(store: Store, batch: Sequence[Stamped]) -> list[Report]:
    """One transaction; if the database refuses one of the events, one transaction each."""
    try:
        return [_written(store.apply_stamped(batch), batch)]
    except database.Unacceptable:
        reports: list[Report] = []
        for one in batch:
            try:
                reports.append(_written(store.apply_stamped([one]), [one]))
            except database.Unacceptable as error:
                log.exception("an event of kind %s was refused by the database", one.happened.kind)
                reports.append(EventRefused(one.happened.kind, str(error)))
        return reports


def _written(numbers: list[int], batch: Sequence[Stamped]) -> Written:
    return Written(tuple(numbers), tuple(one.happened for one in batch))
