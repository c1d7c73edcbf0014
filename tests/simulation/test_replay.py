"""Callers of yesterday in a draft: those who would end elsewhere are named, and nobody else."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest

from appliance import cli
from appliance.places import shipped_flows
from tests.simulation.test_menus import office
from tests.simulation.test_whole_office import KEY, TheOffice
from tests.support.virtual_time import run

SINCE = ["--since", "2026-10-01"]


async def callers(it: TheOffice) -> None:
    """Forty who do one thing or another, one after the other; nobody answers."""
    chance = random.Random(5)
    for _ in range(40):
        leg = it.line.call_in("provider", "02188123456", "09121234567")
        await asyncio.sleep(8.0)
        for key in chance.choice(["2", "31", "9", "92", "1", "", "7", "321"]):
            it.mouth.press(leg, key)
            await asyncio.sleep(5.0)
        await asyncio.sleep(chance.choice([0.5, 60.0]))
        it.line.hang_up(leg)
        await it.until_quiet()


@pytest.fixture
def box(tmp_path: Path) -> list[str]:
    it = office(tmp_path, "clinic")
    run(it.loop, callers(it))
    assert len(it.all()) == 40 and it.office.counters.get("faults", 0) == 0
    it.store.close_hard()
    (tmp_path / "key").write_text(KEY.hex())
    return [*SINCE, "--database", str(tmp_path / "calls.db"), "--key", str(tmp_path / "key")]


def replayed(draft: Path, box: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    assert cli.run(["flow", "replay", str(draft), *box, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_in_the_flow_that_they_walked_all_end_where_they_did(
    box: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert replayed(shipped_flows() / "clinic.toml", box, capsys) == []
    monkeypatch.setenv("PASOKH_LANG", "en")
    assert cli.run(["flow", "replay", str(shipped_flows() / "clinic.toml"), *box]) == 0
    assert "40 calls: 40 as before, 0 elsewhere" in capsys.readouterr().out


def test_in_a_draft_those_whom_it_changes_are_named_with_their_record(
    box: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (shipped_flows() / "clinic.toml").read_text(encoding="utf-8")
    draft = tmp_path / "clinic.toml"
    draft.write_text(text.replace('2 = "callback"\n3 = "questions"', '2 = "message"\n3 = "questions"', 1), "utf-8")
    (tmp_path / "hours").symlink_to(shipped_flows() / "hours")
    found = replayed(draft, box, capsys)
    assert found and all(each["what"] == "elsewhere" for each in found)
    assert {each["ended_at"] for each in found} == {"callback_kept"}
    assert all(each["would_end_at"] in ("message", "message_kept") for each in found)
    assert len({each["conversation"] for each in found}) == len(found) < 40
