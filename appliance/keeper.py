"""Keeps the box's processes running on a machine without systemd: for the demo, for tests, for a developer's desk.

On the box itself systemd does this (systemd/). The rules are the same: each process is started with a notify socket, is
ready when it says so, and is started again at once when it ends; one that lives less than two seconds three times
running is started again with growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SERVICES = ("media", "calls", "sync", "web")
SHORT_LIFE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 5.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Started:
    service: str
    process_id: int


@dataclass(frozen=True, slots=True)
class Ready:
    service: str


@dataclass(frozen=True, slots=True)
class Ended:
    """``code`` is the exit status, or the negative number of the signal that ended it."""

    service: str
    code: int


Event = Started | Ready | Ended


class Keeper:
    """Runs ``pasokh SERVICE --config FILE`` for each service until told to stop; events go to ``deliver``."""

    def __init__(
        self,
        config: Path,
        run_folder: Path,
        deliver: Callable[[Event], None],
        services: Sequence[str] = SERVICES,
        journal: Path | None = None,
    ) -> None:
        self._config = config
        self._run = run_folder
        self._deliver = deliver
        self._services = services
        self._journal = journal  # a file for what the services log; None: our own standard error
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._ready = {service: asyncio.Event() for service in services}
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    def process_id(self, service: str) -> int | None:
        """The process that runs as ``service`` now, if there is one."""
        process = self._processes.get(service)
        return process.pid if process and process.returncode is None else None

    async def start(self) -> None:
        """Starts every service in order, each when the one before is ready; TimeoutError after 30 s."""
        self._run.mkdir(parents=True, exist_ok=True, mode=0o750)
        for service in self._services:
            self._tasks.append(asyncio.create_task(self._keep(service), name=f"keep {service}"))
            await asyncio.wait_for(self._ready[service].wait(), 30)

    async def until_ready(self, service: str, timeout_seconds: float = 30) -> None:
        """Waits until ``service`` (started again, perhaps) has said that it is ready."""
        await asyncio.wait_for(self._ready[service].wait(), timeout_seconds)

    async def stop(self) -> None:
        """Ends the services in the reverse order; those that do not end within 10 s are killed."""
        self._is_stopping = True
        for service in reversed(self._services):
            process = self._processes.get(service)
            if process is None or process.returncode is not None:
                continue
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, service: str) -> None:
        loop = asyncio.get_running_loop()
        pause = 0.0
        path = self._run / f"notify-{service}"
        with _notify_socket(path) as listener:
            loop.add_reader(listener.fileno(), self._heard, service, listener)
            try:
                while not self._is_stopping:
                    born = loop.time()
                    code = await self._live(service, path)
                    self._ready[service].clear()
                    self._deliver(Ended(service, code))
                    lived = loop.time() - born
                    pause = min(max(pause * 2, 0.25), LONGEST_PAUSE_SECONDS) if lived < SHORT_LIFE_SECONDS else 0.0
                    if not self._is_stopping:
                        await asyncio.sleep(pause)
            finally:
                loop.remove_reader(listener.fileno())

    async def _live(self, service: str, notify: Path) -> int:
        """One life of a service, to its end."""
        with contextlib.ExitStack() as opened:
            journal = opened.enter_context(self._journal.open("ab")) if self._journal else None
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "appliance",
                service,
                "--config",
                str(self._config),
                env={**os.environ, "NOTIFY_SOCKET": str(notify)},
                stdin=asyncio.subprocess.DEVNULL,
                stderr=journal,
            )
        self._processes[service] = process
        self._deliver(Started(service, process.pid))
        return await process.wait()

    def _heard(self, service: str, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            if b"READY=1" in listener.recv(4096).split(b"\n"):
                self._ready[service].set()
                self._deliver(Ready(service))


@contextlib.contextmanager
def _notify_socket(path: Path) -> Iterator[socket.socket]:
    """A bound, non-blocking datagram socket at ``path`` that is gone afterwards."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        listener.bind(str(path))
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)
