"""The contacts as calls holds them while it runs: who has a number, without asking the disk.

Whether somebody is blocked, or never to be recorded, must be known before the first sound of a call. A number belongs
to one contact. Pure; the records are written beside it (calls/directory.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from appliance.control.wire import Contact


class ContactBook:
    """All contacts, by id and by number (``check.key_of``)."""

    def __init__(self, contacts: Iterable[Contact] = ()) -> None:
        self._contacts: dict[str, Contact] = {}
        self._holders: dict[str, Contact] = {}
        for each in contacts:
            self.save(each)

    def __len__(self) -> int:
        return len(self._contacts)

    def get(self, contact: str) -> Contact | None:
        return self._contacts.get(contact)

    def of(self, number: str) -> Contact | None:
        """Whose number this is."""
        return self._holders.get(number)

    def save(self, contact: Contact) -> None:
        """The contact is so from now on; ``contact.contact`` is its id."""
        self.remove(contact.contact)
        self._contacts[contact.contact] = contact
        self._holders.update(dict.fromkeys(contact.numbers, contact))

    def remove(self, contact: str) -> bool:
        """False where it was not known."""
        gone = self._contacts.pop(contact, None)
        if gone is None:
            return False
        for number in gone.numbers:
            if self._holders.get(number) is gone:
                del self._holders[number]
        return True
