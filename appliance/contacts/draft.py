"""What a file of another program says of people, before anybody has looked whether it can be so."""

from __future__ import annotations

import re
from dataclasses import dataclass

from appliance.errors import Problem
from appliance.messages.folding import fold

LARGEST_BYTES = 16 << 20  # of a file: 100,000 rows of 80 letters in UTF-16
MOST_NUMBERS_READ = 50  # of one person; what is more is refused by check.py anyway
YES = frozenset({"1", "yes", "y", "true", "x", "بله", "بلی", "اری", "دارد", "هست"})
NO = frozenset({"", "0", "no", "n", "false", "-", "خیر", "نه", "ندارد", "نیست"})
_LANGUAGES = {"": "", "fa": "fa", "en": "en", "persian": "fa", "farsi": "fa", "english": "en"}
_LANGUAGES |= {fold("فارسی"): "fa", fold("انگلیسی"): "en"}
_BETWEEN = re.compile(r":::|[;,|\n،؛]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A person as line ``line`` of a file has them. What is None is not said there, and stays as it is."""

    line: int
    name: str
    numbers: tuple[str, ...]
    latin: str | None = None
    language: str | None = None
    is_vip: bool | None = None
    is_blocked: bool | None = None
    is_unrecorded: bool | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Wrong:
    """The person who begins at this line cannot be taken, and why."""

    line: int
    problem: Problem


Row = Draft | Wrong


def numbers_in(cell: str) -> tuple[str, ...]:
    """The numbers that somebody has written into one cell."""
    return tuple(each.strip() for each in _BETWEEN.split(cell) if each.strip())


def mark(written: str) -> bool:
    """Yes or no, as people write it; Problem for anything else."""
    word = fold(written)
    if word not in YES and word not in NO:
        raise Problem("contacts.not_yes_or_no", value=written[:20])
    return word in YES


def language(written: str) -> str:
    """``fa``, ``en`` or empty; Problem for anything else."""
    found = _LANGUAGES.get(fold(written))
    if found is None:
        raise Problem("contacts.no_language", value=written[:20])
    return found
