"""All streams of a media process: their sockets, and what each slot of 5 ms does.

A quarter of the streams sends in each slot, so that the work of 20 ms is flat. Whoever owns the loop (worker.py) calls
``drain`` with what epoll reported and ``slot`` at the right moments; nothing here waits.
"""

from __future__ import annotations

import errno
import logging
import random
import secrets
import select
import socket
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from appliance.clock import Clock
from appliance.media import port, rtp
from appliance.media.mix import listeners
from appliance.media.prompts import Player, Sounds
from appliance.media.settings import Media
from appliance.media.sources import Address
from appliance.media.stream import Stream
from appliance.recorder import events as recorded
from appliance.recorder.live import LiveRecording, Recorder

SLOTS = 4
FEW_RECORDINGS = 100  # up to here the recorder's work of 20 ms fits into one slot
REOPEN_SECONDS = 1.0
BEEP = port.Piece("tone:beep")
RECEIVE_BUFFER_BYTES = 64 << 10  # some 2 s of one stream, in the kernel's own counting
_DSCP_EF = 0xB8  # expedited forwarding (RFC 3246)

_log = logging.getLogger(__name__)


class Engine:
    """``tell`` takes every event; ``poll`` is where sockets are registered."""

    def __init__(
        self,
        settings: Media,
        recorder: Recorder,
        prompts: tuple[Path, ...],
        clock: Clock,
        poll: select.epoll,
        tell: Callable[[port.Event], None],
    ) -> None:
        self.settings = settings
        self.recorder = recorder
        self.streams: dict[str, Stream] = {}
        self.bad_packets = 0
        self._clock = clock
        self._poll = poll
        self._tell = tell
        self._sounds = Sounds(*prompts)
        self._hearing: dict[int, tuple[Callable[[int], tuple[bytes, Address]], Callable[[bytes, Address, float], None]]]
        self._hearing = {}  # by descriptor: how to read a socket, and who wants to know
        self._reports: dict[int, tuple[socket.socket, Stream]] = {}
        self._groups: list[dict[str, Stream]] = [{} for _ in range(SLOTS)]
        self._own: dict[str, tuple[socket.socket, socket.socket, int]] = {}  # sockets and group of a stream
        self._recordings: dict[str, tuple[LiveRecording, Stream]] = {}
        self._supervised: dict[str, port.Supervise] = {}  # by the supervisor's stream
        self._untold: set[str] = set()  # of those: nobody has heard the beep yet
        self._waiting: list[tuple[port.Open, float]] = []
        self._next_port = settings.first_port
        self._random = random.SystemRandom()

    # Commands ---------------------------------------------------------------------------------------------------------

    def carry_out(self, command: port.Command, now: float) -> None:
        match command:
            case port.Open():
                self._open(command, now + REOPEN_SECONDS)
            case port.Keep(streams):
                for name in [name for name in self.streams if name not in streams]:
                    self.close(name, "orphan", now)
            case port.Close(name):
                self._waiting = [(waiting, until) for waiting, until in self._waiting if waiting.stream != name]
                self.close(name, "asked", now)
            case port.StartRecording():
                self._start_recording(command, now)
            case port.StopRecording(recording):
                self._stop_recording(recording, now)
            case port.MarkRecording(recording, kind, detail):
                known = self._recordings.get(recording)
                if known is not None:
                    known[0].mark(kind, detail, now)
            case port.Forget(recordings):
                self.recorder.forget(recordings)
            case port.Bridge(left, right, holds):
                self._bridge(left, right, holds, now)
            case port.Supervise():
                self._supervise(command, now)
            case (
                port.SetRemote(stream)
                | port.Play(stream)
                | port.Stop(stream)
                | port.SendDigits(stream)
                | port.Unbridge(stream)
                | port.Mask(stream)
                | port.Pause(stream)
                | port.Listen(stream)
                | port.Attend(stream)
            ):
                found = self.streams.get(stream)
                if found is not None:
                    self._tell_stream(found, command, now)

    def _tell_stream(
        self,
        stream: Stream,
        command: port.SetRemote
        | port.Play
        | port.Stop
        | port.SendDigits
        | port.Unbridge
        | port.Mask
        | port.Pause
        | port.Listen
        | port.Attend,
        now: float,
    ) -> None:
        match command:
            case port.SetRemote():
                stream.set_remote(command)
            case port.Play(_, play, pieces, loops, is_speech, skip):
                self._separate(stream, now)
                stream.play(Player(play, pieces, stream.law, self._sounds, loops, is_speech, skip), now)
            case port.Stop(_, play):
                if stream.playing is not None and play in (0, stream.playing.play):
                    stream.stop_playing()
            case port.SendDigits(_, digits, milliseconds):
                stream.press(digits, milliseconds)
            case port.Unbridge():
                self._separate(stream, now)
            case port.Mask(_, is_on):
                stream.mask(is_on)
            case port.Pause(_, is_on):
                stream.pause(is_on)
            case port.Listen(_, is_on, most_seconds):
                stream.listen(most_seconds if is_on else 0)
            case port.Attend(_, tones):
                stream.attend(tones)

    def _bridge(self, left: str, right: str, holds: str, now: float) -> None:
        one, other = self.streams.get(left), self.streams.get(right)
        if one is None or other is None or one is other or one.other is other:
            return
        self._separate(one, now)
        self._separate(other, now)
        one.bridge(other, relays_digits=holds != left)
        other.bridge(one, relays_digits=holds != right)
        self._look_at_supervisors(one, now)

    def _separate(self, stream: Stream, now: float) -> None:
        """Ends the stream's bridge, and what it supervises."""
        self._end_supervision(stream)
        other = stream.other
        if other is not None:
            stream.unbridge(now)
            other.unbridge(now)
            self._look_at_supervisors(stream, now)

    # Supervisors ------------------------------------------------------------------------------------------------------

    def _supervise(self, command: port.Supervise, now: float) -> None:
        supervisor = self.streams.get(command.stream)
        if supervisor is None or command.stream in (command.customer, command.agent):
            return
        for before in [each for each in self._supervised.values() if each.customer == command.customer]:
            if before.stream != command.stream:
                self._end_supervision(self.streams[before.stream])
        if supervisor.other is not None:
            self._separate(supervisor, now)
        supervisor.stop_playing()
        self._supervised[command.stream] = command
        self._untold.add(command.stream)
        self._arrange(command, now)

    def _arrange(self, command: port.Supervise, now: float) -> None:
        """Everybody hears what they are to hear as it is now."""
        supervisor = self.streams[command.stream]
        customer, agent = self.streams.get(command.customer), self.streams.get(command.agent)
        is_joined = customer is not None and agent is not None and customer.other is agent
        table = listeners(command) if is_joined else {command.stream: ()}
        for each in (supervisor, customer, agent):
            if each is None:
                continue
            if each.name in table:
                each.mix([self.streams[name] for name in table[each.name]], now)
            else:
                each.unmix()
        if is_joined and command.stream in self._untold:
            self._untold.discard(command.stream)
            for told in [self.streams[name] for name in command.told if name in table]:
                told.beep(Player(0, (BEEP,), told.law, self._sounds, loops=False, is_speech=False))

    def _look_at_supervisors(self, stream: Stream, now: float) -> None:
        """The stream was joined with another one, or separated."""
        for command in self._supervised.values():
            if stream.name in (command.customer, command.agent):
                self._arrange(command, now)

    def _end_supervision(self, stream: Stream) -> None:
        self._untold.discard(stream.name)
        command = self._supervised.pop(stream.name, None)
        if command is not None:
            for name in (command.stream, command.customer, command.agent):
                known = self.streams.get(name)
                if known is not None:
                    known.unmix()

    # Streams ----------------------------------------------------------------------------------------------------------

    def _open(self, command: port.Open, until: float) -> None:
        known = self.streams.get(command.stream)
        if known is not None:
            self._tell(port.Opened(command.stream, known.port))
            return
        if len(self.streams) >= self.settings.max_streams:
            self._tell(port.OpenFailed(command.stream, "full"))
            return
        try:
            pair = self._bound(command.address, command.port)
        except OSError as error:
            if command.port and error.errno == errno.EADDRINUSE and self._clock.monotonic() < until:
                self._waiting.append((command, until))  # of a process that is about to be gone
            else:
                self._tell(port.OpenFailed(command.stream, error.strerror or str(error)))
            return
        self._add(command.stream, *pair)

    def _add(self, name: str, sound: socket.socket, reports: socket.socket) -> None:
        group = min(range(SLOTS), key=lambda index: len(self._groups[index]))
        stream = Stream(
            name,
            sound.getsockname()[1],
            sound.sendto,
            reports.sendto,
            self._tell,
            lambda: secrets.randbits(32),
            1 + len(self.streams) % 50,
        )
        self.streams[name] = stream
        self._groups[group][name] = stream
        self._own[name] = sound, reports, group
        self._hearing[sound.fileno()] = sound.recvfrom, stream.receive
        self._reports[reports.fileno()] = reports, stream
        self._poll.register(sound.fileno(), select.EPOLLIN)
        self._poll.register(reports.fileno(), select.EPOLLIN)
        self._tell(port.Opened(name, stream.port))

    def _bound(self, address: str, number: int) -> tuple[socket.socket, socket.socket]:
        """The socket of an even port and that of the next one (RFC 3550, 11)."""
        if number:
            return self._pair(address, number)
        first, last = self.settings.first_port & ~1, self.settings.last_port
        span = max(1, (last - first) // 2)
        start = (self._next_port - first) // 2
        failure: OSError | None = None
        for step in range(span):
            candidate = first + 2 * ((start + step) % span)
            try:
                pair = self._pair(address, candidate)
            except OSError as error:
                failure = error
                if error.errno != errno.EADDRINUSE:
                    break
                continue
            self._next_port = candidate + 2
            return pair
        raise failure or OSError(errno.EADDRINUSE, "no port is free")

    @staticmethod
    def _pair(address: str, number: int) -> tuple[socket.socket, socket.socket]:
        made: list[socket.socket] = []
        try:
            for offset in (0, 1):
                each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
                made.append(each)
                each.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _DSCP_EF)
                if not offset:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
                each.bind((address, number + offset))
        except OSError:
            for each in made:
                each.close()
            raise
        return made[0], made[1]

    def close(self, name: str, cause: str, now: float) -> None:
        """Ends a stream, its recording and its bridge."""
        stream = self.streams.get(name)
        if stream is None:
            return
        self._separate(stream, now)
        del self.streams[name]
        for recording in [key for key, (_, of) in self._recordings.items() if of is stream]:
            self._stop_recording(recording, now)
        stream.close(now, rtp.ntp(self._clock.utc_ms()))
        self.bad_packets += stream.refused
        sound, reports, group = self._own.pop(name)
        del self._groups[group][name]
        del self._hearing[sound.fileno()], self._reports[reports.fileno()]
        for each in (sound, reports):
            self._poll.unregister(each.fileno())
            each.close()
        self._tell(port.Closed(name, cause))

    def close_all(self, cause: str, now: float) -> None:
        for name in list(self.streams):
            self.close(name, cause, now)

    # Recordings -------------------------------------------------------------------------------------------------------

    def _start_recording(self, command: port.StartRecording, now: float) -> None:
        stream = self.streams.get(command.stream)
        if command.recording in self._recordings:
            return
        if stream is None or stream.recording is not None:
            self._tell(port.RecordingRefused(command.recording, command.stream, "recorder.no_stream"))
            return
        started = self.recorder.start(
            command.recording,
            command.stream,
            stream.law,
            command.conversation,
            command.part,
            command.consent,
            command.manifest,
            now,
            command.role,
        )
        if isinstance(started, str):
            self._tell(port.RecordingRefused(command.recording, command.stream, started))
            return
        stream.record(started, stream.law)
        self._recordings[command.recording] = started, stream

    def _stop_recording(self, recording: str, now: float) -> None:
        known = self._recordings.pop(recording, None)
        if known is not None:
            live, stream = known
            live.stop(now)
            stream.record(None, "")

    def tell_recorder(self) -> None:
        """Passes on what the recorder has to say."""
        for event in self.recorder.take_events():
            match event:
                case recorded.Started(recording, stream, at_ms):
                    self._tell(port.RecordingStarted(recording, stream, at_ms))
                case recorded.Gap(recording, reason, milliseconds):
                    self._tell(port.RecordingGap(recording, reason, milliseconds))
                case recorded.SpeechStarted(stream, at_ms):
                    self._tell(port.SpeechStarted(stream, at_ms))
                case recorded.SpeechEnded(stream, at_ms):
                    self._tell(port.SpeechEnded(stream, at_ms))
                case recorded.Sealed():
                    self._tell(_sealed(event))

    # Time -------------------------------------------------------------------------------------------------------------

    def drain(self, ready: list[tuple[int, int]], now: float) -> list[int]:
        """Takes one datagram of every socket that has some; returns the descriptors that are none of ours."""
        others: list[int] = []
        hearing = self._hearing
        for descriptor, _ in ready:
            known = hearing.get(descriptor)
            if known is None:
                if not self._drain_report(descriptor, now):
                    others.append(descriptor)
                continue
            try:
                data, address = known[0](2048)
            except OSError:  # nothing there after all, or an ICMP error of what we sent
                continue
            known[1](data, address, now)
        return others

    def _drain_report(self, descriptor: int, now: float) -> bool:
        known = self._reports.get(descriptor)
        if known is None:
            return False
        try:
            data, address = known[0].recvfrom(2048)
        except OSError:
            return True
        known[1].receive_report(data, address, now, rtp.ntp(self._clock.utc_ms()))
        return True

    def slot(self, number: int, now: float) -> None:
        """The frames of a quarter of the streams."""
        now_ntp = self._now_ntp
        for stream in list(self._groups[number].values()):
            stream.tick(now, now_ntp)
        if number == 0 or self.recorder.open_recordings > FEW_RECORDINGS:
            self.recorder.tick(now)
        if number == 0:
            self.tell_recorder()
            if self._waiting:
                waiting, self._waiting = self._waiting, []
                for command, until in waiting:
                    self._open(command, until)

    def skip(self, frames: int) -> None:
        """The loop was late: so many frames of every stream are not sent."""
        for stream in self.streams.values():
            stream.skip(frames)

    def _now_ntp(self) -> int:
        return rtp.ntp(self._clock.utc_ms())


def _sealed(event: recorded.Sealed) -> port.RecordingSealed:
    return port.RecordingSealed(
        recording=event.recording,
        state=event.state,
        folder=event.folder,
        body_bytes=event.body_bytes,
        body_sha256=event.body_sha256,
        seal_sha256=event.seal_sha256,
        milliseconds=event.milliseconds,
        filled_milliseconds=event.filled_milliseconds,
        missing_milliseconds=event.missing_milliseconds,
        **asdict(event.talk),
    )
