"""What a person sees: two lines where something is wrong, a bar where somebody looks, JSON for programs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from appliance import cli
from tests.backup.given import Given, a_box

PASOKH = [".venv/bin/pasokh"]


@pytest.fixture
def given(tmp_path: Path) -> Given:
    given = a_box(tmp_path / "old")
    (tmp_path / "owner.key").write_text(given.owner.encode() + "\n")
    return given


def test_a_box_goes_into_a_file_and_out_of_it_again(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, key, new = tmp_path / "box.age", tmp_path / "owner.key", tmp_path / "new"
    places = ["--config", str(given.settings)]
    assert cli.run(["backup", "--out", str(out), *places, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert cli.run(["backup", "verify", str(out), "--key", str(key), "--anchor", made["head"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["head"] == made["head"]
    assert cli.run(["restore", str(out), "--key", str(key), "--into", str(new)]) == 0
    said = capsys.readouterr().out
    assert str(new) in said and "shop" in said and given.owner.encode() not in said
    assert cli.run(["check", "--config", str(new / "pasokh.toml")]) in (
        0,
        2,
    )  # the flow's prompts are not in this scene
    capsys.readouterr()
    assert cli.run(["backup", "drill", "--out", str(tmp_path / "second.age"), *places]) == 0


@pytest.mark.parametrize("language", ["fa", "en"])
def test_what_is_wrong_is_said_in_two_lines(
    given: Given, tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", language)
    out, key = tmp_path / "box.age", tmp_path / "owner.key"
    (tmp_path / "none.age").write_text("not a backup")
    inside = tmp_path / "new" / "owner.key"
    inside.parent.mkdir()
    inside.write_text(key.read_text())
    for words in (
        ["backup"],
        ["backup", "verify", str(tmp_path / "none.age"), "--key", str(key)],
        ["restore", str(tmp_path / "none.age"), "--key", str(inside), "--into", str(inside.parent)],
        ["restore", str(tmp_path / "none.age"), "--key", str(key), "--into", str(given.folder)],
        ["backup", "--out", str(out), "--config", str(tmp_path / "nowhere.toml")],
    ):
        assert cli.run(words) == 2, words
        assert len(capsys.readouterr().err.splitlines()) == 2, words


def test_a_terminal_sees_a_bar_and_a_pipe_does_not(given: Given, tmp_path: Path) -> None:
    words = [*PASOKH, "backup", "--config", str(given.settings), "--out"]
    quiet = subprocess.run([*words, tmp_path / "a.age"], capture_output=True, text=True)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run([*words, tmp_path / "b.age"], stdout=subprocess.PIPE, stderr=theirs)
        shown = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0 and "100%" in shown and "[####" in shown
