"""A list as large as an office can have: imported whole, searched, known again after a start."""

from __future__ import annotations

import asyncio
import os
import time
import tracemalloc
from pathlib import Path

from appliance.calls.directory import Directory
from appliance.clock import VirtualClock
from appliance.contacts import plan, reading
from appliance.contacts.book import ContactBook
from appliance.records.store import Store
from appliance.records.writer import DirectWriter
from tests.contacts.given import TEHRAN, KnownContacts, many_rows
from tests.records.given import KEY

IS_LONG = bool(os.environ.get("PASOKH_LONG"))
ROWS = 100_000 if IS_LONG else 2_000


def test_of_all_rows_three_are_wrong_and_the_three_are_named_and_nothing_else_is_lost(tmp_path: Path) -> None:
    lines = list(many_rows(ROWS))
    middle = ROWS // 2
    lines[17], lines[ROWS - 1] = "بی‌شماره,,", f"{'ا' * 200},09120009998,"
    lines[middle] = f'"باز,0912{middle - 1:07},'
    content = "\n".join(lines).encode("utf-16")
    began = time.process_time()
    found = plan.planned(plan.steps(plan.source(content).rows(), KnownContacts(), TEHRAN))
    print(f"plan of {ROWS} rows: {time.process_time() - began:.1f} s CPU")
    assert (found.new, found.changed, found.same, found.wrong_count) == (ROWS - 3, 0, 0, 3)
    assert [(each.line, each.problem.key) for each in found.wrong] == [
        (18, "contacts.no_number"),
        (middle + 1, "contacts.quotes"),
        (ROWS, "contacts.too_long"),
    ]

    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    directory = Directory(DirectWriter(store), VirtualClock(), TEHRAN)
    began = time.process_time()
    for batch in plan.batches(plan.steps(plan.source(content).rows(), KnownContacts(), TEHRAN)):
        asyncio.run(directory.save(batch, "owner"))
    print(f"import of {ROWS} rows: {time.process_time() - began:.1f} s CPU")
    assert len(directory) == store.within(reading.count) == ROWS - 3

    began = time.process_time()
    (last,) = store.within(lambda db: reading.search(db, f"مشتري {ROWS - 3}", 10))
    print(f"search among {ROWS}: {1000 * (time.process_time() - began):.0f} ms CPU")
    assert last.name == f"مشتری {ROWS - 3}"
    if IS_LONG:
        tracemalloc.start()
    began = time.process_time()
    book = ContactBook(reading.everybody(store.within))
    print(f"start with {ROWS} contacts: {time.process_time() - began:.1f} s CPU")
    print(f"memory for each contact: {tracemalloc.get_traced_memory()[0] // ROWS} bytes")
    tracemalloc.stop()
    assert len(book) == ROWS - 3 and book.of(last.numbers[0]) == last
    store.close()
