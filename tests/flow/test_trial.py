"""Calls that are not: what callers do by chance, what they must never meet, and the tests that lie beside flows."""

from __future__ import annotations

import functools
import random
from pathlib import Path

import pytest

from appliance.errors import Problem
from appliance.flow import catalogue, script, steps
from appliance.flow.catalogue import House
from appliance.flow.model import Flow
from appliance.flow.run import Walk
from appliance.flow.trial import (
    HangsUp,
    Presses,
    Scene,
    SceneWorld,
    Speaks,
    Trial,
    Waits,
    random_scene,
    reply_of,
)
from appliance.messages.calendar import moment_of
from appliance.places import shipped_flows
from tests.flow.given import OFFICE
from tests.support.work import functions_entered

FLOWS = ("clinic", "remote", "shop", "support", "welcome")
AT_MS = 1_790_000_000_000
KEYS = "0123456789*#"


@functools.cache
def house() -> House:
    return catalogue.house(shipped_flows(), shipped_flows() / "prompts")


@functools.cache
def flow(name: str) -> Flow:
    return catalogue.furnished(catalogue.load_file(shipped_flows() / f"{name}.toml"), house())


@pytest.mark.parametrize("name", FLOWS)
def test_the_tests_beside_a_flow_pass_and_walk_nearly_all_of_it(name: str) -> None:
    file = shipped_flows() / f"{name}.test.toml"
    cases = script.load(file.read_text(encoding="utf-8"), file.name)
    trails = [Trial(flow(name), case.scene, house().calendars, house().spoken_length).run() for case in cases]
    assert [
        problem for case, trail in zip(cases, trails, strict=True) if (problem := script.verdict(case, trail))
    ] == []
    walked, ways = script.walked(flow(name), trails), script.ways(flow(name))
    assert len(walked) > 0.65 * len(ways)
    assert {node for trail in trails for node in trail.nodes} >= {
        node for node in flow(name).nodes if node != "no_sense"
    }


@pytest.mark.parametrize("name", FLOWS)
def test_whatever_callers_do_the_call_ends_and_the_same_caller_ends_the_same_way(name: str) -> None:
    for seed in range(150):
        scene = random_scene(flow(name), house().calendars, seed, AT_MS)
        first, second = (Trial(flow(name), scene, house().calendars).run() for _ in range(2))
        assert first == second and first.outcome not in ("", "stuck", "endless"), (seed, first)
        assert first.seconds < 3 * flow(name).max_seconds


@pytest.mark.parametrize("name", FLOWS)
def test_a_path_is_little_work(name: str) -> None:
    """Five thousand a second and more of one core: `pasokh flow test --random 2000` tells."""
    scenes = [random_scene(flow(name), house().calendars, seed, AT_MS) for seed in range(50)]
    entered = functions_entered(lambda: [Trial(flow(name), scene, house().calendars).run() for scene in scenes])
    assert entered / len(scenes) < 2500


@pytest.mark.parametrize("name", FLOWS)
def test_who_presses_wildly_for_a_minute_or_says_nothing_never_hears_two_seconds_of_silence(name: str) -> None:
    """Sound of some kind begins within 2 s of the last, until the call ends by itself at the flow's limit at latest."""
    for seed in range(30):
        chance = random.Random(seed)
        scene = Scene(at_ms=AT_MS + seed * 3_600_000, agents="nobody", pins={"*": "4711"})
        listener = Listener(flow(name), scene)
        if seed % 3:
            listener.wild(chance)
        listener.to_the_end()
        assert listener.longest_silence <= 2.0, (seed, listener.longest_silence, listener.silent_at)
        assert listener.outcome and listener.now <= flow(name).max_seconds + 60 + 30


class Listener:
    """Drives a walk as the box would, and measures how long nothing is heard. People ring; questions take 50 ms."""

    def __init__(self, walked: Flow, scene: Scene) -> None:
        self.now = 0.0
        self.outcome = ""
        self.longest_silence = 0.0
        self.silent_at = ""
        self._scene = scene
        self._world = SceneWorld(scene, house().calendars)
        self._walk = Walk(walked, scene.language, self._world)
        self._coming: list[tuple[float, int, steps.Event]] = []
        self._heard_until = 0.0
        self._is_message = False
        self._number = 0
        self._node = ""
        self._do(self._walk.start(0.0))

    def wild(self, chance: random.Random) -> None:
        """Five keys a second for a minute, in bursts and with pauses."""
        ends = self.now + 60.0
        while self.now < ends:
            until = self.now + chance.choice([0.05, 0.2, 0.2, 0.7])
            self._until(until)
            if self.outcome:
                return
            self._turn(until)
            self._do(self._walk.receive(steps.Pressed(chance.choice(KEYS)), self.now))

    def _until(self, moment: float) -> None:
        """All that happens by itself before ``moment``."""
        while not self.outcome:
            if not self._step(moment):
                return

    def to_the_end(self) -> None:
        while not self.outcome:
            assert self._step(self.now + 3600.0), f"nothing ever happens at {self._node}"

    def _step(self, until: float) -> bool:
        """The next thing that happens by itself before ``until``."""
        deadline = self._walk.deadline
        moments = [each[0] for each in self._coming] + ([deadline] if deadline is not None else [])
        if not moments or min(moments) > until:
            return False
        at = min(moments)
        self._turn(at)
        if self._coming and min(self._coming)[0] <= at:
            event = min(self._coming)
            self._coming.remove(event)
            self._do(self._walk.receive(event[2], self.now))
        else:
            self._do(self._walk.due(self.now))
        return True

    def _turn(self, at: float) -> None:
        silent = at - max(self._heard_until, self.now) if self._heard_until < at else 0.0
        since = min(self._heard_until, at)
        if not self._is_message and silent > 0 and at - since > self.longest_silence:
            self.longest_silence, self.silent_at = at - since, self._node
        self.now = max(self.now, at)
        self._world.now_ms = self._scene.at_ms + round(1000 * self.now)

    def _soon(self, seconds: float, event: steps.Event) -> None:
        self._number += 1
        self._coming.append((self.now + seconds, self._number, event))

    def _do(self, commands: list[steps.Command]) -> None:
        for command in commands:
            match command:
                case steps.Entered(node):
                    self._node, self._is_message = node, False
                case steps.Say(play, prompts, language):
                    length = sum(house().spoken_length(language, each) for each in prompts)
                    self._coming = [each for each in self._coming if not isinstance(each[2], steps.Said)]
                    self._heard_until = self.now + length
                    self._soon(length, steps.Said(play, is_whole=True))
                case steps.StopSaying():
                    self._coming = [each for each in self._coming if not isinstance(each[2], steps.Said)]
                    self._heard_until = self.now
                case steps.Ask(number, steps.TakeMessage(most_seconds=most)):
                    self._is_message = True
                    self._heard_until = self.now + most
                    self._soon(most, steps.Answer(number, True, {"seconds": 5, "code": "100007"}))
                case steps.Ask(number, question):
                    self._soon(0.05, steps.Answer(number, *reply_of(self._scene, question)))
                case steps.RingAgents() | steps.Enqueue() | steps.TransferTo():
                    self._heard_until = self.now + 30.0  # ring-back, or music
                    self._soon(30.0, steps.NobodyAnswered("no_answer"))
                case steps.Finish(outcome):
                    self.outcome = outcome
                case _:
                    continue


