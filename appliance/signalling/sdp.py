"""SDP (RFC 8866) and the offer/answer model (RFC 3264), for one audio stream."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Law = Literal["PCMU", "PCMA"]


class Direction(StrEnum):
    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


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
    ptime_ms: int = 20
    session_id: int = 1
    version: int = 1
    other_media: tuple[str, ...] = ()  # m-lines beside the audio one, refused with port 0 in our answer


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
