"""What an import would do, person by person, before anything is done; and the orders that do it.

Policy. Who has a number that somebody in the list has already is that contact: what the file says replaces what was
known, numbers are added, and what the file is silent about stays. Two rows of one file with the same number are not
one person: the second is named and left out, for nobody here can say which of the two is right. A row that cannot be
taken never holds up another one, and doing the same import again changes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from appliance.contacts import check, decoding, from_csv, from_vcard
from appliance.contacts.draft import Draft, Row, Wrong
from appliance.control.wire import Contact
from appliance.errors import Problem

CHUNK_ROWS = 500  # looked up at once
BATCH_CONTACTS = 50  # of one order: calls takes some 2 ms for them, between two packets of SIP
BATCH_BYTES = 40_000  # of one order, whose datagram may hold 64 KiB
MOST_NAMED = 1_000  # wrong rows that are kept with their reasons; beyond it they are only counted

Find = Callable[[Sequence[str]], Mapping[str, Contact]]
"""Who has these numbers now."""


@dataclass(frozen=True, slots=True)
class Save:
    """This contact is new (``contact`` is empty) or changed."""

    line: int
    contact: Contact


@dataclass(frozen=True, slots=True)
class Same:
    """Everything that the file says is known already."""

    line: int


Step = Save | Same | Wrong


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read: ``rows`` gives everybody in it, as often as it is asked."""

    encoding: str
    separator: str  # empty for cards
    unknown: tuple[str, ...]  # headings that are passed over
    rows: Callable[[], Iterator[Row]]


@dataclass(slots=True)
class Plan:
    """What would be done. ``wrong`` names the first ``MOST_NAMED`` rows that cannot be taken."""

    new: int = 0
    changed: int = 0
    same: int = 0
    wrong_count: int = 0
    wrong: list[Wrong] = field(default_factory=list)


def source(content: bytes) -> Source:
    """The file by its content; Problem where it is neither table nor cards, or too large."""
    text = decoding.decoded(content)
    if from_vcard.is_card(text.text):
        return Source(text.encoding, "", (), lambda: from_vcard.rows(text.text))
    table = from_csv.table(text.text)
    return Source(text.encoding, table.separator, table.unknown, table.rows)


def steps(rows: Iterable[Row], find: Find, area_code: str) -> Iterator[Step]:
    """What becomes of each row, in order."""
    taken: dict[str, int] = {}  # number: the line that has it
    waiting = iter(rows)
    while chunk := list(itertools.islice(waiting, CHUNK_ROWS)):
        checked = [_checked(row, area_code) for row in chunk]
        found = find([number for each in checked if isinstance(each, Contact) for number in each.numbers])
        for row, each in zip(chunk, checked, strict=True):
            yield each if isinstance(each, Wrong) else _step(row, each, found, taken)


def planned(steps: Iterable[Step]) -> Plan:
    """All steps, counted."""
    plan = Plan()
    for step in steps:
        match step:
            case Save(_, contact):
                plan.new += not contact.contact
                plan.changed += bool(contact.contact)
            case Same():
                plan.same += 1
            case Wrong():
                plan.wrong_count += 1
                if len(plan.wrong) < MOST_NAMED:
                    plan.wrong.append(step)
    return plan


def batches(steps: Iterable[Step]) -> Iterator[tuple[Contact, ...]]:
    """The contacts to save, as many at once as one order takes."""
    batch: list[Contact] = []
    size = 0
    for step in steps:
        if not isinstance(step, Save):
            continue
        length = len(msgspec.msgpack.encode(step.contact))
        if batch and (len(batch) == BATCH_CONTACTS or size + length > BATCH_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(step.contact)
        size += length
    if batch:
        yield tuple(batch)


def merged(row: Draft, find: Find, area_code: str) -> Contact:
    """One contact as somebody has typed it, with what is known of who has its numbers; Problem where it cannot be."""
    match next(steps([row], find, area_code)):
        case Save(_, contact):
            return contact
        case Same():
            return known(row.numbers[0], find, area_code)
        case Wrong(_, problem):
            raise problem


def known(written: str, find: Find, area_code: str) -> Contact:
    """The contact that has this number; Problem where nobody has."""
    number = check.number_of(written, area_code)
    found = find([number]).get(number)
    if found is None:
        raise Problem("contacts.nobody_has", number=number[-4:])
    return found


def _checked(row: Row, area_code: str) -> Contact | Wrong:
    """The row as a contact of its own, with what it does not say left empty."""
    if isinstance(row, Wrong):
        return row
    contact = Contact(
        row.name,
        row.numbers,
        row.latin or "",
        row.language or "",
        bool(row.is_vip),
        bool(row.is_blocked),
        bool(row.is_unrecorded),
        row.note or "",
    )
    try:
        return check.checked(contact, area_code)
    except Problem as problem:
        return Wrong(row.line, problem)


def _step(row: Row, checked: Contact, found: Mapping[str, Contact], taken: dict[str, int]) -> Step:
    assert isinstance(row, Draft)
    for number in checked.numbers:
        if number in taken:
            return Wrong(row.line, Problem("contacts.twice", number=number[-4:], line=taken[number]))
    known = {each.contact: each for number in checked.numbers if (each := found.get(number)) is not None}
    if len(known) > 1:
        names = " / ".join(each.name for each in known.values())
        return Wrong(row.line, Problem("contacts.two_contacts", names=names[:80]))
    taken.update(dict.fromkeys(checked.numbers, row.line))
    before = next(iter(known.values()), None)
    if before is None:
        return Save(row.line, checked)
    merged = _merged(row, checked, before)
    if len(merged.numbers) > check.MOST_NUMBERS:
        problem = Problem("contacts.many_numbers", count=len(merged.numbers), most=check.MOST_NUMBERS)
        return Wrong(row.line, problem)
    return Same(row.line) if merged == before else Save(row.line, merged)


def _merged(row: Draft, checked: Contact, before: Contact) -> Contact:
    return Contact(
        checked.name or before.name,
        tuple(dict.fromkeys((*before.numbers, *checked.numbers))),
        checked.latin if row.latin else before.latin,
        checked.language if row.language else before.language,
        before.is_vip if row.is_vip is None else row.is_vip,
        before.is_blocked if row.is_blocked is None else row.is_blocked,
        before.is_unrecorded if row.is_unrecorded is None else row.is_unrecorded,
        checked.note if row.note else before.note,
        before.contact,
    )
