"""Talk times from speech bits, and speech marked in real sound."""

from __future__ import annotations

import audioop
import io
import itertools
import re
import subprocess
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.recorder import reading
from appliance.recorder.events import Sealed, SpeechEnded, SpeechStarted
from appliance.recorder.live import LiveRecording
from appliance.recorder.speech import Conversation, Speaker, Talk
from tests.recorder.given import CLASSIC, Box, named

QUIET = b"\xff" * 160


def test_a_cough_is_not_speaking_but_a_word_is() -> None:
    speaker = Speaker(join_ms=300, least_ms=100)
    assert [speaker.frame(True) for _ in range(4)] == [False] * 4
    assert [speaker.frame(False) for _ in range(15)] == [False] * 15
    assert [speaker.frame(True) for _ in range(5)] == [False] * 4 + [True]
    assert [speaker.frame(False) for _ in range(15)] == [False] * 14 + [True]
    assert speaker.talk_ms == 180


def test_overtalk_and_dead_air_count_from_their_first_moment_once_they_are_long_enough() -> None:
    conversation = Conversation()
    for _ in range(9):
        conversation.frame(True, True, False)
    assert conversation.overtalk_ms == 0
    for _ in range(11):
        conversation.frame(True, True, False)
    assert conversation.overtalk_ms == 400
    for _ in range(149):
        conversation.frame(False, False, False)
    assert conversation.dead_air_ms == 0
    for _ in range(51):
        conversation.frame(False, False, False)
    assert conversation.dead_air_ms == 4000
    for _ in range(300):
        conversation.frame(False, False, True)
    assert conversation.dead_air_ms == 4000, "our own prompt is no dead air"


def heard(left: str, right: str) -> Talk:
    """The figures of two lines of marks, a mark for 100 ms: ``#`` speech, ``p`` a prompt of ours, else silence."""
    conversation = Conversation()
    for one, other in zip(left, right, strict=True):
        for _ in range(5):
            conversation.frame(one == "#", other == "#", other == "p")
    return conversation.talk


def test_an_interruption_is_counted_to_whom_began_later_once_for_each_time_they_speak() -> None:
    talk = heard(
        "##########......######....####",
        ".....##.........#.##.......###",
    )
    assert (talk.left_interruptions, talk.right_interruptions) == (0, 2) and talk.overtalk_ms == 700
    talk = heard("...####.....", "##########..")
    assert (talk.left_interruptions, talk.right_interruptions) == (1, 0)
    # Who speaks into the short pauses of another has interrupted, once, and has not replied.
    talk = heard("##..##..##..##....", "..############....")
    assert (talk.left_interruptions, talk.right_interruptions, talk.replies) == (0, 1, 0)


@pytest.mark.parametrize(
    ("left", "right", "of_whom"),
    [
        ("######", "######", (0, 0)),  # both began at once
        ("######", ".....#", (0, 0)),  # 100 ms of both
        ("####......", "....######", (0, 0)),  # a reply without a pause
        ("######", "..pppp", (0, 0)),  # a prompt is nobody
    ],
)
def test_what_is_no_interruption(left: str, right: str, of_whom: tuple[int, int]) -> None:
    talk = heard(left, right)
    assert (talk.left_interruptions, talk.right_interruptions) == of_whom


@pytest.mark.parametrize(
    ("left", "right", "replies", "reply_ms"),
    [
        ("###.......", ".....###..", 1, 200),
        ("###.......", "...#######", 1, 0),  # at once
        ("###...##............", ".............####...", 1, 500),  # from the last word
        ("##....##......##....", "...##....##......##.", 3, 300),
        ("###.......", ".##.......", 0, 0),  # spoken into
        ("###..........", ".....##..##..", 1, 200),  # one reply, however often we go on
        ("###...........", "....ppp...###.", 0, 0),  # a prompt came in between
        ("#.........", ".....###..", 1, 400),  # 100 ms are a word
        ("..........", ".....###..", 0, 0),  # nobody asked
        ("##########.....##.......", "........####........###.", 1, 300),  # what we said over the end is none
    ],
)
def test_a_reply_is_ours_to_the_last_words_of_the_customer(left: str, right: str, replies: int, reply_ms: int) -> None:
    talk = heard(left, right)
    assert (talk.replies, talk.reply_ms) == (replies, reply_ms)


