"""Sounds are made from texts, only those that changed, and a recorded voice wins."""

from __future__ import annotations

import io
import itertools
import math
import struct
import tomllib
import wave
from pathlib import Path

import pytest

from appliance.errors import Problem
from appliance.flow.catalogue import PLAYED_BY_THE_BOX, flow_files, load_file
from appliance.flow.model import prompts_of
from appliance.places import shipped_flows
from appliance.prompts import voices
from appliance.prompts.level import active_level
from appliance.prompts.recordings import PEAK, TARGET_DBM0


def tone(seconds: float, hertz: float = 700.0, rate: int = 8000, loudness: int = 8000) -> list[int]:
    return [round(loudness * math.sin(2 * math.pi * hertz * at / rate)) for at in range(round(seconds * rate))]


def packed(samples: list[int]) -> bytes:
    return struct.pack(f"<{len(samples)}h", *samples)


def recorded(content: bytes, rate: int = 8000, width: int = 2, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as opened:
        opened.setnchannels(channels)
        opened.setsampwidth(width)
        opened.setframerate(rate)
        opened.writeframes(content)
    return file.getvalue()


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    (tmp_path / "en").mkdir()
    (tmp_path / "texts" / "en.toml").write_text('hello = "Hello."\nbye = "Goodbye."\n')
    return tmp_path


def test_a_second_build_makes_nothing_and_a_changed_text_only_its_own_sound(prompts: Path) -> None:
    assert voices.build(prompts) == voices.Built(sounds=3, made=3)  # two texts and the music
    first = {file.name: file.read_bytes() for file in (prompts / "en").iterdir()}
    assert voices.build(prompts) == voices.Built(sounds=3, made=0)
    (prompts / "texts" / "en.toml").write_text('hello = "Hello."\nbye = "So long."\n')
    assert voices.build(prompts, only="hello").made == 0
    assert voices.build(prompts).made == 1
    second = {file.name: file.read_bytes() for file in (prompts / "en").iterdir()}
    assert {name for name in first if first[name] != second[name]} == {"bye.ulaw", "bye.alaw", "made.json"}


def test_the_same_text_is_always_the_same_sound(prompts: Path) -> None:
    voices.build(prompts)
    sound = (prompts / "en" / "hello.alaw").read_bytes()
    (prompts / "en" / "hello.alaw").unlink()
    assert voices.build(prompts).made == 1
    assert (prompts / "en" / "hello.alaw").read_bytes() == sound


def test_a_recorded_voice_wins_over_the_spoken_text(prompts: Path) -> None:
    voices.build(prompts)
    spoken = (prompts / "en" / "hello.ulaw").read_bytes()
    (prompts / "en" / "hello.wav").write_bytes(recorded(packed(tone(0.5))))
    assert voices.build(prompts).made == 1
    sound = (prompts / "en" / "hello.ulaw").read_bytes()
    assert sound != spoken and len(sound) == pytest.approx(4000 + voices.TAIL_SAMPLES, abs=80)
    (prompts / "en" / "hello.wav").unlink()
    assert voices.build(prompts).made == 1
    assert (prompts / "en" / "hello.ulaw").read_bytes() == spoken


@pytest.mark.parametrize(("rate", "width", "channels"), [(8000, 2, 1), (8000, 1, 1), (44100, 2, 2), (22050, 3, 1)])
def test_any_common_recording_keeps_its_pitch_and_length(prompts: Path, rate: int, width: int, channels: int) -> None:
    samples = tone(0.4, hertz=500, rate=rate)
    if width == 1:
        content = bytes((each >> 8) + 128 for each in samples)
    else:
        content = b"".join(bytes(width - 2) + struct.pack("<h", each) * 1 for each in samples for _ in range(channels))
    (prompts / "en" / "hello.wav").write_bytes(recorded(content, rate, width, channels))
    voices.build(prompts)
    sound = (prompts / "en" / "hello.ulaw").read_bytes()
    assert len(sound) == pytest.approx(3200 + voices.TAIL_SAMPLES, abs=120)
    signs = [each >= 0x80 for each in sound[: len(sound) - voices.TAIL_SAMPLES]]  # mu-law: the first bit is the sign
    crossings = sum(one != two for one, two in itertools.pairwise(signs))
    assert crossings == pytest.approx(2 * 500 * 0.4, abs=8)


def test_what_would_fold_back_is_filtered_out(prompts: Path) -> None:
    (prompts / "en" / "hello.wav").write_bytes(recorded(packed(tone(0.4, 6000, 32000)), 32000))
    (prompts / "en" / "bye.wav").write_bytes(recorded(packed(tone(0.4, 1000, 32000)), 32000))
    voices.build(prompts)
    assert (prompts / "en" / "bye.ulaw").stat().st_size > 3000
    assert (prompts / "en" / "hello.ulaw").stat().st_size < voices.TAIL_SAMPLES + 200  # its edges, and silence


@pytest.mark.parametrize(
    "content",
    [b"", b"RIFF", b"ID3" + bytes(100), recorded(bytes(600), channels=3)],
    ids=["empty", "cut", "MP3", "three channels"],
)
def test_a_recording_that_is_none_is_refused_and_named(prompts: Path, content: bytes) -> None:
    (prompts / "en" / "hello.wav").write_bytes(content)
    with pytest.raises(Problem) as caught:
        voices.build(prompts)
    assert caught.value.key == "prompts.bad_recording" and "hello.wav" in str(caught.value.fields["file"])


def test_a_prompt_that_nobody_would_hear_is_refused_and_named(prompts: Path) -> None:
    (prompts / "en" / "hello.wav").write_bytes(recorded(bytes(16_000)))
    with pytest.raises(Problem) as caught:
        voices.build(prompts)
    assert (caught.value.key, caught.value.fields["prompt"]) == ("prompts.silent", "hello")
    assert not (prompts / "en" / "hello.ulaw").exists()


@pytest.mark.parametrize("name", ["../hello", "a/b", "", "سلام"])
def test_a_name_that_could_not_be_that_of_a_file_is_refused(prompts: Path, name: str) -> None:
    (prompts / "texts" / "en.toml").write_text(f'"{name}" = "Hello."\n', encoding="utf-8")
    with pytest.raises(Problem) as caught:
        voices.build(prompts)
    assert caught.value.key == "saying.bad_texts"


def test_a_machine_without_espeak_says_what_to_install(prompts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(prompts))
    with pytest.raises(Problem) as caught:
        voices.build(prompts)
    assert (caught.value.key, caught.value.fields["program"]) == ("prompts.no_voice", "espeak-ng")


def test_silence_is_cut_from_both_ends_and_the_level_is_that_of_speech() -> None:
    linear = voices.trimmed(bytes(8000) + packed(tone(0.5, loudness=1000)) + bytes(16000))
    assert len(linear) // 2 == pytest.approx(4000 + voices.TAIL_SAMPLES, abs=80)
    level, _ = active_level(voices.levelled(packed(tone(2.0, loudness=1000))))
    assert level == pytest.approx(TARGET_DBM0, abs=0.5)
    assert voices.trimmed(bytes(400)) == b"" and voices.levelled(b"") == b""


def test_a_level_is_never_raised_into_clipping() -> None:
    samples = tone(1.0, loudness=300)
    samples[4000] = 20_000
    loud = voices.levelled(packed(samples))
    assert max(struct.unpack("<8000h", loud)) <= PEAK


def test_the_music_ends_where_it_begins(prompts: Path) -> None:
    voices.build(prompts)
    music = (prompts / "music.ulaw").read_bytes()
    assert len(music) == voices.MUSIC_SECONDS * 8000 // 160 * 160 or len(music) == pytest.approx(192_000, abs=400)
    assert {music[0] & 0x7F, music[-1] & 0x7F} <= set(range(0x70, 0x80))  # quiet: the largest codes of mu-law


def test_both_languages_have_the_same_prompts_and_all_are_played_somewhere() -> None:
    texts = {
        file.stem: set(tomllib.loads(file.read_text(encoding="utf-8")))
        for file in (shipped_flows() / "prompts" / "texts").glob("*.toml")
    }
    assert texts["fa"] == texts["en"]
    flows = [load_file(file) for file in flow_files(shipped_flows())]
    played = {prompt for flow in flows for node in flow.nodes.values() for _, prompt in prompts_of(node)}
    played |= {prompt for flow in flows for prompt in flow.limit_prompt} | PLAYED_BY_THE_BOX
    assert texts["fa"] == played
