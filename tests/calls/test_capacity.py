"""A trunk's lines by direction, and who makes room for an emergency call."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from appliance.calls.capacity import Call, is_full, makes_room, ways, why_no_line_in, why_no_line_out
from appliance.signalling.settings import Trunk


def trunk(most: int, callers: int = -1, outgoing: int = 0, name: str = "main") -> Trunk:
    return Trunk(name=name, proxy="192.0.2.1", max_calls=most, kept_for_callers=callers, kept_for_outgoing=outgoing)


_numbers = itertools.count()


def incoming(began: float = 0.0, **settings: bool) -> Call:
    return _call(began, is_incoming=True, **settings)


def outgoing(began: float = 0.0, **settings: bool) -> Call:
    return _call(began, is_incoming=False, **settings)


def _call(began: float, *, is_incoming: bool, **settings: bool) -> Call:
    name = f"{next(_numbers)}"
    return Call(f"leg{name}", f"talk{name}", "main", is_incoming, began, **settings)


def test_a_trunk_without_a_limit_is_never_full() -> None:
    calls = [incoming() for _ in range(1000)]
    assert why_no_line_in(trunk(0, outgoing=5), calls) == why_no_line_out(trunk(0), calls, 5) == ""


def test_callers_never_get_the_lines_that_are_kept_for_our_calls() -> None:
    it = trunk(4, outgoing=2)
    assert why_no_line_in(it, [incoming()]) == ""
    assert why_no_line_in(it, [incoming(), incoming()]) == "lines_kept"
    assert why_no_line_in(it, [incoming(), outgoing(), outgoing()]) == ""  # those are in use: they keep nothing more
    assert why_no_line_in(it, [incoming(), incoming(), outgoing(), outgoing()]) == "trunk_full"


def test_we_never_get_the_lines_that_are_kept_for_callers() -> None:
    it = trunk(4, callers=2)
    assert why_no_line_out(it, [outgoing()], 0) == ""
    assert why_no_line_out(it, [outgoing(), outgoing()], 0) == "lines_kept"
    assert why_no_line_out(it, [incoming(), incoming(), outgoing()], 0) == ""


def test_a_trunk_s_own_setting_comes_before_that_of_the_box() -> None:
    busy = [outgoing()]
    assert why_no_line_out(trunk(2), busy, 1) == "lines_kept"
    assert why_no_line_out(trunk(2, callers=0), busy, 1) == ""


def test_lines_of_other_trunks_do_not_count() -> None:
    other = [Call("l", "c", "other", True, 0.0)]
    assert why_no_line_in(trunk(1), other) == "" and not is_full(trunk(1), other)


@given(
    st.integers(1, 8), st.integers(0, 4), st.integers(0, 4), st.lists(st.booleans(), max_size=40),
)  # fmt: skip
def test_whatever_the_order_each_direction_keeps_its_lines(
    most: int, callers: int, ours: int, arrivals: list[bool]
) -> None:
    it = trunk(most, callers, ours)
    calls: list[Call] = []
    for is_incoming in arrivals:
        refused = why_no_line_in(it, calls) if is_incoming else why_no_line_out(it, calls, 0)
        if not refused:
            calls.append(incoming() if is_incoming else outgoing())
        inside = sum(call.is_incoming for call in calls)
        assert len(calls) <= most
        assert inside <= max(0, most - ours) and len(calls) - inside <= max(0, most - callers)


def test_the_youngest_callback_makes_room_before_all_others() -> None:
    calls = [
        incoming(9.0),
        outgoing(8.0),
        old := outgoing(1.0, is_callback=True),
        young := outgoing(2.0, is_callback=True),
    ]
    assert makes_room(trunk(4), calls, "mine") == young
    assert makes_room(trunk(4), [each for each in calls if each != young], "mine") == old


def test_then_another_call_outside_makes_room_and_then_the_youngest_caller_who_does_not_wait() -> None:
    out, talks, menu, waits = outgoing(1.0), incoming(2.0), incoming(3.0), incoming(4.0, is_waiting=True)
    assert makes_room(trunk(4), [out, talks, menu, waits], "mine") == out
    assert makes_room(trunk(4), [talks, menu, waits], "mine") == menu
    assert makes_room(trunk(4), [talks, waits], "mine") == talks


def test_who_waits_in_a_line_is_never_cut_nor_an_emergency_call_nor_who_asks() -> None:
    waits, emergency = incoming(4.0, is_waiting=True), outgoing(5.0, is_emergency=True)
    caller_of_emergency = Call("leg", emergency.conversation, "main", True, 6.0)
    mine = Call("leg2", "mine", "main", True, 7.0)
    assert makes_room(trunk(4), [waits, emergency, caller_of_emergency, mine], "mine") is None


def test_a_line_that_is_only_held_for_a_callback_has_nothing_to_cut() -> None:
    assert makes_room(trunk(1), [outgoing(1.0, is_callback=True, is_dialled=False)], "mine") is None


def test_an_emergency_call_tries_a_trunk_that_is_up_and_free_first() -> None:
    trunks = [trunk(1), trunk(1, name="second"), trunk(1, name="third")]
    busy = [incoming()]
    assert ways(trunks, "main", ["main", "second", "third"], []) == ["main", "second", "third"]
    assert ways(trunks, "main", ["main", "third"], busy) == ["third", "main", "second"]
    assert ways(trunks, "third", [], busy)[0] == "third"
