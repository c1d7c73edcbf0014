"""A backup taken in the middle of calls, restored on a blank folder: the same records, and the promises are kept."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from appliance.backup import reading, restoring
from appliance.clock import SystemClock
from appliance.records import database, ledger, schema
from appliance.records.database import Connection
from appliance.records.store import Store
from tests.support.box import Box, free_ports, running
from tests.support.waiting import until
from tests.system.test_callbacks import FLOW as LINE
from tests.system.test_callbacks import QUEUE, Office

PASOKH = ".venv/bin/pasokh"
OWED = ["09121110001", "09121110002", "09121110003"]
PROMISED = "09121110009"
MENU = """
[node.menu]
kind = "menu"
prompt = "goodbye"
keys = { 1 = "line", 2 = "promise" }
timeout_seconds = 5
on_failure = "line"

[node.promise]
kind = "promise"
about = "a price"
within_minutes = 600
into = "code"
next = "kept"
on_failure = "bye"
"""
FLOW = LINE.replace('start = "line"', 'start = "menu"') + MENU


async def command(*words: str | Path) -> dict[str, Any]:
    """What the command says as JSON."""
    done = await asyncio.to_thread(subprocess.run, [PASOKH, *words, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def asks(office: Office, number: str, key: str) -> None:
    """A customer asks for a callback from the line (1, 1), or for a promise (2), and hangs up."""
    talk = office.provider.call("02188123456", number)
    await until(lambda: talk.is_up, 10)
    await asyncio.sleep(0.5)
    office.provider.press(talk, key)
    if key == "1":
        await asyncio.sleep(1.0)
        office.provider.press(talk, "1")
    await until(lambda: talk.ended is not None, 40)


def rows(db: Connection, table: str, upto: int | None = None) -> list[tuple[Any, ...]]:
    where = f" WHERE n <= {upto}" if upto is not None else ""
    return sorted(db.execute(f"SELECT * FROM {table}{where}").fetchall(), key=repr)


def test_a_backup_taken_during_calls_restores_to_the_same_box_which_calls_back_whom_it_owes(tmp_path: Path) -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    box = Box(f"127.0.0.2:{trunk}", phones=("desk1", "desk2"), flow=FLOW, extra=QUEUE)
    (tmp_path / "owner.key").write_text(box.identity.encode() + "\n")
    backup, new = tmp_path / "box.age", tmp_path / "new"
    (box.data / "spoken").mkdir()
    (box.data / "spoken" / "spoken.json").write_text("{}")
    key = tmp_path / "owner.key"
    head = 0

    async def before() -> None:
        nonlocal head
        async with Office(box, trunk) as office:
            await asyncio.gather(*(asks(office, number, "1") for number in OWED), asks(office, PROMISED, "2"))
            talks = [office.provider.call("02188123456", f"0912222000{number}") for number in range(4)]
            await until(lambda: all(talk.is_up for talk in talks), 10)
            made = await command("backup", "--out", backup, "--config", box.file)
            head = int(made["head"].partition(":")[0])
            assert all(talk.is_up and talk.ended is None for talk in talks), "a backup ended a call"
            assert made["requests_open"] == 4 and made["recipients"] == 1
            found = await command("backup", "verify", backup, "--key", key)
            assert found["head"] == made["head"]
            for talk in talks[:2]:  # and life goes on: none of this is in the backup
                office.provider.hang_up(talk)
            await asyncio.sleep(1.0)

    try:
        box.start()
        asyncio.run(before())
        assert "Traceback" not in box.log
    finally:
        box.stop()
    asyncio.run(command("restore", backup, "--key", key, "--into", new))

    secret = database.key_from((new / "secrets" / "database-key").read_text())
    old, restored = (
        database.open_writer(box.data / "calls.db", secret),
        database.open_reader(new / "data" / "calls.db", secret),
    )
    last = restored.execute("SELECT max(n) FROM event").fetchone()
    assert last == (head,)
    for table in ("event", "event_body", "erasure"):
        assert rows(restored, table) == rows(old, table, head), table
    for table in ("credential", "web_session"):
        assert rows(restored, table) == rows(old, table), table
    found = {table: rows(restored, table) for table in schema.DERIVED}
    assert len(found["request"]) == 4 and len(found["conversation"]) >= 8
    shutil.copy(new / "data" / "calls.db", tmp_path / "again.db")
    again = Store(tmp_path / "again.db", secret, SystemClock())
    again.rebuild()
    again.close()
    rebuilt = database.open_writer(tmp_path / "again.db", secret)
    assert {table: rows(rebuilt, table) for table in schema.DERIVED} == found, "rows that do not follow from the events"
    owed = {each.customer: each for each in ledger.open_callbacks(restored)}
    assert owed == {each.customer: each for each in ledger.open_callbacks(old) if each.customer in owed}
    for connection in (old, restored, rebuilt):
        connection.close()
    for name in ("secrets", "flows"):
        for file in (box.folder / name).rglob("*"):
            if file.is_file():
                assert (new / name / file.relative_to(box.folder / name)).read_bytes() == file.read_bytes(), file
    for name in ("keys/recipients.txt", "spoken/spoken.json", "first-boot-code"):
        assert (new / "data" / name).read_bytes() == (box.data / name).read_bytes()
    assert (new / restoring.ORIGINAL).read_bytes() == box.file.read_bytes()

    async def after() -> None:
        async with Office(other, trunk) as office:
            await office.agents()
            working = asyncio.create_task(office.work())
            wanted = {f"+98{number[1:]}" for number in OWED}
            await until(lambda: wanted <= {who for who, state, _ in office.look() if state == "done"}, 120)
            working.cancel()
            assert all(office.called.count(number) == 1 for number in OWED), office.called
            with other.reader() as reader:
                assert [each.customer for each in reader.requests() if each.what == "promise"] == [f"+98{PROMISED[1:]}"]
                told = reader.within(
                    lambda db: db.execute("SELECT n FROM event WHERE kind = 'backup.restored'").fetchall()
                )
                assert len(told) == 1 and told[0][0] > head
                assert reader.verify() is not None

    other = box.moved(new)
    try:
        other.start()
        asyncio.run(after())
        assert "Traceback" not in other.log
    finally:
        other.stop()
        box.remove()


def test_a_running_box_makes_its_own_backup_and_drills_it() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    box = Box(f"127.0.0.2:{trunk}", extra="[backup]\nevery_hours = 0.001\nkeep = 2\n")

    def told(db: Connection) -> list[tuple[str, str]]:
        found = db.execute("SELECT kind, body FROM event JOIN event_body USING (n) WHERE subject = 'backup' ORDER BY n")
        return [(str(kind), str(json.loads(body).get("reason", ""))) for kind, body in found.fetchall()]

    def events() -> list[tuple[str, str]]:
        with box.reader() as reader:
            return reader.within(told)

    with running(box):
        asyncio.run(until(lambda: len(events()) >= 4, 120))
        assert events()[:4] == [("backup.made", ""), ("backup.drilled", ""), ("backup.made", ""), ("backup.made", "")]
        files = sorted((box.data / "backups").glob("pasokh-test-*.age"))
        assert 1 <= len(files) <= 2
        assert reading.verify(files[-1], box.identity).manifest.box == "test"
        assert "Traceback" not in box.log
