# SPDX-License-Identifier: GPL-3.0-or-later
"""pyVoIP 1.6.8, mended where it stands in the way: no registration for callers, RFC 4733 digits, sound from a file.

Its receiving loop gives the lock back before its socket blocks again: an INVITE in between would fail.

pyVoIP's audio is 8-bit linear at 8 kHz; a digit it cannot send, so the packets are made here (RFC 4733, 2.5).
"""

from __future__ import annotations

import audioop
import json
import socket
import struct
import threading
import time
from threading import Timer

from pyVoIP.VoIP import CallState, VoIPCall, VoIPPhone
from pyVoIP.VoIP.VoIP import SIP  # pyVoIP.SIP and pyVoIP.VoIP import each other: only this way round works

EVENTS = "0123456789*#"
DIGIT_PACKETS = 5  # 100 ms
END_PACKETS = 3


def say(event: str, **fields: object) -> None:
    """One JSON line for whoever started this program."""
    print(json.dumps({"event": event, "at": time.monotonic(), **fields}), flush=True)


def start_without_registering(phone: VoIPPhone) -> None:
    """What SIPClient.start does, less the REGISTER: a provider's side does not register with its customer."""
    sip = phone.sip
    sip.NSD = True
    sip.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sip.s.bind((sip.myIP, sip.myPort))
    sip.out = sip.s
    thread = Timer(0, sip.recv_loop)
    thread.daemon = True
    thread.start()
    phone.NSD = True


def _receive(sip: SIP.SIPClient) -> None:
    while sip.NSD:
        try:
            with sip.recvLock:
                sip.s.setblocking(False)
                try:
                    sip.recv()
                finally:
                    sip.s.setblocking(True)
        except BlockingIOError:
            time.sleep(0.01)


SIP.SIPClient.recv_loop = _receive


def press(call: VoIPCall, digit: str, payload_type: int = 101) -> None:
    """Sends one digit as RFC 4733 telephone-event packets on the call's own RTP stream."""
    rtp = call.RTPClients[0]
    stamp = rtp.outTimestamp & 0xFFFFFFFF
    for number in range(1, DIGIT_PACKETS + END_PACKETS + 1):
        is_end = number > DIGIT_PACKETS
        duration = 160 * min(number, DIGIT_PACKETS + 1)
        marker = 0x80 if number == 1 else 0
        sequence, rtp.outSequence = rtp.outSequence, rtp.outSequence + 1
        head = struct.pack("!BBHII", 0x80, marker | payload_type, sequence & 0xFFFF, stamp, rtp.outSSRC)
        body = struct.pack("!BBH", EVENTS.index(digit), 0x80 | 10 if is_end else 10, duration)
        rtp.sout.sendto(head + body, (rtp.outIP, rtp.outPort))
        time.sleep(0.02)


class Voice(threading.Thread):
    """Writes a mu-law file into a call at its own pace, over and over, until told to stop."""

    def __init__(self, call: VoIPCall, file: str) -> None:
        super().__init__(daemon=True)
        with open(file, "rb") as sound:
            linear = audioop.ulaw2lin(sound.read(), 2)
        self._sound = audioop.bias(audioop.lin2lin(linear, 2, 1), 1, 128)
        self._call = call
        self.is_on = True

    def run(self) -> None:
        position = 0
        beat = time.monotonic()
        while self.is_on and self._call.state == CallState.ANSWERED:
            if position + 160 > len(self._sound):
                position = 0
            self._call.write_audio(self._sound[position : position + 160])
            position += 160
            beat += 0.02
            time.sleep(max(0.0, beat - time.monotonic()))


class Ear(threading.Thread):
    """Reads what a call hears and counts the seconds that are not silence."""

    def __init__(self, call: VoIPCall) -> None:
        super().__init__(daemon=True)
        self._call = call
        self.heard_seconds = 0.0

    def run(self) -> None:
        while self._call.state == CallState.ANSWERED:
            frame = self._call.read_audio(160, blocking=False)
            if audioop.rms(audioop.bias(frame, 1, -128), 1) > 2:
                self.heard_seconds += 0.02
            time.sleep(0.02)


def hang_up_quietly(call: VoIPCall) -> None:
    """Hangs up if the other side has not done so already."""
    if call.state == CallState.ANSWERED:
        call.hangup()


def follow(call: VoIPCall, script: str, voice: str) -> None:
    """Does what the script says while the call stands, or until it says to hang up.

    Steps by comma, each a word and perhaps a value: ``wait 3`` (seconds), ``press 1``, ``talk 5`` (speaks so long, from
    the mu-law file ``voice``), ``hang_up``, ``stay 20`` (until the other side hangs up, at most so long).
    """
    for step in script.split(","):
        word, _, value = step.strip().partition(" ")
        if call.state != CallState.ANSWERED or word == "hang_up":
            return
        if word == "press":
            press(call, value)
            say("pressed", digit=value)
        elif word == "talk":
            mouth = Voice(call, voice)
            mouth.start()
            stay(call, float(value))
            mouth.is_on = False
        elif word in ("wait", "stay"):
            stay(call, float(value))


def stay(call: VoIPCall, seconds: float) -> None:
    """Waits so long, or until the other side hangs up."""
    until = time.monotonic() + seconds
    while call.state == CallState.ANSWERED and time.monotonic() < until:
        time.sleep(0.02)


__all__ = ["CallState", "Ear", "VoIPPhone", "Voice", "follow", "hang_up_quietly", "say", "start_without_registering"]
