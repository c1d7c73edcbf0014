"""Busy lamps and message lamps: who may watch, what they are told, when it ends, and what a flood of them costs."""

from __future__ import annotations

import gc
import os
from collections import Counter
from dataclasses import replace

import pytest

from appliance.signalling import subscriptions, wire
from appliance.signalling.port import Identity, LampState, ShowLamp, ShowMessages
from appliance.signalling.subscriptions import LONGEST_SECONDS, MOST_OF_PHONE
from appliance.signalling.transactions import LIFE, Peer
from tests.signalling.given import DESK, SETTINGS, STRANGER, TRUNK, Bench, Caller, code_of
from tests.signalling.watching import Desk
from tests.support.watcher import Told

SUBSCRIBES = 10_000 if os.environ.get("PASOKH_LONG") else 400
OTHER = Peer("udp", ("192.168.1.21", 5062))
STREAM = Peer("tcp", ("192.168.1.22", 5062), 4)
CALLER = Identity("09121234567", "مینا <x> \x00\udcff")


def lamp(state: LampState, **fields: object) -> ShowLamp:
    return ShowLamp("201", state, **fields)  # type: ignore[arg-type] # passed on


def desk() -> Desk:
    """A telephone that is registered at a box with one extension."""
    made = Desk(Bench(replace(SETTINGS, requests_per_second=100_000)))
    made.register()
    made.bench.submit(lamp(LampState.DARK))
    made.bench.submit(ShowMessages("201", 0))
    return made


def states(told: list[Told]) -> list[str]:
    return [each.state for each in told]


def test_a_telephone_that_watches_is_told_the_state_at_once_and_each_change() -> None:
    it = desk()
    watched = it.watch()
    assert (watched.code, watched.granted) == (200, LONGEST_SECONDS)
    assert watched.header("contact") == "<sip:pasokh@192.0.2.1:5060>"
    for state in (LampState.RINGING, LampState.BUSY, LampState.DARK):
        it.answers(it.told()[-1])
        it.bench.wait(1)
        it.bench.submit(lamp(state, call="c7"))
    told = it.told()
    assert states(told) == ["terminated", "early", "confirmed", "terminated"]
    assert [each.version for each in told] == [0, 1, 2, 3]
    assert [each.cseq for each in told] == [1, 2, 3, 4]
    assert told[0].subscription == "active;expires=600"
    assert told[1].request.headers.get("event") == "dialog"
    assert told[1].request.uri == "sip:gw@192.168.1.20:5062" and it.bench.sent[-1][1] == DESK


def test_a_change_back_before_it_could_be_told_is_told_as_it_is_now_and_a_repeated_state_not_at_all() -> None:
    it = desk()
    it.follow()
    it.bench.wait(1)
    it.bench.submit(lamp(LampState.RINGING))
    it.answers(it.told()[-1])
    for state in (LampState.BUSY, LampState.DARK, LampState.BUSY, LampState.DARK):
        it.bench.submit(lamp(state))
    assert it.bench.wait(subscriptions.GAP_SECONDS - 0.01) == []
    it.bench.wait(0.02)
    it.answers(it.told()[-1])
    it.bench.submit(lamp(LampState.DARK))
    it.bench.wait(5)
    assert states(it.told()) == ["terminated", "early", "terminated"]


def test_one_notify_is_under_way_at_a_time_and_the_next_one_says_the_newest() -> None:
    it = desk()
    it.watch()
    for state in (LampState.RINGING, LampState.BUSY):
        it.bench.submit(lamp(state))
        it.bench.wait(2)
    assert states(it.told()) == ["terminated"]
    it.answers(it.told()[-1])
    assert states(it.told()) == ["terminated", "confirmed"]


def test_the_document_says_who_speaks_only_where_it_was_given_and_holds_any_name() -> None:
    it = desk()
    it.follow()
    it.bench.wait(1)
    it.bench.submit(lamp(LampState.RINGING, call="c1"))
    body = it.told()[-1].request.body.decode()
    assert 'direction="recipient"' in body and "anonymous.invalid" in body
    it.answers(it.told()[-1])
    it.bench.wait(1)
    it.bench.submit(lamp(LampState.BUSY, call="c1", is_caller=True, other=CALLER))
    body = it.told()[-1].request.body.decode()
    assert 'display="مینا &lt;x&gt; "' in body and "<identity>sip:201@box.example</identity>" in body
    assert 'direction="initiator"' in body and 'target uri="sip:09121234567@box.example"' in body
    it.answers(it.told()[-1])
    it.bench.wait(1)
    it.bench.submit(lamp(LampState.BUSY, other=replace(CALLER, is_withheld=True)))
    assert "0912" not in it.told()[-1].request.body.decode()


