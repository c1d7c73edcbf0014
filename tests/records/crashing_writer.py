"""A program for test_writer: writes calls for ever, prints how many events are acknowledged, and is killed."""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from appliance.clock import SystemClock
from appliance.records.store import Store
from appliance.records.writer import Report, Writer, WritesDelayed, WritesResumed, Written
from tests.records.given import KEY, a_call


async def write_for_ever(path: Path) -> None:
    store = Store(path, KEY, SystemClock())
    writer = Writer(store, lambda report: None)
    writer.start()
    acknowledged = store.head().n
    number = 0
    while True:
        for moment in a_call(f"{acknowledged}-{number}"):
            for happened in moment:
                writer.put(happened)
                acknowledged += 1
            if number % 3:
                await asyncio.sleep(0)
            else:
                await writer.flush()
                print(acknowledged, flush=True)
        number += 1


async def write_into_a_full_disk(path: Path) -> None:
    """Files may not grow for a while; what was put meanwhile must be there in the end."""
    reports: list[Report] = []
    delayed = asyncio.Event()

    def heard(report: Report) -> None:
        reports.append(report)
        if isinstance(report, WritesDelayed):
            delayed.set()

    store = Store(path, KEY, SystemClock())
    writer = Writer(store, heard)
    writer.start()
    for moment in a_call("before"):
        for happened in moment:
            writer.put(happened)
    await writer.flush()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((path.parent / "calls.db-wal").stat().st_size + 100, limit[1]))
    for moment in a_call("meanwhile"):
        for happened in moment:
            writer.put(happened)
    waiting = asyncio.create_task(writer.flush())
    await delayed.wait()
    assert not waiting.done()
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    await waiting
    await asyncio.sleep(0)
    assert any(isinstance(report, WritesResumed) for report in reports)
    numbers = [number for report in reports if isinstance(report, Written) for number in report.numbers]
    assert numbers == list(range(1, store.head().n + 1)), numbers
    await writer.close()
    print(store.head().n)


if __name__ == "__main__":
    asyncio.run((write_for_ever if sys.argv[1] == "for-ever" else write_into_a_full_disk)(Path(sys.argv[2])))
