"""One recording while its call lasts: placed, marked, interleaved, encrypted, sealed, handed to the journal.

Left is what the customer says, right what is sent to the customer. What a newcomer gets wrong: time in the file is not
time of the call. Where the disk could not keep up, seconds are missing; the file goes on without them, a mark ``gap``
says how many, and everything that names a place in the file (marks, late packets) counts in the file's own time.
"""

from __future__ import annotations

import audioop
import hashlib
import math
import secrets
from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol

import _webrtcvad  # the C module behind webrtcvad: its wrapper costs a sixth of the call

from appliance.clock import Clock
from appliance.recorder import container, events, seal
from appliance.recorder.journal import Journal
from appliance.recorder.keys import Recipient
from appliance.recorder.segments import BODY, HEAD, SEAL
from appliance.recorder.settings import Recorder as Settings
from appliance.recorder.speech import FRAME_MS, Conversation
from appliance.recorder.timeline import SLOT_BYTES, Sound, Timeline
from appliance.recorder.wav import WAV_HEADER_BYTES, wav_header

SILENCE = {"PCMU": 0xFF, "PCMA": 0xD5}  # the zero of each law
VAD_MODE = 3  # RECORDING.md, "VAD in numbers": 99 % of speech, 4 % of the rest
TICK_SLOTS = 25  # a TICK record tells of half a second
TICK_BITS = (1 << TICK_SLOTS) - 1
LEVEL_STEP = 7  # a level is the power of every seventh sample: no tone of telephony is a multiple of 8000/7 Hz
WAITING_SLOTS = 500  # 10 s of sound wait for a disk that cannot keep up; what is older is missing

_TO_LINEAR = {"PCMU": audioop.ulaw2lin, "PCMA": audioop.alaw2lin}
_is_speech = _webrtcvad.process


class Owner(Protocol):
    """What a recording needs of the Recorder."""

    settings: Settings
    clock: Clock
    journal: Journal

    @property
    def recipients(self) -> tuple[Recipient, ...]: ...

    def tell(self, event: events.RecorderEvent) -> None: ...

    def stopped(self, live: LiveRecording) -> None: ...

    def why_congested(self) -> str: ...


