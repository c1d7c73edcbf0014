"""Contacts out of calls.db: searched, counted, found by number. Questions only, each short (records/reader.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from appliance.control.wire import Contact
from appliance.messages.folding import fold
from appliance.records.database import Connection

SLICE = 5_000
_COLUMNS = "id, name, latin, numbers, language, is_vip, is_blocked, is_unrecorded, note"
_SLICE = f"SELECT {_COLUMNS} FROM contact WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608 - constants only
_ONE = f"SELECT {_COLUMNS} FROM contact WHERE id = ?"  # noqa: S608 - constants only
_OF_NUMBER = f"""SELECT {_COLUMNS} FROM contact
WHERE id = (SELECT contact FROM contact_number WHERE number = ?)"""  # noqa: S608 - constants only


def search(db: Connection, wanted: str, count: int) -> list[Contact]:
    """At most ``count`` contacts in whose names, numbers or note every word stands, by name; all for no word."""
    words = _words(wanted)
    # With words the rows are read as they lie and what is found is sorted (+name): by the index of names each row of a
    # list of 100,000 would be looked up on its own.
    where = " AND ".join(["instr(folded, ?) > 0"] * len(words)) or "1"
    order = "+name" if words else "name"
    sql = f"SELECT {_COLUMNS} FROM contact WHERE {where} ORDER BY {order}, id LIMIT ?"  # noqa: S608 - values are bound
    return [_contact(row) for row in db.execute(sql, (*words, count)).fetchall()]


def of_numbers(db: Connection, numbers: Sequence[str]) -> dict[str, Contact]:
    """Who has these numbers; a number that nobody has is not in it."""
    found = ((number, db.execute(_OF_NUMBER, (number,)).fetchone()) for number in numbers)
    return {number: _contact(row) for number, row in found if row is not None}


def one(db: Connection, contact: str) -> Contact | None:
    row = db.execute(_ONE, (contact,)).fetchone()
    return _contact(row) if row is not None else None


def count(db: Connection) -> int:
    row = db.execute("SELECT count(*) FROM contact").fetchone()
    assert row is not None
    return int(row[0])


def after(db: Connection, contact: str, count: int = SLICE) -> list[Contact]:
    """The next ``count`` contacts by id."""
    return [_contact(row) for row in db.execute(_SLICE, (contact, count)).fetchall()]


def everybody(ask: Callable[[Callable[[Connection], list[Contact]]], list[Contact]]) -> Iterator[Contact]:
    """All contacts, by id; ``ask`` puts one short question to the database (``Reader.within``, ``Store.within``)."""
    last = ""
    while True:
        begins = last
        found = ask(lambda db: after(db, begins))  # noqa: B023 - asked at once
        if not found:
            return
        yield from found
        last = found[-1].contact


def _words(wanted: str) -> list[str]:
    """Words to be found; a number that was typed with blanks or dashes in it is one word."""
    folded = fold(wanted)[:100]
    digits = "".join(letter for letter in folded if letter not in " -()./")
    return [digits] if digits.lstrip("+").isdigit() else folded.split()


def _contact(row: Sequence[Any]) -> Contact:
    contact, name, latin, numbers, language, is_vip, is_blocked, is_unrecorded, note = row
    return Contact(
        name,
        tuple(numbers.split()),
        latin,
        language,
        bool(is_vip),
        bool(is_blocked),
        bool(is_unrecorded),
        note,
        contact,
    )
