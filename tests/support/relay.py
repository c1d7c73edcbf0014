"""A relay between a client and a real server that does to the line what lines do: refuses, hangs, cuts, crawls.

Threads on loopback, one port; ``mode`` may change at any time and counts for what comes next.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from types import TracebackType
from typing import Literal

Mode = Literal["pass", "refuse", "hang", "cut", "slow"]


class Relay:
    """``cut_after`` are bytes from the client until the line is cut (a range drawn from), ``slow`` bytes a second."""

    def __init__(self, port: int, mode: Mode = "pass", *, seed: int = 1, is_narrow: bool = False) -> None:
        self._to = port
        self.mode: Mode = mode
        self.cut_after = (20_000, 400_000)
        self.bytes_per_second = 1000
        self.cuts = 0
        self.connections: list[float] = []  # when somebody came
        self._random = random.Random(seed)
        self._listener = socket.socket()
        if is_narrow:  # a slow line holds little: it pushes back packet by packet
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._is_closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._is_closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Cuts every line that is up."""
        for each in list(self._open):
            _end(each)

    def _accept(self) -> None:
        while not self._is_closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(time.monotonic())
            if self.mode == "refuse":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # answered by a reset
                client.close()
                continue
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._to), 5)
        except OSError:
            _end(client)
            self._open.discard(client)
            return
        server.settimeout(None)
        self._open.add(server)
        back = threading.Thread(target=self._pump, args=(server, client, False), daemon=True)
        back.start()
        self._pump(client, server, True)
        back.join(30)
        for each in (client, server):
            self._open.discard(each)
            each.close()

    def _pump(self, source: socket.socket, sink: socket.socket, is_up: bool) -> None:
        passed, limit = 0, self._random.randint(*self.cut_after)
        try:
            while chunk := source.recv(1024 if self.mode == "slow" else 16_384):
                while self.mode == "hang" and not self._is_closing:
                    time.sleep(0.02)
                if self.mode == "slow":
                    for start in range(0, len(chunk), 100):
                        sink.sendall(chunk[start : start + 100])
                        if self.mode == "slow":
                            time.sleep(100 / self.bytes_per_second)
                else:
                    sink.sendall(chunk)
                passed += len(chunk)
                if self.mode == "cut" and is_up and passed > limit:
                    self.cuts += 1
                    break
        except OSError:
            pass
        _end(source)
        _end(sink)


def _end(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
