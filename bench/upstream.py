"""What sending costs, on loopback: recordings a second to a real S3 server, CPU for each, idling, and the outbox.

The S3 server is a process of its own; CPU is that of the sending process alone (all its threads).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from appliance.sync.outbox import NewUnit, Outbox
from appliance.sync.plan import Job, State
from appliance.sync.s3 import S3
from appliance.sync.settings import Target, Upstream
from appliance.sync.targets import kinds
from appliance.sync.units import RANKS, Kind
from tests.support.seaweed import Seaweed
from tests.sync.office import office
from tests.sync.workshop import Workshop

RECORDINGS = 200
BYTES = 500_000
IDLE_SECONDS = 60.0
SENT_UNITS = 1_000_000
WARM_UNITS, MEASURED_UNITS = 500, 2000


def throughput() -> dict[str, float]:
    """Head, body and seal of each recording: sent, read back, noted."""

    async def run(server: Seaweed, folder: Path) -> dict[str, float]:
        shop = Workshop(folder / "box", Upstream())
        target = Target(name="store", kind="s3", url=server.url, bucket="upstream")
        shop.worker(target, lambda: S3(target, "office", f"{server.access} {server.secret}", 20))
        async with shop.running():
            shop.add(*[BYTES] * 20)
            await shop.until(lambda: shop.count("verified") == 60, 120)
            shop.add(*[BYTES] * RECORDINGS, first=1000)
            began, cpu = time.monotonic(), time.process_time()
            await shop.until(lambda: shop.count("verified") == 3 * (RECORDINGS + 20), 600)
            seconds, spent = time.monotonic() - began, time.process_time() - cpu
        return {
            "recordings_per_second": round(RECORDINGS / seconds, 1),
            "cpu_ms_per_recording": round(1000 * spent / RECORDINGS, 1),
            "recordings": RECORDINGS,
            "bytes_each": BYTES,
        }

    with tempfile.TemporaryDirectory() as name, Seaweed(Path(name) / "s3") as server:
        server.make_bucket("upstream")
        return asyncio.run(run(server, Path(name)))


def idle() -> dict[str, float]:
    """``pasokh sync`` with a target and nothing to do: its share of one core."""

    async def run(folder: Path) -> dict[str, float]:
        target = f'[[target]]\nname = "usb"\nkind = "folder"\nfolder = "{folder}"\n'
        async with office(target, "") as it:
            it.call(1)
            process = await it.start()
            await it.until_receipts(3)
            await asyncio.sleep(20)  # the batch of events, and its receipt
            before = _cpu_seconds(process.pid)
            await asyncio.sleep(IDLE_SECONDS)
            spent = _cpu_seconds(process.pid) - before
            resident = int((Path("/proc") / str(process.pid) / "statm").read_text().split()[1]) * 4
        return {"idle_share_percent": round(100 * spent / IDLE_SECONDS, 3), "resident_kb_folder_target": resident}

    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(run(Path(name)))


def _cpu_seconds(process: int) -> float:
    """Of all threads, finer than the ticks of /proc/PID/stat."""
    total = 0
    for task in (Path("/proc") / str(process) / "task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def outbox() -> dict[str, float]:
    """Microseconds per unit (cut, found, settled, told) with nothing sent before, and with a million."""
    with tempfile.TemporaryDirectory() as name:
        box = Outbox(Path(name) / "outbox.db", bytes(32))
        target = box.target("store", kinds(Target(name="store", kind="s3")))
        box._db.execute("PRAGMA synchronous=OFF")  # the disk is not what is measured here
        fresh = _per_unit(box, target, 0)
        with box._transaction():
            box._db.execute(
                "INSERT INTO unit (number, kind, key, first, last, recording, conversation, born, size, sha256)"
                " WITH RECURSIVE n(i) AS (SELECT 1000000 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000 + ?)"
                " SELECT i, 'body', 'recordings/2026/01/01/' || i || '.body', 0, 0, 'r' || i, 'c' || i, 0, 500000,"
                " hex(randomblob(32)) FROM n",
                (SENT_UNITS - 1,),
            )
            box._db.execute(
                "INSERT INTO job (target, unit, rank, state) SELECT ?, number, ?, 'told' FROM unit"
                " WHERE number >= 1000000",
                (target, RANKS[Kind.BODY]),
            )
        box._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        late = _per_unit(box, target, 10_000_000)
        size = (Path(name) / "outbox.db").stat().st_size
        box.close()
    return {
        "us_per_unit_at_0": round(fresh, 1),
        "us_per_unit_at_1000000": round(late, 1),
        "outbox_bytes_per_sent_unit": round(size / SENT_UNITS, 1),
    }


def _per_unit(box: Outbox, target: int, first: int) -> float:
    began = 0.0
    for number in range(first, first + WARM_UNITS + MEASURED_UNITS):
        if number == first + WARM_UNITS:
            began = time.process_time()
        box.add(
            [NewUnit(Kind.BODY, f"k{number}", 0, 0, 0, f"q{number}", "c", 500_000, "ab")], {}, {target: {Kind.BODY}}
        )
        job = box.first(target, Kind.BODY, ())
        assert isinstance(job, Job)
        box.settled(target, job, State.VERIFIED, 500_000, "there")
        box.told(box.verified(), 1)
        box.standing(target)
    return (time.process_time() - began) * 1e6 / MEASURED_UNITS


def measure() -> dict[str, float]:
    return {**outbox(), **idle(), **throughput(), "cores": float(os.cpu_count() or 0)}
