"""One attempt of a callback: a conversation that begins with us.

It stands in its line at the place that was kept. Agent-first: the agent answers, hears that it is a callback and to
which number, and presses 1; then the customer is dialled. Customer-first: when an agent is free the customer is dialled
and hears who calls, twice; 1 is a person, anything else is not. How the customer is dialled stands in dialled.py;
"reached" comes from the agent's key, or from the customer's 1: 2 is nobody, 3 a recorded voice.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance import saying
from appliance.calls import promises, ringing
from appliance.calls.agent_keys import Park, PassOn, PromiseAt, Reached, RecordedVoice, Said, Transfer, TurnPause
from appliance.calls.asking import YES, tries_on
from appliance.calls.dialled import ASKED_TRIES, Dialled, Subject
from appliance.calls.floor import AgentsOffered
from appliance.calls.office import Office
from appliance.calls.outside import Purpose
from appliance.calls.party import Party
from appliance.queue.callbacks import Outcome, Wanted
from appliance.records import events
from appliance.records.events import State
from appliance.signalling.settings import Trunk

BRIEF_TRIES = 2
PROMISED_SECONDS = 300.0  # how long the agent who made a promise is waited for; then anybody keeps it
WAITED_LEAST_SECONDS = 60  # a shorter wait is not told to the agent
MOST_MINUTES = 48 * 60
BRIEFS = {
    "callback": "callback_brief",
    "promise": "promise_brief",
    "missed": "missed_brief",
    "message": "message_brief",
}
LOOK_SECONDS = 2.0  # how often an attempt that stands in its line looks whether it is still wanted
LINE_SECONDS = 300.0  # how long an attempt waits for an agent before the book is asked again
SAID = {YES: Outcome.REACHED, "2": Outcome.NOT_REACHED, "3": Outcome.ANNOUNCEMENT}  # what the agent's key says


class Callback(Dialled):
    """``has_room`` says whether the customer could be dialled now; a line is taken when an agent is there.

    ``ended`` is told the outcome of the attempt, once, after it was put on record; None: nobody was rung.
    """

    purpose: Purpose = "callback"

    def __init__(
        self,
        office: Office,
        wanted: Wanted,
        trunk: Trunk,
        is_agent_first: bool,
        has_room: Callable[[], bool],
        ended: Callable[[Outcome | None], None],
    ) -> None:
        subject = Subject(wanted.request, wanted.customer, wanted.language, wanted.queue)
        super().__init__(office, subject, trunk)
        self._wanted = wanted
        self._is_agent_first = is_agent_first
        self._has_room = has_room
        self._when_ended = ended
        self._is_reached = False

    async def _try(self) -> None:
        try:
            await self._stand_in_line()
        finally:
            self.office.floor.leave(self.id)

    def _left(self) -> None:
        super()._left()
        if not self._is_agent_first and self._outcome is Outcome.NOT_REACHED:
            self._outcome = self._unsaid(self._outcome)

    def _ended(self) -> None:
        self._when_ended(self._outcome if self._is_on_record else None)

    async def _stand_in_line(self) -> None:
        arrived = self.office.book.arrived(self._wanted.request)
        refusal = self.office.floor.join(
            self.id,
            self._wanted.queue,
            self.inbox.put,
            arrived=arrived,
            priority=self.priority,
            prefers=self._wanted.agent,
            prefer_seconds=PROMISED_SECONDS if self._wanted.agent else None,
        )
        if refusal:
            return
        until = self.office.clock.monotonic() + LINE_SECONDS
        while True:
            item = await self.next(None if self._is_reached else self.office.clock.monotonic() + LOOK_SECONDS)
            if item is None and (self._is_held() or self.office.clock.monotonic() >= until):
                return  # the customer is on the telephone, or was; hours and cap are looked at anew
            if isinstance(item, AgentsOffered):
                if not self._is_reached and (self._is_held() or not self._has_room()):
                    return  # the customer is on the telephone already, or there is no line
                self.trunk_name = self._trunk.name
                self._open_record()
                if self._is_agent_first:
                    found = await self._ring(item.agents)
                    if isinstance(found, Party):
                        await self._agent_first(found)
                        return
                    self.trunk_name = ""  # nobody took it: until the next agent is free the line is the callers'
                elif not await self._customer_first(item.agents):
                    return

    async def _ring(self, agents: tuple[str, ...]) -> Party | str:
        until = self.office.clock.monotonic() + self.office.queues[self._wanted.queue].ring_seconds
        return await ringing.ring_offered(self, agents, until, "", self._brief if self._is_agent_first else None)

    # Agent first ------------------------------------------------------------------------------------------------------

    async def _agrees(self, agent: Party) -> bool:
        """Tells the agent whom this is about; whether the customer is to be dialled. Who is rung outside was asked."""
        return (
            bool(agent.trunk) or await self._asked(agent, self._brief(self._wanted.language), BRIEF_TRIES, YES) == YES
        )

    def _brief(self, language: str) -> tuple[str, ...]:
        """What the agent hears before the customer is dialled: why, which number, how long they have waited."""
        wanted = self._wanted
        number = saying.say(language, "phone", self._number.national).pieces
        seconds = (self.office.clock.utc_ms() - wanted.opened) // 1000
        waited: tuple[str, ...] = ()
        if wanted.what != "promise" and seconds >= WAITED_LEAST_SECONDS:
            minutes = min(seconds // 60, MOST_MINUTES)
            waited = ("callback_waited", *saying.say(language, "duration", minutes * 60).pieces)
        return (BRIEFS[wanted.what], *number, *waited, "callback_press")

    async def _ask_after(self, agent: Party) -> None:
        """The customer has gone, and the agent has not said whom they reached."""
        key = await self._asked(agent, ("callback_ask_reached",), ASKED_TRIES, "".join(SAID))
        self._outcome = SAID.get(key, self._outcome)

    async def _said(self, said: Said) -> tuple[str, ...]:
        """A code of the agent."""
        match said:
            case Reached(is_so):
                self._outcome = Outcome.REACHED if is_so else Outcome.NOT_REACHED
                return ()
            case RecordedVoice():
                self._outcome = Outcome.ANNOUNCEMENT
                return ()
            case PromiseAt(digits):
                return promises.by_keys(self, digits, self._wanted.customer, self._trunk)
            case TurnPause():
                return self.pausing.turn(self.agent, "keys")
            case PassOn() | Transfer() | Park():
                return ()  # bridge.talk has dealt with it

    # Customer first ---------------------------------------------------------------------------------------------------

    async def _customer_first(self, agents: tuple[str, ...]) -> bool:
        """True: the customer waits at the kept place for the next agent."""
        if not self._is_reached:
            if not await self._dial():
                return False
            self._outcome = await self._customer_answers(None)
            if not self.customer.is_answered:
                return False
            self._outcome = Outcome.NOT_REACHED
            if await self._asked(self.customer, ("callback_hello",), tries_on(self._trunk), YES) != YES:
                self._outcome = self._unsaid(self._outcome)
                return False
            self._is_reached = True
            self._outcome = Outcome.NO_AGENT  # a person is there; it is kept until they have spoken with one of us
            self.enter(State.WAITING)
            await self._record(None)
        self.music(self.customer)
        found = await self._ring(agents)
        if not isinstance(found, Party):
            return True
        self.agent = found.name
        self._outcome = Outcome.REACHED
        await self._until_over(found, self._said_first)
        return False

    async def _said_first(self, said: Said) -> tuple[str, ...]:
        """A code of the agent, where the customer has said already that a person is there."""
        return () if isinstance(said, Reached | RecordedVoice) else await self._said(said)

    def _put_dialled(self, dial: str) -> None:
        self.put(
            events.CallbackDialled(
                self.id, self._wanted.request, self.customer.leg, self._trunk.name, self._wanted.customer,
                self.offset_ms(), dial,
            )
        )  # fmt: skip

    def _put_ended(self) -> None:
        heard = self.customer.heard or ("early" if self._had_early_sound else "")
        self.put(
            events.CallbackEnded(
                self.id, self._wanted.request, self._outcome, self.agent, self.offset_ms(), heard=heard
            )
        )

    def _is_held(self) -> bool:
        """Whether the customer is on the telephone already, or need not be called any more."""
        return self.office.book.is_held(self._wanted.request, self.id)
