"""``make long``: the full numbers behind the samples of ``make check``, kept in bench/results (``ONLY=name`` for one).

Each entry runs the same tests with PASOKH_LONG=1 or a measurement of its own, and leaves one JSON file with the id of
the commit, so that a note can quote it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import cadence, rewrap, sealing, search, speech, supervision, upstream, wait

RESULTS = Path(__file__).parent / "results"
TESTS = {
    "power-cuts": "tests/recorder/test_power_cuts.py",
    "recorder-kills": "tests/recorder/test_kills.py",
    "mutations": "tests/recorder/test_reading.py",
    "listen-keys": "tests/listen/test_keys.py",
    "listen-mutations": "tests/listen/test_reader.py",
    "listen-seeks": "tests/listen/test_browser.py::test_a_seek_in_an_hour_fetches_what_is_heard_and_no_more",
    "sip-fuzz": "tests/signalling/test_torture.py",
    "two-agents": "tests/simulation/test_two_agents.py",
    "sipp": "tests/system/test_sipp.py",
    "crashes": "tests/system/test_crashes.py",
    "hours": "tests/hours/test_answer.py",
    "rehearsal": "tests/system/test_rehearsal.py",
    "lamps": "tests/signalling/test_lamp_walks.py",
    "phones": "tests/system/test_phones.py",
    "lines": "tests/queue/test_line.py",
    "callback-book": "tests/queue/test_callbacks.py",
    "callbacks": "tests/system/test_callbacks.py",
    "requests": "tests/system/test_requests.py",
    "random-office": "tests/simulation/test_random_office.py",
    "agents-week": "tests/simulation/test_agents_week.py::test_every_second_of_every_agent_is_accounted_for",
    "agents-lives": "tests/simulation/test_agents_lives.py",
    "transfers": "tests/simulation/test_transfers.py",
    "no-plain-sound": "tests/system/test_no_plain_sound.py",
    "rewrap-kills": "tests/ceremony/test_rewrap.py",
    "supervision": "tests/simulation/test_supervision.py",
    "evidence": "tests/evidence/test_evidence.py",
    "answers": "tests/system/test_answers.py",
    "outside-agents": "tests/system/test_outside_agents.py",
    "contacts": "tests/contacts/test_large_list.py",
    "outbound-lists": "tests/simulation/test_list_walks.py",
    "notices": "tests/system/test_notices.py",
    "upstream-kills": "tests/sync/test_process.py::test_kills_at_random_moments_lose_nothing_and_send_nothing_twice",
    "upstream-outage": "tests/sync/test_process.py::test_after_days_without_upstream_everything_arrives_once",
    "upstream-narrow": "tests/sync/test_narrow_line.py",
    "erasing": "tests/sync/test_erasing.py",
    "archive": "tests/calls/test_archive.py",
    "forecast": "tests/retention/test_forecast.py",
}
COUNTED = re.compile(r"(\d+) passed")


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip()


def run_tests(name: str) -> int:
    """Runs one file of tests with the full counts; its figures are the lines it prints with a colon."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "--timeout", "3600", TESTS[name]],
        capture_output=True,
        text=True,
        env={**os.environ, "PASOKH_LONG": "1"},
    )
    passed = COUNTED.search(done.stdout)
    said = [line.strip() for line in done.stdout.splitlines() if ": " in line and not line.startswith(("FAILED", "E "))]
    result = {
        "commit": commit(),
        "tests": TESTS[name],
        "exit": done.returncode,
        "passed": int(passed[1]) if passed else 0,
        "seconds": round(time.monotonic() - began),
        "said": said[-40:],
    }
    (RESULTS / f"long-{name}.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    print(json.dumps(result, ensure_ascii=False), flush=True)
    return done.returncode


def run_calls() -> int:
    return subprocess.run(
        [sys.executable, "-m", "bench.run", "--calls", "50 200 600", "--seconds", "20", "--pairs", "3", "--write"]
    ).returncode


def run_cpu() -> int:
    return subprocess.run([sys.executable, "-m", "bench.cpu"]).returncode


# What measures itself: figures by name, kept beside the results of the tests.
MEASURED: dict[str, Callable[[], Mapping[str, object]]] = {
    "wait": lambda: {"traces": {trace.name: wait.measure(trace).figures() for trace in wait.TRACES}},
    "cadence": cadence.measure,
    "speech": lambda: {"talks": speech.TALKS, "conditions": speech.measure()},
    "upstream": upstream.measure,
    "search": search.measure,
    "rewrap": rewrap.measure,
    "sealing": sealing.measure,
    "supervision-cpu": supervision.measure,
}


def run_measurement(name: str) -> int:
    result = {"commit": commit(), **MEASURED[name]()}
    (RESULTS / f"long-{name}.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    print(json.dumps(result, ensure_ascii=False), flush=True)
    return 0


def run(name: str) -> int:
    match name:
        case "cpu":
            return run_cpu()
        case "calls":
            return run_calls()
        case _ if name in MEASURED:
            return run_measurement(name)
        case _:
            return run_tests(name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*TESTS, "cpu", "calls", *MEASURED]
    parser.add_argument("only", nargs="*", choices=[*names, []], help=f"of: {', '.join(names)}")
    chosen = parser.parse_args().only or names
    RESULTS.mkdir(exist_ok=True)
    return max(run(name) for name in chosen)


if __name__ == "__main__":
    sys.exit(main())
