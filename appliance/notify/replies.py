"""What an SMS to the box means. Pure: one text in, one meaning out; digits and letters of any keyboard.

Of a caller: a number that answers a survey, "stop" and "start", else words. Of the owner: a PIN and what is to be
switched ("1234 closed until 10/05", «۱۲۳۴ بسته تا فردا»). The order of the words in between does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.messages import calendar
from appliance.messages.calendar import DAY_MS
from appliance.messages.numbers import latin

SCORES: Mapping[str, tuple[int, int]] = {"csat": (1, 5), "nps": (0, 10)}

_TOKEN = re.compile(r"\w+")
_SCORE = re.compile(r"[0-9]{1,2}")
_BESIDE = frozenset({"of", "out", "score", "stars", "star", "از", "من", "امتیاز", "نمره", "ستاره"})
_PIN = re.compile(r"(\d{4,12})\s+(.+)", re.DOTALL)
_DAY = re.compile(r"(?:(?P<year>1[34]\d\d)/)?(?P<month>\d{1,2})/(?P<day>\d{1,2})")
_TOMORROW = re.compile(r"\btomorrow\b|فردا", re.IGNORECASE)
_CLOSED = re.compile(r"\bclosed?\b|بسته|تعطیل", re.IGNORECASE)
_OPEN = re.compile(r"\bopen\b|باز", re.IGNORECASE)
_NIGHT = re.compile(r"\bnight\b|شب", re.IGNORECASE)
_STOP = frozenset({"stop", "لغو", "لغو11", "11"})
_START = frozenset({"start", "شروع"})
_AS_PERSIAN = str.maketrans("يك", "یک")


@dataclass(frozen=True, slots=True)
class Score:
    value: int


@dataclass(frozen=True, slots=True)
class Wish:
    """``stop``: never write to me; ``start``: write again."""

    what: str


@dataclass(frozen=True, slots=True)
class Words:
    """Something a person of the office must read."""

    text: str


@dataclass(frozen=True, slots=True)
class Order:
    """An action of ``calls.switches`` and its value, and the PIN that proves who says so."""

    action: str
    value: str
    pin: str = field(repr=False)


def of_caller(text: str, survey: str) -> Score | Wish | Words:
    """``survey`` is the question that waits for an answer (csat, nps), or empty. A number alone answers it, or beside
    its greatest ("4 of 5"); "ring me at 3" is no answer.
    """
    plain = _plain(text)
    word = "".join(plain.split()).lower()
    if word in _STOP:
        return Wish("stop")
    if word in _START:
        return Wish("start")
    value = _score(plain, *SCORES[survey]) if survey in SCORES else None
    return Words(text.strip()) if value is None else Score(value)


def of_owner(text: str, now_ms: int) -> Order | None:
    """The order, or None where it is none. A day is ``10/05``, ``1405/10/05`` or tomorrow; the box opens then."""
    found = _PIN.fullmatch(_plain(text).strip())
    if found is None:
        return None
    pin, rest = found.groups()
    if _CLOSED.search(rest):
        day = _day(rest, now_ms)
        return None if day is None else Order("closed_until", day, pin)
    if _OPEN.search(rest):
        return Order("closed_until", "0", pin)
    return Order("night_on", "", pin) if _NIGHT.search(rest) else None


def _score(text: str, least: int, most: int) -> int | None:
    said = [each for each in _TOKEN.findall(text.lower()) if each not in _BESIDE]
    if not said or said[1:] not in ([], [str(most)]) or not _SCORE.fullmatch(said[0]):
        return None
    value = int(said[0])
    return value if least <= value <= most else None


def _day(text: str, now_ms: int) -> str | None:
    """``MMDD``; None where no day is named, or one of a year that is not the next in which it comes."""
    if _TOMORROW.search(text):
        _, month, day = calendar.jalali(now_ms + DAY_MS)
        return f"{month:02}{day:02}"
    days = list(_DAY.finditer(text))
    if len(days) != 1:
        return None
    year, month, day = (int(part or 0) for part in days[0].group("year", "month", "day"))
    this_year, *today = calendar.jalali(now_ms)
    if year and year != this_year + ([month, day] <= today):
        return None
    return f"{month:02}{day:02}"


def _plain(text: str) -> str:
    return latin(text).translate(_AS_PERSIAN)
