"""A business's hours as data. Minutes count from local midnight; a span may pass it (``closes_minute`` over 1,440).

What a person changes at run time (night, closed until, a lunar day confirmed) is a value of its own, ``Switches``.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

DAY_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Span:
    """Open from ``opens_minute`` until just before ``closes_minute``."""

    opens_minute: int
    closes_minute: int


Week = Mapping[int, tuple[Span, ...]]
"""Spans by weekday: 0 is Monday, as in datetime; a day that is missing is closed."""


@dataclass(frozen=True, slots=True)
class Dates:
    """From a day to a day, both included."""

    first: datetime.date
    last: datetime.date

    def __contains__(self, day: object) -> bool:
        return isinstance(day, datetime.date) and self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Season:
    """Other hours for a while: Ramadan, Nowruz."""

    name: str
    dates: Dates
    week: Week
    breaks: Week = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Holiday:
    """``is_lunar``: an estimate that a person should confirm."""

    name: str
    is_lunar: bool = False


@dataclass(frozen=True, slots=True)
class Dated:
    """A sound for some days: the greeting of Nowruz, the music of a mourning day."""

    dates: Dates
    sound: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hours:
    """``holidays`` are the days themselves, whatever calendar they came from; ``follows_moon``: Iran's, by tables."""

    name: str
    zone: str = "Asia/Tehran"
    week: Week
    breaks: Week = field(default_factory=dict)
    seasons: tuple[Season, ...] = ()
    holidays: Mapping[datetime.date, Holiday] = field(default_factory=dict)
    follows_moon: bool = False
    closures: Mapping[datetime.date, str] = field(default_factory=dict)
    openings: Mapping[datetime.date, tuple[Span, ...]] = field(default_factory=dict)
    greetings: tuple[Dated, ...] = ()
    music: tuple[Dated, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What the owner has set by page, telephone or SMS. 0 milliseconds: not set.

    ``confirmed`` are lunar holidays (ISO dates) that a person said are right, ``refused`` those that are not.
    """

    night: bool = False
    closed_until_ms: int = 0
    open_until_ms: int = 0
    confirmed: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
