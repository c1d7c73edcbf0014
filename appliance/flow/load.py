"""From TOML text to a flow, with the line of everything that can be wrong.

What a setting may hold is said by its form in model.py; this module only reads forms.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, get_args

from appliance.errors import Problem
from appliance.flow.model import FACTS, GIVEN, KEYS, KINDS, Flow, Form, Node, Type, forms
from appliance.toml_lines import header_of, line_numbers

MAX_TEXT_BYTES = 256 << 10
LANGUAGES = ("fa", "en")
TYPES: tuple[str, ...] = get_args(Type)

Lines = Mapping[tuple[str, ...], int]

_NEEDS = {
    "node": "flow.needs_text",
    "text": "flow.needs_text",
    "template": "flow.needs_text",
    "variable": "flow.needs_text",
    "used": "flow.needs_text",
    "prompts": "flow.needs_prompts",
    "texts": "flow.needs_texts",
    "variables": "flow.needs_texts",
    "seconds": "flow.needs_number",
    "count": "flow.needs_whole_number",
    "keys": "flow.needs_keys",
    "answers": "flow.needs_keys",
    "languages": "flow.needs_keys",
    "cases": "flow.needs_cases",
    "values": "flow.needs_values",
    "flag": "flow.needs_choice",
}
_ABOUT: dict[str, Form] = {
    "name": Form("text"),
    "start": Form("text"),
    "languages": Form("texts"),
    "needs_notice": Form("flag"),
    "is_internal": Form("flag"),
    "max_seconds": Form("seconds", 30, 7200),
    "limit_prompt": Form("prompts"),
    "private": Form("texts"),
}
_SECTIONS = ("flow", "variables", "node")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'|#.*""")
_HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_FOREIGN_DIGIT = re.compile("[۰-۹٠-٩]")


def load(text: str, file: str) -> Flow:
    """The flow in ``text``; raises the first Problem. ``file`` is its name for messages."""
    document = _document(text, file)
    lines = line_numbers(text)
    for section in document:
        if section not in _SECTIONS:
            known = ", ".join(_SECTIONS)
            raise _problem("flow.unknown_section", file, lines, (section,), section=section, known=known)
    about = _about(_table(document.get("flow"), file, lines, ("flow",)), file, lines)
    nodes = _table(document.get("node"), file, lines, ("node",))
    variables = _variables(document.get("variables", {}), file, lines)
    start = about.get("start", "start")
    if start not in nodes:
        raise _problem("flow.no_start", file, lines, ("flow", "start"), node=str(start))
    return Flow(
        name=_flow_name(about, file, lines),
        start=start,
        languages=_languages(about, file, lines),
        nodes={name: _node(name, table, file, lines) for name, table in nodes.items()},
        needs_notice=about.get("needs_notice", True),
        is_internal=about.get("is_internal", False),
        max_seconds=about.get("max_seconds", 900.0),
        limit_prompt=about.get("limit_prompt", ()),
        variables=variables,
        private=_private(about, variables, file, lines),
        sha256=hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest(),
        file=file,
        lines=lines,
    )


def _document(text: str, file: str) -> dict[str, Any]:
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise Problem("flow.too_long", file=file, most=MAX_TEXT_BYTES)
    _unseen(text, file)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Problem("flow.not_toml", file=file, reason=str(error)) from error
    except RecursionError as error:
        raise Problem("flow.not_toml", file=file, reason="lists in lists without end") from error


def _unseen(text: str, file: str) -> None:
    """What TOML would refuse without a person seeing why: hidden marks, Persian digits as numbers, a node twice."""
    headers: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        bare = _QUOTED.sub("", line) if '"' in line or "'" in line or "#" in line else line
        hidden = _HIDDEN.search(bare)
        if hidden:
            raise Problem("flow.hidden_mark", file=file, line=number, mark=f"U+{ord(hidden[0]):04X}")
        if _FOREIGN_DIGIT.search(bare):
            raise Problem("flow.foreign_digits", file=file, line=number)
        header = header_of(line)
        if header:
            name = ".".join(header)
            if name in headers:
                raise Problem("flow.section_twice", file=file, line=number, section=name, first=headers[name])
            headers[name] = number


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


def _about(table: Mapping[str, Any], file: str, lines: Lines) -> dict[str, Any]:
    for setting in table:
        if setting not in _ABOUT:
            known = ", ".join(_ABOUT)
            raise _problem("flow.unknown_key", file, lines, ("flow", setting), setting=setting, known=known)
    return {
        setting: _value(setting, _ABOUT[setting], value, file, lines, ("flow", setting))
        for setting, value in table.items()
    }


def _flow_name(about: Mapping[str, Any], file: str, lines: Lines) -> str:
    name = str(about.get("name", file.rpartition("/")[2].removesuffix(".toml")))
    if not _NAME.fullmatch(name):
        raise _problem("flow.bad_name", file, lines, ("flow", "name"), name=name)
    return name


def _languages(about: Mapping[str, Any], file: str, lines: Lines) -> tuple[str, ...]:
    languages: tuple[str, ...] = about.get("languages", ("fa",))
    for language in languages:
        if language not in LANGUAGES:
            raise _problem("flow.unknown_language", file, lines, ("flow", "languages"), language=language)
    return languages


