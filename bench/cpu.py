"""CPU time of the parts that a whole call passes without its sound: signalling, records, and a day of an office.

``make long ONLY=cpu`` writes bench/results/cpu.json. The same work is counted, without a clock, by the tests.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from appliance.clock import VirtualClock
from appliance.records.store import Store
from tests.records.given import KEY, a_call
from tests.signalling.given import Bench
from tests.signalling.test_cost import CALLS, some_calls
from tests.simulation.test_whole_office import TheOffice, a_day
from tests.support.virtual_time import run

RESULT = Path(__file__).parent / "results" / "cpu.json"


def cpu_seconds(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def signalling() -> float:
    bench = Bench()
    some_calls(bench, 0)
    return cpu_seconds(lambda: some_calls(bench, CALLS)) / CALLS


def records(folder: Path) -> float:
    store = Store(folder / "calls.db", KEY, VirtualClock())
    moments = [moment for number in range(200) for moment in a_call(f"{number:032x}")]
    spent = cpu_seconds(lambda: [store.apply(moment) for moment in moments])
    store.close()
    return spent / 200


def office(folder: Path) -> float:
    day = TheOffice(folder)
    return cpu_seconds(lambda: run(day.loop, a_day(day, 1000, random.Random(3))))


def main() -> int:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        result = {
            "commit": subprocess.run(
                ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
            ).stdout.strip(),
            "signalling_ms_per_call": round(1000 * signalling(), 3),
            "records_ms_per_call": round(1000 * records(Path(one)), 3),
            "office_cpu_seconds_per_1000_calls": round(office(Path(other)), 2),
        }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
