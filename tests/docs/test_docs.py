"""What the documents say is so: lists agree with the code, links lead somewhere, commands are there."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from appliance import cli, config
from appliance.flow.load import LANGUAGES, load
from appliance.flow.model import KINDS, forms
from tests.docs.lists import LISTS, ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "image-build/README.md",
]
TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("name", LISTS)
def test_a_generated_list_is_what_the_code_says(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == LISTS[name](), "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_a_page_is_understood(page: Path) -> None:
    for line in re.findall(r"`(?:\.venv/bin/)?(pasokh [a-z][^`]*)`", page.read_text(encoding="utf-8")):
        words = shlex.split(line)[1:]
        parser = cli.parser()
        usage = parser.format_usage()
        for word in words:
            if not re.fullmatch("[a-z]+", word):
                break
            choices = [action.choices for action in parser._actions if isinstance(action.choices, dict)]
            if not choices:
                break
            assert word in choices[0], f"{line}: {usage}"
            parser = choices[0][word]


def test_every_make_target_in_a_page_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"`make ([a-z]+)", page.read_text(encoding="utf-8")))
        assert named <= targets, page.name


def test_every_room_is_described() -> None:
    text = (ROOT / "docs" / "DESIGN.md").read_text(encoding="utf-8")
    rooms = {file.name for file in (ROOT / "appliance").iterdir() if (file / "__init__.py").is_file()}
    assert {room for room in rooms if f"`{room}/`" not in text} == set()


def test_every_kind_of_node_and_every_setting_of_it_is_described() -> None:
    sections = (ROOT / "docs" / "NODES.md").read_text(encoding="utf-8").split("\n## ")
    described = {section.split("\n", 1)[0]: section for section in sections[1:]}
    assert list(described) == list(KINDS)
    for name, kind in KINDS.items():
        for setting in forms(kind):
            assert f"| `{setting}` |" in described[name], f"{name}: {setting}"


def test_every_example_of_a_flow_is_read() -> None:
    for text in TOML.findall((ROOT / "docs" / "FLOWS.md").read_text(encoding="utf-8")):
        if "[flow]" in text:
            assert set(load(text, "example.toml").languages) <= set(LANGUAGES)


def test_every_example_of_settings_is_read(tmp_path: Path) -> None:
    for page in PAGES:
        for text in TOML.findall(page.read_text(encoding="utf-8")):
            assert tomllib.loads(text)
            if "[[trunk]]" in text:
                (tmp_path / "pasokh.toml").write_text(text, encoding="utf-8")
                assert config.load(tmp_path / "pasokh.toml").signalling.trunks


def test_the_top_level_holds_what_the_design_says_and_nothing_else() -> None:
    named = {
        "pyproject.toml", "appliance", "ivr_flows", "firmware_config", "systemd", "tests", "image-build", "README.md",
        "bench", "docs", "requirements", "CHANGELOG.md", "LICENSE", "Makefile", ".ci", ".gitignore",
    }  # fmt: skip
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split("/")[0] for line in listed.splitlines()} <= named
