"""The sealed stream: other people's programs open it, and a file that was cut or touched opens for nobody."""

from __future__ import annotations

import io
import secrets
import subprocess
from pathlib import Path

import pyrage  # type: ignore[import-untyped] # ships no types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.backup.sealed import Opener, Sealer
from appliance.errors import Problem
from appliance.recorder import keys
from appliance.recorder.container import CHUNK_BYTES, DamagedError
from appliance.recorder.keys import Identity

OWNER = keys.new_identity("classic")
SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 77]


def sealed(content: bytes, identity: Identity = OWNER, step: int = 10_240) -> bytes:
    out = io.BytesIO()
    sealer = Sealer(out, [identity.recipient()])
    for start in range(0, len(content), step):
        sealer.write(content[start : start + step])
    sealer.finish()
    assert sealer.sealed_bytes == len(out.getvalue())
    return out.getvalue()


def opened(content: bytes, identity: Identity = OWNER) -> bytes:
    opener = Opener(io.BytesIO(content), identity, "x.age")
    parts = []
    while part := opener.read(7_000):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["classic", "hybrid"])
def test_what_was_sealed_is_opened_with_the_owners_key(size: int, kind: keys.Kind) -> None:
    identity, content = keys.new_identity(kind), secrets.token_bytes(size)
    assert opened(sealed(content, identity), identity) == content


@pytest.mark.parametrize("size", SIZES)
def test_other_peoples_programs_open_it(size: int, tmp_path: Path) -> None:
    content = secrets.token_bytes(size)
    (tmp_path / "x.age").write_bytes(sealed(content))
    (tmp_path / "key").write_text(OWNER.encode() + "\n")
    done = subprocess.run(["age", "-d", "-i", tmp_path / "key", tmp_path / "x.age"], capture_output=True)
    assert (done.returncode, done.stdout) == (0, content)
    assert pyrage.decrypt((tmp_path / "x.age").read_bytes(), [pyrage.x25519.Identity.from_str(OWNER.encode())]) == (
        content
    )


def test_what_another_program_sealed_is_opened() -> None:
    content = secrets.token_bytes(2 * CHUNK_BYTES)
    theirs = pyrage.encrypt(content, [pyrage.x25519.Recipient.from_str(OWNER.recipient().text)])
    assert opened(theirs) == content


@given(st.integers(0, 2 * CHUNK_BYTES + 400))
@settings(max_examples=150, deadline=None)
def test_a_file_that_was_cut_short_anywhere_is_never_taken_for_whole(cut: int) -> None:
    content = bytes(2 * CHUNK_BYTES)
    whole = sealed(content)
    with pytest.raises((DamagedError, Problem)):
        opened(whole[: min(cut, len(whole) - 1)])


def test_a_file_cut_between_two_chunks_is_damaged() -> None:
    whole = sealed(bytes(3 * CHUNK_BYTES))
    for chunks in (1, 2):
        with pytest.raises(DamagedError):
            opened(whole[: -(chunks * (CHUNK_BYTES + 16))])


def test_more_behind_the_end_is_damage_too() -> None:
    with pytest.raises(DamagedError):
        opened(sealed(b"whole") + b"and more")


def test_a_key_of_another_owner_is_told_so() -> None:
    other = keys.new_identity("classic")
    with pytest.raises(Problem) as raised:
        opened(sealed(b"ours"), other)
    assert raised.value.key == "backup.not_for_this_key"
    assert raised.value.fields == {"file": "x.age", "fingerprint": other.recipient().fingerprint}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"age-encryption.org/v1\n-> X25519 abc"])
def test_something_else_is_no_backup(content: bytes) -> None:
    with pytest.raises(Problem, match=r"backup\.not_one"):
        opened(content)
