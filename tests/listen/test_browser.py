"""The player in a real browser: an hour by the page, and recordings in the offline file.

``make long`` takes many more seeks and prints how long they took.
"""

from __future__ import annotations

import base64
import contextlib
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Response

from appliance.clock import VirtualClock
from appliance.recorder import container, reading, viewer
from appliance.records.events import RecordingOpened, RecordingSealed
from appliance.web.app import Page as Site
from tests.listen import given
from tests.recorder.given import CLASSIC, HYBRID, OTHER, named
from tests.records.given import opened
from tests.support.chromium import browser
from tests.web.given import NOW, MadeUpCalls, Records

__all__ = ["browser"]  # a fixture
HOUR_SECONDS = 3600
SEEKS = 60 if os.environ.get("PASOKH_LONG") else 3
HEARD = """() => {
  window.heard = [];
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (at) {
    window.heard.push(performance.now() + 1000 * Math.max(0, at - this.context.currentTime));
    return start.call(this, at);
  };
  window.ranges = [];
  const get = window.fetch;
  window.fetch = (url, options) => {
    window.ranges.push(options.headers.range.match(/\\d+/g).map(Number));
    return get(url, options);
  };
}"""
SEEK = """async (sample) => {
  const [slider, began] = [document.getElementById("listen-seek"), performance.now()];
  window.heard = [];
  window.ranges = [];
  slider.value = sample;
  slider.dispatchEvent(new Event("input"));
  while (!window.heard.length) await new Promise((done) => setTimeout(done, 5));
  return [window.heard[0] - began, window.ranges];
}"""
DECODED = """async ([key, id]) => {
  const files = [...document.getElementById("viewer-files").files];
  const source = (part) => new PasokhListen.FileSource(files.find((file) => file.name === `${id}.${part}`), part);
  const parts = { head: source("head"), body: source("body"), seal: source("seal") };
  const recording = await PasokhListen.openRecording(parts, key, id);
  const { left, right } = await recording.samples(0, recording.length);
  const both = new Int16Array(2 * left.length);
  left.forEach((sample, n) => { both[2 * n] = sample; both[2 * n + 1] = right[n]; });
  let text = "";
  for (const byte of new Uint8Array(both.buffer)) text += String.fromCharCode(byte);
  return btoa(text);
}"""


