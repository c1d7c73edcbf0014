"""The book of callbacks: each attempt once, never more than the policy, none lost; against a plain list of rules."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import pytest

from appliance.queue.callbacks import UNCOUNTED, Book, Kept, Outcome, Policy, Wanted, outcome_of

RUNS = 10_000 if os.environ.get("PASOKH_LONG") else 800
MINUTE = 60_000
HOUR = 60 * MINUTE


def wanted(request: str = "r", customer: str = "+989121234567", opened: int = 0, not_before: int = 0) -> Wanted:
    return Wanted(
        request=request, queue="sales", customer=customer, language="fa", trunk="provider", opened=opened,
        not_before=not_before,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "cause", "expected"),
    [
        (486, "refused", Outcome.BUSY),
        (600, "refused", Outcome.BUSY),
        (480, "refused", Outcome.OFF),
        (404, "refused", Outcome.NO_SUCH_NUMBER),
        (484, "refused", Outcome.NO_SUCH_NUMBER),
        (604, "refused", Outcome.NO_SUCH_NUMBER),
        (408, "refused", Outcome.NO_ANSWER),
        (487, "refused", Outcome.NO_ANSWER),
        (0, "no_answer", Outcome.NO_ANSWER),
        (503, "refused", Outcome.NETWORK),
        (500, "refused", Outcome.NETWORK),
        (403, "refused", Outcome.NETWORK),
        (0, "network", Outcome.NETWORK),
        (603, "refused", Outcome.DECLINED),
    ],
)
def test_the_outcome_follows_the_cause(code: int, cause: str, expected: Outcome) -> None:
    assert outcome_of(code, cause) is expected


def test_a_request_is_in_one_hand_at_a_time() -> None:
    book = Book()
    book.add(wanted())
    assert book.take("r") and not book.take("r") and book.ready(0) == []


def test_only_a_person_ends_a_request_well() -> None:
    for outcome in Outcome:
        book = Book()
        book.add(wanted())
        book.take("r")
        assert (book.ended("r", outcome, 0) is Kept.DONE) == (outcome is Outcome.REACHED)


def test_attempts_are_spaced_and_limited() -> None:
    book = Book({"sales": Policy(attempts=2, spacing_ms=10 * MINUTE)})
    book.add(wanted())
    book.take("r")
    assert book.ended("r", Outcome.NO_ANSWER, 0) is Kept.OPEN
    assert book.ready(10 * MINUTE - 1) == [] and book.ready(10 * MINUTE)
    book.take("r")
    assert book.ended("r", Outcome.BUSY, 11 * MINUTE) is Kept.FAILED and len(book) == 0


@pytest.mark.parametrize("is_under_way", [False, True])
def test_who_asks_again_has_all_attempts_and_all_the_time_before_them(is_under_way: bool) -> None:
    book = Book({"sales": Policy(attempts=2, spacing_ms=10 * MINUTE, expires_ms=HOUR)})
    book.add(wanted())
    book.take("r")
    assert book.ended("r", Outcome.NO_ANSWER, 0) is Kept.OPEN
    if is_under_way:
        book.take("r")
        book.renew("r", 50 * MINUTE)
        assert book.ended("r", Outcome.BUSY, 51 * MINUTE) is Kept.OPEN  # that one was for the wish before
    else:
        book.renew("r", 50 * MINUTE)
    assert book.expired(HOUR + MINUTE) == []
    for minutes, kept in ((70, Kept.OPEN), (90, Kept.FAILED)):
        assert book.take("r")
        assert book.ended("r", Outcome.BUSY, minutes * MINUTE) is kept


def test_a_wish_makes_one_of_who_was_cut_off() -> None:
    book = Book()
    book.quarantine("+989121234567", 5 * HOUR)
    book.add(replace(wanted(), is_wish=False))
    assert book.ready(0) == []
    book.renew("r", 0)
    assert [each.is_wish for each in book.ready(0)] == [True]
    book.renew("gone", 0)  # nothing happens


def test_what_is_not_the_customer_s_doing_is_not_counted_but_bounded() -> None:
    book = Book({"sales": Policy(attempts=1, most_uncounted=5)})
    book.add(wanted())
    for _ in range(4):
        book.take("r")
        assert book.ended("r", Outcome.NETWORK, 0) is Kept.OPEN
    book.take("r")
    assert book.ended("r", Outcome.INTERRUPTED, 0) is Kept.FAILED


def test_places_are_kept_and_a_promise_waits_for_its_time() -> None:
    book = Book()
    book.add(wanted("late", "1", opened=5))
    book.add(wanted("early", "2", opened=1))
    book.add(wanted("promised", "3", opened=0, not_before=100))
    assert [each.request for each in book.ready(50)] == ["early", "late"]
    assert [each.request for each in book.ready(100)] == ["promised", "early", "late"]


def test_who_rings_again_holds_the_callback_and_has_one_request() -> None:
    book = Book()
    book.add(wanted())
    assert book.of("+989121234567", "sales") == wanted() and book.of("", "sales") is None
    book.hold("r", "call")
    assert book.ready(0) == [] and not book.take("r")
    book.release("r", "call")
    assert book.take("r") and book.close("r") and not book.close("r")
    assert book.ended("r", Outcome.NO_ANSWER, 0) is Kept.DONE  # it was closed while it was dialled


def test_who_is_on_the_telephone_is_not_called_for_what_they_ask_meanwhile() -> None:
    book = Book()
    book.rings("+989121234567", "first call")
    book.add(wanted())
    assert book.ready(0) == [] and not book.take("r") and book.is_held("r")
    assert not book.is_held("r", "first call")
    assert book.release_all("first call") and book.take("r")


def test_a_clock_that_is_set_shortens_no_pause_and_moves_no_promise() -> None:
    book = Book()
    book.add(wanted(), not_before=90_000)
    book.add(wanted("promised", "2", not_before=HOUR), arrived=5.0)
    book.replan(2 * HOUR, 2 * HOUR + 10_000, since=0)
    assert [each.request for each in book.ready(2 * HOUR + 89_000)] == ["promised"]
    assert [each.request for each in book.ready(2 * HOUR + 90_000)] == ["r", "promised"]
    assert book.arrived("promised") == 5.0 and book.arrived("nobody") is None


def test_old_requests_expire_but_never_under_a_hand() -> None:
    book = Book({"sales": Policy(expires_ms=MINUTE)})
    book.add(wanted())
    book.take("r")
    assert book.expired(2 * MINUTE) == []
    book.ended("r", Outcome.NETWORK, 2 * MINUTE)
    assert book.expired(2 * MINUTE) == [wanted()] and len(book) == 0


def test_random_runs_never_double_an_attempt_nor_lose_a_request() -> None:
    """Rows 3 and 5, against a model that is a list: restarts in the middle give back what was written down."""
    attempts = 0
    for seed in range(RUNS):
        attempts += _wild(random.Random(seed))
    print(f"random runs: {RUNS}, attempts: {attempts}")
    assert attempts > 3 * RUNS


def _wild(chance: random.Random) -> int:
    policy = Policy(attempts=chance.randint(1, 4), spacing_ms=MINUTE, uncounted_ms=MINUTE)
    book = Book({"sales": policy})
    live: set[str] = set()
    counted: dict[str, int] = {}
    begun: dict[str, int] = {}
    requests: dict[str, Wanted] = {}
    now = 0
    for _ in range(60):
        now += chance.randrange(2 * MINUTE)
        what = chance.randrange(5)
        if what == 0:
            name = f"r{len(begun)}"
            requests[name] = wanted(name, name, opened=now)
            counted[name] = begun[name] = 0
            book.add(requests[name])
        elif what == 1:
            for each in book.ready(now)[:1]:
                assert each.request not in live, "two attempts at once"
                assert book.take(each.request)
                live.add(each.request)
                begun[each.request] += 1
        elif what == 2 and live:
            name = chance.choice(sorted(live))
            live.discard(name)
            outcome = chance.choice(list(Outcome))
            counted[name] += outcome not in UNCOUNTED
            if book.ended(name, outcome, now) is not Kept.OPEN:
                del requests[name]
                assert outcome in (Outcome.REACHED, Outcome.NO_SUCH_NUMBER) or counted[name] == policy.attempts
        elif what == 3 and chance.random() < 0.3:  # kill -9: what was being dialled is closed as interrupted
            book = Book({"sales": policy})
            for name, each in requests.items():
                book.add(each, counted[name], now + policy.uncounted_ms if name in live else 0)
            live.clear()
        assert len(book) == len(requests)
        assert all(count <= policy.attempts for count in counted.values())
    return sum(begun.values())
