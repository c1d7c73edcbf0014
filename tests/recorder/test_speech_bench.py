"""The bench of speech marks: its labels, its arithmetic, and one clean talk through the recorder."""

from __future__ import annotations

import json
import re

from bench import speech
from bench.long import RESULTS

YES, NO = [True], [False]


def test_perfect_marks_have_perfect_figures() -> None:
    sides = (NO * 50 + YES * 100 + NO * 250, NO * 140 + YES * 60 + NO * 200)
    found = speech.counted([(sides, sides)])
    assert (found.precision, found.recall, found.onset_ms, found.not_found) == (1.0, 1.0, (0, 0), 0.0)
    assert (found.talk_share_off, found.overtalk_off, found.dead_air_off) == (0.0, 0.0, 0.0)


def test_what_is_missed_late_or_too_much_is_counted_as_that() -> None:
    label = (NO * 50 + YES * 100 + NO * 250, NO * 300 + YES * 40 + NO * 60)
    marks = (NO * 55 + YES * 95 + NO * 250, NO * 400)
    found = speech.counted([(label, marks)])
    assert found.recall == 95 / 140 and found.precision == 1.0
    assert [*found.onset_ms] == [100, 100] and found.not_found == 0.5
    noisy = speech.counted([(label, (YES * 400, YES * 400))])
    assert noisy.precision == 140 / 800 and noisy.recall == 1.0 and noisy.dead_air_off == -1.0


def test_labels_say_when_each_of_two_people_speaks_and_the_same_seed_is_the_same_talk() -> None:
    first, again = speech.talk(3), speech.talk(3)
    assert first.labels == again.labels and all(
        (one == other).all() for one, other in zip(first.sides, again.sides, strict=True)
    )
    for side, label in zip(first.sides, first.labels, strict=True):
        loud = (side.reshape(-1, 160) ** 2).mean(axis=1) ** 0.5 > 500
        assert 0.1 < sum(label) / len(label) < 0.8
        assert all(label[frame] for frame in loud.nonzero()[0])


def test_on_a_quiet_line_nearly_all_speech_is_marked_and_little_else() -> None:
    talk = speech.talk(1)
    found = speech.counted([(talk.labels, speech.marked(talk, "PCMA", "", 0.0, 1))])
    assert found.recall > 0.95 and found.precision > 0.93 and found.not_found == 0.0
    assert found.onset_ms[0] <= 40 and found.talk_share_off < 0.02


def test_the_table_of_the_bench_is_what_was_measured() -> None:
    measured = json.loads((RESULTS / "long-speech.json").read_text())["conditions"]
    text = (RESULTS.parent / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (none|white|hum|babble) \| (.*) \|$", text, re.MULTILINE)
    assert len(table) == len(measured) == 10
    for (noise, cells), row in zip(table, measured, strict=True):
        shown = [
            "" if row["snr_db"] is None else f"{row['snr_db']:.0f}",
            *(f"{100 * row[name]:.1f}" for name in ("precision", "recall")),
            *(f"{row[name]:.0f}" for name in ("onset_median_ms", "onset_p95_ms")),
            *(f"{100 * row[name]:.1f}" for name in ("not_found", "talk_share_off", "overtalk_off", "dead_air_off")),
        ]
        assert noise == row["noise"] and [cell.strip() for cell in cells.split("|")] == shown
