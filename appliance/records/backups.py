"""What the records say of the box's backups: the last one, the last drill, and since when there is a box."""

from __future__ import annotations

import json
from dataclasses import dataclass

from appliance.records import events
from appliance.records.database import Connection

SUBJECT = "backup"  # of all events about backups
_LAST = """SELECT e.at, b.body FROM event AS e JOIN event_body AS b USING (n)
WHERE e.subject = ? AND e.kind = ? ORDER BY e.n DESC LIMIT 1"""


@dataclass(frozen=True, slots=True)
class LastBackups:
    """UTC ms; 0: never. The reasons are those of the newest failure or drill; empty where it went well."""

    since: int
    made: int
    failed: int
    failed_reason: str
    drilled: int
    drill_reason: str


def last(connection: Connection) -> LastBackups:
    first = connection.execute("SELECT at FROM event WHERE n = 1").fetchone()
    made, _ = _newest(connection, events.BackupMade.kind)
    failed, about_failure = _newest(connection, events.BackupFailed.kind)
    drilled, about_drill = _newest(connection, events.BackupDrilled.kind)
    return LastBackups(
        since=first[0] if first else 0,
        made=made,
        failed=failed,
        failed_reason=str(about_failure.get("reason", "")),
        drilled=drilled,
        drill_reason=str(about_drill.get("reason", "")),
    )


def _newest(connection: Connection, kind: str) -> tuple[int, dict[str, object]]:
    row = connection.execute(_LAST, (SUBJECT, kind)).fetchone()
    return (int(row[0]), json.loads(row[1])) if row else (0, {})
