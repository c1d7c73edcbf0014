"""One kept connection to an HTTP server, with what the adapters need to know of it: faults by name, and its clock.

TLS is checked against the system's authorities, or against one that is pinned (``ca``) and no other. A box without a
battery clock may find every certificate not yet valid. Where the authority is pinned, or our clock is older than the
box, chain and name are checked without the time, the server says what time it is (``Date``), and its certificate must
be valid then: an ended certificate stays refused. ``skew_seconds`` is what to add to our clock to have the server's.

Everything is sent in pieces, because a socket's time-out is per call: a slow server is waited for, a silent one is not.
"""

from __future__ import annotations

import contextlib
import email.utils
import fcntl
import http.client
import socket
import ssl
import sys
import termios
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from appliance.sync.faults import Fault, Why

PIECE_BYTES = 8 << 10
READ_BYTES = 64 << 10
DRAIN_SECONDS = 0.002
IDLE_SECONDS = 4.0  # servers close kept connections after five seconds and more
MADE_UTC_MS = 1_767_225_600_000  # 2026-01-01: a clock before it is not set
SKEW_SECONDS = 60.0  # smaller differences are not corrected
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME (OpenSSL, x509_vfy.h)
_TIME_CODES = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Answer:
    """``headers`` by lower-case names. Read it to its end before the next request."""

    status: int
    headers: dict[str, str]
    _response: http.client.HTTPResponse
    _server: Https

    def read(self, count: int | None = None) -> bytes:
        """What comes next, b"" at the end; Fault where the server goes or falls silent."""
        with self._server.faults("reading"):
            return self._response.read(count) if count is not None else self._response.read()

    def chunks(self) -> Iterator[bytes]:
        while chunk := self.read(READ_BYTES):
            yield chunk
        if self._response.length:  # http.client says nothing where a counted body ends early
            self._server.close()
            raise Fault(Why.CUT, f"{self._server.name}: {self._response.length} bytes are missing")

    def drop(self) -> None:
        """Reads the rest away, if it is short."""
        if (self._response.length or 0) > READ_BYTES:
            self._server.close()
        else:
            self.read()


