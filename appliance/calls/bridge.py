"""Rings people for a customer and joins the two, until one of them leaves.

The other phone is offered the law that the customer's leg speaks, so that nothing is converted without need. Whoever
is engaged already is passed over; a phone that is not there costs no time. In a line those who came first are rung for
first: as many at once as there are agents free.
"""

from __future__ import annotations

from collections import deque

from appliance.calls.conversation import Conversation, Left, Party, Trouble
from appliance.calls.office import Office
from appliance.flow.steps import Enqueue, RingAgents, TransferTo
from appliance.ids import uuid7
from appliance.media import port as media
from appliance.records import events
from appliance.records.events import State
from appliance.signalling import numbers, sdp
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause, Identity, ToPhone, ToTrunk

LEFT_LINE = "left_line"
LOOK_SECONDS = 1.0  # how often a waiting customer looks for an agent who has become free


async def ring(conversation: Conversation, asked: RingAgents) -> Party | str:
    """The agent who answered, or why nobody did: the last reason met."""
    office = conversation.office
    ends = office.clock.monotonic() + asked.whole_seconds
    reason = "no_agents"
    for name in asked.agents:
        refusal = _why_not(office, name)
        if refusal:
            reason = refusal
        elif office.clock.monotonic() >= ends:
            return "no_answer"
        else:
            if conversation.customer.is_answered:
                conversation.ring_back()
            until = min(office.clock.monotonic() + asked.ring_seconds, ends)
            found = await _ring_agent(conversation, name, until)
            if isinstance(found, Party):
                return found
            reason = found
    return reason


async def wait_in_line(conversation: Conversation, asked: Enqueue) -> Party | str:
    """The agent of the line who answered, ``left_line``, or why nobody did."""
    office = conversation.office
    queue = office.queues.get(asked.queue)
    if queue is None:
        return "no_queue"
    line = office.waiting.setdefault(queue.name, deque())
    line.append(conversation.id)
    ends = office.clock.monotonic() + asked.whole_seconds
    office.changed()
    try:
        conversation.music(conversation.customer)
        while office.clock.monotonic() < ends:
            free = [name for name in queue.agents if not _why_not(office, name)]
            if line.index(conversation.id) < len(free):
                until = min(office.clock.monotonic() + queue.ring_seconds, ends)
                found = await _ring_agent(conversation, free[0], until, asked.leave_key)
                if isinstance(found, Party) or found == LEFT_LINE:
                    return found
            await conversation.next(min(office.clock.monotonic() + LOOK_SECONDS, ends))
            if asked.leave_key and asked.leave_key in conversation.digits:
                return LEFT_LINE
        return "no_answer"
    finally:
        line.remove(conversation.id)
        conversation.digits.clear()


async def reach(conversation: Conversation, asked: TransferTo, trunk: str, area_code: str) -> Party | str:
    """Whoever answers at this number: an agent or a phone by name, or a number that may be dialled."""
    office = conversation.office
    if conversation.customer.is_answered:
        conversation.ring_back()
    until = office.clock.monotonic() + asked.ring_seconds
    if asked.number in office.agents:
        return _why_not(office, asked.number) or await _ring_agent(conversation, asked.number, until)
    if asked.number in {phone.name for phone in office.sip.phones}:
        if not office.registered.get(asked.number):
            return "not_registered"
        party = Party(uuid7(office.clock.utc_ms()), "agent", asked.number)
        return await _ring_one(conversation, party, ToPhone(asked.number), asked.number, until)
    if not may_dial(office, asked.number, area_code):
        return "forbidden"
    number = numbers.normalise(asked.number, area_code)
    to = ToTrunk(trunk, numbers.dial_form(number, office.trunk(trunk).dial_as))
    party = Party(uuid7(office.clock.utc_ms()), "outside", number.e164 or number.national)
    return await _ring_one(conversation, party, to, trunk, until)


def may_dial(office: Office, number: str, area_code: str) -> bool:
    """Whether the outbound policy lets a number out; emergency numbers always go."""
    kind = numbers.normalise(number, area_code).kind
    return kind == "emergency" or kind in office.settings.may_dial


def _why_not(office: Office, name: str) -> str:
    """Why an agent cannot be rung now; empty where they can."""
    agent = office.agents.get(name)
    if agent is None or not office.registered.get(agent.phone):
        return "not_registered"
    if name in office.desk.switches.absent:
        return "absent"
    return "busy" if name in office.engaged else ""


