"""SIP messages on the wire: bytes to message and back (RFC 3261, 7 and 25), for datagrams and for streams.

Parsing splits and checks, it does not interpret: a header's value is a text until ``headers.py`` is asked for it, which
keeps a whole INVITE at a few microseconds. Bytes that are not UTF-8 survive as surrogate escapes, because names come in
Latin-1 and windows-1256 as well. What cannot be used is a ``Refusal`` that says how to answer, or to say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_MESSAGE_BYTES = 65_535
MAX_HEAD_BYTES = 16_384
MAX_HEADERS = 128
MAX_START_LINE = 2_048

_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "e": "content-encoding",
    "k": "supported",
    "s": "subject",
    "o": "event",
    "u": "allow-events",
    "x": "session-expires",
    "r": "refer-to",
    "b": "referred-by",
    "a": "accept-contact",
    "j": "reject-contact",
    "d": "request-disposition",
    "y": "identity",
}
# Headers that RFC 3261 lets stand several times, or with commas in one line.
_LISTS = frozenset(
    {
        "via",
        "route",
        "record-route",
        "contact",
        "allow",
        "supported",
        "require",
        "proxy-require",
        "unsupported",
        "accept",
        "accept-encoding",
        "accept-language",
        "diversion",
        "history-info",
        "p-asserted-identity",
        "reason",
        "path",
        "service-route",
        "allow-events",
    }
)
_ONCE = ("from", "to", "call-id", "cseq", "content-length", "max-forwards")
_NEEDED = ("from", "to", "call-id", "cseq")
_SPECIAL_CASE = {"call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate", "min-se": "Min-SE"}
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")
_NAMES: dict[str, str] = {}  # lower-case header name -> as it is written


class Refusal(Exception):  # noqa: N818 - an answer to the peer, not an error of ours
    """A message that cannot be used. ``code`` None means: say nothing; ``request`` is there to be answered."""

    def __init__(self, code: int | None, reason: str, request: Request | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.request = request


class Headers:
    """The headers of one message in their order; names are lower case, compact forms written out."""

    __slots__ = ("_items",)

    def __init__(self, items: list[tuple[str, str]] | None = None) -> None:
        self._items = items if items is not None else []

    def get(self, name: str) -> str | None:
        """The first value of ``name``; of a header that may be a list, its first element."""
        for key, value in self._items:
            if key == name:
                return split_list(value)[0] if name in _LISTS and "," in value else value
        return None

    def all(self, name: str) -> list[str]:
        """Every value of ``name``, in order; lists with commas are taken apart where RFC 3261 allows them."""
        values = [value for key, value in self._items if key == name]
        if name in _LISTS and any("," in value for value in values):
            return [element for value in values for element in split_list(value)]
        return values

    def add(self, name: str, value: str) -> None:
        self._items.append((name, value))

    def set(self, name: str, value: str) -> None:
        """Makes ``value`` the only one of ``name``, in the place of the first."""
        for index, (key, _) in enumerate(self._items):
            if key == name:
                self._items[index] = (name, value)
                self._items[index + 1 :] = [item for item in self._items[index + 1 :] if item[0] != name]
                return
        self._items.append((name, value))

    def set_first(self, name: str, value: str) -> None:
        """Replaces the first element of ``name`` and leaves the others."""
        for index, (key, old) in enumerate(self._items):
            if key == name:
                rest = split_list(old)[1:] if name in _LISTS and "," in old else []
                self._items[index] = (name, ", ".join([value, *rest]))
                return
        self._items.insert(0, (name, value))

    def remove(self, name: str) -> None:
        self._items = [item for item in self._items if item[0] != name]

    def copy(self) -> Headers:
        return Headers(self._items[:])

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self._items)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class Request:
    """``method uri SIP/2.0``."""

    __slots__ = ("body", "headers", "method", "uri")

    def __init__(self, method: str, uri: str, headers: Headers, body: bytes = b"") -> None:
        self.method = method
        self.uri = uri
        self.headers = headers
        self.body = body

    def encode(self) -> bytes:
        return _encode(f"{self.method} {self.uri} SIP/2.0\r\n", self.headers, self.body)


class Response:
    """``SIP/2.0 code reason``."""

    __slots__ = ("body", "code", "headers", "reason")

    def __init__(self, code: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        self.code = code
        self.reason = reason
        self.headers = headers
        self.body = body

    def encode(self) -> bytes:
        return _encode(f"SIP/2.0 {self.code} {self.reason}\r\n", self.headers, self.body)


Message = Request | Response


def parse(datagram: bytes) -> Message:
    """One whole message; bytes behind its Content-Length are ignored (RFC 3261, 18.3). Raises Refusal."""
    if len(datagram) > MAX_MESSAGE_BYTES:
        raise Refusal(None, "too long")
    head, separator, body = datagram.partition(b"\r\n\r\n")
    if not separator:
        raise Refusal(None, "no end of headers")
    message = _parse_head(head)
    length = message.headers.get("content-length")
    if length is not None:
        if not is_number(length, 9) or int(length) > len(body):
            raise _refused(400, "Bad Content-Length", message)
        body = body[: int(length)]
    message.body = body
    return message


def split_list(value: str) -> list[str]:
    """Takes a value with commas apart, outside of quotes and angle brackets; never empty."""
    if "," not in value:
        return [value]
    if '"' not in value and "<" not in value:
        return [part.strip() for part in value.split(",") if part.strip()] or [""]
    parts: list[str] = []
    start, is_quoted, depth, index = 0, False, 0, 0
    while index < len(value):
        character = value[index]
        if is_quoted:
            if character == "\\":
                index += 1
            elif character == '"':
                is_quoted = False
        elif character == '"':
            is_quoted = True
        elif character == "<":
            depth += 1
        elif character == ">":
            depth = max(0, depth - 1)
        elif character == "," and depth == 0:
            parts.append(value[start:index].strip())
            start = index + 1
        index += 1
    parts.append(value[start:].strip())
    return [part for part in parts if part] or [""]


class StreamParser:
    """Finds the messages in a TCP stream by Content-Length (RFC 3261, 18.3) and the keep-alives between them.

    ``feed`` returns whole messages as bytes for ``parse``; a double CRLF between messages is a ping that wants a CRLF
    back (RFC 5626, 3.5.1) and is returned as ``b""``. Raises Refusal where the stream can no longer be followed.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        self._buffer += data
        found: list[bytes] = []
        while True:
            while self._buffer.startswith(b"\r\n\r\n"):
                del self._buffer[:4]
                found.append(b"")
            if self._buffer.startswith(b"\r\n") and len(self._buffer) > 2 and self._buffer[2:3] != b"\r":
                del self._buffer[:2]
            end = self._buffer.find(b"\r\n\r\n")
            if end <= 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise Refusal(None, "head too long for a stream")
                return found
            whole = end + 4 + self._length_of(bytes(self._buffer[:end]))
            if whole > MAX_MESSAGE_BYTES:
                raise Refusal(None, "message too long for a stream")
            if len(self._buffer) < whole:
                return found
            found.append(bytes(self._buffer[:whole]))
            del self._buffer[:whole]

    @staticmethod
    def _length_of(head: bytes) -> int:
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() in (b"content-length", b"l"):
                digits = value.strip()
                if not digits.isdigit() or len(digits) > 6:
                    raise Refusal(None, "bad Content-Length in a stream")
                return int(digits)
        return 0


