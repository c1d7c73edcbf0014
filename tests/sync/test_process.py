"""``pasokh sync`` as a process beside real records: receipts end to end, kills at any moment, and a copied card."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import random
import socket
import sys
from pathlib import Path

import pytest

from appliance.control import wire
from appliance.records.events import ConversationErased, UpstreamReceipt
from appliance.records.reader import Reader
from appliance.sync.faults import Why, finding
from tests.support.bad_http import BadHttp, Instead
from tests.support.relay import Relay
from tests.support.seaweed import Seaweed
from tests.sync.office import KEY, Office, office

KILLS = 200 if os.environ.get("PASOKH_LONG") else 10


def folder_target(folder: Path, name: str = "usb", extra: str = "") -> str:
    folder.mkdir(exist_ok=True)
    return f'[[target]]\nname = "{name}"\nkind = "folder"\nfolder = "{folder}"\n{extra}'


def lying(folder: Path) -> dict[str, bytes]:
    """Files of recordings by name."""
    return {
        file.name: file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.parts[-5:-4] == ("recordings",)
    }


def test_a_recording_has_its_receipts_and_counts_as_sent_when_all_three_files_were_read_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(folder_target(tmp_path / "disk")) as it:
            recording = it.call(1, 500_000)
            with Reader(it.folder / "data" / "calls.db", KEY) as reader:
                assert reader.last()[0].recordings[0].sent_at is None
            await it.start()
            await it.until_receipts(3)
            found = {one.unit: one for one in it.receipts() if one.recording == recording}
            assert set(found) == {"head", "seal", "body"} and found["body"].size == 500_000
            assert found["body"].place.startswith(str(tmp_path / "disk"))
            with Reader(it.folder / "data" / "calls.db", KEY) as reader:
                assert reader.last()[0].recordings[0].sent_at is not None
            assert lying(tmp_path / "disk") == it.sent

    asyncio.run(scenario())


def test_events_and_records_go_as_batches_that_chain_and_receipts_alone_make_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(folder_target(tmp_path / "disk")) as it:
            await it.start()
            for number in range(1, 6):
                it.call(number)
            await it.until_receipts(15)
            await _settled(it)
            lines = [
                json.loads(line)
                for file in sorted((tmp_path / "disk" / "office" / "events").iterdir())
                for line in file.read_text().splitlines()
            ]
            numbers = [line["n"] for line in lines]
            assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 25
            records = [
                json.loads(line)
                for file in sorted((tmp_path / "disk" / "office" / "records").iterdir())
                for line in file.read_text().splitlines()
            ]
            assert sorted(record["conversation"] for record in records) == [f"c{number}" for number in range(1, 6)]

    asyncio.run(scenario())


async def _settled(it: Office) -> None:
    """Until no event has come for a while: receipts of batches are events too, and must come to an end."""
    last, calm = -1, 0
    async with asyncio.timeout(60):
        while calm < 15:
            calm = calm + 1 if it.shown.last_event == last else 0
            last = it.shown.last_event
            await asyncio.sleep(0.1)


def test_several_targets_have_their_own_position(tmp_path: Path) -> None:
    late = tmp_path / "late"

    async def scenario() -> None:
        both = folder_target(tmp_path / "disk") + folder_target(late, "late")
        late.rmdir()
        async with office(both) as it:
            it.call(1)
            await it.start()
            await it.until_receipts(3)
            await it.until(lambda: any(one.fault for one in it.shown.upstream))
            states = {one.name: (one.state, one.fault.key if one.fault else "") for one in it.shown.upstream}
            assert states["usb"][1] == "" and states["late"] == ("parked", "sync.fault_gone")
            assert it.shown.findings["upstream late"].key == "sync.fault_gone"
            late.mkdir()
            await it.until_receipts(3, targets=2)
            assert lying(late) == lying(tmp_path / "disk") == it.sent

    asyncio.run(scenario())


def test_kills_at_random_moments_lose_nothing_and_send_nothing_twice(tmp_path: Path) -> None:
    chance = random.Random(11)

    async def scenario(server: Seaweed, bad: BadHttp) -> None:
        disk = tmp_path / "disk"
        target = f'[[target]]\nname = "store"\nkind = "s3"\nurl = "{bad.url}"\nbucket = "upstream"\n'
        async with office(folder_target(disk) + target) as it:
            it.secret("store", f"{server.access}\n{server.secret}\n")
            number = 0
            for _ in range(KILLS):
                for _ in range(chance.randint(1, 4)):
                    number += 1
                    it.call(number, chance.choice((0, 20_000, 300_000, 7_000_000 if number % 9 == 0 else 50_000)))
                process = await it.start()
                await asyncio.sleep(chance.uniform(0.3, 2.5))
                process.kill()
                await process.wait()
            await it.start()
            await it.until_receipts(3 * number, 900, targets=2)
            await _settled(it)
            receipts = collections.Counter((one.target, one.key) for one in it.receipts())
            assert set(receipts.values()) == {1}
            with Reader(it.folder / "data" / "calls.db", KEY) as reader:
                written = reader.within(_receipt_events)
            assert len(written) == len(set(written)) == len(receipts)
            assert lying(disk) == it.sent
            client = server.client()
            keys = [
                one["Key"]
                for page in client.get_paginator("list_objects_v2").paginate(Bucket="upstream")
                for one in page.get("Contents", [])
            ]
            found = {
                key.rpartition("/")[2]: client.get_object(Bucket="upstream", Key=key)["Body"].read()
                for key in keys
                if "/recordings/" in key
            }
            assert found == it.sent
        puts = collections.Counter(
            one.path
            for one in bad.seen
            if one.method == "PUT" and one.status == 200 and "/recordings/" in one.path and "?" not in one.path
        )
        assert set(puts.values()) <= {1}
        print(f"kills: {KILLS}, recordings: {number}, receipts: {len(receipts)}, lost: 0, twice: 0")

    with Seaweed(tmp_path / "s3") as server, BadHttp(int(server.url.rpartition(":")[2])) as bad:
        server.make_bucket("upstream")
        asyncio.run(scenario(server, bad))


def test_after_days_without_upstream_everything_arrives_once(tmp_path: Path) -> None:
    """Row 90 with real files and a real server; the seven days themselves pass in virtual time (test_plan.py)."""
    calls = 2000 if os.environ.get("PASOKH_LONG") else 100

    async def scenario(server: Seaweed, relay: Relay, bad: BadHttp) -> None:
        target = f'[[target]]\nname = "store"\nkind = "s3"\nurl = "{bad.url}"\nbucket = "upstream"\n'
        async with office(target) as it:
            it.secret("store", f"{server.access}\n{server.secret}\n")
            bad.rule = lambda _seen: Instead(503)
            await it.start()
            for number in range(1, calls + 1):
                it.call(number, 20_000 + 997 * (number % 50))
            await it.until(lambda: bool(it.shown.upstream) and it.shown.upstream[0].pending >= 3 * calls, 120)
            await it.until(lambda: it.shown.upstream[0].fault == finding("store", Why.BUSY, _BUSY.format(bad.port)))
            assert it.receipts() == []
            bad.rule = lambda _seen: None
            await it.until_receipts(3 * calls, 900)
            await _settled(it)
        stored = [one.path for one in bad.seen if one.method == "PUT" and one.status == 200]
        recordings = [path for path in stored if "/recordings/" in path]
        assert len(recordings) == len(set(recordings)) == 3 * calls
        bodies = [path for path in recordings if path.endswith(".body")]
        assert bodies == sorted(bodies)
        print(f"calls: {calls}, files: {len(recordings)}, lost: 0, twice: 0")

    with Seaweed(tmp_path / "s3") as server, Relay(int(server.url.rpartition(":")[2])) as relay:
        server.make_bucket("upstream")
        with BadHttp(relay.port) as bad:
            asyncio.run(scenario(server, relay, bad))


_BUSY = "127.0.0.1:{}: 503 503"


def _receipt_events(db: object) -> list[tuple[str, str]]:
    rows = db.execute(  # type: ignore[attr-defined] # a connection
        "SELECT body FROM event JOIN event_body USING (n) WHERE kind = ?", (UpstreamReceipt.kind,)
    )
    return [(found["target"], found["key"]) for found in (json.loads(body) for (body,) in rows)]


def test_when_the_outbox_is_lost_it_is_made_anew_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    async def scenario() -> None:
        disk = tmp_path / "disk"
        async with office(folder_target(disk, extra='takes = "recordings"\n')) as it:
            for number in range(1, 4):
                it.call(number)
            await it.start()
            await it.until_receipts(9)
            before = {file: file.stat().st_mtime_ns for file in disk.rglob("*.body")}
            await it.kill()
            for file in (it.folder / "data" / "sync").glob("outbox.db*"):
                file.unlink()
            it.call(4)
            await it.start()
            await it.until_receipts(12)
            assert len(it.receipts()) == 12 and lying(disk) == it.sent
            assert {file: file.stat().st_mtime_ns for file in before} == before

    asyncio.run(scenario())


def test_a_copied_card_is_noticed_and_its_way_out_works(tmp_path: Path) -> None:
    async def scenario() -> None:
        disk = tmp_path / "disk"
        async with office(folder_target(disk)) as it:
            it.call(1)
            await it.start()
            await it.until_receipts(3)
            await it.kill()
            marker = disk / "office" / "box.json"
            found = json.loads(marker.read_text())
            marker.write_text(json.dumps(found | {"machine": "0" * 32}))  # another machine was here meanwhile
            it.call(2)
            await it.start()
            await it.until(lambda: any(one.fault for one in it.shown.upstream))
            fault = it.shown.upstream[0].fault
            assert fault is not None and fault.key == "sync.fault_two_boxes" and len(it.receipts()) >= 3
            assert len(lying(disk)) == 3
            adopting = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "appliance", "upstream", "adopt", "usb", "--config", str(it.config)
            )
            assert await adopting.wait() == 0
            await it.until_receipts(6)
            assert lying(disk) == it.sent

    asyncio.run(scenario())


def test_a_conversation_that_is_erased_is_taken_away_head_first_and_said(tmp_path: Path) -> None:
    async def scenario() -> None:
        disk = tmp_path / "disk"
        async with office(folder_target(disk)) as it:
            recording = it.call(1)
            it.call(2)
            await it.start()
            await it.until_receipts(6)
            it.happened(ConversationErased("c1", "asked", "owner"))
            await it.until(lambda: not any(recording in name for name in lying(disk)))
            await it.until(lambda: not any(one.recording == recording for one in it.receipts()))
            assert len(lying(disk)) == 3

    asyncio.run(scenario())


def test_only_sync_and_the_own_user_may_tell_receipts(tmp_path: Path) -> None:
    """The socket's credentials decide: another service is refused, whatever it says of itself."""

    async def scenario() -> None:
        async with office(folder_target(tmp_path / "disk")) as it:
            server = it._control

            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with ours, theirs:
                admitted = server._admitted(ours)
                assert admitted is not None
                receipt = wire.Receipt("usb", "body", "k1", "r", 0, 0, "ab", 1, "there")
                for service in ("web", "panel", "media"):
                    admitted.service = service
                    with pytest.raises(Exception, match=r"control\.not_for_service"):
                        await server._reply(admitted, wire.Ask(1, wire.TellReceipts((receipt,))))
                admitted.service = "sync"
                assert await server._reply(admitted, wire.Ask(1, wire.TellReceipts((receipt, receipt)))) == wire.Done()
                await server._reply(admitted, wire.Ask(2, wire.TellReceipts((receipt,))))
                assert [one.key for one in it.receipts()] == ["k1"]
                with pytest.raises(Exception, match=r"control\.not_for_service"):
                    await server._reply(admitted, wire.Ask(3, wire.WhoAmI("x")))

    asyncio.run(scenario())
