"""The owner's keys from the first page to an opened recording, in a real browser at a real box, by keyboard.

The passkey is a virtual authenticator's (WebAuthn, 11.2), which evaluates PRF. What passes at the line is kept: of no
private key, and of no words of the sheet, do sixteen bytes pass.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from appliance.ceremony import drill, making, paper
from appliance.recorder import custody, keys, passphrase, reading, signed, viewer
from appliance.recorder.signed import SignedSet
from tests.ceremony.given import MADE, PASSPHRASE
from tests.listen.test_browser import browser as browser  # the fixture
from tests.listen.test_browser import files, key_file, tab, until
from tests.support.box import Box, free_ports, running
from tests.support.chromium import Visit
from tests.support.tap import Tap
from tests.system.test_listening import FLOW, leaked, of_key, windows

OWNERS = """async (bytes) => PasokhListen.identityFrom(new Uint8Array(bytes))"""
FIELD = "label:has([data-place]) [data-place]"


def authenticator(page: Page, has_prf: bool = True, is_verified: bool = True) -> Any:
    """A passkey holder in this tab; its session."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True}
    options |= {"hasUserVerification": True, "isUserVerified": is_verified, "hasPrf": has_prf}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "automaticPresenceSimulation": True}})
    return session


def downloaded(page: Page, link: str) -> bytes:
    page.focus(link)
    with page.expect_download() as waiting:
        page.keyboard.press("Enter")
    return Path(str(waiting.value.path())).read_bytes()


def words_on_sheet(page: Page) -> list[str]:
    return [re.sub(r"\d", "", cell).strip() for cell in page.locator("#keys-sheet td").all_inner_texts()]


def typed_again(page: Page, words: list[str]) -> None:
    """The words that are asked for, one of them wrong at first."""
    page.wait_for_selector(f"{FIELD}:focus")
    places = [int(str(each.get_attribute("data-place"))) for each in page.locator(FIELD).all()]
    for number, place in enumerate(places):
        page.keyboard.insert_text("zero" if number == 1 else words[place - 1][:4].upper())
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"[role=alert]:has-text('{place_said(page, places[1])}')")
    assert page.evaluate("Number(document.activeElement.dataset.place)") == places[1]
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(words[places[1] - 1])
    page.focus("#keys-check")
    page.keyboard.press("Enter")
    page.wait_for_selector("#keys-files a:focus")


def place_said(page: Page, place: int) -> str:
    said = str(place)
    return said.translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")) if page.evaluate("document.dir") == "rtl" else said


def printed(page: Page) -> list[str]:
    """The words of the sheet as they are printed, on one page without anything else."""
    page.evaluate("window.print = () => { window.printed = true; }")
    page.wait_for_selector("#keys-print:focus")
    page.keyboard.press("Enter")
    until(page, "window.printed === true")
    page.emulate_media(media="print")
    assert page.locator("#keys-sheet").is_visible() and not page.locator("#keys-print").is_visible()
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 1
    page.emulate_media(media="screen")
    words = words_on_sheet(page)
    assert paper.words_of(paper.read_words(" ".join(words))) == words
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    return words


@pytest.fixture
def site() -> Iterator[Box]:
    (trunk,) = free_ports(1, "127.0.0.2")
    with running(Box(f"127.0.0.2:{trunk}", services=("media", "calls", "web"), has_key=False, flow=FLOW)) as box:
        yield box


def owner_file(content: bytes) -> Any:
    return {"name": "owner-key.age", "mimeType": "", "buffer": content}