class LiveRecording:
    """Made by ``Recorder.start``; all methods are called from the RTP thread.

    ``heard(timestamp, payload, now)`` takes a packet from the customer, with its raw RTP timestamp. It is the
    timeline's own method, without one of ours around it: it is called fifty times a second for every call.
    """

    heard: Callable[[int, bytes, float], None]

    def __init__(self, owner: Owner, recording: str, stream: str, law: str, about: bytes, now: float) -> None:
        self.recording = recording
        self.id = bytes.fromhex(recording)
        self.stream = stream
        self.is_stopped = False
        self.began_ms = int(now * 1000)
        self._owner = owner
        self._began = now
        self._to_linear = _TO_LINEAR[law]
        self._silence = bytes([SILENCE[law]]) * SLOT_BYTES
        self._left = Timeline(SILENCE[law], now)
        self._right = Timeline(SILENCE[law], now, self._left)
        self.heard = self._left.put
        self._vad_left = _vad()
        self._vad_right = _vad()
        self._speech = Conversation(owner.settings.left_talk_gap_ms, owner.settings.min_talk_ms)
        self._pending_left: list[Sound] = []
        self._pending_right: list[Sound] = []
        self._bits_left = self._bits_right = 0  # one bit for each pending slot, the oldest in bit 0
        self._counted = [0, 0, 0, 0, 0, 0]
        self._resyncs = 0
        self._slots = 0  # written
        self._missing_slots = 0
        self._unmarked_gap_slots = 0
        self._gap_reason = ""
        self._gap_end = 0  # in samples of the timeline
        self._file_key = secrets.token_bytes(container.FILE_KEY_BYTES)
        nonce = secrets.token_bytes(container.NONCE_BYTES)
        self._body = container.LiveBody(self._file_key, nonce)
        self._sealer = seal.Sealer(self.id, self._file_key, nonce)
        self._hash = hashlib.sha256()
        self._base_hash = self._hash.copy()
        self._seal_hash = hashlib.sha256()
        self._body_bytes = 0
        self._border = container.NONCE_BYTES
        self._seal_bytes = 0
        self._digest = b""
        journal = owner.journal
        journal.create(self.id)
        journal.put(self.id, HEAD, 0, container.head(owner.recipients, self._file_key))
        self._append_body(nonce)
        self._append_seal(seal.MAGIC)
        self._append_body(self._body.feed(wav_header(law)))
        self._record(seal.Type.START, about)

    # The hot path ---------------------------------------------------------------------------------------------------

    def sent(self, timestamp: int, payload: bytes, is_own: bool, now: float) -> None:
        """A packet to the customer; ``is_own`` for prompts, music and digits, which are never marked as speech."""
        self._right.put(timestamp, payload, now, is_own)

    def resync_heard(self) -> None:
        self._left.resync()

    def resync_sent(self) -> None:
        self._right.resync()

    def mask(self, now: float, milliseconds: int) -> None:
        """No speech on either side from here on for so long."""
        self._left.mask(now, milliseconds)
        self._right.mask(now, milliseconds)

    def mark(self, kind: str, detail: str, now: float) -> None:
        """A mark in the timeline (hold, resume, transfer, ...)."""
        if not self.is_stopped:
            at_ms = int((now - self._began) * 1000) - self._missing_slots * FRAME_MS
            self._mark({"at_ms": max(0, at_ms), "detail": detail[:200], "kind": kind[:40]})

    def stop(self, now: float) -> None:
        """Takes what is there up to now; its end follows in one of the next ticks, Sealed when it is kept."""
        if self.is_stopped:
            return
        self.settle(now)
        self.is_stopped = True
        self._owner.stopped(self)

    # Flat work ------------------------------------------------------------------------------------------------------

    def settle(self, until: float) -> None:
        """Takes the slots whose time has come and marks speech in them."""
        left, left_masked, left_filled = self._left.settle(until)
        right, right_own, right_filled = self._right.settle(until)
        count = len(left)
        if not count:
            return
        speaks = self._voiced(self._vad_left, left, left_masked | left_filled)
        answers = self._voiced(self._vad_right, right, right_own | right_filled)
        before = len(self._pending_left)
        self._bits_left |= speaks << before
        self._bits_right |= answers << before
        self._pending_left += left
        self._pending_right += right
        conversation = self._speech
        all_own = right_own == (1 << count) - 1
        if not (speaks or answers) and (all_own or not right_own) and conversation.is_quiet:  # nearly half the time
            conversation.quiet(count, all_own)
            return
        for bit in range(count):
            if conversation.frame(bool(speaks >> bit & 1), bool(answers >> bit & 1), bool(right_own >> bit & 1)):
                self._tell_speech()

    def _voiced(self, vad: object, sounds: list[Sound], skipped: int) -> int:
        """One bit for each slot that holds speech; skipped ones and digital silence do not, and cost nothing."""
        if skipped == (1 << len(sounds)) - 1:
            return 0
        voiced = 0
        bit = 1
        to_linear, silence = self._to_linear, self._silence
        for sound in sounds:
            if not skipped & bit and sound != silence and _is_speech(vad, 8000, to_linear(sound, 2), SLOT_BYTES):
                voiced |= bit
            bit <<= 1
        return voiced

    def flush(self) -> None:
        """Encrypts and seals what is settled, half second by half second, and gives it to the journal."""
        if self._unmarked_gap_slots:
            self._mark_gap()
        while self._pending_left:
            self._flush_tick()
        if self._left.late or self._right.late:
            self._seal_late()
        resyncs = self._left.resyncs + self._right.resyncs
        if resyncs != self._resyncs:
            self._resyncs = resyncs
            self._mark({"at_ms": self._slots * FRAME_MS, "kind": "resync"})

    def drop_excess(self) -> None:
        """The disk cannot keep up: sound waits for ten seconds, then the oldest is missing, and counted."""
        excess = len(self._pending_left) - WAITING_SLOTS
        if excess <= 0:
            return
        del self._pending_left[:excess], self._pending_right[:excess]
        self._bits_left >>= excess
        self._bits_right >>= excess
        self._missing_slots += excess
        self._unmarked_gap_slots += excess
        self._gap_end = (self._slots + self._missing_slots) * SLOT_BYTES
        self._gap_reason = self._owner.why_congested()
        self._owner.tell(events.Gap(self.recording, self._gap_reason, excess * FRAME_MS))

    def forget(self) -> None:
        """Wipes every key: from now on nothing on this machine can open the recording."""
        self._body.forget()
        container.wipe(self._sealer.close())
        container.wipe(self._file_key)

    def end(self) -> bool:
        """Writes the end, once the files hold all that was flushed. False where the body is not what was written.

        Afterwards no key is left, either way; without its end the recording is recovered at the next start.
        """
        offset = self._body.open_offset
        open_chunk = self._owner.journal.read(self.id, BODY, offset, self._body_bytes - offset)
        whole = self._base_hash.copy()
        whole.update(open_chunk)
        if whole.digest() != self._hash.digest():
            self.forget()
            return False
        sealed = self._body.final(open_chunk)
        whole = self._base_hash.copy()
        whole.update(sealed)
        self._digest = whole.digest()
        self._body_bytes = offset + len(sealed)
        summary = {
            "milliseconds": self._slots * FRAME_MS,
            "missing_ms": self._missing_slots * FRAME_MS,
            **asdict(self._speech.talk),
        }
        # The seal before the body: a journal torn between the two leaves a body that its last TICK still fits.
        self._append_seal(self._sealer.record(seal.Type.END, seal.canonical(summary), self._body_bytes, self._digest))
        self._owner.journal.put(self.id, BODY, offset, sealed)
        container.wipe(self._sealer.close())
        container.wipe(self._file_key)
        self._owner.journal.finish(self.id)
        return True

    def sealed(self, folder: str) -> events.Sealed:
        """What is to be told when the recording is durable and kept."""
        return events.Sealed(
            recording=self.recording,
            state="sealed",
            folder=folder,
            body_bytes=self._body_bytes,
            body_sha256=self._digest.hex(),
            seal_sha256=self._seal_hash.hexdigest(),
            milliseconds=self._slots * FRAME_MS,
            filled_milliseconds=self._left.filled_slots * FRAME_MS,
            missing_milliseconds=self._missing_slots * FRAME_MS,
            talk=self._speech.talk,
        )

    # Inside ---------------------------------------------------------------------------------------------------------

    def _flush_tick(self) -> None:
        left, right = b"".join(self._pending_left[:TICK_SLOTS]), b"".join(self._pending_right[:TICK_SLOTS])
        speech_left, speech_right = self._bits_left & TICK_BITS, self._bits_right & TICK_BITS
        del self._pending_left[:TICK_SLOTS], self._pending_right[:TICK_SLOTS]
        self._bits_left >>= TICK_SLOTS
        self._bits_right >>= TICK_SLOTS
        self._slots += len(left) // SLOT_BYTES
        stereo = bytearray(2 * len(left))
        stereo[0::2] = left
        stereo[1::2] = right
        self._append_body(self._body.feed(stereo))
        clock = self._owner.clock
        tick = seal.Tick(
            plain_bytes=WAV_HEADER_BYTES + self._slots * 2 * SLOT_BYTES,
            utc_ms=clock.utc_ms(),
            monotonic_ms=int(clock.monotonic() * 1000),
            clock_quality=0,
            left=self._channel(self._left, left, speech_left, 0),
            right=self._channel(self._right, right, speech_right, 3),
        )
        self._record(seal.Type.TICK, tick.encode())

    def _seal_late(self) -> None:
        """Late packets go into the seal, with their place in the file; those of a gap have none."""
        missing = self._missing_slots * SLOT_BYTES
        for number, timeline in enumerate((self._left, self._right)):
            for position, timestamp, sound in timeline.take_late():
                if position >= self._gap_end:
                    self._record(seal.Type.LATE, seal.encode_late(number, position - missing, timestamp, sound))

    def _mark_gap(self) -> None:
        self._mark(
            {
                "at_ms": self._slots * FRAME_MS,
                "detail": self._gap_reason,
                "kind": "gap",
                "milliseconds": self._unmarked_gap_slots * FRAME_MS,
            }
        )
        self._unmarked_gap_slots = 0

    def _mark(self, content: dict[str, str | int]) -> None:
        self._record(seal.Type.MARK, seal.canonical(content))

    def _tell_speech(self) -> None:
        at_ms = int(self._owner.clock.monotonic() * 1000)
        speaking = self._speech.left.is_speaking
        self._owner.tell(
            events.SpeechStarted(self.stream, at_ms) if speaking else events.SpeechEnded(self.stream, at_ms)
        )

    def _channel(self, timeline: Timeline, sound: bytes, speech: int, counted: int) -> seal.Channel:
        """What one direction was since the last tick."""
        before = self._counted
        packets = timeline.packets - before[counted]
        late = timeline.late_packets - before[counted + 1]
        filled = timeline.filled_slots - before[counted + 2]
        before[counted : counted + 3] = [timeline.packets, timeline.late_packets, timeline.filled_slots]
        return seal.Channel(
            timestamp=timeline.timestamp,
            packets=packets,
            lost=filled,
            late=late,
            filled_samples=filled * SLOT_BYTES,
            level_dbov=_level_dbov(audioop.rms(self._to_linear(sound[::LEVEL_STEP], 2), 2)),
            speech=speech,
        )

    def _record(self, kind: seal.Type, payload: bytes) -> None:
        self._append_seal(self._sealer.record(kind, payload, self._body_bytes, self._hash.digest()))

    def _append_seal(self, data: bytes) -> None:
        self._owner.journal.put(self.id, SEAL, self._seal_bytes, data)
        self._seal_bytes += len(data)
        self._seal_hash.update(data)

    def _append_body(self, data: bytes) -> None:
        """Puts bytes of the body, and keeps the hash of all before the open chunk (which the end writes anew)."""
        if not data:
            return
        self._owner.journal.put(self.id, BODY, self._body_bytes, data)
        if self._body_bytes + len(data) < self._border:  # nearly always
            self._hash.update(data)
            self._body_bytes += len(data)
            return
        start = 0
        while start < len(data):
            part = data[start : start + self._border - self._body_bytes]
            self._hash.update(part)
            self._body_bytes += len(part)
            start += len(part)
            if self._body_bytes == self._border:  # the nonce, or the chunk that grew, ends here
                self._base_hash = self._hash.copy()
                self._border += container.SEALED_CHUNK_BYTES


def _vad() -> object:
    vad = _webrtcvad.create()
    _webrtcvad.init(vad)
    _webrtcvad.set_mode(vad, VAD_MODE)
    return vad


def _level_dbov(rms: int) -> int:
    """Level against full scale of 16 bits, 0 to -127 (RFC 6465 counts the same way)."""
    return max(-127, round(20 * math.log10(rms / 32768))) if rms else -127
