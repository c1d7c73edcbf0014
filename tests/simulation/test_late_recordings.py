"""Recordings whose end is told too late, or to a process that died: not lost while their files are there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from appliance.calls import aftermath
from appliance.calls.verification import found_in
from appliance.clock import SystemClock
from appliance.media import loopback
from appliance.media import port as media
from appliance.records.events import RecordingOpened
from tests.recorder.given import Box, named
from tests.records.given import opened
from tests.simulation.test_whole_office import TheOffice
from tests.support.virtual_time import run


def test_a_recording_that_is_sealed_after_its_record_closed_revises_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loopback, "SEAL_SECONDS", 9.0)
    it = TheOffice(tmp_path)
    verified: list[media.RecordingSealed] = []
    it.office.verify = verified.append

    async def scene() -> None:
        leg = it.line.call_in("provider", "02188123456", "09121234567")
        await asyncio.sleep(9.0)
        it.line.hang_up(leg)
        await it.until_quiet()
        (lost,) = it.all()
        assert [(part.state, lost.revision) for part in lost.recordings] == [("lost", 1)]
        await asyncio.sleep(6.0)

    run(it.loop, scene())
    it.records.flush_now()
    (conversation,) = it.all()
    (part,) = conversation.recordings
    assert part.state == "sealed" and part.milliseconds > 0 and conversation.revision == 2
    assert [sealed.recording for sealed in verified] == [part.recording]


def test_of_a_recording_that_died_before_it_was_told_to_have_begun_both_parts_stand_in_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loopback.LoopbackMedia, "_record", lambda _self, _command: None)
    it = TheOffice(tmp_path)

    async def scene() -> None:
        leg = it.line.call_in("provider", "02188123456", "09121234567")
        await asyncio.sleep(9.0)
        (first,) = it.office.recordings
        it.switchboard.mediated(media.RecordingContinued("f" * 32, first, 2, 400))
        it.switchboard.mediated(media.RecordingSealed("f" * 32, "sealed", "", 1, "", "", 1000, 0, 0, 0, 0, 0, 0))
        it.switchboard.mediated(media.RecordingSealed(first, "recovered", "", 1, "", "", 20, 0, 0, 0, 0, 0, 0))
        it.line.hang_up(leg)
        await it.until_quiet()

    run(it.loop, scene())
    it.records.flush_now()
    (conversation,) = it.all()
    assert [(part.part, part.state) for part in conversation.recordings] == [(1, "recovered"), (2, "sealed")]


def test_a_recording_that_nobody_knows_changes_nothing(tmp_path: Path) -> None:
    it = TheOffice(tmp_path)

    async def scene() -> None:
        it.switchboard.mediated(media.RecordingSealed("f" * 32, "sealed", "", 1, "", "", 1, 0, 0, 0, 0, 0, 0))
        await asyncio.sleep(1.0)

    run(it.loop, scene())
    it.records.flush_now()
    assert it.all() == [] and it.store.head().n == 0


def a_sealed_recording(folder: Path) -> str:
    box = Box(folder)
    box.start(1)
    box.run(3.0)
    box.sealed(1)
    box.close()
    return named(1)


def test_the_files_of_a_recording_say_what_media_would_have_said(tmp_path: Path) -> None:
    name = a_sealed_recording(tmp_path / "data")
    found = found_in(tmp_path / "data" / "kept", name)
    assert found is not None and found.state == "sealed" and 2900 <= found.milliseconds <= 3100
    assert len(found.body_sha256) == len(found.seal_sha256) == 64
    body = tmp_path / "data" / "kept" / f"{name}.body"
    body.write_bytes(body.read_bytes()[:-1])
    assert found_in(tmp_path / "data" / "kept", name) is None
    assert found_in(tmp_path / "data" / "kept", named(2)) is None


@pytest.mark.parametrize("is_there", [True, False])
def test_after_a_crash_the_files_are_looked_at_before_a_recording_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """Media had told the process that died, and says nothing to the next one."""
    monkeypatch.setattr(aftermath, "RECOVERY_SECONDS", 0.05)
    name = a_sealed_recording(tmp_path / "data")
    it = TheOffice(tmp_path)
    it.loop.close()
    recording = name if is_there else named(2)
    it.store.apply([opened("c1"), RecordingOpened("c1", recording, 1, "consent", 5000)])
    it.office.kept = tmp_path / "data" / "kept"
    verified: list[media.RecordingSealed] = []
    it.office.verify = verified.append

    async def scene() -> None:
        await aftermath.settle(it.office, [])
        while it.office.recordings:  # noqa: ASYNC110 - the task has no other sign of its end
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        it.records.flush_now()

    it.office.clock = SystemClock()  # what is checked is checked in a thread, which virtual time has not
    asyncio.run(scene())
    (conversation,) = it.all()
    (part,) = conversation.recordings
    assert part.state == ("sealed" if is_there else "lost") and conversation.outcome == "crashed"
    assert len(verified) == is_there
