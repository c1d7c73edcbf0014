"""What an agent presses while talking: codes for the box, and keys that are meant for the other side (DECISIONS 28).

A code begins with a star, and nothing of it is passed on: ``*1`` the customer was reached, ``*2`` somebody or something
else was, ``*3`` a recorded voice, ``*4`` and a time with a hash at its end is a promise to call at that time (``1630``,
or ``09151630`` with month and day of the Jalali year). Two stars are one star for the other side. What begins like a
code and is none is passed on as it was pressed; so is a star that nothing follows for a while.
"""

from __future__ import annotations

from dataclasses import dataclass

STAR, ENDS = "*", "#"
REACHED, NOT_REACHED, RECORDED, PROMISE = "1", "2", "3", "4"
WAIT_SECONDS = 4.0  # after each key of a code
MOST_DIGITS = 8


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


Said = PassOn | Reached | RecordedVoice | PromiseAt


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
        return [PassOn(keys)] if not keys.startswith(STAR + PROMISE) else []

    def _said(self) -> list[Said]:
        keys = self._keys
        if keys == STAR:
            return []
        if keys.startswith(STAR + PROMISE):
            if keys.endswith(ENDS):
                return [PromiseAt(self._taken()[2:-1])]
            if keys[2:].isdigit() and len(keys) - 2 > MOST_DIGITS:
                self._taken()
            return []
        self._taken()
        key = keys[1]
        if key in (REACHED, NOT_REACHED):
            return [Reached(key == REACHED)]
        if key == RECORDED:
            return [RecordedVoice()]
        return [PassOn(STAR if key == STAR else keys)]

    def _taken(self) -> str:
        keys, self._keys, self.deadline = self._keys, "", None
        return keys
