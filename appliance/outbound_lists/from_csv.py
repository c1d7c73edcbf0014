"""A list's file: CSV as the contact import reads it (contacts/sheet.py), with one number in a row.

Columns are found by their headings, in Persian or English. Three further columns are the owner's own: the first three
whose headings are not known here. A row that cannot be taken is named by its line and holds up no other one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.contacts import check, decoding, draft, sheet
from appliance.contacts.draft import Wrong
from appliance.contacts.sheet import Sheet
from appliance.control.wire import ListRow
from appliance.errors import Problem
from appliance.messages.folding import fold
from appliance.outbound_lists.check import COLUMNS, checked

CHUNK_ROWS = 500  # of one question to calls; it takes some 10 ms
BATCH_ROWS = 50  # of one order, between two packets of SIP; 20 KB at most
MOST_NAMED = 1_000  # wrong rows that are kept with their reasons; beyond it they are only counted
LONGEST_NUMBER = 60
UNREADABLE = ("no_number", "not_a_number", "too_long")  # shown as they are written

_HEADINGS: Mapping[str, str] = {
    fold(heading): what
    for what, headings in {
        "name": ("name", "full name", "customer", "نام", "نام کامل", "نام و نام خانوادگی", "مشتری"),
        "language": ("language", "زبان"),
    }.items()
    for heading in headings
}
_NUMBER = tuple(map(fold, ("phone", "mobile", "number", "tel", "cell", "تلفن", "شماره", "موبایل", "همراه")))


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody in the file, cleaned but for the number."""

    line: int
    row: ListRow


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read; ``rows`` may be asked again."""

    encoding: str
    separator: str
    sheet: Sheet
    columns: Sequence[str]

    def rows(self) -> Iterator[Found | Wrong]:
        for line, cells in self.sheet.records():
            try:
                if isinstance(cells, Problem):
                    raise cells
                yield Found(line, _row(self.columns, cells))
            except Problem as problem:
                yield Wrong(line, problem)


@dataclass(slots=True)
class Plan:
    """What an import would do. ``wrong`` names the first ``MOST_NAMED`` rows that cannot be taken."""

    new: int = 0
    wrong_count: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)  # number: its line

    def take(self, chunk: Sequence[Found | Wrong], said: Sequence[tuple[str, str]]) -> Iterator[ListRow]:
        """Judges a part of the file by what calls has said of its numbers (``numbers_of``); those that may be added."""
        answers = iter(said)
        for each in chunk:
            if isinstance(each, Wrong):
                self._leave_out(each)
                continue
            number, why = next(answers)
            if why:
                shown = check.shown(each.row.number) if why in UNREADABLE else number[-4:]
                self._leave_out(Wrong(each.line, Problem(f"lists.row_{why}", number=shown)))
            elif number in self.taken:
                twice = Problem("contacts.twice", number=number[-4:], line=self.taken[number])
                self._leave_out(Wrong(each.line, twice))
            else:
                self.taken[number] = each.line
                self.new += 1
                yield each.row

    def _leave_out(self, wrong: Wrong) -> None:
        self.wrong_count += 1
        if len(self.wrong) < MOST_NAMED:
            self.wrong.append(wrong)


def source(content: bytes) -> Source:
    """The file by its content; Problem where it is no table, has no column of numbers, or is too large."""
    text = decoding.decoded(content)
    opened = sheet.opened(text.text)
    columns = _columns(opened.headings)
    if "number" not in columns:
        raise Problem("contacts.no_headings", found=", ".join(opened.headings)[:80])
    return Source(text.encoding, opened.separator, opened, columns)


def chunks(rows: Iterable[Found | Wrong]) -> Iterator[list[Found | Wrong]]:
    """As many rows as one question takes."""
    waiting = iter(rows)
    while chunk := list(itertools.islice(waiting, CHUNK_ROWS)):
        yield chunk


def batches(rows: Sequence[ListRow]) -> Iterator[tuple[ListRow, ...]]:
    """The rows to add, as many at once as one order takes."""
    for at in range(0, len(rows), BATCH_ROWS):
        yield tuple(rows[at : at + BATCH_ROWS])


def numbers_of(chunk: Iterable[Found | Wrong]) -> tuple[str, ...]:
    """What calls is asked about."""
    return tuple(each.row.number for each in chunk if isinstance(each, Found))


def _columns(headings: Sequence[str]) -> list[str]:
    columns: list[str] = []
    for heading in headings:
        folded = fold(heading.replace("_", " "))
        what = _HEADINGS.get(folded) or ("number" if folded.startswith(_NUMBER) else "")
        if what in columns:
            what = ""
        if not what and folded and columns.count("own") < COLUMNS:
            what = "own"
        columns.append(what)
    return columns


def _row(columns: Sequence[str], cells: Sequence[str]) -> ListRow:
    said: dict[str, str] = {}
    own: list[str] = []
    for what, cell in zip(columns, cells, strict=False):
        if what == "own":
            own.append(sheet.plain(cell))
        elif what:
            said[what] = sheet.plain(cell).strip()
    name, language, kept = checked(said.get("name", ""), draft.language(said.get("language", "")), own)
    return ListRow(said.get("number", "")[:LONGEST_NUMBER], name, language, kept)
