"""The recovery sheet in a browser: one page, both languages, words that can be read, a code that holds the key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import segno
from playwright.sync_api import Browser, Page

from appliance.ceremony import paper, sheet
from appliance.recorder import keys
from tests.ceremony.given import MADE, a_set, recovery_of
from tests.support.chromium import browser

__all__ = ["browser"]  # a fixture
MODULES = """async (count) => {
  const svg = document.querySelector('svg').cloneNode(true);
  const size = (count + 8) * 8;
  svg.setAttribute('width', size); svg.setAttribute('height', size);
  const image = new Image();
  image.src = 'data:image/svg+xml;base64,' + btoa(svg.outerHTML.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"'));
  await image.decode();
  const canvas = new OffscreenCanvas(size, size), pen = canvas.getContext('2d');
  pen.fillStyle = '#fff'; pen.fillRect(0, 0, size, size); pen.drawImage(image, 0, 0, size, size);
  const rows = [];
  for (let y = 0; y < count; y++) {
    const row = [];
    for (let x = 0; x < count; x++) {
      const [red] = pen.getImageData((x + 4) * 8 + 4, (y + 4) * 8 + 4, 1, 1).data;
      row.push(red < 128 ? 1 : 0);
    }
    rows.push(row);
  }
  return rows;
}"""


def shown(browser: Browser, folder: Path, what: sheet.Sheet) -> tuple[Page, list[str]]:
    """The page as it is opened from a file, and everything that it asked for."""
    (folder / "sheet.html").write_text(sheet.page(what), encoding="utf-8")
    page, asked = browser.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "sheet.html").as_uri())
    return page, asked


def a_sheet(number: int = 0) -> tuple[sheet.Sheet, keys.Identity]:
    made = a_set("hybrid")
    identity, (owner,) = recovery_of(made), made.known.of("owner")
    recipient = identity.recipient()
    words = paper.shares_of(identity)[number - 1] if number else paper.words_of(identity)
    code = " ".join(words).upper() if number else identity.encode()
    about = (recipient.kind, recipient.fingerprint, owner.signer, MADE, 1, number, paper.SHARES if number else 0)
    return sheet.Sheet(words, code, *about), identity


@pytest.mark.parametrize("number", [0, 2])
def test_the_sheet_is_one_page_with_words_code_and_ten_lines_in_both_languages(
    number: int, browser: Browser, tmp_path: Path
) -> None:
    what, _ = a_sheet(number)
    page, asked = shown(browser, tmp_path, what)
    assert len(asked) == 1 and page.evaluate("document.dir") == "rtl"
    cells = page.locator("td").all_inner_texts()
    assert [re.sub(r"^\d+\s*", "", cell) for cell in cells] == list(what.words)
    lefts = [box["x"] for cell in page.locator("tr:first-child td").all() if (box := cell.bounding_box())]
    assert lefts == sorted(lefts), "words are read from left to right, in a page that goes the other way"
    assert [page.locator(f"section:nth-of-type({place}) li").count() for place in (1, 2)] == [sheet.LINES] * 2
    text = page.locator("body").inner_text()
    for said in ("برگهٔ بازیابی", "Recovery sheet", "۲۷ آبان ۱۴۰۵", "18 November 2026", what.fingerprint, "pasokh keys"):
        assert said in text
    assert page.locator("code").first.evaluate("each => getComputedStyle(each).direction") == "ltr"
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    page.close()


@pytest.mark.parametrize("number", [0, 3])
def test_the_code_as_it_is_drawn_is_the_key_or_the_words(number: int, browser: Browser, tmp_path: Path) -> None:
    what, identity = a_sheet(number)
    page, _ = shown(browser, tmp_path, what)
    wanted = [list(row) for row in segno.make(what.code, error="m", micro=False).matrix]
    assert page.evaluate(MODULES, len(wanted)) == [[int(module) for module in row] for row in wanted]
    if number == 0:
        assert keys.parse_identity(what.code) == identity and len(what.code) == 77
    page.close()
