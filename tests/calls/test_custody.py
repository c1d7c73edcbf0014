"""The keys that recordings are sealed to, as calls watches them: events, findings, and a set that was slipped in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.calls.custody import Watch
from appliance.ceremony import making
from appliance.ceremony.making import Made, Wish
from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.media import loop
from appliance.media.port import Sealing
from appliance.recorder import custody, keys, signed
from appliance.recorder.custody import Custody
from appliance.records.store import Store
from appliance.records.writer import DirectWriter
from tests.backup.given import Given, a_box
from tests.ceremony.given import a_set, owner_of, recovery_of

DAY = 86_400.0


@dataclass
class Seals:
    """What media said last."""

    sealing: Sealing | None = None


class Scene:
    """A box whose media process starts again whenever the keys are to count."""

    def __init__(self, given: Given) -> None:
        self.data: Path = given.places.data
        self.store: Store = given.store
        self.clock = VirtualClock()
        self.findings: dict[str, Problem] = {}
        self.seals = Seals()
        self.records = DirectWriter(given.store)
        self.watch = self.new_watch()
        keys.recipients_file(self.data).unlink()

    def new_watch(self) -> Watch:
        return Watch(self.data, self.seals, self.records, self.clock, self._found)

    def _found(self, place: str, problem: Problem | None) -> None:
        self.findings.pop(place, None)
        if problem is not None:
            self.findings[place] = problem

    async def media_starts(self) -> None:
        """And calls looks."""
        try:
            self.seals.sealing = loop.sealing_of(custody.load(self.data))
        except Problem:
            self.seals.sealing = loop.sealing_of(Custody())
        await self.watch.look()

    def keys_found(self) -> dict[str, str]:
        return {place: problem.key for place, problem in self.findings.items()}

    def told(self) -> list[tuple[str, dict[str, object]]]:
        self.records.flush_now()
        rows = self.store.within(
            lambda db: db.execute(
                "SELECT kind, body FROM event JOIN event_body USING (n) WHERE subject = 'keys' ORDER BY n"
            ).fetchall()
        )
        return [(kind, json.loads(body)) for kind, body in rows]


def play(tmp_path: Path, work: Callable[[Scene], Awaitable[None]]) -> Scene:
    given = a_box(tmp_path / "box")

    async def scene() -> Scene:
        scene = Scene(given)
        await scene.watch.start()
        await work(scene)
        return scene

    return asyncio.run(scene())


def slip_in(data: Path, made: Made) -> None:
    """What somebody does who may write the folder: both files, as if it were the first set."""
    for file in (data / "keys").iterdir():
        file.unlink()
    custody.install(data, made.known.text)


def test_before_media_speaks_and_without_keys_nothing_is_said(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        await scene.watch.look()
        await scene.media_starts()

    scene = play(tmp_path, work)
    assert scene.told() == [] and scene.findings == {}


def test_a_plain_list_is_a_finding_until_a_signed_set_comes_and_each_change_is_one_event(tmp_path: Path) -> None:
    made = a_set("classic", "سارا")

    async def work(scene: Scene) -> None:
        keys.install(keys.recipients_file(scene.data), keys.new_identity("classic").recipient())
        for _ in range(3):
            await scene.media_starts()
        assert scene.keys_found() == {"recipients": "ceremony.unsigned"}
        custody.install(scene.data, made.known.text)
        for _ in range(3):
            await scene.media_starts()
        assert scene.keys_found() == {"drill": "ceremony.never_drilled"}

    scene = play(tmp_path, work)
    plain, first = scene.told()
    assert plain[0] == "recipients.changed" and plain[1]["version"] == 0 and plain[1]["is_trusted"] is True
    assert first[1]["version"] == 1 and first[1]["signed_by"] == signed.signer_of(owner_of(made))
    assert str(first[1]["members"]).splitlines() == [
        f"{each.role} {each.name} {each.recipient.fingerprint}" for each in made.known.members
    ]


def test_a_set_in_a_known_hand_is_followed_and_a_stranger_is_found_also_after_a_restart(tmp_path: Path) -> None:
    made, spy = a_set("classic", "Sara"), a_set("classic", "Spy")
    second = making.following(made.known, Wish(leave=["Sara"]), owner_of(made), 0)

    async def work(scene: Scene) -> None:
        custody.install(scene.data, made.known.text)
        await scene.media_starts()
        custody.install(scene.data, second.known.text)
        await scene.media_starts()
        assert "recipients" not in scene.findings
        slip_in(scene.data, spy)
        await scene.media_starts()
        assert scene.keys_found()["recipients"] == "ceremony.swapped"
        scene.watch = scene.new_watch()
        await scene.watch.start()
        await scene.media_starts()
        assert scene.keys_found()["recipients"] == "ceremony.swapped"
        slip_in(scene.data, made)
        await scene.media_starts()
        assert scene.keys_found()["recipients"] == "ceremony.swapped", "an old version, with who has left in it"
        slip_in(scene.data, second)
        await scene.media_starts()
        assert "recipients" not in scene.findings

    scene = play(tmp_path, work)
    assert [(about["version"], about["is_trusted"]) for _, about in scene.told()] == [
        (1, True), (2, True), (1, False), (1, False), (2, True),
    ]  # fmt: skip


def test_from_signed_back_to_a_plain_list_is_a_finding(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        custody.install(scene.data, a_set().known.text)
        await scene.media_starts()
        for file in (scene.data / "keys").iterdir():
            file.unlink()
        keys.install(keys.recipients_file(scene.data), keys.new_identity("classic").recipient())
        await scene.media_starts()
        assert scene.keys_found() == {"recipients": "ceremony.swapped"}

    assert [about["is_trusted"] for _, about in play(tmp_path, work).told()] == [True, False]


def test_a_drill_is_an_event_once_and_asked_for_again_after_ninety_days(tmp_path: Path) -> None:
    made = a_set()

    async def work(scene: Scene) -> None:
        custody.install(scene.data, made.known.text)
        await scene.media_starts()
        drill = signed.sign_drill(scene.clock.utc_ms(), owner_of(made), recovery_of(made))
        custody.install(scene.data, drill.text)
        for day in (0, 90, 91):
            scene.clock.advance_to(day * DAY)
            await scene.watch.look()
            assert scene.keys_found() == ({} if day <= 90 else {"drill": "ceremony.drill_old"})
        assert scene.findings["drill"].fields == {"days": 91}

    kinds = [kind for kind, _ in play(tmp_path, work).told()]
    assert kinds == ["recipients.changed", "keys.drilled"]
