"""Who hears whom, where every party's voice is one byte: for scenes with many real calls beside each other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import ClassVar

from tests.support.softphone import Softphone, Talk
from tests.support.waiting import until

FRESH_SECONDS = 0.2  # what was heard longer ago is not heard now


class Scene:
    """One call with its telephones. ``voices`` names whose byte is whose; ``talk`` is the customer's."""

    voices: ClassVar[Mapping[int, str]]
    number: int
    talk: Talk | None

    @property
    def line(self) -> str:
        return f"021880000{self.number:02}"

    @property
    def customer(self) -> str:
        return f"0912555{self.number:04}"

    def now(self, talk: Talk) -> str:
        """Whom this party hears just now; empty for music, tones and silence."""
        if not talk.heard or time.monotonic() - talk.heard[-1] > FRESH_SECONDS:
            return ""
        last = set(talk.frames[-4:])
        return self.voices.get(talk.frames[-1][0], "") if len(last) == 1 and len(set(talk.frames[-1])) == 1 else ""

    async def hears(self, who: str, talk: Talk | None = None, seconds: float = 60.0) -> float:
        """Waits until the customer (or who ``talk`` is) hears them; how long that took."""
        began = time.monotonic()
        heard = talk or self.talk
        assert heard is not None
        while self.now(heard) != who:
            is_late = time.monotonic() > began + seconds
            assert not is_late, f"scene {self.number}: hears {self.now(heard)!r}, not {who!r}; {heard.ended}"
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    @staticmethod
    def newest(phone: Softphone) -> Talk:
        return list(phone.talks.values())[-1]

    async def press(self, phone: Softphone, keys: str) -> None:
        """In the telephone's newest call."""
        talk = self.newest(phone)
        for key in keys:
            phone.press(talk, key)
        await until(lambda: not talk.digits, 10)
