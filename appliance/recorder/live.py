"""Recordings while their calls last: what the media process's loop hands over, sealed half second by half second.

All methods are called from the RTP thread and must be cheap and flat: sound is placed as it comes (timeline.py), a
fifth of the recordings is looked at for speech in every tick, and each half second all are sealed within 100 ms, just
before the journal commits them. Only the journal's writes run in threads.
"""

from __future__ import annotations

import audioop
import hashlib
import logging
import os
import secrets
import threading
from collections import deque
from pathlib import Path

import _webrtcvad  # the C module behind webrtcvad: its wrapper costs a sixth of the call

from appliance.clock import Clock
from appliance.errors import Problem
from appliance.recorder import container, events, reading, recovery, seal
from appliance.recorder.events import RecorderEvent
from appliance.recorder.journal import BODY, HEAD, SEAL, Committed, Disk, Finished, Journal, WriteFailed
from appliance.recorder.keys import Recipient, load_recipients
from appliance.recorder.settings import Recorder as Settings
from appliance.recorder.speech import FRAME_MS, Conversation
from appliance.recorder.timeline import SLOT_BYTES, Timeline
from appliance.recorder.wav import WAV_HEADER_BYTES, wav_header

SILENCE = {"PCMU": 0xFF, "PCMA": 0xD5}  # the zero of each law
TICKS_PER_LOOK = 5  # each recording is looked at for speech every 100 ms
SEAL_TICKS = 5  # all recordings are sealed within so many ticks before a commit
VAD_MODE = 3
SPACE_EVERY_SECONDS = 1.0
COMMITS_REMEMBERED = 400

_log = logging.getLogger(__name__)
_TO_LINEAR = {"PCMU": audioop.ulaw2lin, "PCMA": audioop.alaw2lin}
_is_speech = _webrtcvad.process


