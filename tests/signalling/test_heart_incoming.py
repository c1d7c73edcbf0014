"""Calls that come in: what the box answers, to whom, and how each of them ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from appliance.signalling import sdp, wire
from appliance.signalling.port import (
    Answer,
    Cause,
    Confirmed,
    DigitPressed,
    FromPhone,
    FromTrunk,
    HangUp,
    Held,
    HungUp,
    Identity,
    LegKept,
    MediaChanged,
    Offered,
    Progress,
    Refuse,
    Resumed,
    Ring,
)
from appliance.signalling.settings import Trunk
from appliance.signalling.transactions import LIFE, Peer
from tests.signalling.given import (
    DESK,
    LOCAL,
    SETTINGS,
    STRANGER,
    TRUNK,
    Bench,
    Caller,
    code_of,
    only,
    proof,
    sdp_body,
    tag_of,
    with_trunk,
)


def test_a_call_is_offered_with_who_rings_and_what_was_dialled_and_answered_100() -> None:
    bench = Bench()
    event = bench.offered(Caller())
    assert bench.codes == [100]
    assert (event.source, event.called, event.caller.number) == (FromTrunk("main"), "02188123456", "09121234567")
    assert event.sdp is not None and event.sdp.port == 4000


@pytest.mark.parametrize(
    ("identity_in", "headers", "number"),
    [
        ("from", (), "09121234567"),
        ("from", ("P-Asserted-Identity: <sip:09350000000@provider.example>",), "09121234567"),
        ("asserted", (), "09121234567"),
        ("asserted", ("P-Asserted-Identity: <sip:+989350000000@provider.example>",), "+989350000000"),
        ("diversion", (), "09121234567"),
        ("diversion", ("Diversion: <sip:09900000000@provider.example>;reason=unconditional",), "09121234567"),
        ("diversion", ("Diversion: <sip:+989121234567@provider.example>",), ""),  # the hotline itself: who rings?
        ("asserted", ("Diversion: <sip:00989121234567@provider.example>",), ""),
        ("from", ("Diversion: <sip:09121234567@provider.example>",), ""),
        (
            "diversion",
            ("P-Asserted-Identity: <sip:09900000000@x>", "Diversion: <sip:989900000000@provider.example>"),
            "",
        ),
        ("asserted", ("Privacy: id",), ""),
    ],
)
def test_who_rings_is_read_where_the_trunk_says_and_a_hotline_that_diverts_is_nobody(
    identity_in: Literal["from", "asserted", "diversion"], headers: tuple[str, ...], number: str
) -> None:
    bench = Bench(with_trunk(replace(SETTINGS.trunks[0], identity_in=identity_in)))
    bench.receive(Caller().invite(*headers))
    event = bench.last()
    assert isinstance(event, Offered)
    assert (event.caller.number, event.caller.is_withheld) == (number, not number)
    diverted = [each for each in headers if each.startswith("Diversion")]
    assert bool(event.diverted_by) == bool(diverted)


def test_ringing_early_media_and_the_answer_carry_one_tag_our_contact_and_the_record_route() -> None:
    bench = Bench()
    caller = Caller(route=("<sip:192.0.2.10;lr>", "<sip:192.0.2.11;lr>"))
    leg = bench.offered(caller).leg
    said = bench.submit(Ring(leg)) + bench.submit(Progress(leg, LOCAL)) + bench.submit(Answer(leg, LOCAL))
    assert [message.code for message in said if isinstance(message, wire.Response)] == [180, 183, 200]
    assert len({tag_of(message) for message in said}) == 1 and tag_of(said[0])
    assert all(message.headers.all("record-route") == list(caller.route) for message in said)
    assert said[2].headers.get("contact") == "<sip:random0@192.0.2.1:5060>"
    assert sdp.parse(said[2].body).address == "192.0.2.1"


def test_the_answer_shows_the_trunks_own_local_address_in_sdp_and_contact() -> None:
    bench = Bench(with_trunk(replace(SETTINGS.trunks[0], address="10.20.0.5")))
    leg = bench.offered(Caller()).leg
    final = only(bench.submit(Answer(leg, replace(LOCAL, address=""))))
    assert b"c=IN IP4 10.20.0.5" in final.body
    assert final.headers.get("contact") == "<sip:random0@10.20.0.5:5060>"


def test_the_ack_confirms_the_call_and_a_bye_ends_it_and_nothing_is_left() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.answered(caller)
    assert bench.last() == Confirmed(leg, None)
    assert code_of(bench.receive(caller.ask("BYE"))) == 200
    assert bench.last() == HungUp(leg, Cause.HUNG_UP)
    bench.wait(LIFE + 1)
    assert bench.is_clean


def test_a_repeated_invite_makes_no_second_call_and_is_answered_as_before() -> None:
    bench = Bench()
    caller = Caller()
    first = caller.invite()
    bench.receive(first)
    bench.receive(first)
    leg = bench.events[0].leg if isinstance(bench.events[0], Offered) else ""
    bench.submit(Ring(leg))
    assert code_of(bench.receive(first)) == 180
    assert len(bench.events) == 1


def test_the_200_is_repeated_until_its_ack_comes() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.offered(caller).leg
    caller.to_tag = tag_of(only(bench.submit(Answer(leg, LOCAL))))
    assert len(bench.wait(3.6)) == 3  # after 0.5, 1.5 and 3.5 s
    bench.receive(caller.ack())
    assert bench.wait(60) == []


def test_a_lost_ack_ends_the_call_by_bye_after_32_seconds_and_says_so() -> None:
    bench = Bench()
    leg = bench.offered(Caller()).leg
    bench.submit(Answer(leg, LOCAL))
    bench.wait(LIFE + 0.1)
    assert bench.methods[-1] == "BYE"
    assert bench.last() == HungUp(leg, Cause.LOST_ACK)
    bench.wait(2 * LIFE)
    assert bench.is_clean


def test_a_lost_bye_of_ours_is_repeated_and_given_up_without_a_second_ending() -> None:
    bench = Bench()
    leg = bench.answered(Caller())
    bench.submit(HangUp(leg))
    bench.wait(2 * LIFE)
    assert bench.methods.count("BYE") == 11  # timers E and F of RFC 3261, 17.1.2.2
    assert bench.last() == HungUp(leg, Cause.ENDED_HERE)
    assert bench.is_clean


def test_cancel_is_answered_the_invite_gets_487_and_its_ack_ends_the_repeating() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.offered(caller).leg
    bench.submit(Ring(leg))
    said = bench.receive(caller.cancel())
    assert [message.code for message in said if isinstance(message, wire.Response)] == [200, 487]
    assert bench.last() == HungUp(leg, Cause.CANCELLED, 487)
    bench.receive(caller.ack(branch="z9hG4bK-c1-1"))
    assert bench.wait(LIFE + 1) == []
    assert bench.is_clean


def test_a_cancel_that_crosses_our_200_changes_nothing() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.offered(caller).leg
    bench.submit(Answer(leg, LOCAL))
    said = bench.receive(caller.cancel())
    assert [message.code for message in said if isinstance(message, wire.Response)] == [200]
    assert not any(isinstance(event, HungUp) for event in bench.events)


def test_a_cancel_for_no_call_is_answered_481() -> None:
    bench = Bench()
    caller = Caller()
    caller.invite()
    assert code_of(bench.receive(caller.cancel())) == 481


@pytest.mark.parametrize(("code", "retry"), [(480, None), (486, None), (488, None), (503, 30), (603, None)])
def test_a_refusal_bears_its_code_and_retry_after_and_is_repeated_until_the_ack(code: int, retry: int | None) -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.offered(caller).leg
    answer = only(bench.submit(Refuse(leg, code, "", retry)))
    assert isinstance(answer, wire.Response) and answer.code == code
    assert answer.headers.get("retry-after") == (str(retry) if retry else None)
    assert bench.last() == HungUp(leg, Cause.ENDED_HERE, code)
    assert code_of(bench.wait(0.6)) == code
    bench.receive(caller.ack(branch="z9hG4bK-c1-1"))
    bench.wait(10)
    assert bench.is_clean


def test_hanging_up_before_the_ack_waits_with_its_bye_for_the_ack() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.offered(caller).leg
    caller.to_tag = tag_of(only(bench.submit(Answer(leg, LOCAL))))
    assert bench.submit(HangUp(leg)) == []
    assert bench.last() == HungUp(leg, Cause.ENDED_HERE)
    assert [message.method for message in bench.receive(caller.ack()) if isinstance(message, wire.Request)] == ["BYE"]
    bench.wait(2 * LIFE)
    assert bench.is_clean


def test_an_ack_with_another_to_tag_still_confirms_the_call() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.offered(caller).leg
    bench.submit(Answer(leg, LOCAL))
    caller.to_tag = "other"
    bench.receive(caller.ack())
    assert bench.last() == Confirmed(leg, None)


def test_a_late_offer_gets_our_offer_in_the_200_and_its_answer_from_the_ack() -> None:
    bench = Bench()
    caller = Caller()
    event = bench.offered(caller, body=b"")
    assert event.sdp is None
    final = only(bench.submit(Answer(event.leg, sdp.offer("192.0.2.1", 6000, "PCMA", 9))))
    assert len(sdp.parse(final.body).codecs) == 3
    caller.to_tag = tag_of(final)
    bench.receive(caller.ack(sdp_body(formats="8")))
    confirmed = bench.last()
    assert isinstance(confirmed, Confirmed) and confirmed.sdp is not None and confirmed.sdp.port == 4000


def test_a_late_offer_that_the_ack_does_not_answer_is_ended() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.offered(caller, body=b"").leg
    caller.to_tag = tag_of(only(bench.submit(Answer(leg, LOCAL))))
    bench.receive(caller.ack())
    assert bench.methods[-1] == "BYE" and bench.last() == HungUp(leg, Cause.FAULT)


@pytest.mark.parametrize("hold", ["sendonly", "inactive", "0.0.0.0"])
def test_hold_and_resume_by_re_invite_are_answered_in_kind_and_told_once(hold: str) -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.answered(caller)
    body = sdp_body(address="0.0.0.0") if hold == "0.0.0.0" else sdp_body(hold)
    answer = bench.receive(caller.invite(body=body))[-1]
    expected = {"sendonly": "recvonly", "inactive": "inactive", "0.0.0.0": "sendrecv"}[hold]
    assert code_of([answer]) == 200 and f"a={expected}".encode() in answer.body
    assert isinstance(bench.last(), Held)
    bench.receive(caller.ack())
    bench.receive(caller.invite(body=body))
    bench.receive(caller.ack())
    assert len([event for event in bench.events if isinstance(event, Held)]) == 1
    answer = bench.receive(caller.invite(body=sdp_body()))[-1]
    assert b"a=sendrecv" in answer.body
    bench.receive(caller.ack())
    assert bench.last() == Resumed(leg, sdp.parse(sdp_body()))


def test_moved_media_is_answered_with_the_same_session_and_told() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.answered(caller)
    answer = sdp.parse(bench.receive(caller.invite(body=sdp_body(port=4444)))[-1].body)
    assert answer.session_id == LOCAL.session_id and answer.port == LOCAL.port
    assert bench.last() == MediaChanged(leg, sdp.parse(sdp_body(port=4444)))


def test_a_re_invite_that_changes_nothing_tells_nothing() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.answered(caller)
    assert code_of(bench.receive(caller.invite())) == 200
    bench.receive(caller.ack())
    assert bench.last() == Confirmed(leg, None)


def test_a_re_invite_without_an_offer_gets_ours_with_sendrecv_and_is_no_hold() -> None:
    bench = Bench()
    caller = Caller()
    bench.answered(caller)
    answer = bench.receive(caller.invite(body=b""))[-1]
    assert sdp.parse(answer.body).direction is sdp.Direction.SENDRECV
    bench.receive(caller.ack(sdp_body(port=4002)))
    assert isinstance(bench.last(), MediaChanged)


def test_a_re_invite_that_cannot_be_used_is_refused_488_and_the_call_goes_on() -> None:
    bench = Bench()
    caller = Caller()
    bench.answered(caller)
    assert code_of(bench.receive(caller.invite(body=sdp_body(formats="9")))) == 488
    bench.receive(caller.ack(branch=f"z9hG4bK-c1-{caller.branches}"))
    assert code_of(bench.receive(caller.ask("OPTIONS"))) == 200


def test_a_lost_ack_of_a_re_invite_ends_the_call() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.answered(caller)
    bench.receive(caller.invite())
    bench.wait(LIFE + 5)
    assert bench.last() == HungUp(leg, Cause.LOST_ACK) and bench.methods[-1] == "BYE"


def test_a_second_re_invite_before_the_ack_of_the_first_is_answered_500_with_retry_after() -> None:
    bench = Bench()
    caller = Caller()
    bench.answered(caller)
    bench.receive(caller.invite())
    answer = bench.receive(caller.invite())[-1]
    assert code_of([answer]) == 500 and answer.headers.get("retry-after") is not None


def test_update_changes_media_without_a_handshake() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.answered(caller)
    answer = only(bench.receive(caller.ask("UPDATE", body=sdp_body("sendonly"))))
    assert code_of([answer]) == 200 and b"a=recvonly" in answer.body
    assert bench.last() == Held(leg, sdp.parse(sdp_body("sendonly")))


@pytest.mark.parametrize(
    ("kind", "body", "digit", "milliseconds"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5", 160),
        ("application/dtmf-relay", b"Signal= #\r\n", "#", 250),
        ("application/dtmf", b"*", "*", 250),
        ("Application/DTMF; charset=x", b"d\r\n", "D", 250),
    ],
)
def test_a_digit_by_info_is_told_once(kind: str, body: bytes, digit: str, milliseconds: int) -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.answered(caller)
    info = caller.ask("INFO", f"Content-Type: {kind}", body=body)
    assert code_of(bench.receive(info)) == 200
    assert code_of(bench.receive(info)) == 200
    assert [event for event in bench.events if isinstance(event, DigitPressed)] == [
        DigitPressed(leg, digit, milliseconds)
    ]


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [("application/dtmf", b"77", 400), ("application/dtmf-relay", b"x", 400), ("text/plain", b"x", 415)],
)
def test_an_info_that_says_no_digit_is_refused(kind: str, body: bytes, code: int) -> None:
    bench = Bench()
    caller = Caller()
    bench.answered(caller)
    assert code_of(bench.receive(caller.ask("INFO", f"Content-Type: {kind}", body=body))) == code


def test_requests_of_a_dialog_that_is_not_known_are_answered_481() -> None:
    bench = Bench()
    for method in ("BYE", "INVITE", "UPDATE", "INFO", "OPTIONS"):
        caller = Caller(call_id=f"c-{method}", to_tag="nobody")
        assert code_of(bench.receive(caller.ask(method))) == 481, method


def test_a_bye_with_the_wrong_tag_does_not_end_the_call() -> None:
    bench = Bench()
    caller = Caller()
    bench.answered(caller)
    forged = Caller(to_tag=caller.to_tag, from_tag="guess", cseq=50, branches=50)
    assert code_of(bench.receive(forged.ask("BYE"))) == 481
    assert bench.heart.legs == 1


def test_a_request_that_comes_out_of_order_is_answered_500() -> None:
    bench = Bench()
    caller = Caller()
    bench.answered(caller)
    assert code_of(bench.receive(caller.ask("OPTIONS", cseq=9))) == 200
    assert code_of(bench.receive(caller.ask("INFO", cseq=5))) == 500


def test_a_bye_before_the_answer_ends_the_call_like_a_cancel() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.offered(caller).leg
    caller.to_tag = tag_of(only(bench.submit(Ring(leg))))
    bench.receive(caller.ask("BYE"))
    assert bench.codes[-2:] == [200, 487]
    assert bench.last() == HungUp(leg, Cause.CANCELLED, 487)


def test_a_merged_invite_is_refused_482() -> None:
    bench = Bench()
    caller = Caller()
    bench.offered(caller)
    assert code_of(bench.receive(caller.ask("INVITE", cseq=1))) == 482


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        (("Require: 100rel, nothing-known",), None, 420),
        (("Max-Forwards: 0",), None, 483),
        (("Session-Expires: 30", "Supported: timer"), None, 422),
        (("Content-Type: text/html",), b"<p>", 415),
        ((), b"nonsense", 400),
        ((), sdp_body(formats="9"), 0),
        ((), sdp_body().replace(b"IP4", b"IP6").replace(b"192.0.2.10", b"2001:db8::1"), 488),
        ((), sdp_body().replace(b"RTP/AVP", b"RTP/SAVP"), 488),
    ],
)
def test_an_invite_that_cannot_be_served_is_refused_with_the_right_code(
    headers: tuple[str, ...], body: bytes | None, code: int
) -> None:
    bench = Bench()
    data = Caller().invite(*headers, body=body)
    if headers and headers[0].startswith("Max"):
        data = data.replace(b"Max-Forwards: 70\r\n", b"", 1)
    answer = bench.receive(data)[-1]
    assert code_of([answer]) == (code or 100)
    assert bool(bench.events) == (code == 0)
    if code == 420:
        assert answer.headers.get("unsupported") is not None
        assert (answer.headers.get("unsupported") or "").startswith("100rel")
    if code == 422:
        assert answer.headers.get("min-se") == "90"


@pytest.mark.parametrize(("method", "code"), [("PUBLISH", 405), ("PRACK", 405), ("DANCE", 501)])
def test_a_method_that_is_not_served_is_answered_with_what_is(method: str, code: int) -> None:
    bench = Bench()
    answer = bench.receive(Caller().ask(method))[-1]
    assert code_of([answer]) == code
    assert answer.headers.get("allow") == "INVITE"
    served = {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "REFER", "SUBSCRIBE"}
    assert set(answer.headers.all("allow")) == served


def test_options_from_a_trunk_is_answered_200() -> None:
    bench = Bench()
    answer = only(bench.receive(Caller().ask("OPTIONS")))
    assert code_of([answer]) == 200 and answer.headers.get("accept") == "application/sdp"


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "BYE", "REFER", "DANCE", "MESSAGE"])
def test_strangers_hear_nothing_and_are_counted(method: str) -> None:
    bench = Bench()
    assert bench.receive(Caller(peer=STRANGER).ask(method, body=sdp_body()), STRANGER) == []
    assert bench.heart.counters["unknown_sources"] == 1
    assert bench.events == [] and bench.is_clean


def test_a_trunk_is_known_by_its_sources_whatever_its_from_says() -> None:
    settings = replace(
        SETTINGS,
        trunks=(
            Trunk(name="main", proxy="192.0.2.10"),
            Trunk(name="other", proxy="10.9.9.9", registers=False, sources=("203.0.113.0/24",)),
        ),
    )
    bench = Bench(settings)
    peer = Peer("udp", ("203.0.113.77", 5080))
    assert bench.offered(Caller(peer=peer)).source == FromTrunk("other")
    assert bench.offered(Caller(call_id="c2", peer=TRUNK)).source == FromTrunk("main")


def test_a_registered_trunk_is_known_by_our_random_user_from_any_address_and_the_to_tells_who_was_called() -> None:
    bench = Bench()
    peer = Peer("udp", ("203.0.113.5", 5060))
    event = bench.offered(Caller(uri="sip:random0@192.0.2.1", peer=peer))
    assert event.source == FromTrunk("main") and event.called == "02188123456"


def test_a_phone_is_challenged_first_and_known_by_its_password_not_by_its_from() -> None:
    bench = Bench()
    caller = Caller(peer=DESK, uri="sip:101@192.0.2.1")
    challenge = bench.receive(caller.invite(), DESK)[-1]
    assert code_of([challenge]) == 401 and len(challenge.headers.all("www-authenticate")) == 2
    bench.receive(caller.ack(branch="z9hG4bK-c1-1"), DESK)
    event = bench.offered(caller, proof(challenge, "INVITE", caller.uri))
    assert event.source == FromPhone("desk1") and event.called == "101"


def test_a_wrong_password_is_challenged_again_and_makes_no_call() -> None:
    bench = Bench()
    caller = Caller(peer=DESK)
    challenge = bench.receive(caller.invite(), DESK)[-1]
    line = proof(challenge, "INVITE", caller.uri, password="guess")
    assert code_of(bench.receive(caller.invite(line), DESK)) == 401
    assert bench.events == []


def test_the_answer_goes_to_the_port_that_the_request_came_from_and_says_so() -> None:
    bench = Bench()
    peer = Peer("udp", ("192.0.2.10", 61234))
    data = Caller().invite()  # its Via names port 5060
    bench.receive(data, peer)
    message, destination = bench.sent[0]
    assert destination.address == ("192.0.2.10", 61234)
    assert ";rport=61234" in (message.headers.get("via") or "")
    assert ";received=192.0.2.10" in (message.headers.get("via") or "")


def test_without_rport_the_answer_goes_to_the_port_of_the_via() -> None:
    bench = Bench()
    bench.receive(Caller().invite().replace(b";rport", b""), Peer("udp", ("192.0.2.10", 61234)))
    assert bench.sent[0][1].address == ("192.0.2.10", 5060)


def test_a_bye_of_ours_goes_through_the_route_set_to_the_contact() -> None:
    bench = Bench()
    caller = Caller(route=("<sip:192.0.2.30:5070;lr>", "<sip:192.0.2.10;lr>"))
    leg = bench.answered(caller)
    bye = only(bench.submit(HangUp(leg)))
    assert isinstance(bye, wire.Request) and bye.uri == "sip:gw@192.0.2.10:5060"
    assert bye.headers.all("route") == list(caller.route)
    assert bench.sent[-1][1].address == ("192.0.2.30", 5070)


def test_a_strict_router_in_front_becomes_the_request_uri() -> None:
    bench = Bench()
    leg = bench.answered(Caller(route=("<sip:192.0.2.30>", "<sip:192.0.2.31;lr>")))
    bye = only(bench.submit(HangUp(leg)))
    assert isinstance(bye, wire.Request) and bye.uri == "sip:192.0.2.30"
    assert bye.headers.all("route") == ["<sip:192.0.2.31;lr>", "<sip:gw@192.0.2.10:5060>"]


def test_a_session_that_the_caller_does_not_refresh_ends_as_vanished() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.answered(caller, "Session-Expires: 90;refresher=uac", "Supported: timer")
    final = next(message for message, _ in bench.sent if message.headers.get("session-expires"))
    assert final.headers.get("session-expires") == "90;refresher=uac"
    bench.wait(50)
    assert code_of(bench.receive(caller.ask("UPDATE", "Session-Expires: 90;refresher=uac", "Supported: timer"))) == 200
    bench.wait(55)
    assert bench.heart.legs == 1
    bench.wait(30)
    assert bench.last() == HungUp(leg, Cause.VANISHED)


def test_a_session_that_is_ours_to_refresh_is_refreshed_with_the_unchanged_description() -> None:
    bench = Bench()
    bench.answered(Caller(), "Session-Expires: 120;refresher=uas", "Supported: timer")
    [refresh] = bench.wait(60.2)
    assert isinstance(refresh, wire.Request) and refresh.method == "INVITE"
    assert sdp.parse(refresh.body).version == LOCAL.version


def test_a_peer_that_allows_update_is_refreshed_by_update() -> None:
    bench = Bench()
    bench.answered(Caller(), "Session-Expires: 120;refresher=uas", "Supported: timer", "Allow: INVITE, UPDATE")
    [refresh] = bench.wait(60.2)
    assert isinstance(refresh, wire.Request) and refresh.method == "UPDATE" and refresh.body == b""


def test_what_is_needed_to_end_a_leg_is_told_when_it_comes_and_when_it_is_answered() -> None:
    bench = Bench()
    bench.answered(Caller())
    kept = [event.key for event in bench.all_events if isinstance(event, LegKept)]
    assert [key.is_confirmed for key in kept] == [False, True]
    assert kept[1].call_id == "c1" and kept[1].destination == TRUNK.address


def test_ringing_is_repeated_each_minute() -> None:
    bench = Bench()
    leg = bench.offered(Caller()).leg
    bench.submit(Ring(leg))
    assert [message.code for message in bench.wait(130) if isinstance(message, wire.Response)] == [180, 180]


def test_commands_for_a_leg_that_is_over_are_dropped() -> None:
    bench = Bench()
    caller = Caller()
    leg = bench.answered(caller)
    bench.receive(caller.ask("BYE"))
    for command in (Ring(leg), Answer(leg, LOCAL), Refuse(leg, 486), HangUp(leg)):
        assert bench.submit(command) == []


def test_an_ack_that_is_lost_at_a_moment_that_rounds_badly_still_ends_the_call() -> None:
    bench = Bench()
    bench.now = 8.013345031205052  # plus 32 minus itself is a hair below 32
    leg = bench.offered(Caller()).leg
    bench.submit(Answer(leg, LOCAL))
    bench.wait(LIFE + 1)
    assert bench.last() == HungUp(leg, Cause.LOST_ACK)


@pytest.mark.parametrize("shown", ["0912 123 4567", "+989121234567", "100"])
def test_a_gateway_that_shows_its_own_number_for_want_of_a_caller_is_no_caller(shown: str) -> None:
    bench = Bench(with_trunk(replace(SETTINGS.trunks[0], kind="analog", gateway_numbers=(shown, "200"))))
    event = bench.offered(Caller())
    assert event.caller == (Identity("09121234567", "Ali") if shown == "100" else Identity("", "", True))
