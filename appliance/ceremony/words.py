"""A private key as thirty words of which a wrong one is named: a Reed-Solomon code over the words themselves. Pure.

A word is a symbol of GF(1024), as in SLIP-39, whose list of words is used: no two of them are easily taken for each
other, and the first four letters tell which it is. 260 bits in 26 words (4 say the kind of key, 256 are its seed), and
four words of check. So one or two wrong words, or two that changed places, are found by place, together with the word
that belongs there; nothing is ever corrected silently, because a person with the paper in the hand can look again.
The same search names a wrong word of a SLIP-39 share, which has three words of check (one wrong word is found).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from appliance.recorder.keys import Identity, Kind

WORDS = 30
CHECK_WORDS = 4
SEED_BITS = 256
MARK = tuple(b"pasokh")  # symbols before the first word: words of somebody else's code do not pass for ours
KINDS: tuple[Kind, ...] = ("hybrid", "classic")

_FIELD = 0x409  # x^10 + x^3 + 1, the field of SLIP-39; x is primitive in it
_ORDER = 1023


def _tables() -> tuple[list[int], list[int]]:
    powers, logs, value = [0] * _ORDER, [0] * (_ORDER + 1), 1
    for exponent in range(_ORDER):
        powers[exponent], logs[value] = value, exponent
        value <<= 1
        if value > _ORDER:
            value ^= _FIELD
    return powers, logs


_POWERS, _LOGS = _tables()


def encoded(identity: Identity) -> tuple[int, ...]:
    """The symbols (0 to 1023) of the thirty words."""
    number = KINDS.index(identity.kind) << SEED_BITS | int.from_bytes(identity.seed, "big")
    data = [number >> shift & _ORDER for shift in range(10 * (WORDS - CHECK_WORDS - 1), -1, -10)]
    return (*data, *_check_words([*MARK, *data]))


def decoded(symbols: Sequence[int]) -> Identity | None:
    """The key again; None where they are not the words of one (see ``wrong``)."""
    if len(symbols) != WORDS or any(syndromes([*MARK, *symbols], CHECK_WORDS)):
        return None
    number = 0
    for symbol in symbols[: WORDS - CHECK_WORDS]:
        number = number << 10 | symbol
    kind, seed = number >> SEED_BITS, number & ((1 << SEED_BITS) - 1)
    return Identity(KINDS[kind], seed.to_bytes(SEED_BITS // 8, "big")) if kind < len(KINDS) else None


def wrong(symbols: Sequence[int]) -> dict[int, int] | None:
    """Places (from 0) of wrong words and the symbols that belong there; None where more than two are wrong."""
    return located(syndromes([*MARK, *symbols], CHECK_WORDS), len(symbols), symbols)


def syndromes(symbols: Sequence[int], count: int) -> list[int]:
    """Values of the word as a polynomial, its last symbol the lowest, at the field's first powers; 0 where whole."""
    found = []
    for exponent in range(1, count + 1):
        value = 0
        for symbol in symbols:
            value = _times(value, _POWERS[exponent]) ^ symbol
        found.append(value)
    return found


def located(found: Sequence[int], places: int, symbols: Sequence[int]) -> dict[int, int] | None:
    """Which symbols must change so that the syndromes ``found`` vanish: none, one, or (with four of them) two.

    ``symbols`` are the last ``places`` of the code word; nothing before them is ever found wrong.
    """
    if not any(found):
        return {}
    for count in range(1, len(found) // 2 + 1):
        for exponents in itertools.combinations(range(places), count):
            errors = _errors(found, [_POWERS[exponent] for exponent in exponents])
            if errors is not None:
                changed = zip(exponents, errors, strict=True)
                return {places - 1 - exponent: symbols[places - 1 - exponent] ^ error for exponent, error in changed}
    return None


def _errors(found: Sequence[int], points: Sequence[int]) -> list[int] | None:
    """Errors at these points that explain every syndrome: S_j = sum of e * x^j; None where there are none."""
    first = points[0]
    if len(points) == 1:
        terms = [found[0]]
    else:  # two unknowns, two equations; the other syndromes are the proof
        other = _over(found[1] ^ _times(found[0], first), first ^ points[1])
        terms = [found[0] ^ other, other]
    errors = [_over(term, point) for term, point in zip(terms, points, strict=True)]
    if not all(errors):
        return None
    for syndrome in found:
        total = 0
        for term in terms:
            total ^= term
        if total != syndrome:
            return None
        terms = [_times(term, point) for term, point in zip(terms, points, strict=True)]
    return errors


def _check_words(symbols: Sequence[int]) -> list[int]:
    """The remainder that makes the whole word vanish at the first four powers."""
    generator = [1]
    for exponent in range(1, CHECK_WORDS + 1):
        shifted = [*generator, 0]
        for index, coefficient in enumerate(generator):
            shifted[index + 1] ^= _times(coefficient, _POWERS[exponent])
        generator = shifted
    rest = [0] * CHECK_WORDS
    for symbol in symbols:
        factor = symbol ^ rest[0]
        rest = [
            low ^ _times(factor, coefficient) for low, coefficient in zip([*rest[1:], 0], generator[1:], strict=True)
        ]
    return rest


def _times(left: int, right: int) -> int:
    return _POWERS[(_LOGS[left] + _LOGS[right]) % _ORDER] if left and right else 0


def _over(left: int, right: int) -> int:
    return _POWERS[(_LOGS[left] - _LOGS[right]) % _ORDER] if left else 0
