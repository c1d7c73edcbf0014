"""From TOML text to a flow, with the line of everything that can be wrong.

``tomllib`` gives no positions, so the lines of tables and keys are found by a scan of our own; a text that it reads
differently from tomllib only makes a message point to a line nearby, never accept or refuse anything.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from appliance.errors import Problem
from appliance.flow.model import KEYS, Call, Flow, Goto, HangUp, Menu, Node, Notice, Say

MAX_TEXT_BYTES = 256 << 10
LANGUAGES = ("fa", "en")

Lines = Mapping[tuple[str, ...], int]

# Settings of each kind of node: name, whether it is needed, and its type.
_SETTINGS: dict[str, dict[str, tuple[bool, str]]] = {
    "say": {"prompt": (True, "prompts"), "next": (True, "text")},
    "notice": {"prompt": (True, "prompts"), "next": (True, "text")},
    "menu": {
        "prompt": (True, "prompts"),
        "keys": (True, "keys"),
        "timeout_seconds": (True, "seconds"),
        "on_failure": (True, "text"),
        "attempts": (False, "count"),
        "wrong_prompt": (False, "prompts"),
        "timeout_prompt": (False, "prompts"),
    },
    "goto": {"next": (True, "text"), "language": (False, "language")},
    "call": {
        "agents": (True, "texts"),
        "on_nobody": (True, "text"),
        "ring_seconds": (False, "seconds"),
        "whole_seconds": (False, "seconds"),
        "next": (False, "text"),
    },
    "hangup": {"prompt": (False, "prompts"), "outcome": (False, "text")},
}
_MAKE: dict[str, type[Any]] = {
    "say": Say,
    "notice": Notice,
    "menu": Menu,
    "goto": Goto,
    "call": Call,
    "hangup": HangUp,
}
_NEEDS = {
    "text": "flow.needs_text",
    "prompts": "flow.needs_prompts",
    "texts": "flow.needs_texts",
    "seconds": "flow.needs_number",
    "count": "flow.needs_whole_number",
    "keys": "flow.needs_keys",
}
_FIELDS = {"prompt": "prompts", "wrong_prompt": "wrong_prompts", "timeout_prompt": "timeout_prompts"}
_FLOW_SETTINGS = ("name", "start", "languages", "needs_notice")
_BOUNDS = {"timeout_seconds": (1, 60), "ring_seconds": (3, 300), "whole_seconds": (3, 3600), "attempts": (1, 10)}
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


def load(text: str, file: str) -> Flow:
    """The flow in ``text``; raises the first Problem. ``file`` is its name for messages."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise Problem("flow.too_long", file=file, most=MAX_TEXT_BYTES)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Problem("flow.not_toml", file=file, reason=str(error)) from error
    except RecursionError as error:
        raise Problem("flow.not_toml", file=file, reason="lists in lists without end") from error
    lines = line_numbers(text)
    for section in document:
        if section not in ("flow", "node"):
            raise _problem("flow.unknown_section", file, lines, (section,), section=section)
    about = _table(document.get("flow"), file, lines, ("flow",))
    nodes = _table(document.get("node"), file, lines, ("node",))
    for setting in about:
        if setting not in _FLOW_SETTINGS:
            known = ", ".join(_FLOW_SETTINGS)
            raise _problem("flow.unknown_key", file, lines, ("flow", setting), setting=setting, known=known)
    start = about.get("start", "start")
    if not isinstance(start, str) or start not in nodes:
        raise _problem("flow.no_start", file, lines, ("flow", "start"), node=str(start))
    return Flow(
        name=_name(about, file, lines),
        start=start,
        languages=_languages(about, file, lines),
        nodes={name: _node(name, table, file, lines) for name, table in nodes.items()},
        needs_notice=_needs_notice(about, file, lines),
        sha256=hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest(),
        file=file,
        lines=lines,
    )


