"""The active level against signals whose level and activity are known beforehand."""

from __future__ import annotations

import math
import random
import struct

import pytest

from appliance.prompts.level import FULL_SCALE_DBM0, active_level, measured
from tests.prompts.test_voices import packed, tone


def dbm0(samples: list[int]) -> float:
    """The plain RMS level."""
    return (
        10 * math.log10(sum(each * each for each in samples) / len(samples)) - 20 * math.log10(32_768) + FULL_SCALE_DBM0
    )


def bursts(seconds: float, pause: float, count: int, loudness: int) -> list[int]:
    """Noise as loud as speech, with pauses longer than the hangover between."""
    chance = random.Random(4)
    burst = [round(chance.gauss(0, loudness)) for _ in range(round(8000 * seconds))]
    return (burst + [0] * round(8000 * pause)) * count


def test_a_sine_at_full_scale_is_where_g711_puts_it() -> None:
    level, activity = active_level(packed(tone(2.0, hertz=1000.0, loudness=32_767)))
    assert level == pytest.approx(3.14, abs=0.2) and activity == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("loudness", [100, 400, 1600, 6000])
def test_pauses_do_not_lower_the_level_of_what_is_said(loudness: int) -> None:
    whole = bursts(1.0, 0.0, 6, loudness)
    broken = bursts(1.0, 1.5, 6, loudness)
    expected = dbm0(whole)
    level, activity = active_level(packed(broken))
    assert level == pytest.approx(expected, abs=1.2), "within the hangover's share of it"
    assert activity == pytest.approx((1.0 + 0.2) / 2.5, abs=0.08)
    assert dbm0(broken) < expected - 3.5, "which the plain level does not show"


def test_twice_as_loud_is_six_decibels_more() -> None:
    levels = [active_level(packed(bursts(0.8, 0.7, 4, loudness)))[0] for loudness in (500, 1000, 2000)]
    assert levels[0] is not None and levels[1] is not None and levels[2] is not None
    assert levels[1] - levels[0] == pytest.approx(6.02, abs=0.15) == levels[2] - levels[1]


def test_silence_has_no_level_and_no_activity() -> None:
    assert active_level(b"") == (None, 0.0) and active_level(bytes(16_000)) == (None, 0.0)
    found = measured(bytes(16_000))
    assert found.level_dbm0 is None and found.before == found.after == 1.0


def test_silence_at_the_ends_clipping_and_offset_are_measured() -> None:
    samples = [0] * 4000 + [max(-32_768, min(32_767, 2 * each)) for each in tone(1.0, loudness=20_000)] + [0] * 8000
    found = measured(packed(samples))
    assert found.before == pytest.approx(0.5, abs=0.01) and found.after == pytest.approx(1.0, abs=0.01)
    assert found.clipped_share > 0.05 and found.seconds == 2.5
    assert measured(struct.pack("<8000h", *([500] * 8000))).offset == 500
