"""Row 90: uploads yield to calls. A line of 1 Mbit/s, four calls on it, and recordings that want to leave.

The line is a pair of network interfaces with a token bucket filter (tc tbf); the far end lives in a network namespace.
What calls lose is their MOS by the E-model, from the packets that were lost and the delay of 95 in 100.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.media import quality
from appliance.sync.pace import HIGHEST, Bucket, Pace, Strain
from appliance.sync.s3 import S3
from appliance.sync.settings import Target, Upstream
from tests.sync.far_end import VOICE
from tests.sync.workshop import Workshop

CALLS = 4
PACKET_SECONDS = 0.02
PACKET_BYTES = 172  # 20 ms of G.711 and the RTP header
MEASURED_SECONDS = 8.0
BASE_DELAY_MS = 60.0  # packetisation and the listener's jitter buffer
ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]


@dataclass(frozen=True)
class Line:
    namespace: str
    near: str
    address: str


@pytest.fixture
def line() -> Iterator[Line]:
    tag = secrets.token_hex(3)
    found = Line(f"pasokh-{tag}", f"pn{tag}", f"10.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}.2")
    near = found.address[:-1] + "1"
    run("ip", "netns", "add", found.namespace)
    try:
        run("ip", "link", "add", found.near, "type", "veth", "peer", "name", f"pf{tag}", "netns", found.namespace)
        run("ip", "addr", "add", f"{near}/24", "dev", found.near)
        run("ip", "link", "set", found.near, "up")
        within = ("ip", "-n", found.namespace)
        run(*within, "addr", "add", f"{found.address}/24", "dev", f"pf{tag}")
        run(*within, "link", "set", f"pf{tag}", "up")
        run(
            "tc", "qdisc", "add", "dev", found.near, "root", "tbf", "rate", "1mbit", "burst", "3000", "latency", "400ms"
        )
        yield found
    finally:
        run("ip", "netns", "del", found.namespace)


def run(*command: str) -> None:
    subprocess.run([*ROOT, *command], check=True, capture_output=True, timeout=20)


@contextlib.asynccontextmanager
async def far_end(line: Line) -> AsyncIterator[tuple[dict[str, object], asyncio.subprocess.Process]]:
    process = await asyncio.create_subprocess_exec(
        *ROOT, "ip", "netns", "exec", line.namespace, sys.executable, "-m", "tests.sync.far_end", line.address,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=dict(os.environ),
    )  # fmt: skip
    assert process.stdout is not None and process.stdin is not None
    try:
        yield json.loads(await process.stdout.readline()), process
    finally:
        process.stdin.close()
        await process.wait()


async def speak(address: tuple[str, int], stopped: asyncio.Event) -> None:
    """Four voices, 50 packets a second each."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
        began, number = loop.time(), 0
        while not stopped.is_set():
            for stream in range(CALLS):
                voice.sendto(VOICE.pack(stream, number, loop.time()).ljust(PACKET_BYTES, b"\0"), address)
            number += 1
            await asyncio.sleep(max(0.0, began + number * PACKET_SECONDS - loop.time()))


async def heard(process: asyncio.subprocess.Process, seconds: float) -> tuple[float, dict[str, float]]:
    """The MOS of the next seconds, and what it is made of."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"\n")
    await process.stdout.readline()  # what was before
    await asyncio.sleep(seconds)
    process.stdin.write(b"\n")
    found: dict[str, float] = json.loads(await process.stdout.readline())
    share = found["lost"] / max(1.0, found["packets"] + found["lost"])
    return quality.mos(quality.r_factor(share, BASE_DELAY_MS + found["delay_ms"])), found


def test_calls_on_a_megabit_lose_at_most_a_tenth_of_mos_while_recordings_are_sent(line: Line, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with far_end(line) as (where, process):
            stopped = asyncio.Event()
            voices = asyncio.create_task(speak((line.address, int(str(where["voices"]))), stopped))
            alone, first = await heard(process, MEASURED_SECONDS)
            bucket = Bucket(Pace(most_in_calls=Upstream().bytes_per_second_in_calls).told(Strain(calls=CALLS)))
            shop = Workshop(tmp_path / "box", Upstream(), bucket)
            target = Target(name="store", kind="s3", url=str(where["url"]), bucket="bucket")
            worker = shop.worker(target, lambda: S3(target, "office", "id secret", 20))
            async with shop.running():
                shop.add(*[500_000] * 4)
                await shop.until(lambda: bucket.taken > 60_000, 30)
                sent = bucket.taken
                paced, second = await heard(process, MEASURED_SECONDS)
                rate = (bucket.taken - sent) / MEASURED_SECONDS
                bucket.set_rate(HIGHEST)  # what it would be without yielding
                unpaced, third = await heard(process, MEASURED_SECONDS / 2)
                stopped.set()
                await voices
                assert worker.plan.parked is None
            print(
                f"alone: {alone:.2f} {first}; yielding: {paced:.2f} {second} {rate:.0f} B/s; not: {unpaced:.2f} {third}"
            )
            assert alone - paced <= 0.1 and rate > 15_000
            assert paced - unpaced > 0.1  # the measurement can tell

    asyncio.run(scenario())
