"""``pasokh recording``, as the owner and the technician type them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from appliance.errors import Problem
from appliance.recorder import commands
from tests.recorder.given import CLASSIC, OTHER, Box, named


def run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser(prog="pasokh")
    commands.register(parser.add_subparsers(required=True))
    chosen = parser.parse_args([str(argument) for argument in arguments])
    code: int = chosen.run(chosen)
    return code


@pytest.fixture(autouse=True)
def in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A box with one closed recording of 2 s and one that is being made."""
    box = Box(tmp_path / "data")
    box.start(1)
    box.run(2)
    box.sealed(1)
    box.start(2)
    box.run(1)
    (tmp_path / "key").write_text(CLASSIC.encode() + "\n")
    return box.folder


def test_the_list_shows_what_is_kept_and_what_is_being_recorded(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("recording", "list", "--data", data) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[0] == named(1) and first.endswith("closed") and "2.0" in first
    assert second.split()[0] == named(2) and second.endswith("being recorded")
    assert run("recording", "list", "--data", data, "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["state"] for row in rows] == ["closed", "live"] and rows[0]["milliseconds"] == 2000
    assert rows[0]["started_utc"].endswith("+00:00")


def test_open_tells_what_a_recording_holds(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("recording", "open", named(1), "--key", tmp_path / "key", "--data", data) == 0
    out = capsys.readouterr().out
    assert "closed, PCMU" in out and "consent consent" in out and "Length 2.0 s" in out
    file = data / "kept" / (named(1) + ".body")
    assert run("recording", "open", file, "--key", tmp_path / "key", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["milliseconds"] == 2000 and document["about"]["law"] == "PCMU"


def test_verify_answers_in_words_in_json_and_by_its_exit_status(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("recording", "verify", "--data", data) == 0
    assert "whole  2.0 s  (checked without the key)" in capsys.readouterr().out
    assert run("recording", "verify", named(1), "--data", data, "--key", tmp_path / "key", "--json") == 0
    assert json.loads(capsys.readouterr().out)["is_authentic"] is True
    body = data / "kept" / (named(1) + ".body")
    body.write_bytes(body.read_bytes()[:-1])
    assert run("recording", "verify", named(1), "--data", data) == commands.EXIT_BROKEN
    assert "DAMAGED: body: length" in capsys.readouterr().out
    monkeypatch.setenv("PASOKH_LANG", "fa")
    run("recording", "verify", named(1), "--data", data)
    assert "آسیب‌دیده" in capsys.readouterr().out


def test_export_writes_once_and_says_so(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--data", data, "--key", tmp_path / "key", "--reason", "a claim")
    arguments = ("recording", "export", named(1), *given, "--out")
    assert run(*arguments, tmp_path / "x.wav") == 0
    assert "2.0 s, whole" in capsys.readouterr().out
    with pytest.raises(Problem, match=r"recorder\.exists"):
        run(*arguments, tmp_path / "x.wav")
    assert run(*arguments, tmp_path / "x.flac", "--json") == 0
    assert json.loads(capsys.readouterr().out)["is_closed"] is True


def test_what_is_not_there_is_named(data: Path, tmp_path: Path) -> None:
    for given in (named(9), str(tmp_path / "nothing.seal")):
        with pytest.raises(Problem, match=r"recorder\.not_there"):
            run("recording", "verify", given, "--data", data)
    with pytest.raises(Problem, match=r"recorder\.no_identity_file"):
        run("recording", "open", named(1), "--data", data, "--key", tmp_path / "nothing")
    with pytest.raises(Problem, match=r"recorder\.no_data_folder"):
        run("recording", "list", "--data", tmp_path)
    (tmp_path / "wrong").write_text(OTHER.encode())
    with pytest.raises(Problem, match=r"recorder\.not_for_this_key"):
        run("recording", "open", named(1), "--data", data, "--key", tmp_path / "wrong")


def test_the_settings_file_names_the_data_folder(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pasokh.toml").write_text('[box]\ndata_folder = "data"\n')
    assert run("recording", "list", "--config", tmp_path / "pasokh.toml", "--json") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    for wrong in ("[box", 'box = "x"', "[box]\ndata_folder = 7"):
        (tmp_path / "pasokh.toml").write_text(wrong)
        with pytest.raises(Problem, match=r"recorder\.not_settings"):
            run("recording", "list", "--config", tmp_path / "pasokh.toml")
