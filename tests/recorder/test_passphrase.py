"""A private key behind a passphrase: other programs open ours, we open theirs, and nobody opens it without."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it ships no types
import pytest

from appliance.errors import Problem
from appliance.recorder import keys, passphrase, reading
from tests.recorder.given import CLASSIC, HYBRID

SAID = "four words nobody guesses"
THEIRS = (  # made by pyrage 1.4.0, which measures the machine before it chooses its work: too long for a test
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCArSnY4NC90RllvT3BGK2lUSkNXRk5nIDE4CjFvUFRoZllseTlUV0N4elZL"
    "Y0VhaTdZaElMRnpMYks2eWNXNDczYWVCNlUKLS0tIDhrUnRzdXJUdnBLU2tHQTQ0U0ZWalhISVc3aGMwV1hscGpHcjFMaEttS0UK"
    "4eduMttO8JMczZ4NyzCrCdtUEmR3DAuCmmLNJuzRoDIIdHVQD8k="
)
LIGHT = 10  # scrypt's work of the tests: 1 MB and a millisecond


def given(monkeypatch: pytest.MonkeyPatch, text: str) -> int:
    readable, writable = os.pipe()
    os.write(writable, text.encode())
    os.close(writable)
    monkeypatch.setenv(passphrase.DESCRIPTOR, str(readable))
    return readable


def test_pyrage_opens_ours_and_we_open_theirs() -> None:
    for plain in (keys.identity_file(HYBRID), b"", b"x"):
        assert pyrage.passphrase.decrypt(passphrase.wrapped(plain, SAID, LIGHT), SAID) == plain
    assert passphrase.unwrapped(base64.b64decode(THEIRS), SAID) == b"theirs"


def test_age_opens_ours(tmp_path: Path) -> None:
    file = tmp_path / "owner-key.age"
    file.write_bytes(passphrase.wrapped(keys.identity_file(CLASSIC), SAID, LIGHT))
    age = ["age", "-d", "-o", str(tmp_path / "clear"), str(file)]
    terminal = f"import pty; pty.spawn({age!r})"  # age asks a terminal only
    subprocess.run([sys.executable, "-c", terminal], input=f"{SAID}\n".encode(), capture_output=True, check=True)
    assert keys.parse_identity((tmp_path / "clear").read_text()) == CLASSIC


def test_a_wrapped_key_is_loaded_like_any_other_once_the_passphrase_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "owner-key.age"
    file.write_bytes(passphrase.wrapped(keys.identity_file(HYBRID), SAID, LIGHT))
    given(monkeypatch, f"{SAID}\nfour words nobody guessed\n")
    assert reading.load_identity(file) == HYBRID
    with pytest.raises(Problem, match=r"recorder\.bad_passphrase") as raised:
        reading.load_identity(file)
    assert SAID not in str(raised.value)


def test_a_file_that_was_changed_or_asks_for_too_much_is_refused() -> None:
    whole = passphrase.wrapped(b"key", SAID, LIGHT)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        with pytest.raises(Problem):
            passphrase.unwrapped(bytes(changed), SAID)
    for length in range(0, len(whole), 7):
        with pytest.raises(Problem):
            passphrase.unwrapped(whole[:length], SAID)
    with pytest.raises(Problem, match=r"recorder\.bad_identity"):
        passphrase.unwrapped(whole.replace(f" {LIGHT}\n".encode(), b" 30\n"), SAID)


@pytest.mark.parametrize("weak", ["short", "aaaaaaaaaaaaaaaa", "123456789012345", "abcabcabcabcabc", "x" * 2000])
def test_a_passphrase_that_is_easily_guessed_is_refused(weak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, f"{weak}\n")
    with pytest.raises(Problem, match=r"recorder\.(weak_passphrase|no_terminal)"):
        passphrase.ask_new("owner-key.age")


def test_a_new_passphrase_is_typed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(passphrase.DESCRIPTOR, raising=False)
    typed = iter([SAID, SAID, SAID, SAID + "."])
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))
    assert passphrase.ask_new("owner-key.age") == SAID
    with pytest.raises(Problem, match=r"recorder\.passphrases_differ"):
        passphrase.ask_new("owner-key.age")


@pytest.mark.parametrize("named", ["no number", "999", "-1"])
def test_a_descriptor_that_is_not_there_is_said(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(passphrase.DESCRIPTOR, named)
    with pytest.raises(Problem, match=r"recorder\.no_terminal"):
        passphrase.ask("owner-key.age")
