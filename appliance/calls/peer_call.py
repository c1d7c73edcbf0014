"""An extension of a peer calls somebody here, or a caller whom the peer sends on: by an extension of ours.

What a called number of ours with a flow is for, is a line like any other (session.py). Here are direct calls: to an
agent, a telephone, a waiting line, another extension there. Out by our trunks they go only where ``may_dial_out`` says
so, since whoever gets into the other system would call at our cost; emergency numbers always go out. Nothing is
recorded: nobody was told.
"""

from __future__ import annotations

from appliance.calls import ringing, transfer
from appliance.calls.agent_keys import Said
from appliance.calls.inside import Inside
from appliance.calls.office import Office
from appliance.calls.party import Party
from appliance.calls.peers import extension_at
from appliance.calls.phone_call import PhoneCall
from appliance.flow.steps import Enqueue
from appliance.messages import Language
from appliance.records import events
from appliance.records.events import State
from appliance.signalling import numbers
from appliance.signalling import port as signalling
from appliance.signalling.settings import Trunk


class PeerCall(PhoneCall):
    """``offered`` came from ``peer``; ``trunk`` is the way out for those who may."""

    def __init__(
        self, office: Office, offered: signalling.Offered, peer: Trunk, trunk: Trunk | None, language: Language
    ) -> None:
        caller = offered.caller.number[: numbers.MAX_LENGTH]
        super().__init__(office, offered, caller, trunk, language)
        self._peer = peer
        self._is_colleague = extension_at([peer], caller) is not None
        self._address = peer.address or office.sip.address
        self._sources = peer.media_from
        self.law = peer.law
        self.passage = offered.passage
        self.trunk_name = peer.name
        self.customer.trunk = peer.name
        self.agent = ""
        if not self._is_colleague:
            number = numbers.normalise(caller, peer.area_code)
            self.direction = "in"
            self.customer_number = "" if offered.caller.is_withheld else number.e164 or caller
            self.shown_number = number.national or caller
            self.know(None if offered.caller.is_withheld else office.contacts.of(self.customer_number, peer.area_code))

    @property
    def is_incoming(self) -> bool:
        return True

    @property
    def shown_customer(self) -> str:
        return "" if self.caller.is_withheld else self.shown_number

    async def _rung(self) -> Party | str:
        called = self.offered.called
        inside = self.office.inside(self.office.followed(called).number)
        if inside is None:
            refusal = self.office.outside.why_not_from(self._peer.name, called)
            if refusal:
                self.office.outside.refuse(self.id, called, self._peer.name, refusal, self.offset_ms())
                return refusal
        elif inside.kind == "line":
            return await self._wait(inside)
        return await super()._rung()

    async def _wait(self, line: Inside) -> Party | str:
        await self.take()
        self.enter(State.WAITING)
        return await ringing.wait_in_line(self, Enqueue(line.name, ringing.LINE_SECONDS, ""), lambda: None)

    async def _until_over(self, found: Party) -> None:
        """An agent of a line may pass the caller on, as with any caller; else the caller's telephone may (REFER)."""
        if self.customer.is_answered and self.state is State.WAITING:
            await transfer.talk(self, found, _said, self._line_for, self._way_out)
        else:
            await super()._until_over(found)

    def _open_record(self) -> None:
        self.parties[self.customer.leg] = self.customer
        self.office.legs[self.customer.leg] = self.inbox
        withheld = self.caller.is_withheld
        customer = self.customer_number if self.direction == "in" else self.called_number
        self.put(
            events.ConversationOpened(
                conversation=self.id,
                direction=self.direction,
                line="",
                trunk=self._peer.name,
                called=self.dialled[: numbers.MAX_LENGTH],
                customer=customer[: numbers.MAX_LENGTH],
                customer_as_arrived="" if withheld or self._is_colleague else self.caller.number,
                customer_name="" if self._is_colleague else self.caller.name,
                is_withheld=withheld,
                flow="",
                flow_hash="",
                language=self.language,
            )
        )
        role = "agent" if self._is_colleague else "customer"
        self.put(events.LegOpened(self.id, self.customer.leg, role, self.shown_number, self._peer.name, 0))


def is_direct(office: Office, offered: signalling.Offered, peer: Trunk, *, has_line: bool) -> bool:
    """Whether this call from a peer is for one of ours, or may go out; else it is for a line, or for nobody.

    A number outside is refused by a ``PeerCall``, which puts it on record; an extension that nobody has is not found.
    """
    if office.inside(offered.called) is not None:
        return True
    kind = numbers.normalise(offered.called, peer.area_code, office.settings.plan).kind
    return kind == "emergency" or (not has_line and kind not in ("unknown", "withheld", "short"))


async def _said(_: Said) -> tuple[str, ...]:
    """An agent's codes beside those of passing on mean nothing here."""
    return ()
