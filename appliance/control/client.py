"""The other services' side of calls' control socket: ask and be told, watch and be shown.

The client connects by itself, again and again. Two seconds without a datagram mean that calls is dead: what was asked
raises ``control.calls_is_stopped``, every watch is told None, and begins again with a whole picture when calls is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType

from appliance.control import picture, wire
from appliance.control.wire import Alive, Ask, Push, Refused, Reply, Request, Shown, SignedIn, Snapshot, Told
from appliance.errors import Problem

ANSWER_SECONDS = 10.0  # two Argon2 hashes wait for two others on a slow box: about a second; then something is wrong
RECONNECT_SECONDS = 0.2
REACH_SECONDS = 3.0  # as long as a command waits to hear calls: it says twice a second that it is there
STOPPED = "control.calls_is_stopped"

log = logging.getLogger(__name__)


class ControlClient:
    """A connection to calls that heals itself. Use it with ``async with``, or ``start`` and ``close``."""

    def __init__(self, path: Path, *, silence_seconds: float = wire.SILENCE_SECONDS) -> None:
        self._path = path
        self._silence_seconds = silence_seconds
        self._number = 0
        self._asked: dict[int, asyncio.Future[Reply]] = {}
        self._watches: dict[int, asyncio.Queue[Shown | Refused | None]] = {}
        self._socket: socket.socket | None = None
        self._is_alive = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ControlClient:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def is_alive(self) -> bool:
        """Whether calls was heard within the last two seconds."""
        return self._is_alive.is_set()

    async def until_alive(self) -> None:
        """Returns when calls is heard."""
        await self._is_alive.wait()

    def start(self) -> None:
        """Begins to connect; to be called in the loop that uses the client."""
        self._task = asyncio.create_task(self._stay_connected(), name="control client")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def ask(self, request: Request) -> Reply:
        """The answer to ``request``; a Refused becomes the Problem it stands for."""
        number = self._next()
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            await self._send(number, request)
            async with asyncio.timeout(ANSWER_SECONDS):
                reply = await answer
        except (TimeoutError, OSError) as error:
            raise Problem(STOPPED) from error
        finally:
            self._asked.pop(number, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen, also where sending failed first
        if isinstance(reply, Refused):
            raise Problem(reply.key, **reply.fields)
        return reply

    async def sign_in(self, name: str, secret: str, address: str = "") -> SignedIn:
        """A session for who knows the secret; Problem ``access.wrong`` or ``access.too_soon`` for others."""
        reply = await self.ask(wire.SignIn(name, secret, address))
        assert isinstance(reply, SignedIn)
        return reply

    async def set_password(self, token: str, new: str) -> SignedIn:
        """Sets the person's password; the session goes on under the new token."""
        reply = await self.ask(wire.SetPassword(token, new))
        assert isinstance(reply, SignedIn)
        return reply

    async def who_am_i(self, token: str) -> wire.Who:
        """Whose session this is; Problem ``access.signed_out`` if it is nobody's."""
        reply = await self.ask(wire.WhoAmI(token))
        assert isinstance(reply, wire.Who)
        return reply

    async def sign_out(self, token: str) -> None:
        await self.ask(wire.SignOut(token))

    async def desk(self, token: str, agent: str = "") -> wire.DeskNow:
        """What an agent's own page shows."""
        reply = await self.ask(wire.AskDesk(token, agent))
        assert isinstance(reply, wire.DeskNow)
        return reply

    async def people(self, token: str) -> wire.People:
        """Who may sign in."""
        reply = await self.ask(wire.AskPeople(token))
        assert isinstance(reply, wire.People)
        return reply

    async def seats(self, token: str) -> wire.Seated:
        """Which agent sits where."""
        reply = await self.ask(wire.AskSeats(token))
        assert isinstance(reply, wire.Seated)
        return reply

    async def order(self, order: wire.Order | wire.DeskOrder | wire.PeopleOrder | wire.SeatOrder) -> Reply:
        """What a person of the office orders; Problem where it is refused."""
        return await self.ask(order)

    async def hang_up(self, token: str, conversation: str) -> None:
        await self.ask(wire.HangUpCall(token, conversation))

    async def measure(self) -> wire.Measured:
        """What a monitor may know of the box."""
        reply = await self.ask(wire.Measure())
        assert isinstance(reply, wire.Measured)
        return reply

    async def tell_vitals(self, vitals: wire.Vitals) -> None:
        """Tells how this service is; nothing happens where calls is stopped."""
        with contextlib.suppress(Problem):
            await self.ask(vitals)

    async def tell_receipts(self, receipts: wire.TellReceipts) -> None:
        """Returns once the receipts are in the records, on the disk."""
        await self.ask(receipts)

    async def tell_destroyed(self, recordings: tuple[str, ...]) -> None:
        """Returns once it is in the records that the files of these recordings are gone."""
        await self.ask(wire.TellDestroyed(recordings))

    async def tell_upstream(self, targets: tuple[wire.Upstream, ...]) -> wire.Pulse:
        """Shows how the targets stand; how calls fare meanwhile."""
        return await self._pulse(wire.TellUpstream(targets))

    async def pulse(self) -> wire.Pulse:
        """How calls fare now."""
        return await self._pulse(wire.AskPulse())

    async def _pulse(self, request: Request) -> wire.Pulse:
        reply = await self.ask(request)
        assert isinstance(reply, wire.Pulse)
        return reply

    async def upstream(self) -> wire.UpstreamNow:
        """How the targets upstream stand."""
        reply = await self.ask(wire.AskUpstream())
        assert isinstance(reply, wire.UpstreamNow)
        return reply

    async def try_upstream(self, target: str) -> None:
        """Has a target tried at once."""
        await self.ask(wire.TryUpstream(target))

    async def watch(self, token: str) -> AsyncGenerator[Snapshot | None, None]:
        """Whole pictures, each as soon as something changes; None while calls is stopped.

        Ends with a Problem when the session of ``token`` ends. Close the iterator (``aclosing``) to stop watching.
        """
        number = self._next()
        inbox = self._watches[number] = asyncio.Queue()
        seen: Snapshot | None = None
        try:
            if self.is_alive:
                await self._begin_watch(number, token)
            else:
                yield None
                await self._again(number, token, inbox)
            while True:
                news = await inbox.get()
                if isinstance(news, Refused):
                    raise Problem(news.key, **news.fields)
                if news is None:
                    seen = None
                    yield None
                    await self._again(number, token, inbox)
                    continue
                if news.whole is not None:
                    seen = news.whole
                elif news.changes is not None and seen is not None:
                    seen = picture.after(seen, news.changes)
                if inbox.empty() and seen is not None:
                    yield seen
        finally:
            del self._watches[number]
            with contextlib.suppress(Problem, OSError):
                await self._send(self._next(), wire.Unwatch(number))

    async def _again(self, number: int, token: str, inbox: asyncio.Queue[Shown | Refused | None]) -> None:
        """Begins a watch anew as soon as calls is there; what was still under way from before is dropped."""
        while True:
            await self.until_alive()
            while not inbox.empty():
                inbox.get_nowait()
            if await self._begin_watch(number, token):
                return

    async def _begin_watch(self, number: int, token: str) -> bool:
        try:
            await self._send(number, wire.Watch(token))
        except OSError:
            await asyncio.sleep(RECONNECT_SECONDS)
            return False
        return True

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _send(self, number: int, request: Request) -> None:
        datagram = wire.packed(Ask(number, request))
        if self._socket is None or not self.is_alive:
            raise ConnectionError
        await asyncio.get_running_loop().sock_sendall(self._socket, datagram)

    async def _stay_connected(self) -> None:
        while True:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as connection:
                connection.setblocking(False)
                try:
                    await asyncio.get_running_loop().sock_connect(connection, str(self._path))
                    self._socket = connection
                    await self._listen(connection)
                except (OSError, TimeoutError):
                    pass  # not there, gone or silent: tried again below, and is_alive says so meanwhile
                except Problem as problem:
                    log.error("calls is not understood: %s", problem)
                finally:
                    self._socket = None
                    self._lost()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self, connection: socket.socket) -> None:
        """Takes datagrams until the peer goes (OSError) or is silent for too long (TimeoutError)."""
        loop = asyncio.get_running_loop()
        while True:
            async with asyncio.timeout(self._silence_seconds):
                datagram = await loop.sock_recv(connection, wire.MAX_MESSAGE_BYTES)
            if not datagram:
                raise ConnectionResetError
            self._is_alive.set()
            self._take(wire.push_from(datagram))

    def _take(self, push: Push) -> None:
        match push:
            case Told(number, reply):
                if number in self._asked:
                    if not self._asked[number].done():
                        self._asked[number].set_result(reply)
                elif number in self._watches and isinstance(reply, Refused):
                    self._watches[number].put_nowait(reply)
            case Shown(number):
                if number in self._watches:
                    self._watches[number].put_nowait(push)
            case Alive():
                pass

    def _lost(self) -> None:
        if not self._is_alive.is_set():
            return
        self._is_alive.clear()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError())
        for inbox in self._watches.values():
            inbox.put_nowait(None)


@contextlib.asynccontextmanager
async def reached(path: Path) -> AsyncGenerator[ControlClient, None]:
    """A connection for one command; Problem ``control.calls_is_stopped`` where calls is not heard."""
    async with ControlClient(path) as control:
        try:
            async with asyncio.timeout(REACH_SECONDS):
                await control.until_alive()
        except TimeoutError as error:
            raise Problem(STOPPED) from error
        yield control