class Https:
    """``url`` names scheme, host and port; its path is the caller's affair."""

    def __init__(self, url: str, ca: str, answer_seconds: float, utc_ms: Callable[[], int] = wall_ms) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._is_tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._ca = ca
        self._answer_seconds = answer_seconds
        self._utc_ms = utc_ms
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0
        self._ignores_time = False
        self.skew_seconds = 0.0
        self.name = f"{self._host}:{self._port}"

    def corrected_seconds(self) -> float:
        """UTC seconds by the server's clock, where it differs from ours."""
        return self._utc_ms() / 1000 + self.skew_seconds

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Iterable[bytes] = (),
        length: int | None = None,
    ) -> Answer:
        """The answer, whatever its status; Fault where there is none."""
        connection = self._connected()
        try:
            with self.faults("asking"):
                connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
                given = {name.lower() for name in headers}
                if "host" not in given:
                    connection.putheader("Host", self._host_header())
                for name, value in headers.items():
                    connection.putheader(name, value)
                if length is not None and "content-length" not in given:
                    connection.putheader("Content-Length", str(length))
                connection.endheaders()
            self._send(connection, body)
            with self.faults("waiting"):
                response = connection.getresponse()
        except BaseException:
            self.close()
            raise
        answered = {name.lower(): value for name, value in response.getheaders()}
        self._learn(answered.get("date", ""))
        self._used_at = time.monotonic()
        return Answer(response.status, answered, response, self)

    def learn_clock(self) -> None:
        """Asks for the time before anything is signed."""
        self.request("HEAD", "/", {}).drop()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def faults(self, doing: str) -> Iterator[None]:
        """What network and TLS raise, by name; the connection is not used any more then."""
        try:
            yield
        except TimeoutError as error:
            self.close()
            raise Fault(Why.SILENT, f"{self.name}: {self._answer_seconds:g} s, {doing}") from error
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise Fault(Why.CERTIFICATE, f"{self.name}: {error.verify_message}") from error
        except (ConnectionError, ssl.SSLError, http.client.HTTPException) as error:
            self.close()
            raise Fault(Why.CUT, f"{self.name}: {doing}: {_said(error)}") from error
        except OSError as error:
            self.close()
            raise Fault(Why.UNREACHABLE, f"{self.name}: {_said(error)}") from error

    # ------------------------------------------------------------------------------------------------------------------

    def _send(self, connection: http.client.HTTPConnection, body: Iterable[bytes]) -> None:
        """Sends in pieces; a server that answers and hangs up before the end is listened to."""
        assert connection.sock is not None
        try:
            for chunk in body:
                view = memoryview(chunk)
                while view:
                    view = view[connection.sock.send(view[:PIECE_BYTES]) :]
            self._drain(connection.sock)
        except TimeoutError as error:
            raise Fault(Why.SILENT, f"{self.name}: takes nothing for {self._answer_seconds:g} s") from error
        except (ConnectionError, ssl.SSLError):
            return  # its answer, if there is one, says more

    def _drain(self, line: socket.socket) -> None:
        """Waits until the kernel has passed on what it took: a slow line must not look like a silent server."""
        left, since = -1, time.monotonic()
        while (now_left := _queued(line)) > 0:
            if now_left != left:
                left, since = now_left, time.monotonic()
            elif time.monotonic() - since > self._answer_seconds:
                raise TimeoutError
            time.sleep(DRAIN_SECONDS)

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is not None and time.monotonic() - self._used_at < IDLE_SECONDS:
            return self._connection
        self.close()
        try:
            self._connection = self._connect(self._ignores_time)
        except ssl.SSLCertVerificationError as error:
            if error.verify_code not in _TIME_CODES or not self._may_ask_time():
                why = (
                    Why.CLOCK if self._utc_ms() < MADE_UTC_MS and error.verify_code in _TIME_CODES else Why.CERTIFICATE
                )
                raise Fault(why, f"{self.name}: {error.verify_message}") from error
            self._connection = self._by_their_time()
        self._used_at = time.monotonic()
        return self._connection

    def _connect(self, ignores_time: bool) -> http.client.HTTPConnection:
        if self._is_tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._answer_seconds, context=self._context(ignores_time)
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._answer_seconds)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError:
            raise
        except TimeoutError as error:
            raise Fault(Why.SILENT, f"{self.name}: {self._answer_seconds:g} s, connecting") from error
        except (ssl.SSLError, ConnectionResetError) as error:
            raise Fault(Why.CUT, f"{self.name}: connecting: {_said(error)}") from error
        except OSError as error:
            raise Fault(Why.UNREACHABLE, f"{self.name}: {_said(error)}") from error
        assert connection.sock is not None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ignores_time:
            self._check_period(connection)
        return connection

    def _context(self, ignores_time: bool) -> ssl.SSLContext:
        if self._ca and not Path(self._ca).is_file():
            raise Fault(Why.CERTIFICATE, f"{self._ca} is not there")
        try:
            context = ssl.create_default_context(cafile=self._ca or None)
        except (ssl.SSLError, OSError) as error:
            raise Fault(Why.CERTIFICATE, f"{self._ca}: {_said(error)}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._ca:  # `openssl req -x509` makes authorities without key usage, which Python 3.13 would refuse
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if ignores_time:
            context.verify_flags |= _NO_CHECK_TIME
        return context

    def _may_ask_time(self) -> bool:
        return bool(self._ca) or self._utc_ms() < MADE_UTC_MS

    def _by_their_time(self) -> http.client.HTTPConnection:
        """A connection whose certificate is valid at the time that the server says; Fault where it is not."""
        connection = self._connect_unchecked()
        with self.faults("asking for the time"):
            connection.request("HEAD", "/")
            response = connection.getresponse()
            response.read()
        if not self._learn(response.getheader("date", "")):
            raise Fault(Why.CLOCK, f"{self.name}: its certificate is not valid by our clock, and it says no time")
        self._check_period(connection)
        self._ignores_time = True
        connection.close()
        return self._connect(ignores_time=True)

    def _connect_unchecked(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=self._answer_seconds, context=self._context(ignores_time=True)
        )
        with self.faults("connecting"):
            connection.connect()
        return connection

    def _check_period(self, connection: http.client.HTTPConnection) -> None:
        """Chain and name are right; is the certificate valid by the corrected clock?"""
        assert isinstance(connection.sock, ssl.SSLSocket)
        found = connection.sock.getpeercert() or {}
        since, until = (ssl.cert_time_to_seconds(str(found.get(name))) for name in ("notBefore", "notAfter"))
        if not since <= self.corrected_seconds() <= until:
            connection.close()
            raise Fault(Why.CERTIFICATE, f"{self.name}: valid until {found.get('notAfter')}")

    def _learn(self, date: str) -> bool:
        """Takes the server's time from its Date header; whether there was one."""
        try:
            theirs = email.utils.parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError, OverflowError):
            return False
        skew = theirs - self._utc_ms() / 1000
        self.skew_seconds = skew if abs(skew) > SKEW_SECONDS else 0.0
        return True

    def _host_header(self) -> str:
        usual = 443 if self._is_tls else 80
        host = f"[{self._host}]" if ":" in self._host else self._host
        return host if self._port == usual else f"{host}:{self._port}"


def _queued(line: socket.socket) -> int:
    """Bytes that the other side has not acknowledged (tcp(7), SIOCOUTQ)."""
    answer = fcntl.ioctl(line.fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(answer, sys.byteorder)


def _said(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a server asks to wait, at most an hour; 0 where it asks for none."""
    value = headers.get("retry-after", "")
    return min(float(value), 3600.0) if value.isascii() and value.isdigit() else 0.0
