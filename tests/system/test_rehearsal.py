"""The same text of tests, and the same callers by chance, come to the same verdict in virtual time and as real calls.

Real: SIP and RTP over the loopback, the box's own user agent and media process, prompts known by what is heard. A
sample here, a hundred paths of each flow with PASOKH_LONG=1 (``make long ONLY=rehearsal``).
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from appliance.calls import rehearsal
from appliance.flow import script
from appliance.flow.script import Case
from appliance.flow.trial import Trail, Trial, random_scene
from tests.flow.test_trial import AT_MS, flow, house

IS_LONG = bool(os.environ.get("PASOKH_LONG"))
PATHS = 100 if IS_LONG else 5
SHIPPED = ("clinic", "shop", "support")


def both(name: str, cases: list[Case]) -> list[tuple[Case, Trail, Trail]]:
    """What came of each case in virtual time, and as a call."""
    told = [Trial(flow(name), case.scene, house().calendars).run() for case in cases]
    return list(zip(cases, told, rehearsal.play(flow(name), house(), cases), strict=True))


@pytest.mark.timeout(3600 if IS_LONG else 240)
@pytest.mark.parametrize("name", SHIPPED)
def test_callers_by_chance_go_the_same_way_over_sip(name: str) -> None:
    cases = []
    for seed in range(PATHS):
        scene = random_scene(flow(name), house().calendars, 1000 + seed, AT_MS)
        trail = Trial(flow(name), scene, house().calendars).run()
        reaches = tuple(dict.fromkeys(trail.nodes))
        cases.append(Case(f"path {seed}", f"{name}.test.toml", seed + 1, scene, trail.outcome, reaches))
    differing = []
    for case, virtual, real in both(name, cases):
        assert script.verdict(case, virtual) is None
        problem = script.verdict(case, real)
        if problem is not None or real.nodes != virtual.nodes:
            differing.append((case.name, virtual.nodes, real.nodes, virtual.outcome, real.outcome, case.scene.steps))
    print(f"{name}: {len(cases) - len(differing)} of {len(cases)} paths go the same way over SIP")
    assert differing == []


@pytest.mark.timeout(240)
def test_the_tests_beside_a_flow_pass_as_calls_and_a_false_one_fails_in_both() -> None:
    file = "welcome.test.toml"
    with open(f"ivr_flows/{file}", encoding="utf-8") as opened:
        cases = script.load(opened.read(), file)
    cases.append(replace(cases[0], name="a false one", ends="nobody"))
    for case, virtual, real in both("welcome", cases):
        verdicts = [script.verdict(case, trail) for trail in (virtual, real)]
        keys = {problem.key if problem else "" for problem in verdicts}
        assert keys == ({"flow.test_wrong_end"} if case.name == "a false one" else {""}), (case.name, real)