@contextlib.contextmanager
def served(site: Site) -> Iterator[str]:
    """The page over real sockets; its address."""
    config = uvicorn.Config(site.app(("127.0.0.1",)), port=0, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    with config.bind_socket() as bound:
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def hour(tmp_path: Path) -> Iterator[str]:
    """The address of a page that knows one recording, of an hour."""
    (tmp_path / "kept").mkdir()
    base = given.long_one(tmp_path / "kept", HOUR_SECONDS)
    verdict = reading.verify(base)
    records = Records(tmp_path)
    records.at(NOW - 4_000_000, opened("c1"), RecordingOpened("c1", named(6), 1, "k", 0))
    whole = verdict.body_bytes, verdict.body_sha256, verdict.seal_sha256, verdict.milliseconds
    records.at(NOW, RecordingSealed("c1", named(6), "sealed", *whole, 0, 0, 0, 0, 0))
    clock = VirtualClock(NOW)
    with served(Site(MadeUpCalls(), lambda: records.reader, "test", "fa", False, clock, kept=tmp_path / "kept")) as at:
        yield at


def tab(browser: Browser, address: str = "") -> tuple[Page, list[str]]:
    """A tab, and the list of everything that goes wrong in it."""
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    if address:
        context.add_cookies([{"name": "pasokh", "value": "good", "url": address}])
    page, complaints = context.new_page(), list[str]()
    page.set_default_timeout(30_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    return page, complaints


def until(page: Page, is_so: str, most_ms: int = 30_000) -> None:
    """Waits; the policy of our pages forbids playwright's own way, which needs eval."""
    for _ in range(most_ms // 20):
        if page.evaluate(is_so):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"not so: {is_so}")


def test_a_seek_in_an_hour_fetches_what_is_heard_and_no_more(browser: Browser, hour: str) -> None:
    page, complaints = tab(browser, hour)
    fetched: list[int] = []

    def answered(response: Response) -> None:
        if response.url.endswith("/body"):
            fetched.append(int(response.headers["content-length"]))

    page.on("response", answered)
    page.goto(f"{hour}/listen/{named(6)}")
    page.fill("[name=why]", "نمونه")
    page.keyboard.press("Enter")
    page.fill("#listen-key-text", HYBRID.encode())
    page.keyboard.press("Enter")
    page.wait_for_selector("#listen-play")
    assert sum(fetched) <= 2 + container.NONCE_BYTES + container.SEALED_CHUNK_BYTES  # its size, its nonce, its header
    page.evaluate(HEARD)
    page.keyboard.press("Space")
    until(page, "window.heard.length > 0")
    seed, took, known = random.Random(1), list[float](), set[int]()
    for _ in range(SEEKS):
        sample = seed.randrange(100, HOUR_SECONDS - 100) * 8000
        milliseconds, ranges = page.evaluate(SEEK, sample)
        took.append(milliseconds)
        place = (46 + 2 * sample) // container.CHUNK_BYTES
        chunks = {(first - container.NONCE_BYTES) // container.SEALED_CHUNK_BYTES for first, _ in ranges}
        assert all(last - first < container.SEALED_CHUNK_BYTES for first, last in ranges)
        # Besides, one chunk for which the place before was still waiting.
        assert len(ranges) <= 3 and len(chunks - {place, place + 1}) <= 1
        known |= chunks
        assert place in known
    took.sort()
    print(f"seeks in an hour: {SEEKS}, ms until heard: median {took[SEEKS // 2]:.0f}, most {took[-1]:.0f}")
    assert page.evaluate("document.documentElement.dir") == "rtl"
    assert "۱:۰۰:۰۰" in page.inner_text("#listen-time")
    assert complaints == []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return given.recordings(tmp_path_factory.mktemp("made"), seconds=9)


@pytest.fixture
def offline(browser: Browser, tmp_path: Path) -> Iterator[tuple[Page, Path]]:
    """The offline file, open in a tab; and a folder. Nothing but the file itself is ever asked for."""
    (tmp_path / "viewer.html").write_text(viewer.html(), encoding="utf-8")
    page, complaints = tab(browser)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "viewer.html").as_uri())
    page.wait_for_selector("#listen-open")
    yield page, tmp_path
    assert asked == [(tmp_path / "viewer.html").as_uri()] and complaints == []
    page.context.close()


def files(base: Path, recording: str = "") -> list[Any]:
    """The three files as a person drops them, under the name of ``recording``."""
    return [
        {
            "name": f"{recording or base.name}.{part}",
            "mimeType": "",
            "buffer": base.with_suffix(f".{part}").read_bytes(),
        }
        for part in ("seal", "body", "head")
    ]


def key_file(page: Page, content: str) -> None:
    page.set_input_files("#listen-key-file", {"name": "key", "mimeType": "", "buffer": content.encode()})
    until(page, "document.activeElement.id !== 'listen-key-file'")
    page.keyboard.press("Enter")


@pytest.mark.parametrize("which", ["closed", "open"])
def test_the_offline_file_plays_what_the_export_writes_sample_for_sample(
    which: str, offline: tuple[Page, Path], made: dict[str, Path]
) -> None:
    page, _ = offline
    page.set_input_files("#viewer-files", files(made[which]))
    key_file(page, f"# Pasokh\n{CLASSIC.encode()}\n")
    page.wait_for_selector("#listen-play:focus")
    opened_here = base64.b64decode(page.evaluate(DECODED, [CLASSIC.encode(), made[which].name]))
    assert opened_here == given.samples(reading.open_recording(made[which], CLASSIC))
    assert ("never closed" in page.inner_text("#listen-about")) == (which == "open")
    page.keyboard.press("Space")
    until(page, "!document.getElementById('listen-time').textContent.startsWith('0:00')")
    page.keyboard.press("Space")
    page.click("#listen-check")
    page.wait_for_selector("#listen-said:has-text('every byte')")


def test_the_offline_file_speaks_both_languages_and_names_what_is_wrong(
    offline: tuple[Page, Path], made: dict[str, Path]
) -> None:
    page, _ = offline
    page.click("#viewer-language")
    assert page.evaluate("document.documentElement.dir") == "rtl"
    key_file(page, OTHER.encode())
    page.wait_for_selector("[role=alert]:has-text('ضبطی برگزیده نشده است')")
    page.set_input_files("#viewer-files", files(made["closed"])[:2])
    page.click("#listen-open")
    page.wait_for_selector("[role=alert]:has-text('.head')")
    page.set_input_files("#viewer-files", files(made["closed"]))
    page.click("#listen-open")
    page.wait_for_selector("[role=alert]:has-text('این کلید این ضبط را باز نمی‌کند')")
    page.set_input_files("#viewer-files", files(made["closed"], named(2)))
    page.fill("#viewer-id", named(2), force=True)
    key_file(page, CLASSIC.encode())
    page.wait_for_selector("[role=alert]:has-text('آسیب دیده'):has-text('seal: record 0')")
    page.click("#viewer-language")
    damaged = files(made["closed"])
    damaged[1]["buffer"] = damaged[1]["buffer"][:-1] + bytes([damaged[1]["buffer"][-1] ^ 1])
    page.set_input_files("#viewer-files", damaged)
    key_file(page, CLASSIC.encode())
    page.wait_for_selector("#listen-play:focus")  # its beginning is whole
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    page.wait_for_selector("#listen-faults [role=alert]:has-text('damaged'):has-text('body: chunk 2')")
    assert "Play" in page.inner_text("#listen-play")
