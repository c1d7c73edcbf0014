"""What goes upstream: numbered units that never change once their first byte has left, and the order they go in.

A recording is three units, because the head (the wrapped key) must stay deletable while body and seal lie under a lock.
Events and records are batches named by the numbers of the events they reach; ``call`` is one record for a webhook.
Order within a kind is that of the numbers; among kinds it is ``ORDER``: small things that prove what happened go
before the voices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    EVENTS = "events"  # the chain, as JSON lines
    RECORDS = "records"  # records of conversations (CDR), as JSON lines
    CALL = "call"  # one record of one conversation, for a webhook
    HEAD = "head"
    SEAL = "seal"
    BODY = "body"
    ERASE = "erase"  # a recording that is to go: its head first


ORDER = (Kind.ERASE, Kind.EVENTS, Kind.RECORDS, Kind.CALL, Kind.HEAD, Kind.SEAL, Kind.BODY)
RANKS = {kind: rank for rank, kind in enumerate(ORDER)}
OF_RECORDING = frozenset({Kind.HEAD, Kind.SEAL, Kind.BODY})
BATCHES = frozenset({Kind.EVENTS, Kind.RECORDS, Kind.CALL})


@dataclass(frozen=True, slots=True)
class Unit:
    """``first`` and ``last`` are numbers of events. ``sha256`` is empty until the content is fixed.

    ``key`` is the name upstream, without the target's prefix. ``born`` is UTC ms.
    """

    number: int
    kind: Kind
    key: str
    first: int
    last: int
    recording: str
    born: int
    size: int
    sha256: str


def batch_key(kind: Kind, first: int, last: int) -> str:
    """``events/000000000001-000000000200.jsonl``."""
    return f"{kind}/{first:012}-{last:012}.jsonl"


def call_key(number: int) -> str:
    return f"calls/{number:012}.json"


def recording_key(recording: str, kind: Kind, at_utc_ms: int) -> str:
    """``recordings/2026/11/27/ID.body``: the day is that of the event that sealed it, so it never changes."""
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_utc_ms)
    return f"recordings/{day:%Y/%m/%d}/{recording}.{kind}"
