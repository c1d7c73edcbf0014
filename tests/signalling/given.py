"""What the tests of signalling start from: messages as peers write them, and one heart on a bench without sockets.

The bench's time stands still until ``wait``; what the heart sends comes back as parsed messages.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace

from appliance.signalling import sdp, wire
from appliance.signalling.admission import Admission
from appliance.signalling.digest import Authorizer, Guard, parameters_of, response_to
from appliance.signalling.heart import Account, Heart
from appliance.signalling.port import Answer, Command, Event, LegKept, Offered
from appliance.signalling.registrar import Registrar
from appliance.signalling.settings import Phone, Signalling, Trunk
from appliance.signalling.transactions import Peer

HERE = ("192.0.2.1", 5060)
TRUNK = Peer("udp", ("192.0.2.10", 5060))
DESK = Peer("udp", ("192.168.1.20", 5062))
STRANGER = Peer("udp", ("8.8.4.4", 5060))
PASSWORD = "صندلی-7"

SETTINGS = Signalling(
    address=HERE[0],
    domain="box.example",
    trunks=(Trunk(name="main", proxy="192.0.2.10", domain="provider.example", user="88123456"),),
    phones=(Phone(name="desk1"), Phone(name="desk2")),
)
OFFER = sdp.offer("192.0.2.10", 4000, "PCMA", 7)
LOCAL = sdp.Description("192.0.2.1", 6000, OFFER.codecs[:1], session_id=9)


def sdp_body(
    direction: str = "sendrecv", address: str = "192.0.2.10", port: int = 4000, formats: str = "8 101"
) -> bytes:
    return (
        f"v=0\r\no=- 7 {port} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {formats}\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    ).encode()


@dataclass(slots=True)
class Caller:
    """The other side of one dialog with the box, which it called; writes its requests."""

    call_id: str = "c1"
    from_tag: str = "a"
    to_tag: str = ""
    cseq: int = 0
    uri: str = "sip:02188123456@192.0.2.1"
    called: str = "<sip:02188123456@provider.example>"
    peer: Peer = TRUNK
    route: tuple[str, ...] = ()
    branches: int = 0

    def ask(self, method: str, *headers: str, body: bytes = b"", cseq: int = 0, branch: str = "") -> bytes:
        """A request with the next number; ``headers`` are whole lines."""
        if not cseq:
            self.cseq += 1
            cseq = self.cseq
        self.branches += 1
        return self._written(method, headers, body, cseq, branch or f"z9hG4bK-{self.call_id}-{self.branches}")

    def invite(self, *headers: str, body: bytes | None = None) -> bytes:
        return self.ask("INVITE", *headers, body=sdp_body() if body is None else body)

    def ack(self, body: bytes = b"", branch: str = "") -> bytes:
        return self.ask("ACK", body=body, cseq=self.cseq, branch=branch)

    def cancel(self) -> bytes:
        return self._written("CANCEL", (), b"", self.cseq, f"z9hG4bK-{self.call_id}-{self.branches}")

    def _written(self, method: str, headers: tuple[str, ...], body: bytes, cseq: int, branch: str) -> bytes:
        host, port = self.peer.address
        tag = f";tag={self.to_tag}" if self.to_tag else ""
        lines = [
            f"{method} {self.uri} SIP/2.0",
            f"Via: SIP/2.0/{self.peer.transport.upper()} {host}:{port};branch={branch};rport",
            *(f"Record-Route: {route}" for route in self.route),
            "Max-Forwards: 70",
            f'From: "Ali" <sip:09121234567@provider.example>;tag={self.from_tag}',
            f"To: {self.called}{tag}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:gw@{host}:{port}>",
            *headers,
        ]
        if body and not any(line.lower().startswith("content-type") for line in headers):
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def reply(
    request: wire.Message, code: int, *headers: str, tag: str = "b", body: bytes = b"", contact: str = "192.0.2.10:5060"
) -> bytes:
    """The other side's answer to a request of the box."""
    assert isinstance(request, wire.Request)
    answer = wire.Response(code, "Said So", wire.Headers())
    for name in ("via", "record-route"):
        for value in request.headers.all(name):
            answer.headers.add(name, value)
    for name in ("from", "to", "call-id", "cseq"):
        value = request.headers.get(name) or ""
        answer.headers.add(name, f"{value};tag={tag}" if name == "to" and tag and ";tag=" not in value else value)
    if code < 300 and contact:
        answer.headers.add("contact", f"<sip:gw@{contact}>")
    for line in headers:
        name, _, value = line.partition(":")
        answer.headers.add(name.strip().lower(), value.strip())
    if body:
        answer.headers.add("content-type", "application/sdp")
        answer.body = body
    return answer.encode()


