"""What sync needs of a running box: records that are written, a control socket that answers, and sync as a process.

The control server, the receipts and the store are calls' own; only telephony is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import argon2

from appliance.calls.access import Access
from appliance.calls.archive import Archive, Space
from appliance.calls.control import ControlServer
from appliance.calls.upstream import Strain, Upstream
from appliance.clock import Clock, SystemClock
from appliance.control import wire
from appliance.records.events import (
    ConversationClosed,
    Happened,
    Outcome,
    RecordClosed,
    RecordingOpened,
    RecordingSealed,
)
from appliance.records.outgoing import Receipt
from appliance.records.reader import Reader
from appliance.records.store import Store
from appliance.records.writer import DirectWriter, Report, Written
from appliance.retention.plan import Rules, Trust
from appliance.sync.units import Kind
from tests.records.given import opened
from tests.sync.given import content

KEY = bytes(range(32))
PASSWORD = "correct horse battery"
QUICK = """[sync]
batch_seconds = 0.2
first_pause_seconds = 0.2
longest_pause_seconds = 1.0
probe_seconds = 0.3
answer_seconds = 5.0
"""


@dataclass
class _Shown:
    upstream: tuple[wire.Upstream, ...] = ()
    findings: dict[str, wire.Finding] = field(default_factory=dict)
    last_event: int = 0
    strain: Strain = field(default_factory=Strain)
    calls_now: int = 0


class Office:
    """Use it with ``async with``; ``call`` makes a recorded conversation, ``start`` runs sync with these targets."""

    def __init__(self, targets: str, settings: str = QUICK) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="p"))  # short: a socket's path has 107 bytes
        for name in ("secrets", "data", "data/kept", "run", "secrets/upstream"):
            (self.folder / name).mkdir(mode=0o700)
        (self.folder / "secrets" / "database-key").write_text(KEY.hex())
        self.config = self.folder / "pasokh.toml"
        self.config.write_text(
            f'[box]\nname = "office"\ndata_folder = "data"\nrun_folder = "run"\nsecrets_folder = "secrets"\n'
            f"{settings}{targets}"
        )
        self.shown = _Shown()
        self.sent: dict[str, bytes] = {}  # recordings' files by name
        self._clock = SystemClock()
        self.store = Store(self.folder / "data" / "calls.db", KEY, self._clock)
        self.records = DirectWriter(self.store, self._reported)
        self._process: asyncio.subprocess.Process | None = None
        self.lives = 0
        self.forgotten: list[str] = []  # what media was told to forget
        self._archive: Archive | None = None

    def secret(self, name: str, text: str) -> None:
        file = self.folder / "secrets" / "upstream" / name
        file.touch(mode=0o600)
        file.write_text(text)

    async def __aenter__(self) -> Office:
        hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        self._access = Access(self.records, self._clock, self.folder / "code", hasher=hasher)
        self._upstream = Upstream(self.records, self._clock, self.shown, lambda: None)
        self._control = ControlServer(
            self.folder / "run" / "calls.sock",
            self._access,
            lambda: wire.Snapshot("office", "0", "fa", 0),
            self._carry_out,
            self._clock,
            upstream=self._upstream,
        )
        self._control.start()
        return self

    def archive(self, rules: Rules, clock: Clock | None = None) -> Archive:
        """What calls has for orders about recordings; a clock of its own may be days ahead."""
        trust = Trust(even_seconds=0)
        self._archive = Archive(
            rules, self.records, clock or self._clock, lambda: True, lambda: Space(10**12, 10**12, 0),
            self.forgotten.extend, lambda _place, _problem: None, trust=trust,
        )  # fmt: skip
        return self._archive

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        await self._control.close()
        self._access.close()
        self.store.close()

    async def owner(self, password: str = PASSWORD) -> None:
        """The owner has set a password."""
        await self._access.start()
        code = await self._access.sign_in("owner", (self.folder / "code").read_text(), "")
        await self._access.set_password(code.token, password)

    async def _carry_out(self, order: wire.Order, by: str) -> wire.Reply:
        assert self._archive is not None and isinstance(order, wire.ArchiveOrder), (order, by)
        return await self._archive.carry_out(order, by)

    # The records ------------------------------------------------------------------------------------------------------

    def call(self, number: int, size: int = 20_000) -> str:
        """A conversation that was recorded; its recording."""
        conversation, recording = f"c{number}", f"{number:032x}"
        files = {
            kind: content(number * 10 + len(kind), length)
            for kind, length in ((Kind.HEAD, 168), (Kind.SEAL, 900), (Kind.BODY, size))
        }
        for kind, found in files.items():
            (self.folder / "data" / "kept" / f"{recording}.{kind}").write_bytes(found)
            self.sent[f"{recording}.{kind}"] = found
        self.recorded(conversation, recording)
        return recording

    def recorded(self, conversation: str, recording: str, customer: str = "+989121234567") -> None:
        """A conversation whose recording lies in kept/."""
        files = (self.folder / "data" / "kept" / f"{recording}.{kind}" for kind in (Kind.BODY, Kind.SEAL))
        contents = [file.read_bytes() for file in files]
        body, seal = (hashlib.sha256(each).hexdigest() for each in contents)
        self.happened(
            opened(conversation, customer),
            RecordingOpened(conversation, recording, 1, f"{conversation}-consent", 10),
            RecordingSealed(conversation, recording, "sealed", len(contents[0]), body, seal, 1000, 0, 1, 1, 0, 0),
            ConversationClosed(conversation, Outcome.SERVED, "", "sara", 2000),
            RecordClosed(conversation),
        )

    def happened(self, *events: Happened) -> None:
        for one in events:
            self.records.put(one)
        self.records.flush_now()

    def receipts(self) -> list[Receipt]:
        with Reader(self.folder / "data" / "calls.db", KEY) as reader:
            return reader.receipts(100_000)

    # Sync as a process ------------------------------------------------------------------------------------------------

    async def start(self, **environment: str) -> asyncio.subprocess.Process:
        self.lives += 1
        log = (self.folder / "log").open("ab")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "appliance", "sync", "--config", str(self.config),
            env={**os.environ, **environment}, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        log.close()
        return self._process

    async def kill(self) -> None:
        """kill -9."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @staticmethod
    async def until(is_so: Callable[[], bool], seconds: float = 30) -> None:
        """Until something that another process does is so."""
        async with asyncio.timeout(seconds):
            while not is_so():  # noqa: ASYNC110 - another process has no event of ours
                await asyncio.sleep(0.1)

    async def until_receipts(self, count: int, seconds: float = 120, targets: int = 1) -> None:
        """Until so many files of recordings have their receipts from all targets."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while sum(bool(one.recording) for one in self.receipts()) < count * targets:
            if loop.time() > end:
                raise AssertionError(self.shown.upstream, (self.folder / "log").read_text()[-3000:])
            if self._process is not None and self._process.returncode is not None:
                raise AssertionError((self.folder / "log").read_text()[-3000:])
            await asyncio.sleep(0.1)

    def _reported(self, report: Report) -> None:
        if isinstance(report, Written) and report.numbers:
            self.shown.last_event = report.numbers[-1]


@contextlib.asynccontextmanager
async def office(targets: str, settings: str = QUICK) -> AsyncIterator[Office]:
    async with Office(targets, settings) as it:
        yield it
