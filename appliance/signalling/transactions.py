"""The four transaction machines of SIP (RFC 3261, 17, with RFC 6026), without sockets and without a clock.

A layer below dialogs: it matches what comes in to what it belongs to, repeats what was lost, and ends by itself. What a
newcomer gets wrong: the 200 to an INVITE is repeated by the user agent, not here, and its ACK is no part of any
transaction. A finished server transaction keeps the bytes of its last answer and its key, not the request, because it
stays for 32 s to answer retransmissions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from appliance.clock import Timer, Timers
from appliance.signalling import headers as h
from appliance.signalling.wire import Request, Response

T1 = 0.5  # round-trip estimate (RFC 3261, 17.1.1.1)
T2 = 4.0  # longest interval between repetitions of non-INVITE requests and of answers to INVITE
T4 = 5.0  # how long a message may stay in the network
LIFE = 64 * T1  # timers B, F, H, J, L, M
TIMER_D = 32.0  # how long a refused INVITE's client waits for repeated answers (17.1.1.2)

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a message came from or goes to; ``connection`` names a TCP connection, 0 for none in particular."""

    transport: str  # udp, tcp
    address: Address
    connection: int = 0

    @property
    def is_reliable(self) -> bool:
        return self.transport != "udp"


class State(Enum):
    TRYING = auto()  # nothing final yet (client CALLING or TRYING, server TRYING)
    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


Send = Callable[[bytes, Peer], None]


