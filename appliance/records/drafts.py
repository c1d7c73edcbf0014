"""What agents have typed about their calls and not given yet: rows that are written over, not events.

A draft changes once a second while somebody types; as events every half word would stand in the chain for ever. It goes
with the event that takes its place (``wrap_up.given``, ``wrap_up.missed``) and with the erasure of its conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.records.database import Connection

FIELDS = ("disposition", "note", "resolved", "kind")
LONGEST_NOTE = 2000  # letters
LONGEST_BRIEF = 300  # letters for whoever gets the customer next


@dataclass(frozen=True, slots=True)
class Draft:
    """``values`` and ``versions`` are those of ``FIELDS``, in order."""

    conversation: str
    agent: str
    line: str
    values: tuple[str, ...]
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LeftDraft:
    """A draft that another process has left behind, and the call it is about: ``opened`` is UTC ms."""

    draft: Draft
    opened: int
    customer: str
    customer_name: str
    language: str
    direction: str


def keep(db: Connection, draft: Draft) -> None:
    """Writes the draft over what was there of its agent and conversation."""
    db.execute(
        "INSERT OR REPLACE INTO draft (conversation, agent, line, disposition, note, resolved, kind, versions)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (draft.conversation, draft.agent, draft.line, *draft.values, " ".join(map(str, draft.versions))),
    )


def left(db: Connection) -> Sequence[LeftDraft]:
    """All drafts, those of the oldest calls first."""
    rows = db.execute(
        "SELECT d.conversation, d.agent, d.line, d.disposition, d.note, d.resolved, d.kind, d.versions,"
        " c.opened, iif(c.is_withheld, '', c.customer), c.customer_name, c.language, c.direction"
        " FROM draft AS d JOIN conversation AS c ON c.id = d.conversation ORDER BY c.opened_n"
    ).fetchall()
    found = []
    for conversation, agent, line, disposition, note, resolved, kind, versions, *call in rows:
        values = disposition, note, resolved, kind
        numbers = tuple(int(each) for each in versions.split())
        found.append(LeftDraft(Draft(conversation, agent, line, values, numbers), *call))
    return found
