"""How many SMS a text is: Persian 70 characters in one and 67 in each of several, Latin 160 and 153 (3GPP 23.038).

A text is Latin only if every character is in the GSM alphabet; one Persian letter makes all of it UCS-2, in which a
character outside the basic plane counts twice.
"""

from __future__ import annotations

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ!\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")  # two septets each

ONE_LATIN, MANY_LATIN = 160, 153
ONE_PERSIAN, MANY_PERSIAN = 70, 67


def count(text: str) -> int:
    """How many messages this text is; an empty one is one."""
    if all(letter in _BASIC or letter in _EXTENDED for letter in text):
        return _parts([2 if letter in _EXTENDED else 1 for letter in text], ONE_LATIN, MANY_LATIN)
    return _parts([2 if ord(letter) > 0xFFFF else 1 for letter in text], ONE_PERSIAN, MANY_PERSIAN)


def _parts(sizes: list[int], one: int, many: int) -> int:
    """No character is cut in two: a pair that does not fit goes into the next part."""
    if sum(sizes) <= one:
        return 1
    parts, room = 1, many
    for size in sizes:
        if size > room:
            parts, room = parts + 1, many
        room -= size
    return parts
