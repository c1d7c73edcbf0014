"""What an INVITE usage stands on: the peer's side as configured, and what the heart does for it.

Split from heart.py so that incoming.py and outgoing.py need not know the whole user agent.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

from appliance.signalling import headers as h
from appliance.signalling.dialogs import Dialog
from appliance.signalling.port import Deliver, FromPhone, FromTrunk, Leg
from appliance.signalling.sdp import Law
from appliance.signalling.settings import Signalling
from appliance.signalling.transactions import Peer, Server, Transactions
from appliance.signalling.wire import Headers, Request, Response

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, SUBSCRIBE"
SUPPORTED = "timer"
USER_AGENT = "Pasokh"
KNOWN_EXTENSIONS = frozenset({"timer"})

REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "Version Not Supported",
    603: "Decline",
}


class Answers(Protocol):
    """Answers the challenges of one account, each nonce once (digest.Authorizer)."""

    def answer(self, response: Response, method: str, uri: str) -> tuple[str, str] | None:
        """The header's name and value for the next try, or None where it would be useless."""
        ...


@dataclass(frozen=True, slots=True)
class Side:
    """One trunk or phone as this user agent meets it: who we are there and how it is reached."""

    source: FromTrunk | FromPhone
    contact: str  # our Contact URI towards it
    via: tuple[str, int]  # what stands in our Via
    media_address: str  # what our SDP shows
    law: Law
    peer: Peer  # where requests outside of dialogs go
    answers: Answers | None = None
    is_peer: bool = False  # a trunk to another telephone system of the office

    @property
    def is_phone(self) -> bool:
        return isinstance(self.source, FromPhone)


class Ground(Protocol):
    """What the heart offers to a usage."""

    settings: Signalling
    transactions: Transactions
    deliver: Deliver
    random: random.Random

    def token(self) -> str:
        """Fresh letters and digits for tags, branches and Call-IDs."""
        ...

    def hop(self, dialog: Dialog, fallback: Peer, is_phone: bool) -> Peer:
        """Where a request in ``dialog`` is sent."""
        ...

    def leg_of(self, call_id: str, one_tag: str, other_tag: str, source: FromPhone | FromTrunk) -> Leg:
        """The leg of that telephone or peer which this dialog is; empty where there is none."""
        ...

    def register_usage(self, usage: Usage) -> None: ...

    def forget_usage(self, usage: Usage) -> None: ...


class Usage(Protocol):
    """One leg, as the heart sees it."""

    leg: Leg
    dialog: Dialog | None

    def receive(self, server: Server, request: Request, now: float) -> None:
        """A request in the dialog."""
        ...

    def receive_ack(self, request: Request, now: float) -> None: ...


def branch(ground: Ground) -> str:
    return f"z9hG4bK{ground.token()}"


def stamped(request: Request, side: Side, branch_: str, transport: str, with_contact: bool = True) -> Request:
    """With our Via on top and our Contact."""
    host, port = side.via
    via = f"SIP/2.0/{transport.upper()} {host}:{port};branch={branch_};rport"
    headers = Headers([("via", via), *request.headers])
    if with_contact:
        headers.add("contact", f"<{side.contact}>")
    headers.add("user-agent", USER_AGENT)
    return Request(request.method, request.uri, headers, request.body)


def answer_to(request: Request, code: int, to_tag: str = "", reason: str = "") -> Response:
    """A response with the headers that RFC 3261, 8.2.6.2 copies."""
    given = request.headers
    headers = Headers([("via", via) for via in given.all("via")])
    if code != 100:
        for route in given.all("record-route"):
            headers.add("record-route", route)
    headers.add("from", given.get("from") or "")
    to = given.get("to") or ""
    if code != 100 and to_tag and not h.tag_of(to):
        to = f"{to};tag={to_tag}"
    headers.add("to", to)
    headers.add("call-id", given.get("call-id") or "")
    headers.add("cseq", given.get("cseq") or "")
    if code == 100 and "timestamp" in given:
        headers.add("timestamp", given.get("timestamp") or "")
    return Response(code, reason or REASONS.get(code, "Answer"), headers)


def with_sdp(message: Request | Response, body: bytes) -> None:
    message.headers.set("content-type", "application/sdp")
    message.body = body


def has_sdp(message: Request | Response) -> bool:
    kind = (message.headers.get("content-type") or "").partition(";")[0].strip().lower()
    return bool(message.body) and kind == "application/sdp"
