"""Bytes to messages and back: what is read, what is refused and how."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.signalling import wire
from tests.signalling.given import Caller, sdp_body

INVITE = Caller().invite()


def changed(old: str, new: str, message: bytes = INVITE) -> bytes:
    assert old.encode() in message
    return message.replace(old.encode(), new.encode(), 1)


def refused(data: bytes) -> wire.Refusal:
    with pytest.raises(wire.Refusal) as caught:
        wire.parse(data)
    return caught.value


def test_a_message_is_the_same_after_reading_and_writing() -> None:
    message = wire.parse(INVITE)
    assert isinstance(message, wire.Request)
    assert (message.method, message.uri, message.body) == ("INVITE", "sip:02188123456@192.0.2.1", sdp_body())
    again = wire.parse(message.encode())
    assert list(again.headers)[:-1] == [item for item in message.headers if item[0] != "content-length"]
    assert again.encode() == message.encode()


def test_compact_names_folded_lines_and_odd_spaces_are_read() -> None:
    data = changed("Via: ", "v : ").replace(b"From: ", b"f:\r\n ").replace(b"Call-ID:", b"i   :")
    headers = wire.parse(data).headers
    assert headers.get("call-id") == "c1" and (headers.get("from") or "").startswith('"Ali"') and "via" in headers


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "windows-1256"])
def test_names_in_any_encoding_survive_byte_for_byte(encoding: str) -> None:
    name = {"utf-8": "علی", "latin-1": "Müller", "windows-1256": "علي"}[encoding].encode(encoding)
    message = wire.parse(INVITE.replace(b"Ali", name))
    assert name in message.encode()


def test_lists_are_taken_apart_outside_of_quotes_and_brackets() -> None:
    assert wire.split_list('"a, b" <sip:x@y;z=1,2>;q=1, <sip:c@d>') == ['"a, b" <sip:x@y;z=1,2>;q=1', "<sip:c@d>"]
    assert wire.split_list("a, ,b") == ["a", "b"]
    assert wire.split_list(",") == [""]
    headers = wire.Headers([("via", "A, B"), ("via", "C"), ("subject", "x, y")])
    assert headers.all("via") == ["A", "B", "C"] and headers.get("via") == "A" and headers.get("subject") == "x, y"
    headers.set_first("via", "Z")
    assert headers.all("via") == ["Z", "B", "C"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (changed("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), 505),
        (changed("CSeq: 1 INVITE", "CSeq: 1 OPTIONS"), 400),
        (changed("CSeq: 1 INVITE", "CSeq: 4294967296 INVITE"), 400),
        (changed("CSeq: 1 INVITE", "CSeq: one INVITE"), 400),
        (changed("CSeq: 1 INVITE", f"CSeq: {'1' * 5000} INVITE"), 400),
        (changed("Content-Length: ", "Content-Length: 9"), 400),
        (changed("Content-Length: ", "Content-Length: -"), 400),
        (changed("Content-Length: ", f"Content-Length: {'9' * 5000}"), 400),
        (changed("Contact: ", "Call-ID: c2\r\nContact: "), 400),
        (changed("Contact: ", "no colon here\r\nContact: "), 400),
        (changed("Via: ", "X: "), None),
        (changed("Call-ID: ", "X: "), None),
        (INVITE.partition(b"\r\n\r\n")[0], None),
        (changed("INVITE sip", "INV(TE sip"), None),
        (b"\r\n\r\n\r\n", None),
        (b"A" * 70_000 + b"\r\n\r\n", None),
        (changed("Contact: ", "X: y\r\n" * 200 + "Contact: "), None),
        (changed("Contact: ", f"X: {'y' * 17_000}\r\nContact: "), None),
        (changed("sip:02188123456@", f"sip:{'1' * 3000}@"), None),
        (b"SIP/2.0 4294967301 better not\r\nVia: x\r\n\r\n", None),
        (b"SIP/2.0 099 x\r\nVia: x\r\n\r\n", None),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_right_code_or_silence(data: bytes, code: int | None) -> None:
    assert refused(data).code == code


def test_an_ack_and_an_answer_are_never_refused_aloud() -> None:
    assert refused(changed("CSeq: 1 ACK", "CSeq: x ACK", Caller(cseq=1).ack())).code is None
    answer = b"SIP/2.0 200 OK\r\n" + INVITE.partition(b"\r\n")[2]
    assert isinstance(wire.parse(answer), wire.Response)
    assert refused(answer.replace(b"CSeq: 1", b"CSeq: x")).code is None


def test_bytes_behind_the_content_length_of_a_datagram_are_ignored() -> None:
    assert wire.parse(INVITE + INVITE).body == sdp_body()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cuts=st.lists(st.integers(1, 2000), max_size=12))
def test_a_stream_is_followed_wherever_it_is_cut(cuts: list[int]) -> None:
    stream = INVITE + b"\r\n\r\n" + Caller(call_id="c2").ask("OPTIONS") + b"\r\n" + INVITE
    parser = wire.StreamParser()
    found: list[bytes] = []
    start = 0
    for end in [*sorted(cuts), len(stream)]:
        found += parser.feed(stream[start:end])
        start = max(start, min(end, len(stream)))
    messages = [wire.parse(data) for data in found if data]
    assert [message.headers.get("call-id") for message in messages] == ["c1", "c2", "c1"]
    assert found.count(b"") == 1


@pytest.mark.parametrize(
    "data",
    [b"x" * 20_000, INVITE.replace(b"Content-Length: ", b"Content-Length: x"), b"A b c\r\nl: 999999\r\n\r\n"],
)
def test_a_stream_that_cannot_be_followed_is_given_up(data: bytes) -> None:
    with pytest.raises(wire.Refusal):
        wire.StreamParser().feed(data)


def test_names_from_the_network_do_not_pile_up() -> None:
    for number in range(2000):
        wire.canonical(f"x-{number}")
    assert len(wire._NAMES) <= 500
