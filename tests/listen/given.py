"""Recordings made by our recorder, and the player's own reader in Node, as the tests of this room need them."""

from __future__ import annotations

import audioop
import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from appliance.recorder import container, recovery, seal, viewer
from appliance.recorder.keys import Identity
from appliance.recorder.reading import Opened
from appliance.recorder.wav import wav_header
from tests.recorder import vectors
from tests.recorder.given import CLASSIC, HYBRID, Box, named

READER = Path(__file__).parent / "reader.mjs"
TO_LINEAR = {"PCMU": audioop.ulaw2lin, "PCMA": audioop.alaw2lin}


def case(base: Path, identity: Identity = CLASSIC, recording: str = "", **more: Any) -> dict[str, Any]:
    return {"base": str(base), "id": recording or base.name, "key": identity.encode(), **more}


def read(cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the bundle makes of each case: what it holds, or ``fault`` with its fields."""
    script, _ = viewer.files()
    done = subprocess.run(
        ["node", READER, str(script)], input=json.dumps(list(cases)), capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def samples(opened: Opened) -> bytes:
    """The 16-bit samples that ``pasokh recording export`` writes, interleaved."""
    return TO_LINEAR[opened.law](opened.patched(), 2)


def samples_sha256(opened: Opened) -> str:
    return hashlib.sha256(samples(opened)).hexdigest()


def recordings(folder: Path, identity: Identity = CLASSIC, seconds: int = 26) -> dict[str, Path]:
    """``closed`` (with a mark), ``other`` and ``open`` (two thirds as long, cut off by a crash and recovered)."""
    box = Box(folder / "box", identity)
    first, _ = box.start(1), box.start(2)
    box.run(seconds / 3)
    first.live.mark("hold", "music 1", box.now)
    box.run(seconds * 2 / 3)
    box.stop(2)
    made = {"closed": box.sealed(1), "other": box.sealed(2)}
    box.start(3, "PCMA")
    box.run(seconds * 2 / 3 + 0.3)
    shutil.copytree(box.folder, folder / "crashed")
    box.close()
    data = folder / "crashed"
    found = recovery.live_recordings(data / "live")
    states = list(recovery.run(recovery.dirty_folders(data / "journal"), data / "live", data / "kept", found))
    assert [each.state for each in states] == ["recovered"]
    return {**made, "open": data / "kept" / named(3)}


def of_size(folder: Path, size: int, is_closed: bool) -> Path:
    """A recording (``named(5)``) whose sound has so many bytes, written as the recorder would."""
    file_key, nonce = bytes(range(16)), bytes(range(16, 32))
    live = container.LiveBody(file_key, nonce)
    body = bytearray(nonce + live.feed(wav_header("PCMU")))
    sealer = seal.Sealer(bytes.fromhex(named(5)), file_key, nonce)
    sealed = bytearray(seal.MAGIC)

    def record(kind: seal.Type, content: bytes) -> None:
        sealed.extend(sealer.record(kind, content, len(body), hashlib.sha256(body).digest()))

    record(seal.Type.START, seal.canonical({"law": "PCMU", "recording": named(5)}))
    body += live.feed(vectors.payload(size))
    nothing = seal.Channel(0, 0, 0, 0, 0, -127, 0)
    record(seal.Type.TICK, seal.Tick(46 + size, 0, 0, 0, nothing, nothing).encode())
    if is_closed:
        body[live.open_offset :] = live.final(bytes(body[live.open_offset :]))
        counted = ("left_talk_ms", "right_talk_ms", "overtalk_ms", "dead_air_ms")
        record(seal.Type.END, seal.canonical(dict.fromkeys(counted, 0)))
    base = folder / str(size)
    base.with_suffix(".head").write_bytes(container.head([CLASSIC.recipient()], file_key))
    base.with_suffix(".body").write_bytes(body)
    base.with_suffix(".seal").write_bytes(sealed)
    return base


def long_one(folder: Path, seconds: int) -> Path:
    """A recording (``named(6)``) of so many seconds with a seal as long as a real one's; its sound repeats."""
    file_key, nonce = bytes(range(16)), bytes(range(16, 32))
    live, digest = container.LiveBody(file_key, nonce), hashlib.sha256()
    sealer = seal.Sealer(bytes.fromhex(named(6)), file_key, nonce)
    body, sealed = bytearray(nonce + live.feed(wav_header("PCMU"))), bytearray(seal.MAGIC)
    digest.update(body)

    def record(kind: seal.Type, content: bytes) -> None:
        sealed.extend(sealer.record(kind, content, len(body), digest.digest()))

    about = {"law": "PCMU", "recording": named(6), "conversation": "c1", "part": 1}
    record(seal.Type.START, seal.canonical(about))
    half = vectors.payload(8000)
    for number in range(2 * seconds):
        grown = live.feed(half)
        body += grown
        digest.update(grown)
        speaks = seal.Channel(0, 25, 0, 0, 0, -20 - number % 30, 0x1FFFFFF * (number % 3 == 0))
        other = seal.Channel(0, 25, 0, 0, 0, -25 - number % 20, 0x1FFFFFF * (number % 7 == 0))
        at = 1_790_000_000_000 + 500 * number
        record(seal.Type.TICK, seal.Tick(46 + 8000 * (number + 1), at, at, 0, speaks, other).encode())
    body[live.open_offset :] = live.final(bytes(body[live.open_offset :]))
    digest = hashlib.sha256(body)
    counted = ("left_talk_ms", "right_talk_ms", "overtalk_ms", "dead_air_ms")
    record(seal.Type.END, seal.canonical(dict.fromkeys(counted, 0)))
    base = folder / named(6)
    base.with_suffix(".head").write_bytes(container.head([HYBRID.recipient()], file_key))
    base.with_suffix(".body").write_bytes(body)
    base.with_suffix(".seal").write_bytes(sealed)
    return base
