"""The book of outbound lists: who is next, and what is true of whom afterwards."""

from __future__ import annotations

import pytest

from appliance.outbound_lists.book import OTHER_HAND_MS, UNCOUNTED_MS, ListBook, Taken
from appliance.outbound_lists.outcomes import Outcome
from appliance.outbound_lists.settings import OutboundList

SPRING = OutboundList(name="spring", calendar="work", agents=("sara", "reza"), attempts=2, spacing_minutes=10.0)
SUMMER = OutboundList(name="summer", calendar="work", agents=("sara",))
NOW = 1_000_000
SPACING = SPRING.spacing_ms


def book() -> ListBook:
    it = ListBook({"spring": SPRING, "summer": SUMMER})
    for number in ("1", "2", "3"):
        it.add("spring", f"e{number}", f"+98{number}")
    return it


def take(it: ListBook, agent: str = "sara", now: int = NOW, list_name: str = "") -> str:
    taken = it.take(agent, now, lambda _: True, list_name)
    return taken.entry if isinstance(taken, Taken) else taken


def tried(it: ListBook, outcome: Outcome, now: int = NOW, agent: str = "sara", due: int = 0) -> str:
    entry = take(it, agent, now)
    it.dials(entry, f"c{now}")
    it.settle(entry, f"c{now}", outcome, now, due)
    it.release(agent)
    return entry


def test_entries_come_in_the_order_of_the_file_and_each_to_one_agent() -> None:
    it = book()
    assert (take(it), take(it, "reza"), take(it)) == ("e1", "e2", "in_hand")
    it.release("sara")
    assert take(it) == "e1"  # nobody was dialled: it is the next one still


def test_who_may_not_work_a_list_or_comes_when_it_is_closed_or_paused_gets_nobody() -> None:
    it = book()
    assert take(it, "mina") == "not_yours" and it.take("sara", NOW, lambda _: False) == "closed"
    it.paused.add("spring")
    assert take(it, list_name="spring") == "paused"


def test_attempts_are_counted_and_spaced() -> None:
    it = book()
    it.forbid("+982")
    it.forbid("+983")
    assert tried(it, Outcome.BUSY) == "e1"
    assert take(it, now=NOW + SPACING - 1) == "nobody" and it.next_moment("spring") == NOW + SPACING
    assert tried(it, Outcome.NO_ANSWER, NOW + SPACING) == "e1"
    assert take(it, now=NOW + 100 * SPACING) == "nobody" and it.remaining("spring") == 0


@pytest.mark.parametrize("outcome", [Outcome.NETWORK, Outcome.NO_AGENT, Outcome.INTERRUPTED])
def test_what_was_not_the_customer_s_doing_does_not_count(outcome: Outcome) -> None:
    it = ListBook({"spring": SPRING})
    it.add("spring", "e1", "+981")
    for number in range(5):
        assert tried(it, outcome, NOW + number * UNCOUNTED_MS) == "e1"


def test_a_call_that_was_agreed_comes_at_its_moment_before_who_was_never_tried() -> None:
    it = book()
    assert tried(it, Outcome.CALL_AGAIN, due=NOW + 5_000) == "e1"
    assert tried(it, Outcome.REACHED, NOW + 4_999) == "e2"
    assert take(it, now=NOW + 5_000) == "e1"


def test_a_word_may_be_changed_until_the_customer_is_called_again() -> None:
    it = book()
    assert tried(it, Outcome.NOT_GIVEN) == "e1"
    settled = it.settle("e1", f"c{NOW}", Outcome.REACHED, NOW + 1)
    assert settled is not None and not settled.is_open and settled.attempts == 1 and it.remaining("spring") == 2
    settled = it.settle("e1", f"c{NOW}", Outcome.CALL_AGAIN, NOW + 2, due=NOW + 10)
    assert settled is not None and settled.is_open and settled.attempts == 1
    assert take(it, now=NOW + 10) == "e1"
    it.dials("e1", "another")
    assert it.settle("e1", f"c{NOW}", Outcome.REACHED, NOW + 11) is None
    assert it.settle("nobody", "c", Outcome.REACHED, NOW) is None


def test_a_number_of_two_lists_is_in_one_hand() -> None:
    it = book()
    it.add("summer", "s1", "+981")
    assert take(it, "reza") == "e1"
    assert take(it, list_name="summer") == "nobody"
    it.release("reza")
    assert take(it, now=NOW + OTHER_HAND_MS, list_name="summer") == "s1"


def test_who_is_forbidden_is_done_in_every_list_and_stays_so() -> None:
    it = book()
    it.add("summer", "s1", "+981")
    it.forbid("+981")
    assert it.remaining("summer") == 0 and take(it) == "e2"
    assert it.why_not("spring", "+981") == "do_not_call" and it.why_not("spring", "+983") == "listed"
    it.allow("+981")
    it.release("sara")
    assert take(it, list_name="summer") == "nobody"
