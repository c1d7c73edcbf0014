"""What page and command line ask of calls.db: short read-only questions, beside the writer, as another user.

Every question is one read transaction of a few milliseconds (never above a second: a long one would keep the
write-ahead log from being taken in). A ``Reader`` may be used from several threads; it opens the
file at its first question and again after a failure, so it lives through restarts of the writer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from appliance.errors import Problem
from appliance.records import chain, database, encode, events, ledger, outgoing, signing, store
from appliance.records.database import Connection, Value
from appliance.records.events import HeadSigned

T = TypeVar("T")

SLICE_EVENTS = 5000  # checked in some 30 ms


@dataclass(frozen=True, slots=True)
class Leg:
    """One party's voice path; times are milliseconds since the conversation opened."""

    leg: str
    role: str
    party: str
    via: str
    opened_ms: int
    answered_ms: int | None
    ended_ms: int | None
    codec: str
    cause: str
    code: int
    mos10: int | None
    lost_permille: int | None


@dataclass(frozen=True, slots=True)
class Recording:
    """One part. ``verified`` is verified, open, damaged, missing, or empty where it was not checked yet."""

    recording: str
    part: int
    consent: str
    opened_ms: int
    state: str
    reason: str
    body_bytes: int
    body_sha256: str
    seal_sha256: str
    milliseconds: int
    missing_ms: int
    gaps: int
    gap_ms: int
    left_talk_ms: int
    right_talk_ms: int
    overtalk_ms: int
    dead_air_ms: int
    longest_silence_ms: int
    left_interruptions: int  # the customer spoke into our words
    right_interruptions: int  # we into theirs
    replies: int
    reply_ms: int  # the sum of the delays of all replies
    verified: str
    verified_reason: str
    verified_at: int | None
    sent_at: int | None = None  # UTC ms: a target upstream has all of it, and it was read back

    @property
    def is_kept(self) -> bool:
        """It is closed and holds something: it can be heard and exported."""
        return self.state in events.KEPT_STATES


@dataclass(frozen=True, slots=True)
class Transfer:
    """A step of a transfer, as ``events.CustomerPassedOn``."""

    at_ms: int
    agent: str
    target: str
    how: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Supervised:
    """A step of somebody's listening, as ``events.Supervised``."""

    at_ms: int
    supervisor: str
    agent: str
    leg: str
    state: str
    mode: str
    detail: str
    recording: str


@dataclass(frozen=True, slots=True)
class Paused:
    """The recording was paused, or resumed, as ``events.RecordingPaused``."""

    at_ms: int
    by: str
    state: str
    how: str


@dataclass(frozen=True, slots=True)
class WrapUp:
    """What an agent has said about the call: ``state`` given, missed, or late (given after it was missed)."""

    agent: str
    state: str
    disposition: str
    note: str
    resolved: str  # yes, no, or empty: not said
    kind: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Brief:
    """What an agent has written for whoever got the customer next."""

    agent: str
    text: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation with its legs and recordings. ``total_ms`` is None while it lasts; ``revision`` 0 while open."""

    conversation: str
    number: int  # of its first event: the order of conversations
    opened: int  # UTC ms
    closed: int | None
    direction: str
    line: str
    trunk: str
    called: str
    customer: str
    customer_as_arrived: str
    customer_name: str
    is_withheld: bool
    flow: str
    flow_hash: str
    language: str
    node: str
    digits: str
    state: str
    ringing_ms: int
    menu_ms: int
    waiting_ms: int
    talking_ms: int
    hold_ms: int
    total_ms: int | None
    interruptions: int
    interrupted_ms: int
    consent: str
    consent_how: str
    agent: str
    outcome: str
    detail: str
    revision: int
    legs: tuple[Leg, ...]
    recordings: tuple[Recording, ...]
    transfers: tuple[Transfer, ...] = ()
    queue: str = ""  # the waiting line they were in last
    supervision: tuple[Supervised, ...] = ()
    wrap_ups: tuple[WrapUp, ...] = ()
    briefs: tuple[Brief, ...] = ()
    pauses: tuple[Paused, ...] = ()
    contact_name: str = ""  # as the office's list of contacts has who has this number now

    @property
    def name(self) -> str:
        """What the customer is called: by the office first, else as it came with the call."""
        return self.contact_name or self.customer_name


@dataclass(frozen=True, slots=True)
class Counts:
    """``outcomes`` and ``verified`` count by word (``""``: not yet); ``last_event`` is the chain's last number."""

    conversations: int
    open: int
    outcomes: dict[str, int]
    recordings: dict[str, int]
    verified: dict[str, int]
    last_event: int


