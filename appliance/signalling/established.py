"""A call that both sides have agreed to: what may happen between the answer and the end.

Holds for legs that came in and for those we dialled. The other side may change its media (re-INVITE, UPDATE), press
digits by INFO, ask whether we live (OPTIONS) and hang up; so may we. Session timers run here. Whatever the other side
asks is answered at once from what is known here; the owner of the leg hears of it afterwards.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote

from appliance.clock import Timer
from appliance.signalling import headers as h
from appliance.signalling import sdp, timers
from appliance.signalling.dialogs import Dialog
from appliance.signalling.ground import ALLOW, REASONS, Ground, Side, answer_to, branch, has_sdp, stamped, with_sdp
from appliance.signalling.port import (
    Cause,
    DigitPressed,
    Held,
    HungUp,
    Leg,
    LegKept,
    LegKey,
    MediaChanged,
    Resumed,
    TransferAsked,
)
from appliance.signalling.transactions import LIFE, T1, T2, Client, Peer, Server
from appliance.signalling.wire import Request, Response

GLARE_OWNER_SECONDS = (2.1, 4.0)  # RFC 3261, 14.1: who owns the Call-ID waits longer
GLARE_OTHER_SECONDS = (0.0, 2.0)
REFER_SECONDS = 180  # longer than anything that a transfer waits for, but a line
MOST_USER = 64
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'  # RFC 3326; phones do not list it as missed
_SIGNAL = re.compile(rb"^\s*Signal\s*=\s*([0-9A-D*#])", re.IGNORECASE | re.MULTILINE)
_DURATION = re.compile(rb"^\s*Duration\s*=\s*([0-9]{1,5})", re.IGNORECASE | re.MULTILINE)


class Established:
    """The confirmed part of a leg. ``is_ours`` says who sent the first INVITE (and owns the Call-ID)."""

    def __init__(self, ground: Ground, leg: Leg, side: Side, peer: Peer, is_ours: bool) -> None:
        self.ground = ground
        self.leg = leg
        self.side = side
        self.peer = peer
        self.is_ours = is_ours
        self.dialog: Dialog | None = None
        self.local: sdp.Description | None = None
        self.remote: sdp.Description | None = None
        self.is_over = False
        self._is_held = False
        self._asking: Client | None = None  # our re-INVITE or UPDATE under way
        self._answering: Server | None = None  # theirs, answered and waiting for its ACK
        self._wanted: sdp.Description | None = None  # what a glare or a pending request made us wait with
        self._glare: Timer | None = None
        self._session: timers.Session | None = None
        self._session_timer: Timer | None = None
        self._repeat: Timer | None = None
        self._referring: int | None = None  # the number of the REFER that is being carried out
        self._ack: tuple[int, bytes, Peer] | None = None  # of our last INVITE, for repeated 200s

    # What the other side asks ---------------------------------------------------------------------------------------

    def receive(self, server: Server, request: Request, now: float) -> None:
        """A request in our dialog, with a number that is in order."""
        assert self.dialog is not None
        self.dialog.learn_allow(request)
        if request.method == "BYE":
            server.respond(answer_to(request, 200), now)
            self.finish(Cause.HUNG_UP, 0)
        elif request.method == "INVITE":
            self._asked_to_change(server, request, now)
        elif request.method == "UPDATE":
            self._updated(server, request, now)
        elif request.method == "INFO":
            self._informed(server, request, now)
        elif request.method == "OPTIONS":
            self._respond(server, request, 200, now)
        elif request.method == "REFER":
            self._asked_to_pass_on(server, request, now)
        else:
            self._respond(server, request, 405, now)

    def receive_ack(self, request: Request, now: float) -> None:
        """The ACK to a 200 of ours (to a re-INVITE, once the call stands)."""
        if self._repeat is None:
            return
        self._repeat.cancel()
        self._repeat = None
        self._answering = None
        if has_sdp(request):
            self._take_answer(request.body, now)

    def _asked_to_change(self, server: Server, request: Request, now: float) -> None:
        assert self.dialog is not None and self.local is not None
        if self._asking is not None and self._asking.request.method == "INVITE":
            self._respond(server, request, 491, now)
            return
        if self._answering is not None:
            response = answer_to(request, 500)
            response.headers.add("retry-after", str(self.ground.random.randint(0, 10)))
            server.respond(response, now)
            return
        self.dialog.retarget(request)
        described = self._described(server, request, now)
        if described is None:
            return
        offer, local = described
        response = self._agreeing(request, local, now)
        self._answering = server
        self.local = local
        server.respond(response, now)
        self._repeat_until_ack(server, T1, now, now)
        if offer is not None:
            self._take_remote(offer)

    def _updated(self, server: Server, request: Request, now: float) -> None:
        """UPDATE (RFC 3311): a session refresh, or new media without the three-way handshake."""
        assert self.dialog is not None and self.local is not None
        is_changing = self._asking is not None and self._asking.request.method != "OPTIONS"
        if is_changing or self._answering is not None:
            self._respond(server, request, 491, now)
            return
        self.dialog.retarget(request)
        if not has_sdp(request):
            server.respond(self._agreeing(request, None, now), now)
            return
        described = self._described(server, request, now)
        if described is None:
            return
        offer, local = described
        self.local = local
        server.respond(self._agreeing(request, local, now), now)
        if offer is not None:
            self._take_remote(offer)

    def _described(
        self, server: Server, request: Request, now: float
    ) -> tuple[sdp.Description | None, sdp.Description] | None:
        """Their offer (None for a late one) and our answer to it; None when it was refused."""
        assert self.local is not None
        if timers.asked_too_little(request):
            response = answer_to(request, 422)
            response.headers.add("min-se", str(timers.MIN_SECONDS))
            server.respond(response, now)
            return None
        if not request.body:
            return None, replace(self.local, version=self.local.version + 1, direction=sdp.Direction.SENDRECV)
        if not has_sdp(request):
            response = answer_to(request, 415)
            response.headers.add("accept", "application/sdp")
            server.respond(response, now)
            return None
        try:
            offer = sdp.parse(request.body)
        except sdp.SdpError as refused:
            self._respond(server, request, refused.code, now)
            return None
        local = renewed(self.local, offer, self.side.law)
        if local is None:
            self._respond(server, request, 488, now)
            return None
        return offer, local

    def _agreeing(self, request: Request, local: sdp.Description | None, now: float) -> Response:
        """Our 200 to a change or a refresh, with the session's interval."""
        response = answer_to(request, 200)
        response.headers.add("contact", f"<{self.side.contact}>")
        response.headers.add("allow", ALLOW)
        if local is not None:
            with_sdp(response, sdp.encode(local))
        self.start_session(timers.as_server(request, self.ground.settings.session_seconds), now)
        if self._session is not None:
            response.headers.add("supported", "timer")
            response.headers.add("session-expires", self._session.header(we_sent_the_request=False))
        return response

    def _informed(self, server: Server, request: Request, now: float) -> None:
        kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
        if kind == "application/dtmf-relay":
            signal, duration = _SIGNAL.search(request.body), _DURATION.search(request.body)
            digit = signal[1].decode().upper() if signal else ""
            milliseconds = int(duration[1]) if duration else 250
        elif kind == "application/dtmf":
            digit = request.body.strip().decode("ascii", "replace").upper()
            milliseconds = 250
        else:
            if request.body:
                response = answer_to(request, 415)
                response.headers.add("accept", "application/dtmf-relay, application/dtmf")
                server.respond(response, now)
            else:
                self._respond(server, request, 200, now)
            return
        if len(digit) == 1 and digit in "0123456789ABCD*#":
            self._respond(server, request, 200, now)
            self.ground.deliver(DigitPressed(self.leg, digit, milliseconds))
        else:
            self._respond(server, request, 400, now)

    def _asked_to_pass_on(self, server: Server, request: Request, now: float) -> None:
        """REFER (RFC 3515): from telephones, ours or a peer's; one at a time. ``referred`` tells what comes of it."""
        if not self.side.is_phone and not self.side.is_peer:
            self._respond(server, request, 603, now)
            return
        if self._referring is not None:
            self._respond(server, request, 491, now)
            return
        given = request.headers.all("refer-to")
        try:
            uri = h.parse_name_address(given[0]).uri if len(given) == 1 else None
        except ValueError:
            uri = None
        if uri is None or not uri.user or len(uri.user) > MOST_USER:
            self._respond(server, request, 400, now)
            return
        is_named, replaces = self._replaced(uri.headers)
        if is_named and not replaces:
            self._respond(server, request, 481, now)
            return
        response = answer_to(request, 202)
        response.headers.add("contact", f"<{self.side.contact}>")
        server.respond(response, now)
        self._referring = h.parse_cseq(request.headers.get("cseq") or "")[0]
        self._notify(100, is_last=False, now=now)
        self.ground.deliver(TransferAsked(self.leg, unquote(uri.user), replaces))

    def _replaced(self, asked: str) -> tuple[bool, Leg]:
        """Whether the URI's headers name a dialog to be replaced (RFC 3891), and the leg that it is."""
        for each in asked.split("&"):
            name, _, value = each.partition("=")
            if name.lower() == "replaces":
                call_id, *parameters = unquote(value).split(";")
                tags = dict(pair.strip().partition("=")[::2] for pair in parameters)
                to_tag, from_tag = tags.get("to-tag", ""), tags.get("from-tag", "")
                return True, self.ground.leg_of(call_id.strip(), to_tag, from_tag, self.side.source)
        return False, ""

    def referred(self, code: int, now: float) -> None:
        """Tells the telephone what came of its REFER; nothing where it has asked for none."""
        if self._referring is None or self.is_over or self.dialog is None:
            return
        self._notify(code, is_last=True, now=now)
        self._referring = None

    def _notify(self, code: int, *, is_last: bool, now: float) -> None:
        """NOTIFY with a status line of SIP as its body (RFC 3515, 2.4.5); its answers concern nobody."""
        assert self.dialog is not None
        request = self.dialog.request("NOTIFY")
        request.headers.add("event", f"refer;id={self._referring}")
        request.headers.add(
            "subscription-state", "terminated;reason=noresource" if is_last else f"active;expires={REFER_SECONDS}"
        )
        request.headers.set("content-type", "message/sipfrag;version=2.0")
        request.body = f"SIP/2.0 {code} {REASONS.get(code, 'Answer')}\r\n".encode()
        peer = self.ground.hop(self.dialog, self.peer, self.side.is_phone)
        mark = branch(self.ground)
        sent = stamped(request, self.side, mark, peer.transport)
        self.ground.transactions.ask(
            sent, peer, mark, lambda _client, _response, _then: None, lambda _client, _then: None, now
        )

    def _respond(self, server: Server, request: Request, code: int, now: float) -> None:
        response = answer_to(request, code)
        if code in (200, 405):
            response.headers.add("allow", ALLOW)
        server.respond(response, now)

    def _take_remote(self, remote: sdp.Description) -> None:
        """Tells the owner what changed, in one word: held, resumed, or media moved."""
        before, self.remote = self.remote, remote
        if sdp.is_hold(remote) and not self._is_held:
            self._is_held = True
            self.ground.deliver(Held(self.leg, remote))
        elif self._is_held and not sdp.is_hold(remote):
            self._is_held = False
            self.ground.deliver(Resumed(self.leg, remote))
        elif before is None or not _same_media(before, remote):
            self.ground.deliver(MediaChanged(self.leg, remote))

    def _take_answer(self, body: bytes, now: float) -> None:
        """The answer to an offer of ours that came late, in the ACK."""
        try:
            self._take_remote(sdp.parse(body))
        except sdp.SdpError:
            self.hang_up(Cause.FAULT, now)

    def _repeat_until_ack(self, server: Server, wait: float, began: float, now: float) -> None:
        """The 200 is repeated by the user agent until its ACK (RFC 3261, 13.3.1.4)."""
        self._repeat = self.ground.transactions.timers.at(
            now + wait, lambda then: self._repeat_answer(server, wait, began, then)
        )

    def _repeat_answer(self, server: Server, waited: float, began: float, now: float) -> None:
        if now >= began + LIFE:  # not the difference: rounding may leave it a hair below for ever
            self._repeat = None
            self._answering = None
            self.hang_up(Cause.LOST_ACK, now)
            return
        server.send_again()
        self._repeat_until_ack(server, min(waited * 2, T2), began, now)

    # What we ask ----------------------------------------------------------------------------------------------------

    def change(self, wanted: sdp.Description, now: float) -> None:
        """Offers ``wanted`` (hold, resume) by re-INVITE; waits where another change is under way."""
        if self.is_over or self.dialog is None or self.local is None:
            return
        if self._asking is not None or self._answering is not None or self._glare is not None:
            self._wanted = wanted
            return
        version = self.local.version + 1
        offer = replace(wanted, session_id=self.local.session_id, version=version, address=self.local.address)
        self._ask("INVITE", offer, now)

    def check(self, now: float) -> None:
        """OPTIONS in the dialog: a peer that is gone answers 481 or nothing."""
        if not self.is_over and self.dialog is not None and self._asking is None and self._answering is None:
            self._ask("OPTIONS", None, now)

    def _ask(
        self, method: str, offer: sdp.Description | None, now: float, authorization: tuple[str, str] | None = None
    ) -> None:
        assert self.dialog is not None
        request = self.dialog.request(method)
        if authorization is not None:
            request.headers.add(*authorization)
        request.headers.add("allow", ALLOW)
        request.headers.add("supported", "timer")
        if self._session is not None and method != "OPTIONS":
            request.headers.add("session-expires", self._session.header(we_sent_the_request=True))
        if offer is not None:
            with_sdp(request, sdp.encode(offer))
        peer = self.ground.hop(self.dialog, self.peer, self.side.is_phone)
        mark = branch(self.ground)
        sent = stamped(request, self.side, mark, peer.transport)
        self._asking = self.ground.transactions.ask(
            sent,
            peer,
            mark,
            lambda client, response, then: self._asked(client, offer, response, then),
            self._unanswered,
            now,
        )

    def _asked(self, client: Client, offer: sdp.Description | None, response: Response, now: float) -> None:
        if response.code < 200 or self.dialog is None:
            client.give_up_in(LIFE, now)  # nobody needs to think longer about a change; the transaction would stay
            return
        if 200 <= response.code < 300 and client.request.method == "INVITE":
            self._acknowledge(client, now)
        if client is not self._asking:
            return
        self._asking = None
        if self.is_over:
            return
        if response.code < 300:
            if client.request.method != "OPTIONS":
                self.dialog.retarget(response)
            if offer is not None:
                self.local = offer
            if client.request.method != "OPTIONS":
                self.start_session(timers.as_client(response) or self._session, now)
            if has_sdp(response) and offer is not None:
                self._take_answer(response.body, now)
        elif response.code == 491:
            least, most = GLARE_OWNER_SECONDS if self.is_ours else GLARE_OTHER_SECONDS
            self._wanted = self._wanted or offer
            wait = self.ground.random.uniform(least, most)
            self._glare = self.ground.transactions.timers.at(now + wait, self._after_glare)
            return
        elif response.code in (401, 407) and self.side.answers is not None:
            header = self.side.answers.answer(response, client.request.method, client.request.uri)
            if header is not None:
                self._ask(client.request.method, offer, now, header)
                return
        elif response.code in (408, 481):
            self.hang_up(Cause.VANISHED, now)
            return
        elif response.code == 422 and self._session is not None:
            least_seconds = timers.least_of(response) or timers.MIN_SECONDS
            self._session = replace(self._session, seconds=max(self._session.seconds, least_seconds))
        self._go_on(now)

    def _unanswered(self, client: Client, now: float) -> None:
        if client is self._asking:
            self._asking = None
            self.hang_up(Cause.VANISHED, now)

    def _after_glare(self, now: float) -> None:
        self._glare = None
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        """What had to wait for the request before it."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self.change(wanted, now)

    def _acknowledge(self, client: Client, now: float) -> None:
        """ACK to the 200 of our INVITE; the same bytes again for a repeated 200."""
        assert self.dialog is not None
        del now
        number = int((client.request.headers.get("cseq") or "0").partition(" ")[0])
        if self._ack is None or self._ack[0] != number:
            peer = self.ground.hop(self.dialog, self.peer, self.side.is_phone)
            ack = stamped(self.dialog.request("ACK", number), self.side, branch(self.ground), peer.transport, False)
            self._ack = (number, ack.encode(), peer)
        self.ground.transactions.send(self._ack[1], self._ack[2])

    # Session timers -------------------------------------------------------------------------------------------------

    def start_session(self, session: timers.Session | None, now: float) -> None:
        """Winds the session timer up anew (each refresh does)."""
        if self._session_timer is not None:
            self._session_timer.cancel()
            self._session_timer = None
        self._session = session
        if session is not None and not self.is_over:
            self._session_timer = self.ground.transactions.timers.at(now + session.next_in, self._session_due)

    @property
    def session(self) -> timers.Session | None:
        return self._session

    def _session_due(self, now: float) -> None:
        assert self.dialog is not None and self._session is not None
        self._session_timer = None
        if not self._session.we_refresh:
            self.hang_up(Cause.VANISHED, now)
        elif self._asking is None and self._answering is None:
            if "UPDATE" in self.dialog.allow:
                self._ask("UPDATE", None, now)
            else:
                self._ask("INVITE", self.local, now)  # the unchanged version says that nothing changed
        else:
            self._session_timer = self.ground.transactions.timers.at(now + 5, self._session_due)

    # The end --------------------------------------------------------------------------------------------------------

    def hang_up(self, cause: Cause, now: float, code: int = 0) -> None:
        """BYE, and the leg is over for its owner; the BYE finds its own way."""
        if self.is_over or self.dialog is None:
            return
        self.bye(now, ELSEWHERE if cause is Cause.ANSWERED_ELSEWHERE else "")
        self.finish(cause, code)

    def bye(self, now: float, reason: str = "") -> None:
        """Sends BYE in the dialog, once a challenge was answered again; its answers concern nobody."""
        assert self.dialog is not None
        dialog = self.dialog
        peer = self.ground.hop(dialog, self.peer, self.side.is_phone)

        def send(authorization: tuple[str, str] | None, then: float) -> None:
            request = dialog.request("BYE")
            if reason:
                request.headers.add("reason", reason)
            if authorization is not None:
                request.headers.add(*authorization)
            mark = branch(self.ground)
            sent = stamped(request, self.side, mark, peer.transport, with_contact=False)
            self.ground.transactions.ask(sent, peer, mark, answered, lambda _client, _then: None, then)

        def answered(client: Client, response: Response, then: float) -> None:
            if response.code in (401, 407) and self.side.answers is not None:
                header = self.side.answers.answer(response, "BYE", client.request.uri)
                if header is not None:
                    send(header, then)

        send(None, now)

    def finish(self, cause: Cause, code: int) -> None:
        """The leg is over: its timers stop and its owner is told, once."""
        if self.is_over:
            return
        self.is_over = True
        for timer in (self._session_timer, self._repeat, self._glare):
            if timer is not None:
                timer.cancel()
        self._session_timer = self._repeat = self._glare = None
        self.ground.forget_usage(self)
        self.ground.deliver(HungUp(self.leg, cause, code))

    def keep(self, is_confirmed: bool, mark: str = "", vias: tuple[str, ...] = ()) -> None:
        """Tells how another process could end this leg; ``vias`` stand for the route of a leg not answered yet."""
        dialog = self.dialog
        if dialog is None:
            return
        is_cancelled = self.is_ours and not is_confirmed  # a CANCEL goes where its INVITE went (RFC 3261, 9.1)
        peer = self.peer if is_cancelled else self.ground.hop(dialog, self.peer, self.side.is_phone)
        key = LegKey(
            leg=self.leg,
            transport=peer.transport,
            destination=peer.address,
            local_uri=dialog.local,
            remote_uri=dialog.remote,
            target=dialog.target,
            route=vias or dialog.route,
            call_id=dialog.call_id,
            local_tag=dialog.local_tag,
            remote_tag=dialog.remote_tag,
            cseq=dialog.local_cseq if self.is_ours or is_confirmed else dialog.remote_cseq,
            is_ours=self.is_ours,
            is_confirmed=is_confirmed,
            branch=mark,
            contact=self.side.contact,
        )
        self.ground.deliver(LegKept(key))


def renewed(local: sdp.Description, offer: sdp.Description, law: sdp.Law) -> sdp.Description | None:
    """Our answer to a new offer inside a call: same place, same session, next version; the law in use is preferred."""
    current = next((codec.name.upper() for codec in local.codecs if codec.name.upper() in ("PCMA", "PCMU")), law)
    prefer: sdp.Law = "PCMU" if current == "PCMU" else "PCMA"
    answer = sdp.answer(offer, local.address, local.port, prefer, session_id=local.session_id)
    if answer is None:
        return None
    unchanged = replace(answer, version=local.version)
    return unchanged if unchanged == local else replace(answer, version=local.version + 1)


def _same_media(one: sdp.Description, other: sdp.Description) -> bool:
    return (one.address, one.port, one.codecs, one.direction) == (
        other.address,
        other.port,
        other.codecs,
        other.direction,
    )
