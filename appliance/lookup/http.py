"""One request to one of the owner's servers: whole within its budget, to an address that was looked at first.

The name is resolved once, and the connection goes to the very address that was judged, so that a name which changes
its mind (DNS rebinding) gains nothing. Redirects are not followed. At most ``MOST_BODY`` bytes are read. A server that
failed three times in a row is left alone for half a minute: callers hear the fallback at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import h11

from appliance.errors import Problem
from appliance.lookup.settings import Lookup
from appliance.lookup.templates import Target, Value, filled, taken, takes_of, target_of

log = logging.getLogger(__name__)

MOST_BODY = 64 << 10
MOST_AT_ONCE = 20
FAILURES_TO_REST = 3
REST_SECONDS = 30.0

Reason = Literal["timeout", "refused", "status", "too_long", "garbage", "missing", "forbidden", "redirect", "resting"]
Resolve = Callable[[str, int], "asyncio.Future[list[str]]"]


@dataclass(frozen=True, slots=True)
class Found:
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Failed:
    reason: Reason


@dataclass(slots=True)
class _Server:
    settings: Lookup
    target: Target
    ways: Mapping[str, tuple[str | int, ...]]
    failures: int = 0
    rests_until: float = 0.0


class Lookups:
    """``secret`` gives the token of a look-up by name. Problem where the settings cannot be meant."""

    def __init__(self, settings: Sequence[Lookup], secret: Callable[[str], str | None]) -> None:
        self._servers = {}
        for each in settings:
            target = target_of(each.name, each.url)
            if each.hosts and target.host not in each.hosts:
                raise Problem("lookup.host_not_named", name=each.name, host=target.host, known=", ".join(each.hosts))
            self._servers[each.name] = _Server(each, target, takes_of(each.name, each.takes))
        self._secret = secret
        self._tls = ssl.create_default_context()
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._servers)

    async def ask(self, name: str, values: Mapping[str, str]) -> Found | Failed:
        """The values that the answer holds, or why there are none; never longer than the budget."""
        server = self._servers.get(name)
        if server is None:
            return Failed("forbidden")
        now = asyncio.get_running_loop().time()
        if now < server.rests_until:
            return Failed("resting")
        found = await self._within_budget(server, values)
        if isinstance(found, Failed) and found.reason not in ("missing", "status"):
            server.failures += 1
            if server.failures >= FAILURES_TO_REST:
                server.failures, server.rests_until = 0, asyncio.get_running_loop().time() + REST_SECONDS
            log.warning("look-up %s failed: %s", name, found.reason)
        else:
            server.failures = 0
        return found

    async def _within_budget(self, server: _Server, values: Mapping[str, str]) -> Found | Failed:
        settings = server.settings
        token = self._secret(f"lookup-{settings.name}") or ""
        sends = {name: values.get(name, "") for name in settings.sends} if settings.method == "POST" else None
        path = filled(server.target.path, values)
        try:
            async with asyncio.timeout(settings.budget_seconds), self._room:
                status, body = await request(
                    server.target, settings.method, path, sends, token, self._tls, settings.allows_private
                )
        except TimeoutError:
            return Failed("timeout")
        except Refusal as refusal:
            return Failed(refusal.reason)
        if status // 100 == 3:
            return Failed("redirect")
        if status // 100 != 2:
            return Failed("status")
        answer = taken(body, server.ways) if server.ways else {}  # of whom nothing is asked, any answer will do
        if answer is None:
            return Failed("garbage")
        return Found(answer) if len(answer) == len(server.ways) else Failed("missing")


class Refusal(Exception):  # noqa: N818 - turned into Failed by whoever asked
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(slots=True, repr=False)
class Outgoing:
    """One request as it goes out; path, headers and body may hold secrets and are never shown.

    ``is_sent`` is True from the moment at which the server may have begun to act on it.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    is_sent: bool = False


async def request(
    target: Target,
    method: str,
    path: str,
    sends: Mapping[str, str] | None,
    token: str,
    tls: ssl.SSLContext,
    allows_private: bool,
) -> tuple[int, bytes]:
    """A GET, or a POST of JSON with a bearer token: status and body, as ``fetch``."""
    headers = [("Authorization", f"Bearer {token}")] if token else []
    headers += [("Content-Type", "application/json")] if sends is not None else []
    body = None if sends is None else json.dumps(dict(sends)).encode()
    return await fetch(target, Outgoing(method, path, tuple(headers), body), tls, allows_private)


async def fetch(target: Target, outgoing: Outgoing, tls: ssl.SSLContext, allows_private: bool) -> tuple[int, bytes]:
    """Status and body; Refusal where there is none. To be called within a time-out."""
    address = await _address(target, allows_private)
    context = {"ssl": tls, "server_hostname": target.host} if target.is_tls else {}
    try:
        reader, writer = await asyncio.open_connection(address, target.port, limit=MOST_BODY, **context)  # type: ignore[arg-type] # one call for both
    except (OSError, ssl.SSLError) as error:
        raise Refusal("refused") from error
    try:
        return await _exchange(reader, writer, target, outgoing)
    except (OSError, h11.RemoteProtocolError, ssl.SSLError) as error:
        raise Refusal("garbage" if isinstance(error, h11.RemoteProtocolError) else "refused") from error
    finally:
        writer.close()
        with contextlib.suppress(Exception):
            writer.transport.abort()


async def _address(target: Target, allows_private: bool) -> str:
    """The address to connect to: the first that may be asked."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Refusal("refused") from error
    for *_, place in found:
        address = str(place[0]).partition("%")[0]
        if allows_private or is_public(address):
            return address
    raise Refusal("forbidden")


def is_public(address: str) -> bool:
    """Whether this address is somewhere in the world, and not in a house, a machine or a cloud's own cupboard."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    target: Target,
    outgoing: Outgoing,
) -> tuple[int, bytes]:
    connection = h11.Connection(h11.CLIENT)
    host = f"[{target.host}]" if ":" in target.host else target.host
    headers = [
        ("Host", host if target.port in (80, 443) else f"{host}:{target.port}"),
        ("Accept", "application/json"),
        ("User-Agent", "pasokh"),
        ("Connection", "close"),
        *outgoing.headers,
    ]
    if outgoing.body is not None:
        headers.append(("Content-Length", str(len(outgoing.body))))
    outgoing.is_sent = True
    writer.write(connection.send(h11.Request(method=outgoing.method, target=outgoing.path, headers=headers)) or b"")
    if outgoing.body:
        writer.write(connection.send(h11.Data(data=outgoing.body)) or b"")
    writer.write(connection.send(h11.EndOfMessage()) or b"")
    await writer.drain()
    status, received = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(16_384))
        elif isinstance(event, h11.Response):
            status = event.status_code
            if status // 100 != 2:
                return status, b""
        elif isinstance(event, h11.Data):
            received += event.data
            if len(received) > MOST_BODY:
                raise Refusal("too_long")
        elif isinstance(event, h11.EndOfMessage):
            return status, bytes(received)
        elif isinstance(event, h11.ConnectionClosed):
            raise Refusal("garbage")
