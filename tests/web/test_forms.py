"""What is typed into forms, as orders: digits of any script, days and times that can be meant, nothing that is not."""

from __future__ import annotations

import pytest

from appliance.calls.switches import day_of
from appliance.control import wire
from appliance.control.wire import Switches
from appliance.errors import Problem
from appliance.messages.calendar import jalali_moment, moment_of
from appliance.web import forms

NOW = moment_of("1405/09/02 18:46") or 0
DAY = 86_400_000


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("1405/09/15", "0915"),
        ("۱۴۰۵/۰۹/۱۵", "0915"),
        ("١٤٠٥/٠٩/١٥", "0915"),
        ("9/15", "0915"),
        (" 09-15 ", "0915"),
        ("0915", "0915"),
        ("2026-12-06", "0915"),
        ("2026/12/6", "0915"),
        ("1406/01/01", "0101"),
        ("01/01", "0101"),
        ("2027-03-21", "0101"),
        ("09/01", "0901"),  # was yesterday: that of next year
    ],
)
def test_a_day_is_read_as_people_write_it_and_calls_means_the_same_one(written: str, keys: str) -> None:
    assert forms.day_keys(written, NOW) == keys
    meant = day_of(keys, NOW)
    assert meant is not None and jalali_moment(meant)[5:10].replace("/", "") == keys and meant > NOW


@pytest.mark.parametrize(
    "written",
    [
        *("", "soon", "1405/09/02", "1405/09/01", "1405/12/30", "12/30", "1407/01/01", "2026-11-23", "2028-01-01"),
        *("1405/13/01", "99/99", "1404/12/29", "²²/³³", "1" * 300),
    ],
)
def test_a_day_that_is_past_too_far_or_none_is_refused_with_what_was_typed(written: str) -> None:
    with pytest.raises(Problem) as refused:
        forms.day_keys(written, NOW)
    assert refused.value.key == "web.no_such_day" and refused.value.fields == {"value": written}


@pytest.mark.parametrize(
    ("written", "keys"), [("20:30", "2030"), ("۲۰:۳۰", "2030"), ("8:05", "0805"), ("2030", "2030"), ("0:00", "0000")]
)
def test_a_time_is_read_as_people_write_it(written: str, keys: str) -> None:
    assert forms.time_keys(written) == keys


@pytest.mark.parametrize("written", ["", "24:00", "20:60", "evening", "20", "²⁰:³⁰", "20:30:00"])
def test_a_time_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(Problem, match=r"web\.no_such_time"):
        forms.time_keys(written)


def test_what_nobody_changed_is_not_ordered_anew() -> None:
    shown = {"request": "r1", "was_number": "۰۹۱۲۱۲۳۴۵۶۷", "was_due": "۱۴۰۵/۰۹/۰۱ ۱۰:۰۰"}
    same = forms.change({**shown, "number": "09121234567", "due": "1405/09/01 10:00"}, "t")
    assert same == wire.ChangeRequest("t", "r1")
    other = forms.change({**shown, "number": "09351112233", "due": shown["was_due"]}, "t")
    assert other == wire.ChangeRequest("t", "r1", number="09351112233")


def test_a_promise_is_ordered_as_it_was_typed_and_not_longer_than_anybody_types() -> None:
    form = {"number": " 0912 123 4567 ", "due": "16:30", "about": "x" * 5000, "language": "xx", "agent": "sara"}
    order = forms.promise(form, "t")
    assert (order.number, order.due, order.agent, order.queue, order.language) == (
        *("0912 123 4567", "16:30", "sara", "", "fa"),
    )
    assert len(order.about) == forms.LONGEST_ABOUT


def test_back_to_normal_turns_off_what_is_on_and_nothing_else() -> None:
    def actions(switches: Switches) -> list[tuple[str, str]]:
        return [(turn.action, turn.value) for turn in forms.turns({"turn": "normal"}, "t", switches, NOW)]

    assert actions(Switches()) == []
    assert actions(Switches(night=True, closed_until=NOW - 1)) == [("night_off", "")]
    everything = Switches(night=True, closed_until=NOW + DAY, divert="0912", outage_until=NOW + 1)
    assert actions(everything) == [
        *(("night_off", ""), ("closed_until", "0"), ("divert_off", ""), ("outage_off", "")),
    ]
    assert actions(Switches(open_until=NOW + DAY)) == [("open_until", "0")]


@pytest.mark.parametrize("turn", ["", "divert_on", "sign_off", "confirm_holidays", "outage_on", "NIGHT_ON"])
def test_the_page_turns_no_other_switch(turn: str) -> None:
    with pytest.raises(Problem, match=r"desk\.no_sense"):
        forms.turns({"turn": turn}, "t", Switches(), NOW)
