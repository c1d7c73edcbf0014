"""The box's own backups, made and drilled by the calls process while calls go on.

Here and nowhere else, because calls alone may read the secrets and keeps the key of calls.db: a service for backups
would need both. The work runs in a thread with the lowest priority, beside the loop and beside the records' thread,
through connections that can only read; it writes into one folder. What came of it is an event and, where a person must
act, a finding. No backup without the owner's key: the page says that the key is missing already.

A drill that failed is tried again with the next backup. So that an old drill's failure and a good backup do not hide
each other, each has a finding of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from appliance.backup import drill, making, plan
from appliance.backup.drill import Report
from appliance.backup.making import Made
from appliance.backup.restoring import MARK
from appliance.backup.settings import Backup
from appliance.clock import Clock
from appliance.errors import Problem
from appliance.places import Places
from appliance.records import backups, events
from appliance.records.writer import Records

log = logging.getLogger(__name__)

FIRST_SECONDS = 600.0  # after a start there is other work
LOOK_SECONDS = 60.0
NICE = 15


class Upkeep:
    """``found`` is told the findings about backups whenever they may have changed; ``run`` is a task of the process."""

    def __init__(
        self,
        settings: Backup,
        file: Path,
        places: Places,
        box: str,
        records: Records,
        clock: Clock,
        found: Callable[[Mapping[str, Problem]], None],
    ) -> None:
        self._settings = settings
        self._file = file
        self._places = places
        self._box = box
        self._records = records
        self._clock = clock
        self._found = found
        self._kept = plan.Kept(since=0)
        self.folder = Path(settings.folder) if settings.folder else places.data / "backups"

    async def start(self) -> None:
        """What the records know; and, in a box that was just restored, the event that says so."""
        known = await self._records.call(lambda store: store.within(backups.last))
        is_failing = known.failed > known.made
        self._kept = plan.Kept(
            since=known.since or self._clock.utc_ms(),
            made=known.made,
            drilled=0 if known.drill_reason else known.drilled,
            failed=Problem("backup.failed", reason=known.failed_reason) if is_failing else None,
            failed_at=known.failed,
            drill_failed=known.drill_reason,
        )
        await self._tell_restored()
        self._show()

    @property
    def figures(self) -> dict[str, int]:
        """When the last backup and the last good drill were, in seconds since 1970; 0: never."""
        return {"backup_made_s": self._kept.made // 1000, "backup_drilled_s": self._kept.drilled // 1000}

    async def run(self) -> None:
        """Looks until it is cancelled."""
        period = self._settings.every_hours * 3600
        await asyncio.sleep(min(FIRST_SECONDS, period))
        while True:
            await self.look()
            await asyncio.sleep(min(LOOK_SECONDS, period) if period else LOOK_SECONDS)

    async def look(self) -> None:
        """Makes a backup if one is due."""
        now = self._clock.utc_ms()
        if plan.is_due(self._settings, self._kept, now):
            try:
                if not await asyncio.to_thread(self._has_key):
                    return
                made, report = await asyncio.to_thread(_lowly, self._make)
            except Problem as problem:
                self._failed(problem, now)
            else:
                self._made(made, report, now)
        self._show()

    def _has_key(self) -> bool:
        try:
            return bool(making.recipients_of(self._places))
        except Problem as problem:
            if problem.key == "backup.no_recipient":
                return False
            raise

    def _make(self) -> tuple[Made, Report | None]:
        now = self._clock.utc_ms()
        if not self._settings.folder:
            self.folder.mkdir(mode=0o750, exist_ok=True)
        elif not self.folder.is_dir():
            raise Problem("backup.no_folder", folder=str(self.folder))
        beside = self.folder / f".making-{os.getpid()}.age"
        beside.unlink(missing_ok=True)
        if plan.is_drill_due(self._settings, self._kept, now):
            made, report = drill.make_and_drill(self._file, self._places, self._box, beside, now)
        else:
            made, report = making.make(self._file, self._places, self._box, beside, now), None
        moment = datetime.datetime.fromtimestamp(now / 1000, datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        file = self.folder / plan.name_of(self._box, moment, made.head.n)
        try:
            beside.rename(file)
            for name in plan.superseded(os.listdir(self.folder), self._box, self._settings.keep):
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise Problem("backup.unwritable", file=str(file), reason=error.strerror or str(error)) from error
        return replace(made, file=file), report

    def _made(self, made: Made, report: Report | None, now: int) -> None:
        self._kept = replace(self._kept, made=now, failed=None)
        put = self._records.put
        put(events.BackupMade(made.file.name, made.bytes, made.sha256, made.head.n, made.recipients))
        log.info("backup %s: %d bytes, to event %d", made.file.name, made.bytes, made.head.n)
        if report is None:
            return
        reason = report.problem.key if report.problem is not None else ""
        put(events.BackupDrilled(reason, report.files, report.head_n, report.requests_open, report.milliseconds))
        self._kept = replace(self._kept, drill_failed=reason, drilled=self._kept.drilled if reason else now)
        log.log(logging.ERROR if reason else logging.INFO, "backup drill: %s", report.problem or "restored whole")

    def _failed(self, problem: Problem, now: int) -> None:
        if self._kept.failed is None or self._kept.failed.key != problem.key:
            self._records.put(events.BackupFailed(problem.key))
        log.error("no backup was made: %s", problem)
        self._kept = replace(self._kept, failed=problem, failed_at=now)

    def _show(self) -> None:
        self._found(plan.findings(self._settings, self._kept, self._clock.utc_ms()))

    async def _tell_restored(self) -> None:
        mark = self._places.data / MARK
        try:
            about = json.loads(mark.read_text(encoding="utf-8"))
            restored = events.BoxRestored(int(about["made_utc_ms"]), str(about["version"])[:40], int(about["head_n"]))
        except (OSError, ValueError, KeyError, TypeError):
            return
        self._records.put(restored)
        await self._records.flush()
        with contextlib.suppress(OSError):
            mark.unlink()


def _lowly(work: Callable[[], tuple[Made, Report | None]]) -> tuple[Made, Report | None]:
    """Runs ``work`` at a low priority in a thread that ends with it, so that no other work inherits that."""
    done: list[tuple[Made, Report | None] | BaseException] = []

    def run() -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - handed whole to whoever waits
            done.append(error)

    thread = threading.Thread(target=run, name="backup")
    thread.start()
    thread.join()
    found = done[0]
    if isinstance(found, BaseException):
        raise found
    return found
