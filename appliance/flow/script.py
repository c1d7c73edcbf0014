"""Tests of a flow, in a text beside it (``NAME.test.toml``): who calls when, what the caller does, where the call ends.

```
[[test]]
name = "A caller in the evening is told when it opens"
moment = "1405/07/12 19:30"
steps = ["hears greeting", "hears closed", "presses 1", "waits", "speaks 5", "hangs up"]
ends = "goodbye"
reaches = ["closed"]
```

The same text is played in virtual time (trial.py) and by real telephones; ``verdict`` judges both.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.errors import Problem
from appliance.flow.model import FACTS, Flow, follows
from appliance.flow.trial import HangsUp, Hears, Presses, Scene, Speaks, Step, Trail, Waits
from appliance.hours.model import Switches
from appliance.messages.calendar import moment_of

MAX_TEXT_BYTES = 256 << 10
MOST_STEPS = 60
SETTINGS: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "moment": str,
    "caller": str,
    "called": str,
    "language": str,
    "clock": str,
    "night": bool,
    "closed_until": str,
    "outage": str,
    "agents": str,
    "talk_seconds": (int, float),
    "lookups": dict,
    "pins": dict,
    "code": str,
    "requests": dict,
    "facts": dict,
    "steps": list,
    "ends": str,
    "reaches": list,
}
_STEP = re.compile(
    r"(?P<hears>hears (?P<prompts>[A-Za-z0-9_-]+(?: [A-Za-z0-9_-]+)*))"
    r"|(?P<presses>presses (?P<keys>[0-9*#]+)(?P<early> early)?)"
    r"|(?P<waits>waits)|(?P<speaks>speaks (?P<seconds>\d{1,3}))|(?P<hangs>hangs up)"
)
_TEST = re.compile(r"\s*\[\[\s*test\s*\]\]")


@dataclass(frozen=True, slots=True)
class Case:
    """One test. ``line`` is where it begins; ``ends`` empty: however; ``reaches``: nodes that must be passed."""

    name: str
    file: str
    line: int
    scene: Scene
    ends: str
    reaches: tuple[str, ...]


def load(text: str, file: str) -> list[Case]:
    """The tests in ``text``; raises the first Problem."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise Problem("flow.too_long", file=file, most=MAX_TEXT_BYTES)
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Problem("flow.not_toml", file=file, reason=str(error)) from error
    lines = [number for number, line in enumerate(text.split("\n"), 1) if _TEST.match(line)]
    tests = document.get("test", [])
    for section in document:
        if section != "test":
            raise Problem("flow.unknown_section", file=file, line=1, section=section, known="test")
    if not isinstance(tests, list) or not tests or len(lines) != len(tests):
        raise Problem("flow.missing_section", file=file, line=1, section="[test]")
    return [_case(test, file, line) for test, line in zip(tests, lines, strict=True)]


def verdict(case: Case, trail: Trail) -> Problem | None:
    """What does not fit, or None: the test has passed."""
    about: dict[str, str | int] = {"file": case.file, "line": case.line, "test": case.name}
    way = " > ".join(trail.nodes) or "-"
    if trail.failed is not None and trail.missing:
        heard = ", ".join(trail.heard[-6:]) or "-"
        return Problem("flow.test_not_heard", **about, prompt=trail.missing, heard=heard, step=trail.failed + 1)
    if trail.failed is not None:
        return Problem("flow.test_over", **about, step=trail.failed + 1, way=way)
    if case.ends and trail.outcome != case.ends:
        return Problem("flow.test_wrong_end", **about, expected=case.ends, found=trail.outcome, way=way)
    for node in case.reaches:
        if node not in trail.nodes:
            return Problem("flow.test_not_reached", **about, node=node, way=way)
    return None


def _case(test: object, file: str, line: int) -> Case:
    if not isinstance(test, dict):
        raise Problem("flow.missing_section", file=file, line=line, section="[test]")
    for setting, value in test.items():
        if setting not in SETTINGS:
            known = ", ".join(SETTINGS)
            raise Problem("flow.unknown_key", file=file, line=line, setting=setting, known=known)
        if not isinstance(value, SETTINGS[setting]):
            raise Problem("flow.test_bad_value", file=file, line=line, setting=setting, found=str(value)[:60])
    steps = test.get("steps", [])
    if len(steps) > MOST_STEPS:
        raise Problem("flow.test_bad_value", file=file, line=line, setting="steps", found=f"{len(steps)} steps")
    return Case(
        name=test.get("name", f"test in line {line}"),
        file=file,
        line=line,
        scene=_scene(test, tuple(_step(step, file, line) for step in steps), file, line),
        ends=test.get("ends", ""),
        reaches=tuple(str(node) for node in test.get("reaches", [])),
    )


def _scene(test: Mapping[str, Any], steps: tuple[Step, ...], file: str, line: int) -> Scene:
    usual = Scene()

    def moment(setting: str) -> int:
        if setting not in test:
            return 0
        found = moment_of(test[setting])
        if found is None:
            raise Problem("flow.test_bad_value", file=file, line=line, setting=setting, found=test[setting][:60])
        return found

    for setting, known in (("language", ("fa", "en")), ("agents", ("answer", "nobody")), ("clock", ("sure", "doubt"))):
        if setting in test and test[setting] not in known:
            raise Problem("flow.test_bad_value", file=file, line=line, setting=setting, found=test[setting][:60])
    for fact in test.get("facts", {}):
        if fact not in FACTS:
            raise Problem("flow.test_bad_value", file=file, line=line, setting="facts", found=fact)
    return Scene(
        at_ms=moment("moment"),
        caller=test.get("caller", usual.caller),
        called=test.get("called", usual.called),
        language=test.get("language", usual.language),
        is_clock_sure=test.get("clock", "sure") == "sure",
        switches=Switches(night=test.get("night", False), closed_until_ms=moment("closed_until")),
        outage=test.get("outage", ""),
        agents=test.get("agents", usual.agents),
        talk_seconds=test.get("talk_seconds", usual.talk_seconds),
        lookups=test.get("lookups", {}),
        pins=test.get("pins", {}),
        code=test.get("code", ""),
        requests=test.get("requests", {}),
        facts=test.get("facts", {}),
        steps=steps,
    )


def _step(text: object, file: str, line: int) -> Step:
    found = _STEP.fullmatch(" ".join(str(text).split()))
    if found is None:
        raise Problem("flow.test_bad_step", file=file, line=line, found=str(text)[:60])
    if found["hears"]:
        return Hears(tuple(found["prompts"].split()))
    if found["presses"]:
        return Presses(found["keys"], bool(found["early"]))
    if found["waits"]:
        return Waits()
    return Speaks(float(found["seconds"])) if found["speaks"] else HangsUp()


def ways(flow: Flow) -> set[tuple[str, str]]:
    """Every step from one node to another that the flow knows."""
    return {(name, target) for name, node in flow.nodes.items() for _, target in follows(node)}


def walked(flow: Flow, trails: Iterable[Trail]) -> set[tuple[str, str]]:
    """Those of ``ways`` that some trail took."""
    return ways(flow) & {pair for trail in trails for pair in itertools.pairwise(trail.nodes)}
