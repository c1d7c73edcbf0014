"""Numbers as Iranian offices, providers and callers write them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from appliance.signalling.numbers import Form, dial_form, normalise

GOLDEN = tomllib.loads((Path(__file__).parent / "golden_numbers.toml").read_text("utf-8"))["number"]


@pytest.mark.parametrize("row", GOLDEN, ids=[f"{row['text']}@{row.get('area', '')}" for row in GOLDEN])
def test_a_golden_form_is_read_as_the_table_says(row: dict[str, str]) -> None:
    number = normalise(row["text"], row.get("area", ""))
    assert (number.e164 or "", number.kind) == (row.get("e164", ""), row["kind"])
    assert number.as_arrived == row["text"]


def test_the_table_holds_at_least_120_forms_and_none_twice() -> None:
    assert len(GOLDEN) >= 120
    assert len({(row["text"], row.get("area", "")) for row in GOLDEN}) == len(GOLDEN)


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("09121234567", ("09121234567", "989121234567", "+989121234567", "09121234567")),
        ("02188123456", ("02188123456", "982188123456", "+982188123456", "88123456")),
        ("+4930123456", ("004930123456", "4930123456", "+4930123456", "004930123456")),
        ("115", ("115", "115", "115", "115")),
        ("1500", ("1500", "1500", "1500", "1500")),
    ],
)
def test_a_number_is_dialled_in_the_trunks_own_form(text: str, forms: tuple[str, ...]) -> None:
    kinds: tuple[Form, ...] = ("national", "e164", "plus", "local")
    assert tuple(dial_form(normalise(text, "21"), kind) for kind in kinds) == forms


@pytest.mark.parametrize(
    "row", [row for row in GOLDEN if row.get("e164", "").startswith("+98")], ids=lambda row: row["text"]
)
def test_what_would_be_dialled_is_read_back_as_the_same_number(row: dict[str, str]) -> None:
    number = normalise(row["text"], row.get("area", ""))
    for form in ("national", "e164", "plus"):
        assert normalise(dial_form(number, form), "21").e164 == number.e164, form


def test_an_endless_text_is_cut_and_unknown() -> None:
    number = normalise("9" * 10_000)
    assert number.kind == "unknown" and len(number.as_arrived) <= 64
