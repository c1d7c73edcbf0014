"""The port without sound: streams that only keep time, for simulations and ``flow test``.

Prompts last as long as ``seconds_of`` says, recordings are sealed as long as they lasted. Driven like
``signalling.loopback`` by a clock that may be virtual; nothing is delivered from within ``submit``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from appliance.clock import Clock, Timers
from appliance.media import cadence, port

FIRST_PORT = 20_000
SEAL_SECONDS = 0.6  # the next commit and its checkpoint

Deliver = Callable[[port.ClientEvent], None]


@dataclass(slots=True)
class _Stream:
    number: int
    play: int = 0
    recording: str = ""
    recorded_since: float = 0.0
    tones: frozenset[str] = frozenset()
    is_heard: bool = False  # whether a sound was told


class LoopbackMedia:
    """A Mouth in virtual time. ``max_streams`` bounds ``accepts``."""

    def __init__(
        self, deliver: Deliver, clock: Clock, seconds_of: Callable[[port.Piece], float], max_streams: int = 400
    ) -> None:
        self.max_streams = max_streams
        self._deliver = deliver
        self._clock = clock
        self._seconds_of = seconds_of
        self._streams: dict[str, _Stream] = {}
        self._timers = Timers()
        self._next_port = FIRST_PORT
        self.says = b""  # what a party who is listened to has said

    @property
    def deadline(self) -> float | None:
        return self._timers.deadline

    def due(self, now: float) -> None:
        self._timers.due(now)

    @property
    def streams(self) -> int:
        return len(self._streams)

    def accepts(self) -> bool:
        return len(self._streams) + 2 <= self.max_streams

    def press(self, stream: port.Stream, digit: str) -> None:
        """The party of this stream presses a key."""
        if stream in self._streams:
            now = self._clock.monotonic()
            self._tell(port.DigitHeard(stream, digit, 100, int(now * 1000)))

    def sound(self, stream: port.Stream, tone: str = "") -> None:
        """The party of this stream speaks, or the exchange plays ``tone``; told where it is attended."""
        known = self._streams.get(stream)
        if known is None or not known.tones:
            return
        at_ms = int(self._clock.monotonic() * 1000)
        if tone in known.tones:
            known.tones = frozenset()
            self._tell(port.ToneHeard(stream, tone, at_ms))
        elif tone == cadence.RINGING:
            self._tell(port.ToneHeard(stream, tone, at_ms))
        elif not tone and not known.is_heard:
            known.is_heard = True
            self._tell(port.SoundHeard(stream, at_ms))

    def submit(self, command: port.Command) -> None:
        match command:
            case port.Open(name):
                if name not in self._streams:
                    self._streams[name] = _Stream(self._next_port)
                    self._next_port += 2
                self._tell(port.Opened(name, self._streams[name].number))
            case port.Play(name, play, pieces, loops):
                self._play(name, play, pieces, loops)
            case port.Stop(name, play):
                known = self._streams.get(name)
                if known is not None and play in (0, known.play):
                    self._end_play(name, known)
            case port.Bridge(left, right):
                for name in (left, right):
                    joined = self._streams.get(name)
                    if joined is not None:
                        self._end_play(name, joined)
            case port.Supervise(name):
                supervising = self._streams.get(name)
                if supervising is not None:
                    self._end_play(name, supervising)
            case port.StartRecording():
                self._record(command)
            case port.StopRecording(recording):
                for recorded in self._streams.values():
                    if recorded.recording == recording:
                        self._seal(recorded)
            case port.Close(name):
                self._close(name, "asked")
            case port.Keep(names):
                for name in [name for name in self._streams if name not in names]:
                    self._close(name, "orphan")
            case (
                port.SetRemote()
                | port.SendDigits()
                | port.Unbridge()
                | port.MarkRecording()
                | port.Mask()
                | port.Pause()
                | port.Forget()
            ):
                pass
            case port.Attend(name, tones):
                attended = self._streams.get(name)
                if attended is not None:
                    attended.tones = frozenset(each.split()[0] for each in tones)
                    attended.is_heard = False
            case port.Listen(name, is_on, _):
                if not is_on and name in self._streams:
                    self._tell(port.Heard(name, "PCMA", self.says, True))

    def _play(self, name: str, play: int, pieces: tuple[port.Piece, ...], loops: bool) -> None:
        known = self._streams.get(name)
        if known is None:
            return
        self._end_play(name, known)
        known.play = play
        if not loops:
            self._in(sum(map(self._seconds_of, pieces)), lambda: self._played(name, play))

    def _played(self, name: str, play: int) -> None:
        known = self._streams.get(name)
        if known is not None and known.play == play:
            known.play = 0
            self._deliver(port.PlayEnded(name, play, True))

    def _end_play(self, name: str, known: _Stream) -> None:
        if known.play:
            self._tell(port.PlayEnded(name, known.play, False))
            known.play = 0

    def _record(self, command: port.StartRecording) -> None:
        known = self._streams.get(command.stream)
        if known is not None and known.recording == command.recording:
            return
        if known is None or known.recording or not command.consent:
            reason = "recorder.no_consent" if known is not None and not known.recording else "recorder.no_stream"
            self._tell(port.RecordingRefused(command.recording, command.stream, reason))
            return
        known.recording, known.recorded_since = command.recording, self._clock.monotonic()
        at_ms = int(known.recorded_since * 1000)
        self._tell(port.RecordingStarted(command.recording, command.stream, at_ms))

    def _seal(self, known: _Stream) -> None:
        if not known.recording:
            return
        milliseconds = round((self._clock.monotonic() - known.recorded_since) * 50) * 20
        digest = hashlib.sha256(known.recording.encode()).hexdigest()
        sealed = port.RecordingSealed(
            known.recording, "sealed", "", 16 * milliseconds, digest, digest, milliseconds, 0, 0, 0, 0, 0, 0
        )
        known.recording = ""
        self._in(SEAL_SECONDS, lambda: self._deliver(sealed))

    def _close(self, name: str, cause: str) -> None:
        known = self._streams.pop(name, None)
        if known is None:
            return
        self._seal(known)
        self._tell(port.Statistics(name, True, 500, 500, 0, 0, 0, 0, 0.5, 1.0, 4.4, 92.7, 0.0, 4.4))
        self._tell(port.Closed(name, cause))

    def _tell(self, event: port.ClientEvent) -> None:
        self._in(0.0, lambda: self._deliver(event))

    def _in(self, seconds: float, action: Callable[[], object]) -> None:
        self._timers.at(self._clock.monotonic() + seconds, lambda _now: action())
