"""What was put is written, in order, whatever happens to the disk or the process."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.clock import VirtualClock
from appliance.records.events import Happened, State, StateEntered
from appliance.records.reader import Reader
from appliance.records.store import Store
from appliance.records.writer import DirectWriter, EventRefused, Report, Writer, WritesDelayed, WritesResumed, Written
from tests.records.given import KEY, a_call, opened, whole_call
from tests.records.test_store import rows
from tests.support.work import functions_entered

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def put_all(put: Callable[[Happened], None], happened: list[Happened]) -> None:
    for one in happened:
        put(one)


async def test_what_was_put_in_one_moment_is_one_transaction_and_told_with_its_numbers(tmp_path: Path) -> None:
    reports: list[Report] = []
    writer = Writer(Store(tmp_path / "calls.db", KEY, VirtualClock()), reports.append)
    writer.start()
    put_all(writer.put, whole_call("c1"))
    await writer.flush()
    await asyncio.sleep(0)
    whole = whole_call("c1")
    assert reports == [Written(tuple(range(1, len(whole) + 1)), tuple(whole))]
    await writer.close()


async def test_without_a_flush_it_is_written_soon_too(tmp_path: Path) -> None:
    told = asyncio.Event()
    writer = Writer(Store(tmp_path / "calls.db", KEY, VirtualClock()), lambda report: told.set())
    writer.start()
    writer.put(opened("c1"))
    await asyncio.wait_for(told.wait(), 5)
    await writer.close()


async def test_an_event_bears_the_time_at_which_it_was_put_not_that_of_the_writing(tmp_path: Path) -> None:
    clock = VirtualClock()
    writer = DirectWriter(Store(tmp_path / "calls.db", KEY, clock))
    before = clock.utc_ms()
    writer.put(opened("c1"))
    clock.advance_to(60)
    await writer.flush()
    with Reader(tmp_path / "calls.db", KEY) as reader:
        assert reader.last()[0].opened == before


async def test_a_database_that_is_full_delays_and_loses_nothing(tmp_path: Path) -> None:
    reports: list[Report] = []
    delayed = asyncio.Event()

    def heard(report: Report) -> None:
        reports.append(report)
        if isinstance(report, WritesDelayed):
            delayed.set()

    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    writer = Writer(store, heard)
    writer.start()
    await writer.call(lambda it: it.within(lambda db: db.execute("PRAGMA max_page_count=1").fetchall()))
    put_all(writer.put, [event for number in range(40) for event in whole_call(f"c{number}")])
    writing = asyncio.create_task(writer.flush())
    await delayed.wait()
    assert not writing.done()
    store.within(lambda db: db.execute("PRAGMA max_page_count=1073741823").fetchall())
    await writing
    await asyncio.sleep(0)
    assert [type(report) for report in reports] == [WritesDelayed, WritesResumed, Written]
    assert store.head().n == 40 * len(whole_call())
    await writer.close()


def test_a_disk_that_takes_no_more_bytes_delays_and_loses_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.records.crashing_writer", "full", str(tmp_path / "calls.db")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"{2 * len(whole_call())}\n"), done.stderr


async def test_an_event_the_database_refuses_does_not_hold_up_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reports: list[Report] = []
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    writer = DirectWriter(store, reports.append)
    wrong = StateEntered("c1", State.MENU, "soon")  # type: ignore[arg-type] # what mypy would have caught
    put_all(writer.put, [opened("c1"), wrong, StateEntered("c1", State.TALKING, 5)])
    writer.flush_now()
    assert [type(report) for report in reports] == [Written, EventRefused, Written]
    assert store.head().n == 2 and "conversation.state" in caplog.text


async def test_work_runs_in_its_turn_and_its_failure_goes_to_who_asked(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    writer = Writer(store, lambda report: None)
    writer.start()
    put_all(writer.put, whole_call("c1"))
    assert await writer.call(lambda it: it.head().n) == len(whole_call("c1"))
    with pytest.raises(ZeroDivisionError):
        await writer.call(lambda it: 1 // 0)
    writer.put(opened("c2"))
    assert await writer.call(lambda it: it.head().n) == len(whole_call("c1")) + 1
    await writer.close()


async def test_after_the_end_everything_is_in_the_file_and_readers_can_still_open_it(tmp_path: Path) -> None:
    writer = Writer(Store(tmp_path / "calls.db", KEY, VirtualClock()), lambda report: None)
    writer.start()
    put_all(writer.put, whole_call("c1"))
    await writer.close()
    assert (tmp_path / "calls.db-wal").stat().st_size == 0
    with Reader(tmp_path / "calls.db", KEY) as reader:
        assert reader.counts().outcomes == {"served": 1}


async def test_an_end_that_cannot_wait_gives_up_what_the_disk_does_not_take(tmp_path: Path) -> None:
    reports: list[Report] = []
    writer = Writer(Store(tmp_path / "calls.db", KEY, VirtualClock()), reports.append)
    writer.start()
    await writer.call(lambda it: it.within(lambda db: db.execute("PRAGMA max_page_count=1").fetchall()))
    put_all(writer.put, [event for number in range(40) for event in whole_call(f"c{number}")])
    await asyncio.wait_for(writer.close(give_up=True), 10)
    await asyncio.sleep(0)
    assert not any(isinstance(report, Written) for report in reports)


def test_a_writer_that_is_killed_loses_nothing_it_had_acknowledged(tmp_path: Path) -> None:
    rng = random.Random(7)
    path = tmp_path / "calls.db"
    for _ in range(142 if os.environ.get("PASOKH_LONG") else 3):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.records.crashing_writer", "for-ever", str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        with process.stdout:
            for _ in range(rng.randrange(1, 30)):
                acknowledged = process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            acknowledged = (acknowledged + process.stdout.read()).split(b"\n")[:-1][-1]
            process.wait()
        store = Store(path, KEY, VirtualClock())
        assert store.head().n >= int(acknowledged)
        assert store.verify() == store.head()
        before = rows(store)
        store.rebuild()
        assert rows(store) == before
        store.close()


def test_a_call_is_little_work_to_write(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())

    def fifty() -> None:
        for number in range(50):
            for moment in a_call(f"{number:032x}"):
                store.apply(moment)

    assert functions_entered(fifty) / 50 < 450
    store.close()
