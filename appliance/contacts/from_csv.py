"""A table of people (CSV): its separator and its columns are found by its first line, in Persian or English.

Columns that nobody here knows are passed over, and said. Google's and Outlook's columns are among the known ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from appliance.contacts import draft, sheet
from appliance.contacts.draft import MOST_NUMBERS_READ, Draft, Row, Wrong
from appliance.contacts.sheet import Sheet
from appliance.errors import Problem
from appliance.messages.folding import fold

# What a column is by its folded heading. Headings of numbers are known by how they begin.
_HEADINGS: Mapping[str, str] = {
    fold(heading): what
    for what, headings in {
        "name": (
            "name",
            "full name",
            "display name",
            "contact",
            "نام",
            "اسم",
            "نام کامل",
            "نام و نام خانوادگی",
            "مخاطب",
        ),
        "first": ("first name", "given name", "نام کوچک"),
        "last": ("last name", "family name", "surname", "نام خانوادگی", "فامیل", "فامیلی"),
        "company": ("company", "organization", "organization name", "organization 1 - name", "شرکت", "سازمان"),
        "latin": ("latin", "latin name", "نام لاتین", "لاتین"),
        "language": ("language", "زبان"),
        "vip": ("vip", "ویژه", "مشتری ویژه"),
        "blocked": ("blocked", "block", "مسدود"),
        "unrecorded": ("never record", "never recorded", "do not record", "ضبط نشود", "بدون ضبط"),
        "note": ("note", "notes", "یادداشت", "توضیح", "توضیحات"),
    }.items()
    for heading in headings
}
_NUMBERS = tuple(
    map(fold, ("phone", "mobile", "number", "tel", "cell", "home phone", "business phone", "primary phone"))
) + tuple(map(fold, ("تلفن", "شماره", "موبایل", "همراه", "تماس")))
_NO_NUMBERS = re.compile(r"(type|label|extension)$")


@dataclass(frozen=True, slots=True)
class Table:
    """A file that can be read. ``unknown`` are the headings that are passed over."""

    sheet: Sheet
    unknown: tuple[str, ...]
    columns: Sequence[str]  # what each is; empty for one that is passed over

    @property
    def separator(self) -> str:
        return self.sheet.separator

    def rows(self) -> Iterator[Row]:
        """Everybody in it, in order; may be asked again."""
        for line, cells in self.sheet.records():
            try:
                yield Wrong(line, cells) if isinstance(cells, Problem) else _draft(line, self.columns, cells)
            except Problem as problem:
                yield Wrong(line, problem)


def table(text: str) -> Table:
    """The table that ``text`` is; Problem where its first line has no headings that are known here."""
    opened = sheet.opened(text)
    columns = _columns(opened.headings)
    if "numbers" not in columns:
        raise Problem("contacts.no_headings", found=", ".join(opened.headings)[:80])
    return Table(opened, opened.unknown(columns), columns)


def _columns(headings: Sequence[str]) -> list[str]:
    folded = [fold(each.replace("_", " ")) for each in headings]
    columns = [
        _HEADINGS.get(each) or ("numbers" if each.startswith(_NUMBERS) and not _NO_NUMBERS.search(each) else "")
        for each in folded
    ]
    if "last" in columns and "first" not in columns and "name" in columns:
        columns[columns.index("name")] = "first"  # "نام" beside "نام خانوادگی" is the first name
    return columns


def _draft(line: int, columns: Sequence[str], cells: Sequence[str]) -> Draft:
    said: dict[str, str] = {}
    numbers: list[str] = []
    for what, cell in zip(columns, cells, strict=False):
        if what == "numbers":
            numbers += draft.numbers_in(cell)
        elif what:
            said[what] = sheet.plain(cell)

    def marked(what: str) -> bool | None:
        return draft.mark(said[what]) if what in said else None

    name = said.get("name", "").strip() or " ".join(
        each for each in (said.get("first", "").strip(), said.get("last", "").strip()) if each
    )
    return Draft(
        line=line,
        name=name or said.get("company", ""),
        numbers=tuple(numbers[:MOST_NUMBERS_READ]),
        latin=said.get("latin"),
        language=_maybe(draft.language, said.get("language")),
        is_vip=marked("vip"),
        is_blocked=marked("blocked"),
        is_unrecorded=marked("unrecorded"),
        note=said.get("note"),
    )


def _maybe(read: Callable[[str], str], written: str | None) -> str | None:
    return None if written is None else read(written)
