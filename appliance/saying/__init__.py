"""Values as spoken pieces: numbers, money, moments, in Persian and English. Pure.

``say`` turns a value into the names of sounds and the words in them. A piece is one recording; its text stands in
persian.py or english.py and nowhere else, and ``pasokh prompts build`` speaks it. What follows a piece is part of it
where the language joins them: the Persian "و" belongs to the number before it (``say-20-o`` is "بیست و"), the ezafe to
the day (``say-day-2`` is "دومِ").
"""

from __future__ import annotations

from collections.abc import Mapping

from appliance.errors import Problem
from appliance.saying import english, persian
from appliance.saying.values import KINDS, Spoken, parsed

__all__ = ["KINDS", "Spoken", "pieces", "say"]

_LANGUAGES = {"fa": persian, "en": english}


def say(language: str, kind: str, value: str | int) -> Spoken:
    """The pieces in order, and the words. Problem ``saying.bad_value`` where this cannot be said as this kind."""
    grammar = _LANGUAGES.get(language)
    if grammar is None:
        raise Problem("saying.no_language", language=language, known=", ".join(_LANGUAGES))
    names = grammar.names(kind, parsed(kind, value))
    texts = grammar.PIECES
    return Spoken(names, " ".join([texts[name] for name in names]))


def pieces(language: str) -> Mapping[str, str]:
    """Every piece of a language and its text; empty for a language that is not spoken."""
    grammar = _LANGUAGES.get(language)
    return {} if grammar is None else grammar.PIECES
