"""The loop that carries the voices: one client (calls), one engine, a slot every 5 ms on an absolute clock.

It drains its sockets, sends a quarter of the streams' frames in each slot, and never waits for anything but the next
slot. What calls must hear of recordings waits for it while it is away.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import secrets
import select
import socket
import time
from collections import deque
from pathlib import Path

import msgspec

from appliance import service
from appliance.clock import SystemClock
from appliance.media import port
from appliance.media.engine import SLOTS, Engine
from appliance.media.outbox import Outbox
from appliance.media.settings import Media
from appliance.recorder.custody import Custody
from appliance.recorder.live import Recorder

SLOT_SECONDS = 0.005
LATE_SECONDS = 0.01  # a slot that begins later than this is counted
BEHIND_SECONDS = 0.06  # beyond it frames are skipped, not caught up
ORPHAN_SECONDS = 10.0  # how long streams live on without calls (DECISIONS 26)
FULL_SHARE = 0.85
FULL_LATE_SLOTS = 50  # of the 200 in a second: the machine has no time for this process
MOST_KEPT = 20_000  # events that wait while calls is away

_log = logging.getLogger(__name__)
_decoder: msgspec.msgpack.Decoder[port.Command] = msgspec.msgpack.Decoder(port.Command)
_encoder = msgspec.msgpack.Encoder()
_event_decoder: msgspec.msgpack.Decoder[port.Event] = msgspec.msgpack.Decoder(port.Event)

KEPT = (port.RecordingSealed, port.RecordingGap)  # what calls must hear of, however late


class Loop:
    """The child's loop: one client (calls), one engine."""

    def __init__(
        self, listener: socket.socket, media: Media, recorder: Recorder, prompts: tuple[Path, ...], clock: SystemClock
    ) -> None:
        self.birth = secrets.token_hex(8)
        self._listener = listener
        self._media = media
        self._recorder = recorder
        self._clock = clock
        self._poll = select.epoll()
        self._poll.register(listener.fileno(), select.EPOLLIN)
        self._engine = Engine(media, recorder, prompts, clock, self._poll, self._tell)
        self._client: socket.socket | None = None
        self._outbox = Outbox()
        self._keep: deque[port.Event] = deque(maxlen=MOST_KEPT)  # what calls must hear, while it is away
        self._orphans_at: float | None = None
        self._is_stopping = False
        self._is_watched = "WATCHDOG_USEC" in os.environ  # by systemd; once a second is often enough for any period
        self._late_slots = self._late_told = 0
        self._skipped = 0
        self._busy = 0.0
        self._second_began = clock.monotonic()
        self._refusal = recorder.refusal

    def stop(self, _number: int, _frame: object) -> None:
        self._is_stopping = True

    def run(self) -> None:
        """Until told to stop; then everything is sealed."""
        now = self._clock.monotonic()
        slot_at, number = now + SLOT_SECONDS, 0
        while not self._is_stopping:
            now = self._clock.monotonic()
            if now < slot_at:
                time.sleep(slot_at - now)
                now = self._clock.monotonic()
            elif now - slot_at > LATE_SECONDS:
                self._late_slots += 1
                if now - slot_at > BEHIND_SECONDS:
                    frames = int((now - slot_at) / (SLOT_SECONDS * SLOTS))
                    self._engine.skip(frames)
                    self._skipped += frames * len(self._engine.streams)
                    slot_at += frames * SLOT_SECONDS * SLOTS
            for descriptor in self._engine.drain(self._poll.poll(0, 4096), now):
                self._heard(descriptor, now)
            self._engine.slot(number, now)
            if self._outbox.is_waiting:
                self._flush()
            number = (number + 1) % SLOTS
            slot_at += SLOT_SECONDS
            self._busy += self._clock.monotonic() - now
            if now - self._second_began >= 1.0:
                self._each_second(now)
        self._end()

    # Calls ------------------------------------------------------------------------------------------------------------

    def _heard(self, descriptor: int, now: float) -> None:
        if descriptor == self._listener.fileno():
            with contextlib.suppress(BlockingIOError):
                self._welcome(self._listener.accept()[0])
        elif self._client is not None and descriptor == self._client.fileno():
            self._read(now)

    def _welcome(self, client: socket.socket) -> None:
        """A new client takes the place of the old one: there is one calls process."""
        self._farewell()
        client.setblocking(False)
        self._client = client
        self._orphans_at = None
        self._poll.register(client.fileno(), select.EPOLLIN)
        self._tell(self._hello())
        kept, self._keep = list(self._keep), deque(maxlen=MOST_KEPT)
        for event in kept:
            self._tell(event)

    def _hello(self) -> port.Hello:
        refusal = self._recorder.refusal
        return port.Hello(
            version=port.VERSION,
            birth=self.birth,
            can_record=not refusal,
            refusal=refusal,
            streams=tuple(self._engine.streams),
            max_streams=self._media.max_streams,
            sealing=sealing_of(self._recorder.custody),
        )

    def _farewell(self) -> None:
        if self._client is not None:
            self._poll.unregister(self._client.fileno())
            self._client.close()
            self._client = None
            for data in self._outbox.left:
                event = _event_decoder.decode(data)
                if isinstance(event, KEPT):
                    self._keep.append(event)
            self._outbox = Outbox()
            self._orphans_at = self._clock.monotonic() + ORPHAN_SECONDS

    def _read(self, now: float) -> None:
        for _ in range(64):
            assert self._client is not None
            try:
                data = self._client.recv(port.MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._farewell()
                return
            try:
                command = _decoder.decode(data)
            except msgspec.MsgspecError as error:
                _log.error("calls said something that is not understood: %s", error)
                continue
            self._engine.carry_out(command, now)

    def _tell(self, event: port.Event) -> None:
        is_sent = self._client is not None and self._outbox.send(self._client, _encoder.encode(event))
        if not is_sent and isinstance(event, KEPT):
            self._keep.append(event)

    def _flush(self) -> None:
        if self._client is not None:
            self._outbox.flush(self._client)

    # Each second ------------------------------------------------------------------------------------------------------

    def _each_second(self, now: float) -> None:
        if self._is_watched:
            service.notify("WATCHDOG=1")
        share = self._busy / (now - self._second_began)
        engine = self._engine
        late, self._late_told = self._late_slots - self._late_told, self._late_slots
        is_full = share > FULL_SHARE or late > FULL_LATE_SLOTS or len(engine.streams) >= self._media.max_streams
        self._tell(
            port.Load(
                share=round(share, 3),
                late_ticks=self._late_slots,
                skipped_frames=self._skipped,
                streams=len(engine.streams),
                recordings=self._recorder.open_recordings,
                accepts=not is_full,
                commit_p99_ms=self._recorder.commit_p99_ms,
                bad_packets=engine.bad_packets + sum(stream.refused for stream in engine.streams.values()),
            )
        )
        self._busy, self._second_began = 0.0, now
        if self._recorder.refusal != self._refusal and self._client is not None:
            self._refusal = self._recorder.refusal
            self._tell(self._hello())
        if self._orphans_at is not None and now >= self._orphans_at:
            self._orphans_at = None
            engine.close_all("orphan", now)
        if share < 0.3:
            gc.collect(0)

    def _end(self) -> None:
        now = self._clock.monotonic()
        self._engine.close_all("asked", now)
        self._recorder.close(now)
        self._engine.tell_recorder()
        self._flush()
        self._farewell()


def sealing_of(custody: Custody) -> port.Sealing:
    """Whom the recorder seals to, as it is told to calls."""
    known = custody.signed
    if known is None:
        return port.Sealing(tuple(recipient.fingerprint for recipient in custody.recipients))
    members = tuple(f"{each.role} {each.name} {each.recipient.fingerprint}" for each in known.members)
    return port.Sealing(members, known.version, known.signed_by, tuple(sorted(known.signers)))
