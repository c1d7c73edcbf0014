"""S3-compatible storage. boto3 writes, signs and reads the protocol; the bytes travel over our own connection.

An object is written once: ``If-None-Match: *`` on PUT and on CompleteMultipartUpload, and what lies there already is
settled by reading it back. Above ``PART_BYTES`` it goes in parts, whose upload goes on after a kill or a cut by asking
the server which parts it has. Body and seal can be locked (``lock_days``); the head never is, since erasing it is what
erases a recording. Servers that know no conditions, no checksums or no lock are found out at the greeting, and work.

Requests are signed by the server's clock (``https.skew_seconds``): boto3 does not correct itself.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import boto3
import botocore.auth
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from appliance.errors import Problem
from appliance.sync.content import read_back
from appliance.sync.faults import Fault, Why
from appliance.sync.https import Answer, Https, retry_after, wall_ms
from appliance.sync.port import CHUNK_BYTES, MARKER, Marker, Parcel, Remark, marker_from
from appliance.sync.settings import Target
from appliance.sync.units import Kind

PART_BYTES = 5 << 20  # the least that S3 takes as a part
THERE = (409, 412)  # somebody was first, perhaps we ourselves: settled by reading back
_FULL = frozenset({"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "EntityQuotaExceeded", "NoSpaceLeft"})
_MANGLED = frozenset({"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"})
_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_server_time = threading.local()


class _Signer(botocore.auth.S3SigV4Auth):  # type: ignore[misc] # ships no types
    """Signs by the clock of the server that this thread speaks to, and reads no body twice to know its digest."""

    def _modify_request_before_signing(self, request: Any) -> None:
        seconds = getattr(_server_time, "seconds", None)
        if seconds is not None:
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds())
            request.context["timestamp"] = moment.strftime(botocore.auth.SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)

    def payload(self, request: Any) -> str:
        body = request.body
        return body.sha256 if isinstance(body, _Body) else str(super().payload(request))


botocore.auth.AUTH_TYPE_MAPS["s3v4"] = _Signer


class _Body:
    """A stretch of a parcel as boto3 wants to see it; what leaves goes through ``paced``."""

    def __init__(self, parcel: Parcel, start: int, length: int, sha256: str) -> None:
        self._parcel, self._start, self._length, self.sha256 = parcel, start, length, sha256
        self._file: BinaryIO | None = None
        self._at = 0

    def __len__(self) -> int:
        return self._length

    def read(self, count: int = -1) -> bytes:  # boto3 asks only whether it is there
        self._file = self._file or self._parcel.open()
        self._file.seek(self._start + self._at)
        left = self._length - self._at
        chunk = self._file.read(left if count < 0 else min(count, left))
        self._at += len(chunk)
        return chunk

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0 if whence == 0 else self._at if whence == 1 else self._length)
        return self._at

    def tell(self) -> int:
        return self._at

    def paced(self) -> Iterator[bytes]:
        return self._parcel.chunks(self._start, self._length)


class _Raw:
    """An answer as boto3 reads it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def read(self, amt: int | None = None, **_: object) -> bytes:
        return self._answer.read(amt)

    def stream(self, amt: int = CHUNK_BYTES, **_: object) -> Iterator[bytes]:  # noqa: ARG002 - boto3's name
        yield from self._answer.chunks()

    def close(self) -> None:
        return


