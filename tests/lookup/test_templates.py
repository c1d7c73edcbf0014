"""Values in URLs and out of answers: nothing that a caller presses, or a server says, leaves its place."""

from __future__ import annotations

import json
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Problem
from appliance.lookup.templates import filled, taken, takes_of, target_of


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_value_leaves_its_segment_or_its_parameter(order: str, caller: str) -> None:
    path = filled("/orders/{order}/state?n={caller}&x=1", {"order": order, "caller": caller})
    parts = urlsplit(f"https://shop.example{path}")
    assert parts.netloc == "shop.example" and parts.path.count("/") == 3 and not parts.fragment
    assert parts.query.count("&") == 1 and parts.query.endswith("&x=1")
    assert unquote(parts.path.split("/")[2]) == order.encode("utf-8", "replace").decode() or any(
        "\ud800" <= letter <= "\udfff" for letter in order
    )
    assert not any(letter <= " " or letter > "~" for letter in path)


@pytest.mark.parametrize("value", ["..", ".", "a/../b", "%2e%2e", "\r\nHost: evil", "?x=2", "#", "@evil.example"])
def test_values_that_mean_something_in_a_url_mean_nothing_here(value: str) -> None:
    path = filled("/orders/{order}", {"order": value})
    assert path.count("/") == 2 and not set("\r\n?#@") & set(path) and not path.endswith("/..")


@pytest.mark.parametrize(
    "url",
    ["ftp://a/b", "https:///x", "https://{host}/x", "https://user@a/x", "https://a:99999/", "https://a/ b", "no url"],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(Problem, match="bad_url"):
        target_of("orders", url)


def test_values_are_found_by_their_ways_and_only_plain_ones_are_taken() -> None:
    ways = takes_of("orders", ("state = order.items[0].state", "amount = total", "open = open", "deep = order"))
    body = json.dumps({"order": {"items": [{"state": "sent"}]}, "total": 250_000.0, "open": True}).encode()
    assert taken(body, ways) == {"state": "sent", "amount": 250_000, "open": True}
    assert taken(b'{"order": {"items": []}, "total": null}', ways) == {}
    assert taken(b"[1, 2", ways) is None and taken(b"[" * 100_000, ways) is None and taken(b"\xff\xfe", ways) is None
    assert taken(json.dumps({"total": "x" * 10_000}).encode(), ways) == {"amount": "x" * 500}


@given(st.binary(max_size=200))
def test_any_answer_is_read_or_refused(body: bytes) -> None:
    assert isinstance(taken(body, {"state": ("a", 0, "b")}), dict | None)


@pytest.mark.parametrize("line", ["state", "State = a", "state = a b", "= a", "state = "])
def test_a_line_of_takes_that_says_nothing_is_refused(line: str) -> None:
    with pytest.raises(Problem, match="bad_takes"):
        takes_of("orders", (line,))