async def _ring_agent(conversation: Conversation, name: str, until: float, leave_key: str = "") -> Party | str:
    office = conversation.office
    agent = office.agents[name]
    party = Party(uuid7(office.clock.utc_ms()), "agent", name)
    office.engaged[name] = conversation.id
    is_kept = False
    try:
        found = await _ring_one(conversation, party, ToPhone(agent.phone), agent.phone, until, leave_key)
        is_kept = isinstance(found, Party)
        return found
    finally:
        if not is_kept:
            office.engaged.pop(name, None)


async def _ring_one(
    conversation: Conversation, party: Party, to: ToPhone | ToTrunk, via: str, until: float, leave_key: str = ""
) -> Party | str:
    office = conversation.office
    is_kept = False
    try:
        await conversation.open(party)
        offer = sdp.offer("", party.port, conversation.law, int(party.leg[:12], 16))
        conversation.put(
            events.LegOpened(conversation.id, party.leg, party.role, party.name, via, conversation.offset_ms())
        )
        caller = Identity(conversation.shown_number, conversation.offered.caller.name)
        office.line.submit(signalling.Dial(party.leg, to, offer, caller))
        reason = await _answer_of(conversation, party, offer, until, leave_key)
        is_kept = not reason
        return reason or party
    except Trouble as trouble:
        return trouble.detail
    finally:
        if not is_kept:
            conversation.hang_up(party, Cause.NO_ANSWER)


async def _answer_of(
    conversation: Conversation, party: Party, offer: sdp.Description, until: float, leave_key: str
) -> str:
    """Empty when the phone was answered, else why not."""
    while True:
        match await conversation.next(until):
            case signalling.Answered(leg, remote) if leg == party.leg:
                if not conversation.agree(party, offer, remote):
                    return "no_codec"
                conversation.answered(party)
                return ""
            case signalling.Progressed(leg, _, remote) if leg == party.leg and remote is not None:
                _early(conversation, party, offer, remote)
            case signalling.Refused(leg, code, _, _) if leg == party.leg:
                return {486: "busy", 600: "busy", 603: "declined", 480: "not_registered"}.get(code, f"refused_{code}")
            case signalling.HungUp(leg, cause, _) if leg == party.leg:
                return cause.value
            case None:
                return "no_answer"
            case _:
                if leave_key and leave_key in conversation.digits:
                    return LEFT_LINE


def _early(conversation: Conversation, party: Party, offer: sdp.Description, remote: sdp.Description) -> None:
    """Sound before the answer: the customer hears what the other side plays instead of our ring-back."""
    if conversation.customer.agreed is not None and conversation.agree(party, offer, remote):
        conversation.office.mouth.submit(media.Bridge(conversation.customer.leg, party.leg))


async def talk(conversation: Conversation, agent: Party) -> None:
    """Both hear each other until the agent leaves. Raises Left when the customer does."""
    conversation.agent = agent.name
    conversation.enter(State.TALKING)
    _join(conversation, agent)
    try:
        while not agent.has_ended:
            match await conversation.next(None):
                case signalling.Held(leg):
                    _hold(conversation, agent, leg)
                case signalling.Resumed(leg):
                    _resume(conversation, agent, leg)
                case signalling.DigitPressed(leg, digit, milliseconds):
                    other = agent if leg == conversation.customer.leg else conversation.customer
                    conversation.office.mouth.submit(media.SendDigits(other.leg, digit, milliseconds))
                case _:
                    continue
    except Left:
        conversation.hang_up(agent, Cause.ENDED_HERE)
        raise
    finally:
        conversation.digits.clear()  # they went to the agent
        conversation.office.engaged.pop(agent.name, None)


def _join(conversation: Conversation, agent: Party) -> None:
    conversation.office.mouth.submit(media.Bridge(conversation.customer.leg, agent.leg))
    conversation.recording.mark("joined", agent.name)


def _hold(conversation: Conversation, agent: Party, leg: str) -> None:
    """Whoever was put on hold hears our music; who holds hears what its own side plays."""
    conversation.enter(State.HOLD)
    conversation.recording.mark("hold", "agent" if leg == agent.leg else "customer")
    conversation.office.mouth.submit(media.Unbridge(conversation.customer.leg))
    conversation.music(conversation.customer if leg == agent.leg else agent)


def _resume(conversation: Conversation, agent: Party, leg: str) -> None:
    if agent.is_held or conversation.customer.is_held:
        return  # the other one still holds
    conversation.recording.mark("resumed", "agent" if leg == agent.leg else "customer")
    conversation.enter(State.TALKING)
    conversation.office.mouth.submit(media.Bridge(conversation.customer.leg, agent.leg))
