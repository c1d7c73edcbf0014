"""One direction of a recording on the box's own clock: where each packet's sound belongs.

Slots of 20 ms are placed by RTP timestamp, anchored at the first packet, so that jitter never moves speech; a missing
slot becomes the law's silence and is counted as filled. What a newcomer gets wrong: the far clock drifts, and packets
may come in a burst after a stall. So the grid is anchored anew (``resyncs`` counts it) only where packets have been
astray for a stretch of time, however many they were: a burst is over in a moment, a drift or a sender's jump is not.
The two directions of a call come at different moments within a slot; a grid leans towards that of the other direction,
so that question and answer lie at most half a slot from where they were heard.
"""

from __future__ import annotations

SLOT_BYTES = 160  # 20 ms of G.711 at 8 kHz
SAMPLES_PER_SECOND = 8_000
SLOTS_PER_SECOND = 50
DRIFT_SAMPLES = 320  # 40 ms between arrival and place is astray (RECORDING.md, "Time stays true")
DRIFT_PATIENCE = 8_000  # 1 s astray: the far clock, or a longer way
JUMP_SAMPLES = 8_000  # beyond 1 s it is hardly the way any more:
JUMP_PATIENCE = 800  # then 100 ms of it will do
AHEAD_SAMPLES = 40_000  # 5 s: certainly a jump of the sender's
LATE_KEPT = 200  # 4 s of late packets in one half second
FILLED_MASK = (1 << 1000) - 1  # 20 s of slots: a packet later than that is not worth a place

Sound = bytes | bytearray

_HALF = 1 << 31
_WHOLE = 1 << 32


class Timeline:
    """``put`` is the hot path; ``settle`` hands over slots in order, once, when their time has come.

    All times are the caller's monotonic seconds; ``began`` is where the first slot begins.
    """

    __slots__ = (
        "_anchor",
        "_astray_since",
        "_began",
        "_beside",
        "_filled",
        "_next",
        "_own",
        "_phase",
        "_silence",
        "_slots",
        "filled_slots",
        "late",
        "late_packets",
        "packets",
        "resyncs",
        "timestamp",
    )

    def __init__(self, silence: int, began: float = 0.0, beside: Timeline | None = None) -> None:
        self._silence = bytes([silence]) * SLOT_BYTES
        self._began = began
        self._slots: dict[int, Sound] = {}
        self._own: set[int] = set()
        self._next = 0  # the first slot not handed over yet
        self._beside = beside
        self._phase: float | None = None  # by how much the anchor's packet came after its place, in samples
        self._anchor: int | None = None  # timestamp of the sample at position 0, modulo 2**32
        self._astray_since: float | None = None
        self._filled = (
            0  # a bit for each of the last slots handed over (bit 0: the very last): only silence stands there
        )
        self.packets = 0
        self.filled_slots = 0
        self.late_packets = 0
        self.resyncs = 0
        self.timestamp = 0  # of the last packet
        self.late: list[tuple[int, int, bytes]] = []  # position in samples, timestamp, sound: of slots already written

    def put(self, timestamp: int, payload: bytes, now: float, is_own: bool = False) -> None:
        """Places one packet that arrived just now."""
        self.packets += 1
        self.timestamp = timestamp
        here = (now - self._began) * SAMPLES_PER_SECOND
        anchor = self._anchor
        if anchor is None:
            anchor = self._anchored(timestamp, here)
        position = (timestamp - anchor) & 0xFFFFFFFF
        if not -DRIFT_SAMPLES <= here - position <= DRIFT_SAMPLES:
            position = self._astray(timestamp, position, here)
        elif self._astray_since is not None:
            self._astray_since = None
        index = position // SLOT_BYTES
        if index * SLOT_BYTES != position or len(payload) != SLOT_BYTES:
            self._put_odd(position, timestamp, payload, is_own)
        elif index < self._next:
            self._too_late(position, timestamp, payload)
        else:
            self._slots[index] = payload
            if is_own:
                self._own.add(index)

    def mask(self, now: float, milliseconds: int) -> None:
        """No speech is marked from here on for so long (a digit, or its echo)."""
        first = int((now - self._began) * SLOTS_PER_SECOND)
        self._own.update(range(first, first + milliseconds // 20 + 1))

    def resync(self) -> None:
        """A new source: its next packet gives the anchor."""
        self._anchor = None

    def settle(self, until: float) -> tuple[list[Sound], int, int]:
        """The slots up to ``until``, in order; which are our own or masked, and which only filled in (bit 0: first)."""
        first, end = self._next, int((until - self._began) * SLOTS_PER_SECOND)
        if end <= first:
            return [], 0, 0
        pop = self._slots.pop
        sounds = [pop(index, self._silence) for index in range(first, end)]
        self._next = end
        own_bits = filled_bits = 0
        self._filled = self._filled << len(sounds) & FILLED_MASK
        silence = self._silence
        for bit, sound in enumerate(sounds):
            if sound is silence:
                filled_bits |= 1 << bit
                self._filled |= 1 << len(sounds) - 1 - bit
        if filled_bits:
            self.filled_slots += filled_bits.bit_count()
        if self._own:
            for index in range(first, end):
                if index in self._own:
                    self._own.discard(index)
                    own_bits |= 1 << index - first
        return sounds, own_bits, filled_bits

    def take_late(self) -> list[tuple[int, int, bytes]]:
        late, self.late = self.late, []
        return late

    def _anchored(self, timestamp: int, here: float) -> int:
        """The first packet lies at the slot nearest to its arrival, never before what was written already."""
        near = self._beside._phase if self._beside is not None else None
        slot = round((here - near) / SLOT_BYTES) if near is not None else round(here / SLOT_BYTES)
        if abs(here - slot * SLOT_BYTES) > SLOT_BYTES:
            slot = round(here / SLOT_BYTES)
        slot = max(slot, self._next)
        self._phase = here - slot * SLOT_BYTES
        self._anchor = (timestamp - slot * SLOT_BYTES) & 0xFFFFFFFF
        self._astray_since = None
        return self._anchor

    def _astray(self, timestamp: int, position: int, here: float) -> int:
        """The place of a packet far from where it arrived: its own, unless packets are astray for too long."""
        if position >= _HALF:
            position -= _WHOLE
        offset = abs(here - position)
        if offset <= DRIFT_SAMPLES:
            return position
        if self._astray_since is None:
            self._astray_since = here
        patience = JUMP_PATIENCE if offset > JUMP_SAMPLES else DRIFT_PATIENCE
        if offset <= AHEAD_SAMPLES and here - self._astray_since < patience:
            return position
        self.resyncs += 1
        return (timestamp - self._anchored(timestamp, here)) & 0xFFFFFFFF

    def _too_late(self, position: int, timestamp: int, payload: bytes) -> None:
        """Kept only where silence stands for it: a double, or a sender gone astray, must not cover what is right."""
        self.late_packets += 1
        bit = self._next - 1 - position // SLOT_BYTES
        if self._filled >> bit & 1 and len(self.late) < LATE_KEPT:
            self._filled ^= 1 << bit
            self.late.append((position, timestamp, payload))

    def _put_odd(self, position: int, timestamp: int, payload: bytes, is_own: bool) -> None:
        """Packets of another length, or not on the grid: copied into the slots they cover."""
        missed = self._next * SLOT_BYTES - position
        if missed > 0:
            if position >= 0:
                self._too_late(position, timestamp, payload[:missed])
            payload, position = payload[missed:], position + missed
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
