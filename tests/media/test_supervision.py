"""Three legs on one engine: who hears whom, to the byte, in every mode and through everything a call may do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.media import dtmf, port, rtp
from appliance.recorder import reading
from tests.media.test_engine import AGENT, CUSTOMER, Party, Room
from tests.recorder.given import CLASSIC, named

SUPERVISOR = "5" * 32
SILENCE = b"\xd5" * 160
SECOND = "b" * 32
SETTLE = 8  # frames after which whatever was under way is heard


class Call(Room):
    """A customer, an agent and a supervisor, who speak all the time; each frame says whose it is, and its number."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ports: dict[str, int] = {}
        self.by: dict[str, Party] = {}
        self.said: dict[str, list[bytes]] = {}
        self.heard: dict[str, list[rtp.Packet]] = {}
        for name in (CUSTOMER, AGENT, SUPERVISOR):
            self.comes(name)
        self.does(port.Bridge(CUSTOMER, AGENT))

    def comes(self, name: str) -> None:
        self.ports[name], self.by[name] = self.opens(name), self.party(name)
        self.by[name].sound.setblocking(False)
        self.said[name], self.heard[name] = [], []

    def supervises(self, mode: port.Mode, *told: str) -> None:
        self.does(port.Supervise(SUPERVISOR, CUSTOMER, AGENT, mode, told))

    def talk(self, frames: int = 25) -> dict[str, list[bytes]]:
        """Everybody says so many frames; what each heard of it, packet by packet."""
        before = {name: len(heard) for name, heard in self.heard.items()}
        for _ in range(frames):
            for name, party in self.by.items():
                sound = (
                    bytes([1 + len(self.said[name]) % 0x0F]) * 80 + bytes([0x10 + "ca5b".index(name[0]) * 0x10]) * 80
                )
                self.said[name].append(sound)
                party.says(self.ports[name], sound)
            self.turn()
            for name, party in self.by.items():
                self.heard[name] += _all(party)
        return {name: [each.payload for each in heard[before[name] :]] for name, heard in self.heard.items()}


def _all(party: Party) -> Iterator[rtp.Packet]:
    while True:
        try:
            yield party.hears()
        except BlockingIOError:
            return


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    made = Call(tmp_path)
    made.talk()
    yield made
    made.close()


def only(heard: list[bytes], said: list[bytes]) -> bool:
    """Whether this is nothing but what was said, in order and without a hole."""
    return b"".join(heard[SETTLE:]) in b"".join(said)


def is_mixed(heard: list[bytes], call: Call) -> bool:
    """Whether none of this is any single voice."""
    everything = {sound for said in call.said.values() for sound in said}
    return not everything & set(heard[SETTLE:])


def test_who_listens_hears_both_and_is_heard_by_nobody(call: Call) -> None:
    call.supervises("listen")
    heard = call.talk()
    assert heard[CUSTOMER] == call.said[AGENT][25:] and heard[AGENT] == call.said[CUSTOMER][25:]
    assert is_mixed(heard[SUPERVISOR], call) and SILENCE not in heard[SUPERVISOR][SETTLE:]


def test_a_whisper_changes_no_byte_of_what_the_customer_hears(call: Call) -> None:
    call.supervises("listen")
    call.talk()
    call.supervises("whisper")
    heard = call.talk(100)
    assert heard[CUSTOMER] == call.said[AGENT][50:]
    assert is_mixed(heard[AGENT], call)
    call.supervises("listen")
    assert only(call.talk()[AGENT], call.said[CUSTOMER])


def test_who_joins_is_heard_by_both_and_hears_both(call: Call) -> None:
    call.supervises("join")
    heard = call.talk()
    assert all(is_mixed(heard[name], call) for name in (CUSTOMER, AGENT, SUPERVISOR))


def test_a_beep_goes_to_who_is_told_and_to_nobody_else(call: Call) -> None:
    call.supervises("listen", AGENT, SUPERVISOR)
    heard = call.talk(60)
    assert heard[CUSTOMER] == call.said[AGENT][25:]
    assert is_mixed(heard[AGENT][: SETTLE + 5], call) and only(heard[AGENT][20:], call.said[CUSTOMER])
    call.supervises("listen")
    assert only(call.talk()[AGENT], call.said[CUSTOMER]), "relayed again"


