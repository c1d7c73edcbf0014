"""What is erased has no second head: not beside the first, not in live/, not in the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.recorder import destroying, keys, reading, recovery
from appliance.recorder.events import Sealed
from tests.recorder.given import CLASSIC, HYBRID, Box, named


def heads_in(journals: Path, head: bytes) -> int:
    """How often a head lies in the journals' segments."""
    return sum(file.read_bytes().count(head) for file in journals.rglob("segment.*"))


@pytest.mark.parametrize("identity", [CLASSIC, HYBRID])
def test_once_it_is_destroyed_nothing_of_a_recording_is_left(tmp_path: Path, identity: keys.Identity) -> None:
    box = Box(tmp_path, identity)
    for number in (1, 2):
        box.start(number)
    box.run(2)
    bases = [box.sealed(number) for number in (1, 2)]
    head = bases[0].with_suffix(".head")
    with head.open("rb") as still_open:
        content = still_open.read()
        assert destroying.destroy(tmp_path / "kept", named(1))
        still_open.seek(0)
        assert still_open.read() == bytes(len(content))  # overwritten before it was unlinked
    assert {file.stem for file in (tmp_path / "kept").iterdir()} == {named(2)}
    assert not destroying.destroy(tmp_path / "kept", named(1))
    assert reading.verify(bases[1], identity).state == "verified"
    box.close()


def test_a_destruction_that_was_cut_in_the_middle_is_finished(tmp_path: Path) -> None:
    for suffix in (".head", ".body", ".seal"):
        (tmp_path / f"{named(1)}{suffix}").write_bytes(b"x")
    (tmp_path / f"{named(1)}.head").unlink()
    assert destroying.destroy(tmp_path, named(1)) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "../kept/x", "/etc/passwd", named(1) + ".head", named(1).upper()])
def test_a_name_that_is_none_of_a_recording_touches_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "passwd").write_bytes(b"x")
    assert not destroying.destroy(tmp_path, name)
    assert (tmp_path / "passwd").exists()


def test_a_head_that_is_a_link_leads_nowhere(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"somebody's")
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / f"{named(1)}.head").symlink_to(other)
    assert destroying.destroy(kept, named(1)) and not list(kept.iterdir())
    assert other.read_bytes() == b"somebody's"


def test_the_journal_has_no_head_any_more_once_its_segment_is_done_with(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.start(1)
    box.run(2)
    box.start(2)
    box.run(1)
    head = box.sealed(1).with_suffix(".head").read_bytes()
    assert heads_in(tmp_path / "journal", head) == 1  # it can still be needed
    box.recorder.forget((named(1),))
    box.wait_until(lambda: heads_in(tmp_path / "journal", head) == 0)
    assert reading.verify(box.sealed(2), CLASSIC).state == "verified"
    box.close()


def test_an_orderly_end_leaves_no_head_in_the_journal(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.start(1)
    box.run(2)
    head = box.sealed(1).with_suffix(".head").read_bytes()
    box.close()
    assert heads_in(tmp_path / "journal", head) == 0


def test_a_process_that_died_leaves_heads_only_until_the_next_one_has_recovered(tmp_path: Path) -> None:
    dead = Box(tmp_path)
    dead.start(1)
    dead.run(2)
    head = dead.sealed(1).with_suffix(".head").read_bytes()
    dead.start(2)
    dead.run(1)
    assert heads_in(tmp_path / "journal", head) == 1
    alive = Box(tmp_path)
    alive.wait_for(Sealed)
    alive.wait_until(lambda: not recovery.dirty_folders(tmp_path / "journal")[1:])
    assert heads_in(tmp_path / "journal", head) == 0
    assert reading.verify(tmp_path / "kept" / named(2), CLASSIC).state == "open"
    alive.close()


def test_a_cut_after_the_heads_are_gone_brings_nothing_older_back(tmp_path: Path) -> None:
    """Half of a segment that is done with would write the open chunk of a closing recording over its last state."""
    dead = Box(tmp_path)
    voice = dead.start(1)
    dead.run(2)
    dead.recorder.forget(())
    dead.wait_until(lambda: not dead.recorder._must_retire)
    dead.run(2)
    alive = Box(tmp_path)
    (sealed,) = alive.wait_for(Sealed)
    opened = reading.open_recording(tmp_path / "kept" / named(1), CLASSIC)
    assert isinstance(sealed, Sealed) and voice.stereo().startswith(opened.stereo)
    assert 4_000 - opened.milliseconds <= 850
    alive.close()


def test_what_is_left_in_live_of_an_erased_recording_goes_and_what_is_being_recorded_stays(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.start(1)
    box.run(1)
    for suffix in (".head", ".body", ".seal"):
        (tmp_path / "live" / f"{named(9)}{suffix}").write_bytes(b"left over")
    box.recorder.forget((named(1), named(9)))
    box.wait_until(lambda: {file.stem for file in (tmp_path / "live").iterdir()} == {named(1)})
    assert reading.verify(box.sealed(1), CLASSIC).state == "verified"
    box.close()
