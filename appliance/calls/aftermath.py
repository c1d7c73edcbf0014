"""After a crash: what the process before this one left open is ended on both sides, and its records are closed.

Nothing of a conversation is guessed: its legs end as ``orphan`` at the last moment that is known of them, its outcome
is ``crashed``, who was cut off is in the book of callbacks, and its recordings are what media says they are (sealed,
recovered). Where it says nothing, since it had told the process that died, the files themselves are looked at; what
has no files is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from appliance.calls import recording, verification
from appliance.calls.desk import asked_by
from appliance.calls.inbox import Inbox
from appliance.calls.office import Item, Office
from appliance.flow.model import Enqueue
from appliance.media import port as media
from appliance.records import events, ledger
from appliance.records.events import Outcome
from appliance.records.store import OpenConversation, Store
from appliance.signalling.port import Cause, EndOrphan, LegKey

log = logging.getLogger(__name__)

RECOVERY_SECONDS = 15.0  # media closes what nobody claims after 10 s, and replays its journal at start


async def settle(office: Office, left_over: Sequence[LegKey]) -> int:
    """Ends the legs that are left over and closes their records; returns how many legs had not ended.

    The recordings may take a while: ``finish`` waits for them in the background.
    """
    for key in left_over:
        office.line.submit(EndOrphan(key))
    orphans = 0
    for conversation in await office.records.call(Store.open_conversations):
        orphans += len(conversation.legs)
        if conversation.legs and not conversation.is_closed:
            await _owe(office, conversation)
        _end(office, conversation)
    return orphans


async def _owe(office: Office, left: OpenConversation) -> None:
    """A caller who was cut off is called back, at the place from which they fell."""
    found = await office.records.call(lambda store: store.within(lambda db: ledger.cut_off(db, left.conversation)))
    if found is None:
        return
    flow = office.flows.get(found.flow)
    node = flow.nodes.get(found.node) if flow is not None else None
    queue = office.line_for(node.queue if isinstance(node, Enqueue) else "", "")
    asked = asked_by(left.conversation, found.customer, found.language, found.trunk, found.node, left.last_offset_ms)
    reply = office.desk.call_back(asked, found.customer, queue, 0, found.opened, is_wish=False)
    office.book.release_all(left.conversation)
    if not reply.is_ok:
        log.warning("who was cut off in conversation %s is not called back: %s", left.conversation, reply.reason)


def _end(office: Office, left: OpenConversation) -> None:
    for leg in left.legs:
        office.records.put(events.LegEnded(left.conversation, leg, Cause.ORPHAN.value, 0, left.last_offset_ms))
    if not left.is_closed:
        office.records.put(
            events.ConversationClosed(left.conversation, Outcome.CRASHED, "calls", left.agent, left.last_offset_ms)
        )
    if not left.recordings:
        office.records.put(events.RecordClosed(left.conversation))
        return
    inbox: Inbox[Item] = Inbox()
    for name in left.recordings:
        office.recordings[name] = inbox
    task = asyncio.create_task(_finish(office, left, inbox), name=f"aftermath {left.conversation}")
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


_tasks: set[asyncio.Task[None]] = set()  # asyncio itself keeps only weak references


async def _finish(office: Office, left: OpenConversation, inbox: Inbox[Item]) -> None:
    """Waits for what media says of the recordings, then closes the record."""
    unsealed = set(left.recordings)
    deadline = office.clock.monotonic() + RECOVERY_SECONDS
    while unsealed:
        item = await inbox.next(deadline)
        if item is None:
            break
        match item:
            case media.RecordingSealed(name):
                unsealed.discard(name)
                office.records.put(recording.sealed(left.conversation, item))
                office.verify(item)
            case media.RecordingGap(name, reason, milliseconds):
                office.records.put(events.RecordingGap(left.conversation, name, reason, milliseconds))
            case _:
                continue
    for name in left.recordings:
        office.recordings.pop(name, None)
        if name in unsealed:
            await _without_media(office, left.conversation, name)
    office.records.put(events.RecordClosed(left.conversation))
    office.changed()


async def _without_media(office: Office, conversation: str, name: str) -> None:
    """The dead process may have been told of this recording, and not have written it."""
    found = await asyncio.to_thread(verification.found_in, office.kept, name) if office.kept is not None else None
    if found is None:
        office.records.put(recording.lost(conversation, name))
        return
    office.records.put(recording.sealed(conversation, found))
    office.verify(found)
