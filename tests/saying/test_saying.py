"""Values as they are spoken, against a list that was made by another way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import cli, saying
from appliance.errors import Problem
from appliance.saying.values import EXPECTED, KINDS, MOST, MOST_SECONDS
from tests.support.work import functions_entered

GOLDEN = Path(__file__).parent / "golden"
LANGUAGES = ("fa", "en")
PARTS = (
    {str(n): n for n in range(1000)},
    {"1e3": 10**3, "1e6": 10**6, "1e9": 10**9, "1e12": 10**12},
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_2000_values_are_said_as_an_independent_list_has_them(language: str) -> None:
    cases = [line.split("\t") for line in (GOLDEN / f"{language}.tsv").read_text(encoding="utf-8").splitlines()]
    wrong = [
        (kind, value, words, said)
        for kind, value, words in cases
        if (said := saying.say(language, kind, value).words) != words
    ]
    assert wrong == []
    assert len({(kind, value) for kind, value, _ in cases}) >= 2000
    assert {kind for kind, _, _ in cases} == set(KINDS)


def test_conjunctions_and_ezafe_stand_where_people_say_them() -> None:
    assert saying.say("fa", "number", 21_300).words == "بیست و یک هزار و سیصد"
    assert saying.say("fa", "jalali", "2026-11-23").words == "دوشنبه دومِ آذر"
    assert saying.say("fa", "range", "5-10").words == "بین پنج تا ده دقیقه"
    assert saying.say("en", "phone", "+98 21").words == "zero zero nine eight two one"


def value_of(language: str, pieces: tuple[str, ...]) -> int:
    """What a listener understands: the number again, from nothing but its pieces."""
    total, group = 0, 0
    for piece in pieces:
        name = piece.removeprefix("say-").removesuffix("-o").removesuffix("-and")
        if name == "hundred":
            group *= 100
        elif name in PARTS[1]:
            total += (group or 1) * PARTS[1][name]
            group = 0
        else:
            group += PARTS[0][name]
    assert language in LANGUAGES
    return total + group


@pytest.mark.parametrize("language", LANGUAGES)
@given(st.integers(0, MOST))
def test_a_listener_understands_every_number(language: str, value: int) -> None:
    spoken = saying.say(language, "number", value)
    assert value_of(language, spoken.pieces) == value
    assert set(spoken.pieces) <= saying.pieces(language).keys()


VALUES: dict[str, st.SearchStrategy[str | int]] = {
    "number": st.integers(-MOST, MOST),
    "ordinal": st.integers(1, MOST),
    "toman": st.integers(0, MOST),
    "rial": st.integers(0, MOST),
    "duration": st.integers(0, MOST_SECONDS),
    "digits": st.from_regex(r"[0-9]{1,12}", fullmatch=True),
    "code": st.from_regex(r"[0-9]{6}", fullmatch=True),
    "phone": st.from_regex(r"0[0-9]{7,12}", fullmatch=True),
    "time": st.times().map(lambda moment: f"{moment:%H:%M}"),
    "date": st.dates().map(str).filter(lambda day: day > "1700"),
    "jalali": st.dates().map(str).filter(lambda day: day > "1700"),
    "range": st.tuples(st.integers(0, 999), st.integers(0, 999)).map(lambda two: f"{min(two)}-{max(two)}"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
@given(st.data())
def test_every_value_is_made_of_pieces_that_are_there(language: str, kind: str, data: st.DataObject) -> None:
    spoken = saying.say(language, kind, data.draw(VALUES[kind]))
    assert spoken.pieces and spoken.words == " ".join(saying.pieces(language)[name] for name in spoken.pieces)


def test_digits_of_three_scripts_and_their_separators_are_one_number() -> None:
    for text in ("21300", "21,300", "۲۱٬۳۰۰", "٢١٣٠٠", " ۲۱۳۰۰ ", "21 300"):
        assert saying.say("en", "number", text) == saying.say("en", "number", 21_300), text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", "10000000000001"), ("number", "12a"), ("number", ""), ("number", "1,2"), ("ordinal", "0"),
        ("toman", "-5"), ("time", "24:00"), ("time", "7"), ("date", "2026-02-30"), ("jalali", "1405-09-02x"),
        ("duration", "360000"), ("range", "10-5"), ("code", "12-4"), ("phone", "call me"), ("number", True),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_with_what_is_expected(kind: str, value: str | int) -> None:
    with pytest.raises(Problem) as caught:
        saying.say("fa", kind, value)
    assert caught.value.key == "saying.bad_value" and caught.value.fields["expected"] == EXPECTED[kind]


def test_kinds_and_languages_that_are_none_are_named() -> None:
    with pytest.raises(Problem, match="unknown_kind"):
        saying.say("fa", "roman", 5)
    with pytest.raises(Problem, match="no_language"):
        saying.say("de", "number", 5)
    assert saying.pieces("de") == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_few_enough_pieces_for_a_person_to_record(language: str) -> None:
    pieces = saying.pieces(language)
    assert len(pieces) <= 250 and len(set(pieces.values())) > 0.9 * len(pieces)
    assert all(text.strip() == text and text for text in pieces.values())


def test_saying_a_number_is_little_work() -> None:
    numbers = [str(7919 * number) for number in range(1000)]
    entered = functions_entered(lambda: [saying.say("fa", "number", number) for number in numbers])
    assert entered / len(numbers) < 30


def test_the_command_prints_words_and_sounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    (tmp_path / "fa").mkdir()
    for name in ("say-20-o", "say-1", "say-1e3-o"):
        (tmp_path / "fa" / f"{name}.ulaw").write_bytes(b"\xff" * 160)
    assert cli.run(["say", "fa", "number", "۲۱۳۰۰", "--prompts", str(tmp_path)]) == 1
    words, sounds, missing = capsys.readouterr().out.splitlines()
    assert words == "بیست و یک هزار و سیصد" and sounds == "say-20-o say-1 say-1e3-o say-300"
    assert "say-300 " in missing
    (tmp_path / "fa" / "say-300.alaw").write_bytes(b"\xd5" * 160)
    assert cli.run(["say", "fa", "number", "21300", "--prompts", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missing"] == []
    assert cli.run(["say", "fa", "time", "25:00"]) == 2
    assert "17:30" in capsys.readouterr().err
