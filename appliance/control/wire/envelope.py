"""A datagram: an Ask with its number, what calls pushes, and how both become bytes."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from appliance.control.wire.answers import Reply
from appliance.control.wire.orders import FromPeople
from appliance.control.wire.services import FromService
from appliance.control.wire.shown import Changes, Snapshot
from appliance.control.wire.struct import Message, Struct
from appliance.errors import Problem

VERSION = 1
MAX_MESSAGE_BYTES = 65_536
ALIVE_SECONDS = 0.5
SILENCE_SECONDS = 2.0  # DECISIONS 29: four heart beats missed
T = TypeVar("T")

Request = FromPeople | FromService


class Ask(Struct, frozen=True):
    number: int
    request: Request


class Told(Message, frozen=True):
    """The answer to the Ask of this number."""

    number: int
    reply: Reply


class Shown(Message, frozen=True):
    """The first picture of a watch (``whole``), or what has changed since (``changes``)."""

    number: int
    whole: Snapshot | None = None
    changes: Changes | None = None


class Alive(Message, frozen=True):
    now_utc_ms: int


Push = Told | Shown | Alive

_encoder = msgspec.msgpack.Encoder()
_asks = msgspec.msgpack.Decoder(Ask)
_pushes: msgspec.msgpack.Decoder[Push] = msgspec.msgpack.Decoder(Push)


def packed(message: Ask | Push) -> bytes:
    """The datagram; Problem ``control.too_long`` above 64 KiB."""
    content = bytes((VERSION,)) + _encoder.encode(message)
    if len(content) > MAX_MESSAGE_BYTES:
        raise Problem("control.too_long", bytes=len(content))
    return content


def ask_from(datagram: bytes) -> Ask:
    """What a client said; Problem ``control.not_understood`` for anything else."""
    return _decoded(_asks, datagram)


def push_from(datagram: bytes) -> Push:
    """What calls said; Problem ``control.not_understood`` for anything else."""
    return _decoded(_pushes, datagram)


def _decoded(decoder: msgspec.msgpack.Decoder[T], datagram: bytes) -> T:
    if len(datagram) < 2 or datagram[0] != VERSION or len(datagram) > MAX_MESSAGE_BYTES:
        raise Problem("control.not_understood", reason="version")
    try:
        return decoder.decode(memoryview(datagram)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("control.not_understood", reason=str(error)) from error
