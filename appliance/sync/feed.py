"""What is new in the records becomes units: pure, told the news and the time.

A recording becomes three units as soon as its event says that it is sealed. Events and records are cut into batches:
when ``MOST_EVENTS`` have gathered, or ``batch_seconds`` after the first. Receipts alone never make a batch, since their
batch would get a receipt again; they ride with the next.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from appliance.records.events import KEPT_STATES, RecordingSealed
from appliance.records.outgoing import News
from appliance.sync.outbox import NewUnit
from appliance.sync.units import Kind, batch_key, call_key, recording_key

MOST_EVENTS = 500


@dataclass(slots=True)
class Feed:
    """``seen`` events were looked at, ``cut`` are in batches: that number survives in the outbox."""

    batch_seconds: float
    seen: int = 0
    cut: int = 0
    _waits_since: float | None = None
    _has_others: bool = False

    def took(self, news: News, now: float) -> list[NewUnit]:
        """The units of recordings in ``news``; batches are asked for by ``batch``."""
        self.seen = news.last
        if not news.is_own_only:
            self._has_others = True
            if self._waits_since is None:
                self._waits_since = now
        return [unit for at, sealed in news.sealed for unit in _of_recording(at, sealed)]

    def batch(self, now: float) -> tuple[int, int] | None:
        """The next batch that is to be cut now: its first and last event."""
        if not self._has_others or self.seen <= self.cut:
            return None
        is_due = self._waits_since is not None and now - self._waits_since >= self.batch_seconds
        if self.seen - self.cut < MOST_EVENTS and not is_due:
            return None
        return self.cut + 1, min(self.seen, self.cut + MOST_EVENTS)

    def deadline(self) -> float | None:
        """When a batch is due."""
        return None if self._waits_since is None or not self._has_others else self._waits_since + self.batch_seconds

    def was_cut(self, last: int) -> None:
        self.cut = last
        if self.cut >= self.seen:
            self._has_others, self._waits_since = False, None


def batches(
    first: int, last: int, revisions: Sequence[tuple[int, str]], born: int, kinds: Collection[Kind]
) -> list[NewUnit]:
    """The units of a batch: events, the records that they revised, and one for each of these."""
    units = []
    if Kind.EVENTS in kinds:
        units.append(NewUnit(Kind.EVENTS, batch_key(Kind.EVENTS, first, last), first, last, born))
    if revisions and Kind.RECORDS in kinds:
        units.append(NewUnit(Kind.RECORDS, batch_key(Kind.RECORDS, first, last), first, last, born))
    if Kind.CALL in kinds:
        units += [
            NewUnit(Kind.CALL, call_key(n), n, n, born, conversation=conversation) for n, conversation in revisions
        ]
    return units


def erasure(recording: str, n: int, born: int) -> NewUnit:
    return NewUnit(Kind.ERASE, f"erase/{recording}", n, n, born, recording=recording)


def _of_recording(at: int, sealed: RecordingSealed) -> list[NewUnit]:
    if sealed.state not in KEPT_STATES:
        return []
    sizes = {Kind.HEAD: (0, ""), Kind.SEAL: (0, sealed.seal_sha256), Kind.BODY: (sealed.body_bytes, sealed.body_sha256)}
    return [
        NewUnit(
            kind,
            recording_key(sealed.recording, kind, at),
            0,
            0,
            at,
            sealed.recording,
            sealed.conversation,
            size,
            sha256,
        )
        for kind, (size, sha256) in sizes.items()
    ]
