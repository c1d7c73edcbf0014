"""What is wrong with a flow beyond its form: nothing is left for a caller to find.

Pure: whether a prompt's sound is there is asked of ``has_prompt``. Every finding is a Problem with file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from appliance.errors import Problem
from appliance.flow.model import Call, Flow, Goto, HangUp, Menu, Node, Notice, Say, follows, prompts_of

HasPrompt = Callable[[str, str], bool]
"""Whether the sound of a prompt is there: language, name."""


def check(flow: Flow, has_prompt: HasPrompt, agents: Collection[str] | None) -> list[Problem]:
    """Everything found, in the order of the file. ``agents`` None: who the agents are is not known here."""
    found = [
        *_targets(flow),
        *_unreachable(flow),
        *_circles(flow),
        *_prompts(flow, has_prompt),
        *_agents(flow, agents),
        *_languages(flow),
    ]
    return sorted(found, key=lambda problem: int(problem.fields.get("line", 0)))


def _targets(flow: Flow) -> Iterator[Problem]:
    for name, node in flow.nodes.items():
        for setting, target in follows(node):
            if target not in flow.nodes:
                yield Problem(
                    "flow.no_such_node",
                    file=flow.file,
                    line=flow.line("node", name, *setting.split(".")),
                    node=name,
                    setting=setting,
                    target=target,
                    known=", ".join(flow.nodes),
                )


def _unreachable(flow: Flow) -> Iterator[Problem]:
    reached: set[str] = set()
    waiting = [flow.start]
    while waiting:
        name = waiting.pop()
        if name not in reached and name in flow.nodes:
            reached.add(name)
            waiting += [target for _, target in follows(flow.nodes[name])]
    for name in flow.nodes:
        if name not in reached:
            yield Problem("flow.unreachable", file=flow.file, line=flow.line("node", name), node=name)


def _unhelped(node: Node) -> str:
    """Where a caller comes who presses nothing and whom nobody answers; empty: to the end."""
    match node:
        case Say(next=following) | Notice(next=following) | Goto(next=following):
            return following
        case Menu(on_failure=failure):
            return failure
        case Call(on_nobody=nobody):
            return nobody
        case HangUp():
            return ""


def _circles(flow: Flow) -> Iterator[Problem]:
    """Nodes that lead back to themselves for a caller who does nothing: such a call would never end."""
    for name in flow.nodes:
        seen: list[str] = []
        at = name
        while at in flow.nodes and at not in seen:
            seen.append(at)
            at = _unhelped(flow.nodes[at])
        if at == name and min(seen) == name:  # told once for each circle
            way = " > ".join([*seen, at])
            yield Problem("flow.endless", file=flow.file, line=flow.line("node", name), node=name, way=way)


def _prompts(flow: Flow, has_prompt: HasPrompt) -> Iterator[Problem]:
    for name, node in flow.nodes.items():
        for setting, prompt in prompts_of(node):
            for language in flow.languages:
                if not has_prompt(language, prompt):
                    yield Problem(
                        "flow.no_prompt",
                        file=flow.file,
                        line=flow.line("node", name, setting),
                        node=name,
                        prompt=prompt,
                        language=language,
                    )


def _agents(flow: Flow, agents: Collection[str] | None) -> Iterator[Problem]:
    for name, node in flow.nodes.items():
        for agent in node.agents if isinstance(node, Call) and agents is not None else ():
            if agents is not None and agent not in agents:
                yield Problem(
                    "flow.unknown_agent",
                    file=flow.file,
                    line=flow.line("node", name, "agents"),
                    node=name,
                    agent=agent,
                    known=", ".join(sorted(agents)) or "-",
                )


def _languages(flow: Flow) -> Iterator[Problem]:
    for name, node in flow.nodes.items():
        if isinstance(node, Goto) and node.language and node.language not in flow.languages:
            line = flow.line("node", name, "language")
            yield Problem("flow.unspoken_language", file=flow.file, line=line, node=name, language=node.language)
