"""The code and both catalogues hold the same keys, and every text gets the fields it needs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from appliance import messages
from appliance.errors import Problem
from appliance.messages import LANGUAGES, Language, catalogue
from tests.messages.uses import PACKAGE, ROOMS, placeholders, uses

ENGLISH, PERSIAN = catalogue("en"), catalogue("fa")
USES = uses()


def test_both_languages_have_the_same_keys_in_the_same_files() -> None:
    assert sorted(file.stem for file in (PACKAGE / "messages" / "fa").glob("*.toml")) == ROOMS
    assert sorted(set(ENGLISH) ^ set(PERSIAN)) == []


def test_every_key_in_the_code_has_a_text() -> None:
    assert sorted({f"{use.where}: {use.key}" for use in USES.keys if use.key not in ENGLISH}) == []


def test_every_beginning_of_a_key_in_the_code_has_texts() -> None:
    assert [use for use in USES.prefixes if not any(key.startswith(use.key) for key in ENGLISH)] == []


def test_every_text_is_used_somewhere() -> None:
    used = {use.key for use in USES.keys}
    prefixes = tuple(use.key for use in USES.prefixes if not use.key.endswith("."))
    assert sorted(key for key in ENGLISH if key not in used and not key.startswith(prefixes)) == []


def test_every_text_gets_the_fields_it_needs_where_it_is_used() -> None:
    short = [
        f"{use.where}: {use.key} lacks {sorted(missing)}"
        for use in USES.keys
        if use.fields is not None and use.key in ENGLISH and (missing := placeholders(ENGLISH[use.key]) - use.fields)
    ]
    assert sorted(set(short)) == []


def test_both_languages_use_the_same_fields() -> None:
    different = {key for key, entry in ENGLISH.items() if placeholders(entry) != placeholders(PERSIAN[key])}
    assert sorted(different) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_entry_is_a_text_or_says_what_is_wrong_and_what_to_do(language: Language) -> None:
    for key, entry in catalogue(language).items():
        assert isinstance(entry, str) or set(entry) == {"what", "do"}, key
        assert isinstance(entry, dict) == isinstance(ENGLISH[key], dict), key
        for text in [entry] if isinstance(entry, str) else entry.values():
            assert text.strip() and text == text.rstrip() and "\n" not in text, key


def test_persian_texts_are_persian_and_spelled_in_one_way() -> None:
    for key, entry in PERSIAN.items():
        for text in [entry] if isinstance(entry, str) else entry.values():
            assert not re.search("[يكىة]", text), f"{key}: Arabic letters: {text}"
            words = re.sub(r"\{[^}]*\}", "", text)
            assert re.search("[آ-ی]", text) or not re.search("[a-z]{4,}", words), f"{key}: not Persian: {text}"


def test_no_key_stands_twice_in_a_file() -> None:
    for file in sorted((PACKAGE / "messages").glob("*/*.toml")):
        tomllib.loads(Path(file).read_text(encoding="utf-8"))  # raises on a key that stands twice


def test_a_problem_becomes_two_lines_in_each_language() -> None:
    problem = Problem("cli.choice", command="pasokh", argument="--law", value="x", known="PCMA, PCMU")
    assert messages.problem_lines(problem, "en") == (
        "pasokh: --law cannot be x",
        "Choose one of: PCMA, PCMU",
    )
    assert all("PCMA" in line or "--law" in line for line in messages.problem_lines(problem, "fa"))


def test_a_label_is_no_problem_and_a_problem_is_no_label() -> None:
    with pytest.raises(KeyError):
        messages.text("cli.choice", "en")
    with pytest.raises(KeyError):
        messages.problem_lines(Problem("web.title"), "en")


@pytest.mark.parametrize(
    ("own", "configured", "system", "expected"),
    [
        ("fa", "en", "en_GB.UTF-8", "fa"),
        ("", "fa", "en_GB.UTF-8", "fa"),
        ("", None, "fa_IR.UTF-8", "fa"),
        ("de", None, "C.UTF-8", "en"),
        ("", None, "", "en"),
    ],
)
def test_the_language_is_the_first_of_ours_configured_and_system(
    own: str, configured: Language | None, system: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", own)
    monkeypatch.setenv("LANG", system)
    assert messages.chosen_language(configured) == expected