class Recorder:
    """One per media process. ``folder`` is the box's data folder: live/, kept/, journal/, keys/recipients.txt."""

    def __init__(self, settings: Settings, folder: Path, clock: Clock, disk: Disk | None = None) -> None:
        self.settings = settings
        self.clock = clock
        self.live = folder / "live"
        self.kept = folder / "kept"
        for each in (self.live, self.kept, folder / "journal"):
            each.mkdir(parents=True, exist_ok=True)
        self.refusal = ""
        self.recipients: tuple[Recipient, ...] = ()
        self._load_recipients(folder / "keys" / "recipients.txt")
        self._events: deque[RecorderEvent] = deque()
        self._recordings: dict[str, LiveRecording] = {}
        self._closing: dict[bytes, LiveRecording] = {}
        self._unstarted: list[tuple[int, LiveRecording]] = []
        self._commits: deque[float] = deque(maxlen=COMMITS_REMEMBERED)
        self._batch = 1
        self._tick = 0
        self._ticks_per_commit = max(SEAL_TICKS + 1, round(settings.commit_seconds * 50))
        self._due: list[LiveRecording] = []
        self._look: list[LiveRecording] = []
        self._space_at = 0.0
        self._failure = ""
        dead = recovery.dirty_folders(folder / "journal")
        left = recovery.live_recordings(self.live)
        self.journal = Journal(
            recovery.fresh_folder(folder / "journal"),
            self.live,
            self.kept,
            settings.segment_bytes,
            clock.monotonic,
            disk,
        )
        self._recovery = threading.Thread(target=self._recover, args=(dead, left), name="recovery", daemon=True)
        self._recovery.start()
        self._watch_space(clock.monotonic())

    def start(
        self,
        recording: str,
        stream: str,
        law: str,
        conversation: str,
        part: int,
        consent: str,
        manifest: str,
        now: float,
    ) -> LiveRecording | str:
        """A new recording, or the key of messages that says why not."""
        if not consent:
            return "recorder.no_consent"
        if self.refusal:
            return self.refusal
        about = {
            "version": 1,
            "recording": recording,
            "conversation": conversation,
            "part": part,
            "consent": consent,
            "law": law,
            "left": "customer",
            "right": "sent to the customer",
            "recipients": [recipient.fingerprint for recipient in self.recipients],
            "utc_ms": self.clock.utc_ms(),
            "monotonic_ms": int(now * 1000),
            "manifest": manifest,
        }
        live = LiveRecording(self, recording, stream, law, seal.canonical(about), now)
        self._recordings[recording] = live
        self._unstarted.append((self._batch, live))
        return live

    def tick(self, now: float) -> None:
        """Once every 20 ms: a share of the work."""
        self._tick += 1
        phase = self._tick % self._ticks_per_commit
        if self._tick % TICKS_PER_LOOK == 0:
            self._look = list(self._recordings.values())
        self._look_at(self._tick % TICKS_PER_LOOK, now)
        sealing = phase - (self._ticks_per_commit - SEAL_TICKS)
        if sealing == 0:
            self._due = list(self._recordings.values())
        if sealing >= 0:
            self._seal(sealing, now)
        if phase == self._ticks_per_commit - 1:
            self.journal.hand_over()
            self._batch += 1
        if self.journal.notices:
            self._read_notices()
        if now >= self._space_at:
            self._watch_space(now)

    def take_events(self) -> list[RecorderEvent]:
        taken: list[RecorderEvent] = []
        while self._events:
            taken.append(self._events.popleft())
        return taken

    @property
    def open_recordings(self) -> int:
        return len(self._recordings)

    @property
    def commit_p99_ms(self) -> float:
        """Of the last commits; above 150 the promise of one second is in danger."""
        ordered = sorted(self._commits)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 1) if ordered else 0.0

    def close(self, now: float) -> None:
        """The orderly end of the process: everything is sealed, durable and kept."""
        for live in list(self._recordings.values()):
            live.stop(now)
        self.journal.close()
        self._read_notices()
        self._recovery.join()

    # What a LiveRecording tells -------------------------------------------------------------------------------------

    def tell(self, event: RecorderEvent) -> None:
        self._events.append(event)

    def stopped(self, live: LiveRecording) -> None:
        if self._recordings.pop(live.recording, None) is not None:
            self._closing[live.id] = live

    def why_congested(self) -> str:
        return self._failure or "overflow"

    # Inside ---------------------------------------------------------------------------------------------------------

    def _look_at(self, share: int, now: float) -> None:
        until = now - self.settings.hold_seconds
        for live in self._look[share::TICKS_PER_LOOK]:
            if not live.is_stopped:
                live.settle(until)

    def _seal(self, share: int, now: float) -> None:
        if self.journal.is_congested:
            for live in self._due[share::SEAL_TICKS]:
                live.wait_or_drop(now)
            return
        until = now - self.settings.hold_seconds
        for live in self._due[share::SEAL_TICKS]:
            if not live.is_stopped:
                live.settle(until)
                live.flush()

    def _read_notices(self) -> None:
        while self.journal.notices:
            match self.journal.notices.popleft():
                case Committed(number, seconds) as committed:
                    self.journal.settled(committed)
                    self._commits.append(seconds)
                    self._failure = ""
                    self._tell_started(number)
                case Finished(recording):
                    live = self._closing.pop(recording, None)
                    if live is not None:
                        self._events.append(live.sealed(str(self.kept)))
                case WriteFailed(reason):
                    self._failure = "no_space" if reason in ("ENOSPC", "EDQUOT") else "write_failed"

    def _tell_started(self, number: int) -> None:
        durable = [live for batch, live in self._unstarted if batch <= number]
        if durable:
            self._unstarted = [(batch, live) for batch, live in self._unstarted if batch > number]
            for live in durable:
                self._events.append(events.Started(live.recording, live.stream, live.began_ms))

    def _load_recipients(self, file: Path) -> None:
        try:
            self.recipients = load_recipients(file)
        except Problem as problem:
            _log.error("recipients not usable: %s", problem)
            self._no_key = "recorder.bad_owner_key"
        else:
            self._no_key = "" if self.recipients else "recorder.no_owner_key"
        self.refusal = self._no_key

    def _watch_space(self, now: float) -> None:
        """New recordings are refused below the floor; those under way go on as long as they can."""
        self._space_at = now + SPACE_EVERY_SECONDS
        space = os.statvfs(self.live)
        is_low = space.f_bavail * space.f_frsize < self.settings.floor_bytes
        if is_low or self._failure == "no_space":
            self.refusal = self._no_key or "recorder.no_space"
        else:
            self.refusal = self._no_key or ("recorder.write_failed" if self._failure else "")

    def _recover(self, folders: list[Path], recordings: list[bytes]) -> None:
        for found in recovery.run(folders, self.live, self.kept, recordings):
            self._events.append(
                events.Sealed(
                    recording=found.recording.hex(),
                    state=found.state,
                    folder=str(self.kept),
                    body_bytes=found.body_bytes,
                    body_sha256=found.body_sha256,
                    seal_sha256=found.seal_sha256,
                    milliseconds=reading.milliseconds_of(found.body_bytes, found.state == "sealed"),
                    filled_milliseconds=0,
                    missing_milliseconds=0,
                    left_talk_ms=0,
                    right_talk_ms=0,
                    overtalk_ms=0,
                    dead_air_ms=0,
                )
            )


