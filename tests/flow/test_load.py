"""A flow is read strictly: what is wrong with its form is named with file, line and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import Problem
from appliance.flow.load import MAX_TEXT_BYTES, load
from appliance.flow.model import Call, Goodbye, Goto, Menu, Notice, Say
from appliance.messages import LANGUAGES, problem_lines
from appliance.toml_lines import line_numbers
from tests.flow.given import OFFICE, changed, line_of, office, refusal


def test_every_kind_of_node_is_read_as_it_is_written() -> None:
    flow = office()
    assert (flow.name, flow.start, flow.languages, flow.needs_notice) == ("office", "greeting", ("fa", "en"), True)
    assert flow.nodes == {
        "greeting": Notice(prompt=("hello", "recorded"), next="main"),
        "main": Menu(
            prompt=("choices",),
            keys={"1": "sales", "2": "hours", "9": "english"},
            timeout_seconds=5,
            attempts=3,
            wrong_prompt=("wrong",),
            timeout_prompt=("nothing",),
            on_failure="bye",
        ),
        "english": Goto(language="en", next="main"),
        "hours": Say(prompt=("open_from",), next="main"),
        "sales": Call(agents=("sara", "reza"), ring_seconds=20, on_nobody="sorry"),
        "sorry": Goodbye(prompt=("nobody_there",), outcome="nobody"),
        "bye": Goodbye(prompt=("goodbye",), outcome="no_choice"),
    }


# What is changed, the key of the Problem, and how the line begins to which it points.
WRONG = [
    ('kind = "say"', 'kind = "sya"', "flow.unknown_kind", 'kind = "sya"'),
    ('kind = "say"', 'kind = ["say"]', "flow.unknown_kind", "kind = ["),
    ('kind = "say"\n', "", "flow.unknown_kind", "[node.hours]"),
    ('kind = "say"', 'kind = "say"\nspeed = 2', "flow.unknown_key", "speed"),
    ("ring_seconds = 20", "ring_second = 20", "flow.unknown_key", "ring_second"),
    ("ring_seconds = 20", "ring_seconds = 2", "flow.out_of_range", "ring_seconds"),
    ("ring_seconds = 20", "ring_seconds = nan", "flow.out_of_range", "ring_seconds"),
    ("ring_seconds = 20", "ring_seconds = true", "flow.needs_number", "ring_seconds"),
    ("ring_seconds = 20", 'ring_seconds = "20"', "flow.needs_number", "ring_seconds"),
    ("attempts = 3", "attempts = 2.5", "flow.out_of_range", "attempts"),
    ("attempts = 3", "attempts = 0", "flow.out_of_range", "attempts"),
    ("timeout_seconds = 5\n", "", "flow.no_timeout", "[node.main]"),
    ("timeout_seconds = 5", "timeout_seconds = 600", "flow.out_of_range", "timeout_seconds"),
    ('on_failure = "bye"\n', "", "flow.missing_key", "[node.main]"),
    ('on_nobody = "sorry"\n', "", "flow.missing_key", "[node.sales]"),
    ('prompt = "choices"', "prompt = []", "flow.needs_prompts", "prompt = []"),
    ('prompt = "choices"', 'prompt = ""', "flow.needs_prompts", 'prompt = ""'),
    ('prompt = "choices"', "prompt = [1]", "flow.needs_prompts", "prompt = [1]"),
    ('agents = ["sara", "reza"]', 'agents = "sara"', "flow.needs_texts", "agents"),
    ('1 = "sales"', '11 = "sales"', "flow.bad_key", "11"),
    ('1 = "sales"', '"۱" = "sales"', "flow.bad_key", '"۱"'),
    ('1 = "sales"', "1 = 7", "flow.needs_text", "1 = 7"),
    ('1 = "sales"\n2 = "hours"\n9 = "english"\n', "", "flow.needs_keys", "[node.main.keys]"),
    ('name = "office"', 'name = "the office"', "flow.bad_name", "name"),
    ('name = "office"', "name = 5", "flow.needs_text", "name"),
    ("[node.hours]", '["node"."opening hours"]', "flow.bad_name", '["node"."opening hours"]'),
    ('start = "greeting"', 'start = "greetings"', "flow.no_start", "start"),
    ('start = "greeting"\n', "", "flow.no_start", "[flow]"),
    ('languages = ["fa", "en"]', 'languages = ["fa", "de"]', "flow.unknown_language", "languages"),
    ('languages = ["fa", "en"]', "languages = []", "flow.needs_texts", "languages"),
    ('languages = ["fa", "en"]', 'languages = "fa"', "flow.needs_texts", "languages"),
    ('language = "en"', 'language = "de"', "flow.unknown_language", "language ="),
    ('name = "office"', 'name = "office"\nneeds_notice = "no"', "flow.needs_choice", "needs_notice"),
    ('name = "office"', 'name = "office"\ncolour = "red"', "flow.unknown_key", "colour"),
    ("[flow]", "[queue]\n\n[flow]", "flow.unknown_section", "[queue]"),
    ("[flow]", "[node.odd.kind]\n\n[flow]", "flow.unknown_kind", "[node.odd.kind]"),
]


@pytest.mark.parametrize(("old", "new", "key", "start"), WRONG, ids=[f"{each[2]}: {each[1]!r}" for each in WRONG])
def test_a_fault_of_form_is_named_at_its_line(old: str, new: str, key: str, start: str) -> None:
    text = changed(old, new)
    problem = refusal(text)
    assert (problem.key, problem.fields["file"], problem.fields["line"]) == (key, "office.toml", line_of(text, start))
    for language in LANGUAGES:
        what, do = problem_lines(problem, language)
        assert "office.toml" in what and do


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[flow", "flow.not_toml"),
        (OFFICE + '[node.bye]\nkind = "goodbye"\n', "flow.section_twice"),
        (OFFICE + 'outcome = "again"\n', "flow.not_toml"),
        ("x = " + "[" * 20_000, "flow.not_toml"),
        ("[flow]\nname = '\x07'", "flow.not_toml"),
        ("\ufeff[flow]\n", "flow.hidden_mark"),
        (changed('name = "office"', '\u200fname = "office"'), "flow.hidden_mark"),
        (changed("timeout_seconds = 5", "timeout_seconds = ۵"), "flow.foreign_digits"),
        (changed("timeout_seconds = 5", "timeout_seconds = ٥"), "flow.foreign_digits"),
        ("#" * (5 << 20), "flow.too_long"),
    ],
    ids=[
        "bracket", "node twice", "key twice", "deep lists", "control character", "byte order mark",
        "right-to-left mark in a key", "Persian digit", "Arabic digit", "five megabytes",
    ],
)  # fmt: skip
def test_what_is_no_toml_is_refused_and_says_why(text: str, expected: str) -> None:
    assert refusal(text).key == expected


def test_marks_and_persian_digits_inside_texts_are_nobodys_fault() -> None:
    text = changed('prompt = "open_from"', 'prompt = "open_from"  # «می‌گوید» ۱۲۳')
    assert load(text, "office.toml").nodes["hours"].kind == "say"


def test_a_flow_without_nodes_or_head_is_refused() -> None:
    assert refusal("[node.a]\nkind = 'goodbye'").fields["section"] == "flow"
    assert refusal("[flow]\nname = 'x'").fields["section"] == "node"
    assert refusal("flow = 1").key == "flow.needs_table"
    assert refusal("[flow]\nstart = 'a'\n[node]\na = 1").key == "flow.needs_table"


def test_a_flow_of_megabytes_is_refused_before_it_is_read() -> None:
    assert refusal("# " + "ب" * (MAX_TEXT_BYTES // 2)).key == "flow.too_long"


def test_the_hash_names_what_is_written_and_not_how() -> None:
    first = office().sha256
    assert len(first) == 64
    assert load("# a remark\n" + OFFICE.replace("[node.bye]", "\n\n[node.bye]"), "other.toml").sha256 == first
    assert office("attempts = 3", "attempts = 4").sha256 != first


def test_a_flow_without_a_name_has_that_of_its_file() -> None:
    assert load(changed('name = "office"\n', ""), "night.toml").name == "night"


def test_lines_are_found_by_table_key_and_quoted_name() -> None:
    text = '# one\n[flow] # head\nname = "a"\n\n[ node . "b" ]\nkind="say"\n"keys".1 = "c"\r\n[node.b.keys]\n2 = "d"'
    assert line_numbers(text) == {
        ("flow",): 2,
        ("flow", "name"): 3,
        ("node", "b"): 5,
        ("node", "b", "kind"): 6,
        ("node", "b", "keys", "1"): 7,
        ("node", "b", "keys"): 8,
        ("node", "b", "keys", "2"): 9,
    }


PIECES = [*OFFICE.splitlines(keepends=True), "[", "]", '"', "'''\n", "= \n", "[node.x]\n", "kind = 3\n", "۱ = 2\n"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=80))
def test_any_text_is_a_flow_or_a_problem_with_both_texts(text: str) -> None:
    problem = None
    try:
        load(text, "any.toml")
    except Problem as caught:
        problem = caught
    if problem is not None:
        for language in LANGUAGES:
            what, do = problem_lines(problem, language)
            assert "any.toml" in what and do
