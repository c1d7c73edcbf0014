"""A desk phone has dialled a code: the box answers, does it, says what is so now, and hangs up.

The phone is one of the office's, which its password has shown; what is turned is an event with the phone's name. Every
change is read back from what is true afterwards, never from what was asked.
"""

from __future__ import annotations

import logging

from appliance.calls import answering, features
from appliance.calls.conversation import Conversation, Left, Trouble
from appliance.calls.desk import asked_by, due_of
from appliance.calls.office import Office
from appliance.calls.promises import moment, promised
from appliance.media import port as media
from appliance.messages import Language
from appliance.records import events, ledger
from appliance.records.events import Outcome, State
from appliance.signalling import numbers, sdp
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause

log = logging.getLogger(__name__)

SAID_SECONDS = 60.0
LAW: sdp.Law = "PCMA"


class FeatureCall(Conversation):
    """``phone`` has called ``offered.called``."""

    direction = "internal"

    def __init__(self, office: Office, offered: signalling.Offered, phone: str, language: Language) -> None:
        super().__init__(office, offered.leg, offered.caller, office.sip.address, LAW, ())
        self._offered = offered
        self._phone = phone
        self.language = language
        self.shown_number = phone
        self.agent = next((each.name for each in office.settings.agents if each.phone == phone), "")

    async def run(self) -> None:
        """Answers, does what the code says, and leaves a record whatever happens."""
        outcome, detail = Outcome.FINISHED, self._offered.called
        self._open_record()
        try:
            answering.check_codecs(self, self._offered)
            await self.open(self.customer)
            await answering.answer(self, self._offered)
            self.enter(State.MENU)
            await self._tell(await self._done(features.meant(self._offered.called)))
        except Left:
            pass
        except Trouble as trouble:
            outcome, detail = Outcome.FAILED, trouble.detail
        except Exception:
            log.exception("a fault ended conversation %s", self.id)
            self.office.count("faults")
            outcome, detail = Outcome.FAILED, "fault"
        self.hang_up(self.customer, Cause.ENDED_HERE)
        await self.close(outcome, detail)

    async def _done(self, feature: features.Feature) -> tuple[str, ...]:
        """Does it; the prompts that tell what is so now."""
        match feature:
            case features.TellSwitches():
                return self._switches()
            case features.TurnSwitches(actions):
                turned = [self.office.desk.turn(action, value, self._phone) for action, value in actions]
                return self._switches() if all(turned) else ("feature_no_sense",)
            case features.PromiseCall(number, due):
                return await self._promise(number, due)
            case features.Unknown():
                return ("feature_unknown",)

    async def _promise(self, number: str, written: str) -> tuple[str, ...]:
        trunk = self.office.sip.trunks[0] if self.office.sip.trunks else None
        due = due_of(written, self.office.clock.utc_ms())
        customer = number or await self._last_customer()
        if due is None or not customer or trunk is None:
            return ("feature_no_sense",)
        asked = asked_by(self.id, "", self.language, trunk.name)
        reply = self.office.desk.promise(asked, customer, "", due, "", self.agent)
        if not reply.is_ok:
            return ("feature_refused",)
        national = numbers.normalise(customer, trunk.area_code).national
        return promised(self.language, national, due)

    async def _last_customer(self) -> str:
        if not self.agent:
            return ""
        return await self.office.records.call(
            lambda store: store.within(lambda db: ledger.last_customer(db, self.agent))
        )

    def _switches(self) -> tuple[str, ...]:
        """How the box answers now."""
        hours, now = self.office.desk.switches.hours, self.office.clock.utc_ms()
        if hours.night:
            return ("switch_night_on",)
        if hours.closed_until_ms > now:
            return ("switch_closed_until", *moment(self.language, hours.closed_until_ms))
        if hours.open_until_ms > now:
            return ("switch_open_until", *moment(self.language, hours.open_until_ms))
        return ("switch_by_hours",)

    async def _tell(self, prompts: tuple[str, ...]) -> None:
        """Returns when all was said."""
        play = self.say_to(self.customer, prompts, self.language)
        until = self.office.clock.monotonic() + SAID_SECONDS
        while True:
            match await self.next(until):
                case media.PlayEnded(stream, number, _) if stream == self.customer.leg and number == play:
                    return
                case None:
                    return
                case _:
                    continue

    def _open_record(self) -> None:
        self.parties[self.customer.leg] = self.customer
        self.office.legs[self.customer.leg] = self.inbox
        self.put(
            events.ConversationOpened(
                conversation=self.id,
                direction=self.direction,
                line="",
                trunk="",
                called=self._offered.called[:40],
                customer="",
                customer_as_arrived="",
                customer_name="",
                is_withheld=False,
                flow="",
                flow_hash="",
                language=self.language,
            )
        )
        self.put(events.LegOpened(self.id, self.customer.leg, "agent", self.agent or self._phone, self._phone, 0))
