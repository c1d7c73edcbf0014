"""A desk phone calls somebody: a colleague by name, or a number outside through the outbound policy.

The phone hears ringing until the other side answers; then both legs are joined. Emergency numbers always go out. A
refusal is the SIP answer that a phone shows, and its reason stands in the record. The phone's agent counts as busy
meanwhile. Who was spoken with for ``SPOKE_SECONDS`` need not be called back any more: it was a person of the office who
called, and an announcement does not hold them so long. Such calls are not recorded: nobody was told.
"""

from __future__ import annotations

import logging

from appliance.calls import answering, bridge, outbound
from appliance.calls.conversation import Conversation, Left, Party, Trouble
from appliance.calls.office import Office
from appliance.flow.steps import TransferTo
from appliance.messages import Language
from appliance.records import events
from appliance.records.events import Outcome
from appliance.signalling import numbers, sdp
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause
from appliance.signalling.settings import Trunk

log = logging.getLogger(__name__)

RING_SECONDS = 60.0
SPOKE_SECONDS = 10.0
LAW: sdp.Law = "PCMA"
CODES = {"busy": 486, "no_answer": 480, "not_registered": 480, "absent": 480, "declined": 603}  # else 403


class PhoneCall(Conversation):
    """``phone`` has dialled ``offered.called``; numbers outside go by ``trunk``."""

    is_incoming = False

    def __init__(
        self, office: Office, offered: signalling.Offered, phone: str, trunk: Trunk | None, language: Language
    ) -> None:
        super().__init__(office, offered.leg, offered.caller, office.sip.address, LAW, ())
        self._offered = offered
        self._phone = phone
        self._trunk = trunk
        self.language = language
        self._is_inside = offered.called in office.agents or offered.called in {each.name for each in office.sip.phones}
        self.direction = "internal" if self._is_inside else "out"
        area_code = trunk.area_code if trunk is not None else ""
        self._number = outbound.read(office.settings, offered.called, area_code)
        self.agent = next((each.name for each in office.settings.agents if each.phone == phone), "")
        self.shown_number = phone

    async def run(self) -> None:
        """Rings the other side, joins both, and leaves a record whatever happens."""
        outcome, detail = Outcome.FINISHED, ""
        self._open_record()
        own = self.agent
        is_engaged = bool(own) and self.office.floor.engage(own, self.id, self.customer.leg)
        if own and not is_engaged:
            self.office.floor.occupy(own, self.id)
        try:
            answering.check_codecs(self, self._offered)
            await self.open(self.customer)
            found = await self._rung()
            if isinstance(found, Party):
                outcome = Outcome.SERVED
                await self._talk(found)
            else:
                detail = found
                self._refuse(CODES.get(found, 403), found)
        except Left:
            outcome = Outcome.SERVED if outcome is Outcome.SERVED else Outcome.ABANDONED
        except Trouble as trouble:
            outcome, detail = Outcome.FAILED, trouble.detail
            self._refuse(trouble.code, trouble.detail)
        except Exception:
            log.exception("a fault ended conversation %s", self.id)
            self.office.count("faults")
            outcome, detail = Outcome.FAILED, "fault"
        finally:
            if is_engaged:
                self.office.floor.ended(own)
            elif own:
                self.office.floor.vacate(own, self.id)
        self.hang_up(self.customer, Cause.ENDED_HERE)
        await self.close(outcome, detail)

    async def _rung(self) -> Party | str:
        self.office.line.submit(signalling.Ring(self.customer.leg))
        if self._trunk is None and not self._is_inside:
            return "no_trunk"
        trunk = self._trunk.name if self._trunk is not None else ""
        return await bridge.reach(self, TransferTo(self._offered.called, RING_SECONDS), trunk, "phone")

    async def _talk(self, found: Party) -> None:
        began = self.office.clock.monotonic()
        try:
            await answering.answer(self, self._offered)
            began = self.office.clock.monotonic()
            await bridge.talk(self, found)
        except (Left, Trouble):
            self.hang_up(found, Cause.ENDED_HERE)
            raise
        finally:
            spoke = self.office.clock.monotonic() - began
            if self._number.e164 is not None and not self._is_inside and spoke >= SPOKE_SECONDS:
                self.office.desk.spoke_with(self._number.e164)

    def _refuse(self, code: int, reason: str) -> None:
        if not self.customer.is_answered and not self.customer.has_ended:
            self.office.line.submit(signalling.Refuse(self.customer.leg, code, reason.replace("_", " ").title()))
            self.ended(self.customer, Cause.ENDED_HERE.value, code)

    def _open_record(self) -> None:
        self.parties[self.customer.leg] = self.customer
        self.office.legs[self.customer.leg] = self.inbox
        customer = "" if self._is_inside else self._number.e164 or self._number.national
        self.put(
            events.ConversationOpened(
                conversation=self.id,
                direction=self.direction,
                line="",
                trunk="" if self._is_inside or self._trunk is None else self._trunk.name,
                called=self._offered.called[: numbers.MAX_LENGTH],
                customer=customer[: numbers.MAX_LENGTH],
                customer_as_arrived=self._offered.called[: numbers.MAX_LENGTH],
                customer_name="",
                is_withheld=False,
                flow="",
                flow_hash="",
                language=self.language,
            )
        )
        self.put(events.LegOpened(self.id, self.customer.leg, "agent", self.agent or self._phone, self._phone, 0))
