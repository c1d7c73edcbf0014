"""Prompts spoken by telephone: mended, played instead of the others, and still there after a start."""

from __future__ import annotations

import audioop
from pathlib import Path

import pytest

from appliance.calls.spoken import Spoken
from appliance.errors import Problem
from tests.prompts.test_level import bursts
from tests.prompts.test_voices import packed


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    folder = tmp_path / "prompts"
    (folder / "texts").mkdir(parents=True)
    (folder / "texts" / "fa.toml").write_text('hello = "سلام"\nbye = "خدانگهدار"\n', encoding="utf-8")
    return folder


def said(loudness: int = 900) -> bytes:
    return audioop.lin2alaw(bytes(8000) + packed(bursts(0.8, 0.2, 2, loudness)) + bytes(8000), 2)


def test_a_prompt_that_was_spoken_is_played_instead_and_after_a_start_too(tmp_path: Path, prompts: Path) -> None:
    spoken = Spoken(tmp_path / "spoken", prompts)
    assert spoken.base("fa", "hello") == prompts / "fa" / "hello"
    spoken.keep("fa", "hello", "PCMA", said())
    first = spoken.base("fa", "hello")
    assert first.parent == tmp_path / "spoken" / "fa" and first.with_name(f"{first.name}.ulaw").stat().st_size > 8000
    assert spoken.base("fa", "bye") == prompts / "fa" / "bye" and spoken.base("en", "hello") == prompts / "en" / "hello"
    spoken.keep("fa", "hello", "PCMA", said(2000))
    assert spoken.base("fa", "hello") != first, "a new file: who listens just now hears the old one to its end"
    assert Spoken(tmp_path / "spoken", prompts).base("fa", "hello") == spoken.base("fa", "hello")


def test_what_cannot_be_mended_changes_nothing(tmp_path: Path, prompts: Path) -> None:
    spoken = Spoken(tmp_path / "spoken", prompts)
    for sound in (b"", b"\xd5" * 16_000):
        with pytest.raises(Problem, match=r"silent|too_quiet"):
            spoken.keep("fa", "hello", "PCMA", sound)
    assert spoken.base("fa", "hello") == prompts / "fa" / "hello" and not (tmp_path / "spoken" / "spoken.json").exists()


def test_numbers_are_those_of_the_reading_list(tmp_path: Path, prompts: Path) -> None:
    spoken = Spoken(tmp_path / "spoken", prompts)
    assert [spoken.name_of("fa", number) for number in ("1", "2", "3", "0", "x", "")] == [
        "hello",
        "bye",
        "",
        "",
        "",
        "",
    ]
    assert spoken.name_of("en", "1") == ""


def test_an_index_that_is_not_ours_leaves_the_boxs_own_prompts(tmp_path: Path, prompts: Path) -> None:
    (tmp_path / "spoken").mkdir()
    for content in ("{", "[1]", "\x00"):
        (tmp_path / "spoken" / "spoken.json").write_text(content)
        assert Spoken(tmp_path / "spoken", prompts).base("fa", "hello") == prompts / "fa" / "hello"
