"""The live parts of a page: pictures of calls, and what the records say beside them, as often as it may be different.

What is shown depends on the time as well (a call becomes overdue without anything happening), so the last picture
comes again after a while. The records are asked at most once a second, however fast events come.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeVar

from appliance.clock import Clock
from appliance.control.client import ControlClient
from appliance.control.wire import Snapshot
from appliance.errors import Problem

READ_SECONDS = 1.0
AGAIN_SECONDS = 15.0
GONE = "event: gone\ndata: {}\n\n"  # the session has ended
NO_PICTURE = -2  # stands for the number of the last event where calls is stopped

T = TypeVar("T")
Look = Callable[[Snapshot | None], Awaitable[bool]]


async def events(
    control: ControlClient,
    token: str,
    clock: Clock,
    read: Callable[[], T],
    fragments: Callable[[Snapshot | None, T], Mapping[str, str]],
    is_gone: Callable[[], Awaitable[bool]],
    look: Look | None = None,
) -> AsyncIterator[str]:
    """Server-sent events: the fragments that have changed, as one JSON object, until the browser or session is gone.

    ``look`` sees each picture first; it says whether the records must be read anew at once.
    """
    sent: Mapping[str, str] = {}
    kept: T | None = None
    read_number, read_at = -1, float("-inf")
    is_behind = False
    yield "retry: 1000\n\n"
    try:
        pictures = _pictures(control, token, lambda: READ_SECONDS if is_behind else AGAIN_SECONDS)
        async with contextlib.aclosing(pictures):
            async for snapshot in pictures:
                number = snapshot.last_event if snapshot else NO_PICTURE
                age = clock.monotonic() - read_at
                is_new = look is not None and await look(snapshot)
                is_behind = number != read_number and age < READ_SECONDS and not is_new
                if kept is None or is_new or (number != read_number and not is_behind) or age >= AGAIN_SECONDS:
                    read_number, read_at = number, clock.monotonic()
                    kept = await asyncio.to_thread(read)
                now = fragments(snapshot, kept)
                changed = {name: html for name, html in now.items() if sent.get(name) != html}
                sent = now
                if changed:
                    yield f"data: {json.dumps(changed, ensure_ascii=False)}\n\n"
                if await is_gone():
                    return
    except Problem:
        yield GONE


async def _pictures(
    control: ControlClient, token: str, seconds: Callable[[], float]
) -> AsyncGenerator[Snapshot | None, None]:
    """The pictures of a watch; the last one again whenever ``seconds`` have passed without a new one."""
    async with contextlib.aclosing(control.watch(token)) as watched:
        coming = asyncio.ensure_future(anext(watched))
        seen: list[Snapshot | None] = []
        try:
            while True:
                done, _ = await asyncio.wait({coming}, timeout=seconds())
                if done:
                    try:
                        seen = [coming.result()]
                    except StopAsyncIteration:
                        return
                    coming = asyncio.ensure_future(anext(watched))
                for snapshot in seen:
                    yield snapshot
        finally:
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, Problem):
                await coming
