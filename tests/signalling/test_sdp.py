"""Session descriptions: what is read, offered, answered and agreed."""

from __future__ import annotations

import random

import pytest

from appliance.signalling import sdp
from tests.signalling.given import sdp_body

OFFER = sdp.parse(sdp_body(formats="0 8 101"))


def lines(*text: str) -> bytes:
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", *text, ""]).encode()


def test_an_offer_of_ours_is_read_back_as_it_was_written() -> None:
    ours = sdp.offer("192.0.2.1", 6000, "PCMU", 9, version=3, direction=sdp.Direction.SENDONLY)
    assert sdp.parse(sdp.encode(ours)) == ours
    assert [codec.payload_type for codec in ours.codecs] == [0, 8, 101]


def test_an_answer_names_one_law_and_the_events_under_the_offered_numbers() -> None:
    offered = sdp.parse(sdp_body(formats="9 0 8 96").replace(b"rtpmap:101", b"rtpmap:96"))
    answer = sdp.answer(offered, "192.0.2.1", 6000, "PCMA")
    assert answer is not None
    assert [(codec.payload_type, codec.name) for codec in answer.codecs] == [(8, "PCMA"), (96, "telephone-event")]


def test_the_other_law_is_taken_where_the_preferred_one_is_not_offered_and_none_where_there_is_none() -> None:
    only_mu = sdp.answer(sdp.parse(sdp_body(formats="0")), "192.0.2.1", 6000, "PCMA")
    assert only_mu is not None and [codec.name for codec in only_mu.codecs] == ["PCMU"]
    assert sdp.answer(sdp.parse(sdp_body(formats="9 18")), "192.0.2.1", 6000, "PCMA") is None


def test_a_dynamic_number_for_g711_is_answered_under_that_number() -> None:
    offered = sdp.parse(lines("c=IN IP4 192.0.2.9", "t=0 0", "m=audio 4000 RTP/AVP 97", "a=rtpmap:97 pcma/8000/1"))
    answer = sdp.answer(offered, "192.0.2.1", 6000, "PCMA")
    assert answer is not None and answer.codecs[0].payload_type == 97
    agreement = sdp.agree(answer, offered)
    assert agreement is not None and (agreement.law, agreement.send_payload_type) == ("PCMA", 97)


def test_other_media_are_refused_with_port_0_in_their_places() -> None:
    offered = sdp.parse(
        lines(
            "c=IN IP4 192.0.2.9",
            "t=0 0",
            "m=video 5000 RTP/AVP 99",
            "a=sendonly",
            "m=audio 4000 RTP/AVP 8",
            "m=image 6000 udptl t38",
        )
    )
    assert offered.direction is sdp.Direction.SENDRECV
    answer = sdp.answer(offered, "192.0.2.1", 6000, "PCMA")
    assert answer is not None
    media = [line for line in sdp.encode(answer).decode().splitlines() if line.startswith("m=")]
    assert media == ["m=video 0 RTP/AVP 99", "m=audio 6000 RTP/AVP 8", "m=image 0 udptl t38"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_the_direction_is_mirrored(theirs: str, ours: str) -> None:
    answer = sdp.answer(sdp.parse(sdp_body(theirs)), "192.0.2.1", 6000, "PCMA")
    assert answer is not None and answer.direction == ours


@pytest.mark.parametrize(
    ("body", "is_hold"),
    [
        (sdp_body(), False),
        (sdp_body("recvonly"), False),
        (sdp_body("sendonly"), True),
        (sdp_body("inactive"), True),
        (sdp_body(address="0.0.0.0"), True),
    ],
)
def test_a_hold_is_seen_in_all_its_forms(body: bytes, is_hold: bool) -> None:
    assert sdp.is_hold(sdp.parse(body)) is is_hold


@pytest.mark.parametrize(
    ("direction", "sends", "receives"),
    [("sendrecv", True, True), ("sendonly", False, True), ("recvonly", True, False), ("inactive", False, False)],
)
def test_an_agreement_says_who_sends(direction: str, sends: bool, receives: bool) -> None:
    remote = sdp.parse(sdp_body(direction))
    local = sdp.offer("192.0.2.1", 6000, "PCMA", 1)
    agreement = sdp.agree(local, remote)
    assert agreement is not None and (agreement.sends, agreement.receives) == (sends, receives)
    assert (agreement.address, agreement.port) == ("192.0.2.10", 4000)


def test_an_agreement_keeps_each_sides_own_numbers_for_events() -> None:
    remote = sdp.parse(sdp_body(formats="8 96").replace(b"rtpmap:101", b"rtpmap:96"))
    agreement = sdp.agree(sdp.offer("192.0.2.1", 6000, "PCMA", 1), remote)
    assert agreement is not None
    assert (agreement.send_event_payload_type, agreement.receive_event_payload_type) == (96, 101)
    without = sdp.agree(sdp.offer("192.0.2.1", 6000, "PCMA", 1), sdp.parse(sdp_body(formats="8")))
    assert without is not None and without.send_event_payload_type is None


@pytest.mark.parametrize(
    ("offered", "answered"), [("0-15", "0-15"), ("0-16", "0-15"), ("0-11,66", "0-11"), ("", "0-15")]
)
def test_of_the_offered_events_only_the_sixteen_keys_are_answered(offered: str, answered: str) -> None:
    body = sdp_body() + (f"a=fmtp:101 {offered}\r\n".encode() if offered else b"")
    answer = sdp.answer(sdp.parse(body), "192.0.2.1", 6000, "PCMA")
    assert answer is not None and answer.codecs[1].parameters == answered


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 400),
        (b"hello", 400),
        (lines("nonsense"), 400),
        (lines("m=audio 4000 RTP/AVP 8"), 400),
        (lines("c=IN IP4 192.0.2.1", "m=audio 99999 RTP/AVP 8"), 400),
        (lines("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 300"), 400),
        (lines("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP"), 400),
        (lines("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP " + "8 " * 100), 400),
        (lines(*["a=x"] * 300), 400),
        (lines("c=IN IP4 192.0.2.1"), 488),
        (lines("c=IN IP4 192.0.2.1", "m=audio 0 RTP/AVP 8"), 488),
        (lines("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 8"), 488),
        (lines("c=IN IP4 phone.example", "m=audio 4000 RTP/AVP 8"), 488),
        (lines("c=IN IP4 224.2.1.1/127", "m=audio 4000 RTP/AVP 8"), 488),
        (lines("c=IN IP6 2001:db8::1", "m=audio 4000 RTP/AVP 8"), 488),
    ],
)
def test_a_description_that_cannot_be_used_says_why(body: bytes, code: int) -> None:
    with pytest.raises(sdp.SdpError) as refused:
        sdp.parse(body)
    assert refused.value.code == code


def test_an_address_below_the_m_line_counts_before_that_of_the_session() -> None:
    body = lines("c=IN IP4 192.0.2.1", "t=0 0", "m=audio 4000 RTP/AVP 8", "c=IN IP4 192.0.2.77", "a=ptime:30")
    found = sdp.parse(body)
    assert (found.address, found.ptime_ms) == ("192.0.2.77", 30)


def test_no_spoiled_description_raises_anything_but_its_own_error() -> None:
    chance = random.Random(3)
    for _ in range(2000):
        body = bytearray(sdp_body(formats="0 8 101"))
        for _ in range(chance.randrange(1, 8)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        try:
            offered = sdp.parse(bytes(body))
        except sdp.SdpError:
            continue
        answer = sdp.answer(offered, "192.0.2.1", 6000, "PCMA")
        if answer is not None:
            assert sdp.parse(sdp.encode(answer)).codecs == answer.codecs
