"""Which extensions live at a peer, as PBXs write them in their dial plans: pure.

``2XX`` is every extension of three digits that begins with 2. ``X`` stands for 0 to 9, ``Z`` for 1 to 9, ``N`` for 2 to
9 (the letters of Asterisk, Issabel and Grandstream); a digit stands for itself. A pattern has a fixed length: nothing
that the office dials may wait for the digit that would decide.
"""

from __future__ import annotations

import functools

from appliance.messages.numbers import latin

FEWEST_DIGITS = 2
MOST_DIGITS = 6
_LETTERS = {"X": "0123456789", "Z": "123456789", "N": "23456789"}


@functools.lru_cache(maxsize=256)
def choices_of(written: str) -> tuple[str, ...]:
    """The digits that each place of a pattern may have; empty where it is no pattern."""
    pattern = latin(written).strip().upper()
    if not FEWEST_DIGITS <= len(pattern) <= MOST_DIGITS:
        return ()
    places = tuple(_LETTERS.get(each, each) for each in pattern)
    return places if all(each.isascii() and each.isdigit() for each in places) else ()


def matches(written: str, number: str) -> bool:
    """Whether ``number`` is an extension of this pattern."""
    places = choices_of(written)
    return len(number) == len(places) > 0 and _fits(places, number)


def begins(written: str, number: str) -> bool:
    """Whether ``number`` is an extension of this pattern, or begins with one."""
    places = choices_of(written)
    return 0 < len(places) <= len(number) and _fits(places, number)


def overlap(one: str, other: str) -> bool:
    """Whether some extension is of both patterns."""
    places, others = choices_of(one), choices_of(other)
    return len(places) == len(others) > 0 and all({*a} & {*b} for a, b in zip(places, others, strict=True))


def _fits(places: tuple[str, ...], number: str) -> bool:
    return all(digit in choices for choices, digit in zip(places, number, strict=False))
