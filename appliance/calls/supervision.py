"""Somebody listens to an agent's call with a customer: who may, what they hear and who hears them, until when.

It is about one agent and one customer, for as long as both are in this conversation. While one of them holds, or the
agent asks somebody else first, the supervisor hears nothing and is heard by nobody (media sees to that: it knows three
legs by name); when the two speak again it goes on. When the agent is gone (passed on, hung up) the supervisor hears a
tone and is let go, and whoever the customer speaks with next is not listened to. Nothing that the supervisor does or
that happens to their leg concerns anybody who waits for something else: ``takes`` keeps it from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.calls.agent_keys import STAR
from appliance.calls.office import Item, Office, SupervisorCame
from appliance.calls.party import Party
from appliance.media import port as media
from appliance.records import events
from appliance.records.events import State
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause

if TYPE_CHECKING:
    from appliance.calls.conversation import Conversation

MODES: Mapping[str, media.Mode] = {"1": "listen", "2": "whisper", "3": "join"}  # the key behind the star
GOODBYE = ("tone:beep", "tone:beep")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The call to be listened to, and its agent."""

    conversation: Conversation
    agent: str


def wanted(office: Office, conversations: Iterable[Conversation], supervisor: str, dialled: str) -> Wanted | str:
    """What this agent (empty: a telephone of nobody) may listen to; else why not: the prompt is ``supervise_WHY``."""
    inside = office.inside(dialled)
    if inside is None or inside.kind != "agent":
        return "nobody"
    if inside.name == supervisor:
        return "oneself"
    if not office.settings.may_supervise(supervisor, inside.name):
        return "not_allowed"
    for each in conversations:
        if each.may_be_supervised and speaks_in(each, inside.name) is not None:
            return "taken" if each.supervision.is_on else Wanted(each, inside.name)
    return "idle"


def speaks_in(conversation: Conversation, agent: str) -> Party | None:
    """The leg by which this agent speaks with the customer, also while one of them holds."""
    customer = conversation.customer
    if conversation.state not in (State.TALKING, State.HOLD) or not customer.is_answered or customer.has_ended:
        return None
    for party in conversation.parties.values():
        if (party.role, party.name) == ("agent", agent) and party.is_answered and not party.has_ended:
            return party
    return None


class Supervision:
    """Of one conversation, by one supervisor at a time."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._supervisor: Party | None = None
        self._agent: Party | None = None
        self._mode: media.Mode = "listen"
        self._recording = ""
        self._has_star = False
        self._legs: dict[str, Party] = {}  # of everybody who has ever listened
        self._goodbyes: dict[str, int] = {}  # the leg is let go when this play has ended

    @property
    def is_on(self) -> bool:
        return self._supervisor is not None

    def begin(self, came: SupervisorCame) -> None:
        """The supervisor's leg is one of ours, and listens; it is let go where it comes too late."""
        conversation, party = self._conversation, came.party
        conversation.adopt(party)
        self._legs[party.leg] = party
        floor = conversation.office.floor
        if not floor.engage(party.name, conversation.id, party.leg):
            floor.occupy(party.name, conversation.id)
        agent = speaks_in(conversation, came.agent)
        if agent is None or self.is_on:
            self._put("refused", party, came.agent, "taken" if agent is not None else "idle")
            conversation.hang_up(party, Cause.ENDED_HERE)
            return
        self._supervisor, self._agent, self._mode, self._has_star = party, agent, "listen", False
        self._recording = conversation.recording.begin_beside(party)
        self._put("started", party, agent.name)
        self._supervise(party, agent)

    def takes(self, item: Item) -> bool:
        """Whether somebody who listens has done this with their telephone: then it is dealt with here."""
        leg = item.stream if isinstance(item, media.PlayEnded | media.DigitHeard) else getattr(item, "leg", "")
        party = self._legs.get(leg)
        if party is None:
            return False
        if isinstance(item, media.PlayEnded) and item.play == self._goodbyes.get(leg):
            self._conversation.hang_up(party, Cause.ENDED_HERE)
        elif isinstance(item, media.DigitHeard | signalling.DigitPressed) and party is self._supervisor:
            self._pressed(party, item.digit)
        return True

    def left(self, party: Party) -> None:
        """This leg of the conversation has ended."""
        conversation, supervisor, agent = self._conversation, self._supervisor, self._agent
        if party.leg in self._legs:
            conversation.office.floor.ended(party.name, party.leg)
            conversation.office.floor.vacate(party.name, conversation.id)
        if supervisor is None or agent is None:
            return
        if party is supervisor:
            self._end(supervisor, agent, "left")
        elif party is agent or party is conversation.customer:
            self._end(supervisor, agent, "agent_left" if party is agent else "customer_left")
            self._goodbyes[supervisor.leg] = conversation.say_to(supervisor, GOODBYE, conversation.language)

    def _end(self, supervisor: Party, agent: Party, detail: str) -> None:
        self._put("ended", supervisor, agent.name, detail)
        self._supervisor = self._agent = None

    def _pressed(self, supervisor: Party, digit: str) -> None:
        mode = MODES.get(digit) if self._has_star else None
        self._has_star = digit == STAR
        if mode is None or mode == self._mode or self._agent is None:
            return
        self._mode = mode
        self._put("mode", supervisor, self._agent.name)
        self._supervise(supervisor, self._agent)

    def _supervise(self, supervisor: Party, agent: Party) -> None:
        """Tells media, and whoever is to know."""
        conversation = self._conversation
        customer = conversation.customer.leg
        told = {"none": (), "agent": (agent.leg,), "all": (agent.leg, customer)}
        tone = conversation.office.settings.supervision_tone
        conversation.office.mouth.submit(
            media.Supervise(supervisor.leg, customer, agent.leg, self._mode, (supervisor.leg, *told[tone]))
        )
        conversation.recording.mark("supervised", self._mode)

    def _put(self, state: str, supervisor: Party, agent: str, detail: str = "") -> None:
        conversation = self._conversation
        mode, recording = ("", "") if state == "refused" else (self._mode, self._recording)
        conversation.put(
            events.Supervised(
                conversation.id, supervisor.name, agent, supervisor.leg, state, mode, detail, recording,
                conversation.offset_ms(),
            )
        )  # fmt: skip
