"""Exports on record: who, why and what are in the chain before a file is there, or where no box runs in the report."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

import pytest

from appliance.control import wire
from appliance.errors import Problem
from appliance.recorder import bulk, commands, telling
from appliance.recorder.telling import Occasion
from appliance.records import encode
from appliance.records.events import RecordingExported, RecordingOpened
from tests.calls.test_control import Office, folder
from tests.calls.test_desk import Box
from tests.recorder.given import CLASSIC, named
from tests.recorder.given import Box as Recorder
from tests.records.given import opened, sealed

__all__ = ["folder"]  # a fixture


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The data folder of two recordings, and the owner's key beside it."""
    recorder = Recorder(tmp_path / "data")
    for number in (1, 2):
        recorder.start(number)
    recorder.run(2)
    for number in (1, 2):
        recorder.sealed(number)
    recorder.close()
    (tmp_path / "key").write_text(CLASSIC.encode() + "\n")
    return tmp_path


def run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser(prog="pasokh")
    commands.register(parser.add_subparsers(required=True))
    chosen = parser.parse_args(["recording", *(str(argument) for argument in arguments)])
    code: int = chosen.run(chosen)
    return code


def settings(run_folder: Path, beside: Path) -> Path:
    file = beside / "pasokh.toml"
    file.write_text(f'[box]\ndata_folder = "data"\nrun_folder = "{run_folder}"\n')
    return file


def exported(box: Box) -> list[RecordingExported]:
    rows = box.it.store.within(
        lambda db: db.execute(
            "SELECT body FROM event JOIN event_body USING (n) WHERE kind = ? ORDER BY n", (RecordingExported.kind,)
        ).fetchall()
    )
    found = [encode.happened_from(RecordingExported.kind, body) for (body,) in rows]
    return [each for each in found if isinstance(each, RecordingExported)]


def test_each_export_is_one_event_of_its_conversation_on_the_disk_before_it_is_answered(tmp_path: Path) -> None:
    box = Box(tmp_path)
    kept, unknown = "1" * 32, "f" * 32

    async def scene() -> None:
        box.it.store.apply([opened("c1"), RecordingOpened("c1", kept, 1, "k", 0), sealed("c1", kept)])
        order = wire.ExportRecordings("", (kept, unknown, kept), "wav", " a claim ", "sara")
        assert await box.orders.carry_out(order, "command line") == wire.Done()
        assert exported(box) == [
            RecordingExported("c1", kept, "command line: sara", "wav", "a claim"),
            RecordingExported("", unknown, "command line: sara", "wav", "a claim"),
        ]
        subjects = box.it.store.within(
            lambda db: db.execute("SELECT subject FROM event WHERE kind = ?", (RecordingExported.kind,)).fetchall()
        )
        assert subjects == [("c1",), (unknown,)]
        for recordings, form, why, key in (
            ((kept,), "wav", "  ", "recorder.no_reason"),
            ((kept,), "exe", "x", "desk.no_sense"),
            ((), "wav", "x", "desk.no_sense"),
            ((kept,) * (wire.MOST_EXPORTED + 1), "wav", "x", "desk.no_sense"),
        ):
            with pytest.raises(Problem) as refused:
                await box.orders.carry_out(wire.ExportRecordings("", recordings, form, why), "owner")
            assert refused.value.key == key
        await box.orders.carry_out(wire.ExportRecordings("", ("x" * 9000,), "wav", "y" * 9000, "z" * 9000), "owner")
        last = exported(box)[-1]
        assert (len(last.recording), len(last.why), len(last.actor)) == (64, 200, len("owner: ") + 64)
        assert len(exported(box)) == 3

    box.run(scene)


