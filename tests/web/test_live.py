"""The live parts: lateness shows by itself, the records are not asked too often, and nothing is left open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import msgspec
import pytest

from appliance.clock import SystemClock, VirtualClock
from appliance.control.wire import Snapshot
from appliance.errors import Problem
from appliance.web import live
from tests.web.given import SNAPSHOT, MadeUpCalls

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Watched(MadeUpCalls):
    """Shows these pictures at once, and then nothing more until it is left, or its session ends."""

    def __init__(self, *pictures: Snapshot, ends: bool = False) -> None:
        super().__init__()
        self._pictures = pictures
        self._ends = ends
        self.is_left = False

    async def watch(self, token: str) -> AsyncGenerator[Snapshot | None, None]:
        try:
            for picture in self._pictures:
                yield picture
            if self._ends:
                raise Problem("access.signed_out")
            await asyncio.Event().wait()
        finally:
            self.is_left = True


def numbered(count: int) -> Iterator[Snapshot]:
    return (msgspec.structs.replace(SNAPSHOT, last_event=number) for number in range(1, count + 1))


class Page:
    """Counts how often the records were asked; its one fragment says so."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self) -> int:
        self.reads += 1
        return self.reads

    def fragments(self, snapshot: Snapshot | None, kept: int) -> dict[str, str]:
        return {"part": f"{snapshot.last_event if snapshot else 'stopped'}, read {kept}"}

    async def is_gone(self) -> bool:
        return False


async def test_what_depends_on_the_time_is_shown_again_though_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "AGAIN_SECONDS", 0.01)
    watched, page = Watched(SNAPSHOT), Page()
    heard = live.events(watched, "good", SystemClock(), page.read, page.fragments, page.is_gone)
    assert isinstance(heard, AsyncGenerator)
    async with aclosing(heard), asyncio.timeout(30):
        assert await anext(heard) == "retry: 1000\n\n"
        said = [json.loads((await anext(heard)).removeprefix("data: "))["part"] for _ in range(3)]
    assert said == ["1, read 1", "1, read 2", "1, read 3"]
    assert watched.is_left, "the watch was left open"


async def test_however_fast_events_come_the_records_are_asked_once_a_second_and_none_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "READ_SECONDS", 0.01)  # of the waiting; the clock below says what has passed
    clock, page = VirtualClock(), Page()
    heard = live.events(Watched(*numbered(50)), "good", clock, page.read, page.fragments, page.is_gone)
    assert isinstance(heard, AsyncGenerator)
    async with aclosing(heard), asyncio.timeout(30):
        await anext(heard)
        said = [json.loads((await anext(heard)).removeprefix("data: "))["part"] for _ in range(50)]
        assert said[-1] == "50, read 1" and page.reads == 1
        clock.advance_to(2.0)
        assert json.loads((await anext(heard)).removeprefix("data: "))["part"] == "50, read 2"


async def test_a_stream_whose_session_ends_is_told_so() -> None:
    page = Page()
    heard = live.events(Watched(SNAPSHOT, ends=True), "good", VirtualClock(), page.read, page.fragments, page.is_gone)
    async with asyncio.timeout(30):
        assert [text async for text in heard][-1] == live.GONE
