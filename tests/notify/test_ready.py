"""What cannot be sent as the settings say is refused before anything starts, in both languages, with what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance import cli, config
from appliance.errors import Problem
from appliance.messages import LANGUAGES, problem_lines
from appliance.notify import ready

MAIL = '[mail]\nserver = "mail.firm.example"\nuser = "box@firm.example"\n'
SMS = '[sms]\nurl = "https://sms.example/{key}/send"\n'
INBOX = SMS + 'inbox_url = "https://sms.example/{key}/inbox"\n'
NOTIFY = '[notify]\nmissed = true\nalarm_mail = ["owner@firm.example"]\n'


def settings(folder: Path, text: str) -> Path:
    file = folder / "pasokh.toml"
    file.write_text('[box]\nsecrets_folder = "secrets"\ndata_folder = "data"\n' + text, encoding="utf-8")
    (folder / "secrets").mkdir(exist_ok=True)
    return file


def secret(folder: Path, name: str, content: str = "k3y", mode: int = 0o600) -> None:
    path = folder / "secrets" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    path.chmod(mode)


def checked(file: Path) -> None:
    loaded = config.load(file)
    ready.check(loaded.writing, loaded.places)


def test_settings_with_their_secrets_are_ready(tmp_path: Path) -> None:
    secret(tmp_path, "mail")
    secret(tmp_path, "sms")
    checked(settings(tmp_path, MAIL + SMS + NOTIFY))


def test_a_box_that_writes_to_nobody_needs_nothing(tmp_path: Path) -> None:
    checked(settings(tmp_path, ""))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (MAIL + SMS + NOTIFY.replace("true", "false"), ""),
        (MAIL + NOTIFY, "notify.no_way"),
        (SMS + NOTIFY, "notify.no_way"),
        ('[notify]\nalarm_sms = ["0912"]\n', "notify.no_way"),
        (MAIL.replace("mail.firm", "mail.firm") + 'tls = "none"\n', "notify.mail_needs_tls"),
        (SMS.replace("https", "http"), "lookup.needs_tls"),
        (SMS + '[[sms_template]]\nname = "gossip"\nsends = []\n', "notify.no_such_kind"),
        (SMS + '[notify]\nsurvey_url = "http://firm.example/{id}"\n', "notify.bad_link"),
        (SMS + '[notify]\nsurvey_url = "https://firm.example/"\n', "notify.bad_link"),
        (SMS + '[notify]\nsurvey_reply = "csat"\n', "notify.no_inbox"),
        (INBOX + '[notify]\nreply_pin = "boss"\n', "notify.no_owner"),
        (INBOX + '[notify]\nsurvey_reply = "nps"\nreply_pin = "boss"\nalarm_sms = ["0912"]\n', ""),
        (INBOX + 'inbox_takes = ["id = a"]\n', "lookup.inbox_takes"),
        ('[notify]\nquiet_from = "9pm"\n', "notify.bad_time"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(tmp_path: Path, text: str, key: str) -> None:
    secret(tmp_path, "mail")
    secret(tmp_path, "sms")
    file = settings(tmp_path, text)
    if not key:
        checked(file)
        return
    with pytest.raises(Problem) as raised:
        checked(file)
    assert raised.value.key == key and "k3y" not in str(raised.value)
    for language in LANGUAGES:
        assert all(problem_lines(raised.value, language))


@pytest.mark.parametrize("name", ["mail", "sms"])
def test_a_secret_that_is_missing_or_empty_is_named(tmp_path: Path, name: str) -> None:
    for other in {"mail", "sms"} - {name}:
        secret(tmp_path, other)
    for content in (None, "", " \n"):
        if content is not None:
            secret(tmp_path, name, content)
        with pytest.raises(Problem) as raised:
            checked(settings(tmp_path, MAIL + SMS + NOTIFY))
        assert raised.value.key == "notify.no_secret" and str(raised.value.fields["file"]).endswith(f"secrets/{name}")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
@pytest.mark.parametrize("name", ["mail", "sms"])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    secret(tmp_path, "mail")
    secret(tmp_path, "sms")
    secret(tmp_path, name, mode=mode)
    with pytest.raises(Problem) as raised:
        checked(settings(tmp_path, MAIL + SMS + NOTIFY))
    assert raised.value.key == "notify.open_secret"
    assert raised.value.fields["mode"] == f"{mode & 0o077:03o}"


def test_a_gateway_without_a_key_in_its_shape_needs_none(tmp_path: Path) -> None:
    checked(settings(tmp_path, '[sms]\nurl = "https://sms.example/send"\n[notify]\nrequests = true\n'))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_test_message_without_a_way_or_to_no_mobile_is_refused_in_two_lines(
    tmp_path: Path, language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PASOKH_LANG", language)
    file = str(settings(tmp_path, ""))
    assert cli.run(["notify", "test", "--sms", "09121234567", "--config", file]) == 2
    assert cli.run(["notify", "test", "--mail", "a@b.example", "--config", file]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 4
    secret(tmp_path, "sms")
    file = str(settings(tmp_path, SMS))
    assert cli.run(["notify", "test", "--sms", "021-88123456", "--config", file]) == 2
    assert "k3y" not in capsys.readouterr().err


def test_a_test_message_says_what_came_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = settings(tmp_path, '[mail]\nserver = "127.0.0.1"\nport = 1\ntls = "none"\nsender = "box@firm.example"\n')
    assert cli.run(["notify", "test", "--mail", "owner@firm.example", "--config", str(file), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said == {"to": "o...@firm.example", "outcome": "later", "detail": "ConnectionRefusedError", "parts": 0}
