"""A report as a PDF (A4), for who prints and files it. Needs the extra ``owner``: it is made on the owner's machine.

Persian is shaped and set from right to left by fpdf2 with HarfBuzz, in Vazirmatn (OFL), which is put into the file.
"""

from __future__ import annotations

import datetime
import textwrap
from importlib import resources
from typing import TYPE_CHECKING

from appliance.evidence.report import Cell, Report, Table

if TYPE_CHECKING:
    from fpdf import FPDF

FONT = "Vazirmatn"
MARGIN_MM = 15
TITLE_PT, HEADING_PT, TEXT_PT, TABLE_PT = 18, 13, 10, 8
CODE_LETTERS = 36  # of one line: a recording's name, half a digest and more
PADDING_LETTERS = 3
ISOLATE, END_ISOLATE = "\u2066", "\u2069"  # left to right within, whatever stands around (UAX 9)
LINE_SHARE = 0.6  # millimetres of a line for each point of its letters


def pdf(report: Report, made_utc_ms: int) -> bytes | None:
    """The file, the same for the same report and moment; None where the extra ``owner`` is not installed."""
    try:
        import uharfbuzz  # noqa: F401 # fpdf2 shapes with it, and would set Persian letters apart without it
        from fpdf import FPDF
    except ImportError:
        return None
    paper = FPDF()
    paper.set_creation_date(datetime.datetime.fromtimestamp(made_utc_ms / 1000, datetime.UTC))
    paper.set_title(report.title)
    paper.set_lang(report.language)
    with resources.as_file(resources.files(__package__).joinpath(f"fonts/{FONT}-Regular.ttf")) as file:
        paper.add_font(FONT, "", file)
    paper.set_margin(MARGIN_MM)
    paper.add_page()
    side = "R" if report.language == "fa" else "L"
    _say(paper, report.title, TITLE_PT, side)
    _say(paper, report.what, TEXT_PT, side)
    _set(paper, report.facts, side)
    _set(paper, report.recordings, side)
    _say(paper, report.how_title, HEADING_PT, side)
    _say(paper, report.how, TEXT_PT, side)
    _say(paper, report.command, TEXT_PT, "L")
    _say(paper, report.limit, TEXT_PT, side)
    _set(paper, report.events, side)
    return bytes(paper.output())


def _say(paper: FPDF, text: str, size_pt: int, side: str) -> None:
    _letters(paper, size_pt, side)
    paper.multi_cell(0, size_pt * LINE_SHARE, text, align=side, new_x="LMARGIN", new_y="NEXT")


def _set(paper: FPDF, table: Table, side: str) -> None:
    """Columns run the way the language does, each as wide as its longest line asks for."""
    if table.title:
        _say(paper, table.title, HEADING_PT, side)
    _letters(paper, TABLE_PT, side)
    rows = [tuple(map(Cell, table.heads)), *table.rows] if table.heads else [*table.rows]
    widths = [max(map(_letters_across, column)) + PADDING_LETTERS for column in zip(*rows, strict=True)]
    order = range(len(widths))[:: -1 if side == "R" else 1]
    with paper.table(
        text_align=side,
        line_height=TABLE_PT * LINE_SHARE,
        first_row_as_headings=False,
        col_widths=tuple(widths[column] for column in order),
    ) as drawn:
        for cells in rows:
            row = drawn.row()
            for column in order:
                row.cell("\n".join(_lines(cells[column])), align="L" if cells[column].is_code else side)
    paper.ln(TABLE_PT * LINE_SHARE)


def _lines(cell: Cell) -> tuple[str, ...]:
    """A text as it is, code in pieces of which each is kept from turning round."""
    if not cell.is_code:
        return (cell.text,)
    return tuple(f"{ISOLATE}{piece}{END_ISOLATE}" for piece in textwrap.wrap(cell.text, CODE_LETTERS)) or ("",)


def _letters_across(cell: Cell) -> int:
    return max(map(len, _lines(cell)))


def _letters(paper: FPDF, size_pt: int, side: str) -> None:
    paper.set_font(FONT, size=size_pt)
    paper.set_text_shaping(True, direction="rtl" if side == "R" else "ltr")
