"""Bytes of a file as text: in which of three ways it was written is found out, and said.

What begins with a byte order mark says so itself. Text in UTF-16 without one has the high bytes of Latin and Persian
letters in every second place, which stand in no other text. The rest is UTF-8 if it can be; a few damaged letters do
not make another encoding of it (their rows are named). Else it is Windows-1256, which older programs in Iran write and
in which every byte is some letter.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from appliance.contacts.draft import LARGEST_BYTES
from appliance.errors import Problem

SAMPLE_BYTES = 4_096
DAMAGE = "\ufffd"
ARABIC = 6  # the high byte of Persian letters in UTF-16; that of digits and separators is 0
DAMAGED_SHARE = 0.05  # of the letters beyond ASCII; Windows-1256 read as UTF-8 is damaged nearly everywhere
CONTROL_SHARE = 0.01  # more of them, and it is no text


@dataclass(frozen=True, slots=True)
class Text:
    """``encoding`` as it is told to people."""

    text: str
    encoding: str


def decoded(content: bytes) -> Text:
    """The text of a file; Problem where it is too large, empty, or none."""
    if len(content) > LARGEST_BYTES:
        raise Problem("contacts.too_large", megabytes=len(content) >> 20, most=LARGEST_BYTES >> 20)
    found = _decoded(content)
    if not found.text.strip():
        raise Problem("contacts.empty")
    sample = found.text[:SAMPLE_BYTES]
    controls = sum(letter < " " and letter not in "\t\r\n" for letter in sample)
    if controls > CONTROL_SHARE * len(sample):
        raise Problem("contacts.not_text")
    return found


def _decoded(content: bytes) -> Text:
    for mark, codec, name in (
        (codecs.BOM_UTF8, "utf-8", "UTF-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
    ):
        if content.startswith(mark):
            return Text(content[len(mark) :].decode(codec, "replace"), name)
    sample = content[:SAMPLE_BYTES]
    for codec, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        high = sample[first::2]
        if 2 * (high.count(0) + high.count(ARABIC)) > len(high):
            return Text(content.decode(codec, "replace"), "UTF-16")
    try:
        return Text(content.decode("utf-8"), "UTF-8")
    except UnicodeDecodeError:
        text = content.decode("utf-8", "replace")
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    if text.count(DAMAGE) <= DAMAGED_SHARE * beyond_ascii:
        return Text(text, "UTF-8")
    return Text(content.decode("cp1256", "replace"), "Windows-1256")
