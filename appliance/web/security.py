"""What stands before every answer of the page: who may be asked, from where, and what a browser may do with it.

One ASGI layer. A request for a host that is not ours, one that is too long, and an unsafe one from another site never
reach a route. Nothing from another origin is ever loaded, and no page of ours can be framed.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 16 << 10
SAFE_METHODS = frozenset({"GET", "HEAD"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; font-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
HEADERS = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ("cache-control", "no-store"),
)
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def host_of(value: str) -> str:
    """A Host header without its port, in lower case."""
    value = value.strip().lower()
    if value.startswith("["):
        return value.partition("]")[0] + "]"
    return value.partition(":")[0]


def is_address(host: str) -> bool:
    """Whether a browser asked by a numeric address: a foreign page's name (DNS rebinding) is none."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


class Door:
    """The layer. ``hosts`` are the names by which the page may be asked for; with 0.0.0.0 any numeric address too.

    ``largest`` are the bytes that a body may have at paths where it may have more than elsewhere.
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], is_tls: bool, largest: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._largest = largest or {}
        self._hosts = frozenset(host.lower() for host in hosts)
        self._takes_addresses = "0.0.0.0" in self._hosts  # noqa: S104 - compared, not bound
        extra = (("strict-transport-security", "max-age=31536000"),) if is_tls else ()
        self._headers = [(name.encode(), value.encode()) for name, value in (*HEADERS, *extra)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        most = self._largest.get(scope["path"], MAX_BODY_BYTES)
        code = self._refusal(scope["method"], headers, most)
        answered = self._with_headers(send)
        if code:
            await PlainTextResponse(f"{code}\n", code)(scope, receive, answered)
        else:
            await self._app(scope, _limited(receive, most), answered)

    def _refusal(self, method: str, headers: dict[str, str], most: int) -> int:
        """The status of a request that goes no further, else 0."""
        host = headers.get("host", "")
        if host_of(host) not in self._hosts and not (self._takes_addresses and is_address(host_of(host))):
            return 421
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:9]) > most:
            return 413
        if method in SAFE_METHODS:
            return 0
        if method != "POST":
            return 405
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403
        origin = headers.get("origin", "")
        if origin and origin.partition("://")[2].lower() != host.lower():
            return 403
        return 0

    def _with_headers(self, send: Send) -> Send:
        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in self._headers if pair[0] not in given)]
            await send(message)

        return answered


def _limited(receive: Receive, most: int) -> Receive:
    """A body that says it is short and is not: cut off."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                return {"type": "http.disconnect"}
        return message

    return limited


def form_token(key: bytes, session: str) -> str:
    """What a form must bring back; empty sessions (before signing in) have one too."""
    return hmac.digest(key, session.encode(), hashlib.sha256).hex()


def is_form_token(key: bytes, session: str, given: str) -> bool:
    return hmac.compare_digest(form_token(key, session).encode(), given.encode("utf-8", "replace"))
