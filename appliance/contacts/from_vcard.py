"""Address cards (vCard 2.1, 3.0 and 4.0: RFC 2426, 6350, and the older specification of versit).

Read line by line: of a photograph of ten megabytes nothing is kept but that it was there. A card that is broken, or
not closed, costs itself alone. Of all versions it is taken what telephones write: FN or N, ORG, TEL, NOTE, LANG, and
VIP among the CATEGORIES; folded lines, quoted-printable, groups (``item1.TEL``) and bare parameters (``TEL;CELL:``).
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from appliance.contacts.draft import MOST_NUMBERS_READ, Draft, Row, Wrong
from appliance.errors import Problem
from appliance.messages.folding import fold

LONGEST_LINE = 20_000  # characters of one property, with all its folded lines; the rest is dropped
_BEGIN, _END = "BEGIN:VCARD", "END:VCARD"
_KEPT = frozenset({"FN", "N", "ORG", "TEL", "NOTE", "LANG", "CATEGORIES", "VERSION"})
_ESCAPED = re.compile(r"\\(.)")
_CHARSETS = {"UTF-8": "utf-8", "WINDOWS-1256": "cp1256", "CP1256": "cp1256", "ISO-8859-1": "latin-1"}


@dataclass(slots=True)
class _Card:
    line: int
    said: dict[str, str] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)


def is_card(text: str) -> bool:
    """Whether a file holds cards."""
    return text.lstrip()[: len(_BEGIN)].upper() == _BEGIN


def rows(text: str) -> Iterator[Row]:
    """Everybody in it, in order."""
    card: _Card | None = None
    depth, before = 0, ""  # an AGENT of 2.1 is a card in a card
    for line, content in _properties(text):
        word = content.strip().upper()
        if word == _BEGIN and before.startswith("AGENT"):
            depth += 1
        elif word == _BEGIN:
            if card is not None:
                yield Wrong(card.line, Problem("contacts.card_not_closed"))
            card, depth = _Card(line), 0
        elif word == _END and depth:
            depth -= 1
        elif word == _END and card is None:
            yield Wrong(line, Problem("contacts.card_not_begun"))
        elif word == _END and card is not None:
            yield _draft(card)
            card = None
        elif card is not None and not depth:
            _take(card, content)
        before = word
    if card is not None:
        yield Wrong(card.line, Problem("contacts.card_not_closed"))


def _properties(text: str) -> Iterator[tuple[int, str]]:
    """Whole properties with the line on which they begin; nothing longer than ``LONGEST_LINE``."""
    began, whole, is_soft = 0, "", False
    for number, line in enumerate(_lines(text), 1):
        is_folded = line[:1] in (" ", "\t")
        if whole and (is_soft or is_folded):
            if len(whole) < LONGEST_LINE:  # quopri joins lines where one ends in "="
                whole += "\n" + line if is_soft else line[1:]
        else:
            if whole:
                yield began, whole
            began, whole = number, line
        is_soft = line.endswith("=") and "QUOTED-PRINTABLE" in whole.partition(":")[0].upper()
    if whole:
        yield began, whole


def _lines(text: str) -> Iterator[str]:
    """Lines without their ends, one at a time: a file may be one line of megabytes."""
    at = 0
    while at < len(text):
        ends = text.find("\n", at)
        ends = len(text) if ends < 0 else ends
        yield text[at : min(ends, at + LONGEST_LINE)].rstrip("\r")
        at = ends + 1


def _take(card: _Card, content: str) -> None:
    head, colon, value = _split(content)
    name, *parameters = head.split(";")
    name = name.rpartition(".")[2].strip().upper()
    if not colon or name not in _KEPT:
        return
    value = _decoded(value, [each.strip().upper() for each in parameters])
    if name == "TEL":
        number = value.strip().removeprefix("tel:").partition(";")[0]
        if number and len(card.numbers) < MOST_NUMBERS_READ:
            card.numbers.append(number)
    elif value.strip():
        card.said.setdefault(name, value)


def _split(content: str) -> tuple[str, str, str]:
    """Head, colon and value; a colon between quotes (``TYPE="a:b"``) is none."""
    quotes = False
    for at, letter in enumerate(content):
        if letter == '"':
            quotes = not quotes
        elif letter == ":" and not quotes:
            return content[:at], ":", content[at + 1 :]
    return content, "", ""


def _decoded(value: str, parameters: list[str]) -> str:
    words = {each.rpartition("=")[2].strip('"') for each in parameters}
    if "QUOTED-PRINTABLE" not in words:
        return value
    charset = next((each.partition("=")[2].strip('"') for each in parameters if each.startswith("CHARSET=")), "UTF-8")
    sound = quopri.decodestring(value.encode("utf-8", "replace"))
    return sound.decode(_CHARSETS.get(charset, "utf-8"), "replace")


def _draft(card: _Card) -> Draft:
    said = {name: value for name, value in card.said.items() if name not in ("N", "ORG", "CATEGORIES")}
    parts = [_unescaped(each) for each in re.split(r"(?<!\\);", card.said.get("N", ""))]
    given_and_family = " ".join(each for each in (*parts[1:2], *parts[:1]) if each)
    organisation = _unescaped(re.split(r"(?<!\\);", card.said.get("ORG", ""))[0])
    categories = {fold(each) for each in card.said.get("CATEGORIES", "").split(",")}
    language = card.said.get("LANG", "").strip().lower()[:2]
    return Draft(
        line=card.line,
        name=_unescaped(said.get("FN", "")) or given_and_family or organisation,
        numbers=tuple(card.numbers),
        language=language if language in ("fa", "en") else None,
        is_vip=True if "vip" in categories else None,
        note=_unescaped(said["NOTE"]) if "NOTE" in said else None,
    )


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], value).strip()
