"""English: the pieces and how values are made of them.

British "and": three hundred and five, one thousand and five. Moments by the clock of twelve hours with a.m. and p.m.
Telephone numbers and codes are read digit by digit. Names of Jalali months are those of Persian in Latin letters.
"""

from __future__ import annotations

import datetime
import functools

from persiantools.jdatetime import JalaliDate

from appliance.saying.values import Clock, Range, Value

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = dict(
    zip(range(20, 100, 10), ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], strict=True)
)
_SCALES = {10**3: "thousand", 10**6: "million", 10**9: "billion", 10**12: "trillion"}
_NAMES = {10**3: "1e3", 10**6: "1e6", 10**9: "1e9", 10**12: "1e12"}
_IRREGULAR = {1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 12: "twelfth"}
_WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_JALALI = [
    "Farvardin",
    "Ordibehesht",
    "Khordad",
    "Tir",
    "Mordad",
    "Shahrivar",
    "Mehr",
    "Aban",
    "Azar",
    "Dey",
    "Bahman",
    "Esfand",
]
_GREGORIAN = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_OTHERS = {
    "say-minus": "minus",
    "say-hundred": "hundred",
    "say-hundred-and": "hundred and",
    "say-hundred-th": "hundredth",
    "say-toman": "toman",
    "say-rial": "rial",
    "say-oh": "oh",
    "say-am": "a.m.",
    "say-pm": "p.m.",
    "say-and": "and",
    "say-between": "between",
    "say-hour": "hour",
    "say-hours": "hours",
    "say-minute": "minute",
    "say-minutes": "minutes",
    "say-second": "second",
    "say-seconds": "seconds",
}


def _pieces() -> dict[str, str]:
    found: dict[str, str] = {}
    for number, word in {**dict(enumerate(_UNITS)), **_TENS}.items():
        found[f"say-{number}"] = word
        if number:
            regular = f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th"
            found[f"say-{number}-th"] = _IRREGULAR.get(number, regular)
    for number, word in _SCALES.items():
        name = f"say-{_NAMES[number]}"
        found |= {name: word, f"{name}-and": f"{word} and", f"{name}-th": f"{word}th"}
    found |= _OTHERS
    found |= {f"say-weekday-{number}": word for number, word in enumerate(_WEEKDAYS)}
    found |= {f"say-jalali-{number}": word for number, word in enumerate(_JALALI, 1)}
    found |= {f"say-month-{number}": word for number, word in enumerate(_GREGORIAN, 1)}
    return found | {
        f"say-day-{day}": f"the {' '.join(found[name] for name in _ordinal(day))} of" for day in range(1, 32)
    }


def names(kind: str, value: Value) -> tuple[str, ...]:
    """The pieces of a value that was parsed as this kind."""
    match value:
        case Clock():
            return _clock(value)
        case Range(least, most):
            if least == most:
                return (*_number(least), _plural(least, "minute"))
            return ("say-between", *_number(least), "say-and", *_number(most), "say-minutes")
        case datetime.date():
            return _day(kind, value)
        case str():
            return tuple([f"say-{digit}" for digit in value])
        case int():
            match kind:
                case "ordinal":
                    return _ordinal(value)
                case "toman" | "rial":
                    return (*_number(value), f"say-{kind}")
                case "duration":
                    return _duration(value)
                case _:
                    return ("say-minus", *_number(-value)) if value < 0 else _number(value)


@functools.lru_cache(maxsize=4096)
def _number(value: int) -> tuple[str, ...]:
    if value < 20:
        return (f"say-{value}",)
    parts: list[str] = []
    for scale in (10**12, 10**9, 10**6, 10**3):
        group, value = divmod(value, scale)
        if group:
            parts += _below_1000(group)
            parts.append(f"say-{_NAMES[scale]}")
    if value:
        if parts and value < 100:
            parts[-1] += "-and"
        parts += _below_1000(value)
    return tuple(parts)


def _below_1000(value: int) -> list[str]:
    parts = []
    if value >= 100:
        parts += [f"say-{value // 100}", "say-hundred-and" if value % 100 else "say-hundred"]
        value %= 100
    if value >= 20:
        parts.append(f"say-{value // 10 * 10}")
        value %= 10
    if value:
        parts.append(f"say-{value}")
    return parts


def _ordinal(value: int) -> tuple[str, ...]:
    parts = _number(value)
    return (*parts[:-1], f"{parts[-1]}-th")


def _clock(clock: Clock) -> tuple[str, ...]:
    half = "say-am" if clock.hour < 12 else "say-pm"
    hour = _number(clock.hour % 12 or 12)
    if not clock.minute:
        return (*hour, half)
    return (*hour, *(("say-oh",) if clock.minute < 10 else ()), *_number(clock.minute), half)


def _day(kind: str, day: datetime.date) -> tuple[str, ...]:
    weekday = f"say-weekday-{day.weekday()}"
    if kind == "date":
        return weekday, f"say-day-{day.day}", f"say-month-{day.month}"
    jalali = JalaliDate(day)  # type: ignore[no-untyped-call] # ships no types
    return weekday, f"say-day-{jalali.day}", f"say-jalali-{jalali.month}"


def _duration(seconds: int) -> tuple[str, ...]:
    counted = ((seconds // 3600, "hour"), (seconds // 60 % 60, "minute"), (seconds % 60, "second"))
    spoken = [(*_number(count), _plural(count, unit)) for count, unit in counted if count]
    if not spoken:
        return ("say-0", "say-seconds")
    *before, last = spoken
    return (*(name for part in before for name in part), *(("say-and",) if before else ()), *last)


def _plural(count: int, unit: str) -> str:
    return f"say-{unit}" if count == 1 else f"say-{unit}s"


PIECES = _pieces()
