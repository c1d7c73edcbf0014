"""The user agent without sockets and without a clock: everything that SIP decides.

Told what came (``receive``), what is wanted (``submit``) and that time has passed (``due``); says through ``send`` what
goes out and through ``deliver`` what happened. Two of them run back to back in virtual time in the tests. Nothing that
arrives makes it raise: what cannot be used is answered or counted.
"""

from __future__ import annotations

import functools
import ipaddress
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from appliance.signalling import headers as h
from appliance.signalling import numbers, sdp, timers, wire
from appliance.signalling import passage as passages
from appliance.signalling.admission import Admission, Verdict
from appliance.signalling.dialogs import Dialog, next_hop
from appliance.signalling.digest import Authorizer, Guard
from appliance.signalling.ground import (
    ALLOW,
    KNOWN_EXTENSIONS,
    SUPPORTED,
    Side,
    Usage,
    answer_to,
    branch,
    has_sdp,
    stamped,
)
from appliance.signalling.incoming import Incoming
from appliance.signalling.orphans import end_orphan
from appliance.signalling.outgoing import Outgoing
from appliance.signalling.port import (
    BEGINS_HERE,
    Answer,
    Cause,
    Check,
    Command,
    Deliver,
    Dial,
    EndOrphan,
    Event,
    FromPhone,
    FromTrunk,
    Go,
    HangUp,
    Hold,
    Identity,
    Leg,
    Offered,
    Progress,
    Refuse,
    Refused,
    Resume,
    Ring,
    ShowLamp,
    ShowMessages,
    ToPhone,
    TransferEnded,
)
from appliance.signalling.registrar import Registrar
from appliance.signalling.settings import Signalling, Trunk
from appliance.signalling.subscriptions import ALLOW_EVENTS, Subscriptions
from appliance.signalling.transactions import Client, Peer, Server, Transactions, key_of

IN_DIALOG = frozenset({"INVITE", "BYE", "UPDATE", "INFO", "OPTIONS", "REFER"})
KNOWN_METHODS = IN_DIALOG | {"ACK", "CANCEL", "REGISTER", "SUBSCRIBE"}
REAL_METHODS = KNOWN_METHODS | {"NOTIFY", "MESSAGE", "PRACK", "PUBLISH"}


@dataclass(slots=True)
class Account:
    """A trunk as it stands now: where it is, who we are there. Changed by the driver as names resolve."""

    trunk: Trunk
    contact_user: str  # random; how a registered trunk names us
    peers: tuple[Peer, ...]  # its addresses, best first
    local: tuple[str, int]  # our address and port towards it
    shown: tuple[str, int] | None  # what the other side sees of us, learned behind a NAT
    answers: Authorizer | None