def test_the_longest_silence_is_of_both_and_ends_with_a_word_or_a_prompt() -> None:
    assert heard("###....##", "..#......").longest_silence_ms == 400
    assert heard("#........", "....p....").longest_silence_ms == 400
    talk = heard("#" + "." * 29 + "#" + "." * 35, "." * 66)
    assert (talk.longest_silence_ms, talk.dead_air_ms) == (3_500, 3_500)
    assert heard("." * 31, "." * 31) == Talk(dead_air_ms=3_100, longest_silence_ms=3_100)


def test_our_share_of_the_talk_is_that_of_our_frames() -> None:
    assert heard("###.....", "...#....").right_share == 0.25 and Talk().right_share == 0.0


@given(st.lists(st.tuples(st.sampled_from(".#"), st.sampled_from(".#p"), st.integers(1, 60)), max_size=40))
def test_the_figures_of_any_call_hold_together(stretches: list[tuple[str, str, int]]) -> None:
    left = "".join(one * length for one, _, length in stretches)
    right = "".join(other * length for _, other, length in stretches)
    talk = heard(left, right)
    silent = ["." if (one, other) == (".", ".") else "x" for one, other in zip(left, right, strict=True)]
    runs = ["".join(run) for kind, run in itertools.groupby(silent) if kind == "."]
    assert talk.longest_silence_ms == 100 * max(map(len, runs), default=0)
    assert talk.dead_air_ms == 100 * sum(len(run) for run in runs if len(run) >= 30)
    both = [one == other == "#" for one, other in zip(left, right, strict=True)]
    assert talk.overtalk_ms == 100 * sum(len(run) for is_both, run in _runs(both) if is_both and len(run) >= 2)
    assert talk.left_talk_ms == 100 * left.count("#") and talk.right_talk_ms == 100 * right.count("#")
    # What the other way round is heard is the same, the other way round.
    turned = heard(right.replace("p", "."), left)
    assert turned.left_talk_ms == talk.right_talk_ms and turned.overtalk_ms == talk.overtalk_ms
    assert (turned.left_interruptions, turned.right_interruptions) == (
        talk.right_interruptions,
        talk.left_interruptions,
    )
    assert talk.replies <= len(re.findall("#+", left)) and talk.reply_ms <= 100 * len(left)


def _runs(marks: list[bool]) -> list[tuple[bool, list[bool]]]:
    return [(kind, list(run)) for kind, run in itertools.groupby(marks)]


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 40)), max_size=30), st.booleans())
def test_many_quiet_frames_at_once_count_as_one_by_one(stretches: list[tuple[bool, bool, int]], is_own: bool) -> None:
    one_by_one, at_once = Conversation(), Conversation()
    for left, right, frames in stretches:
        for _ in range(frames):
            one_by_one.frame(left, right, is_own)
        if not (left or right) and at_once.is_quiet:
            at_once.quiet(frames, is_own)
        else:
            for _ in range(frames):
                at_once.frame(left, right, is_own)
        assert one_by_one.talk == at_once.talk and one_by_one.is_quiet == at_once.is_quiet
        assert one_by_one.left.is_speaking == at_once.left.is_speaking


@pytest.fixture(scope="module")
def spoken() -> list[bytes]:
    """Four or five seconds of a voice, as frames of mu-law."""
    text = "good morning, this is a sentence that somebody says without any pause to a box that is listening"
    made = subprocess.run(["espeak-ng", "-v", "en", "--stdout", text], capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(made)) as file:
        linear, _ = audioop.ratecv(file.readframes(file.getnframes()), 2, 1, file.getframerate(), 8000, None)
    sound = audioop.lin2ulaw(linear, 2)
    return [sound[start : start + 160] for start in range(0, len(sound) - 160, 160)]


