"""A desk phone has dialled a code: the box answers, does it, says what is so now, and hangs up.

The phone is one of the office's, which its password has shown; what is turned is an event with the phone's name. Every
change is read back from what is true afterwards, never from what was asked.
"""

from __future__ import annotations

from appliance import saying
from appliance.calls import answering, features, forwarding, promises
from appliance.calls.by_phone import ByPhone
from appliance.calls.promises import moment
from appliance.calls.settings import MISSED
from appliance.records import ledger
from appliance.records.events import State


class FeatureCall(ByPhone):
    """``offered.called`` is the code."""

    async def serve(self) -> None:
        """Answers, does what the code says, and tells what is so now."""
        self.detail = self.offered.called
        await answering.answer(self, self.offered)
        self.enter(State.MENU)
        await self.tell(self.customer, await self._done(features.meant(self.offered.called)))

    async def _done(self, feature: features.Feature) -> tuple[str, ...]:
        """Does it; the prompts that tell what is so now."""
        match feature:
            case features.TellSwitches():
                return self._switches()
            case features.TurnSwitches(actions):
                turned = [self.office.desk.turn(action, value, self.phone) for action, value in actions]
                return self._switches() if all(turned) else ("feature_no_sense",)
            case features.PromiseCall(number, due):
                return await self._promise(number, due)
            case features.Presence(is_away, reason):
                return self._present(is_away, reason)
            case features.Forward(to):
                return self._forward(to)
            case (  # nothing rings that could be picked up; the others have calls of their own
                features.PickUp()
                | features.TakeParked()
                | features.Supervise()
                | features.NextCustomer()
                | features.Unknown()
            ):
                return ("feature_unknown",)
            case features.SignIn() | features.SignOut() | features.AskBreak():  # SeatCall's
                return ("feature_unknown",)

    def _present(self, is_away: bool | None, reason: int) -> tuple[str, ...]:
        """The agent of this telephone signs off or on, or the telephone itself; what is so now."""
        known = self.office.settings.known_away
        if reason > len(known):
            return ("feature_no_sense",)
        if is_away is not None:
            why = f"={known[reason - 1].name}" if reason else ""
            self.office.desk.turn("sign_off" if is_away else "sign_on", self._who + why, self.phone)
            self.office.breaks.withdraw(self._who)
            self.office.floor.look()
        absent = self.office.desk.switches.absent
        is_away = self._who in absent
        if self.agent:
            if absent.get(self.agent) == MISSED:
                return ("agent_missed",)
            return ("agent_away",) if is_away else ("agent_there",)
        return ("phone_silent",) if is_away else ("phone_rings",)

    def _forward(self, to: str | None) -> tuple[str, ...]:
        """Calls for this telephone go elsewhere, where the outbound policy lets them; where they go now."""
        desk = self.office.desk
        if to == "":
            desk.turn("forward_off", self._who, self.phone)
        elif to is not None:
            if not self._may_forward(to):
                return ("feature_refused",)
            desk.turn("forward_on", f"{self._who}{forwarding.NAMES_FROM}{to}", self.phone)
        now = desk.switches.forwards.get(self._who, "")
        if not now:
            return ("forward_off",)
        return ("forward_on", *(saying.say(self.language, "digits", now).pieces if now.isdigit() else ()))

    def _may_forward(self, to: str) -> bool:
        """Not to oneself, not to a line, and to no number that the policy keeps back."""
        inside = self.office.inside(to)
        if inside is not None:
            return inside.kind != "line" and inside.name not in (self._who, self.phone)
        return to.isdigit() and self.office.may_divert(to)

    @property
    def _who(self) -> str:
        """For whom this telephone speaks."""
        return self.agent or self.phone

    async def _promise(self, number: str, written: str) -> tuple[str, ...]:
        trunk = self.office.sip.way_out()
        customer = number or await self._last_customer()
        if not customer or trunk is None:
            return ("feature_no_sense",)
        return promises.by_keys(self, written, customer, trunk)

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
