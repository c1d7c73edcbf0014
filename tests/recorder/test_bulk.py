"""Recordings go out as files: as long as the call was, all or none of each, again and again until all are there."""

from __future__ import annotations

import argparse
import csv
import fcntl
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.recorder import bulk, bulk_commands, commands, export, reading
from appliance.records.events import RecordingOpened, RecordingSealed
from appliance.records.store import Store
from appliance.signalling.numbers import e164
from tests.recorder.given import CLASSIC, NO_BOX, OTHER, Box, named
from tests.records.given import KEY, a_call, opened

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE_SAMPLES = 160  # 20 ms
COUNT = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A box with recordings of 1.0, 1.5, 2.0 and 2.5 s, the last in A-law."""
    box = Box(tmp_path_factory.mktemp("box") / "data")
    for number in range(1, COUNT + 1):
        box.start(number, "PCMA" if number == COUNT else "PCMU")
        box.run(0.5 + number / 2)
        box.sealed(number)
    box.close()
    (box.folder.parent / "key").write_text(CLASSIC.encode() + "\n")
    return box.folder


@pytest.fixture(autouse=True)
def in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")


@pytest.fixture
def kept(data: Path, tmp_path: Path) -> Path:
    """The sealed files in a folder of their own, which a test may spoil."""
    folder = tmp_path / "sealed"
    folder.mkdir()
    for file in (data / "kept").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser(prog="pasokh")
    commands.register(parser.add_subparsers(required=True), e164)
    chosen = parser.parse_args(
        ["recording", "export-all", "--reason", "an audit", *(str(argument) for argument in arguments)]
    )
    code: int = chosen.run(chosen)
    return code


def listed(out: Path) -> dict[str, dict[str, object]]:
    """The list, by recording; the table must say the same."""
    entries = [json.loads(line) for line in (out / bulk.LIST).read_text().splitlines()]
    table = list(csv.DictReader(io.StringIO((out / bulk.TABLE).read_text("utf-8-sig"))))
    assert table == [{name: str(value) for name, value in entry.items()} for entry in entries]
    return {entry["recording"]: entry for entry in entries}


def files(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir() if path.name not in (bulk.LIST, bulk.TABLE))


def samples(file: Path) -> int:
    """How long another program finds a file, in samples of 8 kHz."""
    asked = ["ffmpeg", "-v", "error", "-i", str(file), "-f", "s16le", "-ar", "8000", "-ac", "2", "-"]
    return len(subprocess.run(asked, capture_output=True, check=True).stdout) // 4


@pytest.mark.parametrize("ending", list(export.ENCODERS))
def test_every_form_is_as_long_as_the_call(data: Path, tmp_path: Path, ending: str) -> None:
    for number in (1, COUNT):
        recording = reading.open_recording(data / "kept" / named(number), CLASSIC)
        file = tmp_path / f"{number}{ending}"
        assert export.write(recording, file) == file.stat().st_size
        assert abs(samples(file) - 8 * recording.milliseconds) <= TOLERANCE_SAMPLES
        assert recording.milliseconds == 500 + 500 * number


def test_the_ending_chooses_the_form_and_no_other_is_written(data: Path, tmp_path: Path) -> None:
    recording = reading.open_recording(data / "kept" / named(1), CLASSIC)
    heads = {ending: export.encode(recording, Path("x" + ending.upper()))[:4] for ending in export.ENCODERS}
    assert heads == {".wav": b"RIFF", ".flac": b"fLaC", ".opus": b"OggS", ".ogg": b"OggS"}
    with pytest.raises(Problem, match=r"recorder\.out_format"):
        export.write(recording, tmp_path / "x.mp3")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", bulk_commands.FORMS)
def test_all_of_a_folder_goes_out_with_a_list_and_digests(
    kept: Path, data: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ("--from", kept.parent, "--key", data.parent / "key", "--out", out, "--format", form)
    assert run(*arguments) == 0
    assert "4 exported now, 0 were there already" in capsys.readouterr().out
    assert files(out) == [f"{named(number)}.{form}" for number in range(1, COUNT + 1)]
    for recording, entry in listed(out).items():
        content = (out / str(entry["file"])).read_bytes()
        assert (entry["bytes"], entry["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        sealed = hashlib.sha256((kept / f"{recording}.seal").read_bytes()).hexdigest()
        assert (entry["state"], entry["conversation"], entry["seal_sha256"]) == ("whole", "conversation", sealed)
        assert str(entry["started_utc"]).startswith("20") and str(entry["started_jalali"]).startswith("14")
    times = {file.name: file.stat().st_mtime_ns for file in out.iterdir() if file.suffix == "." + form}
    assert run(*arguments, "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["is_new"] for each in told] == [False] * COUNT
    assert {name: (out / name).stat().st_mtime_ns for name in times} == times, "what is there is not written again"


def test_a_damaged_one_is_said_and_listed_and_holds_up_nothing(
    kept: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = kept / f"{named(2)}.body"
    whole = body.read_bytes()
    body.write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    (kept / f"{named(3)}.head").unlink()
    out = tmp_path / "out"
    arguments = ("--from", kept, "--key", data.parent / "key", "--out", out)
    assert run(*arguments) == bulk_commands.EXIT_BROKEN
    shown = capsys.readouterr()
    assert "2 could not be exported" in shown.out
    assert f"{named(2)}: is damaged or was changed" in shown.err and "there is no such recording" in shown.err
    found = listed(out)
    assert [found[named(number)]["state"] for number in range(1, COUNT + 1)] == ["whole", "failed", "failed", "whole"]
    assert [found[named(number)]["problem"] for number in (2, 3)] == ["recorder.damaged", "recorder.not_there"]
    assert files(out) == [f"{named(number)}.wav" for number in (1, 4)]
    body.write_bytes(whole)  # fetched again from where copies are kept
    run(*arguments)
    assert "1 exported now, 2 were there already" in capsys.readouterr().out
    assert listed(out)[named(2)]["state"] == "whole"


def test_what_was_changed_since_is_written_anew_and_a_strangers_file_is_not_touched(
    kept: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / f"{named(3)}.wav").write_text("mine")
    arguments = ("--from", kept, "--key", data.parent / "key", "--out", out)
    assert run(*arguments) == bulk_commands.EXIT_BROKEN
    assert "is there already, and is not overwritten" in capsys.readouterr().err
    assert (out / f"{named(3)}.wav").read_text() == "mine"
    (out / f"{named(1)}.wav").write_bytes(b"spoilt")
    (out / f"{named(2)}.wav").unlink()
    run(*arguments)
    assert "2 exported now, 1 were there already" in capsys.readouterr().out
    for number in (1, 2, 4):
        content = (out / f"{named(number)}.wav").read_bytes()
        assert hashlib.sha256(content).hexdigest() == listed(out)[named(number)]["sha256"]


def test_two_forms_of_one_recording_stand_side_by_side_and_what_was_written_stays_ours(
    kept: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, seal = tmp_path / "out", kept / f"{named(1)}.seal"
    arguments = ("--from", kept, "--key", data.parent / "key", "--out", out, "--format")
    assert [run(*arguments, form) for form in ("wav", "flac", "wav")] == [0, 0, 0]
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .endswith("0 exported now, 4 were there already and are as they were written.")
    )
    assert len(files(out)) == 2 * COUNT
    whole = seal.read_bytes()
    seal.write_bytes(whole[:-1])
    assert run(*arguments, "wav") == bulk_commands.EXIT_BROKEN
    seal.write_bytes(whole)
    assert run(*arguments, "wav") == 0 and len(files(out)) == 2 * COUNT


def test_one_that_was_never_closed_goes_out_up_to_its_last_half_second(kept: Path, data: Path, tmp_path: Path) -> None:
    box = Box(tmp_path / "other")
    box.start(9)
    box.run(1.2)
    for suffix in (".head", ".body", ".seal"):
        (kept / (named(9) + suffix)).write_bytes((box.folder / "live" / (named(9) + suffix)).read_bytes())
    out = tmp_path / "out"
    assert run("--from", kept, "--key", data.parent / "key", "--out", out) == 0
    entry = listed(out)[named(9)]
    assert entry["state"] == "open" and samples(out / f"{named(9)}.wav") == 8 * int(str(entry["milliseconds"])) >= 4_000


def test_a_key_that_opens_none_exports_none_and_says_why(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text(OTHER.encode())
    assert run("--from", kept, "--key", tmp_path / "wrong", "--out", tmp_path / "out") == bulk_commands.EXIT_BROKEN
    assert {entry["problem"] for entry in listed(tmp_path / "out").values()} == {"recorder.not_for_this_key"}
    assert files(tmp_path / "out") == []


def test_two_exports_into_one_folder_do_not_meet(kept: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    held = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(Problem, match=r"recorder\.export_busy"):
        run("--from", kept, "--key", data.parent / "key", "--out", out)
    os.close(held)
    with pytest.raises(Problem, match=r"recorder\.unwritable"):
        run("--from", kept, "--key", data.parent / "key", "--out", data.parent / "key" / "out")
    with pytest.raises(Problem, match=r"recorder\.no_folder"):
        run("--from", tmp_path / "nothing", "--key", data.parent / "key", "--out", out)


def test_a_search_chooses_what_goes_out_and_names_what_is_missing(
    kept: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    for number, customer in ((1, "+989121234567"), (2, "+982144556677"), (7, "+982144556677")):
        for happened in [each for moment in a_call(f"c{number}") for each in moment]:
            match happened:
                case RecordingOpened() | RecordingSealed():
                    fields = {name: getattr(happened, name) for name in happened.__slots__}
                    store.apply([type(happened)(**{**fields, "recording": named(number)})])
                case _:
                    store.apply(
                        [opened(f"c{number}", customer) if happened.kind == "conversation.opened" else happened]
                    )
    store.close_hard()
    (tmp_path / "database-key").write_text(KEY.hex())
    places = ("--database", tmp_path / "calls.db", "--database-key", tmp_path / "database-key")
    out = tmp_path / "out"
    code = run("--from", kept, "--key", data.parent / "key", "--out", out, *places, "--number", "021 4455 6677")
    assert code == bulk_commands.EXIT_BROKEN and files(out) == [f"{named(2)}.wav"]
    assert listed(out)[named(7)]["problem"] == "recorder.not_there"
    capsys.readouterr()
    store.close()


# Kills ----------------------------------------------------------------------------------------------------------------

STOPPED_AT = """
import os, signal, sys
from pathlib import Path
from appliance.recorder import bulk, export
from tests.recorder.given import CLASSIC, NO_BOX

