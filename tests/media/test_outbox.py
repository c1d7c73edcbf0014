"""What waits for a client that does not read is not gone with it, where it must be known."""

from __future__ import annotations

import socket
from collections import deque
from unittest.mock import Mock

import msgspec

from appliance.clock import SystemClock
from appliance.media import port
from appliance.media.loop import Loop
from appliance.media.outbox import Outbox

SEALED = port.RecordingSealed("f" * 32, "sealed", "/kept", 1, "a", "b", 1000, 0, 0, 1, 2, 3, 4)
encode = msgspec.msgpack.Encoder().encode


def test_what_could_not_be_sent_is_left_in_order() -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here.setblocking(False)
    outbox = Outbox()
    sent = [f"{number:05}".encode() * 100 for number in range(2000)]
    assert all(outbox.send(here, data) for data in sent)
    assert outbox.is_waiting and outbox.left == tuple(sent[-len(outbox.left) :])
    received = [there.recv(1000) for _ in range(len(sent) - len(outbox.left))]
    outbox.flush(here)
    received += [there.recv(1000) for _ in range(len(sent) - len(received) - len(outbox.left))]
    assert received == sent[: len(received)]
    here.close()
    there.close()


def test_the_end_of_a_recording_that_waited_for_a_client_that_went_is_told_to_the_next() -> None:
    loop = Loop.__new__(Loop)  # only its farewell is looked at
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    loop._poll, loop._client, loop._clock = Mock(), here, SystemClock()
    loop._outbox, loop._keep = Outbox(), deque()
    for event in (port.SpeechStarted("c" * 32, 5), SEALED, port.RecordingGap("f" * 32, "overflow", 40)):
        loop._outbox._waiting.append(encode(event))
    loop._farewell()
    assert list(loop._keep) == [SEALED, port.RecordingGap("f" * 32, "overflow", 40)]
    assert not loop._outbox.is_waiting
    there.close()