@dataclass(frozen=True, slots=True)
class TrunkState:
    trunk: str
    state: str
    code: int
    since: int


@dataclass(frozen=True, slots=True)
class PhoneState:
    phone: str
    is_registered: bool
    since: int


@dataclass(frozen=True, slots=True)
class FlowVersion:
    """``what`` is published, rolled_back or started."""

    flow: str
    flow_hash: str
    what: str
    by: str
    at: int


_CONVERSATION = """id, opened_n, opened, closed, direction, line, trunk, called, customer, customer_as_arrived,
customer_name, is_withheld, flow, flow_hash, language, node, digits, state, ringing_ms, menu_ms, waiting_ms, talking_ms,
hold_ms, total_ms, interruptions, interrupted_ms, consent, consent_how, agent, outcome, detail,
coalesce((SELECT revision FROM cdr WHERE cdr.conversation = conversation.id), 0), queue,
coalesce((SELECT iif(name <> '', name, latin) FROM contact
    WHERE id = (SELECT contact FROM contact_number WHERE number = customer)), '')"""
_LEG = """id, role, party, via, opened_ms, answered_ms, ended_ms, codec, cause, code, mos10, lost_permille"""
_RECORDING = """id, part, consent, opened_ms, state, reason, body_bytes, body_sha256, seal_sha256, milliseconds,
missing_ms, gaps, gap_ms, left_talk_ms, right_talk_ms, overtalk_ms, dead_air_ms, longest_silence_ms,
left_interruptions, right_interruptions, replies, reply_ms, verified, verified_reason, verified_at, sent_at"""


