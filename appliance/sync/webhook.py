"""A webhook: one HTTPS request per record, CloudEvents 1.0 in JSON inside a Standard Webhooks envelope.

``webhook-id`` is the event's id and the same in each try, so that a receiver can drop repeats (a kill between answer
and note repeats one); the timestamp is that of the try; the signature is HMAC-SHA256 over ``id.timestamp.body``. Any
2xx answer is the receipt: there is nothing to read back, which is why no recording ever goes this way. 410 switches
the target off, as the standard asks. The key is never in a log: a url may hold one, so only its host is named.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from appliance.errors import Problem
from appliance.sync.faults import Fault, Why
from appliance.sync.https import Https, retry_after, wall_ms
from appliance.sync.port import Marker, Parcel, Remark
from appliance.sync.settings import Target


class Webhook:
    """``secret`` is ``whsec_`` and base64, as the standard writes it."""

    def __init__(self, target: Target, secret: str, answer_seconds: float, utc_ms: Callable[[], int] = wall_ms) -> None:
        try:
            self._key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise Problem("sync.secret_form", target=target.name, kind=target.kind) from error
        if not secret.startswith("whsec_") or len(self._key) < 16:
            raise Problem("sync.secret_form", target=target.name, kind=target.kind)
        parts = urlsplit(target.url)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._server = Https(target.url, target.ca, answer_seconds, utc_ms)

    def greet(self, marker: Marker, *, was_here: bool = False, takes_over: bool = False) -> Marker:  # noqa: ARG002 - a receiver keeps no marker
        self._server.learn_clock()
        return marker

    def probe(self, *, writes: bool) -> None:  # noqa: ARG002 - nothing is written for nothing
        self._server.close()  # a new connection, so that its certificate is looked at
        answer = self._server.request("HEAD", "/", {})
        answer.drop()
        if answer.status >= 500:
            raise Fault(Why.FAILING, f"{self._server.name}: {answer.status}")

    def place(self, parcel: Parcel) -> None:
        body = parcel.source if isinstance(parcel.source, bytes) else parcel.source.read_bytes()
        identity = str(json.loads(body)["id"])
        stamp = str(int(self._server.corrected_seconds()))
        headers = {
            "content-type": "application/cloudevents+json; charset=utf-8",
            "user-agent": "pasokh",
            "webhook-id": identity,
            "webhook-timestamp": stamp,
            "webhook-signature": sign(self._key, identity, stamp, body),
        }
        answer = self._server.request("POST", self._path, headers, parcel.chunks(), len(body))
        answer.drop()
        _judge(self._server.name, answer.status, answer.headers)

    def verify(self, parcel: Parcel) -> str:  # noqa: ARG002 - its answer was the receipt
        return self._server.name

    def sweep(self, keep: frozenset[str]) -> None:  # noqa: ARG002 - nothing is left half sent
        return

    def erase(self, keys: list[str]) -> list[str]:  # noqa: ARG002 - no recordings come here
        return []

    def remarks(self) -> list[Remark]:
        if not self._server.skew_seconds:
            return []
        return [Remark("sync.skew", {"seconds": round(self._server.skew_seconds)})]

    def close(self) -> None:
        self._server.close()


def sign(key: bytes, identity: str, stamp: str, body: bytes) -> str:
    """The signature of Standard Webhooks (v1, symmetric)."""
    digest = hmac.digest(key, f"{identity}.{stamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def _judge(name: str, status: int, headers: Mapping[str, str]) -> None:
    """Returns for an answer that is a receipt."""
    if 200 <= status < 300:
        return
    why = {
        401: Why.DENIED, 403: Why.DENIED, 404: Why.GONE, 408: Why.SILENT, 410: Why.DISABLED, 413: Why.REJECTED,
        400: Why.REJECTED, 422: Why.REJECTED, 429: Why.BUSY, 503: Why.BUSY, 507: Why.FULL,
    }.get(status, Why.FAILING if status >= 500 else Why.UNEXPECTED)  # fmt: skip
    raise Fault(why, f"{name}: {status}", retry_after_seconds=retry_after(headers))
