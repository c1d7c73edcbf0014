"""A file a day for accountants and BI: ``calls-2026-11-27.csv`` (opens in Excel) and the same as JSON lines.

A day is that of the box's zone. The files of a day are written anew, whole, whenever one of its records has closed or
was revised, out of the records as they stand: what was erased is gone from them, and nothing stands twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from pathlib import Path

from appliance.messages.calendar import TEHRAN
from appliance.records import cdr
from appliance.records.reader import Conversation
from appliance.sync.faults import Fault, Why, disk
from appliance.sync.folder import Folder
from appliance.sync.port import Marker, Parcel, Remark
from appliance.sync.units import Unit

OfDay = Callable[[int, int], list[Conversation]]  # opened since, opened before (UTC ms)
Touched = Callable[[Unit], Iterable[Conversation]]


class Daily:
    """``of_day`` reads the records of a day, ``touched`` those that a unit is about."""

    def __init__(self, root: Path, prefix: str, of_day: OfDay, touched: Touched) -> None:
        self._root = root
        self._prefix = prefix
        self._folder = Folder(root, prefix)
        self._of_day = of_day
        self._touched = touched
        self._written: dict[Path, bytes] = {}

    def greet(self, marker: Marker, *, was_here: bool = False, takes_over: bool = False) -> Marker:
        return self._folder.greet(marker, was_here=was_here, takes_over=takes_over)

    def probe(self, *, writes: bool) -> None:
        self._folder.probe(writes=writes)

    def place(self, parcel: Parcel) -> None:
        self._folder.probe(writes=False)
        self._written.clear()
        for day in sorted({day_of(one.opened) for one in self._touched(parcel.unit)}):
            found = self._of_day(*bounds(day))
            lines = "".join(json.dumps(cdr.as_json(one), ensure_ascii=False) + "\n" for one in found)
            for ending, content in (("csv", cdr.as_csv(found)), ("jsonl", lines)):
                file = self._root / self._prefix / f"calls-{day}.{ending}"
                self._written[file] = content.encode("utf-8", "replace")
                with disk(str(file)):
                    self._folder.write(file, iter((self._written[file],)))
                parcel.sent_bytes += len(self._written[file])

    def verify(self, parcel: Parcel) -> str:  # noqa: ARG002 - what was written last is that parcel's
        for file, content in self._written.items():
            with disk(str(file)):
                if b"".join(self._folder.read(file)) != content:
                    raise Fault(Why.MANGLED, str(file))
        return ", ".join(str(file) for file in self._written) or str(self._root / self._prefix)

    def sweep(self, keep: frozenset[str]) -> None:  # noqa: ARG002 - a half-written file is written over
        return

    def erase(self, keys: list[str]) -> list[str]:  # noqa: ARG002 - no recordings come here
        return []

    def remarks(self) -> list[Remark]:
        return []

    def close(self) -> None:
        return


def day_of(at_utc_ms: int) -> date:
    return datetime.fromtimestamp(at_utc_ms / 1000, TEHRAN).date()


def bounds(day: date) -> tuple[int, int]:
    """The first millisecond of a day and of the next one."""
    start = datetime.combine(day, time(), TEHRAN)
    since = round(start.timestamp() * 1000)
    return since, since + 86_400_000  # the zone has no daylight saving since 2022
