"""PINs and one-time codes: right ones, wrong ones, too many, and nothing of them left lying about."""

from __future__ import annotations

import asyncio
import io
import logging
import stat
from pathlib import Path

import pytest

from appliance import cli
from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.lookup import pins
from appliance.lookup.pins import CODE_TRIES, Codes, Pins
from appliance.lookup.settings import Identity

SETTINGS = Identity(attempts=3, lock_minutes=10)


def checked(kept: Pins, identity: str, *given: str) -> list[str]:
    async def all_() -> list[str]:
        return [await kept.check(identity, pin) for pin in given]

    return asyncio.run(all_())


def test_a_pin_is_right_for_its_identity_alone(tmp_path: Path) -> None:
    pins.put(tmp_path / "pins", "4711", "1234")
    kept = Pins(tmp_path / "pins", SETTINGS, VirtualClock())
    assert checked(kept, "4711", "1235", "1234") == ["wrong", "right"]
    assert checked(kept, "4712", "1234") == ["wrong"]


def test_too_many_wrong_ones_lock_for_a_while_even_the_right_one(tmp_path: Path) -> None:
    pins.put(tmp_path / "pins", "4711", "1234")
    clock = VirtualClock()
    kept = Pins(tmp_path / "pins", SETTINGS, clock)
    assert checked(kept, "4711", "1", "2", "3", "1234") == ["wrong", "wrong", "locked", "locked"]
    assert checked(kept, "nobody", "1", "2", "3", "4") == ["wrong", "wrong", "locked", "locked"], "as if it existed"
    clock.advance_to(601.0)
    assert checked(kept, "4711", "1234") == ["right"]


def test_the_list_holds_hashes_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "pins"
    pins.put(file, "4711", "123456")
    assert "123456" not in file.read_text() and stat.S_IMODE(file.stat().st_mode) == 0o600
    pins.put(file, "4712", "654321")
    pins.remove(file, "4711")
    assert list(pins.read(file)) == ["4712"]
    with pytest.raises(Problem, match="no_identity"):
        pins.remove(file, "4711")
    file.write_text("{")
    with pytest.raises(Problem, match="bad_pins"):
        pins.read(file)


def test_what_root_writes_is_given_to_whom_the_folder_belongs_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Path, int, int]] = []
    monkeypatch.setattr("os.chown", lambda *what: given.append(what))
    for euid, owner in ((0, 4242), (0, 0), (1000, 4242)):
        monkeypatch.setattr("os.geteuid", lambda euid=euid: euid)
        monkeypatch.setattr(pins, "owner_of", lambda _folder, owner=owner: (owner, 4243))
        pins.put(tmp_path / "pins", "4711", "123456")
    assert given == [(tmp_path / "pins", 4242, 4243)]


@pytest.mark.parametrize("pin", ["", "123", "1234567890123", "12a4", "۱۲۳۴", "12 34"])
def test_what_cannot_be_pressed_is_no_pin(tmp_path: Path, pin: str) -> None:
    with pytest.raises(Problem, match="bad_pin"):
        pins.put(tmp_path / "pins", "4711", pin)


def test_a_code_is_right_once_for_its_conversation_within_its_time() -> None:
    numbers = iter([471_147, 7])
    codes = Codes(lambda _below: next(numbers))
    assert codes.make("c1", 0.0) == "471147" and codes.make("c2", 0.0) == "000007"
    assert codes.check("c2", "471147", 1.0) == "wrong"
    assert codes.check("c1", "471147", 299.0) == "right" and codes.check("c1", "471147", 299.0) == "locked"
    assert codes.check("c2", "000007", 301.0) == "locked"


def test_a_code_can_be_guessed_three_times() -> None:
    codes = Codes(lambda _below: 5)
    codes.make("c1", 0.0)
    assert [codes.check("c1", "111111", 1.0) for _ in range(CODE_TRIES)] == ["wrong", "wrong", "locked"]
    assert codes.check("c1", "000005", 1.0) == "locked"
    assert "000005" not in repr(codes.__dict__)


def test_pins_are_set_from_standard_input_and_never_shown(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    file = str(tmp_path / "pins")
    monkeypatch.setattr("sys.stdin", io.StringIO("4826\n"))
    assert cli.run(["pin", "set", "owner", "--file", file]) == 0
    assert cli.run(["pin", "list", "--file", file]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "owner" and "4826" not in printed.out + printed.err + caplog.text
    kept = Pins(tmp_path / "pins", SETTINGS, VirtualClock())
    assert checked(kept, "owner", "4826") == ["right"] and "4826" not in caplog.text
    assert cli.run(["pin", "remove", "owner", "--file", file]) == 0
    assert pins.read(tmp_path / "pins") == {}
