"""Agents sit down at telephones and leave them: put on record here, told to whoever rings, and undone at a shift's end.

A call that runs goes on where it is: only what rings next rings at the other telephone. An agent who signs in is there,
whatever they had said before. Who signed in during a shift, or before one, is signed out once its calendar has closed
again and they are not in a call; overtime by the calendar is no overtime by the clock: who signs in after the shift's
end stays until the next one's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from appliance.hours.answer import next_open
from appliance.records import events

if TYPE_CHECKING:
    from appliance.calls.office import Office


class Seating:
    """Changes ``office.seats``, and nobody else does."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def restore(self, rows: Iterable[tuple[str, str, int]]) -> None:
        """What was so when the box last ran: agent, telephone (empty: none), since when."""
        phones = {phone.name for phone in self._office.sip.phones}
        for agent, phone, since in rows:
            self._office.seats.restore(agent, phone if phone in phones else "", since)

    def sit(self, agent: str, phone: str) -> None:
        """The agent has shown who they are at this telephone."""
        office = self._office
        before = office.seats.phone_of(agent)
        if before and before != phone:
            office.records.put(events.AgentLeft(agent, before, "elsewhere"))
        for other in office.seats.sit(agent, phone, office.clock.utc_ms()):
            office.records.put(events.AgentLeft(other, phone, "replaced"))
        office.records.put(events.AgentSeated(agent, phone))
        if agent in office.desk.switches.absent:
            office.desk.turn("sign_on", agent, agent)
        self._told()

    def leave(self, agent: str, why: str) -> None:
        """The agent goes. Nothing where they sit nowhere."""
        phone = self._office.seats.phone_of(agent)
        if phone:
            self._office.seats.leave(agent)
            self._office.records.put(events.AgentLeft(agent, phone, why))
            self._told()

    def look(self) -> None:
        """Signs out whose shift is over."""
        engaged = self._office.floor.engaged()
        for agent, since in list(self._office.seats.signed_in.items()):
            if agent not in engaged and self._is_over(agent, since):
                self.leave(agent, "shift_over")

    def _is_over(self, agent: str, since: int) -> bool:
        office = self._office
        hours = office.calendars.get(office.settings.shift_of(agent))
        if hours is None or not office.is_clock_sure():
            return False
        now, switches = office.clock.utc_ms(), office.desk.switches.hours
        if office.opening(office.settings.shift_of(agent), now).is_open:
            return False
        opened = next_open(hours, since, switches)
        return opened is not None and opened < now

    def _told(self) -> None:
        self._office.floor.look()
        self._office.changed()
