"""One direction of a recording on the box's own clock: where each packet's sound belongs.

Slots of 20 ms are placed by RTP timestamp, anchored at the first packet, so that jitter never moves speech; a missing
slot becomes the law's silence and is counted as filled. What a newcomer gets wrong: the far clock drifts, and packets
may come in a burst after a stall; only a lasting offset re-anchors the grid (``resyncs`` counts them).
"""

from __future__ import annotations

SLOT_BYTES = 160  # 20 ms of G.711 at 8 kHz
SAMPLES_PER_SECOND = 8_000
DRIFT_SAMPLES = 320  # 40 ms (RECORDING.md, "Time stays true")
SMOOTHING = 1 / 64  # of the offset between arrival and place: about 1.3 s of packets
AHEAD_SLOTS = 250  # 5 s: a timestamp further ahead is a jump of the sender's, not sound of the future
_HALF = 1 << 31
_WHOLE = 1 << 32


class Timeline:
    """``put`` is the hot path; ``settle`` hands over slots in order, once, when their time has come."""

    __slots__ = (
        "_anchor",
        "_average",
        "_next",
        "_own",
        "_partial",
        "_silence",
        "_slots",
        "filled_slots",
        "highest_timestamp",
        "late",
        "late_packets",
        "packets",
        "resyncs",
    )

    def __init__(self, silence: int) -> None:
        self._silence = bytes([silence]) * SLOT_BYTES
        self._slots: dict[int, bytes | bytearray] = {}
        self._own: set[int] = set()
        self._partial: dict[int, int] = {}
        self._next = 0  # the first slot not handed over yet
        self._anchor: int | None = None  # timestamp of the sample at position 0, modulo 2**32
        self._average = 0.0
        self.packets = 0
        self.filled_slots = 0
        self.late_packets = 0
        self.resyncs = 0
        self.highest_timestamp = 0
        self.late: list[tuple[int, int, bytes]] = []  # position in samples, timestamp, sound: of slots already written

    def put(self, timestamp: int, payload: bytes, elapsed: float, is_own: bool = False) -> None:
        """Places one packet that arrived ``elapsed`` seconds after the recording's start."""
        self.packets += 1
        self.highest_timestamp = timestamp
        here = elapsed * SAMPLES_PER_SECOND
        anchor = self._anchor
        if anchor is None:
            anchor = self._anchored(timestamp, here)
        position = (timestamp - anchor) & 0xFFFFFFFF
        if position >= _HALF:
            position -= _WHOLE
        offset = here - position
        average = self._average + (offset - self._average) * SMOOTHING
        if abs(average) > DRIFT_SAMPLES or abs(offset) > AHEAD_SLOTS * SLOT_BYTES:
            position = self._resynced(timestamp, here)
        else:
            self._average = average
        index, inside = divmod(position, SLOT_BYTES)
        if inside == 0 and len(payload) == SLOT_BYTES:
            if index >= self._next:
                self._slots[index] = payload
                if is_own:
                    self._own.add(index)
            else:
                self._too_late(position, timestamp, payload)
        else:
            self._put_odd(position, timestamp, payload, is_own)

    def mask(self, elapsed: float, milliseconds: int) -> None:
        """No speech is marked from here on for so long (a digit, or its echo)."""
        first = int(elapsed * 50)
        self._own.update(range(first, first + milliseconds // 20 + 1))

    def resync(self) -> None:
        """A new source: its next packet gives the anchor."""
        self._anchor = None

    def settle(self, until: float) -> list[tuple[bytes, bool, bool]]:
        """Slots up to ``until`` seconds, in order: sound, whether it is our own, whether it is only filled in."""
        end = int(until * 50)
        out: list[tuple[bytes, bool, bool]] = []
        slots, own = self._slots, self._own
        for index in range(self._next, end):
            sound = slots.pop(index, None)
            is_own = False
            if own and index in own:
                own.discard(index)
                is_own = True
            if sound is None:
                self.filled_slots += 1
                out.append((self._silence, is_own, True))
            else:
                out.append((bytes(sound), is_own, False))
        if end > self._next:
            self._next = end
            if self._partial:
                self._partial = {index: count for index, count in self._partial.items() if index >= end}
        return out

    def skip(self, until: float) -> int:
        """Drops what is due up to ``until`` (there is no room to keep it); returns the slots that are missing."""
        return len(self.settle(until))

    def take_late(self) -> list[tuple[int, int, bytes]]:
        late, self.late = self.late, []
        return late

    def _anchored(self, timestamp: int, here: float) -> int:
        """The first packet lies at the slot in which it arrived, never before what was written already."""
        slot = max(int(here) // SLOT_BYTES, self._next)
        self._anchor = (timestamp - slot * SLOT_BYTES) & 0xFFFFFFFF
        self._average = SLOT_BYTES / 2
        return self._anchor

    def _resynced(self, timestamp: int, here: float) -> int:
        self.resyncs += 1
        anchor = self._anchored(timestamp, here)
        return (timestamp - anchor) & 0xFFFFFFFF

    def _too_late(self, position: int, timestamp: int, payload: bytes) -> None:
        self.late_packets += 1
        if position >= 0 and len(self.late) < 50:
            self.late.append((position, timestamp, payload))

    def _put_odd(self, position: int, timestamp: int, payload: bytes, is_own: bool) -> None:
        """Packets of another length, or not on the grid: copied into the slots they cover."""
        if position < self._next * SLOT_BYTES:
            if position >= 0 or position + len(payload) <= 0:
                self._too_late(position, timestamp, payload)
                return
            payload, position = payload[-position:], 0
        taken = 0
        while taken < len(payload):
            index, inside = divmod(position + taken, SLOT_BYTES)
            part = payload[taken : taken + SLOT_BYTES - inside]
            slot = self._slots.get(index)
            if not isinstance(slot, bytearray):
                slot = self._slots[index] = bytearray(slot if slot is not None else self._silence)
            slot[inside : inside + len(part)] = part
            if is_own:
                self._own.add(index)
            taken += len(part)
