"""Joins the customer and whoever was reached, until one of them leaves or the customer is passed on.

How they are reached stands in ringing.py, how a customer is passed on in transfer.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from appliance.calls import at_peer
from appliance.calls.agent_keys import AgentKeys, Park, PassOn, Said, Transfer, Turn
from appliance.calls.conversation import Conversation, Left, key_of
from appliance.calls.office import Item
from appliance.calls.party import Party
from appliance.calls.peers import CameBack
from appliance.media import port as media
from appliance.records.events import State
from appliance.signalling import port as signalling
from appliance.signalling.port import Cause

PRESS_MS = 100


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
    parks: bool = False  # to nobody: into a slot


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
    stays = False
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
                    elif isinstance(each, Park):
                        wish = Wish("", parks=True) if passes_on == agent.leg else None
                    elif prompts := await said(each):
                        await aside(conversation, agent, prompts)
            match item:
                case signalling.Held(leg):
                    _hold(conversation, agent, leg)
                case signalling.Resumed(leg):
                    _resume(conversation, agent, leg, holds=keys is not None)
                case signalling.TransferAsked(leg, to, replaces) if leg == passes_on:
                    wish = Wish(to, referred=leg, replaces=replaces)
                case CameBack(leg, called) if leg == passes_on:
                    at_peer.came_back(conversation, agent, called, "passed_on")
                    wish = Wish(called)
                case signalling.DigitPressed(leg, digit, milliseconds) if keys is None or leg != agent.leg:
                    other = agent if leg == conversation.customer.leg else conversation.customer
                    conversation.office.mouth.submit(media.SendDigits(other.leg, digit, milliseconds))
                case _:
                    continue
    except Left:
        stays = is_kept
        if not stays:
            conversation.hang_up(agent, Cause.ENDED_HERE)
        raise
    finally:
        conversation.pausing.end("ended" if wish is None else "transfer")
        conversation.digits.clear()  # they went to the agent
        conversation.takes_referral = ""
        if wish is None and (not stays or agent.has_ended) and agent.leg in conversation.parties:
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
    await conversation.tell(agent, prompts)
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
