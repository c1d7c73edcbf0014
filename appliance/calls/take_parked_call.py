"""A desk phone takes a customer out of a slot: its leg goes to their conversation, or hears that nobody is there."""

from __future__ import annotations

from appliance.calls import answering
from appliance.calls.by_phone import ByPhone
from appliance.calls.office import Office, PickedUp
from appliance.messages import Language
from appliance.records.events import State
from appliance.signalling import port as signalling


class TakeParkedCall(ByPhone):
    """``slot`` 0: whoever was parked first."""

    def __init__(self, office: Office, offered: signalling.Offered, phone: str, slot: int, language: Language) -> None:
        super().__init__(office, offered, phone, language)
        self._slot = slot

    async def serve(self) -> None:
        """Answers first: between being given the customer and handing the leg over nothing may happen."""
        await answering.answer(self, self.offered)
        parked = self.office.slots.take(self._slot)
        if parked is None:
            self.detail = "park_empty"
            self.enter(State.MENU)
            await self.tell(self.customer, (self.detail,))
            return
        self.detail = "took_parked"
        inbox = self.office.legs[parked.leg]
        party = self.hand_over(self.customer, inbox)
        party.role, party.name = "agent", self.agent or self.phone
        inbox.put(PickedUp(party))