at, count = sys.argv[3], 0
def counted(event, arguments):
    global count
    if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(arguments[0]).startswith(sys.argv[2]):
        count += 1
        if count == int(at):
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(counted)
list(bulk.export_all(bulk.find(Path(sys.argv[1])), CLASSIC, Path(sys.argv[2]), ".opus", NO_BOX))
print(count)
"""


def test_killed_before_any_of_its_steps_it_leaves_whole_files_and_goes_on(kept: Path, tmp_path: Path) -> None:
    for number in (3, COUNT):
        for suffix in (".head", ".body", ".seal"):
            (kept / (named(number) + suffix)).unlink()

    def export_to(out: Path, stop: int) -> subprocess.CompletedProcess[str]:
        asked = [sys.executable, "-c", STOPPED_AT, str(kept), str(out), str(stop)]
        return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)

    steps = int(export_to(tmp_path / "whole", 0).stdout)
    assert steps >= 15
    chosen = range(1, steps + 1) if os.environ.get("PASOKH_LONG") else range(2, steps + 1, 5)
    for stop in chosen:
        out = tmp_path / f"out{stop}"
        assert export_to(out, stop).returncode == -signal.SIGKILL
        for file in out.glob("*.opus"):
            assert samples(file) == 8 * reading.open_recording(kept / file.stem, CLASSIC).milliseconds
        done = list(bulk.export_all(bulk.find(kept), CLASSIC, out, ".opus", NO_BOX))
        assert [each.entry.state for each in done] == ["whole", "whole"]
        assert files(out) == [f"{named(1)}.opus", f"{named(2)}.opus"] and set(listed(out)) == {named(1), named(2)}
        assert not any(each.is_new for each in bulk.export_all(bulk.find(kept), CLASSIC, out, ".opus", NO_BOX))
    print(f"killed before each of {len(list(chosen))} steps of {steps}: nothing half written, all there in the end")
