"""The units start what the package has, with the least that each service needs; systemd's own checker reads them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import cli
from appliance.config import Box
from appliance.keeper import SERVICES

FOLDER = Path(__file__).parents[2] / "systemd"
COMMAND = "/opt/pasokh/bin/pasokh"
KEPT = "/var/lib/pasokh/kept"
UNITS = [f"pasokh-{service}.service" for service in SERVICES]


class _Unit(dict[str, list[str]]):
    """The settings of a unit's [Service] with those of the common drop-in; a setting may stand more than once."""

    def __init__(self, name: str) -> None:
        super().__init__()
        for file in (FOLDER / "pasokh-.service.d" / "least.conf", FOLDER / name):
            for setting, value in _settings(file):
                self.setdefault(setting, []).append(value)

    def last(self, setting: str) -> str:
        return self[setting][-1]

    def paths(self, setting: str) -> set[str]:
        return {path.removeprefix("-") for value in self.get(setting, []) for path in value.split()}


def _settings(file: Path) -> Iterator[tuple[str, str]]:
    section = ""
    for line in file.read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            setting, _, value = line.partition("=")
            yield setting, value


def folders() -> dict[str, tuple[str, str]]:
    """Mode and owner of each folder of tmpfiles.d."""
    lines = [line.split() for line in (FOLDER / "pasokh.tmpfiles.conf").read_text().splitlines()]
    return {line[1]: (line[2], line[3]) for line in lines if line and line[0] == "d"}


def test_there_is_a_unit_for_every_service_and_no_other() -> None:
    assert sorted(file.name for file in FOLDER.glob("*.service")) == sorted(UNITS)


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_a_command_that_there_is(name: str) -> None:
    command, *arguments = _Unit(name).last("ExecStart").split()
    assert command == COMMAND
    chosen = cli.parser().parse_args(arguments)
    assert str(chosen.config) == "/etc/pasokh/pasokh.toml"
    assert arguments[0] == name.removeprefix("pasokh-").removesuffix(".service")


@pytest.mark.parametrize("name", UNITS)
def test_a_service_writes_only_where_the_folders_are_its_own(name: str) -> None:
    unit = _Unit(name)
    known = folders()
    assert unit.last("ProtectSystem") == "strict" and unit.last("CapabilityBoundingSet") == ""
    for path in unit.paths("ReadWritePaths") - {"/run/pasokh"}:
        shared = path == KEPT and unit.last("User") == "pasokh-sync"
        assert known[path][1] == unit.last("User") or shared, path


def test_media_puts_closed_recordings_into_their_folder_sync_takes_them_out_and_nobody_else_writes_there() -> None:
    assert folders()[KEPT] == ("2770", "pasokh-media")
    writers = {name for name in UNITS if KEPT in _Unit(name).paths("ReadWritePaths")}
    assert writers == {"pasokh-media.service", "pasokh-sync.service"}
    assert KEPT in _Unit("pasokh-calls.service").paths("ReadOnlyPaths")


def test_only_calls_can_read_the_secrets_and_the_page_gets_one_of_them() -> None:
    for service in SERVICES:
        hidden = "/etc/pasokh/secrets" in _Unit(f"pasokh-{service}.service").paths("InaccessiblePaths")
        assert hidden == (service != "calls")
    assert _Unit("pasokh-web.service")["LoadCredential"] == ["database-key:/etc/pasokh/secrets/database-key"]
    assert folders()["/etc/pasokh/secrets"] == ("0700", "pasokh-calls")


def test_calls_cannot_write_recordings_and_media_cannot_read_records() -> None:
    calls, media = _Unit("pasokh-calls.service"), _Unit("pasokh-media.service")
    recordings = {f"/var/lib/pasokh/{name}" for name in ("live", "kept", "journal")}
    assert recordings < calls.paths("ReadOnlyPaths") and recordings < media.paths("ReadWritePaths")
    assert "/var/lib/pasokh/calls.db" in media.paths("InaccessiblePaths")


def test_the_page_reads_closed_recordings_and_nothing_of_those_being_made() -> None:
    web = _Unit("pasokh-web.service")
    assert {f"/var/lib/pasokh/{name}" for name in ("live", "journal")} < web.paths("InaccessiblePaths")
    assert web.paths("ReadWritePaths") == {"/var/lib/pasokh/web"}
    assert folders()["/var/lib/pasokh/kept"] == ("2770", "pasokh-media")  # sync takes away, the page's unit only reads


def test_the_units_and_the_settings_mean_the_same_folders() -> None:
    box = Box()
    assert {box.data_folder, box.run_folder, box.secrets_folder} <= set(folders())


@pytest.mark.parametrize("name", UNITS)
def test_a_service_that_ends_is_started_again_for_ever_and_is_back_within_seconds(name: str) -> None:
    assert _Unit(name).last("Restart") == "always"
    assert _Unit(name).last("RestartSec") in ("500ms", "1")
    assert "StartLimitIntervalSec=0\n" in (FOLDER / name).read_text().partition("[Service]")[0]


def test_every_user_of_a_unit_is_made() -> None:
    made = re.findall(r"^u (\S+) (\d+):800", (FOLDER / "pasokh.sysusers.conf").read_text(), re.MULTILINE)
    assert {user for user, _ in made} == {_Unit(name).last("User") for name in UNITS}
    assert len({number for _, number in made}) == len(made)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they lie on a box, starting a program that every machine has."""
    shutil.copytree(FOLDER, tmp_path / "system")
    for file in (tmp_path / "system").glob("*.service"):
        file.write_text(file.read_text().replace(COMMAND, "/bin/true"))
    return tmp_path / "system"


def test_systemd_finds_nothing_wrong_with_the_units(installed: Path) -> None:
    files = [str(installed / name) for name in [*UNITS, "pasokh.target"]]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, timeout=60)
    ours = [line for line in done.stderr.splitlines() if "pasokh" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("name", UNITS)
def test_systemd_calls_the_exposure_of_each_unit_low(installed: Path, name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", str(installed / name)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_a_unit_is_well_formed() -> None:
    for file in sorted(FOLDER.rglob("*")):
        if file.suffix in (".service", ".target"):
            parser = configparser.ConfigParser(strict=False, interpolation=None)
            parser.read(file)
            assert "Unit" in parser
