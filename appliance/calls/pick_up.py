"""A desk phone takes a call that rings at a colleague's: its leg is handed to the conversation that rings.

Whoever was rung hears that it was answered elsewhere. Of two who pick up in the same moment the first has the call, the
other one's telephone hangs up.
"""

from __future__ import annotations

from collections.abc import Iterable

from appliance.calls import answering
from appliance.calls.by_phone import ByPhone
from appliance.calls.conversation import Conversation
from appliance.calls.office import Office, PickedUp
from appliance.messages import Language
from appliance.signalling import port as signalling


class PickUpCall(ByPhone):
    """``rings`` is the conversation that is taken."""

    def __init__(
        self, office: Office, offered: signalling.Offered, phone: str, rings: Conversation, language: Language
    ) -> None:
        super().__init__(office, offered, phone, language)
        self._rings = rings

    async def serve(self) -> None:
        """Answers, and gives the leg away."""
        self.detail = "picked_up"
        await answering.answer(self, self.offered)
        party = self.hand_over(self.customer, self._rings.inbox)
        party.role, party.name = "agent", self.agent or self.phone
        self._rings.inbox.put(PickedUp(party))


def rings_at(office: Office, conversations: Iterable[Conversation], whom: str, by: str) -> Conversation | None:
    """The conversation that rings longest at ``whom`` (empty: at anybody but the telephone ``by``); None: none does."""
    inside = office.inside(whom) if whom else None
    if whom and (inside is None or inside.kind == "line"):
        return None
    names = {
        name
        for name in office.agents
        if (office.seats.phone_of(name) != by if inside is None else inside.name in (name, office.seats.phone_of(name)))
    }
    found = [each for each in conversations if each.rung & names]
    return min(found, key=lambda each: each.since_utc_ms, default=None)
