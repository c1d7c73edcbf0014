"""A desk phone wants to listen to a colleague's call: its leg is handed to that conversation, or hears why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from appliance.calls import answering, supervision
from appliance.calls.by_phone import ByPhone
from appliance.calls.conversation import Conversation
from appliance.calls.office import Office, SupervisorCame
from appliance.messages import Language
from appliance.records import events
from appliance.records.events import State
from appliance.signalling import port as signalling

MOST_KEPT = 40  # characters of what was dialled


class SuperviseCall(ByPhone):
    """``whom`` is a colleague's name or extension, ``conversations`` are all that there are now."""

    def __init__(
        self,
        office: Office,
        offered: signalling.Offered,
        phone: str,
        whom: str,
        conversations: Callable[[], Iterable[Conversation]],
        language: Language,
    ) -> None:
        super().__init__(office, offered, phone, language)
        self._whom = whom
        self._conversations = conversations

    async def serve(self) -> None:
        """Answers, and gives the leg away or tells why not; a refusal is an event."""
        await answering.answer(self, self.offered)
        found = supervision.wanted(self.office, self._conversations(), self.agent, self._whom)
        if isinstance(found, str):
            self.detail = f"supervise_{found}"
            self.put(
                events.Supervised(
                    self.id, self.agent or self.phone, self._whom[:MOST_KEPT], self.customer.leg, "refused", "", found,
                    "", self.offset_ms(),
                )
            )  # fmt: skip
            self.enter(State.MENU)
            await self.tell(self.customer, (self.detail,))
            return
        self.detail = "supervises"
        party = self.hand_over(self.customer, found.conversation.inbox)
        party.role, party.name = "supervisor", self.agent
        found.conversation.inbox.put(SupervisorCame(party, found.agent))
