"""What an agent presses while talking: codes for the box, and keys that are meant for the other side (DECISIONS 28).

A code begins with a star, and nothing of it is passed on: ``*1`` the customer was reached, ``*2`` somebody or something
else was, ``*3`` a recorded voice, ``*4`` and a time with a hash at its end is a promise to call at that time (``1630``,
or ``09151630`` with month and day of the Jalali year), ``*5`` pauses the recording and resumes it, ``*7`` and a number
with a hash passes the customer on, ``*8`` and one asks there first, ``*9`` parks the customer. While it is asked ``*7``
passes on, ``*8`` goes to and fro between the two, and ``*0`` takes the customer back. Two stars are one star for the
other side. What begins like a code and is none is passed on as it was pressed; so is a star that nothing follows for a
while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

STAR, ENDS = "*", "#"
REACHED, NOT_REACHED, RECORDED, PROMISE, PAUSE = "1", "2", "3", "4", "5"
PASS_ON, CONSULT, BACK, PARK = "7", "8", "0", "9"
WITH_DIGITS = frozenset({PROMISE, PASS_ON, CONSULT})  # and a hash behind them
WAIT_SECONDS = 4.0  # after each key of a code
MOST_DIGITS = {PROMISE: 8, PASS_ON: 20, CONSULT: 20}


@dataclass(frozen=True, slots=True)
class PassOn:
    """These keys are for the other side."""

    digits: str


@dataclass(frozen=True, slots=True)
class Reached:
    """The agent says whether it was the customer."""

    is_so: bool


@dataclass(frozen=True, slots=True)
class RecordedVoice:
    """The agent says that nobody was there but an announcement or a machine."""


@dataclass(frozen=True, slots=True)
class PromiseAt:
    """The agent promises a call at this time, as it was keyed in."""

    digits: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """The agent passes the customer on to this number; ``asks_first``: not before having spoken there."""

    digits: str
    asks_first: bool


@dataclass(frozen=True, slots=True)
class TurnPause:
    """The recording pauses, or goes on where it is paused."""


@dataclass(frozen=True, slots=True)
class Park:
    """The agent parks the customer, for anybody to take."""


Said = PassOn | Reached | RecordedVoice | PromiseAt | Transfer | TurnPause | Park


@dataclass(frozen=True, slots=True)
class Turn:
    """While somebody is asked: ``give`` the customer over, ``swap`` between the two, take the customer ``back``."""

    what: Literal["give", "swap", "back"]


class AgentKeys:
    """``press`` and ``due`` return what was said; ``deadline`` is when to call ``due``. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._keys = ""
        self.deadline: float | None = None

    def press(self, digit: str, now: float) -> list[Said]:
        if not self._keys and digit != STAR:
            return [PassOn(digit)]
        self._keys += digit
        self.deadline = now + WAIT_SECONDS
        return self._said()

    def due(self, now: float) -> list[Said]:
        """Nothing more has come: a lone star is passed on, a time that is not ended is forgotten."""
        if self.deadline is None or now < self.deadline:
            return []
        keys = self._taken()
        return [] if keys[1:2] in WITH_DIGITS else [PassOn(keys)]

    def _said(self) -> list[Said]:
        keys = self._keys
        if keys == STAR:
            return []
        key = keys[1]
        if key in WITH_DIGITS:
            if keys.endswith(ENDS):
                return [_meant(key, self._taken()[2:-1])]
            if len(keys) - 2 > MOST_DIGITS[key]:
                self._taken()
            return []
        self._taken()
        if key in (REACHED, NOT_REACHED):
            return [Reached(key == REACHED)]
        if key == RECORDED:
            return [RecordedVoice()]
        if key == PAUSE:
            return [TurnPause()]
        if key == PARK:
            return [Park()]
        return [PassOn(STAR if key == STAR else keys)]

    def _taken(self) -> str:
        keys, self._keys, self.deadline = self._keys, "", None
        return keys


class ConsultKeys:
    """As AgentKeys, while an agent asks somebody and the customer waits: a star and one key."""

    def __init__(self) -> None:
        self._has_star = False
        self.deadline: float | None = None

    def press(self, digit: str, now: float) -> list[Turn | PassOn]:
        if not self._has_star:
            if digit != STAR:
                return [PassOn(digit)]
            self._has_star, self.deadline = True, now + WAIT_SECONDS
            return []
        self._has_star, self.deadline = False, None
        what = _TURNS.get(digit)
        return [PassOn(STAR if digit == STAR else STAR + digit) if what is None else Turn(what)]

    def due(self, now: float) -> list[Turn | PassOn]:
        """Nothing more has come: a lone star is for the other side."""
        if self.deadline is None or now < self.deadline:
            return []
        self._has_star, self.deadline = False, None
        return [PassOn(STAR)]


_TURNS: Mapping[str, Literal["give", "swap", "back"]] = {PASS_ON: "give", CONSULT: "swap", BACK: "back"}


def _meant(key: str, digits: str) -> Said:
    return PromiseAt(digits) if key == PROMISE else Transfer(digits, asks_first=key == CONSULT)