class Reader:
    """Questions to calls.db. Each raises a Problem (``records.no_database``, ``stopped``, ``wrong_key``)."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._key = key
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def last(self, count: int = 50, before: int | None = None) -> list[Conversation]:
        """The last ``count`` conversations, newest first; ``before`` continues below that ``number``."""
        where = "WHERE opened_n < ? ORDER BY opened_n DESC LIMIT ?"
        return self._conversations(where, (before if before is not None else 1 << 62, max(count, 0)))

    def since(self, at_utc_ms: int, flow: str) -> list[Conversation]:
        """Conversations of this flow whose record has closed, opened since ``at_utc_ms``, oldest first."""
        return self._conversations(
            "WHERE opened >= ? AND flow = ? AND closed IS NOT NULL ORDER BY opened_n", (at_utc_ms, flow)
        )

    def conversation(self, conversation: str) -> Conversation | None:
        """One conversation, or None where there is none by this id (never was, or was erased)."""
        found = self._conversations("WHERE id = ?", (conversation,))
        return found[0] if found else None

    def changed(self, since: int, count: int = 500) -> list[Conversation]:
        """Conversations whose record closed or was revised by an event after number ``since``, in that order."""
        return self._conversations(
            "JOIN (SELECT conversation AS of, changed_n FROM cdr WHERE changed_n > ?) ON of = id"
            " ORDER BY changed_n LIMIT ?",
            (since, count),
        )

    def counts(self, since_utc_ms: int = 0) -> Counts:
        """How many conversations (opened since that time) by outcome, and recordings by state and verification."""
        with self._reading() as db:
            outcomes = _counted(
                db, "SELECT outcome, count(*) FROM conversation WHERE opened >= ? GROUP BY 1", since_utc_ms
            )
            of_recordings = (
                "SELECT recording.{0}, count(*) FROM recording JOIN conversation ON conversation.id = conversation"
                " WHERE opened >= ? GROUP BY 1"
            )
            return Counts(
                conversations=sum(outcomes.values()),
                open=outcomes.get("", 0),
                outcomes=outcomes,
                recordings=_counted(db, of_recordings.format("state"), since_utc_ms),
                verified=_counted(db, of_recordings.format("verified"), since_utc_ms),
                last_event=_last_event(db),
            )

    def last_event(self) -> int:
        """The number of the newest event; 0 where there is none."""
        with self._reading() as db:
            return _last_event(db)

    def within(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` finds in one read transaction."""
        with self._reading() as db:
            return work(db)

    def requests(self, state: str = "", count: int = 100, what: str = "") -> list[ledger.Request]:
        """The newest requests of the ledger, of all states and kinds or of one."""
        with self._reading() as db:
            return ledger.requests(db, state, count, what)

    def survey(self, since_utc_ms: int = 0) -> dict[str, dict[int, int]]:
        """How often each value was given, by question."""
        found: dict[str, dict[int, int]] = {}
        with self._reading() as db:
            for question, value, count in db.execute(
                "SELECT question, value, count(*) FROM survey WHERE at >= ? GROUP BY 1, 2", (since_utc_ms,)
            ):
                found.setdefault(question, {})[value] = count
        return found

    def presses(self, conversation: str) -> list[tuple[str, str, str]]:
        """What the flow met, in order: what (opened, node, digit, lookup, identified), node, and what of it."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT e.kind, b.body FROM event AS e JOIN event_body AS b USING (n) WHERE e.subject = ?"
                " AND e.kind IN ('conversation.opened', 'flow.node', 'flow.digit', 'flow.lookup', 'caller.identified')"
                " ORDER BY e.n",
                (conversation,),
            ).fetchall()
        return [_press(kind, body) for kind, body in rows]

    def versions(self, flow: str) -> list[FlowVersion]:
        """What was published of a flow, newest first."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT flow, flow_hash, what, by, at FROM flow_version WHERE flow = ? ORDER BY n DESC", (flow,)
            ).fetchall()
        return [FlowVersion(*row) for row in rows]

    def receipts(self, count: int = 100) -> list[outgoing.Receipt]:
        """The newest receipts of targets upstream, newest first."""
        with self._reading() as db:
            return outgoing.receipts(db, count)

    def trunks(self) -> list[TrunkState]:
        """The last known state of each trunk: what is shown while calls is stopped."""
        with self._reading() as db:
            return [TrunkState(*row) for row in db.execute("SELECT trunk, state, code, since FROM trunk_state")]

    def phones(self) -> list[PhoneState]:
        """The last known state of each phone."""
        with self._reading() as db:
            rows = db.execute("SELECT phone, is_registered, since FROM phone_state").fetchall()
            return [PhoneState(phone, bool(is_registered), since) for phone, is_registered, since in rows]

    def verify(self, anchor: chain.Head | None = None) -> chain.Head | chain.Fault:
        """Checks the whole chain of events."""
        return chain.verify(self._links(), anchor)

    def verify_signed(
        self, public: str = "", anchor: chain.Head | None = None
    ) -> tuple[chain.Head | chain.Fault, HeadSigned | None]:
        """The same, and every signature in it, by the key of which ``public`` (hex; empty: any) is the public half."""
        return signing.verify(self._links(), public, anchor)

    def close(self) -> None:
        with self._lock:
            self._forget()

    def _links(self) -> Iterator[chain.Link]:
        """All events, in slices: events are only appended, so that one transaction for all of them is not needed."""
        after = 0
        while True:
            with self._reading() as db:
                slice_ = list(store.links(db, after, SLICE_EVENTS))
            yield from slice_
            if len(slice_) < SLICE_EVENTS:
                return
            after = slice_[-1].n

    def _conversations(self, where: str, values: tuple[Value, ...]) -> list[Conversation]:
        with self._reading() as db:
            return conversations(db, where, values)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One read transaction; after a failure the connection is forgotten, and opened anew by the next question."""
        with self._lock:
            connection = self._connection = self._connection or database.open_reader(self.path, self._key)
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except database.Unreadable as error:
                self._forget()
                raise Problem("records.stopped", file=str(self.path), reason=str(error)) from error
            except BaseException:
                self._forget()
                raise

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def conversations(db: Connection, where: str, values: tuple[Value, ...]) -> list[Conversation]:
    """Those that a clause of SQL (a constant of ours, its values apart) names, in its order."""
    rows = db.execute(f"SELECT {_CONVERSATION} FROM conversation {where}", values).fetchall()  # noqa: S608 - constants only
    return [_conversation(db, row) for row in rows]


def _conversation(db: Connection, row: tuple[Any, ...]) -> Conversation:
    identifier, queue, contact = row[0], row[-2], row[-1]
    legs = db.execute(f"SELECT {_LEG} FROM leg WHERE conversation = ? ORDER BY rowid", (identifier,))  # noqa: S608 - constants only
    recordings = db.execute(
        f"SELECT {_RECORDING} FROM recording WHERE conversation = ? ORDER BY part, rowid",  # noqa: S608 - constants only
        (identifier,),
    )
    transfers = db.execute(
        "SELECT at_ms, agent, target, how, state, detail FROM passed_on WHERE conversation = ? ORDER BY n",
        (identifier,),
    )
    supervision = db.execute(
        "SELECT at_ms, supervisor, agent, leg, state, mode, detail, recording FROM supervised"
        " WHERE conversation = ? ORDER BY n",
        (identifier,),
    )
    wrap_ups = db.execute(
        "SELECT agent, state, disposition, note, resolved, kind, at_ms FROM wrap_up WHERE conversation = ? ORDER BY n",
        (identifier,),
    )
    briefs = db.execute("SELECT agent, text, at_ms FROM brief WHERE conversation = ? ORDER BY n", (identifier,))
    pauses = db.execute("SELECT at_ms, by, state, how FROM paused WHERE conversation = ? ORDER BY n", (identifier,))
    values = [
        *row[:-2],
        tuple(Leg(*leg) for leg in legs),
        tuple(Recording(*recording) for recording in recordings),
        tuple(Transfer(*transfer) for transfer in transfers),
        queue,
        tuple(Supervised(*step) for step in supervision),
        tuple(WrapUp(*wrap_up) for wrap_up in wrap_ups),
        tuple(Brief(*brief) for brief in briefs),
        tuple(Paused(*step) for step in pauses),
        contact,
    ]
    values[11] = bool(values[11])
    return Conversation(*values)


def _press(kind: str, body: bytes) -> tuple[str, str, str]:
    match encode.happened_from(kind, body):
        case events.ConversationOpened(language=language):
            return "opened", "", language
        case events.NodeEntered(_, node, node_kind):
            return "node", node, node_kind
        case events.DigitTaken(_, node, digit):
            return "digit", node, digit
        case events.LookedUp(_, node, _, is_found):
            return "lookup", node, "found" if is_found else "failed"
        case events.Identified(_, _, is_proven):
            return "identified", "", "proven" if is_proven else "unproven"
        case _:
            return "other", "", ""


def _counted(db: Connection, sql: str, since: int) -> dict[str, int]:
    return {str(word): int(count) for word, count in db.execute(sql, (since,))}


def _last_event(db: Connection) -> int:
    row = db.execute("SELECT coalesce(max(n), 0) FROM event").fetchone()
    assert row is not None
    return int(row[0])
