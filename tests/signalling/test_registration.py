"""Our registration at a trunk: kept fresh, tried again with patience, taken back at the end."""

from __future__ import annotations

import random

import pytest

from appliance.signalling import wire
from appliance.signalling.digest import Authorizer
from appliance.signalling.port import TrunkChanged, TrunkState
from appliance.signalling.registration import TrunkRegistration
from appliance.signalling.settings import Trunk
from tests.signalling.given import reply

TRUNK = Trunk(name="main", proxy="10.1.1.1:5070", domain="provider.example", user="88123456", register_seconds=600)
CONTACT = "sip:random@192.0.2.1:5060"
CHALLENGE = 'WWW-Authenticate: Digest realm="p", nonce="{}", qop="auth"'


def registration(password: str = "secret", seed: int = 1) -> TrunkRegistration:
    answers = Authorizer(TRUNK.user, password, lambda: "c0") if password else None
    return TrunkRegistration(TRUNK, CONTACT, "call-id", "tag", answers, random.Random(seed))


def asked(ours: TrunkRegistration, now: float) -> wire.Request:
    request = ours.due(now)
    assert request is not None
    request.headers.add("via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport")
    return request


def answer(request: wire.Request, code: int, *headers: str) -> wire.Response:
    response = wire.parse(reply(request, code, *headers, contact=""))
    assert isinstance(response, wire.Response)
    return response


def test_a_registration_names_the_domain_not_the_proxy_and_our_random_contact() -> None:
    request = asked(registration(), 0)
    assert request.uri == "sip:provider.example"
    assert request.headers.get("to") == "<sip:88123456@provider.example>"
    assert request.headers.get("contact") == f"<{CONTACT}>;expires=600"


def test_a_challenge_is_answered_and_the_trunk_is_up() -> None:
    ours = registration()
    again, changed = ours.answered(answer(asked(ours, 0), 401, CHALLENGE.format("1")), 0)
    assert again is not None and again.headers.get("cseq") == "2 REGISTER" and "authorization" in again.headers
    assert changed is None and ours.deadline is None
    again.headers.add("via", "SIP/2.0/UDP 192.0.2.1;branch=z")
    _, changed = ours.answered(answer(again, 200, f"Contact: <{CONTACT}>;expires=300"), 1)
    assert changed == TrunkChanged("main", TrunkState.UP, 200, "300 s")


@pytest.mark.parametrize("seed", range(20))
def test_it_is_refreshed_at_50_to_90_percent_of_what_was_granted_to_us_not_to_others(seed: int) -> None:
    ours = registration(seed=seed)
    response = answer(asked(ours, 0), 200, "Contact: <sip:x@y>;expires=30", f"Contact: <{CONTACT}>;expires=100")
    ours.answered(response, 1000)
    assert ours.deadline is not None and 1050 <= ours.deadline <= 1090
    assert ours.due(1049) is None
    assert asked(ours, 1090).headers.get("cseq") == "2 REGISTER"


def test_a_wrong_password_is_tried_once_and_then_with_patience() -> None:
    ours = registration()
    again, _ = ours.answered(answer(asked(ours, 0), 401, CHALLENGE.format("1")), 0)
    assert again is not None
    again.headers.add("via", "SIP/2.0/UDP 192.0.2.1;branch=z")
    third, changed = ours.answered(answer(again, 401, CHALLENGE.format("2")), 0)
    assert third is None and changed is not None and changed.state is TrunkState.REFUSED
    assert ours.deadline is not None and 15 <= ours.deadline <= 30


def test_without_a_password_a_challenge_is_a_refusal() -> None:
    ours = registration("")
    _, changed = ours.answered(answer(asked(ours, 0), 401, CHALLENGE.format("1")), 0)
    assert changed is not None and (changed.state, changed.code) == (TrunkState.REFUSED, 401)


def test_waiting_doubles_with_each_failure_up_to_five_minutes_and_success_forgets_it() -> None:
    ours = registration()
    now, waits = 0.0, []
    for _ in range(8):
        asked(ours, now)
        ours.unanswered(now)
        assert ours.deadline is not None
        waits.append(ours.deadline - now)
        now = ours.deadline
    for number, wait in enumerate(waits):
        longest = min(300, 30 * 2**number)
        assert longest / 2 <= wait <= longest
    assert ours.state is TrunkState.UNREACHABLE
    ours.answered(answer(asked(ours, now), 200), now)
    asked(ours, now + 600)
    ours.unanswered(now + 600)
    assert ours.deadline is not None and ours.deadline - now - 600 <= 30


def test_a_state_is_told_once() -> None:
    ours = registration()
    asked(ours, 0)
    assert ours.unanswered(0) == TrunkChanged("main", TrunkState.UNREACHABLE, 408, "")
    asked(ours, 100)
    assert ours.unanswered(100) is None


def test_retry_after_is_kept_and_a_longer_interval_is_taken() -> None:
    ours = registration()
    ours.answered(answer(asked(ours, 0), 503, "Retry-After: 120"), 0)
    assert ours.deadline is not None and ours.deadline >= 120
    ours = registration()
    again, _ = ours.answered(answer(asked(ours, 0), 423, "Min-Expires: 1800"), 0)
    assert again is not None and again.headers.get("expires") == "1800"


def test_behind_a_router_the_next_registration_shows_the_new_place_and_takes_the_old_one_back() -> None:
    ours = registration()
    response = answer(asked(ours, 0), 200)
    response.headers.set("via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z;received=5.5.5.5;rport=40000")
    ours.answered(response, 0)
    assert ours.shown == ("5.5.5.5", 40000)
    ours.show("sip:random@5.5.5.5:40000")
    request = asked(ours, 0)
    assert request.headers.all("contact") == ["<sip:random@5.5.5.5:40000>;expires=600", f"<{CONTACT}>;expires=0"]
    ours.answered(answer(request, 200), 0)
    assert asked(ours, 600).headers.all("contact") == ["<sip:random@5.5.5.5:40000>;expires=600"]


def test_at_the_end_a_registration_is_taken_back_and_answers_change_nothing() -> None:
    ours = registration()
    ours.answered(answer(asked(ours, 0), 200), 0)
    last = ours.stop()
    assert last is not None and last.headers.get("expires") == "0" and ours.deadline is None
    last.headers.add("via", "SIP/2.0/UDP 192.0.2.1;branch=z")
    assert ours.answered(answer(last, 200), 1) == (None, None)
    assert ours.unanswered(1) is None
    assert registration().stop() is None


def test_taking_it_back_answers_a_challenge_too() -> None:
    ours = registration()
    ours.answered(answer(asked(ours, 0), 200), 0)
    last = ours.stop()
    assert last is not None
    last.headers.add("via", "SIP/2.0/UDP 192.0.2.1;branch=z")
    again, changed = ours.answered(answer(last, 401, CHALLENGE.format("9")), 1)
    assert again is not None and "authorization" in again.headers and changed is None
    assert again.headers.get("contact") == f"<{CONTACT}>;expires=0"
