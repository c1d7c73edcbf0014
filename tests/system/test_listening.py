"""A call that a real box has recorded is heard in a real browser, by keyboard alone, with a tap on the line (row 23).

No sixteen bytes of the owner's key or of the clear sound pass, in any form in which a program would write them.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser

from appliance.recorder import container, reading
from appliance.recorder.keys import Identity
from appliance.recorder.reading import Opened
from appliance.records import encode
from appliance.records.database import Connection
from appliance.records.events import RecordingTaken
from tests.listen.given import samples
from tests.listen.test_browser import until
from tests.support.box import Box, free_ports, running
from tests.support.chromium import Visit, browser
from tests.support.softphone import Softphone
from tests.support.tap import Tap

__all__ = ["browser"]  # a fixture
CALL_SECONDS = 6.0
FLOW = """
[flow]
name = "welcome"
start = "main"
languages = ["fa", "en"]
needs_notice = false

[node.main]
kind = "menu"
prompt = "main_menu"
timeout_seconds = 6
attempts = 3
on_failure = "end"

[node.main.keys]
1 = "people"

[node.people]
kind = "call"
agents = ["first"]
on_nobody = "end"

[node.end]
kind = "goodbye"
prompt = ["goodbye"]
"""
WINDOW = 16
DECODED = """async ([key, id]) => {
  const part = (name) => new PasokhListen.HttpSource(`/recordings/${id}/${name}`, name);
  const parts = { head: part("head"), body: part("body"), seal: part("seal") };
  const recording = await PasokhListen.openRecording(parts, key, id);
  const { left, right } = await recording.samples(0, recording.length);
  const both = new Int16Array(2 * left.length);
  left.forEach((sample, n) => { both[2 * n] = sample; both[2 * n + 1] = right[n]; });
  return Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", both)));
}"""


@pytest.fixture
def site() -> Iterator[tuple[Box, int]]:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(Box(f"127.0.0.2:{trunk}", services=("media", "calls", "web"), kind="hybrid", flow=FLOW)) as box:
        yield box, trunk


async def a_call(box: Box, trunk: int) -> None:
    """A customer who talks into the menu."""
    seed = random.Random(1)
    voice = [seed.randbytes(160) for _ in range(50)]
    caller = Softphone(("127.0.0.1", box.sip), ("127.0.0.2", trunk), frames=voice)
    await caller.start()
    talk = caller.call("02188123456", "09121234567")
    await asyncio.sleep(CALL_SECONDS)
    caller.hang_up(talk)
    await asyncio.sleep(0.3)
    await caller.stop()


def windows(secret: bytes) -> set[bytes]:
    """Every sixteen bytes of it that are no mere repetition (silence may stand anywhere)."""
    found = {secret[at : at + WINDOW] for at in range(len(secret) - WINDOW + 1)}
    return {each for each in found if len(set(each)) > 4}


def leaked(seen: bytes, secrets: set[bytes]) -> set[bytes]:
    return {seen[at : at + WINDOW] for at in range(len(seen) - WINDOW + 1)} & secrets


def of_key(identity: Identity) -> set[bytes]:
    """The key as text without its public prefix, as bytes, hex and base64."""
    text, seed = identity.encode().partition("PQ-1")[2], identity.seed
    forms = (text.encode(), text.lower().encode(), seed, seed.hex().encode(), base64.b64encode(seed))
    return set().union(*(windows(each) for each in forms))


def of_sound(opened: Opened) -> set[bytes]:
    """The sound as G.711 (both sides, each side), and as samples (both, each)."""
    linear = samples(opened)
    sides = [linear[at::4] for at in range(4)]
    left, right = (bytes(byte for pair in zip(*sides[at : at + 2], strict=True) for byte in pair) for at in (0, 2))
    forms = (opened.stereo, opened.stereo[::2], opened.stereo[1::2], linear, left, right)
    return set().union(*(windows(each) for each in forms))


def test_a_recording_is_heard_by_keyboard_alone_and_neither_key_nor_sound_crosses_the_line(
    browser: Browser, site: tuple[Box, int]
) -> None:
    box, trunk = site
    with ThreadPoolExecutor(1) as beside:  # the browser has this thread's loop
        beside.submit(asyncio.run, a_call(box, trunk)).result(60)
    (conversation,) = box.conversations(1)
    (recording,) = conversation.recordings
    base = box.data / "kept" / recording.recording
    opened = reading.open_recording(base, box.identity)
    assert opened.milliseconds > 2000
    with Tap(box.page) as tap:
        visit = Visit(browser, box)
        visit.address = f"http://127.0.0.1:{tap.port}"
        visit.sign_in((box.data / "first-boot-code").read_text().strip())
        page = visit.page
        page.focus(f"a[href='/listen/{recording.recording}']")
        page.keyboard.press("Enter")
        page.wait_for_selector("[name=why]:focus", timeout=30_000)
        page.keyboard.insert_text("شکایت مشتری")
        page.keyboard.press("Enter")
        page.wait_for_selector("#listen-key-file:focus")
        page.keyboard.press("Tab")
        page.keyboard.insert_text(box.identity.encode())
        page.keyboard.press("Enter")
        page.wait_for_selector("#listen-play:focus")
        page.keyboard.press("Space")
        until(page, "Number(document.getElementById('listen-seek').value) > 8000")
        page.keyboard.press("Space")
        page.keyboard.press("Home")
        until(page, "document.getElementById('listen-seek').value === '0'")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("s")
        assert page.input_value("#listen-speed") == "1.25" and page.is_checked("#listen-skip")
        page.keyboard.press("Space")
        until(page, "document.getElementById('listen-play').textContent === 'پخش'", 30_000)  # its end
        digest = bytes(page.evaluate(DECODED, [box.identity.encode(), recording.recording]))
        page.context.close()
        up, down = bytes(tap.up), bytes(tap.down)
    assert digest == hashlib.sha256(samples(opened)).digest()
    body = base.with_suffix(".body").read_bytes()
    assert body[container.NONCE_BYTES : container.CHUNK_BYTES] in down  # the tap does see what passes
    file_key = container.open_head(base.with_suffix(".head").read_bytes(), box.identity)
    secrets = of_key(box.identity) | of_sound(opened) | windows(file_key)
    assert leaked(up, secrets) == set() and leaked(down, secrets) == set()
    at = max(range(0, len(opened.stereo), 100), key=lambda at: len(set(opened.stereo[at : at + 100])))
    for planted in (
        opened.stereo[at : at + 100],
        box.identity.encode().encode(),
        samples(opened)[2 * at : 2 * at + 200],
    ):
        assert leaked(down[:1000] + planted, secrets), "the search finds what is there"
    (taken,) = events_of(box)
    assert taken == RecordingTaken(conversation.conversation, recording.recording, "owner", "play", "شکایت مشتری")
    assert visit.elsewhere == [] and visit.complaints == [] and "Traceback" not in box.log


def events_of(box: Box) -> list[RecordingTaken]:
    def read(db: Connection) -> list[bytes]:
        return [
            row[0]
            for row in db.execute(
                "SELECT body FROM event JOIN event_body USING (n) WHERE kind = ? ORDER BY n", (RecordingTaken.kind,)
            )
        ]

    with box.reader() as reader:
        found = [encode.happened_from(RecordingTaken.kind, body) for body in reader.within(read)]
    return [each for each in found if isinstance(each, RecordingTaken)]
