"""A caller's walk through a flow: a machine that is told what happens and says what to do.

Policy: keys pressed ahead are kept, up to twenty, and answer the menus to come until a person is rung; a notice is
always played to its end; recording may start only after a notice that was heard whole (else it is said once more, and
then there is no recording). Which node follows is decided here and nowhere else.
"""

from __future__ import annotations

from collections import deque

from appliance.flow import steps
from appliance.flow.model import Call, Flow, Goto, HangUp, Menu, Node, Notice, Say
from appliance.flow.steps import Command, Event

MOST_AHEAD = 20
NOTICE_TRIES = 2


class Walk:
    """One caller in ``flow``. ``language`` is used where the flow speaks it, else the flow's first."""

    def __init__(self, flow: Flow, language: str) -> None:
        self.language = language if language in flow.languages else flow.languages[0]
        self.deadline: float | None = None
        self._flow = flow
        self._node: Node | None = None
        self._name = ""
        self._plays = 0
        self._saying = 0  # the play that is on, 0 for none
        self._ahead: deque[str] = deque()
        self._attempts = 0
        self._tries = 0
        self._may_record = False
        self._is_over = False

    def start(self, now: float) -> list[Command]:
        commands: list[Command] = []
        if not self._flow.needs_notice:
            self._may_record = True
            commands.append(steps.RecordFromNow("none_needed", self._flow.start))
        return [*commands, *self._enter(self._flow.start, now)]

    def receive(self, event: Event, now: float) -> list[Command]:
        """What to do after ``event``; nothing after the end, or for what is no longer so."""
        if self._is_over:
            return []
        match event:
            case steps.Pressed(digit):
                return self._pressed(digit, now)
            case steps.Said(play, is_whole):
                return self._said(play, is_whole, now)
            case steps.AgentAnswered():
                return []
            case steps.AgentLeft():
                if not isinstance(self._node, Call):
                    return []
                return self._enter(self._node.next, now) if self._node.next else self._finish("served")
            case steps.NobodyAnswered():
                return self._enter(self._node.on_nobody, now) if isinstance(self._node, Call) else []

    def due(self, now: float) -> list[Command]:
        """The caller pressed nothing in time."""
        if self.deadline is None or now < self.deadline or self._is_over:
            return []
        self.deadline = None
        menu = self._node
        return self._failed_once(menu, menu.timeout_prompts, now) if isinstance(menu, Menu) else []

    # Nodes ------------------------------------------------------------------------------------------------------------

    def _enter(self, name: str, now: float) -> list[Command]:
        """Goes to a node and through all that need nothing of the caller. check.py excludes circles of those."""
        commands: list[Command] = []
        while True:
            node = self._flow.nodes[name]
            self._node, self._name = node, name
            self.deadline = None
            self._attempts = self._tries = 0
            commands.append(steps.Entered(name, node.kind))
            match node:
                case Goto(language=language, next=following):
                    if language and language != self.language:
                        self.language = language
                        commands.append(steps.SetLanguage(language))
                    name = following
                case Say(prompts=prompts, next=following):
                    if self._ahead:  # the caller knows the way
                        name = following
                        continue
                    return [*commands, self._say(prompts)]
                case Notice(prompts=prompts):
                    return [*commands, self._say(prompts)]
                case Menu():
                    return [*commands, *self._ask(node, (), now)]
                case Call(agents=agents, ring_seconds=ring, whole_seconds=whole):
                    self._ahead.clear()  # what comes after a person was rung is not what the caller had in mind
                    return [*commands, steps.RingAgents(agents, ring, whole)]
                case HangUp(prompts=prompts, outcome=outcome):
                    return [*commands, self._say(prompts)] if prompts else [*commands, *self._finish(outcome)]

    def _ask(self, menu: Menu, before: tuple[str, ...], now: float) -> list[Command]:
        """The menu's question, unless the caller has answered it already."""
        if self._ahead:
            return self._chosen(menu, self._ahead.popleft(), now)
        return [self._say(before + menu.prompts)]

    def _chosen(self, menu: Menu, digit: str, now: float) -> list[Command]:
        target = menu.keys.get(digit)
        if target is not None:
            return self._enter(target, now)
        self._ahead.clear()
        return self._failed_once(menu, menu.wrong_prompts, now)

    def _failed_once(self, menu: Menu, prompts: tuple[str, ...], now: float) -> list[Command]:
        self._attempts += 1
        if self._attempts >= menu.attempts:
            return self._enter(menu.on_failure, now)
        return self._ask(menu, prompts, now)

    def _pressed(self, digit: str, now: float) -> list[Command]:
        node = self._node
        match node:
            case Menu():
                self.deadline = None
                return [*self._hush(), *self._chosen(node, digit, now)]
            case Say(next=following):
                self._keep(digit)
                return [*self._hush(), *self._enter(following, now)]
            case Notice():
                self._keep(digit)
                return []
            case Goto() | Call() | HangUp() | None:
                return []

    def _keep(self, digit: str) -> None:
        if len(self._ahead) < MOST_AHEAD:
            self._ahead.append(digit)

    def _said(self, play: int, is_whole: bool, now: float) -> list[Command]:
        if play != self._saying:
            return []
        self._saying = 0
        node = self._node
        match node:
            case Say(next=following):
                return self._enter(following, now)
            case Notice(prompts=prompts, next=following):
                self._tries += 1
                if not is_whole and self._tries < NOTICE_TRIES:
                    return [self._say(prompts)]
                consent = self._consent() if is_whole else []
                return [*consent, *self._enter(following, now)]
            case Menu(timeout_seconds=seconds):
                self.deadline = now + seconds
                return []
            case HangUp(outcome=outcome):
                return self._finish(outcome)
            case Goto() | Call() | None:
                return []

    def _consent(self) -> list[Command]:
        if self._may_record:
            return []
        self._may_record = True
        return [steps.RecordFromNow("notice", self._name)]

    def _say(self, prompts: tuple[str, ...]) -> Command:
        self._plays += 1
        self._saying = self._plays
        return steps.Say(self._plays, prompts, self.language)

    def _hush(self) -> list[Command]:
        saying, self._saying = self._saying, 0
        return [steps.StopSaying(saying)] if saying else []

    def _finish(self, outcome: str) -> list[Command]:
        self._is_over = True
        self.deadline = None
        return [steps.Finish(outcome)]
