"""What a call costs in signalling, with five-fold slack, and that nothing of it stays in memory."""

from __future__ import annotations

import gc
import time
import tracemalloc
from dataclasses import replace

from appliance.signalling.port import HungUp
from appliance.signalling.transactions import LIFE
from tests.signalling.given import SETTINGS, Bench, Caller, code_of

CALLS = 300
MAX_CPU_SECONDS = 0.6e-3  # of one whole call on a desk machine; the tests' own peer is in it


def some_calls(bench: Bench, first: int) -> None:
    """Whole calls, one after the other: INVITE, 100, 200, ACK, BYE, 200."""
    for number in range(first, first + CALLS):
        caller = Caller(call_id=f"call-{number}", from_tag=f"t{number}")
        bench.answered(caller)
        assert code_of(bench.receive(caller.ask("BYE"))) == 200
        bench.now += 0.2
        bench.wait(0)
        bench.sent.clear()
        assert isinstance(bench.all_events[-1], HungUp)
        bench.all_events.clear()


def test_a_whole_call_costs_a_fraction_of_a_millisecond() -> None:
    bench = Bench()
    some_calls(bench, 0)
    gc.collect()
    began = time.process_time()
    some_calls(bench, CALLS)
    assert (time.process_time() - began) / CALLS < 5 * MAX_CPU_SECONDS


def test_memory_is_flat_after_calls_and_their_transactions_are_over() -> None:
    bench = Bench(replace(SETTINGS, phones=()))

    def kept() -> int:
        bench.wait(LIFE + 10)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        some_calls(bench, 0)
        kept()
        some_calls(bench, CALLS)  # caches and free lists have their size now
        before = kept()
        some_calls(bench, 2 * CALLS)
        assert kept() - before < CALLS * 40  # a leg alone would be thousands of bytes
    finally:
        tracemalloc.stop()
    assert bench.is_clean
