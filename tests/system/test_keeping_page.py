"""Holding, exporting and erasing on a real box: by keyboard, in Persian, in a real browser, until all of it is gone."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from appliance.records.database import Connection
from tests.support.box import Box, free_ports, running
from tests.support.chromium import Visit, browser
from tests.system.test_page import Caller

__all__ = ["browser"]  # a fixture
NUMBER, DIGITS = "09121234567", "۴۵۶۷"
KINDS = ("recording.exported", "recording.held", "recording.released", "conversation.erased", "recording.deleted")


@pytest.fixture
def site() -> Iterator[tuple[Box, int]]:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(Box(f"127.0.0.2:{trunk}", services=("media", "calls", "sync", "web"))) as box:
        yield box, trunk


def typed(page: Page, field: str, *texts: str) -> None:
    """Into this field and those behind it, as a person types; sent by Enter."""
    page.focus(field)
    for place, text in enumerate(texts):
        if place:
            page.keyboard.press("Tab")
        page.keyboard.insert_text(text)
    page.keyboard.press("Enter")


def happened(box: Box) -> Counter[str]:
    def look(db: Connection) -> list[tuple[str]]:
        return db.execute("SELECT kind FROM event").fetchall()

    with box.reader() as reader:
        found = Counter(kind for (kind,) in reader.within(look))
    return Counter({kind: found[kind] for kind in KINDS})


def test_what_is_held_is_not_erased_and_what_is_erased_leaves_a_tombstone(
    browser: Browser, site: tuple[Box, int], tmp_path: Path
) -> None:
    box, trunk = site
    visit = Visit(browser, box)
    visit.sign_in((box.data / "first-boot-code").read_text().strip())
    page = visit.page
    with Caller(box, trunk) as caller:
        talk = caller.call(NUMBER)
        page.wait_for_selector("#calls .state.good")  # being recorded
        page.wait_for_timeout(1_500)  # some of it
        caller.hang_up(talk)
    [record] = box.conversations(1)
    [part] = record.recordings
    (tmp_path / "owner.key").write_text(box.identity.encode() + "\n")
    asked = ["--config", str(box.file), "--key", str(tmp_path / "owner.key"), "--reason", "a claim", "--json"]
    command = [".venv/bin/pasokh", "recording", "export", part.recording, *asked, "--out", str(tmp_path / "x.wav")]
    exported = subprocess.run(command, capture_output=True, text=True)
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["is_on_record"] is True and happened(box) == Counter({KINDS[0]: 1})

    page.goto(visit.address + "/conversations")
    typed(page, "[name=number]", NUMBER)
    page.focus(f"a[href='/keeping?about={NUMBER}']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#meant:has-text('۱ گفت‌وگو با ۱ ضبط')")
    assert page.evaluate("document.documentElement.dir") == "rtl"
    typed(page, "[name=hold_why]", "شکایت")
    page.wait_for_selector("[role=status].said:has-text('نگه داشته شد')")
    page.wait_for_selector("#blocked")
    assert page.locator("[name=erase_why]").count() == 0
    typed(page, "[name=release_why]", "شکایت پس گرفته شد")
    page.wait_for_selector("[role=status].said:has-text('آزاد شد')")
    typed(page, "[name=erase_why]", "به خواست مشتری", "۱۲۳۴")
    page.wait_for_selector("[role=alert]:has-text('چیزی پاک نشد')")
    assert page.input_value("[name=erase_why]") == "به خواست مشتری"
    assert (box.data / "kept" / f"{part.recording}.head").exists()
    typed(page, "[name=digits]", DIGITS)
    page.wait_for_selector("[role=status].said:has-text('پاک شد')")
    tombstone = f"#tombstone-{record.conversation}"
    page.wait_for_selector(f"{tombstone}:has-text('به خواست مشتری'):has-text('روی دستگاه: از میان رفت')")
    assert list((box.data / "kept").glob(f"{part.recording}.*")) == []
    page.goto(f"{visit.address}/keeping?about={record.conversation}")
    page.wait_for_selector("#meant:has-text('تنها همین مانده است')")
    page.goto(visit.address + "/conversations")
    assert page.locator("#found tr").count() == 0
    assert happened(box) == Counter(dict.fromkeys(KINDS, 1))
    assert visit.elsewhere == [] and [each for each in visit.complaints if "400 (Bad Request)" not in each] == []
    assert "Traceback" not in box.log