def talked(box: Box, left: list[bytes], right: list[bytes], is_own: bool, law: str = "PCMU") -> Path:
    """One recording of both sides; returns its base in kept/."""
    live = box.recorder.start(named(1), "s1", law, "c", 1, "k", "{}", box.now - 0.01)
    assert isinstance(live, LiveRecording)
    for number, (heard, sent) in enumerate(zip(left, right, strict=True)):
        live.heard(number * 160, heard, box.now)
        live.sent(number * 160, sent, is_own, box.now)
        box.tick()
    live.stop(box.now)
    box.wait_for(Sealed)
    return box.folder / "kept" / named(1)


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_speech_is_marked_where_it_is_on_either_side(spoken: list[bytes], tmp_path: Path, law: str) -> None:
    box = Box(tmp_path)
    silence = QUIET if law == "PCMU" else b"\xd5" * 160
    voice = spoken if law == "PCMU" else [audioop.lin2alaw(audioop.ulaw2lin(each, 2), 2) for each in spoken]
    pause, length = [silence] * 100, len(spoken) * 20
    left, right = pause + voice + pause + [silence] * len(spoken), pause + [silence] * len(spoken) + pause + voice
    opened = reading.open_recording(talked(box, left, right, is_own=False, law=law), CLASSIC)
    speech = opened.speech()
    assert 0.7 * length <= speech.left_talk_ms <= length + 200
    assert abs(speech.left_talk_ms - speech.right_talk_ms) <= 200
    told = box.wait_for(Sealed)[0]
    assert isinstance(told, Sealed) and told.talk == speech
    assert (speech.replies, speech.left_interruptions, speech.right_interruptions) == (1, 0, 0)
    assert 1_600 <= speech.reply_ms <= 2_600 and 1_600 <= speech.longest_silence_ms <= 2_600
    assert speech.overtalk_ms == 0 and 0.45 < speech.right_share < 0.55
    # Until END is written the marks of the half seconds must tell the same.
    counted = reading.Opened(**{**{name: getattr(opened, name) for name in opened.__slots__}, "summary": {}}).speech()
    assert counted.left_talk_ms == speech.left_talk_ms and counted.right_talk_ms == speech.right_talk_ms
    started, ended = box.wait_for(SpeechStarted)[0], box.wait_for(SpeechEnded)[-1]
    assert isinstance(started, SpeechStarted) and isinstance(ended, SpeechEnded)
    assert 1_002_000 <= started.at_ms <= 1_002_600 and started.stream == "s1"
    assert 1_002_000 + length <= ended.at_ms <= 1_002_000 + length + 900


def test_our_own_prompt_is_never_marked_as_speech_and_is_no_dead_air(spoken: list[bytes], tmp_path: Path) -> None:
    box = Box(tmp_path)
    speech = reading.open_recording(talked(box, [QUIET] * len(spoken), spoken, is_own=True), CLASSIC).speech()
    assert speech.left_talk_ms == speech.right_talk_ms == speech.dead_air_ms == 0


def test_a_masked_stretch_holds_its_sound_but_no_speech(spoken: list[bytes], tmp_path: Path) -> None:
    box = Box(tmp_path)
    live = box.recorder.start(named(1), "s1", "PCMU", "c", 1, "k", "{}", box.now - 0.01)
    assert isinstance(live, LiveRecording)
    live.mask(box.now, 60_000)
    for number, frame in enumerate(spoken):
        live.heard(number * 160, frame, box.now)
        box.tick()
    live.stop(box.now)
    box.wait_for(Sealed)
    opened = reading.open_recording(box.folder / "kept" / named(1), CLASSIC)
    assert opened.speech().left_talk_ms == 0 and opened.stereo[0::2][: len(spoken) * 160] == b"".join(spoken)
