"""What the owner turns at run time: night, closed until, open until, a diversion, an outage notice. Pure.

Each turn is an event, and what is true now is read back from the records at the start. A value that makes no sense
changes nothing. An outage notice goes by itself after ``OUTAGE_HOURS``.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from persiantools.jdatetime import JalaliDate

from appliance.calls import forwarding
from appliance.hours.model import Switches

TEHRAN = ZoneInfo("Asia/Tehran")
OUTAGE_HOURS = 4
OUTAGE_PROMPT = "outage_notice"
ON, OFF = "on", ""


@dataclass(frozen=True, slots=True)
class Turn:
    """A switch and what it is turned to; as it stands in the record."""

    switch: str
    value: str


@dataclass(frozen=True, slots=True)
class BoxSwitches:
    """``divert`` is the number that every call is tried at first; ``absent`` are agents who were signed off, and
    telephones that shall not ring, each with the reason: a name of the settings', or that they missed their offers;
    empty where nobody has said one. ``forwards`` tells where calls for somebody go instead (forwarding.py).
    """

    hours: Switches = dataclasses.field(default_factory=Switches)
    divert: str = ""
    outage_until_ms: int = 0
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)
    forwards: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def outage(self, now_ms: int) -> str:
        """The prompt of the notice that is on, or empty."""
        return OUTAGE_PROMPT if now_ms < self.outage_until_ms else ""

    def turned(self, turn: Turn) -> BoxSwitches:
        """These switches after ``turn``; one of a kind that is not known changes nothing."""
        match turn.switch:
            case "night":
                return dataclasses.replace(self, hours=dataclasses.replace(self.hours, night=turn.value == ON))
            case "closed_until":
                until = _whole(turn.value)
                hours = dataclasses.replace(self.hours, closed_until_ms=until, open_until_ms=0)
                return dataclasses.replace(self, hours=hours)
            case "open_until":
                until = _whole(turn.value)
                hours = dataclasses.replace(self.hours, open_until_ms=until, closed_until_ms=0)
                return dataclasses.replace(self, hours=hours)
            case "divert":
                return dataclasses.replace(self, divert=turn.value)
            case "outage":
                return dataclasses.replace(self, outage_until_ms=_whole(turn.value))
            case "absent":
                return dataclasses.replace(self, absent=_reasons(turn.value))
            case "forwards":
                return dataclasses.replace(self, forwards=forwarding.read(turn.value))
            case "holiday_confirmed":
                confirmed = frozenset(filter(None, turn.value.split(",")))
                return dataclasses.replace(self, hours=dataclasses.replace(self.hours, confirmed=confirmed))
            case "holiday_refused":
                refused = frozenset(filter(None, turn.value.split(",")))
                return dataclasses.replace(self, hours=dataclasses.replace(self.hours, refused=refused))
            case _:
                return self


def restored(rows: Mapping[str, str]) -> BoxSwitches:
    """The switches as the records know them: values by switch."""
    switches = BoxSwitches()
    for switch in sorted(rows, key=lambda name: (_whole(rows[name]) > 0, name)):  # until beats what it replaced
        switches = switches.turned(Turn(switch, rows[switch]))
    return switches


def turn_of(action: str, value: str, now_ms: int, before: BoxSwitches) -> Turn | None:
    """What an action of a control node (or of the command line) turns; None where ``value`` makes no sense."""
    match action:
        case "night_on" | "night_off":
            return Turn("night", ON if action == "night_on" else OFF)
        case "closed_until":
            until = 0 if value.strip("0") == "" else day_of(value, now_ms)
            return None if until is None else Turn("closed_until", str(until))
        case "open_until":
            until = 0 if value == "0" else time_of(value, now_ms)
            return None if until is None else Turn("open_until", str(until))
        case "divert_on":
            return Turn("divert", value) if value.removeprefix("+").isdigit() else None
        case "divert_off":
            return Turn("divert", OFF)
        case "outage_on":
            return Turn("outage", str(now_ms + OUTAGE_HOURS * 3_600_000))
        case "outage_off":
            return Turn("outage", "0")
        case "sign_off":
            return Turn("absent", _signed_off({**before.absent, **_reasons(value)})) if value else None
        case "confirm_holidays":
            return Turn("holiday_confirmed", _joined(before.hours.confirmed, value)) if value else None
        case "refuse_holidays":
            return Turn("holiday_refused", _joined(before.hours.refused, value)) if value else None
        case "forward_on":
            name, mark, number = value.partition(forwarding.NAMES_FROM)
            kept = {**before.forwards, name: number}
            return Turn("forwards", forwarding.written(kept)) if mark and name and number else None
        case "forward_off":
            kept = {name: number for name, number in before.forwards.items() if name != value}
            return Turn("forwards", forwarding.written(kept))
        case "sign_on":
            return Turn("absent", _signed_off({name: why for name, why in before.absent.items() if name != value}))
        case _:
            return None


def taken_back(before: BoxSwitches, after: BoxSwitches) -> tuple[str, ...]:
    """The switches that a turn of another one has set back to nothing."""
    return tuple(
        name
        for name in ("closed_until", "open_until")
        if getattr(before.hours, f"{name}_ms") and not getattr(after.hours, f"{name}_ms")
    )


def day_of(digits: str, now_ms: int) -> int | None:
    """The beginning of the next day that ``MMDD`` of the Jalali year names, in Tehran; None where there is none."""
    if len(digits) != 4 or not (digits.isascii() and digits.isdigit()):
        return None
    today = JalaliDate(datetime.datetime.fromtimestamp(now_ms / 1000, TEHRAN).date())  # type: ignore[no-untyped-call] # ships no types
    month, day = int(digits[:2]), int(digits[2:])
    for year in (today.year, today.year + 1):
        try:
            date = JalaliDate(year, month, day).to_gregorian()  # type: ignore[no-untyped-call] # ships no types
        except ValueError:
            continue
        moment = datetime.datetime(date.year, date.month, date.day, tzinfo=TEHRAN).timestamp() * 1000
        if moment > now_ms:
            return round(moment)
    return None


def time_of(digits: str, now_ms: int) -> int | None:
    """``HHMM`` of today in Tehran, or of tomorrow where it has passed; None where there is no such time."""
    if len(digits) != 4 or not (digits.isascii() and digits.isdigit()) or int(digits[:2]) > 23 or int(digits[2:]) > 59:
        return None
    now = datetime.datetime.fromtimestamp(now_ms / 1000, TEHRAN)
    moment = now.replace(hour=int(digits[:2]), minute=int(digits[2:]), second=0, microsecond=0)
    if moment <= now:
        moment += datetime.timedelta(days=1)
    return round(moment.timestamp() * 1000)


def _reasons(value: str) -> dict[str, str]:
    """Agents and why they are away: ``sara=meal,reza``."""
    entries = (entry.partition("=") for entry in value.split(",") if entry)
    return {name: reason for name, _, reason in entries}


def _signed_off(absent: Mapping[str, str]) -> str:
    return ",".join(sorted(f"{name}={reason}" if reason else name for name, reason in absent.items()))


def _joined(known: frozenset[str], more: str) -> str:
    return ",".join(sorted(known | set(more.split(","))))


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else 0
