"""The age format, written live, opened by three implementations that are not ours."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.recorder import container
from appliance.recorder.container import DamagedError
from tests.recorder import vectors
from tests.recorder.given import CLASSIC, HYBRID, OTHER

SIZES = (0, 1, 16_000, 65_535, 65_536, 65_537, 131_072, 196_608, 1_000_000)
JAVASCRIPT = Path(__file__).parent.parent / "javascript"
VECTORS: dict[str, Any] = json.loads((vectors.FOLDER / "container.json").read_text())


def fed_at_random(size: int) -> tuple[bytes, bytes]:
    """Payload of ``size`` bytes, and its whole age file for the classic key, fed in pieces of any length."""
    seed = random.Random(size)
    file_key, nonce, data = seed.randbytes(16), seed.randbytes(16), seed.randbytes(size)
    live = container.LiveBody(file_key, nonce)
    body = bytearray(nonce)
    start = 0
    while start < size:
        part = data[start : start + seed.choice([1, 7_999, 8_000, 16_000, 65_536, 140_000])]
        body += live.feed(part)
        start += len(part)
    body[live.open_offset :] = live.final(bytes(body[live.open_offset :]))
    return data, container.head([OTHER.recipient(), CLASSIC.recipient()], file_key) + bytes(body)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_live_opens_with_pyrage_and_with_the_age_command(size: int, tmp_path: Path) -> None:
    data, whole = fed_at_random(size)
    assert pyrage.decrypt(whole, [pyrage.x25519.Identity.from_str(CLASSIC.encode())]) == data
    (tmp_path / "key").write_text(CLASSIC.encode() + "\n")
    opened = subprocess.run(["age", "-d", "-i", tmp_path / "key"], input=whole, capture_output=True, check=True)
    assert opened.stdout == data


def test_the_age_library_for_javascript_opens_every_vector_with_both_kinds_of_key(tmp_path: Path) -> None:
    for identity in (CLASSIC, HYBRID):
        files: list[str] = []
        for entry in VECTORS["bodies"]:
            body = vectors.written(entry["size"], bytes.fromhex(entry["file_key"]), bytes.fromhex(entry["nonce"]))
            file = tmp_path / f"{identity.kind}-{entry['size']}.age"
            file.write_bytes(base64.b64decode(entry["heads"][identity.kind]) + body)
            files.append(str(file))
        damaged = tmp_path / f"{identity.kind}-damaged.age"
        damaged.write_bytes(Path(files[-1]).read_bytes()[:-1])
        task = json.dumps({"identity": identity.encode(), "files": [*files, str(damaged)]})
        told = subprocess.run(["node", "open.mjs"], cwd=JAVASCRIPT, input=task, capture_output=True, text=True)
        expected = [entry["payload_sha256"] for entry in VECTORS["bodies"]]
        assert told.stdout.split() == [*expected, "refused"], told.stderr


@pytest.mark.parametrize("entry", VECTORS["bodies"], ids=lambda entry: str(entry["size"]))
def test_a_vector_is_written_and_read_as_ever(entry: dict[str, Any]) -> None:
    file_key, nonce = bytes.fromhex(entry["file_key"]), bytes.fromhex(entry["nonce"])
    body = vectors.written(entry["size"], file_key, nonce)
    assert hashlib.sha256(body).hexdigest() == entry["body_sha256"]
    if "body" in entry:
        assert body == base64.b64decode(entry["body"])
    for identity in (CLASSIC, HYBRID):
        head = base64.b64decode(entry["heads"][identity.kind])
        assert container.open_head(head, identity) == file_key
    assert container.open_body(body, file_key, is_closed=True) == vectors.payload(entry["size"])


@pytest.mark.parametrize("entry", VECTORS["bodies"], ids=lambda entry: str(entry["size"]))
def test_a_vector_opens_with_pyrage_and_with_the_age_command(entry: dict[str, Any], tmp_path: Path) -> None:
    body = vectors.written(entry["size"], bytes.fromhex(entry["file_key"]), bytes.fromhex(entry["nonce"]))
    whole = base64.b64decode(entry["heads"]["classic"]) + body
    identity = pyrage.x25519.Identity.from_str(CLASSIC.encode())
    assert hashlib.sha256(pyrage.decrypt(whole, [identity])).hexdigest() == entry["payload_sha256"]
    (tmp_path / "key").write_text(CLASSIC.encode() + "\n")
    opened = subprocess.run(["age", "-d", "-i", tmp_path / "key"], input=whole, capture_output=True, check=True)
    assert hashlib.sha256(opened.stdout).hexdigest() == entry["payload_sha256"]


def test_a_file_that_pyrage_wrote_is_read() -> None:
    data = random.Random(5).randbytes(140_000)
    whole = pyrage.encrypt(data, [pyrage.x25519.Recipient.from_str(CLASSIC.recipient().text)])
    end = whole.index(b"\n", whole.index(b"\n--- ") + 1) + 1
    file_key = container.open_head(whole[:end], CLASSIC)
    assert container.open_body(whole[end:], file_key, is_closed=True) == data


@given(st.lists(st.integers(0, 70_000), max_size=6))
def test_at_every_moment_the_body_is_a_prefix_that_opens(feeds: list[int]) -> None:
    file_key, nonce = bytes(16), bytes(16)
    live = container.LiveBody(file_key, nonce)
    body, said = bytearray(nonce), bytearray()
    for size in feeds:
        data = bytes([len(said) & 255]) * size
        body += live.feed(data)
        said += data
        assert container.open_body(bytes(body), file_key, is_closed=False) == said
    open_chunk = bytes(body[live.open_offset :])
    last = live.final(open_chunk)
    assert len(last) == len(open_chunk) + container.TAG_BYTES
    body[live.open_offset :] = last
    assert container.open_body(bytes(body), file_key, is_closed=True) == said


def test_the_end_uses_no_key_stream_twice() -> None:
    live = container.LiveBody(bytes(16), bytes(16))
    open_chunk = live.feed(bytes(1000))
    last = live.final(open_chunk)
    assert not any(open_chunk[n : n + 16] == last[n : n + 16] for n in range(984))


@pytest.mark.parametrize("identity", [CLASSIC, HYBRID], ids=["classic", "hybrid"])
def test_a_head_opens_only_with_its_key_and_only_whole(identity: Any) -> None:
    head = container.head([identity.recipient()], bytes(range(16)))
    assert container.open_head(head, identity) == bytes(range(16))
    with pytest.raises(PermissionError):
        container.open_head(head, OTHER)
    for place in random.Random(6).sample(range(len(head)), 60):
        changed = bytearray(head)
        changed[place] ^= 1
        with pytest.raises((DamagedError, PermissionError)):
            container.open_head(bytes(changed), identity)
    with pytest.raises(DamagedError):
        container.open_head(head + b"\n", identity)
    with pytest.raises(DamagedError):
        container.open_head(head[:-1], identity)


def test_a_closed_body_that_is_cut_between_two_chunks_is_refused() -> None:
    body = vectors.written(131_072, bytes(16), bytes(16))
    with pytest.raises(DamagedError, match="chunk 0"):
        container.open_body(body[: 16 + container.SEALED_CHUNK_BYTES], bytes(16), is_closed=True)
    with pytest.raises(DamagedError, match="no nonce"):
        container.open_body(b"", bytes(16), is_closed=True)
