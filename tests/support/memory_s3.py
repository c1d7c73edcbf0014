"""As much of an S3 server as our adapter asks for, in memory, for what real ones cannot be told to do.

No signature is looked at. Real servers stand in all other tests.
"""

from __future__ import annotations

from tests.support.bad_http import BadHttp, Instead, Seen


class MemoryS3(BadHttp):
    """``conditions`` and ``checksums``: whether it knows If-None-Match, and looks at SHA-256 digests."""

    def __init__(self, *, conditions: bool, checksums: bool, address: str = "127.0.0.1") -> None:
        super().__init__(address=address)
        self.objects: dict[str, bytes] = {}
        self._conditions, self._checksums = conditions, checksums
        self.rule = self._object

    def _object(self, seen: Seen) -> Instead:
        path, headers = seen.path.partition("?")[0], {name.lower() for name in seen.headers}
        key = path.partition("/bucket/")[2]
        if "authorization" not in headers and seen.method == "GET":
            return Instead(403)
        if not key:
            return Instead(200 if seen.method == "HEAD" or "versioning" in seen.path else 404)
        if seen.method == "PUT":
            if self._conditions and "if-none-match" in headers and key in self.objects:
                return Instead(412)
            if self._checksums and "A" * 43 + "=" in seen.headers.values():
                return Instead(400, b"<Error><Code>BadDigest</Code></Error>")
            self.objects[key] = seen.body
            return Instead(200)
        if seen.method == "DELETE":
            self.objects.pop(key, None)
            return Instead(204)
        if key not in self.objects:
            return Instead(404, b"<Error><Code>NoSuchKey</Code></Error>" if seen.method == "GET" else b"")
        return Instead(200, self.objects[key])
