"""Keys as text, kinds that do not mix, a recipients' file that is whole at every moment."""

from __future__ import annotations

from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Problem
from appliance.recorder import bech32, keys
from tests.recorder.given import CLASSIC, HYBRID, OTHER


@given(st.binary(max_size=80))
def test_bech32_reads_what_it_wrote(data: bytes) -> None:
    assert bech32.decode(bech32.encode("age", data)) == ("age", data)
    assert bech32.decode(bech32.encode("age", data).upper()) == ("age", data)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 57), st.integers(1, 31))
def test_bech32_refuses_every_single_wrong_letter(data: bytes, place: int, step: int) -> None:
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    text = bech32.encode("age", data)
    at = 4 + place
    wrong = letters[(letters.index(text[at]) + step) % 32]
    with pytest.raises(ValueError, match="checksum"):
        bech32.decode(text[:at] + wrong + text[at + 1 :])


@pytest.mark.parametrize("text", ["", "age", "1qqqqqq", "age1", "AGE1q", "agE1qqqqqqqq", "age1bbbbbbbbbb"])
def test_bech32_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        bech32.decode(text)


def test_a_classic_key_is_the_one_that_pyrage_makes_of_the_same_secret() -> None:
    assert str(pyrage.x25519.Identity.from_str(CLASSIC.encode()).to_public()) == CLASSIC.recipient().text


@pytest.mark.parametrize("kind", ["classic", "hybrid"])
def test_a_new_key_reads_itself_and_shows_nothing(kind: keys.Kind) -> None:
    identity = keys.new_identity(kind)
    assert keys.parse_identity("# a remark\n\n" + identity.encode() + "\n") == identity
    assert keys.parse_recipient(identity.recipient().text).raw == identity.recipient().raw
    assert identity.recipient().kind == kind
    assert repr(identity) == "Identity(***)"
    assert keys.new_identity(kind) != identity


@pytest.mark.parametrize("text", ["", "AGE-SECRET-KEY-1QQQQ", "hello", CLASSIC.recipient().text, CLASSIC.encode() * 2])
def test_a_file_without_one_private_key_is_refused(text: str) -> None:
    with pytest.raises(Problem, match=r"recorder\.bad_identity"):
        keys.parse_identity(text)


@pytest.mark.parametrize(
    "text",
    ["", "age1qqqqqqqqqq", "hello", CLASSIC.encode(), HYBRID.recipient().text[:-1], bech32.encode("age", bytes(31))],
)
def test_a_line_that_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(Problem, match=r"recorder\.bad_recipient") as raised:
        keys.parse_recipient(text)
    assert CLASSIC.encode()[16:] not in str(raised.value)


def test_recipients_are_added_once_and_never_mixed(tmp_path: Path) -> None:
    file = keys.recipients_file(tmp_path)
    assert keys.load_recipients(file) == ()
    for identity in (CLASSIC, OTHER, CLASSIC):
        keys.install(file, identity.recipient())
    assert [known.text for known in keys.load_recipients(file)] == [CLASSIC.recipient().text, OTHER.recipient().text]
    with pytest.raises(Problem, match=r"recorder\.mixed_recipients"):
        keys.install(file, HYBRID.recipient())
    assert len(keys.load_recipients(file)) == 2
    file.write_text(f"# owner\n{CLASSIC.recipient().text}\n\n{HYBRID.recipient().text}\n")
    with pytest.raises(Problem, match=r"recorder\.mixed_recipients"):
        keys.load_recipients(file)
