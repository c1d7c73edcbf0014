"""The side of calls: commands go out, events come in, and a media process that died gets its streams back.

``MediaState`` is a machine that knows what every stream should be doing: port, remote party, learned source, what it
plays since when, its bridge, its recording. ``MediaClient`` is the driver: a SOCK_SEQPACKET socket read by the loop,
connected again as long as it lives. Nothing here blocks.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from appliance.clock import Clock
from appliance.ids import uuid7
from appliance.media import cadence, port
from appliance.media.outbox import Outbox

RECONNECT_SECONDS = 0.02
FRAMES_A_SECOND = 50
FRAME_BYTES = 160

Deliver = Callable[[port.ClientEvent], None]

_log = logging.getLogger(__name__)
_decoder: msgspec.msgpack.Decoder[port.Event] = msgspec.msgpack.Decoder(port.Event)
_encoder = msgspec.msgpack.Encoder()


@dataclass(slots=True)
class _Wanted:
    """What one stream should be doing."""

    open: port.Open
    number: int = 0
    remote: port.SetRemote | None = None
    learned: tuple[str, int] | None = None
    play: port.Play | None = None
    played_at: float = 0.0
    bridge: port.Bridge | None = None
    supervises: port.Supervise | None = None
    recording: port.StartRecording | None = None
    is_asked: bool = False  # a media process was told to record
    mask: port.Mask | None = None
    pause: port.Pause | None = None
    attend: port.Attend | None = None


@dataclass(slots=True)
class MediaState:
    """The streams as calls wants them. ``now`` is monotonic seconds; ``birth`` is empty while no process listens."""

    new_id: Callable[[], str]
    streams: dict[str, _Wanted] = field(default_factory=dict)
    birth: str = ""
    lost_at: float | None = None

    def commanded(self, command: port.Command, now: float) -> None:
        """Takes a command into account."""
        match command:
            case port.Open(name):
                self.streams.setdefault(name, _Wanted(command))
            case port.Close(name):
                self.streams.pop(name, None)
                self._end_bridge(name)
            case port.Bridge(left, right):
                for name in (left, right):
                    self._end_bridge(name)
                    wanted = self.streams.get(name)
                    if wanted is not None:
                        wanted.play, wanted.bridge = None, command
            case port.Supervise(name):
                wanted = self.streams.get(name)
                if wanted is not None:
                    self._end_bridge(name)
                    wanted.play, wanted.supervises = None, command
            case port.StopRecording(recording):
                for wanted in self.streams.values():
                    if wanted.recording is not None and wanted.recording.recording == recording:
                        wanted.recording, wanted.is_asked = None, False
            case (
                port.SetRemote(name)
                | port.Play(name)
                | port.Stop(name)
                | port.StartRecording(name)
                | port.Mask(name)
                | port.Pause(name)
                | port.Attend(name)
            ):
                wanted = self.streams.get(name)
                if wanted is not None:
                    self._change(wanted, command, now)
            case port.Unbridge(name):
                self._end_bridge(name)
            case port.Keep() | port.SendDigits() | port.MarkRecording() | port.Listen() | port.Forget():
                pass

    def _change(
        self,
        wanted: _Wanted,
        command: port.SetRemote | port.Play | port.Stop | port.StartRecording | port.Mask | port.Pause | port.Attend,
        now: float,
    ) -> None:
        match command:
            case port.SetRemote():
                if wanted.remote is None or wanted.remote.address != command.address:
                    wanted.learned = None
                wanted.remote = command
            case port.Play():
                self._end_bridge(command.stream)
                wanted.play, wanted.played_at = command, now
            case port.Stop(_, play):
                if wanted.play is not None and play in (0, wanted.play.play):
                    wanted.play = None
            case port.StartRecording():
                wanted.recording, wanted.is_asked = command, self.birth != ""
            case port.Mask(is_on=is_on):
                wanted.mask = command if is_on else None
            case port.Pause(is_on=is_on):
                wanted.pause = command if is_on else None
            case port.Attend(_, tones):
                wanted.attend = command if tones else None

    def happened(self, event: port.Event) -> None:
        """Takes an event into account."""
        match event:
            case port.Opened(name, number):
                if name in self.streams:
                    self.streams[name].number = number
            case port.Closed(name) | port.OpenFailed(name):
                self.streams.pop(name, None)
                self._end_bridge(name)
            case port.MediaStarted(name, address, number):
                if name in self.streams:
                    self.streams[name].learned = address, number
            case port.PlayEnded(name, play):
                wanted = self.streams.get(name)
                if wanted is not None and wanted.play is not None and wanted.play.play == play:
                    wanted.play = None
            case port.RecordingRefused(_, name):
                if name in self.streams:
                    self.streams[name].recording = None
            case port.ToneHeard(name, tone):
                if name in self.streams and tone != cadence.RINGING:
                    self.streams[name].attend = None
            case (
                port.Hello()
                | port.DigitHeard()
                | port.Heard()
                | port.SoundHeard()
                | port.MediaSilent()
                | port.SpeechStarted()
                | port.SpeechEnded()
                | port.RecordingStarted()
                | port.RecordingGap()
                | port.RecordingSealed()
                | port.Statistics()
                | port.Load()
            ):
                pass

    def replay(self, now: float) -> tuple[list[port.Command], list[port.ClientEvent]]:
        """What a media process that was just born must be told, and what the owner must know."""
        lost_at = now if self.lost_at is None else self.lost_at
        gap_ms = round((now - lost_at) * 1000)
        commands: list[port.Command] = [port.Keep(tuple(self.streams))]
        bridges: dict[tuple[str, str], port.Bridge] = {}
        events: list[port.ClientEvent] = []
        for name, wanted in self.streams.items():
            commands.append(port.Open(name, wanted.open.address, wanted.number))
            if wanted.remote is not None:
                commands.append(msgspec.structs.replace(wanted.remote, learned=wanted.learned))
            if wanted.mask is not None:
                commands.append(wanted.mask)  # before anything is recorded
            if wanted.pause is not None:
                commands.append(wanted.pause)
            if wanted.attend is not None:
                commands.append(wanted.attend)
            if wanted.play is not None:
                commands.append(_resumed(wanted.play, now - wanted.played_at))
            if wanted.bridge is not None:
                bridges[wanted.bridge.left, wanted.bridge.right] = wanted.bridge
            if wanted.recording is not None and not wanted.is_asked:
                commands.append(wanted.recording)  # nobody has heard of it yet
                wanted.is_asked = True
            elif wanted.recording is not None:  # the dead process may have begun it: its files are its own
                before = wanted.recording
                wanted.recording = self._next_part(before, gap_ms)
                commands.append(wanted.recording)
                follows = wanted.recording
                events.append(port.RecordingContinued(follows.recording, before.recording, follows.part, gap_ms))
        commands += bridges.values()
        for wanted in self.streams.values():
            if wanted.supervises is not None:
                commands.append(msgspec.structs.replace(wanted.supervises, told=()))  # they know
        if self.streams and self.lost_at is not None:
            events.append(port.MediaBack(tuple(self.streams), gap_ms))
        self.lost_at = None
        return commands, events

    def _next_part(self, before: port.StartRecording, gap_ms: int) -> port.StartRecording:
        """A part of its own under a new id, which names the one before it."""
        about = json.loads(before.manifest) if before.manifest else {}
        about |= {"follows": before.recording, "gap_ms": gap_ms}
        return msgspec.structs.replace(
            before,
            recording=self.new_id(),
            part=before.part + 1,
            manifest=json.dumps(about, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        )

    def _end_bridge(self, name: str) -> None:
        """The bridge of this stream, and what it supervises."""
        if name in self.streams:
            self.streams[name].supervises = None
        for wanted in self.streams.values():
            if wanted.bridge is not None and name in (wanted.bridge.left, wanted.bridge.right):
                wanted.bridge = None


def _resumed(play: port.Play, elapsed: float) -> port.Play:
    """The play from where it would be now; media knows how long its pieces are."""
    return msgspec.structs.replace(play, skip=max(0, int(elapsed * FRAMES_A_SECOND)) * FRAME_BYTES)


class MediaClient:
    """One media process as calls sees it. ``deliver`` appends to the owner's inbox."""

    def __init__(self, path: Path, clock: Clock, deliver: Deliver) -> None:
        self._path = path
        self._clock = clock
        self._deliver = deliver
        self._state = MediaState(lambda: uuid7(clock.utc_ms()))
        self._socket: socket.socket | None = None
        self._outbox = Outbox()
        self._is_writing = False
        self._accepts = False
        self._max_streams = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = False

    def start(self) -> None:
        """Begins to connect; Hello comes when it has."""
        self._connect()

    def stop(self) -> None:
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
        self._hang_up()

    def submit(self, command: port.Command) -> None:
        self._state.commanded(command, self._clock.monotonic())
        if self._state.birth and self._socket is not None:
            self._send(_encoder.encode(command))

    def accepts(self) -> bool:
        return self._accepts and self._socket is not None and len(self._state.streams) + 2 <= self._max_streams

    # Connection -------------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._timer = None
        if self._is_stopped:
            return
        made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            made.connect(str(self._path))
        except OSError:
            made.close()
            self._timer = asyncio.get_running_loop().call_later(RECONNECT_SECONDS, self._connect)
            return
        self._socket = made
        self._outbox = Outbox()
        asyncio.get_running_loop().add_reader(made.fileno(), self._readable)

    def _hang_up(self) -> None:
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket.fileno())
        loop.remove_writer(self._socket.fileno())
        self._is_writing = False
        self._socket.close()
        self._socket = None

    def _lost(self) -> None:
        self._hang_up()
        self._accepts = False
        state = self._state
        if state.birth:
            state.birth = ""
            state.lost_at = self._clock.monotonic()
            _log.warning("the media process is gone with %d streams", len(state.streams))
            self._deliver(port.MediaLost(tuple(state.streams)))
        if not self._is_stopped:
            self._connect()

    def _readable(self) -> None:
        for _ in range(256):
            if self._socket is None:
                return
            try:
                data = self._socket.recv(port.MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lost()
                return
            self._heard(_decoder.decode(data))

    def _heard(self, event: port.Event) -> None:
        state = self._state
        if isinstance(event, port.Hello):
            self._max_streams = event.max_streams
            is_new, state.birth = event.birth != state.birth, event.birth
            self._accepts = True
            self._deliver(event)
            if is_new:
                commands, events = state.replay(self._clock.monotonic())
                for command in commands:
                    self._send(_encoder.encode(command))
                for each in events:
                    self._deliver(each)
            return
        if isinstance(event, port.Load):
            self._accepts = event.accepts
        state.happened(event)
        self._deliver(event)

    def _send(self, data: bytes) -> None:
        assert self._socket is not None
        self._outbox.send(self._socket, data)  # to a peer that is gone everything is said again later
        if self._outbox.is_waiting and not self._is_writing:
            self._is_writing = True
            asyncio.get_running_loop().add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        if self._socket is not None:
            self._outbox.flush(self._socket)
            if not self._outbox.is_waiting:
                asyncio.get_running_loop().remove_writer(self._socket.fileno())
                self._is_writing = False
