"""Findings for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance import cli
from appliance.flow import catalogue
from appliance.flow.load import load
from appliance.places import shipped_flows
from tests.flow.given import changed, line_of


def test_sarif_names_every_finding_with_its_rule_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = changed('2 = "hours"', '2 = "our"')
    (tmp_path / "office.toml").write_text(text)
    prompts = str(shipped_flows() / "prompts")
    assert cli.run(["flow", "check", str(tmp_path / "office.toml"), "--sarif", "--prompts", prompts]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    places = {}
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"] and result["message"]["text"]
        assert result["level"] in ("error", "note")
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]["startLine"]
        places[result["ruleId"]] = location["physicalLocation"]["artifactLocation"]["uri"], region
    assert places["flow.no_such_node"] == ("office.toml", line_of(text, '2 = "our"'))


def test_what_is_right_is_an_empty_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["flow", "check", "--sarif"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["results"] == []


def test_advice_hinders_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (shipped_flows() / "clinic.toml").read_text(encoding="utf-8").split("\n")
    at = lines.index("[node.main.keys]") + 1
    text = "\n".join([*lines[:at], *(f'{key} = "reception"' for key in (4, 5, 6, 7)), *lines[at:]])
    (tmp_path / "clinic.toml").write_text(text, encoding="utf-8")
    (tmp_path / "prompts").symlink_to(shipped_flows() / "prompts")
    (tmp_path / "hours").symlink_to(shipped_flows() / "hours")
    assert cli.run(["flow", "check", str(tmp_path / "clinic.toml"), "--json"]) == 0
    (found,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (found["key"], found["severity"], found["line"]) == ("flow.many_choices", "advice", at)


def test_texts_that_no_flow_plays_or_a_language_lacks_are_told(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "fa.toml").write_text('hello = "a"\nbye = "b"\n')
    (tmp_path / "texts" / "en.toml").write_text('hello = "a"\nold = "b"\n')
    house = catalogue.house(tmp_path, tmp_path)
    flow = load('[flow]\nname = "x"\nstart = "a"\n[node.a]\nkind = "goodbye"\nprompt = ["hello", "bye"]\n', "x.toml")
    found = {(each.key, each.fields["prompt"], each.fields["language"]) for each in catalogue.unused([flow], house)}
    assert found == {
        ("flow.unused_prompt", "old", "en"),
        ("flow.text_missing", "bye", "en"),
        ("flow.text_missing", "old", "fa"),
    }
