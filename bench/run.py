"""``make bench``: N simultaneous recorded menu calls against the whole box, beside the reference engine.

One JSON line per N. CPU is what the kernel counted for the processes while all N calls were up, divided by the
call-seconds of that time; the reference runs before or after with the same generator, in pairs, because the machine is
shared and only ratios of the same minutes mean something. See README.md for what limits the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.box import Box, free_ports, rtp_range, running

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
IDLE_SECONDS = 4.0
FLOW = """[flow]
name = "welcome"
start = "main"
languages = ["en"]
needs_notice = false
[node.main]
kind = "menu"
prompt = ["main_menu", "opening_hours", "main_menu"]
timeout_seconds = 6
attempts = 9
on_failure = "end"
[node.main.keys]
1 = "chosen"
[node.chosen]
kind = "say"
prompt = ["opening_hours", "opening_hours"]
next = "main"
[node.end]
kind = "goodbye"
"""


@dataclass(frozen=True)
class Load:
    """What the generator saw of one run, and the CPU of the processes under test in its steady part."""

    seen: dict[str, float]
    setup: dict[str, float]
    digit: dict[str, float]
    late40_share: float
    cpu_ms_per_call_second: dict[str, float]
    rss_kb: dict[str, int]
    idle_rss_kb: dict[str, int]
    whole_cpu_ms: dict[str, float]
    idle_ms_per_second: dict[str, float]
    whole_seconds: float


def generator() -> Path:
    """The load generator, compiled where that is needed."""
    built = HERE / "build" / "loadgen"
    source = HERE / "loadgen.c"
    if not built.is_file() or built.stat().st_mtime < source.stat().st_mtime:
        built.parent.mkdir(exist_ok=True)
        subprocess.run(["gcc", "-O2", "-o", built, source, "-lm"], check=True)
    return built


def cpu_seconds(processes: list[int]) -> float:
    """User and system time of these processes, as the kernel counted it."""
    total = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_kb(processes: list[int]) -> int:
    total = 0
    for process in processes:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                total += int(line.split()[1])
    return total


def drive(target: int, local: tuple[str, int], calls: int, seconds: float, groups: dict[str, list[int]]) -> Load:
    """One run of the generator; the steady part begins when all calls are up and ends before the first leaves."""
    rate = max(10.0, calls / 8.0)
    idle = {name: rss_kb(processes) for name, processes in groups.items()}
    quiet = {name: cpu_seconds(processes) for name, processes in groups.items()}
    time.sleep(IDLE_SECONDS)
    before = {name: cpu_seconds(processes) for name, processes in groups.items()}
    started = time.monotonic()
    running_generator = subprocess.Popen(
        [generator(), "--target", f"127.0.0.1:{target}", "--local", f"{local[0]}:{local[1]}", "--rtp",
         str(rtp_range(2 * calls)), "--n", str(calls), "--rate", str(rate), "--secs", str(seconds), "--dtmf", "1",
         "--user", "02188123456"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    time.sleep(calls / rate + 1.5)
    began = time.monotonic()
    first = {name: cpu_seconds(processes) for name, processes in groups.items()}
    time.sleep(max(2.0, seconds - calls / rate - 3.0))
    spent = time.monotonic() - began
    last = {name: cpu_seconds(processes) for name, processes in groups.items()}
    rss = {name: rss_kb(processes) for name, processes in groups.items()}
    output, _ = running_generator.communicate(timeout=120)
    time.sleep(1.0)
    after = {name: cpu_seconds(processes) for name, processes in groups.items()}
    seen = json.loads(output)
    return Load(
        seen=seen,
        setup=seen["setup_ms"],
        digit=seen["digit_ms"],
        late40_share=seen["over40_pct"] / 100,
        cpu_ms_per_call_second={name: 1000 * (last[name] - first[name]) / (calls * spent) for name in groups},
        rss_kb=rss,
        idle_rss_kb=idle,
        whole_cpu_ms={name: 1000 * (after[name] - before[name]) for name in groups},
        idle_ms_per_second={name: 1000 * (before[name] - quiet[name]) / IDLE_SECONDS for name in groups},
        whole_seconds=time.monotonic() - started,
    )


def ours(calls: int, seconds: float) -> tuple[Load, float, int]:
    """The whole box under load; beside it the recorded seconds that are missing, and records that are not whole."""
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(
        Box(f"127.0.0.2:{trunk}", max_calls=calls + 10, max_streams=2 * calls + 20, flow=FLOW, real_time=True)
    ) as box:
        groups = {"media": [box.process("media"), box.media_child()], "calls": [box.process("calls")]}
        load = drive(box.sip, ("127.0.0.2", trunk), calls, seconds, groups)
        conversations = box.conversations(calls, timeout_seconds=60)
        missing, unsealed = 0.0, 0
        for each in conversations:
            customer = each.legs[0]
            talked = (customer.ended_ms or 0) - (customer.answered_ms or 0)
            recorded = sum(part.milliseconds - part.missing_ms for part in each.recordings)
            missing += max(0, talked - recorded - 100) / 1000
            unsealed += not each.recordings or any(part.state != "sealed" for part in each.recordings)
        assert "Traceback" not in box.log, box.log[-2000:]
        return load, missing, unsealed


def reference(calls: int, seconds: float) -> Load:
    """The reference engine: no journal, no checks, no record; only for its cost."""
    (port,) = free_ports(1)
    (local,) = free_ports(1, "127.0.0.2")
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, "-W", "ignore", HERE / "reference_engine_slots.py", str(port), "out.json"],
            cwd=folder, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert server.stdout is not None
        server.stdout.readline()
        try:
            return drive(port, ("127.0.0.2", local), calls, seconds, {"media": [server.pid]})
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(20)


def per_call(load: Load, calls: int) -> float:
    """CPU of the calls process for one call: what it spent in the run less what it spends when nobody rings."""
    return (load.whole_cpu_ms["calls"] - load.idle_ms_per_second["calls"] * load.whole_seconds) / calls


def measure(calls: int, seconds: float, pairs: int) -> dict[str, object]:
    """Pairs of runs, ours and the reference's in turn; medians of what they cost."""
    mine: list[Load] = []
    theirs: list[Load] = []
    missing, unsealed = 0.0, 0
    for _ in range(pairs):
        load, lost, bad = ours(calls, seconds)
        mine.append(load)
        missing, unsealed = missing + lost, unsealed + bad
        theirs.append(reference(calls, seconds))
    ratios = [
        one.cpu_ms_per_call_second["media"] / other.cpu_ms_per_call_second["media"]
        for one, other in zip(mine, theirs, strict=True)
    ]
    last = mine[-1]
    return {
        "calls": calls,
        "pairs": pairs,
        "answered": [int(load.seen["answered"]) for load in mine],
        "cpu_ms_per_call_second": round(statistics.median(m.cpu_ms_per_call_second["media"] for m in mine), 3),
        "reference_ms_per_call_second": round(statistics.median(t.cpu_ms_per_call_second["media"] for t in theirs), 3),
        "ratio_to_reference": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "sip_and_records_ms_per_call": round(statistics.median(per_call(m, calls) for m in mine), 2),
        "sip_and_records_idle_ms_per_second": round(statistics.median(m.idle_ms_per_second["calls"] for m in mine), 1),
        "media_idle_ms_per_second": round(statistics.median(m.idle_ms_per_second["media"] for m in mine), 1),
        "rss_kb_per_call": round((last.rss_kb["media"] - last.idle_rss_kb["media"]) / calls, 1),
        "rss_kb_per_call_in_calls": round((last.rss_kb["calls"] - last.idle_rss_kb["calls"]) / calls, 1),
        "late40_share": round(statistics.median(m.late40_share for m in mine), 5),
        "late40_share_of_reference": round(statistics.median(t.late40_share for t in theirs), 5),
        "setup_ms_p50": statistics.median(m.setup["p50"] for m in mine),
        "setup_ms_p99": statistics.median(m.setup["p99"] for m in mine),
        "digit_to_prompt_ms_p50": statistics.median(m.digit["p50"] for m in mine),
        "digit_to_prompt_ms_p99": statistics.median(m.digit["p99"] for m in mine),
        "lost_recording_seconds": round(missing, 2),
        "recordings_not_sealed": unsealed,
        "failed_calls": sum(int(m.seen["failed"] + m.seen["stuck"]) for m in mine),
        "cores": os.cpu_count(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", default="", help="numbers of calls, by space (50 200 600)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each call lasts")
    parser.add_argument("--pairs", type=int, default=1, help="pairs of runs, ours and the reference's")
    parser.add_argument("--write", action="store_true", help="keep the lines in bench/results")
    chosen = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    for calls in [int(word) for word in (chosen.calls or "50 200 600").split()]:
        result = measure(calls, chosen.seconds, chosen.pairs)
        print(json.dumps(result), flush=True)
        if chosen.write:
            (HERE / "results").mkdir(exist_ok=True)
            (HERE / "results" / f"calls-{calls}.json").write_text(json.dumps({"commit": commit, **result}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
