"""The ledger of requests: what the box has promised to callers, each with a tracking code that is said aloud.

A code is six digits: five that do not follow each other from request to request, and a check digit (Damm, 2004) that
catches every single wrong digit and every swap of two neighbours. After 100,000 requests codes begin anew: the newest
request of a code is meant.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from appliance.records import encode
from appliance.records.database import Connection
from appliance.records.events import SettingsTaken

What = Literal["callback", "promise", "missed", "message", "complaint", "request"]

CODES = 100_000
STRIDE, START = 61_803, 27_182  # STRIDE has no divisor in common with CODES: each number has its code

# The totally anti-symmetric quasigroup of order 10 in Damm's dissertation.
_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


@dataclass(frozen=True, slots=True)
class Request:
    """``opened``, ``due`` and ``moved`` are UTC ms; ``due`` 0: no time was named."""

    request: str
    number: int
    code: str
    conversation: str
    what: str
    customer: str
    language: str
    queue: str
    opened: int
    due: int
    detail: str
    state: str
    moved: int
    by: str
    agent: str = ""  # who promised it


_REQUEST = (
    "id, number, code, conversation, what, customer, language, queue, opened, due, detail, state, moved, by, agent"
)
_BY_CODE = f"SELECT {_REQUEST} FROM request WHERE code = ? ORDER BY number DESC LIMIT 1"  # noqa: S608 - constants only
_BY_ID = f"SELECT {_REQUEST} FROM request WHERE id = ?"  # noqa: S608 - constants only
_SOME = f"""SELECT {_REQUEST} FROM request
WHERE (?1 = '' OR state = ?1 OR (?1 = 'open' AND state = 'doing')) AND (?2 = '' OR what = ?2)
ORDER BY number DESC LIMIT ?3"""  # noqa: S608 - constants only


def code_of(number: int) -> str:
    """The tracking code of request ``number``."""
    five = f"{(number * STRIDE + START) % CODES:05}"
    return five + str(_check(five))


def is_code(text: str) -> bool:
    """Whether this can be a code: six digits that fit together."""
    return len(text) == 6 and text.isascii() and text.isdigit() and _check(text) == 0


def _check(digits: str) -> int:
    row = 0
    for digit in digits:
        row = _DAMM[row][int(digit)]
    return row


def next_number(connection: Connection) -> int:
    """The number of the next request."""
    row = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM request").fetchone()
    assert row is not None
    return int(row[0])


def find(connection: Connection, code: str) -> Request | None:
    """The newest request of this code."""
    row = connection.execute(_BY_CODE, (code,)).fetchone() if is_code(code) else None
    return Request(*row) if row else None


def of_id(connection: Connection, request: str) -> Request | None:
    """The request of this id."""
    row = connection.execute(_BY_ID, (request,)).fetchone()
    return Request(*row) if row else None


def requests(connection: Connection, state: str = "", count: int = 100, what: str = "") -> list[Request]:
    """The newest ``count`` requests, of all states and kinds or of one. What is being done is open too."""
    return [Request(*row) for row in connection.execute(_SOME, (state, what, count)).fetchall()]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a customer was called back; ``began`` and ``ended`` are UTC ms, 0: it goes on."""

    request: str
    began: int
    ended: int
    outcome: str
    heard: str
    agent: str


def attempts(connection: Connection, requests: Collection[str]) -> dict[str, list[Attempt]]:
    """All attempts of these requests, oldest first; a request without one is not in it."""
    found: dict[str, list[Attempt]] = {}
    for request in requests:
        rows = connection.execute(
            "SELECT request, began, coalesce(ended, 0), outcome, heard, agent FROM attempt WHERE request = ?"
            " ORDER BY began",
            (request,),
        ).fetchall()
        if rows:
            found[request] = [Attempt(*row) for row in rows]
    return found


