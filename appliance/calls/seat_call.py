"""A desk phone has dialled for a seat: an agent signs in there by PIN, signs out, or asks for a break.

The PIN is a secret collect (DECISIONS 18): what comes from the telephone is masked while it is keyed, its digits leave
``digits`` at once and stand in nothing but the check's argument. A code that was dialled with more than an extension
behind it is recorded without it, because people key their PIN there too.
"""

from __future__ import annotations

from appliance import saying
from appliance.calls import answering, features
from appliance.calls.by_phone import ByPhone
from appliance.calls.pins import MOST_DIGITS, why_weak
from appliance.media import port as media
from appliance.records.events import State

TRIES = 3  # in one call
KEY_SECONDS = 6.0  # to the first key after the prompt, and between two
MOST_EXTENSION = 12
ENDS_WITH = "#"


class SeatCall(ByPhone):
    """``offered.called`` is the code."""

    async def serve(self) -> None:
        """Answers, does what the code says, and tells what is so now."""
        meant = features.meant(self.offered.called)
        self.detail = self.recorded
        await answering.answer(self, self.offered)
        self.enter(State.MENU)
        match meant:
            case features.SignIn(extension):
                await self._sign_in(extension)
            case features.SignOut():
                await self.tell(self.customer, (self._sign_out(),))
            case features.AskBreak():
                await self.tell(self.customer, self._break())
            case _:
                await self.tell(self.customer, ("feature_unknown",))

    @property
    def recorded(self) -> str:
        """The code alone."""
        return self.offered.called[: len(features.SIGN_IN)]

    def _sign_out(self) -> str:
        here = self.office.seats.at(self.phone)
        if not all(self.office.pins.has(agent) for agent in here):
            return "seat_no_pin"  # they could not come back
        for agent in here:
            self.office.seating.leave(agent, "signed_out")
        return "seat_left"

    def _break(self) -> tuple[str, ...]:
        if not self.agent:
            return ("feature_no_sense",)
        if self.agent in self.office.desk.switches.absent:
            return ("agent_away",)
        place = self.office.breaks.ask(self.agent)
        if not place:
            return ("agent_away",)
        if place == 1:
            return ("break_next",)
        return ("break_waits", *saying.say(self.language, "number", place - 1).pieces)

    # Signing in -------------------------------------------------------------------------------------------------------

    async def _sign_in(self, extension: str) -> None:
        if not extension:
            extension = await self._keys("seat_ask_extension", MOST_EXTENSION)
        inside = self.office.inside(extension) if extension else None
        agent = inside.name if inside is not None and inside.kind == "agent" else ""
        for _ in range(TRIES):
            if self.office.pins.is_locked(agent, self.phone):
                await self.tell(self.customer, ("seat_locked",))
                return
            pin = await self._secret("seat_ask_pin")
            if not pin:
                return
            await self._wait(self.office.pins.held_seconds(agent, self.phone))
            match await self.office.pins.check(agent, self.phone, pin):
                case "right":
                    await self._sits(agent)
                    return
                case "code":
                    await self._choose(agent, extension)
                    return
                case "locked":
                    await self.tell(self.customer, ("seat_locked",))
                    return
                case "wrong":
                    await self.tell(self.customer, ("pin_wrong",))

    async def _choose(self, agent: str, extension: str) -> None:
        """Somebody else has made the PIN: the agent keys in their own, twice, before they sit."""
        for _ in range(TRIES):
            pin = await self._secret("seat_choose_pin")
            if not pin:
                return
            if why_weak(pin, extension):
                await self.tell(self.customer, ("seat_pin_weak",))
            elif pin != await self._secret("seat_repeat_pin"):
                await self.tell(self.customer, ("seat_pin_differs",))
            else:
                await self.office.pins.choose(agent, extension, pin, "chosen")
                await self._sits(agent)
                return

    async def _sits(self, agent: str) -> None:
        self.office.seating.sit(agent, self.phone)
        self.agent = agent
        await self.tell(self.customer, ("agent_there",))

    # Keys -------------------------------------------------------------------------------------------------------------

    async def _secret(self, prompt: str) -> str:
        self.office.mouth.submit(media.Mask(self.customer.leg, True))
        try:
            return await self._keys(prompt, MOST_DIGITS)
        finally:
            self.office.mouth.submit(media.Mask(self.customer.leg, False))

    async def _keys(self, prompt: str, most: int) -> str:
        """What is keyed after (or into) a prompt, up to the hash, a pause, or ``most`` keys."""
        self.digits.clear()
        play = self.say_to(self.customer, (prompt,), self.language)
        keyed: list[str] = []
        until: float | None = None
        while len(keyed) < most:
            item = await self.next(until)
            now = self.office.clock.monotonic()
            if item is None:
                break
            if isinstance(item, media.PlayEnded) and item.play == play and not keyed:
                until = now + KEY_SECONDS
            if self.digits:
                keyed += self.digits
                self.digits.clear()
                until = now + KEY_SECONDS
            if ENDS_WITH in keyed:
                break
        self.office.mouth.submit(media.Stop(self.customer.leg, play))
        return "".join(keyed).partition(ENDS_WITH)[0][:most]

    async def _wait(self, seconds: float) -> None:
        until = self.office.clock.monotonic() + seconds
        while self.office.clock.monotonic() < until and await self.next(until) is not None:
            pass
