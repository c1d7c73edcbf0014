"""What may be deleted on the box now, and what may be held, released and erased. Pure.

Nothing is deleted before three agree: every target that takes recordings has it and read it back, its time is over, and
nobody holds it. Where no target takes recordings, time alone is enough only if the owner has said so in the settings.
Nothing is deleted while the clock is in doubt. A hold wins over everything: also over an erasure, which is refused
whole. An erasure wins over date and receipt: it takes what is there, everywhere. What a newcomer gets wrong: a copy
upstream is no reason to delete; a target that was added yesterday has not got it yet.

The clock is believed when it has run evenly for an hour: a start in the wrong year, or a jump, shows by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from appliance.records.keeping import Hold, Known, Stored
from appliance.retention.settings import Retention

DAY_MS = 86_400_000
JUMP_MS = 60_000  # DECISIONS 10
EVEN_SECONDS = 3600.0


class Verdict(StrEnum):
    """Why a recording's files stay on the box, or that they may go."""

    MAY_GO = "may_go"
    GOES = "goes"  # the order is given already
    CLOCK = "clock"
    FOR_EVER = "for_ever"
    NOT_DUE = "not_due"
    HELD = "held"
    NOT_SENT = "not_sent"  # a target has not got it yet
    NO_TARGET = "no_target"  # nobody has a copy, and the owner has not said that it may go all the same


@dataclass(frozen=True, slots=True)
class Rules:
    """``targets`` are all that take recordings by the settings."""

    retention: Retention
    targets: frozenset[str]


def verdict(one: Stored, rules: Rules, now_utc_ms: int, *, is_clock_sure: bool) -> Verdict:
    """Whether the files of a recording may go from the box."""
    days = rules.retention.days_of(one.line, one.queue)
    if one.cause:
        return Verdict.GOES
    if not is_clock_sure:
        return Verdict.CLOCK
    if not days:
        return Verdict.FOR_EVER
    if now_utc_ms < one.opened + days * DAY_MS:
        return Verdict.NOT_DUE
    if one.is_held:
        return Verdict.HELD
    if not rules.targets:
        return Verdict.MAY_GO if rules.retention.without_upstream else Verdict.NO_TARGET
    return Verdict.MAY_GO if rules.targets <= one.targets else Verdict.NOT_SENT


def leaves_in_days(one: Stored, rules: Rules, now_utc_ms: int) -> int | None:
    """In how many whole days the files of a recording leave the disk; None: not by their date."""
    match verdict(one, rules, now_utc_ms, is_clock_sure=True):
        case Verdict.MAY_GO:
            return 0
        case Verdict.NOT_DUE:
            due = one.opened + rules.retention.days_of(one.line, one.queue) * DAY_MS
            return (due - now_utc_ms) // DAY_MS
        case Verdict.GOES | Verdict.CLOCK | Verdict.FOR_EVER | Verdict.HELD | Verdict.NOT_SENT | Verdict.NO_TARGET:
            return None


@dataclass(slots=True)
class Trust:
    """Whether the wall clock can be believed for deleting; asked at every look, with both clocks' time."""

    even_seconds: float = EVEN_SECONDS
    _even_since: float | None = None
    _offset_ms: int = 0

    def looked(self, utc_ms: int, now: float, *, is_sure: bool) -> bool:
        """``is_sure``: what the box itself thinks of its clock. False for an hour after each doubt."""
        offset = utc_ms - round(now * 1000)
        is_even = self._even_since is not None and abs(offset - self._offset_ms) <= JUMP_MS
        if not is_sure:
            self._even_since = None
            return False
        if not is_even or self._even_since is None:
            self._even_since = now
        self._offset_ms = offset
        return now - self._even_since >= self.even_seconds


class Refusal(StrEnum):
    """Why an order of the owner is not carried out."""

    UNKNOWN = "unknown"
    ERASED = "erased"
    HELD = "held"
    OPEN = "open"  # somebody is on the telephone, or their recording is not closed
    NOT_HELD = "not_held"
    HELD_BY_NUMBER = "held_by_number"


@dataclass(frozen=True, slots=True)
class Refused:
    """``conversation`` is the one that stands in the way, ``hold`` what holds it."""

    why: Refusal
    conversation: str = ""
    hold: Hold | None = None


def may_hold(one: Known | None) -> Refused | None:
    """A conversation may be held while it goes on, and more than once."""
    if one is None:
        return Refused(Refusal.UNKNOWN)
    return Refused(Refusal.ERASED, one.conversation) if one.is_erased else None


def released(one: Known | None) -> list[Hold] | Refused:
    """The holds on this conversation itself; one on its number is released by the number."""
    if one is None:
        return Refused(Refusal.UNKNOWN)
    own = [hold for hold in one.holds if not hold.number]
    if own:
        return own
    if one.holds:
        return Refused(Refusal.HELD_BY_NUMBER, one.conversation, one.holds[0])
    return Refused(Refusal.ERASED if one.is_erased else Refusal.NOT_HELD, one.conversation)


def may_erase(found: Sequence[Known]) -> Refused | None:
    """All of them or none: what is held, or goes on, stands in the way of the whole order."""
    if not found:
        return Refused(Refusal.UNKNOWN)
    for one in found:
        if one.is_erased:
            return Refused(Refusal.ERASED, one.conversation)
        if one.holds:
            return Refused(Refusal.HELD, one.conversation, one.holds[0])
    for one in found:
        if one.is_open:
            return Refused(Refusal.OPEN, one.conversation)
    return None
