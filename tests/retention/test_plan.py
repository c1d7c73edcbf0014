"""What may be deleted, held, released and erased: values in, values out."""

from __future__ import annotations

import dataclasses
import random

from appliance.records.keeping import Hold, Known, Stored
from appliance.retention import plan
from appliance.retention.plan import DAY_MS, Refusal, Refused, Rules, Trust, Verdict
from appliance.retention.settings import Keep, Retention

NOW = 1_790_000_000_000
TARGETS = frozenset({"usb", "store"})
STORED = Stored("r1", "c1", "office", "sales", NOW - 31 * DAY_MS, 900_000, TARGETS, False, "")
MONTH = Rules(Retention(days=30), TARGETS)
BY_NUMBER = Hold("h1", "", "+989121234567", "a suit", "owner", NOW)
BY_CONVERSATION = Hold("h2", "c1", "", "a suit", "owner", NOW)
KNOWN = Known("c1", False, False, (), ("r1",))

CASES = 10_000


def some(chance: random.Random) -> tuple[Stored, Rules]:
    """Any recording under any rules; each of what keeps it is absent as often as not."""
    days, names = (0, 1, 30, 365), ("usb", "store", "gone")
    keeps = tuple(
        Keep(name="k", days=chance.choice(days), **chance.choice(({"line": "office"}, {"queue": "sales"})))
        for _ in range(chance.randrange(3))
    )
    retention = Retention(days=chance.choice(days), without_upstream=chance.random() < 0.5, keeps=keeps)
    rules = Rules(retention, frozenset(name for name in names[:2] if chance.random() < 0.5))
    one = Stored(
        recording="r",
        conversation="c",
        line=chance.choice(("office", "shop", "")),
        queue=chance.choice(("sales", "support", "")),
        opened=NOW - round(chance.choice((-400, 0.5, 1, 29.9, 30, 31, 365, 400)) * DAY_MS),
        size=chance.randrange(10**9),
        targets=frozenset(name for name in names if chance.random() < 0.7),
        is_held=chance.random() < 0.3,
        cause=chance.choice(("", "", "", "expired", "erased")),
    )
    return one, rules


def verdict(one: Stored, by: Rules = MONTH, *, is_sure: bool = True, now: int = NOW) -> Verdict:
    return plan.verdict(one, by, now, is_clock_sure=is_sure)


def test_what_every_target_has_nobody_holds_and_whose_time_is_over_may_go() -> None:
    assert verdict(STORED) is Verdict.MAY_GO


def test_each_of_receipt_date_hold_and_clock_alone_keeps_a_recording() -> None:
    assert verdict(dataclasses.replace(STORED, targets=frozenset({"usb"}))) is Verdict.NOT_SENT
    assert verdict(dataclasses.replace(STORED, opened=NOW - 30 * DAY_MS + 1)) is Verdict.NOT_DUE
    assert verdict(dataclasses.replace(STORED, is_held=True)) is Verdict.HELD
    assert verdict(STORED, is_sure=False) is Verdict.CLOCK
    assert verdict(STORED, Rules(Retention(), TARGETS)) is Verdict.FOR_EVER


def test_without_a_target_only_the_owners_word_lets_anything_go() -> None:
    assert verdict(STORED, Rules(Retention(days=30), frozenset())) is Verdict.NO_TARGET
    assert verdict(STORED, Rules(Retention(days=30, without_upstream=True), frozenset())) is Verdict.MAY_GO
    assert verdict(STORED, Rules(Retention(days=30, without_upstream=True), frozenset({"late"}))) is Verdict.NOT_SENT


def test_the_line_of_agents_wins_over_the_called_line_and_that_over_the_rest() -> None:
    found = Retention(days=10, keeps=(Keep(name="a", line="office", days=20), Keep(name="b", queue="sales", days=0)))
    stays = [found.days_of(line, queue) for line, queue in (("office", "sales"), ("office", ""), ("shop", "support"))]
    assert stays == [0, 20, 10]


def test_nothing_may_go_unless_receipts_date_hold_and_clock_agree() -> None:
    chance, went = random.Random(31), 0
    for _ in range(CASES):
        (one, by), is_sure = some(chance), chance.random() < 0.8
        stays = by.retention.days_of(one.line, one.queue)
        may_go = (
            is_sure
            and not one.is_held
            and not one.cause
            and stays > 0
            and NOW - one.opened >= stays * DAY_MS
            and all(target in one.targets for target in by.targets)
            and (bool(by.targets) or by.retention.without_upstream)
        )
        assert (verdict(one, by, is_sure=is_sure) is Verdict.MAY_GO) == may_go, (one, by)
        went += may_go
    assert CASES / 50 < went < CASES / 4


