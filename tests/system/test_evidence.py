"""Evidence of a real call: signed by the box when it stopped, opened by the owner, checked by a stranger's Python."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from appliance.records import chain
from tests.support.box import Box, free_ports
from tests.support.softphone import Softphone
from tests.support.waiting import until
from tests.system.test_crashes import VOICE


def test_a_call_is_shown_to_somebody_who_trusts_nothing_of_ours(tmp_path: Path) -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    box = Box(f"127.0.0.2:{trunk}")

    async def scene() -> None:
        customer = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), voice=VOICE)
        await customer.start()
        try:
            talk = customer.call("02188123456", "09121234567")
            await until(lambda: talk.is_up, 10)
            await asyncio.sleep(9.0)  # the notice, and a little of the menu
            customer.hang_up(talk)
            await until(lambda: talk.ended is not None, 10)
        finally:
            await customer.stop()

    try:
        box.start()
        asyncio.run(scene())
        [record] = box.conversations(1)
    finally:
        box.stop()
    try:
        with box.reader() as reader:
            head, signed = reader.verify_signed()
        assert isinstance(head, chain.Head) and signed is not None and signed.n == head.n - 1
        owner = tmp_path / "owner.key"
        owner.write_text(box.identity.encode() + "\n")
        out = tmp_path / "evidence"
        named = [
            "--config",
            str(box.file),
            "--identity",
            str(owner),
            "--out",
            str(out),
            "--json",
            "--reason",
            "a claim",
        ]
        made = subprocess.run(
            [".venv/bin/pasokh", "evidence", "export", record.conversation, *named], capture_output=True, text=True
        )
        assert made.returncode == 0, made.stderr
        assert json.loads(made.stdout)["recordings"] == 1
        program = [sys.executable, "-I", str(out / "check.py"), str(out)]
        done = subprocess.run(program, capture_output=True, text=True, cwd="/")
        assert done.returncode == 0 and done.stdout.startswith("TRUE: "), done.stdout + done.stderr
        sound = next(out.glob("*.wav"))
        data = bytearray(sound.read_bytes())
        data[-100] ^= 1
        sound.write_bytes(data)
        assert subprocess.run(program, capture_output=True, cwd="/").returncode == 1
        assert "Traceback" not in box.log
    finally:
        box.remove()