class Heart:
    """One user agent for all trunks and phones."""

    def __init__(
        self,
        settings: Signalling,
        deliver: Deliver,
        send: Callable[[bytes, Peer], None],
        new_leg: Callable[[], Leg],
        chance: random.Random,
        guard: Guard,
        registrar: Registrar,
        admission: Admission,
    ) -> None:
        self.settings = settings
        self.deliver = deliver
        self.random = chance
        self.transactions = Transactions(send)
        self.counters: Counter[str] = Counter()
        self.accounts: dict[str, Account] = {}
        self.local_for: Callable[[Peer], tuple[str, int]] = lambda _peer: (settings.address, settings.port)
        self._send = send
        self._new_leg = new_leg
        self._guard = guard
        self._registrar = registrar
        self._admission = admission
        self.subscriptions = Subscriptions(self, registrar, self._phone_side)
        self._legs: dict[Leg, Incoming | Outgoing] = {}
        self._usages: dict[tuple[str, str], Usage] = {}
        self._incoming: dict[tuple[str, str], Incoming] = {}  # by Call-ID and From tag: CANCEL and odd ACKs

    # In --------------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, peer: Peer, now: float) -> None:
        """One datagram, or one message of a stream."""
        if len(data) < 20:
            return  # keep-alive
        if self._admission.judge(peer.address[0], now, self._is_trunk(peer)) is Verdict.SILENCE:
            self.counters["silenced"] += 1
            return
        try:
            message = wire.parse(data)
        except wire.Refusal as refused:
            self._refuse(refused, peer, now)
            return
        if isinstance(message, wire.Response):
            self._receive_response(message, now)
        else:
            self._receive_request(message, peer, now)

    @property
    def deadline(self) -> float | None:
        return self.transactions.timers.deadline

    def due(self, now: float) -> None:
        self.transactions.timers.due(now)

    @property
    def is_asking(self) -> bool:
        """Whether something of ours is still to be sent or answered."""
        return self.transactions.is_asking or self.subscriptions.is_telling

    @property
    def legs(self) -> int:
        return len(self._legs)

    def connection_lost(self, connection: int, now: float) -> None:
        """A TCP connection is gone: what waited for an answer on it has none."""
        for client in self.transactions.clients_on(connection):
            client.failed(now)

    def unreachable(self, peer: Peer, now: float) -> None:
        """Nothing can be sent there (the transport said so)."""
        for client in self.transactions.clients_to(peer):
            client.failed(now)

    def phones_turned(self, events: Sequence[Event], now: float) -> None:
        """What the registrar tells: phones that came, went or moved."""
        for event in events:
            self.deliver(event)
        if events:
            self.subscriptions.look(now)

    # Commands ---------------------------------------------------------------------------------------------------------

    def submit(self, command: Command, now: float) -> None:
        match command:
            case Dial():
                self._dial(command, now)
            case EndOrphan(key):
                end_orphan(self, key, now)
            case ShowLamp() | ShowMessages():
                self.subscriptions.show(command, now)
            case (
                Ring(leg)
                | Progress(leg)
                | Answer(leg)
                | Refuse(leg)
                | Go(leg)
                | Hold(leg)
                | Resume(leg)
                | Check(leg)
                | TransferEnded(leg)
                | HangUp(leg)
            ):
                usage = self._legs.get(leg)
                if usage is not None:
                    self._tell(usage, command, now)

    def _tell(
        self,
        usage: Incoming | Outgoing,
        command: Ring | Progress | Answer | Refuse | Go | Hold | Resume | Check | TransferEnded | HangUp,
        now: float,
    ) -> None:
        match command:
            case HangUp(_, cause, code):
                usage.hang_up(cause, now, code)
            case Go():
                if isinstance(usage, Outgoing):
                    usage.dial(now)
            case Hold(_, description) | Resume(_, description):
                usage.change(description, now)
            case Check():
                usage.check(now)
            case TransferEnded(_, code):
                usage.referred(code, now)
            case Ring() | Progress() | Answer() | Refuse():
                if isinstance(usage, Incoming):
                    self._tell_incoming(usage, command, now)

    @staticmethod
    def _tell_incoming(usage: Incoming, command: Ring | Progress | Answer | Refuse, now: float) -> None:
        match command:
            case Ring():
                usage.ring(now)
            case Progress(_, description):
                usage.progress(description, now)
            case Answer(_, description):
                usage.answer(description, now)
            case Refuse(_, code, reason, retry_after):
                usage.refuse(code, reason, retry_after, now, Cause.ENDED_HERE)

    def _dial(self, command: Dial, now: float) -> None:
        if isinstance(command.to, ToPhone):
            side, to = self._phone_targets(command.to.phone)
            host, user = self.settings.domain, ""
        else:
            account = self.accounts.get(command.to.trunk)
            if account is None or not account.peers:
                self.deliver(Refused(command.leg, 503, "Trunk Unreachable", None))
                return
            side = self.trunk_side(account)
            host = account.trunk.domain or account.trunk.proxy.partition(":")[0]
            user = account.trunk.user
            to = [(f"sip:{command.to.number}@{host}", account.peers[0])]
        if side is None or not to:
            self.deliver(Refused(command.leg, 480, "Not Registered", None))
            return
        passage = command.passage if side.is_peer else None
        usage = Outgoing(self, command.leg, side, to, command.sdp, command.caller, host, user, passage)
        self._legs[command.leg] = usage
        if command.waits:
            usage.prepare()
        else:
            usage.dial(now)

    # Ground: what the usages stand on -------------------------------------------------------------------------------

    def token(self) -> str:
        return f"{self.random.getrandbits(80):020x}"

    def hop(self, dialog: Dialog, fallback: Peer, is_phone: bool) -> Peer:
        """The first hop of the route set where it is an address; a phone is where it was seen (NAT, RFC 3581)."""
        if is_phone and not dialog.route:
            return fallback
        try:
            uri = next_hop(dialog.target, dialog.route)
            host = str(ipaddress.ip_address(uri.host))
        except ValueError:
            return fallback  # a name: the peer that this dialog came from stands for it
        if is_phone and host != fallback.address[0]:
            return fallback
        transport = (uri.parameter("transport") or fallback.transport).lower()
        address = (host, uri.port or h.DEFAULT_PORT)
        if transport == fallback.transport and (transport != "udp" or address == fallback.address):
            return fallback if transport == "udp" else Peer(transport, address, fallback.connection)
        return Peer(transport if transport in ("udp", "tcp") else fallback.transport, address)

    def register_usage(self, usage: Usage) -> None:
        if usage.dialog is not None:
            self._usages[usage.dialog.key] = usage

    def leg_of(self, call_id: str, one_tag: str, other_tag: str, source: FromPhone | FromTrunk) -> Leg:
        """The leg of this dialog, if it is with that telephone or peer; empty where there is none (RFC 3891, 3).

        A telephone names the tags as it sees them; some have them the other way round.
        """
        for local, remote in ((one_tag, other_tag), (other_tag, one_tag)):
            usage = self._usages.get((call_id, local))
            if usage is None or usage.dialog is None or usage.dialog.remote_tag != remote:
                continue
            if isinstance(usage, Incoming | Outgoing) and usage.side.source == source:
                return usage.leg
        return ""

    def forget_usage(self, usage: Usage) -> None:
        self._legs.pop(usage.leg, None)
        if usage.dialog is not None:
            self._usages.pop(usage.dialog.key, None)
            self._incoming.pop((usage.dialog.call_id, usage.dialog.remote_tag), None)

    def ask(
        self,
        request: wire.Request,
        side: Side,
        peer: Peer,
        on_response: Callable[[Client, wire.Response, float], None],
        on_timeout: Callable[[Client, float], None],
        now: float,
    ) -> None:
        """A request outside of any dialog (REGISTER, OPTIONS) that the driver makes."""
        mark = branch(self)
        self.transactions.ask(
            stamped(request, side, mark, peer.transport, with_contact=False), peer, mark, on_response, on_timeout, now
        )

    # Responses --------------------------------------------------------------------------------------------------------

    def _receive_response(self, response: wire.Response, now: float) -> None:
        client = self.transactions.client_of(response)
        if client is None:
            self.counters["stray_responses"] += 1
            return
        client.receive(response, now)

    # Requests ---------------------------------------------------------------------------------------------------------

    def _receive_request(self, request: wire.Request, peer: Peer, now: float) -> None:
        try:
            via = h.parse_via(request.headers.get("via") or "")
        except ValueError:
            self.counters["bad_via"] += 1
            return
        seen = via.seen_from(*peer.address)
        request.headers.set_first("via", str(seen))
        answer_peer = peer if peer.is_reliable else Peer("udp", seen.answer_to())
        key = key_of(request, via)
        server = self.transactions.server_of(key)
        if request.method == "ACK":
            self._receive_ack(server, request, now)
        elif server is not None:
            server.receive_again()
        elif self._is_strange(request, peer):
            self.counters["unknown_sources"] += 1
        else:
            server = self.transactions.accept(key, request, answer_peer)
            self._begin(server, request, peer, now)

    def _receive_ack(self, server: Server | None, request: wire.Request, now: float) -> None:
        if server is not None:
            server.receive_ack(now)
        headers = request.headers
        call_id = headers.get("call-id") or ""
        usage = self._usages.get((call_id, h.tag_of(headers.get("to") or "")))
        if usage is None:  # some phones put another tag into the ACK: Call-ID and From tag still name the call
            usage = self._incoming.get((call_id, h.tag_of(headers.get("from") or "")))
        if usage is not None:
            usage.receive_ack(request, now)

    def _begin(self, server: Server, request: wire.Request, peer: Peer, now: float) -> None:
        """A request that was not seen before."""
        refusal = self._unacceptable(request)
        if refusal is not None:
            server.respond(refusal, now)
        elif request.method == "CANCEL":
            self._cancel(server, request, now)
        elif request.method == "SUBSCRIBE":
            self._subscribe(server, request, peer, now)
        elif h.tag_of(request.headers.get("to") or ""):
            self._in_dialog(server, request, now)
        elif request.method == "REGISTER":
            self._register(server, request, peer, now)
        elif request.method == "INVITE":
            self._invite(server, request, peer, now)
        else:
            self._outside(server, request, now)

    def _unacceptable(self, request: wire.Request) -> wire.Response | None:
        """What is wrong with any request, whatever it asks."""
        headers = request.headers
        if request.method not in KNOWN_METHODS:
            response = answer_to(request, 405 if request.method in REAL_METHODS else 501, self.token())
            response.headers.add("allow", ALLOW)
            return response
        hops = headers.get("max-forwards")
        if hops is not None and not (hops.isascii() and hops.isdigit() and len(hops) < 6):
            return answer_to(request, 400, self.token(), "Bad Max-Forwards")
        if hops is not None and int(hops) == 0:
            return answer_to(request, 483, self.token())
        if request.uri.partition(":")[0].lower() not in ("sip", "sips", "tel"):
            return answer_to(request, 416, self.token())
        try:
            h.parse_uri(request.uri)
            h.parse_name_address(headers.get("from") or "")
            h.parse_name_address(headers.get("to") or "")
        except ValueError:
            return answer_to(request, 400, self.token())
        if request.method not in ("CANCEL", "ACK"):
            unknown = [option for option in headers.all("require") if option.lower() not in KNOWN_EXTENSIONS]
            if unknown:
                response = answer_to(request, 420, self.token())
                response.headers.add("unsupported", ", ".join(unknown))
                return response
        return None

    def _refuse(self, refused: wire.Refusal, peer: Peer, now: float) -> None:
        """Answers what could not be parsed, without keeping anything of it (RFC 3261, 8.2.7)."""
        self.counters["bad_messages"] += 1
        self._admission.offended(peer.address[0], now, self._is_trunk(peer))
        if refused.request is None or refused.code is None or self._side_from(refused.request, peer) is None:
            return
        try:
            via = h.parse_via(refused.request.headers.get("via") or "").seen_from(*peer.address)
        except ValueError:
            return
        refused.request.headers.set_first("via", str(via))
        response = answer_to(refused.request, refused.code, self.token(), refused.reason)
        self._send(response.encode(), peer if peer.is_reliable else Peer("udp", via.answer_to()))

    def _cancel(self, server: Server, request: wire.Request, now: float) -> None:
        headers = request.headers
        usage = self._incoming.get((headers.get("call-id") or "", h.tag_of(headers.get("from") or "")))
        if usage is None:
            server.respond(answer_to(request, 481, self.token()), now)
            return
        assert usage.dialog is not None
        server.respond(answer_to(request, 200, usage.dialog.local_tag), now)
        usage.cancelled(now)

    def _in_dialog(self, server: Server, request: wire.Request, now: float) -> None:
        headers = request.headers
        usage = self._usages.get((headers.get("call-id") or "", h.tag_of(headers.get("to") or "")))
        if usage is None or usage.dialog is None or usage.dialog.remote_tag != h.tag_of(headers.get("from") or ""):
            server.respond(answer_to(request, 481), now)
        elif request.method not in IN_DIALOG:
            response = answer_to(request, 405)
            response.headers.add("allow", ALLOW)
            server.respond(response, now)
        elif not usage.dialog.takes(request):
            server.respond(answer_to(request, 500, "", "Out of Order"), now)
        else:
            usage.receive(server, request, now)

    def _register(self, server: Server, request: wire.Request, peer: Peer, now: float) -> None:
        response, events = self._registrar.receive(request, peer, now)
        if response.code == 403:
            self._admission.offended(peer.address[0], now, self._is_trunk(peer))
        server.respond(response, now)
        self.phones_turned(events, now)

    def _subscribe(self, server: Server, request: wire.Request, peer: Peer, now: float) -> None:
        """Of phones only, each time with their password; a trunk has none here to answer the challenge with."""
        phone = self._challenged(server, request, peer, now)
        if phone is not None:
            self.subscriptions.receive(server, request, phone, peer, now)

    def _outside(self, server: Server, request: wire.Request, now: float) -> None:
        """OPTIONS, and what makes no sense without a dialog."""
        if request.method == "OPTIONS":
            response = answer_to(request, 200, self.token())
            response.headers.add("allow", ALLOW)
            response.headers.add("allow-events", ALLOW_EVENTS)
            response.headers.add("accept", "application/sdp")
            response.headers.add("supported", SUPPORTED)
        else:
            response = answer_to(request, 481, self.token())
        server.respond(response, now)

    def _invite(self, server: Server, request: wire.Request, peer: Peer, now: float) -> None:
        """A new call (RFC 3261, 8.2 and 13.3.1)."""
        side = self._side_from(request, peer)
        if side is None:
            phone = self._challenged(server, request, peer, now)
            if phone is None:
                return
            side = self._phone_side(phone, peer)
        headers = request.headers
        merged = (headers.get("call-id") or "", h.tag_of(headers.get("from") or ""))
        if merged in self._incoming:
            server.respond(answer_to(request, 482, self.token()), now)
            return
        passage = passages.read(headers) if side.is_peer else BEGINS_HERE
        if passages.is_circle(passage):
            self.counters["circles"] += 1
            server.respond(answer_to(request, 483, self.token()), now)
            return
        is_usable, offer = self._offer_of(server, request, now)
        if not is_usable:
            return
        server.respond(answer_to(request, 100), now)
        try:
            usage = Incoming(
                self, self._new_leg(), side, peer if peer.is_reliable else server.peer, server, request, now
            )
        except ValueError:
            server.respond(answer_to(request, 400, self.token(), "Bad Contact"), now)
            return
        self._legs[usage.leg] = usage
        self._incoming[merged] = usage
        self.register_usage(usage)
        usage.offer(offer)
        self.deliver(replace(self._offered(usage, request, side, offer), passage=passage))

    def _offer_of(self, server: Server, request: wire.Request, now: float) -> tuple[bool, sdp.Description | None]:
        """Whether the request can be used (else it was refused), and its offer (None for a late one)."""
        if timers.asked_too_little(request):
            response = answer_to(request, 422, self.token())
            response.headers.add("min-se", str(timers.MIN_SECONDS))
            server.respond(response, now)
            return False, None
        if not request.body:
            return True, None
        if not has_sdp(request):
            response = answer_to(request, 415, self.token())
            response.headers.add("accept", "application/sdp")
            server.respond(response, now)
            return False, None
        try:
            return True, sdp.parse(request.body)
        except sdp.SdpError as refused:
            server.respond(answer_to(request, refused.code, self.token()), now)
            return False, None

    def _offered(self, usage: Incoming, request: wire.Request, side: Side, offer: sdp.Description | None) -> Offered:
        trunk = self.accounts[side.source.trunk].trunk if isinstance(side.source, FromTrunk) else None
        diverted = _user_of(request.headers.get("diversion"))
        called = h.parse_uri(request.uri).user
        if trunk is not None and trunk.called_in == "diversion" and diverted:
            called = diverted
        elif trunk is not None and (trunk.called_in == "to" or self._is_our_user(trunk, called)):
            called = _user_of(request.headers.get("to"))
        return Offered(
            leg=usage.leg,
            source=side.source,
            called=called,
            caller=identity(request, trunk),
            sdp=offer,
            diverted_by=diverted,
            call_id=request.headers.get("call-id") or "",
        )

    def _is_our_user(self, trunk: Trunk, user: str) -> bool:
        """Whether the request URI names our registration instead of the number that was dialled."""
        return user == self.accounts[trunk.name].contact_user

    def _challenged(self, server: Server, request: wire.Request, peer: Peer, now: float) -> str | None:
        """The phone whose password the request proves; else it was answered (401 or 403)."""
        given = request.headers.get("authorization") or ""
        user, verdict = self._guard.check(given, request.method, now) if given else ("", "none")
        if verdict == "ok" and any(phone.name == user for phone in self.settings.phones):
            return user
        if verdict == "no":
            self._admission.offended(peer.address[0], now, False)
        response = answer_to(request, 401, self.token())
        for challenge in self._guard.challenges(now, stale=verdict == "stale"):
            response.headers.add("www-authenticate", challenge)
        server.respond(response, now)
        return None

    # Who is it --------------------------------------------------------------------------------------------------------

    def _is_strange(self, request: wire.Request, peer: Peer) -> bool:
        """Whether nobody we know speaks, and of no call that stands: such a source is not even refused."""
        if self._is_office(peer) or self._side_from(request, peer) is not None:
            return False
        headers = request.headers
        call_id = headers.get("call-id") or ""
        if request.method == "CANCEL":
            return (call_id, h.tag_of(headers.get("from") or "")) not in self._incoming
        if request.method == "REGISTER":
            return False  # a phone away from the office proves itself by its password
        if (call_id, h.tag_of(headers.get("to") or "")) in self._usages:
            return False
        return not self._registrar.is_at(peer.address[0])

    def _side_from(self, request: wire.Request, peer: Peer) -> Side | None:
        """The trunk that a request comes from (DECISIONS 23): our random user, else source and proxy list."""
        try:
            user = h.parse_uri(request.uri).user
        except ValueError:
            user = ""
        matches = [account for account in self.accounts.values() if self._comes_from(account, peer)]
        for account in self.accounts.values():
            if user and user == account.contact_user and account.trunk.registers:
                return self.trunk_side(account)
        return self.trunk_side(matches[0]) if matches else None

    @staticmethod
    def _comes_from(account: Account, peer: Peer) -> bool:
        address = _address(peer.address[0])
        if any(address in _network(network) for network in account.trunk.sources):
            return True
        if address.is_loopback:  # several peers share one address there: the port tells them apart
            return any(known.address == peer.address for known in account.peers)
        return any(known.address[0] == peer.address[0] for known in account.peers)

    def _is_trunk(self, peer: Peer) -> bool:
        return any(self._comes_from(account, peer) for account in self.accounts.values())

    @staticmethod
    def _is_office(peer: Peer) -> bool:
        """Whether a phone of the office may speak from there: private and loopback addresses only."""
        return _address(peer.address[0]).is_private

    def trunk_side(self, account: Account) -> Side:
        shown = account.shown or account.local
        transport = account.trunk.transport
        suffix = ";transport=tcp" if transport == "tcp" else ""
        return Side(
            source=FromTrunk(account.trunk.name),
            contact=f"sip:{account.contact_user}@{shown[0]}:{shown[1]}{suffix}",
            via=account.local,
            media_address=shown[0],
            law=account.trunk.law,
            peer=account.peers[0] if account.peers else Peer(transport, (account.local[0], h.DEFAULT_PORT)),
            answers=account.answers,
            is_peer=account.trunk.kind == "peer",
        )

    def _phone_side(self, phone: str, peer: Peer) -> Side:
        local = self.local_for(peer)
        suffix = ";transport=tcp" if peer.transport == "tcp" else ""
        return Side(
            source=FromPhone(phone),
            contact=f"sip:pasokh@{local[0]}:{local[1]}{suffix}",
            via=local,
            media_address=local[0],
            law="PCMA",
            peer=peer,
        )

    def _phone_targets(self, phone: str) -> tuple[Side | None, Sequence[tuple[str, Peer]]]:
        targets = self._registrar.targets(phone)
        return (self._phone_side(phone, targets[0][1]) if targets else None), targets


