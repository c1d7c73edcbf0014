"""Telephones that follow a script: what they play before and behind an answer, which keys they press, when they leave.

Customers stand on the provider's side of a trunk, agents are registered phones; both are our own softphone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appliance.signalling import port, sdp
from tests.support import sounds
from tests.support.softphone import Softphone, Talk

SILENCE = b"\xd5" * 160


@dataclass(frozen=True, kw_only=True)
class Script:
    """Seconds count from the answer; ``early_keys`` from the first early sound. Sounds are A-law."""

    rings_seconds: float = 0.3
    early: bytes = b""  # played before any answer, with a 183
    early_seconds: float = 0.0
    early_keys: tuple[tuple[float, str], ...] = ()
    code: int = 0  # refused with it, instead of an answer
    answers: bool = True  # False: rings until the caller gives up
    sound: bytes = b""  # said once; then silence
    keys: tuple[tuple[float, str], ...] = ()
    waits_for_customer: bool = False  # an agent's keys count from the customer's answer
    hangs_up: float | None = None


class Customers(Softphone):
    """``script`` says what the telephone that is called does; ``answered`` is told when it has answered."""

    def __init__(
        self,
        box: tuple[str, int],
        mine: tuple[str, int],
        script: Callable[[port.Offered], Script],
        *,
        answered: Callable[[port.Offered], None] = lambda _offered: None,
        until_customer: Callable[[port.Offered], Any] | None = None,
        **named: Any,
    ) -> None:
        super().__init__(box, mine, voice=SILENCE, **named)
        self._script = script
        self._answered = answered
        self._until_customer = until_customer
        self._scripts: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        for task in self._scripts:
            task.cancel()
        await super().stop()

    def _offered(self, event: port.Offered, leg: str, description: sdp.Description | None) -> None:
        assert description is not None
        task = asyncio.create_task(self._follow(event, leg, description, self._script(event)), name=f"script {leg}")
        self._scripts.add(task)
        task.add_done_callback(self._scripts.discard)

    async def _follow(self, event: port.Offered, leg: str, description: sdp.Description, script: Script) -> None:
        self._agent.submit(port.Ring(leg))
        await asyncio.sleep(script.rings_seconds)
        talk = self._talk(leg, description)
        talk.remote = description.address, description.port
        if script.early:
            talk.says.extend(sounds.frames(script.early))
            talk.is_up = True
            self._agent.submit(port.Progress(leg, talk.local))
            pressing = asyncio.create_task(self._press(talk, script.early_keys))
            await asyncio.sleep(script.early_seconds)
            await pressing
            talk.says.clear()
        if script.code:
            talk.is_up = False
            self._agent.submit(port.Refuse(leg, script.code))
        elif script.answers:
            talk.says.extend(sounds.frames(script.sound))
            talk.is_up = True
            self._agent.submit(port.Answer(leg, talk.local))
            self._answered(event)
            if script.waits_for_customer and self._until_customer is not None:
                await self._press(talk, ((1.0, "1"),))
                await self._until_customer(event)
            pressing = asyncio.create_task(self._press(talk, script.keys))
            if script.hangs_up is not None:
                await asyncio.sleep(script.hangs_up)
                self.hang_up(talk)
            await pressing

    async def _press(self, talk: Talk, keys: tuple[tuple[float, str], ...]) -> None:
        passed = 0.0
        for moment, key in keys:
            await asyncio.sleep(moment - passed)
            passed = moment
            self.press(talk, key)
