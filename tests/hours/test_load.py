"""Calendars as people write them, and what they are told when they wrote something else."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from appliance import cli
from appliance.errors import Problem
from appliance.hours.load import MAX_FILE_BYTES, load, load_file
from appliance.messages import LANGUAGES, problem_lines

OFFICE = """\
zone = "Asia/Tehran"

[week]
saturday = "8-17"
thursday = ["8-12", "13-15:30"]

[closures]
"1405/07/12" = "moving"
"""


@pytest.mark.parametrize(
    ("old", "new", "key", "line"),
    [
        ("[week]", "[weak]", "hours.unknown_key", 3),
        ("saturday =", "caturday =", "hours.unknown_key", 4),
        ('"8-17"', '"8 to 17"', "hours.bad_span", 4),
        ('"8-17"', '"17-17"', "hours.bad_span", 4),
        ('"8-17"', '"8-25"', "hours.bad_span", 4),
        ('"1405/07/12"', '"1405/07/31"', "hours.bad_date", 8),
        ('"1405/07/12"', '"tomorrow"', "hours.bad_date", 8),
        ("Asia/Tehran", "Asia/Teheran", "hours.unknown_zone", 1),
        ('zone = "Asia/Tehran"', 'holidays = "XX"', "hours.unknown_holidays", 1),
        ("[week]", "week = 5\n[seeson]", "hours.unknown_key", 4),
        ("[closures]", "[[greeting]]\nfirst = '1405/01/01'\n[closures]", "hours.missing_key", 7),
    ],
)
def test_what_is_wrong_is_named_with_its_line_in_both_languages(old: str, new: str, key: str, line: int) -> None:
    assert old in OFFICE
    with pytest.raises(Problem) as caught:
        load(OFFICE.replace(old, new, 1), "office", "office.toml")
    assert (caught.value.key, caught.value.fields["line"]) == (key, line)
    for language in LANGUAGES:
        assert all(problem_lines(caught.value, language))


def test_hours_that_never_open_are_refused() -> None:
    with pytest.raises(Problem, match="never_open"):
        load('[week]\nsaturday = ""\n', "office", "office.toml")


def test_persian_digits_and_both_calendars_are_understood() -> None:
    found = load('[week]\nsaturday = "۸-۱۷"\n[closures]\n"۱۴۰۵/۰۷/۱۲" = "a"\n"2026-10-05" = "b"\n', "x", "x.toml")
    assert {day.isoformat() for day in found.closures} == {"2026-10-04", "2026-10-05"}
    assert found.week[5][0].opens_minute == 480


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    too_long = b"#" * (MAX_FILE_BYTES + 1)
    for content, key in ((b"\xff\xfe", "unreadable"), (b"[week", "not_toml"), (too_long, "too_long")):
        (tmp_path / "x.toml").write_bytes(content)
        with pytest.raises(Problem, match=key):
            load_file(tmp_path / "x.toml")
    with pytest.raises(Problem, match="unreadable"):
        load_file(tmp_path / "none.toml")


def test_the_command_tells_state_reason_and_next_opening(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    assert cli.run(["hours", "clinic", "--at", "1405/04/04 10:00"]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert "closed for a holiday" in line and "opens 2026-06-27 08:00" in line
    monkeypatch.setenv("PASOKH_LANG", "fa")
    assert cli.run(["hours", "clinic", "--at", "2026-10-05 12:45"]) == 0
    assert "استراحت" in capsys.readouterr().out
    assert cli.run(["hours", "clinic", "--at", "2026-10-05 12:45", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    opens = datetime.datetime(2026, 10, 5, 10, 30, tzinfo=datetime.UTC).timestamp() * 1000
    assert (found["state"], found["next_open_utc_ms"]) == ("break", opens)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere"], "no calendar"),
        (["clinic", "--at", "yesterday"], "no moment"),
        (["clinic", "--at", "1412/01/01 10:00"], "lunar holidays"),
    ],
)
def test_the_command_says_what_it_does_not_know(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    assert cli.run(["hours", *arguments]) == 2
    assert expected in capsys.readouterr().err
