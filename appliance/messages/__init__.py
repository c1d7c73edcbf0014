"""Every text a person reads, by key, in Persian and English.

The catalogues are TOML files, one per room and language (``en/recorder.toml``, ``fa/recorder.toml``); the file's name
is the first part of a key. An entry is either a table with ``what`` and ``do`` (a problem: what is wrong and where,
then what to do) or a plain string (a label of the page or of a command). A test holds the two languages and the code
against each other, so a key that is used but not written, or written but not used, fails.
"""

from __future__ import annotations

import functools
import os
import tomllib
from importlib import resources
from typing import Literal, get_args

from appliance.errors import Field, Problem

Language = Literal["fa", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@functools.cache
def catalogue(language: Language) -> dict[str, str | dict[str, str]]:
    """All entries of one language by full key (``room.name``)."""
    entries: dict[str, str | dict[str, str]] = {}
    folder = resources.files(__name__).joinpath(language)
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            room = file.name.removesuffix(".toml")
            for key, entry in tomllib.loads(file.read_text(encoding="utf-8")).items():
                entries[f"{room}.{key}"] = entry
    return entries


def text(key: str, language: Language, /, **fields: Field) -> str:
    """The plain string of ``key``; KeyError if there is none."""
    entry = catalogue(language)[key]
    if not isinstance(entry, str):
        raise KeyError(key)
    return entry.format(**fields)


def problem_lines(problem: Problem, language: Language) -> tuple[str, str]:
    """What is wrong and where; what to do."""
    entry = catalogue(language)[problem.key]
    if isinstance(entry, str):
        raise KeyError(problem.key)
    return entry["what"].format(**problem.fields), entry["do"].format(**problem.fields)


def language_from(value: str | None) -> Language | None:
    """``fa`` or ``en`` out of a locale such as ``fa_IR.UTF-8``; None for any other."""
    short = (value or "").strip().lower()[:2]
    return "fa" if short == "fa" else "en" if short == "en" else None


def chosen_language(configured: Language | None = None) -> Language:
    """The language of messages: PASOKH_LANG, the configuration, LANG, English."""
    return language_from(os.environ.get("PASOKH_LANG")) or configured or language_from(os.environ.get("LANG")) or "en"
