"""How long a search among 100,000 conversations takes, in the encrypted database, opened to read only.

The records are made by the store from events as calls writes them, and read as the page reads them: a new connection,
nothing in its cache; the operating system has the file in memory. Each question is asked several times with a new
connection; the slowest counts.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from appliance.messages.calendar import DAY_MS
from appliance.records import sampling, search
from appliance.records.database import Connection
from appliance.records.reader import Reader
from appliance.records.search import Query, Sort
from tests.records import many
from tests.records.given import KEY

CONVERSATIONS = 100_000
TIMES = 7


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
    """Milliseconds of each question: the median and the slowest; and what the store needed to write it all."""
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        store = many.store(Path(name), CONVERSATIONS)
        writing = time.monotonic() - began
        store.close_hard()
        with Reader(store.path, KEY) as reader:
            number = next(one.customer for one in reader.last(100) if one.customer)
        found = {title: _timed(store.path, query) for title, query in questions(number).items()}
        found["choices of the form"] = _times(lambda: _asked(store.path, search.choices))
        now = many.BEGINS + many.YEAR_MS
        found["whom to listen to, 7 days"] = _times(lambda: _asked(store.path, lambda db: sampling.drawn(db, now)))
        result: dict[str, object] = {
            "conversations": CONVERSATIONS,
            "events": store.head().n,
            "database_mb": round(store.path.stat().st_size / 1e6),
            "written_in_seconds": round(writing),
            "milliseconds": found,
            "slowest_ms": max(each["slowest"] for each in found.values()),
        }
        store.close()
    return result


def _timed(path: Path, query: Query) -> dict[str, float]:
    return _times(lambda: _asked(path, lambda db: search.find(db, query)))


def _asked(path: Path, work: Callable[[Connection], object]) -> None:
    with Reader(path, KEY) as reader:
        reader.within(work)


def _times(work: Callable[[], None]) -> dict[str, float]:
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
    return {"median": round(statistics.median(taken), 1), "slowest": round(max(taken), 1)}
