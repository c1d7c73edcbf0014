"""An HTTP server that misbehaves on purpose: alone it takes webhooks, or it stands before a real server and spoils it.

``rule`` sees each request and may answer for the server: a status with a body, a spoiled body, another Date; None lets
it pass. What was asked is kept in ``seen``.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass
class Seen:
    """A request; ``at`` is monotonic."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)
    status: int = 0


@dataclass
class Instead:
    """What is answered in the server's place; ``spoils`` changes the body that the server gave; None leaves it."""

    status: int = 0  # 0: the server's own answer
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    spoils: Callable[[bytes], bytes] | None = None


Rule = Callable[[Seen], Instead | None]


class BadHttp:
    """``behind`` is the port of the real server; without one every request is answered 204."""

    def __init__(self, behind: int = 0, *, certificate: Path | None = None, address: str = "127.0.0.1") -> None:
        self.seen: list[Seen] = []
        self.rule: Rule = lambda _seen: None
        self.date: str | None = ""  # "": the right one; None: none at all
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (ConnectionError, ssl.SSLError, TimeoutError):
                    self.close_connection = True

            def do_GET(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                request = Seen(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
                outer.seen.append(request)
                status, headers, body = outer._answer(request, behind)
                request.status = status
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        for method in ("HEAD", "PUT", "POST", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.do_GET)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                return  # a client that went away

        self._server = Server((address, 0), Handler)
        self.port = self._server.server_port
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def show(self, certificate: Path) -> None:
        """Another certificate from the next connection on."""
        assert self._tls is not None
        self._tls.load_cert_chain(certificate)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def stored(self) -> list[str]:
        """Names that were written with success, one for each time."""
        return [one.path.partition("?")[0] for one in self.seen if one.method in ("PUT", "POST") and one.status < 300]

    def _answer(self, request: Seen, behind: int) -> tuple[int, dict[str, str], bytes]:
        instead = self.rule(request)
        headers: dict[str, str] = {}
        if self.date is not None:
            headers["Date"] = self.date or time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        if instead is not None and instead.status:
            return instead.status, headers | instead.headers, instead.body
        if not behind:
            return 204, headers, b""
        connection = http.client.HTTPConnection("127.0.0.1", behind, timeout=30)
        try:
            connection.request(request.method, request.path, request.body or None, request.headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        hidden = ("content-length", "transfer-encoding", "date", "connection")
        headers |= {name: value for name, value in answer.getheaders() if name.lower() not in hidden}
        if instead is not None and instead.spoils is not None:
            body = instead.spoils(body)
        if request.method == "HEAD":
            headers["X-Length"] = answer.getheader("content-length", "0")
        return answer.status, headers, body
