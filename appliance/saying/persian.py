"""Persian: the pieces and how values are made of them.

Numbers join every part with "و": each part has a piece with it (``-o``) and one without, for the end. One thousand is
"هزار", not "یک هزار", as people say it. Ordinals end in "م" at the last part alone; the first is "اول". Days of the
month carry the ezafe to the month's name. Telephone numbers are read in the groups in which people write them.
"""

from __future__ import annotations

import datetime
import functools

from persiantools.jdatetime import JalaliDate

from appliance.saying.values import Clock, Range, Value

_UNITS = [
    "صفر",
    "یک",
    "دو",
    "سه",
    "چهار",
    "پنج",
    "شش",
    "هفت",
    "هشت",
    "نه",
    "ده",
    "یازده",
    "دوازده",
    "سیزده",
    "چهارده",
    "پانزده",
    "شانزده",
    "هفده",
    "هجده",
    "نوزده",
]
_TENS = dict(zip(range(20, 100, 10), ["بیست", "سی", "چهل", "پنجاه", "شصت", "هفتاد", "هشتاد", "نود"], strict=True))
_HUNDREDS = dict(
    zip(
        range(100, 1000, 100), ["صد", "دویست", "سیصد", "چهارصد", "پانصد", "ششصد", "هفتصد", "هشتصد", "نهصد"], strict=True
    )
)
_SCALES = {10**3: "هزار", 10**6: "میلیون", 10**9: "میلیارد", 10**12: "تریلیون"}
_NAMES = {10**3: "1e3", 10**6: "1e6", 10**9: "1e9", 10**12: "1e12"}
_IRREGULAR = {3: "سوم", 30: "سی‌ام"}
_WEEKDAYS = ["دوشنبه", "سه‌شنبه", "چهارشنبه", "پنج‌شنبه", "جمعه", "شنبه", "یک‌شنبه"]  # from Monday on
_JALALI = ["فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"]
_GREGORIAN = ["ژانویه", "فوریه", "مارس", "آوریل", "مه", "ژوئن", "ژوئیه", "اوت", "سپتامبر", "اکتبر", "نوامبر", "دسامبر"]
_OTHERS = {
    "say-minus": "منفی",
    "say-first": "اول",
    "say-toman": "تومان",
    "say-rial": "ریال",
    "say-hour": "ساعت",
    "say-hour-o": "ساعت و",
    "say-minute": "دقیقه",
    "say-minute-o": "دقیقه و",
    "say-second": "ثانیه",
    "say-between": "بین",
    "say-to": "تا",
}


def _pieces() -> dict[str, str]:
    words = {**dict(enumerate(_UNITS)), **_TENS, **_HUNDREDS, **_SCALES}
    found: dict[str, str] = {}
    for number, word in words.items():
        name = f"say-{_NAMES.get(number, number)}"
        found[name] = word
        found[f"{name}-o"] = f"{word} و"
        if number:
            found[f"{name}-th"] = _IRREGULAR.get(number, f"{word}م")
    found |= _OTHERS
    found |= {f"say-weekday-{number}": word for number, word in enumerate(_WEEKDAYS)}
    found |= {f"say-jalali-{number}": word for number, word in enumerate(_JALALI, 1)}
    found |= {f"say-month-{number}": word for number, word in enumerate(_GREGORIAN, 1)}
    return found | {f"say-day-{day}": f"{' '.join(found[name] for name in _ordinal(day))}ِ" for day in range(1, 32)}


def names(kind: str, value: Value) -> tuple[str, ...]:
    """The pieces of a value that was parsed as this kind."""
    match value:
        case Clock(hour, minute):
            return (
                (*_number(hour)[:-1], f"{_number(hour)[-1]}-o", *_number(minute), "say-minute")
                if minute
                else _number(hour)
            )
        case Range(least, most):
            if least == most:
                return (*_number(least), "say-minute")
            return ("say-between", *_number(least), "say-to", *_number(most), "say-minute")
        case datetime.date():
            return _day(kind, value)
        case str():
            return _phone(value) if kind == "phone" else tuple([f"say-{digit}" for digit in value])
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
    """The parts from the largest to the smallest, all but the last joined to what follows."""
    if value < 21:
        return (f"say-{value}",)
    parts: list[str] = []
    for scale in (10**12, 10**9, 10**6, 10**3, 1):
        group, value = divmod(value, scale)
        if not group:
            continue
        if scale == 1:
            parts += _below_1000(group)
            continue
        if group > 1 or scale != 10**3:
            inner = _below_1000(group)
            parts += [*(f"{part}-o" for part in inner[:-1]), f"{inner[-1]}-"]  # no "و" before the scale
        parts.append(f"say-{_NAMES[scale]}")
    last = len(parts) - 1
    return tuple(
        [
            part[:-1] if part.endswith("-") else part if at == last or part.endswith("-o") else f"{part}-o"
            for at, part in enumerate(parts)
        ]
    )


def _below_1000(value: int) -> list[str]:
    parts = []
    if value >= 100:
        parts.append(f"say-{value // 100 * 100}")
        value %= 100
    if value >= 20:
        parts.append(f"say-{value // 10 * 10}")
        value %= 10
    if value:
        parts.append(f"say-{value}")
    return parts


def _ordinal(value: int) -> tuple[str, ...]:
    if value == 1:
        return ("say-first",)
    parts = _number(value)
    return (*parts[:-1], f"{parts[-1]}-th")


def _day(kind: str, day: datetime.date) -> tuple[str, ...]:
    weekday = f"say-weekday-{day.weekday()}"
    if kind == "date":
        return weekday, f"say-day-{day.day}", f"say-month-{day.month}"
    jalali = JalaliDate(day)  # type: ignore[no-untyped-call] # ships no types
    return weekday, f"say-day-{jalali.day}", f"say-jalali-{jalali.month}"


def _duration(seconds: int) -> tuple[str, ...]:
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    parts: list[str] = []
    for count, unit, is_last in ((hours, "hour", not minutes and not rest), (minutes, "minute", not rest)):
        if count:
            parts += [*_number(count), f"say-{unit}" if is_last else f"say-{unit}-o"]
    if rest or not parts:
        parts += [*_number(rest), "say-second"]
    return tuple(parts)


def _phone(digits: str) -> tuple[str, ...]:
    """0912 345 67 89; 021 88 12 34 56; any other digit by digit."""
    if len(digits) == 11 and digits.startswith("09"):
        groups = [digits[:4], digits[4:7], digits[7:9], digits[9:]]
    elif len(digits) == 11 and digits.startswith("0"):
        groups = [digits[:3], digits[3:5], digits[5:7], digits[7:9], digits[9:]]
    elif len(digits) == 8:
        groups = [digits[:2], digits[2:4], digits[4:6], digits[6:]]
    else:
        groups = list(digits)
    found: list[str] = []
    for group in groups:
        zeros = len(group) - len(group.lstrip("0"))
        found += ["say-0"] * zeros
        if zeros < len(group):
            found += _number(int(group))
    return tuple(found)


PIECES = _pieces()
