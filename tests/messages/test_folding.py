"""What people type in one way and others in another is one form, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.messages.folding import fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("علي كريمي", "علی کریمی"),
        ("۰۹۱۲", "0912"),
        ("٠٩١٢", "0912"),
        ("می‌خواهم", "میخواهم"),
        ("آقای  أحمدی", "اقای احمدی"),
        ("مُحَمَّد", "محمد"),
        ("مســـعود", "مسعود"),
        ("خانهٔ ما", "خانه ما"),
        ("مؤمن", "مومن"),
        ("مسئول", "مسیول"),
        ("ALI Karimi", "ali karimi"),
        ("Café", "cafe"),
        ("ﻋﻠﻲ", "علی"),  # shaped letters of old programs
        ("\u200eali\u202c", "ali"),
    ],
)
def test_two_ways_of_writing_are_found_by_each_other(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("علی", "عالی"), ("کریمی", "رحیمی"), ("0912", "0913"), ("سارا", "صارا")])
def test_different_words_stay_different(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=40))
def test_what_is_folded_has_single_blanks_only(text: str) -> None:
    folded = fold(text)
    assert folded == " ".join(folded.split())
