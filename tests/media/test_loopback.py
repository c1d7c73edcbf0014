"""Media without sound: it says what the real one would say, at the moments at which it would."""

from __future__ import annotations

import pytest

from appliance.clock import VirtualClock
from appliance.media import port
from appliance.media.loopback import LoopbackMedia

CUSTOMER, AGENT = "c" * 32, "a" * 32
RECORDING = port.StartRecording(CUSTOMER, "1" * 32, "f" * 32, 1, "consent", "{}")


class Room:
    """A loopback, its clock, and what it said with the moment."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.said: list[tuple[float, port.ClientEvent]] = []
        self.media = LoopbackMedia(self._hear, self.clock, lambda piece: float(piece.length), max_streams=4)

    def _hear(self, event: port.ClientEvent) -> None:
        self.said.append((self.clock.monotonic(), event))

    def does(self, *commands: port.Command) -> None:
        before = len(self.said)
        for command in commands:
            self.media.submit(command)
        assert len(self.said) == before, "nothing is delivered from within submit"

    def until(self, moment: float) -> None:
        while self.media.deadline is not None and self.media.deadline <= moment:
            self.clock.advance_to(max(self.clock.monotonic(), self.media.deadline))
            self.media.due(self.clock.monotonic())
        self.clock.advance_to(moment)

    def heard(self, kind: type[port.ClientEvent]) -> list[tuple[float, port.ClientEvent]]:
        return [(at, event) for at, event in self.said if isinstance(event, kind)]


def opened() -> Room:
    room = Room()
    room.does(port.Open(CUSTOMER, "127.0.0.1"), port.Open(AGENT, "127.0.0.1"))
    room.until(0.0)
    return room


def test_a_prompt_ends_after_its_pieces_and_one_that_is_replaced_ends_at_once_and_not_whole() -> None:
    room = opened()
    room.does(port.Play(CUSTOMER, 1, (port.Piece("a", 0, 2), port.Piece("b", 0, 3))))
    room.until(1.0)
    room.does(port.Play(CUSTOMER, 2, (port.Piece("a", 0, 2), port.Piece("b", 0, 3))))
    room.until(20.0)
    assert room.heard(port.PlayEnded) == [
        (1.0, port.PlayEnded(CUSTOMER, 1, False)),
        (6.0, port.PlayEnded(CUSTOMER, 2, True)),
    ]


@pytest.mark.parametrize("ending", [port.Stop(CUSTOMER, 1), port.Stop(CUSTOMER), port.Bridge(CUSTOMER, AGENT)])
def test_music_ends_only_when_it_is_told_to(ending: port.Command) -> None:
    room = opened()
    room.does(port.Play(CUSTOMER, 1, (port.Piece("music", 0, 1),), loops=True))
    room.until(100.0)
    assert room.heard(port.PlayEnded) == []
    room.does(port.Stop(CUSTOMER, 9), ending)
    room.until(101.0)
    assert room.heard(port.PlayEnded) == [(100.0, port.PlayEnded(CUSTOMER, 1, False))]


def test_who_supervises_hears_nothing_else_any_more() -> None:
    room = opened()
    room.does(
        port.Play(CUSTOMER, 1, (port.Piece("/p/wait", 0, 9),)), port.Supervise(CUSTOMER, AGENT, "b" * 32, "listen")
    )
    room.does(port.Supervise("0" * 32, AGENT, "b" * 32, "listen"))
    room.until(1.0)
    assert [event for _, event in room.heard(port.PlayEnded)] == [port.PlayEnded(CUSTOMER, 1, False)]


def test_a_key_is_heard_once_and_none_from_a_stream_that_is_gone() -> None:
    room = opened()
    room.media.press(CUSTOMER, "5")
    room.does(port.Close(CUSTOMER))
    room.media.press(CUSTOMER, "6")
    room.until(1.0)
    assert [event for _, event in room.heard(port.DigitHeard)] == [port.DigitHeard(CUSTOMER, "5", 100, 0)]


def test_a_recording_is_sealed_once_as_long_as_it_lasted_also_when_its_stream_ends() -> None:
    room = opened()
    room.does(RECORDING)
    room.until(7.0)
    room.does(port.Close(CUSTOMER), port.StopRecording("1" * 32))
    room.until(10.0)
    ((at, sealed),) = room.heard(port.RecordingSealed)
    assert isinstance(sealed, port.RecordingSealed)
    assert (sealed.recording, sealed.state, sealed.milliseconds) == ("1" * 32, "sealed", 7000) and at > 7.0
    kinds = [type(event) for _, event in room.said[2:]]
    assert kinds == [port.RecordingStarted, port.Statistics, port.Closed, port.RecordingSealed]


def test_a_recording_without_consent_or_stream_is_refused() -> None:
    room = opened()
    room.does(
        port.StartRecording(CUSTOMER, "1" * 32, "f" * 32, 1, "", "{}"),
        port.StartRecording("0" * 32, "2" * 32, "f" * 32, 1, "consent", "{}"),
    )
    room.until(1.0)
    refused = [event for _, event in room.heard(port.RecordingRefused)]
    assert refused == [
        port.RecordingRefused("1" * 32, CUSTOMER, "recorder.no_consent"),
        port.RecordingRefused("2" * 32, "0" * 32, "recorder.no_stream"),
    ]


def test_opening_twice_gives_the_same_port_and_a_full_box_accepts_no_call() -> None:
    room = opened()
    assert room.media.accepts()
    room.does(port.Open(CUSTOMER, "127.0.0.1"), port.Open("b" * 32, "127.0.0.1"))
    room.until(1.0)
    ports = [event.port for _, event in room.heard(port.Opened) if isinstance(event, port.Opened)]
    assert ports[0] == ports[2] and len(set(ports)) == 3 and not room.media.accepts()
    room.does(port.Close(CUSTOMER), port.Open("d" * 32, "127.0.0.1"))
    room.until(2.0)
    last = room.heard(port.Opened)[-1][1]
    assert isinstance(last, port.Opened) and last.port not in ports and room.media.accepts() is False


def test_streams_that_calls_does_not_know_end_as_orphans() -> None:
    room = opened()
    room.does(port.Keep((AGENT,)))
    room.until(1.0)
    assert [event for _, event in room.heard(port.Closed)] == [port.Closed(CUSTOMER, "orphan")]
    assert room.media.streams == 1


def test_a_tone_and_a_sound_are_told_once_where_a_stream_is_attended() -> None:
    room = opened()
    room.media.sound(CUSTOMER, "busy")
    room.does(port.Attend(CUSTOMER, ("busy 425 500/500",)))
    room.media.sound(AGENT, "busy")
    for tone in ("", "", "congestion", "ringing", "busy", "busy"):
        room.media.sound(CUSTOMER, tone)
    room.until(1.0)
    assert [event for _, event in room.said[2:]] == [
        port.SoundHeard(CUSTOMER, 0),
        port.ToneHeard(CUSTOMER, "ringing", 0),
        port.ToneHeard(CUSTOMER, "busy", 0),
    ]
    room.does(port.Attend(CUSTOMER, ()))
    room.media.sound(CUSTOMER, "busy")
    room.media.sound(CUSTOMER)
    room.until(2.0)
    assert len(room.said) == 5
