"""SFTP: a server of the owner, or a hoster's. Its host key is pinned; no other server is spoken to.

A file goes to ``NAME.part``; after a cut it goes on behind the bytes that are there. Then it is synced to the server's
disk (fsync@openssh.com, where it is known), read back, and only then renamed: under its name lies nothing but what was
verified. The library is asyncio's; this adapter keeps a loop of its own for the target's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import posixpath
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

import asyncssh

from appliance.errors import Problem
from appliance.sync.faults import Fault, Why
from appliance.sync.port import MARKER, Marker, Parcel, Remark, marker_from
from appliance.sync.settings import Target

T = TypeVar("T")

LEAST_BLOCK_BYTES, MOST_BLOCK_BYTES = 4 << 10, 256 << 10
SPARE_BYTES = 64 << 10
PART = ".part"
KEPT_SECONDS = 30.0  # an unused connection is closed and made again


class Sftp:
    """``secret`` is an OpenSSH private key without a passphrase, or a password."""

    def __init__(self, target: Target, prefix: str, secret: str, answer_seconds: float) -> None:
        self._target = target
        self._root = target.folder.rstrip("/")
        self._prefix = prefix
        self._answer_seconds = answer_seconds
        self._port = target.port or 22
        self.name = f"{target.host}:{self._port}"
        try:
            self._host_keys = asyncssh.import_known_hosts(f"[{target.host}]:{self._port} {target.host_key}\n")
            self._login: dict[str, Any] = {"password": secret, "client_keys": None}
            if "PRIVATE KEY" in secret:
                self._login = {"client_keys": [asyncssh.import_private_key(secret + "\n")], "password": None}
        except (asyncssh.KeyImportError, ValueError) as error:
            raise Problem("sync.secret_form", target=target.name, kind=target.kind) from error
        self._runner = asyncio.Runner()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None
        self._used_at = 0.0
        self._folders: set[str] = set()
        self._syncs = True
        self._block = LEAST_BLOCK_BYTES
        self._verified = ""

    # The port ---------------------------------------------------------------------------------------------------------

    def greet(self, marker: Marker, *, was_here: bool = False, takes_over: bool = False) -> Marker:
        return self._do(self._greet(marker, was_here, takes_over))

    def probe(self, *, writes: bool) -> None:
        self._do(self._probe(writes))

    def place(self, parcel: Parcel) -> None:
        self._do(self._place(parcel))

    def verify(self, parcel: Parcel) -> str:
        return self._do(self._verify(parcel))

    def sweep(self, keep: frozenset[str]) -> None:  # noqa: ARG002 - a half-sent file is gone on with
        return

    def erase(self, keys: list[str]) -> list[str]:
        return self._do(self._erase(keys))

    def remarks(self) -> list[Remark]:
        return [] if self._syncs else [Remark("sync.no_fsync")]

    def close(self) -> None:
        """For good: another adapter is made for what comes after."""
        self._drop()
        self._runner.close()

    # ------------------------------------------------------------------------------------------------------------------

    async def _greet(self, marker: Marker, was_here: bool, takes_over: bool) -> Marker:
        client = await self._connected()
        if self._root and not await client.isdir(self._root):
            raise Fault(Why.GONE, f"{self.name}: {self._root}")
        name = self._path(f"{self._prefix}/{MARKER}")
        if await client.exists(name) and not takes_over:
            async with client.open(name, "rb") as file:
                return marker_from(await file.read())
        if was_here and not takes_over:
            raise Fault(Why.GONE, f"{self.name}: {name} is not there any more")
        await self._make(client, posixpath.dirname(name))
        # Written beside and renamed: of two boxes that come at once the second finds the first one's.
        await self._write_small(client, name, marker.packed(), replaces=takes_over)
        async with client.open(name, "rb") as file:
            return marker_from(await file.read())

    async def _probe(self, writes: bool) -> None:
        client = await self._connected()
        if not await client.exists(self._path(f"{self._prefix}/{MARKER}")):
            raise Fault(Why.GONE, f"{self.name}: {MARKER} is not there")
        if writes:
            name = self._path(f"{self._prefix}/.probe")
            try:
                async with client.open(name, "wb") as file:
                    await file.write(b"\n")
            except asyncssh.Error:
                with contextlib.suppress(asyncssh.Error):  # on a full disk a name is made, and nothing in it
                    await client.remove(name)
                raise
            await client.remove(name)

    async def _place(self, parcel: Parcel) -> None:
        client = await self._connected()
        name = self._path(parcel.key)
        if parcel.is_retry and await client.exists(name):
            return
        await self._make(client, posixpath.dirname(name))
        part = name + PART
        try:
            await self._send(client, part, parcel)
        except asyncssh.SFTPFailure as error:
            await self._is_full(client, part, parcel.size, error)
            raise
        if await self._digest(client, part, parcel) != (parcel.size, parcel.sha256):
            await client.remove(part)
            raise Fault(Why.CUT, f"{self.name}: {part} was not what was sent")
        if await self._name(client, part, name):
            self._verified = name
            parcel.is_stored = True

    async def _send(self, client: asyncssh.SFTPClient, part: str, parcel: Parcel) -> None:
        """The bytes that are not there yet, and down to the server's disk."""
        have = await self._size(client, part) if parcel.is_retry else 0
        have = have if have <= parcel.size else 0
        async with client.open(part, "r+b" if have else "wb") as file:
            at, chunks = have, parcel.chunks(have)
            while chunk := await asyncio.to_thread(next, chunks, b""):
                for piece in range(0, len(chunk), self._block):
                    began = asyncio.get_running_loop().time()
                    await file.write(chunk[piece : piece + self._block], at + piece)
                    self._adapt(asyncio.get_running_loop().time() - began)
                at += len(chunk)
            if self._syncs:
                try:
                    await file.fsync()
                except asyncssh.SFTPOpUnsupported:
                    self._syncs = False

    def _adapt(self, seconds: float) -> None:
        """Pieces so long that a sign of life never waits behind one for more than a few seconds."""
        if seconds > self._answer_seconds / 10:
            self._block = max(LEAST_BLOCK_BYTES, self._block // 4)
        elif seconds < self._answer_seconds / 40:
            self._block = min(MOST_BLOCK_BYTES, self._block * 2)

    async def _is_full(self, client: asyncssh.SFTPClient, part: str, size: int, error: Exception) -> None:
        """Version 3 of the protocol has one word for all failures: is there space?"""
        with contextlib.suppress(asyncssh.Error):
            found = await client.statvfs(posixpath.dirname(part) or ".")
            if found.bavail * found.frsize < size + SPARE_BYTES:
                raise Fault(Why.FULL, self.name) from error

    async def _verify(self, parcel: Parcel) -> str:
        client = await self._connected()
        name = self._path(parcel.key)
        place = f"sftp://{self._target.host}/{name.lstrip('/')}"
        if self._verified == name and await self._size(client, name) == parcel.size:
            return place  # read back a moment ago, before it got its name
        try:
            found = await self._digest(client, name, parcel)
        except asyncssh.SFTPNoSuchFile as error:
            raise Fault(Why.MANGLED, f"{self.name}: {name} is gone again") from error
        if found != (parcel.size, parcel.sha256):
            raise Fault(Why.MANGLED if parcel.is_ours else Why.FOREIGN, f"{self.name}: {name}")
        return place

    async def _erase(self, keys: list[str]) -> list[str]:
        client = await self._connected()
        for key in keys:
            for name in (self._path(key), self._path(key) + PART):
                with contextlib.suppress(asyncssh.SFTPNoSuchFile):
                    await client.remove(name)
        return []

    # Files ------------------------------------------------------------------------------------------------------------

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if self._root else key

    async def _size(self, client: asyncssh.SFTPClient, name: str) -> int:
        try:
            return (await client.stat(name)).size or 0
        except asyncssh.SFTPNoSuchFile:
            return 0

    async def _make(self, client: asyncssh.SFTPClient, folder: str) -> None:
        if folder in self._folders or not folder:
            return
        await client.makedirs(folder, exist_ok=True)
        self._folders.add(folder)

    async def _digest(self, client: asyncssh.SFTPClient, name: str, parcel: Parcel) -> tuple[int, str]:
        digest, size = hashlib.sha256(), 0
        async with client.open(name, "rb") as file:
            while True:
                began = asyncio.get_running_loop().time()
                chunk = cast("bytes", await file.read(self._block))
                self._adapt(asyncio.get_running_loop().time() - began)
                if not chunk:
                    return size, digest.hexdigest()
                digest.update(chunk)
                size += len(chunk)
                parcel.read_bytes += len(chunk)

    async def _name(self, client: asyncssh.SFTPClient, part: str, name: str) -> bool:
        """The last step: verified bytes get their name. What lies there already stays; whether nothing did."""
        if await client.exists(name):
            await client.remove(part)
            return False
        try:
            await client.rename(part, name)  # SFTP's own never replaces
        except asyncssh.SFTPFailure:
            if not await client.exists(name):
                raise
            return False
        return True

    async def _write_small(self, client: asyncssh.SFTPClient, name: str, content: bytes, *, replaces: bool) -> None:
        beside = f"{name}{PART}"
        async with client.open(beside, "wb") as file:
            await file.write(content)
        if replaces:
            await client.posix_rename(beside, name)
        else:
            await self._name(client, beside, name)

    # Connection -------------------------------------------------------------------------------------------------------

    async def _connected(self) -> asyncssh.SFTPClient:
        loop = asyncio.get_running_loop()
        if self._client is not None and loop.time() - self._used_at < KEPT_SECONDS:
            self._used_at = loop.time()
            return self._client
        await self._hang_up()
        self._connection = await asyncssh.connect(
            self._target.host,
            self._port,
            username=self._target.user,
            known_hosts=self._host_keys,
            config=None,
            agent_path=None,
            connect_timeout=self._answer_seconds,
            login_timeout=self._answer_seconds,
            keepalive_interval=self._answer_seconds,
            keepalive_count_max=1,
            **self._login,
        )
        self._client = await self._connection.start_sftp_client()
        self._used_at = loop.time()
        return self._client

    async def _hang_up(self) -> None:
        self._folders.clear()
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.abort()
            await connection.wait_closed()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs ``work`` in the adapter's loop; what the server or the line do to it becomes a Fault."""
        try:
            return self._runner.run(work)
        except Fault:
            raise
        except (asyncssh.Error, OSError, TimeoutError, EOFError) as error:
            self._drop()
            raise _fault(error, self.name, self._answer_seconds) from error

    def _drop(self) -> None:
        self._runner.run(self._hang_up())


def _fault(error: Exception, name: str, seconds: float) -> Fault:
    detail = f"{name}: {str(error) or type(error).__name__}"
    match error:
        case asyncssh.HostKeyNotVerifiable():
            why = Why.HOST_KEY
        case asyncssh.PermissionDenied() | asyncssh.SFTPPermissionDenied() | asyncssh.SFTPWriteProtect():
            why = Why.DENIED
        case asyncssh.SFTPNoSuchFile() | asyncssh.SFTPNoSuchPath():
            why = Why.GONE
        case asyncssh.SFTPNoSpaceOnFilesystem() | asyncssh.SFTPQuotaExceeded():
            why = Why.FULL
        case asyncssh.ConnectionLost() if "keepalive" in str(error):
            why = Why.SILENT
        case asyncssh.SFTPConnectionLost() | asyncssh.SFTPNoConnection() | asyncssh.ConnectionLost() | EOFError():
            why = Why.CUT
        case asyncssh.SFTPFailure():
            why = Why.FAILING  # version 3 has no other word for a full disk
        case asyncssh.SFTPError():
            why = Why.UNEXPECTED
        case asyncssh.DisconnectError():
            why = Why.CUT
        case TimeoutError():
            why, detail = Why.SILENT, f"{name}: {seconds:g} s"
        case ConnectionResetError() | BrokenPipeError():
            why = Why.CUT
        case OSError(errno=errno.ENOSPC):
            why = Why.FULL
        case OSError():
            why = Why.UNREACHABLE
        case _:
            why = Why.UNEXPECTED
    return Fault(why, detail)
