"""An agent at a number outside has no page before them: they give the outcome of a call by a key, when it is over.

The keys are those of the agent's page, 1 to 9 in order of the settings. It is asked while the agent's leg is still up,
where the line gives time for a wrap-up and within that time; who presses nothing, or has hung up first, has the page.
"""

from __future__ import annotations

from appliance.calls.asking import TRIES, ask
from appliance.calls.conversation import Conversation
from appliance.calls.party import Party
from appliance.calls.wrap_up import Change
from appliance.records.events import State
from appliance.signalling.port import Cause


async def let_go(conversation: Conversation, agent: Party) -> None:
    """The customer has gone: the agent is asked where that is so, and their leg ends. Raises Left as ``ask`` does."""
    if agent.has_ended:
        return
    try:
        await ask_outcome(conversation, agent)
    finally:
        conversation.hang_up(agent, Cause.ENDED_HERE)
        conversation.office.floor.ended(agent.name, agent.leg)


async def ask_outcome(conversation: Conversation, agent: Party) -> None:
    """Asks for the key and gives the form; nothing for people at telephones, and where there is no form to give."""
    office = conversation.office
    form = office.wrap_ups.of(agent.name)
    if agent.role != "agent" or not agent.trunk or conversation.is_stopping or not conversation.customer.has_ended:
        return
    if form is None or form.state != "open" or not form.asks_seconds:
        return
    conversation.enter(State.MENU)
    known = office.settings.dispositions_of(form.line)
    keys = "".join(str(number) for number, _ in enumerate(known, 1))
    until = office.clock.monotonic() + form.asks_seconds
    language = office.agents[agent.name].language
    key = await ask(conversation, agent, ("agent_wraps_up",), TRIES, keys, language, until)
    if key:
        chosen = Change("disposition", known[int(key) - 1].name, form.versions["disposition"])
        office.wrap_ups.give(agent.name, conversation.id, [chosen])
