"""The words of messages: both languages, short, and no value is ever read as a template."""

from __future__ import annotations

from typing import get_args

import pytest

from appliance.errors import Problem
from appliance.messages import LANGUAGES, Language
from appliance.messages.calendar import moment_of
from appliance.notify import texts
from appliance.notify.outbox import TO_OWNER, Kind
from appliance.notify.parts import count
from appliance.notify.texts import Facts

KINDS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind not in TO_OWNER)
FACTS = Facts("شرکت پاسخ", "271825", moment_of("2026-11-28 17:30") or 0, "https://firm.example/s/0190aa")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_message_to_a_caller_is_two_parts_at_most(kind: Kind, language: Language) -> None:
    text = texts.sms(kind, FACTS, language)
    assert "شرکت پاسخ" in text and "{" not in text and count(text) <= 2


def test_a_promise_says_when_in_the_calendar_and_digits_of_its_reader() -> None:
    assert "۱۴۰۵/۰۹/۰۷ ۱۷:۳۰" in texts.sms("promise", FACTS, "fa") and "۲۷۱۸۲۵" in texts.sms("promise", FACTS, "fa")
    assert "2026-11-28 17:30" in texts.sms("promise", FACTS, "en") and "271825" in texts.sms("promise", FACTS, "en")


def test_a_firm_whose_name_looks_like_a_template_is_only_a_name() -> None:
    facts = Facts("{code} {key} %s " + "x" * 100, "271825")
    text = texts.sms("callback", facts, "en")
    assert text.startswith("{code} {key} %s xxx") and text.count("271825") == 1 and len(text) < 90


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_alarm_says_what_is_wrong_and_what_to_do(language: Language) -> None:
    subject, text = texts.alarm("shop", Problem("notify.trunk_down", trunk="main", code=503), False, language)
    assert subject.startswith("shop: ") and "main" in subject and len(text.splitlines()) == 2
    over, _ = texts.alarm("shop", Problem("notify.trunk_down", trunk="main", code=503), True, language)
    assert over != subject and "main" in over
    assert texts.alarm("shop", None, True, language)[0].startswith("shop: ")
