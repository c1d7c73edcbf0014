"""Outbound lists while the box runs: who is next, what became of whom, and who is never to be called by a list.

The book (outbound_lists/book.py) decides; here is what it says written down. What is in one is in the other once an
order is answered. A number is looked at three times: when it is taken into a list, when it is given out, and in the
moment before its INVITE leaves (list_call.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from appliance.control import wire
from appliance.control.wire import Contact
from appliance.errors import Problem
from appliance.ids import uuid7
from appliance.outbound_lists.book import Kept, ListBook, Refusal, Taken
from appliance.outbound_lists.check import MOST_ENTRIES, checked
from appliance.outbound_lists.outcomes import Outcome
from appliance.outbound_lists.settings import OutboundList
from appliance.records import events, lists
from appliance.records.lists import Entry
from appliance.records.store import Store

if TYPE_CHECKING:
    from appliance.calls.conversation import Conversation
    from appliance.calls.office import Office


class Lists:
    """Made by the office; ``begin`` runs a conversation, and is the switchboard's."""

    def __init__(self, office: Office) -> None:
        self.begin: Callable[[Conversation], None] = lambda _: None
        self.book = ListBook({})
        self._office = office

    def arrange(self) -> None:
        """The office has other settings."""
        self.book.lists = {each.name: each for each in self._office.settings.outbound_lists}

    # Before and after -------------------------------------------------------------------------------------------------

    def restore(self, store: Store) -> None:
        """What was known when the box last ran."""
        kept = [Kept(*row) for row in store.within(lists.kept)]
        numbers = [each.number for each in store.within(lists.forbidden)]
        self.book.restore(kept, numbers, store.within(lists.paused))

    def interrupted(self, unended: Iterable[lists.Unended]) -> None:
        """Attempts that the process before this one did not end: they do not count."""
        for each in unended:
            self.dials(each.entry, each.conversation)
            self.settle(each.entry, each.conversation, Outcome.INTERRUPTED, each.agent, each.began_ms)

    # Calls ------------------------------------------------------------------------------------------------------------

    def why_closed(self, list_name: str) -> str:
        """Why nobody of a list is dialled now; empty where they are."""
        if not self._office.is_clock_sure():
            return "closed"
        return self.book.why_closed(list_name, self._office.is_open)

    async def take(self, agent: str, list_name: str = "") -> Entry | Refusal:
        """The next one for this agent, who has it until ``release``; or why there is none."""
        office = self._office
        if not office.is_clock_sure():
            return "closed"
        taken = self.book.take(agent, office.clock.utc_ms(), office.is_open, list_name)
        if not isinstance(taken, Taken):
            return taken
        found = await office.records.call(lambda store: store.within(lambda db: lists.one(db, taken.entry)))
        if found is None:  # nobody erases rows of a list; a fault of the disk
            self.release(agent)
            return "nobody"
        return found

    def dials(self, entry: str, conversation: str) -> None:
        self.book.dials(entry, conversation)

    def settle(
        self, entry: str, conversation: str, outcome: Outcome, agent: str, offset_ms: int,
        result: str = "", due: int = 0,
    ) -> bool:  # fmt: skip
        """What became of an attempt, on record; may be said again. False: another attempt has followed."""
        settled = self.book.settle(entry, conversation, outcome, self._office.clock.utc_ms(), due)
        if settled is None:
            return False
        told, state = settled.outcome, "open" if settled.is_open else "done"
        after = state, settled.not_before, settled.attempts, offset_ms
        self._office.records.put(events.ListAttemptSettled(conversation, entry, told, result, agent, *after))
        self._office.changed()
        return True

    def release(self, agent: str) -> None:
        """The agent may ask for another one."""
        self.book.release(agent)

    # Orders -----------------------------------------------------------------------------------------------------------

    def known(self, list_name: str) -> OutboundList:
        """The list of this name; Problem where there is none."""
        found = self.book.lists.get(list_name)
        if found is None:
            known = ", ".join(self.book.lists) or "-"
            raise Problem("lists.no_list", name=list_name[:40], known=known)
        return found

    def check(self, list_name: str, written: Sequence[str]) -> wire.Checked:
        """Of each number its one form, and why it cannot be taken into the list; empty where it can."""
        self.known(list_name)
        return wire.Checked(tuple(self._checked(list_name, each) for each in written))

    async def add(self, list_name: str, rows: Sequence[wire.ListRow], by: str) -> wire.Counted:
        """Takes in those that may be; how many they were, once they are on the disk."""
        self.known(list_name)
        count = 0
        for row in rows:
            number, why = self._checked(list_name, row.number)
            if why:
                continue
            if len(self.book) >= MOST_ENTRIES:
                raise Problem("lists.too_many", most=MOST_ENTRIES)
            name, language, columns = checked(row.name, row.language, row.columns)
            entry = uuid7(self._office.clock.utc_ms())
            self.book.add(list_name, entry, number)
            self._office.records.put(events.ListEntryAdded(entry, list_name, number, name, language, columns, by))
            count += 1
        await self._office.records.flush()
        return wire.Counted(count)

    async def turn(self, list_name: str, is_paused: bool, by: str) -> None:
        """Pauses a list, or goes on with it; a call that is under way is not touched."""
        self.known(list_name)
        if is_paused:
            self.book.paused.add(list_name)
        else:
            self.book.paused.discard(list_name)
        self._office.records.put(events.ListTurned(list_name, is_paused, by))
        await self._office.records.flush()

    async def forbid_all(self, written: Sequence[str], by: str, why: str) -> wire.Counted:
        """None of these is dialled by a list any more; how many of them are new. What is no number is passed over."""
        found = {number for each in written if (number := self._number(each))}
        new = found - self.book.forbidden
        for number in sorted(new):
            self.forbid(number, by, why)
        await self._office.records.flush()
        return wire.Counted(len(new))

    def forbid(self, number: str, by: str, why: str) -> None:
        """No list dials this number (E.164) from this moment on."""
        if number not in self.book.forbidden:
            self.book.forbid(number)
            self._office.records.put(events.DoNotCallSet(uuid7(self._office.clock.utc_ms()), number, by, why))

    async def allow(self, written: str, by: str) -> None:
        number = self._number(written)
        if number not in self.book.forbidden:
            raise Problem("lists.not_forbidden", number=written[-4:])
        self.book.allow(number)
        self._office.records.put(events.DoNotCallLifted(uuid7(self._office.clock.utc_ms()), number, by))
        await self._office.records.flush()

    def now(self) -> wire.ListsNow:
        """Every list, for the page."""
        return wire.ListsNow(tuple(self._shown(each) for each in self.book.lists.values()))

    def of_agent(self, agent: str) -> tuple[wire.ListNow, ...]:
        return tuple(self._shown(each) for each in self.book.of_agent(agent))

    def _shown(self, each: OutboundList) -> wire.ListNow:
        return wire.ListNow(each.name, self.book.remaining(each.name), self.why_closed(each.name), each.results)

    def _checked(self, list_name: str, written: str) -> tuple[str, str]:
        office = self._office
        number, why = office.callback_number(written, self._trunk(self.known(list_name).trunk))
        if why:
            return number, why
        contact: Contact | None = office.contacts.of(number)
        if contact is not None and contact.is_blocked:
            return number, "blocked"
        return number, self.book.why_not(list_name, number)

    def _number(self, written: str) -> str:
        return self._office.callback_number(written, self._trunk())[0]

    def _trunk(self, name: str = "") -> str:
        """By which a list that names this trunk, or none, is called."""
        trunk = self._office.sip.way_out(name)
        return trunk.name if trunk is not None else ""