class Client:
    """One request of ours. ``on_response`` hears every answer once; ``on_timeout`` that none came."""

    __slots__ = (
        "_ack",
        "_is_invite",
        "_layer",
        "_on_response",
        "_on_timeout",
        "_repeat",
        "_timer",
        "branch",
        "data",
        "peer",
        "request",
        "state",
    )

    def __init__(
        self,
        layer: Transactions,
        request: Request,
        peer: Peer,
        branch: str,
        on_response: Callable[[Client, Response, float], None],
        on_timeout: Callable[[Client, float], None],
    ) -> None:
        self._layer = layer
        self.request = request
        self.peer = peer
        self.branch = branch
        self.state = State.TRYING
        self.data = request.encode()
        self._is_invite = request.method == "INVITE"
        self._on_response = on_response
        self._on_timeout = on_timeout
        self._repeat: Timer | None = None
        self._timer: Timer | None = None
        self._ack: bytes | None = None

    def begin(self, now: float) -> None:
        self._layer.send(self.data, self.peer)
        self._timer = self._layer.timers.at(now + LIFE, self._expired)
        if not self.peer.is_reliable:
            self._repeat_in(T1, now)

    def receive(self, response: Response, now: float) -> None:
        if self._is_invite:
            self._receive_to_invite(response, now)
        else:
            self._receive_to_other(response, now)

    def end(self) -> None:
        self.state = State.TERMINATED
        for timer in (self._repeat, self._timer):
            if timer is not None:
                timer.cancel()
        self._layer.forget_client(self)

    def failed(self, now: float) -> None:
        """The transport could not send: as good as no answer (RFC 3261, 17.1.4)."""
        if self.state in (State.TRYING, State.PROCEEDING):
            self._expired(now)

    def give_up_in(self, seconds: float, now: float) -> None:
        """Ends a ringing INVITE that was cancelled if no final answer comes (RFC 3261, 9.1)."""
        if self.state in (State.TRYING, State.PROCEEDING):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._layer.timers.at(now + seconds, self._expired)

    def _receive_to_invite(self, response: Response, now: float) -> None:
        if self.state is State.COMPLETED:
            if response.code >= 300 and self._ack is not None:
                self._layer.send(self._ack, self.peer)
            return
        if self.state is State.ACCEPTED:
            if 200 <= response.code < 300:
                self._on_response(self, response, now)  # repeated, or of another fork: the dialog knows
            return
        self._stop_repeating()
        if response.code < 200:
            if self.state is State.TRYING:
                self.state = State.PROCEEDING
                if self._timer is not None:
                    self._timer.cancel()  # timer B ends; how long it may ring is decided above
                    self._timer = None
        elif response.code < 300:
            self.state = State.ACCEPTED
            self._end_in(LIFE, now)  # timer M
        else:
            self.state = State.COMPLETED
            self._ack = self._ack_to(response).encode()
            self._layer.send(self._ack, self.peer)
            self._end_in(0.0 if self.peer.is_reliable else TIMER_D, now)
        self._on_response(self, response, now)

    def _receive_to_other(self, response: Response, now: float) -> None:
        if self.state is State.COMPLETED:
            return
        if response.code < 200:
            if self.state is State.TRYING:
                self.state = State.PROCEEDING
            self._on_response(self, response, now)
            return
        self._stop_repeating()
        self.state = State.COMPLETED
        self._end_in(0.0 if self.peer.is_reliable else T4, now)  # timer K
        self._on_response(self, response, now)

    def _ack_to(self, response: Response) -> Request:
        """The ACK of a refusal belongs to the transaction (RFC 3261, 17.1.1.3)."""
        ack = Request("ACK", self.request.uri, type(self.request.headers)())
        sent = self.request.headers
        ack.headers.add("via", sent.get("via") or "")
        for route in sent.all("route"):
            ack.headers.add("route", route)
        ack.headers.add("max-forwards", "70")
        ack.headers.add("from", sent.get("from") or "")
        ack.headers.add("to", response.headers.get("to") or "")
        ack.headers.add("call-id", sent.get("call-id") or "")
        number = h.parse_cseq(sent.get("cseq") or "")[0]
        ack.headers.add("cseq", f"{number} ACK")
        return ack

    def _repeat_in(self, seconds: float, now: float) -> None:
        self._repeat = self._layer.timers.at(now + seconds, lambda then: self._again(seconds, then))

    def _again(self, waited: float, now: float) -> None:
        if self.state is State.TRYING or (self.state is State.PROCEEDING and not self._is_invite):
            self._layer.send(self.data, self.peer)
            self._layer.repeated += 1
            longest = LIFE if self._is_invite else T2
            wait = T2 if self.state is State.PROCEEDING else min(waited * 2, longest)
            self._repeat_in(wait, now)

    def _stop_repeating(self) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None

    def _end_in(self, seconds: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._layer.timers.at(now + seconds, lambda _then: self.end())

    def _expired(self, now: float) -> None:
        self.end()
        self._on_timeout(self, now)


class Server:
    """One request of the other side. Answer it with ``respond``; retransmissions are answered from here."""

    __slots__ = (
        "_is_invite",
        "_last",
        "_layer",
        "_repeat",
        "_timer",
        "key",
        "on_ack_missing",
        "peer",
        "request",
        "state",
        "to_tag",
    )

    def __init__(self, layer: Transactions, key: Key, request: Request, peer: Peer) -> None:
        self._layer = layer
        self.key = key
        self.request: Request | None = request
        self.peer = peer
        self.state = State.TRYING
        self.to_tag = ""
        self.on_ack_missing: Callable[[float], None] | None = None
        self._is_invite = request.method == "INVITE"
        self._last: bytes | None = None
        self._repeat: Timer | None = None
        self._timer: Timer | None = None

    def respond(self, response: Response, now: float) -> None:
        """Sends an answer; one after the final one is dropped."""
        if self.state not in (State.TRYING, State.PROCEEDING):
            return
        self._last = response.encode()
        self._layer.send(self._last, self.peer)
        if response.code < 200:
            self.state = State.PROCEEDING
            return
        self.request = None
        if not self._is_invite:
            self.state = State.COMPLETED
            self._end_in(0.0 if self.peer.is_reliable else LIFE, now)  # timer J
        elif response.code < 300:
            self.state = State.ACCEPTED
            self._end_in(LIFE, now)  # timer L; the user agent repeats the 200
        else:
            self.state = State.COMPLETED
            self._timer = self._layer.timers.at(now + LIFE, self._no_ack)  # timer H
            if not self.peer.is_reliable:
                self._repeat_in(T1, now)

    def receive_again(self) -> None:
        """A retransmission of the request."""
        if self._last is not None and self.state is not State.ACCEPTED:
            self._layer.send(self._last, self.peer)
        self._layer.answered_again += 1

    def receive_ack(self, now: float) -> None:
        """The ACK of a refusal."""
        if self.state is State.COMPLETED and self._is_invite:
            self.state = State.CONFIRMED
            self._stop()
            self._end_in(0.0 if self.peer.is_reliable else T4, now)  # timer I

    def send_again(self) -> None:
        """Repeats the 200 (asked for by the user agent)."""
        if self.state is State.ACCEPTED and self._last is not None:
            self._layer.send(self._last, self.peer)
            self._layer.repeated += 1

    def end(self) -> None:
        self.state = State.TERMINATED
        self._stop()
        self._layer.forget_server(self)

    def _repeat_in(self, seconds: float, now: float) -> None:
        self._repeat = self._layer.timers.at(now + seconds, lambda then: self._again(seconds, then))

    def _again(self, waited: float, now: float) -> None:
        if self.state is State.COMPLETED and self._last is not None:
            self._layer.send(self._last, self.peer)
            self._layer.repeated += 1
            self._repeat_in(min(waited * 2, T2), now)

    def _no_ack(self, now: float) -> None:
        self.end()
        if self.on_ack_missing is not None:
            self.on_ack_missing(now)

    def _stop(self) -> None:
        for timer in (self._repeat, self._timer):
            if timer is not None:
                timer.cancel()
        self._repeat = self._timer = None

    def _end_in(self, seconds: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._layer.timers.at(now + seconds, lambda _then: self.end())


Key = tuple[str, str, int, str]
"""Branch, host and port of the top Via, method (ACK as INVITE): RFC 3261, 17.2.3."""


class Transactions:
    """All transactions of one user agent. ``send`` hands bytes to the transport and never fails."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.timers = Timers()
        self.repeated = 0
        self.answered_again = 0
        self._clients: dict[tuple[str, str], Client] = {}
        self._servers: dict[Key, Server] = {}

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    def ask(
        self,
        request: Request,
        peer: Peer,
        branch: str,
        on_response: Callable[[Client, Response, float], None],
        on_timeout: Callable[[Client, float], None],
        now: float,
    ) -> Client:
        """Sends a request of ours (its top Via carries ``branch``) and follows it to its end."""
        client = Client(self, request, peer, branch, on_response, on_timeout)
        self._clients[branch, request.method] = client
        client.begin(now)
        return client

    def resume(
        self,
        request: Request,
        peer: Peer,
        branch: str,
        on_response: Callable[[Client, Response, float], None],
        on_timeout: Callable[[Client, float], None],
    ) -> Client:
        """Takes up an INVITE that another process sent and that rings since, without sending it."""
        client = Client(self, request, peer, branch, on_response, on_timeout)
        client.state = State.PROCEEDING
        self._clients[branch, request.method] = client
        return client

    def client_of(self, response: Response) -> Client | None:
        via = response.headers.get("via") or ""
        method = (response.headers.get("cseq") or "").partition(" ")[2].strip()
        try:
            return self._clients.get((h.parse_via(via).branch, method))
        except ValueError:
            return None

    def server_of(self, key: Key) -> Server | None:
        return self._servers.get(key)

    def accept(self, key: Key, request: Request, peer: Peer) -> Server:
        server = self._servers[key] = Server(self, key, request, peer)
        return server

    def clients_on(self, connection: int) -> list[Client]:
        """Those whose request went over a connection that is gone."""
        return [client for client in self._clients.values() if connection and client.peer.connection == connection]

    def clients_to(self, peer: Peer) -> list[Client]:
        return [client for client in self._clients.values() if client.peer == peer]

    @property
    def is_asking(self) -> bool:
        """Whether an answer to a request of ours is still awaited."""
        return any(client.state in (State.TRYING, State.PROCEEDING) for client in self._clients.values())

    def forget_client(self, client: Client) -> None:
        self._clients.pop((client.branch, client.request.method), None)

    def forget_server(self, server: Server) -> None:
        self._servers.pop(server.key, None)


def key_of(request: Request, via: h.Via) -> Key:
    """How a request is matched to its server transaction (RFC 3261, 17.2.3).

    Call-ID and From tag stand beside the branch: there are telephones whose branches begin anew with each restart, and
    those of RFC 2543 have none.
    """
    method = "INVITE" if request.method == "ACK" else request.method
    host, port = via.sent_by
    get = request.headers.get
    branch = via.branch
    if not branch.startswith("z9hG4bK"):
        branch = f"{branch}|{(get('cseq') or '').partition(' ')[0]}"
    return f"{branch}|{h.tag_of(get('from') or '')}|{get('call-id')}", host, port, method
