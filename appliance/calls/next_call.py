"""A desk phone has dialled ``*45``: its agent wants the next customer of an outbound list.

The box answers; the leg goes on in the call to that customer (list_call.py), or hears why there is none.
"""

from __future__ import annotations

from appliance.calls import answering, list_call
from appliance.calls.by_phone import ByPhone
from appliance.records.events import State

WHY = {
    "not_yours": "list_not_yours",
    "paused": "list_paused",
    "closed": "list_closed",
    "nobody": "list_nobody",
    "in_hand": "feature_refused",
}


class NextCall(ByPhone):
    """The agent is the first who sits at this telephone."""

    async def serve(self) -> None:
        """Answers, and gives the leg away or tells why not."""
        await answering.answer(self, self.offered)
        self.enter(State.MENU)
        refusal = await self._given_away()
        if refusal:
            self.detail = f"list_{refusal}"
            await self.tell(self.customer, (WHY.get(refusal, "feature_refused"),))

    async def _given_away(self) -> str:
        """Why the leg is not given away; empty where it was."""
        office, agent = self.office, self.agent
        if not agent:
            return "not_yours"
        if office.floor.why_not(agent):
            return "busy"
        entry = await office.lists.take(agent)
        if isinstance(entry, str):
            return entry
        call = list_call.prepared(office, entry, agent)
        if call is None or self.customer.has_ended or not office.floor.engage(agent, call.id, self.customer.leg):
            office.lists.release(agent)
            return "busy"
        self.detail = "list_next"
        call.given = self.hand_over(self.customer, call.inbox)
        call.given.role, call.given.name = "agent", agent
        office.lists.begin(call)
        return ""
