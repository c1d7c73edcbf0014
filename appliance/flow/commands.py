"""``pasokh flow``: flows proven, tested, drawn, walked by hand, published, and tried on the callers of yesterday."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.errors import Problem
from appliance.flow import catalogue, draw, replay, report, script
from appliance.flow.catalogue import House
from appliance.flow.check import ADVICE
from appliance.flow.model import Flow, follows
from appliance.flow.script import Case
from appliance.flow.shelf import Shelf
from appliance.flow.trial import Scene, Trail, Trial, random_scene
from appliance.messages import calendar, text
from appliance.places import shipped_flows
from appliance.saying import texts as prompt_texts

EXIT_FOUND = 2
EXIT_FAILED = 1
RANDOM_FROM_MS = 1_790_000_000_000  # 2026-09-21: paths at random begin in the week after

Rehearse = Callable[[Flow, House, Sequence[Case]], list[Trail]]
"""Plays cases as real calls and tells what came of each (calls/rehearsal.py)."""

Walkers = Callable[[argparse.Namespace, str, int], list[replay.Walked]]
"""Calls of a flow since UTC ms, out of the records (the command line joins the rooms)."""


def register(subparsers: argparse._SubParsersAction[Any], rehearse: Rehearse, walkers: Walkers) -> None:
    """Adds ``flow`` to the command line."""
    about = "flows: what callers meet"
    flows = subparsers.add_parser("flow", help=about, description=about).add_subparsers(
        metavar="COMMAND", required=True
    )
    check = _command(flows, "check", "say everything that is wrong with flows, by file and line", _check)
    check.add_argument("files", nargs="*", type=Path, metavar="FILE", help="flows (all that ship with the box)")
    _add_house(check)
    form = check.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document a finding, in both languages")
    form.add_argument("--sarif", action="store_true", help="one SARIF document, for editors and forges")
    test = _command(flows, "test", "play the tests beside flows and say which ways they took", _test)
    test.add_argument("files", nargs="*", type=Path, metavar="FILE", help="flows (all that ship with the box)")
    test.add_argument("--sip", action="store_true", help="as real calls over SIP on this machine")
    test.add_argument("--random", type=int, default=0, metavar="N", help="play N paths at random instead")
    test.add_argument("--seed", type=int, default=1, metavar="N", help="where chance begins (1)")
    _add_house(test)
    test.set_defaults(rehearse=rehearse)
    walk = _command(flows, "simulate", "walk a flow in this terminal", _simulate)
    walk.add_argument("file", type=Path, metavar="FILE", help="the flow")
    walk.add_argument("--at", default="", metavar="MOMENT", help='when: "1405/07/12 19:30" or "2026-10-04 19:30" (now)')
    walk.add_argument("--language", choices=messages.LANGUAGES, default="fa", help="of the line (fa)")
    _add_house(walk)
    picture = _command(flows, "draw", "print the flow as a picture (SVG)", _draw)
    picture.add_argument("file", type=Path, metavar="FILE", help="the flow")
    publish = _command(flows, "publish", "check and test a flow, and let new calls walk it from now on", _publish)
    publish.add_argument("file", type=Path, metavar="FILE", help="the flow")
    _add_house(publish)
    _add_data(publish)
    back = _command(flows, "rollback", "let new calls walk the version before this one again", _roll_back)
    back.add_argument("name", metavar="NAME", help="the flow's name")
    _add_data(back)
    versions = _command(flows, "versions", "what was published of a flow, and when", _versions)
    versions.add_argument("name", metavar="NAME", help="the flow's name")
    _add_data(versions)
    again = _command(flows, "replay", "say which recorded calls would end elsewhere in a draft", _replay)
    again.add_argument("file", type=Path, metavar="FILE", help="the draft")
    again.add_argument("--since", required=True, metavar="DATE", help="1405/07/01 or 2026-09-23")
    again.add_argument("--json", action="store_true", help="one JSON document a call that would end elsewhere")
    again.add_argument("--database", type=Path, metavar="PATH", help="calls.db (the box's)")
    again.add_argument("--key", type=Path, metavar="FILE", help="its key (the box's)")
    again.add_argument("--config", type=Path, metavar="FILE", help="the settings' file that names the box's folders")
    again.set_defaults(walkers=walkers)


def _command(
    commands: argparse._SubParsersAction[Any], name: str, about: str, work: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    command.set_defaults(run=work)
    return command


def _add_house(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prompts", type=Path, metavar="FOLDER", help="where the sounds are (beside the first flow)")
    for name, what in (("agents", "agents"), ("queues", "lines"), ("lookups", "look-ups")):
        parser.add_argument(f"--{name}", metavar="NAMES", help=f"the {what} there are, by comma (not checked without)")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, default=Path("/var/lib/pasokh"), metavar="FOLDER", help="the box's data (/var/lib/pasokh)"
    )


def _house(chosen: argparse.Namespace, first: Path) -> House:
    """What flows refer to, as the command line says it; calendars and sounds lie beside the flows."""

    def named(setting: str) -> list[str] | None:
        given = getattr(chosen, setting)
        return given.split(",") if given else None

    beside = first.parent
    return catalogue.house(
        beside if (beside / "hours").is_dir() else shipped_flows(),
        chosen.prompts or (beside if (beside / "prompts").is_dir() else shipped_flows()) / "prompts",
        agents=named("agents"),
        queues=named("queues"),
        lookups=named("lookups"),
    )


def _files(chosen: argparse.Namespace) -> list[Path]:
    return chosen.files or catalogue.flow_files(shipped_flows())


# Proof ----------------------------------------------------------------------------------------------------------------


def _check(chosen: argparse.Namespace) -> int:
    files = _files(chosen)
    house = _house(chosen, files[0])
    language = messages.chosen_language()
    found: list[Problem] = []
    for file in files:
        try:
            found += catalogue.findings(catalogue.load_file(file), house)
        except Problem as problem:
            found.append(problem)
    if not chosen.files:  # all of a folder: what none of them plays can be told
        found += catalogue.unused([catalogue.load_file(file) for file in files], house)
    if chosen.sarif:
        print(report.as_sarif(found, language))
    elif chosen.json:
        for each in found:
            print(json.dumps(report.as_json(each), ensure_ascii=False))
    else:
        for each in found:
            _say_problem(each)
    is_wrong = any(each.key not in ADVICE for each in found)
    if not found and not chosen.json and not chosen.sarif:
        print(text("flow.all_well", language, count=len(files)))
    return EXIT_FOUND if is_wrong else 0


def _say_problem(problem: Problem) -> None:
    language = messages.chosen_language()
    what, do = messages.problem_lines(problem, language)
    if problem.key in ADVICE:
        what = f"{text('flow.advice', language)}: {what}"
    print(what, do, sep="\n", file=sys.stderr)


# Tests ----------------------------------------------------------------------------------------------------------------


def _test(chosen: argparse.Namespace) -> int:
    failed = False
    for file in _files(chosen):
        flow, house = _flow(chosen, file)
        if chosen.random:
            _random(chosen, flow, house)
        else:
            failed = not _tests_pass(flow, house, file, chosen.rehearse if chosen.sip else None) or failed
    return EXIT_FAILED if failed else 0


def _flow(chosen: argparse.Namespace, file: Path) -> tuple[Flow, House]:
    """The flow, which must be right before it is walked."""
    house = _house(chosen, file)
    flow = catalogue.load_file(file)
    for problem in catalogue.findings(flow, house):
        if problem.key not in ADVICE:
            raise problem
    return catalogue.furnished(flow, house), house


def _tests_pass(flow: Flow, house: House, file: Path, rehearse: Rehearse | None) -> bool:
    """Plays the tests beside the flow, in virtual time or as real calls; says what failed and what was walked."""
    language = messages.chosen_language()
    beside = file.with_name(file.stem + catalogue.TRIALS)
    if not beside.is_file():
        raise Problem("flow.no_tests", file=file.name, test_file=beside.name)
    cases = script.load(beside.read_text(encoding="utf-8"), beside.name)
    if rehearse is not None:
        trails = rehearse(flow, house, cases)
    else:
        trails = [Trial(flow, case.scene, house.calendars, house.spoken_length).run() for case in cases]
    problems = [problem for case, trail in zip(cases, trails, strict=True) if (problem := script.verdict(case, trail))]
    for problem in problems:
        _say_problem(problem)
    all_ways, walked = script.ways(flow), script.walked(flow, trails)
    for name, node in flow.nodes.items():
        for setting, target in follows(node):
            if (name, target) not in walked:
                print(text("flow.way_unwalked", language, node=name, setting=setting))
    passed = len(cases) - len(problems)
    counts = {"passed": passed, "count": len(cases), "ways": len(walked), "all": len(all_ways)}
    print(f"{file.name}: {text('flow.tests_passed', language, **counts)}")
    return not problems


def _random(chosen: argparse.Namespace, flow: Flow, house: House) -> None:
    """Paths at random, and how fast they were walked (CPU time of this one process)."""
    scenes = [
        random_scene(flow, house.calendars, chosen.seed + number, RANDOM_FROM_MS) for number in range(chosen.random)
    ]
    began = time.process_time()
    trails = [Trial(flow, scene, house.calendars).run() for scene in scenes]
    seconds = time.process_time() - began
    counts = {"ways": len(script.walked(flow, trails)), "all": len(script.ways(flow))}
    rate = round(len(trails) / seconds) if seconds else 0
    walked_by = text("flow.walked_by", messages.chosen_language(), paths=len(trails), rate=rate, **counts)
    print(f"{flow.file}: {walked_by}")


# By hand --------------------------------------------------------------------------------------------------------------


def _simulate(chosen: argparse.Namespace) -> int:
    """A person walks the flow: what would be heard is printed, keys are typed."""
    flow, house = _flow(chosen, chosen.file)
    language = messages.chosen_language()
    at_ms = calendar.moment_of(chosen.at) if chosen.at else time.time_ns() // 1_000_000
    if at_ms is None:
        raise Problem("flow.bad_moment", found=chosen.at)
    words = {name: dict(named) for name, named in prompt_texts.read(house.prompts).items()}
    scene = Scene(at_ms=at_ms, language=chosen.language)
    trial = Trial(flow, scene, house.calendars, house.spoken_length)
    heard, entered = 0, 0
    while True:
        trial.listen()
        for name in trial.nodes[entered:]:
            print(text("flow.now_at", language, node=name, kind=flow.nodes[name].kind))
        for prompt in trial.heard[heard:]:
            print(f"  « {words.get(trial.language, {}).get(prompt, prompt)} »")
        heard, entered = len(trial.heard), len(trial.nodes)
        if trial.is_over:
            break
        try:
            keys = input(f"{text('flow.ask_step', language)} ").strip()
        except EOFError:
            keys = "q"
        if keys == "q":
            trial.hang_up()
        elif keys:
            trial.press("".join(key for key in keys if key in "0123456789*#"))
        else:
            trial.wait()
    print(text("flow.ended", language, outcome=trial.outcome))
    return 0


def _draw(chosen: argparse.Namespace) -> int:
    print(draw.svg(catalogue.load_file(chosen.file)), end="")
    return 0


# Publishing -----------------------------------------------------------------------------------------------------------


def _publish(chosen: argparse.Namespace) -> int:
    """What is wrong, or fails its tests, is not published."""
    flow, house = _flow(chosen, chosen.file)
    if not _tests_pass(flow, house, chosen.file, None):
        return EXIT_FAILED
    published = _shelf(chosen).publish(chosen.file, house, _now_ms(), _who())
    print(text("flow.published", messages.chosen_language(), name=published.name, hash=published.sha256))
    return 0


def _roll_back(chosen: argparse.Namespace) -> int:
    sha256 = _shelf(chosen).roll_back(chosen.name, _now_ms(), _who())
    print(text("flow.published", messages.chosen_language(), name=chosen.name, hash=sha256))
    return 0


def _versions(chosen: argparse.Namespace) -> int:
    for entry in _shelf(chosen).history(chosen.name):
        print(json.dumps({"at_utc_ms": entry.at, "hash": entry.sha256, "what": entry.what, "by": entry.by}))
    return 0


def _shelf(chosen: argparse.Namespace) -> Shelf:
    return Shelf(chosen.data / "flows")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _who() -> str:
    """The person's account on this machine, for the record."""
    return "".join(
        letter for letter in os.environ.get("SUDO_USER") or os.environ.get("USER") or "local" if letter > " "
    )


def _replay(chosen: argparse.Namespace) -> int:
    since = calendar.moment_of(f"{chosen.since} 00:00")
    if since is None:
        raise Problem("flow.bad_moment", found=chosen.since)
    draft = catalogue.load_file(chosen.file)
    beside = chosen.file.parent
    house = catalogue.house(
        beside if (beside / "hours").is_dir() else shipped_flows(), shipped_flows() / "prompts"
    )  # calendars only: what is heard does not change where a call ends
    walkers: Walkers = chosen.walkers
    counts = {"same": 0, "elsewhere": 0, "unknown": 0}
    language = messages.chosen_language()
    for walked in walkers(chosen, draft.name, since):
        difference = replay.compared(catalogue.furnished(draft, house), walked, house.calendars)
        counts[difference.what] += 1
        if difference.what == "same":
            continue
        about = {"ended_at": difference.ended_at, "would_end_at": difference.would_end_at}
        if chosen.json:
            print(json.dumps({"conversation": walked.conversation, "what": difference.what, **about}))
        elif difference.what == "elsewhere":
            print(text("flow.would_end", language, conversation=walked.conversation, **about))
    if not chosen.json:
        print(text("flow.replayed", language, count=sum(counts.values()), **counts))
    return 0
