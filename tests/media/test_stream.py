"""Streams by themselves: what is played, relayed, converted and recorded, packet by packet."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.media import port, rtp
from appliance.media.prompts import TO_ALAW, TO_ULAW, Player, Sounds, tone
from appliance.media.stream import Stream
from tests.support import sounds as sounds_of

HOME = ("192.0.2.1", 4000)
AWAY = ("192.0.2.2", 5000)


class Heard:
    """Stands for a recording: keeps what it is given."""

    def __init__(self) -> None:
        self.left: list[tuple[int, bytes]] = []
        self.right: list[tuple[int, bytes, bool]] = []
        self.resyncs = 0
        self.anchored_anew_at: int | None = None  # how many packets were sent before

    def heard(self, timestamp: int, payload: bytes, now: float) -> None:
        self.left.append((timestamp, payload))

    def sent(self, timestamp: int, payload: bytes, is_own: bool, now: float) -> None:
        self.right.append((timestamp, payload, is_own))

    def resync_heard(self) -> None:
        self.resyncs += 1

    def resync_sent(self) -> None:
        self.anchored_anew_at = len(self.right)

    def mark(self, kind: str, detail: str, now: float) -> None: ...

    def stop(self, now: float) -> None: ...


class Leg:
    """A stream and what it sent and said."""

    def __init__(self, address: tuple[str, int], law: str = "PCMA", events: tuple[int, int] = (101, 101)) -> None:
        self.packets: list[rtp.Packet] = []
        self.told: list[port.Event] = []
        self.reports: list[bytes] = []
        numbers = itertools.count(1000, 1000)
        self.stream = Stream(
            "a" * 32, 20_000, self._send, self._report, self.told.append, lambda: next(numbers), 1_000_000
        )
        kind = 8 if law == "PCMA" else 0
        self.stream.set_remote(
            port.SetRemote("a" * 32, *address, law, kind, kind, events[0], events[1], sends=True, receives=True)
        )
        self.address = address
        self.kind = kind
        self.sequence = 0

    def _send(self, data: bytes, address: tuple[str, int]) -> int:
        packet = rtp.parse(data)
        assert packet is not None and address == self.address
        self.packets.append(packet)
        return len(data)

    def _report(self, data: bytes, address: tuple[str, int]) -> int:
        self.reports.append(data)
        return len(data)

    def hears(self, payload: bytes, now: float, *, kind: int | None = None, timestamp: int | None = None) -> None:
        self.sequence += 1
        moment = 160 * self.sequence if timestamp is None else timestamp
        data = rtp.HEADER.pack(0x80, self.kind if kind is None else kind, self.sequence, moment, 77) + payload
        self.stream.receive(data, self.address, now)

    def tick(self, now: float) -> None:
        self.stream.tick(now, lambda: 0)


def sounds(folder: Path, **named: bytes) -> Sounds:
    for name, content in named.items():
        (folder / f"{name}.alaw").write_bytes(content)
    return Sounds(folder)


def test_a_prompt_is_played_frame_by_frame_and_its_end_is_told(tmp_path: Path) -> None:
    leg = Leg(HOME)
    kept = sounds(tmp_path, one=b"\x11" * 200, two=b"\x22" * 280)
    pieces = (port.Piece(str(tmp_path / "one")), port.Piece(str(tmp_path / "two"), 80, 120))
    leg.stream.play(Player(5, pieces, "PCMA", kept, False, True), 0.0)
    for number in range(4):
        leg.tick(0.02 * number)
    assert b"".join(packet.payload for packet in leg.packets[:2]) == b"\x11" * 200 + b"\x22" * 120
    assert leg.packets[2].payload == b"\xd5" * 160, "then silence, so that the far side's path stays open"
    assert leg.told == [port.PlayEnded("a" * 32, 5, True)]
    assert [packet.marker for packet in leg.packets] == [True, False, False, False]
    assert [packet.timestamp for packet in leg.packets] == [leg.packets[0].timestamp + 160 * n for n in range(4)]


def test_a_prompt_that_is_missing_is_told_as_not_whole_and_the_rest_is_played(tmp_path: Path) -> None:
    leg = Leg(HOME)
    kept = sounds(tmp_path, one=b"\x11" * 160)
    pieces = (port.Piece(str(tmp_path / "gone")), port.Piece(str(tmp_path / "one")))
    leg.stream.play(Player(1, pieces, "PCMA", kept, False, True), 0.0)
    leg.tick(0.0)
    leg.tick(0.02)
    assert leg.packets[0].payload == b"\x11" * 160 and leg.told == [port.PlayEnded("a" * 32, 1, False)]


def test_the_other_law_is_made_where_only_one_is_there_and_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    inside = tmp_path / "prompts"
    inside.mkdir()
    (inside / "one.ulaw").write_bytes(bytes(range(256)))
    (tmp_path / "secret.alaw").write_bytes(b"secret")
    kept = Sounds(inside)
    assert kept.get(str(inside / "one"), "PCMA") == bytes(range(256)).translate(TO_ALAW)
    assert kept.get(str(inside / ".." / "secret"), "PCMA") == b""


def test_ring_back_is_a_second_of_425_hertz_and_four_of_silence() -> None:
    sound = tone("ring-back", "PCMA")
    assert len(sound) == 40_000 and set(sound[8000:]) == {0xD5} and len(set(sound[:8000])) > 20


def test_a_beep_and_a_sound_of_life_are_short_and_other_tones_are_none() -> None:
    assert len(tone("beep", "PCMU")) == 2000 and len(tone("listening", "PCMA")) == 640
    assert tone("siren", "PCMA") == b""


def test_what_comes_while_a_secret_is_asked_is_recorded_as_silence_and_a_second_longer() -> None:
    leg, heard = Leg(HOME), Heard()
    leg.stream.record(heard, "PCMU")
    leg.hears(b"\x11" * 160, 0.0)
    leg.stream.mask(True)
    for number in range(1, 4):
        leg.hears(b"\x12" * 160, 0.02 * number)
    leg.stream.mask(False)
    leg.hears(b"\x13" * 160, 0.1)
    assert {payload for _, payload in heard.left[1:]} == {b"\xff" * 160} and heard.left[0][1] != b"\xff" * 160
    assert [timestamp for timestamp, _ in heard.left] == [160 * n for n in range(1, 6)], "time goes on under it"
    for _ in range(2):
        leg.stream._check(1.0, lambda: 0)
    leg.hears(b"\x14" * 160, 2.0)
    assert heard.left[-1][1] == (b"\x14" * 160).translate(TO_ULAW)


def test_what_is_listened_to_is_handed_over_each_second_and_the_rest_at_the_end() -> None:
    leg = Leg(HOME)
    leg.hears(b"\x10" * 160, 0.0)
    leg.stream.listen(120)
    for number in range(60):
        leg.hears(bytes([number]) * 160, 0.02 * number)
    leg.stream.listen(0)
    leg.hears(b"\x11" * 160, 2.0)
    heard = [event for event in leg.told if isinstance(event, port.Heard)]
    assert [(len(event.sound), event.is_last, event.law) for event in heard] == [
        (8000, False, "PCMA"),
        (1600, True, "PCMA"),
    ]
    assert b"".join(event.sound for event in heard) == b"".join(bytes([number]) * 160 for number in range(60))


def test_listening_ends_by_itself_and_with_the_stream() -> None:
    leg = Leg(HOME)
    leg.stream.listen(1)
    for number in range(70):
        leg.hears(b"\x10" * 160, 0.02 * number)
    heard = [event for event in leg.told if isinstance(event, port.Heard)]
    assert sum(len(event.sound) for event in heard) == 8000 and heard[-1].is_last
    leg.stream.listen(120)
    leg.hears(b"\x10" * 160, 2.0)
    leg.stream.close(2.1, 0)
    assert [event for event in leg.told if isinstance(event, port.Heard)][-1].sound == b"\x10" * 160


def test_a_mask_is_of_the_recording_only_and_others_still_hear() -> None:
    leg, other = Leg(HOME), Leg(AWAY)
    other.stream.bridge(leg.stream, relays_digits=True)
    leg.stream.bridge(other.stream, relays_digits=True)
    leg.stream.mask(True)
    leg.hears(b"\x11" * 160, 0.0)
    assert other.packets[-1].payload == b"\x11" * 160


def test_music_loops_and_is_recorded_as_silence_that_is_our_own(tmp_path: Path) -> None:
    leg, recording = Leg(HOME), Heard()
    leg.stream.record(recording, "PCMA")
    kept = sounds(tmp_path, music=b"\x33" * 170)
    leg.stream.play(Player(1, (port.Piece(str(tmp_path / "music")),), "PCMA", kept, True, False), 0.0)
    for number in range(20):
        leg.tick(0.02 * number)
    assert {packet.payload for packet in leg.packets} == {b"\x33" * 160} and leg.told == []
    assert {(payload, is_own) for _, payload, is_own in recording.right} == {(b"\xd5" * 160, True)}


@pytest.mark.parametrize("law", ["PCMA", "PCMU"])
def test_a_bridge_passes_sound_both_ways_under_our_own_numbers_and_converts_only_where_laws_differ(law: str) -> None:
    customer, agent, recording = Leg(HOME), Leg(AWAY, law), Heard()
    customer.stream.record(recording, "PCMA")
    customer.stream.bridge(agent.stream, True)
    agent.stream.bridge(customer.stream, True)
    for number in range(3):
        customer.hears(b"\x11" * 160, 0.02 * number)
        agent.hears(b"\x22" * 160, 0.02 * number)
    said = b"\x22" * 160 if law == "PCMA" else (b"\x22" * 160).translate(TO_ALAW)
    assert [packet.payload for packet in customer.packets] == [said] * 3
    heard = b"\x11" * 160 if law == "PCMA" else agent.packets[0].payload
    assert [packet.payload for packet in agent.packets] == [heard] * 3 and agent.packets[0].payload_type == agent.kind
    assert [packet.sequence for packet in agent.packets] == [agent.packets[0].sequence + n for n in range(3)]
    assert agent.packets[0].marker and not agent.packets[1].marker and agent.packets[0].ssrc != 77
    assert [payload for _, payload in recording.left] == [b"\x11" * 160] * 3
    assert [(payload, own) for _, payload, own in recording.right] == [(said, False)] * 3
    assert recording.anchored_anew_at == 0  # the agent's voice is placed by when it came, not by our own frames


def test_what_is_lost_before_the_bridge_is_missing_behind_it_and_order_is_kept() -> None:
    customer, agent = Leg(HOME), Leg(AWAY)
    customer.stream.bridge(agent.stream, True)
    agent.stream.bridge(customer.stream, True)
    for sequence in (1, 2, 5, 4):
        customer.sequence = sequence - 1
        customer.hears(bytes([sequence]) * 160, 0.02 * sequence)
    first = agent.packets[0]
    assert [packet.sequence - first.sequence for packet in agent.packets] == [0, 1, 4, 3]
    assert [packet.timestamp - first.timestamp for packet in agent.packets] == [0, 160, 640, 480]


def test_a_digit_is_told_once_and_passed_on_with_the_number_the_other_side_knows() -> None:
    customer, agent = Leg(HOME, events=(96, 101)), Leg(AWAY, events=(97, 102))
    customer.stream.bridge(agent.stream, True)
    agent.stream.bridge(customer.stream, True)
    for length, flags in ((160, 10), (320, 10), (480, 0x8A), (480, 0x8A), (480, 0x8A)):
        customer.hears(bytes([5, flags]) + length.to_bytes(2, "big"), 0.5, kind=101, timestamp=1600)
    told = [event for event in customer.told if isinstance(event, port.DigitHeard)]
    assert [(event.digit, event.milliseconds) for event in told] == [("5", 60)]
    assert [packet.payload_type for packet in agent.packets] == [97] * 5
    assert len({packet.timestamp for packet in agent.packets}) == 1


def test_packets_from_elsewhere_or_of_no_form_are_counted_and_change_nothing() -> None:
    leg, recording = Leg(HOME), Heard()
    leg.stream.record(recording, "PCMA")
    leg.hears(b"\x11" * 160, 0.0)
    data = rtp.HEADER.pack(0x80, 8, 9, 160, 5) + b"\x66" * 160
    for number in range(10):
        leg.stream.receive(data, ("198.51.100.1", 9), 0.02 * number)
    leg.stream.receive(b"junk", HOME, 0.5)
    leg.stream.receive(rtp.HEADER.pack(0x80, 35, 9, 160, 77) + b"?", HOME, 0.5)
    assert leg.stream.refused == 12 and [payload for _, payload in recording.left] == [b"\x11" * 160]


def test_silence_is_told_at_five_and_at_twenty_seconds_and_again_after_sound() -> None:
    leg = Leg(HOME)
    leg.hears(b"\x11" * 160, 0.0)
    for second in range(1, 30):
        leg.stream._check(float(second), lambda: 0)
    assert [e.seconds for e in leg.told if isinstance(e, port.MediaSilent)] == [5, 20]
    leg.hears(b"\x11" * 160, 30.0)
    leg.stream._check(36.0, lambda: 0)
    assert [e.seconds for e in leg.told if isinstance(e, port.MediaSilent)] == [5, 20, 5]


def test_after_a_pause_in_a_bridge_the_timestamp_is_as_late_as_the_sound(tmp_path: Path) -> None:
    leg = Leg(HOME)
    leg.tick(0.0)
    other = Leg(AWAY)
    leg.stream.bridge(other.stream, True)
    leg.stream.unbridge(1.0)
    leg.tick(1.0)
    assert leg.packets[1].timestamp - leg.packets[0].timestamp == pytest.approx(8000, abs=160)
    assert leg.packets[1].marker


def test_even_packets_have_no_jitter_and_uneven_ones_do() -> None:
    even, uneven = Leg(HOME), Leg(HOME)
    for number in range(500):
        even.hears(b"\x11" * 160, 0.02 * number)
        uneven.hears(b"\x11" * 160, 0.02 * number + (0.01 if number % 2 else 0.0))
    assert even.stream.statistics(True).jitter_ms < 0.01
    assert 9.0 < uneven.stream.statistics(True).jitter_ms < 10.1


def test_a_press_whose_end_is_lost_is_told_within_half_a_second() -> None:
    leg = Leg(HOME)
    leg.hears(bytes([7, 10, 0, 160]), 1.0, kind=101, timestamp=1600)
    for number in range(1, 25):
        leg.tick(1.0 + 0.02 * number)
    told = [event for event in leg.told if isinstance(event, port.DigitHeard)]
    assert [event.digit for event in told] == ["7"] and told[0].at_ms <= 1350


def test_after_a_bridge_whose_last_packet_was_overtaken_no_sequence_number_is_used_twice() -> None:
    customer, agent = Leg(HOME), Leg(AWAY)
    customer.stream.bridge(agent.stream, True)
    agent.stream.bridge(customer.stream, True)
    for sequence in (1, 2, 4, 3):
        customer.sequence = sequence - 1
        customer.hears(bytes([sequence]) * 160, 0.02 * sequence)
    agent.stream.unbridge(0.1)
    agent.tick(0.1)
    assert len({packet.sequence for packet in agent.packets}) == len(agent.packets) == 5


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "255.255.255.255", "router.example", "::1"])
def test_nothing_is_sent_where_there_is_not_one_party(address: str) -> None:
    leg = Leg(HOME)
    leg.stream.set_remote(port.SetRemote("a" * 32, address, 4000, "PCMA", 8, 8, 101, 101, sends=True, receives=True))
    leg.tick(0.0)
    assert leg.packets == []


@pytest.mark.parametrize("number", [0, 65_536, 99_999])
def test_nothing_is_sent_to_a_port_that_is_none(number: int) -> None:
    leg = Leg(HOME)
    leg.stream.set_remote(
        port.SetRemote("a" * 32, "192.0.2.9", number, "PCMA", 8, 8, 101, 101, sends=True, receives=True)
    )
    leg.tick(0.0)
    leg.stream.close(1.0, 0)
    assert leg.packets == [] and leg.reports == []


@given(st.lists(st.binary(max_size=40) | st.integers(0, 400), max_size=60))
def test_no_packet_makes_a_stream_raise_and_what_is_not_taken_is_counted(arriving: list[bytes | int]) -> None:
    customer, agent = Leg(HOME), Leg(AWAY, "PCMU")
    customer.stream.record(Heard(), "PCMU")
    customer.stream.bridge(agent.stream, True)
    agent.stream.bridge(customer.stream, True)
    for number, each in enumerate(arriving):
        if isinstance(each, bytes):
            customer.stream.receive(b"\x80" + each, HOME, 0.02 * number)
            customer.stream.receive_report(each, HOME, 0.02 * number, 0)
        else:
            kind = (8, 101, 13, 3)[each % 4]
            data = rtp.HEADER.pack(0x80, kind, each * 181 & 0xFFFF, each * 40_000_000 & 0xFFFFFFFF, each % 3)
            customer.stream.receive(data + b"\x05\x8a\x03\x20", HOME, 0.02 * number)
        customer.tick(0.02 * number)
    final = customer.stream.statistics(True)
    assert final.received + final.duplicated + final.refused <= 2 * len(arriving) + 60 and final.lost >= 0


def attended(law: str = "PCMA") -> Leg:
    leg = Leg(HOME, law)
    leg.stream.attend(("busy 425 500/500", "congestion 425 250/250"))
    return leg


def busy(law: str = "PCMA", seconds: float = 6.0) -> list[bytes]:
    return sounds_of.frames(sounds_of.encode(sounds_of.beeps((425,), (500, 500), seconds, -15.0), law))


@pytest.mark.parametrize("law", ["PCMA", "PCMU"])
def test_a_tone_on_a_leg_that_is_attended_is_told_once_and_its_sound_goes_its_way(law: str) -> None:
    leg = attended(law)
    other = Leg(AWAY, law)
    other.stream.bridge(leg.stream, True)
    leg.stream.bridge(other.stream, True)
    for number, frame in enumerate(busy(law, 12.0)):
        leg.hears(frame, 0.02 * number)
    (told,) = [event for event in leg.told if isinstance(event, port.ToneHeard)]
    assert told.tone == "busy" and told.at_ms <= 5000
    assert len(other.packets) == 600 and not any(isinstance(event, port.SoundHeard) for event in leg.told)


def test_a_voice_is_told_as_sound_once() -> None:
    leg = attended()
    voice = sounds_of.frames(sounds_of.encode(sounds_of.sine((180, 550, 1300), 1.0, -18.0), "PCMA"))
    for number, frame in enumerate(voice * 3):
        leg.hears(frame, 0.02 * number)
    assert [type(event) for event in leg.told].count(port.SoundHeard) == 1


def has_tap(leg: Leg) -> bool:
    return leg.stream._tap is not None


def test_a_leg_that_is_neither_listened_to_nor_attended_hands_its_sound_to_nobody_else() -> None:
    leg = Leg(HOME)
    assert not has_tap(leg)
    leg.stream.attend(("busy 425 500/500",))
    leg.stream.listen(5)
    assert has_tap(leg)
    leg.stream.attend(())
    leg.stream.listen(0)
    assert not has_tap(leg)
    for number, frame in enumerate(busy()):
        leg.hears(frame, 0.02 * number)
    assert not any(isinstance(event, port.ToneHeard | port.SoundHeard) for event in leg.told)


def test_a_leg_can_be_listened_to_and_attended_at_once() -> None:
    leg = attended()
    leg.stream.listen(60)
    for number, frame in enumerate(busy()):
        leg.hears(frame, 0.02 * number)
    leg.stream.listen(0)
    handed = b"".join(event.sound for event in leg.told if isinstance(event, port.Heard))
    assert handed == b"".join(busy()) and any(isinstance(event, port.ToneHeard) for event in leg.told)


def test_a_stream_that_is_closed_keeps_nothing_that_points_back_at_it() -> None:
    """The media process collects no cycles of old objects."""
    leg = attended()
    leg.stream.listen(60)
    leg.stream.close(1.0, 0)
    assert not has_tap(leg) and leg.stream._attended is None
