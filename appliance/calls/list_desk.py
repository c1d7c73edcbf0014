"""Outbound lists at an agent's own page: the next one is asked for, and what came of the last one is said."""

from __future__ import annotations

from collections.abc import Mapping

from appliance.calls import list_call
from appliance.calls.conversation import Conversation
from appliance.calls.desk import due_of
from appliance.calls.list_call import ListCall
from appliance.calls.office import Office
from appliance.control import wire
from appliance.errors import Problem
from appliance.outbound_lists.book import Refusal
from appliance.outbound_lists.outcomes import SAID, Outcome
from appliance.records import lists

WHY: Mapping[Refusal, str] = {
    "not_yours": "lists.not_yours",
    "paused": "lists.paused",
    "closed": "lists.closed",
    "in_hand": "lists.in_hand",
    "nobody": "lists.nobody",
}


async def call_next(office: Office, agent: str, list_name: str) -> None:
    """The agent's telephone rings for the next one of a list (empty: of any). Problem where there is none."""
    why = office.floor.why_not(agent)
    if why:
        raise Problem("lists.agent_not_free")
    entry = await office.lists.take(agent, list_name)
    if isinstance(entry, str):
        raise Problem(WHY[entry])
    call = list_call.prepared(office, entry, agent)
    if call is None:
        office.lists.release(agent)
        raise Problem("lists.no_way_out")
    office.lists.begin(call)


async def say(office: Office, sessions: Mapping[str, Conversation], agent: str, said: wire.SayOutcome) -> None:
    """What the agent says of the call (none named: of the last one), on the disk, also while it lasts."""
    if said.outcome not in SAID:
        raise Problem("desk.no_sense", value=said.outcome[:40])
    outcome = Outcome(said.outcome)
    due = due_of(said.due, office.clock.utc_ms()) if outcome is Outcome.CALL_AGAIN else 0
    if due is None:
        raise Problem("desk.no_such_moment", value=said.due[:40])
    attempt = await _attempt(office, said.conversation, agent)
    if attempt is None or attempt.agent != agent:
        raise Problem("control.no_such_call")
    entry = attempt.entry
    known = office.lists.book.lists.get(entry.list_name)
    if said.result and (known is None or said.result not in known.results):
        raise Problem("desk.no_sense", value=said.result[:40])
    result = said.result if outcome is Outcome.REACHED else ""
    session = sessions.get(attempt.conversation)
    if isinstance(session, ListCall):
        session.judge(outcome, result, due)
    else:
        if not office.lists.settle(entry.entry, attempt.conversation, outcome, agent, 0, result, due):
            raise Problem("lists.called_since")
        if outcome is Outcome.DO_NOT_CALL:
            office.lists.forbid(entry.number, agent, attempt.conversation)
    await office.records.flush()


async def _attempt(office: Office, conversation: str, agent: str) -> lists.Attempt | None:
    if not conversation:
        return await office.records.call(lambda store: store.within(lambda db: lists.last_of(db, agent)))
    return await office.records.call(lambda store: store.within(lambda db: lists.of_call(db, conversation)))


async def shown(office: Office, agent: str) -> wire.DeskEntry | None:
    """Whom the agent calls now, or has called last."""
    if not office.lists.of_agent(agent):
        return None
    found = await office.records.call(lambda store: store.within(lambda db: lists.last_of(db, agent)))
    if found is None:
        return None
    entry = found.entry
    known = office.lists.book.lists.get(entry.list_name)
    return wire.DeskEntry(
        conversation=found.conversation,
        list_name=entry.list_name,
        number=entry.number,
        name=entry.name,
        columns=entry.columns,
        attempts=entry.attempts,
        outcome=found.outcome,
        result=found.result,
        results=known.results if known is not None else (),
    )
