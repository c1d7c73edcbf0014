"""A relay that keeps every byte that passes, both ways: what somebody at the line would have seen."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType


class Tap:
    """Listens on a free port of loopback and passes on to ``port``; ``up`` and ``down`` are what has passed."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.up, self.down = bytearray(), bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=32)
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open += [near, far]
                threading.Thread(target=self._copy, args=(near, far, self.up), daemon=True).start()
                threading.Thread(target=self._copy, args=(far, near, self.down), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket, seen: bytearray) -> None:
        with contextlib.suppress(OSError):  # one of them has gone
            while data := source.recv(65_536):
                seen += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
