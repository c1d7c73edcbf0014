"""The live picture and what changes in it: pure, the same for both ends of the socket.

``after(before, difference(before, now))`` is ``now`` but for the order of its calls, which is that of their beginning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from appliance.control.wire import Changes, Measured, Role, Snapshot

CALLS_AT_ONCE = 150  # of some 200 bytes each: well below one datagram of 64 KiB
SEES_NUMBERS: frozenset[Role] = frozenset({"owner", "supervisor", "agent"})


def for_role(snapshot: Snapshot, role: Role) -> Snapshot:
    """The picture as ``role`` may see it: a technician sees health, never numbers."""
    if role in SEES_NUMBERS:
        return snapshot
    hidden = tuple(msgspec.structs.replace(call, customer="", name="") for call in snapshot.calls)
    switches = msgspec.structs.replace(snapshot.switches, divert="")
    return msgspec.structs.replace(snapshot, calls=hidden, switches=switches)


def measured(snapshot: Snapshot, uptime_ms: int, resident_kb: int) -> Measured:
    """The picture as a monitor may see it: counted, without who."""
    return Measured(
        version=snapshot.version,
        uptime_ms=uptime_ms,
        resident_kb=resident_kb,
        trunks={trunk.name: trunk.state == "up" for trunk in snapshot.trunks},
        phones=len(snapshot.phones),
        phones_registered=sum(phone.is_registered for phone in snapshot.phones),
        agents=dict(Counter(agent.doing for agent in snapshot.agents)),
        calls=dict(Counter(call.state for call in snapshot.calls)),
        lines=snapshot.lines,
        counters=snapshot.counters,
        findings=tuple(finding.key for finding in snapshot.findings),
        media=snapshot.media,
        last_event=snapshot.last_event,
    )


def difference(before: Snapshot, now: Snapshot) -> Changes | None:
    """What leads from ``before`` to ``now``; None if nothing but the time has changed."""
    old = {call.conversation: call for call in before.calls}
    new = {call.conversation for call in now.calls}
    changes = Changes(
        now_utc_ms=now.now_utc_ms,
        trunks=now.trunks if now.trunks != before.trunks else None,
        phones=now.phones if now.phones != before.phones else None,
        calls=tuple(call for call in now.calls if old.get(call.conversation) != call),
        ended=tuple(conversation for conversation in old if conversation not in new),
        counters=now.counters if now.counters != before.counters else None,
        findings=now.findings if now.findings != before.findings else None,
        last_event=now.last_event if now.last_event != before.last_event else None,
        media=now.media if now.media != before.media else None,
        lines=now.lines if now.lines != before.lines else None,
        agents=now.agents if now.agents != before.agents else None,
        switches=now.switches if now.switches != before.switches else None,
        upstream=now.upstream if now.upstream != before.upstream else None,
    )
    return None if changes == Changes(now_utc_ms=now.now_utc_ms) else changes


def after(before: Snapshot, changes: Changes) -> Snapshot:
    """The picture once ``changes`` have happened."""
    calls = {call.conversation: call for call in before.calls if call.conversation not in changes.ended}
    calls.update((call.conversation, call) for call in changes.calls)
    return msgspec.structs.replace(
        before,
        now_utc_ms=changes.now_utc_ms,
        trunks=before.trunks if changes.trunks is None else changes.trunks,
        phones=before.phones if changes.phones is None else changes.phones,
        calls=tuple(calls.values()),
        counters=before.counters if changes.counters is None else changes.counters,
        findings=before.findings if changes.findings is None else changes.findings,
        last_event=before.last_event if changes.last_event is None else changes.last_event,
        media=before.media if changes.media is None else changes.media,
        lines=before.lines if changes.lines is None else changes.lines,
        agents=before.agents if changes.agents is None else changes.agents,
        switches=before.switches if changes.switches is None else changes.switches,
        upstream=before.upstream if changes.upstream is None else changes.upstream,
    )


def in_parts(before: Snapshot | None, now: Snapshot) -> Iterator[Snapshot | Changes]:
    """What to send so that a watcher who has ``before`` gets ``now``, in pieces that each fit into a datagram.

    The pieces are to be applied in order; the last one completes the picture.
    """
    if before is None:
        first = msgspec.structs.replace(now, calls=now.calls[:CALLS_AT_ONCE])
        yield first
        before = first
    changes = difference(before, now)
    if changes is None:
        return
    while len(changes.calls) > CALLS_AT_ONCE:
        yield Changes(now_utc_ms=changes.now_utc_ms, calls=changes.calls[:CALLS_AT_ONCE])
        changes = msgspec.structs.replace(changes, calls=changes.calls[CALLS_AT_ONCE:])
    yield changes
