"""An agent calls the next one of an outbound list: the agent is there first, so nobody is called into silence.

By telephone the agent's own leg is given; by page their telephone is rung. The agent hears which number it is and how
many are left; then the customer is dialled (dialled.py), and hours, pause and the do-not-call list are asked again in
that moment. The agent's word is written when it is said: whatever happens to this process afterwards, it stands.
"""

from __future__ import annotations

from appliance import saying
from appliance.calls import promises, ringing
from appliance.calls.agent_keys import Park, PassOn, PromiseAt, Reached, RecordedVoice, Said, Transfer, TurnPause
from appliance.calls.desk import due_of
from appliance.calls.dialled import ASKED_TRIES, Dialled, Subject
from appliance.calls.office import Office
from appliance.calls.outside import Purpose
from appliance.calls.party import Party
from appliance.errors import Problem
from appliance.outbound_lists.outcomes import SAID, Outcome, of_attempt
from appliance.queue.callbacks import Outcome as Attempt
from appliance.records import events
from appliance.records.lists import Entry
from appliance.signalling.settings import Trunk

RING_SECONDS = 25.0  # how long the telephone of an agent rings who has asked by page
ASKED = {"1": Outcome.REACHED, "2": Outcome.WRONG_NUMBER, "3": Outcome.ANNOUNCEMENT, "4": Outcome.DO_NOT_CALL}


class ListCall(Dialled):
    """``given`` is the agent's leg, already answered, where they have asked by telephone."""

    purpose: Purpose = "list"

    def __init__(self, office: Office, entry: Entry, trunk: Trunk, agent: str) -> None:
        super().__init__(office, Subject(entry.entry, entry.number, entry.language or "fa"), trunk)
        self.entry = entry
        self.given: Party | None = None
        self.agent = agent
        self._asker = agent
        self._verdict: Outcome | None = None
        self._has_rung = False  # an INVITE left

    @property
    def customer_name(self) -> str:
        """As the list names them, where the office does not know them."""
        return super().customer_name or self.entry.name

    def name_on(self, phone: str) -> str:
        return super().name_on(phone) or self.entry.name

    # The attempt ------------------------------------------------------------------------------------------------------

    async def _try(self) -> None:
        self.trunk_name = self._trunk.name
        self._open_record()
        if self.given is not None:
            self.adopt(self.given)
            agent: Party | str = self.given
        else:
            until = self.office.clock.monotonic() + RING_SECONDS
            agent = await ringing.ring_agent(self, self._asker, until)
        if isinstance(agent, Party):
            await self._agent_first(agent)

    async def _agrees(self, agent: Party) -> bool:
        """The agent has asked for this one, and only hears who it is."""
        number = saying.say(self.language, "phone", self._number.national).pieces
        left = saying.say(self.language, "number", self.office.lists.book.remaining(self.entry.list_name)).pieces
        await self.tell(agent, ("list_next", *number, "list_left", *left))
        return not agent.has_ended

    async def _dial(self) -> bool:
        if await super()._dial():
            self._has_rung = True
            return True
        agent = next(party for party in self.parties.values() if party.role == "agent")
        if not agent.has_ended:
            await self.tell(agent, ("list_not_now",))
        return False

    def _is_held(self) -> bool:
        """Whether the customer may not be dialled any more: asked before the attempt is written, and after."""
        lists = self.office.lists
        return self.entry.number in lists.book.forbidden or bool(lists.why_closed(self.entry.list_name))

    def _put_dialled(self, dial: str) -> None:
        self.office.lists.dials(self.entry.entry, self.id)
        self.put(
            events.ListEntryDialled(
                self.id, self.entry.entry, self.customer.leg, self._trunk.name, self._asker, self.offset_ms(), dial
            )
        )

    def _ended(self) -> None:
        self.office.lists.release(self._asker)

    def _put_ended(self) -> None:
        if self._verdict is None:
            is_given_up = self._has_rung and self._outcome is Attempt.NO_AGENT  # the agent hung up while it rang
            self._settle(Outcome.NO_ANSWER if is_given_up else of_attempt(self._outcome))

    # What the agent says ----------------------------------------------------------------------------------------------

    def judge(self, outcome: Outcome, result: str = "", due: int = 0) -> None:
        """The agent's word, by key or page. Problem where nobody has been dialled yet."""
        if outcome not in SAID or not self._is_dialled:
            raise Problem("lists.nothing_to_say")
        self._verdict = outcome
        self._outcome = Attempt.REACHED if outcome is not Outcome.WRONG_NUMBER else Attempt.NOT_REACHED
        self._settle(outcome, result, due)
        if outcome is Outcome.DO_NOT_CALL:
            self.office.lists.forbid(self.entry.number, self._asker, self.id)
        elif outcome is Outcome.REACHED:
            self.office.desk.spoke_with(self.entry.number)

    def _settle(self, outcome: Outcome, result: str = "", due: int = 0) -> None:
        self.office.lists.settle(self.entry.entry, self.id, outcome, self._asker, self.offset_ms(), result, due)

    async def _said(self, said: Said) -> tuple[str, ...]:
        match said:
            case Reached(is_so):
                self.judge(Outcome.REACHED if is_so else Outcome.WRONG_NUMBER)
            case RecordedVoice():
                self.judge(Outcome.ANNOUNCEMENT)
            case PromiseAt(digits):
                due = due_of(digits, self.office.clock.utc_ms())
                if due is None:
                    return ("feature_no_sense",)
                self.judge(Outcome.CALL_AGAIN, due=due)
                number = saying.say(self.language, "phone", self._number.national).pieces
                return ("promise_made", *number, *promises.moment(self.language, due))
            case TurnPause():
                return self.pausing.turn(self.agent, "keys")
            case PassOn() | Transfer() | Park():
                pass  # bridge.talk has dealt with it
        return ()

    async def _ask_after(self, agent: Party) -> None:
        key = await self._asked(agent, ("list_ask_outcome",), ASKED_TRIES, "".join(ASKED))
        if key in ASKED:
            self.judge(ASKED[key])

    def _now_with(self, to: Party | None) -> None:
        """Whoever passes a customer on has one."""
        super()._now_with(to)
        if to is None and self._verdict is None:
            self.judge(Outcome.REACHED)


def prepared(office: Office, entry: Entry, agent: str) -> ListCall | None:
    """The call to this entry, not begun; None where there is no trunk, or voices cannot be carried."""
    known = office.lists.book.lists[entry.list_name]
    trunk = office.sip.way_out(known.trunk)
    if trunk is None or not office.mouth.accepts():
        return None
    return ListCall(office, entry, trunk, agent)
