"""The headers that signalling understands."""

from __future__ import annotations

import pytest

from appliance.signalling import headers as h


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:a@b", "a", "b", 0),
        ("SIP:02188123456@192.0.2.1:5080;user=phone", "02188123456", "192.0.2.1", 5080),
        ("sip:[2001:db8::1]:5070", "", "[2001:db8::1]", 5070),
        ("sips:a;x=y:pass@host.example.?Subject=x", "a;x=y:pass", "host.example.", 0),
        ("tel:+98-21-88123456;phone-context=x", "+98-21-88123456", "", 0),
        ("sip:1%23@b;lr", "1%23", "b", 0),
    ],
)
def test_uris_are_read(text: str, user: str, host: str, port: int) -> None:
    uri = h.parse_uri(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "http://x",
        "sip:a@",
        "sip:@b",
        "sip:a@b:0",
        "sip:a@b:99999",
        "sip:a@b:x",
        "sip:a@b\r\nX: y",
        "sip:a@b c",
        "sip:a@[::1",
        "sip:a@" + "b" * 300,
        "mailto:a@b",
        "sip:a@b:",
        "sip:a@-b-",
    ],
)
def test_uris_that_cannot_be_sent_to_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser promises no more than ValueError
        h.parse_uri(text)


@pytest.mark.parametrize(
    ("text", "display", "tag"),
    [
        ('"Ali \\"the\\" boss; x" <sip:a@b;y=1>;tag=t1', 'Ali "the" boss; x', "t1"),
        ("<sip:a@b>", "", ""),
        ("sip:a@b;tag=t2", "", "t2"),
        ("Bell, Alexander <sip:a@b> ; tag = t3 ;x", "Bell, Alexander", "t3"),
        ('"<sip:fake@evil>" <sip:a@b>;tag=t4', "<sip:fake@evil>", "t4"),
        ("علی <sip:a@b>;TAG=t5", "علی", "t5"),
    ],
)
def test_addresses_with_names_are_read_and_their_tags_found(text: str, display: str, tag: str) -> None:
    name = h.parse_name_address(text)
    assert (name.uri.user, name.display, name.tag) == ("a", display, tag)
    assert h.tag_of(text) == tag
    assert h.parse_name_address(str(name)) == name


@pytest.mark.parametrize("text", ["", "<sip:a@b", '"open <sip:a@b>', "<sip:a@b> junk", "name <>", "x" * 5000])
def test_addresses_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser promises no more than ValueError
        h.parse_name_address(text)


def test_a_tag_inside_of_the_uri_or_the_name_is_none() -> None:
    assert h.tag_of("<sip:a@b;tag=no>") == ""
    assert h.tag_of('";tag=no" <sip:a@b>') == ""


def test_a_via_is_read_with_spaces_anywhere_and_shows_where_it_came_from() -> None:
    via = h.parse_via("SIP  / 2.0  /\tUDP  host.example : 5070 ; branch = z9hG4bKx ;rport")
    assert (via.transport, via.sent_by, via.branch) == ("UDP", ("host.example", 5070), "z9hG4bKx")
    seen = via.seen_from("192.0.2.9", 6000)
    assert seen.answer_to() == ("192.0.2.9", 6000)
    assert h.parse_via(str(seen)) == seen


def test_a_via_cannot_send_our_answer_elsewhere() -> None:
    via = h.parse_via("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx;received=8.8.8.8;maddr=8.8.8.8")
    assert via.seen_from("192.0.2.9", 6000).answer_to() == ("192.0.2.9", 5060)


@pytest.mark.parametrize(
    "text", ["", "SIP/2.0/UDP", "SIP/3.0/UDP h", "SIP/2.0/UDP h:99999", "SIP/2.0/UDP h:0", "SIP/2.0/UDP h;rport=70000"]
)
def test_a_via_that_cannot_be_answered_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser promises no more than ValueError
        h.parse_via(text)


def test_numbers_are_read_with_parameters_and_comments_and_never_without_end() -> None:
    assert h.number_and_parameters("1800;refresher=uac") == (1800, (("refresher", "uac"),))
    assert h.number_and_parameters("20 (soon);duration=5") == (20, ())
    assert h.parse_cseq(" 0009  INVITE ") == (9, "INVITE")
    for text in ("x", "-1", "9" * 5000, "٣"):
        with pytest.raises(ValueError):  # noqa: PT011 - the parser promises no more than ValueError
            h.number_and_parameters(text)
        with pytest.raises(ValueError):  # noqa: PT011 - the parser promises no more than ValueError
            h.parse_cseq(f"{text} INVITE")
