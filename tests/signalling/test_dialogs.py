"""What two user agents remember of each other, and how a request finds its way from it."""

from __future__ import annotations

import pytest

from appliance.signalling import dialogs, wire
from tests.signalling.given import Caller, reply, sdp_body


def request(data: bytes) -> wire.Request:
    message = wire.parse(data)
    assert isinstance(message, wire.Request)
    return message


def response(data: bytes) -> wire.Response:
    message = wire.parse(data)
    assert isinstance(message, wire.Response)
    return message


def test_a_dialog_of_a_request_keeps_the_route_in_order_and_answers_under_our_tag() -> None:
    invite = request(Caller(route=("<sip:p1;lr>", "<sip:p2;lr>")).invite("Allow: INVITE, update"))
    dialog = dialogs.as_server(invite, "ours")
    assert dialog.route == ("<sip:p1;lr>", "<sip:p2;lr>") and dialog.key == ("c1", "ours")
    assert (dialog.remote_tag, dialog.target, dialog.remote_cseq) == ("a", "sip:gw@192.0.2.10:5060", 1)
    assert dialog.allow == {"INVITE", "UPDATE"}
    bye = dialog.request("BYE")
    assert bye.uri == dialog.target and bye.headers.get("cseq") == "1 BYE"
    assert bye.headers.get("from") == "<sip:02188123456@provider.example>;tag=ours"


def test_a_dialog_of_an_answer_keeps_the_route_turned_round_and_the_number_of_its_invite() -> None:
    invite = request(Caller(route=("<sip:p1;lr>", "<sip:p2;lr>"), cseq=6).invite())
    dialog = dialogs.as_client(invite, response(reply(invite, 200, body=sdp_body())))
    assert dialog.route == ("<sip:p2;lr>", "<sip:p1;lr>")
    assert (dialog.local_tag, dialog.remote_tag, dialog.local_cseq) == ("a", "b", 7)
    assert dialog.request("ACK", 7).headers.get("cseq") == "7 ACK"
    assert dialog.request("BYE").headers.get("cseq") == "8 BYE"


def test_without_a_contact_that_can_be_sent_to_there_is_no_dialog() -> None:
    data = Caller().invite()
    for contact in (b"", b"Contact: *\r\n", b"Contact: <tel:1>\r\n", b"Contact: <sip:x@y:99999>\r\n"):
        with pytest.raises(ValueError, match="contact"):
            dialogs.as_server(request(data.replace(b"Contact: <sip:gw@192.0.2.10:5060>\r\n", contact)), "t")


def test_numbers_must_not_go_back_and_a_new_contact_moves_the_target() -> None:
    caller = Caller()
    dialog = dialogs.as_server(request(caller.invite()), "t")
    assert dialog.takes(request(caller.ask("INFO", cseq=9)))
    assert not dialog.takes(request(caller.ask("INFO", cseq=8)))
    moved = request(caller.invite().replace(b"gw@192.0.2.10", b"new@192.0.2.12"))
    assert dialog.retarget(moved) and dialog.target == "sip:new@192.0.2.12:5060"
    assert not dialog.retarget(moved)


@pytest.mark.parametrize(
    ("route", "uri", "routes", "hop"),
    [
        ((), "sip:t@h", (), "h"),
        (("<sip:p1;lr>", "<sip:p2>"), "sip:t@h", ("<sip:p1;lr>", "<sip:p2>"), "p1"),
        (("<sip:p1>", "<sip:p2;lr>"), "sip:p1", ("<sip:p2;lr>", "<sip:t@h>"), "p1"),
    ],
)
def test_loose_and_strict_routers_are_addressed_as_they_want(
    route: tuple[str, ...], uri: str, routes: tuple[str, ...], hop: str
) -> None:
    assert dialogs.routed("sip:t@h", route) == (uri, routes)
    assert dialogs.next_hop("sip:t@h", route).host == hop
