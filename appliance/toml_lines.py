"""Where tables and keys stand in a TOML text: ``tomllib`` gives no positions.

A text that this reads differently from tomllib only makes a message point to a line nearby; nothing is accepted or
refused by it.
"""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)""")


def line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """The line of each table and key by its path, from 1; of what stands twice, the first."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        header = header_of(line)
        if header:
            table = header
            found.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key:
            found.setdefault((*table, *_path(key[1])), number)
    return found


def header_of(line: str) -> tuple[str, ...]:
    """The path of a table's heading, empty for any other line."""
    header = _HEADER.match(line)
    return _path(header[1]) if header else ()


def _path(text: str) -> tuple[str, ...]:
    return tuple(quoted or single or bare for quoted, single, bare in _PART.findall(text))
