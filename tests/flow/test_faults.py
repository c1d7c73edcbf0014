"""A hundred faults sown into the flows that ship, in more than twenty ways: each is found and named at its line."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from appliance.errors import Problem
from appliance.flow import catalogue
from appliance.flow.catalogue import House, findings
from appliance.flow.check import ADVICE
from appliance.flow.load import load
from appliance.messages import LANGUAGES, problem_lines
from appliance.places import shipped_flows

FLOWS = ("clinic", "shop", "support")
TIMES_EACH = 4
NOWHERE = "nowhere_at_all"


@dataclass(frozen=True)
class Sown:
    """A text with one fault, the finding that must name it, and the line (from 1) at which it must."""

    text: str
    key: str
    line: int


Sower = Callable[[list[str], random.Random], Sown | None]
"""Sows one fault into the lines of a flow; None where this flow has no place for it."""


@functools.cache
def house() -> House:
    flows = shipped_flows()
    return catalogue.house(
        flows,
        flows / "prompts",
        agents=["first"],
        queues=["reception", "sales", "technical", "accounts"],
        lookups=["orders", "customers"],
        may_dial=lambda number: not number.startswith("0909"),
    )


def found_in(text: str) -> list[Problem]:
    try:
        return findings(load(text, "sown.toml"), house())
    except Problem as problem:
        return [problem]


def where(lines: list[str], pattern: str) -> list[int]:
    return [number for number, line in enumerate(lines) if re.fullmatch(pattern, line)]


def header_above(lines: list[str], number: int) -> int:
    return next(at for at in range(number, -1, -1) if re.fullmatch(r"\[node\.[a-z_]+\]", lines[at]))


def changed(pattern: str, replacement: str, key: str, at_header: bool = False) -> Sower:
    """One of the lines that match becomes ``replacement`` (empty: it goes)."""

    def sow(lines: list[str], chance: random.Random) -> Sown | None:
        places = where(lines, pattern)
        if not places:
            return None
        at = chance.choice(places)
        line = re.sub(pattern, replacement, lines[at])
        told = header_above(lines, at) if at_header else at
        return Sown("\n".join([*lines[:at], *([line] if line else []), *lines[at + 1 :]]), key, told + 1)

    return sow


def appended(block: str, key: str, told: str, *, into: str = "", to: str = "") -> Sower:
    """``block`` at the end, perhaps reached by changing a line; told at the line of the block that begins ``told``."""

    def sow(lines: list[str], chance: random.Random) -> Sown | None:
        text = list(lines)
        if into:
            places = where(text, into)
            if not places:
                return None
            text[chance.choice(places)] = to
        whole = [*text, *block.split("\n")]
        return Sown("\n".join(whole), key, max(where(whole, re.escape(told) + ".*")) + 1)

    return sow


TO_NEXT = r'(next|on_[a-z]+) = "[a-z_]+"'
SOWERS: dict[str, Sower] = {
    "a way to nowhere": changed(TO_NEXT, rf'\1 = "{NOWHERE}"', "flow.no_such_node"),
    "no time-out": changed(r"timeout_seconds = \d+", "", "flow.no_timeout", at_header=True),
    "a setting misspelt": changed(r"attempts = (\d)", r"atempts = \1", "flow.unknown_key"),
    "a prompt misspelt": changed(r'prompt = "([a-z_]+)"', r'prompt = "\1_x"', "flow.no_prompt"),
    "a prompt without sound": changed(r'wrong_prompt = "[a-z_]+"', 'wrong_prompt = "silence"', "flow.no_prompt"),
    "no such kind": changed(r'kind = "menu"', 'kind = "manu"', "flow.unknown_kind"),
    "a node that nobody reaches": appended(
        '[node.attic]\nkind = "goodbye"', "flow.unreachable", "[node.attic]"
    ),
    "a beginning that is not there": changed(r'start = "[a-z]+"', f'start = "{NOWHERE}"', "flow.no_start"),
    "an unknown language": changed(r'languages = \["fa", "en"\]', 'languages = ["fa", "xx"]', "flow.unknown_language"),
    "a language that is not spoken": changed(r'language = "en"', 'language = "xx"', "flow.unknown_language"),
    "no way out": appended(
        '[node.trap]\nkind = "say"\nprompt = "goodbye"\nnext = "trap"',
        "flow.endless", "[node.trap]", into=r'next = "goodbye"', to='next = "trap"',
    ),
    "a key that no telephone has": changed(r'1 = "([a-z_]+)"', r'A = "\1"', "flow.bad_key"),
    "too long a time-out": changed(r"timeout_seconds = \d+", "timeout_seconds = 600", "flow.out_of_range"),
    "a word for a number": changed(r"timeout_seconds = \d+", 'timeout_seconds = "six"', "flow.needs_number"),
    "a number for a name": changed(r'next = "[a-z_]+"', "next = 7", "flow.needs_text"),
    "an unknown line": changed(r'queue = "[a-z]+"', 'queue = "nobody"', "flow.unknown_queue"),
    "an unknown calendar": changed(r'calendar = "[a-z]+"', 'calendar = "moon"', "flow.unknown_hours"),
    "an unknown look-up": changed(r'lookup = "[a-z]+"', 'lookup = "oracle"', "flow.unknown_lookup"),
    "a variable that is not declared": changed(r'into = "[a-z]+"', 'into = "unheard"', "flow.unknown_variable"),
    "something missing": changed(r'on_failure = "[a-z_]+"', "", "flow.missing_key", at_header=True),
    "Persian digits": changed(r"timeout_seconds = \d+", "timeout_seconds = ۶", "flow.foreign_digits"),
    "a mark that nobody sees": changed(r'kind = "([a-z]+)"', '\u200fkind = "\\1"', "flow.hidden_mark"),
    "a node twice": appended('[node.goodbye]\nkind = "goodbye"', "flow.section_twice", "[node.goodbye]"),
    "a value before it is known": changed(
        r'prompt = \["[a-z]+_greeting", "recording_notice"\]', 'prompt = "tracking_code_is"', "flow.used_before_set"
    ),
    "a value in a wrong kind": changed(r'prompt = "leave_message"', 'prompt = "{now:toman}"', "flow.bad_slot"),
    "a value that is not there": changed(
        r'prompt = "leave_message"', 'prompt = "{ghost:digits}"', "flow.unknown_variable"
    ),
    "a number that may not be dialled": appended(
        '[node.out]\nkind = "transfer"\nto = "09091234567"\non_failure = "goodbye"',
        "flow.forbidden_number", "to =", into=r'on_nobody = "[a-z_]+"', to='on_nobody = "out"',
    ),
    "control by anybody": appended(
        '[node.cut]\nkind = "control"\naction = "night_on"\nnext = "goodbye"\non_failure = "goodbye"',
        "flow.control_outside", "[node.cut]", into=r'next = "goodbye"', to='next = "cut"',
    ),
    "a person three keys away": appended(
        "".join(
            f'[node.deep{n}]\nkind = "menu"\nprompt = "goodbye"\ntimeout_seconds = 5\non_failure = "goodbye"\n'
            f'[node.deep{n}.keys]\n1 = "{"deep" + str(n + 1) if n < 3 else "message"}"\n'
            for n in (1, 2, 3)
        ),
        "flow.far_person", "[node.deep1]", into=r'1 = "(reception|order|technical)"', to='1 = "deep1"',
    ),
    "a setting of another section": changed(r"max_seconds = \d+", "max_minutes = 15", "flow.unknown_key"),
}  # fmt: skip


def key_to_nowhere(lines: list[str], chance: random.Random) -> Sown | None:
    at = chance.choice(where(lines, r"\[node\.(?!language)[a-z_]+\.keys\]")) + 1
    text = [*lines[:at], f'{lines[at][:4]}"{NOWHERE}"', *lines[at + 1 :]]
    return Sown("\n".join(text), "flow.no_such_node", at + 1)


def circle(lines: list[str], chance: random.Random) -> Sown | None:
    """A node that a silent caller never leaves."""
    at = chance.choice(where(lines, r'on_failure = "[a-z_]+"'))
    header = header_above(lines, at)
    if where(lines[header:at], r'kind = "(menu|faq|digits)"') == []:
        return None
    name = lines[header].removeprefix("[node.").removesuffix("]")
    text = [*lines[:at], f'on_failure = "{name}"', *lines[at + 1 :]]
    return Sown("\n".join(text), "flow.endless", header + 1)


def recorded_before_notice(lines: list[str], _chance: random.Random) -> Sown | None:
    at = where(lines, r'kind = "notice"')[0]
    text = [*lines[:at], 'kind = "say"', *lines[at + 1 :]]
    return Sown(
        "\n".join(text), "flow.recorded_before_notice", header_above(text, where(text, 'kind = "voicemail"')[0]) + 1
    )


def told_before_identity(lines: list[str], _chance: random.Random) -> Sown | None:
    places = where(lines, r'on_no = "unknown"')
    if not places:
        return None
    text = [*lines[: places[0]], 'on_no = "account"', *lines[places[0] + 1 :]]
    return Sown("\n".join(text), "flow.told_before_identity", where(text, r'prompt = "your_balance"')[0] + 1)


def secret_read_back(lines: list[str], _chance: random.Random) -> Sown | None:
    places = where(lines, r'order = "digits"')
    if not places:
        return None
    text = [*lines[: places[0]], 'order = "secret"', *lines[places[0] + 1 :]]
    return Sown("\n".join(text), "flow.secret_shown", where(text, r'confirm = "digits"')[0] + 1)


def many_choices(lines: list[str], _chance: random.Random) -> Sown | None:
    at = where(lines, r"\[node\.main\.keys\]")[0]
    used = {line[0] for line in lines[at + 1 : at + 8] if re.match(r"\d = ", line)}
    more = [f'{key} = "goodbye"' for key in "123456780" if key not in used][: 8 - len(used)]
    return Sown("\n".join([*lines[: at + 1], *more, *lines[at + 1 :]]), "flow.many_choices", at + 1)


def long_before_choice(lines: list[str], _chance: random.Random) -> Sown | None:
    if where(lines, 'kind = "language"'):
        return None  # its first choice comes before the notice
    at = where(lines, r'prompt = \["[a-z]+_greeting", "recording_notice"\]')[0]
    notices = ", ".join(['"recording_notice"'] * 20)
    text = [*lines[:at], f"prompt = [{notices}]", *lines[at + 1 :]]
    return Sown("\n".join(text), "flow.long_before_choice", 0)


SOWERS |= {
    "a key to nowhere": key_to_nowhere,
    "a circle": circle,
    "recorded before the notice": recorded_before_notice,
    "private before identity": told_before_identity,
    "a secret read back": secret_read_back,
    "too many choices": many_choices,
    "too long before the first choice": long_before_choice,
}


@pytest.mark.parametrize("flow", [*FLOWS, "remote", "welcome"])
def test_the_flows_that_ship_have_no_fault(flow: str) -> None:
    text = (shipped_flows() / f"{flow}.toml").read_text(encoding="utf-8")
    assert found_in(text) == []


@pytest.mark.parametrize("way", SOWERS)
def test_a_fault_is_found_and_named_at_its_line(way: str) -> None:
    count = 0
    for flow in FLOWS:
        lines = (shipped_flows() / f"{flow}.toml").read_text(encoding="utf-8").split("\n")
        for seed in range(TIMES_EACH):
            fault = SOWERS[way](lines, random.Random(f"{way} {flow} {seed}"))
            if fault is None:
                continue
            count += 1
            problems = found_in(fault.text)
            named = [(each.key, each.fields.get("line")) for each in problems]
            if fault.line:
                assert (fault.key, fault.line) in named, (flow, seed, named)
            else:
                assert fault.key in [key for key, _ in named], (flow, seed, named)
            for each in problems:
                for language in LANGUAGES:
                    assert all(problem_lines(each, language))
    assert count >= TIMES_EACH


def test_there_are_more_than_a_hundred_faults_in_more_than_twenty_ways() -> None:
    texts = set()
    for way, sow in SOWERS.items():
        for flow in FLOWS:
            lines = (shipped_flows() / f"{flow}.toml").read_text(encoding="utf-8").split("\n")
            for seed in range(TIMES_EACH):
                fault = sow(lines, random.Random(f"{way} {flow} {seed}"))
                if fault is not None:
                    texts.add(fault.text)
    assert len(SOWERS) > 20 and len(texts) >= 100
    assert {"flow.many_choices", "flow.long_before_choice"} <= ADVICE
