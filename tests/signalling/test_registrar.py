"""Desk phones: how they register, are found, and are forgotten."""

from __future__ import annotations

import pytest

from appliance.signalling import wire
from appliance.signalling.port import PhoneGone, PhoneRegistered
from appliance.signalling.registrar import LONGEST_SECONDS
from appliance.signalling.transactions import Peer
from tests.signalling.given import DESK, PASSWORD, Bench, Caller, code_of, proof

OTHER = Peer("udp", ("192.168.1.21", 5062))
THIRD = Peer("tcp", ("192.168.1.22", 5062), 4)


class Phone(Caller):
    """A desk phone that registers with its own password."""

    def register(self, bench: Bench, *headers: str, user: str = "desk1", password: str = PASSWORD) -> wire.Message:
        self.uri, self.called = "sip:box.example", "<sip:desk1@box.example>"
        challenge = bench.receive(self.ask("REGISTER", *headers), self.peer)[-1]
        assert code_of([challenge]) == 401
        line = proof(challenge, "REGISTER", self.uri, user, password)
        return bench.receive(self.ask("REGISTER", line, *headers), self.peer)[-1]


def phone(peer: Peer = DESK) -> Phone:
    return Phone(call_id=f"r-{peer.address[0]}", peer=peer)


def test_a_phone_registers_and_is_called_where_it_was_seen() -> None:
    bench = Bench()
    behind_nat = Phone(call_id="r", peer=Peer("udp", ("192.168.1.20", 5062)))
    request = behind_nat.register(bench, "User-Agent: desk 1.0")
    assert code_of([request]) == 200
    assert request.headers.all("contact") == ["<sip:gw@192.168.1.20:5062>;expires=3600"]
    [(contact, place)] = bench.registrar.targets("desk1")
    assert contact == "sip:gw@192.168.1.20:5062" and place == DESK
    assert bench.events == [PhoneRegistered("desk1", contact, 3600, "desk 1.0")]


def test_a_refresh_is_no_news_and_an_expiry_is() -> None:
    bench = Bench()
    desk = phone()
    for _ in range(3):
        assert code_of([desk.register(bench, "Expires: 120")]) == 200
        bench.now += 60
    assert len(bench.events) == 1
    assert bench.registrar.deadline == pytest.approx(bench.now + 60)
    assert bench.registrar.due(bench.now + 59) == []
    assert bench.registrar.due(bench.now + 60) == [PhoneGone("desk1", "sip:gw@192.168.1.20:5062")]
    assert bench.registrar.targets("desk1") == [] and bench.registrar.deadline is None


def test_a_third_place_replaces_the_oldest_where_two_are_allowed() -> None:
    bench = Bench()
    for peer in (DESK, OTHER, THIRD):
        phone(peer).register(bench)
    assert [place for _, place in bench.registrar.targets("desk1")] == [THIRD, OTHER]
    assert bench.events[-1] == PhoneGone("desk1", "sip:gw@192.168.1.20:5062")


def test_a_phone_takes_one_place_back_or_all_of_them() -> None:
    bench = Bench()
    desk, other = phone(), phone(OTHER)
    desk.register(bench)
    other.register(bench)
    desk.register(bench, "Expires: 0")
    assert [place for _, place in bench.registrar.targets("desk1")] == [OTHER]
    all_of = Phone(call_id="all", peer=DESK)
    all_of.uri, all_of.called = "sip:box.example", "<sip:desk1@box.example>"
    challenge = bench.receive(all_of.ask("REGISTER"), DESK)[-1]
    data = all_of.ask("REGISTER", proof(challenge, "REGISTER", all_of.uri), "Expires: 0")
    bench.receive(data.replace(b"<sip:gw@192.168.1.20:5062>", b"*", 1), DESK)
    assert bench.registrar.targets("desk1") == []


@pytest.mark.parametrize(("seconds", "code", "granted"), [(10, 423, 0), (60, 200, 60), (999_999, 200, LONGEST_SECONDS)])
def test_the_time_a_phone_asks_for_is_kept_within_bounds(seconds: int, code: int, granted: int) -> None:
    bench = Bench()
    answer = phone().register(bench, f"Expires: {seconds}")
    assert code_of([answer]) == code
    if code == 423:
        assert answer.headers.get("min-expires") == "60"
    else:
        assert (answer.headers.get("contact") or "").endswith(f";expires={granted}")


def test_a_wrong_password_an_unknown_name_and_anothers_name_are_refused_alike() -> None:
    answers = []
    for user, password in (("desk1", "guess"), ("nobody", "guess"), ("desk2", PASSWORD)):
        answers.append(phone().register(bench := Bench(), user=user, password=password))
        assert bench.registrar.targets("desk1") == [] and bench.events == []
    assert [code_of([answer]) for answer in answers] == [403, 403, 403]


def test_a_repeated_register_with_an_old_number_changes_nothing() -> None:
    bench = Bench()
    desk = phone()
    desk.register(bench)
    challenge = bench.receive(desk.ask("REGISTER"), DESK)[-1]
    old = desk.ask("REGISTER", proof(challenge, "REGISTER", desk.uri), "Expires: 0", cseq=1)
    assert code_of(bench.receive(old, DESK)) == 500
    assert len(bench.registrar.targets("desk1")) == 1


def test_a_broken_connection_takes_its_phone_away() -> None:
    bench = Bench()
    phone(THIRD).register(bench)
    phone(DESK).register(bench)
    assert bench.registrar.connection_lost(4) == [PhoneGone("desk1", "sip:gw@192.168.1.22:5062")]
    assert [place for _, place in bench.registrar.targets("desk1")] == [DESK]


def test_a_phone_away_from_the_office_may_call_once_it_is_registered_and_not_before() -> None:
    bench = Bench()
    away = Peer("udp", ("8.8.4.4", 40_000))
    assert bench.receive(Caller(call_id="early", peer=away).invite(), away) == []
    assert code_of([phone(away).register(bench)]) == 200
    assert code_of(bench.receive(Caller(call_id="late", peer=away).invite(), away)) == 401
