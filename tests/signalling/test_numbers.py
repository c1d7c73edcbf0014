"""Numbers as Iranian offices, providers and callers write them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from appliance.signalling.numbers import EMERGENCY, Form, Plan, dial_form, has_prefix, normalise, prefix_of

GOLDEN = tomllib.loads((Path(__file__).parent / "golden_numbers.toml").read_text("utf-8"))["number"]


IDS = [f"{row['text']}@{row.get('area', '')}{row.get('prefix', '')}" for row in GOLDEN]


@pytest.mark.parametrize("row", GOLDEN, ids=IDS)
def test_a_golden_form_is_read_as_the_table_says(row: dict[str, str]) -> None:
    plan = Plan(row.get("prefix", ""), EMERGENCY | {"194"})
    number = normalise(row["text"], row.get("area", ""), plan)
    assert (number.e164 or "", number.kind) == (row.get("e164", ""), row["kind"])
    assert "dialled" not in row or number.national == row["dialled"]
    assert number.as_arrived == row["text"]


def test_the_table_holds_at_least_120_forms_and_none_twice() -> None:
    assert len(GOLDEN) >= 120
    assert len({(row["text"], row.get("area", ""), row.get("prefix", "")) for row in GOLDEN}) == len(GOLDEN)


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
    assert tuple(dial_form(normalise(text, "21"), kind, "21") for kind in kinds) == forms


def test_a_local_form_never_reaches_the_same_digits_in_another_city() -> None:
    number = normalise("03132201234")
    assert dial_form(number, "local", "31") == "32201234"
    assert dial_form(number, "local", "21") == dial_form(number, "local") == "03132201234"


@pytest.mark.parametrize(
    ("written", "prefix"),
    [
        ("+49", "+49"),
        ("0049", "+49"),
        ("0912", "+98912"),
        ("+98 912", "+98912"),
        ("۰۹۱۲", "+98912"),
        ("15", "15"),
        ("", None),
        ("00", None),
        ("+", None),
        ("abc", None),
    ],
)
def test_a_prefix_is_compared_with_what_numbers_begin_with(written: str, prefix: str | None) -> None:
    assert prefix_of(written) == prefix


def test_the_longest_prefix_counts_and_short_numbers_are_never_begun_by_a_country() -> None:
    mobile, short = normalise("09121234567"), normalise("1500")
    assert has_prefix(mobile, ("+98", "+98912", "15")) == len("+98912")
    assert has_prefix(short, ("+98", "15")) == 2 and has_prefix(short, ("+98",)) == 0


@pytest.mark.parametrize("number", sorted(EMERGENCY | {"194"}))
@pytest.mark.parametrize("prefix", ["0", "9", "99"])
def test_an_emergency_number_is_known_with_and_without_the_outside_prefix(number: str, prefix: str) -> None:
    plan = Plan(prefix, EMERGENCY | {"194"})
    for written in (number, prefix + number, f"{prefix}-{number}", f" {prefix} {number}"):
        found = normalise(written, "21", plan)
        assert (found.kind, found.national) == ("emergency", number), written


def test_without_its_prefix_no_number_becomes_an_emergency_number() -> None:
    assert normalise("9110", "21").kind == "short" and normalise("0110", "21").kind == "unknown"


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
