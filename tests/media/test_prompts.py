"""Sounds and plays: what is missing, what is cut, what goes on after a crash."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from appliance.media.port import Piece
from appliance.media.prompts import FRAME, TO_ALAW, TO_ULAW, Player, Sounds


def whole(player: Player, most: int = 200) -> bytes:
    heard = b""
    for _ in range(most):
        frame = player.frame()
        if frame is None:
            break
        assert len(frame) == FRAME
        heard += frame
    return heard


class Memory(Sounds):
    """Sounds that lie in memory."""

    def __init__(self, sounds: list[bytes]) -> None:
        super().__init__(Path("/nowhere"))
        self._sounds = sounds

    def _load(self, path: str, law: str) -> bytes:
        return self._sounds[int(path)]


PIECES = st.lists(st.tuples(st.binary(max_size=700), st.integers(0, 800), st.integers(0, 800)), max_size=6)


@given(PIECES, st.integers(0, 3000))
def test_a_play_is_its_pieces_one_after_the_other_less_what_is_passed_over(
    drawn: list[tuple[bytes, int, int]], skip: int
) -> None:
    pieces = tuple(Piece(str(number), start, length) for number, (_, start, length) in enumerate(drawn))
    meant = b"".join(sound[start : start + length if length else None] for sound, start, length in drawn)[skip:]
    player = Player(1, pieces, "PCMU", Memory([sound for sound, _, _ in drawn]), False, True, skip)
    padding = b"\xff" * (-len(meant) % FRAME)
    assert whole(player) == meant + padding
    assert player.frame() is None
    assert player.is_whole == all(sound for sound, _, _ in drawn)


@given(st.lists(st.binary(min_size=1, max_size=500), min_size=1, max_size=4), st.integers(0, 5000))
def test_music_goes_on_in_the_round_in_which_it_would_be(sounds: list[bytes], skip: int) -> None:
    once = b"".join(sounds)
    pieces = tuple(Piece(str(number)) for number in range(len(sounds)))
    player = Player(1, pieces, "PCMU", Memory(sounds), True, False, skip)
    endless = once * (2 + (skip + 20 * FRAME) // len(once))
    assert whole(player, most=20) == endless[skip : skip + 20 * FRAME]


def test_music_of_which_nothing_is_there_ends_instead_of_turning_for_ever() -> None:
    player = Player(1, (Piece("0"),), "PCMU", Memory([b""]), True, False, 170)
    assert player.frame() is None and not player.is_whole


def test_a_prompt_that_is_made_later_is_found_without_a_restart(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    path = str(tmp_path / "late")
    assert sounds.get(path, "PCMA") == b""
    (tmp_path / "late.alaw").write_bytes(b"\x11" * 160)
    first = sounds.get(path, "PCMA")
    assert bytes(first) == b"\x11" * 160 and sounds.get(path, "PCMA") is first


def test_the_laws_agree_with_each_other_but_for_their_nearest_steps() -> None:
    there_and_back = bytes(range(256)).translate(TO_ALAW).translate(TO_ULAW)
    assert sum(one != other for one, other in zip(there_and_back, range(256), strict=True)) <= 16
    assert {0x7F: there_and_back[0x7F], 0xFF: there_and_back[0xFF]}.keys() == {0x7F, 0xFF}


def test_a_tone_that_is_not_known_is_no_sound(tmp_path: Path) -> None:
    assert Sounds(tmp_path).get("tone:siren", "PCMU") == b""
