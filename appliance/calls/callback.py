"""One attempt of a callback: a conversation that begins with us.

It stands in its line at the place that was kept. Agent-first: the agent answers, hears that it is a callback and to
which number, and presses 1; then the customer is dialled. Customer-first: when an agent is free the customer is dialled
and hears who calls, twice; 1 is a person, anything else is not. Before an INVITE leaves for a customer the attempt is
on the disk (DECISIONS 9). "Reached" comes from a key alone: the agent's ``*1`` while they speak or 1 when asked
afterwards, or the customer's 1; 2 is nobody, 3 a recorded voice. What the line plays instead of an answer (busy tone
behind a 200) is no answer. Whether it is recorded says what the customer has said when they asked for it, else the
trunk (consents.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from appliance import saying
from appliance.calls import consents, promises, ringing, runtime, transfer, wrap_up_keys
from appliance.calls.agent_keys import Park, PassOn, PromiseAt, Reached, RecordedVoice, Said, Transfer, TurnPause
from appliance.calls.asking import YES, ask, tries_on
from appliance.calls.conversation import Conversation, Left, Trouble
from appliance.calls.floor import AgentsOffered
from appliance.calls.office import Office
from appliance.calls.outside import Permit, Purpose
from appliance.calls.party import Party
from appliance.ids import uuid7
from appliance.media import port as media
from appliance.queue.callbacks import Outcome, Wanted, outcome_of
from appliance.records import events
from appliance.records.consents import REFUSED, word_of
from appliance.records.events import State
from appliance.signalling import numbers, sdp
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause, Identity, LegKey
from appliance.signalling.settings import Trunk

log = logging.getLogger(__name__)

BRIEF_TRIES, ASKED_TRIES = 2, 2
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
RING_SECONDS = 45.0  # how long the customer's telephone rings
COMMIT_SECONDS = 3.0  # how long the disk may take; then nobody is dialled
SAID = {YES: Outcome.REACHED, "2": Outcome.NOT_REACHED, "3": Outcome.ANNOUNCEMENT}  # what the agent's key says
TONES = {"busy": Outcome.BUSY, "congestion": Outcome.NETWORK, "ringing": Outcome.NO_ANSWER}  # behind what is no answer


class Callback(Conversation):
    """``has_room`` says whether the customer could be dialled now; a line is taken when an agent is there.

    ``ended`` is told the outcome of the attempt, once, after it was put on record; None: nobody was rung.
    """

    direction = "out"
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
        number = numbers.normalise(wanted.customer, trunk.area_code)
        caller = Identity(number.national or wanted.customer)
        leg = uuid7(office.clock.utc_ms())
        super().__init__(office, leg, caller, trunk.address or office.sip.address, trunk.law, trunk.media_from)
        self.line_name = wanted.queue
        self.language = wanted.language
        self.customer_number = wanted.customer
        self.know(office.contacts.of(wanted.customer, trunk.area_code))
        self._wanted = wanted
        self._number = number
        self._trunk = trunk
        self._is_agent_first = is_agent_first
        self._has_room = has_room
        self._when_ended = ended
        self._is_dialled = False
        self._is_on_record = False
        self._is_reached = False
        self._had_early_sound = False
        self._word = REFUSED  # what the customer has said of being recorded; until it is known
        self._outcome = Outcome.NO_AGENT
        self._speaks = self.customer  # the other side of the talk, once there is one

    async def run(self) -> None:
        """Tries once, and leaves a record if anybody was rung."""
        try:
            await self._try()
        except Left:
            if not self.customer.is_answered and self.customer.has_ended:
                self._outcome = Outcome.NETWORK
            elif not self._is_agent_first and self._outcome is Outcome.NOT_REACHED:
                self._outcome = self._unsaid(self._outcome)
        except Trouble as trouble:
            log.warning("callback %s: %s", self._wanted.request, trouble.detail)
            self._outcome = Outcome.NETWORK if self._is_dialled else Outcome.NO_AGENT
        except Exception:
            log.exception("a fault ended conversation %s", self.id)
            self.office.count("faults")
            self._outcome = Outcome.NETWORK
        finally:
            self.office.floor.leave(self.id)
        if self._is_dialled:
            self._put_ended()
        self.office.book.release_all(self.id)
        self._when_ended(self._outcome if self._is_on_record else None)
        for party in self.parties.values():
            self.office.floor.ended(party.name, party.leg)
        if self._is_on_record:
            is_served = self.state is State.TALKING or self._outcome is Outcome.REACHED
            outcome = events.Outcome.SERVED if is_served else events.Outcome.FINISHED
            await self.close(outcome, f"{self.purpose} {self._outcome}")
        self.office.legs.pop(self.customer.leg, None)

    async def _try(self) -> None:
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

    async def _agent_first(self, agent: Party) -> None:
        self.agent = agent.name
        if not await self._agrees(agent) or self._is_held():
            self.hang_up(agent, Cause.NO_ANSWER)
            return
        if not await self._dial():
            return
        self._loop_to(agent)
        self._outcome = await self._customer_answers(agent)
        if self.customer.is_answered:
            self._outcome = Outcome.NOT_GIVEN
            await self._talk(agent)

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

    async def _talk(self, agent: Party) -> None:
        """Both speak; afterwards the agent says whom they reached, if they have not said it yet."""
        try:
            await self._record(agent)
            agent = await self._until_over(agent, self._said)
        except Left:
            if self._outcome is Outcome.NOT_GIVEN:
                self._outcome = self._unsaid(self._outcome)
            agent = self._speaks
            if self.is_stopping or agent.has_ended:
                raise
        if not agent.has_ended and self._outcome is Outcome.NOT_GIVEN:
            await self._ask_after(agent)
        if self._outcome is Outcome.NOT_GIVEN:
            self._outcome = self._unsaid(self._outcome)
        if not agent.has_ended:
            await wrap_up_keys.ask_outcome(self, agent)

    async def _record(self, agent: Party | None) -> None:
        """Where callbacks are recorded: the customer is told first, unless they have said something already."""
        on = consents.basis(self._trunk.records_outward, self._word)
        if on == "notice" and agent is not None:
            self._loop_to(agent)
        await consents.record(self, self.customer, on, "callback", self._word)

    async def _find_word(self) -> None:
        if self._trunk.records_outward == "off":
            return
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                self._word = await self.office.records.call(
                    lambda store: store.within(lambda db: word_of(db, self._wanted.request))
                )
        except TimeoutError:
            log.warning("callback %s is not recorded: the records do not answer", self._wanted.request)

    async def _ask_after(self, agent: Party) -> None:
        """The customer has gone, and the agent has not said whom they reached."""
        key = await self._asked(agent, ("callback_ask_reached",), ASKED_TRIES, "".join(SAID))
        self._outcome = SAID.get(key, self._outcome)

    async def _until_over(self, agent: Party, said: Callable[[Said], Awaitable[tuple[str, ...]]]) -> Party:
        return await transfer.talk(
            self,
            agent,
            said,
            lambda party: self.office.line_for(self._wanted.queue, party.name),
            self._trunk.name,
            self._now_with,
            is_kept=True,
        )

    def _now_with(self, to: Party | None) -> None:
        """Whoever passes a customer on has one: what they say by that key is that the customer was reached."""
        if to is None:
            self._outcome = Outcome.REACHED
        else:
            self._speaks, self.agent = to, to.name

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

    def _unsaid(self, outcome: Outcome) -> Outcome:
        """What an attempt came to where nobody said anything: what the line played, or ``outcome``."""
        return TONES.get(self.customer.heard, outcome)

    # What both share --------------------------------------------------------------------------------------------------

    async def _dial(self) -> bool:
        """Dials the customer, once the attempt is on the disk; False where it cannot be written.

        The INVITE is made first, so that its Call-ID, branch and From tag are on the disk before it leaves: whatever
        happens to this process, the next one can cancel it.
        """
        self._outcome = Outcome.NETWORK
        permit = self.office.outside.permit(
            self.id, self.customer.leg, self._wanted.customer, self._trunk.name, self.purpose, self.offset_ms()
        )
        if not isinstance(permit, Permit):
            return False
        await self.open(self.customer)
        if self._is_held():
            self._outcome = Outcome.NO_AGENT
            return False
        leg = self.customer.leg
        self.office.outside.dial(permit, self._our_sdp(), waits=True)
        key = await self._prepared()
        if key is None:
            return False
        await self._find_word()
        self._is_dialled = True
        self.office.book.rings(self._wanted.customer, self.id)  # nothing that they ask meanwhile is dialled beside it
        self._put_dialled(runtime.encoded(key))
        self.put(events.LegOpened(self.id, leg, "customer", self._wanted.customer, self._trunk.name, self.offset_ms()))
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self.office.records.flush()
        except TimeoutError:
            log.warning("callback %s is not dialled: the records cannot be written", self._wanted.request)
            return False
        if self._is_held():  # they rang while it was written
            self._outcome = Outcome.NO_AGENT
            return False
        self.office.line.submit(signalling.Go(leg))
        return True

    async def _prepared(self) -> LegKey | None:
        """How the INVITE that waits could be cancelled; None where there is none: the trunk cannot be reached."""
        until = self.office.clock.monotonic() + COMMIT_SECONDS
        while True:
            match await self.next(until):
                case signalling.LegKept(key) if key.leg == self.customer.leg:
                    return key
                case signalling.Refused(leg) if leg == self.customer.leg:
                    return None
                case None:
                    return None
                case _:
                    continue

    async def _customer_answers(self, agent: Party | None) -> Outcome:
        """Rings until the customer's side answers; the outcome where it does not."""
        offer = self._our_sdp()
        until = self.office.clock.monotonic() + RING_SECONDS
        while True:
            match await self.next(until):
                case signalling.Answered(leg, remote) if leg == self.customer.leg:
                    if not self.agree(self.customer, offer, remote):
                        raise Trouble(488, "no common codec")
                    self.answered(self.customer)
                    self.attend(self.customer)  # a tone behind the answer is none
                    return Outcome.NOT_GIVEN
                case signalling.Progressed(leg, _, remote) if leg == self.customer.leg and remote is not None:
                    self._had_early_sound = True
                    if agent is not None and self.agree(self.customer, offer, remote):
                        self.office.mouth.submit(media.Bridge(self.customer.leg, agent.leg))  # operators speak here
                case signalling.Refused(leg, code, _, _) if leg == self.customer.leg:
                    return outcome_of(code, Cause.REFUSED.value)
                case None:
                    self.hang_up(self.customer, Cause.NO_ANSWER)
                    return Outcome.NO_ANSWER
                case _:
                    if agent is not None and agent.has_ended:
                        self.hang_up(self.customer, Cause.ENDED_HERE)
                        return Outcome.NO_AGENT

    async def _asked(self, party: Party, prompts: tuple[str, ...], tries: int, keys: str) -> str:
        """The key that ``party`` pressed of ``keys``; empty where none was, or they went."""
        return await ask(self, party, prompts, tries, keys, self._wanted.language)

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

    def _our_sdp(self) -> sdp.Description:
        return sdp.offer("", self.customer.port, self.law, int(self.customer.leg[:12], 16))

    def _loop_to(self, agent: Party) -> None:
        """The agent hears that it rings."""
        self.loop(agent, media.Piece("tone:ring-back"))

    def _open_record(self) -> None:
        if self._is_on_record:
            return
        self._is_on_record = True
        self.put(
            events.ConversationOpened(
                conversation=self.id,
                direction="out",
                line=self._wanted.queue,
                trunk=self._trunk.name,
                called=self._wanted.customer,
                customer=self._wanted.customer,
                customer_as_arrived=self._wanted.customer,
                customer_name="",
                is_withheld=False,
                flow="",
                flow_hash="",
                language=self._wanted.language,
            )
        )
        if self._wanted.queue:
            self.put(events.QueueJoined(self.id, self._wanted.queue, 0))
