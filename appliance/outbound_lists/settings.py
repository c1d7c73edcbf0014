"""Settings of outbound lists."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundList:
    """A list of people whom agents call one by one, each when they ask for the next; nothing is dialled by itself."""

    name: str
    calendar: str  # of hours/: nobody is dialled while it is closed, or the clock is in doubt
    agents: tuple[str, ...]  # who may work it
    attempts: int = 3  # how often somebody is tried who cannot be reached
    spacing_minutes: float = 60.0  # between two of them
    results: tuple[str, ...] = ()  # what may come of a call that reached somebody, in the owner's words
    trunk: str = ""  # by which they are called; empty: the first

    @property
    def spacing_ms(self) -> int:
        return round(self.spacing_minutes * MINUTE_MS)
