"""A customer whom the box dials, and the agent who speaks with them: what callbacks and calls of a list have in common.

Before an INVITE leaves for a customer the attempt is on the disk (DECISIONS 9), and it is asked once more whether they
may be dialled. "Reached" comes from a key alone: the agent's ``*1`` while they speak or their word when asked
afterwards. What the line plays instead of an answer (busy tone behind a 200) is no answer. Whether it is recorded says
what the customer has said before, else the trunk (consents.py). Whose attempt it is, and what is written of it, stands
in the two kinds: callback.py, list_call.py.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from appliance.calls import consents, runtime, transfer, wrap_up_keys
from appliance.calls.agent_keys import Said
from appliance.calls.asking import ask
from appliance.calls.conversation import Conversation, Left, Trouble
from appliance.calls.office import Office
from appliance.calls.outside import Permit, Purpose
from appliance.calls.party import Party
from appliance.ids import uuid7
from appliance.media import port as media
from appliance.queue.callbacks import Outcome, outcome_of
from appliance.records import events
from appliance.records.consents import REFUSED, word_of
from appliance.records.events import State
from appliance.signalling import numbers, sdp
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause, Identity, LegKey
from appliance.signalling.settings import Trunk

log = logging.getLogger(__name__)

ASKED_TRIES = 2
RING_SECONDS = 45.0  # how long the customer's telephone rings
COMMIT_SECONDS = 3.0  # how long the disk may take; then nobody is dialled
TONES = {"busy": Outcome.BUSY, "congestion": Outcome.NETWORK, "ringing": Outcome.NO_ANSWER}  # behind what is no answer


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is dialled (``customer`` is E.164, or as it came), for which request or entry, in which line (or none)."""

    id: str
    customer: str
    language: str
    queue: str = ""


class Dialled(Conversation):
    """``purpose`` says to the way out, and in the record, what kind of attempt it is."""

    direction = "out"
    purpose: Purpose

    def __init__(self, office: Office, subject: Subject, trunk: Trunk) -> None:
        number = numbers.normalise(subject.customer, trunk.area_code)
        caller = Identity(number.national or subject.customer)
        leg = uuid7(office.clock.utc_ms())
        super().__init__(office, leg, caller, trunk.address or office.sip.address, trunk.law, trunk.media_from)
        self.line_name = subject.queue
        self.language = subject.language
        self.customer_number = subject.customer
        self.know(office.contacts.of(subject.customer, trunk.area_code))
        self._subject = subject
        self._number = number
        self._trunk = trunk
        self._is_dialled = False
        self._is_on_record = False
        self._had_early_sound = False
        self._word = REFUSED  # what the customer has said of being recorded; until it is known
        self._outcome = Outcome.NO_AGENT
        self._speaks = self.customer  # the other side of the talk, once there is one

    # The two kinds ----------------------------------------------------------------------------------------------------

    @abstractmethod
    async def _try(self) -> None:
        """The attempt; what it has come to is ``_outcome``."""

    @abstractmethod
    async def _agrees(self, agent: Party) -> bool:
        """Tells the agent whom this is about; whether the customer is to be dialled."""

    @abstractmethod
    def _is_held(self) -> bool:
        """Whether the customer is not to be dialled: asked before the attempt is written, and after."""

    @abstractmethod
    async def _said(self, said: Said) -> tuple[str, ...]:
        """A code of the agent; what to tell them."""

    @abstractmethod
    async def _ask_after(self, agent: Party) -> None:
        """The customer has gone, and the agent has not said whom they reached."""

    @abstractmethod
    def _put_dialled(self, dial: str) -> None:
        """The attempt, with how its INVITE could be cancelled."""

    @abstractmethod
    def _put_ended(self) -> None:
        """What it came to; only of an attempt that was put."""

    @abstractmethod
    def _ended(self) -> None:
        """It is over, and on record where anybody was rung."""

    # From its beginning to its end ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tries once, and leaves a record if anybody was rung."""
        try:
            await self._try()
        except Left:
            self._left()
        except Trouble as trouble:
            log.warning("%s %s: %s", self.purpose, self._subject.id, trouble.detail)
            self._outcome = Outcome.NETWORK if self._is_dialled else Outcome.NO_AGENT
        except Exception:
            log.exception("a fault ended conversation %s", self.id)
            self.office.count("faults")
            self._outcome = Outcome.NETWORK
        if self._is_dialled:
            self._put_ended()
        self.office.book.release_all(self.id)
        self._ended()
        for party in self.parties.values():
            self.office.floor.ended(party.name, party.leg)
        if self._is_on_record:
            is_served = self.state is State.TALKING or self._outcome is Outcome.REACHED
            outcome = events.Outcome.SERVED if is_served else events.Outcome.FINISHED
            await self.close(outcome, f"{self.purpose} {self._outcome}")
        self.office.legs.pop(self.customer.leg, None)

    def _left(self) -> None:
        """The customer's side ended it."""
        if not self.customer.is_answered and self.customer.has_ended:
            self._outcome = Outcome.NETWORK

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
        """Where such calls are recorded: the customer is told first, unless they have said something already."""
        on = consents.basis(self._trunk.records_outward, self._word)
        if on == "notice" and agent is not None:
            self._loop_to(agent)
        await consents.record(self, self.customer, on, self.purpose, self._word)

    async def _find_word(self) -> None:
        if self._trunk.records_outward == "off":
            return
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                self._word = await self.office.records.call(
                    lambda store: store.within(lambda db: word_of(db, self._subject.id))
                )
        except TimeoutError:
            log.warning("%s %s is not recorded: the records do not answer", self.purpose, self._subject.id)

    async def _until_over(self, agent: Party, said: Callable[[Said], Awaitable[tuple[str, ...]]]) -> Party:
        return await transfer.talk(
            self,
            agent,
            said,
            lambda party: self.office.line_for(self._subject.queue, party.name),
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
            self.id, self.customer.leg, self._subject.customer, self._trunk.name, self.purpose, self.offset_ms()
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
        self.office.book.rings(self._subject.customer, self.id)  # nothing that they ask meanwhile is dialled beside it
        self._put_dialled(runtime.encoded(key))
        self.put(events.LegOpened(self.id, leg, "customer", self._subject.customer, self._trunk.name, self.offset_ms()))
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self.office.records.flush()
        except TimeoutError:
            log.warning("%s %s is not dialled: the records cannot be written", self.purpose, self._subject.id)
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
        return await ask(self, party, prompts, tries, keys, self._subject.language)

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
                line=self._subject.queue,
                trunk=self._trunk.name,
                called=self._subject.customer,
                customer=self._subject.customer,
                customer_as_arrived=self._subject.customer,
                customer_name="",
                is_withheld=False,
                flow="",
                flow_hash="",
                language=self._subject.language,
            )
        )
        if self._subject.queue:
            self.put(events.QueueJoined(self.id, self._subject.queue, 0))
