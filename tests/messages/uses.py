"""Where the code uses keys of the catalogues: found by reading the code, not by running it."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance import messages

PACKAGE = Path(messages.__file__).parents[1]
ROOMS = sorted(file.stem for file in (PACKAGE / "messages" / "en").glob("*.toml"))
KEY = re.compile(rf"(?:{'|'.join(ROOMS)})\.[a-z0-9_]+")
OPEN_KEY = re.compile(rf"((?:{'|'.join(ROOMS)})\.[a-z0-9_]*)")
FILES = {
    "calls.db",
    "calls.sock",
    "keys.html",
    "listen.css",
    "listen.html",
    "listen.js",
}  # look like keys and are names of files
KINDS = PACKAGE / "records" / "events"  # names kinds of events, which look like keys
LABEL = re.compile(r"\b_\(\s*(['\"])([a-z0-9_]+)\1")  # _('key') in a template of the page
SCRIPTED = re.compile(r"""["']((?:listen|keys|ceremony|recorder)\.[a-z0-9_]+)["']""")  # in a script of the player
SCRIPTED_OPEN = re.compile(r"`((?:listen|ceremony)\.[a-z0-9_]+)\$\{")
CARRIERS = {"_Script"}  # keep a key for later, when it gets its fields
ADDED = {"_problem": {"file", "line"}, "Remark": {"target"}}  # functions that add fields of their own


@dataclass(frozen=True, slots=True)
class Use:
    """A key in the code; ``fields`` are those it is given there, None where that cannot be read off."""

    key: str
    where: str
    fields: frozenset[str] | None = None


@dataclass(slots=True)
class Uses:
    keys: list[Use] = field(default_factory=list)
    prefixes: list[Use] = field(default_factory=list)  # keys put together from words: web.outcome_{word}


def uses() -> Uses:
    """Everything in the package that names a key, or the beginning of one."""
    found = Uses()
    for file in sorted(PACKAGE.rglob("*.py")):
        if KINDS not in file.parents:
            _of_module(file, found)
    for file in sorted((PACKAGE / "web" / "templates").glob("*.html")):
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
            found.keys += [Use(f"web.{label}", f"{file.name}:{number}") for _, label in LABEL.findall(line)]
    for file in sorted((PACKAGE / "recorder" / "listen" / "src").glob("*.js")):
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
            found.keys += [Use(key, f"{file.name}:{number}") for key in SCRIPTED.findall(line)]
            found.prefixes += [Use(key, f"{file.name}:{number}") for key in SCRIPTED_OPEN.findall(line)]
    return found


def _of_module(file: Path, found: Uses) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    name = str(file.relative_to(PACKAGE.parent))
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            if KEY.fullmatch(node.value) and node.value not in FILES:
                found.keys.append(Use(node.value, f"{name}:{node.lineno}"))
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            start = OPEN_KEY.fullmatch(str(node.values[0].value))
            if start:
                found.prefixes.append(Use(start[1], f"{name}:{node.lineno}"))
        elif isinstance(node, ast.Call):
            _of_call(node, name, found)


def _of_call(call: ast.Call, name: str, found: Uses) -> None:
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    if not isinstance(first, ast.Constant | ast.IfExp):
        return
    where = f"{name}:{call.lineno}"
    if function == "_word" and isinstance(first, ast.Constant):
        found.prefixes.append(Use(f"web.{first.value!s}_", where))
        return
    fields = None if function in CARRIERS else _fields(call, function)
    for key in _constants(first):
        if KEY.fullmatch(key) and key not in FILES:
            found.keys.append(Use(key, where, fields))


def _fields(call: ast.Call, function: str) -> frozenset[str] | None:
    names: set[str | None] = {keyword.arg for keyword in call.keywords}
    for argument in call.args[1:]:
        if isinstance(argument, ast.Dict):  # Finding(key, {"field": value})
            names |= {str(key.value) if isinstance(key, ast.Constant) else None for key in argument.keys}
    return None if None in names else frozenset({each for each in names if each} | ADDED.get(function, set()))


def _constants(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str() as value):
            yield value
        case ast.IfExp(body=body, orelse=orelse):
            yield from _constants(body)
            yield from _constants(orelse)
        case _:
            return


def placeholders(entry: str | dict[str, str]) -> set[str]:
    """The fields that a text, or both lines of a problem, need."""
    texts = [entry] if isinstance(entry, str) else list(entry.values())
    return {name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name is not None}
