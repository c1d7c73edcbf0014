"""What the records know of messages to people, and what a message may say about a request or a conversation."""

from __future__ import annotations

from dataclasses import dataclass, replace

from appliance.records.database import Connection


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that is not over: ``state`` is waiting, or trying where a crash came while it was handed over."""

    name: str
    conversation: str
    what: str
    channel: str
    about: str
    last4: str
    language: str
    planned: int
    not_before: int
    state: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a message about a request or a conversation goes to, and what it may say. ``state`` is the request's."""

    what: str  # callback, promise, message, complaint, request, missed; empty for a conversation
    conversation: str
    customer: str
    language: str
    code: str
    due: int
    trunk: str
    state: str
    detail: str
    is_stopped: bool = False  # they have said that they want no messages


_KEPT = "name, conversation, what, channel, about, last4, language, planned, not_before, state"
_STOPPED = """coalesce((SELECT what FROM reply WHERE reply.customer = {customer} AND what IN ('stop', 'start')
ORDER BY n DESC LIMIT 1), '') = 'stop'"""
_REQUEST = f"""SELECT r.what, r.conversation, r.customer, r.language, r.code, r.due,
iif(r.trunk <> '', r.trunk, coalesce(c.trunk, '')), r.state, r.detail, {_STOPPED.format(customer="r.customer")}
FROM request AS r LEFT JOIN conversation AS c ON c.id = r.conversation WHERE r.id = ?"""  # noqa: S608 - constants only
_CONVERSATION = f"""SELECT '', id, iif(is_withheld, '', customer), language, '', 0, trunk, state, outcome,
{_STOPPED.format(customer="conversation.customer")} FROM conversation WHERE id = ?"""  # noqa: S608 - constants only
_ALARMS = """SELECT about, what, planned FROM notice WHERE what IN ('alarm', 'alarm_over')
AND state IN ('sent', 'unknown', 'trying') ORDER BY planned"""


def open_notices(db: Connection) -> list[Kept]:
    """What was planned and is not over, oldest first."""
    rows = db.execute(f"SELECT {_KEPT} FROM notice WHERE state IN ('waiting', 'trying') ORDER BY planned")  # noqa: S608 - constants only
    return [Kept(*row) for row in rows.fetchall()]


def names_since(db: Connection, at: int) -> list[str]:
    """The names of what was planned since ``at`` (UTC ms)."""
    return [row[0] for row in db.execute("SELECT name FROM notice WHERE planned >= ?", (at,)).fetchall()]


def tried_since(db: Connection, at: int) -> list[tuple[int, str, str, str]]:
    """When, what, about what, and to which last four digits something was handed over since ``at`` (UTC ms)."""
    rows = db.execute("SELECT tried, what, about, last4 FROM notice WHERE tried >= ? AND tried > 0", (at,)).fetchall()
    return [(int(row[0]), str(row[1]), str(row[2]), str(row[3])) for row in rows]


def undelivered(db: Connection, since: int) -> list[tuple[str, str, str, int]]:
    """Name, conversation, reference and moment of what was sent since then and of which no delivery is known."""
    rows = db.execute(
        "SELECT name, conversation, reference, ended FROM notice"
        " WHERE state = 'sent' AND ended >= ? AND reference <> '' AND delivery = '' AND channel = 'sms'",
        (since,),
    ).fetchall()
    return [(str(row[0]), str(row[1]), str(row[2]), int(row[3])) for row in rows]


def alarms_raised(db: Connection) -> dict[str, int]:
    """The places whose last word to the owner was an alarm, and when (UTC ms)."""
    found: dict[str, int] = {}
    for place, what, at in db.execute(_ALARMS).fetchall():
        found.pop(place, None)
        if what == "alarm":
            found[place] = at
    return found


def subject_of(db: Connection, about: str) -> Subject | None:
    """The request or the conversation of this id; None where it was erased or never was."""
    row = db.execute(_REQUEST, (about,)).fetchone() or db.execute(_CONVERSATION, (about,)).fetchone()
    if row is None:
        return None
    found = Subject(*row)
    return replace(found, is_stopped=bool(found.is_stopped))
