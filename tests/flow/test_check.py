"""A flow that is well formed may still strand its callers: each such fault is found at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import Problem
from appliance.flow import catalogue
from appliance.flow.load import load
from appliance.messages import LANGUAGES, problem_lines
from tests.flow.given import OFFICE, changed, findings, line_of, office


def found(old: str, new: str) -> tuple[str, list[Problem]]:
    text = changed(old, new)
    return text, findings(load(text, "office.toml"))


def test_nothing_is_found_in_a_flow_that_is_right() -> None:
    assert findings(office(), agents=["reza", "sara"]) == []


FAULTS = [
    ('1 = "sales"', '1 = "sale"', {("flow.no_such_node", "1 ="), ("flow.unreachable", "[node.sales]"),
                                   ("flow.unreachable", "[node.sorry]")}),
    ('on_failure = "bye"', 'on_failure = "buy"', {("flow.no_such_node", "on_failure"),
                                                  ("flow.unreachable", "[node.bye]")}),
    ('on_nobody = "sorry"', 'on_nobody = "sory"', {("flow.no_such_node", "on_nobody"),
                                                   ("flow.unreachable", "[node.sorry]")}),
    ('2 = "hours"\n', "", {("flow.unreachable", "[node.hours]")}),
    ('start = "greeting"', 'start = "main"', {("flow.unreachable", "[node.greeting]"),
                                                ("flow.not_recorded", "[node.sales]")}),
    ('on_failure = "bye"', 'on_failure = "main"', {("flow.endless", "[node.main]"),
                                                   ("flow.unreachable", "[node.bye]")}),
    ('on_nobody = "sorry"', 'on_nobody = "sales"', {("flow.endless", "[node.sales]"),
                                                    ("flow.unreachable", "[node.sorry]")}),
    ('open_from"\nnext = "main"', 'open_from"\nnext = "hours"', {("flow.endless", "[node.hours]")}),
    ('"recorded"]\nnext = "main"', '"recorded"]\nnext = "greeting"', {
        ("flow.endless", "[node.greeting]"), *(("flow.unreachable", f"[node.{name}]")
                                                for name in ("main", "english", "hours", "sales", "sorry", "bye"))}),
    ('languages = ["fa", "en"]', 'languages = ["fa"]', {("flow.unspoken_language", "language =")}),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), FAULTS, ids=[each[1] or each[0] for each in FAULTS])
def test_a_fault_of_sense_is_named_at_its_line(old: str, new: str, expected: set[tuple[str, str]]) -> None:
    text, problems = found(old, new)
    assert {(each.key, each.fields["line"]) for each in problems} == {
        (key, line_of(text, start)) for key, start in expected
    }
    assert [each.fields["line"] for each in problems] == sorted(int(each.fields["line"]) for each in problems)
    for each in problems:
        assert each.fields["file"] == "office.toml"
        for language in LANGUAGES:
            what, do = problem_lines(each, language)
            assert str(each.fields["line"]) in what and do


def test_a_circle_is_told_once_with_its_way() -> None:
    text = changed('open_from"\nnext = "main"', 'open_from"\nnext = "again"')
    text += '\n[node.again]\nkind = "goto"\nnext = "hours"\n'
    problems = findings(load(text, "office.toml"))
    assert [(each.key, each.fields["way"]) for each in problems] == [("flow.endless", "again > hours > again")]
    assert problems[0].fields["line"] == line_of(text, "[node.again]")


def test_a_prompt_without_sound_is_named_for_each_language_it_lacks() -> None:
    problems = findings(office(), missing=[("en", "choices"), ("fa", "goodbye"), ("en", "goodbye")])
    assert [(each.key, each.fields["language"], each.fields["prompt"], each.fields["line"]) for each in problems] == [
        ("flow.no_prompt", "en", "choices", line_of(OFFICE, 'prompt = "choices"')),
        ("flow.no_prompt", "fa", "goodbye", line_of(OFFICE, 'prompt = "goodbye"')),
        ("flow.no_prompt", "en", "goodbye", line_of(OFFICE, 'prompt = "goodbye"')),
    ]


def test_an_agent_whom_the_settings_do_not_know_is_named() -> None:
    problems = findings(office(), agents=["sara"])
    assert [(each.key, each.fields["agent"], each.fields["line"]) for each in problems] == [
        ("flow.unknown_agent", "reza", line_of(OFFICE, "agents"))
    ]


def prompts(folder: Path) -> Path:
    for language in ("fa", "en"):
        (folder / language).mkdir()
        for name in ("hello", "recorded", "choices", "wrong", "nothing", "open_from", "nobody_there", "goodbye"):
            (folder / language / f"{name}.alaw").write_bytes(b"\xd5" * 160)
    return folder


def test_a_folder_of_flows_is_kept_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(OFFICE)
    (tmp_path / "b.toml").write_text(changed('name = "office"', 'name = "night"'))
    flows = catalogue.load_folder(tmp_path, catalogue.house(tmp_path, prompts(tmp_path), ["sara", "reza"]))
    assert {name: flow.file for name, flow in flows.items()} == {"office": "a.toml", "night": "b.toml"}


def test_the_first_fault_of_a_folder_is_raised(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(OFFICE)
    sounds = prompts(tmp_path)
    (sounds / "en" / "goodbye.alaw").unlink()
    for expected, agents in (("flow.no_prompt", ["sara", "reza"]), ("flow.unknown_agent", ["sara"])):
        with pytest.raises(Problem) as caught:
            catalogue.load_folder(tmp_path, catalogue.house(tmp_path, sounds, agents))
        assert caught.value.key == expected
    (sounds / "en" / "goodbye.ulaw").write_bytes(b"\xff" * 159)  # shorter than anything that can be played
    with pytest.raises(Problem) as caught:
        catalogue.load_folder(tmp_path, catalogue.house(tmp_path, sounds))
    assert caught.value.key == "flow.no_prompt"
    (sounds / "en" / "goodbye.ulaw").write_bytes(b"\xff" * 160)
    (tmp_path / "b.toml").write_text(OFFICE)
    with pytest.raises(Problem) as caught:
        catalogue.load_folder(tmp_path, catalogue.house(tmp_path, sounds))
    assert (caught.value.key, caught.value.fields["file"]) == ("flow.twice", "b.toml")


@pytest.mark.parametrize("content", [b"\xff\xfe", None], ids=["no UTF-8", "no file"])
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(Problem) as caught:
        catalogue.load_file(tmp_path / "a.toml")
    assert caught.value.key == "flow.unreadable"
    with pytest.raises(Problem):
        catalogue.load_folder(tmp_path / "none", catalogue.house(tmp_path, tmp_path))
