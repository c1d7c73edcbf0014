"""The four machines of RFC 3261, 17: what they repeat, for how long, and that they end."""

from __future__ import annotations

import pytest

from appliance.clock import Timers
from appliance.signalling import headers as h
from appliance.signalling import wire
from appliance.signalling.transactions import LIFE, T4, Client, Peer, Server, Transactions, key_of
from tests.signalling.given import Caller

UDP = Peer("udp", ("192.0.2.10", 5060))
TCP = Peer("tcp", ("192.0.2.10", 5060), 3)


class Layer:
    """Transactions with a clock of their own and a list of what went out."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, bytes]] = []
        self.heard: list[int] = []
        self.timeouts = 0
        self.now = 0.0
        self.layer = Transactions(lambda data, _peer: self.sent.append((round(self.now, 3), data)))

    def ask(self, method: str, peer: Peer = UDP) -> Client:
        request = wire.parse(Caller().ask(method, branch="z9hG4bKx"))
        assert isinstance(request, wire.Request)
        return self.layer.ask(request, peer, "z9hG4bKx", self._heard, self._timed_out, self.now)

    def accept(self, method: str, peer: Peer = UDP) -> Server:
        request = wire.parse(Caller().ask(method, branch="z9hG4bKy"))
        assert isinstance(request, wire.Request)
        key = key_of(request, h.parse_via(request.headers.get("via") or ""))
        return self.layer.accept(key, request, peer)

    def run_to(self, until: float) -> list[float]:
        """Lets time pass; when something was sent meanwhile."""
        before = len(self.sent)
        while (deadline := self.layer.timers.deadline) is not None and deadline <= until:
            self.now = deadline
            self.layer.timers.due(deadline)
        self.now = until
        return [when for when, _ in self.sent[before:]]

    def _heard(self, _client: Client, response: wire.Response, _now: float) -> None:
        self.heard.append(response.code)

    def _timed_out(self, _client: Client, _now: float) -> None:
        self.timeouts += 1


def answer(code: int) -> wire.Response:
    pairs = [("via", "SIP/2.0/UDP h;branch=z9hG4bKx"), ("from", "<sip:a@b>;tag=1"), ("to", "<sip:c@d>;tag=2")]
    return wire.Response(code, "x", wire.Headers([*pairs, ("call-id", "c1"), ("cseq", "1 INVITE")]))


def test_an_invite_is_repeated_with_doubling_waits_and_given_up_after_32_seconds() -> None:
    layer = Layer()
    layer.ask("INVITE")
    assert layer.run_to(LIFE + 1) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert layer.timeouts == 1 and len(layer.layer) == 0


def test_another_request_is_repeated_at_most_every_four_seconds_and_given_up_after_32() -> None:
    layer = Layer()
    layer.ask("BYE")
    assert layer.run_to(LIFE + 1) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert layer.timeouts == 1 and len(layer.layer) == 0


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_nothing_is_repeated_over_a_stream(method: str) -> None:
    layer = Layer()
    layer.ask(method, TCP)
    assert layer.run_to(LIFE + 1) == []
    assert layer.timeouts == 1


def test_a_provisional_answer_stops_the_repeating_of_an_invite_and_slows_that_of_others() -> None:
    layer = Layer()
    layer.ask("INVITE").receive(answer(180), 0)
    assert layer.run_to(100) == [] and layer.timeouts == 0
    layer = Layer()
    layer.ask("INFO").receive(answer(100), 0)
    assert layer.run_to(10) == [0.5, 4.5, 8.5]


def test_a_refused_invite_is_acknowledged_each_time_for_32_seconds_and_told_once() -> None:
    layer = Layer()
    client = layer.ask("INVITE")
    for _ in range(3):
        client.receive(answer(486), layer.now)
    assert [data.split(b" ")[0] for _, data in layer.sent] == [b"INVITE", b"ACK", b"ACK", b"ACK"]
    assert layer.heard == [486]
    layer.run_to(31)
    assert len(layer.layer) == 1
    layer.run_to(33)
    assert len(layer.layer) == 0


def test_an_accepted_invite_hands_up_every_200_for_32_seconds() -> None:
    layer = Layer()
    client = layer.ask("INVITE")
    client.receive(answer(200), 0)
    client.receive(answer(200), 1)
    client.receive(answer(180), 1)
    assert layer.heard == [200, 200]
    layer.run_to(LIFE + 1)
    assert len(layer.layer) == 0 and layer.timeouts == 0


def test_a_finished_request_swallows_repeated_answers_and_is_forgotten_after_five_seconds() -> None:
    layer = Layer()
    client = layer.ask("BYE")
    client.receive(answer(200), 0)
    client.receive(answer(200), 1)
    assert layer.heard == [200]
    assert layer.run_to(T4 + 0.1) == []
    assert len(layer.layer) == 0


def test_a_refusal_of_ours_is_repeated_until_its_ack_and_given_up_after_32_seconds() -> None:
    layer = Layer()
    server = layer.accept("INVITE")
    missing: list[float] = []
    server.on_ack_missing = missing.append
    server.respond(answer(486), 0)
    assert layer.run_to(LIFE + 1) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert missing == [LIFE] and len(layer.layer) == 0
    layer = Layer()
    server = layer.accept("INVITE")
    server.respond(answer(486), 0)
    server.receive_ack(0.2)
    assert layer.run_to(60) == [] and len(layer.layer) == 0


def test_a_repeated_request_gets_the_last_answer_again_and_the_request_is_not_kept() -> None:
    layer = Layer()
    server = layer.accept("BYE")
    server.receive_again()
    assert layer.sent == []
    server.respond(answer(200), 0)
    server.receive_again()
    assert layer.sent[0][1] == layer.sent[1][1]
    assert server.request is None


def test_an_answer_after_the_final_one_is_dropped() -> None:
    layer = Layer()
    server = layer.accept("INVITE")
    server.respond(answer(200), 0)
    server.respond(answer(486), 0)
    assert len(layer.sent) == 1


def test_the_ack_of_a_refusal_is_matched_to_its_invite_and_a_branch_from_before_rfc_3261_by_its_number() -> None:
    caller = Caller()

    def key(data: bytes) -> object:
        request = wire.parse(data)
        assert isinstance(request, wire.Request)
        return key_of(request, h.parse_via(request.headers.get("via") or ""))

    invite = caller.ask("INVITE", branch="z9hG4bKq")
    assert key(invite) == key(caller.ask("ACK", cseq=1, branch="z9hG4bKq"))
    assert key(invite) != key(caller.ask("CANCEL", cseq=1, branch="z9hG4bKq"))
    assert key(caller.ask("OPTIONS", cseq=4, branch="1")) != key(caller.ask("OPTIONS", cseq=5, branch="1"))


def test_cancelled_timers_do_nothing_and_do_not_pile_up() -> None:
    timers = Timers()
    fired: list[float] = []
    for number in range(5000):
        timer = timers.at(float(number), fired.append)
        if number % 100:
            timer.cancel()
            timer.cancel()
    assert len(timers) == 50
    timers.due(10_000)
    assert len(fired) == 50 and timers.deadline is None and len(timers) == 0