def _variables(table: object, file: str, lines: Lines) -> dict[str, Type]:
    for name, kind in _table(table, file, lines, ("variables",)).items():
        where = ("variables", name)
        if not _VARIABLE.fullmatch(name) or name in FACTS or name in GIVEN:
            raise _problem("flow.bad_variable", file, lines, where, name=name)
        if kind not in TYPES:
            known = ", ".join(TYPES)
            raise _problem("flow.unknown_type", file, lines, where, name=name, found=str(kind), known=known)
    return dict(_table(table, file, lines, ("variables",)))


def _private(about: Mapping[str, Any], variables: Mapping[str, Type], file: str, lines: Lines) -> frozenset[str]:
    for name in about.get("private", ()):
        if name not in variables:
            raise _unknown_variable(name, variables, file, lines, ("flow", "private"))
    return frozenset(about.get("private", ()))


def _unknown_variable(
    name: str, variables: Mapping[str, Type], file: str, lines: Lines, where: tuple[str, ...]
) -> Problem:
    known = ", ".join(variables) or "-"
    return _problem("flow.unknown_variable", file, lines, where, name=name, known=known)


def _node(name: str, table: object, file: str, lines: Lines) -> Node:
    path = ("node", name)
    if not isinstance(table, dict):
        raise _problem("flow.needs_table", file, lines, path, setting=f"node.{name}")
    if not _NAME.fullmatch(name):
        raise _problem("flow.bad_name", file, lines, path, name=name)
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        known = ", ".join(KINDS)
        raise _problem("flow.unknown_kind", file, lines, (*path, "kind"), node=name, found=str(kind), known=known)
    settings = forms(KINDS[kind])
    for setting in table:
        if setting not in settings and setting != "kind":
            known = ", ".join(settings)
            where = (*path, setting)
            raise _problem("flow.unknown_key", file, lines, where, setting=f"node.{name}.{setting}", known=known)
    values: dict[str, Any] = {}
    for setting, (form, is_needed) in settings.items():
        where = (*path, setting)
        if setting in table:
            values[setting] = _value(f"node.{name}.{setting}", form, table[setting], file, lines, where)
        elif setting == "timeout_seconds":
            raise _problem("flow.no_timeout", file, lines, path, node=name)
        elif is_needed:
            raise _problem("flow.missing_key", file, lines, path, node=name, setting=setting)
    node: Node = KINDS[kind](**values)
    return node


def _value(label: str, form: Form, value: object, file: str, lines: Lines, where: tuple[str, ...]) -> object:
    """The value as the node wants it, or the Problem that names what was expected."""
    match form.what, value:
        case (("node" | "text" | "template" | "used"), str()) if value:
            return value
        case "variable", str() if value:
            return value
        case "language", str() if value in LANGUAGES:
            return value
        case "language", _:
            raise _problem("flow.unknown_language", file, lines, where, language=str(value))
        case "choice", str() if value in form.choices:
            return value
        case "choice", _:
            known = ", ".join(form.choices)
            raise _problem("flow.unknown_choice", file, lines, where, setting=label, found=str(value), known=known)
        case "key", str() if value == "" or (len(value) == 1 and value in KEYS):
            return value
        case "key", _:
            raise _problem("flow.bad_key", file, lines, where, node=label, found=str(value))
        case "prompts", str() if value:
            return (value,)
        case (("prompts" | "texts" | "variables"), list()) if value and all(
            isinstance(each, str) and each for each in value
        ):
            return tuple(value)
        case "flag", bool():
            return value
        case (("seconds" | "count"), int() | float()) if not isinstance(value, bool):
            if not form.least <= value <= form.most or (form.what == "count" and not isinstance(value, int)):
                raise _problem(
                    "flow.out_of_range",
                    file, lines, where, setting=label, value=value, least=form.least, most=form.most,
                )  # fmt: skip
            return value
        case (("keys" | "answers" | "languages" | "cases" | "values"), dict()) if value:
            return _mapping(label, form, value, file, lines, where)
        case _:
            raise _problem(_NEEDS[form.what], file, lines, where, setting=label)


_INNER = {"keys": Form("node"), "answers": Form("prompts"), "languages": Form("language"), "cases": Form("node")}


def _mapping(
    label: str, form: Form, table: Mapping[str, Any], file: str, lines: Lines, where: tuple[str, ...]
) -> dict[str, object]:
    """A table inside a node: keys of a telephone, cases of a choice, values of variables."""
    found: dict[str, object] = {}
    for key, value in table.items():
        here = (*where, key)
        if form.what == "values":
            if not isinstance(value, str | int):
                raise _problem("flow.needs_values", file, lines, here, setting=f"{label}.{key}")
            found[key] = value
            continue
        if form.what != "cases" and (len(key) != 1 or key not in KEYS):
            raise _problem("flow.bad_key", file, lines, here, node=label, found=key)
        found[key] = _value(f"{label}.{key}", _INNER[form.what], value, file, lines, here)
    return found
