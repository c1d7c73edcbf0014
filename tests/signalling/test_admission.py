"""Who may speak at all."""

from __future__ import annotations

from dataclasses import replace

from appliance.signalling.admission import MAX_SOURCES, OFFENCES_BEFORE_BAN, Admission, Verdict
from tests.signalling.given import DESK, SETTINGS, STRANGER, TRUNK, Bench, Caller, code_of, proof

RULES = replace(SETTINGS, requests_per_second=10, banned_seconds=300)


def test_a_source_above_its_rate_is_silenced_and_heard_again_later() -> None:
    admission = Admission(RULES)
    verdicts = [admission.judge("8.8.4.4", 0, False) for _ in range(60)]
    assert verdicts.count(Verdict.SPEAK) == 40  # four seconds' worth at once
    assert admission.judge("8.8.4.4", 1, False) is Verdict.SPEAK
    assert admission.judge("8.8.8.8", 0, False) is Verdict.SPEAK


def test_a_trunk_is_never_silenced_whatever_is_sent_in_its_name() -> None:
    admission = Admission(RULES)
    for _ in range(1000):
        admission.offended("192.0.2.10", 0, True)
        assert admission.judge("192.0.2.10", 0, True) is Verdict.SPEAK
    assert admission.banned(0) == []


def test_offences_ban_for_a_while_and_slow_mistakes_never_do() -> None:
    admission = Admission(RULES)
    for _ in range(OFFENCES_BEFORE_BAN):
        admission.offended("8.8.4.4", 5, False)
    assert admission.banned(6) == ["8.8.4.4"] and admission.judge("8.8.4.4", 6, False) is Verdict.SILENCE
    assert admission.banned(306) == [] and admission.judge("8.8.4.4", 306, False) is Verdict.SPEAK
    for minute in range(100):
        admission.offended("8.8.8.8", minute * 10, False)
    assert admission.banned(1000) == []


def test_faked_addresses_do_not_fill_the_memory_nor_lift_a_ban() -> None:
    admission = Admission(RULES)
    for _ in range(OFFENCES_BEFORE_BAN):
        admission.offended("8.8.4.4", 0, False)
    for number in range(3 * MAX_SOURCES):
        admission.judge(f"9.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1, False)
    assert len(admission._sources) <= MAX_SOURCES
    assert admission.banned(2) == ["8.8.4.4"]


def test_guessing_a_password_bans_and_asking_for_a_challenge_does_not() -> None:
    bench = Bench()
    for number in range(50):
        caller = Caller(call_id=f"r{number}", peer=DESK, uri="sip:box.example", called="<sip:desk1@box.example>")
        assert code_of(bench.receive(caller.ask("REGISTER"), DESK)) == 401
    for number in range(OFFENCES_BEFORE_BAN):
        caller = Caller(call_id=f"g{number}", peer=DESK, uri="sip:box.example", called="<sip:desk1@box.example>")
        challenge = bench.receive(caller.ask("REGISTER"), DESK)[-1]
        line = proof(challenge, "REGISTER", caller.uri, password="guess")
        assert code_of(bench.receive(caller.ask("REGISTER", line), DESK)) == 403
    assert bench.receive(Caller(call_id="x", peer=DESK).ask("OPTIONS"), DESK) == []
    assert bench.heart.counters["silenced"] == 1
    assert code_of(bench.receive(Caller(call_id="y").ask("OPTIONS"), TRUNK)) == 200


def test_messages_that_cannot_be_read_ban_their_source() -> None:
    bench = Bench()
    for _ in range(OFFENCES_BEFORE_BAN + 1):
        bench.receive(b"\x00" * 100, STRANGER)
    assert bench.heart.counters["bad_messages"] == OFFENCES_BEFORE_BAN
    assert bench.heart.counters["silenced"] == 1
