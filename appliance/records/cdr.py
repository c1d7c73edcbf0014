"""The record of one conversation as others read it: JSON, CSV for a spreadsheet, a line of a table.

Times are UTC milliseconds and whole milliseconds of length; the five states add up to ``total_ms`` exactly. Jalali
columns are for eyes only, in the box's zone (+03:30, no daylight saving since 2022). A spreadsheet runs what begins
with ``=``, ``+``, ``-`` or ``@``: such cells get a leading quote (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance.messages import calendar
from appliance.records.events import State
from appliance.records.reader import Conversation, Leg, Recording

WRAPPED_UP = ("disposition", "resolved", "kind", "note")  # of each agent who had the call, in order
STATES = tuple(f"{state}_ms" for state in State)

COLUMNS = (
    "conversation", "revision", "opened_utc", "closed_utc", "opened_jalali", "closed_jalali", "opened_utc_ms",
    "direction", "line", "trunk", "called", "customer", "customer_as_arrived", "customer_name", "withheld", "language",
    "flow", "outcome", "detail", "agent", "ringing_ms", "menu_ms", "waiting_ms", "talking_ms", "hold_ms", "total_ms",
    "answered_after_ms", "interruptions", "mos", "lost_permille", "consent", "recordings", "recording_sha256",
    "recording_states", "recording_verified", "recorded_ms", "missing_ms", "wrap_up", "disposition", "resolved", "kind",
    "note",
)  # fmt: skip


def as_json(record: Conversation) -> dict[str, Any]:
    """The record as a document; numbers are numbers, and what is not known is null."""
    return {
        "conversation": record.conversation,
        "number": record.number,
        "revision": record.revision,
        "opened_utc_ms": record.opened,
        "closed_utc_ms": record.closed,
        "direction": record.direction,
        "line": record.line,
        "queue": record.queue or None,
        "trunk": record.trunk,
        "called": record.called,
        "customer": None if record.is_withheld else record.customer,
        "customer_as_arrived": record.customer_as_arrived,
        "customer_name": record.customer_name,
        "withheld": record.is_withheld,
        "language": record.language,
        "flow": record.flow,
        "flow_hash": record.flow_hash,
        "node": record.node,
        "digits": record.digits,
        "outcome": record.outcome or None,
        "detail": record.detail,
        "agent": record.agent or None,
        "states": {state.value: getattr(record, f"{state}_ms") for state in State},
        "total_ms": record.total_ms,
        "answered_after_ms": answered_after_ms(record),
        "interruptions": record.interruptions,
        "interrupted_ms": record.interrupted_ms,
        "mos": mos(record),
        "consent": {"id": record.consent, "how": record.consent_how} if record.consent else None,
        "legs": [_leg(leg) for leg in record.legs],
        "recordings": [_recording(recording) for recording in record.recordings],
        "transfers": [asdict(transfer) for transfer in record.transfers],
        "supervision": [asdict(step) for step in record.supervision],
        "pauses": [asdict(step) for step in record.pauses],
        "wrap_ups": [asdict(wrap_up) for wrap_up in record.wrap_ups],
        "briefs": [asdict(brief) for brief in record.briefs],
    }


def as_csv(records: Iterable[Conversation]) -> str:
    """A table with a heading, for a spreadsheet: starts with a byte order mark, lines end with CR LF."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for record in records:
        cells = _cells(record)
        writer.writerow([harmless(cells[column]) for column in COLUMNS])
    return out.getvalue()


def answered_after_ms(record: Conversation) -> int | None:
    """How long the customer heard the line ring; None if it was never answered."""
    times = [leg.answered_ms for leg in record.legs if leg.role == "customer" and leg.answered_ms is not None]
    return min(times) if times else None


def mos(record: Conversation) -> float | None:
    """The worst estimated MOS of its legs, to one digit: the quality is that of the weakest side."""
    known = [leg.mos10 for leg in record.legs if leg.mos10 is not None]
    return min(known) / 10 if known else None


