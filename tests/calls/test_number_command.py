"""``pasokh number``: what a number is, what would be dialled and shown, and why it does or does not go out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from appliance import cli

SETTINGS = """
[box]
data_folder = "data"
[calls]
may_dial = ["mobile", "landline", "short"]
emergency = ["194"]
outside_prefix = "9"
deny = ["0912 999"]
allow = ["+49"]
[[tariff]]
name = "mobile"
kind = "mobile"
rial_per_minute = 1200
increment_seconds = 30
[[trunk]]
name = "main"
proxy = "192.0.2.1"
user = "02112345678"
dial_as = "local"
[[trunk]]
name = "isfahan"
proxy = "192.0.2.2"
user = "u2"
area_code = "31"
dial_as = "e164"
show_as = "031-32200000-9"
show_form = "e164"
[[phone]]
name = "101"
[[line]]
name = "office"
trunk = "main"
flow = "welcome"
number = "88123456"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "pasokh.toml"
    made.write_text(SETTINGS, encoding="utf-8")
    return made


def told(file: Path, number: str, capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, Any]]:
    assert cli.run(["number", number, "--config", str(file), "--json", *more]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["trunks"]
    return found


def test_each_trunk_dials_and_shows_a_number_in_its_own_form(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main, isfahan = told(file, "88776655", capsys)
    assert (main["e164"], main["kind"], main["dialled"]) == ("+982188776655", "landline", "88776655")
    assert (isfahan["e164"], isfahan["dialled"]) == ("+983188776655", "983188776655")
    assert (main["shown"], isfahan["shown"]) == ("02112345678", "983132200000")
    (only,) = told(file, "031-32201234", capsys, "--trunk", "main")
    assert only["dialled"] == "03132201234"


@pytest.mark.parametrize(
    ("number", "kind", "refusal", "callback"),
    [
        ("09121234567", "mobile", "", ""),
        ("9 0912 123 4567", "mobile", "", "not_a_number"),  # customers know no outside prefix
        ("09129991234", "mobile", "denied", "denied"),
        ("+493012345678", "foreign", "", ""),
        ("+442079460000", "foreign", "foreign", "foreign"),
        ("09091234567", "premium", "premium", "premium"),
        ("+8816 2345 6789", "satellite", "satellite", "satellite"),
        ("110", "emergency", "", "emergency"),
        ("9194", "emergency", "", "short"),
        ("1500", "short", "", "short"),
        ("101", "short", "", "internal"),
        ("88123456-8", "landline", "", "own_number"),
        ("", "withheld", "no_number", "no_number"),
        ("hello", "unknown", "not_a_number", "not_a_number"),
        ("1" * 40, "unknown", "too_long", "too_long"),
    ],
)
def test_what_a_number_is_and_whether_it_goes_out(
    file: Path, number: str, kind: str, refusal: str, callback: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (main,) = told(file, number, capsys, "--trunk", "main")
    assert (main["kind"], main["refusal"], main["callback_refusal"]) == (kind, refusal, callback)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            [
                "+989129991234: a mobile",
                "main: dials 09129991234, shows 02112345678",
                "main: 1,200 rials for the first minute",
                "main: does not go out: it begins with a prefix of deny",
                "main: cannot be called back: it begins with a prefix of deny",
            ],
        ),
        (
            "fa",
            [
                "+989129991234: تلفن همراه",
                "main: شماره‌گیری 09129991234، نمایش 02112345678",
                "main: دقیقهٔ نخست 1,200 ریال",
                "main: گرفته نمی‌شود: با یکی از پیش‌شماره‌های deny آغاز می‌شود",
                "main: نمی‌توان به آن بازتماس گرفت: با یکی از پیش‌شماره‌های deny آغاز می‌شود",
            ],
        ),
    ],
)
def test_it_is_said_in_both_languages(
    file: Path, language: str, said: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", language)
    assert cli.run(["number", "۰۹۱۲۹۹۹۱۲۳۴", "--config", str(file), "--trunk", "main"]) == 0
    assert capsys.readouterr().out.splitlines() == said


def test_a_trunk_that_is_not_there_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["number", "110", "--config", str(file), "--trunk", "moon"]) == 2
    assert "moon" in capsys.readouterr().err


def test_check_warns_of_an_extension_that_hides_a_short_number(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agents = '[[agent]]\nname = "first"\nphone = "118"\n'
    file.write_text(SETTINGS.replace('name = "101"', 'name = "118"') + agents, encoding="utf-8")
    assert cli.run(["check", "--config", str(file)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["warnings"] == ["config.hides_service"] and "118" in said.err


PEER = """
[[trunk]]
name = "pbx"
proxy = "192.0.2.20"
registers = false
kind = "peer"
extensions = ["2XX"]
"""


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "204: extension of peer pbx; dialled as it is, and costs nothing"),
        ("fa", "204: داخلی سامانهٔ همتای pbx؛ همان‌طور گرفته می‌شود و هزینه ندارد"),
    ],
)
def test_an_extension_of_a_peer_is_named_as_one(
    file: Path, language: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(SETTINGS + PEER, encoding="utf-8")
    monkeypatch.setenv("PASOKH_LANG", language)
    assert cli.run(["number", "۲۰۴", "--config", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == [said]
    assert cli.run(["number", "204", "--config", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"number": "204", "peer": "pbx", "trunks": []}


def test_check_warns_of_extensions_of_a_peer_that_hide_a_short_number(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agents = '[[agent]]\nname = "first"\nphone = "101"\n'
    file.write_text(SETTINGS + PEER.replace("2XX", "148X") + agents, encoding="utf-8")
    assert cli.run(["check", "--config", str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == ["config.hides_service"]
