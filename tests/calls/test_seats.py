"""Who sits where, and how often a PIN may be wrong."""

from __future__ import annotations

import pytest

from appliance.calls.pin_tries import LOCK_SECONDS, MOST_TRIES, Tries
from appliance.calls.pins import why_weak
from appliance.calls.seats import Seats
from appliance.calls.settings import Agent

AGENTS = (Agent(name="sara", phone="desk1"), Agent(name="reza", phone="desk1"), Agent(name="mina"))


def test_until_they_sit_down_agents_sit_where_the_settings_say_several_at_one_telephone() -> None:
    seats = Seats(AGENTS)
    assert seats.at("desk1") == ("sara", "reza") and seats.first_at("desk1") == "sara"
    assert seats.phone_of("mina") == seats.phone_of("nobody") == ""


def test_who_signs_in_has_the_telephone_alone_and_leaves_the_one_before() -> None:
    seats = Seats(AGENTS)
    assert seats.sit("mina", "desk1", 5) == ("sara", "reza")
    assert (seats.at("desk1"), seats.phone_of("sara")) == (("mina",), "")
    assert seats.sit("mina", "desk2", 9) == ()
    assert (seats.at("desk1"), seats.at("desk2"), seats.signed_in) == ((), ("mina",), {"mina": 9})


def test_who_leaves_sits_nowhere_also_where_the_settings_have_a_telephone_for_them() -> None:
    seats = Seats(AGENTS)
    seats.leave("sara")
    assert seats.phone_of("sara") == "" and seats.first_at("desk1") == "reza"


def test_what_the_records_know_counts_only_for_agents_of_the_settings() -> None:
    seats = Seats(AGENTS)
    seats.restore("mina", "desk9", 7)
    seats.restore("gone", "desk9", 7)
    seats.restore("sara", "", 7)
    assert seats.at("desk9") == ("mina",) and seats.phone_of("sara") == "" and seats.signed_in == {"mina": 7}


def test_a_stranger_at_one_telephone_locks_it_and_at_most_one_agent() -> None:
    tries = Tries()
    agents = [f"agent{number}" for number in range(20)]
    for number in range(100):
        if not tries.locked(agents[number % 20], "hall", 0.0):
            tries.failed(agents[number % 20], "hall", 0.0)
    assert tries.all_locked(0.0) == ((), ("hall",))
    assert not any(tries.locked(agent, "desk1", 0.0) for agent in agents)


def test_an_agent_whose_pin_was_wrong_ten_times_is_locked_everywhere_for_half_an_hour() -> None:
    tries = Tries()
    held = []
    for number in range(MOST_TRIES):
        held.append(tries.held_seconds("sara", f"desk{number}", float(number)))
        tries.failed("sara", f"desk{number}", float(number))
    assert held == sorted(held) and held[:3] == [0, 0, 0] and held[-1] == 30.0
    assert tries.locked("sara", "elsewhere", 9.0) == "agent" and not tries.locked("reza", "desk1", 9.0)
    assert not tries.locked("sara", "elsewhere", 9.0 + LOCK_SECONDS)


def test_showing_ones_own_pin_between_does_not_open_the_telephone_for_guesses_at_others() -> None:
    tries = Tries()
    for _ in range(MOST_TRIES):
        tries.failed("sara", "hall", 0.0)
        tries.succeeded("mallory")
    assert tries.locked("reza", "hall", 0.0) == "phone"
    tries.opened("hall")
    assert not tries.locked("reza", "hall", 0.0)


@pytest.mark.parametrize("pin", ["1234", "0000", "9876", "4321", "1212", "2012", "20120", "012345", "77777777"])
def test_a_pin_that_everybody_guesses_first_is_not_taken(pin: str) -> None:
    assert why_weak(pin, "201") == "weak"


@pytest.mark.parametrize("pin", ["", "123", "123456789", "12a4", "۱۲۳۴", "-123", "1 34"])
def test_a_pin_has_four_to_eight_digits(pin: str) -> None:
    assert why_weak(pin, "") == "length"


def test_most_pins_are_taken() -> None:
    assert sum(not why_weak(f"{number:04d}", "201") for number in range(10_000)) > 9_800
