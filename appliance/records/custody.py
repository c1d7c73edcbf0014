"""What the records say of the keys that recordings are sealed to: the last set, the last one in a known hand, the last
drill."""

from __future__ import annotations

import msgspec

from appliance.records import events
from appliance.records.database import Connection

DRILL_DAYS = 90  # by when the paper is to be tried again
SUBJECT = "keys"  # of all events about them
_NEWEST = """SELECT b.body FROM event AS e JOIN event_body AS b USING (n)
WHERE e.subject = ? AND e.kind = ? ORDER BY e.n DESC"""


class LastCustody(msgspec.Struct, frozen=True):
    """``trusted`` is the newest set that the owner vouched for; ``drilled`` UTC ms, 0: never."""

    last: events.RecipientsChanged | None
    trusted: events.RecipientsChanged | None
    drilled: int


def last(connection: Connection) -> LastCustody:
    newest = trusted = None
    for (body,) in connection.execute(_NEWEST, (SUBJECT, events.RecipientsChanged.kind)):
        found = msgspec.json.decode(body, type=events.RecipientsChanged)
        newest = newest or found
        if found.is_trusted and found.version:
            trusted = found
            break
    row = connection.execute(_NEWEST, (SUBJECT, events.KeysDrilled.kind)).fetchone()
    return LastCustody(newest, trusted, msgspec.json.decode(row[0], type=events.KeysDrilled).at if row else 0)
