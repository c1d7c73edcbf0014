"""One stream: the voice of one leg, both ways. The hot path of the box.

A packet is touched once: counted, given to the recorder as it came, passed on to the other leg with our own numbers.
Nothing is decoded, but where a leg hears several others at once (mix.py). What is played is cut from memory that all
streams share. The socket is the engine's; the stream only knows ``send``.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Sequence
from typing import Protocol

from appliance.media import cadence, dtmf, port, quality, rtp
from appliance.media.mix import Mix, Voice
from appliance.media.prompts import CONVERT, SILENCE, Player
from appliance.media.rtp import Reception
from appliance.media.sources import Address, SourceRule

FRAMES_A_SECOND = 50
REPORT_SECONDS = 5
SILENT_SECONDS = (5, 20)
COMFORT_NOISE = 13
MASK = {law: sound[:1] * 256 for law, sound in SILENCE.items()}  # every byte becomes silence
LISTENED_BYTES = 8000  # one second, well within a datagram
BASE_DELAY_MS = 20.0  # one frame to fill; the rest of the way is half the round trip and twice the jitter

_pack = rtp.HEADER.pack
_fields = struct.Struct("!HII").unpack_from

Tell = Callable[[port.Event], None]


class Recording(Protocol):
    """What a stream gives its sound to (recorder.live.LiveRecording)."""

    def heard(self, timestamp: int, payload: bytes, now: float) -> None: ...

    def sent(self, timestamp: int, payload: bytes, is_own: bool, now: float) -> None: ...

    def resync_heard(self) -> None: ...

    def resync_sent(self) -> None: ...

    def mark(self, kind: str, detail: str, now: float) -> None: ...

    def stop(self, now: float) -> None: ...


class Stream:
    """``send`` and ``send_report`` are the sockets' own sendto. ``chance`` gives 32 random bits."""

    __slots__ = (
        "_attended",
        "_audio_type",
        "_bridged",
        "_checks",
        "_destination",
        "_digits",
        "_digits_wait",
        "_ears",
        "_event_in",
        "_event_out",
        "_frames_to_check",
        "_heard_at",
        "_heard_table",
        "_interval",
        "_is_paused",
        "_is_relayed",
        "_law",
        "_listened",
        "_listens",
        "_marker",
        "_mask_checks",
        "_mix",
        "_out_type",
        "_player",
        "_press_waits",
        "_pressed",
        "_reception",
        "_record_table",
        "_relays_digits",
        "_relays_to",
        "_remote_lost",
        "_remote_share",
        "_report_seen",
        "_round_trip_ms",
        "_rule",
        "_send",
        "_send_report",
        "_sends",
        "_sent_at",
        "_sequence",
        "_sequence_offset",
        "_silence",
        "_silent_told",
        "_source",
        "_ssrc",
        "_tap",
        "_taps",
        "_tell",
        "_timestamp",
        "_timestamp_offset",
        "name",
        "octets",
        "port",
        "recording",
        "recording_law",
        "refused",
        "relay_from",
        "sent",
    )

    def __init__(
        self,
        name: str,
        number: int,
        send: Callable[[bytes, Address], int],
        send_report: Callable[[bytes, Address], int],
        tell: Tell,
        chance: Callable[[], int],
        first_check: int,
    ) -> None:
        self.name = name
        self.port = number
        self.recording: Recording | None = None
        self.recording_law = ""
        self.refused = 0
        self.sent = 0
        self.octets = 0
        self.relay_from = 0  # SSRC that is relayed to us now
        self._send = send
        self._send_report = send_report
        self._tell = tell
        self._rule = SourceRule()
        self._source: Address | None = None
        self._destination: Address | None = None
        self._law = "PCMA"
        self._silence = SILENCE["PCMA"]
        self._audio_type = self._out_type = -1
        self._event_in = self._event_out = -1
        self._sends = False
        self._reception = Reception()
        self._pressed = dtmf.Receiver()
        self._press_waits = False  # a press has begun, and its end was not heard yet
        self._digits = dtmf.Sender()
        self._digits_wait = False
        self._player: Player | None = None
        self._bridged: Stream | None = None
        self._relays_to: Stream | None = None  # the same, unless it hears a mix
        self._is_relayed = False  # what the other one says is sent as it comes
        self._relays_digits = True
        self._mix: Mix[Stream] | None = None  # what this leg hears instead
        self._ears: list[Voice] = []  # the mixes of others that hold what comes
        self._ssrc = chance()
        self._sequence = chance() & 0x7FFF
        self._timestamp = chance()
        self._sequence_offset = self._timestamp_offset = 0
        self._marker = 0x80
        self._heard_at = self._sent_at = -1.0
        self._silent_told = 0
        self._frames_to_check = first_check
        self._checks = 0
        self._interval = (0, 0)
        self._report_seen = (0, 0.0)
        self._round_trip_ms = 0.0
        self._remote_share = self._remote_lost = 0.0
        self._record_table: bytes | None = None
        self._heard_table: bytes | None = None
        self._tap: Callable[[int, bytes, float], None] | None = None  # who else wants what comes
        self._taps: tuple[Callable[[int, bytes, float], None], ...] = ()
        self._attended: cadence.Cadence | None = None
        self._listened: bytearray | None = None  # what calls will be handed of what comes
        self._listens = 0  # frames until listening ends by itself
        self._mask_checks = 0  # 0: not masked; 1 or 2: seconds until it ends; 3: until told
        self._is_paused = False  # nothing of this leg is recorded now

    # State ------------------------------------------------------------------------------------------------------------

    def set_remote(self, command: port.SetRemote) -> None:
        address = command.address, command.port
        self._rule.negotiated(address, command.sources, command.is_behind_nat)
        if command.learned is not None:
            self._rule.lock((command.learned[0], command.learned[1]))
        self._source = self._rule.locked
        is_sendable = _is_one_party(command.address) and 0 < command.port <= 0xFFFF
        self._destination = self._source or (address if is_sendable else None)
        self._law = command.law
        self._silence = SILENCE[command.law]
        self._out_type = command.send_payload_type
        self._audio_type = command.receive_payload_type
        self._event_out = -1 if command.send_event_payload_type is None else command.send_event_payload_type
        self._event_in = -1 if command.receive_event_payload_type is None else command.receive_event_payload_type
        self._sends = command.sends and is_sendable
        self._set_record_table()

    @property
    def law(self) -> str:
        return self._law

    @property
    def other(self) -> Stream | None:
        return self._bridged

    @property
    def playing(self) -> Player | None:
        return self._player

    def play(self, player: Player, now: float) -> None:
        self.stop_playing()
        self._player = player
        self._switch(now)

    def stop_playing(self) -> None:
        """Ends what is played; told as not whole."""
        player, self._player = self._player, None
        if player is not None:
            self._tell(port.PlayEnded(self.name, player.play, False))

    def press(self, digits: str, milliseconds: int) -> None:
        if self._event_out >= 0:
            self._digits.press(digits, milliseconds)
            self._digits_wait = self._digits.is_busy

    def bridge(self, other: Stream, relays_digits: bool) -> None:
        """From now on this stream sends what ``other`` hears."""
        self.stop_playing()
        self._bridged = self._relays_to = other
        self._is_relayed = True
        self._relays_digits = relays_digits
        self.relay_from = 0

    def unbridge(self, now: float) -> None:
        self._end_relay(now)
        self._bridged = self._relays_to = None

    def _end_relay(self, now: float) -> None:
        """What is sent is made here from now on."""
        other = self._bridged
        if other is not None and self.relay_from == other._reception.ssrc:  # the last one relayed may have been late
            self._sequence = (other._reception.highest + self._sequence_offset) & 0xFFFF
        self.relay_from = 0
        self._is_relayed = False
        self._switch(now)

    def mix(self, others: Sequence[Stream], now: float) -> None:
        """From now on this stream sends the sum of what these hear, whether or not it is bridged with one of them."""
        if self._mix is None:
            self._end_relay(now)
            self._mix = Mix()
        if self._bridged is not None:
            self._bridged._relays_to = None
        voices = self._mix.voices
        for other in [each for each in voices if each not in others]:
            other._take_back(voices.pop(other))
        for other in others:
            if other not in voices:
                voices[other] = other._give()

    def unmix(self) -> None:
        """This stream sends what it plays, or what the other side of its bridge says, as before."""
        if self._mix is None:
            return
        for other, voice in self._mix.voices.items():
            other._take_back(voice)
        self._mix = None
        if self._bridged is not None:
            self._bridged._relays_to = self
            self._is_relayed = True

    def beep(self, player: Player) -> None:
        """Heard with the mix, where there is one."""
        if self._mix is not None:
            self._mix.beep = player

    def _give(self) -> Voice:
        """What comes goes there too."""
        voice = Voice()
        self._ears.append(voice)
        self._set_tap()
        return voice

    def _take_back(self, voice: Voice) -> None:
        self._ears.remove(voice)
        self._set_tap()

    def _feed(self, timestamp: int, payload: bytes, _now: float) -> None:
        for voice in self._ears:
            voice.put(self._law, timestamp, payload)

    def record(self, recording: Recording | None, law: str) -> None:
        self.recording = recording
        self.recording_law = law
        self._set_record_table()

    def mask(self, is_on: bool) -> None:
        """What is heard is recorded as silence; it ends a second or two late, behind the last key's own sound."""
        self._mask_checks = 3 if is_on else min(self._mask_checks, 2)
        self._set_record_table()

    def pause(self, is_on: bool) -> None:
        """What is heard and what is sent is recorded as silence, to the packet."""
        self._is_paused = is_on
        self._set_record_table()

    def listen(self, most_seconds: int) -> None:
        """What comes is handed to calls for so long; 0 ends it."""
        if self._listened is not None and not most_seconds:
            self._tell(port.Heard(self.name, self._law, bytes(self._listened), True))
            self._listened = None
        elif most_seconds:
            self._listened, self._listens = bytearray(), most_seconds * FRAMES_A_SECOND
        self._set_tap()

    def attend(self, tones: tuple[str, ...]) -> None:
        """What comes is searched for these tones from now on; none: for nothing."""
        self._attended = cadence.Cadence([cadence.tone_of(each) for each in tones]) if tones else None
        self._set_tap()

    def _set_tap(self) -> None:
        """One question a packet is all that a leg pays of which nobody wants anything."""
        taps = [
            *([self._search] if self._attended is not None else []),
            *([self._hand_over] if self._listened is not None else []),
            *([self._feed] if self._ears else []),
        ]
        self._taps = tuple(taps)
        self._tap = self._tap_all if len(taps) > 1 else taps[0] if taps else None

    def _tap_all(self, timestamp: int, payload: bytes, now: float) -> None:
        for tap in self._taps:
            tap(timestamp, payload, now)

    def _search(self, timestamp: int, payload: bytes, now: float) -> None:
        assert self._attended is not None
        for found in self._attended.receive(self._law, timestamp, payload):
            if found == cadence.SOUND:
                self._tell(port.SoundHeard(self.name, int(now * 1000)))
            else:
                self._tell(port.ToneHeard(self.name, found, int(now * 1000)))
                if found != cadence.RINGING:
                    self.attend(())
                    return

    def _hand_over(self, _timestamp: int, payload: bytes, _now: float) -> None:
        assert self._listened is not None
        self._listened += payload
        self._listens -= 1
        if self._listens <= 0:
            self.listen(0)
        elif len(self._listened) >= LISTENED_BYTES:
            self._tell(port.Heard(self.name, self._law, bytes(self._listened), False))
            self._listened.clear()

    def skip(self, frames: int) -> None:
        """So many frames were not sent because the box was late; the far side's clock must not notice."""
        self._timestamp = (self._timestamp + 160 * frames) & 0xFFFFFFFF

    # In ---------------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, address: Address, now: float) -> None:
        """One datagram."""
        if not 12 <= len(data) <= rtp.MAX_PACKET_BYTES or data[0] != 0x80:
            packet = rtp.parse(data)
            if packet is None:
                self.refused += 1
                return
            data = _pack(0x80, data[1], packet.sequence, packet.timestamp, packet.ssrc) + packet.payload
        second = data[1]
        kind = second & 0x7F
        sequence, timestamp, ssrc = _fields(data, 2)
        if address != self._source and not self._take_source(address, kind, ssrc, now):
            return
        reception = self._reception
        if ssrc != reception.ssrc:
            reception.begin(ssrc, sequence)
            if self.recording is not None:
                self.recording.resync_heard()
        elif sequence and sequence == reception.highest + 1:  # nearly always, so it stands here and not in ``take``
            reception.highest = sequence
            reception.received += 1
            reception.seen = (reception.seen << 1 | 1) & rtp.SEEN_MASK
        elif not reception.take(sequence):
            return
        if kind == self._audio_type:
            transit = now * 8000.0 - timestamp
            difference = transit - reception.transit
            reception.transit = transit
            if -80_000.0 < difference < 80_000.0:  # a wrapped or new timestamp is no jitter (RFC 3550, A.8)
                reception.jitter += (abs(difference) - reception.jitter) * 0.0625
            payload = data[12:]
            if self.recording is not None:
                table = self._heard_table
                self.recording.heard(timestamp, payload if table is None else payload.translate(table), now)
            if self._tap is not None:
                self._tap(timestamp, payload, now)
            other = self._relays_to
            if other is not None:
                other.relay(ssrc, sequence, timestamp, payload, self._law, second & 0x80, now)
        elif kind == self._event_in:
            self._take_event(ssrc, sequence, timestamp, data[12:], second & 0x80, now)
        elif kind != COMFORT_NOISE:
            self.refused += 1
            return
        self._heard_at = now
        if self._silent_told:
            self._silent_told = 0

    def _take_source(self, address: Address, kind: int, ssrc: int, now: float) -> bool:
        if kind not in (self._audio_type, self._event_in, COMFORT_NOISE) or not self._rule.judge(
            address, ssrc, now, self._heard_at
        ):
            self.refused += 1
            return False
        self._source = self._destination = address
        self._tell(port.MediaStarted(self.name, address[0], address[1], int(now * 1000)))
        return True

    def _take_event(self, ssrc: int, sequence: int, timestamp: int, payload: bytes, marker: int, now: float) -> None:
        for digit, milliseconds in self._pressed.receive(ssrc, timestamp, payload, now):
            self._pressed_here(digit, milliseconds, now)
        self._press_waits = self._pressed.is_pressed
        other = self._relays_to
        if other is not None and self._relays_digits:
            other.relay_event(ssrc, sequence, timestamp, payload, marker, now)

    def _end_press(self, now: float) -> None:
        for digit, milliseconds in self._pressed.due(now):
            self._pressed_here(digit, milliseconds, now)
            self._press_waits = False

    def _pressed_here(self, digit: str, milliseconds: int, now: float) -> None:
        self._tell(port.DigitHeard(self.name, digit, milliseconds, int(now * 1000)))
        if self._bridged is not None and self._relays_to is None and self._relays_digits:
            self._bridged.press(digit, milliseconds)  # into a mix nothing can be relayed as it comes

    def receive_report(self, data: bytes, address: Address, now: float, now_ntp: int) -> None:
        """One RTCP datagram; only from the host that the sound comes from."""
        if self._destination is None or address[0] != self._destination[0]:
            self.refused += 1
            return
        report = rtp.parse_report(data)
        if report is None:
            self.refused += 1
            return
        if report.middle_ntp is not None:
            self._report_seen = (report.middle_ntp, now)
        for block in report.blocks:
            if block.ssrc == self._ssrc:
                self._remote_share = block.fraction / 256.0
                self._remote_lost = block.lost / self.sent if self.sent else 0.0
                trip = rtp.round_trip_ms(now_ntp, block)
                if trip is not None:
                    self._round_trip_ms = trip

    # Out --------------------------------------------------------------------------------------------------------------

    def tick(self, now: float, now_ntp: Callable[[], int]) -> None:
        """Every 20 ms: the next frame of what is played, or silence; once a second the rest."""
        self._frames_to_check -= 1
        if self._frames_to_check <= 0:
            self._frames_to_check = FRAMES_A_SECOND
            self._check(now, now_ntp)
        if self._press_waits:
            self._end_press(now)
        destination = self._destination
        if destination is None or not self._sends:
            return
        if self._digits_wait:
            self._send_digit(now)
        if self._is_relayed:
            return
        is_own = is_speech = True
        frame = self._silence
        player = self._player
        if player is not None:
            played = player.frame()
            if played is None:
                self._player = None
                self._tell(port.PlayEnded(self.name, player.play, player.is_whole))
            else:
                frame = played
                is_speech = player.is_speech
        elif self._mix is not None:
            frame = self._mix.frame(self._law)
            is_own = False
        self._sequence = sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = timestamp = (self._timestamp + 160) & 0xFFFFFFFF
        try:
            self._send(_pack(0x80, self._out_type | self._marker, sequence, timestamp, self._ssrc) + frame, destination)
            self.sent += 1
            self.octets += 160
        except OSError:
            pass  # the network is away, or its queue full: the far side hears a gap
        self._marker = 0
        self._sent_at = now
        if self.recording is not None:
            sound = frame if is_speech else self._silence
            table = self._record_table
            self.recording.sent(timestamp, sound if table is None else sound.translate(table), is_own, now)

    def relay(
        self, ssrc: int, sequence: int, timestamp: int, payload: bytes, law: str, marker: int, now: float
    ) -> None:
        """Sends what the other leg said, under our own numbers."""
        if not self._sends or self._destination is None:
            return
        if ssrc != self.relay_from:
            self._follow(ssrc, sequence, timestamp, now)
            marker = 0x80
        if law != self._law:
            payload = payload.translate(CONVERT[self._law])
        self._sequence = number = (sequence + self._sequence_offset) & 0xFFFF
        self._timestamp = moment = (timestamp + self._timestamp_offset) & 0xFFFFFFFF
        self._out(_pack(0x80, self._out_type | marker, number, moment, self._ssrc) + payload)
        self._sent_at = now
        if self.recording is not None:
            table = self._record_table
            self.recording.sent(moment, payload if table is None else payload.translate(table), False, now)

    def relay_event(self, ssrc: int, sequence: int, timestamp: int, payload: bytes, marker: int, now: float) -> None:
        """Passes a packet of a key press on, with the number that our side knows for it."""
        if not self._sends or self._destination is None or self._event_out < 0:
            return
        if ssrc != self.relay_from:
            self._follow(ssrc, sequence, timestamp, now)
        number = (sequence + self._sequence_offset) & 0xFFFF
        moment = (timestamp + self._timestamp_offset) & 0xFFFFFFFF
        self._sequence = number
        self._out(_pack(0x80, self._event_out | marker, number, moment, self._ssrc) + payload)

    def _out(self, data: bytes) -> None:
        assert self._destination is not None
        try:
            self._send(data, self._destination)
        except OSError:  # the network is away, or its queue full: the far side hears a gap
            return
        self.sent += 1
        self.octets += len(data) - 12

    def _send_digit(self, now: float) -> None:
        begins, timestamp, payloads = self._digits.frame((self._timestamp + 160) & 0xFFFFFFFF)
        marker = 0x80 if begins else 0
        for payload in payloads:
            self._sequence = (self._sequence + 1) & 0xFFFF
            self._sequence_offset += 1  # what is relayed meanwhile comes after it
            self._out(_pack(0x80, self._event_out | marker, self._sequence, timestamp, self._ssrc) + payload)
        self._sent_at = now
        self._digits_wait = self._digits.is_busy

    def _follow(self, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        """Another source is relayed from here on: its numbers are joined to ours without a jump."""
        self.relay_from = ssrc
        self._switch(now)
        self._sequence_offset = self._sequence + 1 - sequence
        self._timestamp_offset = self._timestamp + 160 - timestamp
        if self.recording is not None:  # our frames' moments within 20 ms are not those of the new source
            self.recording.resync_sent()

    def _switch(self, now: float) -> None:
        """What is sent changes: a marker, and a timestamp as late as it is."""
        self._marker = 0x80
        if self._sent_at >= 0:
            self.skip(max(0, round((now - self._sent_at) * FRAMES_A_SECOND) - 1))
            self._sent_at = now

    # Each second ------------------------------------------------------------------------------------------------------

    def _check(self, now: float, now_ntp: Callable[[], int]) -> None:
        if self._heard_at >= 0:
            silent = now - self._heard_at
            for seconds in SILENT_SECONDS:
                if silent >= seconds > self._silent_told:
                    self._silent_told = seconds
                    self._tell(port.MediaSilent(self.name, seconds))
        if 0 < self._mask_checks < 3:
            self._mask_checks -= 1
            self._set_record_table()
        self._checks += 1
        if self._checks % REPORT_SECONDS == 0:
            self._report(now, now_ntp(), False)
            self._tell(self.statistics(False))

    def _report(self, now: float, now_ntp: int, bye: bool) -> None:
        destination = self._destination
        if destination is None or destination[1] >= 65_535:
            return
        reception, block = self._reception, None
        if reception.received:
            middle, seen = self._report_seen
            delay = round((now - seen) * 65_536) & 0xFFFFFFFF if middle else 0
            block = rtp.Block(
                reception.ssrc, reception.interval_fraction(), reception.lost, int(reception.jitter), middle, delay
            )
        data = rtp.report(
            self._ssrc, self.name[:16].encode(), now_ntp, self._timestamp, self.sent, self.octets, block, bye
        )
        if block is not None:
            data = rtp.with_highest(data, reception.extended)
        try:
            self._send_report(data, (destination[0], destination[1] + 1))
        except OSError:
            return

    def statistics(self, is_final: bool) -> port.Statistics:
        """Of the last five seconds, or of the whole stream where it ends."""
        reception = self._reception
        expected, lost = reception.expected, reception.lost
        before = (0, 0) if is_final else self._interval
        self._interval = (expected, lost)
        share = max(0, lost - before[1]) / max(1, expected - before[0])
        jitter_ms = reception.jitter / 8.0
        delay = BASE_DELAY_MS + self._round_trip_ms / 2 + 2 * jitter_ms
        r = quality.r_factor(share, delay)
        remote = max(0.0, self._remote_lost) if is_final else self._remote_share
        return port.Statistics(
            stream=self.name,
            is_final=is_final,
            received=reception.received,
            sent=self.sent,
            lost=lost,
            late=reception.late,
            duplicated=reception.duplicated,
            refused=self.refused,
            jitter_ms=round(jitter_ms, 2),
            round_trip_ms=round(self._round_trip_ms, 2),
            mos=round(quality.mos(r), 3),
            r_factor=round(r, 2),
            remote_lost_share=round(remote, 4),
            remote_mos=round(quality.mos(quality.r_factor(remote, delay)), 3),
        )

    def close(self, now: float, now_ntp: int) -> None:
        """The last words: BYE outward, the whole stream's figures inward."""
        self.stop_playing()
        self.listen(0)
        self.attend(())
        if self._sends and self.sent:
            self._report(now, now_ntp, True)
        self._tell(self.statistics(True))

    def _set_record_table(self) -> None:
        is_other = self.recording is not None and self.recording_law and self.recording_law != self._law
        masked = MASK[self.recording_law or self._law]
        self._record_table = masked if self._is_paused else CONVERT[self.recording_law] if is_other else None
        self._heard_table = masked if self._mask_checks else self._record_table


def _is_one_party(address: str) -> bool:
    """Whether sound may be sent there: an IPv4 address of somebody (0.0.0.0 is hold as RFC 2543 had it)."""
    try:
        ip = ipaddress.IPv4Address(address)
    except ipaddress.AddressValueError:
        return False
    return not (ip.is_unspecified or ip.is_multicast or ip == ipaddress.IPv4Address("255.255.255.255"))
