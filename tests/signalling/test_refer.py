"""REFER from our telephones (RFC 3515, 3891): taken once, told how it ends, and what it may name."""

from __future__ import annotations

import pytest

from appliance.signalling import wire
from appliance.signalling.port import Answer, FromPhone, HungUp, Offered, TransferAsked, TransferEnded
from tests.signalling.given import DESK, LOCAL, Bench, Caller, code_of, proof, tag_of


def a_phone(bench: Bench, call_id: str = "p1", from_tag: str = "p") -> tuple[Caller, str]:
    """A call that desk1 has made and that stands; the leg."""
    caller = Caller(
        call_id=call_id, from_tag=from_tag, peer=DESK, uri="sip:200@box.example", called="<sip:200@box.example>"
    )
    challenged = bench.receive(caller.invite(), DESK)[-1]
    bench.receive(caller.ack(branch=f"z9hG4bK-{call_id}-1"), DESK)
    bench.receive(caller.invite(proof(challenged, "INVITE", caller.uri)), DESK)
    event = bench.last()
    assert isinstance(event, Offered) and event.source == FromPhone("desk1")
    [final] = bench.submit(Answer(event.leg, LOCAL))
    caller.to_tag = tag_of(final)
    bench.receive(caller.ack(), DESK)
    return caller, event.leg


def notices(messages: list[wire.Message]) -> list[tuple[str, str, str]]:
    """Of each NOTIFY: its event, the state of the subscription, and what its body says."""
    return [
        (
            each.headers.get("event") or "",
            (each.headers.get("subscription-state") or "").partition(";")[0],
            each.body.decode().strip(),
        )
        for each in messages
        if isinstance(each, wire.Request) and each.method == "NOTIFY"
    ]


@pytest.mark.parametrize(
    ("code", "line"),
    [(200, "SIP/2.0 200 OK"), (486, "SIP/2.0 486 Busy Here"), (480, "SIP/2.0 480 Temporarily Unavailable")],
)
def test_it_is_accepted_told_that_it_is_tried_and_told_how_it_ended(code: int, line: str) -> None:
    bench = Bench()
    phone, leg = a_phone(bench)
    said = bench.receive(phone.ask("REFER", "Refer-To: <sip:201@box.example>"), DESK)
    assert code_of(said[:1]) == 202 and bench.last() == TransferAsked(leg, "201", "")
    number = f"refer;id={phone.cseq}"
    assert notices(said) == [(number, "active", "SIP/2.0 100 Trying")]
    assert notices(bench.submit(TransferEnded(leg, code))) == [(number, "terminated", line)]
    assert bench.submit(TransferEnded(leg, code)) == []  # once


def test_a_second_one_waits_its_turn_and_is_taken_when_the_first_has_ended() -> None:
    bench = Bench()
    phone, leg = a_phone(bench)
    bench.receive(phone.ask("REFER", "Refer-To: <sip:201@box.example>"), DESK)
    count = len(bench.events)
    for _ in range(20):
        assert code_of(bench.receive(phone.ask("REFER", "Refer-To: <sip:202@box.example>"), DESK)) == 491
    assert len(bench.events) == count
    bench.submit(TransferEnded(leg, 603))
    assert code_of(bench.receive(phone.ask("REFER", "Refer-To: sip:202@box.example"), DESK)[:1]) == 202
    assert bench.last() == TransferAsked(leg, "202", "")


@pytest.mark.parametrize("swapped", [False, True])
def test_replaces_names_another_call_of_the_same_telephone(swapped: bool) -> None:
    bench = Bench()
    phone, leg = a_phone(bench)
    other, its_leg = a_phone(bench, "p2@192.168.1.20", "q")
    tags = (other.from_tag, other.to_tag) if swapped else (other.to_tag, other.from_tag)
    replaces = f"p2%40192.168.1.20%3Bto-tag%3D{tags[0]}%3Bfrom-tag%3D{tags[1]}"
    said = bench.receive(phone.ask("REFER", f"Refer-To: <sip:201@box.example?Replaces={replaces}>"), DESK)
    assert code_of(said[:1]) == 202 and bench.last() == TransferAsked(leg, "201", its_leg)


@pytest.mark.parametrize(
    "replaces", ["nothing%3Bto-tag%3Da%3Bfrom-tag%3Db", "", "%ff%fe", "c1%3Bto-tag%3D{tag}%3Bfrom-tag%3Da"]
)
def test_a_call_that_is_not_the_telephones_own_cannot_be_replaced(replaces: str) -> None:
    """The last one is a customer's: only its owner may hand it over (DECISIONS 25)."""
    bench = Bench()
    customer = Caller()
    bench.answered(customer)
    phone, _ = a_phone(bench)
    count = len(bench.events)
    written = replaces.format(tag=customer.to_tag)
    said = bench.receive(phone.ask("REFER", f"Refer-To: <sip:201@box.example?Replaces={written}>"), DESK)
    assert code_of(said) == 481 and len(bench.events) == count


@pytest.mark.parametrize(
    "headers",
    [(), ("Refer-To: <sip:1@a>", "Refer-To: <sip:2@a>"), ("Refer-To: <sip:box.example>",), ("Refer-To: <http://a>",),
     ("Refer-To: ",), (f"Refer-To: <sip:{'1' * 65}@a>",)],
)  # fmt: skip
def test_what_names_nobody_is_refused(headers: tuple[str, ...]) -> None:
    bench = Bench()
    phone, _ = a_phone(bench)
    count = len(bench.events)
    assert code_of(bench.receive(phone.ask("REFER", *headers), DESK)) == 400 and len(bench.events) == count


def test_a_trunk_is_refused_and_so_is_who_has_no_call() -> None:
    bench = Bench()
    caller = Caller()
    bench.answered(caller)
    assert code_of(bench.receive(caller.ask("REFER", "Refer-To: <sip:201@box.example>"))) == 603
    assert code_of(Bench().receive(Caller().ask("REFER", "Refer-To: <sip:201@box.example>"))) == 481


def test_a_call_that_has_ended_is_told_nothing_more() -> None:
    bench = Bench()
    phone, leg = a_phone(bench)
    bench.receive(phone.ask("REFER", "Refer-To: <sip:201@box.example>"), DESK)
    bench.receive(phone.ask("BYE"), DESK)
    assert isinstance(bench.last(), HungUp) and bench.submit(TransferEnded(leg, 200)) == []
    bench.wait(40)
    assert bench.is_clean
