"""What sync reads of calls.db: what is new in the chain, what a batch of events or records holds, what has a receipt.

Questions only; every one is short and bounded, so that it runs in one read transaction of ``Reader.within``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from appliance.records import encode, events
from appliance.records.database import Connection

OWN_KINDS = ("upstream.receipt", "upstream.erased")  # a batch is never cut for these alone: it would have no end


@dataclass(frozen=True, slots=True)
class News:
    """What happened after a number: ``last`` is the newest event's, ``is_own_only`` where only receipts came.

    ``sealed`` are recordings with the time and digests of their event; ``erased`` are conversations.
    """

    last: int
    is_own_only: bool
    sealed: tuple[tuple[int, events.RecordingSealed], ...]
    erased: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    target: str
    key: str
    unit: str
    recording: str
    first: int
    last: int
    sha256: str
    size: int
    place: str
    n: int
    at: int


_RECEIPT = "target, key, unit, recording, first, last, sha256, size, place, n, at"


def news(db: Connection, after: int, count: int = 2000) -> News:
    """What the next ``count`` events after number ``after`` bring."""
    rows = db.execute(
        "SELECT e.n, e.at, e.kind, e.subject, CASE WHEN e.kind = 'recording.sealed' THEN b.body END"
        " FROM event AS e LEFT JOIN event_body AS b USING (n) WHERE e.n > ? ORDER BY e.n LIMIT ?",
        (after, count),
    ).fetchall()
    sealed = []
    for _, at, kind, _, body in rows:
        happened = encode.happened_from(kind, body) if body else None
        if isinstance(happened, events.RecordingSealed):
            sealed.append((at, happened))
    return News(
        last=rows[-1][0] if rows else after,
        is_own_only=all(kind in OWN_KINDS for _, _, kind, _, _ in rows),
        sealed=tuple(sealed),
        erased=tuple(subject for _, _, kind, subject, _ in rows if kind == "conversation.erased"),
    )


def chain_lines(db: Connection, first: int, last: int) -> bytes:
    """Events ``first`` to ``last`` as JSON lines, with all that checking the chain needs; erased bodies are null."""
    rows = db.execute(
        "SELECT e.n, e.at, e.kind, e.subject, e.commitment, e.link, b.salt, b.body"
        " FROM event AS e LEFT JOIN event_body AS b USING (n) WHERE e.n BETWEEN ? AND ? ORDER BY e.n",
        (first, last),
    )
    lines = []
    for n, at, kind, subject, commitment, link, salt, body in rows:
        line = {
            "n": n, "at": at, "kind": kind, "subject": subject, "commitment": commitment.hex(), "link": link.hex(),
            "salt": salt.hex() if salt is not None else None, "body": body.decode() if body is not None else None,
        }  # fmt: skip
        lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
    return "".join(line + "\n" for line in lines).encode("utf-8", "replace")


def revisions(db: Connection, first: int, last: int, count: int = 2000) -> list[tuple[int, str]]:
    """Conversations whose newest revision is an event from ``first`` to ``last``: its number and the conversation."""
    return [
        (n, conversation)
        for n, conversation in db.execute(
            "SELECT changed_n, conversation FROM cdr WHERE changed_n BETWEEN ? AND ? ORDER BY changed_n LIMIT ?",
            (first, last, count),
        )
    ]


def opened_between(db: Connection, since: int, until: int) -> list[str]:
    """Conversations with a record that opened from ``since`` up to ``until`` (UTC ms), oldest first."""
    return [
        conversation
        for (conversation,) in db.execute(
            "SELECT id FROM conversation JOIN cdr ON cdr.conversation = id WHERE opened >= ? AND opened < ?"
            " ORDER BY opened_n",
            (since, until),
        )
    ]


def receipts(db: Connection, count: int) -> list[Receipt]:
    """The newest first."""
    rows = db.execute(f"SELECT {_RECEIPT} FROM receipt ORDER BY n DESC LIMIT ?", (count,))  # noqa: S608 - constants only
    return [Receipt(*row) for row in rows.fetchall()]


def has_receipt(db: Connection, target: str, key: str) -> bool:
    return db.execute("SELECT 1 FROM receipt WHERE target = ? AND key = ?", (target, key)).fetchone() is not None


def is_sent(db: Connection, recording: str) -> bool:
    """Whether a target has the whole recording and its receipt is written: nothing may delete it before."""
    row = db.execute("SELECT sent_at FROM recording WHERE id = ?", (recording,)).fetchone()
    return row is not None and row[0] is not None
