"""Files that were sent and shown, and wait in memory to be carried out: a quarter of an hour, for who has sent them."""

from __future__ import annotations

import hashlib

from appliance.clock import Clock
from appliance.errors import Problem

HELD_SECONDS = 900.0
MOST_HELD = 2  # files of at most 16 MB


class HeldFiles:
    """``token`` is the session's, of which nothing is kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, tuple[float, bytes]] = {}  # who has sent it: until when, and the file

    def hold(self, token: str, content: bytes) -> None:
        """In place of what the same person has sent before; the oldest goes where there are too many."""
        now, who = self._clock.monotonic(), _hidden(token)
        kept = {each: held for each, held in self._held.items() if held[0] > now and each != who}
        while len(kept) >= MOST_HELD:
            del kept[min(kept, key=lambda each: kept[each][0])]
        self._held = {**kept, who: (now + HELD_SECONDS, content)}

    def taken(self, token: str) -> bytes:
        """The file, once; Problem where it waits no more."""
        until, content = self._held.pop(_hidden(token), (0.0, b""))
        if until <= self._clock.monotonic():
            raise Problem("contacts.no_file")
        return content


def _hidden(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
