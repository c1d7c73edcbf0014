"""What people type from a sheet, read back: thirty words, or two of three shares; a wrong word is named.

Numbers, commas and new lines do not count, capital letters neither; the first four letters of a word are enough. The
list of words and the shares are SLIP-39's, by its reference implementation: this is the only module that imports it.
It is not written for constant time, which is why it runs on the owner's machine only.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping, Sequence

from appliance.ceremony import words
from appliance.errors import Problem
from appliance.messages.numbers import latin
from appliance.recorder.keys import Identity, Kind, parse_identity

try:
    from shamir_mnemonic import MnemonicError, Share, combine_mnemonics, generate_mnemonics
    from shamir_mnemonic.wordlist import WORDLIST
except ImportError as missing:
    raise Problem("ceremony.no_package") from missing

SHARE_WORDS = 33  # of 32 secret bytes
SHARE_CHECK_WORDS = 3
SHARES, NEEDED = 3, 2
MOST_LETTERS = 8 << 10
SCANNED = "AGE-SECRET-KEY-"  # how the code of a sheet begins
_SHARE_MARKS = (b"\1shamir_extendable", b"\1shamir")  # what SLIP-39's check begins with, before the words
_NUMBERS = {word: number for number, word in enumerate(WORDLIST)} | {
    word[:4]: number for number, word in enumerate(WORDLIST)
}


def words_of(identity: Identity) -> list[str]:
    """The thirty words of a sheet."""
    return [WORDLIST[symbol] for symbol in words.encoded(identity)]


def shares_of(identity: Identity) -> list[list[str]]:
    """Three sheets of 33 words, any two of which give the key again."""
    ((*mnemonics,),) = generate_mnemonics(1, [(NEEDED, SHARES)], identity.seed)
    return [mnemonic.split() for mnemonic in mnemonics]


def read_words(text: str) -> Identity:
    """The key of a sheet, from its words or what a scanner made of its code. Problem that names the wrong words, or the
    number of words where one is missing."""
    if text.strip().upper().startswith(SCANNED) and len(text) <= MOST_LETTERS:
        return parse_identity(text)
    typed = _typed(text, words.WORDS)
    symbols, unknown = _symbols(typed)
    found = words.wrong(symbols)
    if unknown or found is None or found:
        raise _wrong_words(typed, unknown, found or {}, sheet=1)
    identity = words.decoded(symbols)
    if identity is None:
        raise Problem("ceremony.many_wrong", sheet=1)
    return identity


def read_shares(text: str, kind: Kind) -> Identity:
    """The key of two sheets, with an empty line between them. Problem where they are not two of one set."""
    sheets = [part for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]
    mnemonics = [_share(sheet, number) for number, sheet in enumerate(sheets, 1)]
    shares = [Share.from_mnemonic(mnemonic) for mnemonic in mnemonics]
    if len({share.common_parameters() for share in shares}) > 1:
        raise Problem("ceremony.other_share")
    if len({share.index for share in shares}) < NEEDED:
        raise Problem("ceremony.few_shares", needed=NEEDED, count=len({share.index for share in shares}))
    by_index = {share.index: mnemonic for share, mnemonic in zip(shares, mnemonics, strict=True)}
    try:
        return Identity(kind, bytes(combine_mnemonics(list(by_index.values())[:NEEDED])))
    except MnemonicError as error:
        raise Problem("ceremony.other_share") from error


def _share(text: str, sheet: int) -> str:
    """One share as its words; whole by its own check."""
    typed = _typed(text, SHARE_WORDS, sheet)
    symbols, unknown = _symbols(typed)
    found: Mapping[int, int] | None = None
    for mark in _SHARE_MARKS:
        # SLIP-39's check leaves the remainder 1, not 0: a polynomial that is 1 everywhere.
        rest = [value ^ 1 for value in words.syndromes([*mark, *symbols], SHARE_CHECK_WORDS)]
        found = words.located(rest, SHARE_WORDS, symbols)
        if found is not None:
            break
    if unknown or found is None or found:
        raise _wrong_words(typed, unknown, found or {}, sheet)
    mnemonic = " ".join(WORDLIST[symbol] for symbol in symbols)
    try:
        Share.from_mnemonic(mnemonic)
    except MnemonicError as error:
        raise Problem("ceremony.many_wrong", sheet=sheet) from error
    return mnemonic


def _typed(text: str, count: int, sheet: int = 1) -> list[str]:
    if len(text) > MOST_LETTERS:
        raise Problem("ceremony.word_count", sheet=sheet, count=len(text.split()), needed=count)
    typed = re.findall(r"[^\W\d_]+", latin(text).lower())
    if len(typed) != count:
        raise Problem("ceremony.word_count", sheet=sheet, count=len(typed), needed=count)
    return typed


def _symbols(typed: Sequence[str]) -> tuple[list[int], set[int]]:
    """Each word's number, and the places of words that are not in the list (there the likeliest is taken)."""
    unknown = {place for place, word in enumerate(typed) if word not in _NUMBERS}
    likely = [_likeliest(word) if place in unknown else word for place, word in enumerate(typed)]
    return [_NUMBERS[word] for word in likely], unknown


@functools.cache
def _likeliest(word: str) -> str:
    likeliest: str = difflib.get_close_matches(word, WORDLIST, n=1, cutoff=0)[0]
    return likeliest


def _wrong_words(typed: Sequence[str], unknown: set[int], found: Mapping[int, int], sheet: int) -> Problem:
    """``found`` wins over the likeness of letters: the check knows which word belongs there."""
    right = {place: _likeliest(typed[place]) for place in unknown}
    right.update({place: WORDLIST[symbol] for place, symbol in found.items()})
    if not right:
        return Problem("ceremony.many_wrong", sheet=sheet)
    places = sorted(right)
    return Problem(
        "ceremony.wrong_words",
        sheet=sheet,
        wrong=", ".join(f"{place + 1} ({typed[place][:20]})" for place in places),
        likely=", ".join(f"{place + 1} {right[place]}" for place in places),
    )
