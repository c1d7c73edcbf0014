"""outbox.db: which unit went where, in a file of this process alone.

Fed from calls.db by a cursor, so that units and the cursor's new place are one transaction: a kill at any moment loses
nothing and doubles nothing. Encrypted like the records, with a key of its own that follows from theirs. What is pending
is found by a partial index: the cost of a unit does not depend on how many went before. If the file is lost, it is fed
anew, every target is asked what it has, and receipts that stand in the records are not written twice.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.records import database
from appliance.records.database import Connection
from appliance.sync.plan import Job, State
from appliance.sync.units import OF_RECORDING, RANKS, Kind, Unit

VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS unit (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL UNIQUE,
    first INTEGER NOT NULL, last INTEGER NOT NULL, recording TEXT NOT NULL, conversation TEXT NOT NULL,
    born INTEGER NOT NULL,        -- UTC ms
    size INTEGER NOT NULL, sha256 TEXT NOT NULL,
    content BLOB                  -- of a batch, from its first try until every target has it
) STRICT;
CREATE INDEX IF NOT EXISTS unit_by_recording ON unit (recording) WHERE recording != '';
CREATE INDEX IF NOT EXISTS unit_by_conversation ON unit (conversation) WHERE conversation != '';
CREATE TABLE IF NOT EXISTS target (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    reached INTEGER NOT NULL DEFAULT 0,   -- units up to this number have their jobs
    is_known INTEGER NOT NULL DEFAULT 0,  -- our marker was left there
    receipts INTEGER NOT NULL DEFAULT 0, receipt_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS job (
    target INTEGER NOT NULL, unit INTEGER NOT NULL, rank INTEGER NOT NULL, state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0, day INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '', place TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (target, unit)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS job_pending ON job (target, rank, unit) WHERE state IN ('queued', 'placed', 'refused');
CREATE INDEX IF NOT EXISTS job_verified ON job (target, unit) WHERE state = 'verified';
CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""
_PENDING = "state IN ('queued', 'placed', 'refused')"
_UNIT = "number, kind, key, first, last, recording, born, size, sha256"
_FIRST = f"""SELECT unit, kind, state, size, tries, sent, day FROM job INDEXED BY job_pending
CROSS JOIN unit ON number = unit WHERE target = ? AND rank = ? AND {_PENDING} ORDER BY unit LIMIT ?"""  # noqa: S608 - constants only

_OLDEST = f"""SELECT born FROM unit WHERE number = (SELECT unit FROM job INDEXED BY job_pending
WHERE target = ? AND rank = ? AND {_PENDING} ORDER BY unit LIMIT 1)"""  # noqa: S608 - constants only
_NOTES = f"SELECT note FROM job INDEXED BY job_pending WHERE target = ? AND note != '' AND {_PENDING}"  # noqa: S608 - constants only
_VERIFIED = f"""SELECT name, id, place, {_UNIT} FROM target CROSS JOIN job INDEXED BY job_verified
ON target = id AND state = 'verified' CROSS JOIN unit ON number = unit LIMIT ?"""  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class NewUnit:
    kind: Kind
    key: str
    first: int
    last: int
    born: int
    recording: str = ""
    conversation: str = ""
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """A job whose receipt is to be told."""

    target: str
    target_id: int
    unit: Unit
    place: str


@dataclass(frozen=True, slots=True)
class Standing:
    pending: int
    pending_bytes: int
    refused: int
    oldest: int  # UTC ms; 0: nothing is pending
    receipts: int
    receipt_at: int


class Outbox:
    """To be used from one thread. ``key`` is that of the records; the outbox's own follows from it."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._db: Connection = database.open_writer(path, hmac.digest(key, b"pasokh/outbox/v1", hashlib.sha256))
        path.chmod(0o600)
        with self._transaction():
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    self._db.execute(statement)
        self._pending: dict[int, tuple[int, int, int]] = {}  # target: pending, their bytes, refused

    def close(self) -> None:
        self._db.close()

    # Targets ----------------------------------------------------------------------------------------------------------

    def target(self, name: str, kinds: Collection[Kind]) -> int:
        """The id of a target; whatever was cut before it was known, of its kinds, waits for it from now on."""
        with self._transaction():
            self._db.execute("INSERT INTO target (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
            row = self._db.execute("SELECT id FROM target WHERE name = ?", (name,)).fetchone()
            assert row is not None
            self._enlist(int(row[0]), kinds)
        self._count(int(row[0]))
        return int(row[0])

    def is_known(self, target: int) -> bool:
        row = self._db.execute("SELECT is_known FROM target WHERE id = ?", (target,)).fetchone()
        return bool(row and row[0])

    def known(self, target: int) -> None:
        """Our marker stands at the target."""
        if not self.is_known(target):
            self._db.execute("UPDATE target SET is_known = 1 WHERE id = ?", (target,))

    def forget_others(self, targets: Collection[int]) -> None:
        """Jobs of targets that are no longer in the settings are dropped; units and receipts stay."""
        with self._transaction():
            for (identifier,) in self._db.execute("SELECT id FROM target").fetchall():
                if identifier not in targets:
                    self._db.execute("DELETE FROM job WHERE target = ?", (identifier,))
                    self._db.execute("DELETE FROM target WHERE id = ?", (identifier,))

    def _enlist(self, target: int, kinds: Collection[Kind]) -> None:
        for kind in kinds:
            self._db.execute(
                "INSERT INTO job (target, unit, rank, state) SELECT ?, number, ?, 'queued' FROM unit"
                " WHERE kind = ? AND number > (SELECT reached FROM target WHERE id = ?)",
                (target, RANKS[kind], kind, target),
            )
        self._db.execute(
            "UPDATE target SET reached = (SELECT coalesce(max(number), 0) FROM unit) WHERE id = ?", (target,)
        )

    # Feeding ----------------------------------------------------------------------------------------------------------

    def cursor(self, name: str) -> int:
        row = self._db.execute("SELECT n FROM cursor WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def add(self, units: Sequence[NewUnit], cursors: Mapping[str, int], takers: Mapping[int, Collection[Kind]]) -> None:
        """New units with their jobs for ``takers``, and how far was read, in one transaction.

        A unit whose key is there already is the same one: nothing changes. An ERASE makes the pending units of its
        recording void, and goes only to targets that may have something of it.
        """
        with self._transaction():
            for unit in units:
                self._add(unit, takers)
            for name, n in cursors.items():
                self._db.execute(
                    "INSERT INTO cursor (name, n) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET n = ?2", (name, n)
                )
            self._db.execute("UPDATE target SET reached = (SELECT coalesce(max(number), 0) FROM unit)")
        for target in takers:
            self._count(target) if any(unit.kind is Kind.ERASE for unit in units) else None

    def _add(self, unit: NewUnit, takers: Mapping[int, Collection[Kind]]) -> None:
        added = self._db.execute(
            "INSERT INTO unit (kind, key, first, last, recording, conversation, born, size, sha256)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING number",
            (
                unit.kind, unit.key, unit.first, unit.last, unit.recording, unit.conversation, unit.born, unit.size,
                unit.sha256,
            ),
        ).fetchone()  # fmt: skip
        if added is None:
            return
        for target, kinds in takers.items():
            if unit.kind in kinds and (unit.kind is not Kind.ERASE or self._drops(target, unit.recording)):
                self._db.execute(
                    "INSERT INTO job (target, unit, rank, state) VALUES (?, ?, ?, 'queued')",
                    (target, added[0], RANKS[unit.kind]),
                )
                pending, size, refused = self._pending.get(target, (0, 0, 0))
                self._pending[target] = pending + 1, size + unit.size, refused

    def _drops(self, target: int, recording: str) -> bool:
        """Makes what is pending of a recording void; whether the target knows the recording at all."""
        numbers = [
            number
            for number, kind in self._db.execute(
                "SELECT number, kind FROM unit WHERE recording = ?", (recording,)
            ).fetchall()
            if Kind(kind) in OF_RECORDING
        ]
        for number in numbers:
            self._db.execute(
                f"UPDATE job SET state = 'void' WHERE target = ? AND unit = ? AND {_PENDING}",  # noqa: S608 - constants only
                (target, number),
            )
        return bool(numbers)

    def recordings_of(self, conversation: str) -> list[str]:
        """Recordings of a conversation that were ever cut into units."""
        rows = self._db.execute(
            "SELECT DISTINCT recording FROM unit WHERE conversation = ? AND recording != ''", (conversation,)
        )
        return [recording for (recording,) in rows.fetchall()]

    def files_of(self, recording: str) -> list[str]:
        """The names of all files that ever went of a recording, without prefix; whatever is a head stands first."""
        rows = self._db.execute("SELECT kind, key FROM unit WHERE recording = ?", (recording,)).fetchall()
        files = [(Kind(kind), key) for kind, key in rows if Kind(kind) in OF_RECORDING]
        return [key for _, key in sorted(files, key=lambda file: file[0] is not Kind.HEAD)]

    # Units ------------------------------------------------------------------------------------------------------------

    def unit(self, number: int) -> tuple[Unit, bytes | None]:
        """A unit, and the content of a batch once it is fixed."""
        row = self._db.execute(f"SELECT {_UNIT}, content FROM unit WHERE number = ?", (number,)).fetchone()  # noqa: S608 - constants only
        assert row is not None
        return _unit(row[:9]), row[9]

    def fix(self, number: int, size: int, sha256: str, content: bytes | None) -> None:
        """What the unit is from now on."""
        before = self._db.execute("SELECT size FROM unit WHERE number = ?", (number,)).fetchone()
        with self._transaction():
            self._db.execute(
                "UPDATE unit SET size = ?, sha256 = ?, content = ? WHERE number = ?", (size, sha256, content, number)
            )
        for target, (pending, total, refused) in self._pending.items():
            self._pending[target] = pending, total + size - (before[0] if before else 0), refused

    # Jobs -------------------------------------------------------------------------------------------------------------

    def first(self, target: int, kind: Kind, passing_over: Collection[int]) -> Job | None:
        rows = self._db.execute(_FIRST, (target, RANKS[kind], len(passing_over) + 1))
        for number, of_kind, state, size, tries, sent, day in rows.fetchall():
            if number not in passing_over:
                return Job(number, Kind(of_kind), State(state), size, tries, sent, day)
        return None

    def note(self, target: int, number: int) -> str:
        row = self._db.execute("SELECT note FROM job WHERE target = ? AND unit = ?", (target, number)).fetchone()
        return str(row[0]) if row else ""

    def notes(self, target: int) -> frozenset[str]:
        """What a target remembers of parcels that are half sent."""
        rows = self._db.execute(_NOTES, (target,))
        return frozenset(note for (note,) in rows.fetchall())

    def remember(self, target: int, number: int, note: str) -> None:
        self._db.execute("UPDATE job SET note = ? WHERE target = ? AND unit = ?", (note, target, number))

    def tried(self, target: int, job: Job, state: State | None, sent: int, day: int) -> None:
        """A try that did not come through; ``sent`` bytes had left."""
        today = (job.sent_today if job.day == day else 0) + sent
        self._db.execute(
            "UPDATE job SET tries = tries + 1, sent = ?, day = ?, state = coalesce(?, state)"
            " WHERE target = ? AND unit = ?",
            (today, day, state, target, job.number),
        )
        pending, size, refused = self._pending.get(target, (0, 0, 0))
        if state is not None:
            refused += (state is State.REFUSED) - (job.state is State.REFUSED)
            self._pending[target] = pending, size, refused

    def settled(self, target: int, job: Job, state: State, size: int, place: str = "") -> None:
        """Verified or void: no longer pending."""
        with self._transaction():
            changed = self._db.execute(
                f"UPDATE job SET state = ?, place = ?, note = '' WHERE target = ? AND unit = ? AND {_PENDING}",  # noqa: S608 - constants only
                (state, place, target, job.number),
            ).rowcount
            if state is State.VOID:
                self._drop_content(job.number)
        if changed:
            pending, total, refused = self._pending.get(target, (0, 0, 0))
            self._pending[target] = pending - 1, total - size, refused - (job.state is State.REFUSED)

    def verified(self, count: int = 60) -> list[Verified]:
        """What is to be told to calls, oldest targets first."""
        rows = self._db.execute(
            _VERIFIED,
            (count,),
        ).fetchall()
        return [Verified(name, identifier, _unit(row), place) for name, identifier, place, *row in rows]

    def told(self, receipts: Sequence[Verified], at_utc_ms: int) -> None:
        """The receipts are in the records."""
        with self._transaction():
            for one in receipts:
                self._db.execute(
                    "UPDATE job SET state = 'told' WHERE target = ? AND unit = ? AND state = 'verified'",
                    (one.target_id, one.unit.number),
                )
                self._db.execute(
                    "UPDATE target SET receipts = receipts + 1, receipt_at = ? WHERE id = ?", (at_utc_ms, one.target_id)
                )
                if one.unit.kind not in OF_RECORDING:
                    self._drop_content(one.unit.number)

    def standing(self, target: int) -> Standing:
        pending, size, refused = self._pending.get(target, (0, 0, 0))
        row = self._db.execute("SELECT receipts, receipt_at FROM target WHERE id = ?", (target,)).fetchone()
        receipts, receipt_at = row or (0, 0)
        oldest = self._oldest(target) if pending else 0
        return Standing(pending, max(0, size), refused, oldest, receipts, receipt_at)

    # ------------------------------------------------------------------------------------------------------------------

    def _oldest(self, target: int) -> int:
        found = []
        for rank in RANKS.values():
            row = self._db.execute(
                _OLDEST,
                (target, rank),
            ).fetchone()
            if row is not None:
                found.append(int(row[0]))
        return min(found, default=0)

    def _count(self, target: int) -> None:
        row = self._db.execute(
            f"SELECT count(*), coalesce(sum(size), 0), coalesce(sum(state = 'refused'), 0)"  # noqa: S608 - constants only
            f" FROM job INDEXED BY job_pending CROSS JOIN unit ON number = unit WHERE target = ? AND {_PENDING}",
            (target,),
        ).fetchone()
        assert row is not None
        self._pending[target] = int(row[0]), int(row[1]), int(row[2])

    def _drop_content(self, number: int) -> None:
        """The content of a batch goes when nobody waits for it any more; it could be made again."""
        for (target,) in self._db.execute("SELECT id FROM target").fetchall():
            row = self._db.execute("SELECT state FROM job WHERE target = ? AND unit = ?", (target, number)).fetchone()
            if row is not None and row[0] not in ("told", "void"):
                return
        self._db.execute("UPDATE unit SET content = NULL WHERE number = ? AND content IS NOT NULL", (number,))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise


@dataclass(frozen=True, slots=True)
class Shelf:
    """plan.Book: the jobs of one target."""

    outbox: Outbox
    target: int

    def first(self, kind: Kind, passing_over: Collection[int]) -> Job | None:
        return self.outbox.first(self.target, kind, passing_over)


def _unit(row: Sequence[object]) -> Unit:
    number, kind, key, first, last, recording, born, size, sha256 = row
    return Unit(int(str(number)), Kind(str(kind)), str(key), int(str(first)), int(str(last)), str(recording),
                int(str(born)), int(str(size)), str(sha256))  # fmt: skip
