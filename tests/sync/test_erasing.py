"""Erasure and retention to the end: real recordings, real targets, ``pasokh sync`` as a process that may be killed."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import io
import os
import random
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from appliance import cli
from appliance.calls import control
from appliance.clock import SystemClock, VirtualClock
from appliance.control import wire
from appliance.control.client import ControlClient
from appliance.errors import Problem
from appliance.recorder import reading
from appliance.records import encode, events, keeping
from appliance.records.reader import Reader
from appliance.retention.plan import DAY_MS, Rules
from appliance.retention.settings import Retention
from tests.recorder.given import CLASSIC, named
from tests.recorder.given import Box as Recording
from tests.support.seaweed import Seaweed
from tests.sync.office import KEY, PASSWORD, QUICK, Office, office

T = TypeVar("T", bound=events.Happened)
SARA, REZA = "+989121234567", "+989351112233"
KILLS = 100 if os.environ.get("PASOKH_LONG") else 3
PROMISED_SECONDS = 60.0  # FEATURES.md, row 33
FOR_EVER = Rules(Retention(), frozenset())


def folder_target(folder: Path, name: str = "usb") -> str:
    folder.mkdir(exist_ok=True)
    return f'[[target]]\nname = "{name}"\nkind = "folder"\nfolder = "{folder}"\n'


def s3_target(server: Seaweed) -> str:
    server.make_bucket("upstream")
    return f'[[target]]\nname = "store"\nkind = "s3"\nurl = "{server.url}"\nbucket = "upstream"\n'


def record(it: Office, customers: Sequence[str]) -> list[str]:
    """Real recordings, sealed to the owner, one for each customer; their ids. Conversations are c1, c2, ..."""
    box = Recording(it.folder / "data")
    for number in range(1, len(customers) + 1):
        box.start(number)
    box.run(1)
    for number, customer in enumerate(customers, 1):
        box.sealed(number)
        it.recorded(f"c{number}", named(number), customer)
    box.close()
    return [named(number) for number in range(1, len(customers) + 1)]


class Everywhere:
    """All that anybody can reach of the box, the disk and the bucket."""

    def __init__(self, it: Office, disk: Path, server: Seaweed | None = None) -> None:
        self._folders = it.folder / "data", disk
        self._client = server.client() if server else None

    def files(self) -> Iterator[Path]:
        """But for the records: to close them past SQLite would drop the locks that this process has on them."""
        for folder in self._folders:
            yield from (file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("calls.db"))

    def objects(self) -> list[str]:
        if self._client is None:
            return []
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket="upstream")
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def contents(self) -> Iterator[tuple[str, bytes]]:
        for file in self.files():
            with contextlib.suppress(FileNotFoundError):
                yield str(file), file.read_bytes()
        for key in self.objects():
            assert self._client is not None
            yield key, self._client.get_object(Bucket="upstream", Key=key)["Body"].read()

    def names(self, recordings: Sequence[str]) -> list[str]:
        """Files of recordings, wherever they are."""
        found = [*map(str, self.files()), *self.objects()]
        return [name for name in found if Path(name).stem in recordings and Path(name).suffix != ".part"]

    def holding(self, needle: bytes) -> list[str]:
        return [name for name, content in self.contents() if needle in content]


async def ordered(it: Office, kind: type[wire.ArchiveOrder], about: str, why: str = "asked") -> wire.Reply:
    """As the owner, over the control socket."""
    async with ControlClient(it.folder / "run" / "calls.sock") as control:
        await control.until_alive()
        session = await control.sign_in("owner", PASSWORD)
        return await control.order(kind(session.token, about, why))


async def until_gone(everywhere: Everywhere, recordings: Sequence[str], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while await asyncio.to_thread(everywhere.names, recordings):  # noqa: ASYNC110 - another process has no event of ours
            await asyncio.sleep(0.2)


def written(it: Office, kind: type[T]) -> list[T]:
    """The events of a kind, oldest first."""
    with Reader(it.folder / "data" / "calls.db", KEY) as reader:
        rows = reader.within(
            lambda db: db.execute(
                "SELECT kind, body FROM event JOIN event_body USING (n) WHERE kind = ? ORDER BY n", (kind.kind,)
            ).fetchall()
        )
    found = (encode.happened_from(name, body) for name, body in rows)
    return [one for one in found if isinstance(one, kind)]


def test_what_is_erased_opens_with_no_key_a_minute_later_though_sync_is_killed_and_what_is_held_stays(
    tmp_path: Path,
) -> None:
    """Row 33: with the owner's own key, on the box, on the disk and in the bucket."""
    chance = random.Random(33)
    disk = tmp_path / "disk"

    async def scenario(server: Seaweed) -> None:
        async with office(folder_target(disk) + s3_target(server)) as it:
            it.secret("store", f"{server.access}\n{server.secret}\n")
            it.archive(Rules(Retention(), frozenset({"usb", "store"})))
            await it.owner()
            recordings = record(it, [SARA, REZA, SARA, SARA])
            hers, his = [recordings[0], *recordings[2:]], [recordings[1]]
            kept = it.folder / "data" / "kept"
            files = {file.name: file.read_bytes() for file in kept.iterdir()}
            assert all(reading.verify(kept / each, CLASSIC).state == "verified" for each in recordings)
            everywhere = Everywhere(it, disk, server)
            await it.start()
            await it.until_receipts(3 * len(recordings), targets=2)
            assert len(everywhere.names(recordings)) == 3 * 3 * len(recordings)
            await ordered(it, wire.HoldRecordings, REZA, "a suit")
            with pytest.raises(Problem, match=r"retention\.held"):
                await ordered(it, wire.EraseRecordings, REZA)
            assert await ordered(it, wire.EraseRecordings, SARA) == wire.Affected(3, 3)
            began = time.monotonic()
            for _ in range(3):
                await asyncio.sleep(chance.uniform(0, 0.7))
                await it.kill()
                await it.start()
            await until_gone(everywhere, hers, PROMISED_SECONDS)
            took = time.monotonic() - began
            assert it.forgotten == hers
            for each in hers:
                assert everywhere.holding(files[f"{each}.head"]) == []
                with pytest.raises(Problem, match=r"recorder\.not_there"):
                    reading.open_recording(kept / each, CLASSIC)
            # Somebody has kept body and seal (a lock, a copy): they open without a head as little as with another's.
            copied = tmp_path / "copied"
            copied.mkdir()
            for head in (None, f"{his[0]}.head"):
                for suffix in ("body", "seal"):
                    (copied / f"{hers[0]}.{suffix}").write_bytes(files[f"{hers[0]}.{suffix}"])
                if head is not None:
                    (copied / f"{hers[0]}.head").write_bytes(files[head])
                with pytest.raises(Problem):
                    reading.open_recording(copied / hers[0], CLASSIC)
            await it.until(lambda: len(written(it, events.UpstreamErased)) == 2 * len(hers))
            await it.until(lambda: len(written(it, events.RecordingDeleted)) == len(hers))
            assert len(everywhere.names(his)) == 9
            assert reading.verify(kept / his[0], CLASSIC).state == "verified"
            print(f"erased: {len(hers)} recordings, 3 kills, gone after {took:.1f} s")

    with Seaweed(tmp_path / "s3") as server:
        asyncio.run(scenario(server))


