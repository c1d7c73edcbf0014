"""The engine with real sockets on loopback, a real recorder, and a clock that the test turns."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.media import port, rtp
from appliance.media.engine import SLOTS, Engine
from appliance.media.settings import Media
from tests.recorder.given import Box, named
from tests.support import sounds
from tests.support.box import rtp_range

CUSTOMER, AGENT = "c" * 32, "a" * 32
PORTS = 24


class Party:
    """A telephone: one socket for sound, one for reports."""

    def __init__(self) -> None:
        first = rtp_range(2)
        self.sound, self.reports = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.sound.bind(("127.0.0.1", first))
        self.reports.bind(("127.0.0.1", first + 1))
        for each in (self.sound, self.reports):
            each.settimeout(5)
        self.port = first
        self.sequence = 0

    def says(self, to: int, payload: bytes) -> None:
        self.sequence += 1
        data = rtp.HEADER.pack(0x80, 8, self.sequence, 160 * self.sequence, self.port) + payload
        self.sound.sendto(data, ("127.0.0.1", to))

    def hears(self) -> rtp.Packet:
        packet = rtp.parse(self.sound.recv(2048))
        assert packet is not None
        return packet

    def close(self) -> None:
        self.sound.close()
        self.reports.close()


class Room:
    """An engine and what it tells."""

    def __init__(self, folder: Path, max_streams: int = 8) -> None:
        self.box = Box(folder)
        self.told: list[port.Event] = []
        self.first = rtp_range(PORTS)
        self.poll = select.epoll()
        settings = Media(first_port=self.first, last_port=self.first + PORTS - 1, max_streams=max_streams)
        self.engine = Engine(settings, self.box.recorder, (folder,), self.box.clock, self.poll, self.told.append)
        self.parties: list[Party] = []
        self.is_recorder_closed = False

    def does(self, *commands: port.Command) -> None:
        for command in commands:
            self.engine.carry_out(command, self.box.now)

    def opens(self, name: str, number: int = 0) -> int:
        self.does(port.Open(name, "127.0.0.1", number))
        opened = self.told[-1]
        assert isinstance(opened, port.Opened), opened
        return opened.port

    def party(self, name: str) -> Party:
        made = Party()
        self.parties.append(made)
        self.does(port.SetRemote(name, "127.0.0.1", made.port, "PCMA", 8, 8, 101, 101, sends=True, receives=True))
        return made

    def turn(self, frames: int = 1) -> None:
        for _ in range(frames * SLOTS):
            self.box.clock.advance_to(self.box.now + 0.005)
            self.engine.drain(self.poll.poll(0), self.box.now)
            self.engine.slot(int(self.box.now * 200) % SLOTS, self.box.now)

    def all_told(self, kind: type[port.Event]) -> list[port.Event]:
        return [event for event in self.told if isinstance(event, kind)]

    def close(self) -> None:
        self.engine.close_all("asked", self.box.now)
        if not self.is_recorder_closed:
            self.box.recorder.close(self.box.now)
        for party in self.parties:
            party.close()
        self.poll.close()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


def test_a_stream_has_an_even_port_its_reports_the_next_one_and_asking_twice_changes_nothing(room: Room) -> None:
    number = room.opens(CUSTOMER)
    assert number % 2 == 0 and room.opens(CUSTOMER) == number and room.opens(AGENT) != number
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", number + 1))


def test_ports_are_given_in_turn_so_that_a_late_packet_of_the_last_call_meets_no_new_one(room: Room) -> None:
    first = room.opens("1" * 32)
    room.does(port.Close("1" * 32))
    assert room.opens("2" * 32) != first


def test_what_is_taken_by_others_is_passed_over_and_a_full_range_or_box_is_said(tmp_path: Path) -> None:
    room = Room(tmp_path, max_streams=PORTS)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", room.first + 5))
        names = [f"{number:032x}" for number in range(PORTS)]
        for name in names:
            room.does(port.Open(name, "127.0.0.1"))
    opened = [event.port for event in room.told if isinstance(event, port.Opened)]
    assert len(opened) >= PORTS // 2 - 2 and room.first + 4 not in opened and len(set(opened)) == len(opened)
    assert room.all_told(port.OpenFailed)
    room.close()
    small = Room(tmp_path / "small", max_streams=1)
    small.opens(CUSTOMER)
    small.does(port.Open(AGENT, "127.0.0.1"))
    assert small.told[-1] == port.OpenFailed(AGENT, "full")
    small.close()


def test_a_port_that_the_dead_process_still_holds_is_tried_again_for_a_second(room: Room) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dying:
        dying.bind(("127.0.0.1", room.first + 2))
        room.does(port.Open(CUSTOMER, "127.0.0.1", room.first + 2), port.Open(AGENT, "127.0.0.1", room.first + 2))
        room.turn(10)
        assert room.told == []
        room.does(port.Close(AGENT))
    room.turn(1)
    assert room.told == [port.Opened(CUSTOMER, room.first + 2)]


def test_a_port_that_stays_taken_is_told_as_failed(room: Room) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", room.first + 2))
        room.does(port.Open(CUSTOMER, "127.0.0.1", room.first + 2))
        room.turn(52)
    assert [type(event) for event in room.told] == [port.OpenFailed]


def test_an_address_that_is_not_ours_is_told_as_failed(room: Room) -> None:
    room.does(port.Open(CUSTOMER, "192.0.2.1"))
    assert [type(event) for event in room.told] == [port.OpenFailed]


def test_two_parties_hear_each_other_and_the_recording_is_sealed_with_the_stream(room: Room) -> None:
    ports = {name: room.opens(name) for name in (CUSTOMER, AGENT)}
    customer, agent = room.party(CUSTOMER), room.party(AGENT)
    room.does(
        port.Bridge(CUSTOMER, AGENT),
        port.StartRecording(CUSTOMER, named(1), "f" * 32, 1, "consent", "{}"),
    )
    for number in range(50):
        customer.says(ports[CUSTOMER], bytes([number]) * 160)
        agent.says(ports[AGENT], bytes([100 + number]) * 160)
        room.turn()
        assert agent.hears().payload == bytes([number]) * 160
        assert customer.hears().payload == bytes([100 + number]) * 160
    assert [event.port for event in room.told if isinstance(event, port.MediaStarted)] == [customer.port, agent.port]
    room.does(port.Close(CUSTOMER))
    room.is_recorder_closed = True
    room.box.recorder.close(room.box.now)
    room.engine.tell_recorder()
    (sealed,) = [event for event in room.told if isinstance(event, port.RecordingSealed)]
    assert (sealed.recording, sealed.state) == (named(1), "sealed") and 960 <= sealed.milliseconds <= 1020
    assert sealed.missing_milliseconds == 0
    (final,) = [event for event in room.told if isinstance(event, port.Statistics) and event.is_final]
    assert (final.received, final.sent, final.lost) == (50, 50, 0)


def test_a_stream_that_ends_says_bye_to_the_other_side(room: Room) -> None:
    room.opens(CUSTOMER)
    customer = room.party(CUSTOMER)
    room.turn(2)
    room.does(port.Close(CUSTOMER))
    report = rtp.parse_report(customer.reports.recv(2048))
    assert report is not None and report.is_bye and report.ssrc == customer.hears().ssrc
    assert room.told[-1] == port.Closed(CUSTOMER, "asked")


def test_streams_that_calls_does_not_know_are_closed_as_orphans(room: Room) -> None:
    room.opens(CUSTOMER)
    room.opens(AGENT)
    room.does(port.Keep((AGENT,)))
    assert room.told[-1] == port.Closed(CUSTOMER, "orphan") and list(room.engine.streams) == [AGENT]


def test_commands_for_streams_that_are_gone_do_nothing_but_a_recording_is_refused(room: Room) -> None:
    room.does(
        port.SetRemote(CUSTOMER, "127.0.0.1", 9, "PCMA", 8, 8, None, None, sends=True, receives=True),
        port.Play(CUSTOMER, 1, ()),
        port.Stop(CUSTOMER),
        port.SendDigits(CUSTOMER, "1"),
        port.Bridge(CUSTOMER, AGENT),
        port.Unbridge(CUSTOMER),
        port.StopRecording(named(1)),
        port.MarkRecording(named(1), "hold"),
        port.Close(CUSTOMER),
    )
    assert room.told == []
    room.does(port.StartRecording(CUSTOMER, named(1), "f" * 32, 1, "consent", "{}"))
    assert room.told == [port.RecordingRefused(named(1), CUSTOMER, "recorder.no_stream")]


def test_a_recording_without_consent_is_refused_and_the_call_goes_on(room: Room) -> None:
    room.opens(CUSTOMER)
    customer = room.party(CUSTOMER)
    room.does(port.StartRecording(CUSTOMER, named(1), "f" * 32, 1, "", "{}"))
    assert room.told[-1] == port.RecordingRefused(named(1), CUSTOMER, "recorder.no_consent")
    room.turn()
    assert customer.hears().payload == b"\xd5" * 160


def test_a_far_side_that_is_not_there_and_stray_bytes_do_not_stop_the_others(room: Room) -> None:
    ports = {name: room.opens(name) for name in (CUSTOMER, AGENT)}
    gone, agent = room.party(CUSTOMER), room.party(AGENT)
    gone.close()
    for number in range(20):
        agent.sound.sendto(bytes([number]) * number, ("127.0.0.1", ports[AGENT]))
        agent.reports.sendto(bytes([number]) * number, ("127.0.0.1", ports[AGENT] + 1))
        room.turn()
        assert agent.hears().payload == b"\xd5" * 160
    assert room.engine.streams[AGENT].refused > 20
    assert room.all_told(port.Closed) == []


def test_frames_of_all_streams_are_spread_over_the_slots(room: Room) -> None:
    for number in range(8):
        room.opens(f"{number:032x}")
    assert [len(group) for group in room.engine._groups] == [2, 2, 2, 2]


def test_a_tone_is_told_of_the_stream_that_is_attended_and_of_no_other(room: Room) -> None:
    numbers = {name: room.opens(name) for name in (CUSTOMER, AGENT)}
    parties = {name: room.party(name) for name in numbers}
    room.does(port.Attend(CUSTOMER, ("busy 425 500/500",)), port.Attend("0" * 32, ("busy 425 500/500",)))
    for frame in sounds.frames(sounds.encode(sounds.beeps((425,), (500, 500), 4.0, -15.0), "PCMA")):
        for name, party in parties.items():
            party.says(numbers[name], frame)
        room.turn()
    (told,) = room.all_told(port.ToneHeard)
    assert isinstance(told, port.ToneHeard) and (told.stream, told.tone) == (CUSTOMER, "busy")
