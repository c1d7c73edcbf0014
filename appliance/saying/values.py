"""What can be said, and how it may be written: digits of three scripts, separators, signs. Pure."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from appliance.errors import Problem
from appliance.messages.numbers import latin

KINDS = ("number", "ordinal", "digits", "toman", "rial", "phone", "time", "date", "jalali", "duration", "range", "code")
MOST = 10**12
MOST_SECONDS = 359_999  # 99 hours, 59 minutes, 59 seconds
MOST_DIGITS = 40

_SEPARATORS = re.compile(r"(?<=\d)[,٬،_ ](?=\d{3})")
_WHOLE = re.compile(r"-?\d{1,13}")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_RANGE = re.compile(r"(\d{1,4})\s*(?:-|–|تا|to)\s*(\d{1,4})")

EXPECTED = {
    "number": "-10^12 ... 10^12",
    "ordinal": "1 ... 10^12",
    "toman": "0 ... 10^12",
    "rial": "0 ... 10^12",
    "digits": "0-9",
    "code": "0-9",
    "phone": "09123456789",
    "time": "17:30",
    "date": "2026-11-23",
    "jalali": "2026-11-23",
    "duration": "0 ... 359999 s",
    "range": "5-10",
}


@dataclass(frozen=True, slots=True)
class Spoken:
    """``pieces`` are names of sounds without language or ending; ``words`` is what is heard."""

    pieces: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Clock:
    hour: int
    minute: int


@dataclass(frozen=True, slots=True)
class Range:
    least: int
    most: int


Value = int | str | Clock | datetime.date | Range


def parsed(kind: str, value: str | int) -> Value:
    """The value of this kind; Problem ``saying.bad_value`` (or ``unknown_kind``) where it is none."""
    if kind not in EXPECTED:
        raise Problem("saying.unknown_kind", kind=kind, known=", ".join(KINDS))
    found = _parsed(kind, value)
    if found is None:
        raise Problem("saying.bad_value", kind=kind, value=str(value)[:60], expected=EXPECTED[kind])
    return found


def _parsed(kind: str, value: str | int) -> Value | None:
    if isinstance(value, bool):
        return None
    match kind:
        case "number":
            return _whole(value, -MOST, MOST)
        case "ordinal":
            return _whole(value, 1, MOST)
        case "toman" | "rial":
            return _whole(value, 0, MOST)
        case "duration":
            return _whole(value, 0, MOST_SECONDS)
        case "digits" | "code" | "phone":
            return _digits(str(value), is_phone=kind == "phone")
        case "time":
            return _clock(str(value))
        case "date" | "jalali":
            return _day(str(value))
        case _:
            return _range(str(value))


def _whole(value: str | int, least: int, most: int) -> int | None:
    if not isinstance(value, int):
        text = _SEPARATORS.sub("", latin(value).strip().replace("−", "-"))
        if not _WHOLE.fullmatch(text):
            return None
        value = int(text)
    return value if least <= value <= most else None


def _digits(value: str, is_phone: bool) -> str | None:
    text = latin(value).strip()
    if is_phone:
        text = re.sub(r"[\s()-]", "", text)
        text = "00" + text[1:] if text.startswith("+") else text
    return text if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


def _clock(value: str) -> Clock | None:
    found = _TIME.fullmatch(latin(value).strip())
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        return None
    return Clock(int(found[1]), int(found[2]))


def _day(value: str) -> datetime.date | None:
    found = _DATE.fullmatch(latin(value).strip())
    try:
        return datetime.date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def _range(value: str) -> Range | None:
    found = _RANGE.fullmatch(latin(value).strip())
    if found is None or int(found[1]) > int(found[2]):
        return None
    return Range(int(found[1]), int(found[2]))
