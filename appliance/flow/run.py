"""A caller's walk through a flow: a machine that is told what happens and says what to do.

Policy: keys pressed ahead are kept, up to twenty, and answer the menus to come until a person is rung; a notice is
always played to its end; recording may start only after a notice that was heard whole (else it is said once more, and
then there is no recording). Where the box waits for a key or an answer longer than two seconds, a soft sound tells that
the line lives. A walk ends by itself at the flow's limit, which begins anew after each talk with a person. Which node
follows is decided here and nowhere else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.flow import model, steps
from appliance.flow.model import Flow, Node
from appliance.flow.steps import Command, Event, Value
from appliance.flow.values import filled, fits, names_in, spoken, taken

MOST_AHEAD = 20
NOTICE_TRIES = 2
MOST_AT_ONCE = 200  # nodes passed without anything that takes time: check.py finds such circles before
TICK_SECONDS = 2.0
TICK_PLAY = 900_000  # the number of every such sound: nothing waits for its end
ANSWER_SECONDS = 2.3  # a look-up's two seconds and what it takes to hear of it
CONTROL_SECONDS = 130.0  # an outage notice is spoken and heard back
SLACK_SECONDS = 10.0  # a message's end is told by who records it; this is for when it is not
SPENT_SECONDS = 3.0
NPS_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Collect:
    """How keys are taken: how many, what ends them, and how long to wait for the first and for the next."""

    least: int
    most: int
    terminator: str
    first_seconds: float
    next_seconds: float


class Walk:
    """One caller in ``flow``. ``language`` is used where the flow speaks it, else the flow's first."""

    def __init__(self, flow: Flow, language: str, world: steps.World) -> None:
        self.language = language if language in flow.languages else flow.languages[0]
        self.deadline: float | None = None
        self.variables: dict[str, Value] = {}
        self._flow = flow
        self._world = world
        self._node: Node | None = None
        self._name = ""
        self._phase = ""  # of the node: "", confirm, taking, limit
        self._plays = 0
        self._saying = 0  # the play that is on, 0 for none
        self._ahead: deque[str] = deque()
        self._digits = ""
        self._attempts = 0
        self._tries = 0
        self._questions = 0
        self._asking = 0  # the question that is open, 0 for none
        self._until: float | None = None
        self._ticks = False
        self._quiet_since = 0.0
        self._is_secret = False
        self._may_record = False
        self._music = ""
        self._waits_since = 0.0  # in a line
        self._then = ""  # where a node that says something first goes after it
        self._ends_at = 0.0
        self._is_over = False
        self._spent = "", 0.0  # a terminator that may still come behind the last digit there is room for
        self._taken: list[tuple[str, str]] = []

    @property
    def is_secret(self) -> bool:
        """Whether keys that are pressed now are nobody's business."""
        return self._is_secret

    def taken_keys(self) -> list[tuple[str, str]]:
        """The keys that the flow took since the last time, with their nodes; never those of a secret."""
        taken, self._taken = self._taken, []
        return taken

    def start(self, now: float) -> list[Command]:
        self._ends_at = now + self._flow.max_seconds
        self._quiet_since = now
        commands: list[Command] = []
        if not self._flow.needs_notice:
            self._may_record = True
            commands.append(steps.RecordFromNow("none_needed", self._flow.start))
        return [*commands, *self._enter(self._flow.start, now)]

    def receive(self, event: Event, now: float) -> list[Command]:
        """What to do after ``event``; nothing after the end, or for what is no longer so."""
        if self._saying or isinstance(event, steps.AgentLeft | steps.NobodyAnswered | steps.LeftLine):
            self._quiet_since = now  # what was heard until now may end with this
        if self._is_over or (self._phase == "limit" and not isinstance(event, steps.Said)):
            return []
        match event:
            case steps.Pressed(digit):
                return self._pressed(digit, now)
            case steps.Said(play, is_whole):
                return self._said(play, is_whole, now)
            case steps.AgentAnswered():
                return []
            case steps.AgentLeft():
                self._ends_at = now + self._flow.max_seconds
                following = self._node.next if isinstance(self._node, model.PEOPLE) else None
                if following is None:
                    return []
                return self._enter(following, now) if following else self._finish("served")
            case steps.NobodyAnswered(reason):
                return self._nobody(reason, now)
            case steps.StillWaiting():
                return self._announced(now)
            case steps.LeftLine():
                node = self._node
                return self._enter(node.on_leave, now) if isinstance(node, model.Enqueue) and node.on_leave else []
            case steps.Answer(number=number) if number == self._asking and self._asking:
                self._asking = 0
                self._wait(None, now)
                return self._answered(event, now)
            case steps.Answer():
                return []

    def due(self, now: float) -> list[Command]:
        """Time has passed: nothing was pressed, nothing was answered, or the flow is at its limit."""
        if self.deadline is None or now < self.deadline or self._is_over:
            return []
        if now >= self._ends_at:
            return self._limit(now)
        if self._until is not None and now >= self._until:
            self._wait(None, now)
            if self._asking:
                number, self._asking = self._asking, 0
                return self._answered(steps.Answer(number, is_ok=False, reason="timeout"), now)
            return self._out_of_time(now)
        self._quiet_since = now
        self._wait(self._until, now, self._ticks)
        if self._until is None:
            return []
        return [steps.Say(TICK_PLAY, (steps.LISTENING,), self.language)]

    # Nodes ------------------------------------------------------------------------------------------------------------

    def _enter(self, name: str, now: float) -> list[Command]:
        """Goes to a node and through all that need nothing of the caller. check.py excludes circles of those."""
        commands: list[Command] = []
        for _ in range(MOST_AT_ONCE):
            node = self._flow.nodes[name]
            self._node, self._name, self._phase, self._digits, self._then = node, name, "", "", ""
            self._attempts = self._tries = 0
            self._wait(None, now)
            commands.append(steps.Entered(name, node.kind))
            following = self._at_once(node, commands)
            if not following:
                return [*commands, *self._begin(node, now)]
            name = following
        return [*commands, *self._finish("endless")]

    def _at_once(self, node: Node, commands: list[Command]) -> str:
        """The node that follows one which needs no time; empty for all others."""
        match node:
            case model.Say(next=following):
                return following if self._ahead else ""  # the caller knows the way
            case model.Goto(language=language, next=following):
                if language and language != self.language:
                    self._speak(language, commands)
                return following
            case model.Set(values=values, next=following):
                for variable, value in values.items():
                    self._take(variable, filled(value, self._known(value)) if isinstance(value, str) else value)
                return following
            case model.Choose(variable=variable, cases=cases, otherwise=otherwise):
                value = self._value(variable)
                return next((target for case, target in cases.items() if fits(case, value)), otherwise)
            case model.Hours():
                following, greeting = self._by_hours(node, commands)
                self._then = following
                return "" if greeting and not self._ahead else following
            case model.Outage(next=following):
                self._then = following
                return "" if self._world.outage() else following
            case _:
                return ""

    def _begin(self, node: Node, now: float) -> list[Command]:
        """The first commands of a node that takes time."""
        match node:
            case model.Say(prompt=prompt) | model.Notice(prompt=prompt) | model.Voicemail(prompt=prompt):
                return [self._say(prompt)]
            case model.Outage():
                return [self._say((self._world.outage(),))]
            case model.Hours(calendar=calendar):
                return [self._say((self._world.opening(calendar).greeting,))]
            case model.Identify(method="code", identity=identity):
                return self._ask(steps.SendCode(self._filled(identity)), ANSWER_SECONDS, now)
            case (
                model.Menu()
                | model.Consent()
                | model.Digits()
                | model.Language()
                | model.Tracking()
                | model.Survey()
                | model.Identify()
                | model.Faq()
            ):
                return self._prompted(node, (), now)
            case model.Call(agents=agents, ring_seconds=ring, whole_seconds=whole):
                self._ahead.clear()  # what comes after a person was rung is not what the caller had in mind
                return [steps.RingAgents(agents, ring, whole)]
            case model.Enqueue(queue=queue, whole_seconds=whole, leave_key=key, priority=priority):
                self._ahead.clear()
                every = node.every_seconds if node.announce or node.offer else 0.0
                self._waits_since = now
                return [steps.Enqueue(queue, whole, key, priority, every, bool(node.on_absent))]
            case model.Transfer(to=to, ring_seconds=ring):
                self._ahead.clear()
                return [steps.TransferTo(self._filled(to), ring)]
            case model.Lookup(lookup=lookup, wait_prompt=prompt):
                said = [self._say(prompt)] if prompt else []
                return [*said, *self._ask(steps.LookUp(lookup, self._for_lookup()), ANSWER_SECONDS, now)]
            case model.Callback(number=number, queue=queue, calendar=calendar):
                due = self._next_open(calendar) if calendar else 0
                asked = steps.OpenRequest("callback", self._filled(number), queue, due, "")
                return self._ask(asked, ANSWER_SECONDS, now)
            case model.Promise(about=about, within_minutes=minutes, number=number, calendar=calendar):
                begins = (self._next_open(calendar) if calendar else 0) or self._world.utc_ms()
                due = self.variables["request_due"] = begins + 60_000 * minutes
                asked = steps.OpenRequest("promise", self._filled(number), "", due, self._filled(about))
                return self._ask(asked, ANSWER_SECONDS, now)
            case model.Request(what=what, about=about):
                number = self._filled("{caller}")
                return self._ask(steps.OpenRequest(what, number, "", 0, self._filled(about)), ANSWER_SECONDS, now)
            case model.Control(action=action, value=value):
                return self._ask(steps.Control(action, self._filled(value)), CONTROL_SECONDS, now, ticks=False)
            case model.Goodbye(prompt=prompt, outcome=outcome):
                return [self._say(prompt)] if prompt else self._finish(outcome)
            case model.Goto() | model.Set() | model.Choose():
                raise AssertionError("these never take time")

    def _said(self, play: int, is_whole: bool, now: float) -> list[Command]:
        if play != self._saying:
            return []
        self._saying = 0
        if self._phase == "limit":
            return self._finish("limit")
        node = self._node
        match node:
            case model.Say(next=following):
                return self._enter(following, now)
            case model.Notice(prompt=prompt, next=following):
                self._tries += 1
                if not is_whole and self._tries < NOTICE_TRIES:
                    return [self._say(prompt)]
                return [*(self._consent("notice") if is_whole else ()), *self._enter(following, now)]
            case model.Hours() | model.Outage():
                return self._enter(self._then, now)
            case model.Goodbye(outcome=outcome):
                return self._finish(outcome)
            case model.Voicemail(what=what, most_seconds=most, terminator=terminator):
                return self._listen(steps.TakeMessage(what, most, terminator), now)
            case model.Survey(question="comment", most_seconds=most):
                return self._listen(steps.TakeMessage("comment", most, "#"), now)
            case None:
                return []
            case _:
                collect = self._collect(node)
                if collect is not None and not self._asking:
                    self._wait(now + collect.first_seconds, now)
                return []

    def _answered(self, answer: steps.Answer, now: float) -> list[Command]:
        """What a question came to."""
        node = self._node
        match node:
            case model.Lookup(into=into, next=following, on_failure=failure):
                is_found = answer.is_ok and all(name in answer.values for name in into)
                is_found = is_found and all(self._take(name, answer.values[name]) for name in into)
                return [*self._hush(), *self._enter(following if is_found else failure, now)]
            case model.Identify():
                return self._checked(node, answer, now)
            case model.Tracking(on_open=is_open, on_due=is_due, on_done=is_done, on_unknown=unknown):
                due = answer.values.get("due")
                if not answer.is_ok or answer.values.get("state") not in ("open", "done"):
                    return self._enter(unknown, now)
                if answer.values["state"] == "done":
                    return self._enter(is_done, now)
                if is_due and isinstance(due, int) and due:
                    self.variables["request_due"] = due
                    return self._enter(is_due, now)
                return self._enter(is_open, now)
            case model.Survey(next=following):
                return self._enter(following, now)
            case (
                model.Voicemail(into=into, next=following, on_failure=failure)
                | model.Callback(into=into, next=following, on_failure=failure)
                | model.Promise(into=into, next=following, on_failure=failure)
                | model.Request(into=into, next=following, on_failure=failure)
            ):
                if answer.is_ok and isinstance(node, model.Callback) and isinstance(answer.values.get("due"), int):
                    self.variables["request_due"] = answer.values["due"]
                if answer.is_ok and into:
                    self._take(into, answer.values.get("code", ""))
                return self._enter(following if answer.is_ok else failure, now)
            case model.Control(next=following, on_failure=failure):
                return self._enter(following if answer.is_ok else failure, now)
            case _:
                return []

    def _announced(self, now: float) -> list[Command]:
        """What is said to who waits in a line: nothing where nothing is known."""
        node = self._node
        if not isinstance(node, model.Enqueue):
            return []
        prompts = node.announce + (node.offer if now - self._waits_since >= node.offer_after_seconds else ())
        sounds = spoken(self._flow, prompts, self.language, self._value)
        if not sounds:
            return []
        self._plays += 1
        return [steps.Say(self._plays, sounds, self.language)]

    def _nobody(self, reason: str, now: float) -> list[Command]:
        match self._node:
            case model.Enqueue(on_full=following) if following and reason == steps.FULL:
                return self._enter(following, now)
            case model.Enqueue(on_absent=following) if following and reason == steps.ABSENT:
                return self._enter(following, now)
            case model.Call(on_nobody=following) | model.Enqueue(on_nobody=following):
                return self._enter(following, now)
            case model.Transfer(on_failure=following):
                return self._enter(following, now)
            case _:
                return []

    # Keys -------------------------------------------------------------------------------------------------------------

    def _collect(self, node: Node) -> Collect | None:
        """How the node takes keys now, None where it takes none."""
        match node:
            case model.Digits(timeout_seconds=first) if self._phase == "confirm":
                return Collect(1, 1, "", first, first)
            case model.Digits(least=least, most=most, terminator=ends, timeout_seconds=first, between_seconds=next_):
                return Collect(least, most, ends, first, next_)
            case model.Identify(least=least, most=most, timeout_seconds=first):
                return Collect(least, most, "#", first, 4.0)
            case model.Tracking(timeout_seconds=first):
                return Collect(6, 6, "#", first, 4.0)
            case model.Survey(question="nps", timeout_seconds=first):
                return Collect(NPS_DIGITS, NPS_DIGITS, "#", first, first)
            case model.Survey(question="comment"):
                return None
            case (
                model.Survey(timeout_seconds=first)
                | model.Menu(timeout_seconds=first)
                | model.Consent(timeout_seconds=first)
                | model.Language(timeout_seconds=first)
                | model.Faq(timeout_seconds=first)
            ):
                return Collect(1, 1, "", first, first)
            case _:
                return None

    def _prompted(self, node: Node, before: tuple[str, ...], now: float) -> list[Command]:
        """The node's question, unless the caller has answered it already."""
        self._digits = ""
        secret: list[Command] = []
        if self._hides(node):
            self._ahead.clear()  # a secret is never taken from keys that were shown
            self._is_secret = True
            secret.append(steps.Secret(True))
        if self._ahead and not before:
            return self._next_ahead(node, now)
        prompts: tuple[str, ...] = getattr(node, "prompt", ())
        return [*secret, self._say(before + prompts)]

    def _hides(self, node: Node) -> bool:
        if isinstance(node, model.Identify):
            return True
        return isinstance(node, model.Digits) and self._flow.variables.get(node.into) == "secret"

    def _next_ahead(self, node: Node, now: float) -> list[Command]:
        """Keys pressed before the question, as many as it takes."""
        commands: list[Command] = []
        while self._ahead and self._node is node and not commands:
            commands = self._key(node, self._ahead.popleft(), now)
        if not commands and self._node is node:
            self._wait(now + 4.0, now)
        return commands

    def _pressed(self, digit: str, now: float) -> list[Command]:
        (spent, until), self._spent = self._spent, ("", 0.0)
        if digit == spent and now < until:
            return []
        node = self._node
        match node:
            case model.Say(next=following):
                self._keep(digit)
                return [*self._hush(), *self._enter(following, now)]
            case model.Hours() | model.Outage():
                self._keep(digit)
                return [*self._hush(), *self._enter(self._then, now)]
            case model.Voicemail() if self._saying:
                return [*self._hush(), *self._said_over(now)]
            case model.Survey(question="comment") if self._saying:
                return [*self._hush(), *self._said_over(now)]
            case None:
                return []
            case _:
                if self._asking or self._collect(node) is None:
                    if not self._is_secret and isinstance(node, model.Notice | model.Lookup | model.Request):
                        self._keep(digit)
                    return []
                return [*self._hush(), *self._key(node, digit, now)]

    def _said_over(self, now: float) -> list[Command]:
        """The prompt was cut short by a key: as if it had been said."""
        self._plays += 1
        self._saying = self._plays
        return self._said(self._plays, True, now)

    def _keep(self, digit: str) -> None:
        if len(self._ahead) < MOST_AHEAD:
            self._ahead.append(digit)

    def _key(self, node: Node, digit: str, now: float) -> list[Command]:
        """One key for a node that takes keys: nothing until there are enough."""
        collect = self._collect(node)
        assert collect is not None
        if not self._is_secret:
            self._taken.append((self._name, digit))
        if digit == collect.terminator:
            return self._collected(node, now) if len(self._digits) >= collect.least else self._wrong(node, now)
        self._digits += digit
        if len(self._digits) >= collect.most:
            if collect.most > 1:
                self._spent = collect.terminator, now + SPENT_SECONDS
            return self._collected(node, now)
        self._wait(now + collect.next_seconds, now)
        return []

    def _collected(self, node: Node, now: float) -> list[Command]:
        """As many keys as the node takes were pressed."""
        self._wait(None, now)
        digits, self._digits = self._digits, ""
        match node:
            case model.Menu(keys=keys):
                return self._enter(keys[digits], now) if digits in keys else self._wrong(node, now)
            case model.Faq(keys=keys, answers=answers):
                if digits in keys:
                    return self._enter(keys[digits], now)
                if digits not in answers:
                    return self._wrong(node, now)
                self._attempts = 0
                return [self._say(answers[digits] + node.prompt)]
            case model.Consent(on_yes=yes, on_no=no):
                if digits == "1":
                    return [*self._consent("asked"), *self._enter(yes, now)]
                return self._enter(no, now) if digits == "2" else self._wrong(node, now)
            case model.Language(keys=keys, next=following):
                commands: list[Command] = []
                if keys.get(digits, self.language) != self.language:
                    self._speak(keys[digits], commands)
                return [*commands, *self._enter(following, now)]
            case model.Digits():
                return self._digits_given(node, digits, now)
            case model.Tracking():
                return self._ask(steps.FindRequest(digits), ANSWER_SECONDS, now)
            case model.Identify(method=method, identity=identity):
                code = steps.CheckCode(digits) if method == "code" else steps.CheckPin(self._filled(identity), digits)
                return [*self._shown(), *self._ask(code, ANSWER_SECONDS, now)]
            case model.Survey():
                return self._surveyed(node, digits, now)
            case _:
                raise AssertionError("takes no keys")

    def _digits_given(self, node: model.Digits, digits: str, now: float) -> list[Command]:
        if self._phase == "confirm":
            if digits == "1":
                return self._enter(node.next, now)
            self._phase = ""
            return self._wrong(node, now) if digits != "2" else self._failed_once(node, (), now)
        if not digits.isdigit():
            return self._wrong(node, now)  # a star in the middle of a number
        self.variables[node.into] = digits
        if not node.confirm:
            return [*self._shown(), *self._enter(node.next, now)]
        self._phase = "confirm"
        return [*self._shown(), self._say((f"{{{node.into}:{node.confirm}}}", *node.confirm_prompt))]

    def _surveyed(self, node: model.Survey, digits: str, now: float) -> list[Command]:
        value = int(digits) if digits.isdigit() else -1
        match node.question:
            case "csat" if 1 <= value <= 5:
                given = steps.SurveyGiven("csat", value)
            case "nps" if 0 <= value <= 10:
                given = steps.SurveyGiven("nps", value)
            case "resolved" if value in (1, 2):
                given = steps.SurveyGiven("resolved", int(value == 1))
            case _:
                return self._wrong(node, now)
        return [given, *self._enter(node.next, now)]

    def _wrong(self, node: Node, now: float) -> list[Command]:
        self._ahead.clear()
        return self._failed_once(node, getattr(node, "wrong_prompt", ()), now)

    def _out_of_time(self, now: float) -> list[Command]:
        """Nothing, or too little, was pressed in time."""
        node = self._node
        if node is None:
            return []
        collect = self._collect(node)
        if collect is not None and self._digits and len(self._digits) >= collect.least:
            return self._collected(node, now)
        if isinstance(node, model.Language):
            return self._enter(node.next, now)
        return self._failed_once(node, getattr(node, "timeout_prompt", ()), now)

    def _failed_once(self, node: Node, before: tuple[str, ...], now: float) -> list[Command]:
        self._attempts += 1
        if self._phase == "confirm":
            self._phase = ""
        if self._attempts < getattr(node, "attempts", 1):
            return self._prompted(node, before, now)
        return [*self._shown(), *self._given_up(node, now)]

    def _given_up(self, node: Node, now: float) -> list[Command]:
        """The node's attempts are used up."""
        match node:
            case model.Menu(on_failure=failure) | model.Digits(on_failure=failure) | model.Faq(on_failure=failure):
                return self._enter(failure, now)
            case model.Consent(on_no=no):
                return self._enter(no, now)
            case model.Survey(next=following):
                return self._enter(following, now)
            case model.Tracking(on_unknown=unknown):
                return self._enter(unknown, now)
            case model.Identify():
                return self._unproven(node, now)
            case _:
                return []

    # Identity ---------------------------------------------------------------------------------------------------------

    def _checked(self, node: model.Identify, answer: steps.Answer, now: float) -> list[Command]:
        if node.method == "code" and self._phase == "":
            if not answer.is_ok:
                return self._unproven(node, now)
            self._phase = "sent"
            return self._prompted(node, (), now)
        if answer.is_ok:
            return [steps.Proven(node.method, True, self._filled(node.identity)), *self._enter(node.on_yes, now)]
        if answer.reason == "locked":
            return self._unproven(node, now)
        return self._failed_once(node, node.wrong_prompt, now)

    def _unproven(self, node: model.Identify, now: float) -> list[Command]:
        return [steps.Proven(node.method, False, self._filled(node.identity)), *self._enter(node.on_no, now)]

    # What nodes share -------------------------------------------------------------------------------------------------

    def _by_hours(self, node: model.Hours, commands: list[Command]) -> tuple[str, str]:
        """Where the hours lead, and the greeting of the day."""
        opening = self._world.opening(node.calendar)
        if opening.music != self._music:
            self._music = opening.music
            commands.append(steps.SetMusic(opening.music))
        if opening.next_open_ms is not None and not opening.is_open:
            self.variables["next_open"] = opening.next_open_ms
        ways = {
            "break": node.on_break,
            "holiday": node.on_holiday,
            "closure": node.on_holiday,
            "night": node.on_night,
            "doubt": node.on_doubt or node.on_open,
        }
        if opening.is_open:
            return node.on_open, opening.greeting
        return ways.get(opening.state.value, "") or node.on_closed, opening.greeting

    def _next_open(self, calendar: str) -> int:
        opening = self._world.opening(calendar)
        return 0 if opening.is_open else opening.next_open_ms or 0

    def _speak(self, language: str, commands: list[Command]) -> None:
        self.language = language
        commands.append(steps.SetLanguage(language))

    def _consent(self, how: str) -> list[Command]:
        if self._may_record:
            return []
        self._may_record = True
        return [steps.RecordFromNow("asked" if how == "asked" else "notice", self._name)]

    def _value(self, variable: str) -> Value:
        if variable in self.variables:
            return self.variables[variable]
        return self._world.fact(variable) if variable in model.FACTS else ""

    def _known(self, template: str) -> Mapping[str, Value]:
        return {name: self._value(name) for name in names_in(template)}

    def _filled(self, template: str) -> str:
        return filled(template, self._known(template)) if "{" in template else template

    def _for_lookup(self) -> dict[str, str]:
        known = {**{name: self._world.fact(name) for name in ("caller", "called", "line")}, **self.variables}
        return {name: str(value) for name, value in [*known.items(), ("language", self.language)]}

    def _take(self, variable: str, value: Value) -> bool:
        """Keeps a value as its variable's type; False where it cannot be one."""
        kept = taken(self._flow.variables.get(variable, "text"), value)
        if kept is not None:
            self.variables[variable] = kept
        return kept is not None

    def _ask(self, question: steps.Question, seconds: float, now: float, ticks: bool = True) -> list[Command]:
        self._questions += 1
        self._asking = self._questions
        self._wait(now + seconds, now, ticks)
        return [steps.Ask(self._questions, question, seconds)]

    def _listen(self, question: steps.TakeMessage, now: float) -> list[Command]:
        return self._ask(question, question.most_seconds + SLACK_SECONDS, now, ticks=False)

    def _say(self, prompts: tuple[str, ...]) -> Command:
        self._plays += 1
        self._saying = self._plays
        self._wait(None, self._ends_at)
        return steps.Say(self._plays, spoken(self._flow, prompts, self.language, self._value), self.language)

    def _hush(self) -> list[Command]:
        saying, self._saying = self._saying, 0
        return [steps.StopSaying(saying)] if saying else []

    def _shown(self) -> list[Command]:
        """Keys are no secret any more."""
        if not self._is_secret:
            return []
        self._is_secret = False
        return [steps.Secret(False)]

    def _wait(self, until: float | None, now: float, ticks: bool = True) -> None:
        """The walk wants to be called at ``until``, and before it for a sound of life; at the flow's limit anyway."""
        self._until, self._ticks = until, ticks
        self.deadline = self._ends_at
        if until is not None:
            tick = max(now, self._quiet_since + TICK_SECONDS) if ticks else until
            self.deadline = min(until, tick, self._ends_at)

    def _limit(self, now: float) -> list[Command]:
        """The call has lasted as long as the flow allows."""
        commands = [*self._shown(), *self._hush()]
        self._asking = 0
        if self._phase == "limit" or not self._flow.limit_prompt:
            return [*commands, *self._finish("limit")]
        self._phase = "limit"
        self._ends_at = now + 30.0  # for the words of farewell
        return [*commands, self._say(self._flow.limit_prompt)]

    def _finish(self, outcome: str) -> list[Command]:
        self._is_over = True
        self.deadline = None
        return [*self._shown(), steps.Finish(outcome)]
