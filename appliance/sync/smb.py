"""A Windows share, spoken to directly (SMB 2 and 3): nothing is mounted, and a server that is away blocks nothing.

Signing is required, so that nobody in between can change what is written; a share that allows encryption gets it.
Written beside, flushed to the server's disk, read back, renamed without replacing.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import smbclient
from smbprotocol.exceptions import (
    LogonFailure,
    SMBAuthenticationError,
    SMBConnectionClosed,
    SMBException,
    SMBOSError,
    SMBResponseException,
)

from appliance.sync.faults import Fault, Why
from appliance.sync.port import MARKER, Marker, Parcel, Remark, marker_from
from appliance.sync.settings import Target

LEAST_BLOCK_BYTES, MOST_BLOCK_BYTES = 4 << 10, 256 << 10
PART = ".part"

_OF_ERRNO = {
    errno.ENOENT: Why.GONE, errno.ENOTDIR: Why.GONE, errno.EACCES: Why.DENIED, errno.EPERM: Why.DENIED,
    errno.ENOSPC: Why.FULL, errno.EROFS: Why.DENIED,
}  # fmt: skip
_OF_STATUS = {
    0xC000007F: Why.FULL,  # STATUS_DISK_FULL
    0xC0000044: Why.FULL,  # STATUS_QUOTA_EXCEEDED
    0xC00000CC: Why.GONE,  # STATUS_BAD_NETWORK_NAME
    0xC0000022: Why.DENIED,  # STATUS_ACCESS_DENIED
    0xC000006D: Why.DENIED,  # STATUS_LOGON_FAILURE
    0xC0000072: Why.DENIED,  # STATUS_ACCOUNT_DISABLED
    0xC0000203: Why.CUT,  # STATUS_USER_SESSION_DELETED
    0xC00000C9: Why.GONE,  # STATUS_NETWORK_NAME_DELETED
}


class Smb:
    """``secret`` is the password of ``user``."""

    def __init__(self, target: Target, prefix: str, secret: str, answer_seconds: float) -> None:
        self._target = target
        self._prefix = prefix
        self._secret = secret
        self._answer_seconds = answer_seconds
        self._port = target.port or 445
        self.name = f"{target.host}:{self._port}"
        parts = (target.host, target.share, target.folder.strip("/").replace("/", "\\"))
        self._root = r"\\" + "\\".join(part for part in parts if part)
        self._cache: dict[str, Any] = {}
        self._block = LEAST_BLOCK_BYTES
        self._due: float | None = None  # until then the server must have answered
        self._was_cut_off = False
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name=f"watch {self.name}", daemon=True).start()
        self._folders: set[str] = set()
        self._verified = ""

    # The port ---------------------------------------------------------------------------------------------------------

    def greet(self, marker: Marker, *, was_here: bool = False, takes_over: bool = False) -> Marker:
        with self._faults():
            self._connect()
            if not self._call("path.isdir", self._root):
                raise Fault(Why.GONE, f"{self.name}: {self._root}")
            name = self._path(f"{self._prefix}/{MARKER}")
            if self._exists(name) and not takes_over:
                return marker_from(self._content(name))
            if was_here and not takes_over:
                raise Fault(Why.GONE, f"{self.name}: {name} is not there any more")
            self._make(name.rpartition("\\")[0])
            if takes_over and self._exists(name):
                self._call("remove", name)
            self._write(name, iter((marker.packed(),)))
            return marker_from(self._content(name))

    def probe(self, *, writes: bool) -> None:
        with self._faults():
            self._connect()
            if not self._exists(self._path(f"{self._prefix}/{MARKER}")):
                raise Fault(Why.GONE, f"{self.name}: {MARKER} is not there")
            if writes:
                name = self._path(f"{self._prefix}/.probe")
                try:
                    with self._open(name, "wb") as file:
                        file.write(b"\n")
                except OSError:
                    with contextlib.suppress(OSError):  # on a full disk a name is made, and nothing in it
                        self._call("remove", name)
                    raise
                self._call("remove", name)

    def place(self, parcel: Parcel) -> None:
        with self._faults():
            self._connect()
            name = self._path(parcel.key)
            if self._exists(name):
                return
            self._make(name.rpartition("\\")[0])
            self._write(name, parcel.chunks(), parcel)
            self._verified = name
            parcel.is_stored = True

    def verify(self, parcel: Parcel) -> str:
        name = self._path(parcel.key)
        place = f"smb:{name}".replace("\\", "/")
        with self._faults():
            self._connect()
            if self._verified == name and self._call("stat", name).st_size == parcel.size:
                return place  # read back a moment ago, before it got its name
            if not self._exists(name):
                raise Fault(Why.MANGLED, f"{self.name}: {name} is gone again")
            if self._digest(name, parcel) != (parcel.size, parcel.sha256):
                raise Fault(Why.MANGLED if parcel.is_ours else Why.FOREIGN, f"{self.name}: {name}")
        return place

    def sweep(self, keep: frozenset[str]) -> None:  # noqa: ARG002 - a half-written file is written over
        return

    def erase(self, keys: list[str]) -> list[str]:
        with self._faults():
            self._connect()
            for key in keys:
                for name in (self._path(key), self._path(key) + PART):
                    if self._exists(name):
                        self._call("remove", name)
        return []

    def remarks(self) -> list[Remark]:
        return []

    def close(self) -> None:
        """For good: another adapter is made for what comes after."""
        self._closed.set()
        self._drop()

    # Files ------------------------------------------------------------------------------------------------------------

    def _path(self, key: str) -> str:
        return self._root + "\\" + key.replace("/", "\\")

    def _exists(self, name: str) -> bool:
        return bool(self._call("path.exists", name))

    def _make(self, folder: str) -> None:
        if folder not in self._folders:
            self._call("makedirs", folder, exist_ok=True)
            self._folders.add(folder)

    def _write(self, name: str, chunks: Iterator[bytes], parcel: Parcel | None = None) -> None:
        beside = name + PART
        with self._open(beside, "wb") as file:
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    began = self._step()
                    view = view[file.write(view[: self._block]) :]
                    self._adapt(began)
            self._step()
            file.fd.flush()  # SMB2 FLUSH: to the server's disk
        if parcel is not None and self._digest(beside, parcel) != (parcel.size, parcel.sha256):
            self._call("remove", beside)
            raise Fault(Why.CUT, f"{self.name}: {beside} was not what was sent")
        self._call("rename", beside, name)  # never replaces

    def _content(self, name: str) -> bytes:
        with self._open(name, "rb") as file:
            return bytes(file.read())

    def _digest(self, name: str, parcel: Parcel) -> tuple[int, str]:
        digest, size = hashlib.sha256(), 0
        with self._open(name, "rb") as file:
            while True:
                began = self._step()
                chunk = file.read(self._block)
                self._adapt(began)
                if not chunk:
                    return size, digest.hexdigest()
                digest.update(chunk)
                size += len(chunk)
                parcel.read_bytes += len(chunk)

    def _step(self) -> float:
        """Something is asked of the server now; it has its time from here on."""
        now = time.monotonic()
        self._due = now + self._answer_seconds
        return now

    def _adapt(self, began: float) -> None:
        """Pieces of such a length that a line that crawls still moves one in time."""
        seconds = time.monotonic() - began
        if seconds > self._answer_seconds / 10:
            self._block = max(LEAST_BLOCK_BYTES, self._block // 4)
        elif seconds < self._answer_seconds / 40:
            self._block = min(MOST_BLOCK_BYTES, self._block * 2)

    @contextlib.contextmanager
    def _open(self, name: str, mode: str) -> Iterator[Any]:
        self._step()
        file = smbclient.open_file(
            name, mode=mode, buffering=0, share_access="r", port=self._port, connection_cache=self._cache
        )
        try:
            yield file
            file.close()
        except BaseException:
            with contextlib.suppress(Exception):  # over a line that is gone nothing can be closed
                file.close()
            file.fd._connected = False  # the library's own mark: the handle ended with the line
            raise

    def _call(self, what: str, *arguments: str, **options: Any) -> Any:
        self._step()
        function: Any = smbclient
        for part in what.split("."):
            function = getattr(function, part)
        return function(*arguments, port=self._port, connection_cache=self._cache, **options)

    # Connection -------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """The library waits for ever: a server that is silent for too long has its line taken away."""
        while not self._closed.wait(self._answer_seconds / 4):
            due = self._due
            if due is not None and time.monotonic() > due:
                self._was_cut_off, self._due = True, None
                for connection in list(self._cache.values()):
                    with contextlib.suppress(OSError, AttributeError):
                        connection.transport._sock.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> None:
        self._step()
        smbclient.register_session(
            self._target.host,
            username=self._target.user,
            password=self._secret,
            port=self._port,
            connection_timeout=max(1, round(self._answer_seconds)),
            connection_cache=self._cache,
            require_signing=True,
            auth_protocol="ntlm",
        )

    def _drop(self) -> None:
        self._folders.clear()
        self._verified = ""
        cache, self._cache = self._cache, {}
        for connection in cache.values():
            with contextlib.suppress(OSError, AttributeError):  # else closing waits for a server that may be silent
                connection.transport._sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(Exception):  # the connection may be gone already
            smbclient.reset_connection_cache(fail_on_error=False, connection_cache=cache)

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except Fault:
            raise
        except (SMBException, OSError, ValueError) as error:
            was_cut_off, self._was_cut_off, self._due = self._was_cut_off, False, None
            self._drop()
            if was_cut_off:
                raise Fault(Why.SILENT, f"{self.name}: {self._answer_seconds:g} s") from error
            raise _fault(error, self.name) from error
        finally:
            self._due = None


def _fault(error: Exception, name: str) -> Fault:
    detail = f"{name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    match error:
        case LogonFailure() | SMBAuthenticationError():
            why = Why.DENIED
        case SMBOSError():
            why = _OF_STATUS.get(error.ntstatus, _OF_ERRNO.get(error.errno or 0, Why.UNEXPECTED))
        case SMBResponseException():
            why = _OF_STATUS.get(error.status, Why.UNEXPECTED)
        case SMBException() if "timeout" in str(error):
            why = Why.SILENT
        case SMBConnectionClosed() | ConnectionError() if not isinstance(error, ConnectionRefusedError):
            why = Why.CUT
        case TimeoutError() | socket.timeout():
            why = Why.SILENT
        case ValueError() | OSError():  # the library's word for a server that it cannot connect to
            why = Why.SILENT if "timed out" in str(error) else Why.UNREACHABLE
        case _:
            why = Why.UNEXPECTED
    return Fault(why, detail)
