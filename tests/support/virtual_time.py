"""An asyncio loop whose clock jumps: when nothing is ready, time moves to the next deadline at once.

No sockets, no threads, no waiting: a day of an office takes as long as its work. What stands outside of asyncio (a
loopback line with a heap of its own) is a ``Source``: it is asked for its deadline and told when it is due.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from appliance.clock import VirtualClock

T = TypeVar("T")


class Source(Protocol):
    @property
    def deadline(self) -> float | None: ...

    def due(self, now: float) -> object: ...


class _Selector(selectors.BaseSelector):
    """Selects nothing; instead of waiting it moves the clock."""

    def __init__(self, clock: VirtualClock, sources: list[Source]) -> None:
        self._clock = clock
        self._sources = sources

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        now = self._clock.monotonic()
        wanted = [source.deadline for source in self._sources]
        nearest = min((deadline for deadline in wanted if deadline is not None), default=None)
        target = now if timeout is not None and timeout <= 0 else None
        if target is None:
            ends = [now + timeout] if timeout is not None else []
            ends += [nearest] if nearest is not None else []
            if not ends:
                raise RuntimeError("everything waits for something that never comes")
            target = max(now, min(ends))
        if target > now:
            self._clock.advance_to(target)
        if nearest is not None and nearest <= target:
            for source in self._sources:
                if source.deadline is not None and source.deadline <= target:
                    source.due(target)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}


class VirtualLoop(asyncio.SelectorEventLoop):
    """``clock`` is also the loop's own; ``sources`` may grow while it runs."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.sources: list[Source] = []
        super().__init__(_Selector(clock, self.sources))
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.clock.monotonic()


def run(loop: VirtualLoop, main: Coroutine[Any, Any, T]) -> T:
    """Runs ``main`` to its end and closes the loop."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