def test_kills_at_random_moments_erase_everything_once_and_nothing_else(tmp_path: Path) -> None:
    chance = random.Random(34)
    disk = tmp_path / "disk"

    async def scenario() -> None:
        async with office(folder_target(disk)) as it:
            archive = it.archive(Rules(Retention(), frozenset({"usb"})))
            everywhere, number, erased = Everywhere(it, disk), 0, set[str]()
            for _ in range(KILLS):
                for _ in range(3):
                    number += 1
                    it.call(number, chance.choice((0, 20_000, 300_000)))
                await it.start()
                await asyncio.sleep(chance.uniform(0.2, 1.5))
                for one in chance.sample([one for one in range(1, number + 1) if f"{one:032x}" not in erased], 2):
                    await archive.carry_out(wire.EraseRecordings("", f"c{one}", "asked"), "owner")
                    erased.add(f"{one:032x}")
                await asyncio.sleep(chance.uniform(0, 1.0))
                await it.kill()
            left = {f"{one:032x}" for one in range(1, number + 1)} - erased
            await it.start()
            await it.until_receipts(3 * len(left))
            await until_gone(everywhere, sorted(erased), PROMISED_SECONDS)
            await it.until(lambda: len(written(it, events.RecordingDeleted)) >= len(erased))
            assert len(everywhere.names(sorted(left))) == 2 * 3 * len(left)
            deleted = collections.Counter(one.recording for one in written(it, events.RecordingDeleted))
            assert set(deleted) == erased and set(deleted.values()) == {1}
            assert not any(target.fault for target in it.shown.upstream)
            print(f"kills: {KILLS}, recordings: {number}, erased: {len(erased)}, left: {len(left)}, wrong: 0")

    asyncio.run(scenario())


def test_a_box_without_any_target_erases_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office("") as it:
            archive = it.archive(FOR_EVER)
            recordings = record(it, [SARA, REZA])
            everywhere = Everywhere(it, tmp_path)
            await it.start()
            await archive.carry_out(wire.EraseRecordings("", SARA, "asked"), "owner")
            await until_gone(everywhere, recordings[:1], PROMISED_SECONDS)
            assert len(everywhere.names(recordings)) == 3

    asyncio.run(scenario())


