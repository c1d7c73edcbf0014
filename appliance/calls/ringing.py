"""Rings people for a customer: agents by name, whoever a line offers, telephones, numbers outside.

What one leg comes to stands in ring.py, who is rung for whom in a line in floor.py. Whoever is engaged already is
passed over; a phone that is not there costs no time. A colleague may pick up what rings at an agent's telephone, and is
the party then.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from appliance.calls import at_peer, outbound, outside_agent
from appliance.calls.conversation import Conversation, Trouble
from appliance.calls.floor import AgentsOffered
from appliance.calls.inside import Inside
from appliance.calls.office import Item, PickedUp
from appliance.calls.outside import Permit, Purpose
from appliance.calls.outside_agent import Question
from appliance.calls.party import Party
from appliance.calls.ring import CAME_BACK, LOOP, PEER_DOWN, RINGING, Ring
from appliance.flow import steps
from appliance.flow.steps import Enqueue, RingAgents, TransferTo
from appliance.ids import uuid7
from appliance.records import events
from appliance.records.events import State
from appliance.signalling import numbers
from appliance.signalling.port import Cause, ToPhone

LEFT_LINE = "left_line"
TAKEN_BACK = "taken_back"
ATTENDED_SECONDS = 5.0  # so often it is looked whether anybody is there, where the flow has another way
NOT_TAKEN = frozenset({"declined", "no_answer"})  # by a person, and no fault of a telephone
NO_OTHER_WAY = NOT_TAKEN | {"busy", TAKEN_BACK}  # no other trunk would change it
NO_OTHER_WAY_TO_AGENT = NO_OTHER_WAY | {"not_registered"}  # 480: their telephone is off
FIRST_ANNOUNCED_SECONDS = 2.0  # who is served at once is not told to wait
RECALL_SECONDS = 20.0  # the agent who has passed on in vain is rung so long
LINE_SECONDS = 600.0  # whom nobody takes back, or whom somebody sends on to a line, waits so long there
FORBIDDEN = 403
SIP_CODES = {
    "busy": 486, "declined": 603, "no_answer": 480, "not_registered": 480, "absent": 480, "not_seated": 480,
    PEER_DOWN: 503, LOOP: 482, "no_such_extension": 404,
}  # fmt: skip
BACK_SECONDS = 20.0  # whom an extension there sends on, perhaps after long ringing, rings here so long at least
ON_TO_LINE = "line "

Watch = Callable[[Item | None], bool]
"""Sees whatever happens while it rings (None: time has passed); true ends the ringing as ``taken_back``."""


def code_of(reason: str) -> int:
    """The SIP answer (RFC 3261, 21) that tells a telephone why nobody was reached."""
    return SIP_CODES.get(reason, FORBIDDEN)


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
        priority=max(asked.priority, conversation.priority),
        prefers=prefers,
    )
    if refusal:
        return refusal
    conversation.put(events.QueueJoined(conversation.id, asked.queue, conversation.offset_ms()))
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
    conversation: Conversation,
    agents: tuple[str, ...],
    until: float,
    leave_key: str,
    question: Question | None = None,
) -> Party | str:
    """Rings all of these at once; the first who answers has the call, the others hear that it was answered.

    Who is rung outside has answered when they have said so, asked by ``question`` where it is given.
    """
    office = conversation.office
    ways = {name: office.ways_to(name) for name in agents}
    ringing: dict[str, Ring] = {}
    kept: Party | None = None
    try:
        for name in agents:
            ring = await _opened(conversation, name, ways[name], until, question)
            if ring is None:
                office.floor.missed(conversation.id, name, is_fault=True)
            else:
                ringing[name] = ring
        for ring in ringing.values():
            ring.dial()
        reason = "no_answer"
        while ringing:
            conversation.rung = {*ringing}
            item = await conversation.next(min(ring.deadline for ring in ringing.values()))
            if isinstance(item, PickedUp):
                conversation.adopt(item.party)
                kept = item.party
                office.floor.picked_up(conversation.id, kept.name, kept.leg)
                return kept
            for name, ring in tuple(ringing.items()):
                state = ring.take(item, is_alone=len(agents) == 1)
                if not state:
                    kept = ring.party
                    office.floor.answered(conversation.id, name, kept.leg)
                    return kept
                if state != RINGING:
                    reason = state
                    del ringing[name]
                    conversation.hang_up(ring.party, Cause.NO_ANSWER)
                    is_final = reason in NO_OTHER_WAY_TO_AGENT or bool(ringing)  # others ring: no port is waited for
                    again = None if is_final else await _opened(conversation, name, ways[name], until, question)
                    if again is None:
                        office.floor.missed(conversation.id, name, is_fault=reason not in NOT_TAKEN)
                    else:
                        ringing[name] = again
                        again.dial()
            if leave_key and leave_key in conversation.digits:
                return LEFT_LINE
        return reason
    finally:
        conversation.rung = set()
        for ring in ringing.values():
            if ring.party is not kept:
                conversation.hang_up(ring.party, Cause.ANSWERED_ELSEWHERE if kept else Cause.NO_ANSWER)


async def _opened(
    conversation: Conversation, name: str, ways: list[str], until: float, question: Question | None
) -> Ring | None:
    """Ready to ring the agent by the first of ``ways`` that can; what was tried of them is taken off."""
    while ways:
        ring = _ring_of(conversation, name, ways.pop(0), until, question)
        if isinstance(ring, Ring):
            try:
                await ring.open()
            except Trouble:
                conversation.hang_up(ring.party, Cause.NO_ANSWER)
            else:
                return ring
    return None


async def reach(
    conversation: Conversation, asked: TransferTo, trunk: str, purpose: Purpose, watch: Watch | None = None
) -> Party | str:
    """Whoever answers at this number: an agent or a phone by name or extension, or a number that may be dialled.

    Calls for somebody who has them sent elsewhere go there.

    With ``watch`` the customer hears nothing of what the other side plays before it answers.
    """
    office = conversation.office
    until = office.clock.monotonic() + asked.ring_seconds
    found = office.followed(asked.number)
    for whom, to in found.hops:
        conversation.put(events.CallForwarded(conversation.id, whom, to, conversation.offset_ms()))
    match office.inside(found.number):
        case Inside("agent", name):
            return office.floor.why_not(name) or await ring_agent(conversation, name, until, watch)
        case Inside("phone", name):
            if refusal := office.why_silent(name):
                return refusal
            party = Party(uuid7(office.clock.utc_ms()), "agent", name)
            return await _ring_one(conversation, Ring(conversation, party, ToPhone(name), name, until), watch)
        case Inside("peer", name, peer):
            return await _ring_peer(conversation, name, peer, trunk, until, watch)
        case Inside():
            return "no_line_by_telephone"
        case None:
            pass
    reason = "no_answer" if trunk else "no_trunk"
    for way in office.outside.ways(found.number, trunk) if trunk else ():  # an emergency number may have several
        answered = await _ring_outside(conversation, found.number, way, purpose, until, watch)
        if isinstance(answered, Party) or answered in NO_OTHER_WAY:
            return answered
        reason = answered
    return reason


async def _ring_outside(
    conversation: Conversation, number: str, trunk: str, purpose: Purpose, until: float, watch: Watch | None
) -> Party | str:
    office = conversation.office
    leg = uuid7(office.clock.utc_ms())
    permit = office.outside.permit(conversation.id, leg, number, trunk, purpose, conversation.offset_ms())
    if not isinstance(permit, Permit):
        return permit
    party = Party(leg, "outside", permit.number.e164 or permit.number.national, trunk)
    conversation.forbid_recording(office.contacts.of(party.name))
    found = await _ring_one(conversation, Ring(conversation, party, permit, trunk, until), watch)
    return LOOP if found == CAME_BACK else found


async def _ring_peer(
    conversation: Conversation, extension: str, peer: str, trunk: str, until: float, watch: Watch | None
) -> Party | str:
    """The extension of a peer; where the peer sends the call back to us, whom it is sent to."""
    office = conversation.office
    leg = uuid7(office.clock.utc_ms())
    party = Party(leg, "agent", extension, peer)
    if at_peer.goes_round(conversation, peer, extension):
        at_peer.came_back(conversation, party, extension, "loop")
        office.count("loops")
        return LOOP
    permit = office.outside.permit_inside(conversation.id, leg, extension, peer)
    if not isinstance(permit, Permit):
        return permit
    found = await _ring_one(conversation, Ring(conversation, party, permit, peer, until), watch)
    if found == CAME_BACK:
        return await _follow_back(conversation, party, trunk, until, watch)
    return found


async def _follow_back(
    conversation: Conversation, party: Party, trunk: str, until: float, watch: Watch | None
) -> Party | str:
    """Rings whom ``party`` has sent us on to, in this same conversation; its own leg has ended.

    A waiting line is left to whoever watches: ``ON_TO_LINE`` and its name.
    """
    office = conversation.office
    called = party.came_back_for
    at_peer.came_back(conversation, party, called, "followed")
    inside = office.inside(office.followed(called).number)
    if inside is not None and inside.kind == "line":
        if watch is not None:
            return f"{ON_TO_LINE}{inside.name}"
        await conversation.take()
        conversation.enter(State.WAITING)
        return await wait_in_line(conversation, Enqueue(inside.name, LINE_SECONDS, ""), lambda: None)
    if inside is None:
        if numbers.normalise(called).e164 in outbound.own_numbers(office.settings, office.sip.area_code):
            return LOOP
        refusal = office.outside.why_not_from(party.trunk, called)
        if refusal:
            office.outside.refuse(conversation.id, called, party.trunk, refusal, conversation.offset_ms())
            return refusal
    seconds = max(BACK_SECONDS, until - office.clock.monotonic())
    return await reach(conversation, TransferTo(called, seconds), trunk, "transfer", watch)


async def ring_agent(conversation: Conversation, name: str, until: float, watch: Watch | None = None) -> Party | str:
    """The agent, or whoever picked up for them; or why nobody did."""
    reason = "no_trunk"
    for way in conversation.office.ways_to(name):
        found = await _ring_agent_by(conversation, name, way, until, watch)
        if found == CAME_BACK:
            return LOOP
        if isinstance(found, Party) or found in NO_OTHER_WAY_TO_AGENT:
            return found
        reason = found
    return reason


async def _ring_agent_by(
    conversation: Conversation, name: str, way: str, until: float, watch: Watch | None
) -> Party | str:
    office = conversation.office
    ring = _ring_of(conversation, name, way, until)
    if not isinstance(ring, Ring):
        return ring
    party = ring.party
    if not office.floor.engage(name, conversation.id, party.leg):
        office.outside.ended(party.leg)
        return "busy"
    is_kept = False
    conversation.rung = {name}
    try:
        found = await _ring_one(conversation, ring, watch)
        is_kept = found is party
        if isinstance(found, Party) and not is_kept and found.name in office.agents:
            office.floor.engage(found.name, conversation.id, found.leg)
        return found
    finally:
        conversation.rung = set()
        if not is_kept:
            office.floor.ended(name, party.leg)


async def _ring_one(conversation: Conversation, ring: Ring, watch: Watch | None) -> Party | str:
    party = ring.party
    is_kept = False
    try:
        await ring.open()
        ring.dial()
        reason = RINGING
        while reason == RINGING:
            item = await conversation.next(ring.deadline)
            if watch is not None and watch(item):
                return TAKEN_BACK
            if isinstance(item, PickedUp) and (conversation.rung or conversation.parked):
                conversation.adopt(item.party)
                conversation.hang_up(party, Cause.ANSWERED_ELSEWHERE)
                return item.party
            reason = ring.take(item, is_alone=watch is None)
        is_kept = not reason
        return reason or party
    except Trouble as trouble:
        return trouble.detail
    finally:
        if not is_kept:
            conversation.hang_up(party, Cause.NO_ANSWER)


def _ring_of(
    conversation: Conversation, name: str, way: str, until: float, question: Question | None = None
) -> Ring | outbound.Refusal:
    """Of an agent by a trunk, whose line is taken then; or, where ``way`` is empty, at the telephone where they sit."""
    office = conversation.office
    party = Party(uuid7(office.clock.utc_ms()), "agent", name, way)
    if not way:
        phone = office.seats.phone_of(name)
        return Ring(conversation, party, ToPhone(phone), phone, until)
    permit = outside_agent.permit(conversation, party)
    if not isinstance(permit, Permit):
        return permit
    return Ring(conversation, party, permit, way, until, lambda: outside_agent.asked(conversation, party, question))
