"""Text as it is searched: what people type in one way and others in another becomes one form.

Persian, Arabic and Latin digits; both forms of ye and kaf; alef, waw and he with or without a mark above them; vowel
signs, kashida, the zero-width non-joiner and marks of direction; upper and lower case; any run of white space. For
comparing and searching only: it is never shown, and never kept as somebody's name.
"""

from __future__ import annotations

import unicodedata

from appliance.messages.numbers import latin

_LETTERS = str.maketrans("يىئۍېكڪأإآٱؤةۀۂھہ", "یییییککااااوههههه")
_SIGNS = frozenset({"Mn", "Cf", "Lm"})  # marks above and below, what is not seen, kashida


def fold(text: str) -> str:
    """The form under which ``text`` is found; folding it again changes nothing."""
    whole = unicodedata.normalize("NFKC", text).translate(_LETTERS)
    letters = unicodedata.normalize("NFD", latin(whole).casefold())
    kept = "".join(letter for letter in letters if unicodedata.category(letter) not in _SIGNS)
    return " ".join(unicodedata.normalize("NFC", kept.replace("ء", "")).split())
