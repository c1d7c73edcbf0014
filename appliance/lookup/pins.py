"""PINs against a hashed list, one-time codes, and how often either may be wrong.

A PIN that is wrong costs as much time as one that is right, whether the identity exists or not. Neither PINs nor codes
are in a log, an exception or a representation.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from appliance.clock import Clock
from appliance.durable import write_whole
from appliance.errors import Problem
from appliance.lookup.settings import Identity

CODE_DIGITS = 6
CODE_SECONDS = 300.0
CODE_TRIES = 3
MOST_CODES = 1000
LEAST_PIN, MOST_PIN = 4, 12

Checked = Literal["right", "wrong", "locked"]

# 16 MB and two rounds: some 30 ms of a Pi 4's core, off the loop. A PIN has few digits; the limit of tries guards it.
_hasher = PasswordHasher(time_cost=2, memory_cost=16_384, parallelism=1)
_NOBODY = _hasher.hash(secrets.token_hex(8))


class Pins:
    """``file`` holds one JSON object: identity to hash. Read at each check, so that a change counts at once."""

    def __init__(self, file: Path, settings: Identity, clock: Clock) -> None:
        self._file = file
        self._settings = settings
        self._clock = clock
        self._wrong: dict[str, tuple[int, float]] = {}  # tries in a row, and until when it is locked

    async def check(self, identity: str, pin: str) -> Checked:
        """Whether the PIN is this identity's; ``locked`` after too many wrong ones."""
        now = self._clock.monotonic()
        tries, locked_until = self._wrong.get(identity, (0, 0.0))
        if now < locked_until:
            return "locked"
        known = read(self._file).get(identity, _NOBODY)
        is_right = await asyncio.to_thread(_verifies, known, pin)
        if is_right and known is not _NOBODY:
            self._wrong.pop(identity, None)
            return "right"
        tries += 1
        is_locked = tries >= self._settings.attempts
        until = now + 60.0 * self._settings.lock_minutes if is_locked else 0.0
        if len(self._wrong) > MOST_CODES:
            self._wrong.clear()
        self._wrong[identity] = (0 if is_locked else tries, until)
        return "locked" if is_locked else "wrong"


def _verifies(known: str, pin: str) -> bool:
    try:
        return _hasher.verify(known, pin)
    except (VerificationError, InvalidHashError):
        return False


def read(file: Path) -> dict[str, str]:
    """Identities and hashes; empty where there is no list yet."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Problem("lookup.bad_pins", file=str(file), reason=type(error).__name__) from error
    return {str(identity): str(known) for identity, known in found.items()} if isinstance(found, dict) else {}


def put(file: Path, identity: str, pin: str) -> None:
    """Keeps the hash of a PIN; the whole file is written anew, readable by its owner only."""
    if not (pin.isascii() and pin.isdigit() and LEAST_PIN <= len(pin) <= MOST_PIN):
        raise Problem("lookup.bad_pin", least=LEAST_PIN, most=MOST_PIN)
    known = read(file) | {identity: _hasher.hash(pin)}
    _write(file, known)


def remove(file: Path, identity: str) -> None:
    known = read(file)
    if identity not in known:
        raise Problem("lookup.no_identity", identity=identity)
    del known[identity]
    _write(file, known)


def _write(file: Path, known: dict[str, str]) -> None:
    """Whole, and readable by whom the folder belongs to: the service, where root writes for it."""
    write_whole(file, json.dumps(known, indent=1, sort_keys=True).encode(), 0o600)
    user, group = owner_of(file.parent)
    if os.geteuid() == 0 and user != 0:
        os.chown(file, user, group)


def owner_of(folder: Path) -> tuple[int, int]:
    """User and group that a folder belongs to."""
    found = folder.stat()
    return found.st_uid, found.st_gid


@dataclass(slots=True)
class _Code:
    code: str = field(repr=False)
    until: float
    tries: int = 0


class Codes:
    """One-time codes, by conversation: five minutes, three tries, one use. Pure but for ``below``, which is chance."""

    def __init__(self, below: Callable[[int], int] = secrets.randbelow) -> None:
        self._below = below
        self._known: dict[str, _Code] = {}

    def make(self, conversation: str, now: float) -> str:
        """A new code; one that the conversation had is void."""
        for old in [key for key, each in self._known.items() if each.until <= now]:
            del self._known[old]
        if len(self._known) >= MOST_CODES:
            self._known.pop(next(iter(self._known)))
        code = f"{self._below(10**CODE_DIGITS):0{CODE_DIGITS}}"
        self._known[conversation] = _Code(code, now + CODE_SECONDS)
        return code

    def check(self, conversation: str, code: str, now: float) -> Checked:
        known = self._known.get(conversation)
        if known is None or now >= known.until:
            return "locked"
        known.tries += 1
        if hmac.compare_digest(known.code.encode(), code.encode()):
            del self._known[conversation]
            return "right"
        if known.tries >= CODE_TRIES:
            del self._known[conversation]
            return "locked"
        return "wrong"