class LiveRecording:
    """One recording of one stream. Left is what the customer says, right what is sent to the customer."""

    def __init__(self, owner: Recorder, recording: str, stream: str, law: str, about: bytes, now: float) -> None:
        self.recording = recording
        self.id = bytes.fromhex(recording)
        self.stream = stream
        self.is_stopped = False
        self.began_ms = int(now * 1000)
        self._owner = owner
        self._law = law
        self._began = now
        self._silence = bytes([SILENCE[law]])
        self._to_linear = _TO_LINEAR[law]
        self._left = Timeline(SILENCE[law])
        self._right = Timeline(SILENCE[law])
        self._vad_left = _vad()
        self._vad_right = _vad()
        self._speech = Conversation(owner.settings.left_talk_gap_ms, owner.settings.min_talk_ms)
        self._pending_left: list[bytes] = []
        self._pending_right: list[bytes] = []
        self._bits_left = self._bits_right = 0
        self._bit = 0
        self._counted = [0, 0, 0, 0, 0, 0]
        self._resyncs = 0
        self._missing_ms = 0
        self._slots = 0
        self._file_key = secrets.token_bytes(container.FILE_KEY_BYTES)
        nonce = secrets.token_bytes(container.NONCE_BYTES)
        self._body = container.LiveBody(self._file_key, nonce)
        self._sealer = seal.Sealer(self.id, self._file_key, nonce)
        self._hash = hashlib.sha256()
        self._base_hash = self._hash.copy()
        self._seal_hash = hashlib.sha256()
        self._body_bytes = 0
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

    def heard(self, timestamp: int, payload: bytes, now: float) -> None:
        """A packet from the customer; ``timestamp`` is its raw RTP timestamp."""
        self._left.put(timestamp, payload, now - self._began)

    def sent(self, timestamp: int, payload: bytes, is_own: bool, now: float) -> None:
        """A packet to the customer; ``is_own`` for prompts, music and digits, which are never marked as speech."""
        self._right.put(timestamp, payload, now - self._began, is_own)

    def resync_heard(self) -> None:
        self._left.resync()

    def resync_sent(self) -> None:
        self._right.resync()

    def mask(self, now: float, milliseconds: int) -> None:
        """No speech on either side from here on for so long."""
        self._left.mask(now - self._began, milliseconds)
        self._right.mask(now - self._began, milliseconds)

    def mark(self, kind: str, detail: str, now: float) -> None:
        """A mark in the timeline (hold, resume, transfer, gap, ...)."""
        if not self.is_stopped:
            content = {"at_ms": int((now - self._began) * 1000), "detail": detail[:200], "kind": kind[:40]}
            self._record(seal.Type.MARK, seal.canonical(content))

    def stop(self, now: float) -> None:
        """Seals what is there up to now and closes the recording; Sealed follows when it is durable."""
        if self.is_stopped:
            return
        self.settle(now)
        self.flush()
        self.is_stopped = True
        offset, sealed = self._body.final()
        whole = self._base_hash.copy()
        whole.update(sealed)
        self._digest = whole.digest()
        self._body_bytes = offset + len(sealed)
        self._owner.journal.put(self.id, BODY, offset, sealed)
        summary = {
            "dead_air_ms": self._speech.dead_air_ms,
            "left_talk_ms": self._speech.left.talk_ms,
            "milliseconds": self._slots * FRAME_MS,
            "missing_ms": self._missing_ms,
            "overtalk_ms": self._speech.overtalk_ms,
            "right_talk_ms": self._speech.right.talk_ms,
        }
        self._append_seal(self._sealer.record(seal.Type.END, seal.canonical(summary), self._body_bytes, self._digest))
        container.wipe(self._sealer.close())
        container.wipe(self._file_key)
        self._owner.journal.finish(self.id)
        self._owner.stopped(self)

    # Flat work ------------------------------------------------------------------------------------------------------

    def settle(self, until: float) -> None:
        """Takes the slots whose time has come and marks speech in them."""
        elapsed = until - self._began
        left, right = self._left.settle(elapsed), self._right.settle(elapsed)
        to_linear, conversation = self._to_linear, self._speech
        for (heard, heard_masked, heard_filled), (sent, sent_own, sent_filled) in zip(left, right, strict=True):
            speaks = not (heard_masked or heard_filled) and _is_speech(self._vad_left, 8000, to_linear(heard, 2), 160)
            answers = not (sent_own or sent_filled) and _is_speech(self._vad_right, 8000, to_linear(sent, 2), 160)
            if speaks:
                self._bits_left |= 1 << self._bit
            if answers:
                self._bits_right |= 1 << self._bit
            self._bit = min(self._bit + 1, 31)
            self._pending_left.append(heard)
            self._pending_right.append(sent)
            if conversation.frame(speaks, answers, sent_own):
                self._tell_speech()

    def flush(self) -> None:
        """Encrypts and seals what is settled, and gives it to the journal."""
        if not self._pending_left:
            return
        left, right = b"".join(self._pending_left), b"".join(self._pending_right)
        self._slots += len(self._pending_left)
        self._pending_left.clear()
        self._pending_right.clear()
        stereo = bytearray(2 * len(left))
        stereo[0::2] = left
        stereo[1::2] = right
        self._append_body(self._body.feed(stereo))
        tick = seal.Tick(
            plain_bytes=WAV_HEADER_BYTES + self._slots * 2 * SLOT_BYTES,
            utc_ms=self._owner.clock.utc_ms(),
            monotonic_ms=int(self._owner.clock.monotonic() * 1000),
            clock_quality=0,
            left=self._channel(self._left, left, self._bits_left, 0),
            right=self._channel(self._right, right, self._bits_right, 3),
        )
        self._bits_left = self._bits_right = self._bit = 0
        self._record(seal.Type.TICK, tick.encode())
        for number, timeline in enumerate((self._left, self._right)):
            for position, timestamp, sound in timeline.take_late():
                self._record(seal.Type.LATE, seal.encode_late(number, position, timestamp, sound))
        if self._left.resyncs != self._resyncs:
            self._resyncs = self._left.resyncs
            self._record(seal.Type.MARK, seal.canonical({"at_ms": self._slots * FRAME_MS, "kind": "resync"}))

    def wait_or_drop(self, now: float) -> None:
        """The card cannot keep up: half seconds are kept for ten seconds, then they are missing, and counted."""
        if self.is_stopped:
            return
        self.settle(now - self._owner.settings.hold_seconds)
        excess = len(self._pending_left) - 500
        if excess > 0:
            del self._pending_left[:excess], self._pending_right[:excess]
            self._missing_ms += excess * FRAME_MS
            reason = self._owner.why_congested()
            self._owner.tell(events.Gap(self.recording, reason, excess * FRAME_MS))

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
            missing_milliseconds=self._missing_ms,
            left_talk_ms=self._speech.left.talk_ms,
            right_talk_ms=self._speech.right.talk_ms,
            overtalk_ms=self._speech.overtalk_ms,
            dead_air_ms=self._speech.dead_air_ms,
        )

    # Inside ---------------------------------------------------------------------------------------------------------

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
            timestamp=timeline.highest_timestamp,
            packets=packets,
            lost=filled,
            late=late,
            filled_samples=filled * SLOT_BYTES,
            level_dbov=_level_dbov(audioop.rms(self._to_linear(sound, 2), 2)),
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
        start = 0
        while start < len(data):
            border = self._next_border()
            part = data[start : start + border - self._body_bytes]
            self._hash.update(part)
            self._body_bytes += len(part)
            start += len(part)
            if self._body_bytes == border:
                self._base_hash = self._hash.copy()

    def _next_border(self) -> int:
        """Where the nonce, or the chunk that grows now, ends in the body."""
        nonce, chunk = container.NONCE_BYTES, container.SEALED_CHUNK_BYTES
        if self._body_bytes < nonce:
            return nonce
        return nonce + ((self._body_bytes - nonce) // chunk + 1) * chunk


def _vad() -> object:
    vad = _webrtcvad.create()
    _webrtcvad.init(vad)
    _webrtcvad.set_mode(vad, VAD_MODE)
    return vad


def _level_dbov(rms: int) -> int:
    """Level against full scale of 16 bits, 0 to -127 (RFC 6465 counts the same way)."""
    import math

    return max(-127, round(20 * math.log10(rms / 32768))) if rms else -127
