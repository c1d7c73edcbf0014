"""``pasokh requests``, ``owed`` and ``promises``, for people and for programs, in both languages."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.records.given import KEY
from tests.records.test_commands import run
from tests.web.given import DAY, MINUTE, Records

ALI, MINA = "+989121234567", "+989351112233"


@pytest.fixture
def box(tmp_path: Path) -> list[str]:
    """Ali's promise of yesterday was kept, Mina's broken and is open still; Ali has another one to come."""
    now = time.time_ns() // 1_000_000
    records = Records(tmp_path, now - 10 * DAY)
    kept = records.owe("promise", ALI, at=now - 2 * DAY, due=now - DAY, agent="sara")
    records.owe("promise", MINA, at=now - 2 * DAY + 1, due=now - DAY + MINUTE, agent="reza")
    records.owe("promise", ALI, at=now - 2 * DAY + 2, due=now + DAY)
    records.owe("callback", MINA, at=now - 2 * DAY + 3)
    records.talk("c1", at=now - DAY + 2 * MINUTE)
    records.settle(kept, "done", at=now - DAY + 3 * MINUTE)
    hurried = records.owe("missed", "+982144556677", at=now - 60 * MINUTE, due=now + 60 * MINUTE)
    records.settle(hurried, "doing", at=now - 59 * MINUTE)
    records.close_hard()
    (tmp_path / "key").write_text(KEY.hex())
    return ["--database", str(tmp_path / "calls.db"), "--key", str(tmp_path / "key")]


def test_whether_a_promise_was_kept_stands_beside_its_state(
    box: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    assert run("requests", *box, "--what", "promise") == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert ["done (kept)" in lines[2], "open (broken)" in lines[1], "open (to come)" in lines[0]] == [True] * 3
    run("requests", *box, "--json", "--what", "promise")
    assert [json.loads(line)["keeping"] for line in capsys.readouterr().out.splitlines()] == ["kept", "broken", "due"]
    with pytest.raises(SystemExit):
        run("requests", *box, "--what", "wish")


def test_what_is_being_done_waits_still_and_missed_calls_have_their_word(
    box: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    run("requests", *box, "--open")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and any("missed call" in line and "being done" in line for line in lines)


def test_who_waits_for_us_has_one_row_and_the_overdue_stand_first(
    box: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    assert run("owed", *box) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [MINA, ALI, "+982144556677"]
    assert "promise, callback" in lines[0] and lines[0].endswith("OVERDUE") and "OVERDUE" not in "".join(lines[1:])
    run("owed", *box, "--json")
    first, *_ = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["is_overdue"] and [kind for _, kind in first["requests"]] == ["promise", "callback"]
    monkeypatch.setenv("PASOKH_LANG", "fa")
    run("owed", *box)
    assert "دیر شده" in capsys.readouterr().out.splitlines()[1]


def test_promises_are_listed_with_the_on_time_rate_its_n_and_its_interval(
    box: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    assert run("promises", *box) == 0
    _, *lines, rate = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[-1].strip() == "to come" for line in lines] == [False, False, True]
    assert "kept" in lines[0] and "broken" in lines[1]
    assert rate == "Kept on time in the last 30 days: 50.0 % (1 of 2). 95 % interval: 9.5 to 90.5 %."
    run("promises", *box, "--json")
    assert [json.loads(line)["keeping"] for line in capsys.readouterr().out.splitlines()] == ["kept", "broken", "due"]
    monkeypatch.setenv("PASOKH_LANG", "fa")
    run("promises", *box)
    assert "1 از 2" in capsys.readouterr().out


def test_where_no_promise_was_due_no_rate_is_made_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = Records(tmp_path)
    records.close_hard()
    (tmp_path / "key").write_text(KEY.hex())
    monkeypatch.setenv("PASOKH_LANG", "en")
    run("promises", "--database", str(tmp_path / "calls.db"), "--key", str(tmp_path / "key"))
    assert capsys.readouterr().out.splitlines()[-1] == "No promise was due in the last 30 days."
