"""A telephone that only watches lamps, over real sockets: it registers, subscribes, and keeps what it is told.

``read`` is how the telephones of all tests read a NOTIFY: by an XML parser of its own, never by what the box wrote.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree import ElementTree

from appliance.signalling import headers as h
from appliance.signalling import wire
from appliance.signalling.digest import Authorizer

SPACE = "{urn:ietf:params:xml:ns:dialog-info}"
AGAIN_SECONDS = 0.5  # RFC 3261, T1


@dataclass(frozen=True)
class Told:
    """One NOTIFY. ``state`` is the lamp's, or the line of the message summary."""

    cseq: int
    subscription: str  # Subscription-State
    version: int
    state: str
    request: wire.Request
    at: float = 0.0  # monotonic seconds

    @property
    def is_last(self) -> bool:
        return self.subscription.startswith("terminated")


def read(request: wire.Request, at: float = 0.0) -> Told:
    """Raises where a document cannot be parsed."""
    headers = request.headers
    cseq = h.parse_cseq(headers.get("cseq") or "")[0]
    subscription = headers.get("subscription-state") or ""
    if headers.get("content-type") == "application/simple-message-summary":
        lines = dict(line.partition(": ")[::2] for line in request.body.decode().splitlines())
        state = f"{lines['Messages-Waiting']} {lines['Voice-Message']}"
        return Told(cseq, subscription, -1, state, request, at)
    root = ElementTree.fromstring(request.body)
    assert root.tag == f"{SPACE}dialog-info" and root.get("state") == "full"
    [dialog] = root.findall(f"{SPACE}dialog")
    state = dialog.findtext(f"{SPACE}state") or ""
    return Told(cseq, subscription, int(root.get("version") or ""), state, request, at)


@dataclass
class Watched:
    """One subscription; ``code`` is what its last SUBSCRIBE was answered with."""

    extension: str
    event: str
    call_id: str
    tag: str
    code: int = 0
    to_tag: str = ""
    told: list[Told] = field(default_factory=list)

    @property
    def states(self) -> list[str]:
        """Each state once, in the order in which they were told."""
        return [state for state, _ in itertools.groupby(each.state for each in self.told)]

    async def until(self, state: str, since: int = 0) -> Told:
        """The first NOTIFY from number ``since`` on whose state begins like this."""
        async with asyncio.timeout(20):
            while True:
                for each in self.told[since:]:
                    if each.state.startswith(state):
                        return each
                await asyncio.sleep(0.002)


