"""Our registration at one trunk (RFC 3261, 10.2): kept fresh, and tried again with patience when it fails.

A machine: ``due`` gives the REGISTER to send, ``answered`` and ``unanswered`` take what came of it. A password is tried
once per challenge: providers lock accounts that guess. Behind a router the provider's answer tells how we are seen from
there; the next REGISTER shows that address and takes the old one back.
"""

from __future__ import annotations

import random

from appliance.signalling import headers as h
from appliance.signalling.dialogs import MAX_FORWARDS
from appliance.signalling.ground import Answers
from appliance.signalling.port import TrunkChanged, TrunkState
from appliance.signalling.settings import Trunk
from appliance.signalling.wire import Headers, Request, Response

BACK_OFF_SECONDS = 30.0  # RFC 5626, 4.5: the upper bound doubles with each failure; the wait is 50 to 100 % of it
MAX_BACK_OFF_SECONDS = 300.0  # shorter than the RFC's half hour: an office waits for its provider's modem to restart
MAX_ASKED_SECONDS = 7200
AGAIN_SECONDS = (0.2, 2.0)  # after a connection broke
WRONG_ACCOUNT = frozenset({401, 403, 404, 407})


class TrunkRegistration:
    """``contact`` is our Contact URI without brackets; ``shown`` how the provider sees us, once it said so."""

    def __init__(
        self, trunk: Trunk, contact: str, call_id: str, tag: str, answers: Answers | None, chance: random.Random
    ) -> None:
        self.trunk = trunk
        self.contact = contact
        self.shown: tuple[str, int] | None = None
        self.state = TrunkState.STARTING
        self._call_id = call_id
        self._answers = answers
        self._chance = chance
        domain = trunk.domain or trunk.proxy.partition(":")[0]
        self._uri = f"sip:{domain}"
        self._who = f"<sip:{trunk.user}@{domain}>"
        self._tag = tag
        self._cseq = 0
        self._asks_seconds = trunk.register_seconds
        self._old_contact = ""
        self._failures = 0
        self._next_at: float | None = 0.0
        self._is_stopped = False

    @property
    def deadline(self) -> float | None:
        """When ``due`` wants to be called; None while an answer is awaited, and after ``stop``."""
        return self._next_at

    def due(self, now: float) -> Request | None:
        if self._next_at is None or now < self._next_at:
            return None
        self._next_at = None
        return self._register(self._asks_seconds)

    def show(self, contact: str) -> None:
        """From now on we are reached at ``contact``: the next REGISTER, sent at once, says so."""
        if contact != self.contact and not self._is_stopped:
            self._old_contact, self.contact = self.contact, contact
            self._next_at = 0.0

    def answered(self, response: Response, now: float) -> tuple[Request | None, TrunkChanged | None]:
        """What to send next, and whether the trunk's state changed."""
        if response.code < 200:
            return None, None
        if self._is_stopped:
            return self._last_again(response), None
        if response.code < 300:
            return None, self._registered(response, now)
        if response.code in (401, 407) and self._answers is not None:
            header = self._answers.answer(response, "REGISTER", self._uri)
            if header is not None:
                request = self._register(self._asks_seconds)
                request.headers.add(*header)
                return request, None
        if response.code == 423:
            shortest = _number(response, "min-expires")
            if shortest is not None and self._asks_seconds < shortest <= MAX_ASKED_SECONDS:
                self._asks_seconds = shortest
                return self._register(self._asks_seconds), None
        state = TrunkState.REFUSED if response.code in WRONG_ACCOUNT else TrunkState.UNREACHABLE
        return None, self._failed(state, response.code, response.reason, now, _number(response, "retry-after"))

    def unanswered(self, now: float) -> TrunkChanged | None:
        return None if self._is_stopped else self._failed(TrunkState.UNREACHABLE, 408, "", now, None)

    def cut_off(self, now: float) -> None:
        """The connection that our binding stands for is gone: register again soon, not all boxes at once."""
        if self.state is TrunkState.UP and self._next_at is not None:
            self._next_at = min(self._next_at, now + self._chance.uniform(*AGAIN_SECONDS))

    def stop(self) -> Request | None:
        """Takes the registration back; None where there is none."""
        was_up, self._is_stopped, self._next_at = self.state is TrunkState.UP, True, None
        self.state = TrunkState.STOPPED
        return self._register(0) if was_up else None

    def _last_again(self, response: Response) -> Request | None:
        """Taking it back is challenged like everything else."""
        header = None
        if response.code in (401, 407) and self._answers is not None:
            header = self._answers.answer(response, "REGISTER", self._uri)
        if header is None:
            return None
        request = self._register(0)
        request.headers.add(*header)
        return request

    def _register(self, seconds: int) -> Request:
        self._cseq += 1
        headers = Headers()
        headers.add("max-forwards", MAX_FORWARDS)
        headers.add("from", f"{self._who};tag={self._tag}")
        headers.add("to", self._who)
        headers.add("call-id", self._call_id)
        headers.add("cseq", f"{self._cseq} REGISTER")
        headers.add("contact", f"<{self.contact}>;expires={seconds}")
        if self._old_contact:
            headers.add("contact", f"<{self._old_contact}>;expires=0")
        headers.add("expires", str(seconds))
        return Request("REGISTER", self._uri, headers)

    def _registered(self, response: Response, now: float) -> TrunkChanged | None:
        self._failures = 0
        self._old_contact = ""
        granted = max(30, self._granted(response))
        self._next_at = now + granted * self._chance.uniform(0.5, 0.9)
        self._learn(response)
        return self._turn(TrunkState.UP, response.code, f"{granted} s")

    def _granted(self, response: Response) -> int:
        """The seconds of our own binding; the answer lists everybody's."""
        ours = h.parse_uri(self.contact)
        for text in response.headers.all("contact"):
            try:
                name = h.parse_name_address(text)
            except ValueError:
                continue
            seconds = name.parameter("expires") or ""
            if (name.uri.user, name.uri.host) == (ours.user, ours.host) and seconds.isascii() and seconds.isdigit():
                return int(seconds[:9])
        overall = _number(response, "expires")
        return self._asks_seconds if overall is None else overall

    def _learn(self, response: Response) -> None:
        try:
            via = h.parse_via(response.headers.get("via") or "")
            received = via.parameter("received")
            port = via.parameter("rport")
            if received or port:
                self.shown = (received or via.host, h.port_number(port) if port else via.port or h.DEFAULT_PORT)
        except ValueError:
            return  # an answer that spoils our own Via says nothing about how we are seen

    def _failed(
        self, state: TrunkState, code: int, reason: str, now: float, retry_after: int | None
    ) -> TrunkChanged | None:
        longest = min(MAX_BACK_OFF_SECONDS, BACK_OFF_SECONDS * 2 ** min(self._failures, 8))
        self._failures += 1
        wait = longest * self._chance.uniform(0.5, 1.0)
        self._next_at = now + max(wait, float(min(retry_after or 0, 3600)))
        return self._turn(state, code, reason)

    def _turn(self, state: TrunkState, code: int, detail: str) -> TrunkChanged | None:
        if state is self.state:
            return None
        self.state = state
        return TrunkChanged(self.trunk.name, state, code, detail)


def _number(response: Response, name: str) -> int | None:
    try:
        return h.number_and_parameters(response.headers.get(name) or "")[0]
    except ValueError:
        return None
