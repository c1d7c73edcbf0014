"""The list as a table that spreadsheets open and our own import reads again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from appliance.control.wire import Contact
from appliance.messages import Language
from appliance.records.cdr import harmless

BOM = "\ufeff"  # without it a spreadsheet takes Persian for Windows-1256
SEPARATE = "; "
_HEADINGS = {
    "en": ("name", "latin name", "number", "language", "VIP", "blocked", "never recorded", "note"),
    "fa": ("نام", "نام لاتین", "شماره", "زبان", "ویژه", "مسدود", "ضبط نشود", "یادداشت"),
}
_YES_NO = {"en": ("no", "yes"), "fa": ("خیر", "بله")}


def lines(contacts: Iterable[Contact], language: Language) -> Iterator[str]:
    """The table, heading first, line by line."""
    yield BOM + _line(_HEADINGS[language])
    words = _YES_NO[language]
    for each in contacts:
        marks = (words[each.is_vip], words[each.is_blocked], words[each.is_unrecorded])
        numbers = SEPARATE.join(here(number) for number in each.numbers)
        yield _line((each.name, each.latin, numbers, each.language, *marks, each.note))


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return written.getvalue()


def here(number: str) -> str:
    """As people write it in this country; 00 abroad, for a plus begins a formula."""
    return "0" + number[3:] if number.startswith("+98") else "00" + number[1:] if number.startswith("+") else number
