"""What an SMS to the box means, in every way in which people write it."""

from __future__ import annotations

import pytest

from appliance.messages.calendar import moment_of
from appliance.notify.replies import Order, Score, Wish, Words, of_caller, of_owner

NOW = moment_of("1405/09/07 12:00") or 0


@pytest.mark.parametrize(
    ("text", "survey", "score"),
    [
        ("5", "csat", 5), ("۴", "csat", 4), ("  ٣ ", "csat", 3), ("امتیاز ۲ از من", "csat", 2), ("1!", "csat", 1),
        ("10", "nps", 10), ("۰", "nps", 0), ("9/10", "nps", 9), ("4 out of 5", "csat", 4), ("نمره: ۳ از ۵", "csat", 3),
    ],
)  # fmt: skip
def test_one_number_in_its_range_answers_a_survey(text: str, survey: str, score: int) -> None:
    assert of_caller(text, survey) == Score(score)


@pytest.mark.parametrize(
    ("text", "survey"),
    [
        ("6", "csat"), ("0", "csat"), ("12", "nps"), ("4 or 5", "csat"),  ("زنگ بزنید", "csat"), ("5", ""),
        ("ring me at 3", "csat"), ("ساعت ۳ زنگ بزنید", "csat"), ("5 4", "csat"), ("²", "csat"),
        ("09121234567", "csat"), ("1405", "nps"), ("", "csat"),
    ],
)  # fmt: skip
def test_everything_else_is_for_a_person_to_read(text: str, survey: str) -> None:
    assert of_caller(text, survey) == Words(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [("لغو", "stop"), ("لغو ۱۱", "stop"), ("لغو11", "stop"), ("STOP", "stop"), ("11", "stop"), ("شروع", "start")],
)
def test_who_wants_no_messages_says_it_in_one_word(text: str, what: str) -> None:
    assert of_caller(text, "nps") == Wish(what)
    assert of_caller(text, "") == Wish(what)


@pytest.mark.parametrize(
    ("text", "action", "value"),
    [
        ("1234 closed until 10/05", "closed_until", "1005"),
        ("۱۲۳۴ بسته تا ۱۰/۰۵", "closed_until", "1005"),
        ("۱۲۳۴\nتعطيل تا فردا", "closed_until", "0908"),  # an Arabic ye
        ("1234 Closed until tomorrow", "closed_until", "0908"),
        ("1234 until 1405/12/1 closed", "closed_until", "1201"),
        ("1234 closed 1406/09/07", "closed_until", "0907"),  # today in a year
        ("1234 open", "closed_until", "0"),
        ("۱۲۳۴ باز", "closed_until", "0"),
        ("1234 night", "night_on", ""),
        ("۱۲۳۴ شب", "night_on", ""),
    ],
)
def test_the_owner_writes_a_pin_and_what_is_to_be(text: str, action: str, value: str) -> None:
    assert of_owner(text, NOW) == Order(action, value, "1234")
    assert "1234" not in repr(of_owner(text, NOW))


@pytest.mark.parametrize(
    "text",
    [
        "closed until 10/05", "1234", "1234 hello", "1234 closed", "1234 closed until 10/05 or 10/06",
        "1234 closed until 1404/10/05", "1234 closed until 1406/10/05", "12 closed until 10/05", "",
        "1234567890123 open",
    ],
)  # fmt: skip
def test_what_is_no_order_changes_nothing(text: str) -> None:
    assert of_owner(text, NOW) is None
