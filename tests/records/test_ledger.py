"""The ledger of requests: codes that cannot be misheard into another, and rows that follow from events."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from appliance.clock import VirtualClock
from appliance.records import ledger
from appliance.records.events import ConversationErased, RequestMoved
from appliance.records.ledger import CODES, code_of, is_code
from appliance.records.store import Store
from tests.records.given import KEY, asked, opened
from tests.records.test_commands import run


def test_no_two_of_100_000_requests_share_a_code_and_neighbours_do_not_look_alike() -> None:
    codes = [code_of(number) for number in range(1, CODES + 1)]
    assert len(set(codes)) == CODES and all(map(is_code, codes[::97]))
    alike = [sum(a == b for a, b in zip(one, other, strict=True)) for one, other in itertools.pairwise(codes)]
    assert max(alike) < 6 and sum(alike) / len(alike) < 1.5


def test_every_wrong_digit_and_every_swap_of_neighbours_is_found() -> None:
    for number in range(1, 2_000):
        code = code_of(number)
        for place, digit in enumerate(code):
            wrong = [code[:place] + other + code[place + 1 :] for other in "0123456789" if other != digit]
            assert not any(map(is_code, wrong)), code
            if place and code[place - 1] != digit:
                assert not is_code(code[: place - 1] + digit + code[place - 1] + code[place + 1 :]), code


@pytest.mark.parametrize("text", ["", "12345", "1234567", "12345a", "۱۲۳۴۵۶", "      "])
def test_what_is_no_six_digits_is_no_code(text: str) -> None:
    assert not is_code(text)


def test_a_request_is_found_by_its_code_moves_and_goes_with_its_conversation(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    assert store.within(ledger.next_number) == 1
    store.apply([opened("c1"), asked("c1", "r", 1), opened("c2"), asked("c2", "r", 2, "promise", 5_000)])
    assert store.within(ledger.next_number) == 3 and store.within(ledger.open_count) == 2
    store.apply([RequestMoved("c1-r", "done", "sara", "")])
    found = store.within(lambda db: ledger.find(db, code_of(1)))
    assert found is not None and (found.state, found.by, found.customer) == ("done", "sara", "+989121234567")
    assert [each.number for each in store.within(lambda db: ledger.requests(db, "open"))] == [2]
    assert store.within(ledger.open_count) == 1
    store.apply([ConversationErased("c2", "asked", "owner")])
    assert store.within(lambda db: ledger.find(db, code_of(2))) is None
    store.close()


def test_the_newest_request_of_a_code_is_meant(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply([asked("c1", "old", 7), asked("c2", "new", 7 + CODES)])
    found = store.within(lambda db: ledger.find(db, code_of(7)))
    assert found is not None and found.request == "c2-new"
    store.close()


def test_requests_are_listed_for_people_and_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply([asked("c1", "r", 1), asked("c2", "r", 2, "complaint"), RequestMoved("c1-r", "done", "sara", "")])
    store.close_hard()
    (tmp_path / "key").write_text(KEY.hex())
    places = ["--database", str(tmp_path / "calls.db"), "--key", str(tmp_path / "key")]
    monkeypatch.setenv("PASOKH_LANG", "en")
    assert run("requests", *places, "--open") == 0
    _, line = capsys.readouterr().out.splitlines()
    assert code_of(2) in line and "complaint" in line and "+989121234567" in line
    assert run("requests", *places, "--json") == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["state"], second["state"]) == ("done", "open") and second["what"] == "complaint"
