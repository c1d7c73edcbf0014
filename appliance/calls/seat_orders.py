"""What the page asks and orders of seats and PINs: those who lead of every agent, an agent of their own PIN."""

from __future__ import annotations

from collections.abc import Collection

from appliance.calls.access import Access, Session
from appliance.calls.desks import Desks, away_choices
from appliance.calls.office import Office
from appliance.control import wire
from appliance.control.wire import Done, Reply
from appliance.errors import Problem


class SeatOrders:
    """``desks`` knows who is which agent."""

    def __init__(self, office: Office, desks: Desks, access: Access) -> None:
        self._office = office
        self._desks = desks
        self._access = access

    async def answer(self, order: wire.SeatOrder, who: Session) -> Reply:
        """Does what ``who``, whose role may, has asked. Problem where it cannot be done."""
        pins = self._office.pins
        match order:
            case wire.AskSeats():
                return self._seated()
            case wire.MakePin(_, agent):
                return wire.PinMade(agent, await pins.make(self._known(agent), who.actor))
            case wire.UnlockPin(_, agent, phone):
                pins.unlock(self._known(agent) if agent else "", phone[:64], who.actor)
            case wire.ChoosePin(_, wanted, password, pin):
                agent = self._desks.agent_of(who, wanted)
                await self._access.confirm(who, password)
                await pins.choose(agent, self._office.agents[agent].extension, pin, "own")
        return Done()

    def _seated(self) -> wire.Seated:
        locked, phones = self._office.pins.locked()
        return wire.Seated(
            tuple(
                wire.SeatNow(agent, self._office.seats.phone_of(agent), self._pin(agent, locked))
                for agent in self._office.agents
            ),
            phones,
            self._office.breaks.waiting,
            away_choices(self._office),
        )

    def _pin(self, agent: str, locked: Collection[str]) -> str:
        if agent in locked:
            return "locked"
        if not self._office.pins.has(agent):
            return "none"
        return "code" if self._office.pins.is_code(agent) else "chosen"

    def _known(self, agent: str) -> str:
        if agent not in self._office.agents:
            raise Problem("desk.no_agent", name=agent[:40] or "-", known=", ".join(self._office.agents) or "-")
        return agent
