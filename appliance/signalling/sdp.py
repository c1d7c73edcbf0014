"""SDP (RFC 8866) and the offer/answer model (RFC 3264), for one audio stream.

What a newcomer gets wrong: an answer repeats every m-line of the offer in its order, names only codecs that the offer
named, and a payload number belongs to who receives it. Our own descriptions speak IPv4 and G.711 only; a description
that cannot be used is an ``SdpError`` with the SIP status that says so (400 unreadable, 488 readable but of no use).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Law = Literal["PCMU", "PCMA"]
LAWS: tuple[Law, Law] = ("PCMA", "PCMU")
STATIC_NUMBER: dict[Law, int] = {"PCMU": 0, "PCMA": 8}  # RFC 3551, 6
EVENT_NUMBER = 101  # what nearly every phone uses for telephone-event
EVENTS = range(16)  # RFC 4733, 3.2: the sixteen keys
PTIME_MS = 20
MAX_LINES = 256
MAX_FORMATS = 64
UNSPECIFIED = "0.0.0.0"  # noqa: S104 - what RFC 2543 phones write for hold; never bound

# Payload numbers that need no rtpmap (RFC 3551, 6); the ones a telephone may offer.
_STATIC = {0: "PCMU", 3: "GSM", 4: "G723", 8: "PCMA", 9: "G722", 13: "CN", 15: "G728", 18: "G729"}


class Direction(StrEnum):
    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


_DIRECTIONS = {direction.value: direction for direction in Direction}
_MIRRORED = {
    Direction.SENDRECV: Direction.SENDRECV,
    Direction.SENDONLY: Direction.RECVONLY,
    Direction.RECVONLY: Direction.SENDONLY,
    Direction.INACTIVE: Direction.INACTIVE,
}


class SdpError(ValueError):
    """A description that cannot be used; ``code`` is the SIP status to answer: 400 or 488."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload number of an m-line; ``name`` as in the IANA registry, upper or lower case as it came."""

    payload_type: int
    name: str
    clock_rate: int
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """One side's view of the session: where it wants the audio, and in which codecs, best first."""

    address: str
    port: int
    codecs: tuple[Codec, ...]
    direction: Direction = Direction.SENDRECV
    ptime_ms: int = PTIME_MS
    session_id: int = 1
    version: int = 1
    other_media: tuple[str, ...] = ()  # m-lines beside the audio one, refused with port 0 in our answer
    audio_index: int = 0  # where the audio stands among them; an answer keeps the order


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides settled on, as media needs it. ``event_payload_type`` is None without telephone-event.

    ``send_payload_type`` is the number the other side wants to see, ``receive_payload_type`` the one it will use.
    """

    address: str
    port: int
    law: Law
    send_payload_type: int
    receive_payload_type: int
    send_event_payload_type: int | None
    receive_event_payload_type: int | None
    sends: bool  # we may send (their direction allows it and they are not on hold)
    receives: bool


def offer(
    address: str,
    port: int,
    law: Law,
    session_id: int,
    *,
    version: int = 1,
    direction: Direction = Direction.SENDRECV,
) -> Description:
    """Our offer: ``law`` first, the other G.711 law second, RFC 4733 events as 101."""
    other: Law = "PCMU" if law == "PCMA" else "PCMA"
    codecs = (
        Codec(STATIC_NUMBER[law], law, 8000),
        Codec(STATIC_NUMBER[other], other, 8000),
        Codec(EVENT_NUMBER, "telephone-event", 8000, "0-15"),
    )
    return Description(address, port, codecs, direction, PTIME_MS, session_id, version)


def answer(
    offered: Description,
    address: str,
    port: int,
    prefer: Law,
    *,
    session_id: int = 1,
    version: int = 1,
) -> Description | None:
    """One law (``prefer`` where it was offered) and events, under the offered numbers; None: nothing in common."""
    chosen = _law_of(offered, prefer) or _law_of(offered, "PCMU" if prefer == "PCMA" else "PCMA")
    if chosen is None:
        return None
    codecs: tuple[Codec, ...] = (chosen,)
    events = _events_of(offered)
    if events is not None:
        codecs = (chosen, Codec(events.payload_type, events.name, 8000, _known_events(events.parameters)))
    return Description(
        address=address,
        port=port,
        codecs=codecs,
        direction=_MIRRORED[offered.direction],
        session_id=session_id,
        version=version,
        other_media=offered.other_media,
        audio_index=offered.audio_index,
    )


def agree(local: Description, remote: Description) -> Agreement | None:
    """What an offer and its answer come to, whichever of them is ours; None where they share no law."""
    for theirs in remote.codecs:
        law = _law(theirs)
        ours = _law_of(local, law) if law is not None else None
        if law is not None and ours is not None:
            break
    else:
        return None
    their_events, our_events = _events_of(remote), _events_of(local)
    has_events = their_events is not None and our_events is not None
    receives_there = remote.direction in (Direction.SENDRECV, Direction.RECVONLY) and remote.address != UNSPECIFIED
    sends_there = remote.direction in (Direction.SENDRECV, Direction.SENDONLY)
    return Agreement(
        address=remote.address,
        port=remote.port,
        law=law,
        send_payload_type=theirs.payload_type,
        receive_payload_type=ours.payload_type,
        send_event_payload_type=their_events.payload_type if has_events and their_events else None,
        receive_event_payload_type=our_events.payload_type if has_events and our_events else None,
        sends=receives_there and local.direction in (Direction.SENDRECV, Direction.SENDONLY),
        receives=sends_there and local.direction in (Direction.SENDRECV, Direction.RECVONLY),
    )


def is_hold(description: Description) -> bool:
    """Whether the side that sent this does not want to hear us (RFC 3264, 8.4; 0.0.0.0 as in RFC 2543)."""
    silent = description.direction in (Direction.SENDONLY, Direction.INACTIVE)
    return silent or description.address == UNSPECIFIED


def encode(description: Description) -> bytes:
    """The body of an INVITE or its answer."""
    address = description.address
    lines = [
        "v=0",
        f"o=- {description.session_id} {description.version} IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
    ]
    refused = [f"m={_with_port_0(line)}" for line in description.other_media]
    lines += refused[: description.audio_index]
    numbers = " ".join(str(codec.payload_type) for codec in description.codecs)
    lines.append(f"m=audio {description.port} RTP/AVP {numbers}")
    for codec in description.codecs:
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}")
        if codec.parameters:
            lines.append(f"a=fmtp:{codec.payload_type} {codec.parameters}")
    lines += [f"a=ptime:{description.ptime_ms}", f"a={description.direction}"]
    lines += refused[description.audio_index :]
    return ("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape")


# Reading --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Media:
    """One m-line and what stands below it."""

    line: str
    address: str
    attributes: list[str]


def parse(body: bytes) -> Description:
    """The first audio stream over plain RTP that a body offers. Raises SdpError."""
    origin, session_attributes, media = _sections(body)
    numbers = (*origin.split(), "", "", "")[1:3]
    audio = next((index for index, each in enumerate(media) if _is_usable(each.line)), None)
    if audio is None:
        raise SdpError(488, "no audio over RTP/AVP")
    chosen = media[audio]
    _, port, _, *formats = chosen.line.split()
    return Description(
        address=_address(chosen.address),
        port=_port(port),
        codecs=_codecs(formats, chosen.attributes),
        direction=_direction(chosen.attributes) or _direction(session_attributes) or Direction.SENDRECV,
        ptime_ms=_ptime(chosen.attributes),
        session_id=_number(numbers[0]),
        version=_number(numbers[1]),
        other_media=tuple(each.line for index, each in enumerate(media) if index != audio),
        audio_index=audio,
    )


def _sections(body: bytes) -> tuple[str, list[str], list[_Media]]:
    """The origin, the session's attributes and the m-lines of a body."""
    lines = body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > MAX_LINES or lines[0].strip() != "v=0":
        raise SdpError(400, "not a session description")
    origin = session_address = ""
    attributes: list[str] = []
    media: list[_Media] = []
    for line in lines[1:]:
        kind, equals, value = line[:1], line[1:2], line[2:].strip()
        if not line.strip():
            continue
        if equals != "=":
            raise SdpError(400, "a line without =")
        if kind == "m":
            media.append(_Media(_checked_media(value), session_address, []))
        elif kind == "c" and media:
            media[-1].address = value
        elif kind == "c":
            session_address = value
        elif kind == "a":
            (media[-1].attributes if media else attributes).append(value)
        elif kind == "o":
            origin = value
    return origin, attributes, media


