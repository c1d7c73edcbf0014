"""Datagrams to a peer that may not read for a moment: sent at once, or kept in order until there is room."""

from __future__ import annotations

import socket
from collections import deque

MOST_WAITING = 20_000  # a peer that reads nothing any more must not fill the memory


class Outbox:
    """For one connection; a new connection begins with a new one."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()

    @property
    def is_waiting(self) -> bool:
        return bool(self._waiting)

    def send(self, to: socket.socket, data: bytes) -> bool:
        """Sends or keeps ``data``; False where the peer is gone, which whoever reads the connection learns in turn."""
        if not self._waiting:
            try:
                to.send(data)
            except BlockingIOError:
                pass
            except OSError:
                return False
            else:
                return True
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(data)
        return True

    @property
    def left(self) -> tuple[bytes, ...]:
        """What the peer never got."""
        return tuple(self._waiting)

    def flush(self, to: socket.socket) -> None:
        """Sends what waits, as far as there is room."""
        while self._waiting:
            try:
                to.send(self._waiting[0])
            except OSError:
                return
            self._waiting.popleft()
