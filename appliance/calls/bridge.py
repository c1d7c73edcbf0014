"""Rings agents for a customer and joins the two, until one of them leaves.

The agent's phone is offered the law that the customer's leg speaks, so that nothing is converted without need. Whoever
is engaged already is passed over; a phone that is not there costs no time.
"""

from __future__ import annotations

from appliance.calls.conversation import Conversation, Left, Party, Trouble
from appliance.calls.settings import Agent
from appliance.flow.steps import RingAgents
from appliance.ids import uuid7
from appliance.media import port as media
from appliance.records import events
from appliance.records.events import State
from appliance.signalling import port as signalling
from appliance.signalling import sdp
from appliance.signalling.port import Cause, Identity, ToPhone


async def ring(conversation: Conversation, asked: RingAgents) -> Party | str:
    """The agent who answered, or why nobody did: the last reason met."""
    office = conversation.office
    ends = office.clock.monotonic() + asked.whole_seconds
    reason = "no_agents"
    for name in asked.agents:
        agent = office.agents.get(name)
        if agent is None or not office.registered.get(agent.phone):
            reason = "not_registered"
        elif name in office.engaged:
            reason = "busy"
        elif office.clock.monotonic() >= ends:
            return "no_answer"
        else:
            found = await _ring_one(conversation, agent, min(office.clock.monotonic() + asked.ring_seconds, ends))
            if isinstance(found, Party):
                return found
            reason = found
    return reason


async def _ring_one(conversation: Conversation, agent: Agent, until: float) -> Party | str:
    office = conversation.office
    party = Party(uuid7(office.clock.utc_ms()), "agent", agent.name)
    office.engaged[agent.name] = conversation.id
    is_kept = False
    try:
        if conversation.customer.is_answered:
            conversation.ring_back()
        await conversation.open(party)
        offer = sdp.offer("", party.port, conversation.law, int(party.leg[:12], 16))
        conversation.put(
            events.LegOpened(conversation.id, party.leg, "agent", agent.name, agent.phone, conversation.offset_ms())
        )
        caller = Identity(conversation.shown_number, conversation.offered.caller.name)
        office.line.submit(signalling.Dial(party.leg, ToPhone(agent.phone), offer, caller))
        reason = await _answer_of(conversation, party, offer, until)
        is_kept = not reason
        return reason or party
    except Trouble as trouble:
        return trouble.detail
    finally:
        if not is_kept:
            conversation.hang_up(party, Cause.NO_ANSWER)
            office.engaged.pop(agent.name, None)


async def _answer_of(conversation: Conversation, party: Party, offer: sdp.Description, until: float) -> str:
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
                continue


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