def _parse_head(head: bytes) -> Message:
    if len(head) > MAX_HEAD_BYTES:
        raise Refusal(None, "head too long")
    lines = head.lstrip(b"\r\n").decode("utf-8", "surrogateescape").split("\r\n")
    if len(lines) > MAX_HEADERS + 1:
        raise Refusal(None, "too many headers")
    items: list[tuple[str, str]] = []
    is_malformed = False
    for line in lines[1:]:
        if line[:1] in (" ", "\t"):
            if items:
                name, value = items[-1]
                items[-1] = (name, f"{value} {line.strip()}".strip())
            continue
        name, colon, value = line.partition(":")
        name = name.rstrip().lower()
        if not colon or not name:
            is_malformed = True
            continue
        items.append((_COMPACT.get(name, name), value.strip()))
    return _checked(_start(lines[0], Headers(items)), is_malformed)


def _start(line: str, headers: Headers) -> Message:
    parts = line.split(" ", 2)
    if len(line) > MAX_START_LINE or len(parts) != 3:
        raise Refusal(None, "start line")
    first, second, third = parts
    if first.upper().startswith("SIP/"):
        if first.upper() != "SIP/2.0" or not (len(second) == 3 and second.isascii() and second.isdigit()):
            raise Refusal(None, "status line")
        code = int(second)
        if not 100 <= code <= 699:
            raise Refusal(None, "status code")
        return Response(code, third, headers)
    if not first or not _TOKEN.issuperset(first):
        raise Refusal(None, "method")
    request = Request(first, second, headers)
    version = third.rstrip()
    if version.upper() != "SIP/2.0":
        if version.upper().startswith("SIP/"):
            raise _refused(505, "Version Not Supported", request)
        raise _refused(400, "Bad Request Line", request)
    return request


def _checked(message: Message, is_malformed: bool) -> Message:
    """The headers without which nothing can be answered or matched."""
    headers = message.headers
    seen: dict[str, int] = {}
    for name, _ in headers:
        seen[name] = seen.get(name, 0) + 1
    if "via" not in seen:
        raise Refusal(None, "no Via")
    if is_malformed:
        raise _refused(400, "Bad Header", message)
    for name in _NEEDED:
        if name not in seen:
            raise _refused(400, f"Missing {canonical(name)}", message)
    for name in _ONCE:
        if seen.get(name, 0) > 1:
            raise _refused(400, f"Repeated {canonical(name)}", message)
    number, _, method = (headers.get("cseq") or "").partition(" ")
    if not is_number(number, 10) or int(number) >= 2**31 or not method.strip():
        raise _refused(400, "Bad CSeq", message)
    if isinstance(message, Request) and method.strip() != message.method:
        raise _refused(400, "CSeq Method Mismatch", message)
    return message


def _refused(code: int, reason: str, message: Message) -> Refusal:
    """A refusal that can be answered: only a request whose answer would find its way."""
    if (
        isinstance(message, Request)
        and message.method != "ACK"
        and all(n in message.headers for n in ("via", *_NEEDED))
    ):
        return Refusal(code, reason, message)
    return Refusal(None, reason)


def is_number(text: str, digits: int) -> bool:
    """Whether ``text`` is a number of at most so many digits beside leading zeros; ``int`` itself has a limit."""
    return text.isascii() and text.isdigit() and len(text) < 64 and len(text.lstrip("0")) <= digits


def canonical(name: str) -> str:
    """``call-id`` as it is written: ``Call-ID``."""
    written = _NAMES.get(name)
    if written is None:
        written = _SPECIAL_CASE.get(name) or "-".join(part.capitalize() for part in name.split("-"))
        if len(_NAMES) < 500:  # names come from the network: the table must not grow without end
            _NAMES[name] = written
    return written


def _encode(start: str, headers: Headers, body: bytes) -> bytes:
    lines = [f"{canonical(name)}: {value}\r\n" for name, value in headers if name != "content-length"]
    text = f"{start}{''.join(lines)}Content-Length: {len(body)}\r\n\r\n"
    return text.encode("utf-8", "surrogateescape") + body
