"""The form of a call: its time, its versions, and what becomes of one that is not given."""

from __future__ import annotations

import random

import pytest

from appliance.calls.wrap_up import About, Change, Form, Forms
from appliance.records.drafts import FIELDS


def about(conversation: str = "c1") -> About:
    return About(conversation, "+989121234567", "09121234567", "", "fa", 0.0)


def after_a_talk(seconds: float = 30.0) -> tuple[Forms, Form]:
    """The first agent has let go of the customer at second 100."""
    forms = Forms()
    assert forms.begin("sara", about(), "leg1", "sales", seconds) is None
    form = forms.over("sara", "leg1", now=100.0)
    assert form is not None
    return forms, form


def test_its_time_begins_with_the_end_of_the_talk_and_may_be_made_longer_once() -> None:
    forms, form = after_a_talk()
    assert forms.deadline == 130.0 and forms.due(129.9) == []
    assert [forms.extend("sara"), forms.extend("sara")] == [True, False]
    assert forms.due(159.9) == [] and forms.due(160.0) == [form] and form.state == "missed"
    assert forms.due(999.0) == [] and not forms.extend("sara")


def test_what_was_missed_can_be_given_as_long_as_no_other_call_has_come() -> None:
    forms, form = after_a_talk()
    forms.due(130.0)
    form.write([Change("disposition", "settled", 0)])
    assert forms.give("sara").state == "given" and forms.begin("sara", about("c2"), "leg2", "", 0.0) is None


def test_a_form_that_was_given_while_they_spoke_has_no_time_to_wait_for() -> None:
    forms = Forms()
    forms.begin("sara", about(), "leg1", "sales", 30.0)
    forms.give("sara")
    assert forms.over("sara", "leg1", 100.0) is not None and forms.deadline is None


@pytest.mark.parametrize(("asks", "typed", "is_missed"), [(30.0, "", True), (0.0, "x", True), (0.0, "", False)])
def test_the_next_call_pushes_away_what_was_not_given(asks: float, typed: str, is_missed: bool) -> None:
    """A line that gives no time asks for nothing, and what was typed is kept all the same."""
    forms = Forms()
    forms.begin("sara", about(), "leg1", "sales" if asks else "", asks)
    form = forms.of("sara")
    assert form is not None
    form.write([Change("note", typed, 0)])
    pushed = forms.begin("sara", about("c2"), "leg2", "sales", 30.0)
    assert (pushed is form) is is_missed and forms.of("sara") is not form


def test_what_was_typed_after_it_was_given_is_not_lost_with_the_next_call() -> None:
    forms, form = after_a_talk()
    forms.give("sara")
    form.write([Change("note", "one word more", 0)])
    assert forms.begin("sara", about("c2"), "leg2", "", 0.0) is form and form.state == "given"


def test_who_gets_the_same_customer_back_goes_on_with_the_same_form() -> None:
    forms, form = after_a_talk()
    form.write([Change("note", "first part", 0)])
    assert forms.begin("sara", about(), "leg9", "", 0.0) is None
    assert forms.of("sara") is form and form.values["note"] == "first part" and forms.deadline is None
    assert forms.over("sara", "leg1", 200.0) is None and forms.over("sara", "leg9", 200.0) is form
    assert form.until == 230.0


def test_another_leg_of_the_agent_ends_nothing() -> None:
    forms = Forms()
    forms.begin("sara", about(), "leg1", "sales", 30.0)
    assert forms.over("sara", "another", 10.0) is None and forms.over("reza", "leg1", 10.0) is None


def test_of_two_who_write_a_field_the_second_must_have_seen_the_first() -> None:
    forms, form = after_a_talk()
    assert form.write([Change("note", "a", 0), Change("kind", "complaint", 0)]) == ()
    assert form.write([Change("note", "b", 0), Change("resolved", "yes", 0)]) == ("note",)
    assert (form.values["note"], form.values["resolved"], form.versions["note"]) == ("a", "yes", 1)
    assert form.write([Change("note", "a", 0)]) == ()  # the same words are no quarrel
    assert form.write([Change("note", "b", 1)]) == () and form.values["note"] == "b"


@pytest.mark.parametrize("seed", range(200))
def test_whatever_two_windows_do_no_word_is_written_over_by_who_had_not_seen_it(seed: int) -> None:
    chance = random.Random(seed)
    form = Form("sara", about(), "leg1", "sales", 30.0)
    windows: list[dict[str, int]] = [dict.fromkeys(FIELDS, 0), dict.fromkeys(FIELDS, 0)]
    written: dict[str, list[tuple[int, str]]] = {name: [(0, "")] for name in FIELDS}
    for step in range(60):
        seen, name, value = windows[chance.randrange(2)], chance.choice(FIELDS), f"{step}"
        if chance.random() < 0.3:
            seen.update(form.versions)  # the page is renewed
            continue
        before = form.versions[name]
        refused = form.write([Change(name, value, seen[name])])
        assert (refused == (name,)) is (seen[name] != before)
        if not refused:
            written[name].append((seen[name], value))
            seen[name] = form.versions[name]
    for name in FIELDS:
        assert [seen for seen, _ in written[name][1:]] == list(range(len(written[name]) - 1))
        assert form.values[name] == written[name][-1][1]