class S3:
    """``secret`` holds two lines: access key and secret key."""

    def __init__(
        self, target: Target, prefix: str, secret: str, answer_seconds: float, utc_ms: Callable[[], int] = wall_ms
    ) -> None:
        keys = secret.split()
        if len(keys) != 2:
            raise Problem("sync.secret_form", target=target.name, kind=target.kind)
        self._target = target
        self._bucket = target.bucket
        self._prefix = prefix
        self._server = Https(target.url, target.ca, answer_seconds, utc_ms)
        self._has_conditions = True
        self._has_checksums = True
        self._locks = bool(target.lock_days)
        self._remarks: dict[str, Remark] = {}
        self._client = boto3.client(
            "s3",
            endpoint_url=target.url,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            region_name=target.region,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1, "mode": "standard"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                parameter_validation=False,
            ),
        )
        self._client.meta.events.register("before-send.s3", self._carry)

    # The port ---------------------------------------------------------------------------------------------------------

    def greet(self, marker: Marker, *, was_here: bool = False, takes_over: bool = False) -> Marker:  # noqa: ARG002 - a bucket that was made anew is greeted anew
        self._server.learn_clock()
        key = f"{self._prefix}/{MARKER}"
        found = None if takes_over else self._content(key)
        if found is None:
            self._ask("head_bucket")  # some servers make a bucket at the first write
            conditions = {} if takes_over else {"IfNoneMatch": "*"}
            with self._settling(None):
                self._ask("put_object", Key=key, Body=marker.packed(), **conditions)
            found = self._content(key)
        if found is None:
            raise Fault(Why.UNEXPECTED, f"{key} was written and is not there")
        if marker_from(found) == marker:
            self._find_out(key, found)
        return marker_from(found)

    def probe(self, *, writes: bool) -> None:
        # Read, not asked for by HEAD: only an answer with a body says why it is none.
        if self._content(f"{self._prefix}/{MARKER}") is None:
            raise Fault(Why.GONE, f"{self._server.name}: {MARKER} is not there any more")
        if writes:
            key = f"{self._prefix}/probe"
            self._ask("put_object", Key=key, Body=b"\n")
            self._ask("delete_object", Key=key)

    def place(self, parcel: Parcel) -> None:
        if (parcel.is_retry or not self._has_conditions) and self._is_there(parcel.key):
            return
        if parcel.size <= PART_BYTES:
            self._put(parcel)
        else:
            self._put_in_parts(parcel)

    def verify(self, parcel: Parcel) -> str:
        try:
            found = self._ask("get_object", Key=parcel.key)
        except Fault as fault:
            if fault.why is Why.GONE and self._is_bucket_there():
                raise Fault(Why.MANGLED, f"{parcel.key} is gone again") from fault
            raise
        stream = found["Body"]
        size, digest = read_back(parcel.reading(iter(lambda: stream.read(CHUNK_BYTES), b"")))
        if (size, digest) != (parcel.size, parcel.sha256):
            is_ours = parcel.is_ours or found.get("Metadata", {}).get("sha256") == parcel.sha256
            raise Fault(Why.MANGLED if is_ours else Why.FOREIGN, parcel.key)
        version = found.get("VersionId")
        return f"s3://{self._bucket}/{parcel.key}" + (f"?versionId={version}" if version else "")

    def sweep(self, keep: frozenset[str]) -> None:
        """Takes away uploads that were begun and whose id was never noted."""
        with contextlib.suppress(Fault):  # not every server can list them; then a rule of the bucket has to
            for upload in self._ask("list_multipart_uploads", Prefix=f"{self._prefix}/").get("Uploads", []):
                if upload["UploadId"] not in keep:
                    self._ask("abort_multipart_upload", Key=upload["Key"], UploadId=upload["UploadId"])

    def erase(self, keys: list[str]) -> list[str]:
        return [key for key in keys if not self._erased(key)]

    def remarks(self) -> list[Remark]:
        skew = self._server.skew_seconds
        own = [Remark("sync.skew", {"seconds": round(skew)})] if skew else []
        return [*self._remarks.values(), *own]

    def close(self) -> None:
        self._server.close()

    # Objects ----------------------------------------------------------------------------------------------------------

    def _put(self, parcel: Parcel) -> None:
        with self._settling(parcel):
            self._ask(
                "put_object",
                Key=parcel.key,
                Body=_Body(parcel, 0, parcel.size, parcel.sha256),
                ContentLength=parcel.size,
                Metadata={"sha256": parcel.sha256},
                **self._checksum(bytes.fromhex(parcel.sha256)),
                **self._condition(),
                **self._lock(parcel),
            )

    def _put_in_parts(self, parcel: Parcel) -> None:
        have: dict[int, str] = {}
        if parcel.note:
            try:
                have = self._parts_there(parcel)
            except Fault as fault:
                if fault.why is not Why.GONE or not self._is_bucket_there():
                    raise
                parcel.note = ""  # the server has forgotten the upload: from the beginning
        if not parcel.note:
            algorithm = {"ChecksumAlgorithm": "SHA256"} if self._has_checksums else {}
            made = self._ask(
                "create_multipart_upload",
                Key=parcel.key,
                Metadata={"sha256": parcel.sha256},
                **algorithm,
                **self._lock(parcel),
            )
            parcel.note = made["UploadId"]
            parcel.remember(parcel.note)
        parts = []
        for number, start in enumerate(range(0, parcel.size, PART_BYTES), 1):
            length = min(PART_BYTES, parcel.size - start)
            md5, sha256 = _digests(parcel, start, length)
            if have.get(number, "").strip('"') != md5.hex():
                have[number] = self._ask(
                    "upload_part",
                    Key=parcel.key,
                    UploadId=parcel.note,
                    PartNumber=number,
                    Body=_Body(parcel, start, length, sha256.hex()),
                    ContentLength=length,
                    **self._checksum(sha256),
                )["ETag"]
            part = {"PartNumber": number, "ETag": have[number]}
            if self._has_checksums:
                part["ChecksumSHA256"] = base64.b64encode(sha256).decode()
            parts.append(part)
        with self._settling(parcel):
            self._ask(
                "complete_multipart_upload",
                Key=parcel.key,
                UploadId=parcel.note,
                MultipartUpload={"Parts": parts},
                **self._condition(),
            )

    def _parts_there(self, parcel: Parcel) -> dict[int, str]:
        found: dict[int, str] = {}
        after = 0
        while True:
            page = self._ask("list_parts", Key=parcel.key, UploadId=parcel.note, PartNumberMarker=after)
            found.update((part["PartNumber"], part["ETag"]) for part in page.get("Parts", []))
            after = max(found, default=0)
            if not page.get("IsTruncated"):
                return found

    def _erased(self, key: str) -> bool:
        """Every version of it; whether nothing is left."""
        versions: list[str] = []
        with contextlib.suppress(Fault):  # a server without versions
            page = self._ask("list_object_versions", Prefix=key)
            both = (*page.get("Versions", []), *page.get("DeleteMarkers", []))
            versions = [each["VersionId"] for each in both if each["Key"] == key and each.get("VersionId") != "null"]
        try:
            for version in versions:
                self._ask("delete_object", Key=key, VersionId=version)
            if not versions:
                self._ask("delete_object", Key=key)
        except Fault as fault:
            if fault.why is Why.DENIED and self._locks:
                return False
            raise
        return not self._is_there(key)

    def _is_there(self, key: str) -> bool:
        try:
            self._ask("head_object", Key=key)
        except Fault as fault:
            if fault.why is Why.GONE and self._is_bucket_there():
                return False
            raise
        return True

    def _content(self, key: str) -> bytes | None:
        try:
            return bytes(self._ask("get_object", Key=key)["Body"].read())
        except Fault as fault:
            if fault.why is Why.GONE and "NoSuchKey" in fault.detail:
                return None
            raise

    def _is_bucket_there(self) -> bool:
        self._ask("head_bucket")  # Fault gone where it is not
        return True

    # What the server can ----------------------------------------------------------------------------------------------

    def _find_out(self, key: str, content: bytes) -> None:
        """Conditions, checksums, lock, versions, strangers: tried, since what servers say of themselves differs."""
        self._remarks.clear()
        self._refuse_strangers(key)
        self._has_conditions = not self._is_taken(key, content, IfNoneMatch="*")
        if not self._has_conditions:
            self._remark("no_conditions")
        wrong = base64.b64encode(bytes(32)).decode()
        probe = f"{self._prefix}/probe"
        self._has_checksums = not self._is_taken(probe, b"\n", ChecksumSHA256=wrong)
        if not self._has_checksums:
            self._remark("no_checksums")
            self._ask("delete_object", Key=probe)
        with contextlib.suppress(Fault):
            if self._ask("get_bucket_versioning").get("Status") == "Enabled" and not self._target.lock_days:
                self._remark("versioned")
        if self._target.lock_days:
            self._locks = False
            with contextlib.suppress(Fault):
                found = self._ask("get_object_lock_configuration").get("ObjectLockConfiguration", {})
                self._locks = found.get("ObjectLockEnabled") == "Enabled"
            if not self._locks:
                self._remark("no_object_lock")

    def _is_taken(self, key: str, content: bytes, **conditions: str) -> bool:
        try:
            self._ask("put_object", Key=key, Body=content, **conditions)
        except Fault as fault:
            if fault.why in (Why.UNREACHABLE, Why.SILENT, Why.DENIED, Why.GONE, Why.FULL):
                raise
            return fault.why is Why.UNEXPECTED and "501" in fault.detail
        return True

    def _refuse_strangers(self, key: str) -> None:
        """Asks without any key, as anybody may."""
        if self._target.allows_public:
            return
        base = urlsplit(self._target.url).path.rstrip("/")
        for path in (f"{base}/{self._bucket}?list-type=2&max-keys=1", f"{base}/{self._bucket}/{key}"):
            answer = self._server.request("GET", path, {})
            answer.drop()
            if answer.status == 200:
                raise Fault(Why.PUBLIC, f"{self._server.name}/{self._bucket}")

    def _remark(self, what: str) -> None:
        key = {
            "no_conditions": "sync.no_conditions",
            "no_checksums": "sync.no_checksums",
            "no_object_lock": "sync.no_object_lock",
            "versioned": "sync.versioned",
        }[what]
        self._remarks[what] = Remark(key)

    def _checksum(self, sha256: bytes) -> dict[str, str]:
        return {"ChecksumSHA256": base64.b64encode(sha256).decode()} if self._has_checksums else {}

    def _condition(self) -> dict[str, str]:
        return {"IfNoneMatch": "*"} if self._has_conditions else {}

    def _lock(self, parcel: Parcel) -> dict[str, Any]:
        if not self._locks or parcel.unit.kind not in (Kind.BODY, Kind.SEAL):
            return {}
        now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self._server.corrected_seconds())
        until = now + timedelta(days=self._target.lock_days)
        return {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}

    # Asking -----------------------------------------------------------------------------------------------------------

    def _ask(self, operation: str, **arguments: Any) -> Any:
        """One request; Fault for everything that is not a good answer. A skewed clock is corrected once."""
        try:
            return self._asked(operation, arguments)
        except Fault as fault:
            if fault.why is not Why.CLOCK or not self._server.skew_seconds:
                raise
        return self._asked(operation, arguments)

    def _asked(self, operation: str, arguments: dict[str, Any]) -> Any:
        _server_time.seconds = self._server.corrected_seconds
        try:
            return getattr(self._client, operation)(Bucket=self._bucket, **arguments)
        except ClientError as error:
            raise _fault(error, self._server.name) from error
        except BotoCoreError as error:
            raise Fault(Why.UNEXPECTED, f"{self._server.name}: {error}") from error
        finally:
            _server_time.seconds = None

    @contextlib.contextmanager
    def _settling(self, parcel: Parcel | None) -> Iterator[None]:
        """That something lies there already is no fault: reading it back will settle whose it is."""
        try:
            yield
        except Fault as fault:
            if not isinstance(fault.__cause__, ClientError) or _status(fault.__cause__) not in THERE:
                raise
        else:
            if parcel is not None:
                parcel.is_stored = True

    def _carry(self, request: Any, **_: object) -> AWSResponse:
        """boto3's request over our connection."""
        parts = urlsplit(request.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
            if name.lower() != "expect"
        }
        body = request.body
        chunks = body.paced() if isinstance(body, _Body) else _small(body)
        answer = self._server.request(request.method, path, headers, chunks)
        return AWSResponse(request.url, answer.status, answer.headers, _Raw(answer))


def _small(body: Any) -> tuple[bytes, ...]:
    """A body that boto3 made itself."""
    if not body:
        return ()
    return (body.read() if hasattr(body, "read") else body,)


def _digests(parcel: Parcel, start: int, length: int) -> tuple[bytes, bytes]:
    """MD5 (the ETag of a part) and SHA-256 of a stretch."""
    with parcel.open() as file:
        file.seek(start)
        content = file.read(length)
    return hashlib.md5(content, usedforsecurity=False).digest(), hashlib.sha256(content).digest()


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _fault(error: ClientError, name: str) -> Fault:
    status, code = _status(error), str(error.response.get("Error", {}).get("Code", ""))
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    detail = f"{name}: {status} {code}".strip()
    if code in _CLOCK:
        why = Why.CLOCK
    elif code in _FULL or status == 507:
        why = Why.FULL
    elif code in _MANGLED:
        why = Why.CUT
    elif status in (401, 403):
        why = Why.DENIED
    elif status == 404:
        why = Why.GONE
    elif status in (429, 503):
        why = Why.BUSY
    elif status >= 500 and status != 501:
        why = Why.FAILING
    else:
        why = Why.UNEXPECTED
    return Fault(why, detail, retry_after_seconds=retry_after(headers))
