"""New heads: who left opens nothing any more, who came opens all, the body is untouched, a kill leaves nothing torn."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it ships no types
import pytest

from appliance.ceremony import drill, making, rewrap
from appliance.ceremony.making import Made, Wish
from appliance.errors import Problem
from appliance.recorder import container, reading
from appliance.recorder.keys import Identity
from tests.ceremony.given import MADE, a_set, owner_of

ROOT = Path(__file__).resolve().parents[2]
KILLS = 100 if os.environ.get("PASOKH_LONG") else 2
HEADS = 200


def changed(made: Made) -> Made:
    """Sara leaves, Ali comes."""
    return making.following(made.known, Wish(["Ali"], leave=["Sara"]), owner_of(made), MADE)


def heads(folder: Path, made: Made, count: int) -> dict[str, bytes]:
    """So many heads for the members of a set, and the file key in each."""
    folder.mkdir()
    chance = random.Random(count)
    file_keys = {f"{number:032x}": chance.randbytes(16) for number in range(count)}
    for name, file_key in file_keys.items():
        (folder / f"{name}.head").write_bytes(container.head(made.known.recipients, file_key))
    return file_keys


def opened(folder: Path, name: str, identity: Identity) -> bytes | None:
    """The file key, or None for somebody else; a torn head fails."""
    try:
        return container.open_head((folder / f"{name}.head").read_bytes(), identity)
    except PermissionError:
        return None


def test_who_left_opens_nothing_any_more_and_who_came_opens_the_recording_whole(tmp_path: Path) -> None:
    made = a_set("classic", "Sara")
    (tmp_path / "box").mkdir()
    base, said = drill.record(tmp_path / "box", made.known, MADE)
    base.with_suffix(".head").chmod(0o640)
    before = {suffix: base.with_suffix(suffix).read_bytes() for suffix in (".body", ".seal")}
    after = changed(made)
    assert rewrap.run(base.parent, after.known, owner_of(made)).done == 1
    for name in ("Owner", "Recovery"):
        assert reading.open_recording(base, made.identities[name]).stereo == said
    assert reading.open_recording(base, after.identities["Ali"]).stereo == said
    with pytest.raises(Problem, match=r"recorder\.not_for_this_key"):
        reading.open_recording(base, made.identities["Sara"])
    assert {suffix: base.with_suffix(suffix).read_bytes() for suffix in before} == before, "evidence stands"
    assert reading.verify(base, after.identities["Ali"]).state == "verified"
    ali = pyrage.x25519.Identity.from_str(after.identities["Ali"].encode())
    wav = pyrage.decrypt(base.with_suffix(".head").read_bytes() + before[".body"], [ali])
    assert wav[46:] == said, "another program opens it too"
    assert sorted(path.suffix for path in base.parent.iterdir()) == [".body", ".head", ".seal"]
    assert base.with_suffix(".head").stat().st_mode & 0o777 == 0o640


def test_a_hybrid_set_is_given_to_hybrid_keys(tmp_path: Path) -> None:
    made = a_set("hybrid", "Sara")
    file_keys = heads(tmp_path / "kept", made, 5)
    after = changed(made)
    seen: list[tuple[int, int]] = []
    found = rewrap.run(tmp_path / "kept", after.known, owner_of(made), lambda done, total: seen.append((done, total)))
    assert (found.done, found.before, found.foreign, found.damaged) == (5, 0, (), ()) and seen == [(5, 5)]
    for name, file_key in file_keys.items():
        assert opened(tmp_path / "kept", name, after.identities["Ali"]) == file_key
        assert opened(tmp_path / "kept", name, made.identities["Sara"]) is None


def test_foreign_and_damaged_heads_are_named_and_keep_none_of_the_others_back(tmp_path: Path) -> None:
    made, other = a_set("classic", "Sara"), a_set()
    folder = tmp_path / "kept"
    file_keys = heads(folder, made, 5)
    names = sorted(file_keys)
    (folder / f"{names[1]}.head").write_bytes(container.head(other.known.recipients, bytes(16)))
    torn = (folder / f"{names[3]}.head").read_bytes()[:-20]
    (folder / f"{names[3]}.head").write_bytes(torn)
    found = rewrap.run(folder, changed(made).known, owner_of(made))
    assert (found.done, found.foreign, found.damaged) == (3, (names[1],), (names[3],))
    assert (folder / f"{names[3]}.head").read_bytes() == torn
    assert opened(folder, names[1], owner_of(other)) == bytes(16)


def test_who_may_not_sign_may_not_rewrap_and_an_empty_folder_is_said(tmp_path: Path) -> None:
    made = a_set("classic", "Sara")
    heads(tmp_path / "kept", made, 1)
    with pytest.raises(Problem, match=r"ceremony\.other_signer"):
        rewrap.run(tmp_path / "kept", changed(made).known, made.identities["Sara"])
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(Problem, match=r"ceremony\.no_heads"):
            rewrap.run(folder, made.known, owner_of(made))


def test_a_disk_that_is_full_leaves_every_head_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = a_set("classic", "Sara")
    file_keys = heads(tmp_path / "kept", made, 3)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Problem, match=r"ceremony\.cannot_rewrap"):
        rewrap.run(tmp_path / "kept", changed(made).known, owner_of(made))
    assert all(opened(tmp_path / "kept", name, made.identities["Sara"]) == file_keys[name] for name in file_keys)


def test_after_a_kill_every_head_is_the_old_or_the_new_one_and_the_next_run_goes_on(tmp_path: Path) -> None:
    made = a_set("classic", "Sara")
    after = changed(made)
    (tmp_path / "set").write_text(after.known.text)
    (tmp_path / "key").write_text(owner_of(made).encode())
    chance = random.Random(11)
    done_before = []
    for kill in range(KILLS):
        folder = tmp_path / f"kept{kill}"
        file_keys = heads(folder, made, HEADS)
        killed_at = killed(folder, tmp_path, chance.randrange(3), chance.random(), kill % 2 == 0)
        done_before.append(killed_at)
        for name, file_key in file_keys.items():
            keys_that_open = [
                identity for identity in (made.identities["Sara"], after.identities["Ali"])
                if opened(folder, name, identity) == file_key
            ]  # fmt: skip
            assert len(keys_that_open) == 1 and opened(folder, name, owner_of(made)) == file_key
        found = rewrap.run(folder, after.known, owner_of(made))
        assert found.before + found.done == HEADS and found.before >= killed_at, "what was told done is not done again"
        assert all(opened(folder, name, after.identities["Ali"]) == file_keys[name] for name in file_keys)
        assert all(opened(folder, name, made.identities["Sara"]) is None for name in file_keys)
        assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.head" for name in file_keys)
    print(
        f"kills in mid-rewrap: {KILLS}, heads each {HEADS}, done before the kill {min(done_before)}-{max(done_before)}"
    )


def killed(folder: Path, scratch: Path, batches: int, share: float, is_early: bool) -> int:
    """Runs the process, kills it within the batch after so many, and says how many heads it had told to be done."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.ceremony.rewrapping"]
    command += [str(path) for path in (folder, scratch / "set", scratch / "key")]
    told = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(batches):
            told = int(process.stdout.readline())
        head = folder / f"{told + int(share * rewrap.BATCH):032x}.head"
        beside, before = head.with_suffix(rewrap.NEW), head.stat().st_ino
        # The kill must fall into the writing or the renaming of heads, whatever the machine's speed.
        while head.stat().st_ino == before and not (is_early and beside.exists()) and process.poll() is None:
            pass
        process.kill()
    return told