def test_a_scene_says_what_does_not_fit() -> None:
    walked = flow("welcome")

    def verdict(*taken: str, **about: object) -> str:
        lines = [f"{name} = {value!r}".replace("'", '"') for name, value in about.items()]
        text = "\n".join(["[[test]]", f"steps = {list(taken)!r}".replace("'", '"'), *lines])
        (case,) = script.load(text, "welcome.test.toml")
        problem = script.verdict(case, Trial(walked, case.scene, house().calendars).run())
        return problem.key if problem else ""

    assert verdict("hears greeting", "presses 1", "hangs up") == ""
    assert verdict("hears goodbye") == "flow.test_not_heard"
    assert verdict("hears main_menu greeting") == "flow.test_not_heard"
    assert verdict("waits", "waits", "waits", "presses 1") == "flow.test_over"
    assert verdict("presses 1", ends="nobody") == "flow.test_wrong_end"
    assert verdict("presses 1", reaches=["hours"]) == "flow.test_not_reached"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[[test", "not_toml"),
        ("[tests]", "unknown_section"),
        ("", "missing_section"),
        ("[[test]]\nstep = []", "unknown_key"),
        ("[[test]]\nsteps = ['sings']", "test_bad_step"),
        ("[[test]]\nsteps = ['presses x']", "test_bad_step"),
        ("[[test]]\nsteps = 5", "test_bad_value"),
        ("[[test]]\nmoment = 'soon'", "test_bad_value"),
        ("[[test]]\nlanguage = 'de'", "test_bad_value"),
        ("[[test]]\nfacts = { weather = 1 }", "test_bad_value"),
        (f"[[test]]\nsteps = {['waits'] * 61}", "test_bad_value"),
        ("#" * (300 << 10), "too_long"),
    ],
)
def test_a_text_of_tests_that_cannot_be_meant_is_refused_with_its_reason(text: str, key: str) -> None:
    with pytest.raises(Problem, match=key):
        script.load(text, "x.test.toml")


def test_steps_are_read_as_people_write_them() -> None:
    text = '[[test]]\nsteps = ["hears a  b", "presses 12#", "presses 1 early", "waits", "speaks 5", "hangs up"]'
    (case,) = script.load(text, "x.test.toml")
    assert case.scene.steps[1:] == (Presses("12#"), Presses("1", is_early=True), Waits(), Speaks(5.0), HangsUp())
    assert case.line == 1


def test_a_terminator_behind_the_last_digit_there_is_room_for_is_no_key_of_what_follows(tmp_path: Path) -> None:
    text = OFFICE.replace('2 = "hours"', '2 = "number"') + (
        '\n[node.number]\nkind = "digits"\nprompt = "choices"\ninto = "n"\nmost = 3\ntimeout_seconds = 5\n'
        'next = "main"\non_failure = "bye"\n\n[variables]\nn = "digits"\n'
    )
    (tmp_path / "office.toml").write_text(text, encoding="utf-8")
    walked = catalogue.load_file(tmp_path / "office.toml")
    trail = Trial(walked, Scene(steps=(Presses("2"), Presses("123#"), HangsUp())), {}).run()
    assert trail.nodes[-1] == "main" and "wrong" not in trail.heard
    trail = Trial(walked, Scene(steps=(Presses("2"), Presses("123"), Waits(), Presses("#"), HangsUp())), {}).run()
    assert "wrong" in trail.heard


def test_a_talk_with_a_person_gives_the_flow_its_time_anew() -> None:
    morning = Scene(at_ms=moment_of("2026-10-05 11:30") or 0, talk_seconds=5000.0, steps=(Presses("2"),))
    trail = Trial(flow("shop"), morning, house().calendars).run()
    assert trail.seconds > 5000 and trail.nodes[-1] == "thanks"
