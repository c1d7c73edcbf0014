"""The server of the control socket: page, panel and services ask here, and are shown what is live.

Which service speaks is known from the socket's credentials (SO_PEERCRED), never from what it says; which person asks,
from the token; what the role may do is decided here and nowhere else. Sync may write receipts, and no more. Pictures go
out when something has changed, at most five times a second, each watcher gets what is different from what it has; one
that does not read keeps its old picture until it does. Nothing here waits for a watcher.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import resource
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from appliance.calls.access import Access, Grant, Session
from appliance.calls.upstream import Upstream
from appliance.clock import Clock
from appliance.control import picture, wire
from appliance.control.wire import Alive, Ask, Done, Push, Refused, Reply, Role, Shown, SignedIn, Snapshot, Told, Who
from appliance.errors import Problem

log = logging.getLogger(__name__)

PUSH_SECONDS = 0.2
MOST_UNDER_WAY = 16  # requests of one connection that are not answered yet; then it is not read
MOST_CONNECTIONS = 32
SERVICES = ("media", "calls", "sync", "web", "panel", "headset")

ANYBODY: frozenset[Role] = frozenset({"owner", "supervisor", "agent", "technician"})
OWNS: frozenset[Role] = frozenset({"owner"})
LEADS: frozenset[Role] = frozenset({"owner", "supervisor"})
WORKS: frozenset[Role] = LEADS | {"agent"}
MAY: Mapping[type[wire.Order], frozenset[Role]] = {
    wire.HangUpCall: LEADS,
    wire.Turn: LEADS,
    wire.MoveCaller: LEADS,
    wire.TakeRecording: LEADS,
    wire.ExportRecordings: OWNS,
    wire.MakePromise: WORKS,
    wire.ChangeRequest: WORKS,
    wire.CallNow: WORKS,
    wire.CloseRequest: WORKS,
    wire.SaveContacts: LEADS,
    wire.RemoveContacts: LEADS,
    **dict.fromkeys(get_args(wire.ListOrder), LEADS),
    wire.HoldRecordings: OWNS,
    wire.ReleaseRecordings: OWNS,
    wire.EraseRecordings: OWNS,
}
MAY_ASK: Mapping[type[wire.DeskOrder | wire.PeopleOrder | wire.SeatOrder], frozenset[Role]] = {
    **dict.fromkeys(
        (
            wire.AskDesk,
            wire.GoAway,
            wire.WriteForm,
            wire.GiveForm,
            wire.ExtendForm,
            wire.WriteBrief,
            wire.PauseRecording,
            wire.NextCustomer,
            wire.SayOutcome,
        ),
        WORKS,
    ),
    **dict.fromkeys((wire.AskPeople, wire.InvitePerson, wire.RemovePerson), OWNS),
    **dict.fromkeys((wire.AskSeats, wire.MakePin, wire.UnlockPin), LEADS),
    wire.ChoosePin: WORKS,
}
BUTTON = frozenset({"night_on", "night_off"})  # what the panel may turn without anybody having signed in
COMMAND_LINE = "command line"  # who ordered, where root or calls' own user did

_OF_COMMANDS = wire.SaveContacts | wire.RemoveContacts | wire.ExportRecordings | wire.ListOrder
_OF_SYNC = (
    wire.TellReceipts | wire.TellDestroyed | wire.TellUpstream | wire.AskPulse | wire.AskUpstream | wire.TryUpstream
)


@dataclass(slots=True)
class _Watcher:
    number: int
    token: str
    role: Role
    has: Snapshot | None = None


class _Connection:
    """One peer and what it watches."""

    def __init__(self, peer: socket.socket, service: str | None) -> None:
        self.peer = peer
        self.service = service  # None: our own user, who may be any service (a box without separate users, tests)
        self.watchers: dict[int, _Watcher] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    def may_be(self, service: str) -> bool:
        return self.service is None or self.service == service

    def send_now(self, push: Push) -> bool:
        """Sends if the peer has room for it; False if not, or if it is gone."""
        try:
            self.peer.send(wire.packed(push))
        except OSError:
            return False
        return True


class ControlServer:
    """Listens on ``path``. ``snapshot`` gives the whole live picture; ``carry_out`` does what a person ordered.

    ``desks`` answers agents' own pages and the owner's page of people.
    """

    def __init__(
        self,
        path: Path,
        access: Access,
        snapshot: Callable[[], Snapshot],
        carry_out: Callable[[wire.Order, str], Awaitable[Reply]],
        clock: Clock,
        *,
        users: Mapping[int, str] | None = None,
        upstream: Upstream | None = None,
        desks: Callable[[wire.DeskOrder | wire.PeopleOrder, Session], Awaitable[Reply]] | None = None,
        seats: Callable[[wire.SeatOrder, Session], Awaitable[Reply]] | None = None,
        phone_file: Callable[[wire.AskPhoneFile], wire.PhoneFile] | None = None,
    ) -> None:
        self._path = path
        self._access = access
        self._snapshot = snapshot
        self._carry_out = carry_out
        self._clock = clock
        self._users = service_users() if users is None else users
        self._upstream = upstream
        self._desks = desks
        self._seats = seats
        self._phone_file = phone_file
        self._connections: set[_Connection] = set()
        self._listener: socket.socket | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._push_at: asyncio.TimerHandle | None = None
        self._pushed_at = 0.0  # the loop's time
        self._vitals: dict[str, tuple[wire.Vitals, float]] = {}
        self._born = clock.monotonic()

    def start(self) -> None:
        """Listens from now on; Problem ``control.unreachable`` where the socket cannot be made."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            self._path.unlink(missing_ok=True)
            listener.bind(str(self._path))
            self._path.chmod(0o660)
            listener.listen(MOST_CONNECTIONS)
        except OSError as error:
            listener.close()
            raise Problem("control.unreachable", file=str(self._path), reason=error.strerror or str(error)) from error
        self._listener = listener
        self._tasks = [
            asyncio.create_task(self._accept(listener), name="control: accept"),
            asyncio.create_task(self._beat(), name="control: alive"),
        ]

    async def close(self) -> None:
        """Closes every connection and takes the socket away."""
        if self._push_at is not None:
            self._push_at.cancel()
        tasks = [*self._tasks, *(task for connection in self._connections for task in connection.tasks)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
            self._path.unlink(missing_ok=True)

    def changed(self) -> None:
        """Something in the picture is different: it goes out at once, or within 200 ms where the last has just gone."""
        if self._push_at is None:
            loop = asyncio.get_running_loop()
            self._push_at = loop.call_at(max(self._pushed_at + PUSH_SECONDS, loop.time()), self._push)

    def vitals(self, service: str) -> tuple[wire.Vitals, float] | None:
        """The last that ``service`` told of itself, and how many seconds ago; None if it never did."""
        told = self._vitals.get(service)
        return None if told is None else (told[0], self._clock.monotonic() - told[1])

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            peer, _ = await loop.sock_accept(listener)
            connection = self._admitted(peer)
            if connection is None:
                peer.close()
                continue
            self._connections.add(connection)
            task = asyncio.create_task(self._serve(connection), name="control: connection")
            connection.tasks.add(task)

    def _admitted(self, peer: socket.socket) -> _Connection | None:
        """The connection, if its user is one of ours and there are not too many."""
        user = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
        is_own = user in (os.getuid(), 0)
        if (not is_own and user not in self._users) or len(self._connections) >= MOST_CONNECTIONS:
            log.warning("control: user %d was turned away", user)
            return None
        return _Connection(peer, None if is_own else self._users[user])

    async def _serve(self, connection: _Connection) -> None:
        """Takes what the peer asks until it goes."""
        loop = asyncio.get_running_loop()
        free = asyncio.Semaphore(MOST_UNDER_WAY)
        connection.send_now(Alive(self._clock.utc_ms()))
        try:
            while datagram := await loop.sock_recv(connection.peer, wire.MAX_MESSAGE_BYTES):
                ask = wire.ask_from(datagram)
                await free.acquire()
                task = asyncio.create_task(self._answer(connection, ask, free), name="control: answer")
                connection.tasks.add(task)
                task.add_done_callback(connection.tasks.discard)
        except OSError as error:
            log.debug("control: a peer went: %s", error)
        except Problem as problem:
            log.warning("control: a peer was cut off: %s", problem)
        finally:
            self._connections.discard(connection)
            connection.peer.close()

    async def _answer(self, connection: _Connection, ask: Ask, free: asyncio.Semaphore) -> None:
        try:
            reply = await self._reply(connection, ask)
        except Problem as problem:
            reply = Refused(problem.key, dict(problem.fields))
        finally:
            free.release()
        if connection not in self._connections:
            return
        with contextlib.suppress(OSError):  # the peer has gone
            await asyncio.get_running_loop().sock_sendall(connection.peer, wire.packed(Told(ask.number, reply)))
        if isinstance(ask.request, wire.Watch) and isinstance(reply, Done):
            self._push_to(connection, self._snapshot())

    async def _reply(self, connection: _Connection, ask: Ask) -> Reply:
        request = ask.request
        if isinstance(request, wire.Turn) and not request.token and connection.may_be("panel"):
            if request.action not in BUTTON:
                raise Problem("control.not_for_service", service="panel")
            return await self._carry_out(request, "button")
        if isinstance(request, _OF_COMMANDS) and not request.token and connection.service is None:
            return await self._carry_out(request, COMMAND_LINE)
        if not isinstance(request, _OF_SYNC | wire.Vitals) and not connection.may_be("web"):
            raise Problem("control.not_for_service", service=connection.service or "")
        match request:
            case wire.SignIn(name, secret, address):
                return _signed_in(await self._access.sign_in(name, secret, address))
            case wire.SetPassword(token, new):
                return _signed_in(await self._access.set_password(token, new))
            case wire.SignOut(token):
                await self._access.sign_out(token)
                return Done()
            case wire.WhoAmI(token):
                session = self._access.session(token)
                return Who(session.actor, session.role, session.must_set_password)
            case wire.Watch(token):
                session = self._access.permitted(token, ANYBODY)
                connection.watchers[ask.number] = _Watcher(ask.number, token, session.role)
                return Done()
            case wire.Unwatch(number):
                connection.watchers.pop(number, None)
                return Done()
            case (
                wire.HangUpCall(token)
                | wire.Turn(token)
                | wire.MakePromise(token)
                | wire.ChangeRequest(token)
                | wire.CallNow(token)
                | wire.CloseRequest(token)
                | wire.MoveCaller(token)
                | wire.TakeRecording(token)
                | wire.ExportRecordings(token)
                | wire.SaveContacts(token)
                | wire.RemoveContacts(token)
                | wire.AskLists(token)
                | wire.CheckNumbers(token)
                | wire.AddToList(token)
                | wire.TurnList(token)
                | wire.ForbidNumbers(token)
                | wire.AllowNumber(token)
                | wire.HoldRecordings(token)
                | wire.ReleaseRecordings(token)
                | wire.EraseRecordings(token)
            ):
                session = self._access.permitted(token, MAY[type(request)])
                return await self._carry_out(request, session.actor)
            case (
                wire.AskDesk(token)
                | wire.GoAway(token)
                | wire.WriteForm(token)
                | wire.GiveForm(token)
                | wire.ExtendForm(token)
                | wire.WriteBrief(token)
                | wire.PauseRecording(token)
                | wire.NextCustomer(token)
                | wire.SayOutcome(token)
                | wire.AskPeople(token)
                | wire.InvitePerson(token)
                | wire.RemovePerson(token)
            ):
                is_use = not isinstance(request, wire.AskDesk)  # a page that stands open asks by itself
                session = self._access.permitted(token, MAY_ASK[type(request)], is_use=is_use)
                assert self._desks is not None
                return await self._desks(request, session)
            case wire.AskSeats(token) | wire.MakePin(token) | wire.UnlockPin(token) | wire.ChoosePin(token):
                session = self._access.permitted(token, MAY_ASK[type(request)])
                assert self._seats is not None
                return await self._seats(request, session)
            case wire.AskPhoneFile():
                if self._phone_file is None:
                    raise Problem("provisioning.no_file")
                return self._phone_file(request)
            case wire.Measure():
                uptime = round(1000 * (self._clock.monotonic() - self._born))
                resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                return picture.measured(self._snapshot(), uptime, resident)
            case (
                wire.TellReceipts()
                | wire.TellDestroyed()
                | wire.TellUpstream()
                | wire.AskPulse()
                | wire.AskUpstream()
                | wire.TryUpstream()
            ):
                if not connection.may_be("sync") or self._upstream is None:
                    raise Problem("control.not_for_service", service=connection.service or "")
                return await self._upstream.answer(request)
            case wire.Vitals(service):
                if service not in SERVICES or not connection.may_be(service):
                    raise Problem("control.not_for_service", service=connection.service or service)
                self._vitals[service] = request, self._clock.monotonic()
                return Done()

    async def _beat(self) -> None:
        """Twice a second: a sign of life, and the picture, should nobody have said that it changed."""
        while True:
            await asyncio.sleep(wire.ALIVE_SECONDS)
            alive = Alive(self._clock.utc_ms())
            for connection in self._connections:
                connection.send_now(alive)
            self._push()

    def _push(self) -> None:
        if self._push_at is not None:
            self._push_at.cancel()
            self._push_at = None
        self._pushed_at = asyncio.get_running_loop().time()
        if any(connection.watchers for connection in self._connections):
            snapshot = self._snapshot()
            for connection in self._connections:
                self._push_to(connection, snapshot)

    def _push_to(self, connection: _Connection, snapshot: Snapshot) -> None:
        for watcher in list(connection.watchers.values()):
            try:
                self._access.permitted(watcher.token, ANYBODY, is_use=False)
            except Problem as problem:
                if connection.send_now(Told(watcher.number, Refused(problem.key, dict(problem.fields)))):
                    del connection.watchers[watcher.number]
                continue
            for part in picture.in_parts(watcher.has, picture.for_role(snapshot, watcher.role)):
                if isinstance(part, Snapshot):
                    shown, has = Shown(watcher.number, whole=part), part
                else:
                    assert watcher.has is not None
                    shown, has = Shown(watcher.number, changes=part), picture.after(watcher.has, part)
                if not connection.send_now(shown):
                    break
                watcher.has = has


def service_users() -> dict[int, str]:
    """The services by the user they run as (``pasokh-web``, ...), where the machine has these users."""
    users: dict[int, str] = {}
    for service in SERVICES:
        with contextlib.suppress(KeyError):
            users[pwd.getpwnam(f"pasokh-{service}").pw_uid] = service
    return users


def _signed_in(grant: Grant) -> SignedIn:
    session = grant.session
    return SignedIn(grant.token, session.actor, session.role, session.must_set_password)
