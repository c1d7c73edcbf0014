"""Words on paper: they give the key again, and a wrong one is named."""

from __future__ import annotations

import random

import pytest
from shamir_mnemonic import combine_mnemonics
from shamir_mnemonic.wordlist import WORDLIST

from appliance.ceremony import paper, words
from appliance.errors import Problem
from appliance.recorder.keys import Identity, Kind

SHEETS = 1000


def a_key(chance: random.Random, kind: Kind = "hybrid") -> Identity:
    return Identity(kind, chance.randbytes(32))


def other_than(word: str, chance: random.Random) -> str:
    other: str = chance.choice([each for each in WORDLIST if each != word])
    return other


def named(text: str) -> tuple[str, dict[str, object]]:
    with pytest.raises(Problem) as raised:
        paper.read_words(text)
    return raised.value.key, dict(raised.value.fields)


def test_thirty_words_give_the_key_again_however_they_are_typed() -> None:
    chance = random.Random(1)
    for kind in words.KINDS:
        key = a_key(chance, kind)
        sheet = paper.words_of(key)
        assert len(sheet) == words.WORDS and paper.read_words(" ".join(sheet)) == key
        numbered = "\n".join(f"{number}. {word[:4].upper()}," for number, word in enumerate(sheet, 1))
        assert paper.read_words(numbered) == key
        persian = "  ".join(f"{'۰۱۲۳۴۵۶۷۸۹'[number % 10]} {word}" for number, word in enumerate(sheet))
        assert paper.read_words(persian) == key


def test_what_a_scanner_reads_from_the_code_is_as_good_as_the_words() -> None:
    key = a_key(random.Random(10))
    assert paper.read_words(f"{key.encode()}\n") == key
    assert named(key.encode()[:-1])[0] == "recorder.bad_identity"
    sheets = [" ".join(each).upper() for each in paper.shares_of(key)]
    assert paper.read_shares(f"{sheets[0]}\n\n{sheets[1]}", "hybrid") == key


def test_of_a_thousand_sheets_with_one_wrong_word_each_is_named_with_the_word_that_belongs_there() -> None:
    chance = random.Random(2)
    for _ in range(SHEETS):
        key = a_key(chance)
        sheet = paper.words_of(key)
        place = chance.randrange(len(sheet))
        typed = [*sheet]
        typed[place] = other_than(sheet[place], chance)
        fields = {"sheet": 1, "wrong": f"{place + 1} ({typed[place]})", "likely": f"{place + 1} {sheet[place]}"}
        assert named(" ".join(typed)) == ("ceremony.wrong_words", fields)


def test_two_wrong_words_and_two_that_changed_places_are_named() -> None:
    chance = random.Random(3)
    for turn in range(60):
        sheet = paper.words_of(a_key(chance))
        first, second = sorted(chance.sample(range(len(sheet)), 2))
        typed = [*sheet]
        if turn % 2:
            typed[first], typed[second] = typed[second], typed[first]
        else:
            typed[first], typed[second] = other_than(sheet[first], chance), other_than(sheet[second], chance)
        if typed == sheet:
            continue
        key, fields = named(" ".join(typed))
        assert key == "ceremony.wrong_words"
        assert fields["likely"] == f"{first + 1} {sheet[first]}, {second + 1} {sheet[second]}"


def test_a_word_of_no_list_is_named_and_the_check_knows_what_belongs_there() -> None:
    chance = random.Random(4)
    sheet: list[str] = []
    for typed_word in ("hovercraft", "zz", "acadmic"):
        sheet = paper.words_of(a_key(chance))
        typed = [*sheet]
        typed[6] = typed_word
        assert named(" ".join(typed))[1] == {"sheet": 1, "wrong": f"7 ({typed_word})", "likely": f"7 {sheet[6]}"}
    typed = [*[f"{word[:3]}q" for word in sheet[:5]], *sheet[5:]]  # too many for the check: named by their letters
    assert str(named(" ".join(typed))[1]["wrong"]).count("(") == 5


def test_three_wrong_words_never_give_a_key() -> None:
    chance = random.Random(5)
    for _ in range(100):
        sheet = paper.words_of(a_key(chance))
        for place in chance.sample(range(len(sheet)), 3):
            sheet[place] = other_than(sheet[place], chance)
        assert named(" ".join(sheet))[0] in ("ceremony.many_wrong", "ceremony.wrong_words")


def test_a_missing_word_a_double_one_and_a_flood_are_counted() -> None:
    sheet = paper.words_of(a_key(random.Random(6)))
    assert named(" ".join(sheet[1:])) == ("ceremony.word_count", {"sheet": 1, "count": 29, "needed": 30})
    assert named(" ".join([*sheet, sheet[-1]]))[1]["count"] == 31
    assert named("word " * 100_000)[0] == "ceremony.word_count"
    assert named("")[1]["count"] == 0


def test_any_two_of_three_sheets_give_the_key_and_one_alone_nothing() -> None:
    key = a_key(random.Random(7))
    sheets = [" ".join(each) for each in paper.shares_of(key)]
    assert [len(sheet.split()) for sheet in sheets] == [33, 33, 33]
    for first, second in ((0, 1), (2, 0), (1, 2)):
        assert paper.read_shares(f"{sheets[first]}\n\n{sheets[second]}\n", "hybrid") == key
    assert combine_mnemonics([sheets[0], sheets[2]]) == key.seed, "as any program for SLIP-39 does"
    for few in (sheets[0], f"{sheets[1]}\n\n{sheets[1]}"):
        with pytest.raises(Problem, match=r"ceremony\.few_shares"):
            paper.read_shares(few, "hybrid")


def test_sheets_of_two_different_sets_are_refused_even_of_one_key() -> None:
    key = a_key(random.Random(8))
    ours, theirs = paper.shares_of(key), paper.shares_of(key)
    with pytest.raises(Problem, match=r"ceremony\.other_share"):
        paper.read_shares(f"{' '.join(ours[0])}\n\n{' '.join(theirs[1])}", "hybrid")


def test_a_wrong_word_of_a_share_is_named_with_its_sheet() -> None:
    chance = random.Random(9)
    sheets = paper.shares_of(a_key(chance))
    for place in range(paper.SHARE_WORDS):
        typed = [*sheets[1]]
        typed[place] = other_than(typed[place], chance)
        with pytest.raises(Problem, match=r"ceremony\.wrong_words") as raised:
            paper.read_shares(f"{' '.join(sheets[0])}\n\n{' '.join(typed)}", "hybrid")
        assert raised.value.fields["sheet"] == 2 and raised.value.fields["likely"] == f"{place + 1} {sheets[1][place]}"
