"""The page's part of upstream: what waits, the last receipt, the last error in plain words."""

from __future__ import annotations

import msgspec
import pytest

from appliance.control.wire import Finding, Upstream
from appliance.messages import Language
from appliance.web import views
from tests.web.given import NOW, SNAPSHOT, Browser, MadeUpCalls

HOUR = 3_600_000
FULL = Finding("sync.fault_full", {"target": "usb", "detail": "/media/usb"})
TARGETS = (
    Upstream("store", "s3", "idle", receipts=9, receipt_utc_ms=NOW - HOUR),
    Upstream("usb", "folder", "parked", "full", 12, 3_400_000, 0, NOW - 3 * HOUR, fault=FULL),
)


@pytest.mark.parametrize(
    ("language", "words", "count", "age"), [("en", "usb is full", "12", "3 h"), ("fa", "usb پر است", "۱۲", "۳ ساعت")]
)
def test_every_target_is_shown_with_what_waits_and_its_last_error(
    language: Language, words: str, count: str, age: str
) -> None:
    rows = views.upstream(msgspec.structs.replace(SNAPSHOT, upstream=TARGETS), language)
    assert [row.name for row in rows] == ["store", "usb"]
    assert (rows[0].state.tone, rows[0].fault, rows[0].oldest) == ("good", "", "–")
    assert rows[1].state.tone == "bad" and words in rows[1].fault and rows[1].todo
    assert (rows[1].pending, rows[1].oldest) == (count, age)


def test_the_part_stands_on_the_page_only_where_a_target_is_set() -> None:
    calls = MadeUpCalls()
    assert "Last receipt" not in Browser(calls).get("/")[2]
    calls.snapshot = msgspec.structs.replace(SNAPSHOT, upstream=TARGETS)
    page = Browser(calls).get("/")[2]
    assert "Last receipt" in page and "<b>store</b> s3" in page and "usb is full" in page
