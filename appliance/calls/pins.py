"""The PINs by which agents sign in at telephones: made, checked, locked after too many wrong ones.

Kept as Argon2id hashes only (records/pins.py). Four digits are guessed from a hash in minutes whatever made it, so what
guards them are the limit of tries (pin_tries.py) and the cipher of calls.db. No PIN is in a log, an event, an exception
or a representation. A PIN that somebody else has made is good for choosing one.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable
from typing import Literal, Protocol

import argon2

from appliance.calls.pin_tries import Tries
from appliance.clock import Clock
from appliance.errors import Problem
from appliance.records import events, pins
from appliance.records.pins import KeptPin
from appliance.records.store import Store
from appliance.records.writer import Records

LEAST_DIGITS, MOST_DIGITS = 4, 8
CODE_DIGITS = 6
MOST_WAITING = 8  # tries under way at once; more is a flood
RUNS = ("01234567890123456789", "98765432109876543210")

Checked = Literal["right", "code", "wrong", "locked"]


class Hashing(Protocol):
    """Slow on purpose."""

    async def hashed(self, secret: str) -> str: ...

    async def fits(self, hashed: str, secret: str) -> bool: ...


class Argon2:
    """In a thread, one at a time: 19 MiB."""

    def __init__(self) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._one = asyncio.Semaphore(1)

    async def hashed(self, secret: str) -> str:
        async with self._one:
            return await asyncio.to_thread(self._hasher.hash, secret)

    async def fits(self, hashed: str, secret: str) -> bool:
        async with self._one:
            return await asyncio.to_thread(self._verify, hashed, secret)

    def _verify(self, hashed: str, secret: str) -> bool:
        try:
            return self._hasher.verify(hashed, secret)
        except argon2.exceptions.VerifyMismatchError:
            return False


class Pins:
    """``on_locked`` is told when somebody is locked, or no longer."""

    def __init__(self, records: Records, clock: Clock, hashing: Hashing | None = None) -> None:
        self.hashing: Hashing = hashing or Argon2()
        self.on_locked: Callable[[], None] = lambda: None
        self._records = records
        self._clock = clock
        self._tries = Tries()
        self._kept: dict[str, KeptPin] = {}
        self._nobody = ""
        self._waiting = 0
        self._locked = self._tries.all_locked(0.0)

    def look(self) -> None:
        """Time has passed: locks end by themselves."""
        now = self._tries.all_locked(self._clock.monotonic())
        if now != self._locked:
            self._locked = now
            self.on_locked()

    def restore(self, store: Store) -> None:
        """Those that are kept."""
        self._kept = {each.agent: each for each in store.within(pins.load)}

    def has(self, agent: str) -> bool:
        return agent in self._kept

    def is_code(self, agent: str) -> bool:
        """Whether the agent has not chosen their own yet."""
        return agent in self._kept and self._kept[agent].is_code

    def locked(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The agents, and the telephones, at which nothing is tried now."""
        return self._tries.all_locked(self._clock.monotonic())

    def held_seconds(self, agent: str, phone: str) -> float:
        """How long who tries now has to wait for the answer: to be kept before ``check``."""
        return self._tries.held_seconds(agent, phone, self._clock.monotonic())

    def is_locked(self, agent: str, phone: str) -> bool:
        return bool(self._tries.locked(agent, phone, self._clock.monotonic()))

    async def check(self, agent: str, phone: str, pin: str) -> Checked:
        """Whether it is this agent's (empty: nobody's, which takes as long). ``code``: they must choose one."""
        now = self._clock.monotonic()
        if self._tries.locked(agent, phone, now) or self._waiting >= MOST_WAITING:
            return "locked"
        self._tries.failed(agent, phone, now)
        kept = self._kept.get(agent)
        self._waiting += 1
        try:
            if kept is None and not self._nobody:
                self._nobody = await self.hashing.hashed(secrets.token_hex(8))
            is_right = await self.hashing.fits(kept.hash if kept is not None else self._nobody, pin)
        finally:
            self._waiting -= 1
        if kept is not None and is_right:
            self._tries.succeeded(agent)
            return "code" if kept.is_code else "right"
        self._records.put(events.PinRefused(agent, phone))
        what = self._tries.locked(agent, phone, now)
        if what:
            self._put_locks(agent, phone, now)
            return "locked"
        return "wrong"

    async def make(self, agent: str, by: str) -> str:
        """A PIN that the agent signs in with once, to choose their own; shown to ``by`` and nowhere else."""
        code = "".join(secrets.choice("0123456789") for _ in range(CODE_DIGITS))
        if why_weak(code, ""):
            return await self.make(agent, by)
        await self._keep(agent, code, by, "code")
        return code

    async def choose(self, agent: str, extension: str, pin: str, how: Literal["own", "chosen"]) -> None:
        """The agent's own. Problem ``pins.WORD`` where it is too weak."""
        why = why_weak(pin, extension)
        if why == "length":
            raise Problem("pins.length", least=LEAST_DIGITS, most=MOST_DIGITS)
        if why:
            raise Problem("pins.weak")
        await self._keep(agent, pin, agent, how)

    def unlock(self, agent: str, phone: str, by: str) -> None:
        """Lets this agent, or this telephone, try again."""
        if agent:
            self._tries.succeeded(agent)
        if phone:
            self._tries.opened(phone)
        self._records.put(events.PinUnlocked(agent, phone, by))
        self.look()

    async def _keep(self, agent: str, pin: str, by: str, how: str) -> None:
        kept = KeptPin(agent, await self.hashing.hashed(pin), how == "code")
        await self._records.call(lambda store: store.within(lambda db: pins.keep(db, kept)))
        self._kept[agent] = kept
        self._records.put(events.PinSet(agent, by, how))
        self._tries.succeeded(agent)
        self.look()

    def _put_locks(self, agent: str, phone: str, now: float) -> None:
        agents, phones = self._tries.all_locked(now)
        if agent in agents:
            self._records.put(events.PinLocked(agent, ""))
        if phone in phones:
            self._records.put(events.PinLocked("", phone))
        self.look()


def why_weak(pin: str, extension: str) -> Literal["", "length", "weak"]:
    """What is wrong with a PIN: too short or long, one digit, digits in a row, a year's beginning, the extension."""
    if not (pin.isascii() and pin.isdigit() and LEAST_DIGITS <= len(pin) <= MOST_DIGITS):
        return "length"
    is_run = any(pin in run for run in RUNS)
    is_repeated = any(pin == pin[:size] * (len(pin) // size) for size in (1, 2) if len(pin) % size == 0)
    is_extension = bool(extension) and pin == (extension * math.ceil(len(pin) / len(extension)))[: len(pin)]
    return "weak" if is_run or is_repeated or is_extension else ""