def test_nothing_expires_before_it_was_read_back_and_a_later_target_finds_nothing_missing(tmp_path: Path) -> None:
    disk, late = tmp_path / "disk", tmp_path / "late"
    both = folder_target(disk) + folder_target(late, "late")

    async def scenario() -> None:
        later = VirtualClock(SystemClock().utc_ms() + 40 * DAY_MS)
        async with office(folder_target(disk)) as it:
            archive = it.archive(Rules(Retention(days=30), frozenset({"usb"})), later)
            first, everywhere = it.call(1), Everywhere(it, disk)
            await archive.look()
            assert written(it, events.RecordingExpired) == []
            await it.start()
            await it.until_receipts(3)
            second = f"{2:032x}"
            disk.rename(tmp_path / "pulled")
            it.call(2)
            later.advance_to(7200)
            await archive.look()
            assert written(it, events.RecordingExpired) == [events.RecordingExpired("c1", first, 30)]
            await it.until(lambda: not list((it.folder / "data" / "kept").glob(f"{first}.*")))
            await it.until(lambda: written(it, events.RecordingDeleted) == [
                events.RecordingDeleted("c1", first, "expired")
            ])  # fmt: skip
            later.advance_to(14_400)
            await archive.look()
            assert len(written(it, events.RecordingExpired)) == 1
            assert len(list((it.folder / "data" / "kept").glob(f"{second}.*"))) == 3
            (tmp_path / "pulled").rename(disk)
            await it.until_receipts(6)
            assert len(everywhere.names([first])) == 3 and len(everywhere.names([second])) == 6
            await it.kill()
            it.config.write_text(it.config.read_text().replace(folder_target(disk), both))
            await it.start()
            await it.until_receipts(9)
            await it.until(lambda: {target.pending for target in it.shown.upstream if target.name == "late"} == {0})
            assert [target.fault for target in it.shown.upstream if target.name == "late"] == [None]
            assert not any(target.refused for target in it.shown.upstream)

    asyncio.run(scenario())


def test_an_erasure_does_not_wait_for_a_long_recording_that_is_being_sent(tmp_path: Path) -> None:
    disk = tmp_path / "disk"

    async def scenario() -> None:
        async with office(folder_target(disk), QUICK + "bytes_per_second = 40000\n") as it:
            archive = it.archive(Rules(Retention(), frozenset({"usb"})))
            it.call(1, 5_000)
            await it.start()
            await it.until_receipts(3)
            it.call(2, 20_000_000)  # eight minutes at this pace
            await it.until(lambda: any(disk.rglob("*.body.part")))
            await archive.carry_out(wire.EraseRecordings("", "c1", "asked"), "owner")
            await until_gone(Everywhere(it, disk), [f"{1:032x}"], PROMISED_SECONDS)
            await it.until(lambda: len(written(it, events.UpstreamErased)) == 1)
            await it.until(lambda: any(disk.rglob("*.body.part")))  # it goes on
            assert not any(target.fault for target in it.shown.upstream)

    asyncio.run(scenario())


def test_the_owners_command_signs_in_and_says_what_it_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PASOKH_LANG", "en")

    async def command(it: Office, *arguments: str, password: str = PASSWORD) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\nmore\n"))
        code = await asyncio.to_thread(cli.run, ["recording", *arguments, "--config", str(it.config)])
        said = capsys.readouterr()
        assert password not in said.out + said.err
        return code, said.out + said.err

    async def scenario() -> None:
        async with office("") as it:
            it.archive(FOR_EVER)
            await it.owner()
            it.call(1)
            code, said = await command(it, "hold", SARA, "--why", "a suit", "--json")
            assert (code, said) == (0, '{"conversations": 1, "recordings": 1}\n')
            code, said = await command(it, "erase", "c1", "--why", "asked")
            assert code == 2 and "is held by owner (a suit)" in said
            code, said = await command(it, "release", SARA, "--why", "settled")
            assert code == 0 and said.startswith("Released: 1 conversations")
            code, said = await command(it, "erase", "c1", "--why", "her wish")
            assert code == 0 and said.startswith("Erased: 1 conversations with 1 recordings")
            assert it.store.within(keeping.going) == [keeping.Going(f"{1:032x}", "c1", "erased")]
            assert written(it, events.ConversationErased) == [
                events.ConversationErased("c1", "her wish", "owner", (f"{1:032x}",))
            ]
            code, said = await command(it, "erase", "c1", "--why", "asked", password="wrong")
            assert code == 2 and "do not belong together" in said

    asyncio.run(scenario())


def test_nobody_but_the_owner_orders_about_recordings_and_only_sync_says_what_is_gone(tmp_path: Path) -> None:
    orders = {wire.HoldRecordings, wire.ReleaseRecordings, wire.EraseRecordings}
    assert {order: roles for order, roles in control.MAY.items() if order in orders} == dict.fromkeys(
        orders, frozenset({"owner"})
    )

    async def scenario() -> None:
        async with office("") as it:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with ours, theirs:
                admitted = it._control._admitted(ours)
                assert admitted is not None
                for service in ("web", "media", "panel"):
                    admitted.service = service
                    with pytest.raises(Problem, match=r"control\.not_for_service"):
                        await it._control._reply(admitted, wire.Ask(1, wire.TellDestroyed(("r",))))
                admitted.service = "sync"
                with pytest.raises(Problem, match=r"control\.not_for_service"):
                    await it._control._reply(admitted, wire.Ask(2, wire.EraseRecordings("t", "c1", "asked")))
                told = await it._control._reply(admitted, wire.Ask(3, wire.TellDestroyed(("r", "x" * 5000))))
                assert told == wire.Done() and it.store.head().n == 0

    asyncio.run(scenario())
