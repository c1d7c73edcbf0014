"""What the player computes: speed without another pitch, and the silences that it skips."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path

import pytest

from appliance.recorder import reading, viewer
from tests.listen import given
from tests.recorder.given import HYBRID, named

PURE = Path(__file__).parent / "pure.mjs"
TONE_SECONDS, TONE_HERTZ = 8, 200
LARGEST_STEP = 0.5 * 2 * 3.15 * TONE_HERTZ / 8000  # of the tone itself, from sample to sample


def test_another_speed_changes_the_length_and_neither_pitch_nor_the_two_sides_against_each_other() -> None:
    script, _ = viewer.files()
    done = subprocess.run(["node", PURE, str(script)], capture_output=True, text=True, check=True, timeout=60)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["speed"] for each in told] == [0.5, 1, 1.5, 2, 3]
    for each in told:
        assert each["seconds"] == pytest.approx(TONE_SECONDS / each["speed"], abs=0.1)
        assert each["hertz"] == pytest.approx(TONE_HERTZ, rel=0.01)
        assert each["differs"] == 0, "right is left turned upside down, and stays so"
        assert each["step"] < 1.5 * LARGEST_STEP, "a click"


def test_five_minutes_are_read_whole_and_silences_skipped_but_for_a_quarter_of_a_second_at_each_end(
    tmp_path: Path,
) -> None:
    base = given.long_one(tmp_path, 300)
    opened = reading.open_recording(base, HYBRID)
    spoken = [tick.left.speech >> bit & 1 or tick.right.speech >> bit & 1 for tick in opened.ticks for bit in range(25)]
    expected, at = [], 0
    for is_spoken, run in itertools.groupby(spoken, bool):
        length = len(list(run))
        if not is_spoken and length >= 50:
            expected.append([at + 12, at + length - 12])
        at += length
    (found,) = given.read([given.case(base, HYBRID, named(6))])
    assert found["silences"] == expected and len(expected) > 5
    assert found["samples"] == given.samples_sha256(opened), "more chunks than the player keeps open"
    assert found["levels"] == [[tick.left.level_dbov, tick.right.level_dbov] for tick in opened.ticks]
