"""A whole box for a test: settings, keys and secrets in a throw-away folder, its services as real processes.

All addresses are loopback and all ports free ones. The folder's path is short because Unix sockets allow 107 bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.keeper import Event, Keeper
from appliance.places import shipped_flows
from appliance.recorder import keys
from appliance.records.reader import Conversation, Reader

FIRST_PORT, LAST_PORT = 10_000, 32_000  # below those the kernel gives to sockets that ask for any


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Ports that are free for UDP and TCP just now, all different, and seldom the same twice."""
    held: list[socket.socket] = []
    found: list[int] = []
    while len(found) < count:
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        held += [stream, datagram]
        number = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        try:
            stream.bind((address, number))
            datagram.bind((address, number))
        except OSError:
            continue
        found.append(number)
    for each in held:
        each.close()
    return found


def rtp_range(ports: int) -> int:
    """The first of ``ports`` UDP ports in a row, even, that nothing uses now; seldom the same twice."""
    while True:
        first = FIRST_PORT + 2 * secrets.randbelow((LAST_PORT - FIRST_PORT - ports) // 2)
        held: list[socket.socket] = []
        try:
            for number in range(first, first + ports, max(1, ports // 16)):
                each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                held.append(each)
                each.bind(("127.0.0.1", number))
        except OSError:
            continue
        finally:
            for each in held:
                each.close()
        return first


class Box:
    """``trunk`` is the provider's address; ``start`` and ``stop`` run the services; ``identity`` is the owner's key."""

    def __init__(
        self,
        trunk: str,
        *,
        phones: Sequence[str] = ("desk1",),
        max_calls: int = 100,
        max_streams: int = 400,
        services: Sequence[str] = ("media", "calls"),
        kind: keys.Kind = "classic",
        flow: str = "",
        has_key: bool = True,
        real_time: bool = False,
        extra: str = "",
        extra_trunk: str = "",
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pasokh-"))
        self.sip, self.page = free_ports(2)
        self.rtp = rtp_range(4 * max_streams)
        self.identity = keys.new_identity(kind)
        self.password = secrets.token_urlsafe(12)
        self.events: list[tuple[float, Event]] = []
        self._services = tuple(services)
        data = self.folder / "data"
        (self.folder / "secrets").mkdir()
        for phone in phones:
            (self.folder / "secrets" / f"phone-{phone}").write_text(self.password)
        if has_key:
            keys.install(keys.recipients_file(data), self.identity.recipient())
        shipped = shipped_flows()
        self.file = self.folder / "pasokh.toml"
        names = ["first", *(f"agent{number}" for number in range(2, len(phones) + 1))]
        flows = shipped
        if flow or len(phones) > 1:
            flows = self.folder / "flows"
            flows.mkdir()
            everybody = ", ".join(f'"{name}"' for name in names)
            text = flow or (shipped / "welcome.toml").read_text(encoding="utf-8")
            (flows / "welcome.toml").write_text(text.replace('["first"]', f"[{everybody}]"), encoding="utf-8")
        self.file.write_text(
            f'[box]\nname = "test"\nlanguage = "fa"\ndata_folder = "data"\nrun_folder = "run"\n'
            f'secrets_folder = "secrets"\nflows_folder = "{flows}"\n'
            f'[signalling]\naddress = "127.0.0.1"\nport = {self.sip}\nmax_calls = {max_calls}\n'
            f"[media]\nfirst_port = {self.rtp}\nlast_port = {self.rtp + 4 * max_streams - 1}\n"
            f"max_streams = {max_streams}\nreal_time = {str(real_time).lower()}\n"
            f'prompts_folder = "{shipped / "prompts"}"\n'
            f"[recorder]\nfloor_bytes = 1048576\n"
            f"[calls]\nmax_calls = {max_calls}\n"
            f'[web]\naddress = "127.0.0.1"\nport = {self.page}\ntls = false\n'
            f'[[trunk]]\nname = "provider"\nproxy = "{trunk}"\nregisters = false\n{extra_trunk}\n'
            f'[[line]]\nname = "office"\ntrunk = "provider"\nflow = "welcome"\n'
            + "".join(
                f'[[phone]]\nname = "{phone}"\n[[agent]]\nname = "{agent}"\nphone = "{phone}"\n'
                for phone, agent in zip(phones, names, strict=True)
            )
            + extra
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="box", daemon=True)
        self._keeper: Keeper | None = None

    def moved(self, folder: Path) -> Box:
        """The same box where it was restored into ``folder``; this one must be stopped first."""
        other = copy.copy(self)
        other.folder, other.file = folder, folder / "pasokh.toml"
        other.events, other._keeper = [], None
        other._loop = asyncio.new_event_loop()
        other._thread = threading.Thread(target=other._loop.run_forever, name="restored box", daemon=True)
        return other

    @property
    def log(self) -> str:
        """What the services said."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        self._thread.start()
        self._keeper = Keeper(self.file, self.folder / "run", self._heard, self._services, self.folder / "log")
        asyncio.run_coroutine_threadsafe(self._keeper.start(), self._loop).result(60)

    def stop(self) -> None:
        if self._keeper is not None:
            asyncio.run_coroutine_threadsafe(self._keeper.stop(), self._loop).result(60)
            self._keeper = None
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        self._loop.close()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def process(self, service: str) -> int:
        """The process id of a service; waits a moment where it is just starting."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            found = self._keeper.process_id(service) if self._keeper else None
            if found is not None:
                return found
            time.sleep(0.01)
        raise AssertionError(f"{service} does not run")

    def media_child(self) -> int:
        """The process that carries the voices (a child of the service's own)."""
        parent = self.process("media")
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return int(children[0])

    def until_ready(self, service: str) -> None:
        assert self._keeper is not None
        asyncio.run_coroutine_threadsafe(self._keeper.until_ready(service), self._loop).result(30)

    def reader(self) -> Reader:
        key = bytes.fromhex((self.folder / "secrets" / "database-key").read_text().strip())
        return Reader(self.data / "calls.db", key)

    def conversations(self, count: int, timeout_seconds: float = 20) -> list[Conversation]:
        """The last ``count`` conversations, oldest first, once all their records are closed."""
        until = time.monotonic() + timeout_seconds
        found: list[Conversation] = []
        while time.monotonic() < until:
            with self.reader() as reader:
                found = reader.last(count)
            if len(found) >= count and all(each.revision > 0 for each in found):
                return found[::-1]
            time.sleep(0.1)
        raise AssertionError(f"of {count} records these are there: {[(each.state, each.revision) for each in found]}")

    def _heard(self, event: Event) -> None:
        self.events.append((time.monotonic(), event))


@contextlib.contextmanager
def running(box: Box) -> Iterator[Box]:
    """The box started; afterwards stopped, and its folder gone."""
    try:
        box.start()
        yield box
    finally:
        box.stop()
        box.remove()