def test_keys_are_made_behind_a_passkey_installed_tried_and_used_and_none_crosses_the_line(
    browser: Browser, site: Box, tmp_path: Path
) -> None:
    box = site
    with Tap(box.page) as tap:
        visit = Visit(browser, box)
        visit.address = f"http://localhost:{tap.port}"
        page = visit.page
        visit.sign_in((box.data / "first-boot-code").read_text().strip())
        authenticator(page)
        page.goto(visit.address + "/keys")
        page.wait_for_selector("#keys-supervisor:focus")
        page.keyboard.insert_text("سارا احمدی")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("#keys-sheet")
        words = printed(page)
        typed_again(page, words)
        wrapped = downloaded(page, "a[download='owner-key.age']")
        supervisor = downloaded(page, "a[download='listener-سارا_احمدی.key']")
        text = downloaded(page, "a[download='listeners.txt']").decode()
        owner = keys.parse_identity(page.evaluate(OWNERS, list(wrapped)))
        known = custody.install(box.data, text)  # what root does on the box
        assert isinstance(known, SignedSet) and signed.signer_of(owner) == known.signed_by
        recovery, listener = paper.read_words(" ".join(words)), keys.parse_identity(supervisor.decode())
        fingerprints = [each.recipient().fingerprint for each in (owner, recovery, listener)]
        assert [each.recipient.fingerprint for each in known.members] == fingerprints

        page.goto(visit.address + "/keys")
        page.set_input_files("#drill-key", owner_file(wrapped))
        page.focus("#drill-words")
        page.keyboard.insert_text(" ".join(["zero", *words[1:]]))
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector(f"[role=alert]:has-text('1 {words[0]}')")
        page.fill("#drill-words", " ".join(words))
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("#drill-done a:focus")
        custody.install(box.data, downloaded(page, "#drill-done a").decode())
        assert custody.load(box.data).drill is not None

        base, _ = drill.record(tmp_path, known, MADE)
        assert reading.open_recording(base, owner).stereo == reading.open_recording(base, recovery).stereo
        page.route("**/viewer.html", lambda route: route.fulfill(body=viewer.html(), content_type="text/html"))
        for by in ("passkey", "paper"):
            page.goto(f"{visit.address}/viewer.html")
            page.set_input_files("#viewer-files", files(base))
            if by == "passkey":
                page.set_input_files("#listen-key-file", owner_file(wrapped))
                page.wait_for_selector("#listen-open:focus")
            else:
                page.focus("#listen-key-text")
                page.keyboard.insert_text(" ".join(words))
            page.keyboard.press("Enter")
            page.wait_for_selector("#listen-play:focus")
        page.context.close()
        up, down, log = bytes(tap.up), bytes(tap.down), box.log
    secrets = windows(" ".join(words).encode()).union(*(of_key(each) for each in (owner, recovery, listener)))
    assert leaked(up, secrets) == set() and leaked(down, secrets) == set()
    for planted in (owner.encode().encode(), " ".join(words).encode(), listener.seed):
        assert leaked(up[:1000] + planted, secrets), "the search finds what is there"
    assert visit.elsewhere == [] and visit.complaints == [] and "Traceback" not in log


@pytest.fixture(params=["en", "fa"])
def offline(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[tuple[Page, Path]]:
    """The file that makes keys, open in a tab that asks for nothing else, in one of the two languages."""
    file = tmp_path / "pasokh-keys.html"
    file.write_text(viewer.html("ceremony"), encoding="utf-8")
    page, complaints = tab(browser)
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url) if not each.url.startswith("blob:") else None)
    page.goto(file.as_uri())
    page.wait_for_selector("#keys-supervisor:focus")
    if request.param == "fa":
        page.click("#keys-language")
        page.wait_for_selector("html[dir=rtl] #keys-supervisor:focus")
    yield page, tmp_path
    assert asked == [file.as_uri()] and complaints == []
    page.context.close()


def test_keys_are_made_offline_behind_a_passphrase_and_open_by_command_and_in_the_player(
    offline: tuple[Page, Path],
) -> None:
    page, folder = offline
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    for text in (PASSPHRASE, PASSPHRASE):
        page.keyboard.press("Tab")
        page.keyboard.insert_text(text)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#keys-sheet", timeout=60_000)
    words = printed(page)
    typed_again(page, words)
    wrapped = downloaded(page, "a[download='owner-key.age']")
    known = signed.read_set(downloaded(page, "a[download='listeners.txt']").decode())
    owner = keys.parse_identity(passphrase.unwrapped(wrapped, PASSPHRASE).decode())
    assert signed.signer_of(owner) == known.signed_by and [each.name for each in known.members] == ["Owner", "Recovery"]

    data = folder / "data"
    data.mkdir()
    base, _ = drill.record(data, known, MADE)
    listed = {"name": "listeners.txt", "mimeType": "", "buffer": known.text.encode()}
    page.set_input_files("#drill-files", [listed, *files(base)])
    page.set_input_files("#drill-key", owner_file(wrapped))
    page.fill("#drill-passphrase", PASSPHRASE)
    page.fill("#drill-words", " ".join(words))
    page.click("#drill-go")
    page.wait_for_selector("#drill-done a:focus", timeout=60_000)
    custody.install(data, downloaded(page, "#drill-done a").decode())
    found = custody.load(data)
    assert found.drill is not None and found.signed is not None and found.signed.text == known.text

    player, complaints = tab(page.context.browser or pytest.fail("no browser"))
    (folder / "viewer.html").write_text(viewer.html(), encoding="utf-8")
    for key in (wrapped, " ".join(words).encode()):
        player.goto((folder / "viewer.html").as_uri())
        player.set_input_files("#viewer-files", files(base))
        if key == wrapped:
            player.set_input_files("#listen-key-file", owner_file(wrapped))
            player.wait_for_selector("#listen-passphrase:focus")
            player.keyboard.insert_text(PASSPHRASE)
            player.keyboard.press("Enter")
        else:
            key_file(player, key.decode())
        player.wait_for_selector("#listen-play:focus", timeout=60_000)
    assert complaints == []
    player.context.close()