@dataclass(frozen=True, slots=True)
class OpenCallback:
    """A callback, promise or missed call that is not done, as ``queue.callbacks`` knows it.

    ``asker`` is the number from which it was asked for, or changed, last. ``attempts`` are those that count
    since it was asked for last (``renewed``); ``dialling`` is the conversation of one that was never ended, ``dial``
    how its INVITE is cancelled, ``dialled`` when it left. ``place`` is since when they wait.
    """

    request: str
    what: What
    code: str
    queue: str
    customer: str
    language: str
    trunk: str
    place: int
    due: int
    asker: str
    agent: str
    reminded: int
    detail: str
    state: str
    attempts: int
    moved: int  # UTC ms of the last attempt's end; 0 for none
    dialling: str
    offset_ms: int
    dialled: int
    dial: str
    renewed: int


_CALLBACKS = """SELECT r.id, r.what, r.code, r.queue, r.customer, r.language,
iif(r.trunk = '', coalesce(c.trunk, ''), r.trunk), iif(r.place = 0, r.opened, r.place), r.due,
CASE WHEN r.by GLOB '+[0-9]*' THEN r.by WHEN r.by = 'telephone' OR coalesce(c.is_withheld, 1) THEN ''
ELSE c.customer END,
r.agent, r.reminded, r.detail, r.state,
(SELECT count(*) FROM attempt WHERE request = r.id AND ended IS NOT NULL
 AND outcome NOT IN ('network', 'no_agent', 'interrupted') AND began >= r.renewed),
(SELECT coalesce(max(ended), 0) FROM attempt WHERE request = r.id),
coalesce(a.conversation, ''), coalesce(a.began_ms, 0), coalesce(a.began, 0), coalesce(a.dial, ''), r.renewed
FROM request AS r LEFT JOIN conversation AS c ON c.id = r.conversation
LEFT JOIN attempt AS a ON a.rowid =
 (SELECT rowid FROM attempt WHERE request = r.id AND ended IS NULL ORDER BY began DESC LIMIT 1)
WHERE r.what IN ('callback', 'promise', 'missed', 'message') AND r.state IN ('open', 'doing') ORDER BY r.number"""

# Numbers that were tried in vain, and when the last attempt ended.
_IN_VAIN = """SELECT customer, queue, max(moved) FROM request
WHERE what IN ('callback', 'promise', 'missed', 'message') AND state = 'expired' AND by = 'box' AND moved >= ?
AND EXISTS (SELECT 1 FROM attempt WHERE attempt.request = request.id) GROUP BY customer, queue"""


def open_callbacks(connection: Connection) -> list[OpenCallback]:
    """All calls that are still owed, oldest first."""
    return [OpenCallback(*row) for row in connection.execute(_CALLBACKS).fetchall()]


def unended(connection: Connection) -> list[tuple[str, str, int]]:
    """Attempts that nobody has ended: conversation, request, and when they began (ms of the conversation)."""
    return list(
        connection.execute("SELECT conversation, request, began_ms FROM attempt WHERE ended IS NULL").fetchall()
    )


def tried_in_vain(connection: Connection, since: int) -> list[tuple[str, str, int]]:
    """Customer, line and moment (UTC ms) of requests that came to nothing since then."""
    return list(connection.execute(_IN_VAIN, (since,)).fetchall())


@dataclass(frozen=True, slots=True)
class CutOff:
    """A caller whose conversation a crash has ended: whom to call back, and where they stood."""

    customer: str
    trunk: str
    language: str
    flow: str
    node: str
    opened: int  # UTC ms


def cut_off(connection: Connection, conversation: str) -> CutOff | None:
    """Who was cut off; None where they cannot be called, or it was we who had called."""
    row = connection.execute(
        "SELECT customer, trunk, language, flow, node, opened FROM conversation"
        " WHERE id = ? AND direction = 'in' AND is_withheld = 0 AND customer <> ''",
        (conversation,),
    ).fetchone()
    return CutOff(*row) if row else None


@dataclass(frozen=True, slots=True)
class DialledLeg:
    """A leg that we dialled by a trunk and that was answered at ``at_ms`` (UTC)."""

    number: str
    trunk: str
    at_ms: int
    milliseconds: int  # since the answer; of a leg that has not ended, as far as is known
    is_cut_off: bool  # a crash has ended it


