"""Recordings as offices bring them: mended and told how, refused with the reason, or cut by their reading list."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance import cli
from appliance.errors import Problem
from appliance.prompts import recordings, voices
from appliance.prompts.level import active_level, measured
from appliance.prompts.recordings import MOST_BYTES, TARGET_DBM0, entries, mended
from tests.prompts.test_level import bursts
from tests.prompts.test_voices import packed, recorded, tone

TEXTS = 'hello = "Hello."\nbye = "Goodbye."\nthanks = "Thank you."\n'


@pytest.fixture
def prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PASOKH_LANG", "en")
    folder = tmp_path / "prompts"
    (folder / "texts").mkdir(parents=True)
    (folder / "texts" / "en.toml").write_text(TEXTS)
    voices.build(folder)
    return folder


@pytest.mark.parametrize("loudness", [60, 300, 3000, 7000])
def test_a_recording_comes_to_the_level_of_all_others_and_loses_its_silence(loudness: int) -> None:
    linear = bytes(16_000) + packed(bursts(0.9, 0.3, 3, loudness)) + bytes(32_000)
    found = mended(linear, "hello")
    assert found.after.level_dbm0 == pytest.approx(TARGET_DBM0, abs=0.7)
    assert found.after.before < 0.08 and found.after.after < 0.5 < found.before.before + found.before.after
    assert found.after.clipped_share == 0


def test_what_mending_would_only_hide_is_refused() -> None:
    clipped = [max(-32_768, min(32_767, each * 3)) for each in tone(1.0, loudness=20_000)]
    for linear, key in (
        (bytes(16_000), "silent"),
        (packed(clipped), "clipped"),
        (packed([round(12 * math.sin(at)) for at in range(8000)]), "too_quiet"),
        (bytes(8000) + packed(tone(0.05)) + bytes(8000), "too_short"),
    ):
        with pytest.raises(Problem, match=key):
            mended(linear, "hello")


def test_a_constant_offset_is_taken_out() -> None:
    samples = [each + 900 for each in bursts(1.0, 0.0, 2, 1500)]
    assert abs(mended(packed(samples), "hello").after.offset) < 20


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_every_common_form_is_read_with_its_length_and_level(tmp_path: Path, ending: str) -> None:
    original = tmp_path / "a.wav"
    samples = tone(2.0, hertz=600.0, rate=44_100, loudness=6000)
    original.write_bytes(recorded(packed(samples), rate=44_100))
    file = tmp_path / f"b.{ending}"
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", original, file], check=False)
    assert done.returncode == 0
    linear = recordings.read(file)
    assert len(linear) / 16_000 == pytest.approx(2.0, abs=0.08)
    expected, _ = active_level(packed(tone(2.0, hertz=600.0, loudness=6000)))
    level, _ = active_level(linear)
    assert level is not None and level == pytest.approx(expected, abs=0.6)


def test_what_is_no_sound_too_large_or_too_long_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.mp3"
    for content, key in (
        (b"no sound at all" * 50, "not_a_sound"),
        (bytes(MOST_BYTES + 1), "too_large"),
        (b"", "not_a"),
    ):
        file.write_bytes(content)
        with pytest.raises(Problem, match=key):
            recordings.read(file)
    file.write_bytes(recorded(bytes(2 * 8000 * 302)))
    with pytest.raises(Problem, match="too_long"):
        recordings.read(file)
    with pytest.raises(Problem, match="unreadable"):
        recordings.read(tmp_path / "none.wav")


def test_a_playlist_that_names_other_files_reads_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(recorded(packed(tone(1.0))))
    (tmp_path / "x.mp3").write_text(f"ffconcat version 1.0\nfile {tmp_path}/secret.wav\n")
    with pytest.raises(Problem, match="not_a_sound"):
        recordings.read(tmp_path / "x.mp3")


def test_a_recording_that_is_added_wins_over_the_synthetic_voice(
    prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (prompts / "en" / "hello.ulaw").read_bytes()
    (tmp_path / "mine.wav").write_bytes(recorded(packed(bursts(0.6, 0.2, 2, 900))))
    place = ["--folder", str(prompts), "--language", "en"]
    assert cli.run(["prompts", "add", "hello", str(tmp_path / "mine.wav"), *place]) == 0
    assert "dBm0 became -19" in capsys.readouterr().out
    assert (prompts / "en" / "hello.ulaw").read_bytes() != before
    level, _ = active_level(voices.linear_of((prompts / "en" / "hello.ulaw").read_bytes()))
    assert level == pytest.approx(TARGET_DBM0, abs=1.0)
    assert cli.run(["prompts", "add", "nobody", str(tmp_path / "mine.wav"), *place]) == 2
    assert "no prompt 'nobody'" in capsys.readouterr().err


def test_the_owner_s_own_files_become_the_music(
    prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.wav").write_bytes(recordings.as_wav(packed(tone(2.0, 300.0 * number))))
    files = [str(tmp_path / f"{number}.wav") for number in (1, 2)]
    assert cli.run(["prompts", "music", *files, "--folder", str(prompts), "--name", "mourning"]) == 0
    assert "2" in capsys.readouterr().out
    assert len((prompts / "mourning.alaw").read_bytes()) == len((prompts / "mourning.ulaw").read_bytes()) > 30_000
    before = (prompts / "mourning.alaw").read_bytes()
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    for wrong in ([files[0], str(tmp_path / "bad.wav")], [files[0], "--name", "../music"]):
        assert (
            cli.run(
                [
                    "prompts",
                    "music",
                    "--folder",
                    str(prompts),
                    *wrong,
                    *([] if "--name" in wrong else ["--name", "mourning"]),
                ]
            )
            == 2
        )
    assert (prompts / "mourning.alaw").read_bytes() == before


def test_list_and_check_tell_synthetic_from_recorded_and_name_what_is_missing(
    prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--folder", str(prompts)]
    assert cli.run(["prompts", "list", *folder, "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(each["name"], each["recorded"]) for each in found} == {("hello", False), ("bye", False), ("thanks", False)}
    assert cli.run(["prompts", "check", *folder, "--json"]) == 0
    levels = [json.loads(line)["level_dbm0"] for line in capsys.readouterr().out.splitlines()]
    assert all(level == pytest.approx(TARGET_DBM0, abs=1.5) for level in levels)
    (prompts / "en" / "bye.ulaw").unlink()
    assert cli.run(["prompts", "check", *folder]) == 2
    out = capsys.readouterr().out
    assert "bye (en): there is no sound" in out and "3 sounds: 0 spoken by a person, 1 missing" in out


def long_recording(words: list[str], folder: Path) -> Path:
    """A person who reads the list: a pause of 1.2 s after each entry, and a little noise throughout."""
    chance = random.Random(6)
    linear = bytes(2 * 8000)
    for text in words:
        done = subprocess.run(["espeak-ng", "-v", "en", "--stdout", "--", text], capture_output=True, check=True)
        (folder / "one.wav").write_bytes(done.stdout)
        linear += recordings.read(folder / "one.wav") + bytes(2 * 9600)
    noise = [chance.randrange(-12, 13) for _ in range(len(linear) // 2)]
    samples = memoryview(linear).cast("h")
    mixed = [max(-32_768, min(32_767, a + b)) for a, b in zip(samples, noise, strict=True)]
    (folder / "long.wav").write_bytes(recorded(packed(mixed)))
    return folder / "long.wav"


def test_one_long_recording_of_the_list_becomes_its_sounds(
    prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--folder", str(prompts), "--language", "en"]
    assert cli.run(["prompts", "script", *place]) == 0
    script = capsys.readouterr().out.splitlines()
    assert script == ["1. Hello.", "2. Goodbye.", "3. Thank you."]
    file = long_recording(["Hello.", "Goodbye.", "Thank you."], tmp_path)
    assert cli.run(["prompts", "cut", str(file), *place]) == 0
    assert "3 recordings taken in, numbers 1 to 3" in capsys.readouterr().out
    for name in ("hello", "bye", "thanks"):
        found = measured(recordings.read(prompts / "en" / f"{name}.wav"))
        assert found.level_dbm0 == pytest.approx(TARGET_DBM0, abs=0.8) and 0.2 < found.seconds < 2.0
    assert cli.run(["prompts", "script", *place]) == 0
    assert capsys.readouterr().out == "", "nothing is left to read"


def test_a_reading_that_does_not_fit_its_list_is_refused_naming_where(
    prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = long_recording(["Hello.", "Goodbye.", "Thank you.", "Hello."], tmp_path)
    place = ["--folder", str(prompts), "--language", "en"]
    assert cli.run(["prompts", "cut", str(file), *place]) == 2
    err = capsys.readouterr().err
    assert "4 entries were heard where at most 3" in err and not list((prompts / "en").glob("*.wav"))
    assert cli.run(["prompts", "cut", str(file), *place, "--from", "3"]) == 2


def test_a_page_to_print_is_right_to_left_in_persian(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "fa.toml").write_text('hello = "سلام <b>"\n', encoding="utf-8")
    assert cli.run(["prompts", "script", "--folder", str(tmp_path), "--html"]) == 0
    page = capsys.readouterr().out
    assert 'dir="rtl"' in page and "<td>۱</td><td>سلام &lt;b&gt;</td>" in page


def test_entries_are_cut_at_pauses_and_not_within_words() -> None:
    words = packed(bursts(0.5, 0.3, 2, 2000))
    found = entries(bytes(16_000) + words + bytes(16_000) + words + bytes(16_000))
    assert [round(second, 1) for second, _ in found] == [1.0, 3.6]
    assert entries(b"") == [] and entries(bytes(80_000)) == []


def test_ffmpeg_is_a_tool_of_the_set_up() -> None:
    assert shutil.which("ffmpeg")
