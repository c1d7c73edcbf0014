"""URLs with variables, and values out of JSON. Pure: no value can change host, path or header of a request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from appliance.errors import Problem

MOST_TEXT = 500
MOST_DEPTH = 20
_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")
_TAKES = re.compile(r"\s*([a-z][a-z0-9_]{0,39})\s*=\s*([A-Za-z0-9_.\[\]-]{1,200})\s*")
_STEP = re.compile(r"([A-Za-z0-9_-]+)|\[(\d{1,4})\]")

Value = str | int | bool
Way = tuple[str | int, ...]
"""Steps into a JSON document: names of objects and places in lists."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. ``path`` holds ``{variables}`` still."""

    is_tls: bool
    host: str
    port: int
    path: str


def target_of(name: str, url: str) -> Target:
    """The parts of a URL; Problem where it is none that may be asked."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Problem("lookup.bad_url", name=name, url=url[:80]) from error
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or "{" in parts.netloc or parts.username is not None:
        raise Problem("lookup.bad_url", name=name, url=url[:80])
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if re.search(r"[\x00-\x20\x7f-\uffff]", path.replace("{", "").replace("}", "")):
        raise Problem("lookup.bad_url", name=name, url=url[:80])
    return Target(parts.scheme == "https", host, port, path)


def filled(path: str, values: Mapping[str, str]) -> str:
    """The path with its variables, each as one piece of text that cannot end where it stands."""

    def encoded(found: re.Match[str]) -> str:
        value = values.get(found[1], "")[:MOST_TEXT]
        return quote(value, safe="").replace(".", "%2E") if value in (".", "..") else quote(value, safe="")

    return _VARIABLE.sub(encoded, path)


def takes_of(name: str, lines: tuple[str, ...]) -> dict[str, Way]:
    """Variable to its way through the JSON answer."""
    found: dict[str, Way] = {}
    for line in lines:
        match = _TAKES.fullmatch(line)
        if match is None:
            raise Problem("lookup.bad_takes", name=name, line=line[:80])
        found[match[1]] = way_of(match[2])
    return found


def taken(body: bytes, ways: Mapping[str, Way]) -> dict[str, Value] | None:
    """The values, or None where the body is no JSON; those that are not there, or no plain value, are left out."""
    try:
        return _picked(json.loads(body), ways)
    except (ValueError, RecursionError):
        return None


def each_taken(body: bytes, listed: Way, ways: Mapping[str, Way]) -> list[dict[str, Value]] | None:
    """The values of each entry of the list that lies at ``listed``, as ``taken``; None where there is no such list."""
    try:
        found = _at(json.loads(body), listed)
        return [_picked(entry, ways) for entry in found] if isinstance(found, list) else None
    except (ValueError, RecursionError):
        return None


def way_of(written: str) -> Way:
    """The steps of ``order.items[0].state``."""
    return tuple(int(number) if number else word for word, number in _STEP.findall(written))


def _picked(document: object, ways: Mapping[str, Way]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for variable, way in ways.items():
        value = _at(document, way)
        if isinstance(value, bool | int):
            found[variable] = value
        elif isinstance(value, float) and value.is_integer():
            found[variable] = int(value)
        elif isinstance(value, str):
            found[variable] = value[:MOST_TEXT]
    return found


def _at(document: object, way: Way) -> object:
    for step in way[:MOST_DEPTH]:
        if isinstance(step, int) and isinstance(document, list) and step < len(document):
            document = document[step]
        elif isinstance(step, str) and isinstance(document, dict):
            document = document.get(step)
        else:
            return None
    return document
