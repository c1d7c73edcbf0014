"""A file a day: what stands in it, what a spreadsheet makes of it, and that nothing stands twice."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import io
import json
import time
from datetime import date
from pathlib import Path

from appliance.records.events import ConversationClosed, ConversationErased, Outcome, RecordClosed
from appliance.sync.daily import bounds, day_of
from tests.records.given import opened
from tests.sync.office import Office, office


def target(folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return f'[[target]]\nname = "books"\nkind = "daily"\nfolder = "{folder}"\n'


def rows(folder: Path) -> list[dict[str, str]]:
    return [
        row
        for file in sorted((folder / "office").glob("*.csv"))
        for row in csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig")))
    ]


def lines(folder: Path) -> list[dict[str, object]]:
    return [
        json.loads(line)
        for file in sorted((folder / "office").glob("*.jsonl"))
        for line in file.read_text().splitlines()
    ]


async def until_rows(it: Office, folder: Path, count: int) -> None:
    await it.until(lambda: len(rows(folder)) == count == len(lines(folder)), 60)


def test_every_record_stands_once_in_both_files_with_jalali_and_utc_times(tmp_path: Path) -> None:
    async def scenario() -> None:
        books = tmp_path / "books"
        async with office(target(books)) as it:
            for number in range(1, 4):
                it.call(number)
            await it.start()
            await until_rows(it, books, 3)
            it.call(4)
            await until_rows(it, books, 4)
            found = rows(books)
            assert [row["conversation"] for row in found] == ["c1", "c2", "c3", "c4"]
            assert found[0]["opened_jalali"].startswith(("1404/", "1405/", "1406/"))
            assert found[0]["opened_utc"].endswith("Z") and len(found[0]["recording_sha256"]) == 64
            assert [line["conversation"] for line in lines(books)] == ["c1", "c2", "c3", "c4"]
            file = next((books / "office").glob("*.csv"))
            assert file.read_bytes().startswith(b"\xef\xbb\xbf") and f"calls-{day_of_now()}" in file.name

    asyncio.run(scenario())


def day_of_now() -> date:

    return day_of(time.time_ns() // 1_000_000)


def test_a_name_that_a_spreadsheet_would_run_gets_a_quote(tmp_path: Path) -> None:
    async def scenario() -> None:
        books = tmp_path / "books"
        async with office(target(books)) as it:
            evil = dataclasses.replace(opened("c1"), customer_name="=HYPERLINK(1)")
            it.happened(evil, ConversationClosed("c1", Outcome.SERVED, "", "sara", 10), RecordClosed("c1"))
            await it.start()
            await until_rows(it, books, 1)
            assert rows(books)[0]["customer_name"] == "'=HYPERLINK(1)"

    asyncio.run(scenario())


def test_what_was_erased_is_gone_from_its_day_with_the_next_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        books = tmp_path / "books"
        async with office(target(books)) as it:
            it.call(1)
            it.call(2)
            await it.start()
            await until_rows(it, books, 2)
            it.happened(ConversationErased("c1", "asked", "owner"))
            it.call(3)
            await it.until(lambda: [row["conversation"] for row in rows(books)] == ["c2", "c3"], 60)

    asyncio.run(scenario())


def test_a_day_is_that_of_the_box_and_days_meet_without_gap() -> None:
    first, second = date(2026, 3, 20), date(2026, 3, 21)
    assert bounds(first)[1] == bounds(second)[0]
    assert day_of(bounds(second)[0]) == second and day_of(bounds(second)[0] - 1) == first
    assert bounds(second)[0] == 1_774_038_600_000  # 2026-03-20T20:30:00Z
