"""The settings of a restored box: the owner's own text, with the five folders where the backup was put.

Only those lines change, each remark stays; the result is read again and must be the same settings but for the folders.
The text as it was lies beside, for a box whose folders are where its settings say.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from appliance.errors import Problem
from appliance.toml_lines import line_numbers

Folders = Mapping[tuple[str, str], str]
"""Section and setting to the folder."""


def relocated(text: str, folders: Folders) -> str:
    """``text`` with these folders; Problem ``backup.bad_settings`` where it is no TOML or cannot be changed so."""
    try:
        before = tomllib.loads(text)
        lines = text.split("\n")
        for (section, setting), folder in folders.items():
            _set(lines, section, setting, folder)
        changed = "\n".join(lines)
        if _without(tomllib.loads(changed), folders) != _without(before, folders):
            raise Problem("backup.bad_settings", reason="folders")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Problem("backup.bad_settings", reason=str(error)[:120]) from error
    return changed


def _set(lines: list[str], section: str, setting: str, folder: str) -> None:
    known = line_numbers("\n".join(lines))
    line = f"{setting} = {json.dumps(folder, ensure_ascii=False)}"
    at = known.get((section, setting))
    if at is not None:
        lines[at - 1] = line
    elif (section,) in known:
        lines.insert(known[(section,)], line)
    else:
        if lines and lines[-1]:
            lines.append("")
        lines[len(lines) :] = [f"[{section}]", line, ""]


def _without(document: dict[str, Any], folders: Folders) -> dict[str, Any]:
    """The settings but for the folders; a section that holds nothing else counts as absent."""
    sections = {section for section, _ in folders}
    kept = {
        name: {key: value for key, value in table.items() if (name, key) not in folders}
        if name in sections and isinstance(table, dict)
        else table
        for name, table in document.items()
    }
    return {name: table for name, table in kept.items() if table or name not in sections}
