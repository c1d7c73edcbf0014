"""Where calls go that somebody has sent elsewhere: chains are followed, and never round and round."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from appliance.calls.forwarding import MOST_HOPS, Followed, follow, read, written
from appliance.calls.inside import Inside

NAMES = ("201", "202", "203", "204")
ANYWHERE = st.sampled_from((*NAMES, "09121234567"))


def whom(number: str) -> Inside | None:
    return Inside("phone", number) if number in NAMES else None


def test_who_has_sent_calls_nowhere_is_rung() -> None:
    assert follow("201", {}, whom) == Followed("201")
    assert follow("09121234567", {"201": "202"}, whom) == Followed("09121234567")


def test_a_chain_is_followed_to_its_end() -> None:
    forwards = {"201": "202", "202": "09121234567"}
    assert follow("201", forwards, whom) == Followed("09121234567", (("201", "202"), ("202", "09121234567")))


def test_two_who_send_to_each_other_ring_the_one_who_was_dialled() -> None:
    assert follow("201", {"201": "202", "202": "201"}, whom).number == "201"


@given(st.dictionaries(st.sampled_from(NAMES), ANYWHERE), st.sampled_from(NAMES))
def test_whatever_is_sent_where_nobody_is_passed_twice(forwards: dict[str, str], number: str) -> None:
    found = follow(number, forwards, whom)
    assert len(found.hops) <= MOST_HOPS
    assert len({name for name, _ in found.hops}) == len(found.hops)
    at = number
    for name, to in found.hops:
        assert name == at and forwards[name] == to
        at = to
    assert at == found.number


@given(st.dictionaries(st.sampled_from(NAMES), ANYWHERE))
def test_what_is_written_is_read_again(forwards: dict[str, str]) -> None:
    assert read(written(forwards)) == forwards


def test_what_is_no_entry_is_passed_over() -> None:
    for rubbish in itertools.chain(("", ",", ">", "201>", ">202", ",,201"), ("201",)):
        assert read(rubbish) == {}
