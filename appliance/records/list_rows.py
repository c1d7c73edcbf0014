"""Which rows an event of outbound lists changes (rows.py)."""

from __future__ import annotations

from appliance.records import events
from appliance.records.database import Value

Change = tuple[str, tuple[Value, ...]]
OfLists = (
    events.ListEntryAdded
    | events.ListTurned
    | events.ListEntryDialled
    | events.ListAttemptSettled
    | events.DoNotCallSet
    | events.DoNotCallLifted
)

_ADDED = """INSERT INTO list_entry (id, n, list_name, number, name, language, first, second, third, added)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_TURNED = """INSERT INTO list_state (list_name, is_paused, by, since) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (list_name) DO UPDATE SET is_paused = ?2, by = ?3, since = ?4"""
_DIALLED = """INSERT INTO list_attempt (conversation, entry, leg, agent, began, began_ms, dial)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_SETTLED = """UPDATE list_attempt SET ended = coalesce(ended, ?), outcome = ?, result = ?, agent = ?
WHERE conversation = ?"""
_ENTRY = """UPDATE list_entry SET outcome = ?, result = ?, agent = ?, state = ?, not_before = ?, attempts = ?,
changed = ? WHERE id = ?"""
_FORBIDDEN = """INSERT INTO do_not_call (number, mark, at, by, why) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (number) DO UPDATE SET mark = ?2, at = ?3, by = ?4, why = ?5"""
_CLOSED = """UPDATE list_entry SET state = 'done', outcome = 'do_not_call', changed = ?
WHERE number = ? AND state = 'open'"""
_LIFTED = "DELETE FROM do_not_call WHERE number = ?"


def changes(happened: OfLists, n: int, at: int) -> tuple[Change, ...]:
    """What event ``n`` of UTC ms ``at`` changes, in order."""
    match happened:
        case events.ListEntryAdded(entry, list_name, number, name, language, columns):
            first, second, third = (*columns, "", "", "")[:3]
            return ((_ADDED, (entry, n, list_name, number, name, language, first, second, third, at)),)
        case events.ListTurned(list_name, is_paused, by):
            return ((_TURNED, (list_name, int(is_paused), by, at)),)
        case events.ListEntryDialled(conversation, entry, leg, _, agent, offset_ms, dial):
            return ((_DIALLED, (conversation, entry, leg, agent, at, offset_ms, dial)),)
        case events.ListAttemptSettled(conversation, entry, outcome, result, agent, state, not_before, attempts):
            said = outcome, result, agent
            return (
                (_SETTLED, (at, *said, conversation)),
                (_ENTRY, (*said, state, not_before, attempts, at, entry)),
            )
        case events.DoNotCallSet(mark, number, by, why):
            return (_FORBIDDEN, (number, mark, at, by, why)), (_CLOSED, (at, number))
        case events.DoNotCallLifted(_, number):
            return ((_LIFTED, (number,)),)
