"""A call that a desk phone of the office makes: what dialling a code and calling somebody have in common.

The phone is one of ours, which its password has shown. Whatever happens, the leg ends and a record stands.
"""

from __future__ import annotations

import logging
from abc import abstractmethod

from appliance.calls import answering
from appliance.calls.conversation import Conversation, Left, Trouble
from appliance.calls.office import Office
from appliance.messages import Language
from appliance.records import events
from appliance.records.events import Outcome
from appliance.signalling import numbers, sdp
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause

log = logging.getLogger(__name__)

LAW: sdp.Law = "PCMA"


class ByPhone(Conversation):
    """``phone`` has dialled ``offered.called``; ``outcome`` and ``detail`` are what stands if it hangs up now."""

    direction = "internal"
    may_be_supervised = False
    outcome = Outcome.FINISHED
    detail = ""
    record_trunk = ""  # by which the other side is called: the phone's own leg takes no line
    called_number = ""  # whom the record names as the customer; empty: a colleague, or nobody

    def __init__(self, office: Office, offered: signalling.Offered, phone: str, language: Language) -> None:
        super().__init__(office, offered.leg, offered.caller, office.sip.address, LAW, ())
        self.offered = offered
        self.phone = phone
        self.dialled = offered.called
        self.language = language
        self.shown_number = phone
        self.agent = office.seats.first_at(phone)

    @property
    def recorded(self) -> str:
        """What was dialled, as the record keeps it."""
        return self.offered.called

    @abstractmethod
    async def serve(self) -> None:
        """What was dialled; the phone's leg has a port, and is not answered yet."""

    async def take(self) -> None:
        await answering.answer(self, self.offered)

    async def run(self) -> None:
        self._open_record()
        try:
            answering.check_codecs(self, self.offered)
            await self.open(self.customer)
            await self.serve()
        except Left:
            pass
        except Trouble as trouble:
            self.outcome, self.detail = Outcome.FAILED, trouble.detail
            self.refuse(trouble.code, trouble.detail)
        except Exception:
            log.exception("a fault ended conversation %s", self.id)
            self.office.count("faults")
            self.outcome, self.detail = Outcome.FAILED, "fault"
        self.hang_up(self.customer, Cause.ENDED_HERE)
        await self.close(self.outcome, self.detail)

    def refuse(self, code: int, reason: str) -> None:
        """The answer that the phone shows; nothing where it was answered already."""
        if not self.customer.is_answered and not self.customer.has_ended:
            self.office.line.submit(signalling.Refuse(self.customer.leg, code, reason.replace("_", " ").title()))
            self.ended(self.customer, Cause.ENDED_HERE.value, code)

    def _open_record(self) -> None:
        self.parties[self.customer.leg] = self.customer
        self.office.legs[self.customer.leg] = self.inbox
        called = self.recorded[: numbers.MAX_LENGTH]
        self.put(
            events.ConversationOpened(
                conversation=self.id,
                direction=self.direction,
                line="",
                trunk=self.record_trunk,
                called=called,
                customer=self.called_number[: numbers.MAX_LENGTH],
                customer_as_arrived=called if self.called_number else "",
                customer_name="",
                is_withheld=False,
                flow="",
                flow_hash="",
                language=self.language,
            )
        )
        self.put(events.LegOpened(self.id, self.customer.leg, "agent", self.agent or self.phone, self.phone, 0))
