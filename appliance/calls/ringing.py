"""Rings people for a customer: agents by name, whoever a line offers, telephones, numbers outside.

The other phone is offered the law that the customer's leg speaks, so that nothing is converted without need. Whoever
is engaged already is passed over; a phone that is not there costs no time. Who is rung for whom in a line is decided
in floor.py. A colleague may pick up what rings at an agent's telephone, and is the party then.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from appliance.calls.conversation import Conversation, Trouble
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
from appliance.signalling import port as signalling
from appliance.signalling import sdp
from appliance.signalling.port import Cause, Identity, ToPhone

LEFT_LINE = "left_line"
RINGING = "ringing"
TAKEN_BACK = "taken_back"
ATTENDED_SECONDS = 5.0  # so often it is looked whether anybody is there, where the flow has another way
NO_OTHER_WAY = frozenset({"busy", "declined", "no_answer", TAKEN_BACK})  # no other trunk would change it
FIRST_ANNOUNCED_SECONDS = 2.0  # who is served at once is not told to wait
FORBIDDEN = 403
SIP_CODES = {
    "busy": 486, "declined": 603, "no_answer": 480, "not_registered": 480, "absent": 480, "not_seated": 480,
}  # fmt: skip

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
            ringing[party.leg] = party, _offer_to(conversation, party)
        for party, offer in ringing.values():
            phone = office.seats.phone_of(party.name)
            _dial(conversation, party, ToPhone(phone), phone, offer)
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
                reason = _state_of(conversation, party, offer, item, is_alone=len(agents) == 1)
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
            return await _ring_one(conversation, party, ToPhone(name), name, until, watch)
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
    try:
        return await _ring_one(conversation, party, permit, trunk, until, watch)
    finally:
        if party.leg not in conversation.parties:
            office.outside.ended(party.leg)


async def ring_agent(conversation: Conversation, name: str, until: float, watch: Watch | None = None) -> Party | str:
    """The agent, or whoever picked up for them; or why nobody did."""
    office = conversation.office
    phone = office.seats.phone_of(name)
    party = Party(uuid7(office.clock.utc_ms()), "agent", name)
    if not office.floor.engage(name, conversation.id, party.leg):
        return "busy"
    is_kept = False
    conversation.rung = {name}
    try:
        found = await _ring_one(conversation, party, ToPhone(phone), phone, until, watch)
        is_kept = found is party
        if isinstance(found, Party) and not is_kept and found.name in office.agents:
            office.floor.engage(found.name, conversation.id, found.leg)
        return found
    finally:
        conversation.rung = set()
        if not is_kept:
            office.floor.ended(name, party.leg)


async def _ring_one(
    conversation: Conversation, party: Party, to: ToPhone | Permit, via: str, until: float, watch: Watch | None
) -> Party | str:
    is_kept = False
    try:
        await conversation.open(party)
        offer = _offer_to(conversation, party)
        _dial(conversation, party, to, via, offer)
        reason = RINGING
        while reason == RINGING:
            item = await conversation.next(until)
            if watch is not None and watch(item):
                return TAKEN_BACK
            if isinstance(item, PickedUp) and conversation.rung:
                conversation.adopt(item.party)
                conversation.hang_up(party, Cause.ANSWERED_ELSEWHERE)
                return item.party
            is_alone = watch is None
            reason = "no_answer" if item is None else _state_of(conversation, party, offer, item, is_alone=is_alone)
        is_kept = not reason
        return reason or party
    except Trouble as trouble:
        return trouble.detail
    finally:
        if not is_kept:
            conversation.hang_up(party, Cause.NO_ANSWER)


def _offer_to(conversation: Conversation, party: Party) -> sdp.Description:
    return sdp.offer("", party.port, conversation.law, int(party.leg[:12], 16))


def _dial(conversation: Conversation, party: Party, to: ToPhone | Permit, via: str, offer: sdp.Description) -> None:
    opened = events.LegOpened(conversation.id, party.leg, party.role, party.name, via, conversation.offset_ms())
    conversation.put(opened)
    if isinstance(to, Permit):  # our own names of people are nothing for a provider
        caller = Identity(conversation.shown_number, conversation.caller.name)
        conversation.office.outside.dial(to, offer, caller)
    else:
        caller = Identity(conversation.shown_number, conversation.name_on(to.phone))
        conversation.office.line.submit(signalling.Dial(party.leg, to, offer, caller))


def _state_of(
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
