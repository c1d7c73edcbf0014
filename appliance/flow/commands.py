"""``pasokh flow`` and ``pasokh prompts``: what is wrong with a flow, and sounds made from texts."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.errors import Problem
from appliance.flow import catalogue, voices
from appliance.places import shipped_flows

EXIT_FOUND = 2


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds ``flow`` and ``prompts`` to the command line."""
    text = "flows: what callers meet"
    flows = subparsers.add_parser("flow", help=text, description=text).add_subparsers(metavar="COMMAND", required=True)
    text = "say everything that is wrong with flows, by file and line"
    check = flows.add_parser("check", help=text, description=text)
    check.add_argument("files", nargs="*", type=Path, metavar="FILE", help="flows (all that ship with the box)")
    check.add_argument("--prompts", type=Path, metavar="FOLDER", help="where the sounds are (beside the first flow)")
    check.add_argument("--agents", metavar="NAMES", help="the agents there are, by comma (not checked without)")
    check.add_argument("--json", action="store_true", help="one JSON document a finding")
    check.set_defaults(run=_check)
    text = "prompts: what callers hear"
    prompts = subparsers.add_parser("prompts", help=text, description=text).add_subparsers(
        metavar="COMMAND", required=True
    )
    text = "make the sounds of all texts that have changed"
    build = prompts.add_parser("build", help=text, description=text)
    build.add_argument("--folder", type=Path, metavar="FOLDER", help="the folder of prompts (the one of the box)")
    build.add_argument("--only", default="", metavar="NAME", help="this prompt only")
    build.set_defaults(run=_build)


def _check(chosen: argparse.Namespace) -> int:
    files: list[Path] = chosen.files or sorted(shipped_flows().glob("*.toml"))
    prompts = chosen.prompts or (files[0].parent if files else shipped_flows()) / "prompts"
    agents = chosen.agents.split(",") if chosen.agents else None
    language = messages.chosen_language()
    found: list[Problem] = []
    for file in files:
        try:
            flow = catalogue.load_file(file)
        except Problem as problem:
            found.append(problem)
            continue
        found += catalogue.findings(flow, prompts, agents)
    for each in found:
        if chosen.json:
            print(json.dumps({"key": each.key, **each.fields}, ensure_ascii=False))
        else:
            for line in messages.problem_lines(each, language):
                print(line, file=sys.stderr)
    if not found and not chosen.json:
        print(messages.text("flow.all_well", language, count=len(files)))
    return EXIT_FOUND if found else 0


def _build(chosen: argparse.Namespace) -> int:
    folder = chosen.folder or shipped_flows() / "prompts"
    built = voices.build(folder, chosen.only)
    print(messages.text("flow.built", messages.chosen_language(), sounds=built.sounds, made=built.made))
    return 0
