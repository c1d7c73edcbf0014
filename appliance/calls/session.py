"""One conversation from ring to record: the page to read first.

A session has one inbox and does one thing at a time. What the flow asks for is done here; how people are rung and
joined stands in bridge.py, how recordings begin and end in recording.py, who answers the flow's questions in
answers.py, and what is true in every phase in conversation.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from appliance.calls import answering, promises, ringing, transfer, wrap_up_keys
from appliance.calls.agent_keys import Park, PassOn, PromiseAt, Reached, RecordedVoice, Said, Transfer, TurnPause
from appliance.calls.conversation import MUSIC, Conversation, Left, Trouble
from appliance.calls.desk import Asked, asked_by
from appliance.calls.office import Office
from appliance.calls.outside import Purpose
from appliance.calls.party import Party
from appliance.calls.recording import Terms
from appliance.calls.settings import CalledLine
from appliance.calls.spoken import ENDS_WITH, MOST_SECONDS, Spoken
from appliance.calls.switches import OUTAGE_PROMPT
from appliance.calls.world import BoxWorld
from appliance.errors import Problem
from appliance.flow import steps
from appliance.flow.model import Flow
from appliance.flow.run import Walk
from appliance.media import port as media
from appliance.messages.calendar import day_begin
from appliance.records import events, ledger
from appliance.records.database import Connection
from appliance.records.events import Outcome, State
from appliance.signalling import numbers
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause

log = logging.getLogger(__name__)

DIVERT_SECONDS = 30.0
FIGURES_SECONDS = 2.0
KEPT_SECONDS = 2.0
WRITTEN_SECONDS = 2.0  # as long as any question may take; what a full disk keeps back is kept in memory, and is told
KNOWN_SECONDS = 0.5  # what a caller hears nothing of
SPOKEN = ("outage_record", "prompt_record")
LEAST_MESSAGE_MS = 1000  # anything shorter is no message


class Session(Conversation):
    """``line`` and ``flow`` were chosen by the number that was called."""

    def __init__(self, office: Office, offered: signalling.Offered, line: CalledLine, flow: Flow) -> None:
        trunk = office.trunk(line.trunk)
        super().__init__(
            office, offered.leg, offered.caller, trunk.address or office.sip.address, trunk.law, trunk.media_from
        )
        self.offered = offered
        self.passage = offered.passage
        self.trunk_name = trunk.name
        self.line = line
        self.line_name = line.name
        self.flow = flow
        self.outcome = Outcome.FAILED
        self.detail = ""
        number = numbers.normalise(offered.caller.number, trunk.area_code)
        self.number = number.e164 or offered.caller.number
        self.customer_number = "" if offered.caller.is_withheld else self.number
        self.shown_number = number.national or offered.caller.number
        self.trunk = trunk
        self.know(None if offered.caller.is_withheld else office.contacts.of(self.number, trunk.area_code))
        wished = self.contact.language if self.contact is not None else ""
        self.language = wished if wished in flow.languages else line.language
        facts: dict[str, steps.Value] = {
            "caller": "" if offered.caller.is_withheld else self.shown_number,
            "called": offered.called,
            "line": line.name,
            "language": self.language,
        }
        self._walk = Walk(
            flow, self.language, office.world(facts) if office.world else BoxWorld(office, facts, self.id)
        )
        self._asking: set[asyncio.Task[None]] = set()
        self._node = ""
        self._consent: steps.RecordFromNow | None = None
        self._places: dict[str, float] = {}  # line: since when they wait in it, monotonic seconds
        self._queue = ""  # in which they waited last
        self._is_lost = False  # was passed on, and nobody has them
        self._speaks: Party | None = None  # with the customer now
        self._has_asked = False  # for a callback, or left a message: nothing more is owed

    async def run(self) -> None:
        """Takes the call, follows the flow, and leaves a record whatever happens."""
        self._open_record()
        self._hold_callbacks()
        try:
            answering.check_codecs(self, self.offered)
            await self.open(self.customer)
            if self.flow.is_internal and self.office.world is None:
                await self._look_at_figures()
            if not await self._divert():
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
            asked += self._walk.receive(steps.Pressed(self.digits.pop(0)), self._now)
        if isinstance(item, media.PlayEnded) and item.stream == self.customer.leg:
            asked += self._walk.receive(steps.Said(item.play, item.is_whole), self._now)
        elif isinstance(item, steps.Answer):
            asked += self._walk.receive(item, self._now)
        elif item is None:
            asked += self._walk.due(self._now)
        self._keep_keys()
        return asked

    def _keep_keys(self) -> None:
        """Puts the keys that the flow took; those of a secret are never among them."""
        for node, digit in self._walk.taken_keys():
            self.put(events.DigitTaken(self.id, node, digit, self.offset_ms()))

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
                self.language = language
                self.put(events.LanguageChosen(self.id, language, self.offset_ms()))
            case steps.RecordFromNow():
                self._consent = command
                self._record()
            case steps.RingAgents() | steps.Enqueue() | steps.TransferTo():
                return await self._connect(command)
            case steps.Ask(number, steps.TakeMessage() as question):
                return await self._take_message(number, question)
            case steps.Ask(number, steps.Control(action, value)) if action in SPOKEN and self.office.spoken is not None:
                return await self._speak_prompt(number, self.office.spoken, action, value)
            case steps.Ask(number, question):
                self._ask(number, question)
            case steps.Secret(is_on):
                self.office.mouth.submit(media.Mask(self.customer.leg, is_on))
                self.recording.mark("masked" if is_on else "unmasked")
            case steps.SurveyGiven(about, value):
                self.put(events.SurveyAnswered(self.id, about, value, self._node, self.offset_ms()))
            case steps.Proven(method, is_proven, identity):
                self.put(events.Identified(self.id, method, is_proven, identity, self.offset_ms()))
            case steps.SetMusic(music):
                self.music_name = music or MUSIC
            case steps.Finish():
                raise AssertionError("the walk's end is seen by _follow")
        return []

    # People -----------------------------------------------------------------------------------------------------------

    async def _connect(self, asked: steps.RingAgents | steps.Enqueue | steps.TransferTo) -> list[steps.Command]:
        """Rings people; if one answers, the customer talks until one of the two leaves."""
        found = await self._rung(asked)
        if not isinstance(found, Party):
            self.office.mouth.submit(media.Stop(self.customer.leg))
            event = steps.LeftLine() if found == ringing.LEFT_LINE else steps.NobodyAnswered(found)
            return list(self._walk.receive(event, self._now))
        commands = list(self._walk.receive(steps.AgentAnswered(found.name), self._now))
        last = await self._talk(found)
        return [*commands, *self._walk.receive(steps.AgentLeft(last), self._now)]

    async def _rung(
        self, asked: steps.RingAgents | steps.Enqueue | steps.TransferTo, purpose: Purpose = "transfer"
    ) -> Party | str:
        if isinstance(asked, steps.Enqueue):
            self._queue = asked.queue
            await self._answer()
        if self.customer.is_answered:
            self.enter(State.WAITING)
        else:
            self.office.line.submit(signalling.Ring(self.customer.leg))
        match asked:
            case steps.RingAgents():
                return await ringing.ring(self, asked)
            case steps.Enqueue():
                prefers = await self._known_agent(asked.queue)
                arrived = self._kept_place(asked.queue)
                self._places.setdefault(asked.queue, self._now if arrived is None else arrived)
                return await ringing.wait_in_line(self, asked, self._announce, prefers, arrived)
            case steps.TransferTo():
                if self.customer.is_answered:
                    self.ring_back()
                return await ringing.reach(self, asked, self.trunk.name, purpose)

    def _announce(self) -> None:
        """Tells the caller where they stand in the line; the music goes on afterwards."""
        for command in self._walk.receive(steps.StillWaiting(), self._now):
            if isinstance(command, steps.Say):
                self.announce(command.play, command.prompts, command.language)

    def _kept_place(self, queue: str) -> float | None:
        """Who has a callback and rings again waits at the old place; monotonic seconds."""
        wanted = None if self.offered.caller.is_withheld else self.office.book.of(self.number, queue)
        if wanted is None:
            return None
        return self.office.book.arrived(wanted.request)

    def _hold_callbacks(self) -> None:
        """Who is on the telephone is not called back meanwhile."""
        if not self.offered.caller.is_withheld:
            self.office.book.rings(self.number, self.id)

    def _got_through(self) -> None:
        """Who has spoken with somebody need not be called back."""
        if not self.offered.caller.is_withheld:
            self.office.desk.spoke_with(self.number)

    def _owe(self) -> None:
        """Whom nobody has spoken with, and who has left nothing, is owed a call; whom the box cut off, one at once."""
        if self.flow.is_internal or self.office.world is not None:
            return
        customer = self.customer_number
        asked = asked_by(self.id, customer, self._walk.language, self.trunk.name, self._node, self.offset_ms())
        queue = self.office.line_for(self._queue, "")
        if self.is_stopping and self.customer.is_answered and customer:
            self.office.desk.call_back(asked, customer, queue, 0, self.opened_utc_ms, is_wish=False)
            return
        is_missed = self._is_lost or self.outcome in (Outcome.ABANDONED, Outcome.FAILED, Outcome.REFUSED)
        if not self._has_asked and (is_missed or (self.outcome is Outcome.FINISHED and self._queue)):
            self.office.desk.missed(asked, queue, self.office.answer_by(queue), self.opened_utc_ms)

    async def _known_agent(self, queue: str) -> str:
        """The agent who spoke with this customer last, where the line waits for them."""
        settings = self.office.queues.get(queue)
        if settings is None or not settings.prefer_seconds or self.offered.caller.is_withheld:
            return ""
        try:
            async with asyncio.timeout(KNOWN_SECONDS):
                return await self.office.records.call(
                    lambda store: store.within(lambda db: ledger.last_agent(db, self.number))
                )
        except TimeoutError:
            return ""

    async def _talk(self, found: Party) -> str:
        """Until the last of those to whom the customer was passed on has left; who that was."""
        try:
            await self._answer()
        except (Left, Trouble):
            self.hang_up(found, Cause.ENDED_HERE)
            self.office.floor.ended(found.name, found.leg)
            raise
        self.outcome = Outcome.SERVED
        self._got_through()
        try:
            last = await transfer.talk(
                self,
                found,
                self._said,
                lambda party: self.office.line_for(self._queue, party.name),
                self.trunk.name,
                self._now_with,
                is_kept=True,
            )
        except Left:
            if self._speaks is not None:
                await wrap_up_keys.let_go(self, self._speaks)
            raise
        return last.name

    def _now_with(self, to: Party | None) -> None:
        self._speaks = to
        self._is_lost = to is None  # should they leave before anybody has them again

    async def _said(self, said: Said) -> tuple[str, ...]:
        """A code that the agent has keyed in while talking; what to tell them."""
        match said:
            case PromiseAt(digits):
                customer = self.customer_number
                return promises.by_keys(self, digits, customer, self.trunk)
            case TurnPause():
                return self.pausing.turn(self.agent, "keys")
            case Reached() | RecordedVoice() | PassOn() | Transfer() | Park():
                return ()  # who calls in is there; bridge.talk deals with the others

    async def _divert(self) -> bool:
        """Where the owner has diverted the box: True when somebody there has spoken with the customer."""
        number = self.office.desk.switches.divert
        if not number or self.flow.is_internal:
            return False
        found = await self._rung(steps.TransferTo(number, DIVERT_SECONDS), "divert")
        if not isinstance(found, Party):
            return False
        await self._talk(found)
        self._finish("diverted")
        return True

    # Questions --------------------------------------------------------------------------------------------------------

    def _ask(self, number: int, question: steps.Question) -> None:
        """Asks in the background; the answer comes by the inbox."""
        asked = self._asked(question)

        async def answer() -> None:
            reply = await self.office.answers.answer(asked)
            if reply.is_ok and isinstance(question, steps.OpenRequest):
                self._has_asked = True
                await self._written()
            self.inbox.put(steps.Answer(number, reply.is_ok, reply.values, reply.reason))

        task = asyncio.create_task(answer(), name=f"question of {self.id}")
        self._asking.add(task)
        task.add_done_callback(lambda done: self._asked_for(number, done))

    async def _written(self) -> None:
        """Nobody is told that something is kept which the next cut of the power would lose."""
        try:
            async with asyncio.timeout(WRITTEN_SECONDS):
                await self.office.records.flush()
        except TimeoutError:
            log.warning("what conversation %s asked for is kept, and not written yet", self.id)

    def _asked_for(self, number: int, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a question of conversation %s failed", self.id, exc_info=task.exception())
            self.office.count("faults")
            self.inbox.put(steps.Answer(number, is_ok=False, reason="fault"))

    def _asked(self, question: steps.Question) -> Asked:
        customer = self.customer_number
        now = self.office.clock.utc_ms()
        places = {line: now - round(1000 * (self._now - since)) for line, since in self._places.items()}
        return Asked(
            question, self.id, self._node, customer, self._walk.language, self.offset_ms(), self.trunk.name, places
        )

    async def _take_message(self, number: int, question: steps.TakeMessage) -> list[steps.Command]:
        """Listens until the key, the longest time, or the end of the call; what was said by then is kept."""
        await self._answer()
        if self.recording.state != "live":
            return list(self._walk.receive(steps.Answer(number, is_ok=False, reason="not_recorded"), self._now))
        self.beep()
        self.recording.mark("message", question.what)
        began = self.offset_ms()
        deadline = self._now + question.most_seconds
        try:
            while question.ends_with not in self.digits and await self.next(deadline) is not None:
                continue
        finally:
            self.digits.clear()
            seconds, code = self._keep_message(question, began)
        values: dict[str, steps.Value] = {"seconds": seconds, "code": code}
        return list(self._walk.receive(steps.Answer(number, seconds > 0, values), self._now))

    def _keep_message(self, question: steps.TakeMessage, began: int) -> tuple[int, str]:
        """Writes that there is a message: its seconds (0: there is none) and its tracking code."""
        ends = self.offset_ms()
        if ends - began < LEAST_MESSAGE_MS:
            return 0, ""
        seconds = max(1, round((ends - began) / 1000))
        self.recording.mark("message_ends", question.what)
        request, code = "", ""
        if question.what == "comment":
            self.put(events.SurveyAnswered(self.id, "comment", seconds, self._node, ends))
        else:
            due = self.office.answer_by(self._queue)
            request, code = self.office.desk.message(question.what, self._asked(question), self._queue, due)
            self._has_asked = True
        self.put(events.MessageTaken(self.id, question.what, request, began, ends))
        return seconds, code

    async def _speak_prompt(self, number: int, spoken: Spoken, action: str, value: str) -> list[steps.Command]:
        """The owner says a prompt after the beep, until the key; it is heard by callers from then on."""
        language = self._walk.language
        name = OUTAGE_PROMPT if action == "outage_record" else spoken.name_of(language, value)
        if not name:
            return list(self._walk.receive(steps.Answer(number, is_ok=False, reason="no_such"), self._now))
        self.sound.clear()
        self.sound_is_whole = False
        self.beep()
        self.office.mouth.submit(media.Listen(self.customer.leg, True, MOST_SECONDS))
        deadline = self._now + MOST_SECONDS
        try:
            while ENDS_WITH not in self.digits and not self.sound_is_whole and await self.next(deadline) is not None:
                continue
        finally:
            self.digits.clear()
            self.office.mouth.submit(media.Listen(self.customer.leg, False))
        deadline = self._now + KEPT_SECONDS
        while not self.sound_is_whole and await self.next(deadline) is not None:
            continue
        reason = ""
        try:
            await asyncio.to_thread(spoken.keep, language, name, self.sound_law, bytes(self.sound))
        except Problem as problem:
            log.warning("a prompt that was spoken by telephone is not taken: %s", problem.key)
            reason = problem.key
        else:
            self.put(events.SwitchTurned("prompt", f"{language}/{name}", self.number))
        return list(self._walk.receive(steps.Answer(number, not reason, {}, reason), self._now))

    async def take(self) -> None:
        await self._answer()

    # The customer's leg -----------------------------------------------------------------------------------------------

    async def _answer(self) -> None:
        """Answers the customer, once."""
        if await answering.answer(self, self.offered):
            self._record()

    def _record(self) -> None:
        """Recording begins when there is consent and a voice, on lines that are recorded."""
        if self._consent is not None and self.customer.is_answered and self.line.records:
            self.recording.begin(Terms(self._consent.consent, self._consent.node, self.flow.name, self.flow.sha256))

    # The end ----------------------------------------------------------------------------------------------------------

    def _finish(self, outcome: str) -> None:
        """The flow came to its end by itself."""
        if self.outcome is not Outcome.SERVED:
            self.outcome = Outcome.FINISHED
        self.detail = outcome
        self._refuse(480)

    def _left(self) -> None:
        """The customer has hung up, or somebody ended the conversation."""
        ended = self.customer.ended
        made_room = ended is not None and ended.cause == Cause.MADE_ROOM.value
        if self.outcome is not Outcome.SERVED:
            is_lost = self.customer.has_ended and not self.flow.is_internal  # the owner's own call is never a lost one
            self.outcome = Outcome.ABANDONED if is_lost and not made_room else Outcome.FINISHED
        if made_room:
            self.detail = "made room"
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
        """Nothing is asked any more, a callback that was held may begin, and the record closes."""
        for task in list(self._asking):
            task.cancel()
        try:
            self._owe()
            if self.office.book.release_all(self.id):
                self.office.desk.on_callback()
        finally:
            await self.close(self.outcome, self.detail)

    async def _look_at_figures(self) -> None:
        """What the owner's own flows tell: as the records know it now."""
        now = self.office.clock.utc_ms()
        try:
            async with asyncio.timeout(FIGURES_SECONDS):
                self.office.figures = await self.office.records.call(
                    lambda store: store.within(lambda db: _figures(db, now))
                )
        except TimeoutError:  # a full disk: the owner hears the figures of before
            log.warning("the records do not answer; figures are those of before")

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
                language=self.language,
            )
        )
        self.put(
            events.LegOpened(self.id, self.customer.leg, "customer", self.number, self.line.trunk, self.offset_ms())
        )


def _figures(db: Connection, now_ms: int) -> dict[str, int]:
    midnight = day_begin(now_ms)
    return {"calls_missed": ledger.missed_since(db, midnight), "requests_open": ledger.open_count(db)}
