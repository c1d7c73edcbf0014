"""A customer is parked: nobody's for a while, until any telephone of the office takes them out of the slot.

The agent hears the number of the slot and is let go; the customer hears music. After ``park_recall_seconds`` whoever
has parked them is rung, and may still be outrun by somebody who dials the slot; where that is in vain the customer
waits in the agent's line, at the place of who came first. The customer's leg and its recording are the same all along.

Who dials a slot has taken the customer when ``Slots.take`` says so, and the leg is in our inbox in the same moment:
where leaving the slot finds it taken, somebody is there already and is only to be read.
"""

from __future__ import annotations

from appliance import saying
from appliance.calls import bridge, ringing
from appliance.calls.conversation import Conversation, Left
from appliance.calls.office import PickedUp
from appliance.calls.party import Party
from appliance.calls.ringing import LINE_SECONDS, RECALL_SECONDS
from appliance.calls.slots import name_of
from appliance.flow.steps import Enqueue, TransferTo
from appliance.media import port as media
from appliance.records import events
from appliance.records.events import State
from appliance.signalling.port import Cause

TOLD_SECONDS = 10.0  # an agent who has not heard the slot's number by then is let go


async def park(conversation: Conversation, agent: Party, line: str, trunk: str) -> Party | None:
    """With whom the customer speaks next; None where nobody could be found. As ``transfer.pass_on``."""
    return await _Parking(conversation, agent, line, trunk).run()


class _Parking:
    """One time in a slot. ``agent`` has parked the customer, and may have hung up in the same moment."""

    def __init__(self, conversation: Conversation, agent: Party, line: str, trunk: str) -> None:
        self._c = conversation
        self._office = conversation.office
        self._agent = agent
        self._line = line
        self._trunk = trunk

    async def run(self) -> Party | None:
        c = self._c
        c.parked = self._office.slots.park(c.customer.leg)
        try:
            if not c.parked:
                await self._no_slot()
                if not self._agent.has_ended:
                    return self._agent
            self._part()
            found = await self._taken() if c.parked else None
            return found or await self._recall()
        except Left:
            self._put("left")
            self._release()
            raise
        finally:
            self._vacate()
            c.digits.clear()

    # In the slot ------------------------------------------------------------------------------------------------------

    async def _no_slot(self) -> None:
        """The agent hears why, and keeps the customer unless they have hung up by then."""
        self._put("back", "no_slot")
        if not self._agent.has_ended:
            await bridge.aside(self._c, self._agent, ("park_full",))

    def _part(self) -> None:
        c = self._c
        if c.parked:
            self._put("parked")
            c.recording.mark("parked", self._shown_slot)
        c.enter(State.WAITING)
        self._office.mouth.submit(media.Unbridge(c.customer.leg))
        c.music(c.customer)
        self._office.changed()

    async def _taken(self) -> Party | None:
        """Whoever takes the customer before they come back; the agent hears meanwhile where they are."""
        c, now = self._c, self._office.clock.monotonic
        recall_at = now() + self._office.settings.park_recall_seconds
        told_by = min(now() + TOLD_SECONDS, recall_at)
        play = self._tell_slot()
        while now() < recall_at:
            if self._agent.has_ended or now() >= told_by:
                self._release()
            item = await c.next(recall_at if self._agent.has_ended else told_by)
            match item:
                case PickedUp(party):
                    return self._given(party)
                case media.PlayEnded(stream, number) if stream == self._agent.leg and number == play:
                    self._release()
                case _:
                    continue
        self._release()
        return None

    def _tell_slot(self) -> int:
        if self._agent.has_ended:
            return 0
        slot = saying.say(self._c.language, "digits", str(self._c.parked)).pieces
        return self._c.say_to(self._agent, ("park_slot", *slot), self._c.language)

    # Out of it --------------------------------------------------------------------------------------------------------

    def _given(self, party: Party) -> Party:
        """Somebody has the customer out of the slot."""
        self._release()
        self._c.adopt(party)
        return self._speaks("done", party)

    async def _recall(self) -> Party | None:
        """Nobody has come: who has parked the customer is rung, and whoever dials the slot first is faster."""
        c = self._c
        self._release()
        c.ring_back()
        asked = TransferTo(self._agent.name, RECALL_SECONDS)
        found = await ringing.reach(c, asked, self._trunk, "transfer")
        if isinstance(found, Party):
            return self._speaks("recalled", found)
        if c.parked and not self._office.slots.leave(c.customer.leg):
            return self._given(await self._who_took())
        self._vacate()
        return await self._to_line(found)

    async def _who_took(self) -> Party:
        """The leg is in the inbox: it came in the moment in which the slot became free."""
        while True:
            item = await self._c.next(None)
            if isinstance(item, PickedUp):
                return item.party

    async def _to_line(self, reason: str) -> Party | None:
        """Waits for the agent's line, at the place of who came first."""
        c = self._c
        self._put("line" if self._line else "lost", reason)
        if not self._line:
            return None
        found = await ringing.wait_in_line(c, Enqueue(self._line, LINE_SECONDS, ""), lambda: None, arrived=c.began)
        if isinstance(found, Party):
            return found
        self._put("lost", found)
        return None

    def _speaks(self, state: str, party: Party) -> Party:
        """This party has the customer; an agent among the office's is busy from now on."""
        if party.name in self._office.agents:
            self._office.floor.engage(party.name, self._c.id, party.leg)
        self._put(state, party.name)
        return party

    def _vacate(self) -> None:
        """The slot is free; who has taken it too late finds the customer gone (conversation.py)."""
        self._office.slots.leave(self._c.customer.leg)
        self._c.parked = 0
        self._office.changed()

    def _release(self) -> None:
        """The agent is done with; they may be in another call by now."""
        self._c.hang_up(self._agent, Cause.ENDED_HERE)
        self._office.floor.ended(self._agent.name, self._agent.leg)

    @property
    def _shown_slot(self) -> str:
        return name_of(self._c.parked) if self._c.parked else ""

    def _put(self, state: str, detail: str = "") -> None:
        c = self._c
        c.put(events.CustomerPassedOn(c.id, self._agent.name, self._shown_slot, "park", state, detail, c.offset_ms()))