# A leg to a phone is told from one to a trunk by ``via``, which the reader compares with the names of the trunks.
_DIALLED_SINCE = """SELECT l.party, l.via, c.opened + l.answered_ms,
max(coalesce(l.ended_ms, l.answered_ms) - l.answered_ms, 0), l.cause = 'orphan'
FROM leg AS l JOIN conversation AS c ON c.id = l.conversation
WHERE l.answered_ms IS NOT NULL AND NOT (l.role = 'customer' AND c.direction = 'in') AND c.opened + l.answered_ms >= ?
ORDER BY l.rowid"""


def dialled_since(connection: Connection, at_ms: int, trunks: Collection[str]) -> list[DialledLeg]:
    """Every leg to the outside that was answered at ``at_ms`` (UTC) or later, in order."""
    rows = connection.execute(_DIALLED_SINCE, (at_ms,)).fetchall()
    return [
        DialledLeg(number, trunk, began, milliseconds, bool(is_cut_off))
        for number, trunk, began, milliseconds, is_cut_off in rows
        if trunk in trunks
    ]


def switch_values(connection: Connection) -> dict[str, str]:
    """What each switch was turned to last."""
    return dict(connection.execute("SELECT switch, value FROM switch_state").fetchall())


def seats(connection: Connection) -> list[tuple[str, str, int]]:
    """Agents who have signed in or out: where they sit (empty: nowhere), and since when (UTC ms)."""
    rows = connection.execute("SELECT agent, phone, since FROM seat").fetchall()
    return [(agent, phone, since) for agent, phone, since in rows]


def missed_since(connection: Connection, at: int) -> int:
    """Conversations since ``at`` (UTC ms) whose caller left before anybody spoke with them."""
    row = connection.execute(
        "SELECT count(*) FROM conversation WHERE opened >= ? AND outcome = 'abandoned'", (at,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def last_agent(connection: Connection, customer: str) -> str:
    """The agent who spoke with this customer last; empty where nobody did."""
    row = connection.execute(
        "SELECT agent FROM conversation WHERE customer = ? AND agent <> '' ORDER BY opened_n DESC LIMIT 1", (customer,)
    ).fetchone()
    return str(row[0]) if row else ""


def last_customer(connection: Connection, agent: str) -> str:
    """The customer with whom this agent spoke last; empty where there was none, or the number was withheld."""
    row = connection.execute(
        "SELECT customer FROM conversation WHERE agent = ? AND talking_ms > 0 ORDER BY opened_n DESC LIMIT 1", (agent,)
    ).fetchone()
    return str(row[0]) if row else ""


def last_moment(connection: Connection) -> int:
    """UTC ms of the newest event; 0 where there is none."""
    row = connection.execute("SELECT at FROM event ORDER BY n DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


_SETTINGS_TAKEN = """SELECT body FROM event JOIN event_body USING (n)
WHERE subject = 'settings' AND kind = 'settings.taken' ORDER BY n DESC LIMIT 1"""


def settings_taken(connection: Connection) -> str:
    """SHA-256 of the settings' file that the box was last started with, by its event; empty before the first."""
    row = connection.execute(_SETTINGS_TAKEN).fetchone()
    said = encode.happened_from(SettingsTaken.kind, row[0]) if row else None
    return said.sha256 if isinstance(said, SettingsTaken) else ""


def conversation_of(connection: Connection, recording: str) -> str:
    """The conversation that a recording belongs to, also of one that was erased; empty where nobody knows it."""
    row = connection.execute(
        "SELECT conversation FROM recording WHERE id = ?1"
        " UNION ALL SELECT conversation FROM going WHERE recording = ?1",
        (recording,),
    ).fetchone()
    return str(row[0]) if row else ""


def open_count(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) FROM request WHERE state IN ('open', 'doing')").fetchone()
    assert row is not None
    return int(row[0])
