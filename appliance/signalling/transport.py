"""The sockets of SIP: UDP and TCP. The only module of this room that opens any.

UDP is read by ``add_reader`` on our own sockets, up to 64 datagrams a wake-up: asyncio's DatagramTransport closes
itself on a send that raises OverflowError. Sending never raises; what cannot be sent is counted, and the heart hears
that a TCP peer is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Callable

from appliance.signalling.transactions import Address, Peer
from appliance.signalling.wire import Refusal, StreamParser

DATAGRAMS_A_WAKE_UP = 64
RECEIVE_BUFFER_BYTES = 1 << 20
CONNECT_SECONDS = 5.0
FIRST_MESSAGE_SECONDS = 32.0  # who connects and says nothing for a transaction's life makes room for others
MAX_CONNECTIONS = 200
ANY_PORT_TRIES = 8  # a port that is free for UDP can be another's for TCP
MAX_UNSENT_BYTES = 256 << 10  # a TCP peer that does not read is cut off

Receive = Callable[[bytes, Peer], None]
Gone = Callable[[Peer], None]


class Transport:
    """``receive`` gets every message with the peer it came from; ``gone`` the TCP peers that cannot be reached."""

    def __init__(self, address: str, port: int, receive: Receive, gone: Gone, counters: Counter[str]) -> None:
        self.address = address
        self.port = port
        self._receive = receive
        self._gone = gone
        self._counters = counters
        self._udp: dict[str, socket.socket] = {}
        self._by_destination: dict[str, socket.socket] = {}
        self._server: asyncio.Server | None = None
        self._streams: dict[int, _Stream] = {}
        self._count = 0
        self._connecting: dict[Address, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._locals: dict[str, str] = {}

    async def start(self, tcp: bool) -> None:
        """Binds; port 0 takes one that is free for both, and ``self.port`` tells which. OSError where it cannot."""
        tries = 1 if self.port else ANY_PORT_TRIES
        while True:
            tries -= 1
            udp = self._bound(self.address)
            port = udp.getsockname()[1]
            try:
                if tcp:
                    await self._listen(port)
            except OSError:
                asyncio.get_running_loop().remove_reader(udp.fileno())
                udp.close()
                if not tries:
                    raise
                continue
            self._udp[self.address], self.port = udp, port
            return

    async def _listen(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Stream(self, FIRST_MESSAGE_SECONDS), self.address, port, reuse_address=True, backlog=64
        )

    def also_from(self, local: str, destinations: list[str]) -> None:
        """Requests to ``destinations`` leave from the address ``local`` (a trunk on an interface of its own)."""
        if local not in self._udp and local != self.address:
            self._udp[local] = self._bound(local)
        for destination in destinations:
            self._by_destination[destination] = self._udp[local]
            self._locals[destination] = local

    def stop(self) -> None:
        loop = asyncio.get_running_loop()
        for udp in self._udp.values():
            loop.remove_reader(udp.fileno())
            udp.close()
        self._udp.clear()
        if self._server is not None:
            self._server.close()
        for stream in list(self._streams.values()):
            stream.abort()
        for task in self._tasks:
            task.cancel()

    def send(self, data: bytes, peer: Peer) -> None:
        if peer.transport == "tcp":
            self._send_stream(data, peer)
            return
        udp = self._by_destination.get(peer.address[0]) or self._udp.get(self.address)
        if udp is None:
            return
        try:
            udp.sendto(data, peer.address)
        except (OSError, OverflowError):
            self._counters["unsent"] += 1

    def local_for(self, peer: Peer) -> tuple[str, int]:
        """Our own address as that peer sees it on this network: what goes into Via, Contact and SDP."""
        host = peer.address[0]
        known = self._locals.get(host)
        if known is None:
            known = self._locals[host] = self._route_to(host)
            if len(self._locals) > 1000:  # addresses come from the network: the table must not grow without end
                self._locals.clear()
        return known, self.port

    def _route_to(self, host: str) -> str:
        if self.address != "0.0.0.0":  # noqa: S104 - compared, not bound
            return self.address
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((host, 9))  # sends nothing: only asks the routing table
            except (OSError, OverflowError):
                return "127.0.0.1"
            return str(probe.getsockname()[0])

    def _bound(self, address: str) -> socket.socket:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            if self._udp:  # beside the one on all addresses
                udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.bind((address, self.port))
        except OSError:
            udp.close()
            raise
        asyncio.get_running_loop().add_reader(udp.fileno(), self._readable, udp)
        return udp

    def _readable(self, udp: socket.socket) -> None:
        for _ in range(DATAGRAMS_A_WAKE_UP):
            try:
                data, address = udp.recvfrom(65_535)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier send
                self._counters["icmp"] += 1
                continue
            self._receive(data, Peer("udp", address))

    # TCP --------------------------------------------------------------------------------------------------------------

    def _send_stream(self, data: bytes, peer: Peer) -> None:
        stream = self._streams.get(peer.connection) or self._stream_to(peer.address)
        if stream is not None:
            stream.write(data)
            return
        waiting = self._connecting.get(peer.address)
        if waiting is not None:
            waiting.append(data)
            return
        self._connecting[peer.address] = [data]
        task = asyncio.get_running_loop().create_task(self._connect(peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _stream_to(self, address: Address) -> _Stream | None:
        return next((stream for stream in self._streams.values() if stream.peer.address == address), None)

    async def _connect(self, peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, stream = await asyncio.wait_for(
                loop.create_connection(lambda: _Stream(self), *peer.address), CONNECT_SECONDS
            )
        except (OSError, TimeoutError):
            self._connecting.pop(peer.address, None)
            self._counters["unsent"] += 1
            self._gone(peer)
            return
        for data in self._connecting.pop(peer.address, []):
            stream.write(data)

    def opened(self, stream: _Stream, address: Address) -> bool:
        """A connection stands; False where there are too many."""
        if len(self._streams) >= MAX_CONNECTIONS:
            self._counters["too_many_connections"] += 1
            return False
        self._count += 1
        stream.peer = Peer("tcp", address, self._count)
        self._streams[self._count] = stream
        return True

    def arrived(self, stream: _Stream, message: bytes) -> None:
        if message:
            self._receive(message, stream.peer)
        else:
            stream.write(b"\r\n")  # the pong of RFC 5626, 3.5.1

    def closed(self, stream: _Stream) -> None:
        if self._streams.pop(stream.peer.connection, None) is not None:
            self._gone(stream.peer)


class _Stream(asyncio.Protocol):
    """One TCP connection."""

    def __init__(self, owner: Transport, patience_seconds: float | None = None) -> None:
        self._patience_seconds = patience_seconds
        self._patience: asyncio.TimerHandle | None = None
        self.peer = Peer("tcp", ("", 0))
        self._owner = owner
        self._parser = StreamParser()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port = transport.get_extra_info("peername")[:2]
        with contextlib.suppress(OSError, AttributeError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._owner.opened(self, (host, port)):
            transport.abort()
        elif self._patience_seconds is not None:
            self._patience = asyncio.get_running_loop().call_later(self._patience_seconds, self.abort)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._parser.feed(data)
        except Refusal:
            self.abort()
            return
        if any(messages) and self._patience is not None:
            self._patience.cancel()
            self._patience = None
        for message in messages:
            self._owner.arrived(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._patience is not None:
            self._patience.cancel()
        self._owner.closed(self)

    def write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.abort()
            return
        self._transport.write(data)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
