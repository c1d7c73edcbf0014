"""The driver of the SIP user agent: sockets, names and deadlines around the machines; one implementation of the port.

It feeds the heart with what arrives and with the time, keeps every trunk registered, and hands events to ``deliver``,
which appends and returns. What a new process needs to ring the office's phones at once lies in the small file ``kept``
(no password in it), rewritten when a phone comes or goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import secrets as system_secrets
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from appliance.clock import Clock
from appliance.ids import uuid7
from appliance.signalling import wire
from appliance.signalling.admission import Admission
from appliance.signalling.digest import Algorithm, Authorizer, Guard
from appliance.signalling.heart import Account, Heart
from appliance.signalling.port import Command, Deliver, Event, TrunkChanged, TrunkState
from appliance.signalling.registrar import Binding, Registrar
from appliance.signalling.registration import TrunkRegistration
from appliance.signalling.resolver import Resolver
from appliance.signalling.settings import Signalling, Trunk
from appliance.signalling.transactions import Client, Peer
from appliance.signalling.transport import Transport

KEEP_ALIVE_SECONDS = 25.0  # below the 30 s after which home routers forget a UDP mapping
RESOLVE_SECONDS = 60.0
RESOLVE_AGAIN_SECONDS = 5.0  # while a name has no address
DIGESTS: dict[str, tuple[Algorithm, ...]] = {"md5": ("MD5",), "sha256": ("SHA-256",), "both": ("MD5", "SHA-256")}
STOP_SECONDS = 2.0  # how long un-registering may take at the end

_log = logging.getLogger(__name__)


class Agent:
    """The SIP side of the box on the network. All calls come from one asyncio loop."""

    def __init__(
        self,
        settings: Signalling,
        secrets: Callable[[str], str | None],
        clock: Clock,
        deliver: Deliver,
        kept: Path | None = None,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._deliver = deliver
        self._secrets = secrets
        self._kept = kept
        self._chance = random.SystemRandom()
        passwords = {phone.name: secrets(f"phone-{phone.name}") for phone in settings.phones}
        known = {name: password for name, password in passwords.items() if password}
        guard = Guard(settings.domain, system_secrets.token_bytes(32), known, DIGESTS[settings.phone_digest])
        self._registrar = Registrar(settings, guard)
        self._admission = Admission(settings)
        self.heart = Heart(
            settings,
            self._heard,
            self._send,
            lambda: uuid7(clock.utc_ms()),
            self._chance,
            guard,
            self._registrar,
            self._admission,
        )
        self._transport = Transport(settings.address, settings.port, self._receive, self._gone, self.heart.counters)
        self.heart.local_for = self._transport.local_for
        self._registrations: dict[str, TrunkRegistration] = {}
        self._silent: dict[str, str] = {}  # addresses of IP trunks that were not heard yet
        self._resolver = Resolver()
        self._tasks: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = float("inf")
        self._is_stopping = False
        self._is_submitting = False

    # The port ---------------------------------------------------------------------------------------------------------

    def submit(self, command: Command) -> None:
        self._is_submitting = True
        try:
            self.heart.submit(command, self._clock.monotonic())
        finally:
            self._is_submitting = False
        self._arm()

    @property
    def counters(self) -> dict[str, int]:
        """What was seen since the start, by name: for the page and for tests."""
        transactions = self.heart.transactions
        return {
            **self.heart.counters,
            "repeated": transactions.repeated,
            "answered_again": transactions.answered_again,
            "legs": self.heart.legs,
            "transactions": len(transactions),
            "subscriptions": len(self.heart.subscriptions),
        }

    @property
    def port(self) -> int:
        """The port that is bound; differs from the setting where that is 0."""
        return self._transport.port

    # Life -------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Binds and begins to register. OSError where the port is taken."""
        await self._transport.start(self.settings.tcp)
        users = self._recall()
        for trunk in self.settings.trunks:
            self._open_account(trunk, users.get(trunk.name) or self._chance.randbytes(8).hex())
        self._keep()
        for trunk in self.settings.trunks:
            self._tasks.append(asyncio.create_task(self._follow(trunk)))
        if any(trunk.registers for trunk in self.settings.trunks):
            self._tasks.append(asyncio.create_task(self._keep_alive()))
        self._arm()

    async def stop(self) -> None:
        """Un-registers, ends subscriptions, waits a little for what is under way, and closes the sockets."""
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        now = self._clock.monotonic()
        for name, registration in self._registrations.items():
            request = registration.stop()
            if request is not None:
                self._ask(name, registration, request, now)
        self.heart.subscriptions.stop(now)
        self._arm()
        ends = now + STOP_SECONDS
        while self.heart.is_asking and self._clock.monotonic() < ends:  # noqa: ASYNC110 - machines
            await asyncio.sleep(0.02)
        if self._timer is not None:
            self._timer.cancel()
        self._keep()
        self._transport.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _open_account(self, trunk: Trunk, contact_user: str) -> None:
        password = self._secrets(f"trunk-{trunk.name}")
        answers = None
        if password and trunk.user:
            answers = Authorizer(trunk.auth_user or trunk.user, password, lambda: system_secrets.token_hex(8))
        local = (trunk.address or self.settings.address, self._transport.port)
        shown = (trunk.nat, self._transport.port) if trunk.nat not in ("auto", "off") else None
        account = Account(trunk, contact_user, (), local, shown, answers)
        self.heart.accounts[trunk.name] = account
        if trunk.registers:
            self._registrations[trunk.name] = TrunkRegistration(
                trunk,
                self._contact(account),
                f"{self.heart.token()}@{trunk.name}",
                self.heart.token(),
                answers,
                self._chance,
            )

    @staticmethod
    def _contact(account: Account) -> str:
        host, port = account.shown or account.local
        suffix = ";transport=tcp" if account.trunk.transport == "tcp" else ""
        return f"sip:{account.contact_user}@{host}:{port}{suffix}"

    # Trunks -----------------------------------------------------------------------------------------------------------

    async def _follow(self, trunk: Trunk) -> None:
        """Keeps the addresses of one trunk's proxy fresh."""
        account = self.heart.accounts[trunk.name]
        while True:
            try:
                addresses = await self._resolver.resolve(trunk.proxy, trunk.transport)
            except (OSError, TimeoutError) as error:
                if not account.peers:
                    detail = f"{trunk.proxy}: {error}"
                    self._deliver(TrunkChanged(trunk.name, TrunkState.UNREACHABLE, 0, detail[:200]))
                await asyncio.sleep(RESOLVE_AGAIN_SECONDS)
                continue
            self._place(account, [Peer(trunk.transport, address) for address in addresses])
            await asyncio.sleep(RESOLVE_SECONDS)

    def _place(self, account: Account, peers: list[Peer]) -> None:
        """The trunk's proxy is at ``peers``."""
        if sorted(each.address for each in account.peers) == sorted(each.address for each in peers):
            return
        trunk = account.trunk
        is_first = not account.peers
        account.peers = tuple(peers)
        if trunk.address:
            self._transport.also_from(trunk.address, [each.address[0] for each in peers])
        else:
            account.local = self._transport.local_for(peers[0])
        registration = self._registrations.get(trunk.name)
        if registration is not None:
            registration.show(self._contact(account))
            self._arm()
        elif is_first:
            self._silent.update({each.address[0]: trunk.name for each in peers})
            self._deliver(TrunkChanged(trunk.name, TrunkState.STARTING, 0, "nothing heard yet"))

    def _register_due(self, now: float) -> None:
        for name, registration in self._registrations.items():
            if registration.deadline is not None and registration.deadline <= now and self.heart.accounts[name].peers:
                request = registration.due(now)
                if request is not None:
                    self._ask(name, registration, request, now)

    def _ask(self, name: str, registration: TrunkRegistration, request: wire.Request, now: float) -> None:
        account = self.heart.accounts[name]

        def answered(_client: Client, response: wire.Response, then: float) -> None:
            again, changed = registration.answered(response, then)
            if again is not None:
                self._ask(name, registration, again, then)
            elif response.code >= 200:
                self._learn(account, registration)
            self._tell_trunk(changed)

        def unanswered(_client: Client, then: float) -> None:
            account.peers = (*account.peers[1:], *account.peers[:1])  # the next address of the same name
            self._tell_trunk(registration.unanswered(then))

        side = self.heart.trunk_side(account)
        self.heart.ask(request, side, account.peers[0], answered, unanswered, now)

    def _learn(self, account: Account, registration: TrunkRegistration) -> None:
        """A provider that sees us elsewhere than we stand: a router is between (RFC 3581)."""
        seen = registration.shown
        if seen is None or account.trunk.nat != "auto" or seen[0] == account.local[0] or seen == account.shown:
            return
        account.shown = seen
        registration.show(self._contact(account))

    def _tell_trunk(self, changed: TrunkChanged | None) -> None:
        if changed is not None:
            _log.info("trunk %s: %s %d %s", changed.trunk, changed.state, changed.code, changed.detail)
            self._deliver(changed)

    async def _keep_alive(self) -> None:
        """Keeps the router's mapping open (RFC 5626, 3.5.2 has STUN for it; two empty lines do and cost nothing)."""
        while True:
            await asyncio.sleep(KEEP_ALIVE_SECONDS)
            for name, registration in self._registrations.items():
                account = self.heart.accounts[name]
                if registration.state is TrunkState.UP and account.peers:
                    self._transport.send(b"\r\n\r\n", account.peers[0])

    # Network ----------------------------------------------------------------------------------------------------------

    def _receive(self, data: bytes, peer: Peer) -> None:
        now = self._clock.monotonic()
        self.heart.receive(data, peer, now)
        if self._silent and peer.address[0] in self._silent:
            name = self._silent[peer.address[0]]
            self._silent = {address: trunk for address, trunk in self._silent.items() if trunk != name}
            self._deliver(TrunkChanged(name, TrunkState.UP, 0, ""))
        if self._registrar.is_changed:
            self._keep()
        self._arm()

    def _send(self, data: bytes, peer: Peer) -> None:
        self._transport.send(data, peer)

    def _gone(self, peer: Peer) -> None:
        now = self._clock.monotonic()
        if peer.connection:
            self.heart.connection_lost(peer.connection, now)
            self.heart.phones_turned(self._registrar.connection_lost(peer.connection), now)
            for name, registration in self._registrations.items():
                account = self.heart.accounts[name]
                if account.trunk.transport == "tcp" and any(each.address == peer.address for each in account.peers):
                    registration.cut_off(now)
        else:
            self.heart.unreachable(peer, now)
        self._arm()

    def _heard(self, event: Event) -> None:
        if self._is_submitting:  # the port promises that nothing comes from within submit
            asyncio.get_running_loop().call_soon(self._deliver, event)
        else:
            self._deliver(event)

    # Time -------------------------------------------------------------------------------------------------------------

    def _deadline(self) -> float:
        """The nearest of all, monotonic seconds; infinity where nothing waits."""
        known = [self.heart.deadline, self._registrar.deadline]
        known += [each.deadline for name, each in self._registrations.items() if self.heart.accounts[name].peers]
        return min((each for each in known if each is not None), default=float("inf"))

    def _arm(self) -> None:
        deadline = self._deadline()
        if deadline >= self._armed_for:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = deadline
        wait = max(0.0, deadline - self._clock.monotonic())
        self._timer = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self._timer, self._armed_for = None, float("inf")
        now = self._clock.monotonic()
        self.heart.due(now)
        self.heart.phones_turned(self._registrar.due(now), now)
        if not self._is_stopping:
            self._register_due(now)
        self._arm()

    # Kept over a restart ----------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        bindings = self._registrar.kept()
        if self._kept is None:
            return
        content = {
            "users": {name: account.contact_user for name, account in self.heart.accounts.items()},
            "phones": {phone: [asdict(each) for each in known] for phone, known in bindings.items()},
        }
        beside = self._kept.with_suffix(".new")
        try:
            beside.write_text(json.dumps(content))
            beside.chmod(0o600)
            beside.replace(self._kept)
        except OSError as error:
            _log.warning("cannot keep where the phones are: %s", error)

    def _recall(self) -> dict[str, str]:
        """Our random user at each trunk, as it was; the phones are taken up on the way."""
        if self._kept is None or not self._kept.is_file():
            return {}
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            content = json.loads(self._kept.read_text())
            bindings = {
                str(phone): [
                    Binding(**{**each, "address": (str(each["address"][0]), int(each["address"][1]))}) for each in known
                ]
                for phone, known in content["phones"].items()
            }
            for event in self._registrar.recall(bindings, self._clock.monotonic()):
                self._deliver(event)
            return {str(name): str(user) for name, user in content["users"].items()}
        _log.warning("what the last process kept of the phones cannot be read; they will register again")
        return {}
