"""Where everything that happens to one conversation arrives, in order; one reader, any number of senders.

Putting never waits and never runs the reader: nothing calls back into anything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue whose reader may wait with a deadline of the loop's clock."""

    __slots__ = ("_items", "_waiting")

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._waiting: asyncio.Future[None] | None = None

    def put(self, item: T) -> None:
        self._items.append(item)
        self._wake()

    async def next(self, deadline: float | None) -> T | None:
        """The next item; None when ``deadline`` (monotonic seconds) has come before one."""
        if self._items:
            return self._items.popleft()
        loop = asyncio.get_running_loop()
        if deadline is not None and deadline <= loop.time():
            return None
        self._waiting = loop.create_future()
        timer = None if deadline is None else loop.call_at(deadline, self._wake)
        try:
            await self._waiting
        finally:
            self._waiting = None
            if timer is not None:
                timer.cancel()
        return self._items.popleft() if self._items else None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
