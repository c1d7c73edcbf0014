"""A customer is passed on: to a colleague, a telephone, a waiting line or a number outside; asking first, or not.

Whoever passes on keeps the customer until somebody else has them. What fails ends where it began: with the agent, who
is rung again where they have hung up meanwhile, and with the waiting line where nobody takes the customer back. The
customer's leg and its recording are the same from beginning to end; who speaks to whom is all that changes.

While the other side rings, the agent may take the customer back (``*0``) or hang up; while it is asked, the agent gives
over (``*7``, or by hanging up), goes to and fro (``*8``) or takes back. A telephone's REFER (RFC 3515) asks for the
same without asking first; one with Replaces (RFC 3891) hands over whom that telephone has asked by a call of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from appliance.calls import bridge, consents, parking, ringing
from appliance.calls.agent_keys import ConsultKeys, PassOn, Said, Turn
from appliance.calls.bridge import Wish
from appliance.calls.conversation import RING_BACK, Conversation, Left
from appliance.calls.inside import Inside
from appliance.calls.office import Item, Surrender, Surrendered
from appliance.calls.party import Party
from appliance.calls.ringing import LINE_SECONDS, RECALL_SECONDS, TAKEN_BACK
from appliance.calls.wrap_up import About
from appliance.flow.steps import Enqueue, TransferTo
from appliance.ids import uuid7
from appliance.media import port as media
from appliance.records import events
from appliance.records.events import State
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause

RING_SECONDS = 25.0
HANDED_SECONDS = 2.0
TOLD_SECONDS = 4.0


async def talk(
    conversation: Conversation,
    found: Party,
    said: Callable[[Said], Awaitable[tuple[str, ...]]] | None,
    line_for: Callable[[Party], str],
    trunk: str,
    moved: Callable[[Party | None], None] = lambda _: None,
    *,
    is_kept: bool = False,
) -> Party:
    """``bridge.talk``, until the last of those has left to whom the customer was passed on; who that was.

    ``line_for`` tells where a customer waits whom this party has passed on in vain. ``moved`` is told who has the
    customer, and None while nobody has. Agents may pass on; nobody else.
    """
    while True:
        moved(found)
        is_ours = found.role == "agent"
        passes_on = found.leg if is_ours else ""
        if is_ours:
            conversation.office.wrap_ups.begins(found.name, about(conversation), found.leg)
        wish = await bridge.talk(conversation, found, said if is_ours else None, is_kept=is_kept, passes_on=passes_on)
        if wish is None:
            return found
        moved(None)
        speaks = await (
            parking.park(conversation, found, line_for(found), trunk)
            if wish.parks
            else pass_on(conversation, found, wish, line_for(found), trunk)
        )
        if speaks is None:
            return found
        found = speaks


def about(conversation: Conversation) -> About:
    """What a form of wrap_up.py must know of its call."""
    return About(
        conversation=conversation.id,
        customer=conversation.customer_number,
        shown=conversation.shown_customer,
        name=conversation.customer_name,
        language=conversation.language,
        began=conversation.began,
    )


async def pass_on(conversation: Conversation, agent: Party, wish: Wish, line: str, trunk: str) -> Party | None:
    """With whom the customer speaks next; None where nobody could be found, which the caller of this must make good.

    ``line`` is where the customer waits if nobody takes them back, ``trunk`` the way out. Raises Left when the
    customer leaves. Every other leg than that of the party returned has ended then.
    """
    return await _Transfer(conversation, agent, wish, line, trunk).run()


class _Transfer:
    """One attempt. ``agent`` passes on; ``other`` is who may have the customer."""

    def __init__(self, conversation: Conversation, agent: Party, wish: Wish, line: str, trunk: str) -> None:
        self._c = conversation
        self._office = conversation.office
        self._agent = agent
        self._wish = wish
        self._asks_first = wish.asks_first
        self._line = line
        self._trunk = trunk
        self._other: Party | None = None
        self._goes_to, self._to = self._aim(wish.to)

    async def run(self) -> Party | None:
        self._put("asked")
        try:
            refusal = "" if self._wish.replaces else self._why_not()
            if refusal:
                return await self._refused(refusal)
            self._c.recording.mark("transfer", "asks" if self._asks_first else "blind")
            self._part()
            if self._wish.replaces:
                found = await self._handed_over()
            elif self._to is not None and self._to.kind == "line":
                return await self._to_line(self._to.name)
            else:
                found = await self._ring()
            if not isinstance(found, Party):
                if found.startswith(ringing.ON_TO_LINE):
                    return await self._to_line(found.removeprefix(ringing.ON_TO_LINE))
                return await self._failed(found)
            self._other = found
            if self._asks_first and not self._agent.has_ended:
                try:
                    return await self._ask(found)
                finally:
                    self._c.recording.leave(found.leg)
            return self._given(found)
        except Left:
            await self._caller_left()
            raise

    def _aim(self, to: str) -> tuple[str, Inside | None]:
        """The number to which ``to`` is forwarded, and whose of the office it is."""
        goes_to = self._office.followed(to).number
        return goes_to, self._office.inside(goes_to)

    # Whether ----------------------------------------------------------------------------------------------------------

    def _why_not(self) -> str:
        """Why nothing is begun: whoever it is cannot be rung, or nobody has such a number."""
        to, office = self._to, self._office
        own = office.seats.phone_of(self._agent.name) or self._agent.name
        if not self._wish.to.strip():
            return "no_number"
        if to is None:
            if refusal := office.outside.why_not_from(self._agent.trunk, self._goes_to):
                return refusal
            return office.outside.why_not(self._goes_to, self._trunk) if self._trunk else "no_trunk"
        if to.kind == "line":
            return "" if to.name in office.queues else "no_queue"
        if to.name in (self._agent.name, own) or (to.kind == "agent" and office.seats.phone_of(to.name) == own):
            return "oneself"
        if to.kind == "agent":
            return office.floor.why_not(to.name)
        if to.kind == "peer":
            return ""
        return office.why_silent(to.name)

    async def _refused(self, reason: str) -> Party:
        """The agent hears that it was not accepted; the customer hears music meanwhile."""
        self._put("back", reason)
        if self._wish.referred:
            self._tell(ringing.code_of(reason))
        elif not self._agent.has_ended:
            await bridge.aside(self._c, self._agent, ("feature_refused",))
        return self._agent

    # Ringing ----------------------------------------------------------------------------------------------------------

    def _part(self) -> None:
        """Agent and customer hear each other no more: the customer hears music or ringing, the agent ringing."""
        self._c.enter(State.HOLD if self._asks_first else State.WAITING)
        self._office.mouth.submit(media.Unbridge(self._c.customer.leg))
        if self._asks_first or self._wish.replaces:
            self._c.music(self._c.customer)
        else:
            self._c.ring_back()
        if not self._agent.has_ended and not self._wish.referred:
            self._c.loop(self._agent, RING_BACK)

    async def _ring(self) -> Party | str:
        """Whoever answers there, while the agent may hang up or take the customer back."""
        keys = ConsultKeys()

        def watch(item: Item | None) -> bool:
            if self._takes_back(keys, item):
                return True
            self._see_who_is_there()
            return False

        asked = TransferTo(self._wish.to, RING_SECONDS)
        return await ringing.reach(self._c, asked, self._trunk, "transfer", watch)

    def _takes_back(self, keys: ConsultKeys, item: Item | None) -> bool:
        if self._agent.has_ended or self._wish.referred:
            return False
        said = bridge.heard_of(keys, self._agent, item, self._office.clock.monotonic())
        return Turn("back") in said

    def _see_who_is_there(self) -> None:
        """An agent who hangs up while it rings has passed on without asking: the customer hears it ring."""
        if not self._agent.has_ended:
            return
        self._release(self._agent)
        if self._asks_first:
            self._asks_first = False
            self._c.enter(State.WAITING)
            self._c.ring_back()

    # Asking -----------------------------------------------------------------------------------------------------------

    async def _ask(self, other: Party) -> Party:
        """Agent and other side speak, the customer hears music; who the customer speaks with next."""
        c, keys, is_with_other = self._c, ConsultKeys(), True
        self._put("asking", await self._record(other))
        self._join_agent_and(other)
        while True:
            if self._agent.has_ended:
                return self._given(other)
            if other.has_ended:
                return self._back("other_left")
            item = await c.next(keys.deadline)
            for said in bridge.heard_of(keys, self._agent, item, self._office.clock.monotonic()):
                match said:
                    case PassOn(digits):
                        bridge.press(c, other if is_with_other else c.customer, digits)
                    case Turn("give"):
                        return self._given(other)
                    case Turn("back"):
                        return self._back(TAKEN_BACK)
                    case Turn():
                        is_with_other = not is_with_other
                        self._swap(other, is_with_other)

    async def _record(self, other: Party) -> str:
        """What the two say is a part of its own, where the settings want that; its id, else empty.

        Somebody outside is told first, as where we call them otherwise.
        """
        if not self._office.settings.records_consultations:
            return ""
        if other.role == "outside":
            on = consents.basis_towards(self._office, other)
            if on == "notice" and await consents.told(self._c, (other,)):
                consent = uuid7(self._office.clock.utc_ms())
                self._c.put(events.ConsentGiven(self._c.id, consent, "notice", "consultation", self._c.offset_ms()))
            elif on != "none_needed":
                return ""
        return self._c.recording.begin_beside(other, "agent")

    def _join_agent_and(self, other: Party) -> None:
        self._office.mouth.submit(media.Bridge(other.leg, self._agent.leg, self._agent.leg))

    def _swap(self, other: Party, is_with_other: bool) -> None:
        """The agent goes to the other one; who is left hears music."""
        if is_with_other:
            self._c.enter(State.HOLD)
            self._c.recording.mark("hold", "agent")
            self._office.mouth.submit(media.Unbridge(self._c.customer.leg))
            self._c.music(self._c.customer)
            self._join_agent_and(other)
        else:
            self._c.enter(State.TALKING)
            self._c.recording.mark("resumed", "agent")
            self._office.mouth.submit(media.Unbridge(other.leg))
            self._c.music(other)
            self._office.mouth.submit(media.Bridge(self._c.customer.leg, self._agent.leg, self._agent.leg))

    # By REFER with Replaces -------------------------------------------------------------------------------------------

    async def _handed_over(self) -> Party | str:
        """The other side of the telephone's second call, which its conversation gives away."""
        inbox = self._office.legs.get(self._wish.replaces)
        if inbox is None or inbox is self._c.inbox:
            return "no_such_call"
        inbox.put(Surrender(self._c.inbox))
        until = self._office.clock.monotonic() + HANDED_SECONDS
        while True:
            match await self._c.next(until):
                case Surrendered(None, dialled):  # it rings there still: we ring it ourselves
                    self._wish = Wish(dialled, referred=self._wish.referred)
                    self._goes_to, self._to = self._aim(dialled)
                    refusal = self._why_not()
                    self._c.ring_back()
                    return refusal or await self._ring()
                case Surrendered(party) if party is not None:
                    self._adopt(party)
                    return party
                case None:
                    return "no_such_call"
                case _:
                    continue

    def _adopt(self, party: Party) -> None:
        """A leg of another conversation is one of ours."""
        self._c.adopt(party)
        self._office.floor.handed(party.name, self._c.id)

    # How it ends ------------------------------------------------------------------------------------------------------

    def _given(self, other: Party) -> Party:
        """The other side has the customer; the agent is free."""
        self._put("done", other.name)
        if self._wish.referred:
            self._tell(200)
        self._release(self._agent)
        return other

    def _back(self, reason: str) -> Party:
        """The agent, who is there, has the customer again."""
        self._put("back", reason)
        if self._other is not None:
            self._release(self._other)
        if self._wish.referred:
            self._tell(ringing.code_of(reason))
        return self._agent

    async def _failed(self, reason: str) -> Party | None:
        """Nobody took the customer there: the agent does, who is rung again where they have hung up."""
        if not self._agent.has_ended:
            return self._back(reason)
        self._release(self._agent)
        self._c.enter(State.WAITING)
        if self._agent.name in self._office.agents:
            self._c.ring_back()
            until = self._office.clock.monotonic() + RECALL_SECONDS
            refusal = self._office.floor.why_not(self._agent.name)
            found = refusal or await ringing.ring_agent(self._c, self._agent.name, until)
            if isinstance(found, Party):
                self._put("recalled", reason)
                return found
        return await self._to_line(self._line, reason)

    async def _to_line(self, line: str, reason: str = "") -> Party | None:
        """Waits for the line's next agent, at the place of who came first; ``reason``: after it has failed."""
        self._put("line", reason or line)
        if self._wish.referred and not reason:
            self._tell(200)
        if not reason:
            self._release(self._agent)
        if not line:
            self._put("lost", reason)
            return None
        self._c.enter(State.WAITING)
        asked = Enqueue(line, LINE_SECONDS, "")
        found = await ringing.wait_in_line(self._c, asked, lambda: None, arrived=self._c.began)
        if isinstance(found, Party):
            return found
        self._put("lost", found)
        return None

    async def _caller_left(self) -> None:
        """The customer is gone: what rings stops at once, and who was asked is told."""
        c = self._c
        self._put("left")
        if self._wish.referred and not self._agent.has_ended:
            self._tell(487)
        told = [each for each in (self._agent, self._other) if each is not None and not each.has_ended]
        if self._other is not None and not c.is_stopping:
            await self._say_that_they_left(told)
        for each in (self._agent, self._other):
            if each is not None:
                self._release(each)

    async def _say_that_they_left(self, told: list[Party]) -> None:
        plays = {each.leg: self._c.say_to(each, ("caller_left",), self._c.language) for each in told}
        until = self._office.clock.monotonic() + TOLD_SECONDS
        while any(not each.has_ended and each.leg in plays for each in told):
            try:
                item = await self._c.next(until)
            except Left:
                return
            if item is None:
                return
            if isinstance(item, media.PlayEnded) and plays.get(item.stream) == item.play:
                del plays[item.stream]

    def _release(self, party: Party) -> None:
        """This party is done with; an agent may be in another call by now."""
        self._c.hang_up(party, Cause.ENDED_HERE)
        self._office.floor.ended(party.name, party.leg)

    def _tell(self, code: int) -> None:
        self._office.line.submit(signalling.TransferEnded(self._wish.referred, code))

    def _put(self, state: str, detail: str = "") -> None:
        how = "replaces" if self._wish.replaces else "refer" if self._wish.referred else "keys"
        self._c.put(
            events.CustomerPassedOn(
                self._c.id, self._agent.name, self._shown_target(), how, state, detail, self._c.offset_ms()
            )
        )

    def _shown_target(self) -> str:
        return self._to.name if self._to is not None else self._wish.to[:40]