def _checked_media(line: str) -> str:
    parts = line.split()
    if len(parts) < 4 or len(parts) > MAX_FORMATS + 3 or not line.isprintable():
        raise SdpError(400, "m-line")
    _port(parts[1])
    return line


def _is_usable(line: str) -> bool:
    kind, port, protocol, *_ = line.split()
    return kind == "audio" and protocol == "RTP/AVP" and _port(port) != 0


def _port(text: str) -> int:
    number = text.partition("/")[0]
    if not (number.isascii() and number.isdigit()) or len(number) > 5 or int(number) > 65_535:
        raise SdpError(400, "port")
    return int(number)


def _address(connection: str) -> str:
    parts = connection.split()
    if len(parts) != 3 or parts[0] != "IN":
        raise SdpError(400, "no c-line")
    if parts[1] != "IP4":
        raise SdpError(488, "not IPv4")
    try:
        address = ipaddress.IPv4Address(parts[2].partition("/")[0])
    except ValueError:
        raise SdpError(488, "not an address") from None  # a name may stand there; media sends to addresses only
    if address.is_multicast:
        raise SdpError(488, "multicast")
    return str(address)


def _codecs(formats: list[str], attributes: list[str]) -> tuple[Codec, ...]:
    mapped = _by_number(attributes, "rtpmap:")
    parameters = _by_number(attributes, "fmtp:")
    codecs: list[Codec] = []
    for text in formats:
        number = _payload_number(text)
        encoding = mapped.get(number)
        if encoding is not None:
            name, _, rate = encoding.partition("/")
            clock_rate = _number(rate.partition("/")[0])
            codecs.append(Codec(number, name.strip(), clock_rate, parameters.get(number, "")))
        elif number in _STATIC:
            codecs.append(Codec(number, _STATIC[number], 8000, parameters.get(number, "")))
    return tuple(codecs)


