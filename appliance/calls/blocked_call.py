"""A caller whom the office has blocked is told so, once, and the call ends: where the owner wants no busy tone."""

from __future__ import annotations

import logging

from appliance.calls import answering
from appliance.calls.conversation import Conversation, Left, Trouble
from appliance.calls.office import Office
from appliance.calls.settings import CalledLine
from appliance.control.wire import Contact
from appliance.records import events
from appliance.records.events import Outcome, State
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause

log = logging.getLogger(__name__)


class BlockedCall(Conversation):
    """Nothing of it is recorded, and nothing is owed to the caller."""

    def __init__(self, office: Office, offered: signalling.Offered, line: CalledLine, contact: Contact) -> None:
        trunk = office.trunk(line.trunk)
        super().__init__(
            office, offered.leg, offered.caller, trunk.address or office.sip.address, trunk.law, trunk.media_from
        )
        self.trunk_name = trunk.name
        self.line_name = line.name
        self.language = line.language
        self._offered = offered
        self._blocked = contact

    async def run(self) -> None:
        self._open_record()
        try:
            answering.check_codecs(self, self._offered)
            await self.open(self.customer)
            await answering.answer(self, self._offered)
            self.enter(State.MENU)
            await self.tell(self.customer, ("caller_blocked",))
        except (Left, Trouble):
            pass  # gone before it was said, or nothing could be said
        except Exception:
            log.exception("a fault ended conversation %s", self.id)
            self.office.count("faults")
        self.hang_up(self.customer, Cause.ENDED_HERE)
        await self.close(Outcome.REFUSED, "blocked")

    def _open_record(self) -> None:
        caller, contact = self.caller, self._blocked
        self.parties[self.customer.leg] = self.customer
        self.put(
            events.ConversationOpened(
                self.id, "in", self.line_name, self.trunk_name, self._offered.called, contact.numbers[0],
                caller.number, caller.name, False, "", "", self.language,
            )
        )  # fmt: skip
        self.put(events.LegOpened(self.id, self.customer.leg, "customer", caller.number, self.trunk_name, 0))
        self.put(events.CallerBlocked(self.id, contact.contact, "announcement", self.offset_ms()))
