"""A call that is not: one caller's steps through a flow in virtual time, and what came of it.

The other side of the walk's questions is a ``Scene``: whether agents answer, what servers say, which PIN is right. The
same scene can be played by real telephones (calls/rehearsal.py), and must come to the same ``Trail``.
A caller listens until the box has nothing more to say before pressing a key, unless the step is ``early``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from appliance.flow import model, steps
from appliance.flow.model import Flow
from appliance.flow.run import Walk
from appliance.flow.steps import Value
from appliance.hours.answer import Answer as Opening
from appliance.hours.answer import answer as opening_at
from appliance.hours.model import Hours, Switches

USUAL_SECONDS = 2.0  # of a prompt whose sound is not there
ANSWERED_AFTER = 0.1  # seconds until a question is answered
PRESSED_AFTER = 0.4  # seconds between the end of a prompt and the key
RUNG_SECONDS = 3.0
MOST_STEPS = 400  # of the box; a flow's own limit comes first

# Steps of the caller --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Presses:
    keys: str
    is_early: bool = False


@dataclass(frozen=True, slots=True)
class Waits:
    """Says and presses nothing until the box has asked again, or ended the call."""


@dataclass(frozen=True, slots=True)
class Hears:
    """These prompts were said, in this order, since the last such step."""

    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Speaks:
    """Leaves a message of so many seconds, and presses the key that ends it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class HangsUp:
    pass


