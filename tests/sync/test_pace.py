"""Calls come first: how the pace falls and rises, and that a bucket hands out what it says and no bursts."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from appliance.calls.upstream import Strain as Measured
from appliance.media.port import Load, Statistics
from appliance.sync.pace import HIGHEST, LEAST_PIECE_BYTES, Bucket, Pace, Strain

CALM = Strain(calls=2)
BAD = Strain(calls=2, lost_permille=30)


def test_without_limits_and_without_calls_nothing_is_held_back() -> None:
    assert Pace().told(Strain()) == HIGHEST


def test_the_smaller_limit_counts_while_somebody_speaks() -> None:
    pace = Pace(most=100_000, most_in_calls=32_000)
    assert pace.told(Strain()) == 100_000
    assert pace.told(CALM) == 32_000
    assert Pace(most=20_000, most_in_calls=32_000).told(CALM) == 20_000


def test_loss_jitter_and_late_ticks_halve_the_pace_down_to_nothing_and_calm_gives_it_back() -> None:
    for strain in (BAD, Strain(calls=1, jitter_ms=40.0), Strain(calls=1, late_ticks=1)):
        pace = Pace(most_in_calls=32_000)
        rates = [pace.told(strain, 32_000)] + [pace.told(strain) for _ in range(6)]
        assert rates[0] == 16_000 and rates == sorted(rates, reverse=True) and rates[-1] == 0
        back = [pace.told(Strain(calls=1)) for _ in range(11)]
        assert back == sorted(back) and back[-1] == 32_000 and back[0] < 8_000


def test_what_no_call_feels_holds_nothing_back() -> None:
    assert Pace(most=50_000).told(Strain(calls=0, lost_permille=500, jitter_ms=90, late_ticks=9)) == 50_000


def test_without_a_limit_the_first_strain_halves_what_was_really_sent() -> None:
    pace = Pace()
    assert pace.told(BAD, 400_000) == 200_000


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10_000_000)), max_size=60), st.integers(2000, 1_000_000))
def test_the_pace_never_passes_its_limit(seconds: list[tuple[bool, int]], limit: int) -> None:
    pace = Pace(most=limit)
    for is_bad, sent in seconds:
        assert 0 <= pace.told(BAD if is_bad else CALM, sent) <= limit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_rate_and_never_a_burst() -> None:
    clock = Clock()
    bucket = Bucket(32_000, clock)
    given_bytes, longest = 0, 0
    for _ in range(10_000):
        clock.now += 0.001
        bucket._refill()
        if bucket._tokens >= LEAST_PIECE_BYTES:
            piece = bucket.take(64 << 10) if bucket._tokens >= bucket._piece() else 0
            given_bytes += piece
            longest = max(longest, piece)
    assert 0.95 * 320_000 <= given_bytes <= 320_000 and longest <= 1600


def test_who_waits_is_let_go_when_the_rate_rises_and_when_all_ends() -> None:
    bucket = Bucket(0)
    taken: list[int] = []
    waiting = threading.Thread(target=lambda: taken.append(bucket.take(5000)))
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive() and taken == []
    bucket.set_rate(HIGHEST - 1)
    waiting.join(10)
    assert taken == [5000]
    bucket.set_rate(0)
    again = threading.Thread(target=lambda: taken.append(bucket.take(7000)))
    again.start()
    bucket.close()
    again.join(10)
    assert taken == [5000, 7000]


def statistics(stream: str, received: int, lost: int, jitter: float = 1.0, remote: float = 0.0) -> Statistics:
    return Statistics(stream, False, received, 0, lost, 0, 0, 0, jitter, 0.0, 4.4, 90.0, remote, 4.4)


def test_strain_is_the_worst_of_all_streams_within_six_seconds_in_either_direction() -> None:
    strain = Measured()
    strain.measured(statistics("a", 250, 0), 0.0)
    strain.measured(statistics("b", 250, 0, 12.0), 1.0)
    assert strain.now(1.0) == (0, 12.0, 0)
    strain.measured(statistics("a", 475, 25), 5.0)  # 25 of the last 250
    assert strain.now(5.0)[0] == 100
    strain.measured(statistics("b", 500, 0, remote=0.2), 6.0)
    assert strain.now(6.5)[0] == 200
    assert strain.now(13.0) == (0, 0.0, 0)


def test_ticks_count_as_late_within_the_second_in_which_they_were() -> None:
    strain = Measured()
    strain.loaded(Load(0.5, 3, 0, 2, 2, True, 1.0, 0), 1.0)
    strain.loaded(Load(0.5, 5, 0, 2, 2, True, 1.0, 0), 2.0)
    assert strain.now(2.5)[2] == 2
    strain.loaded(Load(0.5, 5, 0, 2, 2, True, 1.0, 0), 3.0)
    assert strain.now(3.1)[2] == 0
