"""What is refused before anything is sent, with the reason and the way out: settings and secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import cli, config
from appliance.errors import Problem
from appliance.places import Places
from appliance.sync import secrets, targets
from appliance.sync.settings import Target
from appliance.sync.units import Kind

FOLDER = 'kind = "folder"\nfolder = "/media/usb"\n'
S3 = 'kind = "s3"\nurl = "https://s3.example"\nbucket = "calls"\n'
REFUSED = {
    "config.missing_setting": [
        'kind = "folder"\n',
        'kind = "s3"\nurl = "https://s3.example"\n',
        'kind = "sftp"\nhost = "h"\nuser = "u"\n',  # without a host key nobody is spoken to
        'kind = "smb"\nhost = "h"\nuser = "u"\n',
        'kind = "webhook"\n',
        'kind = "daily"\n',
    ],
    "config.not_a_choice": ['kind = "ftp"\n', FOLDER + 'takes = "everything"\n'],
    "config.unknown_setting": [FOLDER + 'password = "x"\n'],
    "config.out_of_range": [FOLDER + "budget = 0\n", FOLDER + "lock_days = -1\n"],
    "sync.needs_tls": [
        'kind = "s3"\nurl = "http://s3.example"\nbucket = "b"\n',
        'kind = "webhook"\nurl = "http://10.0.0.7/hook"\n',
    ],
    "sync.bad_url": [
        'kind = "webhook"\nurl = "ftp://x"\n',
        'kind = "webhook"\nurl = "https://user:pass@x"\n',
        'kind = "webhook"\nurl = "https://"\n',
        'kind = "webhook"\nurl = "https://x:70000"\n',
    ],
    "sync.takes_no_recordings": ['kind = "webhook"\nurl = "https://x"\ntakes = "recordings"\n'],
    "sync.not_absolute": ['kind = "folder"\nfolder = "usb"\n'],
    "sync.no_lock": [FOLDER + "lock_days = 30\n"],
    "sync.not_an_hour": [FOLDER + 'quiet_from = "8:00"\nquiet_until = "20:00"\n', FOLDER + 'quiet_from = "08:00"\n'],
    "sync.bad_prefix": [FOLDER + 'prefix = "../other"\n', FOLDER + 'prefix = "/"\n'],
}


def load(folder: Path, target: str, name: str = "there") -> config.Config:
    file = folder / "pasokh.toml"
    file.write_text(f'[[target]]\nname = "{name}"\n{target}')
    return config.load(file)


@pytest.mark.parametrize(("key", "target"), [(key, each) for key, all_ in REFUSED.items() for each in all_])
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, key: str, target: str) -> None:
    with pytest.raises(Problem) as caught:
        load(tmp_path, target)
    assert caught.value.key == key
    assert "there" in str(caught.value.fields.get("target", caught.value.fields.get("where")))


@pytest.mark.parametrize("name", ["", "Büro", "../x", "a b", "x" * 40])
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Problem, match=r"sync\.bad_name"):
        load(tmp_path, FOLDER, name)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"])
def test_without_tls_only_this_machine_is_spoken_to(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, f'kind = "s3"\nurl = "{url}"\nbucket = "b"\n').sync.targets[0].url == url


def test_each_target_takes_what_its_policy_says(tmp_path: Path) -> None:
    recordings = {Kind.HEAD, Kind.SEAL, Kind.BODY, Kind.ERASE}
    records = {Kind.EVENTS, Kind.RECORDS}
    for takes, found in (("both", recordings | records), ("recordings", recordings), ("records", records)):
        assert targets.kinds(load(tmp_path, S3 + f'takes = "{takes}"\n').sync.targets[0]) == found
    assert targets.kinds(Target(name="a", kind="webhook")) == {Kind.CALL}
    assert targets.kinds(Target(name="a", kind="daily")) == {Kind.RECORDS}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "upstream").mkdir()
    return Places(data=tmp_path, run=tmp_path, secrets=tmp_path, flows=tmp_path, prompts=tmp_path)


def write(places: Places, text: str, mode: int) -> Path:
    file = places.secrets / "upstream" / "there"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_secret_of_sync_alone_is_read(places: Places) -> None:
    write(places, "key\nsecret\n", 0o600)
    assert secrets.read(places, "there") == "key\nsecret"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_secret_that_others_may_read_is_refused(places: Places, mode: int) -> None:
    file = write(places, "secret", mode)
    with pytest.raises(Problem) as caught:
        secrets.read(places, "there")
    assert caught.value.key == "sync.secret_open"
    assert caught.value.fields == {"target": "there", "file": str(file), "mode": f"{mode:04o}"}


def test_a_secret_that_is_missing_or_empty_is_refused(places: Places) -> None:
    with pytest.raises(Problem, match=r"sync\.no_secret"):
        secrets.read(places, "there")
    write(places, "\n", 0o600)
    with pytest.raises(Problem, match=r"sync\.no_secret"):
        secrets.read(places, "there")


def test_what_systemd_hands_over_wins(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(places, "old", 0o600)
    handed = tmp_path / "credentials"
    handed.mkdir()
    (handed / "upstream_there").write_text("new\n")
    (handed / "upstream_there").chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    assert secrets.read(places, "there") == "new"


@pytest.mark.parametrize(("secret", "mode", "code"), [(None, 0, 2), ("x\ny\n", 0o644, 2), ("x\ny\n", 0o600, 0)])
def test_the_check_of_the_whole_box_looks_at_secrets_too(
    tmp_path: Path, secret: str | None, mode: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    file = tmp_path / "pasokh.toml"
    file.write_text(f'[box]\nsecrets_folder = "secrets"\n[[target]]\nname = "there"\n{S3}')
    (tmp_path / "secrets" / "upstream").mkdir(parents=True)
    if secret is not None:
        (tmp_path / "secrets" / "upstream" / "there").write_text(secret)
        (tmp_path / "secrets" / "upstream" / "there").chmod(mode)
    assert cli.run(["check", "--config", str(file)]) == code
