"""Calls that the box makes: challenges, forks, refusals, late answers, holds of our own and the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.signalling import sdp, wire
from appliance.signalling.port import (
    Answered,
    Cause,
    Check,
    Dial,
    EndOrphan,
    Go,
    HangUp,
    Hold,
    HungUp,
    Identity,
    LegKept,
    LegKey,
    PhoneRegistered,
    Progressed,
    Refused,
    Resume,
    ToPhone,
    ToTrunk,
)
from appliance.signalling.transactions import LIFE, Peer
from tests.signalling.given import (
    DESK,
    SETTINGS,
    TRUNK,
    Bench,
    Caller,
    code_of,
    only,
    proof,
    reply,
    sdp_body,
    with_trunk,
)

OURS = sdp.offer("", 6000, "PCMA", 9)
TO_TRUNK = Dial("leg", ToTrunk("main", "02144556677"), OURS, Identity("02188123456", "پاسخ"))
TO_DESK = Dial("leg", ToPhone("desk1"), OURS, Identity("09121234567", "Ali"))
BUSY = Peer("udp", ("192.168.1.21", 5062))


def dialled(bench: Bench, command: Dial = TO_TRUNK) -> wire.Request:
    message = only(bench.submit(command))
    assert isinstance(message, wire.Request)
    return message


def standing(bench: Bench, *headers: str) -> wire.Request:
    """An answered call of ours; its INVITE."""
    invite = dialled(bench)
    bench.receive(reply(invite, 200, *headers, body=sdp_body()))
    return invite


def registered(bench: Bench, *peers: Peer) -> None:
    """desk1 is registered at each of ``peers``."""
    for number, peer in enumerate(peers):
        caller = Caller(call_id=f"r{number}", peer=peer, uri="sip:box.example", called="<sip:desk1@box.example>")
        challenge = only(bench.receive(caller.ask("REGISTER"), peer))
        answer = only(bench.receive(caller.ask("REGISTER", proof(challenge, "REGISTER", caller.uri)), peer))
        assert code_of([answer]) == 200
    bench.sent.clear()


def test_an_invite_to_a_trunk_names_its_domain_goes_to_its_proxy_and_shows_our_address_there() -> None:
    bench = Bench(with_trunk(replace(SETTINGS.trunks[0], address="10.20.0.5")))
    invite = dialled(bench)
    assert invite.uri == "sip:02144556677@provider.example"
    assert bench.sent[0][1] == TRUNK
    assert b"c=IN IP4 10.20.0.5" in invite.body
    assert invite.headers.get("contact") == "<sip:random0@10.20.0.5:5060>"
    assert (invite.headers.get("via") or "").startswith("SIP/2.0/UDP 10.20.0.5:5060;")
    assert invite.headers.get("p-asserted-identity") == "<sip:02188123456@provider.example>"
    assert [codec.name for codec in sdp.parse(invite.body).codecs] == ["PCMA", "PCMU", "telephone-event"]


def test_ringing_and_early_media_are_told_and_the_200_is_acknowledged_each_time_it_comes() -> None:
    bench = Bench()
    invite = dialled(bench)
    bench.receive(reply(invite, 100, tag=""))
    bench.receive(reply(invite, 180))
    bench.receive(reply(invite, 183, body=sdp_body()))
    answer = reply(invite, 200, body=sdp_body())
    bench.receive(answer)
    bench.receive(answer)
    early = sdp.parse(sdp_body())
    assert bench.events == [Progressed("leg", 180, None), Progressed("leg", 183, early), Answered("leg", early)]
    assert bench.methods == ["INVITE", "ACK", "ACK"]
    acks = [message.encode() for message, _ in bench.sent if isinstance(message, wire.Request)][1:]
    assert acks[0] == acks[1]
    bench.submit(HangUp("leg"))
    bench.wait(2 * LIFE)
    assert bench.is_clean


def test_a_call_that_nobody_answers_at_all_is_repeated_seven_times_and_refused_408() -> None:
    bench = Bench()
    dialled(bench)
    bench.wait(LIFE + 1)
    assert bench.methods == ["INVITE"] * 7  # timer A: after 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s
    assert bench.last() == Refused("leg", 408, "", None)
    assert bench.is_clean


@pytest.mark.parametrize("code", [302, 404, 480, 486, 503, 603])
def test_a_refusal_is_acknowledged_and_told_with_its_retry_after(code: int) -> None:
    bench = Bench()
    invite = dialled(bench)
    ack = only(bench.receive(reply(invite, code, "Retry-After: 20 (soon)")))
    assert isinstance(ack, wire.Request) and ack.method == "ACK"
    assert ack.headers.get("via") == invite.headers.get("via")
    assert bench.last() == Refused("leg", code, "Said So", 20)
    bench.wait(LIFE + 1)
    assert bench.is_clean


def test_a_challenge_is_answered_once_with_the_next_number() -> None:
    bench = Bench(trunk_password="secret")
    invite = dialled(bench)
    challenge = 'Proxy-Authenticate: Digest realm="p", nonce="n1", qop="auth"'
    again = bench.receive(reply(invite, 407, challenge))[-1]
    assert isinstance(again, wire.Request) and again.method == "INVITE"
    assert again.headers.get("cseq") == "2 INVITE" and again.headers.get("call-id") == invite.headers.get("call-id")
    assert 'username="88123456"' in (again.headers.get("proxy-authorization") or "")
    bench.receive(reply(again, 407, challenge.replace("n1", "n2")))
    assert bench.last() == Refused("leg", 407, "Said So", None)


def test_a_challenge_without_a_password_of_ours_is_a_refusal() -> None:
    bench = Bench()
    bench.receive(reply(dialled(bench), 401, 'WWW-Authenticate: Digest realm="p", nonce="n"'))
    assert bench.last() == Refused("leg", 401, "Said So", None)


def test_an_interval_that_is_too_small_is_asked_again_as_the_other_side_wants_it() -> None:
    bench = Bench()
    again = bench.receive(reply(dialled(bench), 422, "Min-SE: 7200"))[-1]
    assert again.headers.get("session-expires") == "7200" and again.headers.get("min-se") == "7200"


def test_giving_up_before_anything_was_heard_waits_with_the_cancel() -> None:
    bench = Bench()
    invite = dialled(bench)
    assert bench.submit(HangUp("leg")) == []
    assert bench.last() == HungUp("leg", Cause.ENDED_HERE, 480)
    cancel = only(bench.receive(reply(invite, 180)))
    assert isinstance(cancel, wire.Request) and cancel.method == "CANCEL"
    assert cancel.headers.get("via") == invite.headers.get("via")
    bench.receive(reply(cancel, 200))
    bench.receive(reply(invite, 487))
    bench.wait(2 * LIFE)
    assert bench.is_clean and len(bench.events) == 1


def test_a_200_that_crosses_our_cancel_is_acknowledged_and_ended() -> None:
    bench = Bench()
    invite = dialled(bench)
    bench.receive(reply(invite, 180))
    bench.submit(HangUp("leg", Cause.NO_ANSWER))
    said = bench.receive(reply(invite, 200, body=sdp_body()))
    assert [message.method for message in said if isinstance(message, wire.Request)] == ["ACK", "BYE"]
    assert bench.events[1:] == [HungUp("leg", Cause.NO_ANSWER, 480)]
    bench.wait(2 * LIFE)
    assert bench.is_clean


def test_ringing_ends_by_itself_after_the_time_in_the_settings() -> None:
    bench = Bench(replace(SETTINGS, ring_seconds=30))
    bench.receive(reply(dialled(bench), 180))
    bench.wait(30.1)
    assert bench.methods[-1] == "CANCEL" and bench.last() == HungUp("leg", Cause.NO_ANSWER)
    bench.wait(3 * LIFE)
    assert bench.is_clean


def test_of_two_answers_of_one_fork_the_first_wins_and_the_other_is_ended() -> None:
    bench = Bench()
    invite = dialled(bench)
    bench.receive(reply(invite, 200, tag="one", body=sdp_body()))
    said = bench.receive(reply(invite, 200, tag="two", body=sdp_body()))
    assert [message.method for message in said if isinstance(message, wire.Request)] == ["ACK", "BYE"]
    assert ";tag=two" in (said[1].headers.get("to") or "")
    assert len([event for event in bench.events if isinstance(event, Answered)]) == 1
    assert bench.heart.legs == 1


def test_an_answer_that_cannot_be_used_is_acknowledged_ended_and_refused_488() -> None:
    bench = Bench()
    said = bench.receive(reply(dialled(bench), 200, body=sdp_body(formats="9")))
    assert [message.method for message in said if isinstance(message, wire.Request)] == ["ACK", "BYE"]
    assert bench.last() == Refused("leg", 488, "", None)
    bench.wait(2 * LIFE)
    assert bench.is_clean


def test_a_trunk_without_an_address_refuses_503_and_a_phone_that_is_away_480() -> None:
    bench = Bench()
    bench.heart.accounts["main"].peers = ()
    bench.submit(TO_TRUNK)
    bench.submit(TO_DESK)
    assert bench.events == [Refused("leg", 503, "Trunk Unreachable", None), Refused("leg", 480, "Not Registered", None)]


def test_a_phone_is_rung_where_it_was_seen_at_each_of_its_places_and_the_first_answer_wins() -> None:
    bench = Bench()
    registered(bench, DESK, BUSY)
    bench.submit(TO_DESK)
    (first, to_first), (second, to_second) = bench.sent
    assert {to_first, to_second} == {DESK, BUSY}
    bench.receive(reply(first, 180), to_first)
    bench.receive(reply(second, 180), to_second)
    said = bench.receive(reply(first, 200, body=sdp_body()), to_first)
    assert [message.method for message in said if isinstance(message, wire.Request)] == ["ACK", "CANCEL"]
    assert "Call completed elsewhere" in (said[1].headers.get("reason") or "")
    bench.receive(reply(second, 487), to_second)
    assert isinstance(bench.last(), Answered)


def test_of_two_places_that_answer_at_once_one_has_the_call_and_the_other_hears_why_not() -> None:
    bench = Bench()
    registered(bench, DESK, BUSY)
    bench.submit(TO_DESK)
    (first, to_first), (second, to_second) = bench.sent
    bench.receive(reply(first, 200, body=sdp_body()), to_first)
    late = bench.receive(reply(second, 200, tag="late", body=sdp_body()), to_second)
    assert [message.method for message in late if isinstance(message, wire.Request)] == ["ACK", "BYE"]
    assert "Call completed elsewhere" in (late[1].headers.get("reason") or "")
    assert [type(event) for event in bench.events if isinstance(event, Answered | HungUp)] == [Answered]


def test_an_answered_leg_that_lost_the_race_hears_that_it_was_answered_elsewhere() -> None:
    bench = Bench()
    registered(bench, DESK)
    bench.submit(TO_DESK)
    [(invite, to)] = bench.sent
    bench.receive(reply(invite, 200, body=sdp_body()), to)
    [bye] = bench.submit(HangUp("leg", Cause.ANSWERED_ELSEWHERE))
    assert isinstance(bye, wire.Request) and bye.method == "BYE"
    assert "Call completed elsewhere" in (bye.headers.get("reason") or "")


def test_a_phone_that_is_busy_at_one_place_rings_on_at_the_other() -> None:
    bench = Bench()
    registered(bench, DESK, BUSY)
    bench.submit(TO_DESK)
    (first, to_first), (second, to_second) = bench.sent
    bench.receive(reply(first, 486), to_first)
    assert not [event for event in bench.events if isinstance(event, Refused)]
    bench.receive(reply(second, 480), to_second)
    assert bench.last() == Refused("leg", 480, "Said So", None)


def test_an_answer_that_cannot_be_used_stops_the_other_places_from_ringing() -> None:
    bench = Bench()
    registered(bench, DESK, BUSY)
    bench.submit(TO_DESK)
    (first, to_first), (second, to_second) = bench.sent
    bench.receive(reply(second, 180), to_second)
    said = bench.receive(reply(first, 200, body=sdp_body(formats="9")), to_first)
    assert [message.method for message in said if isinstance(message, wire.Request)] == ["ACK", "BYE", "CANCEL"]


def test_hold_and_resume_of_ours_are_re_invites_with_a_higher_version() -> None:
    bench = Bench()
    standing(bench)
    hold = only(bench.submit(Hold("leg", replace(OURS, direction=sdp.Direction.SENDONLY))))
    assert isinstance(hold, wire.Request) and hold.method == "INVITE" and b"a=sendonly" in hold.body
    assert bench.submit(Resume("leg", OURS)) == []  # waits for the answer to the hold
    said = bench.receive(reply(hold, 200, body=sdp_body("recvonly")))
    assert [message.method for message in said if isinstance(message, wire.Request)] == ["ACK", "INVITE"]
    resume = said[1]
    assert b"a=sendrecv" in resume.body
    assert sdp.parse(resume.body).version == sdp.parse(hold.body).version + 1
    assert resume.headers.get("cseq") == "3 INVITE"


def test_when_both_change_at_once_theirs_gets_491_and_ours_is_tried_again_later() -> None:
    bench = Bench()
    invite = standing(bench)
    hold = only(bench.submit(Hold("leg", replace(OURS, direction=sdp.Direction.SENDONLY))))
    theirs = Caller(call_id=invite.headers.get("call-id") or "", from_tag="b", cseq=5)
    theirs.to_tag = (invite.headers.get("from") or "").partition(";tag=")[2]
    assert code_of(bench.receive(theirs.invite())) == 491
    bench.receive(reply(hold, 491))
    assert [m for m in bench.wait(2.0) if isinstance(m, wire.Request)] == []  # the owner of the Call-ID waits 2.1-4 s
    again = [m for m in bench.wait(2.1) if isinstance(m, wire.Request)]
    assert {message.method for message in again} == {"INVITE"} and b"a=sendonly" in again[0].body


def test_a_change_that_is_only_ever_called_in_progress_leaves_nothing_behind() -> None:
    bench = Bench()
    standing(bench)
    hold = only(bench.submit(Hold("leg", OURS)))
    bench.receive(reply(hold, 100, tag=""))
    bench.wait(LIFE + 1)
    assert bench.last() == HungUp("leg", Cause.VANISHED)
    bench.wait(2 * LIFE)
    assert bench.is_clean


def test_a_peer_that_lost_the_call_says_481_and_the_leg_has_vanished() -> None:
    bench = Bench()
    standing(bench)
    options = only(bench.submit(Check("leg")))
    assert isinstance(options, wire.Request) and options.method == "OPTIONS"
    bench.receive(reply(options, 481))
    assert bench.last() == HungUp("leg", Cause.VANISHED)


def test_a_check_that_is_answered_changes_nothing_and_one_that_is_not_ends_the_leg() -> None:
    bench = Bench()
    standing(bench)
    bench.receive(reply(only(bench.submit(Check("leg"))), 200, contact="192.0.2.99:5060"))
    assert isinstance(bench.last(), Answered)
    check = only(bench.submit(Check("leg")))
    assert isinstance(check, wire.Request) and check.uri == "sip:gw@192.0.2.10:5060"
    bench.wait(LIFE + 1)
    assert bench.last() == HungUp("leg", Cause.VANISHED)


def test_the_session_is_refreshed_at_half_its_time_where_that_is_ours_to_do() -> None:
    bench = Bench()
    standing(bench, "Session-Expires: 200;refresher=uac", "Allow: INVITE, UPDATE")
    refresh = bench.wait(100.1)[0]
    assert isinstance(refresh, wire.Request) and refresh.method == "UPDATE"
    assert refresh.headers.get("session-expires") == "200;refresher=uac"
    bench.receive(reply(refresh, 200, "Session-Expires: 200;refresher=uac"))
    assert [message.method for message in bench.wait(100) if isinstance(message, wire.Request)] == ["UPDATE"]


def test_a_bye_that_is_challenged_is_sent_again_with_the_answer() -> None:
    bench = Bench(trunk_password="secret")
    standing(bench)
    bye = only(bench.submit(HangUp("leg")))
    again = only(bench.receive(reply(bye, 407, 'Proxy-Authenticate: Digest realm="p", nonce="n"')))
    assert isinstance(again, wire.Request) and again.method == "BYE"
    assert again.headers.get("proxy-authorization") is not None


def test_a_crossing_bye_ends_the_leg_once() -> None:
    bench = Bench()
    invite = standing(bench)
    bench.submit(HangUp("leg"))
    theirs = Caller(call_id=invite.headers.get("call-id") or "", from_tag="b", cseq=5)
    theirs.to_tag = (invite.headers.get("from") or "").partition(";tag=")[2]
    assert code_of(bench.receive(theirs.ask("BYE"))) == 481
    assert len([event for event in bench.events if isinstance(event, HungUp)]) == 1


def test_a_withheld_caller_is_not_named() -> None:
    bench = Bench()
    registered(bench, DESK)
    invite = dialled(bench, replace(TO_DESK, caller=Identity("", "", True)))
    assert (invite.headers.get("from") or "").startswith("<sip:anonymous@box.example>;tag=")


def test_a_connection_that_breaks_refuses_what_waited_on_it() -> None:
    bench = Bench(with_trunk(replace(SETTINGS.trunks[0], transport="tcp")))
    invite = dialled(bench)
    assert (invite.headers.get("via") or "").startswith("SIP/2.0/TCP")
    assert "transport=tcp" in (invite.headers.get("contact") or "")
    assert bench.wait(3) == []  # nothing is repeated over a reliable transport
    bench.heart.unreachable(Peer("tcp", TRUNK.address), bench.now)
    assert bench.last() == Refused("leg", 408, "", None)


# What a dead process left ---------------------------------------------------------------------------------------------


def last_key(bench: Bench) -> LegKey:
    return [event.key for event in bench.all_events if isinstance(event, LegKept)][-1]


def test_an_answered_leg_of_a_dead_process_is_ended_by_a_bye_in_its_dialog() -> None:
    dead = Bench()
    invite = standing(dead)
    bench = Bench(seed=2)
    bye = only(bench.submit(EndOrphan(last_key(dead))))
    assert isinstance(bye, wire.Request) and bye.method == "BYE" and bye.uri == "sip:gw@192.0.2.10:5060"
    for name in ("call-id", "from"):
        assert bye.headers.get(name) == invite.headers.get(name)
    assert ";tag=b" in (bye.headers.get("to") or "")
    assert bench.sent[-1][1] == TRUNK and bench.events == []
    bench.receive(reply(bye, 200))
    bench.wait(LIFE)
    assert bench.is_clean


def test_a_leg_that_a_dead_process_was_ringing_is_cancelled_and_its_late_answer_ended() -> None:
    dead = Bench()
    invite = dialled(dead)
    bench = Bench(seed=2)
    cancel = only(bench.submit(EndOrphan(last_key(dead))))
    assert isinstance(cancel, wire.Request) and cancel.method == "CANCEL"
    assert (cancel.headers.get("via") or "") == (invite.headers.get("via") or "")
    said = bench.receive(reply(invite, 200, body=sdp_body()))
    assert [message.method for message in said if isinstance(message, wire.Request)] == ["ACK", "BYE"]
    bench.wait(3 * LIFE)
    assert bench.is_clean and bench.events == []


def test_the_cancel_of_a_dead_processes_call_goes_where_its_invite_went() -> None:
    dead = Bench()
    dead.heart.accounts["main"].peers = (Peer("udp", ("192.0.2.10", 5070)),)
    dialled(dead)
    assert dead.sent[-1][1].address == last_key(dead).destination == ("192.0.2.10", 5070)


def test_a_leg_that_rang_here_when_the_process_died_is_refused_480() -> None:
    dead = Bench()
    dead.offered(Caller())
    bench = Bench(seed=2)
    answer = only(bench.submit(EndOrphan(last_key(dead))))
    assert code_of([answer]) == 480 and answer.headers.get("call-id") == "c1"
    assert bench.sent[-1][1].address == TRUNK.address


def test_a_registration_is_told_once_and_survives_a_refresh() -> None:
    bench = Bench()
    registered(bench, DESK)
    assert [event for event in bench.events if isinstance(event, PhoneRegistered)] == [
        PhoneRegistered("desk1", "sip:gw@192.168.1.20:5062", 3600, "")
    ]


def test_what_waits_is_not_sent_before_go_and_was_told_as_it_leaves() -> None:
    bench = Bench()
    assert bench.submit(replace(TO_TRUNK, waits=True)) == []
    (kept,) = [event.key for event in bench.all_events if isinstance(event, LegKept)]
    invite = only(bench.submit(Go("leg")))
    assert isinstance(invite, wire.Request) and bench.sent[0][1] == TRUNK
    assert kept.branch in (invite.headers.get("via") or "") and kept.call_id == invite.headers.get("call-id")
    assert kept.local_uri == invite.headers.get("from") and invite.headers.get("cseq") == f"{kept.cseq} INVITE"
    bench.receive(reply(invite, 180))
    with_key = Bench()
    cancel = only(with_key.submit(EndOrphan(kept)))
    assert isinstance(cancel, wire.Request) and cancel.method == "CANCEL"
    assert kept.branch in (cancel.headers.get("via") or "")


def test_what_waits_can_be_given_up_without_anything_having_been_sent() -> None:
    bench = Bench()
    bench.submit(replace(TO_TRUNK, waits=True))
    assert bench.submit(HangUp("leg", Cause.ENDED_HERE)) == []
    assert isinstance(bench.events[-1], HungUp)
    assert bench.submit(Go("leg")) == []
