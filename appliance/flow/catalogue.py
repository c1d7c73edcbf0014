"""The flows of the box: read from their folder, checked, and kept by name. The room's only adapter to the disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from appliance.errors import Problem
from appliance.flow.check import check
from appliance.flow.load import load
from appliance.flow.model import Flow

Flows = Mapping[str, Flow]

SOUNDS = (".ulaw", ".alaw")
LEAST_BYTES = 160  # 20 ms of G.711, one packet: anything shorter is heard by nobody


def load_file(file: Path) -> Flow:
    """One flow, not yet checked; Problem where it cannot be read."""
    try:
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Problem("flow.unreadable", file=str(file), reason=reason) from error
    return load(text, file.name)


def findings(flow: Flow, prompts: Path, agents: Collection[str] | None) -> list[Problem]:
    """What is wrong with a flow, given the folder of prompts."""

    def has_prompt(language: str, prompt: str) -> bool:
        return any(_is_sound(prompts / language / f"{prompt}{ending}") for ending in SOUNDS)

    return check(flow, has_prompt, agents)


def _is_sound(file: Path) -> bool:
    return file.is_file() and file.stat().st_size >= LEAST_BYTES


def load_folder(path: Path, prompts: Path, agents: Collection[str] | None) -> Flows:
    """Every ``*.toml`` of the folder, compiled and checked; raises the first Problem found."""
    if not path.is_dir():
        raise Problem("flow.unreadable", file=str(path), reason="no such folder")
    flows: dict[str, Flow] = {}
    for file in sorted(path.glob("*.toml")):
        flow = load_file(file)
        if flow.name in flows:
            raise Problem("flow.twice", file=file.name, line=flow.line("flow", "name"), name=flow.name)
        for problem in findings(flow, prompts, agents):
            raise problem
        flows[flow.name] = flow
    return flows
