"""Whatever a person mistypes ends in two lines of the chosen language and exit status 2, with nothing started."""

from __future__ import annotations

import re

import pytest

from appliance import cli

MISTYPED = [
    ([], "COMMAND"),
    (["frobnicate"], "frobnicate"),
    (["calls", "--confg", "x"], "--confg"),
    (["calls", "--config"], "--config"),
    (["check", "--config", "nothing.toml"], "nothing.toml"),
    (["demo"], "--players"),
]


@pytest.mark.parametrize("language", ["en", "fa"])
@pytest.mark.parametrize(("arguments", "named"), MISTYPED, ids=[" ".join(a) or "nothing" for a, _ in MISTYPED])
def test_a_mistyped_command_ends_in_two_lines_and_status_2(
    arguments: list[str], named: str, language: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", language)
    assert cli.run(arguments) == 2
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == "" and len(lines) == 2 and named in lines[0]
    assert bool(re.search("[\u0600-\u06ff]", said.err)) == (language == "fa")
