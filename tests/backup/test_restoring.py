"""A backup made beside a writer restores to the same box; what is wrong with a file or a place changes nothing."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import tarfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from appliance import __version__, config
from appliance.backup import contents, drill, making, manifest, reading, restoring
from appliance.backup.manifest import Manifest
from appliance.backup.sealed import Sealer
from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.recorder import keys
from appliance.records import chain, database
from appliance.records.store import Store
from tests.backup.given import MADE, Given, a_box, files, tables
from tests.records.given import KEY, asked, whole_call


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return a_box(tmp_path / "old")


def made(given: Given, name: str = "box.age") -> Path:
    out = given.folder.parent / name
    making.make(given.settings, given.places, "shop", out, MADE)
    return out


def refused(work: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as raised:
        work()
    return raised.value


@pytest.mark.parametrize("kind", ["classic", "hybrid"])
def test_a_restored_box_is_the_box_that_was_backed_up(tmp_path: Path, kind: keys.Kind) -> None:
    given = a_box(tmp_path / "old", kind)
    before = tables(database.open_reader(given.places.database, KEY))
    out = made(given)
    given.store.apply(whole_call("c9"))  # what happens later is not in it
    restored = restoring.restore(out, given.owner, tmp_path / "new", check=config.load)
    new = config.load(tmp_path / "new" / "pasokh.toml").places
    assert tables(database.open_reader(new.database, KEY)) == before
    assert files(new.secrets) == files(given.places.secrets)
    assert files(new.flows) == files(given.places.flows)
    left_out = (*(f"{name}/" for name in contents.LEFT_OUT), "calls.db", "outbox.db", "restored.json")
    old_data = {name: body for name, body in files(given.places.data).items() if not name.startswith(left_out)}
    assert {name: body for name, body in files(new.data).items() if not name.startswith(left_out)} == old_data
    assert {"keys/recipients.txt", "spoken/fa/greeting-1.ulaw", "flows/welcome/history"} < set(old_data)
    assert (tmp_path / "new" / "pasokh.toml.original").read_bytes() == given.settings.read_bytes()
    assert restored.checked.records.requests_open == 1 and restored.before is None
    store = Store(new.database, KEY, VirtualClock(MADE))  # and it goes on
    assert store.verify() == store.head()
    store.apply([asked("c4", "r2", 2)])
    store.close()


def test_the_box_itself_cannot_open_it_and_nothing_of_it_is_in_clear(given: Given) -> None:
    content = made(given).read_bytes()
    for known in (b"s3cret-of-trunk", KEY.hex().encode(), b"09121234567", b"welcome", "درود".encode()):
        assert known not in content
    assert given.owner.encode().encode() not in b"".join(files(given.folder).values())


def test_age_and_tar_alone_take_it_apart(given: Given, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(given.owner.encode() + "\n")
    (tmp_path / "out").mkdir()
    shell = f"age -d -i {tmp_path}/key {made(given)} | tar x -C {tmp_path}/out"
    assert subprocess.run(["bash", "-o", "pipefail", "-c", shell]).returncode == 0
    assert files(tmp_path / "out" / "secrets") == files(given.places.secrets)
    assert (tmp_path / "out" / "pasokh.toml").read_bytes() == given.settings.read_bytes()


def test_recordings_and_what_lives_only_while_services_run_are_not_in_it(given: Given) -> None:
    about = reading.verify(made(given), given.owner).manifest
    names = {entry.name for entry in about.files}
    assert not [name for name in names if name.split("/")[1:2] in ([each] for each in contents.LEFT_OUT)]
    assert "data/outbox.db" not in names and "data/first-boot-code" in names


def test_secrets_of_another_services_user_are_left_out_and_named(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (given.places.secrets / "upstream").mkdir()
    (given.places.secrets / "upstream" / "s3").write_text("theirs")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "upstream" not in str(path) and access(path, mode))
    about = reading.verify(made(given), given.owner).manifest
    assert about.left_out == ("secrets/upstream",) and "secrets/trunk-main" in {entry.name for entry in about.files}
    monkeypatch.undo()
    about = reading.verify(made(given, "by-root.age"), given.owner).manifest
    assert about.left_out == () and "secrets/upstream/s3" in {entry.name for entry in about.files}


def test_without_an_owners_key_no_backup_is_made(given: Given, tmp_path: Path) -> None:
    keys.recipients_file(given.places.data).unlink()
    assert refused(lambda: made(given)).key == "backup.no_recipient"
    assert list(tmp_path.glob("*.age")) == [] and list(tmp_path.glob(".*")) == []


def test_a_backup_is_never_written_over_a_file_nor_into_the_box(given: Given) -> None:
    out = made(given)
    content = out.read_bytes()
    assert refused(lambda: made(given)).key == "backup.exists"
    assert out.read_bytes() == content
    inside = given.places.data / "x.age"
    assert refused(lambda: making.make(given.settings, given.places, "b", inside, MADE)).key == "backup.inside"


def test_a_full_disk_leaves_nothing_behind(given: Given, tmp_path: Path) -> None:
    problem = refused(lambda: making.make(given.settings, given.places, "b", Path("/proc/none/x.age"), MADE))
    assert problem.key == "backup.unwritable"
    assert list(tmp_path.glob(".*")) == []


def test_a_file_that_changes_while_it_is_read_is_read_again(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = iter(["1", "2"])
    entry = making._entry

    def changing(source: contents.Source) -> manifest.Entry:
        found = entry(source)
        if source.name == "secrets/pins":
            source.path.write_text(next(changes, "2"))
        return found

    monkeypatch.setattr(making, "_entry", changing)
    out = made(given)
    restoring.restore(out, given.owner, given.folder.parent / "new")
    assert (given.folder.parent / "new" / "secrets" / "pins").read_text() == "2"


def test_a_file_that_never_holds_still_is_told(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = making._entry

    def changing(source: contents.Source) -> manifest.Entry:
        found = entry(source)
        if source.name == "secrets/pins":
            source.path.write_text(os.urandom(8).hex())
        return found

    monkeypatch.setattr(making, "_entry", changing)
    assert refused(lambda: made(given)).key == "backup.changing"


# What is wrong with a file --------------------------------------------------------------------------------------------


def test_a_backup_of_another_owner_is_refused_and_the_place_stays_empty(given: Given, tmp_path: Path) -> None:
    out, other = made(given), keys.new_identity("classic")
    for work in (
        lambda: restoring.restore(out, other, tmp_path / "new"),
        lambda: reading.verify(out, other),
    ):
        assert refused(work).key == "backup.not_for_this_key"
    assert not (tmp_path / "new").exists() and list(tmp_path.glob(".new*")) == []


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.999])
def test_a_backup_that_was_cut_short_is_refused_and_nothing_is_put_in_place(
    given: Given, tmp_path: Path, share: float
) -> None:
    out = made(given)
    content = out.read_bytes()
    (tmp_path / "cut.age").write_bytes(content[: round(len(content) * share)])
    problem = refused(lambda: restoring.restore(tmp_path / "cut.age", given.owner, tmp_path / "new"))
    assert problem.key == "backup.damaged" and problem.fields["file"] == "cut.age"
    assert not (tmp_path / "new").exists() and list(tmp_path.glob(".new*")) == []


def test_one_flipped_bit_anywhere_is_found(given: Given, tmp_path: Path) -> None:
    content = made(given).read_bytes()
    for at in (10, 300, 5_000, len(content) // 2, len(content) - 1):
        touched = bytearray(content)
        touched[at] ^= 4
        (tmp_path / "touched.age").write_bytes(touched)
        assert refused(lambda: reading.verify(tmp_path / "touched.age", given.owner)).key.startswith("backup.")


def forged(
    given: Given,
    change: Callable[[Manifest, dict[str, bytes]], Manifest | bytes],
    kind: bytes = tarfile.REGTYPE,
    odd: str = "",
) -> Path:
    """A backup as a stranger who knows the public key could write it."""
    out = made(given)
    into = given.folder.parent / "apart"
    into.mkdir()
    about = reading.unpack(out, given.owner, into).manifest
    parts = {entry.name: (into / entry.name).read_bytes() for entry in about.files}
    changed = change(about, parts)
    head = changed if isinstance(changed, bytes) else manifest.packed(changed)
    file = given.folder.parent / "forged.age"
    with file.open("wb") as target:
        sealer = Sealer(target, [given.owner.recipient()])
        with tarfile.open(fileobj=sealer, mode="w|") as tar:  # type: ignore[call-overload] # has a write
            for name, content in [(manifest.NAME, head), *parts.items()]:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                if name == odd:
                    info.type, info.linkname, info.size = kind, "/etc/passwd", 0
                tar.addfile(info, io.BytesIO(content))
        sealer.finish()
    return file


def with_digests(about: Manifest, parts: dict[str, bytes]) -> Manifest:
    import hashlib

    entries = [
        manifest.Entry(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in parts.items()
    ]
    return msgspec.structs.replace(about, files=tuple(entries))


def test_a_backup_of_a_newer_version_is_refused_with_the_version_to_install(given: Given, tmp_path: Path) -> None:
    def newer(about: Manifest, _parts: dict[str, bytes]) -> bytes:
        return json.dumps({"format": 9, "version": "7.1.0", "what": "is this"}).encode()

    file = forged(given, newer)
    problem = refused(lambda: restoring.restore(file, given.owner, tmp_path / "new"))
    assert problem.key == "backup.newer"
    assert problem.fields == {"file": "forged.age", "version": "7.1.0", "own": __version__}
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "name", ["../out", "data/../../out", "/etc/x", "data//x", "elsewhere/x", "data", "data/\nx", "secrets/.."]
)
def test_a_name_that_leads_out_of_the_box_is_refused(given: Given, tmp_path: Path, name: str) -> None:
    def led_out(about: Manifest, parts: dict[str, bytes]) -> Manifest:
        parts[name] = b"mine"
        return with_digests(about, parts)

    problem = refused(lambda: restoring.restore(forged(given, led_out), given.owner, tmp_path / "new"))
    assert problem.key == "backup.bad_inside"
    assert not (tmp_path / "out").exists() and not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_links_and_devices_are_refused(given: Given, tmp_path: Path, kind: bytes) -> None:
    file = forged(given, with_digests, kind, "secrets/pins")
    problem = refused(lambda: restoring.restore(file, given.owner, tmp_path / "new"))
    assert problem.key == "backup.bad_inside" and not (tmp_path / "new").exists()


def test_a_file_that_is_not_what_the_manifest_says_is_refused(given: Given, tmp_path: Path) -> None:
    def changed(about: Manifest, parts: dict[str, bytes]) -> Manifest:
        content = parts["flows/welcome.toml"]
        parts["flows/welcome.toml"] = content[:-2] + b"#\n"
        return about

    problem = refused(lambda: restoring.restore(forged(given, changed), given.owner, tmp_path / "new"))
    assert problem.key == "backup.bad_inside" and "welcome.toml" in str(problem.fields["reason"])


def test_a_file_that_the_manifest_names_and_that_is_not_there_is_missed(given: Given, tmp_path: Path) -> None:
    def without(about: Manifest, parts: dict[str, bytes]) -> Manifest:
        del parts["secrets/trunk-main"]
        return about

    problem = refused(lambda: restoring.restore(forged(given, without), given.owner, tmp_path / "new"))
    assert problem.key == "backup.bad_inside" and "trunk-main" in str(problem.fields["reason"])


def test_records_whose_chain_is_broken_are_not_put_in_place(given: Given, tmp_path: Path) -> None:
    def rewritten(about: Manifest, parts: dict[str, bytes]) -> Manifest:
        path = tmp_path / "rewritten.db"
        path.write_bytes(parts[manifest.DATABASE])
        db = database.open_writer(path, KEY)
        for name in ("event_is_fixed",):
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE event SET at = at + 1 WHERE n = 5")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        db.close()
        parts[manifest.DATABASE] = path.read_bytes()
        return with_digests(about, parts)

    problem = refused(lambda: restoring.restore(forged(given, rewritten), given.owner, tmp_path / "new"))
    assert (problem.key, problem.fields) == ("records.chain_broken", {"n": 5, "reason": "broken"})
    assert not (tmp_path / "new").exists()


def test_a_head_that_was_noted_elsewhere_is_held_against_the_records(given: Given) -> None:
    head = given.store.head()
    out = made(given)
    assert reading.verify(out, given.owner, anchor=head).records.head == head
    other = chain.Head(head.n, bytes(32))
    assert refused(lambda: reading.verify(out, given.owner, anchor=other)).key == "records.chain_broken"


def test_a_file_that_is_not_there_is_told(given: Given, tmp_path: Path) -> None:
    assert refused(lambda: reading.verify(tmp_path / "none.age", given.owner)).key == "backup.unreadable"


# The place ------------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_blank_is_left_alone_unless_the_words_are_said(given: Given, tmp_path: Path) -> None:
    out, place = made(given), tmp_path / "new"
    place.mkdir()
    restoring.restore(out, given.owner, place)  # blank: empty is enough
    (place / "data" / "first-boot-code").write_text("mine")
    before = files(place)
    for words in ("", "yes", "force"):
        problem = refused(lambda words=words: restoring.restore(out, given.owner, place, replaces=words))  # type: ignore[misc]
        assert problem.key == "backup.not_blank" and problem.fields["words"] == restoring.REPLACES
    assert files(place) == before
    restored = restoring.restore(out, given.owner, place, replaces=restoring.REPLACES)
    assert restored.before is not None and files(restored.before) == before
    assert (place / "data" / "first-boot-code").read_text() == "1234-5678\n"


def test_a_box_that_runs_is_never_replaced(given: Given, tmp_path: Path) -> None:
    out, place = made(given), tmp_path / "new"
    restoring.restore(out, given.owner, place)
    (place / "run").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(place / "run" / "calls.sock"))
        listening.listen()
        problem = refused(lambda: restoring.restore(out, given.owner, place, replaces=restoring.REPLACES))
    assert problem.key == "backup.box_runs"


def test_settings_that_the_services_would_refuse_are_not_put_in_place(given: Given, tmp_path: Path) -> None:
    given.settings.write_text(given.settings.read_text() + "\n[nonsense]\n", encoding="utf-8")
    out = made(given)
    problem = refused(lambda: restoring.restore(out, given.owner, tmp_path / "new", check=config.load))
    assert problem.key == "config.unknown_section" and not (tmp_path / "new").exists()


def test_folders_elsewhere_are_turned_to_the_new_place_and_nothing_else_changes(given: Given, tmp_path: Path) -> None:
    text = given.settings.read_text()
    for name in ("data", "secrets", "flows"):
        text = text.replace(f'{name}_folder = "{name}"', f'{name}_folder = "{given.folder / name}"')
    given.settings.write_text(text.replace('run_folder = "run"\n', ""))
    out = made(given)
    restoring.restore(out, given.owner, tmp_path / "new")
    new = config.load(tmp_path / "new" / "pasokh.toml")
    assert new.places.data == tmp_path / "new" / "data" and new.places.secrets == tmp_path / "new" / "secrets"
    assert new.places.prompts == tmp_path / "new" / "flows" / "prompts"
    assert "# its name" in (tmp_path / "new" / "pasokh.toml").read_text()
    before, after = (tomllib.loads(file.read_text()) for file in (given.settings, tmp_path / "new" / "pasokh.toml"))
    after.pop("media")
    for settings in (before, after):
        settings["box"] = {key: value for key, value in settings["box"].items() if not key.endswith("_folder")}
    assert before == after


# The drill ------------------------------------------------------------------------------------------------------------


def test_a_drill_restores_the_twin_and_leaves_only_the_owners_file(given: Given, tmp_path: Path) -> None:
    folder = tmp_path / "usb"
    folder.mkdir()
    done, report = drill.make_and_drill(given.settings, given.places, "shop", folder / "b.age", MADE, check=config.load)
    assert report.problem is None and report.requests_open == 1 and report.head_n == given.store.head().n
    assert [path.name for path in folder.iterdir()] == ["b.age"]
    assert reading.verify(done.file, given.owner).manifest.head_n == report.head_n


def test_a_drill_tells_what_would_not_stand_up(given: Given, tmp_path: Path) -> None:
    given.settings.write_text("[box\n", encoding="utf-8")
    _, report = drill.make_and_drill(given.settings, given.places, "shop", tmp_path / "b.age", MADE)
    assert report.problem is not None and report.problem.key == "backup.bad_settings"
    assert list(tmp_path.glob(".pasokh*")) == []