def test_a_recording_leaves_on_the_day_that_is_foretold() -> None:
    chance = random.Random(32)
    for _ in range(CASES):
        one, by = some(chance)
        leaves = plan.leaves_in_days(one, by, NOW)
        if leaves is None:
            assert verdict(one, by) not in (Verdict.MAY_GO, Verdict.NOT_DUE)
        elif verdict(one, by) is Verdict.NOT_DUE:
            before, after = NOW + leaves * DAY_MS - 1, NOW + (leaves + 1) * DAY_MS
            assert verdict(one, by, now=before) is Verdict.NOT_DUE
            assert verdict(one, by, now=after) is not Verdict.NOT_DUE


def test_a_clock_is_believed_when_it_has_run_evenly_for_an_hour() -> None:
    trust = Trust()
    assert not trust.looked(NOW, 0, is_sure=True)
    assert not trust.looked(NOW + 3_599_000, 3599, is_sure=True)
    assert trust.looked(NOW + 3_600_000, 3600, is_sure=True)
    assert trust.looked(NOW + 7_200_000, 7200, is_sure=True)


def test_a_jump_or_a_doubt_of_the_clock_stops_deleting_for_an_hour() -> None:
    for utc_ms, is_sure in ((NOW + 7_200_000 + 61_000, True), (NOW + 7_200_000 - 61_000, True), (NOW, False)):
        trust = Trust()
        trust.looked(NOW, 0, is_sure=True)
        assert trust.looked(NOW + 3_600_000, 3600, is_sure=True)
        assert not trust.looked(utc_ms, 7200, is_sure=is_sure)
        after = utc_ms + 3_600_000 if is_sure else NOW + 10_800_000
        assert trust.looked(after, 10_800, is_sure=True) is is_sure


def test_a_clock_that_drifts_a_little_is_still_one() -> None:
    trust = Trust()
    looks = [trust.looked(NOW + minute * 60_050, minute * 60, is_sure=True) for minute in range(120)]
    assert all(looks[60:]) and not any(looks[:60])


def test_somebody_may_be_held_while_on_the_telephone_and_twice_but_not_once_erased() -> None:
    assert plan.may_hold(dataclasses.replace(KNOWN, is_open=True, holds=(BY_NUMBER,))) is None
    assert plan.may_hold(dataclasses.replace(KNOWN, is_erased=True)) == Refused(Refusal.ERASED, "c1")
    assert plan.may_hold(None) == Refused(Refusal.UNKNOWN)


def test_a_hold_is_released_by_what_it_was_put_on() -> None:
    both = dataclasses.replace(KNOWN, holds=(BY_NUMBER, BY_CONVERSATION))
    assert plan.released(both) == [BY_CONVERSATION]
    by_number = plan.released(dataclasses.replace(KNOWN, holds=(BY_NUMBER,)))
    assert by_number == Refused(Refusal.HELD_BY_NUMBER, "c1", BY_NUMBER)
    assert plan.released(KNOWN) == Refused(Refusal.NOT_HELD, "c1")
    assert plan.released(dataclasses.replace(KNOWN, is_erased=True)) == Refused(Refusal.ERASED, "c1")
    assert plan.released(None) == Refused(Refusal.UNKNOWN)


def test_one_that_is_held_or_on_the_telephone_keeps_all_from_being_erased() -> None:
    other = dataclasses.replace(KNOWN, conversation="c2")
    assert plan.may_erase([KNOWN, other]) is None
    held = dataclasses.replace(other, holds=(BY_CONVERSATION,))
    assert plan.may_erase([KNOWN, held]) == Refused(Refusal.HELD, "c2", BY_CONVERSATION)
    assert plan.may_erase([dataclasses.replace(KNOWN, is_open=True), other]) == Refused(Refusal.OPEN, "c1")
    assert plan.may_erase([dataclasses.replace(KNOWN, is_erased=True)]) == Refused(Refusal.ERASED, "c1")
    assert plan.may_erase([]) == Refused(Refusal.UNKNOWN)
