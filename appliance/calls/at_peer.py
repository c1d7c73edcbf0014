"""What a conversation tells a peer of its caller, and what it keeps of a call that came back from there."""

from __future__ import annotations

import dataclasses

from appliance.calls.conversation import Conversation
from appliance.calls.party import Party
from appliance.records import events
from appliance.signalling import numbers
from appliance.signalling.port import Identity


def shown(conversation: Conversation) -> Identity:
    """How an extension of a peer sees who calls: a colleague by the number under which they are dialled."""
    office, number = conversation.office, conversation.shown_number
    agent = office.agents.get(office.seats.first_at(number)) if conversation.dialled else None
    return Identity(number if agent is None else agent.extension or number, conversation.name_on(""))


def goes_round(conversation: Conversation, peer: str, extension: str) -> bool:
    """Whether this call comes from that extension, or was there before."""
    there = peer, extension
    is_known = there in conversation.sent_back or there == (conversation.trunk_name, conversation.shown_number)
    return is_known or conversation.office.outside.peers.goes_round(conversation.passage, peer, extension)


def came_back(conversation: Conversation, party: Party, called: str, state: str) -> None:
    """What we passed to this extension of a peer has come back for ``called``: it never goes there again."""
    conversation.sent_back.add((party.trunk, party.name))
    legs = (*conversation.passage.legs, party.leg)
    conversation.passage = dataclasses.replace(conversation.passage, legs=legs)
    told = called[: numbers.MAX_LENGTH]
    conversation.put(
        events.CallCameBack(conversation.id, party.trunk, party.name, told, state, conversation.offset_ms())
    )