@functools.lru_cache(maxsize=1024)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Kept, because each message asks for its source's several times."""
    return ipaddress.ip_address(text)


@functools.lru_cache(maxsize=256)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


def identity(request: wire.Request, trunk: Trunk | None) -> Identity:
    """Who rings: P-Asserted-Identity only from a trunk that is trusted for it; Privacy honoured (RFC 3323, 3325).

    A hotline that diverts to the office, or an analog gateway itself, may stand where the caller should: then nobody
    knows who rings.
    """
    headers = request.headers
    chosen = headers.get("from")
    if trunk is not None and trunk.identity_in != "from":
        chosen = headers.get("p-asserted-identity") or chosen
    try:
        name = h.parse_name_address(chosen or "")
    except ValueError:
        return Identity("", "", True)
    privacy = (headers.get("privacy") or "").lower()
    user = name.uri.user.partition(";")[0]
    hidden = user.lower() in ("anonymous", "unknown", "unavailable", "restricted", "") or any(
        word.strip() in ("id", "user", "header") for word in privacy.split(";")
    )
    if trunk is not None and not hidden:
        nobody = (*trunk.gateway_numbers, _user_of(headers.get("diversion")))
        hidden = any(_is_same(user, each, trunk.area_code) for each in nobody)
    return Identity("" if hidden else user, "" if hidden else name.display, hidden)


def _is_same(number: str, other: str, area_code: str) -> bool:
    """Whether two numbers are one, however they are written."""
    if number == other:
        return True
    known = numbers.normalise(number, area_code).e164
    return known is not None and known == numbers.normalise(other, area_code).e164


def _user_of(header: str | None) -> str:
    try:
        return h.parse_name_address(header or "").uri.user
    except ValueError:
        return ""