def _payload_number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 3 or int(text) > 127:
        raise SdpError(400, "payload number")
    return int(text)


def _by_number(attributes: list[str], prefix: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for attribute in attributes:
        if attribute.startswith(prefix):
            number, _, value = attribute[len(prefix) :].strip().partition(" ")
            if number.isascii() and number.isdigit() and len(number) <= 3:
                found.setdefault(int(number), value.strip())
    return found


def _direction(attributes: list[str]) -> Direction | None:
    return next((_DIRECTIONS[attribute] for attribute in attributes if attribute in _DIRECTIONS), None)


def _ptime(attributes: list[str]) -> int:
    for attribute in attributes:
        if attribute.startswith("ptime:"):
            milliseconds = _number(attribute[6:].strip().partition(".")[0])
            return milliseconds if 1 <= milliseconds <= 200 else PTIME_MS
    return PTIME_MS


def _number(text: str) -> int:
    """A number that another side wrote; 0 where it is none, because nothing depends on it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0


# Codecs ---------------------------------------------------------------------------------------------------------------


def _law(codec: Codec) -> Law | None:
    if codec.clock_rate != 8000:
        return None
    name = codec.name.upper()
    return next((law for law in LAWS if law == name), None)


def _law_of(description: Description, law: Law) -> Codec | None:
    return next((codec for codec in description.codecs if _law(codec) == law), None)


def _events_of(description: Description) -> Codec | None:
    for codec in description.codecs:
        if codec.clock_rate == 8000 and codec.name.lower() == "telephone-event":
            return codec
    return None


def _known_events(offered: str) -> str:
    """Of the offered events those we know, as ranges: never one that was not offered (RFC 4733, 2.4.1)."""
    if not offered or offered == "0-15":
        return "0-15"
    known: list[int] = []
    for part in offered.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        least = _number(first)
        most = _number(last) if last else least
        known += [event for event in EVENTS if least <= event <= most and event not in known]
    if known == list(range(len(known))) and len(known) > 1:
        return f"0-{len(known) - 1}"
    return ",".join(str(event) for event in known) or "0-15"


def _with_port_0(line: str) -> str:
    kind, _, protocol, *formats = line.split()
    return " ".join([kind, "0", protocol, *formats])
