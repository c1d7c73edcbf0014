"""``pasokh keys``, as the owner types it: from the ceremony to a lost key, and what the box says to it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from appliance.ceremony import drill
from appliance.errors import Problem
from appliance.recorder import custody, keys, reading, signed
from appliance.recorder.reading import load_identity
from tests.ceremony.given import MADE, PASSPHRASE, Run, a_set, typist
from tests.recorder.given import CLASSIC, Box


@pytest.fixture(autouse=True)
def in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("appliance.recorder.passphrase.WORK", 10)
    return typist(monkeypatch)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def words_on(sheet: Path) -> str:
    return " ".join(re.findall(r"</small>([a-z]+)</td>", sheet.read_text(encoding="utf-8")))


def test_a_ceremony_writes_a_key_for_each_and_the_recovery_key_on_paper_only(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"
    assert run("keys", "ceremony", "--out", out, "--listener", "سارا", "--escrow", "Mr. Vakil") == 0
    said = capsys.readouterr()
    assert out.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in out.iterdir()}
    assert modes == {
        "owner-key.age": 0o600, "recovery.html": 0o600, "listener-سارا.key": 0o600, "escrow-Mr._Vakil.key": 0o600,
        "listeners.txt": 0o644,
    }  # fmt: skip
    known = signed.read_set((out / "listeners.txt").read_text(encoding="utf-8"))
    assert [(each.role, each.name) for each in known.members] == [
        ("owner", "Owner"), ("recovery", "Recovery"), ("listener", "سارا"), ("escrow", "Mr. Vakil"),
    ]  # fmt: skip
    listener = load_identity(out / "listener-سارا.key")
    assert listener.recipient().raw == known.of("listener")[0].recipient.raw and listener.kind == "hybrid"
    assert b"AGE-SECRET-KEY" not in (out / "owner-key.age").read_bytes()
    shown = said.out + said.err
    assert "AGE-SECRET" not in shown and PASSPHRASE not in shown and "loses the recordings" in shown
    with pytest.raises(Problem, match=r"recorder\.exists"):
        run("keys", "ceremony", "--out", out)


@pytest.mark.parametrize("options", [[], ["--classic"], ["--shares", "2of3"], ["--classic", "--shares", "2of3"]])
def test_from_the_ceremony_through_a_drill_to_a_lost_owners_key(
    options: list[str], run: Run, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, is_shared = tmp_path / "set", "--shares" in options
    run("keys", "ceremony", "--out", out, "--listener", "Sara", *options)
    assert run("keys", "install", out / "listeners.txt", "--data", data) == 0
    assert "3 keys of the signed set version 1" in capsys.readouterr().out
    paper = words_on(out / "recovery.html") if not is_shared else (
        words_on(out / "recovery-3.html") + "\n\n" + words_on(out / "recovery-1.html")
    )  # fmt: skip
    shares = ["--shares"] if is_shared else []
    given = ("--recipients", out / "listeners.txt")
    key = ("--key", out / "owner-key.age")
    assert run("keys", "drill", *given, *key, *shares, "--out", tmp_path / "drill.txt", typed=paper) == 0
    assert run("keys", "install", tmp_path / "drill.txt", "--data", data) == 0
    assert custody.load(data).drill is not None

    (tmp_path / "box").mkdir()
    base, said = drill.record(tmp_path / "box", custody_of(data), MADE)
    assert run("keys", "restore", "--out", tmp_path / "restored.age", *given, *shares, typed=paper) == 0
    change = ("keys", "change", out / "listeners.txt", "--key", tmp_path / "restored.age", "--new-owner")
    assert run(*change, "--out", tmp_path / "second") == 0
    second = tmp_path / "second"
    assert sorted(path.name for path in second.iterdir()) == ["listeners.txt", "owner-key.age"]
    assert run("keys", "install", second / "listeners.txt", "--data", data) == 0
    assert custody.load(data).drill is None, "the drill was the lost key's"
    capsys.readouterr()
    rewrap = (
        "keys",
        "rewrap",
        base.parent,
        "--key",
        tmp_path / "restored.age",
        "--recipients",
        second / "listeners.txt",
    )
    assert run(*rewrap, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"done": 1, "before": 0, "foreign": [], "damaged": []}
    assert run("recording", "open", base, "--key", second / "owner-key.age", "--json") == 0
    assert json.loads(capsys.readouterr().out)["milliseconds"] == 3000 == len(said) // 16
    with pytest.raises(Problem, match=r"recorder\.not_for_this_key"):
        run("recording", "open", base, "--key", out / "owner-key.age")


def custody_of(data: Path) -> signed.SignedSet:
    known = custody.load(data).signed
    assert known is not None
    return known


def test_words_of_another_sheet_restore_nothing_and_drill_nothing(run: Run, tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        run("keys", "ceremony", "--out", tmp_path / name, "--classic")
    theirs = words_on(tmp_path / "theirs" / "recovery.html")
    known = ("--recipients", tmp_path / "ours" / "listeners.txt")
    out = tmp_path / "out"
    for command in (
        ("keys", "restore", "--out", out, *known),
        ("keys", "drill", "--out", out, *known, "--key", tmp_path / "ours" / "owner-key.age"),
    ):
        with pytest.raises(Problem, match=r"ceremony\.other_paper"):
            run(*command, typed=theirs)
    ours = words_on(tmp_path / "ours" / "recovery.html")
    with pytest.raises(Problem, match=r"ceremony\.other_owner"):
        run("keys", "drill", "--out", out, *known, "--key", tmp_path / "theirs" / "owner-key.age", typed=ours)
    with pytest.raises(Problem, match=r"ceremony\.wrong_words"):
        run("keys", "restore", "--out", out, *known, typed=ours.replace(ours.split()[4], "zoom", 1))
    assert not out.exists()


def test_no_private_key_is_written_into_a_boxs_data_folder(run: Run, tmp_path: Path, data: Path) -> None:
    (data / "calls.db").touch()
    with pytest.raises(Problem, match=r"recorder\.inside_data"):
        run("keys", "ceremony", "--out", data / "set")
    with pytest.raises(Problem, match=r"recorder\.inside_data"):
        run("keys", "restore", "--out", data / "key", typed="x")
    assert [path.name for path in data.iterdir()] == ["calls.db"]


def test_no_key_is_written_for_a_box_whose_recipients_are_signed(run: Run, tmp_path: Path, data: Path) -> None:
    custody.install(data, a_set().known.text)
    with pytest.raises(Problem, match=r"recorder\.recipients_signed"):
        run("keys", "new", "--classic", "--out", tmp_path / "key", "--install", data)
    assert not (tmp_path / "key").exists()


def test_what_cannot_be_read_is_said(run: Run, tmp_path: Path, data: Path) -> None:
    with pytest.raises(Problem, match=r"ceremony\.unreadable"):
        run("keys", "install", tmp_path / "nothing", "--data", data)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(Problem, match=r"ceremony\.not_signed_set"):
        run("keys", "install", tmp_path / "bytes", "--data", data)
    (tmp_path / "set").write_text(a_set().known.text)
    with pytest.raises(Problem, match=r"recorder\.no_identity_file"):
        run("keys", "change", tmp_path / "set", "--key", tmp_path / "nothing", "--out", tmp_path / "new")


@pytest.mark.parametrize("kind", ["hybrid", "classic"])
def test_a_new_key_is_written_for_the_owner_alone_and_installed_when_told(
    kind: str, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, data = tmp_path / "key", tmp_path / "data"
    data.mkdir()
    options = ["--classic"] if kind == "classic" else []
    assert run("keys", "new", *options, "--out", out, "--install", data) == 0
    identity = reading.load_identity(out)
    assert identity.kind == kind and out.stat().st_mode & 0o777 == 0o600
    assert [known.raw for known in keys.load_recipients(keys.recipients_file(data))] == [identity.recipient().raw]
    shown = capsys.readouterr()
    assert identity.recipient().text in shown.out and identity.encode() not in shown.out + shown.err
    with pytest.raises(Problem, match=r"recorder\.exists"):
        run("keys", "new", *options, "--out", out, "--install", data)
    assert len(keys.load_recipients(keys.recipients_file(data))) == 1


def test_a_new_key_without_install_leaves_the_box_alone(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("keys", "new", "--classic", "--out", tmp_path / "key", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["recipient"].startswith("age1") and told["kind"] == "classic"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_the_private_key_never_goes_into_a_boxs_data_folder(run: Run, tmp_path: Path) -> None:
    data = Box(tmp_path / "data", CLASSIC).folder
    (tmp_path / "link").symlink_to(data)
    new = tmp_path / "new"
    new.mkdir()
    for out, install in (
        (data / "key", None),
        (data / "kept" / "key", None),
        (tmp_path / "link" / "key", None),
        (new / "key", new),
    ):
        arguments: list[str | Path] = ["keys", "new", "--classic", "--out", out]
        with pytest.raises(Problem, match=r"recorder\.inside_data"):
            run(*arguments, *(("--install", install) if install else ()))
        assert not out.exists()


def test_nothing_is_written_where_the_key_cannot_be_installed(run: Run, tmp_path: Path) -> None:
    data = Box(tmp_path / "data", CLASSIC).folder
    with pytest.raises(Problem, match=r"recorder\.mixed_recipients"):
        run("keys", "new", "--out", tmp_path / "new", "--install", data)
    with pytest.raises(Problem, match=r"recorder\.no_data_folder"):
        run("keys", "new", "--out", tmp_path / "new", "--install", tmp_path / "nowhere")
    assert not (tmp_path / "new").exists()
