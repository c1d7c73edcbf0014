"""What calls does for sync: it writes the receipts, shows how targets stand, and says how calls fare.

Sync never writes the records (DECISIONS 7): it tells receipts, and hears Done once they are on the disk. A receipt that
stands in the records already is passed over, so that telling twice writes once. What sync shows of itself is kept until
it shows something else; when nothing came for a while, the page says that sync does not run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from appliance.clock import Clock
from appliance.control import wire
from appliance.errors import Problem
from appliance.media import port as media
from appliance.records import events, keeping, outgoing
from appliance.records.writer import Records

SILENT_SECONDS = 30.0  # sync tells at least every ten
MEMORY_SECONDS = 6.0  # a stream is measured every five


@dataclass(slots=True)
class Strain:
    """How calls fare, out of what media measures of each stream every five seconds: pure."""

    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)  # lost and received so far
    _worst: list[tuple[float, int, float]] = field(default_factory=list)  # when, lost in a thousand, jitter
    _late: tuple[float, int, int] = (0.0, 0, 0)  # when told, ticks so far, ticks since the last time

    def measured(self, figures: media.Statistics, now: float) -> None:
        before = self._seen.pop(figures.stream, (0, 0))
        if not figures.is_final:
            self._seen[figures.stream] = figures.lost, figures.received
            lost, received = max(0, figures.lost - before[0]), max(0, figures.received - before[1])
            permille = max(round(1000 * lost / max(1, lost + received)), round(1000 * figures.remote_lost_share))
            self._worst = [one for one in self._worst if now - one[0] < MEMORY_SECONDS]
            self._worst.append((now, permille, figures.jitter_ms))

    def loaded(self, load: media.Load, now: float) -> None:
        self._late = now, load.late_ticks, max(0, load.late_ticks - self._late[1])

    def now(self, now: float) -> tuple[int, float, int]:
        """The worst loss (in a thousand) and jitter (ms) lately, and ticks that were late within the last second."""
        worst = [one for one in self._worst if now - one[0] < MEMORY_SECONDS]
        late = self._late[2] if now - self._late[0] < 2 else 0
        return max((one[1] for one in worst), default=0), max((one[2] for one in worst), default=0.0), late


class Shown(Protocol):
    """What of the switchboard is needed here."""

    upstream: tuple[wire.Upstream, ...]
    findings: dict[str, wire.Finding]
    last_event: int
    strain: Strain

    @property
    def calls_now(self) -> int: ...


Request = (
    wire.TellReceipts | wire.TellDestroyed | wire.TellUpstream | wire.AskPulse | wire.AskUpstream | wire.TryUpstream
)


class Upstream:
    """``changed`` is called when the picture is different."""

    def __init__(self, records: Records, clock: Clock, shown: Shown, changed: Callable[[], None]) -> None:
        self._records = records
        self._clock = clock
        self._shown = shown
        self._changed = changed
        self._told_at: float | None = None
        self._try_now: set[str] = set()

    async def answer(self, request: Request) -> wire.Reply:
        match request:
            case wire.TellReceipts(receipts, erased):
                await self._write(receipts, erased)
                return wire.Done()
            case wire.TellDestroyed(recordings):
                await self._write_destroyed(recordings)
                return wire.Done()
            case wire.TellUpstream(targets):
                self._told_at = self._clock.monotonic()
                if targets != self._shown.upstream:
                    self._shown.upstream = targets
                    self._changed()
                self.look()
                pulse, self._try_now = self._pulse(), set()
                return pulse
            case wire.AskPulse():
                pulse, self._try_now = self._pulse(), set()
                return pulse
            case wire.AskUpstream():
                return wire.UpstreamNow(self._shown.upstream, self._is_running)
            case wire.TryUpstream(target):
                if target not in [each.name for each in self._shown.upstream]:
                    raise Problem("sync.no_such_target", target=target)
                self._try_now.add(target)
                return wire.Done()

    def look(self) -> None:
        """Finds out whether sync, once heard, still speaks, and says on the page what is wrong with each target."""
        for name in [name for name in self._shown.findings if name.startswith("upstream")]:
            del self._shown.findings[name]
        if self._told_at is None:
            return
        if not self._is_running:
            self._shown.findings["upstream"] = wire.Finding("sync.stopped")
        for target in self._shown.upstream:
            if target.fault is not None:
                self._shown.findings[f"upstream {target.name}"] = target.fault
            for number, remark in enumerate(target.remarks):
                self._shown.findings[f"upstream {target.name} {number}"] = remark

    @property
    def _is_running(self) -> bool:
        return self._told_at is not None and self._clock.monotonic() - self._told_at < SILENT_SECONDS

    def _pulse(self) -> wire.Pulse:
        lost, jitter, late = self._shown.strain.now(self._clock.monotonic())
        return wire.Pulse(
            last_event=self._shown.last_event,
            calls=self._shown.calls_now,
            lost_permille=lost,
            jitter_ms=round(jitter),
            late_ticks=late,
            try_now=tuple(sorted(self._try_now)),
        )

    async def _write_destroyed(self, recordings: tuple[str, ...]) -> None:
        known = await self._records.call(lambda store: store.within(lambda db: keeping.causes(db, recordings)))
        for one in known:
            self._records.put(events.RecordingDeleted(one.conversation, one.recording, one.cause))
        await self._records.flush()

    async def _write(self, receipts: tuple[wire.Receipt, ...], erased: tuple[wire.Erased, ...]) -> None:
        pairs = [(each.target, each.key) for each in receipts]
        known = await self._records.call(
            lambda store: store.within(lambda db: [pair for pair in pairs if outgoing.has_receipt(db, *pair)])
        )
        for one in receipts:
            if (one.target, one.key) not in known:
                known.append((one.target, one.key))
                self._records.put(
                    events.UpstreamReceipt(
                        one.target, one.unit, one.key, one.recording, one.first, one.last, one.sha256, one.size,
                        one.place,
                    )
                )  # fmt: skip
        for gone in erased:
            self._records.put(events.UpstreamErased(gone.target, gone.recording, gone.left))
        await self._records.flush()
