"""A paused recording: silence both ways to the packet, all else as it was said, and nobody on the line hears of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.media import port
from appliance.recorder import reading
from tests.media.test_engine import AGENT, CUSTOMER
from tests.media.test_supervision import SILENCE, SUPERVISOR, Call
from tests.recorder.given import CLASSIC, named

BEFORE, PAUSED, AFTER = 40, 75, 40


def in_packets(sound: bytes) -> list[bytes]:
    return [sound[at : at + 160] for at in range(0, len(sound), 160)]


@pytest.mark.parametrize("mode", [None, "join"])
def test_silence_of_the_right_length_stands_in_both_channels_and_every_other_byte_is_what_was_said(
    tmp_path: Path, mode: port.Mode | None
) -> None:
    call = Call(tmp_path)
    call.talk()
    recorded = (CUSTOMER,) if mode is None else (CUSTOMER, SUPERVISOR)
    for number, name in enumerate(recorded):
        call.does(port.StartRecording(name, named(number), "f" * 32, 1 + number, "consent", "{}"))
    if mode is not None:
        call.supervises(mode)
    call.talk(BEFORE)
    call.does(*(port.Pause(name, True) for name in recorded))
    heard = call.talk(PAUSED)
    assert mode is not None or heard[CUSTOMER] == call.said[AGENT][25 + BEFORE :], "and nobody hears of it"
    call.does(*(port.Pause(name, False) for name in recorded))
    call.talk(AFTER)
    call.close()
    for number, name in enumerate(recorded):
        opened = reading.open_recording(call.box.folder / "kept" / named(number), CLASSIC)
        left, right = in_packets(opened.stereo[0::2]), in_packets(opened.stereo[1::2])
        said = call.said[name][25:-2]  # the last ones are under way when it ends
        begins = left.index(said[0])
        resumes = begins + BEFORE + PAUSED
        assert left[begins : begins + BEFORE] == said[:BEFORE]
        assert left[begins + BEFORE : resumes] == [SILENCE] * PAUSED
        assert left[resumes : resumes + AFTER - 2] == said[BEFORE + PAUSED :]
        middle = right[begins + BEFORE + 2 : begins + BEFORE + PAUSED - 2]
        assert set(middle) == {SILENCE}
        if mode is None:
            sent = [each for each in right if each != SILENCE]
            others = call.said[AGENT][25:]
            assert sent[: BEFORE + AFTER - 2] == [*others[:BEFORE], *others[BEFORE + PAUSED : -2]]


def test_a_pause_and_a_secret_hold_beside_each_other_and_neither_ends_the_other(tmp_path: Path) -> None:
    call = Call(tmp_path)
    call.talk()
    call.does(port.StartRecording(CUSTOMER, named(0), "f" * 32, 1, "consent", "{}"))
    call.does(port.Mask(CUSTOMER, True), port.Pause(CUSTOMER, True), port.Mask(CUSTOMER, False))
    call.talk(150)
    call.does(port.Mask(CUSTOMER, True), port.Pause(CUSTOMER, False))
    call.talk(50)
    call.close()
    opened = reading.open_recording(call.box.folder / "kept" / named(0), CLASSIC)
    assert set(opened.stereo[0::2]) == {SILENCE[0]}
    right = opened.stereo[1::2]
    assert set(right[: 145 * 160]) == {SILENCE[0]} and b"".join(call.said[AGENT][-45:-5]) in right