def line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """Where each table and each key stands, by its path; lines count from 1."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        header = _HEADER.match(line)
        if header:
            table = _path(header[1])
            found.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key:
            found.setdefault((*table, *_path(key[1])), number)
    return found


def _path(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))


def _problem(key: str, file: str, lines: Lines, path: tuple[str, ...], **fields: str | int | float) -> Problem:
    while path and not any(known[: len(path)] == path for known in lines):
        path = path[:-1]
    line = min((number for known, number in lines.items() if path and known[: len(path)] == path), default=1)
    return Problem(key, file=file, line=lines.get(path, line), **fields)


def _table(value: object, file: str, lines: Lines, path: tuple[str, ...]) -> dict[str, Any]:
    if value is None:
        raise _problem("flow.missing_section", file, lines, (), section=".".join(path))
    if not isinstance(value, dict):
        raise _problem("flow.needs_table", file, lines, path, setting=".".join(path))
    return value


def _name(about: Mapping[str, Any], file: str, lines: Lines) -> str:
    name = about.get("name", file.rpartition("/")[2].removesuffix(".toml"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _problem("flow.bad_name", file, lines, ("flow", "name"), name=str(name))
    return name


def _languages(about: Mapping[str, Any], file: str, lines: Lines) -> tuple[str, ...]:
    languages = about.get("languages", ["fa"])
    if not isinstance(languages, list) or not languages or any(each not in LANGUAGES for each in languages):
        raise _problem("flow.unknown_language", file, lines, ("flow", "languages"), language=str(languages))
    return tuple(languages)


def _needs_notice(about: Mapping[str, Any], file: str, lines: Lines) -> bool:
    needs = about.get("needs_notice", True)
    if not isinstance(needs, bool):
        path = ("flow", "needs_notice")
        raise _problem("flow.needs_choice", file, lines, path, setting="needs_notice")
    return needs


def _node(name: str, table: object, file: str, lines: Lines) -> Node:
    path = ("node", name)
    if not isinstance(table, dict):
        raise _problem("flow.needs_table", file, lines, path, setting=f"node.{name}")
    if not _NAME.fullmatch(name):
        raise _problem("flow.bad_name", file, lines, path, name=name)
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in _SETTINGS:
        known = ", ".join(_SETTINGS)
        raise _problem("flow.unknown_kind", file, lines, (*path, "kind"), node=name, found=str(kind), known=known)
    settings = _SETTINGS[kind]
    for setting in table:
        if setting not in settings and setting != "kind":
            known = ", ".join(settings)
            where = (*path, setting)
            raise _problem("flow.unknown_key", file, lines, where, setting=f"node.{name}.{setting}", known=known)
    values: dict[str, object] = {}
    for setting, (is_needed, expected) in settings.items():
        where = (*path, setting)
        if setting in table:
            values[_FIELDS.get(setting, setting)] = _value(name, setting, expected, table[setting], file, lines, where)
        elif setting == "timeout_seconds":
            raise _problem("flow.no_timeout", file, lines, path, node=name)
        elif is_needed:
            raise _problem("flow.missing_key", file, lines, path, node=name, setting=setting)
    node: Node = _MAKE[kind](**values)
    return node


def _value(
    node: str, setting: str, expected: str, value: object, file: str, lines: Lines, where: tuple[str, ...]
) -> object:
    """The value as the node wants it, or the Problem that names what was expected."""
    label = f"node.{node}.{setting}"
    match expected, value:
        case "text", str() if value:
            return value
        case "language", str() if value in LANGUAGES:
            return value
        case "language", _:
            raise _problem("flow.unknown_language", file, lines, where, language=str(value))
        case "prompts", str() if value:
            return (value,)
        case (("prompts" | "texts"), list()) if value and all(isinstance(each, str) and each for each in value):
            return tuple(value)
        case (("seconds" | "count"), int() | float()) if not isinstance(value, bool):
            least, most = _BOUNDS[setting]
            if not least <= value <= most or (expected == "count" and not isinstance(value, int)):
                raise _problem(
                    "flow.out_of_range", file, lines, where, setting=label, value=value, least=least, most=most
                )
            return value
        case "keys", dict() if value:
            return _keys(node, value, file, lines, where)
        case _:
            raise _problem(_NEEDS[expected], file, lines, where, setting=label)


def _keys(node: str, table: Mapping[str, Any], file: str, lines: Lines, where: tuple[str, ...]) -> dict[str, str]:
    for key, target in table.items():
        if len(key) != 1 or key not in KEYS:
            raise _problem("flow.bad_key", file, lines, (*where, key), node=node, found=key)
        if not isinstance(target, str):
            setting = f"node.{node}.keys.{key}"
            raise _problem("flow.needs_text", file, lines, (*where, key), setting=setting)
    return dict(table)
