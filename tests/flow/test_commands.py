"""``pasokh flow check`` and ``pasokh prompts build``, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance import cli
from appliance.places import shipped_flows
from tests.flow.given import OFFICE, changed, line_of


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")


def test_the_flows_that_ship_with_the_box_are_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["flow", "check"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out


def test_a_person_reads_two_lines_for_each_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "office.toml"
    file.write_text(changed('2 = "hours"', '2 = "our"'))
    prompts = str(shipped_flows() / "prompts")
    assert cli.run(["flow", "check", str(file), "--prompts", prompts, "--agents", "sara"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) % 2 == 0
    assert lines.index("office.toml, line 22: 'keys.2' of node 'main' leads to 'our', which is not there") % 2 == 0
    assert any("rings 'reza', whom the settings do not know" in line for line in lines)


def test_a_program_reads_one_document_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken, office = tmp_path / "broken.toml", tmp_path / "office.toml"
    broken.write_text("[flow")
    office.write_text(OFFICE)
    assert cli.run(["flow", "check", str(broken), str(office), "--json"]) == 2
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found[0]["key"] == "flow.not_toml"
    assert found[1].pop("what").keys() == found[1].pop("do").keys() == {"fa", "en"}
    assert found[1] == {
        "key": "flow.no_prompt",
        "severity": "error",
        "file": "office.toml",
        "line": line_of(OFFICE, "prompt = ["),
        "node": "greeting",
        "prompt": "hello",
        "language": "fa",
    }


def test_a_fault_can_be_read_in_persian(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "fa")
    (tmp_path / "office.toml").write_text(changed("timeout_seconds = 5\n", ""))
    assert cli.run(["flow", "check", str(tmp_path / "office.toml")]) == 2
    assert "منو" in capsys.readouterr().err


def test_prompts_are_built_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.toml").write_text('hello = "Hello."\n')
    assert cli.run(["prompts", "build", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "2 sounds, 2 of them made now\n"
    assert (tmp_path / "en" / "hello.ulaw").stat().st_size > 2000


def test_texts_that_are_none_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts").mkdir()
    for text in ('hello = " "', "hello = 5", "hello"):
        (tmp_path / "texts" / "en.toml").write_text(text)
        assert cli.run(["prompts", "build", "--folder", str(tmp_path)]) == 2
        assert "texts of the prompts cannot be used" in capsys.readouterr().err
    assert not list((tmp_path / "en").glob("*.ulaw"))
