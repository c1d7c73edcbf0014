"""A table of people (CSV): its separator and its columns are found by its first line, in Persian or English.

Every line stands for itself: a quote that is never closed costs its own line and no other. Columns that nobody here
knows are passed over, and said. Google's and Outlook's columns are among the known ones.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from appliance.contacts import draft
from appliance.contacts.draft import MOST_NUMBERS_READ, Draft, Row, Wrong
from appliance.errors import Problem
from appliance.messages.folding import fold

SEPARATORS = (",", ";", "\t")
LONGEST_LINE = 20_000  # characters
LONGEST_CELL_LINES = 20  # a cell in quotes may go over so many lines
_SEP_LINE = re.compile(r"sep=(.)\s*$", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n|\r|\n")

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

    separator: str
    unknown: tuple[str, ...]
    lines: Sequence[str]
    columns: Sequence[str]  # what each is; empty for one that is passed over
    first: int  # index of the first line with people in it

    def rows(self) -> Iterator[Row]:
        """Everybody in it, in order; may be asked again."""
        at = self.first
        while at < len(self.lines):
            begins = at
            if not self.lines[at].strip(self.separator + " \t"):
                at += 1
                continue
            try:
                cells, at = _record(self.lines, at, self.separator)
                yield _draft(begins + 1, self.columns, cells)
            except Problem as problem:
                at = max(at, begins + 1)
                yield Wrong(begins + 1, problem)


def table(text: str) -> Table:
    """The table that ``text`` is; Problem where its first line has no headings that are known here."""
    lines = _LINE_ENDS.split(text)
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    said = _SEP_LINE.match(lines[first])
    if said is not None:
        first += 1
    heading = lines[first] if first < len(lines) else ""
    separator = said[1] if said is not None else max(SEPARATORS, key=heading.count)
    headings, _ = _record(lines, first, separator) if heading else ([], 0)
    columns = _columns(headings)
    if "numbers" not in columns:
        raise Problem("contacts.no_headings", found=", ".join(headings)[:80])
    unknown = tuple(each[:40] for each, what in zip(headings, columns, strict=True) if not what and each.strip())
    return Table(separator, unknown, lines, columns, first + 1)


def _columns(headings: Sequence[str]) -> list[str]:
    folded = [fold(each.replace("_", " ")) for each in headings]
    columns = [
        _HEADINGS.get(each) or ("numbers" if each.startswith(_NUMBERS) and not _NO_NUMBERS.search(each) else "")
        for each in folded
    ]
    if "last" in columns and "first" not in columns and "name" in columns:
        columns[columns.index("name")] = "first"  # "نام" beside "نام خانوادگی" is the first name
    return columns


def _record(lines: Sequence[str], at: int, separator: str) -> tuple[list[str], int]:
    """The cells that begin at this line, and where the next ones do. Problem where its quotes do not fit."""
    line = lines[at]
    if len(line) > LONGEST_LINE:
        raise Problem("contacts.long_line", count=len(line), most=LONGEST_LINE)
    if '"' not in line:
        return line.split(separator), at + 1
    whole = line
    for after in range(at + 1, at + 1 + LONGEST_CELL_LINES):
        try:
            return next(csv.reader([whole], delimiter=separator, strict=True)), after
        except (csv.Error, StopIteration) as error:
            is_open = "unexpected end of data" in str(error)
            if not is_open or after >= len(lines) or len(whole) > LONGEST_LINE:
                break
            whole += "\n" + lines[after]
    raise Problem("contacts.quotes")


def _draft(line: int, columns: Sequence[str], cells: Sequence[str]) -> Draft:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise Problem("contacts.many_cells", count=len(cells), most=len(columns))
    said: dict[str, str] = {}
    numbers: list[str] = []
    for what, cell in zip(columns, cells, strict=False):
        if what == "numbers":
            numbers += draft.numbers_in(cell)
        elif what:
            said[what] = _plain(cell)

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


def _plain(cell: str) -> str:
    """Without the apostrophe by which our own export keeps a spreadsheet from calculating."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@") else cell
