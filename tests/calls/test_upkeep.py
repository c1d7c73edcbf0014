"""The box's own backups: made when they are due, drilled each month, told by events and findings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from appliance.backup import reading, restoring
from appliance.backup.settings import Backup
from appliance.calls.upkeep import Upkeep
from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.records.writer import DirectWriter
from tests.backup.given import MADE, Given, a_box

DAY = 86_400.0


class Scene:
    def __init__(self, given: Given, settings: Backup) -> None:
        self.clock = VirtualClock(MADE)
        self.records = DirectWriter(given.store)
        self.findings: Mapping[str, Problem] = {}
        self.upkeep = Upkeep(settings, given.settings, given.places, "shop", self.records, self.clock, self._found)
        self.given = given

    def _found(self, findings: Mapping[str, Problem]) -> None:
        self.findings = findings

    def told(self) -> list[tuple[str, dict[str, object]]]:
        self.records.flush_now()
        rows = self.given.store.within(
            lambda db: db.execute(
                "SELECT kind, body FROM event JOIN event_body USING (n) WHERE subject = 'backup' ORDER BY n"
            ).fetchall()
        )
        return [(kind, json.loads(body)) for kind, body in rows]

    def later(self, days: float) -> None:
        self.clock.advance_to(self.clock.monotonic() + days * DAY)


def play(tmp_path: Path, settings: Backup, work: Callable[[Scene], Awaitable[None]]) -> Scene:
    given = a_box(tmp_path / "box")

    async def scene() -> Scene:
        scene = Scene(given, settings)
        await scene.upkeep.start()
        await work(scene)
        return scene

    return asyncio.run(scene())


def test_a_backup_a_day_is_made_and_the_newest_stay(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        for _ in range(4):
            await scene.upkeep.look()
            await scene.upkeep.look()
            scene.later(1)

    scene = play(tmp_path, Backup(keep=2), work)
    made = [about for kind, about in scene.told() if kind == "backup.made"]
    kept = sorted(file.name for file in scene.upkeep.folder.glob("pasokh-*.age"))
    assert len(made) == 4 and kept == sorted(str(about["file"]) for about in made[-2:])
    assert reading.verify(scene.upkeep.folder / kept[-1], scene.given.owner).manifest.box == "shop"
    assert scene.findings == {} and not list(scene.upkeep.folder.glob(".*"))


def test_the_first_backup_is_a_drill_and_then_one_each_month(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        for _ in range(63):
            await scene.upkeep.look()
            scene.later(1)

    scene = play(tmp_path, Backup(), work)
    drills = [about for kind, about in scene.told() if kind == "backup.drilled"]
    assert len(drills) == 3 and all(about["reason"] == "" and about["requests_open"] == 1 for about in drills)


def test_a_disk_that_is_not_there_is_a_finding_and_one_event_until_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "usb"

    async def work(scene: Scene) -> None:
        for _ in range(3):
            await scene.upkeep.look()
            assert scene.findings["backup"].key == "backup.no_folder"
            scene.later(0.01)
        assert not folder.exists(), "a mount point must not be made"
        folder.mkdir()
        await scene.upkeep.look()

    scene = play(tmp_path, Backup(folder=str(folder)), work)
    assert [kind for kind, _ in scene.told()] == ["backup.failed", "backup.made", "backup.drilled"]
    assert scene.findings == {} and len(list(folder.glob("pasokh-shop-*.age"))) == 1


def test_a_drill_that_fails_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(scene: Scene) -> None:
        text = scene.given.settings.read_text()
        scene.given.settings.write_text("[box\n")
        await scene.upkeep.look()
        assert scene.findings["backup_drill"].fields == {"reason": "backup.bad_settings"}
        scene.given.settings.write_text(text)
        scene.later(1)
        await scene.upkeep.look()

    scene = play(tmp_path, Backup(), work)
    drills = [about["reason"] for kind, about in scene.told() if kind == "backup.drilled"]
    assert drills == ["backup.bad_settings", ""] and scene.findings == {}


def test_without_the_owners_key_nothing_is_made_and_nothing_more_is_said(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        (scene.given.places.data / "keys" / "recipients.txt").unlink()
        await scene.upkeep.look()

    scene = play(tmp_path, Backup(), work)
    assert scene.told() == [] and scene.findings == {}


def test_what_was_known_is_known_after_a_start(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        await scene.upkeep.look()
        scene.records.flush_now()
        again = Scene(scene.given, Backup())
        await again.upkeep.start()
        await again.upkeep.look()
        assert [kind for kind, _ in again.told()].count("backup.made") == 1
        again.later(40)
        again.upkeep._show()
        assert {problem.key for problem in again.findings.values()} == {"backup.old", "backup.drill_old"}

    play(tmp_path, Backup(), work)


def test_a_restored_box_says_in_its_records_that_it_is_one(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        mark = scene.given.places.data / restoring.MARK
        mark.write_text(json.dumps({"made_utc_ms": 7, "version": "0.3.0", "head_n": 5}))
        await scene.upkeep.start()
        await scene.upkeep.start()
        assert not mark.exists()

    scene = play(tmp_path, Backup(every_hours=0), work)
    assert scene.told() == [("backup.restored", {"head_n": 5, "made": 7, "version": "0.3.0"})]
