"""Rings people for a customer and joins the two, until one of them leaves.

The other phone is offered the law that the customer's leg speaks, so that nothing is converted without need. Whoever
is engaged already is passed over; a phone that is not there costs no time. Who is rung for whom in a line is decided
in floor.py.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from appliance.calls.agent_keys import AgentKeys, PassOn, Said, Transfer, Turn
from appliance.calls.conversation import Conversation, Left, Trouble, key_of
from appliance.calls.floor import AgentsOffered
from appliance.calls.inside import Inside
from appliance.calls.office import Item, PickedUp
from appliance.calls.outside import Permit, Purpose
from appliance.calls.party import Party
from appliance.flow import steps
from appliance.flow.steps import Enqueue, RingAgents, TransferTo
from appliance.ids import uuid7
from appliance.media import port as media
from appliance.records import events
from appliance.records.events import State
from appliance.signalling import port as signalling
from appliance.signalling import sdp
from appliance.signalling.port import Cause, Identity, ToPhone

LEFT_LINE = "left_line"
RINGING = "ringing"
PRESS_MS = 100
ASIDE_SECONDS = 30.0
ATTENDED_SECONDS = 5.0  # so often it is looked whether anybody is there, where the flow has another way
SAID_BY_THE_OTHER_SIDE = frozenset({"busy", "declined", "no_answer"})  # no other trunk would change it
FIRST_ANNOUNCED_SECONDS = 2.0  # who is served at once is not told to wait


@dataclass(frozen=True, slots=True)
class Wish:
    """An agent wants to pass the customer on to this number. ``asks_first``: not before having spoken there.

    ``referred`` is the leg whose telephone asked by REFER and is told what comes of it; ``replaces`` the leg of that
    telephone's other call, whose other side shall have the customer. Both are empty where it was asked by keys.
    """

    to: str
    asks_first: bool = False
    referred: str = ""
    replaces: str = ""


async def ring(conversation: Conversation, asked: RingAgents) -> Party | str:
    """The agent who answered, or why nobody did: the last reason met."""
    office = conversation.office
    ends = office.clock.monotonic() + asked.whole_seconds
    reason = "no_agents"
    for name in asked.agents:
        refusal = office.floor.why_not(name)
        if refusal:
            reason = refusal
        elif office.clock.monotonic() >= ends:
            return "no_answer"
        else:
            if conversation.customer.is_answered:
                conversation.ring_back()
            until = min(office.clock.monotonic() + asked.ring_seconds, ends)
            found = await ring_agent(conversation, name, until)
            if isinstance(found, Party):
                return found
            reason = found
    return reason


async def wait_in_line(
    conversation: Conversation,
    asked: Enqueue,
    announce: Callable[[], None],
    prefers: str = "",
    arrived: float | None = None,
) -> Party | str:
    """The agent of the line who answered, ``left_line``, or why nobody did.

    ``announce`` tells the caller where they stand; it is called at once, and as often as the flow says.
    """
    office = conversation.office
    floor = office.floor
    refusal = floor.join(
        conversation.id,
        asked.queue,
        conversation.inbox.put,
        arrived=arrived,
        priority=asked.priority,
        prefers=prefers,
    )
    if refusal:
        return refusal
    ends = office.clock.monotonic() + asked.whole_seconds
    office.changed()
    try:
        conversation.music(conversation.customer)
        announces_at = office.clock.monotonic() + (FIRST_ANNOUNCED_SECONDS if asked.every_seconds else math.inf)
        while True:
            now = office.clock.monotonic()
            line = floor.line_of(conversation.id)  # a supervisor may have moved the caller
            if asked.leaves_when_absent and not floor.is_attended(line):
                return steps.ABSENT
            looks_at = now + ATTENDED_SECONDS if asked.leaves_when_absent else math.inf
            item = await conversation.next(min(ends, announces_at, looks_at))
            now = office.clock.monotonic()
            if item is None and now >= ends:
                return "no_answer"
            if now >= announces_at:
                announces_at = now + asked.every_seconds
                announce()
            if isinstance(item, AgentsOffered):
                until = min(now + office.queues[floor.line_of(conversation.id)].ring_seconds, ends)
                found = await ring_offered(conversation, item.agents, until, asked.leave_key)
                if isinstance(found, Party) or found == LEFT_LINE:
                    return found
            if asked.leave_key and asked.leave_key in conversation.digits:
                return LEFT_LINE
    finally:
        floor.leave(conversation.id)
        conversation.digits.clear()


async def ring_offered(
    conversation: Conversation, agents: tuple[str, ...], until: float, leave_key: str
) -> Party | str:
    """Rings all of these at once; the first who answers has the call, the others hear that it was answered."""
    office = conversation.office
    ringing: dict[str, tuple[Party, sdp.Description]] = {}
    kept: Party | None = None
    try:
        for name in agents:
            party = Party(uuid7(office.clock.utc_ms()), "agent", name)
            try:
                await conversation.open(party)
            except Trouble:
                conversation.hang_up(party, Cause.NO_ANSWER)
                office.floor.missed(conversation.id, name, is_fault=True)
                continue
            ringing[party.leg] = party, offer_to(conversation, party)
        for party, offer in ringing.values():
            phone = office.agents[party.name].phone
            dial(conversation, party, ToPhone(phone), phone, offer)
        reason = "no_answer"
        while ringing:
            conversation.rung = {party.name for party, _ in ringing.values()}
            item = await conversation.next(until)
            if isinstance(item, PickedUp):
                conversation.adopt(item.party)
                kept = item.party
                office.floor.picked_up(conversation.id, kept.name, kept.leg)
                return kept
            leg = getattr(item, "leg", "")
            if leg in ringing:
                party, offer = ringing[leg]
                reason = state_of(conversation, party, offer, item, is_alone=len(agents) == 1)
                if not reason:
                    kept = party
                    office.floor.answered(conversation.id, party.name, party.leg)
                    return party
                if reason != RINGING:
                    del ringing[leg]
                    conversation.hang_up(party, Cause.NO_ANSWER)
                    office.floor.missed(conversation.id, party.name, is_fault=reason != "declined")
            elif item is None:
                for party, _ in ringing.values():
                    office.floor.missed(conversation.id, party.name, is_fault=False)
                return "no_answer"
            elif leave_key and leave_key in conversation.digits:
                return LEFT_LINE
        return reason
    finally:
        conversation.rung = set()
        for party, _ in ringing.values():
            if party is not kept:
                conversation.hang_up(party, Cause.ANSWERED_ELSEWHERE if kept else Cause.NO_ANSWER)


async def reach(conversation: Conversation, asked: TransferTo, trunk: str, purpose: Purpose) -> Party | str:
    """Whoever answers at this number: an agent or a phone by name, or a number that may be dialled."""
    office = conversation.office
    if conversation.customer.is_answered:
        conversation.ring_back()
    until = office.clock.monotonic() + asked.ring_seconds
    match office.inside(asked.number):
        case Inside("agent", name):
            return office.floor.why_not(name) or await ring_agent(conversation, name, until)
        case Inside("phone", name):
            if not office.registered.get(name):
                return "not_registered"
            party = Party(uuid7(office.clock.utc_ms()), "agent", name)
            return await _ring_one(conversation, party, ToPhone(name), name, until)
        case Inside():
            return "no_line_by_telephone"
        case None:
            pass
    reason = "no_answer"
    for way in office.outside.ways(asked.number, trunk):  # an emergency number may have several
        found = await _ring_outside(conversation, asked.number, way, purpose, until)
        if isinstance(found, Party) or found in SAID_BY_THE_OTHER_SIDE:
            return found
        reason = found
    return reason


async def _ring_outside(
    conversation: Conversation, number: str, trunk: str, purpose: Purpose, until: float
) -> Party | str:
    office = conversation.office
    leg = uuid7(office.clock.utc_ms())
    permit = office.outside.permit(conversation.id, leg, number, trunk, purpose, conversation.offset_ms())
    if not isinstance(permit, Permit):
        return permit
    party = Party(leg, "outside", permit.number.e164 or permit.number.national, trunk)
    try:
        return await _ring_one(conversation, party, permit, trunk, until)
    finally:
        if party.leg not in conversation.parties:
            office.outside.ended(party.leg)


async def ring_agent(conversation: Conversation, name: str, until: float) -> Party | str:
    office = conversation.office
    agent = office.agents[name]
    party = Party(uuid7(office.clock.utc_ms()), "agent", name)
    if not office.floor.engage(name, conversation.id, party.leg):
        return "busy"
    is_kept = False
    conversation.rung = {name}
    try:
        found = await _ring_one(conversation, party, ToPhone(agent.phone), agent.phone, until)
        is_kept = found is party
        if isinstance(found, Party) and not is_kept and found.name in office.agents:
            office.floor.engage(found.name, conversation.id, found.leg)
        return found
    finally:
        conversation.rung = set()
        if not is_kept:
            office.floor.ended(name, party.leg)


async def _ring_one(
    conversation: Conversation, party: Party, to: ToPhone | Permit, via: str, until: float
) -> Party | str:
    is_kept = False
    try:
        await conversation.open(party)
        offer = offer_to(conversation, party)
        dial(conversation, party, to, via, offer)
        reason = RINGING
        while reason == RINGING:
            item = await conversation.next(until)
            if isinstance(item, PickedUp) and conversation.rung:
                conversation.adopt(item.party)
                return item.party
            reason = "no_answer" if item is None else state_of(conversation, party, offer, item, is_alone=True)
        is_kept = not reason
        return reason or party
    except Trouble as trouble:
        return trouble.detail
    finally:
        if not is_kept:
            conversation.hang_up(party, Cause.NO_ANSWER)


def offer_to(conversation: Conversation, party: Party) -> sdp.Description:
    return sdp.offer("", party.port, conversation.law, int(party.leg[:12], 16))


def dial(conversation: Conversation, party: Party, to: ToPhone | Permit, via: str, offer: sdp.Description) -> None:
    opened = events.LegOpened(conversation.id, party.leg, party.role, party.name, via, conversation.offset_ms())
    conversation.put(opened)
    caller = Identity(conversation.shown_number, conversation.caller.name)
    if isinstance(to, Permit):
        conversation.office.outside.dial(to, offer, caller)
    else:
        conversation.office.line.submit(signalling.Dial(party.leg, to, offer, caller))


def state_of(
    conversation: Conversation, party: Party, offer: sdp.Description, item: Item | None, is_alone: bool
) -> str:
    """What has come of ringing ``party``: ``ringing``, empty when it was answered, else why not."""
    match item:
        case signalling.Answered(leg, remote) if leg == party.leg:
            if not conversation.agree(party, offer, remote):
                return "no_codec"
            conversation.answered(party)
            return ""
        case signalling.Progressed(leg, _, remote) if leg == party.leg and remote is not None and is_alone:
            _early(conversation, party, offer, remote)
        case signalling.Refused(leg, code, _, _) if leg == party.leg:
            return {486: "busy", 600: "busy", 603: "declined", 480: "not_registered"}.get(code, f"refused_{code}")
        case signalling.HungUp(leg, cause, _) if leg == party.leg:
            return cause.value
        case _:
            pass
    return RINGING


def _early(conversation: Conversation, party: Party, offer: sdp.Description, remote: sdp.Description) -> None:
    """Sound before the answer: the customer hears what the other side plays instead of our ring-back."""
    if conversation.customer.agreed is not None and conversation.agree(party, offer, remote):
        conversation.office.mouth.submit(media.Bridge(conversation.customer.leg, party.leg))


async def talk(
    conversation: Conversation,
    agent: Party,
    said: Callable[[Said], Awaitable[tuple[str, ...]]] | None = None,
    *,
    is_kept: bool = False,
    passes_on: str = "",
) -> Wish | None:
    """Both hear each other until the agent leaves. Raises Left when the customer does.

    ``passes_on`` is the leg whose telephone may pass the other side on: then it also returns when it wants to, and both
    legs stand. ``said`` is told the codes that the agent keys in, and returns what to tell the agent alone; None: all
    keys of the other side are for the customer. With ``is_kept`` the agent's leg stays when the customer leaves: the
    agent is asked something afterwards.
    """
    if conversation.is_incoming:
        conversation.agent = agent.name
    conversation.enter(State.TALKING)
    keys = AgentKeys() if said is not None else None
    wish: Wish | None = None
    conversation.takes_referral = passes_on
    _join(conversation, agent, holds=keys is not None)
    if agent.is_held:
        _hold(conversation, agent, agent.leg)
    try:
        while not agent.has_ended and wish is None:
            item = await conversation.next(None if keys is None else keys.deadline)
            if keys is not None and said is not None:
                for each in heard_of(keys, agent, item, conversation.office.clock.monotonic()):
                    if isinstance(each, PassOn):
                        press(conversation, conversation.customer, each.digits)
                    elif isinstance(each, Transfer):
                        wish = Wish(each.digits, each.asks_first) if passes_on == agent.leg else None
                    elif prompts := await said(each):
                        await aside(conversation, agent, prompts)
            match item:
                case signalling.Held(leg):
                    _hold(conversation, agent, leg)
                case signalling.Resumed(leg):
                    _resume(conversation, agent, leg, holds=keys is not None)
                case signalling.TransferAsked(leg, to, replaces) if leg == passes_on:
                    wish = Wish(to, referred=leg, replaces=replaces)
                case signalling.DigitPressed(leg, digit, milliseconds) if keys is None or leg != agent.leg:
                    other = agent if leg == conversation.customer.leg else conversation.customer
                    conversation.office.mouth.submit(media.SendDigits(other.leg, digit, milliseconds))
                case _:
                    continue
    except Left:
        if not is_kept:
            conversation.hang_up(agent, Cause.ENDED_HERE)
        raise
    finally:
        conversation.digits.clear()  # they went to the agent
        conversation.takes_referral = ""
        if wish is None and (not is_kept or agent.has_ended) and agent.leg in conversation.parties:
            conversation.office.floor.ended(agent.name, agent.leg)
    return wish


Meant = TypeVar("Meant", bound=Said | Turn)


class Keys(Protocol[Meant]):
    """``AgentKeys`` or ``ConsultKeys``."""

    def press(self, digit: str, now: float) -> list[Meant]: ...

    def due(self, now: float) -> list[Meant]: ...


def heard_of(keys: Keys[Meant], agent: Party, item: Item | None, now: float) -> list[Meant]:
    """What the agent has said by keys, however they came; ``item`` None: time has passed."""
    if item is None:
        return keys.due(now)
    key = key_of(agent, item)
    return keys.press(key, now) if key else []


def press(conversation: Conversation, party: Party, digits: str) -> None:
    """Keys that go to a party."""
    for digit in digits:
        conversation.office.mouth.submit(media.SendDigits(party.leg, digit, PRESS_MS))


async def aside(conversation: Conversation, agent: Party, prompts: tuple[str, ...]) -> None:
    """Tells the agent something; the customer hears music meanwhile. Raises Left when the customer leaves."""
    _hold(conversation, agent, agent.leg)
    play = conversation.say_to(agent, prompts, conversation.language)
    until = conversation.office.clock.monotonic() + ASIDE_SECONDS
    while not agent.has_ended:
        match await conversation.next(until):
            case media.PlayEnded(stream, number, _) if stream == agent.leg and number == play:
                break
            case None:
                break
            case _:
                continue
    _resume(conversation, agent, agent.leg, holds=True)


def _join(conversation: Conversation, agent: Party, holds: bool) -> None:
    conversation.office.mouth.submit(_bridged(conversation, agent, holds))
    conversation.recording.mark("joined", agent.name)


def _bridged(conversation: Conversation, agent: Party, holds: bool) -> media.Bridge:
    return media.Bridge(conversation.customer.leg, agent.leg, agent.leg if holds else "")


def _hold(conversation: Conversation, agent: Party, leg: str) -> None:
    """Whoever was put on hold hears our music; who holds hears what its own side plays."""
    conversation.enter(State.HOLD)
    conversation.recording.mark("hold", "agent" if leg == agent.leg else "customer")
    conversation.office.mouth.submit(media.Unbridge(conversation.customer.leg))
    conversation.music(conversation.customer if leg == agent.leg else agent)


def _resume(conversation: Conversation, agent: Party, leg: str, holds: bool) -> None:
    if agent.is_held or conversation.customer.is_held:
        return  # the other one still holds
    conversation.recording.mark("resumed", "agent" if leg == agent.leg else "customer")
    conversation.enter(State.TALKING)
    conversation.office.mouth.submit(_bridged(conversation, agent, holds))
