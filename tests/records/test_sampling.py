"""Whom to listen to next: a fair draw that comes again, and what may have gone wrong, with the reason beside it."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.clock import VirtualClock
from appliance.messages.calendar import DAY_MS
from appliance.records import events, sampling, sampling_commands
from appliance.records.reader import Reader
from appliance.records.sampling import WEIGHTS, Candidate, Reason, Why, reasons, sample
from appliance.records.store import Stamped, Store
from tests.records.given import KEY, a_call, opened

CALM = Candidate("c", 1, 120_000, 1_000, 4_000, 0, False, False, None, None, False)
BEGINS = 1_790_000_000_000

candidates = st.builds(
    Candidate,
    conversation=st.integers(0, 10**6).map(str),
    number=st.integers(1, 10**6),
    recorded_ms=st.sampled_from([0, 60_000, 600_000]),
    overtalk_ms=st.integers(0, 60_000),
    longest_silence_ms=st.integers(0, 60_000),
    transfers=st.integers(0, 4),
    left_after_talk=st.booleans(),
    refused_consent=st.booleans(),
    csat=st.none() | st.integers(1, 5),
    nps=st.none() | st.integers(0, 10),
    is_repeat=st.booleans(),
)
many = st.lists(candidates, max_size=40, unique_by=lambda one: one.conversation)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (CALM, ()),
        (replace(CALM, csat=2), (Reason(Why.LOW_SURVEY, 2),)),
        (replace(CALM, csat=3, nps=6), (Reason(Why.LOW_SURVEY, 6),)),
        (replace(CALM, csat=1, nps=0), (Reason(Why.LOW_SURVEY, 1),)),
        (replace(CALM, nps=7), ()),
        (replace(CALM, left_after_talk=True), (Reason(Why.LEFT_AFTER_TALK),)),
        (replace(CALM, transfers=1), ()),
        (replace(CALM, transfers=2), (Reason(Why.TRANSFERS, 2),)),
        (replace(CALM, longest_silence_ms=19_980), ()),
        (replace(CALM, longest_silence_ms=20_000), (Reason(Why.SILENCE, 20),)),
        (replace(CALM, overtalk_ms=5_999), ()),  # below a twentieth of two minutes
        (replace(CALM, overtalk_ms=6_000), (Reason(Why.OVERTALK, 6),)),
        (replace(CALM, recorded_ms=20_000, overtalk_ms=4_999), ()),
        (replace(CALM, is_repeat=True, refused_consent=True), (Reason(Why.REPEAT), Reason(Why.REFUSED_CONSENT))),
    ],
)
def test_a_reason_is_given_from_its_border_on(one: Candidate, expected: tuple[Reason, ...]) -> None:
    assert reasons(one) == expected


@given(many, st.text(max_size=5), st.integers(0, 6), st.integers(0, 6))
def test_the_list_follows_from_the_records_and_the_seed_alone(
    found: list[Candidate], seed: str, random_count: int, risk_count: int
) -> None:
    rows = sample(found, seed, random_count, risk_count)
    assert rows == sample(reversed(found), seed, random_count, risk_count)
    assert len({row.conversation for row in rows}) == len(rows)
    by_id = {one.conversation: one for one in found}
    drawn, risky = [row for row in rows if row.is_random], [row for row in rows if not row.is_random]
    assert rows == drawn + risky
    assert len(drawn) == min(random_count, sum(one.recorded_ms > 0 for one in found)) and len(risky) <= risk_count
    assert all(by_id[row.conversation].recorded_ms for row in drawn)
    for row in rows:
        expected = reasons(by_id[row.conversation])
        assert row.reasons == ((Reason(Why.RANDOM), *expected) if row.is_random else expected)
        assert row.score == sum(WEIGHTS[reason.why] for reason in expected) and (row.is_random or row.score > 0)
    assert [row.score for row in risky] == sorted((row.score for row in risky), reverse=True)
    if len(risky) < risk_count:  # then nothing with a reason was left out
        assert all(not reasons(one) or one.conversation in {row.conversation for row in rows} for one in found)
    elif risky:
        left = [one for one in found if one.conversation not in {row.conversation for row in rows}]
        assert all(sum(WEIGHTS[reason.why] for reason in reasons(one)) <= risky[-1].score for one in left)


def test_everybody_has_the_same_chance_to_be_drawn() -> None:
    everyone = [replace(CALM, conversation=str(number), csat=1 if number % 10 == 0 else None) for number in range(50)]
    rounds = 2_000
    counts = Counter(row.conversation for seed in range(rounds) for row in sample(everyone, str(seed), 5, 0))
    expected = rounds * 5 / 50
    squares = sum((counts[one.conversation] - expected) ** 2 / expected for one in everyone)
    assert (
        squares / (1 - 5 / 50) < 85.4
    )  # chi-square, 49 degrees of freedom, 0.1 %; five are drawn without putting back


# What the records tell -----------------------------------------------------------------------------------------------


class Office:
    """Conversations in the records, an hour apart, with what a test changes in them."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "calls.db", KEY, VirtualClock(BEGINS))
        self.now = BEGINS

    def talk(self, c: str, customer: str, *more: events.Happened, hours: int = 1, silence_ms: int = 0) -> None:
        self.now += hours * 3_600_000
        told: list[events.Happened] = []
        for happened in [each for moment in a_call(c) for each in moment]:
            match happened:
                case events.ConversationOpened():
                    told.append(opened(c, customer))
                case events.RecordingSealed():
                    told.append(replace(happened, longest_silence_ms=silence_ms))
                case events.ConversationClosed():
                    told += [*more, happened]
                case _:
                    told.append(happened)
        self.store.apply_stamped([Stamped(happened, self.now, 0) for happened in told])

    def why(self, c: str) -> list[Why]:
        found = self.store.within(lambda db: sampling.read(db, BEGINS, self.now + 1))
        return [reason.why for reason in reasons(next(one for one in found if one.conversation == c))]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    it = Office(tmp_path)
    yield it
    it.store.close()


