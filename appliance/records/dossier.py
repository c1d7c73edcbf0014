"""What the records know of a customer while an agent's telephone rings: one short read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.records import ledger
from appliance.records.database import Connection
from appliance.records.ledger import Request

CONTACTS = 5

_CONTACTS = """SELECT c.id, c.opened, c.direction, c.outcome, c.agent, c.talking_ms + c.hold_ms,
coalesce(w.disposition, ''), coalesce(w.note, '')
FROM conversation AS c LEFT JOIN wrap_up AS w ON w.conversation = c.id
 AND w.n = (SELECT max(n) FROM wrap_up WHERE conversation = c.id)
WHERE c.customer = ? AND c.id <> ? ORDER BY c.opened DESC LIMIT ?"""
_NAME = """SELECT name FROM (
SELECT 1 AS place, 0 AS opened, iif(name <> '', name, latin) AS name FROM contact
WHERE id = (SELECT contact FROM contact_number WHERE number = ?1)
UNION ALL SELECT 2, opened, customer_name FROM conversation WHERE customer = ?1)
WHERE name <> '' ORDER BY place, opened DESC LIMIT 1"""
_REQUESTS = """SELECT id FROM request WHERE customer = ? AND state IN ('open', 'doing') AND what <> 'missed'
ORDER BY number"""


@dataclass(frozen=True, slots=True)
class Contact:
    """An earlier conversation with the customer; ``disposition`` and ``note`` are the last agent's."""

    conversation: str
    opened: int  # UTC ms
    direction: str
    outcome: str
    agent: str
    talked_ms: int
    disposition: str
    note: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """``identity`` is whether the caller has proven who they are in this conversation; None: nobody asked."""

    contacts: Sequence[Contact]
    requests: Sequence[Request]
    identity: bool | None
    identified_by: str
    name: str


NOTHING = Dossier((), (), None, "", "")


def read(db: Connection, customer: str, conversation: str) -> Dossier:
    """Of a customer by number (E.164; empty: nobody knows who it is) who is in this conversation."""
    contacts = db.execute(_CONTACTS, (customer, conversation, CONTACTS)).fetchall() if customer else []
    requests = db.execute(_REQUESTS, (customer,)).fetchall() if customer else []
    proven = db.execute("SELECT is_proven, method FROM identified WHERE conversation = ?", (conversation,)).fetchone()
    found = [ledger.of_id(db, request) for (request,) in requests]
    return Dossier(
        [Contact(*row) for row in contacts],
        [each for each in found if each is not None],
        None if proven is None else bool(proven[0]),
        "" if proven is None else proven[1],
        _name(db, customer),
    )


def _name(db: Connection, customer: str) -> str:
    """What the office's contacts call this number, else the name with which it rang last; empty where it has none."""
    row = db.execute(_NAME, (customer,)).fetchone()
    return str(row[0]) if row and customer else ""
