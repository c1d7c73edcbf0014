"""Who may do what: the first-boot code, passwords, sessions and roles.

There is no default password. At its first start the box makes a code (or takes the one that came with the card's label)
which signs the owner in for one thing only: to set a password. Passwords and codes are kept as Argon2id hashes, tokens
of sessions as SHA-256; hashing runs in two threads at most (19 MiB each), so that nobody can make the box short of
memory by guessing. Whoever gives a wrong name hears the same, after the same work, as with a wrong password.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import argon2

from appliance.calls import typed
from appliance.calls.delays import Delays
from appliance.clock import Clock
from appliance.control.wire import Role
from appliance.durable import write_whole
from appliance.errors import Problem
from appliance.records import credentials, events
from appliance.records.credentials import Credential, KeptSession
from appliance.records.store import Store
from appliance.records.writer import Records

OWNER = "owner"
LEAST_PASSWORD = 10
MOST_WAITING = 16  # sign-ins under way at once; more is a flood
MOST_PASSWORD = 200
LONGEST_NAME = 64
HASHES_AT_ONCE = 2
IDLE_SECONDS: Mapping[Role, float] = {"owner": 43200, "supervisor": 43200, "agent": 43200, "technician": 900}
LONGEST_MS = 30 * 86_400_000  # a session ends after thirty days whatever happens

_ROLES: Mapping[str, Role] = {role: role for role in IDLE_SECONDS}


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    actor: str
    role: Role
    must_set_password: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """A new session and the token that proves it; the token is nowhere else."""

    token: str = field(repr=False)
    session: Session


@dataclass(slots=True)
class _Held:
    session: Session
    began: int
    used: float


class Access:
    """The box's door. ``records`` keeps hashes and tells what happened; ``code_file`` holds the first-boot code."""

    def __init__(
        self,
        records: Records,
        clock: Clock,
        code_file: Path,
        *,
        hasher: argon2.PasswordHasher | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._records = records
        self._clock = clock
        self._code_file = code_file
        self._hasher = hasher or argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._sleep = sleep
        self._threads = ThreadPoolExecutor(HASHES_AT_ONCE, thread_name_prefix="argon2")
        self._delays = Delays()
        self._credentials: dict[str, Credential] = {}
        self._sessions: dict[bytes, _Held] = {}
        self._nobody = ""
        self._waiting = 0

    async def start(self) -> None:
        """Takes what is kept; at the very first start, makes the owner's code and writes it to its file (0600)."""
        self._nobody = await self._hashed(secrets.token_urlsafe(16))
        known, sessions = await self._records.call(_load)
        self._credentials = {credential.actor: credential for credential in known}
        for kept in sessions:
            credential = self._credentials.get(kept.actor)
            if credential is not None:
                session = Session(kept.actor, _ROLES[kept.role], credential.must_set_password)
                self._sessions[kept.token_sha256] = _Held(session, kept.began, self._clock.monotonic())
        if not self._credentials:
            await self._first_boot()

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def sign_in(self, name: str, secret: str, address: str) -> Grant:
        """A session; Problem ``access.wrong`` or ``access.too_soon``, the same for names that are not there."""
        actor = name.strip().lower()[:LONGEST_NAME]
        now = self._clock.monotonic()
        closed = self._delays.closed_seconds(address, now)
        if closed > 0:
            raise Problem("access.too_soon", seconds=math.ceil(closed))
        if self._waiting >= MOST_WAITING:
            raise Problem("access.too_soon", seconds=1)
        slowed = self._delays.slowed_seconds(actor, now)
        self._delays.failed(actor, address, now)  # until shown otherwise: many tries at once count too
        self._waiting += 1
        try:
            if slowed > 0:
                await self._sleep(slowed)
            credential = self._credentials.get(actor)
            is_right = await self._fits(credential, secret)
        finally:
            self._waiting -= 1
        if credential is None or not is_right:
            # A name that nobody has may be a password typed into the wrong field: it is not kept.
            self._records.put(events.SignInRefused(credential.actor if credential else "", "wrong"))
            raise Problem("access.wrong")
        self._delays.succeeded(actor, address)
        how = "code" if credential.must_set_password else "password"
        self._records.put(events.SignedIn(actor, credential.role, how))
        return await self._begin(Session(actor, _ROLES[credential.role], credential.must_set_password))

    def session(self, token: str, *, is_use: bool = True) -> Session:
        """Whose token this is; Problem ``access.signed_out`` if it is nobody's any more.

        Only a use (not a page that stands open) keeps a session from becoming idle.
        """
        digest = _digest(token)
        held = self._sessions.get(digest)
        if held is None:
            raise Problem("access.signed_out")
        now = self._clock.monotonic()
        idle = now - held.used > IDLE_SECONDS[held.session.role]
        if idle or self._clock.utc_ms() - held.began > LONGEST_MS:
            del self._sessions[digest]
            raise Problem("access.signed_out")
        if is_use:
            held.used = now
        return held.session

    def permitted(self, token: str, roles: frozenset[Role], *, is_use: bool = True) -> Session:
        """The session, if it is one of ``roles`` and its password is set; else the Problem that says why not."""
        session = self.session(token, is_use=is_use)
        if session.must_set_password:
            raise Problem("access.must_set_password")
        if session.role not in roles:
            raise Problem("access.not_allowed", role=session.role)
        return session

    async def sign_out(self, token: str) -> None:
        """Ends the session, if there is one."""
        digest = _digest(token)
        held = self._sessions.pop(digest, None)
        if held is not None:
            self._records.put(events.SignedOut(held.session.actor))
            await self._drop([digest])

    async def set_password(self, token: str, new: str) -> Grant:
        """Sets the person's password, ends every session of theirs, and begins a new one."""
        session = self.session(token)
        credential = self._credentials[session.actor]
        password = typed.password(new)
        if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
            raise Problem("access.password_length", least=LEAST_PASSWORD, most=MOST_PASSWORD)
        if len(set(password)) < LEAST_PASSWORD // 2 or session.actor in password.lower():
            raise Problem("access.password_weak")
        if credential.must_set_password and await self._fits(credential, new):
            raise Problem("access.password_is_code")
        await self._keep(session.actor, session.role, await self._hashed(password), must_set_password=False)
        self._records.put(events.CredentialSet(session.actor, session.role, "password"))
        if session.actor == OWNER:
            self._code_file.unlink(missing_ok=True)
        await self._end_sessions(session.actor)
        return await self._begin(Session(session.actor, session.role, must_set_password=False))

    async def confirm(self, session: Session, secret: str) -> None:
        """Problem ``pins.wrong_password`` unless this is the password of who is signed in; guesses are held back."""
        address, now = f"confirm {session.actor}", self._clock.monotonic()
        closed = self._delays.closed_seconds(address, now)
        if closed > 0:
            raise Problem("access.too_soon", seconds=math.ceil(closed))
        self._delays.failed(address, address, now)
        if not await self._fits(self._credentials.get(session.actor), secret):
            self._records.put(events.SignInRefused(session.actor, "wrong"))
            raise Problem("pins.wrong_password")
        self._delays.succeeded(address, address)

    def people(self) -> list[tuple[str, Role, bool]]:
        """Who may sign in, by name: their role, and whether they have set a password."""
        known = sorted(self._credentials.items())
        return [(actor, _ROLES[each.role], not each.must_set_password) for actor, each in known]

    async def invite(self, actor: str, role: Role) -> str:
        """Makes a code by which ``actor`` signs in once to set a password; what they had before ends."""
        code = typed.new_code()
        await self._keep(actor, role, await self._hashed(code), must_set_password=True)
        self._records.put(events.CredentialSet(actor, role, "code"))
        await self._end_sessions(actor)
        return code

    async def remove(self, actor: str) -> None:
        """They cannot sign in any more. Problem ``access.nobody`` where there is no such person."""
        credential = self._credentials.pop(actor, None)
        if credential is None:
            raise Problem("access.nobody", name=actor)
        await self._records.call(lambda store: store.within(lambda db: credentials.drop(db, actor)))
        self._records.put(events.CredentialSet(actor, credential.role, "removed"))
        await self._end_sessions(actor)

    async def _first_boot(self) -> None:
        code = typed.code_in(self._code_file) or typed.new_code()
        # The file first: a code that nobody can read would lock the owner out.
        self._code_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(self._code_file, f"{code}\n".encode())
        await self._keep(OWNER, "owner", await self._hashed(code), must_set_password=True)
        self._records.put(events.CredentialSet(OWNER, "owner", "first_boot"))

    async def _begin(self, session: Session) -> Grant:
        token = secrets.token_urlsafe(32)
        digest, began = _digest(token), self._clock.utc_ms()
        self._sessions[digest] = _Held(session, began, self._clock.monotonic())
        kept = KeptSession(digest, session.actor, session.role, began)

        await self._records.call(lambda store: store.within(lambda db: credentials.keep_session(db, kept)))
        return Grant(token, session)

    async def _end_sessions(self, actor: str) -> None:
        ended = [digest for digest, held in self._sessions.items() if held.session.actor == actor]
        for digest in ended:
            del self._sessions[digest]
        await self._drop(ended)

    async def _drop(self, digests: list[bytes]) -> None:
        await self._records.call(lambda store: store.within(lambda db: credentials.drop_sessions(db, digests)))

    async def _keep(self, actor: str, role: Role, hashed: str, *, must_set_password: bool) -> None:
        credential = Credential(actor, role, hashed, must_set_password, self._clock.utc_ms())
        await self._records.call(lambda store: store.within(lambda db: credentials.keep(db, credential)))
        self._credentials[actor] = credential

    async def _hashed(self, secret: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, secret)

    async def _fits(self, credential: Credential | None, secret: str) -> bool:
        """Whether ``secret`` is that of ``credential``; takes as long for nobody's."""
        is_code = credential is not None and credential.must_set_password
        given = typed.code(secret) if is_code else typed.password(secret)
        hashed = credential.hash if credential is not None else self._nobody
        fits = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._verify, hashed, given[:MOST_PASSWORD]
        )
        return fits and credential is not None

    def _verify(self, hashed: str, given: str) -> bool:
        try:
            return self._hasher.verify(hashed, given)
        except argon2.exceptions.VerifyMismatchError:
            return False


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _load(store: Store) -> tuple[list[Credential], list[KeptSession]]:
    return store.within(credentials.load)
