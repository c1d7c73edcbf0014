"""The ways through a flow: what can be reached, what ends, what has happened on every way. Pure.

All functions need a flow whose every way leads to a node that is there (check.py looks for that first).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from appliance.flow import model
from appliance.flow.model import Flow, Node, follows, forms, spoken_by

Edge = tuple[str, str, str]
"""From a node, by a setting, to a node."""


def reached(flow: Flow) -> set[str]:
    """The nodes that some caller may come to."""
    found: set[str] = set()
    waiting = [flow.start]
    while waiting:
        name = waiting.pop()
        if name not in found and name in flow.nodes:
            found.add(name)
            waiting += [target for _, target in follows(flow.nodes[name])]
    return found


def ends(node: Node) -> bool:
    """Whether a call may end here by itself."""
    return isinstance(node, model.Goodbye) or (isinstance(node, model.PEOPLE) and not node.next)


def trapped(flow: Flow) -> set[str]:
    """The nodes from which no way leads to an end."""
    back: dict[str, list[str]] = {name: [] for name in flow.nodes}
    for name, node in flow.nodes.items():
        for _, target in follows(node):
            back[target].append(name)
    saved = {name for name, node in flow.nodes.items() if ends(node)}
    waiting = list(saved)
    while waiting:
        for name in back[waiting.pop()]:
            if name not in saved:
                saved.add(name)
                waiting.append(name)
    return set(flow.nodes) - saved


def unhelped(node: Node) -> tuple[str, ...]:
    """Where a caller may come who presses nothing, and whom nobody answers."""
    match node:
        case model.Menu(on_failure=failure) | model.Digits(on_failure=failure) | model.Faq(on_failure=failure):
            return (failure,)
        case model.Consent(on_no=no) | model.Identify(on_no=no):
            return (no,)
        case model.Tracking(on_unknown=unknown):
            return (unknown,)
        case model.Call(on_nobody=nobody):
            return (nobody,)
        case model.Enqueue(on_nobody=nobody, on_full=full, on_absent=absent):
            return tuple(dict.fromkeys(filter(None, (nobody, full, absent))))
        case model.Transfer(on_failure=failure):
            return (failure,)
        case _:
            return tuple(dict.fromkeys(target for _, target in follows(node)))


def silent_circles(flow: Flow) -> list[list[str]]:
    """Circles for a caller who does nothing: such a call would not end before its limit. Each is told once."""
    colour: dict[str, int] = {}
    found: list[list[str]] = []

    def visit(start: str) -> None:
        stack: list[tuple[str, Iterator[str]]] = [(start, iter(unhelped(flow.nodes[start])))]
        colour[start] = 1
        way = [start]
        while stack:
            name, targets = stack[-1]
            for target in targets:
                if colour.get(target) == 1:
                    circle = way[way.index(target) :]
                    first = circle.index(min(circle))
                    found.append(circle[first:] + circle[:first])
                elif target not in colour:
                    colour[target] = 1
                    way.append(target)
                    stack.append((target, iter(unhelped(flow.nodes[target]))))
                    break
            else:
                colour[name] = 2
                way.pop()
                stack.pop()

    for name in flow.nodes:
        if name not in colour:
            visit(name)
    return found


def keys_to_a_person(flow: Flow) -> dict[str, int]:
    """The fewest keys from each node to a person, or to where a caller leaves word for one."""
    heard = (*model.PEOPLE, model.Voicemail, model.Callback, model.Promise, model.Request)
    far = {name: 0 for name, node in flow.nodes.items() if isinstance(node, heard)}
    back: dict[str, list[tuple[str, int]]] = {name: [] for name in flow.nodes}
    for name, node in flow.nodes.items():
        for setting, target in follows(node):
            back[target].append((name, int(setting.startswith("keys."))))
    waiting = deque(far)
    while waiting:  # keys cost 1, all else nothing: a queue with two ends
        name = waiting.popleft()
        for before, cost in back[name]:
            distance = far[name] + cost
            if distance < far.get(before, 1_000_000):
                far[before] = distance
                (waiting.append if cost else waiting.appendleft)(before)
    return far


Fact = Callable[[Node, str], bool]
"""Whether going from a node by this setting makes something true."""


def announced(node: Node, setting: str) -> bool:
    """The recording was announced, or agreed to."""
    return isinstance(node, model.Notice) or (isinstance(node, model.Consent) and setting == "on_yes")


def proven(node: Node, setting: str) -> bool:
    return isinstance(node, model.Identify) and setting == "on_yes"


def true_on_every_way(flow: Flow, fact: Fact) -> dict[str, bool]:
    """For each node that can be reached: whether ``fact`` became true on every way to it."""
    return {
        name: "fact" in known
        for name, known in _meet(flow, lambda node, setting: frozenset({"fact"} if fact(node, setting) else ())).items()
    }


def sets(node: Node) -> Iterator[tuple[str, str]]:
    """The variables that a node sets: pairs of the setting and the variable."""
    for setting, (form, _) in forms(type(node)).items():
        value = getattr(node, setting)
        if form.what == "variable" and value:
            yield setting, value
        elif form.what == "variables":
            yield from ((setting, name) for name in value)
        elif form.what == "values":
            yield from ((f"{setting}.{name}", name) for name in value)


# Ways on which a node's variables are not set.
_WITHOUT = ("on_failure", "on_no", "on_unknown", "on_open", "on_done", "otherwise")


def set_on_every_way(flow: Flow) -> dict[str, frozenset[str]]:
    """For each node that can be reached: the variables set on every way to it."""

    def made(node: Node, setting: str) -> frozenset[str]:
        found = {name for _, name in sets(node)} if setting not in _WITHOUT else set()
        if isinstance(node, model.Hours) and setting not in ("on_open", "on_doubt"):
            found.add("next_open")
        if isinstance(node, model.Tracking) and setting == "on_due":
            found.add("request_due")
        if isinstance(node, model.Promise) and setting == "next":
            found.add("request_due")
        return frozenset(found)

    return _meet(flow, made)


def _meet(flow: Flow, made: Callable[[Node, str], frozenset[str]]) -> dict[str, frozenset[str]]:
    """What holds at each node whichever way led there: the meet over all ways, by a work list."""
    known: dict[str, frozenset[str]] = {flow.start: frozenset()}
    waiting = deque([flow.start])
    while waiting:
        name = waiting.popleft()
        node = flow.nodes[name]
        for setting, target in follows(node):
            after = known[name] | made(node, setting)
            before = known.get(target)
            merged = after if before is None else before & after
            if merged != before:
                known[target] = merged
                waiting.append(target)
    return known


def longest_before_choice(flow: Flow, seconds_of: Callable[[str], float]) -> tuple[str, float]:
    """The node of the first choice that comes latest, and the seconds of prompts heard until its end."""
    choices = (model.Menu, model.Faq, model.Language, model.Consent, model.Digits, model.Identify, model.Tracking)
    latest = (flow.start, 0.0)

    def own(node: Node) -> float:
        return sum(
            seconds_of(each) for setting, each in spoken_by(node) if setting == "prompt" and isinstance(each, str)
        )

    best: dict[str, float] = {}
    waiting: list[tuple[str, float, frozenset[str]]] = [(flow.start, 0.0, frozenset())]
    while waiting:
        name, before, way = waiting.pop()
        node = flow.nodes[name]
        total = before + own(node)
        if name in way or total <= best.get(name, -1.0):
            continue
        best[name] = total
        if isinstance(node, choices):
            latest = max(latest, (name, total), key=lambda each: each[1])
        elif not isinstance(node, model.PEOPLE):
            waiting += [(target, total, way | {name}) for _, target in follows(node)]
    return latest