@pytest.mark.parametrize("offline", ["en"], indirect=True)
def test_what_is_missing_or_wrong_before_keys_are_made_is_said_and_nothing_is_made(
    offline: tuple[Page, Path],
) -> None:
    page, _ = offline

    def refused(said: str) -> None:
        page.click("#keys-make")
        page.wait_for_selector(f"[role=alert]:has-text('{said}')")
        assert page.locator("#keys-sheet").count() == 0

    refused("is not confirmed")
    page.check("#keys-understood")
    refused("too easy to guess")
    page.fill("#keys-passphrase", "short")
    refused("too easy to guess")
    page.fill("#keys-passphrase", PASSPHRASE)
    page.fill("#keys-again", PASSPHRASE + "x")
    refused("are not the same")
    page.fill("#keys-again", PASSPHRASE)
    page.fill("#keys-supervisor", "Owner")
    refused("would bear the name")
    page.fill("#keys-supervisor", "<b>x</b>")
    refused("cannot be the name")
    page.fill("#keys-supervisor", "")
    page.check("#keys-by-passkey")
    refused("no passkeys at this address")
    assert page.is_checked("#keys-by-passphrase") and page.is_visible("#keys-passphrase")


@pytest.mark.parametrize(
    ("has_prf", "is_verified", "said"), [(False, True, "lacks the extension PRF"), (True, False, "was not used")]
)
def test_a_passkey_that_cannot_or_may_not_leaves_the_passphrase(
    has_prf: bool, is_verified: bool, said: str, browser: Browser
) -> None:
    page, _ = tab(browser)
    content = viewer.html("ceremony")
    page.route("**/*", lambda route: route.fulfill(body=content, content_type="text/html; charset=utf-8"))
    authenticator(page, has_prf, is_verified)
    page.goto("http://localhost/")
    page.check("#keys-understood")
    page.check("#keys-by-passkey")
    page.click("#keys-make")
    page.wait_for_selector(f"[role=alert]:has-text('{said}')", timeout=60_000)
    assert page.is_checked("#keys-by-passphrase") and page.locator("#keys-sheet").count() == 0
    page.context.close()


def test_files_of_another_kind_are_no_keys_and_another_passkey_is_named(browser: Browser, tmp_path: Path) -> None:
    page, _ = tab(browser)
    content = viewer.html()
    page.route("**/*", lambda route: route.fulfill(body=content, content_type="text/html; charset=utf-8"))
    authenticator(page)
    page.goto("http://localhost/")
    base, _ = drill.record(tmp_path, making.first(making.Wish(), "hybrid", MADE).known, MADE)
    page.set_input_files("#viewer-files", files(base))
    seed = random.Random(1)
    stranger = (
        b"age-encryption.org/v1\n-> age-encryption.org/fido2prf AAAAAAAAAAAAAAAAAAAAAA\n" + b"A" * 43 + b"\n--- x\n"
    )
    for file, said in (
        (seed.randbytes(500), "not a private key"),
        (b"x" * 20_000, "not a private key"),
        (stranger, "passkey"),
    ):
        page.set_input_files("#listen-key-file", owner_file(file))
        page.wait_for_selector("#listen-open:focus")
        page.keyboard.press("Enter")
        page.wait_for_selector(f"[role=alert]:has-text('{said}')", timeout=60_000)
    page.context.close()