Step = Presses | Waits | Hears | Speaks | HangsUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that is not the flow: who calls when, and how everybody else behaves."""

    at_ms: int = 0
    caller: str = "09121234567"
    called: str = "02188123456"
    language: str = "fa"
    is_clock_sure: bool = True
    switches: Switches = field(default_factory=Switches)
    outage: str = ""
    agents: Literal["answer", "nobody"] = "answer"
    talk_seconds: float = 20.0
    lookups: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)  # one that is not here fails
    pins: Mapping[str, str] = field(default_factory=dict)  # by identity; "*": of everybody else
    code: str = ""  # the one-time code that was sent; empty: it could not be sent
    requests: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    next_code: str = "100007"
    facts: Mapping[str, Value] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Trail:
    """What came of it: the nodes in order, the prompts that began, how it ended.

    ``failed`` is the step that did not fit, ``missing`` then the prompt not heard, or empty: the call was over.
    """

    nodes: tuple[str, ...]
    heard: tuple[str, ...]
    outcome: str
    seconds: float
    failed: int | None = None
    missing: str = ""


LengthOf = Callable[[str, str], float]


def plain_length(_language: str, _prompt: str) -> float:
    return USUAL_SECONDS


class SceneWorld:
    """steps.World of a scene, whose clock goes on with the call."""

    def __init__(self, scene: Scene, calendars: Mapping[str, Hours]) -> None:
        self._scene = scene
        self._calendars = calendars
        self.now_ms = scene.at_ms

    def opening(self, calendar: str) -> Opening:
        scene = self._scene
        return opening_at(self._calendars[calendar], self.now_ms, scene.switches, scene.is_clock_sure)

    def utc_ms(self) -> int:
        return self.now_ms

    def outage(self) -> str:
        return self._scene.outage

    def fact(self, name: str) -> Value:
        scene = self._scene
        known: dict[str, Value] = {
            "caller": scene.caller,
            "called": scene.called,
            "language": scene.language,
            "now": self.now_ms,
            "is_outage": bool(scene.outage),
            "is_night": scene.switches.night,
        }
        usual: Value = {"number": 0, "yes_no": False, "moment": 0}.get(model.FACTS[name], "")
        return scene.facts.get(name, known.get(name, usual))


class Trial:
    """One call. ``run`` plays the scene's steps; ``listen`` and ``press`` serve whoever chooses steps as they come."""

    def __init__(
        self,
        flow: Flow,
        scene: Scene,
        calendars: Mapping[str, Hours],
        length_of: LengthOf = plain_length,
    ) -> None:
        self.scene = scene
        self.nodes: list[str] = []
        self.heard: list[str] = []
        self.outcome = ""
        self.now = 0.0
        self.is_recording_message = False
        self._length_of = length_of
        self._world = SceneWorld(scene, calendars)
        self._flow = flow
        self._walk = Walk(flow, scene.language, self._world)
        self._said: tuple[float, int] | None = None  # when which play ends
        self._coming: tuple[float, steps.Event] | None = None
        self._talking: tuple[float, str] | None = None
        self._marked = 0  # what was heard before this was looked at already
        self._question = 0
        self._moves = 0
        self._do(self._walk.start(0.0))

    def run(self) -> Trail:
        failed: int | None = None
        missing = ""
        for number, step in enumerate(self.scene.steps):
            if isinstance(step, HangsUp):
                self.listen()
                if not self.is_over:
                    self.outcome = "abandoned"
                break
            missing_now = self._step(step)
            if missing_now is not None:
                failed, missing = number, missing_now
                break
        while not self.is_over and failed is None:
            self._wait_over()
        return self.trail(failed, missing)

    def trail(self, failed: int | None = None, missing: str = "") -> Trail:
        return Trail(tuple(self.nodes), tuple(self.heard), self.outcome, self.now, failed, missing)

    @property
    def language(self) -> str:
        return self._walk.language

    @property
    def is_over(self) -> bool:
        return self.outcome != ""

    @property
    def node(self) -> model.Node:
        return self._flow.nodes[self.nodes[-1]]

    def listen(self) -> None:
        """Until the box has nothing more to say and waits for a key, or the call is over."""
        while not self.is_over and (self._said is not None or self._coming is not None):
            self._next()

    def press(self, keys: str) -> None:
        for key in keys:
            self.now += PRESSED_AFTER
            if self.is_recording_message:
                if key == "#":
                    self._message_ends(1.0)
                continue
            self._do(self._walk.receive(steps.Pressed(key), self.now))

    def wait(self) -> None:
        """Nothing is pressed until the box speaks again."""
        before = len(self.heard), len(self.nodes)
        while not self.is_over and (len(self.heard), len(self.nodes)) == before:
            self._next()
        self.listen()

    def hang_up(self) -> None:
        if not self.is_over:
            self.outcome = "abandoned"

    # Steps ------------------------------------------------------------------------------------------------------------

    def _step(self, step: Step) -> str | None:
        """Takes one step; says what did not fit (empty: the call was over), None where it did."""
        match step:
            case Presses(keys, is_early):
                if not is_early:
                    self.listen()
                if self.is_over:
                    return ""
                self.press(keys)
            case Waits():
                self.listen()
                if self.is_over:
                    return ""
                self.wait()
            case Hears(prompts):
                self.listen()
                at = self._marked
                for prompt in prompts:
                    try:
                        at = self.heard.index(prompt, at) + 1
                    except ValueError:
                        return prompt
                self._marked = at
            case Speaks(seconds):
                self.listen()
                if self.is_over or not self.is_recording_message:
                    return ""
                self._message_ends(seconds)
            case HangsUp():
                self.hang_up()
        return None

    def _wait_over(self) -> None:
        self.listen()
        if not self.is_over:
            self.wait()

    # Time -------------------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        """The next thing that happens by itself."""
        self._moves += 1
        said, coming, deadline = self._said, self._coming, self._walk.deadline
        if self._moves > MOST_STEPS and said is None:
            self.outcome = "endless"
        elif said is not None and (coming is None or said[0] <= coming[0]):
            self._said = None
            self._at(said[0], steps.Said(said[1], is_whole=True))
        elif coming is not None:
            self._coming = None
            self._at(coming[0], coming[1])
        elif self.is_recording_message:
            self._message_ends(5.0)
        elif deadline is not None:
            self._turn(deadline)
            self._do(self._walk.due(self.now))
        else:
            self.outcome = "stuck"

    def _at(self, moment: float, event: steps.Event) -> None:
        self._turn(moment)
        self._do(self._walk.receive(event, self.now))
        if isinstance(event, steps.AgentAnswered) and not self.is_over:
            self._coming = self.now + self.scene.talk_seconds, steps.AgentLeft(event.agent)

    def _turn(self, moment: float) -> None:
        self.now = max(self.now, moment)
        self._world.now_ms = self.scene.at_ms + round(1000 * self.now)

    def _message_ends(self, seconds: float) -> None:
        self.is_recording_message = False
        self._turn(self.now + seconds)
        values: dict[str, Value] = {"seconds": round(seconds), "code": self.scene.next_code}
        self._do(self._walk.receive(steps.Answer(self._question, True, values), self.now))

    # What the walk asks -----------------------------------------------------------------------------------------------

    def _do(self, commands: list[steps.Command]) -> None:
        for command in commands:
            match command:
                case steps.Entered(node):
                    self.nodes.append(node)
                case steps.Say(play, prompts, language):
                    if prompts == (steps.LISTENING,):
                        continue
                    self.heard += prompts
                    length = self._length_of
                    self._said = self.now + sum([length(language, each) for each in prompts]), play
                case steps.StopSaying():
                    self._said = None
                case steps.Ask(number, question):
                    self._asked(number, question)
                case steps.RingAgents(agents) if self.scene.agents == "answer":
                    self._coming = self.now + RUNG_SECONDS, steps.AgentAnswered(agents[0])
                case steps.RingAgents(whole_seconds=whole):
                    self._coming = self.now + min(whole, RUNG_SECONDS), steps.NobodyAnswered("no_answer")
                case steps.Enqueue() | steps.TransferTo():
                    answered = self.scene.agents == "answer"
                    event = steps.AgentAnswered("agent") if answered else steps.NobodyAnswered("no_answer")
                    self._coming = self.now + RUNG_SECONDS, event
                case steps.Finish(outcome):
                    self.outcome = outcome
                case (
                    steps.RecordFromNow()
                    | steps.Secret()
                    | steps.SurveyGiven()
                    | steps.Proven()
                    | steps.SetLanguage()
                    | steps.SetMusic()
                ):
                    pass

    def _asked(self, number: int, question: steps.Question) -> None:
        if isinstance(question, steps.TakeMessage):
            self.is_recording_message = True
            self._question = number
            return
        self._coming = self.now + ANSWERED_AFTER, steps.Answer(number, *reply_of(self.scene, question))


