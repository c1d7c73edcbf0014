"""What comes into a box and what of it is believed: the pin, versions, drills, and a folder that somebody changed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.backup import making as backups
from appliance.ceremony import making
from appliance.ceremony.making import Made, Wish
from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.places import Places
from appliance.recorder import custody, keys, signed
from appliance.recorder.live import LiveRecording, Recorder
from appliance.recorder.settings import Recorder as Settings
from tests.ceremony.given import MADE, a_set, owner_of, recovery_of


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def refusal(data: Path, settings: Settings | None = None) -> str:
    """Why a recorder that starts now would not record; empty if it would."""
    recorder = Recorder(settings or Settings(floor_bytes=0, segment_bytes=65_536), data, VirtualClock())
    try:
        started = recorder.start("00" * 16, "s", "PCMU", "c", 1, "k", "{}", 1.0)
        return "" if isinstance(started, LiveRecording) else started
    finally:
        recorder.close(1.0)


def names(data: Path) -> Sequence[str]:
    known = custody.load(data).signed
    return [each.name for each in known.members] if known else []


def test_the_first_set_is_pinned_and_recordings_are_sealed_to_it(data: Path) -> None:
    made = a_set("classic", "Sara")
    custody.install(data, made.known.text)
    custody.install(data, made.known.text)  # again: nothing changes
    assert names(data) == ["Owner", "Recovery", "Sara"]
    assert [each.text for each in keys.load_recipients(keys.recipients_file(data))] == [
        each.text for each in made.known.recipients
    ], "the file is a plain list as well"
    assert refusal(data) == ""


def test_a_plain_list_works_on_and_gives_way_to_the_first_signed_set(data: Path) -> None:
    keys.install(keys.recipients_file(data), keys.new_identity("classic").recipient())
    assert len(custody.load(data).recipients) == 1 and custody.load(data).signed is None and refusal(data) == ""
    custody.install(data, a_set().known.text)
    assert names(data) == ["Owner", "Recovery"]
    with pytest.raises(Problem, match=r"recorder\.recipients_signed"):
        keys.install(keys.recipients_file(data), keys.new_identity("classic").recipient())


def test_a_later_set_needs_a_pinned_hand_and_a_higher_version(data: Path) -> None:
    made, stranger = a_set(), a_set("classic", "Spy")
    custody.install(data, made.known.text)
    second = making.following(made.known, Wish(["Ali"]), owner_of(made), MADE)
    other_second = making.following(made.known, Wish(["Reza"]), owner_of(made), MADE)
    forged = making.following(stranger.known, Wish(["Ali"]), owner_of(stranger), MADE)
    with pytest.raises(Problem, match=r"ceremony\.other_signer"):
        custody.install(data, forged.known.text)
    custody.install(data, second.known.text)
    for old in (made.known.text, other_second.known.text):
        with pytest.raises(Problem, match=r"ceremony\.old_version"):
            custody.install(data, old)
    assert names(data) == ["Owner", "Recovery", "Ali"]


def test_who_lost_the_owners_key_goes_on_with_the_paper_and_the_old_key_signs_no_more(data: Path) -> None:
    made = a_set()
    custody.install(data, made.known.text)
    owner = making.following(made.known, Wish(new_owner=True), recovery_of(made), MADE)
    custody.install(data, owner.known.text)
    thief = making.following(made.known, Wish(["Thief"]), owner_of(made), MADE)
    later = signed.sign_set(3, MADE, thief.known.members, owner_of(made))
    with pytest.raises(Problem, match=r"ceremony\.other_signer"):
        custody.install(data, later.text)
    paper = making.following(owner.known, Wish(new_paper=True), owner_of(owner), MADE)
    custody.install(data, paper.known.text)
    assert custody.load(data).signed == signed.read_set(paper.known.text)


def changes(made: Made, spy: Made) -> dict[str, str]:
    """What somebody who can write recipients.txt might put there."""
    text = made.known.text
    return {
        "a line more": text + spy.known.recipients[0].text + "\n",
        "a line in between": text.replace("# recovery", f"{spy.known.recipients[0].text}\n# recovery"),
        "another key": text.replace(made.known.recipients[1].text, spy.known.recipients[1].text),
        "another set": spy.known.text,
        "a plain list": spy.known.recipients[0].text + "\n",
        "nothing": "",
        "the old owner's own next set": making.following(spy.known, Wish(["X"]), owner_of(spy), MADE).known.text,
    }


def test_a_changed_file_of_recipients_is_not_sealed_to_and_nothing_is_recorded(data: Path) -> None:
    made, file = a_set(), keys.recipients_file(data)
    custody.install(data, made.known.text)
    for what, text in changes(made, a_set()).items():
        file.write_text(text)
        with pytest.raises(Problem, match=r"recorder\.not_the_owners"):
            custody.load(data)
        assert refusal(data) == "recorder.not_the_owners", what
        with pytest.raises(Problem, match=r"recorder\.not_the_owners"):
            backups.recipients_of(Places(data=data, run=data, secrets=data, flows=data, prompts=data))
    file.unlink()
    assert refusal(data) == "recorder.not_the_owners"
    custody.install(data, made.known.text)
    assert refusal(data) == ""


@pytest.mark.parametrize("pin", ["", "{}", '{"version": "x"}', "[1]", "\xff", '{"version":1,"digest":1,"signers":3}'])
def test_a_pin_that_cannot_be_read_stops_recording(pin: str, data: Path) -> None:
    custody.install(data, a_set().known.text)
    (data / "keys" / "pinned.json").write_bytes(pin.encode("latin-1"))
    assert refusal(data) == "recorder.not_the_owners"


def test_a_crash_between_the_set_and_its_pin_leaves_a_box_that_records(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = a_set()
    custody.install(data, made.known.text)
    second = making.following(made.known, Wish(["Ali"]), owner_of(made), MADE)
    rename = os.rename

    def cut(source: Path, target: Path) -> None:
        if Path(target).name == "pinned.json":
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr("os.rename", cut)
    with pytest.raises(KeyboardInterrupt):
        custody.install(data, second.known.text)
    monkeypatch.undo()
    assert json.loads((data / "keys" / "pinned.json").read_text())["version"] == 1
    assert names(data) == ["Owner", "Recovery", "Ali"] and refusal(data) == ""
    custody.install(data, second.known.text)
    assert json.loads((data / "keys" / "pinned.json").read_text())["version"] == 2


def test_a_signed_set_takes_the_place_of_no_other_where_the_pin_was_lost(data: Path) -> None:
    made = a_set()
    custody.install(data, made.known.text)
    (data / "keys" / "pinned.json").unlink()
    with pytest.raises(Problem, match=r"recorder\.not_the_owners"):
        custody.install(data, a_set().known.text)
    custody.install(data, made.known.text)
    assert (data / "keys" / "pinned.json").exists()


def test_only_a_drill_of_the_boxs_own_keys_counts_and_never_an_older_one(data: Path) -> None:
    made, other = a_set(), a_set()
    drill = signed.sign_drill(MADE, owner_of(made), recovery_of(made))
    with pytest.raises(Problem, match=r"ceremony\.other_drill"):
        custody.install(data, drill.text)
    custody.install(data, made.known.text)
    with pytest.raises(Problem, match=r"ceremony\.other_drill"):
        custody.install(data, signed.sign_drill(MADE, owner_of(other), recovery_of(other)).text)
    custody.install(data, drill.text)
    with pytest.raises(Problem, match=r"ceremony\.older_drill"):
        custody.install(data, signed.sign_drill(MADE - 1, owner_of(made), recovery_of(made)).text)
    assert custody.load(data).drill == drill
    paper = making.following(made.known, Wish(new_paper=True), owner_of(made), MADE)
    custody.install(data, paper.known.text)
    assert custody.load(data).drill is None, "the new paper was never tried"


def test_where_a_drill_is_required_recording_begins_with_it_and_without_a_restart(data: Path) -> None:
    strict = Settings(floor_bytes=0, segment_bytes=65_536, drill="required")
    keys.install(keys.recipients_file(data), keys.new_identity("classic").recipient())
    assert refusal(data, strict) == "recorder.not_signed"
    made = a_set()
    custody.install(data, made.known.text)
    clock = VirtualClock()
    recorder = Recorder(strict, data, clock)
    assert recorder.refusal == "recorder.no_drill"
    custody.install(data, signed.sign_drill(MADE, owner_of(made), recovery_of(made)).text)
    clock.advance_to(2.0)
    recorder.tick(clock.monotonic())
    assert recorder.refusal == "" and recorder.custody.drill is not None
    recorder.close(3.0)
    assert refusal(data, strict) == ""


def test_install_says_what_is_no_box_and_what_was_not_signed(tmp_path: Path, data: Path) -> None:
    with pytest.raises(Problem, match=r"recorder\.no_data_folder"):
        custody.install(tmp_path / "nowhere", a_set().known.text)
    for text in ("", "age1x", "# Pasokh drill\n", "x" * 100_000):
        with pytest.raises(Problem, match=r"ceremony\.not_signed_set"):
            custody.install(data, text)
    assert list(data.iterdir()) == []
