"""The slots of parked customers: each customer has one, and of several who ask for the same one is given them."""

from __future__ import annotations

import pytest

from appliance.calls.features import TakeParked, Unknown, meant
from appliance.calls.slots import Slots


def test_the_lowest_free_slot_is_taken_and_the_tenth_customer_finds_none() -> None:
    slots = Slots()
    assert [slots.park(f"c{number}") for number in range(10)] == [*range(1, 10), 0]
    assert slots.leave("c3") and slots.park("late") == 4


def test_of_two_who_take_the_same_slot_one_finds_nobody() -> None:
    slots = Slots()
    slots.park("c1")
    found = slots.take(1)
    assert found is not None and found.leg == "c1"
    assert slots.take(1) is None and slots.take(0) is None and not slots.leave("c1")


def test_without_a_slot_who_was_parked_first_is_taken_though_their_slot_is_a_higher_one() -> None:
    slots = Slots()
    for leg in ("first", "second"):
        slots.park(leg)
    slots.leave("first")
    slots.park("third")
    found = slots.take(0)
    assert found is not None and (found.leg, found.slot) == ("second", 2)
    assert dict(slots.names())["*91"] and not dict(slots.names())["*92"]


@pytest.mark.parametrize(
    ("dialled", "slot"), [("*9", 0), ("*91", 1), ("*99#", 9), ("*90", None), ("*912", None), ("*9x", None)]
)
def test_a_slot_is_one_digit_behind_the_code(dialled: str, slot: int | None) -> None:
    assert meant(dialled) == (Unknown() if slot is None else TakeParked(slot))