class Watcher(asyncio.DatagramProtocol):
    """``user`` at the box; over TCP where ``is_tcp``. One place, as a desk phone has."""

    def __init__(
        self,
        box: tuple[str, int],
        mine: str,
        user: str,
        password: str,
        domain: str = "pasokh.local",
        is_tcp: bool = False,
    ) -> None:
        self.box, self.user, self.domain = box, user, domain
        self.watched: dict[str, Watched] = {}
        self.is_deaf = False  # hears and says nothing any more
        self._mine, self._is_tcp = mine, is_tcp
        self._answers = Authorizer(user, password, lambda: secrets.token_hex(8))
        self._numbers = itertools.count(1)
        self._cseq = itertools.count(1)
        self._waiting: dict[tuple[str, str], asyncio.Future[wire.Response]] = {}
        self._registration = secrets.token_hex(8)
        self._send: Callable[[bytes], None] = lambda _data: None
        self._close: Callable[[], None] = lambda: None
        self._address = ("", 0)
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Opens its socket and registers."""
        loop = asyncio.get_running_loop()
        if self._is_tcp:
            reader, writer = await asyncio.open_connection(*self.box, local_addr=(self._mine, 0))
            self._send, self._close = writer.write, writer.close
            self._address = writer.get_extra_info("sockname")[:2]
            self._reading = asyncio.create_task(self._read(reader))
        else:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: self, local_addr=(self._mine, 0), remote_addr=self.box
            )
            self._send, self._close = transport.sendto, transport.close
            self._address = transport.get_extra_info("sockname")[:2]
        assert await self.register() == 200

    def stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self._close()

    async def register(self, seconds: int = 600) -> int:
        name = f"<sip:{self.user}@{self.domain}>"
        lines = (f"Expires: {seconds}",)
        answer = await self.ask("REGISTER", f"sip:{self.domain}", name, name, self._registration, "r", lines)
        return answer.code

    async def watch(self, extension: str, event: str = "dialog", seconds: int = 600) -> Watched:
        made = Watched(extension, event, secrets.token_hex(8), secrets.token_hex(4))
        self.watched[made.call_id] = made
        await self.renew(made, seconds)
        return made

    async def renew(self, watched: Watched, seconds: int = 600) -> None:
        own, uri = f"<sip:{self.user}@{self.domain}>", f"sip:{watched.extension}@{self.box[0]}"
        to = f"<{uri}>" + (f";tag={watched.to_tag}" if watched.to_tag else "")
        lines = (f"Event: {watched.event}", f"Expires: {seconds}")
        answer = await self.ask("SUBSCRIBE", uri, own, to, watched.call_id, watched.tag, lines)
        watched.code = answer.code
        watched.to_tag = watched.to_tag or h.tag_of(answer.headers.get("to") or "")

    async def ask(
        self, method: str, uri: str, own: str, to: str, call_id: str, tag: str, lines: tuple[str, ...]
    ) -> wire.Response:
        """A request, and again with the password where it is asked for."""
        answer = await self._asked(self.written(method, uri, own, to, call_id, tag, lines))
        if answer.code == 401 and (header := self._answers.answer(answer, method, uri)) is not None:
            lines = (*lines, f"Authorization: {header[1]}")
            answer = await self._asked(self.written(method, uri, own, to, call_id, tag, lines))
        return answer

    def written(
        self, method: str, uri: str, own: str, to: str, call_id: str, tag: str, lines: tuple[str, ...]
    ) -> tuple[str, str, bytes]:
        """Call-ID, CSeq and the bytes of a new request."""
        host, port = self._address
        over = "TCP" if self._is_tcp else "UDP"
        cseq = f"{next(self._cseq)} {method}"
        head = (
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{over} {host}:{port};branch=z9hG4bK{secrets.token_hex(8)};rport",
            "Max-Forwards: 70",
            f"From: {own};tag={tag}",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq}",
            f"Contact: <sip:{self.user}@{host}:{port}{';transport=tcp' if self._is_tcp else ''}>",
            *lines,
            "Content-Length: 0",
        )
        return call_id, cseq, ("\r\n".join(head) + "\r\n\r\n").encode()

    async def _asked(self, written: tuple[str, str, bytes]) -> wire.Response:
        call_id, cseq, data = written
        waits: asyncio.Future[wire.Response] = asyncio.get_running_loop().create_future()
        self._waiting[call_id, cseq] = waits
        async with asyncio.timeout(20):
            while not waits.done():
                self._send(data)
                await asyncio.wait([waits], timeout=20 if self._is_tcp else AGAIN_SECONDS)
        return await waits

    async def _read(self, reader: asyncio.StreamReader) -> None:
        parser = wire.StreamParser()
        while data := await reader.read(65_536):
            for message in parser.feed(data):
                self.datagram_received(message, self.box)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self.is_deaf or not data.strip():
            return
        message = wire.parse(data)
        key = message.headers.get("call-id") or "", message.headers.get("cseq") or ""
        if isinstance(message, wire.Response):
            waits = self._waiting.pop(key, None)
            if waits is not None and not waits.done():
                waits.set_result(message)
            return
        if message.method != "NOTIFY":
            return
        known = self.watched.get(key[0])
        answer = wire.Response(200 if known else 481, "OK" if known else "Gone", wire.Headers())
        for name in ("via", "from", "to", "call-id", "cseq"):
            for value in message.headers.all(name):
                answer.headers.add(name, value)
        self._send(answer.encode())
        told = read(message, time.monotonic())
        if known is not None and all(each.cseq != told.cseq for each in known.told):
            known.told.append(told)
