"""The record of a conversation as others read it."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import jdatetime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.clock import VirtualClock
from appliance.messages import calendar
from appliance.records import cdr, drafts
from appliance.records.commands import table
from appliance.records.events import ConversationErased, State, TransferBriefed, WrapUpGiven, WrapUpMissed
from appliance.records.reader import Conversation, Reader
from appliance.records.store import Store
from tests.records.given import KEY, a_call, whole_call


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Conversation:
    path: Path = tmp_path_factory.mktemp("records") / "calls.db"
    store = Store(path, KEY, VirtualClock())
    store.apply(whole_call("c1"))
    with Reader(path, KEY) as reader:
        [record] = reader.last()
    store.close()
    return record


def test_the_document_says_who_when_how_long_and_which_recording(record: Conversation) -> None:
    document = json.loads(json.dumps(cdr.as_json(record)))
    assert document["states"] == {"ringing": 20, "menu": 6_980, "waiting": 2_000, "talking": 51_010, "hold": 0}
    assert sum(document["states"].values()) == document["total_ms"] == 60_010
    assert (document["outcome"], document["agent"], document["answered_after_ms"]) == ("served", "first", 20)
    assert document["mos"] == 4.1 and [leg["mos"] for leg in document["legs"]] == [4.1, 4.3]
    [recording] = document["recordings"]
    assert (recording["state"], recording["verified"], recording["body_sha256"]) == ("sealed", "verified", "ab" * 32)
    assert document["consent"] == {"id": "c1-consent", "how": "notice"}
    assert set(document["states"]) == {state.value for state in State}


def test_the_table_opens_in_a_spreadsheet_with_times_for_machines_and_for_eyes(record: Conversation) -> None:
    text = cdr.as_csv([record, record])
    assert text.startswith("\ufeffconversation,") and text.endswith("\r\n") and text.count("\r\n") == 3
    [row, _] = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert row["opened_utc"] == "2026-09-21T14:13:20.000Z" and row["opened_jalali"] == "1405/06/30 17:43:20"
    assert row["customer"] == "'+989121234567"  # a formula to a spreadsheet, so it is quoted
    assert row["customer_as_arrived"] == "09121234567" and row["customer_name"] == "علی"
    assert sum(int(row[name]) for name in cdr.STATES) == int(row["total_ms"])
    assert (row["recording_sha256"], row["recording_verified"], row["mos"]) == ("ab" * 32, "verified", "4.1")
    assert set(row) == set(cdr.COLUMNS)


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "=cmd|' /C calc'!A0"])
def test_what_a_spreadsheet_would_run_is_only_a_text(record: Conversation, evil: str) -> None:
    text = cdr.as_csv([dataclasses.replace(record, customer_name=evil)])
    [row] = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert row["customer_name"] == "'" + evil


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
@settings(max_examples=100)
def test_any_name_comes_out_of_the_table_as_it_went_in(name: str) -> None:
    text = cdr.as_csv([dataclasses.replace(EXAMPLE, customer_name=name)])
    [row] = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert row["customer_name"] in (name, "'" + name)


@given(st.integers(0, 4_000_000_000_000))
@settings(max_examples=60)
def test_jalali_times_agree_with_another_library(at: int) -> None:
    moment = jdatetime.datetime.fromtimestamp(at // 1000, tz=calendar.TEHRAN)
    assert cdr.jalali(at) == moment.strftime("%Y/%m/%d %H:%M:%S")


def test_what_is_not_known_is_empty_and_null(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply(a_call("c1")[0])
    with Reader(tmp_path / "calls.db", KEY) as reader:
        [open_one] = reader.last()
    document = cdr.as_json(open_one)
    assert (document["closed_utc_ms"], document["mos"], document["outcome"], document["consent"]) == (None,) * 4
    [row] = csv.DictReader(io.StringIO(cdr.as_csv([open_one]).removeprefix("\ufeff")))
    assert (row["closed_utc"], row["closed_jalali"], row["total_ms"], row["mos"]) == ("", "", "", "")
    store.close()


def test_what_agents_have_said_stands_in_the_record_and_raises_its_revision(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.within(lambda db: drafts.keep(db, drafts.Draft("c1", "second", "", ("", "half", "", ""), (0, 1, 0, 0))))
    store.apply(whole_call("c1"))
    seen: list[Conversation] = []
    for happened in (
        TransferBriefed("c1", "first", "wants the price", 50_000),
        WrapUpMissed("c1", "first", "", "half a", "", "", 90_000),
        WrapUpGiven("c1", "first", "settled", "=half a note", "yes", "request", 95_000),
        WrapUpGiven("c1", "second", "other", "", "no", "", 96_000),
        WrapUpMissed("c1", "second", "other", "typed after it", "no", "", 97_000),
    ):
        store.apply([happened])
        with Reader(tmp_path / "calls.db", KEY) as reader:
            seen += reader.last()
    record, first = seen[-1], seen[0].revision
    assert [each.revision for each in seen] == [first + step for step in range(5)] and first > 1
    assert [(each.agent, each.state, each.note) for each in record.wrap_ups] == [
        ("first", "late", "=half a note"), ("second", "given", "typed after it"),
    ]  # fmt: skip
    assert cdr.as_json(record)["briefs"] == [{"agent": "first", "text": "wants the price", "at_ms": 50_000}]
    [row] = csv.DictReader(io.StringIO(cdr.as_csv([record]).removeprefix("\ufeff")))
    assert (row["wrap_up"], row["disposition"], row["resolved"]) == ("late | given", "settled | other", "yes | no")
    assert row["note"] == "'=half a note | typed after it"
    assert "settled" not in table([record], "en")[1] and "other" in table([record], "en")[1]
    assert store.within(drafts.left) == []
    store.close()


def test_an_erased_conversation_takes_what_was_typed_about_it_along(tmp_path: Path) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock())
    store.apply(
        [
            *whole_call("c1"),
            WrapUpGiven("c1", "first", "settled", "a name", "", "", 1),
            TransferBriefed("c1", "a", "b", 1),
        ]
    )
    store.within(lambda db: drafts.keep(db, drafts.Draft("c1", "first", "", ("", "more", "", ""), (0, 1, 0, 0))))
    store.apply([ConversationErased("c1", "asked", "owner")])
    with store.transaction() as db:
        for name in ("wrap_up", "brief", "draft"):
            assert db.execute(f"SELECT * FROM {name}").fetchall() == []
    store.close()


def test_several_parts_show_the_worst_of_them(record: Conversation) -> None:
    [part] = record.recordings
    for states, word in (
        ([("sealed", "verified"), ("sealed", "")], "sealed"),
        ([("sealed", "verified"), ("recovered", "damaged")], "damaged"),
        ([("sealed", "verified"), ("sealed", "verified")], "verified"),
        ([("sealed", "verified"), ("lost", "")], "lost"),
        ([], ""),
    ):
        parts = [dataclasses.replace(part, state=state, verified=verified) for state, verified in states]
        assert cdr.recording_word(parts) == word


EXAMPLE = Conversation(
    conversation="c1", number=1, opened=0, closed=None, direction="in", line="office", trunk="main", called="",
    customer="", customer_as_arrived="", customer_name="", is_withheld=True, flow="", flow_hash="", language="fa",
    node="", digits="", state="menu", ringing_ms=0, menu_ms=0, waiting_ms=0, talking_ms=0, hold_ms=0, total_ms=None,
    interruptions=0, interrupted_ms=0, consent="", consent_how="", agent="", outcome="", detail="", revision=0,
    legs=(), recordings=(),
)  # fmt: skip
