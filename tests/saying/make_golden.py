"""Writes golden/{fa,en}.tsv anew, by a route that shares nothing with appliance.saying: num2words and num2fawords.

    uv run --with num2words==0.5.14 --with num2fawords==1.1 --with jdatetime python tests/saying/make_golden.py

Kind, value and words, tab-separated. Where people speak otherwise than the libraries do, the difference is decided here
by hand (``persian_number``, ``FIRST``), so that a reader can disagree with it in one place:

* "صد", not "یکصد"; "هزار" where exactly one thousand is meant, not "یک هزار"; "اول", not "یکم", for the first
  alone; "سی‌ام", not "سیم"; 10^12 is "تریلیون" in today's Iran.
* no commas and no hyphens: pauses and spelling are not heard.
"""

from __future__ import annotations

import datetime
import importlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "golden"
CASES = 2000
FIRST = "اول"
FA_WEEKDAYS = ("دوشنبه", "سه‌شنبه", "چهارشنبه", "پنج‌شنبه", "جمعه", "شنبه", "یک‌شنبه")
FA_MONTHS = ("ژانویه", "فوریه", "مارس", "آوریل", "مه", "ژوئن", "ژوئیه", "اوت", "سپتامبر", "اکتبر", "نوامبر", "دسامبر")


def _fa() -> Any:
    return importlib.import_module("num2fawords")


def _en() -> Any:
    return importlib.import_module("num2words")


def persian_number(value: int) -> str:
    words: str = _fa().words(value).replace("یکصد", "صد").replace("بیلیون", "تریلیون")
    if abs(value) // 1000 % 1000 == 1:  # exactly one thousand in this place
        before, _, after = words.rpartition("یک هزار")
        words = f"{before}هزار{after}"
    return words


def persian_ordinal(value: int) -> str:
    if value == 1:
        return FIRST
    words: str = _fa().ordinal_words(value).replace("یکصد", "صد")
    words = words.removesuffix("سیم") + "سی‌ام" if value % 100 == 30 else words
    if value // 1000 % 1000 == 1:
        before, _, after = words.rpartition("یک هزار")
        words = f"{before}هزار{after}"
    return words


def english_number(value: int) -> str:
    words: str = _en().num2words(value, lang="en")
    return words.replace(",", "").replace("-", " ")


def english_ordinal(value: int) -> str:
    words: str = _en().num2words(value, lang="en", to="ordinal")
    return words.replace(",", "").replace("-", " ")


def numbers(chance: random.Random) -> Iterator[int]:
    yield from range(131)
    yield from (200, 300, 999, 1000, 1001, 1100, 1999, 2000, 10_000, 11_000, 21_300, 100_000, 101_001, 999_999)
    yield from (10**6, 10**6 + 1, 1_001_001, 10**9, 10**9 + 1000, 999_999_999_999, 10**12, -1, -20, -1500)
    while True:
        yield chance.randrange(10 ** chance.randrange(2, 13))


def cases(language: str, seed: int) -> Iterator[tuple[str, str, str]]:
    chance = random.Random(seed)
    number = persian_number if language == "fa" else english_number
    ordinal = persian_ordinal if language == "fa" else english_ordinal
    of_numbers = numbers(chance)
    for _ in range(1000):
        value = next(of_numbers)
        yield "number", str(value), number(value)
    for value in [*range(1, 102), *(chance.randrange(1, 10 ** chance.randrange(3, 13)) for _ in range(149))]:
        yield "ordinal", str(value), ordinal(value)
    for kind, unit in (("toman", ("تومان", "toman")), ("rial", ("ریال", "rial"))):
        for _ in range(100):
            value = chance.randrange(1, 10 ** chance.randrange(4, 11)) // 100 * 100
            yield kind, str(value), f"{number(value)} {unit[language == 'en']}"
    for _ in range(100):
        digits = "".join(chance.choice("0123456789") for _ in range(chance.randrange(3, 9)))
        yield chance.choice(["digits", "code"]), digits, " ".join(number(int(digit)) for digit in digits)
    yield from phones(language, chance)
    yield from moments(language, chance)


