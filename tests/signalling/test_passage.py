"""What a call between peers has come through: what an INVITE says of it, what ours says, and when it is too much."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.signalling import passage as passages
from appliance.signalling import sdp, wire
from appliance.signalling.port import BEGINS_HERE, Answer, Dial, Identity, Passage, ToTrunk, TransferAsked
from appliance.signalling.wire import Headers
from tests.signalling.given import LOCAL, SETTINGS, Bench, Caller, code_of, only, with_trunk

ONE, TWO = "0a" * 16, "0b" * 16
PEER = with_trunk(replace(SETTINGS.trunks[0], kind="peer", extensions=("3XX",)))


def read(*pairs: tuple[str, str]) -> Passage:
    return passages.read(Headers(list(pairs)))


def test_legs_hops_and_whoever_has_sent_it_on_are_read() -> None:
    found = read(
        ("max-forwards", "12"),
        ("x-pasokh-path", f"{ONE}, {TWO}"),
        ("diversion", '"Sara, 3" <sip:301@pbx>;reason=unconditional'),
        ("history-info", "<sip:302@pbx>;index=1, <sip:303@pbx>;index=1.1"),
        ("referred-by", "<sip:304@pbx>"),
    )
    assert found == Passage(12, (ONE, TWO), ("301", "302", "303", "304"))


@pytest.mark.parametrize("hops", ["", "-1", "7.5", "9" * 400, "٧", "200"])
def test_hops_that_cannot_be_believed_are_as_many_as_a_new_call_has(hops: str) -> None:
    assert read(("max-forwards", hops)).hops == 70


@given(st.lists(st.tuples(st.sampled_from(["x-pasokh-path", "diversion", "history-info", "max-forwards"]), st.text())))
def test_rubbish_is_bounded_and_never_raises(pairs: list[tuple[str, str]]) -> None:
    found = read(*pairs)
    assert len(found.legs) <= 2 * passages.MOST_LEGS and len(found.senders) <= passages.MOST_SENDERS
    assert 0 <= found.hops <= 70


def test_a_flood_of_legs_is_cut() -> None:
    assert len(read(("x-pasokh-path", ",".join([ONE] * 5000))).legs) <= 2 * passages.MOST_LEGS


def test_a_peer_is_told_what_a_call_has_come_through_and_a_provider_is_not() -> None:
    dial = Dial(
        TWO, ToTrunk("main", "301"), sdp.offer("", 6000, "PCMA", 9), Identity("201"), passage=Passage(9, (ONE,))
    )
    to_peer, to_provider = only(Bench(PEER).submit(dial)), only(Bench().submit(dial))
    assert isinstance(to_peer, wire.Request) and to_peer.uri.startswith("sip:301@")
    assert (to_peer.headers.get("max-forwards"), to_peer.headers.get("x-pasokh-path")) == ("8", f"{ONE},{TWO}")
    assert (to_provider.headers.get("max-forwards"), to_provider.headers.get("x-pasokh-path")) == ("70", None)


def test_what_a_provider_writes_there_means_nothing() -> None:
    assert Bench().offered(Caller(), f"X-Pasokh-Path: {ONE}").passage == BEGINS_HERE
    assert Bench(PEER).offered(Caller(), f"X-Pasokh-Path: {ONE}").passage == Passage(70, (ONE,))


def test_a_call_of_a_peer_that_has_gone_round_too_often_gets_483() -> None:
    bench = Bench(PEER)
    last_hop = Caller(call_id="c2").invite().replace(b"Max-Forwards: 70", b"Max-Forwards: 1")
    assert code_of(bench.receive(last_hop)) == 483
    often = ",".join(f"{number:032x}" for number in range(passages.MOST_LEGS))
    assert code_of(bench.receive(Caller().invite(f"X-Pasokh-Path: {often}"))) == 483
    assert bench.events == [] and bench.heart.counters["circles"] == 2


def test_an_extension_of_a_peer_may_pass_on_its_own_calls_and_name_another_of_them() -> None:
    bench = Bench(PEER)
    one, other = Caller(), Caller(call_id="c2", from_tag="z")
    leg = bench.answered(one)
    second = bench.offered(other).leg
    [final] = bench.submit(Answer(second, LOCAL))
    other.to_tag = (final.headers.get("to") or "").partition(";tag=")[2]
    bench.receive(other.ack())
    replaces = f"c2%3Bto-tag%3D{other.to_tag}%3Bfrom-tag%3Dz"
    said = bench.receive(one.ask("REFER", f"Refer-To: <sip:201@box.example?Replaces={replaces}>"))
    assert code_of(said[:1]) == 202 and bench.last() == TransferAsked(leg, "201", second)