def reply_of(scene: Scene, question: steps.Question) -> tuple[bool, Mapping[str, Value], str]:
    """What the scene's other side says: whether there is an answer, its values, and why not."""
    match question:
        case steps.LookUp(lookup):
            return lookup in scene.lookups, scene.lookups.get(lookup, {}), ""
        case steps.CheckPin(identity, pin):
            is_right = scene.pins.get(identity, scene.pins.get("*")) == pin
            return is_right, {}, "" if is_right else "wrong"
        case steps.SendCode():
            return scene.code != "", {}, ""
        case steps.CheckCode(code):
            return scene.code != "" and code == scene.code, {}, ""
        case steps.OpenRequest(due_ms=due):
            return True, {"code": scene.next_code, "due": due}, ""
        case steps.FindRequest(code):
            return True, scene.requests.get(code, {"state": "unknown"}), ""
        case steps.Control() | steps.TakeMessage():
            return True, {}, ""


# Paths at random ------------------------------------------------------------------------------------------------------


def random_scene(flow: Flow, calendars: Mapping[str, Hours], seed: int, at_ms: int) -> Scene:
    """A caller who does what callers do, likely moves first; the scene holds the steps that were taken."""
    chance = random.Random(seed)
    scene = _random_surroundings(flow, chance, at_ms)
    trial = Trial(flow, scene, calendars)
    taken: list[Step] = []
    for _ in range(12):
        trial.listen()
        if trial.is_over:
            break
        step = _random_step(trial, chance)
        taken.append(step)
        if isinstance(step, HangsUp):
            break
        trial._step(step)
    else:
        taken.append(HangsUp())
    return replace(scene, steps=tuple(taken))


def _random_surroundings(flow: Flow, chance: random.Random, at_ms: int) -> Scene:
    lookups = {
        node.lookup: {name: _random_value(flow, name, chance) for name in node.into}
        for node in flow.nodes.values()
        if isinstance(node, model.Lookup) and chance.random() < 0.7
    }
    return Scene(
        at_ms=at_ms + chance.randrange(7 * 24 * 60) * 60_000,
        language=chance.choice(flow.languages),
        is_clock_sure=chance.random() > 0.05,
        agents="answer" if chance.random() < 0.6 else "nobody",
        talk_seconds=2.0,
        lookups=lookups,
        pins={"*": "4711"},
        code="471147",
        requests={"100007": {"state": chance.choice(["open", "done"]), "due": 0}},
    )


def _random_value(flow: Flow, name: str, chance: random.Random) -> Value:
    """One that some case of the flow names, or any of its type."""
    cases = [
        case
        for node in flow.nodes.values()
        if isinstance(node, model.Choose) and node.variable == name
        for case in node.cases
        if case[0] not in "<>"
    ]
    kind = flow.variables.get(name, "text")
    if kind == "text":
        return chance.choice([*cases, "other"])
    if kind == "yes_no":
        return chance.random() < 0.5
    if kind == "digits":
        return str(chance.randrange(10_000, 99_999))
    return chance.randrange(100_000)


def _random_step(trial: Trial, chance: random.Random) -> Step:
    fate = chance.random()
    if fate < 0.03:
        return HangsUp()
    if trial.is_recording_message:
        return Speaks(2.0)
    if fate < 0.1:
        return Waits()
    node = trial.node
    match node:
        case model.Menu(keys=keys):
            return Presses(chance.choice([*keys] * 3 + list("0123456789*#")))
        case model.Faq(keys=keys, answers=answers):
            return Presses(chance.choice([*keys, *answers]))
        case model.Language(keys=keys):
            return Presses(chance.choice([*keys]))
        case model.Consent():
            return Presses(chance.choice("112"))
        case model.Digits():
            if node.confirm and chance.random() < 0.5:
                return Presses(chance.choice("1112"))
            digits = "".join(chance.choice("0123456789") for _ in range(max(node.least, min(node.most, 6))))
            return Presses(digits + (node.terminator if node.least != node.most else ""))
        case model.Identify(method=method):
            right = trial.scene.code if method == "code" else trial.scene.pins["*"]
            return Presses(f"{right if chance.random() < 0.7 else '999999'}#")
        case model.Tracking():
            return Presses(chance.choice(["100007", "123123"]))
        case model.Survey(question=question):
            return Presses(chance.choice(["05", "10", "12"]) if question == "nps" else chance.choice("1259"))
        case _:
            return Waits()
