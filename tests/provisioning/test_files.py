"""The files of phones: read again by strict readers, golden, secrets where they belong and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from appliance.errors import Problem
from appliance.provisioning import making
from appliance.provisioning.desk import Person, plain
from appliance.provisioning.files import DeskFiles, DeskSettings, new_password
from appliance.provisioning.models import MODELS, mac_of, model_of
from appliance.provisioning.settings import Provisioning
from appliance.signalling.settings import Phone, Signalling
from tests.provisioning.given import (
    GRANDSTREAM,
    KEY,
    PAGE,
    PEOPLE,
    SECRETS,
    SMALL,
    YEALINK,
    office,
    read_grandstream,
    read_yealink,
)

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("phone", [YEALINK, GRANDSTREAM, SMALL], ids=lambda phone: phone.name)
def test_the_files_are_those_that_were_read_by_a_person_once(phone: Phone) -> None:
    found = office().files(phone, PAGE)
    assert sorted(found) == sorted(file.name for file in (GOLDEN / phone.name).iterdir())
    for name, content in found.items():
        assert content == (GOLDEN / phone.name / name).read_text(encoding="utf-8"), name


def test_a_yealink_phone_finds_its_two_files_by_its_boot_file() -> None:
    found = office().files(YEALINK)
    boot = read_yealink(found["001565123456.boot"])
    assert [name for name in boot if name.startswith("include:")] == [
        "include:y000000000000.cfg",
        "include:001565123456.cfg",
    ]
    assert set(found) == {"001565123456.boot", "y000000000000.cfg", "001565123456.cfg"}


def test_a_yealink_phone_registers_here_with_its_own_secret_and_our_codecs_and_time() -> None:
    found = office().files(YEALINK, PAGE)
    own, common = read_yealink(found["001565123456.cfg"]), read_yealink(found["y000000000000.cfg"])
    assert own["account.1.user_name"] == own["account.1.auth_name"] == "desk1"
    assert own["account.1.password"] == SECRETS["phone-desk1"]
    assert own["static.security.user_password"] == f"admin:{SECRETS['admin-desk1']}"
    assert own["account.1.sip_server.1.address"] == own["account.1.outbound_proxy.1.address"] == "192.168.1.5"
    assert {name for name, value in own.items() if ".codec." in name and name.endswith("enable") and value == "1"} == {
        "account.1.codec.pcma.enable",
        "account.1.codec.pcmu.enable",
    }
    assert (own["account.1.dtmf.type"], own["account.1.dtmf.dtmf_payload"]) == ("1", "101")
    assert (common["local_time.time_zone"], common["local_time.summer_time"]) == ("+3:30", "0")
    assert common["local_time.ntp_server1"] == "192.168.1.5"


def test_a_grandstream_phone_registers_here_with_its_own_secret_and_our_codecs_and_time() -> None:
    found = read_grandstream(office().files(GRANDSTREAM, PAGE)["cfg000b82abcdef.xml"], "000b82abcdef")
    assert found["P35"] == found["P36"] == "desk2" and found["P34"] == SECRETS["phone-desk2"]
    assert found["P2"] == SECRETS["admin-desk2"] and found["P47"] == found["P48"] == "192.168.1.5:5060"
    assert {found[f"P{number}"] for number in range(57, 63)} == {"8", "0"} and found["P57"] == "8"
    assert (found["P79"], found["P2301"], found["P2302"], found["P2303"]) == ("101", "0", "1", "0")
    assert (found["P64"], found["P246"], found["P30"]) == ("customize", "IRST-3:30", "192.168.1.5")
    assert found["P237"].startswith("192.168.1.5:8080/provision/") and found["P212"] == "2"


def test_keys_watch_colleagues_by_what_the_phone_can_show_and_take_their_calls() -> None:
    own = read_yealink(office().files(YEALINK)["001565123456.cfg"])
    assert [own[f"linekey.{number}.type"] for number in range(1, 5)] == ["15", "3", "16", "16"]
    assert (own["linekey.3.value"], own["linekey.3.extension"]) == ("202", "*8")
    assert own["linekey.3.label"] == "رضا <b>& کریمی" and "linekey.5.type" not in own
    latin = read_grandstream(office().files(GRANDSTREAM)["cfg000b82abcdef.xml"], "000b82abcdef")
    assert (latin["P1367"], latin["P1469"], latin["P1470"]) == ("11", "sara", "201")
    assert latin["P270"] == "reza"


def test_a_phone_with_two_keys_keeps_them_for_its_line_and_for_passing_on() -> None:
    own = read_yealink(office().files(SMALL)["001565000001.cfg"])
    assert "linekey.3.type" not in own and own["account.1.label"] == "nima"


def test_no_secret_of_one_phone_stands_in_the_file_of_another_or_in_a_common_one() -> None:
    for phone in (YEALINK, GRANDSTREAM, SMALL):
        for name, content in office().files(phone, PAGE).items():
            inside = {secret for secret, value in SECRETS.items() if value in content}
            is_own = phone.mac.lower().replace(":", "").replace("-", "") in name and not name.endswith(".boot")
            assert inside == ({f"phone-{phone.name}", f"admin-{phone.name}"} if is_own else set()), name


def test_a_file_is_fetched_with_the_token_of_its_phone_alone() -> None:
    files = office()
    token, other = files.token(YEALINK), files.token(GRANDSTREAM)
    assert re.fullmatch("[0-9a-f]{32}", token) and token != other
    found = files.fetched(token, "001565123456.CFG", PAGE)
    assert found is not None and found[0] == "desk1" and SECRETS["phone-desk1"] in found[1]
    assert files.fetched(token, "cfg000b82abcdef.xml", PAGE) is None
    assert files.fetched(other, "001565123456.cfg", PAGE) is None
    for wrong in ("", token[:-1], token.upper(), "é" * 32, "\ud800", "0" * 32):
        assert files.fetched(wrong, "001565123456.cfg", PAGE) is None


def test_the_tokens_of_another_box_open_nothing_here() -> None:
    files = office()
    again = DeskFiles(files._office, SECRETS.get, bytes(32))
    assert again.token(YEALINK) != files.token(YEALINK)


@pytest.mark.parametrize(
    ("written", "mac"),
    [
        ("00:15:65:12:34:56", "001565123456"),
        ("0015.6512.3456", "001565123456"),
        (" 00-15-65-AB-CD-EF ", "001565abcdef"),
        ("00:15:65:12:34", ""),
        ("00:15:65:12:34:5G", ""),
        ("ff:ff:ff:ff:ff:ff", ""),
        ("01:00:5e:00:00:01", ""),
        ("00:00:00:00:00:00", ""),
        ("۰۰:15:65:12:34:56", ""),
        ("../../etc/passwd", ""),
        ("", ""),
    ],
)
def test_a_mac_address_is_read_in_every_written_form_and_nothing_else_is_one(written: str, mac: str) -> None:
    assert mac_of(written) == mac


def test_a_model_is_known_by_its_label() -> None:
    assert model_of("sip-t46u") is MODELS["T46U"] and model_of(" grp2612 ") is MODELS["GRP2612"]
    assert model_of("T46") is None and model_of("") is None


PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@generated(st.text(max_size=40), st.text(max_size=40), PASSWORDS)
def test_whatever_people_and_passwords_are_called_the_files_can_be_read_and_hold_them(
    display: str, latin: str, password: str
) -> None:
    people = (Person("desk1", display, latin, "201"), Person("desk2", display, latin, "202"))
    phones = (YEALINK, GRANDSTREAM)
    made = DeskSettings(
        settings=Provisioning(address="10.0.0.1"), signalling=Signalling(phones=phones), people=people, pick_up="*8"
    )
    files = DeskFiles(made, lambda _name: password, KEY)
    own = read_yealink(files.files(YEALINK)["001565123456.cfg"])
    assert own["account.1.password"] == password and own["linekey.3.label"] == plain(display or latin or "202")
    assert read_grandstream(files.files(GRANDSTREAM)["cfg000b82abcdef.xml"], "000b82abcdef")["P34"] == password


def test_without_an_address_or_a_secret_it_is_said_what_is_missing() -> None:
    made = DeskSettings(settings=Provisioning(), signalling=Signalling(phones=(YEALINK,)), people=PEOPLE, pick_up="*8")
    with pytest.raises(Problem, match="no_address"):
        DeskFiles(made, SECRETS.get, KEY).files(YEALINK)
    assert DeskFiles(made, SECRETS.get, KEY).address("https://10.0.0.9:8080") == "10.0.0.9"
    with pytest.raises(Problem, match="no_secret"):
        DeskFiles(made, lambda _name: None, KEY).files(YEALINK, address="10.0.0.1")


def test_secrets_are_made_once_for_phones_with_a_file_and_are_the_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    assert making.ensure(folder, (Phone(name="soft"),)) == b"" and not folder.exists()
    key = making.ensure(folder, (Phone(name="soft"), YEALINK))
    made = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(made) == {"provisioning-key", "phone-desk1", "admin-desk1"} and len(set(made.values())) == 3
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())
    assert making.ensure(folder, (YEALINK,)) == key and made == {f.name: f.read_text() for f in folder.iterdir()}


def test_a_password_of_the_owner_is_kept(tmp_path: Path) -> None:
    (tmp_path / "phone-desk1").write_text("mine\n")
    making.ensure(tmp_path, (YEALINK,))
    assert (tmp_path / "phone-desk1").read_text() == "mine\n"


def test_passwords_are_long_and_never_the_same() -> None:
    found = {new_password() for _ in range(100)}
    assert len(found) == 100 and all(re.fullmatch("[A-Za-z0-9]{20}", each) for each in found)


def test_files_are_written_into_a_folder_for_their_owner_alone(tmp_path: Path) -> None:
    written = list(making.write(office(), tmp_path / "usb", "", ""))
    assert {path.name for path in written} == {file.name for file in (tmp_path / "usb").iterdir()}
    assert len(set(written)) == 6 and all(path.stat().st_mode & 0o077 == 0 for path in written)


def test_nothing_that_is_printed_of_a_desk_shows_a_secret() -> None:
    files = office()
    desk = files._desk(YEALINK, PAGE, "")
    assert not any(secret in repr(desk) for secret in SECRETS.values())
