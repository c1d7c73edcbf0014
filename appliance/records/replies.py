"""What the records know of SMS that people have sent, and what an answer to the box may belong to."""

from __future__ import annotations

from collections.abc import Collection

from appliance.records.database import Connection

FIRST_LOOK = "first look"  # the name of the row that says: what the gateway listed before it is nobody's answer

_SURVEY = """SELECT c.id FROM notice AS n JOIN conversation AS c ON c.id = n.about
WHERE n.what = 'survey' AND n.state IN ('sent', 'unknown', 'trying') AND n.tried >= ? AND c.customer = ?
ORDER BY n.tried DESC, c.opened_n DESC LIMIT 1"""
_MET = """SELECT EXISTS (SELECT 1 FROM conversation WHERE customer = ?1)
OR EXISTS (SELECT 1 FROM request WHERE customer = ?1)"""
_LANGUAGE = "SELECT language FROM conversation WHERE customer = ? ORDER BY opened_n DESC LIMIT 1"


def known(db: Connection, names: Collection[str]) -> frozenset[str]:
    """Those of ``names`` that were taken before."""
    marks = ", ".join("?" * len(names))
    rows = db.execute(f"SELECT name FROM reply WHERE name IN ({marks})", tuple(names)).fetchall()  # noqa: S608 - question marks only
    return frozenset(str(name) for (name,) in rows)


def surveyed(db: Connection, customer: str, since: int) -> str:
    """The conversation about which this customer was last asked since ``since`` (UTC ms); empty where none was."""
    row = db.execute(_SURVEY, (since, customer)).fetchone()
    return str(row[0]) if row else ""


def has_met(db: Connection, customer: str) -> bool:
    """Whether the box has ever spoken with this number, or owed it a call."""
    row = db.execute(_MET, (customer,)).fetchone()
    return bool(row and row[0])


def language_of(db: Connection, customer: str) -> str:
    """In which language this customer last spoke with the box; empty where nobody knows."""
    row = db.execute(_LANGUAGE, (customer,)).fetchone()
    return str(row[0]) if row else ""
