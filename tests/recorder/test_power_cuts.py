"""Modelled power cuts: whatever the disk kept of what was not synced, at most 0.85 s of sound are gone."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.errors import Problem
from appliance.recorder import events, journal, live, reading, recovery
from appliance.recorder.container import NONCE_BYTES, SEALED_CHUNK_BYTES
from tests.recorder.given import CLASSIC, Box, named
from tests.recorder.power import Op, RecordingDisk, cut

PROMISE_SECONDS = 0.85
SEGMENT_BYTES = 200_000
IS_LONG = bool(os.environ.get("PASOKH_LONG"))


@dataclass(slots=True)
class Life:
    """One recording: when it ran, what it holds in the end, and after which op it had been told as sealed."""

    number: int
    began: float
    ended: float
    stereo: bytes = b""
    sealed_after: int = 1 << 60


@dataclass(slots=True)
class Run:
    """A box that recorded, and every op it gave its disk."""

    ops: list[Op]
    segments: dict[str, bytes]
    lives: list[Life]
    until: float


# Number, first second, last second (or never). Each end lies more than two seconds into a chunk of 64 KiB.
LONG_PLAN = ((1, 0, 15), (2, 0, 23), (3, 7, None))
WIDE_PLAN = ((1, 0, 4), *((number, 0, None) for number in range(2, 13)))


def a_run(
    folder: Path,
    plan: tuple[tuple[int, int, int | None], ...] = LONG_PLAN,
    seconds: int = 26,
    segment_bytes: int = SEGMENT_BYTES,
    forgets_sync: bool = False,
) -> Run:
    """A box that lives through ``plan`` with journal segments that fill again and again."""
    clock_of: list[Box] = []
    disk = RecordingDisk(folder, lambda: clock_of[0].now, forgets_sync)
    box = Box(folder, disk=disk, segment_bytes=segment_bytes)
    clock_of.append(box)
    lives: dict[int, Life] = {}
    for second in range(seconds):
        for number, first, last in plan:
            if second == first:
                lives[number] = Life(number, box.now, 1e9)
                box.start(number)
            if second == last:
                box.stop(number)
                lives[number].ended = box.now
        for _ in range(50):
            box.run(0.02)
            box.wait_for_room()
            told = {event.recording for event in box.events if isinstance(event, events.Sealed)}
            for life in lives.values():
                if named(life.number) in told:
                    life.sealed_after = min(life.sealed_after, len(disk.ops))
    for number, life in lives.items():
        life.stereo = box.voices[number].stereo()
    ops, until = list(disk.ops), box.now
    box.close()
    names = [f"journal/0/segment.{number}" for number in range(journal.SEGMENTS)]
    return Run(ops, {name: bytes(segment_bytes) for name in names}, list(lives.values()), until)


def lost_seconds(run: Run, count: int, seed: random.Random, into: Path) -> float:
    """The most that any recording lost of what had been said when the power went after ``count`` ops."""
    cut(run.ops, count, run.segments, seed, into)
    at = run.ops[count].at if count < len(run.ops) else run.until
    folders = recovery.dirty_folders(into / "journal")
    states = {
        found.recording.hex(): found.state
        for found in recovery.run(folders, into / "live", into / "kept", recovery.live_recordings(into / "live"))
    }
    assert not list((into / "live").iterdir()) and not recovery.dirty_folders(into / "journal")
    worst = 0.0
    for life in run.lives:
        if at < life.began:
            continue
        said = min(at, life.ended) - life.began
        base = into / "kept" / named(life.number)
        if not base.with_suffix(".seal").exists():
            assert count <= life.sealed_after, "a recording told as sealed is gone"
            assert states.get(named(life.number)) in (None, "empty")
            worst = max(worst, said)
            continue
        opened = reading.open_recording(base, CLASSIC)
        assert life.stereo.startswith(opened.stereo), "the sound is not what was said"
        assert opened.is_closed or count <= life.sealed_after, "a recording told as sealed came back open"
        assert states.get(named(life.number), "sealed") == ("sealed" if opened.is_closed else "recovered")
        worst = max(worst, said - opened.milliseconds / 1000)
    return worst


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return a_run(tmp_path_factory.mktemp("box"))


def near_ends(run: Run) -> list[int]:
    """The ops around the end of a recording, where its last 64 KiB are written anew."""
    return [index for index, op in enumerate(run.ops) if any(-0.05 < op.at - life.ended < 1.2 for life in run.lives)]


def cuts(run: Run, seed: random.Random) -> list[int]:
    """Where the power goes: anywhere, and around an end, in turn."""
    count = 1000 if IS_LONG else 80
    return [seed.choice(near_ends(run)) if n % 2 else seed.randint(1, len(run.ops)) for n in range(count)]


def test_a_power_cut_loses_at_most_the_promise_and_nothing_that_was_told_as_sealed(run: Run, tmp_path: Path) -> None:
    seed = random.Random(1)
    worst = max(lost_seconds(run, count, seed, tmp_path / str(n)) for n, count in enumerate(cuts(run, seed)))
    print(f"{1000 if IS_LONG else 80} power cuts: at most {worst:.3f} s lost")
    assert worst <= PROMISE_SECONDS, worst


def test_the_run_that_is_cut_holds_what_is_hard(run: Run) -> None:
    switches = sum(op.what == "sync" and op.file.endswith(".body") for op in run.ops)
    assert switches >= 6, "segments are reused"
    assert sum(op.what == "rename" for op in run.ops) == 6, "two recordings are kept on the way"
    assert run.lives[0].sealed_after < len(run.ops)


def test_a_writer_that_never_syncs_is_caught(tmp_path: Path) -> None:
    broken = a_run(tmp_path / "box", seconds=18, forgets_sync=True)
    assert is_caught(broken, tmp_path)


@pytest.mark.parametrize("is_hasty", [True, False])
def test_a_writer_that_fills_files_before_the_journal_is_durable_is_caught_and_the_right_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_hasty: bool
) -> None:
    class Hasty(journal.Journal):
        def _write_piece(self, piece: journal._Piece) -> None:
            for key, offset, data in piece.targets:
                self._disk.write(self._files[key], data, offset)
            super()._write_piece(piece)

    if is_hasty:
        monkeypatch.setattr(live, "Journal", Hasty)
    # Twelve calls fill the journal so fast that it does not hold the open chunk any more, or its replay would mend it.
    run = a_run(tmp_path / "box", WIDE_PLAN, seconds=6, segment_bytes=190_000)
    assert is_caught(run, tmp_path) == is_hasty


def rewrites(run: Run) -> list[int]:
    """The ops by which the last chunk of a body is written anew."""
    sizes: dict[str, int] = {}
    found: list[int] = []
    for index, op in enumerate(run.ops):
        if op.what == "write" and op.file.endswith(".body"):
            if op.offset < sizes.get(op.file, 0) and (op.offset - NONCE_BYTES) % SEALED_CHUNK_BYTES == 0:
                found.append(index)
            sizes[op.file] = op.offset + len(op.data)
    return found


def is_caught(run: Run, folder: Path) -> bool:
    seed = random.Random(2)
    places = [place for rewrite in rewrites(run) for place in range(rewrite - 2, min(rewrite + 30, len(run.ops)))]
    assert places
    for n, count in enumerate(seed.choices(places, k=90)):
        try:
            lost = lost_seconds(run, count, seed, folder / str(n))
            if lost > PROMISE_SECONDS:
                print(f"cut {n} after op {count}: {lost:.3f} s lost")
                return True
        except (AssertionError, Problem) as error:
            print(f"cut {n} after op {count}: {error!r}")
            return True
    return False


def test_a_recovery_that_is_cut_itself_is_done_by_the_next(run: Run, tmp_path: Path) -> None:
    seed = random.Random(3)
    for n in range(8):
        into = tmp_path / str(n)
        count = seed.randint(len(run.ops) // 2, len(run.ops))
        cut(run.ops, count, run.segments, seed, into)
        folders, found = recovery.dirty_folders(into / "journal"), recovery.live_recordings(into / "live")
        recovering = recovery.run(folders, into / "live", into / "kept", found)
        for _ in range(seed.randint(0, len(found))):
            next(recovering)
        del recovering
        rest = recovery.live_recordings(into / "live")
        again = list(recovery.run(recovery.dirty_folders(into / "journal"), into / "live", into / "kept", rest))
        assert len(again) == len(rest)
        for base in {path.with_suffix("") for path in (into / "kept").iterdir()}:
            assert reading.verify(base, CLASSIC).state in ("verified", "open")