def test_who_rings_again_within_seven_days_is_a_repeat_and_a_withheld_number_never(office: Office) -> None:
    office.talk("a", "+989121234567")
    office.talk("b", "+989121234567", hours=7 * 24)
    office.talk("c", "+989121234567", hours=7 * 24 + 1)
    office.talk("d", "")
    office.talk("e", "")
    assert [office.why(c) for c in "abcde"] == [[], [Why.REPEAT], [], [], []]


def test_what_happened_in_the_conversation_is_told(office: Office) -> None:
    def passed(c: str, state: str) -> events.CustomerPassedOn:
        return events.CustomerPassedOn(c, "first", "sara", "keys", state, "", 9_000)

    office.talk("calm", "+981", passed("calm", "asked"), passed("calm", "back"))
    office.talk("round", "+982", passed("round", "done"), passed("round", "line"))
    office.talk("left", "+983", passed("left", "left"))
    office.talk("silent", "+984", silence_ms=31_000)
    office.talk("unhappy", "+985", events.SurveyAnswered("unhappy", "nps", 3, "survey", 50_000))
    assert [office.why(c) for c in ("calm", "round", "left", "silent", "unhappy")] == [
        [], [Why.TRANSFERS], [Why.LEFT_AFTER_TALK], [Why.SILENCE], [Why.LOW_SURVEY],
    ]  # fmt: skip


def test_a_consent_that_was_refused_is_listed_without_sound_and_one_that_was_given_is_not(office: Office) -> None:
    def ended(c: str, *before: events.Happened) -> None:
        office.now += 1
        asked = events.NodeEntered(c, "ask", "consent", 10)
        closed = events.ConversationClosed(c, events.Outcome.SERVED, "", "first", 60_000)
        told = (opened(c, ""), asked, *before, closed)
        office.store.apply_stamped([Stamped(happened, office.now, 0) for happened in told])

    ended("no")
    ended("yes", events.ConsentGiven("yes", "k", "asked", "ask", 20))
    found = office.store.within(lambda db: sampling.read(db, BEGINS, office.now + 1))
    assert [(one.conversation, reasons(one)) for one in found] == [("no", (Reason(Why.REFUSED_CONSENT),))]
    assert sample(found, "seed", 5, 0) == []  # nothing to hear is never drawn


def test_only_one_agents_conversations_and_only_those_days_are_read(office: Office) -> None:
    for number in range(4):
        office.talk(f"c{number}", "+981", hours=24)
    days = office.store.within(lambda db: sampling.drawn(db, office.now + 1, days=2))
    assert {each.conversation.conversation for each in days} == {"c2", "c3"}
    assert office.store.within(lambda db: sampling.read(db, BEGINS, office.now + 1, "sara")) == []
    assert len(office.store.within(lambda db: sampling.read(db, BEGINS, office.now + 1, "first"))) == 4


def test_the_list_of_a_day_stays_until_midnight_in_tehran(office: Office) -> None:
    for number in range(40):
        office.talk(f"c{number:02}", "+981")
    midnight = BEGINS - (BEGINS + 12_600_000) % DAY_MS + 3 * DAY_MS
    lists = [
        office.store.within(lambda db: sampling.drawn(db, moment, random=5, risky=0))  # noqa: B023
        for moment in (midnight, midnight + DAY_MS - 1, midnight + DAY_MS)
    ]
    ids = [[each.conversation.conversation for each in found] for found in lists]
    assert ids[0] == ids[1] != ids[2] and len(ids[0]) == 5


def run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser(prog="pasokh")
    sampling_commands.register(parser.add_subparsers(required=True))
    chosen = parser.parse_args(["sample", *(str(argument) for argument in arguments)])
    code: int = chosen.run(chosen)
    return code


@pytest.mark.parametrize(("language", "why"), [("en", "31 s of silence"), ("fa", "31 ثانیه سکوت")])
def test_the_command_says_why_in_both_languages(
    office: Office,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    why: str,
) -> None:
    monkeypatch.setenv("PASOKH_LANG", language)
    monkeypatch.setattr("appliance.records.sampling_commands.time.time_ns", lambda: (office.now + 1) * 1_000_000)
    office.talk("c1", "+981", silence_ms=31_000)
    (tmp_path / "key").write_text(KEY.hex())
    places = ("--database", tmp_path / "calls.db", "--key", tmp_path / "key")
    assert run(*places, "--random", "0") == 0
    assert why in capsys.readouterr().out
    run(*places, "--json")
    document = json.loads(capsys.readouterr().out)
    assert [reason["why"] for reason in document["reasons"]] == ["random", "silence"]
    assert document["record"]["conversation"] == "c1" and document["score"] == 3
    with Reader(tmp_path / "calls.db", KEY) as reader:
        assert reader.conversation("c1") is not None


def test_who_has_listened_already_is_known_from_the_plays(office: Office) -> None:
    office.talk("c1", "+981", silence_ms=31_000)
    office.talk("c2", "+982", silence_ms=31_000)
    office.store.apply([events.RecordingTaken("c1", "c1-r", "sara", "play", "a complaint")])
    office.store.apply([events.RecordingTaken("c1", "c1-r", "reza", "play", "the list")])
    drawn = office.store.within(lambda db: sampling.drawn(db, office.now + 1))
    plays = {each.sample.conversation: [play.actor for play in each.plays] for each in drawn}
    assert plays == {"c1": ["reza", "sara"], "c2": []}
