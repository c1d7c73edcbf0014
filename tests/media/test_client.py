"""What calls keeps of every stream, so that a media process that died is told everything again."""

from __future__ import annotations

import itertools
import json

import pytest

from appliance.media import port
from appliance.media.client import MediaState

CUSTOMER, AGENT = "c" * 32, "a" * 32
REMOTE = port.SetRemote(CUSTOMER, "192.0.2.1", 4000, "PCMA", 8, 8, 101, 101, sends=True, receives=True)
RECORDING = port.StartRecording(CUSTOMER, "1" * 32, "f" * 32, 1, "consent", '{"line":"office"}')


def state() -> MediaState:
    numbers = itertools.count(2)
    made = MediaState(lambda: str(next(numbers)) * 32, birth="first")
    for command in (port.Open(CUSTOMER, "127.0.0.1"), REMOTE, port.Open(AGENT, "127.0.0.1"), RECORDING):
        made.commanded(command, 0.0)
    for event in (
        port.Opened(CUSTOMER, 20_000),
        port.Opened(AGENT, 20_002),
        port.RecordingStarted("1" * 32, CUSTOMER, 0),
    ):
        made.happened(event)
    return made


def test_streams_come_back_on_their_ports_with_the_source_that_was_learned() -> None:
    made = state()
    made.happened(port.MediaStarted(CUSTOMER, "203.0.113.9", 61_000, 5))
    commands, _ = made.replay(1.0)
    assert commands[0] == port.Keep((CUSTOMER, AGENT))
    assert port.Open(CUSTOMER, "127.0.0.1", 20_000) in commands and port.Open(AGENT, "127.0.0.1", 20_002) in commands
    remote = next(command for command in commands if isinstance(command, port.SetRemote))
    assert remote.learned == ("203.0.113.9", 61_000)


def test_a_recording_goes_on_as_its_next_part_that_names_the_one_before() -> None:
    made = state()
    made.lost_at = 10.0
    commands, events = made.replay(10.4)
    started = next(command for command in commands if isinstance(command, port.StartRecording))
    assert (started.part, started.recording, started.consent) == (2, "2" * 32, "consent")
    assert json.loads(started.manifest) == {"line": "office", "follows": "1" * 32, "gap_ms": 400}
    assert events == [
        port.RecordingContinued("2" * 32, "1" * 32, 2, 400),
        port.MediaBack((CUSTOMER, AGENT), 400),
    ]


def test_a_recording_that_no_process_has_heard_of_begins_under_the_id_that_is_waited_for() -> None:
    made = MediaState(lambda: "9" * 32)
    for command in (port.Open(CUSTOMER, "127.0.0.1"), RECORDING):
        made.commanded(command, 0.0)
    commands, events = made.replay(0.5)
    assert [each for each in commands if isinstance(each, port.StartRecording)] == [RECORDING] and events == []


def test_a_recording_that_a_dead_process_may_have_begun_goes_on_under_an_id_that_is_told() -> None:
    made = MediaState(lambda: "9" * 32, birth="first")
    for command in (port.Open(CUSTOMER, "127.0.0.1"), RECORDING):
        made.commanded(command, 0.0)
    made.birth, made.lost_at = "", 0.1
    commands, events = made.replay(0.5)
    (started,) = [each for each in commands if isinstance(each, port.StartRecording)]
    assert events[0] == port.RecordingContinued(started.recording, RECORDING.recording, 2, 400)
    assert started.recording == "9" * 32


def test_a_play_goes_on_where_it_would_be_now_and_one_that_ended_is_not_played_again() -> None:
    made = state()
    made.commanded(port.Play(CUSTOMER, 1, (port.Piece("/p/menu", 80),)), 5.0)
    commands, _ = made.replay(6.0)
    assert port.Play(CUSTOMER, 1, (port.Piece("/p/menu", 80),), skip=8000) in commands
    made.happened(port.PlayEnded(CUSTOMER, 1, True))
    assert not any(isinstance(command, port.Play) for command in made.replay(7.0)[0])


def test_a_bridge_stands_again_and_one_that_was_ended_does_not() -> None:
    made = state()
    bridge = port.Bridge(CUSTOMER, AGENT)
    made.commanded(bridge, 1.0)
    assert made.replay(2.0)[0].count(bridge) == 1 and made.replay(2.0)[0][-1] == bridge
    made.commanded(port.Unbridge(AGENT), 3.0)
    assert bridge not in made.replay(4.0)[0]


def test_a_supervisor_is_back_behind_the_bridge_without_a_beep_unless_it_was_ended() -> None:
    made = state()
    supervisor = "5" * 32
    begins = (port.Open(supervisor, "127.0.0.1"), port.Bridge(CUSTOMER, AGENT))
    supervise = port.Supervise(supervisor, CUSTOMER, AGENT, "join", (AGENT,))
    ends: tuple[port.Command, ...] = (
        port.Unbridge(supervisor), port.Play(supervisor, 1, (port.Piece("/p/menu"),)), port.Close(supervisor)
    )  # fmt: skip
    for end in ends:
        for command in (*begins, supervise):
            made.commanded(command, 1.0)
        commands, _ = made.replay(2.0)
        again = port.Supervise(supervisor, CUSTOMER, AGENT, "join")
        assert commands.index(again) > commands.index(port.Bridge(CUSTOMER, AGENT))
        made.commanded(end, 3.0)
        assert not any(isinstance(command, port.Supervise) for command in made.replay(4.0)[0])


def test_what_is_closed_or_stopped_stays_so() -> None:
    made = state()
    made.commanded(port.StopRecording("1" * 32), 1.0)
    made.commanded(port.Close(AGENT), 1.0)
    commands, events = made.replay(2.0)
    assert commands[0] == port.Keep((CUSTOMER,)) and not any(isinstance(c, port.StartRecording) for c in commands)
    assert events == []


@pytest.mark.parametrize("silences", [port.Mask, port.Pause])
def test_a_secret_stays_one_when_media_comes_back_before_anything_is_recorded(
    silences: type[port.Mask | port.Pause],
) -> None:
    made = state()
    made.commanded(silences(CUSTOMER, True), 1.0)
    commands, _ = made.replay(2.0)
    kinds = [type(command) for command in commands]
    assert kinds.index(silences) < kinds.index(port.StartRecording)
    made.commanded(silences(CUSTOMER, False), 3.0)
    assert not any(isinstance(command, silences) for command in made.replay(4.0)[0])


def test_a_leg_that_is_attended_is_so_again_unless_its_tone_was_heard_or_it_was_told_to_end() -> None:
    made = state()
    attend = port.Attend(CUSTOMER, ("busy 425 500/500",))
    made.commanded(attend, 1.0)
    commands, _ = made.replay(2.0)
    assert commands.index(attend) > next(n for n, each in enumerate(commands) if isinstance(each, port.SetRemote))
    made.commanded(port.Attend(CUSTOMER, ()), 3.0)
    assert not any(isinstance(command, port.Attend) for command in made.replay(4.0)[0])
    made.commanded(attend, 5.0)
    made.happened(port.ToneHeard(CUSTOMER, "ringing", 5))
    assert attend in made.replay(5.5)[0]
    made.happened(port.ToneHeard(CUSTOMER, "busy", 5))
    assert not any(isinstance(command, port.Attend) for command in made.replay(6.0)[0])
