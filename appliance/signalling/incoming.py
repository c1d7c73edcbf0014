"""A leg that came in, from its INVITE to the ACK of our answer (RFC 3261, 13.3); after that it is Established."""

from __future__ import annotations

from dataclasses import replace

from appliance.signalling import dialogs, sdp, timers
from appliance.signalling.established import Established
from appliance.signalling.ground import ALLOW, SUPPORTED, Ground, Side, answer_to, has_sdp, with_sdp
from appliance.signalling.port import Cause, Confirmed, Leg
from appliance.signalling.transactions import LIFE, T1, T2, Peer, Server
from appliance.signalling.wire import Request, Response

RING_AGAIN_SECONDS = 60.0  # a 180 each minute keeps proxies from giving up (RFC 3261, 13.3.1.1)


class Incoming(Established):
    """Waits for Ring, Progress, Answer or Refuse; the other side may CANCEL meanwhile."""

    def __init__(
        self, ground: Ground, leg: Leg, side: Side, peer: Peer, server: Server, request: Request, now: float
    ) -> None:
        super().__init__(ground, leg, side, peer, is_ours=False)
        self._server = server
        self._request = request
        self._is_answered = False
        self._is_confirmed = False
        self._bye_after_ack: Cause | None = None
        self._progress: Response | None = None
        self.is_late_offer = not has_sdp(request)
        self.dialog = dialogs.as_server(request, ground.token())
        self._refusal_began = now

    def offer(self, offer: sdp.Description | None) -> None:
        """Remembers what the INVITE offered and tells how this leg could be refused by another process."""
        self.remote = offer
        self.keep(False, vias=tuple(self._request.headers.all("via")))

    # What its owner says --------------------------------------------------------------------------------------------

    def ring(self, now: float) -> None:
        self._provisional(180, None, now)

    def progress(self, local: sdp.Description, now: float) -> None:
        self.local = self._placed(local)
        self._provisional(183, self.local, now)

    def answer(self, local: sdp.Description, now: float) -> None:
        if self._is_answered or self.is_over:
            return
        assert self.dialog is not None
        self._is_answered = True
        self._stop_repeating()
        self.local = self._placed(local)
        response = self._response(200)
        with_sdp(response, sdp.encode(self.local))
        session = timers.as_server(self._request, self.ground.settings.session_seconds)
        if session is not None:
            response.headers.add("session-expires", session.header(we_sent_the_request=False))
            if not session.we_refresh:
                response.headers.add("require", "timer")
        self._server.respond(response, now)
        self.start_session(session, now)
        self._repeat = self.ground.transactions.timers.at(now + T1, lambda then: self._no_ack_yet(T1, now, then))
        self.keep(True)

    def refuse(self, code: int, reason: str, retry_after_seconds: int | None, now: float, cause: Cause) -> None:
        """A final answer that is not 200; the leg is over."""
        if self._is_answered or self.is_over:
            return
        response = answer_to(self._request, code, self._tag, reason)
        if retry_after_seconds is not None:
            response.headers.add("retry-after", str(retry_after_seconds))
        self._server.respond(response, now)
        self.finish(cause, code)

    def hang_up(self, cause: Cause, now: float, code: int = 480) -> None:
        if self.is_over:
            return
        if not self._is_answered:
            self.refuse(code or 480, "", None, now, cause)
        elif self._is_confirmed:
            super().hang_up(cause, now)
        elif self._bye_after_ack is None:
            # No BYE before the ACK (RFC 3261, 15); the owner need not wait for it.
            self._bye_after_ack = cause
            repeat, self._repeat = self._repeat, None
            self.finish(cause, 0)
            self._repeat = repeat
            self.ground.register_usage(self)

    # What the other side says ---------------------------------------------------------------------------------------

    def cancelled(self, now: float) -> None:
        """CANCEL came and was answered; the INVITE gets its 487 unless it was answered before."""
        if not self._is_answered and not self.is_over:
            self._server.respond(answer_to(self._request, 487, self._tag), now)
            self.finish(Cause.CANCELLED, 487)

    def receive(self, server: Server, request: Request, now: float) -> None:
        if self._bye_after_ack is not None:
            server.respond(answer_to(request, 200 if request.method == "BYE" else 481), now)
            if request.method == "BYE":
                self._forget()
        elif self._is_answered:
            if request.method == "BYE" and not self._is_confirmed:
                self._stop_repeating()
            super().receive(server, request, now)
        elif request.method == "BYE":  # early dialog: as good as a CANCEL
            server.respond(answer_to(request, 200), now)
            self.cancelled(now)
        elif request.method in ("OPTIONS", "INFO"):
            self._respond(server, request, 200, now)
        else:
            self._respond(server, request, 491 if request.method in ("UPDATE", "INVITE") else 405, now)

    def receive_ack(self, request: Request, now: float) -> None:
        if self._is_confirmed:
            super().receive_ack(request, now)
            return
        if not self._is_answered:
            return
        self._is_confirmed = True
        self._stop_repeating()
        if self._bye_after_ack is not None:
            self.bye(now)
            self._forget()
            return
        answer: sdp.Description | None = None
        if self.is_late_offer:
            try:
                answer = sdp.parse(request.body) if has_sdp(request) else None
            except sdp.SdpError:
                answer = None
            if answer is None:  # an offer that nobody answered: nothing to talk with (RFC 3264, 4)
                super().hang_up(Cause.FAULT, now)
                return
            self.remote = answer
        self.ground.deliver(Confirmed(self.leg, answer))

    # Inside ---------------------------------------------------------------------------------------------------------

    @property
    def _tag(self) -> str:
        assert self.dialog is not None
        return self.dialog.local_tag

    def _placed(self, local: sdp.Description) -> sdp.Description:
        """With the address that this side is to see, where the owner left it open."""
        return replace(local, address=self.side.media_address) if local.address in ("", "0.0.0.0") else local  # noqa: S104 - compared, not bound

    def _response(self, code: int) -> Response:
        response = answer_to(self._request, code, self._tag)
        response.headers.add("contact", f"<{self.side.contact}>")
        response.headers.add("allow", ALLOW)
        response.headers.add("supported", SUPPORTED)
        return response

    def _provisional(self, code: int, local: sdp.Description | None, now: float) -> None:
        if self._is_answered or self.is_over:
            return
        response = self._response(code)
        if local is not None:
            with_sdp(response, sdp.encode(local))
        self._progress = response
        self._server.respond(response, now)
        self._stop_repeating()
        self._repeat = self.ground.transactions.timers.at(now + RING_AGAIN_SECONDS, self._ring_again)

    def _ring_again(self, now: float) -> None:
        if self._progress is not None and not self._is_answered and not self.is_over:
            self._server.respond(self._progress, now)
            self._repeat = self.ground.transactions.timers.at(now + RING_AGAIN_SECONDS, self._ring_again)

    def _no_ack_yet(self, waited: float, began: float, now: float) -> None:
        if now >= began + LIFE:  # not the difference: rounding may leave it a hair below for ever
            self._repeat = None
            self._is_confirmed = True
            if self._bye_after_ack is not None:
                self.bye(now)
                self._forget()
            else:
                super().hang_up(Cause.LOST_ACK, now)
            return
        self._server.send_again()
        wait = min(waited * 2, T2)
        self._repeat = self.ground.transactions.timers.at(
            min(now + wait, began + LIFE), lambda then: self._no_ack_yet(wait, began, then)
        )

    def _stop_repeating(self) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None

    def _forget(self) -> None:
        self._stop_repeating()
        self.ground.forget_usage(self)
