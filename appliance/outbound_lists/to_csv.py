"""What came of a list, as a table that spreadsheets open; no cell of it is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from appliance import messages
from appliance.contacts.to_csv import BOM, here
from appliance.messages import Language
from appliance.messages.calendar import moment
from appliance.records.cdr import harmless
from appliance.records.lists import Entry

_HEADINGS = {
    "en": ("number", "name", "language", "1", "2", "3", "outcome", "result", "attempts", "agent", "when", "state"),
    "fa": ("شماره", "نام", "زبان", "۱", "۲", "۳", "نتیجه", "حاصل", "دفعات", "کارشناس", "زمان", "وضعیت"),
}


def lines(entries: Iterable[Entry], language: Language) -> Iterator[str]:
    """The table, heading first, line by line."""
    yield BOM + _line(_HEADINGS[language])
    for each in entries:
        when = moment(each.changed, language) if each.changed else ""
        yield _line(
            (
                here(each.number), each.name, each.language, *each.columns, outcome(each.outcome, language),
                each.result, each.attempts, each.agent, when, each.state,
            )
        )  # fmt: skip


def outcome(word: str, language: Language) -> str:
    """An outcome as a person reads it; empty: nobody has tried."""
    return messages.text(f"lists.outcome_{word or 'none'}", language)


def _line(cells: Iterable[str | int]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return written.getvalue()
