"""What every message is made of: arrays of msgpack, to which a newer peer may append."""

from __future__ import annotations

from typing import Literal

import msgspec

Field = str | int | float
Role = Literal["owner", "supervisor", "agent", "technician"]


class Struct(msgspec.Struct, frozen=True, array_like=True):
    """A part of a message. A newer peer may append fields; they are passed over."""


class Message(Struct, frozen=True, tag=True):
    """A message or one of its alternatives; the tag is the class's name."""
