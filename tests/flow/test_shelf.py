"""Versions of flows: published when right, rolled back in order, and never half written."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from appliance import cli
from appliance.errors import Problem
from appliance.flow import catalogue
from appliance.flow.catalogue import House
from appliance.flow.shelf import Shelf
from appliance.places import shipped_flows
from tests.flow.given import OFFICE, changed
from tests.flow.test_check import prompts

TESTS = '[[test]]\nsteps = ["hears hello", "presses 1"]\nagents = "nobody"\nends = "nobody"\n'


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "prompts").mkdir()
    return catalogue.house(tmp_path, prompts(tmp_path / "prompts"), ["sara", "reza"])


def draft(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_versions_are_walked_and_rolled_back_in_their_order(tmp_path: Path, house: House) -> None:
    shelf = Shelf(tmp_path / "flows")
    shipped = {"office": catalogue.load_file(draft(tmp_path, "office.toml", OFFICE))}
    stamps = [shelf.stamp()]
    hashes = []
    for number in (6, 7, 8):
        file = draft(tmp_path, "draft.toml", changed("timeout_seconds = 5", f"timeout_seconds = {number}"))
        hashes.append(shelf.publish(file, house, 1000 * number, "owner").sha256)
        stamps.append(shelf.stamp())
        flows, problems = shelf.flows(shipped, house)
        assert flows["office"].sha256 == hashes[-1] and problems == []
    assert shelf.roll_back("office", 9000, "owner") == hashes[1]
    assert shelf.roll_back("office", 9001, "owner") == hashes[0]
    assert shelf.flows(shipped, house)[0]["office"].sha256 == hashes[0]
    assert shelf.roll_back("office", 9002, "owner") == "-"
    assert shelf.flows(shipped, house)[0]["office"] is shipped["office"], "the one of the folder again"
    with pytest.raises(Problem, match="nothing_before"):
        shelf.roll_back("office", 9003, "owner")
    assert [entry.what for entry in shelf.history("office")] == ["published"] * 3 + ["rolled_back"] * 3
    assert all(one != other for one, other in itertools.pairwise(stamps))


def test_a_flow_that_is_wrong_is_not_published(tmp_path: Path, house: House) -> None:
    shelf = Shelf(tmp_path / "flows")
    with pytest.raises(Problem, match="no_such_node"):
        shelf.publish(draft(tmp_path, "draft.toml", changed('2 = "hours"', '2 = "our"')), house, 1, "owner")
    assert shelf.history("office") == [] and shelf.stamp() == ()


def test_a_version_that_no_longer_fits_leaves_the_one_of_the_folder_and_is_told(tmp_path: Path, house: House) -> None:
    shelf = Shelf(tmp_path / "flows")
    shipped = {"office": catalogue.load_file(draft(tmp_path, "office.toml", OFFICE))}
    shelf.publish(draft(tmp_path, "d.toml", changed("timeout_seconds = 5", "timeout_seconds = 7")), house, 1, "owner")
    alone = catalogue.house(tmp_path, tmp_path / "prompts", ["sara"])
    flows, problems = shelf.flows(shipped, alone)
    assert flows["office"] is shipped["office"] and [each.key for each in problems] == ["flow.unknown_agent"]


def test_a_history_that_was_cut_short_is_read_as_far_as_it_goes(tmp_path: Path, house: House) -> None:
    shelf = Shelf(tmp_path / "flows")
    shelf.publish(draft(tmp_path, "draft.toml", OFFICE), house, 1, "owner")
    history = tmp_path / "flows" / "office" / "history"
    history.write_text(history.read_text() + "2 abcdef publ")
    assert len(shelf.history("office")) == 1


def test_publishing_from_the_command_line_needs_tests_that_pass(
    tmp_path: Path, house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    file = draft(tmp_path, "office.toml", OFFICE)
    data = ["--data", str(tmp_path / "data")]
    sounds = ["--prompts", str(house.prompts)]
    assert cli.run(["flow", "publish", str(file), *data, *sounds]) == 2
    assert "no tests beside it" in capsys.readouterr().err
    draft(tmp_path, "office.test.toml", TESTS.replace('"nobody"\n', '"served"\n'))
    assert cli.run(["flow", "publish", str(file), *data, *sounds]) in (1, 2)
    draft(tmp_path, "office.test.toml", TESTS.replace('ends = "nobody"', 'ends = "served"'))
    assert cli.run(["flow", "publish", str(file), *data, *sounds]) == 1
    draft(tmp_path, "office.test.toml", TESTS)
    assert cli.run(["flow", "publish", str(file), *data, *sounds]) == 0
    sha256 = catalogue.load_file(file).sha256
    assert sha256 in capsys.readouterr().out
    assert cli.run(["flow", "versions", "office", *data]) == 0
    assert sha256 in capsys.readouterr().out
    assert cli.run(["flow", "rollback", "office", *data]) == 0
    assert cli.run(["flow", "rollback", "office", *data]) == 2


def test_a_flow_is_drawn_with_every_node_and_every_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["flow", "draw", str(shipped_flows() / "shop.toml")]) == 0
    svg = capsys.readouterr().out
    flow = catalogue.load_file(shipped_flows() / "shop.toml")
    assert all(f'id="node-{name}"' in svg for name in flow.nodes)
    assert svg.count("<path d=") >= len(flow.nodes) and svg.startswith("<svg") and svg.rstrip().endswith("</svg>")


def test_a_person_walks_a_flow_in_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    keys = iter(["3", "", "1", "q"])
    monkeypatch.setattr("builtins.input", lambda _prompt: next(keys))
    file = str(shipped_flows() / "clinic.toml")
    assert cli.run(["flow", "simulate", file, "--at", "1405/07/13 10:00", "--language", "en"]) == 0
    out = capsys.readouterr().out
    assert "at questions (faq)" in out and "number twelve, Bahar alley" in out and "ended: abandoned" in out
    assert cli.run(["flow", "simulate", file, "--at", "soon"]) == 2
