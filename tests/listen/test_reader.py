"""The browser's reader opens what the owner's own tools open, sample for sample, and refuses what they refuse."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from appliance.recorder import container, export, reading
from appliance.recorder.segments import SUFFIXES
from tests.listen import given
from tests.listen.given import case, read
from tests.recorder import vectors
from tests.recorder.given import CLASSIC, HYBRID, OTHER, Box, named
from tests.recorder.test_reading import MUTATIONS

COUNT = 100 if os.environ.get("PASOKH_LONG") else 4  # of each kind of mutation


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return given.recordings(tmp_path_factory.mktemp("made"))


def copied(base: Path, into: Path) -> dict[str, bytes]:
    files = {suffix: base.with_suffix(suffix).read_bytes() for suffix in SUFFIXES}
    written(files, into)
    return files


def written(files: dict[str, bytes], into: Path) -> None:
    for suffix, data in files.items():
        into.with_suffix(suffix).write_bytes(data)


def test_the_vectors_are_read_with_both_kinds_of_key(tmp_path: Path) -> None:
    document = json.loads((vectors.FOLDER / "recording.json").read_text())
    cases = []
    for identity in (CLASSIC, HYBRID):
        files = document["recordings"][identity.kind]
        base = tmp_path / identity.kind
        written({f".{part}": base64.b64decode(files[part]) for part in ("head", "body", "seal")}, base)
        cases.append(case(base, identity, files["recording"]))
    for each, identity in zip(read(cases), (CLASSIC, HYBRID), strict=True):
        opened = reading.open_recording(tmp_path / identity.kind, identity, named(77))
        assert each["samples"] == given.samples_sha256(opened) and each["late"] == 1 and each["is_closed"]
        assert each["marks"] == [{"at_ms": 400, "detail": "desk", "kind": "hold"}]
        assert each["levels"] == [[-20, -35], [-20, -35]] and each["talk_ms"] == [400, 40]


@pytest.mark.parametrize("which", ["closed", "open"])
def test_every_sample_is_the_one_that_the_export_writes(which: str, made: dict[str, Path], tmp_path: Path) -> None:
    opened = reading.open_recording(made[which], CLASSIC)
    (found,) = read([case(made[which])])
    assert found["samples"] == given.samples_sha256(opened)
    assert found["is_closed"] == opened.is_closed == (which == "closed")
    assert found["milliseconds"] == opened.milliseconds and found["about"] == opened.about
    assert found["marks"] == [{"at_ms": mark.at_ms, "kind": mark.kind, "detail": mark.detail} for mark in opened.marks]
    speech = opened.speech()
    assert found["talk_ms"] == [speech.left_talk_ms, speech.right_talk_ms]
    assert sum(20 * (to - begins) for begins, to in found["overtalk"]) == speech.overtalk_ms
    assert export.write(opened, tmp_path / "x.wav") == 46 + len(opened.stereo)


def test_a_hybrid_key_opens_what_our_recorder_sealed_to_it(tmp_path: Path) -> None:
    box = Box(tmp_path / "box", HYBRID)
    voice = box.start(1)
    box.run(2)
    base = box.sealed(1)
    box.close()
    (found,) = read([case(base, HYBRID)])
    assert found["samples"] == given.samples_sha256(reading.open_recording(base, HYBRID)) and voice.left


@pytest.mark.parametrize("is_closed", [True, False])
def test_chunks_of_every_length_are_read_to_their_last_byte(is_closed: bool, tmp_path: Path) -> None:
    """Sounds that end before, at and behind the border of a chunk; 46 bytes of header stand before them."""
    sizes = [0, 2, 65_488, 65_490, 65_492, 131_026, 131_028]
    bases = [given.of_size(tmp_path, size, is_closed) for size in sizes]
    for size, base, found in zip(sizes, bases, read([case(base, recording=named(5)) for base in bases]), strict=True):
        opened = reading.open_recording(base, CLASSIC, named(5))
        assert len(opened.stereo) == size
        assert found["samples"] == given.samples_sha256(opened) and found["is_closed"] == is_closed


def test_a_key_that_is_not_one_of_its_own_is_named(made: dict[str, Path]) -> None:
    given_keys = [
        case(made["closed"], OTHER),
        case(made["closed"], HYBRID),
        {**case(made["closed"]), "key": "# nothing"},
        {**case(made["closed"]), "key": CLASSIC.encode()[:-1] + "Q"},
        {**case(made["closed"]), "key": CLASSIC.encode() + "\n" + OTHER.encode()},
    ]
    assert [each["fault"] for each in read(given_keys)] == ["listen.wrong_key"] * 2 + ["listen.bad_key"] * 3


def test_a_key_file_that_a_passphrase_wraps_opens_with_it_alone(made: dict[str, Path], tmp_path: Path) -> None:
    """Wrapped by age's own scrypt, with the work factor of a phone so that the test is quick."""
    script = (
        "import {Encrypter, armor} from 'age-encryption'; const e = new Encrypter(); e.setPassphrase('sesame');"
        "e.setScryptWorkFactor(10); console.log(armor.encode(await e.encrypt(process.argv[1])))"
    )
    folder = given.READER.parents[1] / "javascript"
    wrapped = subprocess.run(
        ["node", "--experimental-global-webcrypto", "--input-type=module", "-e", script, CLASSIC.encode()],
        cwd=folder, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    right, wrong = read([{**case(made["closed"]), "key": wrapped, "passphrase": word} for word in ("sesame", "wrong")])
    assert right["is_closed"] and wrong == {"fault": "listen.wrong_passphrase"}


def test_every_change_of_the_files_is_a_fault_with_a_name(made: dict[str, Path], tmp_path: Path) -> None:
    files, other = copied(made["closed"], tmp_path / "one"), copied(made["other"], tmp_path / "two")
    kinds = [kind for kind in MUTATIONS for _ in range(COUNT)]
    seed, cases = random.Random(23), []
    for number, kind in enumerate(kinds):
        base = tmp_path / str(number)
        written(MUTATIONS[kind](files, other, seed), base)
        cases.append(case(base, recording=named(1)))
    for kind, found in zip(kinds, read(cases), strict=True):
        if kind == "cut both cleanly" and "fault" not in found:
            assert found["is_closed"] is False  # whole, and shown as never closed; the records know better (below)
            continue
        assert found["fault"] in ("listen.damaged", "listen.wrong_key"), kind
        assert found["fault"] == "listen.wrong_key" or found["place"], kind
    print(f"mutations, each a named fault: {len(kinds)}")


def test_a_closed_recording_that_was_cut_cleanly_is_not_what_the_records_say(
    made: dict[str, Path], tmp_path: Path
) -> None:
    files = copied(made["closed"], tmp_path / "one")
    sealed = reading.verify(made["closed"]).seal_sha256
    written(MUTATIONS["cut both cleanly"](files, files, random.Random(3)), tmp_path / "cut")
    whole, cut = read([case(base, recording=named(1), seal=sealed) for base in (tmp_path / "one", tmp_path / "cut")])
    assert whole["is_closed"] and cut == {"fault": "listen.damaged", "place": "seal: hash"}


def test_a_flip_in_the_chunk_without_a_tag_of_an_open_recording_is_found_by_the_hash(
    made: dict[str, Path], tmp_path: Path
) -> None:
    files = copied(made["open"], tmp_path / "open")
    body = bytearray(files[".body"])
    assert len(body) % container.SEALED_CHUNK_BYTES > 1000
    body[-500] ^= 1
    written({**files, ".body": bytes(body)}, tmp_path / "flipped")
    assert read([case(tmp_path / "flipped", recording=named(3))]) == [
        {"fault": "listen.damaged", "place": "body: hash"}
    ]


def test_a_file_of_another_name_opens_by_the_id_of_the_records_only(made: dict[str, Path], tmp_path: Path) -> None:
    copied(made["closed"], tmp_path / named(2))
    wrong, right, none = read(
        [
            case(tmp_path / named(2)),
            case(tmp_path / named(2), recording=named(1)),
            case(tmp_path / named(2), recording="x"),
        ]
    )
    assert wrong == {"fault": "listen.damaged", "place": "seal: record 0"}
    assert right["is_closed"] and none == {"fault": "listen.no_id"}


def test_a_place_in_a_recording_is_opened_without_reading_the_rest(made: dict[str, Path]) -> None:
    (found,) = read([case(made["closed"], at=20 * 8000)])
    # nonce, the first chunk (whose header is checked) and the chunk of that second
    assert found == {"body_bytes": 16 + 2 * container.SEALED_CHUNK_BYTES}
