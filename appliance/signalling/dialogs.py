"""Dialogs (RFC 3261, 12): what two user agents remember of each other between INVITE and BYE.

A dialog builds its own requests: target, route set and numbering come from here and from nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.signalling import headers as h
from appliance.signalling.wire import Headers, Request, Response

MAX_FORWARDS = "70"


@dataclass(slots=True)
class Dialog:
    """``local`` and ``remote`` are From or To as texts with their tags; ``route`` the route set, first hop first."""

    call_id: str
    local: str
    remote: str
    local_tag: str
    remote_tag: str
    target: str
    route: tuple[str, ...] = ()
    local_cseq: int = 0
    remote_cseq: int = -1
    allow: frozenset[str] = field(default=frozenset())

    @property
    def key(self) -> tuple[str, str]:
        return self.call_id, self.local_tag

    def request(self, method: str, cseq: int | None = None) -> Request:
        """A new request in this dialog, without Via and Contact (RFC 3261, 12.2.1.1).

        Takes the next number unless ``cseq`` is given (ACK and CANCEL bear the number of their INVITE).
        """
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, routes = routed(self.target, self.route)
        headers = Headers()
        for route in routes:
            headers.add("route", route)
        headers.add("max-forwards", MAX_FORWARDS)
        headers.add("from", self.local)
        headers.add("to", self.remote)
        headers.add("call-id", self.call_id)
        headers.add("cseq", f"{cseq} {method}")
        return Request(method, uri, headers)

    def takes(self, request: Request) -> bool:
        """Whether the request's number is in order (RFC 3261, 12.2.2); remembers it."""
        number = h.parse_cseq(request.headers.get("cseq") or "")[0]
        if number < self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def retarget(self, message: Request | Response) -> bool:
        """Takes the Contact of a target refresh; True if it changed. An unreadable one is left alone."""
        contact = contact_of(message)
        if contact is None or contact == self.target:
            return False
        self.target = contact
        return True

    def learn_allow(self, message: Request | Response) -> None:
        allowed = message.headers.all("allow")
        if allowed:
            self.allow = frozenset(method.upper() for method in allowed)


def as_server(request: Request, local_tag: str) -> Dialog:
    """The dialog of a request that came in, answered under ``local_tag``. ValueError: Contact or From unusable."""
    headers = request.headers
    contact = contact_of(request)
    if contact is None:
        raise ValueError("contact")
    remote = headers.get("from") or ""
    h.parse_name_address(remote)
    dialog = Dialog(
        call_id=headers.get("call-id") or "",
        local=tagged(headers.get("to") or "", local_tag),
        remote=remote,
        local_tag=local_tag,
        remote_tag=h.tag_of(remote),
        target=contact,
        route=tuple(headers.all("record-route")),
        remote_cseq=h.parse_cseq(headers.get("cseq") or "")[0],
    )
    dialog.learn_allow(request)
    return dialog


def as_client(request: Request, response: Response) -> Dialog:
    """The dialog that an answer with a To tag makes of our request. ValueError: Contact unusable."""
    contact = contact_of(response)
    if contact is None:
        raise ValueError("contact")
    sent = request.headers
    remote = response.headers.get("to") or ""
    local = sent.get("from") or ""
    dialog = Dialog(
        call_id=sent.get("call-id") or "",
        local=local,
        remote=remote,
        local_tag=h.tag_of(local),
        remote_tag=h.tag_of(remote),
        target=contact,
        route=tuple(reversed(response.headers.all("record-route"))),
        local_cseq=h.parse_cseq(sent.get("cseq") or "")[0],
    )
    dialog.learn_allow(response)
    return dialog


def routed(target: str, route: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Request URI and Route headers; a strict router in front gets the URI and the target goes last (12.2.1.1)."""
    if not route:
        return target, ()
    first = h.parse_name_address(route[0]).uri
    if first.is_loose:
        return target, route
    return str(first), (*route[1:], f"<{target}>")


def next_hop(target: str, route: tuple[str, ...]) -> h.Uri:
    """Where a request with this target and route set goes first."""
    return h.parse_name_address(route[0]).uri if route else h.parse_uri(target)


def contact_of(message: Request | Response) -> str | None:
    """The URI of the Contact header, if it can be used."""
    text = message.headers.get("contact")
    if not text:
        return None
    try:
        uri = h.parse_name_address(text).uri
    except ValueError:
        return None
    return str(uri) if uri.scheme in ("sip", "sips") and uri.host else None


def tagged(header: str, tag: str) -> str:
    """A To or From text with ``tag`` in it, whatever form the text has."""
    if h.tag_of(header):
        return header
    return f"{header};tag={tag}"
