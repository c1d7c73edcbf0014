"""The two catalogues and the code hold each other: every key that is used is written, in both languages, and used."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

from appliance import messages

PACKAGE = Path(messages.__file__).parent.parent
KEY = re.compile(r"[a-z]+\.[a-z_]+[a-z0-9_]*")


def placeholders(entry: str | dict[str, str]) -> list[set[str]]:
    texts = [entry] if isinstance(entry, str) else [entry["what"], entry["do"]]
    return [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in texts]


def strings_in_code() -> tuple[set[str], set[str]]:
    """Every constant that looks like a key, and every beginning of one that is put together."""
    whole, beginnings = set(), set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and KEY.fullmatch(node.value):
                whole.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                start = str(node.values[0].value)
                if re.fullmatch(r"[a-z]+\.[a-z_]*", start):
                    beginnings.add(start)
    return whole, beginnings


def keys_in_templates() -> set[str]:
    found = set()
    for file in (PACKAGE / "web" / "templates").glob("*.html"):
        found |= {f"web.{key}" for key in re.findall(r"_\('([a-z_]+)'", file.read_text(encoding="utf-8"))}
    return found


def raised() -> set[str]:
    """Keys of every Problem that the code makes."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant):
                    found.add(str(first.value))
    return found


def test_both_languages_have_the_same_keys_of_the_same_kind_with_the_same_placeholders() -> None:
    english, persian = messages.catalogue("en"), messages.catalogue("fa")
    assert english.keys() == persian.keys()
    for key, entry in english.items():
        assert isinstance(entry, str) == isinstance(persian[key], str), key
        assert placeholders(entry) == placeholders(persian[key]), key


def test_every_problem_that_the_code_makes_is_written_as_what_and_do() -> None:
    catalogue = messages.catalogue("en")
    missing = sorted(key for key in raised() if not isinstance(catalogue.get(key), dict))
    assert missing == []


def test_every_label_of_the_page_is_written() -> None:
    catalogue = messages.catalogue("en")
    assert sorted(key for key in keys_in_templates() if not isinstance(catalogue.get(key), str)) == []


def test_nothing_is_written_that_nobody_says() -> None:
    whole, beginnings = strings_in_code()
    used = whole | keys_in_templates()
    unused = [
        key
        for key in messages.catalogue("en")
        if key not in used and not any(key.startswith(start) for start in beginnings if len(start) > 5)
    ]
    assert unused == []


def test_persian_texts_are_persian() -> None:
    for key, entry in messages.catalogue("fa").items():
        for text in [entry] if isinstance(entry, str) else entry.values():
            letters = re.sub(r"\{[^}]*\}", "", text)
            assert re.search("[\u0600-\u06ff]", letters) or not re.search("[a-z]{4}", letters), key
            assert "ي" not in text and "ك" not in text, f"{key}: Arabic letters in a Persian text"
