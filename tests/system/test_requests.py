"""Callbacks among other people's programs: asked for at random moments of the line, then dialled and reached.

Callers are SIPp (keys by INFO), pyVoIP (keys by RFC 4733) and our softphone; customers who are called back are SIPp,
agents are pyVoIP. A sample in ``make check``; two hundred in ``make long ONLY=requests``.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.records.database import Connection
from tests.support.box import Box, free_ports, rtp_range, running
from tests.support.softphone import Softphone
from tests.support.waiting import until
from tests.system import sipp
from tests.system.answering import INVITE, USED, request, response
from tests.system.sipp import pause, recv, scenario, sdp, send
from tests.system.test_callbacks import FLOW
from tests.system.test_crashes import VOICE

LONG = bool(os.environ.get("PASOKH_LONG"))
SIPP, PYVOIP, OURS = (130, 20, 50) if LONG else (8, 2, 4)
AGENTS = 6 if LONG else 3
AT_ONCE = 25
LATEST_SECONDS = 25.0
PLAYERS = Path("tests/support/players").resolve()
ANNOUNCED = FLOW.replace(
    'on_leave = "callback"', 'on_leave = "callback"\nannounce = ["queue_place"]\nevery_seconds = 10'
)
PRESSES = send(
    "INFO", body="Signal=1\nDuration=100\n", routes=True, headers="X-Key: 1", retrans=500
).replace("application/sdp", "application/dtmf-relay")  # fmt: skip
HANGS_UP = ('<recv request="BYE" timeout="90000"/>', response(200, "OK", tag=""))
CALLER = scenario(
    send("INVITE", body=sdp(), to_tag=False),
    recv(100, optional=True),
    recv(200, rrs=True),
    send("ACK", routes=True, retrans=0),
    f'<pause distribution="uniform" min="500" max="{round(LATEST_SECONDS * 1000)}"/>',
    PRESSES,
    recv(200),
    *HANGS_UP,
).replace("09121234567@", "[field0]@")
CUSTOMER = scenario(
    INVITE,
    USED,
    response(180, "Ringing"),
    pause(300),
    response(200, "OK", sdp(port="[auto_media_port]")),
    recv("ACK"),
    pause(3000),
    request("INFO", 1, "application/dtmf-relay", "Signal=1\nDuration=160\n"),
    recv(200),
    *HANGS_UP,
)


def the_box(trunk: int) -> Box:
    phones = [f"desk{number}" for number in range(1, AGENTS + 1)]
    names = ", ".join(f'"{name}"' for name in ("first", *(f"agent{number}" for number in range(2, AGENTS + 1))))
    queue = (
        f'[[queue]]\nname = "reception"\nagents = [{names}]\nstrategy = "longest_idle"\ncallback_first = "customer"\n'
        "callback_spacing_minutes = 1\nring_seconds = 20\nmisses = 100\n"
    )
    box = Box(
        f"127.0.0.2:{trunk}",
        phones=phones,
        max_calls=300,
        flow=ANNOUNCED,
        extra=queue,
        extra_trunk='sources = ["127.0.0.2"]',
    )
    box.file.write_text(box.file.read_text().replace("[calls]\n", f"[calls]\nmost_callbacks = {AGENTS}\n"))
    return box


class Peers:
    """The programs of others, ended by their ids."""

    def __init__(self, box: Box, folder: Path) -> None:
        self.box = box
        self.folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def customers(self, trunk: int, count: int) -> None:
        folder = self.folder / "customers"
        folder.mkdir()
        (folder / "scenario.xml").write_text(CUSTOMER)
        self._run(
            ["sipp", f"127.0.0.1:{self.box.sip}", "-sf", "scenario.xml", "-i", "127.0.0.2", "-p", str(trunk), "-mp",
             str(rtp_range(100)), "-m", str(count * 2), "-nostdin", "-trace_err", "-error_file", "errors.log"],
            folder,
        )  # fmt: skip

    def agents(self, voice: Path) -> None:
        for number in range(1, AGENTS + 1):
            (mine,) = free_ports(1, "127.0.0.3")
            self._run(
                [sys.executable, str(PLAYERS / "phone.py"), "--box", f"127.0.0.1:{self.box.sip}", "--mine",
                 f"127.0.0.3:{mine}", "--user", f"desk{number}", "--voice", str(voice), "--talk", "3", "--rtp",
                 str(rtp_range(40))],
                self.folder,
            )  # fmt: skip

    async def calls(self, number: str, wait: float, voice: Path) -> None:
        """pyVoIP rings, waits a moment, presses the key, and stays until the box hangs up."""
        (mine,) = free_ports(1, "127.0.0.2")
        done = await asyncio.create_subprocess_exec(
            sys.executable, str(PLAYERS / "caller.py"), "--box", f"127.0.0.1:{self.box.sip}", "--mine",
            f"127.0.0.2:{mine}", "--caller", number, "--number", "02188123456", "--voice", str(voice), "--script",
            f"wait {wait:.2f},press 1,stay 20", "--rtp", str(rtp_range(40)), stdout=subprocess.DEVNULL,
        )  # fmt: skip
        assert await asyncio.wait_for(done.wait(), 120) == 0

    def stop(self) -> None:
        for each in self._running:
            each.send_signal(signal.SIGKILL)
            each.wait(10)
            assert each.stdin is not None
            each.stdin.close()

    def _run(self, command: list[str], folder: Path) -> None:
        environment = {**os.environ, "PLAYER_PASSWORD": self.box.password}
        self._running.append(
            subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip


def states(box: Box) -> list[tuple[str, str]]:
    """Of each callback the customer and its state, in order of the numbers."""

    def query(db: Connection) -> list[tuple[str, str]]:
        rows = db.execute("SELECT customer, state FROM request WHERE what = 'callback' ORDER BY customer").fetchall()
        return [(str(row[0]), str(row[1])) for row in rows]

    with box.reader() as reader:
        return reader.within(query)


@pytest.mark.timeout(1800)
def test_a_callback_is_asked_for_at_any_moment_and_reached_among_the_programs_of_others(tmp_path: Path) -> None:
    trunk, mine, other = free_ports(3, "127.0.0.2")
    chance = random.Random(200)
    numbers = [f"0912600{number:04}" for number in range(SIPP + PYVOIP + OURS)]
    voice = tmp_path / "voice.ulaw"
    voice.write_bytes(VOICE * 200)
    (tmp_path / "callers").mkdir()
    (tmp_path / "callers" / "numbers.csv").write_text("SEQUENTIAL\n" + "".join(f"{each};\n" for each in numbers[:SIPP]))
    with running(the_box(trunk)) as box:
        peers = Peers(box, tmp_path)

        async def scene() -> None:
            ours = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", mine), voice=VOICE)
            await ours.start()
            few = asyncio.Semaphore(AT_ONCE // 2)

            async def one(number: str) -> None:
                async with few:
                    talk = ours.call("02188123456", number)
                    await until(lambda: talk.is_up, 20)
                    await asyncio.sleep(chance.uniform(0.2, LATEST_SECONDS))
                    ours.press(talk, "1")
                    await until(lambda: talk.ended is not None, 60)

            async def another(number: str) -> None:
                async with few:
                    await peers.calls(number, chance.uniform(0.2, LATEST_SECONDS), voice)

            others = asyncio.gather(
                *(another(number) for number in numbers[SIPP : SIPP + PYVOIP]),
                *(one(number) for number in numbers[SIPP + PYVOIP :]),
            )
            outcome = await asyncio.to_thread(
                    sipp.run, tmp_path / "callers", box.sip, ("127.0.0.2", other), CALLER, calls=SIPP, rate=5.0,
                    arguments=("-inf", "numbers.csv", "-l", str(AT_ONCE), "-mp", str(rtp_range(100))),
                    timeout_seconds=600.0,
            )  # fmt: skip
            await others
            assert (outcome.successful, outcome.failed) == (SIPP, 0), outcome.output
            kept = states(box)
            assert [customer for customer, _ in kept] == [f"+98{number[1:]}" for number in numbers]
            print(f"requests kept: {len(kept)} of {len(numbers)}")
            peers.customers(trunk, len(numbers))
            peers.agents(voice)
            await until(lambda: {state for _, state in states(box)} == {"done"}, 120 + 40 * len(numbers) / AGENTS)
            await ours.stop()

        try:
            asyncio.run(scene())
        finally:
            peers.stop()
        with box.reader() as reader:
            tried = reader.within(lambda db: db.execute("SELECT outcome, count(*) FROM attempt GROUP BY 1").fetchall())
        print(f"callbacks reached: {dict(tried).get('reached', 0)} of {len(numbers)}, attempts: {dict(tried)}")
        assert dict(tried) == {"reached": len(numbers)}, "somebody was dialled twice, or for nothing"
        assert "Traceback" not in box.log
