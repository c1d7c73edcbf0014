"""``pasokh upstream`` says what the page says, in both languages, and lets a person act."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from appliance import messages
from appliance.control import wire
from appliance.messages import LANGUAGES, Language
from appliance.sync import commands, faults
from appliance.sync.faults import Why
from tests.sync.office import office

NOW = 1_795_446_977_557
HOUR = 3_600_000
WELL = wire.Upstream("store", "s3", "idle", receipts=7, receipt_utc_ms=NOW - HOUR)
ILL = wire.Upstream(
    "usb",
    "folder",
    "parked",
    "full",
    pending=12,
    pending_bytes=3_400_000,
    oldest_utc_ms=NOW - 2 * HOUR,
    fault=faults.finding("usb", Why.FULL, "/media/usb: No space left on device"),
)


def test_a_target_in_a_few_lines() -> None:
    assert commands.lines(WELL, NOW, "en") == [
        "store (s3): everything is there",
        "  waiting: 0 (0 kB)",
        "  receipts: 7, the last 2026-11-23 17:46:17",
    ]
    said = commands.lines(ILL, NOW, "en")
    assert said[0] == "usb (folder): waiting for the target"
    assert said[1] == "  waiting: 12 (3400 kB) the oldest for 2 h" and said[2] == "  no receipt yet"
    assert said[3].startswith("  usb is full: /media/usb") and "Make space" in said[4]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("why", Why)
def test_every_fault_has_its_words_and_a_way_out_in_both_languages(why: Why, language: Language) -> None:
    ill = wire.Upstream("usb", "folder", "parked", "link", fault=faults.finding("usb", why, "somewhere"))
    said = commands.lines(ill, NOW, language)
    what, todo = said[-2:]
    assert "usb" in what and "somewhere" in what and len(todo) > 12


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_has_its_words(language: Language) -> None:
    for state in ("idle", "sending", "parked", "disabled"):
        assert "usb" in commands.lines(wire.Upstream("usb", "folder", state), NOW, language)[0]
    assert messages.text("sync.none_set", language)


def test_the_command_shows_what_a_running_box_knows_and_has_a_target_tried(tmp_path: Path) -> None:
    async def pasokh(*words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "appliance", "upstream", *words,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    async def scenario() -> None:
        disk = tmp_path / "disk"
        target = f'[[target]]\nname = "usb"\nkind = "folder"\nfolder = "{disk}"\n'
        async with office(target) as it:
            it.call(1)
            await it.start()
            await it.until(lambda: bool(it.shown.upstream) and it.shown.upstream[0].fault is not None)
            config = ("--config", str(it.config))
            code, said = await pasokh("show", "--json", *config)
            found = json.loads(said)
            assert code == 0 and found["name"] == "usb" and found["fault"]["key"] == "sync.fault_gone"
            assert found["pending"] >= 3
            disk.mkdir()
            assert await pasokh("retry", "usb", *config) == (0, "")
            await it.until_receipts(3)
            code, said = await pasokh("retry", "nothing", *config)
            assert code == 2 and len(said.splitlines()) == 2

    asyncio.run(scenario())