def test_a_message_lamp_counts_what_waits() -> None:
    it = desk()
    watched = it.watch("201", "message-summary")
    it.answers(it.told()[-1])
    it.bench.wait(1)
    it.bench.submit(ShowMessages("201", 3))
    assert watched.code == 200 and states(it.told()) == ["no 0/0 (0/0)", "yes 3/0 (0/0)"]
    assert b"Message-Account: sip:201@box.example\r\n" in it.told()[-1].request.body


@pytest.mark.parametrize(
    ("extension", "event", "headers", "code", "answer"),
    [
        ("201", "presence", (), 489, "allow-events: dialog, message-summary"),
        ("999", "dialog", (), 404, ""),
        ("201", "dialog", ("Expires: 59",), 423, "min-expires: 60"),
        ("201", "dialog", ("Expires: soon",), 400, ""),
        ("201", "dialog", ("Accept: application/pidf+xml",), 406, "accept: application/dialog-info+xml"),
        ("201", "dialog", ("Accept: text/plain, application/*;q=0.1",), 200, "expires: 600"),
        ("201", "Dialog;sla;ID=k7", ("Expires: 3600",), 200, "allow-events: dialog, message-summary"),
        ("201", "dialog", ("Expires: 60",), 200, "expires: 60"),
        ("%32%30%31", "dialog", (), 200, ""),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_answered_as_the_rfc_says(
    extension: str, event: str, headers: tuple[str, ...], code: int, answer: str
) -> None:
    it = desk()
    asked = it.watch(extension, event, *headers)
    assert asked.code == code
    name, _, value = answer.partition(": ")
    assert not name or asked.header(name) == value
    assert len(it.bench.heart.subscriptions) == (code == 200)
    if "ID=k7" in event:
        assert it.told()[-1].request.headers.get("event") == "dialog;id=k7"


def test_without_a_password_without_a_registration_and_from_outside_nobody_watches() -> None:
    bench = Bench()
    bench.submit(lamp(LampState.DARK))
    ask = Caller(peer=TRUNK).ask("SUBSCRIBE", "Event: dialog")
    assert code_of(bench.receive(ask, TRUNK)) == 401
    assert bench.receive(Caller(peer=STRANGER).ask("SUBSCRIBE", "Event: dialog"), STRANGER) == []
    away = Desk(bench).watch()
    assert (away.code, away.header("retry-after")) == (480, "60")
    elsewhere = Desk(bench, OTHER)
    elsewhere.register()
    elsewhere.peer = DESK
    assert elsewhere.watch().code == 480 and len(bench.heart.subscriptions) == 0


def test_a_refresh_prolongs_and_tells_the_state_and_nobody_else_can_send_one() -> None:
    it = desk()
    watched = it.watch()
    it.answers(it.told()[-1])
    it.bench.wait(400)
    it.renew(watched)
    it.answers(it.told()[-1])
    assert (watched.code, states(it.told())) == (200, ["terminated"] * 2)
    it.bench.wait(500)
    assert len(it.bench.heart.subscriptions) == 1 and not it.told()[-1].is_last
    other = Desk(it.bench, OTHER, "desk2")
    other.register()
    other.renew(watched)
    assert watched.code == 481
    it.bench.wait(100)
    assert it.told()[-1].subscription == "terminated;reason=timeout"
    it.answers(it.told()[-1])
    assert len(it.bench.heart.subscriptions) == 0
    it.renew(watched)
    assert watched.code == 481


def test_taking_it_back_and_asking_once_end_with_a_last_state() -> None:
    it = desk()
    watched = it.watch()
    it.answers(it.told()[-1])
    it.renew(watched, "Expires: 0")
    assert watched.code == 200 and it.told(watched)[-1].subscription == "terminated;reason=timeout"
    it.answers(it.told(watched)[-1])
    once = it.watch("201", "dialog", "Expires: 0")
    [told] = it.told(once)
    assert (once.granted, told.state, told.subscription) == (0, "terminated", "terminated;reason=timeout")
    it.bench.wait(40)
    it.bench.submit(lamp(LampState.BUSY))
    it.bench.wait(40)
    assert len(it.told(once)) == 1 and len(it.bench.heart.subscriptions) == 0


@pytest.mark.parametrize("answer", [None, 481, 408, 404, 500])
def test_a_notify_that_is_refused_or_never_answered_ends_it_without_another_word(answer: int | None) -> None:
    it = desk()
    watched = it.watch()
    if answer is not None:
        it.answers(it.told()[-1], answer)
    it.bench.wait(33)
    it.bench.submit(lamp(LampState.BUSY))
    it.bench.wait(33)
    assert len(it.told()) == 1 and len(it.bench.heart.subscriptions) == 0
    sent = [message for message, _ in it.bench.sent if isinstance(message, wire.Request)]
    assert len(sent) == (1 if answer is not None else 11), "repeated as RFC 3261, 17.1.2.2 says"
    it.renew(watched)
    assert watched.code == 481, "so that it subscribes anew"


def test_a_telephone_that_asks_for_a_pause_gets_it() -> None:
    it = desk()
    it.watch()
    it.answers(it.told()[-1], 503, "Retry-After: 7")
    it.bench.submit(lamp(LampState.RINGING))
    it.bench.submit(lamp(LampState.BUSY))
    it.bench.wait(6.9)
    assert states(it.told()) == ["terminated"]
    it.bench.wait(0.2)
    assert states(it.told()) == ["terminated", "confirmed"]


def test_when_the_registration_ends_or_moves_the_telephone_is_told_where_it_is_now() -> None:
    it = desk()
    it.watch()
    it.answers(it.told()[-1])
    it.register(0)
    assert it.told()[-1].subscription == "terminated;reason=deactivated" and it.bench.sent[-1][1] == DESK
    it.register()
    watched = it.watch()
    it.answers(it.told(watched)[-1])
    moved = Peer("udp", ("192.168.1.20", 6000))  # the router has another port for it: its Contact is the same
    it.register(seen_at=moved)
    assert it.told(watched)[-1].subscription == "terminated;reason=deactivated" and it.bench.sent[-1][1] == moved


def test_a_connection_that_breaks_takes_the_lamps_with_it() -> None:
    it = Desk(Bench(), STREAM)
    it.bench.submit(lamp(LampState.DARK))
    it.register()
    it.watch()
    it.answers(it.told()[-1])
    it.bench.heart.phones_turned(it.bench.registrar.connection_lost(STREAM.connection), it.bench.now)
    assert it.told()[-1].subscription == "terminated;reason=deactivated"
    it.bench.heart.connection_lost(STREAM.connection, it.bench.now)
    assert len(it.bench.heart.subscriptions) == 0


def test_a_box_that_stops_tells_everybody_once_and_takes_nobody_any_more() -> None:
    it = desk()
    for _ in range(3):
        it.follow()
    it.bench.heart.subscriptions.stop(it.bench.now)
    last = it.told()[-3:]
    assert {each.subscription for each in last} == {"terminated;reason=probation;retry-after=10"}
    late = it.watch()
    assert (late.code, late.header("retry-after")) == (503, "10")
    for each in last:
        it.answers(each)
    assert not it.bench.heart.is_asking and len(it.bench.heart.subscriptions) == 0


def test_many_lamps_are_told_in_turns_that_let_calls_pass() -> None:
    it = desk()
    for _ in range(100):
        it.follow()
        it.bench.wait(0.1)
    before = len(it.told())
    it.bench.wait(1)
    it.bench.submit(lamp(LampState.RINGING))
    assert len(it.told()) - before == subscriptions.AT_ONCE
    it.bench.wait(2 * subscriptions.TURN_SECONDS)
    assert len(it.told()) - before == 100


def test_a_flood_of_subscribes_is_refused_clearly_and_leaves_nothing_beyond_the_limit() -> None:
    it = desk()
    it.bench.submit(ShowLamp("202", LampState.DARK))
    before = objects()
    codes: Counter[int] = Counter()
    for number in range(SUBSCRIBES):
        watched = it.watch("202" if number < MOST_OF_PHONE else "201")
        codes[watched.code] += 1
        it.bench.sent.clear()
        assert watched.header("retry-after") == ("" if watched.code == 200 else "60")
    assert codes == {200: MOST_OF_PHONE, 480: SUBSCRIBES - MOST_OF_PHONE}
    assert len(it.bench.heart.subscriptions) == MOST_OF_PHONE
    it.bench.wait(LIFE + 1)
    it.bench.sent.clear()
    assert len(it.bench.heart.subscriptions) == 0, "nobody has answered a NOTIFY"
    assert objects() - before < MOST_OF_PHONE, "not one for each SUBSCRIBE"
    assert it.watch().code == 200


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def test_a_telephone_that_starts_again_at_its_limit_gets_its_lamps_anew() -> None:
    it = desk()
    first = [it.watch() for _ in range(MOST_OF_PHONE)]
    again = [it.watch() for _ in range(MOST_OF_PHONE)]
    assert {each.code for each in (*first, *again)} == {200}
    assert len(it.bench.heart.subscriptions) == MOST_OF_PHONE
    for each in it.told():
        it.answers(
            each, 481 if any(each.request.headers.get("call-id") == old.caller.call_id for old in first) else 200
        )
    assert len(it.bench.heart.subscriptions) == MOST_OF_PHONE


def test_beyond_the_limit_of_all_a_telephone_is_refused_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MOST", 3)
    it = desk()
    other = Desk(it.bench, OTHER, "desk2")
    other.register()
    for _ in range(3):
        it.watch()
    refused = other.watch()
    assert (refused.code, refused.header("retry-after")) == (503, "60")
