"""How long a search among 100,000 conversations takes, in the encrypted database, opened to read only.

A part of the records is made by the store from events as calls writes them; the rest are copies of these rows
with other ids, places and times. They are read as the page reads them: a new connection for each question, nothing in
its cache; the operating system has the file in memory. Beside the time on the clock stands that of the processor: on a
machine that does something else meanwhile only the latter tells what a question costs.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.messages.calendar import DAY_MS
from appliance.records import sampling, search
from appliance.records.database import Connection
from appliance.records.events import ContactSaved
from appliance.records.reader import Reader
from appliance.records.search import Query, Sort
from appliance.records.store import Stamped, Store
from tests.records import many
from tests.records.given import KEY

MADE, COPIES = 2_500, 40
CONTACTS = 5_000
TIMES = 3
# What a copy has of its own, by table; everything else is as in its original. ?1 is its number, ?2 how many events lie
# between it and its original.
_OWN = {
    "conversation": {"id": "?1 || '--' || id", "opened_n": "opened_n + ?1 * ?2", "opened": "opened + ?1 * 600000"},
    "leg": {"id": "?1 || '--' || id", "conversation": "?1 || '--' || conversation"},
    "recording": {"id": "?1 || '--' || id", "conversation": "?1 || '--' || conversation"},
    "passed_on": {"n": "n + ?1 * ?2", "conversation": "?1 || '--' || conversation"},
    "survey": {"conversation": "?1 || '--' || conversation"},
    "cdr": {"conversation": "?1 || '--' || conversation", "changed_n": "changed_n + ?1 * ?2"},
}


def questions(number: str) -> dict[str, Query]:
    """Common ones, and the worst: those that nothing answers, so that every conversation is looked at."""
    middle = many.BEGINS + many.YEAR_MS // 2
    return {
        "newest": Query(),
        "number": Query(number=number),
        "part of a number": Query(digits="4567"),
        "digits that nobody has": Query(digits="99999999999"),
        "name": Query(name="علی کریمی"),
        "name that nobody has": Query(name="هیچ کس"),
        "name of a contact": Query(name="مخاطب ۷"),
        "name of contacts without calls": Query(name="outside"),
        "agent": Query(agent="نیما"),
        "agent, one day": Query(agent="sara", since=middle, until=middle + DAY_MS),
        "agent that is not there": Query(agent="nobody"),
        "abandoned, a month": Query(outcome="abandoned", since=middle, until=middle + 30 * DAY_MS),
        "overtalk and dead air": Query(overtalk_ms=5_000, dead_air_ms=5_000),
        "most overtalk": Query(sort=Sort.OVERTALK),
        "most dead air, one agent": Query(agent="reza", sort=Sort.DEAD_AIR),
        "longest, recorded": Query(is_recorded=True, sort=Sort.LONGEST),
        "survey of 1": Query(score=1, queue="sales"),
        "everything at once": Query(
            digits="9", name="علی", agent="mina", line="shop", queue="doctors", since=many.BEGINS, until=middle,
            direction="in", outcome="served", at_least_ms=1, at_most_ms=10**9, overtalk_ms=1, dead_air_ms=1, score=5,
            is_recorded=True, sort=Sort.DEAD_AIR,
        ),
    }  # fmt: skip


def measure() -> dict[str, object]:
    """Milliseconds of each question: the median and the slowest on the clock, and the median of the processor."""
    with tempfile.TemporaryDirectory() as name:
        store = many.store(Path(name), MADE)
        store.apply_stamped(list(_contacts(store)))
        for table in _OWN:
            store.within(lambda db: db.execute(f"CREATE TEMP TABLE made_{table} AS SELECT * FROM {table}"))  # noqa: B023 - run at once
        for copy in range(1, COPIES):
            store.within(lambda db: _copied(db, copy, store.head().n))  # noqa: B023 - run at once
        store.close_hard()
        with Reader(store.path, KEY) as reader:
            number = next(one.customer for one in reader.last(100) if one.customer)
        found = {title: _timed(store.path, query) for title, query in questions(number).items()}
        found["choices of the form"] = _times(lambda: _asked(store.path, search.choices))
        now = many.BEGINS + many.YEAR_MS
        found["whom to listen to, 7 days"] = _times(lambda: _asked(store.path, lambda db: sampling.drawn(db, now)))
        result: dict[str, object] = {
            "conversations": MADE * COPIES,
            "contacts": CONTACTS,
            "database_mb": round(store.path.stat().st_size / 1e6),
            "milliseconds": found,
            "slowest_ms": max(each["slowest"] for each in found.values()),
            "most_cpu_ms": max(each["cpu"] for each in found.values()),
            "load_average": round(os.getloadavg()[0], 1),
        }
        store.close()
    return result


def _contacts(store: Store) -> Iterator[Stamped]:
    """A list in which every customer stands, and as many others as make it long."""
    rows = store.within(
        lambda db: db.execute("SELECT DISTINCT customer FROM conversation WHERE customer <> ''").fetchall()
    )
    numbers = [str(row[0]) for row in rows]
    for place, number in enumerate([*numbers, *(f"+1212{n:07}" for n in range(CONTACTS - len(numbers)))]):
        name, latin = f"مخاطب {place}", "" if place < len(numbers) else f"Outside {place}"
        saved = ContactSaved(f"k{place}", name, latin, (number,), "", False, False, False, "a note", "owner")
        yield Stamped(saved, many.BEGINS, 0)


def _timed(path: Path, query: Query) -> dict[str, float]:
    return _times(lambda: _asked(path, lambda db: search.find(db, query)))


def _copied(db: Connection, copy: int, events: int) -> None:
    for table, own in _OWN.items():
        names = [str(row[1]) for row in db.execute(f"PRAGMA table_info({table})")]
        values = ", ".join(own.get(name, name) for name in names)
        db.execute(f"INSERT INTO {table} SELECT {values} FROM temp.made_{table} WHERE ?1 + ?2 > 0", (copy, events))


def _asked(path: Path, work: Callable[[Connection], object]) -> None:
    with Reader(path, KEY) as reader:
        reader.within(work)


def _times(work: Callable[[], None]) -> dict[str, float]:
    taken, spent = [], []
    for _ in range(TIMES):
        began, cpu = time.perf_counter(), time.process_time()
        work()
        taken.append(1000 * (time.perf_counter() - began))
        spent.append(1000 * (time.process_time() - cpu))
    return {
        "median": round(statistics.median(taken), 1),
        "slowest": round(max(taken), 1),
        "cpu": round(statistics.median(spent), 1),
    }
