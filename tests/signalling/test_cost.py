"""How much work a call is in signalling, and that nothing of it stays in memory."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace

from appliance.signalling.port import HungUp
from appliance.signalling.transactions import LIFE
from tests.signalling.given import SETTINGS, Bench, Caller, code_of
from tests.support.work import functions_entered

CALLS = 300
MOST_FUNCTIONS = 900  # entered for one whole call, the tests' own peer among them


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


def test_a_whole_call_is_little_work() -> None:
    bench = Bench()
    some_calls(bench, 0)
    assert functions_entered(lambda: some_calls(bench, CALLS)) / CALLS < MOST_FUNCTIONS


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
