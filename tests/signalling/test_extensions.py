"""Patterns of extensions, as PBXs write them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.signalling.extensions import begins, choices_of, matches, overlap

_patterns = st.text("0129XZN", min_size=2, max_size=4)
_LETTERS = {"X": "0123456789", "Z": "123456789", "N": "23456789"}


def every(pattern: str) -> set[str]:
    """Every extension of a pattern, written out."""
    return {"".join(each) for each in itertools.product(*(_LETTERS.get(place, place) for place in pattern))}


@given(_patterns)
def test_a_pattern_is_the_extensions_that_it_writes_out(pattern: str) -> None:
    assert all(matches(pattern, each) for each in every(pattern))
    assert sum(matches(pattern, f"{n:0{len(pattern)}}") for n in range(10 ** len(pattern))) == len(every(pattern))


@given(_patterns, _patterns)
def test_two_patterns_overlap_where_they_share_an_extension(one: str, other: str) -> None:
    assert overlap(one, other) is bool(every(one) & every(other))


def test_it_is_read_as_people_type_it() -> None:
    assert matches("2xx", "204") and matches("۲XX", "204") and matches(" 2XX ", "204")
    assert not matches("2XX", "20") and not matches("2XX", "2040") and not matches("2XX", "۲۰۴a")
    assert begins("11", "110") and begins("1XX", "112") and not begins("1XXX", "110")


@pytest.mark.parametrize("written", ["", "2", "XXXXXXX", "2.", "2..", "_2XX", "200-299", "[12]X", "2 X", "2X!", "ab"])
def test_what_is_no_pattern_matches_nothing(written: str) -> None:
    assert choices_of(written) == () and not matches(written, written) and not overlap(written, written)
    assert not begins(written, "110")
