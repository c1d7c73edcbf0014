"""A table in a text (CSV): its separator is found by its first line, and every line stands for itself.

A quote that is never closed costs its own line and no other. What the columns mean is said by who asks.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.errors import Problem

SEPARATORS = (",", ";", "\t")
LONGEST_LINE = 20_000  # characters
LONGEST_CELL_LINES = 20  # a cell in quotes may go over so many lines
_SEP_LINE = re.compile(r"sep=(.)\s*$", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Sheet:
    """``headings`` as they are written; ``first`` is the index of the first line behind them."""

    separator: str
    headings: Sequence[str]
    lines: Sequence[str]
    first: int

    def records(self) -> Iterator[tuple[int, list[str] | Problem]]:
        """Line numbers and their cells, or why they cannot be read; may be asked again."""
        at = self.first
        while at < len(self.lines):
            begins = at
            if not self.lines[at].strip(self.separator + " \t"):
                at += 1
                continue
            try:
                cells, at = _record(self.lines, at, self.separator)
                if any(cell.strip() for cell in cells[len(self.headings) :]):
                    raise Problem("contacts.many_cells", count=len(cells), most=len(self.headings))
                yield begins + 1, cells
            except Problem as problem:
                at = max(at, begins + 1)
                yield begins + 1, problem

    def unknown(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The headings that are passed over; ``columns`` says what each is, empty for none that is known."""
        return tuple(each[:40] for each, what in zip(self.headings, columns, strict=True) if not what and each.strip())


def opened(text: str) -> Sheet:
    """The table that ``text`` is."""
    lines = _LINE_ENDS.split(text)
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    said = _SEP_LINE.match(lines[first])
    if said is not None:
        first += 1
    heading = lines[first] if first < len(lines) else ""
    separator = said[1] if said is not None else max(SEPARATORS, key=heading.count)
    headings, _ = _record(lines, first, separator) if heading else ([], 0)
    return Sheet(separator, headings, lines, first + 1)


def plain(cell: str) -> str:
    """Without the apostrophe by which our own exports keep a spreadsheet from calculating."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@") else cell


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
