"""Waiting for what really happens: looked at often, given up after a while that is long even on a busy machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LOOK_SECONDS = 0.02


async def until(is_so: Callable[..., object], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, "it did not come so far in time"
        await asyncio.sleep(LOOK_SECONDS)
