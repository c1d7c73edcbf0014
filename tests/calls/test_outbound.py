"""The outbound policy: what goes out, what does not, and that emergency numbers always do."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.calls import outbound
from appliance.calls.orders import PROBLEMS
from appliance.calls.outbound import Moment, callback_number, may_dial, read, why_never, why_not
from appliance.calls.settings import CalledLine, Calls, DialHours, Tariff
from appliance.messages import LANGUAGES, text
from appliance.signalling.numbers import has_prefix, prefix_of

PLAIN = Calls()
OPEN = Moment(lambda _calendar: True)
CLOSED = Moment(lambda _calendar: False)
TARIFFS = (
    Tariff(name="mobile", kind="mobile", rial_per_minute=1000),
    Tariff(name="landline", kind="landline", rial_per_minute=100),
)


def refusal(calls: Calls, number: str, moment: Moment = OPEN) -> str:
    return why_not(calls, read(calls, number, "21"), moment)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("09121234567", ""),
        ("۰۹۱۲۱۲۳۴۵۶۷", ""),
        ("88123456", ""),
        ("1500", ""),
        ("09091234567", "premium"),
        ("+881623456789", "satellite"),
        ("00442079460000", "foreign"),
        ("", "no_number"),
        ("anonymous", "no_number"),
        ("hello", "not_a_number"),
        ("0912123456a", "not_a_number"),
        ("1" * 40, "too_long"),
    ],
)
def test_what_the_owner_did_not_name_stays_inside(number: str, why: str) -> None:
    assert refusal(PLAIN, number) == why
    assert may_dial(PLAIN, number, "21") == (not why)


def test_a_prefix_of_the_allow_list_lets_a_number_out_whatever_its_kind() -> None:
    calls = dataclasses.replace(PLAIN, allow=("+49", "0900"))
    assert refusal(calls, "+493012345678") == "" and refusal(calls, "09001234567") == ""
    assert refusal(calls, "+442079460000") == "foreign" and refusal(calls, "09091234567") == "premium"


def test_a_prefix_of_the_deny_list_keeps_a_number_in_even_if_it_is_allowed() -> None:
    calls = dataclasses.replace(PLAIN, allow=("+49",), deny=("+4930", "0912 999", "15"))
    assert refusal(calls, "+493012345678") == refusal(calls, "09129991234") == refusal(calls, "1500") == "denied"
    assert refusal(calls, "+498912345678") == refusal(calls, "09128881234") == ""


def test_a_kind_is_dialled_only_while_its_calendar_is_open() -> None:
    calls = dataclasses.replace(PLAIN, dial_hours=(DialHours(name="day", kinds=("mobile",), calendar="office"),))
    assert refusal(calls, "09121234567", CLOSED) == "hours" and refusal(calls, "09121234567", OPEN) == ""
    assert refusal(calls, "88123456", CLOSED) == ""


def test_no_call_begins_once_the_day_s_money_is_spent() -> None:
    calls = dataclasses.replace(PLAIN, daily_cap_rial=10_000, tariffs=TARIFFS)
    assert refusal(calls, "09121234567", Moment(OPEN.is_open, spent_rial=9_999)) == ""
    assert refusal(calls, "09121234567", Moment(OPEN.is_open, spent_rial=10_000)) == "money_cap"
    assert refusal(PLAIN, "09121234567", Moment(OPEN.is_open, spent_rial=10**12)) == ""


def test_under_a_cap_a_number_without_a_price_stays_inside() -> None:
    calls = dataclasses.replace(PLAIN, daily_cap_rial=10_000, tariffs=TARIFFS, allow=("+49",))
    assert refusal(calls, "+493012345678") == "no_tariff"


def test_there_are_no_more_calls_outside_at_once_than_the_owner_allows() -> None:
    calls = dataclasses.replace(PLAIN, most_outgoing=2)
    assert refusal(calls, "09121234567", Moment(OPEN.is_open, outgoing=1)) == ""
    assert refusal(calls, "09121234567", Moment(OPEN.is_open, outgoing=2)) == "too_many"


@pytest.mark.parametrize("number", ["110", "112", "115", "125", "194", "9110", "9-194", "۱۱۵"])
def test_an_emergency_number_goes_out_whatever_else_is_true(number: str) -> None:
    calls = Calls(
        may_dial=(),
        deny=("1", "9", "+"),
        emergency=("194",),
        outside_prefix="9",
        daily_cap_rial=1,
        most_outgoing=1,
        dial_hours=(DialHours(name="never", kinds=("short", "mobile"), calendar="nowhere"),),
    )
    assert refusal(calls, number, Moment(CLOSED.is_open, spent_rial=10**9, outgoing=99)) == ""
    assert read(calls, number, "21").kind == "emergency"


INSIDE = ("desk1", "sara", "101", "202")
BOX = Calls(lines=(CalledLine(name="office", trunk="main", flow="f", number="021-88123456-8"),), emergency=("194",))


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("09091234567", "premium"),
        ("+881623456789", "satellite"),
        ("00442071234567", "foreign"),
        ("desk1", "internal"),
        ("101", "internal"),
        ("۱۰۱", "internal"),
        ("88123456", "own_number"),
        ("+98 21 8812 3456", "own_number"),
        ("", "no_number"),
        ("1" * 40, "too_long"),
        ("۱" * 40, "too_long"),
        ("hello", "not_a_number"),
        ("0912abc4567", "not_a_number"),
        ("110", "emergency"),
        ("194", "emergency"),
        ("1500", "short"),
        ("9" + "0" * 20, "too_long"),
    ],
)
def test_what_cannot_be_called_back_is_refused_with_a_reason_that_has_a_text(number: str, why: str) -> None:
    assert callback_number(BOX, number, "21", INSIDE)[1] == why
    for language in LANGUAGES:
        assert text(f"number.why_{why}", language)


@pytest.mark.parametrize(
    "number", ["۰۹۱۲۱۲۳۴۵۶۷", "٠٩١٢١٢٣٤٥٦٧", "0912 123 4567", "+98-912-123-4567", "00989121234567"]
)
def test_a_customer_may_write_a_number_in_any_form(number: str) -> None:
    assert callback_number(BOX, number, "21", INSIDE) == ("+989121234567", "")
    assert callback_number(BOX, "۸۸۷۷۶۶۵۵", "21", INSIDE) == ("+982188776655", "")


def test_a_callback_to_where_the_owner_allows_calls_is_taken_and_a_premium_number_never_by_its_kind() -> None:
    calls = dataclasses.replace(BOX, may_dial=("mobile", "foreign", "premium"), allow=("0900",))
    assert callback_number(calls, "+442079460000", "21", ())[1] == ""
    assert callback_number(calls, "09001234567", "21", ())[1] == ""
    assert callback_number(calls, "09091234567", "21", ())[1] == "premium"
    assert callback_number(calls, "88776655", "21", ())[1] == "forbidden"


def test_customers_know_no_outside_prefix() -> None:
    calls = dataclasses.replace(BOX, outside_prefix="9")
    assert callback_number(calls, "909121234567", "21", ())[1] == "not_a_number"


def test_every_refusal_has_a_text_in_both_languages() -> None:
    reasons = [each for each in get_args(outbound.Refusal) if each]
    assert len(reasons) > 15
    for reason in reasons:
        for language in LANGUAGES:
            assert text(f"number.why_{reason}", language)


def test_who_orders_a_call_by_the_page_reads_why_a_number_is_refused() -> None:
    numbers = ("09091234567", "+881623456789", "+442079460000", "101", "88123456", "", "1" * 40, "x", "110", "1500")
    assert {callback_number(BOX, each, "21", INSIDE)[1] for each in numbers} <= set(PROBLEMS)
    assert callback_number(dataclasses.replace(BOX, deny=("0912",)), "09121234567", "21", ())[1] in PROBLEMS


_KINDS = ("mobile", "landline", "short", "premium", "satellite", "foreign")
_heads = [
    "",
    "0",
    "00",
    "+",
    "+98",
    "0098",
    "98",
    "098",
    "0912",
    "0909",
    "0900",
    "021",
    "+8816",
    "00870",
    "9",
    "11",
    "+1900",
]
_written = st.builds(
    lambda head, tail: head + tail, st.sampled_from(_heads), st.text("0123456789", max_size=14)
) | st.text("0123456789+-* ()۰۱۲۳۴۵۶۷۸۹٠١٢abc", max_size=45)
_prefixes = st.lists(st.sampled_from(["+49", "0912", "0900", "15", "021", "+8816", "+1"]), max_size=2).map(tuple)
_policies = st.builds(
    lambda kinds, allow, deny, emergency, prefix: Calls(
        may_dial=tuple(kinds), allow=allow, deny=deny, emergency=emergency, outside_prefix=prefix
    ),
    st.sets(st.sampled_from(_KINDS)),
    _prefixes,
    _prefixes,
    st.sampled_from([(), ("194",), ("1234",)]),
    st.sampled_from(["", "0", "9", "99"]),
)


@given(_policies, _written, st.sampled_from(["", "21", "31"]))
def test_nothing_that_the_policy_forbids_ever_goes_out(calls: Calls, written: str, area_code: str) -> None:
    number = read(calls, written, area_code)
    if why_never(calls, number):
        assert number.kind != "emergency"
        return
    if number.kind == "emergency":
        assert number.national in calls.plan.emergency
        return
    allowed = [prefix for each in calls.allow if (prefix := prefix_of(each))]
    denied = [prefix for each in calls.deny if (prefix := prefix_of(each))]
    assert number.kind not in ("unknown", "withheld")
    assert number.kind in calls.may_dial or has_prefix(number, allowed)
    assert not has_prefix(number, denied)
    # What is dialled is what was judged: read back, it is the same number.
    again = read(dataclasses.replace(calls, outside_prefix=""), number.national, area_code)
    assert (again.e164, again.kind) == (number.e164, number.kind)


@given(_policies, _written)
def test_nobody_is_called_back_where_the_policy_forbids_it(calls: Calls, written: str) -> None:
    e164, why = callback_number(calls, written, "21", INSIDE)
    if not why:
        number = read(dataclasses.replace(calls, outside_prefix=""), e164, "21")
        assert e164.startswith("+") and not why_never(calls, number)
        assert number.kind not in ("short", "emergency", "unknown", "withheld")
