"""A telephone of the bench that watches lamps: it registers, subscribes with its password, reads what it is told."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from appliance.signalling import headers as h
from appliance.signalling import wire
from appliance.signalling.transactions import Peer
from tests.signalling.given import DESK, Bench, Caller, code_of, proof, reply
from tests.support.watcher import Told, read


@dataclass
class Lamp:
    """One subscription, from the telephone's side."""

    caller: Caller
    event: str
    last: wire.Message | None = None
    granted: int = 0

    @property
    def code(self) -> int:
        return code_of([self.last]) if self.last is not None else 0

    def header(self, name: str) -> str:
        """Of the last answer; lists joined."""
        return ", ".join(self.last.headers.all(name)) if self.last is not None else ""


@dataclass
class Desk:
    """``user`` at ``peer``."""

    bench: Bench
    peer: Peer = DESK
    user: str = "desk1"
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _registers: Caller | None = None

    def ask(self, caller: Caller, method: str, *headers: str) -> wire.Message:
        """A request, and again with the password; the last answer."""
        challenge = self._answer(caller.ask(method, *headers))
        assert code_of([challenge]) == 401, challenge
        line = proof(challenge, method, caller.uri, self.user)
        return self._answer(caller.ask(method, line, *headers))

    def _answer(self, data: bytes) -> wire.Message:
        said = self.bench.receive(data, self.peer)
        return next(message for message in said if isinstance(message, wire.Response))

    def register(self, seconds: int = 3600, seen_at: Peer | None = None) -> None:
        """With the same Contact each time, wherever it is seen from then on."""
        if self._registers is None:
            called = f"<sip:{self.user}@box.example>"
            self._registers = Caller(call_id=f"reg-{self.user}", uri="sip:box.example", called=called, peer=self.peer)
        self.peer = seen_at or self.peer
        answer = self.ask(self._registers, "REGISTER", f"Expires: {seconds}")
        assert code_of([answer]) == 200, answer

    def watch(self, extension: str = "201", event: str = "dialog", *headers: str) -> Lamp:
        """A new subscription, whatever comes of it."""
        number = next(self.numbers)
        caller = Caller(call_id=f"sub-{self.user}-{number}", from_tag=f"s{number}", peer=self.peer)
        caller.uri, caller.called = f"sip:{extension}@192.0.2.1", f"<sip:{extension}@box.example>"
        lamp = Lamp(caller, event)
        self.renew(lamp, *headers)
        return lamp

    def follow(self) -> Lamp:
        """A new subscription, of which the telephone has acknowledged the first state."""
        lamp = self.watch()
        self.answers(self.told(lamp)[-1])
        return lamp

    def renew(self, lamp: Lamp, *headers: str) -> None:
        """A SUBSCRIBE, in the dialog once there is one."""
        lamp.last = answer = self.ask(lamp.caller, "SUBSCRIBE", f"Event: {lamp.event}", *headers)
        if code_of([answer]) == 200:
            lamp.caller.to_tag = h.tag_of(answer.headers.get("to") or "")
            lamp.granted = int(answer.headers.get("expires") or -1)

    def told(self, lamp: Lamp | None = None) -> list[Told]:
        """Every NOTIFY so far, each once, in the order in which it was sent first."""
        found: dict[tuple[str, int], Told] = {}
        for message, _ in self.bench.sent:
            if isinstance(message, wire.Request) and message.method == "NOTIFY":
                call_id = message.headers.get("call-id") or ""
                if lamp is None or call_id == lamp.caller.call_id:
                    told = read(message)
                    found.setdefault((call_id, told.cseq), told)
        return list(found.values())

    def answers(self, told: Told, code: int = 200, *headers: str) -> None:
        self.bench.receive(reply(told.request, code, *headers, contact="192.168.1.20:5062"), self.peer)
