"""The sheet that is printed and kept: words, code, and what to do in ten lines, in Persian and in English, on one page.

One HTML file without anything from elsewhere; black on white, because it is read from paper in bad light years later.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from appliance import messages
from appliance.errors import Problem
from appliance.messages import Language, calendar
from appliance.messages.numbers import digits

try:
    import segno
except ImportError as missing:
    raise Problem("ceremony.no_package") from missing

LINES = 10
SHARE_LINES = frozenset({1, 4, 5, 6})  # of these, the ones that read otherwise on one of three sheets
COLUMNS = 6
_STYLE = (
    "@page{size:A4;margin:12mm}body{font:9pt/1.4 Vazirmatn,Tahoma,'DejaVu Sans',sans-serif;color:#000;"
    "background:#fff;max-width:186mm;margin:auto}h1{font-size:14pt;margin:.2em 0}"
    "ol{margin:.3em 0;padding-inline-start:1.8em}ol:lang(fa){list-style:persian}"
    "table{direction:ltr;border-collapse:collapse;width:100%;margin:.6em 0}"
    "td{border:1px solid #000;padding:.15em .4em;font:bold 11pt/1.4 'DejaVu Sans Mono',monospace;text-align:left}"
    "td small{font-weight:normal;color:#444;display:inline-block;width:1.8em}"
    ".top{display:flex;gap:6mm;align-items:flex-start}.top>div{flex:1}svg{width:40mm;height:40mm;flex:none}"
    "code{direction:ltr;unicode-bidi:isolate;font:.92em 'DejaVu Sans Mono',monospace}code span{white-space:nowrap}"
    "section{break-inside:avoid}"
)


@dataclass(frozen=True, slots=True, repr=False)
class Sheet:
    """What stands on it. ``code`` is what the QR code says; ``made`` is UTC ms; ``number`` is 0 for the only sheet."""

    words: Sequence[str]
    code: str
    kind: str
    fingerprint: str
    signer: str
    made: int
    version: int
    number: int = 0
    of: int = 0


def page(sheet: Sheet) -> str:
    """The whole file."""
    title = f"{_say('ceremony.sheet_title', 'fa')} {sheet.fingerprint}"
    return "\n".join(
        (
            '<!doctype html><html lang="fa" dir="rtl"><head><meta charset="utf-8">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            f'<div class="top"><div>{_about(sheet, "fa")}</div>{_code(sheet.code)}</div>',
            _grid(sheet.words),
            f"<section>{_lines(sheet, 'fa')}</section>",
            f'<section lang="en" dir="ltr">{_about(sheet, "en")}{_lines(sheet, "en")}</section>',
            "</body></html>\n",
        )
    )


def _about(sheet: Sheet, language: Language) -> str:
    title = _say("ceremony.sheet_title", language)
    if sheet.number:
        number, of = digits(sheet.number, language), digits(sheet.of, language)
        title = _say("ceremony.share_title", language, number=number, of=of)
    day, other = calendar.day(sheet.made, language), calendar.day(sheet.made, "en" if language == "fa" else "fa")
    facts = (
        f"{_say('ceremony.sheet_made', language)} {html.escape(day)} (<bdi>{html.escape(other)}</bdi>)",
        f"{_say('ceremony.sheet_key', language)} <code>{sheet.fingerprint} {sheet.kind}</code>",
        f"{_say('ceremony.sheet_signer', language)} <code>{sheet.signer[:16]}</code>",
        f"{_say('ceremony.sheet_version', language)} {digits(sheet.version, language)}",
    )
    return f"<h1>{title}</h1>" + "<br>".join(facts)


def _lines(sheet: Sheet, language: Language) -> str:
    fields = {"number": digits(sheet.number, language), "of": digits(sheet.of, language)}
    items = []
    for line in range(1, LINES + 1):
        if sheet.number and line in SHARE_LINES:
            said = _say(f"ceremony.share_line_{line}", language, **fields)
        else:
            said = _say(f"ceremony.sheet_line_{line}", language)
        items.append(f"<li>{_with_commands(said)}</li>")
    return f"<ol>{''.join(items)}</ol>"


def _with_commands(said: str) -> str:
    """What stands between backquotes is typed as it stands, from left to right; lines end between words only."""
    parts = said.split("`")
    parts[1::2] = [" ".join(f"<span>{word}</span>" for word in part.split()) for part in parts[1::2]]
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _grid(words: Sequence[str]) -> str:
    rows = []
    for start in range(0, len(words), COLUMNS):
        cells = enumerate(words[start : start + COLUMNS], start + 1)
        rows.append("<tr>" + "".join(f"<td><small>{number}</small>{word}</td>" for number, word in cells) + "</tr>")
    return f"<table>{''.join(rows)}</table>"


def _code(said: str) -> str:
    """A QR code of medium correction or better, as a picture in the page itself."""
    code: str = segno.make(said, error="m", micro=False).svg_inline(omitsize=True)
    return code


def _say(key: str, language: Language, **fields: str | int) -> str:
    return html.escape(messages.text(key, language, **fields))
