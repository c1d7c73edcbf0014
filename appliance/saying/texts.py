"""The texts of prompts, and the sounds they are made of: pure but for ``read``.

A text may speak values: ``"شما نفر {place:ordinal} هستید"``. Each stretch of words between them is a sound of its own
(``your_place-1``, ``your_place-2``), so that each language puts its words in its own order; a text without values is
one sound of the prompt's name. The pieces that values are spoken with lie in a second file of their language.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from appliance.errors import Problem

MOST_TEXT = 2_000
MOST_FILE_BYTES = 1 << 20
NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
VALUE = re.compile(r"\{([a-z][a-z0-9_]{0,39}):([a-z]{1,20})\}")

Part = str | tuple[str, str]
"""The name of a sound, or a variable and the kind it is spoken as."""

Texts = Mapping[str, Mapping[str, str]]
"""Texts of prompts by language and name."""


def read(prompts: Path, pieces: bool = False) -> Texts:
    """``prompts/texts/LANGUAGE.toml`` of every language (``pieces``: LANGUAGE.pieces.toml); Problem where unusable."""
    found: dict[str, Mapping[str, str]] = {}
    for file in sorted((prompts / "texts").glob("*.toml")):
        language, _, rest = file.name.removesuffix(".toml").partition(".")
        if rest == ("pieces" if pieces else ""):
            found[language] = _texts(file)
    return found


def _texts(file: Path) -> Mapping[str, str]:
    try:
        if file.stat().st_size > MOST_FILE_BYTES:
            raise Problem("saying.bad_texts", file=str(file), reason=f"> {MOST_FILE_BYTES} bytes")
        texts = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise Problem("saying.bad_texts", file=str(file), reason=str(error)) from error
    for name, text in texts.items():
        is_text = isinstance(text, str) and text.strip() and len(text) <= MOST_TEXT
        if not is_text or not NAME.fullmatch(name):  # the name becomes that of a file
            raise Problem("saying.bad_texts", file=str(file), reason=name)
    return texts


def script_of(name: str, text: str) -> tuple[Part, ...]:
    """What a prompt is made of, in order."""
    if not VALUE.search(text):
        return (name,)
    parts: list[Part] = []
    for number, stretch in enumerate(_stretches(text)):
        if number % 3 == 0 and _is_spoken(stretch):
            parts.append(f"{name}-{1 + sum(isinstance(each, str) for each in parts)}")
        elif number % 3 == 1:
            parts.append((stretch, _stretches(text)[number + 1]))
    return tuple(parts)


def sounds_of(name: str, text: str) -> dict[str, str]:
    """Each sound of a prompt and the words in it."""
    words = [stretch.strip() for stretch in _stretches(text)[::3] if _is_spoken(stretch)]
    if not VALUE.search(text):
        return {name: text}
    return {f"{name}-{number}": each for number, each in enumerate(words, 1)}


def _stretches(text: str) -> list[str]:
    """Words, variable, kind, words, variable, kind, ... words."""
    return VALUE.split(text)


def _is_spoken(stretch: str) -> bool:
    return any(letter.isalnum() for letter in stretch)
