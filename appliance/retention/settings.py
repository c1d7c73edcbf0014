"""Settings of how long recordings are kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """A time of its own for the conversations of one called line, or of one line of agents (``queue``)."""

    name: str
    line: str = ""
    queue: str = ""  # in which they waited last; it wins over the called line
    days: int = 0  # 0: for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """When the box's own copy of a recording goes; copies upstream and records stay until somebody erases them."""

    days: int = 0  # since the call; 0: for ever
    without_upstream: bool = False  # whether recordings may go though no target has them: then they are gone for good
    keeps: tuple[Keep, ...] = ()

    def days_of(self, line: str, queue: str) -> int:
        """For how long a recording of this called line and line of agents is kept; 0: for ever."""
        for keep in self.keeps:
            if keep.queue and keep.queue == queue:
                return keep.days
        return next((keep.days for keep in self.keeps if keep.line and keep.line == line), self.days)