@pytest.mark.anyio
async def test_the_box_is_told_before_the_file_is_there_and_by_each_command_once(folder: Path, kept: Path) -> None:
    office, there = Office(folder), list[list[str]]()
    carry_out = office.carry_out

    async def seen(order: wire.Order, by: str) -> wire.Reply:
        there.append(names(kept, "out/*.wav") + names(kept, "*.wav"))
        return await carry_out(order, by)

    office.server._carry_out = seen
    office.server.start()
    try:
        given = ("--key", kept / "key", "--reason", "a claim", "--config", settings(folder, kept))
        assert await asyncio.to_thread(run, "export", named(1), *given, "--out", kept / "x.wav") == 0
        every = ("export-all", "--from", kept / "data" / "kept", "--out", kept / "out", *given)
        assert await asyncio.to_thread(run, *every) == 0
        assert await asyncio.to_thread(run, *every) == 0  # what is there is not exported again
    finally:
        await office.server.close()
    told = [(order.recordings, order.form, order.why, by) for order, by in office.orders
            if isinstance(order, wire.ExportRecordings)]  # fmt: skip
    assert told == [((named(number),), "wav", "a claim", "command line") for number in (1, 1, 2)]
    assert names(kept, "*.json") == [] and there == [[], ["x.wav"], [f"{named(1)}.wav", "x.wav"]]
    entries = listed(kept)
    assert [(entry["why"], entry["is_on_record"]) for entry in entries] == [("a claim", True)] * 2


@pytest.mark.anyio
async def test_where_the_box_does_not_answer_or_refuses_nothing_is_exported(folder: Path, kept: Path) -> None:
    given = ("--key", kept / "key", "--reason", "a claim", "--config", settings(folder, kept), "--out", kept / "x.wav")
    await asyncio.to_thread((folder / telling.SOCKET).touch)  # left by a kill
    with pytest.raises(Problem, match=r"control\.calls_is_stopped"):
        await asyncio.to_thread(run, "export", named(1), *given)
    office = Office(folder, users={})

    async def refused(order: wire.Order, by: str) -> wire.Reply:
        raise Problem("recorder.no_reason", most=200)

    office.server._carry_out = refused
    office.server.start()
    try:
        with pytest.raises(Problem, match=r"recorder\.no_reason"):
            await asyncio.to_thread(run, "export", named(1), *given)
    finally:
        await office.server.close()
    assert names(kept, "x.wav*") == []


def test_without_a_box_who_and_why_stand_beside_the_file(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--key", kept / "key", "--reason", "دادخواست", "--config", settings(tmp_path / "run", kept))
    assert run("export", named(1), *given, "--out", kept / "x.wav") == 0
    assert "x.wav.report.json" in capsys.readouterr().out
    report = json.loads((kept / "x.wav.report.json").read_text(encoding="utf-8"))
    assert (report["recording"], report["why"], report["is_on_record"]) == (named(1), "دادخواست", False)
    assert report["who"] and len(report["sha256"]) == 64
    assert run("export-all", "--from", kept / "data" / "kept", "--out", kept / "out", *given) == 0
    entries = listed(kept)
    assert [(entry["why"], entry["is_on_record"]) for entry in entries] == [("دادخواست", False)] * 2


@pytest.mark.parametrize("why", ["", "   ", "x" * 201])
def test_without_a_reason_nothing_is_opened(why: str, kept: Path) -> None:
    given = ("--key", kept / "nothing", "--reason", why, "--data", kept / "data", "--out", kept / "x.wav")
    with pytest.raises(Problem, match=r"recorder\.no_reason"):
        run("export", named(1), *given)


def test_where_it_cannot_be_seen_whether_there_is_a_box_nothing_is_exported() -> None:
    with pytest.raises(Problem, match=r"control\.unreachable"):
        Occasion("sara", "x", Path("/" + "x" * 300) / telling.SOCKET).tell(["1"], "wav")


def listed(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "out" / bulk.LIST).read_text().splitlines()]


def names(folder: Path, pattern: str) -> list[str]:
    return sorted(file.name for file in folder.glob(pattern))
