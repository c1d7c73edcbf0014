"""How often a PIN may be wrong: a machine over agents and the telephones at which they are tried.

Policy: after ``FREE_TRIES`` wrong ones for an agent, or at a telephone, the next answer is held back a second, then
two, four, up to ``LONGEST_SECONDS``. Ten wrong ones lock: the telephone for everybody, and the agent everywhere; tries
while either is locked are not looked at, so a lock ends ``LOCK_SECONDS`` after the last one that was. A stranger at one
telephone can so lock that telephone and one agent, or ten agents' tenths, and nobody else; who is locked is let in by
whoever leads, or by their own password on the page. A right PIN forgets the wrong ones of its agent alone: nobody goes
on guessing at others by showing their own between.
"""

from __future__ import annotations

from typing import Literal

FREE_TRIES = 3
MOST_TRIES = 10
LONGEST_SECONDS = 30.0
LOCK_SECONDS = 1800.0

Locked = Literal["", "agent", "phone"]


class Tries:
    """Wrong ones by agent and telephone, both of the settings, so there are never many. ``now`` is monotonic seconds.

    An extension that nobody has is the agent of the empty name.
    """

    def __init__(self) -> None:
        self._wrong: dict[tuple[str, str], tuple[int, float]] = {}

    def locked(self, agent: str, phone: str, now: float) -> Locked:
        """What lets nobody try: the telephone, or the agent (never the one whom nobody is)."""
        if self._of_phone(phone, now) >= MOST_TRIES:
            return "phone"
        return "agent" if agent and self._of_agent(agent, now) >= MOST_TRIES else ""

    def held_seconds(self, agent: str, phone: str, now: float) -> float:
        """How long the answer to a try is held back."""
        wrong = max(self._of_agent(agent, now), self._of_phone(phone, now))
        return min(2.0 ** (wrong - FREE_TRIES), LONGEST_SECONDS) if wrong >= FREE_TRIES else 0.0

    def failed(self, agent: str, phone: str, now: float) -> None:
        """Counts one, before it is known whether it is right: many at once count too."""
        wrong, at = self._wrong.get((agent, phone), (0, now))
        self._wrong[agent, phone] = (0 if now - at >= LOCK_SECONDS else wrong) + 1, now

    def succeeded(self, agent: str) -> None:
        """Whose PIN was right, or who may try again."""
        self._wrong = {key: each for key, each in self._wrong.items() if key[0] != agent}

    def opened(self, phone: str) -> None:
        """This telephone may be tried at again."""
        self._wrong = {key: each for key, each in self._wrong.items() if key[1] != phone}

    def all_locked(self, now: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The agents, and the telephones, that are locked."""
        agents = {agent for agent, _ in self._wrong if agent and self._of_agent(agent, now) >= MOST_TRIES}
        phones = {phone for _, phone in self._wrong if self._of_phone(phone, now) >= MOST_TRIES}
        return tuple(sorted(agents)), tuple(sorted(phones))

    def _of_agent(self, agent: str, now: float) -> int:
        return sum(wrong for (each, _), (wrong, at) in self._wrong.items() if each == agent and now - at < LOCK_SECONDS)

    def _of_phone(self, phone: str, now: float) -> int:
        return sum(wrong for (_, each), (wrong, at) in self._wrong.items() if each == phone and now - at < LOCK_SECONDS)
