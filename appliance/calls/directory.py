"""Whom the office knows, while the box runs: orders that change the list, and questions that no call waits for.

The list is in memory (contacts/book.py) and in the records; what is in one is in the other once an order is answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import msgspec

from appliance.clock import Clock
from appliance.contacts import check
from appliance.contacts.book import ContactBook
from appliance.control.wire import Contact
from appliance.errors import Problem
from appliance.ids import uuid7
from appliance.records import events
from appliance.records.writer import Records
from appliance.signalling import numbers

log = logging.getLogger(__name__)

WRITTEN_SECONDS = 2.0  # what a full disk keeps back is kept in memory, and is told


class Directory:
    """``area_code`` is what a bare local number belongs to."""

    def __init__(self, records: Records, clock: Clock, area_code: str) -> None:
        self._book = ContactBook()
        self._records = records
        self._clock = clock
        self._area_code = area_code

    def __len__(self) -> int:
        return len(self._book)

    def restore(self, contacts: Iterable[Contact]) -> None:
        """What was known when the box last ran."""
        self._book = ContactBook(contacts)

    def of(self, number: str, area_code: str = "") -> Contact | None:
        """Who has this number, in any written form; ``area_code`` is that of the line on which it came."""
        if not number:
            return None
        return self._book.of(check.key_of(numbers.normalise(number, area_code or self._area_code)))

    async def save(self, contacts: tuple[Contact, ...], by: str) -> tuple[str, ...]:
        """Saves all of these, or none and a Problem; their ids, once they are on the disk."""
        checked = [check.checked(each, self._area_code) for each in contacts]
        taken: dict[str, Contact] = {}
        for each in checked:
            if each.contact and self._book.get(each.contact) is None:
                raise Problem("contacts.gone")
            for number in each.numbers:
                other = self._book.of(number) or taken.get(number)
                if other is not None and (other.contact != each.contact or not each.contact):
                    raise Problem("contacts.taken", number=number[-4:], name=other.name)
                taken[number] = each
        if len(self._book) + sum(not each.contact for each in checked) > check.MOST_CONTACTS:
            raise Problem("contacts.too_many", most=check.MOST_CONTACTS)
        saved = tuple(self._save(each, by) for each in checked)
        await self._written()
        return saved

    async def remove(self, contacts: tuple[str, ...], by: str) -> None:
        """What was known of them is erased; Problem ``contacts.gone`` where one is not known any more."""
        if any(self._book.get(each) is None for each in contacts):
            raise Problem("contacts.gone")
        for each in contacts:
            if self._book.remove(each):
                self._records.put(events.ContactRemoved(each, by))
        await self._written()

    def _save(self, contact: Contact, by: str) -> str:
        known = msgspec.structs.replace(contact, contact=contact.contact or uuid7(self._clock.utc_ms()))
        self._book.save(known)
        self._records.put(
            events.ContactSaved(
                known.contact, known.name, known.latin, known.numbers, known.language,
                known.is_vip, known.is_blocked, known.is_unrecorded, known.note, by,
            )
        )  # fmt: skip
        return known.contact

    async def _written(self) -> None:
        try:
            async with asyncio.timeout(WRITTEN_SECONDS):
                await self._records.flush()
        except TimeoutError:
            log.warning("what was changed in the contacts is kept, and not written yet")