class Bench:
    """One heart; ``sent`` and ``events`` grow, the methods return what their own step sent."""

    def __init__(self, settings: Signalling = SETTINGS, trunk_password: str = "", seed: int = 1) -> None:
        self.settings = settings
        self.now = 1000.0
        self.sent: list[tuple[wire.Message, Peer]] = []
        self.all_events: list[Event] = []
        self.guard = Guard(settings.domain, b"k" * 32, {phone.name: PASSWORD for phone in settings.phones})
        self.registrar = Registrar(settings, self.guard)
        self.admission = Admission(settings)
        legs = (f"{number:032x}" for number in itertools.count(1))
        self.heart = Heart(
            settings,
            self.all_events.append,
            lambda data, peer: self.sent.append((_sent(data), peer)),
            lambda: next(legs),
            random.Random(seed),
            self.guard,
            self.registrar,
            self.admission,
        )
        self.heart.local_for = lambda _peer: HERE
        for number, trunk in enumerate(settings.trunks):
            answers = Authorizer(trunk.user, trunk_password, lambda: "c0ffee") if trunk_password else None
            peer = Peer(trunk.transport, (trunk.proxy.partition(":")[0], 5060))
            local = (trunk.address or HERE[0], HERE[1])
            account = Account(trunk, f"random{number}", (peer,), local, None, answers)
            self.heart.accounts[trunk.name] = account

    @property
    def events(self) -> list[Event]:
        """Without LegKept, which has tests of its own."""
        return [event for event in self.all_events if not isinstance(event, LegKept)]

    def last(self) -> Event:
        """The newest event; a method, so that a checker does not take it for the same one twice."""
        return self.events[-1]

    @property
    def codes(self) -> list[int]:
        return [message.code for message, _ in self.sent if isinstance(message, wire.Response)]

    @property
    def methods(self) -> list[str]:
        return [message.method for message, _ in self.sent if isinstance(message, wire.Request)]

    def receive(self, data: bytes, peer: Peer = TRUNK) -> list[wire.Message]:
        before = len(self.sent)
        self.heart.receive(data, peer, self.now)
        return [message for message, _ in self.sent[before:]]

    def submit(self, command: Command) -> list[wire.Message]:
        before = len(self.sent)
        self.heart.submit(command, self.now)
        return [message for message, _ in self.sent[before:]]

    def wait(self, seconds: float) -> list[wire.Message]:
        """Lets time pass, deadline by deadline."""
        before = len(self.sent)
        until = self.now + seconds
        while (deadline := self.heart.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.heart.due(self.now)
        self.now = until
        return [message for message, _ in self.sent[before:]]

    def offered(self, caller: Caller, *headers: str, body: bytes | None = None) -> Offered:
        """A call that has come in."""
        self.receive(caller.invite(*headers, body=body), caller.peer)
        event = self.events[-1]
        assert isinstance(event, Offered), (event, self.codes)
        return event

    def answered(self, caller: Caller, *headers: str) -> str:
        """A call that stands; its leg."""
        leg = self.offered(caller, *headers).leg
        [final] = self.submit(Answer(leg, LOCAL))
        caller.to_tag = tag_of(final)
        self.receive(caller.ack(), caller.peer)
        return leg

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left of any call."""
        transactions = self.heart.transactions
        return not self.heart.legs and not len(transactions) and not len(transactions.timers)


def _sent(data: bytes) -> wire.Message:
    """What went out, parsed; a refusal repeats what it refuses (a bad CSeq) and may be as unreadable as that."""
    try:
        return wire.parse(data)
    except wire.Refusal:
        version, code, reason = data.partition(b"\r\n")[0].decode("utf-8", "surrogateescape").split(" ", 2)
        assert version == "SIP/2.0" and int(code) >= 400, data
        return wire.Response(int(code), reason, wire.Headers())


def tag_of(message: wire.Message) -> str:
    return (message.headers.get("to") or "").partition(";tag=")[2]


def only(messages: list[wire.Message]) -> wire.Message:
    assert len(messages) == 1, messages
    return messages[0]


def code_of(messages: list[wire.Message]) -> int:
    """The status of the last answer among ``messages``; 0 where nothing was said."""
    codes = [message.code for message in messages if isinstance(message, wire.Response)]
    return codes[-1] if codes else 0


def proof(
    challenge: wire.Message, method: str, uri: str, user: str = "desk1", password: str = PASSWORD, count: int = 1
) -> str:
    """The Authorization line that answers the box's first challenge."""
    given = parameters_of(challenge.headers.get("www-authenticate") or "")
    assert given is not None
    nonce, realm, algorithm = given["nonce"], given["realm"], given["algorithm"]
    result = response_to(
        algorithm=algorithm,
        user=user,
        realm=realm,
        password=password,
        method=method,
        uri=uri,
        nonce=nonce,
        cnonce="abc",
        count=f"{count:08x}",
        qop="auth",
    )
    return (
        f'Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
        f'response="{result}", algorithm={algorithm}, cnonce="abc", nc={count:08x}, qop=auth'
    )


def with_trunk(trunk: Trunk) -> Signalling:
    return replace(SETTINGS, trunks=(trunk,))
