"""Recordings are read as they were written, and every change of their files is seen."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import Problem
from appliance.recorder import container, export, reading, seal
from appliance.recorder.reading import Late, Mark
from appliance.recorder.segments import SUFFIXES
from appliance.recorder.speech import Talk
from tests.recorder import vectors
from tests.recorder.given import CLASSIC, HYBRID, OTHER, Box, Voice, named

COUNT = 100 if os.environ.get("PASOKH_LONG") else 10  # of each kind of mutation
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Voice, Voice]:
    """Two closed recordings of 26 s (seven chunks each), with marks."""
    box = Box(tmp_path_factory.mktemp("box"))
    first, second = box.start(1), box.start(2)
    box.run(9)
    first.live.mark("hold", "music 1", box.now)
    box.run(17)
    box.stop(2)
    box.sealed(1)
    box.sealed(2)
    box.close()
    return box.folder / "kept", first, second


def test_a_recording_holds_byte_for_byte_what_was_said(kept: tuple[Path, Voice, Voice]) -> None:
    folder, first, second = kept
    for number, voice in ((1, first), (2, second)):
        opened = reading.open_recording(folder / named(number), CLASSIC)
        assert opened.stereo == voice.stereo() == opened.patched()
        assert opened.is_closed and opened.law == "PCMU" and opened.late == ()
        assert opened.about["conversation"] == "conversation" and opened.about["consent"] == "consent"
        assert opened.about["recipients"] == [CLASSIC.recipient().fingerprint]
    (mark,) = reading.open_recording(folder / named(1), CLASSIC).marks
    assert (mark.kind, mark.detail) == ("hold", "music 1") and 9000 <= mark.at_ms < 9020


def test_a_whole_recording_is_verified_with_and_without_the_key(kept: tuple[Path, Voice, Voice]) -> None:
    base = kept[0] / named(1)
    without, with_key = reading.verify(base), reading.verify(base, CLASSIC)
    assert (without.state, without.is_authentic) == ("verified", False)
    assert (with_key.state, with_key.is_authentic) == ("verified", True)
    assert without.milliseconds == 26_000 and without.body_bytes == base.with_suffix(".body").stat().st_size
    with pytest.raises(Problem, match=r"recorder\.not_for_this_key"):
        reading.verify(base, OTHER)


def test_a_closed_recording_opens_with_the_age_command_and_plays(
    kept: tuple[Path, Voice, Voice], tmp_path: Path
) -> None:
    folder, first, _ = kept
    base = folder / named(1)
    (tmp_path / "key").write_text(CLASSIC.encode() + "\n")
    whole = base.with_suffix(".head").read_bytes() + base.with_suffix(".body").read_bytes()
    opened = subprocess.run(["age", "-d", "-i", tmp_path / "key"], input=whole, capture_output=True, check=True)
    assert opened.stdout[46:] == first.stereo()
    played = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,channels,sample_rate", "-of", "csv=p=0", "-"],
        input=opened.stdout,
        capture_output=True,
        check=True,
    )
    assert played.stdout.strip() == b"pcm_mulaw,8000,2"


def swapped_chunks(files: Files, other: Files, seed: random.Random) -> Files:
    size, body = container.SEALED_CHUNK_BYTES, files[".body"]
    chunks = [body[16 + n * size : 16 + (n + 1) * size] for n in range(6)]
    first, second = seed.sample(range(6), 2)
    chunks[first], chunks[second] = chunks[second], chunks[first]
    return {**files, ".body": body[:16] + b"".join(chunks) + body[16 + 6 * size :]}


def flipped(which: str) -> Callable[[Files, Files, random.Random], Files]:
    def flip(files: Files, other: Files, seed: random.Random) -> Files:
        changed = bytearray(files[which])
        changed[seed.randrange(len(changed))] ^= 1 << seed.randrange(8)
        return {**files, which: bytes(changed)}

    return flip


def shortened(which: str) -> Callable[[Files, Files, random.Random], Files]:
    return lambda files, other, seed: {**files, which: files[which][: seed.randrange(len(files[which]))]}


def taken(*which: str) -> Callable[[Files, Files, random.Random], Files]:
    return lambda files, other, seed: {**files, **{each: other[each] for each in which}}


def cut_cleanly(files: Files, other: Files, seed: random.Random) -> Files:
    records, ends = seal.walk(files[".seal"])
    last = seed.randrange(1, len(records) - 1)
    return {**files, ".seal": files[".seal"][: ends[last + 1]], ".body": files[".body"][: records[last].body_bytes]}


def without_a_record(files: Files, other: Files, seed: random.Random) -> Files:
    records, ends = seal.walk(files[".seal"])
    gone = seed.randrange(len(records))
    return {**files, ".seal": files[".seal"][: ends[gone]] + files[".seal"][ends[gone + 1] :]}


def with_two_records_swapped(files: Files, other: Files, seed: random.Random) -> Files:
    records, ends = seal.walk(files[".seal"])
    at = seed.randrange(len(records) - 1)
    data = files[".seal"]
    parts = [data[: ends[at]], data[ends[at + 1] : ends[at + 2]], data[ends[at] : ends[at + 1]], data[ends[at + 2] :]]
    return {**files, ".seal": b"".join(parts)}


def appended(files: Files, other: Files, seed: random.Random) -> Files:
    which = seed.choice([".head", ".body", ".seal"])
    return {**files, which: files[which] + seed.randbytes(seed.randint(1, 99))}


MUTATIONS: dict[str, Callable[[Files, Files, random.Random], Files]] = {
    "flip head": flipped(".head"),
    "flip body": flipped(".body"),
    "flip seal": flipped(".seal"),
    "shorten head": shortened(".head"),
    "shorten body": shortened(".body"),
    "shorten seal": shortened(".seal"),
    "cut both cleanly": cut_cleanly,
    "all three of another": taken(".head", ".body", ".seal"),
    "head of another": taken(".head"),
    "body of another": taken(".body"),
    "seal of another": taken(".seal"),
    "body and seal of another": taken(".body", ".seal"),
    "drop a record": without_a_record,
    "swap two records": with_two_records_swapped,
    "swap two chunks": swapped_chunks,
    "append": appended,
}


@pytest.mark.parametrize("kind", MUTATIONS)
def test_every_change_is_seen_by_the_owner(kind: str, kept: tuple[Path, Voice, Voice], tmp_path: Path) -> None:
    files, other = (
        {suffix: (kept[0] / named(number)).with_suffix(suffix).read_bytes() for suffix in SUFFIXES} for number in (1, 2)
    )
    seed = random.Random(kind)
    base = tmp_path / named(1)
    for _ in range(COUNT):
        for suffix, data in MUTATIONS[kind](files, other, seed).items():
            base.with_suffix(suffix).write_bytes(data)
        if kind == "cut both cleanly":
            # In the last chunk, which the end writes anew, no cut is clean.
            assert reading.verify(base, CLASSIC).state in ("open", "damaged")
            continue
        with pytest.raises(Problem, match=r"recorder\.(damaged|not_for_this_key)") as raised:
            reading.open_recording(base, CLASSIC)
        if raised.value.key == "recorder.damaged":
            verdict = reading.verify(base, CLASSIC)
            assert verdict.state == "damaged" and verdict.reason


def test_without_the_key_accidents_are_seen(kept: tuple[Path, Voice, Voice], tmp_path: Path) -> None:
    files = {suffix: (kept[0] / named(1)).with_suffix(suffix).read_bytes() for suffix in SUFFIXES}
    seed = random.Random(8)
    base = tmp_path / named(1)
    for kind in ("flip body", "flip seal", "shorten body", "swap two chunks", "swap two records"):
        for suffix, data in MUTATIONS[kind](files, files, seed).items():
            base.with_suffix(suffix).write_bytes(data)
        assert reading.verify(base).state == "damaged", kind
    base.with_suffix(".seal").unlink()
    assert (reading.verify(base).state, reading.verify(base).reason) == ("missing", "seal")
    with pytest.raises(Problem, match=r"recorder\.not_there"):
        reading.open_recording(base, CLASSIC)


def test_a_renamed_recording_opens_only_by_the_id_it_was_sealed_with(
    kept: tuple[Path, Voice, Voice], tmp_path: Path
) -> None:
    for suffix in SUFFIXES:
        data = (kept[0] / named(1)).with_suffix(suffix).read_bytes()
        (tmp_path / "call").with_suffix(suffix).write_bytes(data)
        (tmp_path / named(2)).with_suffix(suffix).write_bytes(data)
    assert reading.verify(tmp_path / named(2), CLASSIC).state == "damaged"
    assert reading.verify(tmp_path / "call", CLASSIC, named(1)).state == "verified"
    with pytest.raises(Problem, match=r"recorder\.no_id"):
        reading.verify(tmp_path / "call", CLASSIC)


@pytest.mark.parametrize("identity", [CLASSIC, HYBRID], ids=["classic", "hybrid"])
def test_the_recording_of_the_vectors_is_read_as_ever(identity: Any, tmp_path: Path) -> None:
    document = json.loads((vectors.FOLDER / "recording.json").read_text())
    files = document["recordings"][identity.kind]
    assert document["identities"][identity.kind] == identity.encode()
    base = tmp_path / files["recording"]
    for name in ("head", "body", "seal"):
        base.with_suffix(f".{name}").write_bytes(base64.b64decode(files[name]))
    opened = reading.open_recording(base, identity)
    assert opened.stereo == vectors.payload(16_000)
    assert opened.marks == (Mark(400, "hold", "desk"),)
    assert opened.late == (Late(1, 320, 4711, b"\x2a" * 160),)
    assert [tick.utc_ms for tick in opened.ticks] == [1_790_000_000_000, 1_790_000_000_500]
    assert opened.ticks[0].left == seal.Channel(4_294_967_200, 25, 0, 1, 0, -20, 0b1111111111)
    assert opened.filled_ms == (0, 40)
    assert opened.speech() == Talk(left_talk_ms=400, right_talk_ms=40, longest_silence_ms=280)
    fresh = vectors.recording(identity)
    assert (fresh["body"], fresh["seal"]) == (files["body"], files["seal"]), "what is written now is what was promised"


def test_late_packets_are_put_back_at_export(tmp_path: Path) -> None:
    opened = reading.Opened(
        "", True, "PCMU", {}, {}, (), (), (Late(1, 160, 0, b"\1" * 160), Late(0, 400, 0, b"\2" * 160)), bytes(960)
    )
    sound = opened.patched()
    assert sound[1::2] == bytes(160) + b"\1" * 160 + bytes(160)
    assert sound[0::2] == bytes(400) + b"\2" * 80, "what lies behind the end is cut off"
    file = tmp_path / "x.wav"
    assert export.write(opened, file) == 46 + 960 == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600


def test_wav_and_flac_hold_the_same_samples_with_exact_lengths(kept: tuple[Path, Voice, Voice], tmp_path: Path) -> None:
    opened = reading.open_recording(kept[0] / named(1), CLASSIC)
    for name in ("x.wav", "x.flac"):
        export.write(opened, tmp_path / name)
        decoded = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", tmp_path / name, "-f", "s16le", "-"], capture_output=True, check=True
        )
        assert len(decoded.stdout) == 26 * 8000 * 4 and decoded.stderr == b""
        (tmp_path / (name + ".raw")).write_bytes(decoded.stdout)
    assert (tmp_path / "x.wav.raw").read_bytes() == (tmp_path / "x.flac.raw").read_bytes()
    with pytest.raises(Problem, match=r"recorder\.exists"):
        export.write(opened, tmp_path / "x.wav")
    with pytest.raises(Problem, match=r"recorder\.out_format"):
        export.write(opened, tmp_path / "x.mp3")
    with pytest.raises(Problem, match=r"recorder\.unwritable"):
        export.write(opened, tmp_path / "nowhere" / "x.wav")
