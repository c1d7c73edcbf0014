"""A leg that we dial: one INVITE to a trunk, or one to each contact of a phone (RFC 3261, 13.2).

The first 200 wins; every other one is acknowledged and ended, the branches still ringing are cancelled. A 200 may come
after a CANCEL, and from several forks of one INVITE: all of them end the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from appliance.clock import Timer
from appliance.signalling import dialogs, sdp, timers
from appliance.signalling import headers as h
from appliance.signalling.established import ELSEWHERE, Established
from appliance.signalling.ground import ALLOW, SUPPORTED, Ground, Side, branch, has_sdp, stamped, with_sdp
from appliance.signalling.passage import PATH
from appliance.signalling.port import Answered, Cause, HungUp, Identity, Leg, Passage, Progressed, Refused
from appliance.signalling.transactions import LIFE, Client, Peer
from appliance.signalling.wire import Headers, Request, Response


class Try:
    """One INVITE: to a trunk, or to one contact of a phone."""

    def __init__(self, owner: Outgoing, uri: str, peer: Peer) -> None:
        self.owner = owner
        self.uri = uri
        self.peer = peer
        self.client: Client | None = None
        self.response: Response | None = None  # the final one, where it was a refusal
        self.is_cancelled = False
        self.is_done = False
        self._call_id = f"{owner.ground.token()}@{owner.side.via[0]}"
        self._tag = owner.ground.token()
        self._cseq = 0
        self._seconds = owner.ground.settings.session_seconds
        self._least = 0
        self._acks: dict[str, tuple[bytes, Peer]] = {}  # by To tag, for repeated 200s
        self._prepared: tuple[Request, str] | None = None

    def prepare(self) -> None:
        """Makes the INVITE that ``invite`` will send, and tells how it could be cancelled."""
        self._prepared = self._made(None)

    def invite(self, now: float, authorization: tuple[str, str] | None = None) -> None:
        sent, mark = self._prepared or self._made(authorization)
        self._prepared = None
        self.client = self.owner.ground.transactions.ask(sent, self.peer, mark, self._heard, self._unanswered, now)

    def _made(self, authorization: tuple[str, str] | None) -> tuple[Request, str]:
        """The next INVITE and its branch, known to whoever keeps the leg."""
        owner = self.owner
        self._cseq += 1
        headers = Headers()
        headers.add("max-forwards", owner.max_forwards)
        headers.add("from", f"{owner.from_};tag={self._tag}")
        headers.add("to", f"<{self.uri}>")
        headers.add("call-id", self._call_id)
        headers.add("cseq", f"{self._cseq} INVITE")
        if authorization is not None:
            headers.add(*authorization)
        headers.add("allow", ALLOW)
        headers.add("supported", SUPPORTED)
        headers.add("session-expires", str(self._seconds))
        if self._least:
            headers.add("min-se", str(self._least))
        if owner.asserted:
            headers.add("p-asserted-identity", owner.asserted)
        if owner.path:
            headers.add(PATH, owner.path)
        request = Request("INVITE", self.uri, headers)
        assert owner.local is not None
        with_sdp(request, sdp.encode(owner.local))
        mark = branch(owner.ground)
        owner.keep_try(self, request.headers, mark, self._cseq)
        return stamped(request, owner.side, mark, self.peer.transport), mark

    def cancel(self, now: float, reason: str = "") -> None:
        """Ends this try: CANCEL once something was heard (RFC 3261, 9.1), and 32 s later without any answer."""
        if self.is_done or self.is_cancelled or self.client is None:
            return
        self.is_cancelled = True
        self._reason = reason
        if self.client.state.name == "PROCEEDING":
            self._send_cancel(now)
        else:
            self.client.give_up_in(LIFE, now)

    def _send_cancel(self, now: float) -> None:
        assert self.client is not None
        sent = self.client.request.headers
        headers = Headers([("via", sent.get("via") or "")])
        for route in sent.all("route"):
            headers.add("route", route)
        for name in ("max-forwards", "from", "to", "call-id"):
            headers.add(name, sent.get(name) or "")
        headers.add("cseq", f"{self._cseq} CANCEL")
        if self._reason:
            headers.add("reason", self._reason)
        request = Request("CANCEL", self.client.request.uri, headers)
        self.owner.ground.transactions.ask(
            request, self.peer, self.client.branch, lambda _c, _r, _t: None, lambda _c, _t: None, now
        )
        self.client.give_up_in(LIFE, now)

    def _heard(self, client: Client, response: Response, now: float) -> None:
        if client is not self.client and response.code >= 300:
            return
        if response.code < 200:
            if self.is_cancelled and response.code >= 100 and not self._was_cancelled(client):
                self._cancelled_branch = client.branch
                self._send_cancel(now)
            elif not self.is_cancelled:
                self.owner.progressed(self, response)
        elif response.code < 300:
            self._accepted(client, response, now)
        elif not self._tries_again(client, response, now):
            self.is_done = True
            self.response = response
            self.owner.try_failed(now)

    _cancelled_branch = ""
    _reason = ""

    def _was_cancelled(self, client: Client) -> bool:
        return self._cancelled_branch == client.branch

    def _accepted(self, client: Client, response: Response, now: float) -> None:
        tag = h.tag_of(response.headers.get("to") or "")
        ack = self._acks.get(tag)
        if ack is None:
            self.is_done = True
            try:
                dialog = dialogs.as_client(client.request, response)
            except ValueError:
                self.response = response
                self.owner.try_failed(now)
                return
            ground = self.owner.ground
            peer = ground.hop(dialog, self.peer, self.owner.side.is_phone)
            number = h.parse_cseq(client.request.headers.get("cseq") or "")[0]
            request = stamped(
                dialog.request("ACK", number), self.owner.side, branch(ground), peer.transport, with_contact=False
            )
            ack = self._acks[tag] = (request.encode(), peer)
            ground.transactions.send(*ack)
            self.owner.accepted(self, dialog, response, now)
        else:
            self.owner.ground.transactions.send(*ack)

    def _tries_again(self, client: Client, response: Response, now: float) -> bool:
        """After a challenge, or with the interval that the other side wants."""
        if self.is_cancelled or self.owner.is_over:
            return False
        if response.code in (401, 407) and self.owner.side.answers is not None:
            header = self.owner.side.answers.answer(response, "INVITE", client.request.uri)
            if header is not None:
                self.invite(now, header)
                return True
        if response.code == 422:
            least = timers.least_of(response)
            if least is not None and self._least < least <= 86_400:
                self._least = least
                self._seconds = max(self._seconds, least)
                self.invite(now)
                return True
        return False

    def _unanswered(self, client: Client, now: float) -> None:
        if client is self.client:
            self.is_done = True
            self.owner.try_failed(now)


class Outgoing(Established):
    """Ends with Answered (and lives on as an Established leg), Refused, or HungUp where its owner gave up.

    ``passage`` is what the call has come through before; None: the other side is no peer, and is not told.
    """

    def __init__(
        self,
        ground: Ground,
        leg: Leg,
        side: Side,
        to: Sequence[tuple[str, Peer]],
        offer: sdp.Description,
        caller: Identity,
        from_host: str,
        user: str,
        passage: Passage | None = None,
    ) -> None:
        super().__init__(ground, leg, side, to[0][1], is_ours=True)
        address = side.media_address if offer.address in ("", "0.0.0.0") else offer.address  # noqa: S104 - compared, not bound
        self.local = replace(offer, address=address)
        shown = "anonymous" if caller.is_withheld else caller.number or user or "anonymous"
        display = caller.name.replace("\\", "\\\\").replace('"', '\\"')
        quoted = f'"{display}" ' if display else ""
        account = user if user and not side.is_phone else shown
        self.from_ = f"{quoted}<sip:{account}@{from_host}>"
        self.asserted = f"<sip:{shown}@{from_host}>" if account != shown and not caller.is_withheld else ""
        self.max_forwards = dialogs.MAX_FORWARDS if passage is None else str(passage.hops - 1)
        self.path = "" if passage is None else ",".join((*passage.legs, leg))
        self._tries = [Try(self, uri, peer) for uri, peer in to]
        self._is_answered = False
        self._ring_timer: Timer | None = None

    def prepare(self) -> None:
        """Everything but the sending."""
        for each in self._tries:
            each.prepare()

    def dial(self, now: float) -> None:
        seconds = self.ground.settings.ring_seconds
        self._ring_timer = self.ground.transactions.timers.at(now + seconds, self._rung_out)
        for each in self._tries:
            each.invite(now)

    def hang_up(self, cause: Cause, now: float, code: int = 0) -> None:
        if self.is_over:
            return
        if self._is_answered:
            super().hang_up(cause, now)
            return
        reason = ELSEWHERE if cause is Cause.ANSWERED_ELSEWHERE else ""
        for each in self._tries:
            each.cancel(now, reason)
        self._stop_ringing()
        self.finish(cause, code)

    def progressed(self, which: Try, response: Response) -> None:
        if self._is_answered or self.is_over or response.code == 100:
            return
        early: sdp.Description | None = None
        if has_sdp(response):
            try:
                early = sdp.parse(response.body)
            except sdp.SdpError:
                early = None  # ring-back of our own instead
        del which
        self.ground.deliver(Progressed(self.leg, response.code, early))

    def accepted(self, which: Try, dialog: dialogs.Dialog, response: Response, now: float) -> None:
        """A 200 with a To tag that was not heard before; it is acknowledged already."""
        remote: sdp.Description | None = None
        if has_sdp(response):
            try:
                remote = sdp.parse(response.body)
            except sdp.SdpError:
                remote = None
        if self._is_answered or self.is_over or which.is_cancelled:
            self._end_other(which, dialog, now, ELSEWHERE)
            return
        if remote is None or self.local is None or sdp.agree(self.local, remote) is None:
            self._end_other(which, dialog, now, "")
            which.response = None
            self.try_failed(now, 488)
            return
        self._is_answered = True
        self._stop_ringing()
        self.dialog = dialog
        self.peer = which.peer
        self.remote = remote
        self.ground.register_usage(self)
        for other in self._tries:
            if other is not which:
                other.cancel(now, ELSEWHERE)
        self.start_session(timers.as_client(response), now)
        self.keep(True)
        self.ground.deliver(Answered(self.leg, remote))

    def try_failed(self, now: float, code: int = 0) -> None:
        """One try ended without an answer; the last one ends the leg."""
        if self._is_answered or self.is_over or (not code and not all(each.is_done for each in self._tries)):
            return
        self._stop_ringing()
        self.is_over = True
        for each in self._tries:  # those that still ring where one answered with what cannot be used
            each.cancel(now)
        self.ground.forget_usage(self)
        best = self._best()
        if best is None:
            self.ground.deliver(Refused(self.leg, code or 408, "", None))
            return
        retry: int | None = None
        text = best.headers.get("retry-after")
        if text:
            try:
                retry = h.number_and_parameters(text)[0]
            except ValueError:
                retry = None
        self.ground.deliver(Refused(self.leg, code or best.code, best.reason, retry))

    def keep_try(self, which: Try, sent: Headers, mark: str, cseq: int) -> None:
        """How another process could cancel this leg (only the first try of several is kept)."""
        if which is not self._tries[0]:
            return
        self.dialog = dialogs.Dialog(
            call_id=sent.get("call-id") or "",
            local=sent.get("from") or "",
            remote=sent.get("to") or "",
            local_tag=h.tag_of(sent.get("from") or ""),
            remote_tag="",
            target=which.uri,
            local_cseq=cseq,
        )
        self.peer = which.peer
        self.keep(False, mark)
        self.dialog = None

    def finish(self, cause: Cause, code: int) -> None:
        if not self._is_answered and not self.is_over:
            self.is_over = True
            self.ground.forget_usage(self)
            self.ground.deliver(HungUp(self.leg, cause, code))
            return
        super().finish(cause, code)

    def _best(self) -> Response | None:
        """The refusal that says most: the lowest, but any other before 408 (RFC 3261, 16.7 in small)."""
        heard = [each.response for each in self._tries if each.response is not None and each.response.code >= 300]
        return min(
            heard, key=lambda response: (response.code == 408, -(response.code // 600), response.code), default=None
        )

    def _end_other(self, which: Try, dialog: dialogs.Dialog, now: float, reason: str) -> None:
        """ACK has gone; BYE ends a dialog that nobody wants."""
        unwanted = Established(self.ground, self.leg, self.side, which.peer, is_ours=True)
        unwanted.dialog = dialog
        unwanted.bye(now, reason)

    def _rung_out(self, now: float) -> None:
        self._ring_timer = None
        self.hang_up(Cause.NO_ANSWER, now)

    def _stop_ringing(self) -> None:
        if self._ring_timer is not None:
            self._ring_timer.cancel()
            self._ring_timer = None
