"""The recorder as the media process drives it: refusals, a disk that refuses, overload, an orderly end, recovery."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.recorder import keys, reading, recovery
from appliance.recorder.disk import RealDisk
from appliance.recorder.events import Gap, Sealed, Started
from appliance.recorder.journal import Committed
from appliance.recorder.live import LiveRecording, Recorder
from appliance.recorder.settings import Recorder as Settings
from tests.recorder.given import CLASSIC, HYBRID, Box, named, patience


class FullDisk(RealDisk):
    """A disk on which, while ``is_full``, no file in live/ grows."""

    def __init__(self) -> None:
        self.is_full = False
        self._live: set[int] = set()

    def open_new(self, path: Path) -> int:
        descriptor = super().open_new(path)
        self._live.add(descriptor)
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        if self.is_full and descriptor in self._live:
            raise OSError(errno.ENOSPC, "no space")
        super().write(descriptor, data, offset)


def refusal(recorder: Recorder, consent: str = "k") -> LiveRecording | str:
    return recorder.start(named(1), "s", "PCMU", "c", 1, consent, "{}", 1.0)


def test_a_box_without_an_owners_key_refuses_and_writes_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path / "with")
    recorder = Recorder(Settings(floor_bytes=0), tmp_path / "without", box.clock)
    assert recorder.refusal == refusal(recorder) == "recorder.no_owner_key"
    assert list((tmp_path / "without" / "live").iterdir()) == []
    recorder.close(1.0)


@pytest.mark.parametrize("text", ["hello", f"{CLASSIC.recipient().text}\n{HYBRID.recipient().text}"])
def test_a_recipients_file_that_cannot_be_used_refuses(tmp_path: Path, text: str) -> None:
    box = Box(tmp_path / "other")
    file = keys.recipients_file(tmp_path)
    file.parent.mkdir()
    file.write_text(text)
    recorder = Recorder(Settings(floor_bytes=0), tmp_path, box.clock)
    assert refusal(recorder) == "recorder.bad_owner_key"
    recorder.close(1.0)


def test_without_consent_and_without_space_nothing_is_recorded(tmp_path: Path) -> None:
    box = Box(tmp_path)
    assert box.recorder.refusal == ""
    assert refusal(box.recorder, consent="") == "recorder.no_consent"
    full = Recorder(Settings(floor_bytes=1 << 62), tmp_path, box.clock)
    assert refusal(full) == "recorder.no_space"
    full.close(1.0)
    box.close()


def test_a_recording_is_told_as_started_when_durable_even_after_an_idle_hour(tmp_path: Path) -> None:
    box = Box(tmp_path)
    for _ in range(3600 * 2):
        box.clock.advance_to(box.now + 0.5)
        box.recorder.tick(box.now)
    voice = box.start(1)
    box.run(1.2)
    (started,) = box.wait_for(Started)
    assert started == Started(named(1), "s1", voice.live.began_ms)
    box.close()


def test_a_loop_that_is_late_commits_as_often_as_one_that_is_not(tmp_path: Path) -> None:
    box = Box(tmp_path)
    voice = box.start(1)
    for _ in range(12):
        for _ in range(17):  # 340 ms at once
            voice.speak(box.now)
            box.clock.advance_to(round(box.now + 0.02, 2))
        box.recorder.tick(box.now)
        box.wait_for_commit()
    assert 7 <= box.recorder.journal.batch - 1 <= 8, "half seconds in 4.08 s"
    box.close()


def test_an_orderly_end_keeps_everything_and_leaves_nothing_to_replay(tmp_path: Path) -> None:
    box = Box(tmp_path)
    for number in range(1, 31):
        box.start(number)
    box.run(4.2)
    box.close()
    assert {event.recording for event in box.events if isinstance(event, Sealed)} == {named(n) for n in range(1, 31)}
    assert recovery.dirty_folders(tmp_path / "journal") == [] and list((tmp_path / "live").iterdir()) == []
    for number, voice in box.voices.items():
        opened = reading.open_recording(tmp_path / "kept" / named(number), CLASSIC)
        assert opened.is_closed and opened.stereo == voice.stereo()


def test_a_stop_that_comes_twice_or_with_no_sound_is_one_end(tmp_path: Path) -> None:
    box = Box(tmp_path)
    voice = box.start(1)
    box.stop(1)
    box.stop(1)
    voice.live.mark("late", "", box.now)
    base = box.sealed(1)
    assert reading.verify(base, CLASSIC).state == "verified"
    assert len([event for event in box.events if isinstance(event, Sealed)]) == 1
    box.close()


def test_a_full_disk_refuses_new_recordings_counts_what_is_missing_and_closes_when_space_is_back(
    tmp_path: Path,
) -> None:
    disk = FullDisk()
    box = Box(tmp_path, disk=disk, segment_bytes=600_000)
    voice = box.start(1)
    box.run(5)
    disk.is_full = True
    box.run(150)
    gaps = [event for event in box.events if isinstance(event, Gap)]
    assert gaps and {gap.reason for gap in gaps} == {"no_space"} and {gap.recording for gap in gaps} == {named(1)}
    assert box.recorder.refusal == refusal(box.recorder) == "recorder.no_space"
    box.stop(1)
    box.run(1)
    disk.is_full = False
    (sealed,) = box.wait_for(Sealed)
    missing = sum(event.milliseconds for event in box.events if isinstance(event, Gap))
    assert isinstance(sealed, Sealed) and sealed.missing_milliseconds == missing
    assert sealed.milliseconds + missing == 155_000
    box.run(2)
    assert box.recorder.refusal == ""
    opened = reading.open_recording(tmp_path / "kept" / named(1), CLASSIC)
    assert opened.is_closed and sum(mark.milliseconds for mark in opened.gaps) == missing
    (gap,) = opened.gaps
    said, place = voice.stereo(), gap.at_ms * 16
    assert opened.stereo == said[:place] + said[place + missing * 16 :], "what is there is true, and in order"
    assert sum(tick.plain_bytes > 0 for tick in opened.ticks) * 500 >= opened.milliseconds
    box.close()


def test_a_disk_that_stays_full_keeps_its_journal_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.recorder.live.CLOSE_PATIENCE_SECONDS", 0.2)
    disk = FullDisk()
    box = Box(tmp_path, disk=disk)
    voice = box.start(1)
    box.run(3)
    disk.is_full = True
    box.run(4)
    box.close()
    assert len(recovery.dirty_folders(tmp_path / "journal")) == 1
    again = Box(tmp_path)
    (sealed,) = again.wait_for(Sealed)
    assert isinstance(sealed, Sealed) and sealed.state in ("sealed", "recovered") and sealed.milliseconds >= 6000
    assert voice.stereo().startswith(reading.open_recording(tmp_path / "kept" / named(1), CLASSIC).stereo)
    again.close()
    assert recovery.dirty_folders(tmp_path / "journal") == []


def test_overload_waits_ten_seconds_before_anything_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(tmp_path)
    voice = box.start(1)
    box.run(1)
    with monkeypatch.context() as patched:
        patched.setattr(type(box.recorder.journal), "is_congested", property(lambda journal: True))
        box.run(9)
    box.run(1)
    base = box.sealed(1)
    assert not any(isinstance(event, Gap) for event in box.events)
    opened = reading.open_recording(base, CLASSIC)
    assert opened.stereo == voice.stereo() and len(opened.ticks) >= 22, "each half second has its record"
    box.close()


def test_a_late_packet_is_in_the_export_though_it_missed_its_slot(tmp_path: Path) -> None:
    box = Box(tmp_path)
    live = box.recorder.start(named(1), "s1", "PCMU", "c", 1, "k", "{}", box.now - 0.01)
    assert isinstance(live, LiveRecording)
    frames = [bytes([n]) * 160 for n in range(200)]
    for n, frame in enumerate(frames):
        if n != 50:
            live.heard(1000 + n * 160, frame, box.now)
        if n == 120:
            live.heard(1000 + 50 * 160, frames[50], box.now)
        box.tick()
    live.stop(box.now)
    box.wait_for(Sealed)
    opened = reading.open_recording(box.folder / "kept" / named(1), CLASSIC)
    assert opened.stereo[0::2][50 * 160 : 51 * 160] == b"\xff" * 160
    assert opened.patched()[0::2] == b"".join(frames)
    assert sum(tick.left.late for tick in opened.ticks) == 1
    assert sum(tick.left.filled_samples for tick in opened.ticks) == 160
    box.close()


def test_a_new_process_recovers_while_it_records(tmp_path: Path) -> None:
    dead = Box(tmp_path)
    voice = dead.start(1)
    dead.run(10.3)
    for _ in patience():
        if not dead.recorder.journal._behind:
            break
    alive = Box(tmp_path)
    alive.start(2)
    alive.run(1)
    (sealed,) = alive.wait_for(Sealed)
    assert isinstance(sealed, Sealed) and (sealed.recording, sealed.state) == (named(1), "recovered")
    opened = reading.open_recording(tmp_path / "kept" / named(1), CLASSIC)
    assert not opened.is_closed and voice.stereo().startswith(opened.stereo)
    assert 10_300 - opened.milliseconds <= 850 and sealed.milliseconds == opened.milliseconds
    assert reading.verify(alive.sealed(2), CLASSIC).state == "verified"
    alive.close()


def test_an_erased_recording_does_not_come_back_from_the_journal(tmp_path: Path) -> None:
    dead = Box(tmp_path)
    dead.start(1)
    dead.start(2)
    dead.run(3)
    for suffix in (".head", ".body", ".seal"):
        (tmp_path / "live" / (named(1) + suffix)).unlink()
    alive = Box(tmp_path)
    alive.wait_for(Sealed)
    assert {path.stem for path in (tmp_path / "kept").iterdir()} == {named(2)}
    alive.close()


def test_a_recording_whose_seal_is_unreadable_is_kept_for_its_owner(tmp_path: Path) -> None:
    for folder in ("live", "kept"):
        (tmp_path / folder).mkdir()
    for suffix, data in ((".head", b"h"), (".body", bytes(5000)), (".seal", b"garbage")):
        (tmp_path / "live" / (named(1) + suffix)).write_bytes(data)
    (found,) = recovery.run([], tmp_path / "live", tmp_path / "kept", recovery.live_recordings(tmp_path / "live"))
    assert found.state == "recovered" and found.body_bytes == 0
    assert (tmp_path / "kept" / (named(1) + ".body")).read_bytes() == bytes(5000)
    assert reading.verify(tmp_path / "kept" / named(1)).state == "damaged"


def test_a_file_that_cannot_be_synced_keeps_its_journal_and_refuses_new_recordings(tmp_path: Path) -> None:
    class Failing(RealDisk):
        def sync_many(self, descriptors: Sequence[int], folder: Path) -> None:
            raise OSError(errno.EIO, "lost")

    box = Box(tmp_path, disk=Failing())
    voice = box.start(1)
    box.run(2)
    box.stop(1)
    box.wait_until(lambda: box.recorder.refusal == "recorder.write_failed")
    assert refusal(box.recorder) == "recorder.write_failed"
    box.close()
    assert len(recovery.dirty_folders(tmp_path / "journal")) == 1
    again = Box(tmp_path)
    again.wait_for(Sealed)
    opened = reading.open_recording(tmp_path / "kept" / named(1), CLASSIC)
    assert opened.is_closed and opened.stereo == voice.stereo()
    again.close()


def test_many_files_are_synced_by_their_file_system_and_its_errors_are_told(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        disk = RealDisk()
        disk.sync_many([file.fileno()], tmp_path)
        disk.sync_many([file.fileno()] * 100, tmp_path)
        with pytest.raises(OSError, match="nowhere"):
            disk.sync_many([file.fileno()] * 100, tmp_path / "nowhere")


def test_commits_are_timed(tmp_path: Path) -> None:
    box = Box(tmp_path)
    assert box.recorder.commit_p99_ms == 0.0
    box.recorder.journal.pending_batches += 2
    box.recorder.journal.notices += [Committed(1, 0.25), Committed(2, 0.01)]
    box.tick()
    assert box.recorder.commit_p99_ms == 250.0
    box.close()
