"""kill -9 of a real process while it writes; and what its memory holds of keys once a recording has ended."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.recorder import keys, reading, recovery
from tests.recorder import writing_process
from tests.recorder.given import CLASSIC, HYBRID, named, patience
from tests.support import traces

KILLS = 200 if os.environ.get("PASOKH_LONG") else 4
PROMISE_SECONDS = 0.85
COMMIT_SECONDS = 0.15  # of the promise; a slower disk is told as a finding, and counted here as what it is
ROOT = Path(__file__).parent.parent.parent


@contextmanager
def writing(data: Path, progress: Path) -> Iterator[subprocess.Popen[bytes]]:
    keys.install(keys.recipients_file(data), CLASSIC.recipient())
    progress.write_bytes(bytes(writing_process.PROGRESS.size))
    command = [sys.executable, "-W", "ignore", "-m", "tests.recorder.writing_process", str(data), str(progress)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            for _ in patience():
                if process.poll() is not None or writing_process.PROGRESS.unpack(progress.read_bytes())[0]:
                    break
            yield process
        finally:
            process.kill()


def killed_once(folder: Path, seconds: float) -> float:
    """The most that any of the recordings lost of what it had been handed when the process died."""
    data, progress = folder / "data", folder / "progress"
    data.mkdir(parents=True)
    with writing(data, progress) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
        process.wait()
    last, slowest_commit, *began = writing_process.PROGRESS.unpack(progress.read_bytes())
    found = recovery.live_recordings(data / "live")
    states = list(recovery.run(recovery.dirty_folders(data / "journal"), data / "live", data / "kept", found))
    assert all(each.state in ("sealed", "recovered") for each in states)
    worst = 0.0
    for number in range(1, writing_process.RECORDINGS + 1):
        base = data / "kept" / named(number)
        assert reading.verify(base).state in ("verified", "open")
        opened = reading.open_recording(base, CLASSIC)
        if not opened.is_closed:
            said = last - began[number - 1]
            if number == 1:  # stopped on the way; a machine that was busy then may have stopped it a little later
                said = min(said, writing_process.STOP_SECONDS)
            worst = max(worst, said - opened.milliseconds / 1000)
    return float(worst - max(0.0, slowest_commit - COMMIT_SECONDS))


def test_a_process_that_is_killed_loses_at_most_the_promise(tmp_path: Path) -> None:
    """Several at once: each dies at another moment of its half second."""
    seed = random.Random(4)
    moments = [seed.uniform(1.5, 4.0) for _ in range(KILLS)]
    lost: dict[int, float] = {}

    def one(number: int) -> None:
        lost[number] = killed_once(tmp_path / str(number), moments[number])

    for start in range(0, KILLS, 4):
        threads = [threading.Thread(target=one, args=(number,)) for number in range(start, min(start + 4, KILLS))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(lost) == list(range(KILLS)), "each of them was read again"
    assert max(lost.values()) <= PROMISE_SECONDS, lost
    print(f"{KILLS} kills: at most {max(lost.values()):.3f} s lost")


ENDED = """
import gc, sys
from pathlib import Path
from tests.recorder import given
from appliance.recorder import keys
box = given.Box(Path(sys.argv[1]), identity=given.CLASSIC if sys.argv[2] == "classic" else given.HYBRID)
voice = box.start(1)
box.run(2)
def turned(key):  # never the key itself, in no other place
    return bytes(255 - byte for byte in key).hex()
live = voice.live
found = [turned(live._file_key), turned(live._body._key), turned(live._sealer._key)]
if sys.argv[3] == "ended":
    box.sealed(1)
    del voice, live
    box.voices.clear()
    gc.collect()
print(*found, flush=True)
sys.stdin.readline()
"""


def keys_in_memory(folder: Path, kind: str, state: str) -> list[bool]:
    """Whether the memory of a process holds file, payload and seal key of the recording it made."""
    keys_file = keys.recipients_file(folder)
    keys.install(keys_file, (CLASSIC if kind == "classic" else HYBRID).recipient())
    command = [sys.executable, "-W", "ignore", "-c", ENDED, str(folder), kind, state]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        turned = [bytes.fromhex(each) for each in process.stdout.readline().decode().split()]
        wanted = [bytes(255 - byte for byte in each) for each in turned]
        found = traces.in_memory(process.pid, wanted)
        process.stdin.write(b"\n")
        process.stdin.close()
    return found


@pytest.mark.parametrize("kind", ["classic", "hybrid"])
def test_once_a_recording_has_ended_the_memory_holds_none_of_its_keys(kind: str, tmp_path: Path) -> None:
    assert keys_in_memory(tmp_path / "open", kind, "open") == [True, True, True], "the search finds what is there"
    assert keys_in_memory(tmp_path / "ended", kind, "ended") == [False, False, False]