def utc(at: int | None) -> str:
    """ISO 8601 with milliseconds; empty where there is no time."""
    if at is None:
        return ""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def jalali(at: int | None) -> str:
    """``1405/09/02 17:28:10`` in the box's zone; empty where there is no time."""
    return "" if at is None else calendar.jalali_moment(at)


def recording_word(recordings: Sequence[Recording]) -> str:
    """The recordings of one conversation in one word: the worst of their verifications, else of their states."""
    words = [recording.verified or recording.state for recording in recordings]
    for word in ("damaged", "missing", "lost", "refused", "open", "live", "recovered", "sealed", "empty", "verified"):
        if word in words:
            return word
    return ""


def _cells(record: Conversation) -> dict[str, str | int | float | None]:
    kept = [recording for recording in record.recordings if recording.state != "refused"]
    losses = [leg.lost_permille for leg in record.legs if leg.lost_permille is not None]
    return {
        "conversation": record.conversation,
        "revision": record.revision,
        "opened_utc": utc(record.opened),
        "closed_utc": utc(record.closed),
        "opened_jalali": jalali(record.opened),
        "closed_jalali": jalali(record.closed),
        "opened_utc_ms": record.opened,
        **{name: getattr(record, name) for name in ("direction", "line", "trunk", "called", "customer")},
        **{name: getattr(record, name) for name in ("customer_as_arrived", "customer_name", "language", "flow")},
        **{name: getattr(record, name) for name in ("outcome", "detail", "agent", "interruptions", "total_ms")},
        **{name: getattr(record, name) for name in STATES},
        "withheld": int(record.is_withheld),
        "answered_after_ms": answered_after_ms(record),
        "mos": mos(record),
        "lost_permille": max(losses) if losses else None,
        "consent": record.consent_how,
        "recordings": " ".join(recording.recording for recording in kept),
        "recording_sha256": " ".join(recording.body_sha256 for recording in kept),
        "recording_states": " ".join(recording.state for recording in record.recordings),
        "recording_verified": recording_word(record.recordings),
        "recorded_ms": sum(recording.milliseconds for recording in kept),
        "missing_ms": sum(recording.missing_ms for recording in kept),
        **{name: " | ".join(getattr(each, name) for each in record.wrap_ups) for name in WRAPPED_UP},
        "wrap_up": " | ".join(each.state for each in record.wrap_ups),
    }


def harmless(cell: str | int | float | None) -> str | int | float:
    """A cell that no spreadsheet takes for a formula."""
    if cell is None:
        return ""
    if isinstance(cell, str) and cell.lstrip(" \ufeff").startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return "'" + cell
    return cell


def _leg(leg: Leg) -> dict[str, Any]:
    return {
        "leg": leg.leg,
        "role": leg.role,
        "party": leg.party,
        "via": leg.via,
        "opened_ms": leg.opened_ms,
        "answered_ms": leg.answered_ms,
        "ended_ms": leg.ended_ms,
        "codec": leg.codec,
        "cause": leg.cause,
        "code": leg.code,
        "mos": None if leg.mos10 is None else leg.mos10 / 10,
        "lost_permille": leg.lost_permille,
    }


def _recording(recording: Recording) -> dict[str, Any]:
    return {
        "recording": recording.recording,
        "part": recording.part,
        "state": recording.state,
        "reason": recording.reason,
        "opened_ms": recording.opened_ms,
        "milliseconds": recording.milliseconds,
        "missing_ms": recording.missing_ms,
        "gaps": recording.gaps,
        "gap_ms": recording.gap_ms,
        "body_bytes": recording.body_bytes,
        "body_sha256": recording.body_sha256 or None,
        "seal_sha256": recording.seal_sha256 or None,
        "talk_ms": {"customer": recording.left_talk_ms, "business": recording.right_talk_ms},
        "overtalk_ms": recording.overtalk_ms,
        "dead_air_ms": recording.dead_air_ms,
        "longest_silence_ms": recording.longest_silence_ms,
        "interruptions": {"customer": recording.left_interruptions, "business": recording.right_interruptions},
        "replies": recording.replies,
        "reply_ms": recording.reply_ms,
        "verified": recording.verified or None,
        "verified_utc_ms": recording.verified_at,
        "sent_utc_ms": recording.sent_at,
    }