def phones(language: str, chance: random.Random) -> Iterator[tuple[str, str, str]]:
    for _ in range(100):
        mobile = chance.random() < 0.6
        digits = ("091" if mobile else "021") + str(chance.randrange(10**7, 10**8))
        if language == "en":
            yield "phone", digits, " ".join(english_number(int(digit)) for digit in digits)
            continue
        sizes = (4, 3, 2, 2) if mobile else (3, 2, 2, 2, 2)
        at, spoken = 0, []
        for size in sizes:
            group = digits[at : at + size]
            at += size
            while group.startswith("0"):
                spoken.append("صفر")
                group = group[1:]
            if group:
                spoken.append(persian_number(int(group)))
        yield "phone", digits, " ".join(spoken)


def moments(language: str, chance: random.Random) -> Iterator[tuple[str, str, str]]:
    import jdatetime

    for _ in range(150):
        hour, minute = chance.randrange(24), chance.choice([0, chance.randrange(60)])
        if language == "fa":
            words = f"{persian_number(hour)} و {persian_number(minute)} دقیقه" if minute else persian_number(hour)
        else:
            past = "" if not minute else f" {'oh ' if minute < 10 else ''}{english_number(minute)}"
            words = f"{english_number((hour + 11) % 12 + 1)}{past} {'a.m.' if hour < 12 else 'p.m.'}"
        yield "time", f"{hour:02}:{minute:02}", words
    for number in range(200):
        day = datetime.date(2025, 3, 21) + datetime.timedelta(days=chance.randrange(1500))
        jalali = jdatetime.date.fromgregorian(date=day)
        kind = "jalali" if number % 2 else "date"
        of_month = jalali.day if kind == "jalali" else day.day
        if language == "fa":
            month = jdatetime.date.j_months_fa[jalali.month - 1] if kind == "jalali" else FA_MONTHS[day.month - 1]
            words = f"{FA_WEEKDAYS[day.weekday()]} {persian_ordinal(of_month)}ِ {month}"
        else:
            names = [
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
            month = names[jalali.month - 1] if kind == "jalali" else f"{day:%B}"
            words = f"{day:%A} the {english_ordinal(of_month)} of {month}"
        yield kind, day.isoformat(), words
    for _ in range(150):
        seconds = chance.choice([chance.randrange(120), chance.randrange(7200), chance.randrange(360_000)])
        yield "duration", str(seconds), duration(language, seconds)
    for _ in range(50):
        least = chance.randrange(1, 60)
        most = least + chance.choice([0, 0, 3, 5, 30])
        if least == most:
            unit = "دقیقه" if language == "fa" else "minute" if least == 1 else "minutes"
            words = f"{persian_number(least) if language == 'fa' else english_number(least)} {unit}"
        elif language == "fa":
            words = f"بین {persian_number(least)} تا {persian_number(most)} دقیقه"
        else:
            words = f"between {english_number(least)} and {english_number(most)} minutes"
        yield "range", f"{least}-{most}", words


def duration(language: str, seconds: int) -> str:
    clock = str(datetime.timedelta(seconds=seconds % 86_400)).split(":")
    counts = [int(clock[0]) + seconds // 86_400 * 24, int(clock[1]), int(clock[2])]
    if language == "fa":
        spoken = [
            f"{persian_number(n)} {unit}" for n, unit in zip(counts, ("ساعت", "دقیقه", "ثانیه"), strict=True) if n
        ]
        return " و ".join(spoken) or "صفر ثانیه"
    spoken = [
        f"{english_number(n)} {unit}{'' if n == 1 else 's'}"
        for n, unit in zip(counts, ("hour", "minute", "second"), strict=True)
        if n
    ]
    return " and ".join(filter(None, [" ".join(spoken[:-1]), spoken[-1]])) if spoken else "zero seconds"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for language in ("fa", "en"):
        lines = ["\t".join(case) for case in cases(language, 1405)]
        assert len(lines) >= CASES - 50, len(lines)
        (FOLDER / f"{language}.tsv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
