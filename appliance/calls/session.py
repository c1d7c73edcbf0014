"""One conversation from ring to record: the page to read first.

A session has one inbox and does one thing at a time. What the flow asks for is done here; how agents are rung and
joined stands in bridge.py, how recordings begin and end in recording.py, and what is true in every phase in
conversation.py.
"""

from __future__ import annotations

import logging
from collections import deque

from appliance.calls import bridge
from appliance.calls.conversation import Conversation, Left, Party, Trouble
from appliance.calls.office import Office
from appliance.calls.settings import CalledLine
from appliance.flow import steps
from appliance.flow.model import Flow
from appliance.flow.run import Walk
from appliance.media import port as media
from appliance.records import events
from appliance.records.events import Outcome, State
from appliance.signalling import numbers, sdp
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause

log = logging.getLogger(__name__)

CONFIRM_SECONDS = 33.0  # signalling ends a leg whose ACK never comes after 32 s


class Session(Conversation):
    """``line`` and ``flow`` were chosen by the number that was called."""

    def __init__(self, office: Office, offered: signalling.Offered, line: CalledLine, flow: Flow) -> None:
        trunk = office.trunk(line.trunk)
        super().__init__(office, offered, trunk.address or office.sip.address, trunk.law, trunk.media_from)
        self.line = line
        self.line_name = line.name
        self.flow = flow
        self.outcome = Outcome.FAILED
        self.detail = ""
        number = numbers.normalise(offered.caller.number, trunk.area_code)
        self.number = number.e164 or offered.caller.number
        self.shown_number = number.national or offered.caller.number
        self.trunk = trunk
        self._walk = Walk(flow, line.language)
        self._node = ""
        self._consent: steps.RecordFromNow | None = None

    async def run(self) -> None:
        """Takes the call, follows the flow, and leaves a record whatever happens."""
        self._open_record()
        try:
            self._check_codecs()
            await self.open(self.customer)
            await self._follow()
        except Left:
            self._left()
        except Trouble as trouble:
            self.outcome, self.detail = (
                Outcome.REFUSED if not self.customer.is_answered else Outcome.FAILED,
                trouble.detail,
            )
            self._refuse(trouble.code)
        except Exception:
            log.exception("a fault ended conversation %s", self.id)
            self.office.count("faults")
            self.outcome, self.detail = Outcome.FAILED, "fault"
            self.hang_up(self.customer, Cause.FAULT, 500)
        await self._close()

    # The flow ---------------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Does what the flow asks, and tells it what came of that, until it says that it is finished."""
        asked = deque(self._walk.start(self._now))
        while True:
            while asked:
                command = asked.popleft()
                if isinstance(command, steps.Finish):
                    self._finish(command.outcome)
                    return
                asked.extend(await self._carry_out(command))
            item = await self.next(self._walk.deadline)
            asked.extend(self._heard(item))

    def _heard(self, item: object) -> list[steps.Command]:
        """What the flow makes of this."""
        asked: list[steps.Command] = []
        while self.digits:
            digit = self.digits.pop(0)
            self.put(events.DigitTaken(self.id, self._node, digit, self.offset_ms()))
            asked += self._walk.receive(steps.Pressed(digit), self._now)
        if isinstance(item, media.PlayEnded) and item.stream == self.customer.leg:
            asked += self._walk.receive(steps.Said(item.play, item.is_whole), self._now)
        elif item is None:
            asked += self._walk.due(self._now)
        return asked

    async def _carry_out(self, command: steps.Command) -> list[steps.Command]:
        match command:
            case steps.Entered(node, kind):
                self._node = node
                self.put(events.NodeEntered(self.id, node, kind, self.offset_ms()))
            case steps.Say(play, prompts, language):
                await self._answer()
                self.enter(State.MENU)
                self.say(play, prompts, language)
            case steps.StopSaying(play):
                self.office.mouth.submit(media.Stop(self.customer.leg, play))
            case steps.SetLanguage(language):
                self.put(events.LanguageChosen(self.id, language, self.offset_ms()))
            case steps.RecordFromNow():
                self._consent = command
                self._record()
            case steps.RingAgents():
                return await self._connect(command)
            case steps.Finish():
                raise AssertionError("the walk's end is seen by _follow")
        return []

    async def _connect(self, asked: steps.RingAgents) -> list[steps.Command]:
        """Rings agents; if one answers, the customer talks until one of the two leaves."""
        if self.customer.is_answered:
            self.enter(State.WAITING)
        else:
            self.office.line.submit(signalling.Ring(self.customer.leg))
        found = await bridge.ring(self, asked)
        if not isinstance(found, Party):
            self.office.mouth.submit(media.Stop(self.customer.leg))
            return list(self._walk.receive(steps.NobodyAnswered(found), self._now))
        try:
            await self._answer()
        except (Left, Trouble):
            self.hang_up(found, Cause.ENDED_HERE)
            self.office.engaged.pop(found.name, None)
            raise
        commands = list(self._walk.receive(steps.AgentAnswered(found.name), self._now))
        self.outcome = Outcome.SERVED
        await bridge.talk(self, found)
        return [*commands, *self._walk.receive(steps.AgentLeft(found.name), self._now)]

    # The customer's leg -----------------------------------------------------------------------------------------------

    def _check_codecs(self) -> None:
        """488 before anything else where there is no common codec (RFC 3264, 6)."""
        if self.offered.sdp is not None and sdp.answer(self.offered.sdp, "", 9, self.law) is None:
            raise Trouble(488, "no common codec")

    async def _answer(self) -> None:
        """Answers the customer, once."""
        customer = self.customer
        if customer.is_answered:
            return
        number = int(customer.leg[:12], 16)
        if self.offered.sdp is None:
            local = sdp.offer("", customer.port, self.law, number)
            self.office.line.submit(signalling.Answer(customer.leg, local))
            remote = await self._late_answer()
        else:
            remote = self.offered.sdp
            chosen = sdp.answer(remote, "", customer.port, self.law, session_id=number)
            if chosen is None:
                raise Trouble(488, "no common codec")
            local = chosen
            self.office.line.submit(signalling.Answer(customer.leg, local))
        if not self.agree(customer, local, remote):
            raise Trouble(488, "no common codec")
        assert customer.agreed is not None
        self.law = customer.agreed.law
        self.answered(customer)
        self._record()

    async def _late_answer(self) -> sdp.Description:
        """The description in the ACK, where ours was the offer."""
        deadline = self._now + CONFIRM_SECONDS
        while True:
            match await self.next(deadline):
                case signalling.Confirmed(_, description) if description is not None:
                    return description
                case signalling.Confirmed() | None:
                    raise Trouble(488, "no answer to our offer")
                case _:
                    continue

    def _record(self) -> None:
        """Recording begins when there is consent and a voice, on lines that are recorded."""
        if self._consent is not None and self.customer.is_answered and self.line.records:
            self.recording.begin(self._consent.consent, self._consent.node, self.flow.name, self.flow.sha256)

    # The end ----------------------------------------------------------------------------------------------------------

    def _finish(self, outcome: str) -> None:
        """The flow came to its end by itself."""
        if self.outcome is not Outcome.SERVED:
            self.outcome = Outcome.FINISHED
        self.detail = outcome
        self._refuse(480)

    def _left(self) -> None:
        """The customer has hung up, or somebody ended the conversation."""
        if self.outcome is not Outcome.SERVED:
            self.outcome = Outcome.ABANDONED if self.customer.has_ended else Outcome.FINISHED
        if not self.customer.has_ended:
            self.detail = "stopped" if self.is_stopping else "ended by the office"
        self._refuse(503 if self.is_stopping else 480)

    def _refuse(self, code: int) -> None:
        """Ends the customer's leg: a refusal if it was never answered, else BYE."""
        if not self.customer.is_answered and not self.customer.has_ended:
            after = self.office.settings.retry_after_seconds if code == 503 else None
            self.office.line.submit(signalling.Refuse(self.customer.leg, code, "", after))
            self.ended(self.customer, Cause.ENDED_HERE.value, code)
        else:
            self.hang_up(self.customer, Cause.ENDED_HERE)

    async def _close(self) -> None:
        """Ends what is left, and closes the record once its recordings are sealed (DECISIONS 2)."""
        for party in list(self.parties.values()):
            self.hang_up(party, Cause.ENDED_HERE)
        closed_at = self.offset_ms()
        await self.last_words()
        self.put(events.ConversationClosed(self.id, self.outcome, self.detail, self.agent, closed_at))
        self.office.changed()
        deadline = self._now + self.office.settings.seal_wait_seconds
        while not self.recording.is_settled:
            try:
                if await self.next(deadline) is None:
                    break
            except Left:
                continue
        self.recording.give_up()
        self.office.legs.pop(self.customer.leg, None)
        self.put(events.RecordClosed(self.id))

    # Record -----------------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return self.office.clock.monotonic()

    def _open_record(self) -> None:
        caller = self.offered.caller
        self.parties[self.customer.leg] = self.customer
        self.office.legs[self.customer.leg] = self.inbox
        self.put(
            events.ConversationOpened(
                conversation=self.id,
                direction="in",
                line=self.line.name,
                trunk=self.line.trunk,
                called=self.offered.called,
                customer="" if caller.is_withheld else self.number,
                customer_as_arrived="" if caller.is_withheld else caller.number,
                customer_name=caller.name,
                is_withheld=caller.is_withheld,
                flow=self.flow.name,
                flow_hash=self.flow.sha256,
                language=self.line.language,
            )
        )
        self.put(
            events.LegOpened(self.id, self.customer.leg, "customer", self.number, self.line.trunk, self.offset_ms())
        )
