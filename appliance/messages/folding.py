"""Texts as they are compared in a search: letters that look the same on paper are the same.

A Persian name is typed with Persian or with Arabic letters (ye, kaf, he), with or without marks and half spaces, with
digits of three kinds, depending on the telephone, the keyboard and the person. ``fold`` is one way for all of them. A
folded text is for comparing only: nobody ever reads it.
"""

from __future__ import annotations

import unicodedata

from appliance.messages.numbers import latin

LONGEST = 200

# Arabic and Urdu letters for which Persian has its own, and seats of hamza that people leave out.
_LETTERS = str.maketrans("يىئكةۀأإٱؤہھە", "ییی\u06a9هه\u0627\u0627\u0627وههه")
_JOINERS = dict.fromkeys(
    map(ord, "\u0640\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069\ufeff")
)


def fold(text: str) -> str:
    """``text`` for comparing: no case, no marks, no half spaces, Persian letters, Latin digits, single blanks."""
    spread = unicodedata.normalize("NFKC", text[:LONGEST]).translate(_LETTERS)
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", spread) if not unicodedata.combining(letter))
    return " ".join(latin(bare).translate(_LETTERS).translate(_JOINERS).casefold().split())