@pytest.mark.parametrize("mode", ["listen", "whisper", "join"])
def test_a_supervisor_who_leaves_is_noticed_by_nobody(call: Call, mode: port.Mode) -> None:
    call.supervises(mode)
    call.talk()
    call.does(port.Close(SUPERVISOR))
    del call.by[SUPERVISOR]
    heard = call.talk()
    assert only(heard[CUSTOMER], call.said[AGENT]) and only(heard[AGENT], call.said[CUSTOMER])
    for name in (CUSTOMER, AGENT):
        numbers = [packet.sequence for packet in call.heard[name]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "one row of numbers through all of it"
        moments = [packet.timestamp for packet in call.heard[name]]
        assert all(0 < (after - one) & 0xFFFFFFFF <= 480 for one, after in itertools.pairwise(moments))


@pytest.mark.parametrize("mode", ["whisper", "join"])
def test_while_the_two_are_not_joined_the_supervisor_is_heard_by_nobody_and_afterwards_as_before(
    call: Call, mode: port.Mode
) -> None:
    call.supervises(mode)
    call.talk()
    call.does(port.Unbridge(CUSTOMER), port.Play(CUSTOMER, 1, (port.Piece("tone:ring-back"),), loops=True))
    heard = call.talk()
    assert set(heard[SUPERVISOR]) == set(heard[AGENT]) == {SILENCE}
    assert not any(set(sound) & {0x30} for sound in heard[CUSTOMER])
    call.does(port.Bridge(CUSTOMER, AGENT))
    heard = call.talk()
    assert is_mixed(heard[SUPERVISOR], call) and is_mixed(heard[AGENT], call)
    assert is_mixed(heard[CUSTOMER], call) if mode == "join" else heard[CUSTOMER] == call.said[AGENT][75:]


def test_whom_the_customer_is_passed_on_to_is_not_listened_to(call: Call) -> None:
    call.supervises("join")
    call.comes(SECOND)
    call.does(port.Bridge(CUSTOMER, SECOND))
    heard = call.talk()
    assert heard[CUSTOMER] == call.said[SECOND] and only(heard[SECOND], call.said[CUSTOMER])
    assert set(heard[SUPERVISOR]) == {SILENCE}
    call.does(port.Close(AGENT), port.Unbridge(SUPERVISOR))
    del call.by[AGENT]
    assert set(call.talk()[SUPERVISOR]) == {SILENCE}


def test_the_last_supervisor_of_a_bridge_is_its_only_one_and_a_play_ends_it(call: Call) -> None:
    call.supervises("join")
    call.comes(SECOND)
    call.does(port.Supervise(SECOND, CUSTOMER, AGENT, "listen"))
    heard = call.talk()
    assert set(heard[SUPERVISOR][SETTLE:]) == {SILENCE} and is_mixed(heard[SECOND], call)
    assert only(heard[CUSTOMER], call.said[AGENT])
    call.does(port.Play(SECOND, 1, (port.Piece("tone:ring-back"),), loops=True))
    assert not call.engine._supervised
    call.does(port.Supervise(SECOND, CUSTOMER, "0" * 32, "join"), port.Supervise("0" * 32, CUSTOMER, AGENT, "join"))
    call.does(port.Supervise(AGENT, CUSTOMER, AGENT, "join"))
    heard = call.talk()
    assert set(heard[SECOND]) == {SILENCE} and only(heard[CUSTOMER], call.said[AGENT])


def test_keys_of_the_customer_reach_an_agent_who_hears_a_mix_and_those_of_the_supervisor_nobody(call: Call) -> None:
    call.supervises("whisper")
    call.talk(5)
    for name, digit in ((CUSTOMER, "5"), (SUPERVISOR, "7")):
        sender = dtmf.Sender()
        sender.press(digit, 100)
        party, timestamp = call.by[name], 160 * (call.by[name].sequence + 1)
        while sender.is_busy:
            for payload in sender.frame(timestamp)[2]:
                party.sequence += 1
                data = rtp.HEADER.pack(0x80, 101, party.sequence, timestamp, party.port) + payload
                party.sound.sendto(data, ("127.0.0.1", call.ports[name]))
            call.turn()
    call.talk(20)
    told = [(event.stream, event.digit) for event in call.told if isinstance(event, port.DigitHeard)]
    assert told == [(CUSTOMER, "5"), (SUPERVISOR, "7")]
    pressed = {name: {p.payload[0] for p in heard if p.payload_type == 101} for name, heard in call.heard.items()}
    assert pressed == {CUSTOMER: set(), AGENT: {5}, SUPERVISOR: set()}
    numbers = [packet.sequence for packet in call.heard[AGENT]]
    assert len(numbers) == len(set(numbers))


def test_a_whisper_is_in_the_recording_of_its_own_leg_and_in_no_channel_of_the_customers(tmp_path: Path) -> None:
    call = Call(tmp_path)
    call.talk()
    for number, name in enumerate((CUSTOMER, SUPERVISOR)):
        role = "customer" if name == CUSTOMER else "supervisor"
        call.does(port.StartRecording(name, named(number), "f" * 32, 1 + number, "consent", "{}", role))
    call.supervises("whisper")
    call.talk(50)
    call.supervises("join")
    call.talk(50)
    call.close()
    whose = [reading.open_recording(call.box.folder / "kept" / named(number), CLASSIC) for number in (0, 1)]
    (customer_left, customer_right), (own, _) = ((each.stereo[0::2], each.stereo[1::2]) for each in whose)
    assert [each.about["left"] for each in whose] == ["customer", "supervisor"]
    whispered = b"".join(call.said[SUPERVISOR][30:70])
    assert whispered in own
    assert b"\x30" not in customer_left and b"\x30" not in customer_right[: 160 * 45]
    assert b"".join(call.said[AGENT][30:65]) in customer_right, "untouched while it is whispered"
    joined = customer_right[160 * 60 : 160 * 90]
    assert joined not in b"".join(call.said[AGENT]) and joined.count(b"\xd5") < 160
