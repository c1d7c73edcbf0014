"""An agent at a number outside: how they are dialled, and what whoever answers there is asked.

An answer outside says nothing: it may be a divert, an announcement, a machine, a song, a fax. So it is none until a
person has pressed 1 (asking.py); the customer waits and hears what they heard before, and nothing of the other side.
Who does not press has not taken the offer. They are there while a trunk is up that dials them: their own, and for a
number that means the same everywhere any other, so that they are reached when one provider is down. An extension of a
peer is rung there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance import saying
from appliance.calls import at_peer, outbound
from appliance.calls.asking import YES, Asking, tries_on
from appliance.calls.conversation import Conversation
from appliance.calls.outside import Permit
from appliance.calls.party import Party
from appliance.calls.peers import extension_at
from appliance.signalling import numbers

Question = Callable[[str], tuple[str, ...]]
"""What whoever answers is asked, in this language; it ends with what to press."""


def permit(conversation: Conversation, party: Party) -> Permit | outbound.Refusal:
    """To ring the agent ``party`` by ``party.trunk``. What would be refused now is only counted: it is asked often."""
    office = conversation.office
    written = office.seats.number_of(party.name)
    extension = extension_at(office.sip.trunks, written)
    if extension is not None:
        if at_peer.goes_round(conversation, extension.trunk, extension.name):
            return "from_peer"
        return office.outside.permit_inside(conversation.id, party.leg, extension.name, extension.trunk)
    area_code = office.trunk(office.first_way(party.name)).area_code
    text = outbound.read(office.settings, written, area_code).e164 or written  # the same on another trunk
    refusal = office.outside.why_not(text, party.trunk)
    if refusal:
        office.count("agents_not_dialled")
        return refusal
    return office.outside.permit(conversation.id, party.leg, text, party.trunk, "agent", conversation.offset_ms())


def asked(conversation: Conversation, party: Party, question: Question | None) -> Asking:
    """Asks whether a person is there; without a question of its own: for the call of this customer."""
    language = conversation.office.agents[party.name].language
    prompts = question(language) if question is not None else who_calls(conversation, language)
    return Asking(conversation, party, prompts, tries_on(conversation.office.trunk(party.trunk)), YES, language)


def who_calls(conversation: Conversation, language: str) -> tuple[str, ...]:
    """A call of the office, from which number where it is shown, and what to press."""
    number = numbers.normalise(conversation.shown_customer)
    if number.kind in ("withheld", "unknown"):
        return ("agent_call", "agent_press")
    return ("agent_call_from", *saying.say(language, "phone", number.national).pieces, "agent_press")
