"""What the records say of one recording: whose it is, and whether there is anything to give out.

The id under which somebody asks is looked up here and nowhere else; what a file is called says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from appliance.errors import Problem
from appliance.records.database import Connection
from appliance.records.events import KEPT_STATES, RecordingTaken

_KNOWN = """SELECT recording.id, recording.conversation, part, recording.state, milliseconds, seal_sha256,
conversation.opened + opened_ms, customer, customer_as_arrived, agent
FROM recording JOIN conversation ON conversation.id = recording.conversation WHERE recording.id = ?"""


_PLAYS = """SELECT e.at, b.body FROM event AS e JOIN event_body AS b USING (n)
WHERE e.subject = ? AND e.kind = ? ORDER BY e.n DESC"""


@dataclass(frozen=True, slots=True)
class Play:
    """Somebody has taken a recording to hear it; ``at`` is UTC ms."""

    at: int
    actor: str


@dataclass(frozen=True, slots=True)
class Known:
    """``began`` is UTC ms; ``seal_sha256`` (hex) is empty while nothing is sealed."""

    recording: str
    conversation: str
    part: int
    state: str  # live, sealed, recovered, empty, lost, refused
    milliseconds: int
    seal_sha256: str
    began: int
    customer: str
    customer_as_arrived: str
    agent: str


def of(connection: Connection, recording: str) -> Known | None:
    """None where there is no such recording (never was, or was erased)."""
    row = connection.execute(_KNOWN, (recording,)).fetchone()
    return Known(*row) if row else None


def plays(connection: Connection, conversation: str) -> tuple[Play, ...]:
    """Who has listened to a conversation, the last first."""
    rows = connection.execute(_PLAYS, (conversation, RecordingTaken.kind)).fetchall()
    return tuple(Play(at, msgspec.json.decode(body, type=RecordingTaken).actor) for at, body in rows)


def takeable(known: Known | None) -> Known:
    """The same, if its files are closed and hold something; otherwise a Problem says why there is nothing to take."""
    if known is None:
        raise Problem("listen.unknown")
    if known.state == "live":
        raise Problem("listen.still_recorded")
    if known.state not in KEPT_STATES:
        raise Problem("listen.nothing_there")
    return known
