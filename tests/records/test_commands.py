"""``pasokh cdr`` and ``pasokh records verify``."""

from __future__ import annotations

import argparse
import csv
import io
import json
from pathlib import Path

import pytest

from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.queue.callbacks import Outcome
from appliance.records import commands, events, owed_commands, search_commands
from appliance.records.store import Store
from appliance.signalling.numbers import e164
from tests.records.given import KEY, a_call, whole_call


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="pasokh")
    subparsers = parser.add_subparsers(required=True)
    commands.register(subparsers)
    owed_commands.register(subparsers)
    search_commands.register(subparsers, e164)
    chosen = parser.parse_args(arguments)
    code: int = chosen.run(chosen)
    return code


@pytest.fixture
def box(tmp_path: Path) -> list[str]:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply([*whole_call("c1"), *whole_call("c2"), *a_call("c3")[0]])
    store.close_hard()
    (tmp_path / "key").write_text(KEY.hex() + "\n")
    return ["--database", str(tmp_path / "calls.db"), "--key", str(tmp_path / "key")]


def test_the_table_shows_the_newest_first_in_both_languages(
    box: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    assert run("cdr", *box, "--last", "2") == 0
    heading, first, second = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["OPENED", "(UTC)", "LINE"]
    assert "in progress" in first and "2026-09-21 14:13:20" in first
    assert "served" in second and "verified" in second and "4.1" in second
    monkeypatch.setenv("PASOKH_LANG", "fa")
    run("cdr", *box)
    heading, *lines = capsys.readouterr().out.splitlines()
    assert "مشتری" in heading and "1405/06/30 17:43:20" in lines[0] and "پاسخ داده شد" in lines[1]


def test_json_is_one_document_a_line_oldest_first(box: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    run("cdr", *box, "--json")
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["conversation"] for document in documents] == ["c1", "c2", "c3"]


def test_a_search_is_told_in_the_forms_of_the_records(
    box: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    assert run("search", *box, "--number", "۰۹۱۲ ۱۲۳ ۴۵۶۷", "--name", "علي", "--outcome", "served", "--json") == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["conversation"] for document in documents] == ["c2", "c1"]
    assert documents[0]["recordings"][0]["interruptions"] == {"customer": 0, "business": 0}
    run("search", *box, "--outcome", "open")
    heading, only = capsys.readouterr().out.splitlines()
    assert heading.split()[:2] == ["OPENED", "(UTC)"] and "in progress" in only
    run("search", *box, "--sort", "oldest", "--last", "1", "--csv")
    assert capsys.readouterr().out.splitlines()[1].startswith("c1,")
    with pytest.raises(Problem, match=r"records\.search_day"):
        run("search", *box, "--since", "soon")


def test_csv_goes_out_as_bytes_with_its_mark_first(box: list[str], capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    run("cdr", *box, "--csv")
    out = capsysbinary.readouterr().out
    assert out.startswith(b"\xef\xbb\xbf")
    assert [row["conversation"] for row in csv.DictReader(io.StringIO(out.decode("utf-8-sig")))] == ["c1", "c2", "c3"]


def test_the_folders_come_from_the_settings_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "data" / "calls.db", KEY, VirtualClock())
    store.apply(whole_call("c1"))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "database-key").write_text(KEY.hex())
    config = tmp_path / "pasokh.toml"
    config.write_text('[box]\ndata_folder = "data"\nsecrets_folder = "secrets"\n')
    assert run("cdr", "--config", str(config), "--json") == 0
    assert json.loads(capsys.readouterr().out)["conversation"] == "c1"
    store.close()


def test_a_whole_chain_gives_its_head_which_can_be_held_against_it_later(
    box: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")
    assert run("records", "verify", *box) == 0
    head = capsys.readouterr().out.split()[-1]
    assert run("records", "verify", *box, "--anchor", head) == 0
    number, link = head.split(":")
    with pytest.raises(Problem) as caught:
        run("records", "verify", *box, "--anchor", f"{number}:{link[::-1]}")
    assert caught.value.key == "records.chain_broken" and caught.value.fields["n"] == int(number)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--database", "nowhere.db"], "records.no_database"),
        (["--key", "nowhere"], "records.no_key"),
        (["--config", "nowhere.toml"], "records.not_settings"),
    ],
)
def test_a_path_that_is_wrong_is_named(box: list[str], arguments: list[str], problem: str) -> None:
    with pytest.raises(Problem) as caught:
        run("cdr", *box, *arguments)
    assert caught.value.key == problem and "nowhere" in str(caught.value.fields["file"])


def test_a_key_that_is_none_and_settings_that_are_no_folders_are_problems(box: list[str], tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abc")
    with pytest.raises(Problem, match=r"records\.bad_key"):
        run("cdr", *box)
    for text in ("box = 5", "[box]\ndata_folder = 5", "[box", "\x00"):
        (tmp_path / "pasokh.toml").write_text(text)
        with pytest.raises(Problem, match=r"records\.not_settings"):
            run("cdr", "--config", str(tmp_path / "pasokh.toml"))


@pytest.mark.parametrize("arguments", [["--last", "0"], ["--last", "x"], ["--json", "--csv"], ["--anchor", "5"]])
def test_arguments_that_make_no_sense_end_at_the_command_line(box: list[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        run("cdr", *box, *arguments)


def test_requests_say_how_often_a_customer_was_called_back_and_what_came_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    put: list[events.Happened] = []
    for number, (outcome, heard) in enumerate((("off", "early"), ("busy", "busy"), ("reached", "sound")), 1):
        request = f"r{number}"
        put.append(
            events.RequestOpened(
                "c0", request, number, f"00000{number}", "callback", "+989121234567", "fa", "q", 0, "", 0
            )
        )
        for attempt in range(2):
            conversation = f"c{number}{attempt}"
            put.append(events.CallbackDialled(conversation, request, "l", "main", "+989121234567", 0))
            word, what = (outcome, heard) if attempt else ("no_answer", "")
            put.append(events.CallbackEnded(conversation, request, word, "first", 9000, heard=what))
    put.append(events.CallbackDialled("c9", "r1", "l", "main", "+989121234567", 0))
    store.apply(put)
    store.close_hard()
    (tmp_path / "key").write_text(KEY.hex())
    box = ["--database", str(tmp_path / "calls.db"), "--key", str(tmp_path / "key")]
    monkeypatch.setenv("PASOKH_LANG", "en")
    run("requests", *box)
    heading, reached, busy, off = capsys.readouterr().out.splitlines()
    assert heading.rstrip().endswith("CALLED BACK") and reached.rstrip().endswith("2: reached (something was heard)")
    assert "2: busy (busy tone was heard)" in busy and "3: is being called" in off
    monkeypatch.setenv("PASOKH_LANG", "fa")
    run("requests", *box)
    assert "مشغول (بوق اشغال شنیده شد)" in capsys.readouterr().out
    run("requests", *box, "--json")
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert [(each["outcome"], each["heard"]) for each in first["attempts"]] == [
        ("no_answer", ""),
        ("off", "early"),
        ("", ""),
    ]


def test_every_outcome_of_an_attempt_has_its_words() -> None:
    assert set(owed_commands._ATTEMPTS) == {"", *(each.value for each in Outcome)}
