"""The headers that signalling understands, each a frozen dataclass with a parser and its text (RFC 3261, 20 and 25).

A parser raises ``ValueError`` for what it cannot read; who calls it answers 400. Ports outside 1 to 65535 are refused
here, so that nothing further in ever holds an address that cannot be sent to.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field, replace

DEFAULT_PORT = 5060

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]+\]")
_TAG = re.compile(r";\s*tag\s*=\s*([^;\s]*)", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")

Parameters = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Uri:
    """``sip:user@host:port;parameters?headers``. ``port`` 0 means none is written."""

    scheme: str
    user: str
    host: str
    port: int = 0
    parameters: Parameters = ()
    headers: str = ""

    def __str__(self) -> str:
        at = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        asked = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{at}{self.host}{port}{_joined(self.parameters)}{asked}"

    def parameter(self, name: str) -> str | None:
        return _found(self.parameters, name)

    @property
    def is_loose(self) -> bool:
        """Whether this element of a route set is a loose router (RFC 3261, 19.1.1, lr)."""
        return self.parameter("lr") is not None


@dataclass(frozen=True, slots=True)
class NameAddress:
    """``"Display" <uri>;parameters``: From, To, Contact, Route, P-Asserted-Identity, Diversion."""

    uri: Uri
    display: str = ""
    parameters: Parameters = ()

    def __str__(self) -> str:
        display = self.display.replace("\\", "\\\\").replace('"', '\\"')
        return f"{f'{chr(34)}{display}{chr(34)} ' if display else ''}<{self.uri}>{_joined(self.parameters)}"

    def parameter(self, name: str) -> str | None:
        return _found(self.parameters, name)

    @property
    def tag(self) -> str:
        return self.parameter("tag") or ""

    def with_tag(self, tag: str) -> NameAddress:
        kept = tuple(pair for pair in self.parameters if pair[0] != "tag")
        return replace(self, parameters=(*kept, ("tag", tag)))


@dataclass(frozen=True, slots=True)
class Via:
    """``SIP/2.0/UDP host:port;branch=...``; ``port`` 0 means none is written."""

    transport: str
    host: str
    port: int
    parameters: Parameters = field(default=())

    def __str__(self) -> str:
        port = f":{self.port}" if self.port else ""
        return f"SIP/2.0/{self.transport} {self.host}{port}{_joined(self.parameters)}"

    def parameter(self, name: str) -> str | None:
        return _found(self.parameters, name)

    @property
    def branch(self) -> str:
        return self.parameter("branch") or ""

    @property
    def sent_by(self) -> tuple[str, int]:
        return self.host.lower(), self.port or DEFAULT_PORT

    def seen_from(self, host: str, port: int) -> Via:
        """With ``received`` and ``rport`` as RFC 3261, 18.2.1 and RFC 3581, 4 ask for."""
        wants_port = self.parameter("rport") is not None
        kept = tuple(pair for pair in self.parameters if pair[0] not in ("received", "rport"))
        if wants_port:
            kept = (*kept, ("rport", str(port)))
        if wants_port or self.host != host:
            kept = (*kept, ("received", host))
        return replace(self, parameters=kept)

    def answer_to(self) -> tuple[str, int]:
        """Where the answer goes (RFC 3261, 18.2.2; RFC 3581, 4), after ``seen_from``."""
        host = self.parameter("received") or self.host
        port = self.parameter("rport")
        return host, port_number(port) if port else self.port or DEFAULT_PORT


def port_number(text: str) -> int:
    """1 to 65535, else ValueError."""
    if not (text.isascii() and text.isdigit()) or len(text) > 5:
        raise ValueError(f"port {text[:20]!r}")
    number = int(text)
    if not 1 <= number <= 65_535:
        raise ValueError(f"port {number}")
    return number


@functools.lru_cache(maxsize=512)
def parse_uri(text: str) -> Uri:
    scheme, colon, rest = text.strip().partition(":")
    scheme = scheme.lower()
    if not colon or not rest or _UNSAFE.search(rest):
        raise ValueError("uri")
    if scheme == "tel":
        number, _, _ = rest.partition(";")
        return Uri("tel", number, "", 0)
    if scheme not in ("sip", "sips"):
        raise ValueError("scheme")
    user, at, place = rest.partition("@")  # a user part may hold ; and ? (RFC 3261, 25.1) but no @
    if not at:
        user, place = "", rest
    elif not user:
        raise ValueError("empty user")
    place, _, asked = place.partition("?")
    host_part, *parameters = place.split(";")
    host, port = _host_and_port(host_part)
    return Uri(scheme, user, host, port, _parameters(parameters), asked)


def parse_name_address(text: str) -> NameAddress:
    """Both forms: ``"Display" <uri>;tag=x`` and ``uri;tag=x`` (where parameters belong to the header)."""
    text = text.strip()
    if len(text) > 4096:
        raise ValueError("too long")
    opening = _opening(text)
    if opening >= 0:
        closing = text.find(">", opening)
        if closing < 0:
            raise ValueError("no >")
        display = _unquoted(text[:opening].strip())
        tail = text[closing + 1 :].strip()
        if tail and not tail.startswith(";"):
            raise ValueError("after >")
        return NameAddress(parse_uri(text[opening + 1 : closing]), display, _parameters(_split(tail)))
    bare, *parameters = _split(text)
    return NameAddress(parse_uri(bare), "", _parameters(parameters))


def parse_via(text: str) -> Via:
    protocol, _, rest = text.strip().partition(" ")
    if not rest and "/" in text:  # white space is allowed around the slashes
        protocol, rest = text, ""
    compact = re.match(r"\s*SIP\s*/\s*2\.0\s*/\s*([A-Za-z-]+)\s+(.*)", text, re.IGNORECASE | re.DOTALL)
    if not compact:
        raise ValueError(f"via {protocol[:20]!r}")
    sent_by, *parameters = _split(compact[2])
    host, port = _host_and_port(re.sub(r"\s*:\s*", ":", sent_by.strip()))
    via = Via(compact[1].upper(), host, port, _parameters(parameters))
    given = via.parameter("rport")
    if given:
        port_number(given)
    return via


def parse_cseq(text: str) -> tuple[int, str]:
    number, _, method = text.strip().partition(" ")
    if not (number.isascii() and number.isdigit()) or len(number) > 63 or int(number) >= 2**31:
        raise ValueError("cseq")
    return int(number), method.strip()


def number_and_parameters(text: str) -> tuple[int, Parameters]:
    """``1800;refresher=uac`` (Session-Expires, Min-SE, Expires, Retry-After)."""
    value, *parameters = _split(text.partition("(")[0])
    value = value.strip()
    if not (value.isascii() and value.isdigit()) or len(value) > 10:
        raise ValueError("number")
    return int(value), _parameters(parameters)


def tag_of(text: str) -> str:
    """The tag of a From or To as text, without parsing the rest; empty where there is none."""
    found = _TAG.search(text, text.rfind(">") + 1)
    return found[1] if found else ""


def _host_and_port(text: str) -> tuple[str, int]:
    text = text.strip()
    if text.startswith("["):
        host, bracket, tail = text.partition("]")
        host += bracket
        port = tail[1:] if tail.startswith(":") else ""
        if tail and not tail.startswith(":"):
            raise ValueError("host")
    else:
        host, colon, port = text.partition(":")
        if colon and not port:
            raise ValueError("port")
    if not _HOST.fullmatch(host) or len(host) > 255:
        raise ValueError("host")
    return host, port_number(port) if port else 0


def _opening(text: str) -> int:
    """Where the ``<`` outside of quotes stands, or -1."""
    if not text.startswith('"'):
        return text.find("<")
    index = 1
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == '"':
            return text.find("<", index)
        index += 1
    raise ValueError("open quote")


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text.startswith('"') and text.endswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _split(text: str) -> list[str]:
    """By semicolons outside of quotes; a leading one is dropped."""
    text = text.removeprefix(";")
    if '"' not in text:
        return text.split(";")
    parts, start, is_quoted, index = [], 0, False, 0
    while index < len(text):
        if is_quoted and text[index] == "\\":
            index += 1
        elif text[index] == '"':
            is_quoted = not is_quoted
        elif text[index] == ";" and not is_quoted:
            parts.append(text[start:index])
            start = index + 1
        index += 1
    return [*parts, text[start:]]


def _parameters(parts: list[str]) -> Parameters:
    pairs = []
    for part in parts:
        name, _, value = part.partition("=")
        name = name.strip().lower()
        if name:
            pairs.append((name, value.strip()))
    return tuple(pairs)


def _joined(parameters: Parameters) -> str:
    return "".join(f";{name}={value}" if value else f";{name}" for name, value in parameters)


def _found(parameters: Parameters, name: str) -> str | None:
    for key, value in parameters:
        if key == name:
            return value
    return None
