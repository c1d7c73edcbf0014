"""A desk phone calls somebody: a colleague by name, or a number outside through the outbound policy.

The phone hears ringing until the other side answers; then both legs are joined. Emergency numbers always go out. A
refusal is the SIP answer that a phone shows, and its reason stands in the record. The phone's agent counts as busy
meanwhile. Who was spoken with for ``SPOKE_SECONDS`` need not be called back any more: it was a person of the office who
called, and an announcement does not hold them so long. Where such calls are recorded (consents.py) the other side is
told before anybody speaks; the phone hears ringing meanwhile.
"""

from __future__ import annotations

from appliance.calls import answering, bridge, consents, outbound, ringing, transfer
from appliance.calls.by_phone import ByPhone
from appliance.calls.conversation import RING_BACK, Left, Trouble
from appliance.calls.office import Office
from appliance.calls.party import Party
from appliance.flow.steps import TransferTo
from appliance.messages import Language
from appliance.records.consents import NOTHING_SAID
from appliance.records.events import Outcome
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause
from appliance.signalling.settings import Trunk

RING_SECONDS = 60.0
SPOKE_SECONDS = 10.0


class PhoneCall(ByPhone):
    """Numbers outside go by ``trunk``."""

    def __init__(
        self, office: Office, offered: signalling.Offered, phone: str, trunk: Trunk | None, language: Language
    ) -> None:
        super().__init__(office, offered, phone, language)
        self._trunk = trunk
        self._is_inside = office.inside(offered.called) is not None
        self._number = outbound.read(office.settings, offered.called, trunk.area_code if trunk is not None else "")
        if not self._is_inside:
            self.direction = "out"
            self.called_number = self.customer_number = self._number.e164 or self._number.national
            self.record_trunk = trunk.name if trunk is not None else ""
            self.know(office.contacts.of(self.called_number))

    @property
    def shown_customer(self) -> str:
        return super().shown_customer if self._is_inside else self._number.national or self.dialled

    async def serve(self) -> None:
        """Rings the other side, and joins both."""
        self.outcome = Outcome.ABANDONED
        own, own_leg = self.agent, self.customer.leg
        is_engaged = bool(own) and self.office.floor.engage(own, self.id, own_leg)
        if own and not is_engaged:
            self.office.floor.occupy(own, self.id)
        try:
            found = await self._rung()
            if isinstance(found, Party):
                self.outcome = Outcome.SERVED
                await self._talk(found)
            else:
                self.outcome, self.detail = Outcome.FINISHED, found
                self.refuse(ringing.code_of(found), found)
        finally:
            if is_engaged:
                self.office.floor.ended(own, own_leg)
            elif own:
                self.office.floor.vacate(own, self.id)

    async def _rung(self) -> Party | str:
        self.office.line.submit(signalling.Ring(self.customer.leg))
        if self._trunk is None and not self._is_inside:
            return "no_trunk"
        return await ringing.reach(self, TransferTo(self.offered.called, RING_SECONDS), self._way_out, "phone")

    async def _talk(self, found: Party) -> None:
        began = self.office.clock.monotonic()
        try:
            await answering.answer(self, self.offered)
            await self._record(found)
            began = self.office.clock.monotonic()
            await self._until_over(found)
        except (Left, Trouble):
            self.hang_up(found, Cause.ENDED_HERE)
            raise
        finally:
            spoke = self.office.clock.monotonic() - began
            if self._number.e164 is not None and not self._is_inside and spoke >= SPOKE_SECONDS:
                self.office.desk.spoke_with(self._number.e164)

    async def _record(self, found: Party) -> None:
        on = consents.basis_towards(self.office, found)
        if on == "notice":
            self.loop(self.customer, RING_BACK)
        colleagues = (self.customer,) if found.role != "outside" else ()
        await consents.record(self, found, on, "outward" if not colleagues else "inside", NOTHING_SAID, *colleagues)

    async def _until_over(self, found: Party) -> None:
        """Both speak, and whoever the other side is passed on to by the telephone (REFER)."""
        self.gives = found
        wish = await bridge.talk(self, found, passes_on=self.customer.leg)
        self.gives = None
        if wish is None:
            return
        if found.role != "outside":
            self.recording.leave(found.leg)  # who comes now was told nothing
        phone, self.customer = self.customer, found  # whom it was about stays, the telephone may go
        phone.name = self.agent or self.phone
        try:
            speaks = await transfer.pass_on(self, phone, wish, self._line_for(phone), self._way_out)
            if speaks is not None:
                await transfer.talk(self, speaks, None, self._line_for, self._way_out)
        finally:
            self.office.floor.ended(found.name, found.leg)

    def _line_for(self, party: Party) -> str:
        return self.office.line_for("", party.name)

    @property
    def _way_out(self) -> str:
        return self._trunk.name if self._trunk is not None else ""
