"""Nobody but the owner can hear what was recorded: not with the whole disk, not with the memory of every process.

Ten calls whose voices are noise that lies nowhere else in the world, with a kill of media and one of calls in their
middle. In ``make long`` a hundred, on an ext4 file system of its own, whose raw image (free blocks, journal) is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.recorder import container, keys, reading, seal
from tests.recorder.given import Box as Recorder
from tests.support import traces
from tests.support.box import Box, free_ports
from tests.system.test_crashes import CALLS, box_for_ten, ten_talks

LONG = bool(os.environ.get("PASOKH_LONG"))
ROUNDS = 10 if LONG else 1
SETTLES_SECONDS = 60.0 if LONG else 3.0  # after the calls, before memory is read
IMAGE_BYTES = 512 << 20
MARK = random.Random(21).randbytes(160)


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """A file system of its own for all that a box writes, and the raw image behind it."""
    image, at = folder / "disk.img", folder / "disk"
    at.mkdir()
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, at], check=True)
    before, tempfile.tempdir = tempfile.tempdir, str(at)
    try:
        yield image
    finally:
        tempfile.tempdir = before
        subprocess.run(["umount", "-l", at], check=True)


def recordings(box: Box) -> list[Path]:
    return [head.with_suffix("") for name in ("live", "kept") for head in (box.data / name).glob("*.head")]


def keys_of(box: Box, base: Path) -> list[bytes]:
    """What opens a recording: the file key, that of its sound, and that of its seal."""
    try:
        file_key = container.open_head(base.with_suffix(".head").read_bytes(), box.identity)
        nonce = base.with_suffix(".body").read_bytes()[: container.NONCE_BYTES]
    except FileNotFoundError:  # moved from live to kept meanwhile
        return []
    return [file_key, keys.derive(file_key, nonce, b"payload"), keys.derive(file_key, nonce, seal.INFO)]


def processes(box: Box) -> list[int]:
    found = [box.process(service) for service in ("media", "calls", "sync", "web")]
    return [*found, box.media_child()]


def held(box: Box, wanted: list[bytes]) -> list[bool]:
    """Which of these keys lie in the memory of any process of the box."""
    seen = [traces.in_memory(process, wanted) for process in processes(box)]
    return [any(each) for each in zip(*seen, strict=True)]


def on_disk(box: Box, wanted: list[bytes]) -> list[str]:
    """Files of the box, secrets and logs included, that hold a key as bytes or in hex."""
    files = [file for file in box.folder.rglob("*") if file.is_file()]
    return [
        str(file)
        for file in files
        if (data := file.read_bytes()) and any(key in data or key.hex().encode() in data for key in wanted)
    ]


async def ten_calls(box: Box, trunk: int) -> None:
    """A round: the keys of what is being recorded are in memory, and media and calls are killed in the middle."""
    async with ten_talks(box, trunk, MARK) as (caller, talks, _):
        live = [key for base in recordings(box) if base.parent.name == "live" for key in keys_of(box, base)]
        assert len(live) >= 3 * CALLS and all(held(box, live[:3])), "what is open is found: the search can find"
        os.kill(box.media_child(), signal.SIGKILL)
        await asyncio.sleep(3.0)
        for talk in talks[: CALLS // 2]:
            caller.hang_up(talk)
        await asyncio.sleep(1.0)
        os.kill(box.process("calls"), signal.SIGKILL)
        await asyncio.sleep(1.0)
        box.until_ready("calls")
        await asyncio.sleep(12.0)  # what was up is ended, media has let go of it
        assert all(each.ended for each in talks), [each.number for each in talks if not each.ended]


def test_no_sound_reaches_a_disk_and_no_process_keeps_a_key(tmp_path: Path) -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    with disk(tmp_path) if LONG else contextlib.nullcontext() as image:
        box = box_for_ten(trunk, services=("media", "calls", "sync", "web"))
        try:
            box.start()
            for _ in range(ROUNDS):
                asyncio.run(ten_calls(box, trunk))
            time.sleep(SETTLES_SECONDS)
            kept = [base for base in recordings(box) if base.parent.name == "kept"]
            assert len(kept) >= ROUNDS * CALLS
            searched = kept if LONG else kept[:: len(kept) // 3]
            wanted = [key for base in searched for key in keys_of(box, base)]
            assert len(wanted) == 3 * len(searched)
            assert not any(held(box, wanted)), "a key is still in memory"
        finally:
            box.stop()
        try:
            assert not on_disk(box, wanted)
            files = [file for file in box.folder.rglob("*") if file.is_file()]
            assert not traces.found_in_files(files, MARK)
            heard = [reading.open_recording(base, box.identity).stereo for base in kept]
            assert all(traces.found_in(each, MARK) for each in heard), "the owner hears what nobody else does"
            if image is not None:
                subprocess.run(["sync"], check=True)
                assert not traces.found_in_files([image], MARK)
        finally:
            box.remove()


@pytest.mark.parametrize("is_sealed", [True, False])
def test_the_search_finds_the_sound_where_sealing_is_switched_off(
    is_sealed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_sealed:
        monkeypatch.setattr(container._OpenChunk, "update", lambda _self, data: data)
    recorder = Recorder(tmp_path)
    voice = recorder.start()
    recorder.run(2.0)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert bool(traces.found_in_files(files, voice.left[20])) is not is_sealed
    recorder.close()


def test_a_sound_is_found_in_every_form_in_which_it_may_be_written() -> None:
    mark, other = MARK[: traces.MARK_BYTES], random.Random(1).randbytes(400)
    for name, (step, wanted) in traces.forms(mark).items():
        written = bytearray(other)
        written[7 : 7 + step * len(wanted) : step] = wanted
        assert name in traces.found_in(bytes(written), mark)
    assert not traces.found_in(other, mark)
